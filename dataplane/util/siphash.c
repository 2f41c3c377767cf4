/* SPDX-License-Identifier: BSD-3-Clause */
/* SipHash-2-4, bytes in little-endian order as the paper has it. */
#include "util/siphash.h"

#include <string.h>

#include "util/bytes.h"

struct state {
	uint64_t v0, v1, v2, v3;
};

static uint64_t rotate(uint64_t x, unsigned bits)
{
	return x << bits | x >> (64 - bits);
}

static uint64_t load(const uint8_t *at)
{
	le64 word;
	memcpy(&word, at, sizeof word);
	return le64_get(word);
}

static void rounds(struct state *s, unsigned count)
{
	while (count--) {
		s->v0 += s->v1;
		s->v1 = rotate(s->v1, 13) ^ s->v0;
		s->v0 = rotate(s->v0, 32);
		s->v2 += s->v3;
		s->v3 = rotate(s->v3, 16) ^ s->v2;
		s->v0 += s->v3;
		s->v3 = rotate(s->v3, 21) ^ s->v0;
		s->v2 += s->v1;
		s->v1 = rotate(s->v1, 17) ^ s->v2;
		s->v2 = rotate(s->v2, 32);
	}
}

static void take(struct state *s, uint64_t word)
{
	s->v3 ^= word;
	rounds(s, 2);
	s->v0 ^= word;
}

uint64_t siphash(const uint8_t key[16], const void *data, uint32_t len_bytes)
{
	const uint64_t k0 = load(key), k1 = load(key + 8);
	struct state s = {k0 ^ 0x736f6d6570736575ull, k1 ^ 0x646f72616e646f6dull, k0 ^ 0x6c7967656e657261ull,
			  k1 ^ 0x7465646279746573ull};
	const uint8_t *at = data;
	uint64_t last = (uint64_t)len_bytes << 56;
	for (; len_bytes >= 8; len_bytes -= 8, at += 8)
		take(&s, load(at));
	for (uint32_t i = 0; i < len_bytes; i++)
		last |= (uint64_t)at[i] << (8 * i);
	take(&s, last);
	s.v2 ^= 0xff;
	rounds(&s, 4);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
