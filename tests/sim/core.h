/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The simulator's ground: virtual time, events, randomness, memory, verdict.
 *
 * Everything of one run hangs on one struct sim and comes from its arena, so a
 * run ends by dropping the arena.  Events of equal time run in the order in
 * which they were made.  Nothing here or above looks at real time, addresses or
 * anything else that could differ between two runs of one seed.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define US 1000ull
#define MS 1000000ull
#define SEC 1000000000ull
#define NEVER UINT64_MAX

/* splitmix64.  Streams are apart, so that drawing more in one place does not shift all others. */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t count);                /* 0 .. count - 1 */
uint64_t rng_between(struct rng *rng, uint64_t low, uint64_t high); /* both included */
bool rng_chance(struct rng *rng, uint32_t ppm);

struct sim;
typedef void event_fn(struct sim *sim, void *ctx, uint64_t arg);

struct event {
	uint64_t at_ns, sequence;
	event_fn *fn;
	void *ctx;
	uint64_t arg;
};

enum plant {
	PLANT_NONE,
	PLANT_STALE_WRITE,
	PLANT_OVERTAKEN_WRITE,
	PLANT_ACK_BEFORE_DURABLE,
	PLANT_LOST_PERSIST,
	PLANT_BAD_CHECKSUM,
	PLANT_DEAF_TO_MTU,
};

struct sim {
	uint64_t seed;
	bool verbose;
	enum plant plant;
	uint64_t now_ns;
	uint64_t event_sequence, event_count;
	struct event *heap;
	size_t heap_count, heap_capacity;
	uint64_t trace_hash;
	struct arena_chunk *chunks;
	jmp_buf *failed; /* where sim_fail goes */
	char failure[512];
};

void sim_init(struct sim *sim, uint64_t seed);
void sim_fini(struct sim *sim);

/* Zeroed; lives until the run ends. */
void *sim_alloc(struct sim *sim, size_t bytes);
/* A stream of its own for (name, index). */
struct rng sim_rng(const struct sim *sim, const char *name, uint64_t index);

void sim_at(struct sim *sim, uint64_t at_ns, event_fn *fn, void *ctx, uint64_t arg);
static inline void sim_in(struct sim *sim, uint64_t delay_ns, event_fn *fn, void *ctx, uint64_t arg)
{
	sim_at(sim, sim->now_ns + delay_ns, fn, ctx, arg);
}
/* Run the next event.  False: there is none. */
bool sim_step(struct sim *sim);

/* A line of the trace: always hashed, printed when verbose. */
__attribute__((format(printf, 2, 3))) void sim_trace(struct sim *sim, const char *format, ...);
/* A line for the reader of a verbose run only: not hashed, costs nothing otherwise. */
#define sim_tell(sim, ...)                                                                                             \
	do {                                                                                                           \
		if ((sim)->verbose)                                                                                    \
			sim_print((sim), __VA_ARGS__);                                                                 \
	} while (0)
__attribute__((format(printf, 2, 3))) void sim_print(struct sim *sim, const char *format, ...);
/* Hash without a line, for what happens too often to be told. */
void sim_mix(struct sim *sim, uint64_t value);
/* A broken promise: ends the run. */
__attribute__((format(printf, 2, 3), noreturn)) void sim_fail(struct sim *sim, const char *format, ...);
