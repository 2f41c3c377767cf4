/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP of a lcore: creation, the turn, active opens. */
#include <errno.h>
#include <stdlib.h>

#include "tcp/tcp_priv.h"

#define PORT_FIRST 49152u /* RFC 6335 6 */
#define PORT_COUNT 16384u
#define PURPOSE_PORT 3u

void tcp_settings_default(struct tcp_settings *settings)
{
	*settings = (struct tcp_settings){
		.congestion = TCP_CUBIC,
		.ecn = true,
		.keepalive_idle_ms = 60000,
		.keepalive_interval_ms = 10000,
		.keepalive_count = 6,
		.user_timeout_ms = 60000,
		.window_bytes_max = 4u << 20,
		.send_bytes_max = 16u << 20,
	};
}

static void make_lists(struct tcp_lcore *lcore)
{
	TAILQ_INIT(&lcore->ready);
	TAILQ_INIT(&lcore->free);
	TAILQ_INIT(&lcore->time_wait);
	TAILQ_INIT(&lcore->gaps);
	TAILQ_INIT(&lcore->free_halves);
	TAILQ_INIT(&lcore->free_held);
	for (uint32_t i = 0; i < lcore->limits.connection_count; i++) {
		lcore->conns[i].lcore = lcore;
		TAILQ_INSERT_TAIL(&lcore->free, &lcore->conns[i], all_link);
	}
	for (uint32_t i = 0; i < lcore->limits.embryonic_count; i++)
		TAILQ_INSERT_TAIL(&lcore->free_halves, &lcore->halves[i], free_link);
	for (uint32_t i = 0; i < lcore->limits.sent_segment_count; i++)
		tcp_sent_give(lcore, &lcore->sents[i]);
	for (uint32_t i = 0; i < lcore->limits.held_packet_count; i++)
		TAILQ_INSERT_TAIL(&lcore->free_held, &lcore->helds[i], link);
	lcore->free_held_count = lcore->limits.held_packet_count;
}

static void free_memory(struct tcp_lcore *lcore)
{
	free(lcore->buckets);
	free(lcore->conns);
	free(lcore->halves);
	free(lcore->sents);
	free(lcore->helds);
	free(lcore->listeners);
	free(lcore);
}

struct tcp_lcore *tcp_lcore_create(const struct tcp_env *env, const struct tcp_limits *limits,
				   const struct tcp_settings *settings)
{
	struct tcp_lcore *lcore = calloc(1, sizeof *lcore);
	if (!lcore)
		return NULL;
	lcore->env = *env;
	lcore->limits = *limits;
	lcore->settings = *settings;
	memcpy(lcore->hash_key, env->secret, sizeof lcore->hash_key);
	/* An even factor folds badly. */
	for (unsigned i = 0; i < 4; i++)
		lcore->hash_key[i] = (lcore->hash_key[i] ^ 0x9e3779b97f4a7c15ull * (i + 1)) | 1;
	uint32_t bucket_count = 64;
	while (bucket_count < 2 * (limits->connection_count + limits->embryonic_count))
		bucket_count *= 2;
	lcore->bucket_mask = bucket_count - 1;
	lcore->buckets = calloc(bucket_count, sizeof *lcore->buckets);
	lcore->conns = calloc(limits->connection_count + 1, sizeof *lcore->conns);
	lcore->halves = calloc(limits->embryonic_count + 1, sizeof *lcore->halves);
	lcore->sents = calloc(limits->sent_segment_count + 1, sizeof *lcore->sents);
	lcore->helds = calloc(limits->held_packet_count + 1, sizeof *lcore->helds);
	lcore->listeners = calloc(limits->listener_count + 1, sizeof *lcore->listeners);
	if (!lcore->buckets || !lcore->conns || !lcore->halves || !lcore->sents || !lcore->helds || !lcore->listeners) {
		free_memory(lcore);
		return NULL;
	}
	make_lists(lcore);
	wheel_init(&lcore->wheel, 0);
	return lcore;
}

void tcp_lcore_destroy(struct tcp_lcore *lcore)
{
	if (!lcore)
		return;
	for (uint32_t i = 0; i < lcore->limits.connection_count; i++) {
		struct tcp_conn *conn = &lcore->conns[i];
		const struct stream_handler *handler = conn->stream.handler;
		const bool lives = conn->node.in_table || conn->finished || conn->state != TCP_CLOSED;
		if (!lives && !handler)
			continue;
		const enum stream_close reason = conn->finished ? (enum stream_close)conn->reason : STREAM_ABORTED;
		tcp_conn_free(conn);
		conn->finished = true; /* what on_closed does with the stream has no effect */
		if (handler)
			handler->on_closed(conn->stream.ctx, reason);
	}
	free_memory(lcore);
}

void tcp_set_settings(struct tcp_lcore *lcore, const struct tcp_settings *settings)
{
	lcore->settings = *settings;
}

/* The protocol is told once; then the connection goes, unless it has to stay in TIME-WAIT. */
static void tell_closed(struct tcp_conn *conn)
{
	const struct stream_handler *handler = conn->stream.handler;
	conn->stream.handler = NULL;
	if (handler)
		handler->on_closed(conn->stream.ctx, (enum stream_close)conn->reason);
	if (conn->state == TCP_TIME_WAIT)
		conn->finished = false;
	else
		tcp_conn_free(conn);
}

/* The end of a turn for one connection: data, which carries acknowledgements, or these alone. */
static void turn(struct tcp_conn *conn)
{
	if (conn->finished && !(conn->state == TCP_TIME_WAIT && conn->ack_now)) {
		tell_closed(conn);
		return;
	}
	if (conn->state == TCP_CLOSED)
		return;
	if (conn->state != TCP_SYN_SENT && conn->state != TCP_SYN_RECEIVED && conn->state != TCP_TIME_WAIT)
		tcp_output(conn);
	if (conn->ack_now || conn->unacked_segments >= 2) {
		if (!tcp_send_ack(conn)) {
			/* No packet now: the timer tries again. */
			conn->ack_ns = conn->lcore->now_ns + TCP_NS_PER_MS;
			conn->ack_now = false;
		}
	} else if (conn->unacked_segments && conn->ack_ns == UINT64_MAX) {
		conn->ack_ns = conn->lcore->now_ns + TCP_DELAYED_ACK_NS;
	}
	if (conn->finished)
		tell_closed(conn);
	else
		tcp_schedule(conn);
}

unsigned tcp_poll(struct tcp_lcore *lcore, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	unsigned moved = 0;
	for (struct wheel_node *timer; (timer = wheel_expire(&lcore->wheel, now_ns)); moved++) {
		struct tcp_node *node = (struct tcp_node *)((char *)timer - offsetof(struct tcp_node, timer));
		if (node->kind == TCP_NODE_HALF)
			tcp_half_timer(lcore, (struct tcp_half *)((char *)node - offsetof(struct tcp_half, node)));
		else
			tcp_conn_timer((struct tcp_conn *)((char *)node - offsetof(struct tcp_conn, node)));
	}
	/* What callbacks make ready meanwhile waits for the next turn. */
	struct tcp_conn *last = TAILQ_LAST(&lcore->ready, tcp_conn_list);
	for (struct tcp_conn *conn; last && (conn = TAILQ_FIRST(&lcore->ready)); moved++) {
		tcp_flush_noted(conn); /* still in the list: it need not be put there again */
		TAILQ_REMOVE(&lcore->ready, conn, ready_link);
		conn->is_ready = false;
		const bool is_last = conn == last;
		turn(conn);
		if (is_last)
			break;
	}
	return moved;
}

uint64_t tcp_next_due_ns(const struct tcp_lcore *lcore)
{
	return TAILQ_EMPTY(&lcore->ready) ? wheel_next_ns(&lcore->wheel) : 0;
}

unsigned tcp_connection_count(const struct tcp_lcore *lcore)
{
	return lcore->conn_count;
}

void tcp_abort_all(struct tcp_lcore *lcore, const struct ip_addr *local, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	for (uint32_t i = 0; i < lcore->limits.connection_count; i++) {
		struct tcp_conn *conn = &lcore->conns[i];
		if (!conn->node.in_table || (local && !ip_addr_equal(local, &conn->node.key.local)))
			continue;
		if (conn->state == TCP_TIME_WAIT && !conn->stream.handler)
			tcp_conn_free(conn);
		else
			stream_abort(&conn->stream);
	}
	for (uint32_t i = 0; i < lcore->limits.embryonic_count; i++) {
		struct tcp_half *half = &lcore->halves[i];
		if (half->node.in_table && (!local || ip_addr_equal(local, &half->node.key.local)))
			tcp_half_drop(lcore, half);
	}
}

/* ---- active open ---- */

/* A port that nobody uses towards this remote, whose flow comes back to this worker (RFC 6056 3.3.3). */
static uint16_t choose_port(struct tcp_lcore *lcore, struct tcp_key *key)
{
	key->local_port = 0;
	const uint32_t start = (uint32_t)tcp_keyed(lcore, key, PURPOSE_PORT, lcore->port_count++);
	for (uint32_t i = 0; i < PORT_COUNT; i++) {
		key->local_port = (uint16_t)(PORT_FIRST + (start + i) % PORT_COUNT);
		const uint32_t flow = lcore->env.worker_count > 1 ? net_flow_hash(&key->local, key->local_port,
										  &key->remote, key->remote_port)
								  : 0;
		if (lcore->env.worker_count > 1 && flow % lcore->env.worker_count != lcore->env.worker_index)
			continue;
		if (!tcp_find(lcore, key, tcp_hash(lcore, key)))
			return key->local_port;
	}
	return 0;
}

static struct stream *no_stream(int error)
{
	errno = error;
	return NULL;
}

struct stream *tcp_connect(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t local_port,
			   const struct ip_addr *remote, uint16_t remote_port, const struct stream_handler *handler,
			   void *ctx, uint64_t now_ns)
{
	static const struct ip_addr none;
	lcore->now_ns = now_ns;
	struct net_path path;
	const int error = lcore->env.path_open(lcore->env.ctx, &path, local ? local : &none, remote, NULL);
	if (error)
		return no_stream(-error);
	struct tcp_key key = {path.local, *remote, local_port, remote_port};
	if (!local_port && !choose_port(lcore, &key))
		return no_stream(EADDRINUSE);
	if (local_port && tcp_find(lcore, &key, tcp_hash(lcore, &key)))
		return no_stream(EADDRINUSE);
	struct tcp_conn *conn = tcp_conn_take(lcore, &key, &path);
	if (!conn)
		return no_stream(ENOBUFS);
	conn->stream.handler = handler;
	conn->stream.ctx = ctx;
	(void)tcp_step(conn, TCP_EVENT_CONNECT);
	conn->iss = tcp_isn(lcore, &key);
	conn->snd_una = conn->iss;
	conn->snd_nxt = conn->iss + 1;
	conn->rcv_edge = 0;
	conn->progress_ns = now_ns;
	(void)tcp_send_syn(conn); /* without a packet: the timer sends again */
	conn->timer = TCP_TIMER_RTO;
	conn->rexmt_ns = now_ns + conn->rto_ns;
	tcp_schedule(conn);
	return &conn->stream;
}
