/* SPDX-License-Identifier: BSD-3-Clause */
/* Fake lcore/, port/ and aoe/. */
#include "fake.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake_stack.h"
#include "lcore/carry.h"
#include "lcore/punt.h"
#include "log/log.h"

struct fake fake;

static struct worker workers[FAKE_WORKER_COUNT];
static struct job *main_first, **main_last = &main_first;
static int main_fd = -1, port_fd = -1;
static struct carry carries[FAKE_WORKER_COUNT]; /* only their address matters here */

void fake_init(void)
{
	memset(&fake, 0, sizeof fake);
	fake_stack_init();
	main_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	port_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (unsigned i = 0; i < FAKE_WORKER_COUNT; i++) {
		fake.workers[i].last = &fake.workers[i].first;
		workers[i] = (struct worker){
			.index = i,
			.lcore_id = i + 1,
			.now_ns = 1000,
			.aoe = &fake.lcores[i],
			.net = &fake_stack.net[i],
			.tcp = &fake_stack.tcp[i],
			.nbd = &fake_stack.nbd[i],
			.carry = &carries[i],
			.engine = backend_engine_create(8),
			.bounce = vol_bounce_pool_create(4, 8192),
		};
	}
	log_set_level(LOG_LEVEL_ERROR);
}

void fake_fini(void)
{
	for (unsigned i = 0; i < FAKE_WORKER_COUNT; i++) {
		cr_expect_null(fake.lcores[i].first, "worker %u still serves an export", i);
		backend_engine_destroy(workers[i].engine);
		vol_bounce_pool_destroy(workers[i].bounce);
	}
	cr_expect_eq(fake.live_exports, 0, "%u exports were not destroyed", fake.live_exports);
	fake_stack_fini();
	close(main_fd);
	close(port_fd);
}

/* ------------------------------------------------------------------- jobs */

unsigned worker_count(void)
{
	return FAKE_WORKER_COUNT;
}

struct worker *worker_at(unsigned index)
{
	return index < FAKE_WORKER_COUNT ? &workers[index] : NULL;
}

void worker_post(struct worker *worker, struct job *job)
{
	struct fake_worker *w = &fake.workers[worker->index];
	for (const struct job *queued = w->first; queued; queued = queued->next)
		cr_assert_neq(queued, job, "a job was posted twice");
	job->worker = worker;
	job->next = NULL;
	*w->last = job;
	w->last = &job->next;
}

void worker_post_main(struct worker *worker, struct job *job)
{
	uint64_t one = 1;
	for (const struct job *queued = main_first; queued; queued = queued->next)
		cr_assert_neq(queued, job, "a job was posted to main twice");
	job->worker = worker;
	job->next = NULL;
	*main_last = job;
	main_last = &job->next;
	cr_assert_eq(write(main_fd, &one, sizeof one), (ssize_t)sizeof one);
}

void fake_run_workers(void)
{
	for (unsigned i = 0; i < FAKE_WORKER_COUNT && !fake.stalled; i++) {
		struct fake_worker *w = &fake.workers[i];
		while (w->first) {
			struct job *job = w->first;
			w->first = job->next;
			if (!w->first)
				w->last = &w->first;
			job->run(&workers[i], job);
			worker_post_main(&workers[i], job);
		}
		(void)backend_engine_poll(workers[i].engine, workers[i].now_ns);
	}
}

int worker_main_fd(void)
{
	return main_fd;
}

void worker_main_run(void)
{
	uint64_t count;
	(void)!read(main_fd, &count, sizeof count);
	struct job *job = main_first;
	main_first = NULL;
	main_last = &main_first;
	while (job) {
		struct job *next = job->next;
		if (job->finished)
			job->finished(job);
		job = next;
	}
}

/* -------------------------------------------------------- worker settings */

void worker_set_routes(struct worker *worker, const struct route_table *table)
{
	fake.workers[worker->index].routes = table;
	fake.workers[worker->index].routes_set++;
}

void worker_set_gate(struct worker *worker, bool open)
{
	struct fake_worker *w = &fake.workers[worker->index];
	w->gate_open = open;
	w->served_when_opened = 0;
	for (unsigned i = 0; i < FAKE_WORKER_COUNT; i++)
		for (const struct aoe_export *e = fake.lcores[i].first; e; e = e->next)
			w->served_when_opened++;
}

void worker_set_idle(struct worker *worker, uint32_t spin_turns, uint32_t pause_turns, uint32_t sleep_us)
{
	struct fake_worker *w = &fake.workers[worker->index];
	w->spin_turns = spin_turns;
	w->pause_turns = pause_turns;
	w->sleep_us = sleep_us;
}

void worker_set_persist(int (*persist)(struct worker *worker, const struct aoe_persist *change))
{
	fake.persist = persist;
}

void worker_set_tap(struct worker *worker, worker_tap_fn *tap, void *ctx)
{
	fake.workers[worker->index].tap = tap;
	fake.workers[worker->index].tap_ctx = ctx;
}

unsigned worker_client_copy(struct worker *worker, struct client_record *to, unsigned max)
{
	const struct fake_worker *w = &fake.workers[worker->index];
	unsigned count = w->client_count < max ? w->client_count : max;
	memcpy(to, w->clients, count * sizeof *to);
	return count;
}

unsigned lcore_count(void)
{
	return FAKE_WORKER_COUNT + 1;
}

void lcore_item(unsigned index, struct wherry_ctl_lcore_item *item)
{
	memset(item, 0, sizeof *item);
	item->index = (uint16_t)index;
	item->main = index == FAKE_WORKER_COUNT;
}

int fake_route(uint16_t shelf, uint8_t slot)
{
	int first = fake.workers[0].routes ? route_table_lookup(fake.workers[0].routes, shelf, slot) : -1;
	for (unsigned i = 1; i < FAKE_WORKER_COUNT; i++)
		cr_assert_eq(fake.workers[i].routes, fake.workers[0].routes, "workers use different routes");
	return first;
}

/* ------------------------------------------------------------------ ports */

unsigned port_count(void)
{
	return FAKE_PORT_COUNT;
}

void port_item(unsigned index, struct wherry_ctl_port_item *item)
{
	memset(item, 0, sizeof *item);
	item->index = (uint16_t)index;
	snprintf(item->name, sizeof item->name, "port%u", index);
	item->mac.count = 1;
}

const uint8_t *port_mac(unsigned index)
{
	static uint8_t mac[6] = {2, 0, 0, 0, 0, 0};
	mac[5] = (uint8_t)index;
	return mac;
}

bool port_checksum_offload(unsigned index)
{
	(void)index;
	return false;
}

uint16_t port_mtu(unsigned index)
{
	(void)index;
	return 1500;
}

bool port_removed(unsigned index)
{
	(void)index;
	return false;
}

void port_stats(unsigned index, uint64_t values[WHERRY_PORT_STAT_COUNT])
{
	memcpy(values, fake.port_stats[index], sizeof fake.port_stats[index]);
}

void punt_stats(unsigned index, uint64_t values[WHERRY_PORT_STAT_COUNT])
{
	values[WHERRY_PORT_punt_frames] = 100 + index;
	values[WHERRY_PORT_punt_drop_rate] = 7;
	values[WHERRY_PORT_punt_drop_full] = 2;
	values[WHERRY_PORT_punt_sent] = 50 + index;
}

int punt_poll_fd(void)
{
	return -1;
}

void punt_poll(void)
{
}

void port_add_handler(port_event_fn *handler, void *ctx)
{
	fake.port_handler = handler;
	fake.port_ctx = ctx;
}

int port_poll_fd(void)
{
	return port_fd;
}

void port_poll(void)
{
}

/* -------------------------------------------------------------------- AoE */

struct aoe_export *aoe_export_create(const struct wherry_ctl_aoe_export_put *put, struct volume *volume)
{
	if (fake.fail_export_create > 0) {
		fake.fail_export_create--;
		return NULL;
	}
	struct aoe_export *e = calloc(1, sizeof *e);
	cr_assert_not_null(e);
	e->put = *put;
	e->volume = volume;
	e->state_generation = put->state_generation;
	e->mask_count = put->mask.count;
	fake.live_exports++;
	return e;
}

void aoe_export_destroy(struct aoe_export *e)
{
	cr_assert_null(e->lcore, "an export is destroyed while it is served");
	cr_assert_eq(e->under_way, 0, "an export is destroyed with requests under way");
	fake.live_exports--;
	free(e);
}

struct aoe_export *aoe_export_find(struct aoe_lcore *lcore, uint64_t export_id)
{
	struct aoe_export *e = lcore->first;
	while (e && e->put.id != export_id)
		e = e->next;
	return e;
}

struct aoe_export *aoe_export_remove(struct aoe_lcore *lcore, uint64_t export_id)
{
	struct aoe_export **at = &lcore->first;
	while (*at && (*at)->put.id != export_id)
		at = &(*at)->next;
	struct aoe_export *e = *at;
	if (!e)
		return NULL;
	*at = e->next;
	e->lcore = NULL;
	return e;
}

struct aoe_export *aoe_export_add(struct aoe_lcore *lcore, struct aoe_export *e, bool advertise, uint64_t now_ns)
{
	(void)now_ns;
	struct aoe_export *old = aoe_export_remove(lcore, e->put.id);
	if (old)
		memcpy(e->stats, old->stats, sizeof e->stats);
	e->lcore = lcore;
	e->advertised += advertise;
	e->next = lcore->first;
	lcore->first = e;
	return old;
}

bool aoe_export_idle(const struct aoe_export *e)
{
	return e->under_way == 0;
}

void aoe_export_state_put(struct aoe_export *e, const struct wherry_ctl_aoe_state_put *put)
{
	if (put->state_generation <= e->state_generation)
		return;
	e->state_generation = put->state_generation;
	e->mask_count = put->mask.count;
}

void aoe_on_persisted(struct aoe_lcore *lcore, uint64_t cookie, int status, uint64_t state_generation, uint64_t now_ns)
{
	(void)now_ns;
	cr_assert_lt(lcore->persisted_count, FAKE_PERSISTED_MAX);
	lcore->persisted[lcore->persisted_count].cookie = cookie;
	lcore->persisted[lcore->persisted_count].status = status;
	lcore->persisted[lcore->persisted_count++].state_generation = state_generation;
}

void aoe_advertise_all(struct aoe_lcore *lcore)
{
	lcore->advertised_all++;
}

const uint64_t *aoe_export_stats(const struct aoe_export *e)
{
	return e->stats;
}

const uint64_t *aoe_export_hist(const struct aoe_export *e, unsigned kind)
{
	return e->hist[kind];
}

uint64_t aoe_export_id(const struct aoe_export *e)
{
	return e->put.id;
}

struct aoe_export *fake_served(uint64_t id)
{
	struct aoe_export *found = NULL;
	for (unsigned i = 0; i < FAKE_WORKER_COUNT; i++) {
		struct aoe_export *e = aoe_export_find(&fake.lcores[i], id);
		if (!e)
			continue;
		cr_assert_null(found, "export %llu is served by two workers", (unsigned long long)id);
		found = e;
	}
	return found;
}
