/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv4 header: parse and emit. */
#include "wire/ipv4.h"

#include <string.h>

#include "wire/checksum.h"

#define OPTION_END 0
#define OPTION_NOP 1
#define OPTION_LOOSE_ROUTE 131
#define OPTION_STRICT_ROUTE 137

static struct wire_status walk_options(const uint8_t *options, uint32_t len_bytes, struct ipv4_header *header)
{
	for (uint32_t at = 0; at < len_bytes;) {
		const uint8_t type = options[at];
		if (type == OPTION_END)
			break;
		if (type == OPTION_NOP) {
			at++;
			continue;
		}
		if (len_bytes - at < 2 || options[at + 1] < 2 || options[at + 1] > len_bytes - at)
			return wire_no(WIRE_BAD, WIRE_WHY_IPV4_OPTION);
		if (type == OPTION_LOOSE_ROUTE || type == OPTION_STRICT_ROUTE)
			header->source_route = true;
		at += options[at + 1];
	}
	return wire_ok();
}

struct wire_status ipv4_parse_quoted(const uint8_t *data, uint32_t len_bytes, struct ipv4_header *header)
{
	if (len_bytes < IPV4_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_IPV4_HEADER);
	const struct ipv4_wire *wire = (const struct ipv4_wire *)data;
	if (wire->version_length >> 4 != 4)
		return wire_no(WIRE_BAD, WIRE_WHY_IPV4_VERSION);
	header->header_bytes = (uint8_t)((wire->version_length & 15) * 4);
	if (header->header_bytes < IPV4_HEADER_BYTES)
		return wire_no(WIRE_BAD, WIRE_WHY_IPV4_HEADER_LENGTH);
	if (header->header_bytes > len_bytes)
		return wire_no(WIRE_SHORT, WIRE_WHY_IPV4_HEADER);
	header->traffic_class = wire->traffic_class;
	header->total_bytes = be16_get(wire->total_bytes);
	header->id = be16_get(wire->id);
	const uint16_t fragment = be16_get(wire->fragment);
	header->fragment_bytes = (uint16_t)((fragment & IPV4_OFFSET_MASK) * 8);
	header->more_fragments = fragment & IPV4_FLAG_MF;
	header->dont_fragment = fragment & IPV4_FLAG_DF;
	header->source_route = false;
	header->ttl = wire->ttl;
	header->protocol = wire->protocol;
	memcpy(header->src, wire->src, 4);
	memcpy(header->dst, wire->dst, 4);
	return wire_ok();
}

struct wire_status ipv4_parse(const uint8_t *data, uint32_t len_bytes, bool verify, struct ipv4_header *header)
{
	struct wire_status status = ipv4_parse_quoted(data, len_bytes, header);
	if (status.result != WIRE_OK)
		return status;
	if (header->total_bytes < header->header_bytes)
		return wire_no(WIRE_BAD, WIRE_WHY_IPV4_LENGTH);
	if (header->total_bytes > len_bytes)
		return wire_no(WIRE_SHORT, WIRE_WHY_IPV4_LENGTH);
	if (verify && !checksum_is_right(checksum_add(0, data, header->header_bytes)))
		return wire_no(WIRE_BAD, WIRE_WHY_IPV4_CHECKSUM);
	return walk_options(data + IPV4_HEADER_BYTES, header->header_bytes - IPV4_HEADER_BYTES, header);
}

uint32_t ipv4_emit(uint8_t *data, uint32_t room_bytes, const struct ipv4_header *header)
{
	if (room_bytes < IPV4_HEADER_BYTES)
		return 0;
	const unsigned fragment = header->fragment_bytes / 8u | (header->more_fragments ? IPV4_FLAG_MF : 0u) |
				  (header->dont_fragment ? IPV4_FLAG_DF : 0u);
	struct ipv4_wire *wire = (struct ipv4_wire *)data;
	wire->version_length = 0x45;
	wire->traffic_class = header->traffic_class;
	wire->total_bytes = be16_of(header->total_bytes);
	wire->id = be16_of(header->id);
	wire->fragment = be16_of((uint16_t)fragment);
	wire->ttl = header->ttl;
	wire->protocol = header->protocol;
	wire->checksum = be16_of(0);
	memcpy(wire->src, header->src, 4);
	memcpy(wire->dst, header->dst, 4);
	wire->checksum = checksum_finish(checksum_add(0, data, IPV4_HEADER_BYTES));
	return IPV4_HEADER_BYTES;
}
