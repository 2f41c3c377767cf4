/* SPDX-License-Identifier: BSD-3-Clause */
#include "core.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK_BYTES (1u << 20)

struct arena_chunk {
	struct arena_chunk *next;
	size_t used, size;
	uint8_t bytes[] __attribute__((aligned(16)));
};

uint64_t rng_next(struct rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

uint64_t rng_below(struct rng *rng, uint64_t count)
{
	return count ? rng_next(rng) % count : 0;
}

uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high)
{
	return low + rng_below(rng, high - low + 1);
}

bool rng_chance(struct rng *rng, uint32_t ppm)
{
	return ppm && rng_next(rng) % 1000000 < ppm;
}

void sim_init(struct sim *sim, uint64_t seed)
{
	memset(sim, 0, sizeof *sim);
	sim->seed = seed;
	sim->trace_hash = 0xcbf29ce484222325ull;
}

void sim_fini(struct sim *sim)
{
	while (sim->chunks) {
		struct arena_chunk *next = sim->chunks->next;
		free(sim->chunks);
		sim->chunks = next;
	}
	free(sim->heap);
	sim->heap = NULL;
}

void *sim_alloc(struct sim *sim, size_t bytes)
{
	bytes = (bytes + 15) & ~(size_t)15;
	struct arena_chunk *chunk = sim->chunks;
	if (!chunk || chunk->size - chunk->used < bytes) {
		size_t size = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;
		chunk = calloc(1, sizeof *chunk + size);
		if (!chunk)
			abort();
		chunk->size = size;
		chunk->next = sim->chunks;
		sim->chunks = chunk;
	}
	void *at = chunk->bytes + chunk->used;
	chunk->used += bytes;
	return at;
}

struct rng sim_rng(const struct sim *sim, const char *name, uint64_t index)
{
	uint64_t hash = 0xcbf29ce484222325ull ^ sim->seed;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 0x100000001b3ull;
	struct rng rng = {hash + index * 0xd1342543de82ef95ull};
	rng.state = rng_next(&rng);
	return rng;
}

static bool event_before(const struct event *a, const struct event *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

void sim_at(struct sim *sim, uint64_t at_ns, event_fn *fn, void *ctx, uint64_t arg)
{
	if (sim->heap_count == sim->heap_capacity) {
		sim->heap_capacity = sim->heap_capacity ? sim->heap_capacity * 2 : 1024;
		sim->heap = realloc(sim->heap, sim->heap_capacity * sizeof *sim->heap);
		if (!sim->heap)
			abort();
	}
	const struct event event = {at_ns < sim->now_ns ? sim->now_ns : at_ns, sim->event_sequence++, fn, ctx, arg};
	size_t at = sim->heap_count++;
	while (at && event_before(&event, &sim->heap[(at - 1) / 2])) {
		sim->heap[at] = sim->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	sim->heap[at] = event;
}

static struct event heap_pop(struct sim *sim)
{
	const struct event first = sim->heap[0];
	const struct event last = sim->heap[--sim->heap_count];
	size_t at = 0;
	for (;;) {
		size_t child = 2 * at + 1;
		if (child >= sim->heap_count)
			break;
		if (child + 1 < sim->heap_count && event_before(&sim->heap[child + 1], &sim->heap[child]))
			child++;
		if (!event_before(&sim->heap[child], &last))
			break;
		sim->heap[at] = sim->heap[child];
		at = child;
	}
	sim->heap[at] = last;
	return first;
}

bool sim_step(struct sim *sim)
{
	if (sim->heap_count == 0)
		return false;
	const struct event event = heap_pop(sim);
	sim->now_ns = event.at_ns;
	sim->event_count++;
	event.fn(sim, event.ctx, event.arg);
	return true;
}

void sim_mix(struct sim *sim, uint64_t value)
{
	sim->trace_hash = (sim->trace_hash ^ value) * 0x100000001b3ull;
	sim->trace_hash ^= sim->trace_hash >> 29;
}

void sim_trace(struct sim *sim, const char *format, ...)
{
	char line[512];
	va_list args;
	va_start(args, format);
	int length = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (length > (int)sizeof line - 1)
		length = sizeof line - 1;
	sim_mix(sim, sim->now_ns);
	for (int i = 0; i < length; i++)
		sim->trace_hash = (sim->trace_hash ^ (uint8_t)line[i]) * 0x100000001b3ull;
	if (sim->verbose)
		printf("%12.6f  %s\n", (double)sim->now_ns / 1e9, line);
}

void sim_print(struct sim *sim, const char *format, ...)
{
	va_list args;
	printf("%12.6f  ", (double)sim->now_ns / 1e9);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

void sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(sim->failure, sizeof sim->failure, format, args);
	va_end(args);
	if (sim->verbose)
		printf("%12.6f  FAILED: %s\n", (double)sim->now_ns / 1e9, sim->failure);
	longjmp(*sim->failed, 1);
}
