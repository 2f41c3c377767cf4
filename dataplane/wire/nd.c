/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery: parse and emit. */
#include "wire/nd.h"

#include <string.h>

#define OPTION_SOURCE_MAC 1
#define OPTION_TARGET_MAC 2
#define OPTION_PREFIX 3
#define OPTION_MTU 5

#define FLAG_ROUTER 0x80000000u
#define FLAG_SOLICITED 0x40000000u
#define FLAG_OVERRIDE 0x20000000u

#define PREFIX_ON_LINK 0x80
#define PREFIX_AUTONOMOUS 0x40

static uint32_t body_bytes(uint8_t type)
{
	switch (type) {
	case ICMPV6_ROUTER_SOLICITATION:
		return ICMP_HEADER_BYTES;
	case ICMPV6_ROUTER_ADVERTISEMENT:
		return sizeof(struct nd_router_wire);
	case ICMPV6_NEIGHBOUR_SOLICITATION:
	case ICMPV6_NEIGHBOUR_ADVERTISEMENT:
		return sizeof(struct nd_neighbour_wire);
	default:
		return 0;
	}
}

static void take_prefix(struct nd_message *message, const struct nd_prefix_wire *wire)
{
	if (message->prefix_count == ND_PREFIX_COUNT_MAX || wire->bits > 128)
		return;
	struct nd_prefix *prefix = &message->prefixes[message->prefix_count++];
	memcpy(prefix->prefix, wire->prefix, 16);
	prefix->bits = wire->bits;
	prefix->on_link = wire->flags & PREFIX_ON_LINK;
	prefix->autonomous = wire->flags & PREFIX_AUTONOMOUS;
	prefix->valid_s = be32_get(wire->valid_s);
	prefix->preferred_s = be32_get(wire->preferred_s);
}

/* One option, whose announced bytes are there.  An option of a length that its kind cannot have is not taken. */
static void take_option(struct nd_message *message, const uint8_t *option, uint32_t bytes)
{
	const uint8_t mac_option =
		message->type == ICMPV6_NEIGHBOUR_ADVERTISEMENT ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;
	if (option[0] == mac_option && bytes == sizeof(struct nd_lladdr_wire)) {
		message->has_mac = true;
		memcpy(message->mac, ((const struct nd_lladdr_wire *)option)->mac, 6);
	} else if (message->type != ICMPV6_ROUTER_ADVERTISEMENT) {
		return;
	} else if (option[0] == OPTION_PREFIX && bytes == sizeof(struct nd_prefix_wire)) {
		take_prefix(message, (const struct nd_prefix_wire *)option);
	} else if (option[0] == OPTION_MTU && bytes == sizeof(struct nd_mtu_wire)) {
		message->mtu = be32_get(((const struct nd_mtu_wire *)option)->mtu);
	}
}

static struct wire_status take_options(struct nd_message *message, const uint8_t *data, uint32_t len_bytes)
{
	for (uint32_t at = 0; at < len_bytes;) {
		if (len_bytes - at < 2)
			return wire_no(WIRE_BAD, WIRE_WHY_ND_OPTION);
		const uint32_t bytes = data[at + 1] * 8u;
		if (bytes == 0 || bytes > len_bytes - at)
			return wire_no(WIRE_BAD, WIRE_WHY_ND_OPTION);
		take_option(message, data + at, bytes);
		at += bytes;
	}
	return wire_ok();
}

static struct wire_status take_neighbour(struct nd_message *message, const struct nd_neighbour_wire *wire)
{
	const uint32_t flags = be32_get(wire->icmp.rest);
	memcpy(message->target, wire->target, 16);
	if (message->target[0] == 0xff)
		return wire_no(WIRE_BAD, WIRE_WHY_ND_TARGET);
	if (message->type == ICMPV6_NEIGHBOUR_SOLICITATION)
		return wire_ok();
	message->router = flags & FLAG_ROUTER;
	message->solicited = flags & FLAG_SOLICITED;
	message->override = flags & FLAG_OVERRIDE;
	return wire_ok();
}

struct wire_status nd_parse(const uint8_t *data, uint32_t len_bytes, struct nd_message *message)
{
	*message = (struct nd_message){0};
	if (len_bytes < ICMP_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_ND_MESSAGE);
	message->type = data[0];
	const uint32_t bytes = body_bytes(message->type);
	if (bytes == 0)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_ND_MESSAGE);
	if (len_bytes < bytes)
		return wire_no(WIRE_SHORT, WIRE_WHY_ND_MESSAGE);
	if (data[1] != 0)
		return wire_no(WIRE_BAD, WIRE_WHY_ND_CODE);
	struct wire_status status = wire_ok();
	if (bytes == sizeof(struct nd_neighbour_wire))
		status = take_neighbour(message, (const struct nd_neighbour_wire *)data);
	else if (message->type == ICMPV6_ROUTER_ADVERTISEMENT)
		message->lifetime_s = be16_get(((const struct nd_router_wire *)data)->lifetime_s);
	if (status.result != WIRE_OK)
		return status;
	return take_options(message, data + bytes, len_bytes - bytes);
}

uint32_t nd_emit(uint8_t *data, uint32_t room_bytes, const struct nd_message *message)
{
	const bool advertisement = message->type == ICMPV6_NEIGHBOUR_ADVERTISEMENT;
	const uint32_t body = body_bytes(message->type);
	const uint32_t total = body + (message->has_mac ? (uint32_t)sizeof(struct nd_lladdr_wire) : 0u);
	if (message->type == ICMPV6_ROUTER_ADVERTISEMENT || body == 0 || room_bytes < total)
		return 0;
	struct icmp_header icmp = {.type = message->type};
	if (advertisement)
		icmp.rest = (message->router ? FLAG_ROUTER : 0) | (message->solicited ? FLAG_SOLICITED : 0) |
			    (message->override ? FLAG_OVERRIDE : 0);
	icmp_emit(data, room_bytes, &icmp);
	if (body == sizeof(struct nd_neighbour_wire))
		memcpy(((struct nd_neighbour_wire *)data)->target, message->target, 16);
	if (message->has_mac) {
		struct nd_lladdr_wire *option = (struct nd_lladdr_wire *)(data + body);
		option->type = advertisement ? OPTION_TARGET_MAC : OPTION_SOURCE_MAC;
		option->length = 1;
		memcpy(option->mac, message->mac, 6);
	}
	return total;
}
