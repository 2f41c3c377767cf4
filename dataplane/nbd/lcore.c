/* SPDX-License-Identifier: BSD-3-Clause */
/* One worker's sessions and pools: creation, the turn, the operator's view. */
#include <stdlib.h>

#include "nbd/nbd_priv.h"

#define IO_COUNT_EACH_MIN 8u
#define BUFFER_ALIGN_BYTES 4096u /* also the room in front of each for NBD_HEAD_ROOM_BYTES */

static uint64_t buffer_stride(const struct nbd_limits *limits)
{
	return (uint64_t)limits->buffer_bytes + BUFFER_ALIGN_BYTES;
}

static void pools_init(struct nbd_lcore *lcore)
{
	const struct nbd_limits *limits = &lcore->limits;
	for (uint32_t i = limits->session_count; i-- > 0;)
		TAILQ_INSERT_HEAD(&lcore->free_sessions, &lcore->session_memory[i], link);
	for (uint32_t i = limits->request_count; i-- > 0;) {
		lcore->request_memory[i].next = lcore->free_requests;
		lcore->free_requests = &lcore->request_memory[i];
	}
	for (uint32_t i = limits->buffer_count; i-- > 0;) {
		struct nbd_io *io = &lcore->io_memory[i];
		io->data = lcore->buffer_memory + i * buffer_stride(limits) + BUFFER_ALIGN_BYTES;
		io->next = lcore->free_ios;
		lcore->free_ios = io;
	}
	lcore->free_io_count = limits->buffer_count;
	lcore->free_request_count = limits->request_count;
	for (uint32_t i = NBD_OPTION_BUFFER_COUNT; i-- > 0;) {
		lcore->option_memory[i].next = lcore->free_options;
		lcore->free_options = &lcore->option_memory[i];
	}
}

static void lcore_fini(struct nbd_lcore *lcore)
{
	table_fini(&lcore->by_id);
	table_fini(&lcore->by_name);
	free(lcore->places);
	free(lcore->session_memory);
	free(lcore->request_memory);
	free(lcore->io_memory);
	free(lcore->option_memory);
	if (lcore->buffer_memory)
		lcore->env.free(lcore->env.ctx, lcore->buffer_memory);
	free(lcore);
}

struct nbd_lcore *nbd_lcore_create(const struct nbd_env *env, const struct nbd_limits *limits)
{
	assert(is_power_of_two_u64(limits->buffer_bytes) && limits->buffer_bytes >= NBD_DF_BYTES_MIN);
	assert(limits->buffer_count >= 2 && limits->request_count && limits->request_count_each);
	struct nbd_lcore *lcore = calloc(1, sizeof *lcore);
	if (!lcore)
		return NULL;
	lcore->env = *env;
	lcore->limits = *limits;
	lcore->io_count_each = limits->buffer_count / 4;
	if (lcore->io_count_each < IO_COUNT_EACH_MIN)
		lcore->io_count_each = IO_COUNT_EACH_MIN;
	if (lcore->io_count_each > limits->buffer_count)
		lcore->io_count_each = limits->buffer_count;
	TAILQ_INIT(&lcore->sessions);
	TAILQ_INIT(&lcore->free_sessions);
	TAILQ_INIT(&lcore->waiting);
	TAILQ_INIT(&lcore->waiting_slow);
	TAILQ_INIT(&lcore->waiting_option);
	TAILQ_INIT(&lcore->sharing);
	TAILQ_INIT(&lcore->ready);
	TAILQ_INIT(&lcore->attend);
	TAILQ_INIT(&lcore->stepping);
	lcore->places = calloc(WHERRY_EXPORT_COUNT_MAX, sizeof(struct nbd_export *));
	lcore->session_memory = calloc(limits->session_count, sizeof(struct nbd_session));
	lcore->request_memory = calloc(limits->request_count, sizeof(struct nbd_request));
	lcore->io_memory = calloc(limits->buffer_count, sizeof(struct nbd_io));
	lcore->option_memory = calloc(NBD_OPTION_BUFFER_COUNT, sizeof(struct nbd_option_buffer));
	lcore->buffer_memory = env->alloc(env->ctx, limits->buffer_count * buffer_stride(limits));
	if (!lcore->places || !lcore->session_memory || !lcore->request_memory || !lcore->io_memory ||
	    !lcore->option_memory || !lcore->buffer_memory || table_init(&lcore->by_id, WHERRY_EXPORT_COUNT_MAX) < 0 ||
	    table_init(&lcore->by_name, WHERRY_EXPORT_COUNT_MAX) < 0) {
		lcore_fini(lcore);
		return NULL;
	}
	pools_init(lcore);
	return lcore;
}

void nbd_lcore_destroy(struct nbd_lcore *lcore)
{
	assert(lcore->session_count == 0 && lcore->under_way == 0);
	for (uint32_t i = 0; i < lcore->place_end; i++)
		if (lcore->places[i])
			lcore->places[i]->lcore = NULL;
	lcore_fini(lcore);
}

uint32_t nbd_lcore_under_way(const struct nbd_lcore *lcore)
{
	return lcore->under_way;
}

uint32_t nbd_lcore_session_count(const struct nbd_lcore *lcore)
{
	return lcore->session_count;
}

void nbd_lcore_drain(struct nbd_lcore *lcore)
{
	struct nbd_session *session;
	lcore->draining = true;
	TAILQ_FOREACH(session, &lcore->sessions, link)
	{
		if (!session->stream || session->doomed)
			continue;
		nbd_end(session);
		nbd_session_give_up(session);
	}
}

void nbd_lcore_let_go(struct nbd_lcore *lcore)
{
	struct nbd_session *session;
	assert(lcore->under_way == 0);
	for (uint32_t i = 0; i < lcore->limits.buffer_count; i++)
		if (lcore->io_memory[i].buf.refs)
			nbd_export_put(lcore->io_memory[i].export_);
	for (uint32_t i = 0; i < lcore->limits.request_count; i++)
		if (lcore->request_memory[i].buf.refs)
			nbd_export_put(lcore->request_memory[i].export_);
	TAILQ_FOREACH(session, &lcore->sessions, link)
	nbd_session_leave_export(session);
	lcore->session_count = 0;
}

static void set_gauge(struct nbd_lcore *lcore, enum wherry_lcore_stat stat, uint64_t value)
{
	__atomic_store_n(&lcore->env.lcore_stats[stat], value, __ATOMIC_RELAXED);
}

unsigned nbd_poll(struct nbd_lcore *lcore, uint64_t now_ns)
{
	const unsigned busy =
		!TAILQ_EMPTY(&lcore->attend) || !TAILQ_EMPTY(&lcore->stepping) || !TAILQ_EMPTY(&lcore->ready);
	set_gauge(lcore, WHERRY_LCORE_nbd_requests, lcore->under_way);
	set_gauge(lcore, WHERRY_LCORE_nbd_buffers, lcore->limits.buffer_count - lcore->free_io_count);
	if (lcore->session_count == 0)
		return 0;
	if (!TAILQ_EMPTY(&lcore->stepping))
		nbd_step_run(lcore);
	nbd_pool_wake(lcore);
	for (unsigned i = 0; i < NBD_CHECK_COUNT; i++) {
		nbd_session_check(&lcore->session_memory[lcore->check_at], now_ns);
		if (++lcore->check_at == lcore->limits.session_count)
			lcore->check_at = 0;
	}
	nbd_session_attend(lcore);
	return busy;
}

/* ---- for the operator ---- */

unsigned nbd_session_copy(struct nbd_lcore *lcore, uint32_t *cursor, struct nbd_session_info *to, unsigned max)
{
	unsigned count = 0;
	for (; *cursor < lcore->limits.session_count && count < max; ++*cursor) {
		const struct nbd_session *session = &lcore->session_memory[*cursor];
		if (!session->used || !session->stream)
			continue;
		struct nbd_session_info *info = &to[count++];
		*info = (struct nbd_session_info){
			.export_id = session->export_ ? session->export_->settings.id : 0,
			.since_ns = session->since_ns,
			.structured = session->structured,
			.extended = session->extended,
			.base_allocation = session->base_allocation,
			.under_way = session->active_count,
			.read_ops = session->read_ops,
			.read_bytes = session->read_bytes,
			.write_ops = session->write_ops,
			.write_bytes = session->write_bytes,
			.other_ops = session->other_ops,
			.errors = session->errors,
		};
		stream_info(session->stream, &info->ends);
	}
	return count;
}
