/* SPDX-License-Identifier: BSD-3-Clause */
/* The Internet checksum: one addition with carry for eight bytes. */
#include "util/checksum.h"

#include <stddef.h>

#define BLOCK_BYTES 64u

static uint64_t load64(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

/* Eight words at a time.  The compilers do not keep a carry from one addition to the next. */
static inline uint64_t add_block(uint64_t sum, const uint8_t *at)
{
#if defined(__x86_64__)
	__asm__("addq 0(%1), %0\n\t"
		"adcq 8(%1), %0\n\t"
		"adcq 16(%1), %0\n\t"
		"adcq 24(%1), %0\n\t"
		"adcq 32(%1), %0\n\t"
		"adcq 40(%1), %0\n\t"
		"adcq 48(%1), %0\n\t"
		"adcq 56(%1), %0\n\t"
		"adcq $0, %0"
		: "+&r"(sum)
		: "r"(at), "m"(*(const uint8_t(*)[BLOCK_BYTES])at)
		: "cc");
	return sum;
#else
	for (unsigned i = 0; i < BLOCK_BYTES; i += 8)
		sum = checksum_add64(sum, load64(at + i));
	return sum;
#endif
}

/* Four blocks without a look at the length in between. */
static inline uint64_t add_four_blocks(uint64_t sum, const uint8_t *at)
{
	sum = add_block(sum, at);
	sum = add_block(sum, at + BLOCK_BYTES);
	sum = add_block(sum, at + (size_t)2 * BLOCK_BYTES);
	return add_block(sum, at + (size_t)3 * BLOCK_BYTES);
}

uint64_t checksum_add(uint64_t sum, const void *data, uint32_t len_bytes)
{
	const uint8_t *at = data;
	for (; len_bytes >= 4 * BLOCK_BYTES; len_bytes -= 4 * BLOCK_BYTES, at += (size_t)4 * BLOCK_BYTES)
		sum = add_four_blocks(sum, at);
	for (; len_bytes >= BLOCK_BYTES; len_bytes -= BLOCK_BYTES, at += BLOCK_BYTES)
		sum = add_block(sum, at);
	for (; len_bytes >= 8; len_bytes -= 8, at += 8)
		sum = checksum_add64(sum, load64(at));
	if (len_bytes) {
		uint8_t rest[8] = {0};
		memcpy(rest, at, len_bytes);
		sum = checksum_add64(sum, load64(rest));
	}
	return sum;
}
