/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets on streams: what a protocol does when its user is a script of system calls. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host.h"

struct piece {
	struct pkt_buf buf; /* first */
	struct sock *sock;
	uint8_t bytes[];
};

static int fail(int error)
{
	errno = error;
	return -1;
}

struct sock *sock_of(struct host *host, int fd)
{
	for (unsigned i = 0; i < HOST_SOCKET_COUNT; i++)
		if (host->socks[i].used && !host->socks[i].orphan && host->socks[i].fd == fd)
			return &host->socks[i];
	errno = EBADF;
	return NULL;
}

static struct sock *take(struct host *host, int family)
{
	for (unsigned i = 0; i < HOST_SOCKET_COUNT; i++) {
		struct sock *sock = &host->socks[i];
		if (sock->used)
			continue;
		*sock = (struct sock){.host = host, .family = family, .used = true, .settings = host->settings};
		sock->fd = open("/dev/null", O_RDWR | O_CLOEXEC);
		return sock;
	}
	return NULL;
}

/* ---- what the stream says ---- */

static const struct tcp_conn *conn_of(const struct sock *sock)
{
	return (const struct tcp_conn *)sock->stream;
}

static void on_open(void *ctx)
{
	struct sock *sock = ctx;
	sock->connecting = false;
	sock->connected = sock->was_connected = true;
}

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len)
{
	struct sock *sock = ctx;
	if (sock->orphan) {
		stream_abort(sock->stream); /* nobody will read it (RFC 1122 4.2.2.13) */
		return len;
	}
	if (sock->shut_read)
		return len;
	const size_t left = sock->want ? sock->want_bytes - sock->got_bytes : 0;
	const uint32_t taken = len < left ? len : (uint32_t)left;
	if (taken)
		memcpy(sock->want + sock->got_bytes, data, taken);
	sock->got_bytes += taken;
	return taken;
}

static void on_end(void *ctx)
{
	struct sock *sock = ctx;
	sock->ended = true;
}

static void on_closed(void *ctx, enum stream_close reason)
{
	struct sock *sock = ctx;
	static const int errors[] = {
		[STREAM_CLOSED] = 0,  [STREAM_RESET] = ECONNRESET,     [STREAM_TIMED_OUT] = ETIMEDOUT,
		[STREAM_ABORTED] = 0, [STREAM_REFUSED] = ECONNREFUSED, [STREAM_UNREACHABLE] = EHOSTUNREACH,
	};
	sock->error = errors[reason];
	sock->stream = NULL;
	sock->connecting = sock->connected = false;
	if (sock->orphan)
		sock->used = false;
}

static const struct stream_handler handler = {
	.on_open = on_open, .on_data = on_data, .on_end = on_end, .on_closed = on_closed};

static bool on_accept(void *ctx, struct stream *stream)
{
	struct sock *listener = ctx;
	struct sock *sock = take(listener->host, listener->family);
	if (!sock || listener->queue_count >= HOST_QUEUE_COUNT || listener->queue_count > listener->backlog) {
		if (sock) {
			(void)close(sock->fd);
			sock->used = false;
		}
		return false;
	}
	sock->settings = listener->settings;
	sock->send_bytes_max = listener->send_bytes_max;
	sock->stream = stream;
	sock->connected = sock->was_connected = true;
	listener->queue[listener->queue_count++] = sock;
	stream->handler = &handler;
	stream->ctx = sock;
	return true;
}

/* ---- calls ---- */

int sock_new(struct host *host, int family, int type)
{
	if ((family != AF_INET && family != AF_INET6) || (type & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != SOCK_STREAM)
		return fail(EPROTONOSUPPORT);
	struct sock *sock = take(host, family);
	if (!sock)
		return fail(EMFILE);
	sock->nonblocking = type & SOCK_NONBLOCK;
	return sock->fd;
}

int sock_listen(struct sock *sock, int backlog)
{
	if (sock->stream)
		return fail(EINVAL);
	sock->backlog = backlog > 0 ? (unsigned)backlog : 0;
	if (sock->listening)
		return 0;
	tcp_set_settings(sock->host->tcp, &sock->settings);
	const int rc = tcp_listen(sock->host->tcp, ip_addr_is_none(&sock->local) ? NULL : &sock->local, sock->port,
				  on_accept, sock);
	if (rc)
		return fail(-rc);
	sock->listening = true;
	return 0;
}

int sock_accept(struct sock *sock)
{
	if (!sock->listening)
		return fail(EINVAL);
	if (!sock->queue_count)
		return -EAGAIN;
	struct sock *first = sock->queue[0];
	memmove(sock->queue, sock->queue + 1, --sock->queue_count * sizeof sock->queue[0]);
	return first->fd;
}

static int take_error(struct sock *sock)
{
	const int error = sock->error;
	sock->error = 0;
	return error;
}

int sock_connect(struct sock *sock, const struct ip_addr *addr, uint16_t port)
{
	if (sock->listening)
		return fail(EISCONN);
	if (sock->connected) {
		if (sock->connect_told)
			return fail(EISCONN);
		sock->connect_told = true;
		return 0;
	}
	if (sock->connecting)
		return fail(EALREADY);
	if (sock->error)
		return fail(take_error(sock));
	if (sock->was_connected)
		return fail(EISCONN);
	struct ip_addr local = sock->local;
	if (ip_addr_is_none(&local))
		local = host_local(sock->host, ip_addr_is_v4(addr));
	tcp_set_settings(sock->host->tcp, &sock->settings);
	sock->stream = tcp_connect(sock->host->tcp, &local, sock->port, addr, port, &handler, sock, sock->host->now_ns);
	if (!sock->stream)
		return -1;
	sock->connecting = true;
	host_turn(sock->host);
	return -EINPROGRESS;
}

/* What a read would be given, without taking it. */
static void look_ahead(struct sock *sock)
{
	const struct tcp_held *held;
	TAILQ_FOREACH(held, &conn_of(sock)->unread, link)
	{
		const size_t left = sock->want_bytes - sock->got_bytes;
		const size_t len = held->len_bytes < left ? held->len_bytes : left;
		if (sock->want && len)
			memcpy(sock->want + sock->got_bytes, held->data, len);
		sock->got_bytes += len;
	}
}

ssize_t sock_read(struct sock *sock, void *to, size_t bytes, int flags)
{
	if (!sock->was_connected && !sock->connecting)
		return sock->error ? fail(take_error(sock)) : fail(ENOTCONN);
	sock->want = to;
	sock->want_bytes = to ? bytes : 0;
	sock->got_bytes = 0;
	if (sock->stream && sock->connected && !sock->shut_read) {
		if (flags & MSG_PEEK)
			look_ahead(sock);
		else
			stream_resume(sock->stream);
	}
	sock->want = NULL;
	const size_t got = sock->got_bytes;
	host_turn(sock->host);
	if (got || (bytes == 0 && sock->stream))
		return (ssize_t)got;
	if (sock->error)
		return fail(take_error(sock));
	if (sock->ended || sock->shut_read || (!sock->stream && sock->was_connected))
		return 0;
	return -EAGAIN;
}

static void piece_release(struct pkt_buf *buf)
{
	struct piece *piece = (struct piece *)buf;
	piece->sock->queued_bytes -= buf->len_bytes;
	free(piece);
}

ssize_t sock_write(struct sock *sock, const void *from, size_t bytes, int flags)
{
	if (sock->error)
		return fail(take_error(sock));
	if (sock->shut_write || (!sock->stream && sock->was_connected))
		return fail(EPIPE);
	if (!sock->stream)
		return fail(ENOTCONN);
	if (sock->connecting)
		return -EAGAIN;
	if (sock->send_bytes_max) {
		if (sock->queued_bytes >= sock->send_bytes_max)
			return -EAGAIN;
		if (bytes > sock->send_bytes_max - sock->queued_bytes)
			bytes = sock->send_bytes_max - sock->queued_bytes;
	}
	if (bytes) {
		struct piece *piece = malloc(sizeof *piece + bytes);
		if (!piece)
			abort();
		memcpy(piece->bytes, from, bytes);
		piece->sock = sock;
		piece->buf = (struct pkt_buf){
			.data = piece->bytes, .len_bytes = (uint32_t)bytes, .refs = 1, .release = piece_release};
		sock->queued_bytes += bytes;
		stream_send(sock->stream, &piece->buf);
	}
	if (!(flags & MSG_MORE) && !sock->corked && sock->stream)
		stream_flush(sock->stream);
	host_turn(sock->host);
	return (ssize_t)bytes;
}

int sock_shutdown(struct sock *sock, int how)
{
	if (how < SHUT_RD || how > SHUT_RDWR)
		return fail(EINVAL);
	if (!sock->stream || sock->connecting)
		return fail(ENOTCONN);
	if (how != SHUT_WR) {
		sock->shut_read = true;
		stream_resume(sock->stream);
	}
	if (how != SHUT_RD && !sock->shut_write) {
		sock->shut_write = true;
		stream_shutdown(sock->stream);
	}
	host_turn(sock->host);
	return 0;
}

int sock_close(struct sock *sock)
{
	struct host *host = sock->host;
	if (sock->listening) {
		(void)tcp_unlisten(host->tcp, &sock->local, sock->port);
		while (sock->queue_count)
			(void)sock_close(sock->queue[--sock->queue_count]);
	}
	sock->orphan = true;
	(void)close(sock->fd);
	if (!sock->stream) {
		sock->used = false;
	} else if (sock->connecting || sock->linger_abort || (conn_of(sock)->unread_bytes && !sock->shut_read)) {
		stream_abort(sock->stream);
	} else {
		if (!sock->shut_write)
			stream_shutdown(sock->stream);
		/* An end of the peer's that nobody asked for. */
		stream_resume(sock->stream);
	}
	host_turn(host);
	return 0;
}

short sock_events(const struct sock *sock)
{
	short events = 0;
	if (sock->listening)
		return sock->queue_count ? POLLIN | POLLRDNORM : 0;
	const bool gone = !sock->stream && !sock->connecting;
	const bool read_over = sock->ended || sock->shut_read || (sock->stream && conn_of(sock)->fin_received);
	if (sock->error)
		events |= POLLERR;
	if (gone || (read_over && sock->shut_write))
		events |= POLLHUP;
	if (gone || read_over)
		events |= POLLRDHUP;
	if (gone || read_over || (sock->stream && conn_of(sock)->unread_bytes))
		events |= POLLIN | POLLRDNORM;
	if (gone || sock->shut_write ||
	    (sock->connected && (!sock->send_bytes_max || sock->queued_bytes < sock->send_bytes_max)))
		events |= POLLOUT | POLLWRNORM;
	return events;
}
