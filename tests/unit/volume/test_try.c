/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads and writes that need no request. */
#include <criterion/criterion.h>
#include <string.h>

#include "backend/engine.h"
#include "held.h"
#include "volume/volume.h"

#define SIZE 65536u

/* Answers at once, as told, and remembers what it was asked. */
struct prompt {
	struct backend backend;
	struct backend_io last;
	struct iovec iov;
	enum io_status status;
	unsigned count;
};

static enum io_status prompt_run(struct backend *backend, struct backend_io *io)
{
	struct prompt *prompt = (struct prompt *)backend;
	prompt->last.op = io->op;
	prompt->last.flags = io->flags;
	prompt->last.offset_bytes = io->offset_bytes;
	prompt->last.len_bytes = io->len_bytes;
	if (io->iov_count == 1)
		prompt->iov = io->iov[0];
	prompt->count++;
	return prompt->status;
}

static const struct backend_ops prompt_ops = {.name = "prompt", .run = prompt_run};

static struct prompt prompt_of(uint32_t align_bytes, uint32_t memory_align_bytes)
{
	return (struct prompt){.backend = {&prompt_ops, SIZE, align_bytes, memory_align_bytes}};
}

static uint8_t buffer[8192] __attribute__((aligned(4096)));

static enum io_status told;
static unsigned done_count;

static void on_done(struct vol_request *request, enum io_status status)
{
	(void)request;
	told = status;
	done_count++;
}

static struct vol_request request_of(enum vol_op op, uint64_t offset, uint64_t len)
{
	return (struct vol_request){.op = op,
				    .offset_bytes = offset,
				    .len_bytes = len,
				    .done = on_done,
				    .iov_one = {buffer, len},
				    .iov_count = 1};
}

Test(volume_try, ends_as_a_request_would_and_counts_the_same)
{
	static const uint64_t offsets[] = {0, 512, SIZE - 512, SIZE, UINT64_MAX - 511}, lens[] = {0, 512, 4096};
	for (unsigned i = 0; i < 5u * 3 * 2 * 8 * 3; i++) {
		const uint64_t offset = offsets[i % 5], len = lens[i / 5 % 3];
		const enum vol_op op = i / 15 % 2 ? VOL_READ : VOL_WRITE;
		struct prompt prompt[2] = {prompt_of(1, 1), prompt_of(1, 1)};
		struct volume volume[2];
		for (unsigned v = 0; v < 2; v++) {
			static const enum io_status statuses[] = {IO_OK, IO_ERR_MEDIA, IO_ERR_NO_SPACE};
			prompt[v].status = statuses[i / 240];
			vol_init(&volume[v], 1, &prompt[v].backend, NULL, SIZE, 512);
			volume[v].offline = i / 30 % 2;
			volume[v].read_only = i / 60 % 2;
			volume[v].write_back = i / 120 % 2;
		}
		struct vol_request request = request_of(op, offset, len);
		request.iov = &request.iov_one;
		vol_submit(&volume[0], &request);
		enum io_status status = IO_STATUS_COUNT;
		cr_assert(vol_try(&volume[1], op, offset, len, buffer, &status));
		cr_expect(status == told, "case %u: %d, not %d", i, (int)status, (int)told);
		cr_expect(prompt[0].count == prompt[1].count, "case %u", i);
		cr_expect(!memcmp(&prompt[0].last, &prompt[1].last, sizeof prompt[0].last), "case %u", i);
		cr_expect(prompt[0].iov.iov_base == prompt[1].iov.iov_base, "case %u", i);
		cr_expect(prompt[0].iov.iov_len == prompt[1].iov.iov_len, "case %u", i);
		cr_expect(!memcmp(volume[0].stats, volume[1].stats, sizeof volume[0].stats), "case %u", i);
	}
}

static void expect_refusal(struct volume *volume, const char *why)
{
	uint64_t before[WHERRY_VOLUME_STAT_COUNT];
	enum io_status status = IO_STATUS_COUNT;
	memcpy(before, volume->stats, sizeof before);
	cr_expect(!vol_try(volume, VOL_WRITE, 0, 512, buffer, &status), "%s", why);
	cr_expect(!memcmp(before, volume->stats, sizeof before), "%s: counted", why);
}

Test(volume_try, leaves_it_to_a_request_where_the_backend_waits_or_is_coarse)
{
	struct volume volume;
	struct held *held = held_create(SIZE, 1, 1);
	vol_init(&volume, 1, &held->backend, NULL, SIZE, 512);
	expect_refusal(&volume, "a backend that completes later");
	cr_expect(held->submitted_count == 0);
	held_destroy(held);

	static const uint32_t aligns[][2] = {{512, 1}, {1, 512}, {4096, 4096}};
	for (unsigned i = 0; i < 3; i++) {
		struct prompt prompt = prompt_of(aligns[i][0], aligns[i][1]);
		vol_init(&volume, 1, &prompt.backend, NULL, SIZE, 512);
		expect_refusal(&volume, "a coarse backend");
		cr_expect(prompt.count == 0);
	}
}

Test(volume_try, does_not_overtake_what_waits_for_a_buffer)
{
	struct prompt prompt = prompt_of(1, 1);
	struct held *held = held_create(SIZE, 1, 1);
	struct vol_bounce_pool *pool = vol_bounce_pool_create(1, 4096);
	struct volume volume, hoarder;
	vol_init(&volume, 1, &prompt.backend, pool, SIZE, 512);
	vol_init(&hoarder, 2, &held->backend, pool, SIZE, 512);
	struct vol_request keeps = request_of(VOL_VERIFY, 0, 4096), waits = request_of(VOL_VERIFY, 0, 4096);
	vol_submit(&hoarder, &keeps);
	vol_submit(&volume, &waits);
	cr_assert(done_count == 0);
	expect_refusal(&volume, "a verify is under way");
	cr_expect(prompt.count == 0);
	held_release_all(held);
	cr_expect(done_count == 2 && prompt.count == 1);
	enum io_status status;
	cr_expect(vol_try(&volume, VOL_WRITE, 0, 512, buffer, &status) && status == IO_OK, "free again");
	vol_bounce_pool_destroy(pool);
	held_destroy(held);
}

static struct volume *nested;

static void on_done_try(struct vol_request *request, enum io_status status)
{
	on_done(request, status);
	expect_refusal(nested, "inside a callback");
}

Test(volume_try, leaves_it_to_a_request_inside_a_callback)
{
	struct prompt prompt = prompt_of(1, 1);
	struct volume volume;
	vol_init(&volume, 1, &prompt.backend, NULL, SIZE, 512);
	nested = &volume;
	struct vol_request request = request_of(VOL_WRITE, 0, 512);
	request.iov = &request.iov_one;
	request.done = on_done_try;
	vol_submit(&volume, &request);
	cr_expect(done_count == 1 && prompt.count == 1);
}
