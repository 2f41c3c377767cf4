/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The I/O engine of one lcore: io_uring and the delayed I/O.
 *
 * Owner: the lcore that polls it.  At most one system call a poll, and none
 * while the kernel has nothing to say.  The number of I/Os in the ring never
 * exceeds the completion queue, so completions cannot be dropped.
 */
#include "backend/engine.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/engine_priv.h"

#define REAP_BATCH_COUNT 32u

static void queue_push(struct io_queue *queue, struct backend_io *io)
{
	io->next = NULL;
	io->prev = queue->last;
	if (queue->last)
		queue->last->next = io;
	else
		queue->first = io;
	queue->last = io;
}

static struct backend_io *queue_pop(struct io_queue *queue)
{
	struct backend_io *io = queue->first;
	queue->first = io->next;
	if (queue->first)
		queue->first->prev = NULL;
	else
		queue->last = NULL;
	return io;
}

struct backend_engine *backend_engine_create(unsigned ring_entries)
{
	struct backend_engine *engine = calloc(1, sizeof *engine);
	if (engine)
		engine->ring_entries = ring_entries;
	return engine;
}

/* Best first.  TASKRUN_FLAG tells in shared memory that completions wait, so that an idle poll costs no system call. */
static const unsigned ring_setups[] = {
	IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
	0,
};

static const char *ring_remedy(int error)
{
	switch (error) {
	case ENOSYS:
		return "this kernel has no io_uring: Linux 5.11 or later is needed";
	case EPERM:
	case EACCES:
		return "io_uring is not allowed: set sysctl kernel.io_uring_disabled=0 or allow it in the sandbox";
	case ENOMEM:
		return "no memory for io_uring: raise the locked memory limit (LimitMEMLOCK, ulimit -l)";
	case EMFILE:
	case ENFILE:
		return "no descriptor left for io_uring: raise the limit (LimitNOFILE, ulimit -n)";
	default:
		return "io_uring could not be set up: see dmesg";
	}
}

int backend_engine_attach(struct backend_engine *engine, char *error, size_t error_bytes)
{
	if (engine->ring_entries == 0 || engine->ring_ready)
		return 0;
	int result = -EINVAL;
	for (unsigned i = engine->setup_first; i < sizeof ring_setups / sizeof ring_setups[0] && result == -EINVAL;
	     i++) {
		struct io_uring_params params = {.flags = ring_setups[i]};
		result = io_uring_queue_init_params(engine->ring_entries, &engine->ring, &params);
		engine->setup_flags = ring_setups[i];
		engine->cq_entries = params.cq_entries;
	}
	if (result < 0) {
		snprintf(error, error_bytes, "%s (%s)", ring_remedy(-result), strerror(-result));
		return result;
	}
	engine->ring_ready = true;
	return 0;
}

const char *backend_engine_mode(const struct backend_engine *engine)
{
	if (!engine->ring_ready)
		return "no io_uring";
	if (engine->setup_flags & IORING_SETUP_DEFER_TASKRUN)
		return "io_uring (deferred task run)";
	if (engine->setup_flags & IORING_SETUP_COOP_TASKRUN)
		return "io_uring (cooperative task run)";
	return "io_uring";
}

/* Prepare an entry.  False when the submission queue is full or the completion queue might overflow. */
static bool engine_prepare(struct backend_engine *engine, struct backend_io *io)
{
	if (engine->in_ring_count >= engine->cq_entries)
		return false;
	struct io_uring_sqe *sqe = io_uring_get_sqe(&engine->ring);
	if (!sqe)
		return false;
	file_prepare(io, sqe);
	io_uring_sqe_set_data(sqe, io);
	engine->in_ring_count++;
	return true;
}

void engine_enqueue(struct backend_engine *engine, struct backend_io *io)
{
	assert(engine->ring_ready);
	if (engine->waiting_count == 0 && engine_prepare(engine, io))
		return;
	queue_push(&engine->waiting, io);
	engine->waiting_count++;
}

static void engine_submit(struct backend_engine *engine)
{
	while (engine->waiting_count && engine_prepare(engine, engine->waiting.first)) {
		(void)queue_pop(&engine->waiting);
		engine->waiting_count--;
	}
	const unsigned flags = __atomic_load_n(engine->ring.sq.kflags, __ATOMIC_RELAXED);
	if (io_uring_sq_ready(&engine->ring) == 0 && !(flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)))
		return;
	int result = io_uring_submit_and_get_events(&engine->ring);
	/* The kernel keeps what it did not take; the next poll offers it again. */
	assert(result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY || result == -ENOMEM);
	(void)result;
}

static void engine_reap(struct backend_engine *engine)
{
	struct io_uring_cqe *cqes[REAP_BATCH_COUNT];
	struct {
		struct backend_io *io;
		int result;
	} batch[REAP_BATCH_COUNT];
	unsigned count;

	/* Copied out first: a callback may enqueue more, and the ring must be consistent then. */
	while ((count = io_uring_peek_batch_cqe(&engine->ring, cqes, REAP_BATCH_COUNT)) != 0) {
		for (unsigned i = 0; i < count; i++) {
			batch[i].io = io_uring_cqe_get_data(cqes[i]);
			batch[i].result = cqes[i]->res;
		}
		io_uring_cq_advance(&engine->ring, count);
		engine->in_ring_count -= count;
		for (unsigned i = 0; i < count; i++)
			file_on_result(batch[i].io, batch[i].result);
		engine->moved_count += count;
	}
}

void engine_delay(struct backend_engine *engine, struct backend_io *io, uint64_t due_ns,
		  void (*resume)(struct backend_io *io))
{
	io->due_ns = due_ns;
	io->resume = resume;
	engine->delayed_count++;
	/* From the end: with a constant delay that is where it belongs. */
	struct backend_io *after = engine->delayed.last;
	while (after && after->due_ns > due_ns)
		after = after->prev;
	if (after == engine->delayed.last) {
		queue_push(&engine->delayed, io);
		return;
	}
	struct backend_io *before = after ? after->next : engine->delayed.first;
	io->prev = after;
	io->next = before;
	before->prev = io;
	if (after)
		after->next = io;
	else
		engine->delayed.first = io;
}

static void engine_release_due(struct backend_engine *engine)
{
	while (engine->delayed.first && engine->delayed.first->due_ns <= engine->now_ns) {
		struct backend_io *io = queue_pop(&engine->delayed);
		engine->delayed_count--;
		engine->moved_count++;
		io->resume(io);
	}
}

unsigned backend_engine_poll(struct backend_engine *engine, uint64_t now_ns)
{
	engine->now_ns = now_ns;
	engine->moved_count = 0;
	engine_release_due(engine);
	if (engine->in_ring_count || engine->waiting_count) {
		engine_submit(engine);
		engine_reap(engine);
	}
	return engine->moved_count;
}

uint32_t backend_engine_under_way(const struct backend_engine *engine)
{
	return engine->in_ring_count + engine->waiting_count + engine->delayed_count;
}

uint64_t backend_engine_next_due_ns(const struct backend_engine *engine)
{
	return engine->delayed.first ? engine->delayed.first->due_ns : UINT64_MAX;
}

void backend_engine_destroy(struct backend_engine *engine)
{
	if (!engine)
		return;
	assert(backend_engine_under_way(engine) == 0);
	if (engine->ring_ready)
		io_uring_queue_exit(&engine->ring);
	free(engine);
}
