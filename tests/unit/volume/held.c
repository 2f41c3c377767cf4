/* SPDX-License-Identifier: BSD-3-Clause */
#include "held.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

uint64_t test_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static void held_apply(struct held *held, const struct backend_io *io)
{
	uint8_t *at = held->bytes + io->offset_bytes;
	if (io->op == BACKEND_WRITE_ZEROES || io->op == BACKEND_DISCARD) {
		memset(at, 0, io->len_bytes);
		return;
	}
	if (io->op == BACKEND_FLUSH)
		return;
	for (uint32_t i = 0; i < io->iov_count; i++) {
		if (io->op == BACKEND_READ)
			memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
		else
			memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
		at += io->iov[i].iov_len;
	}
}

static void held_check(const struct held *held, const struct backend_io *io)
{
	const struct backend *backend = &held->backend;
	if (io->op == BACKEND_FLUSH)
		return;
	cr_assert(io->len_bytes > 0);
	cr_assert(io->offset_bytes + io->len_bytes <= backend->size_bytes);
	cr_assert((io->offset_bytes | io->len_bytes) % backend->align_bytes == 0);
	if (io->op != BACKEND_READ && io->op != BACKEND_WRITE)
		return;
	uint64_t total = 0;
	for (uint32_t i = 0; i < io->iov_count; i++) {
		cr_assert((uintptr_t)io->iov[i].iov_base % backend->memory_align_bytes == 0);
		total += io->iov[i].iov_len;
	}
	cr_assert(total == io->len_bytes);
}

static void held_submit(struct backend *backend, struct backend_io *io)
{
	struct held *held = (struct held *)backend;
	held_check(held, io);
	held->submitted_count++;
	if (held->at_once) {
		held_apply(held, io);
		io->done(io, IO_OK);
		return;
	}
	cr_assert(held->count < HELD_COUNT_MAX);
	const bool early = test_random(&held->random) & 1;
	if (early)
		held_apply(held, io);
	held->early[held->count] = early;
	held->io[held->count++] = io;
}

static int held_resize(struct backend *backend, uint64_t size_bytes)
{
	return size_bytes > backend->size_bytes * 2 ? -EINVAL : 0;
}

static void held_free(struct backend *backend)
{
	held_destroy((struct held *)backend);
}

static const struct backend_ops held_ops = {
	.name = "held",
	.submit = held_submit,
	.resize = held_resize,
	.destroy = held_free,
};

struct held *held_create(uint64_t size_bytes, uint32_t align_bytes, uint32_t memory_align_bytes)
{
	struct held *held = calloc(1, sizeof *held);
	cr_assert(held);
	held->bytes = calloc(1, size_bytes);
	cr_assert(held->bytes);
	held->backend = (struct backend){&held_ops, size_bytes, align_bytes, memory_align_bytes};
	return held;
}

void held_destroy(struct held *held)
{
	free(held->bytes);
	free(held);
}

const struct backend_io *held_at(const struct held *held, unsigned index)
{
	cr_assert(index < held->count, "backend has %u I/Os, wanted number %u", held->count, index);
	return held->io[index];
}

void held_release(struct held *held, unsigned index, enum io_status status)
{
	cr_assert(index < held->count, "backend has %u I/Os, wanted number %u", held->count, index);
	struct backend_io *io = held->io[index];
	const bool early = held->early[index];
	held->count--;
	memmove(&held->io[index], &held->io[index + 1], (held->count - index) * sizeof held->io[0]);
	memmove(&held->early[index], &held->early[index + 1], (held->count - index) * sizeof held->early[0]);
	if (!early && status == IO_OK)
		held_apply(held, io);
	io->done(io, status);
}

void held_release_all(struct held *held)
{
	while (held->count)
		held_release(held, 0, IO_OK);
}
