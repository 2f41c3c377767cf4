/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rows of the state as messages of the control protocol.  Pure: each returns the
 * length of the packet in buf (WHERRY_CTL_MESSAGE_BYTES_MAX), 0 when it cannot be
 * encoded.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/backing.h"
#include "daemon/state.h"

#define PLANE_MODEL "wherry volume" /* ATA model number */

size_t plane_encode_volume(uint8_t *buf, uint32_t id, const struct volume_row *row, const struct backing *backing);
size_t plane_encode_fault(uint8_t *buf, uint32_t id, const struct volume_row *row);
size_t plane_encode_online(uint8_t *buf, uint32_t id, const struct volume_row *row);
/* ports: all of the state, in order; the place is the dataplane's index. */
size_t plane_encode_export(uint8_t *buf, uint32_t id, const struct export_row *row, const struct port_row *ports,
			   unsigned port_count);
size_t plane_encode_state(uint8_t *buf, uint32_t id, const struct export_row *row);
/* ports: as above. */
size_t plane_encode_net(uint8_t *buf, uint32_t id, uint64_t generation, const struct net_rows *rows,
			const struct port_row *ports, unsigned port_count);
size_t plane_encode_tcp(uint8_t *buf, uint32_t id, const struct network_row *row);
size_t plane_encode_nbd(uint8_t *buf, uint32_t id, const struct network_row *row);
size_t plane_encode_nbd_export(uint8_t *buf, uint32_t id, const struct nbd_export_row *row);
