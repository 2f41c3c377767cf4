/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and routes: checks, and changes of the whole set. */
#include "daemon/model_net.h"

#include <stdlib.h>
#include <string.h>

#define IPV6_MTU_MIN 1280 /* RFC 8200 5 */

/* ---------------------------------------------------------------- checks */

/* The first and the last address of an IPv4 network are nobody's (RFC 1122 3.2.1.3), but for point-to-point links. */
static bool is_network_or_broadcast(const struct text_prefix *address)
{
	struct text_prefix inverted = *address;

	if (!text_ip_is_v4(&address->ip) || address->bits > 30)
		return false;
	for (unsigned i = 12; i < sizeof inverted.ip.b; i++)
		inverted.ip.b[i] = (uint8_t)~inverted.ip.b[i];
	/* All host bits are zero, or all are one. */
	struct text_prefix zeroes = text_prefix_network(address), ones = text_prefix_network(&inverted);
	return text_ip_equal(&zeroes.ip, &address->ip) || text_ip_equal(&ones.ip, &inverted.ip);
}

int model_address_check(const struct address_row *row, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];

	(void)text_prefix_emit(&row->address, text);
	if (!text_ip_is_unicast(&row->address.ip))
		return fail_set(fail, FAIL_USAGE,
				"address %s: no host can have it, it is not unicast; give one such as 10.0.0.1/24 or"
				" 2001:db8::1/64",
				text);
	if (row->address.bits == 0)
		return fail_set(fail, FAIL_USAGE,
				"address %s: a network of 0 bits is everything; give the length of"
				" its own network, such as /24",
				text);
	if (row->address.bits > text_ip_bits(&row->address.ip))
		return fail_set(fail, FAIL_USAGE, "address %s: a prefix has at most %u bits", text,
				text_ip_bits(&row->address.ip));
	if (is_network_or_broadcast(&row->address))
		return fail_set(fail, FAIL_USAGE,
				"address %s: it stands for the network or for all hosts of it; give one in between",
				text);
	if (row->vlan > 4094)
		return fail_set(fail, FAIL_USAGE,
				"address %s: VLAN %u does not exist; a VLAN is a number from 1 to 4094", text,
				row->vlan);
	return 0;
}

int model_route_check(const struct route_row *row, struct fail *fail)
{
	char prefix[TEXT_PREFIX_BYTES], gateway[TEXT_IP_BYTES], better[TEXT_PREFIX_BYTES];

	(void)text_prefix_emit(&row->prefix, prefix);
	(void)text_ip_emit(&row->gateway, gateway);
	if (row->prefix.bits > text_ip_bits(&row->prefix.ip))
		return fail_set(fail, FAIL_USAGE, "route %s: a prefix has at most %u bits", prefix,
				text_ip_bits(&row->prefix.ip));
	struct text_prefix network = text_prefix_network(&row->prefix);
	if (!text_prefix_equal(&network, &row->prefix))
		return fail_set(fail, FAIL_USAGE, "route %s: it has bits beyond its prefix; give %s", prefix,
				text_prefix_emit(&network, better));
	if (text_ip_is_v4(&row->prefix.ip) != text_ip_is_v4(&row->gateway))
		return fail_set(fail, FAIL_USAGE, "route %s: gateway %s is of the other family; give one of the same",
				prefix, gateway);
	if (!text_ip_is_unicast(&row->gateway))
		return fail_set(fail, FAIL_USAGE, "route %s: gateway %s is not unicast; give the address of a router",
				prefix, gateway);
	return 0;
}

static const struct port_row *port_named(const struct port_row *ports, int count, const char *name)
{
	for (int i = 0; i < count; i++)
		if (strcmp(ports[i].name, name) == 0)
			return &ports[i];
	return NULL;
}

static bool has_vlan(const struct port_row *port, uint16_t vlan)
{
	bool found = vlan == 0;

	for (unsigned i = 0; i < port->vlan_count; i++)
		found |= port->vlans[i] == vlan;
	return found;
}

static int check_on_port(const struct address_row *row, const struct port_row *port, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];

	(void)text_prefix_emit(&row->address, text);
	if (!has_vlan(port, row->vlan))
		return fail_set(fail, FAIL_CONFLICT,
				"address %s: port '%s' has no VLAN %u; add it with 'port set %s --vlans' first", text,
				port->name, row->vlan, port->name);
	if (!text_ip_is_v4(&row->address.ip) && port->mtu < IPV6_MTU_MIN)
		return fail_set(fail, FAIL_CONFLICT,
				"address %s: IPv6 needs an MTU of at least %d, and port '%s' has %u; raise it first",
				text, IPV6_MTU_MIN, port->name, port->mtu);
	return 0;
}

static int check_address(const struct net_rows *rows, unsigned index, const struct port_row *ports, int port_count,
			 struct fail *fail)
{
	const struct address_row *row = &rows->addresses[index];
	const struct port_row *port = port_named(ports, port_count, row->port_name);
	char text[TEXT_PREFIX_BYTES];

	if (model_address_check(row, fail) != 0)
		return -1;
	(void)text_prefix_emit(&row->address, text);
	if (!port)
		return fail_set(fail, FAIL_NOT_FOUND,
				"address %s: port '%s' does not exist; 'port list' shows those that do", text,
				row->port_name);
	for (unsigned i = 0; i < index; i++) {
		const struct address_row *other = &rows->addresses[i];
		bool same_place = strcmp(other->port_name, row->port_name) == 0 && other->vlan == row->vlan;
		/* What means something on one link only may be on several. */
		if (!text_ip_equal(&other->address.ip, &row->address.ip) ||
		    (!same_place && text_ip_is_link_local(&row->address.ip)))
			continue;
		return fail_set(fail, FAIL_CONFLICT,
				"address %s: it is already on port '%s', VLAN %u; delete it there, or choose another",
				text, other->port_name, other->vlan);
	}
	return check_on_port(row, port, fail);
}

static int check_route(const struct net_rows *rows, unsigned index, struct fail *fail)
{
	const struct route_row *row = &rows->routes[index];
	char prefix[TEXT_PREFIX_BYTES], gateway[TEXT_IP_BYTES];
	bool reachable = false;

	if (model_route_check(row, fail) != 0)
		return -1;
	(void)text_prefix_emit(&row->prefix, prefix);
	(void)text_ip_emit(&row->gateway, gateway);
	for (unsigned i = 0; i < index; i++)
		if (text_prefix_equal(&rows->routes[i].prefix, &row->prefix))
			return fail_set(fail, FAIL_CONFLICT,
					"route %s exists already, via %s; delete it first to choose another gateway",
					prefix, text_ip_emit(&rows->routes[i].gateway, gateway));
	for (unsigned i = 0; i < rows->address_count; i++) {
		const struct text_prefix *address = &rows->addresses[i].address;
		if (text_ip_equal(&address->ip, &row->gateway))
			return fail_set(fail, FAIL_CONFLICT,
					"route %s: gateway %s is the appliance itself; give the address of a router",
					prefix, gateway);
		reachable |= text_prefix_holds(address, &row->gateway);
	}
	/* An interface with any address has a link-local one, too, but a route must not depend on which comes first. */
	if (!reachable)
		return fail_set(fail, FAIL_CONFLICT,
				"route %s: gateway %s is on the network of no address; add an address of its network"
				" first",
				prefix, gateway);
	return 0;
}

int model_net_check(const struct net_rows *rows, const struct port_row *ports, int port_count, unsigned *bad,
		    struct fail *fail)
{
	unsigned ignored;

	bad = bad ? bad : &ignored;
	for (unsigned i = 0; i < rows->address_count; i++) {
		*bad = i;
		if (check_address(rows, i, ports, port_count, fail) != 0)
			return -1;
	}
	for (unsigned i = 0; i < rows->route_count; i++) {
		*bad = rows->address_count + i;
		if (check_route(rows, i, fail) != 0)
			return -1;
	}
	return 0;
}

/* Check against the ports of the state, and write. */
static int check_and_put(struct state *state, const struct net_rows *rows, struct fail *fail)
{
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	int count = ports ? state_port_list(state, ports, fail) : fail_set(fail, FAIL_FAILED, "out of memory");
	int rc = count < 0 ? -1 : model_net_check(rows, ports, count, NULL, fail);

	free(ports);
	return rc == 0 ? state_net_put(state, rows, fail) : -1;
}

/* --------------------------------------------------------------- changes */

int model_address_add(struct state *state, const struct address_row *row, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];
	struct net_rows rows;

	(void)text_prefix_emit(&row->address, text);
	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	if (rows.address_count == WHERRY_ADDRESS_COUNT_MAX)
		return fail_set(fail, FAIL_CONFLICT, "address %s: there are already %d addresses, the most possible",
				text, WHERRY_ADDRESS_COUNT_MAX);
	rows.addresses[rows.address_count++] = *row;
	if (check_and_put(state, &rows, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "address.added", row->port_name, "address %s added, VLAN %u", text,
			   row->vlan);
}

/* A route that loses its way without the address: FAIL_CONFLICT. */
static int check_unused(const struct net_rows *rows, unsigned gone, struct fail *fail)
{
	const struct text_prefix *address = &rows->addresses[gone].address;
	char text[TEXT_PREFIX_BYTES], prefix[TEXT_PREFIX_BYTES];

	for (unsigned r = 0; r < rows->route_count; r++) {
		bool other = !text_prefix_holds(address, &rows->routes[r].gateway);
		for (unsigned i = 0; i < rows->address_count; i++)
			other |= i != gone && text_prefix_holds(&rows->addresses[i].address, &rows->routes[r].gateway);
		if (!other)
			return fail_set(fail, FAIL_CONFLICT,
					"address %s: the gateway of route %s is reached by it; delete that route first",
					text_prefix_emit(address, text),
					text_prefix_emit(&rows->routes[r].prefix, prefix));
	}
	return 0;
}

int model_address_delete(struct state *state, const struct address_row *row, struct fail *fail)
{
	char text[TEXT_IP_BYTES];
	struct net_rows rows;
	unsigned at = 0;

	(void)text_ip_emit(&row->address.ip, text);
	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	while (at < rows.address_count &&
	       (strcmp(rows.addresses[at].port_name, row->port_name) != 0 || rows.addresses[at].vlan != row->vlan ||
		!text_ip_equal(&rows.addresses[at].address.ip, &row->address.ip)))
		at++;
	if (at == rows.address_count)
		return fail_set(fail, FAIL_NOT_FOUND,
				"address %s is not on port '%s', VLAN %u; 'address list' shows where it is", text,
				row->port_name, row->vlan);
	if (check_unused(&rows, at, fail) != 0)
		return -1;
	rows.address_count--;
	memmove(&rows.addresses[at], &rows.addresses[at + 1], (rows.address_count - at) * sizeof rows.addresses[0]);
	if (state_net_put(state, &rows, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "address.deleted", row->port_name, "address %s deleted, VLAN %u",
			   text, row->vlan);
}

int model_route_add(struct state *state, const struct route_row *row, struct fail *fail)
{
	char prefix[TEXT_PREFIX_BYTES], gateway[TEXT_IP_BYTES];
	struct net_rows rows;

	(void)text_prefix_emit(&row->prefix, prefix);
	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	if (rows.route_count == WHERRY_ROUTE_COUNT_MAX)
		return fail_set(fail, FAIL_CONFLICT, "route %s: there are already %d routes, the most possible", prefix,
				WHERRY_ROUTE_COUNT_MAX);
	rows.routes[rows.route_count++] = *row;
	if (check_and_put(state, &rows, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "route.added", prefix, "added, via %s",
			   text_ip_emit(&row->gateway, gateway));
}

int model_route_delete(struct state *state, const struct text_prefix *prefix, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];
	struct net_rows rows;
	unsigned at = 0;

	(void)text_prefix_emit(prefix, text);
	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	while (at < rows.route_count && !text_prefix_equal(&rows.routes[at].prefix, prefix))
		at++;
	if (at == rows.route_count)
		return fail_set(fail, FAIL_NOT_FOUND, "route %s does not exist; 'route list' shows those that do",
				text);
	rows.route_count--;
	memmove(&rows.routes[at], &rows.routes[at + 1], (rows.route_count - at) * sizeof rows.routes[0]);
	if (state_net_put(state, &rows, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "route.deleted", text, "deleted");
}

bool model_net_equal(const struct net_rows *a, const struct net_rows *b)
{
	if (a->address_count != b->address_count || a->route_count != b->route_count)
		return false;
	for (unsigned i = 0; i < a->address_count; i++)
		if (strcmp(a->addresses[i].port_name, b->addresses[i].port_name) != 0 ||
		    a->addresses[i].vlan != b->addresses[i].vlan ||
		    !text_prefix_equal(&a->addresses[i].address, &b->addresses[i].address))
			return false;
	for (unsigned i = 0; i < a->route_count; i++)
		if (!text_prefix_equal(&a->routes[i].prefix, &b->routes[i].prefix) ||
		    !text_ip_equal(&a->routes[i].gateway, &b->routes[i].gateway))
			return false;
	return true;
}

int model_net_set(struct state *state, const struct net_rows *rows, struct fail *fail)
{
	struct net_rows have;

	if (state_net_get(state, &have, fail) != 0)
		return -1;
	if (model_net_equal(&have, rows))
		return 0;
	if (check_and_put(state, rows, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "address.changed", "", "%u addresses, %u routes",
			   rows->address_count, rows->route_count);
}

/* ----------------------------------------------------------------- ports */

int model_net_check_port(struct state *state, const struct port_row *port, struct fail *fail)
{
	struct net_rows rows;

	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	for (unsigned i = 0; i < rows.address_count; i++) {
		const struct address_row *row = &rows.addresses[i];
		char text[TEXT_PREFIX_BYTES];
		if (strcmp(row->port_name, port->name) != 0 || check_on_port(row, port, NULL) == 0)
			continue;
		(void)text_prefix_emit(&row->address, text);
		if (!has_vlan(port, row->vlan))
			return fail_set(fail, FAIL_CONFLICT, "port '%s': address %s is on VLAN %u; delete it first",
					port->name, text, row->vlan);
		return fail_set(fail, FAIL_CONFLICT,
				"port '%s': address %s needs an MTU of at least %d; delete it first", port->name, text,
				IPV6_MTU_MIN);
	}
	return 0;
}

int model_net_port_is_free(struct state *state, const char *port_name, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];
	struct net_rows rows;

	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	for (unsigned i = 0; i < rows.address_count; i++)
		if (strcmp(rows.addresses[i].port_name, port_name) == 0)
			return fail_set(fail, FAIL_CONFLICT, "port '%s' has the address %s; delete that first",
					port_name, text_prefix_emit(&rows.addresses[i].address, text));
	return 0;
}
