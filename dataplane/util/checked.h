/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic that says when it does not fit, and alignment.  Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* *sum = a + b; false, and *sum unusable, when that exceeds 64 bits. */
static inline __attribute__((warn_unused_result)) bool checked_add_u64(uint64_t a, uint64_t b, uint64_t *sum)
{
	return !__builtin_add_overflow(a, b, sum);
}

/* *product = a * b; false, and *product unusable, when that exceeds 64 bits. */
static inline __attribute__((warn_unused_result)) bool checked_mul_u64(uint64_t a, uint64_t b, uint64_t *product)
{
	return !__builtin_mul_overflow(a, b, product);
}

/* [offset, offset + len) lies inside [0, size), whatever the values. */
static inline bool range_inside_u64(uint64_t offset, uint64_t len, uint64_t size)
{
	return offset <= size && len <= size - offset;
}

static inline bool is_power_of_two_u64(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

/* Round to a multiple of a power of two.  Rounding up must not pass 2^64: the caller's range check comes first. */
static inline uint64_t align_down_u64(uint64_t x, uint64_t align)
{
	return x & ~(align - 1);
}

static inline uint64_t align_up_u64(uint64_t x, uint64_t align)
{
	return align_down_u64(x + (align - 1), align);
}
