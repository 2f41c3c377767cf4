/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Blocks of a pcapng file, little-endian.  Pure: each function writes one whole
 * block or nothing.  Source: draft-ietf-opsawg-pcapng, sections 4.1 to 4.3.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All return the block's length, 0 when it does not fit into cap bytes. */

/* Section header; application names the writer. */
size_t pcapng_put_section(uint8_t *buf, size_t cap, const char *application);
/* Ethernet interface with time stamps in nanoseconds.  The first one put is interface 0.  snap_bytes 0: no limit. */
size_t pcapng_put_interface(uint8_t *buf, size_t cap, const char *name, uint32_t snap_bytes);

struct pcapng_packet {
	uint32_t interface;
	uint64_t time_ns; /* UNIX epoch */
	bool outgoing;
	const uint8_t *bytes;
	uint32_t captured_bytes; /* that follow in bytes */
	uint32_t frame_bytes;    /* of the frame on the wire */
};
size_t pcapng_put_packet(uint8_t *buf, size_t cap, const struct pcapng_packet *packet);
