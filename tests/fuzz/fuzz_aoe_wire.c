/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arbitrary bytes through every decoder of wire/ and net/, in an allocation of
 * exact size.  What is accepted must survive emit and parse: the second
 * generation is byte for byte the first.
 */
#include <stdlib.h>
#include <string.h>

#include "aoe/aoe.h"
#include "net/eth.h"
#include "wire/aoe.h"
#include "wire/ata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAME_BYTES_MAX 9300

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t *exact_copy(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	return copy;
}

/* Emits into exactly `size` bytes; the frame was parsed from so many or more. */
static uint8_t *emit_exact(const struct aoe_frame *frame, uint32_t size, uint32_t *len)
{
	uint8_t *bytes = malloc(size ? size : 1);
	require(bytes != NULL);
	*len = aoe_frame_emit(bytes, size, frame);
	return bytes;
}

static void frames(const uint8_t *bytes, uint32_t size)
{
	struct aoe_frame first, second;
	struct wire_status status = aoe_frame_parse(bytes, size, &first);
	require((status.result == WIRE_OK) == (status.reason == WIRE_WHY_NONE));
	require(strlen(wire_reason_text(status.reason)) > 0);
	if (status.result != WIRE_OK)
		return;
	uint32_t len = 0, len2 = 0;
	uint8_t *emitted = emit_exact(&first, size, &len);
	require(len > 0 && len <= size);
	status = aoe_frame_parse(emitted, len, &second);
	require(status.result == WIRE_OK);
	uint8_t *again = emit_exact(&second, len, &len2);
	require(len2 == len && memcmp(again, emitted, len) == 0);
	for (uint32_t room = 0; room < len && room < 64; room++) {
		uint8_t small[64];
		require(aoe_frame_emit(small, room, &first) == 0);
	}
	free(again);
	free(emitted);
}

static void headers(const uint8_t *bytes, uint32_t size)
{
	struct eth_header eth;
	uint16_t type = 0, tci = 0, shelf;
	uint8_t slot;
	bool wildcard;
	const bool whole = eth_header_parse(bytes, size, &eth).result == WIRE_OK;
	const uint32_t offset = eth_payload_offset(bytes, size, &type, &tci);
	require(whole == (offset != 0));
	if (whole)
		require(offset == eth_header_bytes(&eth) && type == eth.type && tci == eth.tci);
	const bool peeked = aoe_peek(bytes, size, &shelf, &slot, &wildcard);
	require(!peeked || (type == AOE_ETHERTYPE && size >= offset + AOE_PDU_HEADER_BYTES));
}

static void ethernet_filter(const uint8_t *bytes, uint32_t size)
{
	struct eth_filter filter = {{0x02, 0, 0, 0, 0, 1}, {0}};
	struct eth_view view;
	eth_filter_add_vlan(&filter, 1);
	eth_filter_add_vlan(&filter, 4094);
	if (eth_parse(bytes, size, &filter, &view) != ETH_ACCEPT)
		return;
	require(!eth_addr_is_group(eth_src(bytes)));
	require(view.vlan == 0 || view.vlan == 1 || view.vlan == 4094);
	require(view.header_bytes <= size);
}

static void ata(const uint8_t *bytes, uint32_t size)
{
	struct ata_identify first, second;
	uint8_t sector[ATA_SECTOR_BYTES], again[ATA_SECTOR_BYTES];
	for (uint32_t i = 0; i < size / 8; i++) {
		uint8_t entry[8];
		ata_trim_range_emit(entry, 0, ata_trim_range_parse(bytes, i));
		require(memcmp(entry, bytes + 8 * i, 8) == 0);
	}
	if (size < ATA_SECTOR_BYTES)
		return;
	memcpy(sector, bytes, sizeof sector);
	/* A checksum that is right is not found by chance. */
	uint8_t sum = 0;
	for (unsigned i = 0; i < ATA_SECTOR_BYTES - 1; i++)
		sum = (uint8_t)(sum + sector[i]);
	sector[ATA_SECTOR_BYTES - 1] = (uint8_t)-sum;
	if (ata_identify_parse(sector, &first).result != WIRE_OK)
		return;
	ata_identify_emit(again, &first);
	require(ata_identify_parse(again, &second).result == WIRE_OK);
	require(first.sector_count == second.sector_count && first.physical_shift == second.physical_shift);
	require(strcmp(first.serial, second.serial) == 0 && strcmp(first.model, second.model) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > FRAME_BYTES_MAX)
		return -1;
	uint8_t *bytes = exact_copy(data, size);
	frames(bytes, (uint32_t)size);
	headers(bytes, (uint32_t)size);
	ethernet_filter(bytes, (uint32_t)size);
	ata(bytes, (uint32_t)size);
	free(bytes);
	return 0;
}
