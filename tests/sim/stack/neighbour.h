/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP and neighbour discovery of the simulated stations that are not our own stack. */
#pragma once

#include "../core.h"

#define NEIGHBOUR_FRAME_BYTES 128u

/* The answer to a request for one of these addresses, from this MAC; 0: it was none. */
uint32_t neighbour_answer(uint8_t *to, const uint8_t *frame, uint32_t len_bytes, const uint8_t *addr4,
			  const uint8_t *addr6, const uint8_t mac[6], bool is_router);
/* Here I am, unasked. */
uint32_t neighbour_announce(uint8_t *to, bool v4, const uint8_t *addr, const uint8_t mac[6], bool is_router);
/* Who has it? */
uint32_t neighbour_ask(uint8_t *to, bool v4, const uint8_t *wanted, const uint8_t *own, const uint8_t mac[6]);
/* Whether the frame says where this address is. */
bool neighbour_heard(const uint8_t *frame, uint32_t len_bytes, bool v4, const uint8_t *wanted, uint8_t mac[6]);
