/* SPDX-License-Identifier: BSD-3-Clause */
/* Options of sockets, and what they tell of themselves. */
#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "host.h"

static int fail(int error)
{
	errno = error;
	return -1;
}

static struct tcp_conn *conn_of(struct sock *sock)
{
	return (struct tcp_conn *)sock->stream;
}

/* A connection takes its settings when it begins; what may change later is handed on. */
static void apply(struct sock *sock)
{
	struct tcp_conn *conn = conn_of(sock);
	if (sock->listening)
		tcp_set_settings(sock->host->tcp, &sock->settings);
	if (!conn)
		return;
	const struct tcp_settings *s = &sock->settings;
	conn->settings.keepalive_idle_ms = s->keepalive_idle_ms;
	conn->settings.keepalive_interval_ms = s->keepalive_interval_ms;
	conn->settings.keepalive_count = s->keepalive_count;
	conn->settings.user_timeout_ms = s->user_timeout_ms;
	if (s->keepalive_idle_ms && conn->state >= TCP_ESTABLISHED && conn->state != TCP_TIME_WAIT) {
		conn->keep_ns = conn->heard_ns + s->keepalive_idle_ms * TCP_NS_PER_MS;
		tcp_schedule(conn);
	}
}

static int set_socket(struct sock *sock, int name, const void *value, socklen_t bytes, int number)
{
	switch (name) {
	case SO_REUSEADDR:
	case SO_REUSEPORT:
	case SO_PRIORITY:
	case SO_MARK:
		return 0;
	case SO_SNDBUF:
		sock->send_bytes_max = (uint32_t)number;
		return 0;
	case SO_RCVBUF:
		sock->settings.window_bytes_max = (uint32_t)number;
		apply(sock);
		return 0;
	case SO_KEEPALIVE:
		sock->settings.keepalive_idle_ms = !number ? 0 : 7200000;
		apply(sock);
		return 0;
	case SO_LINGER:
		if (bytes < sizeof(struct linger))
			return fail(EINVAL);
		sock->linger_abort =
			((const struct linger *)value)->l_onoff && !((const struct linger *)value)->l_linger;
		return 0;
	default:
		return fail(ENOPROTOOPT);
	}
}

static int set_congestion(struct sock *sock, const char *name, socklen_t bytes)
{
	static const char *const names[] = {[TCP_CUBIC] = "cubic", [TCP_DCTCP] = "dctcp", [TCP_RENO] = "reno"};
	for (unsigned i = 0; i < 3; i++)
		if (bytes >= strlen(names[i]) && strncmp(names[i], name, bytes) == 0) {
			sock->settings.congestion = (enum tcp_congestion)i;
			apply(sock);
			return 0;
		}
	return fail(ENOENT);
}

static int set_tcp(struct sock *sock, int name, const void *value, socklen_t bytes, int number)
{
	struct tcp_settings *s = &sock->settings;
	switch (name) {
	case TCP_NODELAY: /* what is written is flushed */
	case TCP_QUICKACK:
		return 0;
	case TCP_CORK:
		sock->corked = number;
		if (!number && sock->stream) {
			stream_flush(sock->stream);
			host_turn(sock->host);
		}
		return 0;
	case TCP_KEEPIDLE:
		s->keepalive_idle_ms = (uint32_t)number * 1000;
		break;
	case TCP_KEEPINTVL:
		s->keepalive_interval_ms = (uint32_t)number * 1000;
		break;
	case TCP_KEEPCNT:
		s->keepalive_count = (uint32_t)number;
		break;
	case TCP_USER_TIMEOUT:
		s->user_timeout_ms = (uint32_t)number;
		break;
	case TCP_CONGESTION:
		return set_congestion(sock, value, bytes);
	default:
		return fail(ENOPROTOOPT);
	}
	apply(sock);
	return 0;
}

int sock_set(struct sock *sock, int level, int name, const void *value, socklen_t bytes)
{
	if (!value)
		return fail(EFAULT);
	const int number = bytes >= sizeof(int) ? *(const int *)value : 0;
	if (level == SOL_SOCKET)
		return set_socket(sock, name, value, bytes, number);
	if (level == IPPROTO_TCP)
		return set_tcp(sock, name, value, bytes, number);
	if ((level == IPPROTO_IP && (name == IP_MTU_DISCOVER || name == IP_TOS)) ||
	    (level == IPPROTO_IPV6 && (name == IPV6_V6ONLY || name == IPV6_TCLASS)))
		return 0;
	return fail(ENOPROTOOPT);
}

static uint8_t linux_state(const struct sock *sock)
{
	static const uint8_t states[TCP_STATE_COUNT] = {
		[TCP_CLOSED] = 7,     [TCP_SYN_SENT] = 2,   [TCP_SYN_RECEIVED] = 3, [TCP_ESTABLISHED] = 1,
		[TCP_FIN_WAIT_1] = 4, [TCP_FIN_WAIT_2] = 5, [TCP_CLOSE_WAIT] = 8,   [TCP_CLOSING] = 11,
		[TCP_LAST_ACK] = 9,   [TCP_TIME_WAIT] = 6,
	};
	if (sock->listening)
		return 10;
	return states[sock->stream ? ((const struct tcp_conn *)sock->stream)->state : TCP_CLOSED];
}

static void describe(struct sock *sock, struct tcp_info *info)
{
	const struct tcp_conn *conn = conn_of(sock);
	memset(info, 0, sizeof *info);
	info->tcpi_state = linux_state(sock);
	if (!conn)
		return;
	static const uint8_t phases[] = {[TCP_OPEN] = 0, [TCP_REDUCED] = 2, [TCP_RECOVERY] = 3, [TCP_LOSS] = 4};
	info->tcpi_ca_state = phases[conn->phase];
	if (conn->phase == TCP_OPEN && conn->sacked_count)
		info->tcpi_ca_state = 1;
	info->tcpi_backoff = conn->backoff;
	info->tcpi_retransmits = conn->backoff;
	info->tcpi_options = (uint8_t)((conn->timestamps ? 1 : 0) | (conn->sack ? 2 : 0) |
				       (conn->snd_wscale || conn->rcv_wscale ? 4 : 0) | (conn->ecn ? 8 : 0));
	info->tcpi_snd_wscale = conn->snd_wscale & 15u;
	info->tcpi_rcv_wscale = conn->rcv_wscale & 15u;
	info->tcpi_rto = (uint32_t)(conn->rto_ns / 1000);
	info->tcpi_snd_mss = conn->mss;
	info->tcpi_rcv_mss = conn->rcv_mss;
	info->tcpi_unacked = conn->sent_count;
	info->tcpi_sacked = conn->sacked_count;
	info->tcpi_pmtu = conn->path.mtu;
	info->tcpi_rtt = (uint32_t)(conn->srtt_ns / 1000);
	info->tcpi_rttvar = (uint32_t)(conn->rttvar_ns / 1000);
	info->tcpi_snd_ssthresh = conn->ssthresh == UINT32_MAX ? 0x7fffffff : conn->ssthresh / conn->mss;
	info->tcpi_snd_cwnd = conn->cwnd / conn->mss;
	info->tcpi_reordering = 3;
	info->tcpi_total_retrans = (uint32_t)conn->retransmits;
	info->tcpi_bytes_received = conn->bytes_in;
	info->tcpi_segs_in = (uint32_t)conn->segments_in;
	info->tcpi_segs_out = (uint32_t)conn->segments_out;
	info->tcpi_notsent_bytes = (uint32_t)sock->stream->unsent_bytes;
}

static int give(void *to, socklen_t *room, const void *from, size_t bytes)
{
	if (*room > bytes)
		*room = (socklen_t)bytes;
	memcpy(to, from, *room);
	return 0;
}

static int get_tcp(struct sock *sock, int name, void *value, socklen_t *bytes)
{
	static const char *const names[] = {[TCP_CUBIC] = "cubic", [TCP_DCTCP] = "dctcp", [TCP_RENO] = "reno"};
	const struct tcp_settings *s = &sock->settings;
	struct tcp_info info;
	int number;
	switch (name) {
	case TCP_INFO:
		describe(sock, &info);
		return give(value, bytes, &info, sizeof info);
	case TCP_CONGESTION:
		return give(value, bytes, names[s->congestion], strlen(names[s->congestion]));
	case TCP_NODELAY:
		number = 1;
		break;
	case TCP_MAXSEG:
		number = sock->stream ? conn_of(sock)->mss : 536;
		break;
	case TCP_KEEPIDLE:
		number = (int)(s->keepalive_idle_ms / 1000);
		break;
	case TCP_KEEPINTVL:
		number = (int)(s->keepalive_interval_ms / 1000);
		break;
	case TCP_KEEPCNT:
		number = (int)s->keepalive_count;
		break;
	case TCP_USER_TIMEOUT:
		number = (int)s->user_timeout_ms;
		break;
	default:
		return fail(ENOPROTOOPT);
	}
	return give(value, bytes, &number, sizeof number);
}

int sock_get(struct sock *sock, int level, int name, void *value, socklen_t *bytes)
{
	int number;
	if (level == IPPROTO_TCP)
		return get_tcp(sock, name, value, bytes);
	if (level != SOL_SOCKET)
		return fail(ENOPROTOOPT);
	switch (name) {
	case SO_ERROR:
		number = sock->error;
		sock->error = 0;
		break;
	case SO_ACCEPTCONN:
		number = sock->listening;
		break;
	case SO_TYPE:
		number = SOCK_STREAM;
		break;
	case SO_SNDBUF:
		number = (int)(sock->send_bytes_max ? sock->send_bytes_max : sock->settings.send_bytes_max);
		break;
	case SO_RCVBUF:
		number = (int)sock->settings.window_bytes_max;
		break;
	case SO_KEEPALIVE:
		number = sock->settings.keepalive_idle_ms != 0;
		break;
	default:
		return fail(ENOPROTOOPT);
	}
	return give(value, bytes, &number, sizeof number);
}

int sock_ioctl(struct sock *sock, unsigned long request, int *value)
{
	const struct tcp_conn *conn = conn_of(sock);
	switch (request) {
	case FIONREAD: /* SIOCINQ, too */
		*value = conn ? (int)conn->unread_bytes : 0;
		return 0;
	case SIOCOUTQ:
		*value = conn ? (int)(conn->snd_nxt - conn->snd_una + sock->stream->unsent_bytes) : 0;
		return 0;
	case SIOCOUTQNSD:
		*value = conn ? (int)sock->stream->unsent_bytes : 0;
		return 0;
	case FIONBIO:
		sock->nonblocking = *value;
		return 0;
	default:
		return fail(EINVAL);
	}
}
