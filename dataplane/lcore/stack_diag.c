/* SPDX-License-Identifier: BSD-3-Clause */
/* See stack_diag.h. */
#include "lcore/stack_diag.h"

#include <errno.h>
#include <rte_malloc.h>

#include "diag/diag.h"

static const struct diag_limits limits = {
	.session_count = 256,
	.echo_count = 1024,
	.echo_count_each = 64,
	.pattern_count = 1024,
};

static struct diag_lcore *lcores[WHERRY_LCORE_COUNT_MAX];

uint64_t stack_diag_memory_bytes(void)
{
	return diag_memory_bytes(&limits) + 4096;
}

static void *env_alloc(void *worker, uint64_t bytes)
{
	return rte_malloc_socket("diag", bytes, 4096, (int)((struct worker *)worker)->numa_node);
}

static void env_free(void *worker, void *memory)
{
	(void)worker;
	rte_free(memory);
}

static struct stream *env_connect(void *worker_, const struct stream_info *ends, uint16_t port,
				  const struct stream_handler *handler, void *ctx)
{
	struct worker *worker = worker_;
	return tcp_connect(worker->tcp, &ends->local, 0, &ends->remote, port, handler, ctx, worker->now_ns);
}

int stack_diag_create(struct worker *worker)
{
	const struct diag_env env = {
		.ctx = worker,
		.now_ns = &worker->now_ns,
		.alloc = env_alloc,
		.free = env_free,
		.connect = env_connect,
	};
	struct diag_lcore *lcore = diag_lcore_create(&env, &limits);
	lcores[worker->index] = lcore;
	return lcore ? tcp_listen(worker->tcp, NULL, DIAG_PORT, diag_accept, lcore) : -ENOMEM;
}

void stack_diag_destroy(struct worker *worker)
{
	diag_lcore_destroy(lcores[worker->index]);
	lcores[worker->index] = NULL;
}

unsigned stack_diag_poll(struct worker *worker)
{
	return diag_poll(lcores[worker->index], worker->now_ns);
}
