/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The loop of a worker: run to completion, never block, lock, allocate or log.
 *
 * A turn samples the time, runs jobs, takes frames from ports and neighbours,
 * lets the I/O engine and AoE go on, and sends what came of it.  Jobs run first,
 * at a point where the worker holds no pointer into shared tables.
 */
#include <rte_cycles.h>
#include <rte_pause.h>
#include <sys/prctl.h>
#include <time.h>

#include "lcore/priv.h"

static uint64_t monotonic_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000ull + (uint64_t)now.tv_nsec;
}

static int64_t real_minus_mono_us(void)
{
	struct timespec real;
	clock_gettime(CLOCK_REALTIME, &real);
	return (int64_t)real.tv_sec * 1000000 + real.tv_nsec / 1000 - (int64_t)(monotonic_ns() / 1000);
}

/* The counter and the clock at the same moment: the closest of a few attempts, so that being preempted between the
 * two does not matter. */
static uint64_t read_pair(uint64_t *tsc)
{
	uint64_t best_ns = 0, best_gap = UINT64_MAX;
	*tsc = 0;
	for (unsigned attempt = 0; attempt < 4; attempt++) {
		uint64_t before = rte_rdtsc(), ns = monotonic_ns(), gap = rte_rdtsc() - before;
		if (gap >= best_gap)
			continue;
		best_gap = gap;
		best_ns = ns;
		*tsc = before + gap / 2;
	}
	return best_ns;
}

static void clock_start(struct worker *worker)
{
	struct worker_private *priv = worker->priv;
	uint64_t tsc, ns = read_pair(&tsc);
	clock_init(&priv->clock, tsc, ns, rte_get_tsc_hz());
	priv->next_sync_ns = ns + CLOCK_SYNC_NS;
	priv->real_minus_mono_us = real_minus_mono_us();
}

static void sample_time(struct worker *worker, uint64_t tsc)
{
	struct worker_private *priv = worker->priv;
	worker->now_ns = clock_ns(&priv->clock, tsc);
	if (worker->now_ns >= priv->next_sync_ns) {
		uint64_t true_tsc, true_ns = read_pair(&true_tsc);
		clock_sync(&priv->clock, true_tsc, true_ns);
		worker->now_ns = clock_ns(&priv->clock, true_tsc);
		priv->next_sync_ns = worker->now_ns + CLOCK_SYNC_NS;
		priv->real_minus_mono_us = real_minus_mono_us();
	}
	worker->now_real_us = worker->now_ns / 1000 + (uint64_t)priv->real_minus_mono_us;
}

/* Frames of neighbours came after this turn began: with its time an answer would seem older than its request. */
static unsigned take_handoffs(struct worker *worker)
{
	if (!handoff_is_pending(worker))
		return 0;
	sample_time(worker, rte_rdtsc());
	return handoff_input(worker);
}

static unsigned turn(struct worker *worker)
{
	unsigned work = worker_run_jobs(worker, JOBS_A_TURN);
	work += rx_poll(worker);
	work += take_handoffs(worker);
	work += backend_engine_poll(worker->engine, worker->now_ns);
	work += aoe_poll(worker->aoe, worker->now_ns);
	work += stack_poll(worker);
	handoff_flush(worker);
	work += tx_flush(worker);
	return work;
}

static void relax(struct worker *worker, enum idle_action action)
{
	switch (action) {
	case IDLE_SPIN:
		break;
	case IDLE_PAUSE:
		for (unsigned i = 0; i < 16; i++)
			rte_pause();
		break;
	case IDLE_SLEEP: {
		uint32_t us = idle_sleep_us(&worker->priv->idle);
		if (us > SLEEP_US_WITH_IO && backend_engine_under_way(worker->engine))
			us = SLEEP_US_WITH_IO;
		struct timespec pause = {.tv_nsec = (long)us * 1000};
		worker->stats[WHERRY_LCORE_sleeps]++;
		/* A signal ends the sleep early, which does no harm. */
		clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
		break;
	}
	}
}

static void loop(struct worker *worker)
{
	struct worker_private *priv = worker->priv;
	uint64_t tsc = rte_rdtsc();
	while (!atomic_load_explicit(&priv->stop, memory_order_relaxed)) {
		sample_time(worker, tsc);
		bool worked = turn(worker) != 0;
		relax(worker, idle_turn(&priv->idle, worked));
		uint64_t end = rte_rdtsc();
		worker->stats[worked ? WHERRY_LCORE_busy_cycles : WHERRY_LCORE_idle_cycles] += end - tsc;
		worker->stats[WHERRY_LCORE_turns]++;
		tsc = end;
	}
}

int worker_run(void *arg)
{
	struct worker *worker = arg;
	struct worker_private *priv = worker->priv;
	/* Short sleeps are meant: without this the kernel adds 50 us to each.  Failure only makes them longer. */
	prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0);
	if (backend_engine_attach(worker->engine, priv->error, sizeof priv->error)) {
		atomic_store_explicit(&priv->phase, WORKER_FAILED, memory_order_release);
		return 0;
	}
	clock_start(worker);
	atomic_store_explicit(&priv->phase, WORKER_RUNNING, memory_order_release);
	loop(worker);
	atomic_store_explicit(&priv->phase, WORKER_STOPPED, memory_order_release);
	return 0;
}
