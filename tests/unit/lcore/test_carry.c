/* SPDX-License-Identifier: BSD-3-Clause */
/* Volume requests between workers. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>

#include "backend/engine.h"
#include "lcore/carry.h"

#define SIZE_BYTES (1u << 20)

static struct carry carries[3];
static uint64_t out[3], in[3];
static struct backend *backend;
static struct volume volume;
static unsigned done_count;
static struct vol_request *done_order[64];

static void init(void)
{
	for (unsigned i = 0; i < 3; i++)
		carry_init(&carries[i], carries, &out[i], &in[i]);
	backend = backend_null_create(SIZE_BYTES);
	vol_init(&volume, 1, backend, NULL, SIZE_BYTES, 512);
}

static void fini(void)
{
	backend_destroy(backend);
}

TestSuite(lcore_carry, .init = init, .fini = fini);

static void done(struct vol_request *request, enum io_status status)
{
	*(enum io_status *)request->ctx = status;
	done_order[done_count++ % 64] = request;
}

Test(lcore_carry, a_request_is_served_at_the_volumes_home_and_done_where_it_came_from)
{
	enum io_status status = IO_STATUS_COUNT;
	struct vol_port port = {&volume, 2, &carries[0].carrier};
	struct vol_request request = {.op = VOL_FLUSH, .done = done, .ctx = &status};
	vol_port_submit(&port, &request);
	cr_expect_eq(status, IO_STATUS_COUNT, "done on the way");
	cr_expect_eq(carries[0].away_count, 1u);
	cr_expect_not(carry_is_pending(&carries[1]));
	cr_expect(carry_is_pending(&carries[2]));
	cr_expect_eq(carry_poll(&carries[2]), 1u);
	cr_expect_eq(status, IO_STATUS_COUNT, "done on the volume's worker");
	cr_expect_eq(volume.stats[WHERRY_VOLUME_flush_ops], 1u);
	cr_expect_eq(carry_poll(&carries[0]), 1u);
	cr_expect_eq(status, IO_OK);
	cr_expect_eq(carries[0].away_count, 0u);
	cr_expect(out[0] == 1 && in[2] == 1);
	cr_expect_eq(request.done, done, "the request can be used again");
}

Test(lcore_carry, a_refusal_comes_back_too)
{
	enum io_status status = IO_STATUS_COUNT;
	uint8_t sector[512];
	struct vol_port port = {&volume, 2, &carries[0].carrier};
	struct vol_request request = {
		.op = VOL_READ, .offset_bytes = SIZE_BYTES, .len_bytes = 512, .done = done, .ctx = &status};
	request.iov = &request.iov_one;
	request.iov_one = (struct iovec){sector, sizeof sector};
	request.iov_count = 1;
	vol_port_submit(&port, &request);
	carry_poll(&carries[2]);
	carry_poll(&carries[0]);
	cr_expect_eq(status, IO_ERR_RANGE);
}

Test(lcore_carry, the_order_of_one_worker_is_kept)
{
	static struct vol_request requests[40];
	static enum io_status status[40];
	struct vol_port port = {&volume, 1, &carries[0].carrier};
	for (unsigned i = 0; i < 40; i++) {
		requests[i] = (struct vol_request){.op = VOL_FLUSH, .done = done, .ctx = &status[i]};
		vol_port_submit(&port, &requests[i]);
	}
	cr_expect_eq(carry_poll(&carries[1]), 40u);
	cr_expect_eq(carry_poll(&carries[0]), 40u);
	for (unsigned i = 0; i < 40; i++)
		cr_expect_eq(done_order[i], &requests[i], "%u", i);
}

Test(lcore_carry, at_home_nothing_is_carried)
{
	enum io_status status = IO_STATUS_COUNT;
	struct vol_port port = {&volume, 0, NULL};
	struct vol_request request = {.op = VOL_FLUSH, .done = done, .ctx = &status};
	vol_port_submit(&port, &request);
	cr_expect_eq(status, IO_OK);
	cr_expect_eq(out[0], 0u);
}

/* ---------------------------------------------------------------- threads */
#define ROUNDS 20000u
#define WINDOW 16u

struct submitter {
	unsigned index;
	struct vol_port port;
	struct vol_request requests[WINDOW];
	unsigned started, ended;
};
static _Atomic unsigned finished_submitters;

static void submit(struct submitter *s, struct vol_request *request);

static void again(struct vol_request *request, enum io_status status)
{
	struct submitter *s = request->ctx;
	s->ended += status == IO_OK;
	if (s->started < ROUNDS)
		submit(s, request);
}

static void submit(struct submitter *s, struct vol_request *request)
{
	*request = (struct vol_request){.op = VOL_FLUSH, .done = again, .ctx = s};
	s->started++;
	vol_port_submit(&s->port, request);
}

static void *submitter_run(void *arg)
{
	struct submitter *s = arg;
	for (unsigned i = 0; i < WINDOW; i++)
		submit(s, &s->requests[i]);
	while (s->ended < ROUNDS)
		carry_poll(&carries[s->index]);
	finished_submitters++;
	return NULL;
}

Test(lcore_carry, two_workers_hammer_a_third_and_nothing_is_lost)
{
	static struct submitter submitters[2];
	pthread_t threads[2];
	for (unsigned i = 0; i < 2; i++) {
		submitters[i] = (struct submitter){.index = i, .port = {&volume, 2, &carries[i].carrier}};
		cr_assert_eq(pthread_create(&threads[i], NULL, submitter_run, &submitters[i]), 0);
	}
	while (finished_submitters < 2)
		carry_poll(&carries[2]);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	cr_expect_eq(volume.stats[WHERRY_VOLUME_flush_ops], 2 * ROUNDS);
	cr_expect_eq(submitters[0].ended, ROUNDS);
	cr_expect_eq(submitters[1].ended, ROUNDS);
}
