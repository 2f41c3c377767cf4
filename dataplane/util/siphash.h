/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SipHash-2-4 (Aumasson, Bernstein 2012): a keyed hash for what a stranger must
 * not guess: sequence numbers, cookies, ports, offsets of timestamps.  Pure, any
 * thread.
 */
#pragma once

#include <stdint.h>

/* key: 16 secret bytes. */
uint64_t siphash(const uint8_t key[16], const void *data, uint32_t len_bytes);
