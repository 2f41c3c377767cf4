/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <pthread.h>

#include "lcore/idle.h"
#include "lcore/joblist.h"

Test(lcore_idle, spins_then_pauses_then_sleeps)
{
	struct idle idle = {.policy = {2, 3, 50}};
	const enum idle_action wanted[] = {IDLE_SPIN,  IDLE_SPIN,  IDLE_PAUSE, IDLE_PAUSE,
					   IDLE_PAUSE, IDLE_SLEEP, IDLE_SLEEP, IDLE_SLEEP};
	for (unsigned i = 0; i < 8; i++)
		cr_expect_eq(idle_turn(&idle, false), wanted[i], "empty turn %u", i);
	cr_expect_eq(idle_turn(&idle, true), IDLE_SPIN, "work starts over");
	cr_expect_eq(idle_turn(&idle, false), IDLE_SPIN);
	cr_expect_eq(idle_turn(&idle, false), IDLE_SPIN);
	cr_expect_eq(idle_turn(&idle, false), IDLE_PAUSE);
}

Test(lcore_idle, never_sleeps_when_told_so)
{
	struct idle idle = {.policy = {1, 1, 0}};
	idle_turn(&idle, false);
	for (unsigned i = 0; i < 100; i++)
		cr_expect_eq(idle_turn(&idle, false), IDLE_PAUSE);
}

Test(lcore_idle, sleeps_at_once_when_told_so_and_counts_beyond_32_bits)
{
	struct idle idle = {.policy = {0, 0, 10}};
	cr_expect_eq(idle_turn(&idle, false), IDLE_SLEEP);
	idle = (struct idle){.policy = {UINT32_MAX, UINT32_MAX, 10}, .empty_turns = UINT32_MAX};
	cr_expect_eq(idle_turn(&idle, false), IDLE_PAUSE);
	idle.empty_turns = 2ull * UINT32_MAX;
	cr_expect_eq(idle_turn(&idle, false), IDLE_SLEEP);
}

Test(lcore_idle, sleeps_grow_to_the_longest_and_start_short_again_after_work)
{
	struct idle idle = {.policy = {1, 1, 100}};
	uint32_t last = 0;
	idle_turn(&idle, false);
	idle_turn(&idle, false);
	cr_assert_eq(idle_turn(&idle, false), IDLE_SLEEP);
	cr_expect_eq(idle_sleep_us(&idle), IDLE_SLEEP_US_FIRST);
	for (unsigned i = 0; i < 2000; i++) {
		idle_turn(&idle, false);
		cr_expect_geq(idle_sleep_us(&idle), last);
		last = idle_sleep_us(&idle);
	}
	cr_expect_eq(last, 100u);
	idle_turn(&idle, true);
	for (unsigned i = 0; i < 3; i++)
		idle_turn(&idle, false);
	cr_expect_eq(idle_sleep_us(&idle), IDLE_SLEEP_US_FIRST);
	idle.policy.sleep_us = 5;
	cr_expect_eq(idle_sleep_us(&idle), 5u, "never longer than the policy allows");
	idle = (struct idle){.policy = {0, 0, IDLE_SLEEP_US_MAX}, .empty_turns = UINT64_MAX / 2};
	cr_expect_eq(idle_sleep_us(&idle), IDLE_SLEEP_US_MAX);
}

/* ------------------------------------------------------------------- jobs */
struct numbered_job {
	struct job job;
	unsigned producer, number;
};

Test(lcore_joblist, jobs_come_out_in_the_order_they_went_in)
{
	struct job_list list = {NULL};
	struct numbered_job jobs[5] = {0};
	cr_expect_null(job_list_take(&list));
	for (unsigned i = 0; i < 5; i++) {
		jobs[i].number = i;
		cr_expect_eq(job_list_push(&list, &jobs[i].job), i == 0, "only the first finds it empty");
	}
	unsigned count = 0;
	for (struct job *job = job_list_take(&list); job; job = job->next)
		cr_expect_eq(((struct numbered_job *)job)->number, count++);
	cr_expect_eq(count, 5u);
	cr_expect_null(job_list_take(&list));
	cr_expect(job_list_push(&list, &jobs[0].job), "empty again");
}

#define PRODUCER_COUNT 4u
#define EACH_COUNT 20000u
static struct numbered_job shared_jobs[PRODUCER_COUNT][EACH_COUNT];
static struct job_list shared_list;

static void *produce(void *arg)
{
	struct numbered_job *jobs = arg;
	for (unsigned i = 0; i < EACH_COUNT; i++)
		job_list_push(&shared_list, &jobs[i].job);
	return NULL;
}

Test(lcore_joblist, nothing_is_lost_and_each_producer_keeps_its_order_with_four_at_once)
{
	pthread_t threads[PRODUCER_COUNT];
	unsigned next[PRODUCER_COUNT] = {0}, total = 0;
	for (unsigned p = 0; p < PRODUCER_COUNT; p++) {
		for (unsigned i = 0; i < EACH_COUNT; i++)
			shared_jobs[p][i] = (struct numbered_job){.producer = p, .number = i};
		cr_assert_eq(pthread_create(&threads[p], NULL, produce, shared_jobs[p]), 0);
	}
	while (total < PRODUCER_COUNT * EACH_COUNT) {
		for (struct job *job = job_list_take(&shared_list); job; total++) {
			const struct numbered_job *numbered = (struct numbered_job *)job;
			cr_assert_eq(numbered->number, next[numbered->producer]++);
			job = job->next;
		}
	}
	for (unsigned p = 0; p < PRODUCER_COUNT; p++)
		pthread_join(threads[p], NULL);
	cr_expect_null(job_list_take(&shared_list));
}
