/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Jobs between the main lcore and the workers, and what a job may set on a
 * worker.  See worker.h for the contract.
 */
#include "lcore/control.h"

#include <errno.h>
#include <limits.h>
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "lcore/cpus.h"
#include "lcore/priv.h"

static struct job_list main_list;
static int main_fd = -1;
static bool main_owns_workers; /* main lcore only */
static int (*persist_hook)(struct worker *worker, const struct aoe_persist *change);

int main_jobs_open(void)
{
	main_owns_workers = false;
	main_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return main_fd < 0 ? -errno : 0;
}

void main_jobs_close(void)
{
	if (main_fd >= 0)
		close(main_fd);
	main_fd = -1;
}

void main_jobs_own_workers(void)
{
	main_owns_workers = true;
}

void worker_post(struct worker *worker, struct job *job)
{
	job->worker = worker;
	job_list_push(&worker->priv->inbox, job);
	if (main_owns_workers)
		(void)worker_run_jobs(worker, UINT_MAX);
}

void worker_post_main(struct worker *worker, struct job *job)
{
	job->worker = worker;
	/* Only the first job of a batch costs a system call.  The counter cannot overflow, so a failure is not
	 * possible; an interrupted write is, and is repeated. */
	if (job_list_push(&main_list, job)) {
		uint64_t one = 1;
		while (write(main_fd, &one, sizeof one) < 0 && errno == EINTR)
			;
	}
}

int worker_main_fd(void)
{
	return main_fd;
}

void worker_main_run(void)
{
	uint64_t count;
	/* Before the list is taken: a job pushed after that writes again. */
	ssize_t got = read(main_fd, &count, sizeof count);
	(void)got;
	struct job *job = job_list_take(&main_list);
	while (job) {
		struct job *next = job->next;
		if (job->finished)
			job->finished(job);
		job = next;
	}
}

int worker_persist(void *worker, const struct aoe_persist *change)
{
	return persist_hook ? persist_hook(worker, change) : -EAGAIN;
}

void worker_set_persist(int (*persist)(struct worker *worker, const struct aoe_persist *change))
{
	persist_hook = persist;
}

void worker_set_routes(struct worker *worker, const struct route_table *table)
{
	worker->priv->routes = table;
}

void worker_set_gate(struct worker *worker, bool open)
{
	worker->priv->gate_open = open;
}

void worker_set_idle(struct worker *worker, uint32_t spin_turns, uint32_t pause_turns, uint32_t sleep_us)
{
	worker->priv->idle.policy = (struct idle_policy){spin_turns, pause_turns,
							 sleep_us < IDLE_SLEEP_US_MAX ? sleep_us : IDLE_SLEEP_US_MAX};
}

void worker_set_tap(struct worker *worker, worker_tap_fn *tap, void *ctx)
{
	worker->priv->tap = tap;
	worker->priv->tap_ctx = ctx;
}

unsigned worker_client_copy(struct worker *worker, struct client_record *to, unsigned max)
{
	return client_table_copy(worker->priv->clients, to, max);
}

unsigned lcore_count(void)
{
	return worker_count() + 1;
}

void lcore_item(unsigned index, struct wherry_ctl_lcore_item *item)
{
	memset(item, 0, sizeof *item);
	const struct worker *worker = worker_at(index);
	unsigned lcore_id = worker ? worker->lcore_id : rte_get_main_lcore();
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore_id);
	item->index = (uint16_t)index;
	item->lcore_id = (uint16_t)lcore_id;
	item->main = !worker;
	item->numa_node = (uint16_t)(worker ? worker->numa_node : rte_lcore_to_socket_id(lcore_id));
	item->tsc_hz = rte_get_tsc_hz();
	cpus_format(&cpus, item->cpus, sizeof item->cpus);
}
