/* SPDX-License-Identifier: BSD-3-Clause */
/* IPv6 header: parse, emit, and the walk over extension headers. */
#include "wire/ipv6.h"

#include <string.h>

#define OPTION_PAD1 0
#define OPTION_PADN 1
#define OPTION_ROUTER_ALERT 5 /* RFC 2711: MLD has it; nothing for a host to do */

#define PROBLEM_FIELD 0 /* codes of Parameter Problem (RFC 4443 3.4) */
#define PROBLEM_OPTION 2

struct wire_status ipv6_parse_quoted(const uint8_t *data, uint32_t len_bytes, struct ipv6_header *header)
{
	if (len_bytes < IPV6_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_IPV6_HEADER);
	const struct ipv6_wire *wire = (const struct ipv6_wire *)data;
	const uint32_t first = be32_get(wire->version_class_flow);
	if (first >> 28 != 6)
		return wire_no(WIRE_BAD, WIRE_WHY_IPV6_VERSION);
	header->traffic_class = (uint8_t)(first >> 20);
	header->flow_label = first & 0xfffff;
	header->payload_bytes = be16_get(wire->payload_bytes);
	header->next_header = wire->next_header;
	header->hop_limit = wire->hop_limit;
	memcpy(header->src, wire->src, 16);
	memcpy(header->dst, wire->dst, 16);
	return wire_ok();
}

struct wire_status ipv6_parse(const uint8_t *data, uint32_t len_bytes, struct ipv6_header *header)
{
	struct wire_status status = ipv6_parse_quoted(data, len_bytes, header);
	if (status.result == WIRE_OK && header->payload_bytes > len_bytes - IPV6_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_IPV6_LENGTH);
	return status;
}

uint32_t ipv6_emit(uint8_t *data, uint32_t room_bytes, const struct ipv6_header *header)
{
	if (room_bytes < IPV6_HEADER_BYTES)
		return 0;
	struct ipv6_wire *wire = (struct ipv6_wire *)data;
	wire->version_class_flow =
		be32_of(6u << 28 | (uint32_t)header->traffic_class << 20 | (header->flow_label & 0xfffff));
	wire->payload_bytes = be16_of(header->payload_bytes);
	wire->next_header = header->next_header;
	wire->hop_limit = header->hop_limit;
	memcpy(wire->src, header->src, 16);
	memcpy(wire->dst, header->dst, 16);
	return IPV6_HEADER_BYTES;
}

/* The options of one hop-by-hop or destination header, [at, end).  The two high bits of a type say what to do with it
 * when it is not known (RFC 8200 4.2). */
static struct wire_status walk_options(const uint8_t *data, uint32_t at, uint32_t end, struct ipv6_payload *payload)
{
	while (at < end) {
		const uint8_t type = data[at];
		if (type == OPTION_PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || data[at + 1] > end - at - 2)
			return wire_no(WIRE_BAD, WIRE_WHY_IPV6_EXTENSION);
		if (type != OPTION_PADN && type != OPTION_ROUTER_ALERT && type >> 6 != 0) {
			payload->report = type >> 6 >= 2;
			payload->code = PROBLEM_OPTION;
			payload->bad_bytes = at;
			return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_IPV6_OPTION);
		}
		at += 2u + data[at + 1];
	}
	return wire_ok();
}

/* A routing header is for those that forward; with no segment left it is skipped whatever its type (RFC 8200 4.4). */
static struct wire_status look_at_routing(const uint8_t *data, uint32_t at, struct ipv6_payload *payload)
{
	if (data[at + 3] == 0)
		return wire_ok();
	payload->report = true;
	payload->code = PROBLEM_FIELD;
	payload->bad_bytes = at + 2;
	return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_IPV6_ROUTING);
}

struct wire_status ipv6_walk(const uint8_t *data, uint32_t len_bytes, const struct ipv6_header *header,
			     struct ipv6_payload *payload)
{
	uint8_t next = header->next_header;
	uint32_t at = IPV6_HEADER_BYTES;
	*payload = (struct ipv6_payload){0};
	for (unsigned count = 0;; count++) {
		payload->protocol = next;
		payload->offset_bytes = at;
		if (next != IPV6_HOP_BY_HOP && next != IPV6_ROUTING && next != IPV6_FRAGMENT &&
		    next != IPV6_DESTINATION)
			return wire_ok();
		if (count == IPV6_EXTENSION_COUNT_MAX)
			return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_IPV6_EXTENSION_COUNT);
		/* Hop-by-hop comes first or not at all (RFC 8200 4.1). */
		if (len_bytes - at < 8 || (next == IPV6_HOP_BY_HOP && count > 0))
			return wire_no(WIRE_BAD, WIRE_WHY_IPV6_EXTENSION);
		uint32_t bytes = 8;
		struct wire_status status = wire_ok();
		if (next == IPV6_FRAGMENT) {
			payload->fragment = (data[at + 2] | (data[at + 3] & 0xf9)) != 0;
		} else {
			bytes += data[at + 1] * 8u;
			if (bytes > len_bytes - at)
				return wire_no(WIRE_BAD, WIRE_WHY_IPV6_EXTENSION);
			status = next == IPV6_ROUTING ? look_at_routing(data, at, payload)
						      : walk_options(data, at + 2, at + bytes, payload);
		}
		next = data[at];
		at += bytes;
		if (status.result != WIRE_OK)
			return status;
		if (payload->fragment) {
			payload->protocol = next;
			payload->offset_bytes = at;
			return wire_ok();
		}
	}
}
