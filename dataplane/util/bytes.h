/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Integers as they lie in a packet.
 *
 * Opaque byte arrays: no alignment, no way to use one without saying its order,
 * and the shifts compile to one load and at most one swap.  Pure, any thread.
 */
#pragma once

#include <stdint.h>

typedef struct {
	uint8_t b[2];
} be16;

typedef struct {
	uint8_t b[4];
} be32;

typedef struct {
	uint8_t b[8];
} be64;

typedef struct {
	uint8_t b[2];
} le16;

typedef struct {
	uint8_t b[4];
} le32;

typedef struct {
	uint8_t b[8];
} le64;

_Static_assert(sizeof(be16) == 2 && _Alignof(be16) == 1, "be16 is two loose bytes");
_Static_assert(sizeof(be32) == 4 && _Alignof(be32) == 1, "be32 is four loose bytes");
_Static_assert(sizeof(be64) == 8 && _Alignof(be64) == 1, "be64 is eight loose bytes");
_Static_assert(sizeof(le64) == 8 && _Alignof(le64) == 1, "le64 is eight loose bytes");

/* x_get: value in host order.  x_of: the bytes of a value. */

static inline uint16_t be16_get(be16 v)
{
	return (uint16_t)(v.b[0] << 8 | v.b[1]);
}

static inline be16 be16_of(uint16_t x)
{
	return (be16){{(uint8_t)(x >> 8), (uint8_t)x}};
}

static inline uint32_t be32_get(be32 v)
{
	return (uint32_t)v.b[0] << 24 | (uint32_t)v.b[1] << 16 | (uint32_t)v.b[2] << 8 | v.b[3];
}

static inline be32 be32_of(uint32_t x)
{
	return (be32){{(uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}};
}

static inline uint64_t be64_get(be64 v)
{
	return (uint64_t)v.b[0] << 56 | (uint64_t)v.b[1] << 48 | (uint64_t)v.b[2] << 40 | (uint64_t)v.b[3] << 32 |
	       (uint64_t)v.b[4] << 24 | (uint64_t)v.b[5] << 16 | (uint64_t)v.b[6] << 8 | v.b[7];
}

static inline be64 be64_of(uint64_t x)
{
	return (be64){{(uint8_t)(x >> 56), (uint8_t)(x >> 48), (uint8_t)(x >> 40), (uint8_t)(x >> 32),
		       (uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x}};
}

static inline uint16_t le16_get(le16 v)
{
	return (uint16_t)(v.b[1] << 8 | v.b[0]);
}

static inline le16 le16_of(uint16_t x)
{
	return (le16){{(uint8_t)x, (uint8_t)(x >> 8)}};
}

static inline uint32_t le32_get(le32 v)
{
	return (uint32_t)v.b[3] << 24 | (uint32_t)v.b[2] << 16 | (uint32_t)v.b[1] << 8 | v.b[0];
}

static inline le32 le32_of(uint32_t x)
{
	return (le32){{(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24)}};
}

static inline uint64_t le64_get(le64 v)
{
	return (uint64_t)v.b[7] << 56 | (uint64_t)v.b[6] << 48 | (uint64_t)v.b[5] << 40 | (uint64_t)v.b[4] << 32 |
	       (uint64_t)v.b[3] << 24 | (uint64_t)v.b[2] << 16 | (uint64_t)v.b[1] << 8 | v.b[0];
}

static inline le64 le64_of(uint64_t x)
{
	return (le64){{(uint8_t)x, (uint8_t)(x >> 8), (uint8_t)(x >> 16), (uint8_t)(x >> 24), (uint8_t)(x >> 32),
		       (uint8_t)(x >> 40), (uint8_t)(x >> 48), (uint8_t)(x >> 56)}};
}
