/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP and ICMPv6: parse and emit. */
#include "wire/icmp.h"

#include <string.h>

#include "wire/ipv4.h"
#include "wire/ipv6.h"

#define QUOTED_TRANSPORT_BYTES 8u

struct wire_status icmp_parse(const uint8_t *data, uint32_t len_bytes, struct icmp_header *header)
{
	if (len_bytes < ICMP_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_ICMP_HEADER);
	const struct icmp_wire *wire = (const struct icmp_wire *)data;
	*header = (struct icmp_header){wire->type, wire->code, be32_get(wire->rest)};
	return wire_ok();
}

uint32_t icmp_emit(uint8_t *data, uint32_t room_bytes, const struct icmp_header *header)
{
	if (room_bytes < ICMP_HEADER_BYTES)
		return 0;
	struct icmp_wire *wire = (struct icmp_wire *)data;
	*wire = (struct icmp_wire){header->type, header->code, be16_of(0), be32_of(header->rest)};
	return ICMP_HEADER_BYTES;
}

static struct wire_status quote_v4(const uint8_t *data, uint32_t len_bytes, struct icmp_quote *quote, uint32_t *offset)
{
	struct ipv4_header ip;
	struct wire_status status = ipv4_parse_quoted(data, len_bytes, &ip);
	if (status.result != WIRE_OK)
		return status;
	if (ip.fragment_bytes != 0)
		return wire_no(WIRE_BAD, WIRE_WHY_ICMP_QUOTE);
	memcpy(quote->src, ip.src, 4);
	memcpy(quote->dst, ip.dst, 4);
	quote->protocol = ip.protocol;
	*offset = ip.header_bytes;
	return wire_ok();
}

static struct wire_status quote_v6(const uint8_t *data, uint32_t len_bytes, struct icmp_quote *quote, uint32_t *offset)
{
	struct ipv6_header ip;
	struct ipv6_payload payload;
	struct wire_status status = ipv6_parse_quoted(data, len_bytes, &ip);
	if (status.result == WIRE_OK)
		status = ipv6_walk(data, len_bytes, &ip, &payload);
	if (status.result != WIRE_OK)
		return status;
	if (payload.fragment)
		return wire_no(WIRE_BAD, WIRE_WHY_ICMP_QUOTE);
	memcpy(quote->src, ip.src, 16);
	memcpy(quote->dst, ip.dst, 16);
	quote->protocol = payload.protocol;
	*offset = payload.offset_bytes;
	return wire_ok();
}

struct wire_status icmp_quote_parse(const uint8_t *data, uint32_t len_bytes, bool v4, struct icmp_quote *quote)
{
	uint32_t offset = 0;
	*quote = (struct icmp_quote){.v4 = v4};
	struct wire_status status =
		v4 ? quote_v4(data, len_bytes, quote, &offset) : quote_v6(data, len_bytes, quote, &offset);
	if (status.result != WIRE_OK)
		return status;
	if (len_bytes - offset < QUOTED_TRANSPORT_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_ICMP_QUOTE);
	const struct {
		be16 src_port, dst_port;
		be32 seq;
	} *transport = (const void *)(data + offset);
	quote->src_port = be16_get(transport->src_port);
	quote->dst_port = be16_get(transport->dst_port);
	quote->seq = be32_get(transport->seq);
	return wire_ok();
}
