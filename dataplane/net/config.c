/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses and routes: checked once, then immutable.  Main lcore. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "net/priv.h"

#define V4_BITS 96u /* that struct ip_addr has in front of an IPv4 address */
#define TEXT_BYTES 64

static void addr_text(const struct ip_addr *addr, char text[TEXT_BYTES])
{
	const uint8_t *b = addr->b;
	if (ip_addr_is_v4(addr)) {
		snprintf(text, TEXT_BYTES, "%u.%u.%u.%u", b[12], b[13], b[14], b[15]);
		return;
	}
	int at = 0;
	for (unsigned i = 0; i < 16; i += 2)
		at += snprintf(text + at, TEXT_BYTES - (size_t)at, i ? ":%x" : "%x", b[i] << 8 | b[i + 1]);
}

uint8_t net_interface_find(const struct net_config *config, uint16_t port_index, uint16_t vlan)
{
	for (uint8_t i = 0; i < config->interface_count; i++)
		if (config->interfaces[i].port_index == port_index && config->interfaces[i].vlan == vlan)
			return i;
	return NET_NO_INTERFACE;
}

static uint8_t prefix_bits_of(const struct ip_addr *addr, unsigned bits)
{
	return (uint8_t)(bits + (ip_addr_is_v4(addr) ? V4_BITS : 0));
}

static bool bits_fit(const struct ip_addr *addr, unsigned bits)
{
	return bits <= (ip_addr_is_v4(addr) ? 32u : 128u);
}

/* The interface, made when it is not there yet; NULL with a sentence when there is no such port, or no room. */
static const char *take_interface(struct net_config *config, uint16_t port_index, uint16_t vlan, bool optimistic,
				  uint8_t *index)
{
	if (port_index >= WHERRY_PORT_COUNT_MAX || !config->ports[port_index].present)
		return "its port does not exist";
	*index = net_interface_find(config, port_index, vlan);
	if (*index != NET_NO_INTERFACE)
		return NULL;
	if (config->interface_count == NET_INTERFACE_COUNT_MAX)
		return "there are too many interfaces with addresses";
	const struct net_port *port = &config->ports[port_index];
	if (port->mtu < WHERRY_MTU_MIN)
		return "the MTU of its port is below the minimum";
	*index = config->interface_count++;
	struct net_interface *interface = &config->interfaces[*index];
	*interface = (struct net_interface){port_index, vlan, port->mtu, {0}, port->slaac && vlan == 0};
	memcpy(interface->mac, port->mac, 6);
	struct net_config_address *address = &config->addresses[config->address_count++];
	*address = (struct net_config_address){net_addr_link_local(port->mac), 64, *index, optimistic};
	return NULL;
}

static const char *take_address(struct net_config *config, const struct net_address *from)
{
	uint8_t interface;
	if (!net_addr_is_unicast(&from->addr))
		return "it is not a unicast address";
	if (from->prefix_bits == 0 || !bits_fit(&from->addr, from->prefix_bits))
		return "its prefix length does not fit the family";
	if (from->vlan >= 4095)
		return "there is no such VLAN";
	const char *why = take_interface(config, from->port_index, from->vlan, from->optimistic, &interface);
	if (why)
		return why;
	if (!ip_addr_is_v4(&from->addr) && config->interfaces[interface].mtu < IPV6_MTU_MIN)
		return "IPv6 needs an MTU of at least 1280";
	for (unsigned i = 0; i < config->address_count; i++) {
		const struct net_config_address *other = &config->addresses[i];
		if (other->interface == interface && ip_addr_equal(&other->addr, &from->addr))
			return "it is there twice";
	}
	config->addresses[config->address_count++] = (struct net_config_address){
		from->addr, prefix_bits_of(&from->addr, from->prefix_bits), interface, from->optimistic};
	return NULL;
}

static const char *take_route(struct net_config *config, const struct net_route *from)
{
	if (!bits_fit(&from->prefix, from->prefix_bits))
		return "its prefix length does not fit the family";
	if (ip_addr_is_v4(&from->prefix) != ip_addr_is_v4(&from->gateway))
		return "its gateway is of the other family";
	if (!net_addr_is_unicast(&from->gateway))
		return "its gateway is not a unicast address";
	struct net_config_route route = {from->prefix, from->gateway, prefix_bits_of(&from->prefix, from->prefix_bits),
					 NET_NO_INTERFACE};
	unsigned best = 0;
	for (unsigned i = 0; i < config->address_count; i++) {
		const struct net_config_address *address = &config->addresses[i];
		if (ip_addr_equal(&address->addr, &route.gateway))
			return "its gateway is the appliance itself";
		if (address->prefix_bits > best && net_match(&route.gateway, &address->addr, address->prefix_bits)) {
			best = address->prefix_bits;
			route.interface = address->interface;
		}
	}
	if (route.interface == NET_NO_INTERFACE)
		return "its gateway is on no network of an address";
	unsigned at = config->route_count++;
	for (; at > 0 && config->routes[at - 1].prefix_bits < route.prefix_bits; at--)
		config->routes[at] = config->routes[at - 1];
	config->routes[at] = route;
	return NULL;
}

static bool refuse(char *error, size_t error_bytes, const char *what, const struct ip_addr *addr, unsigned bits,
		   const char *why)
{
	char text[TEXT_BYTES];
	addr_text(addr, text);
	snprintf(error, error_bytes, "%s %s/%u: %s", what, text, bits, why);
	return false;
}

static bool fill(struct net_config *config, const struct net_settings *settings, char *error, size_t error_bytes)
{
	static const struct ip_addr none;
	uint8_t interface;
	memcpy(config->ports, settings->ports, sizeof config->ports);
	if (settings->address_count > NET_ADDRESS_COUNT_MAX)
		return refuse(error, error_bytes, "address", &none, 0, "there are more than 256");
	if (settings->route_count > NET_ROUTE_COUNT_MAX)
		return refuse(error, error_bytes, "route", &none, 0, "there are more than 256");
	for (unsigned i = 0; i < settings->address_count; i++) {
		const struct net_address *address = &settings->addresses[i];
		const char *why = take_address(config, address);
		if (why)
			return refuse(error, error_bytes, "address", &address->addr, address->prefix_bits, why);
	}
	for (uint16_t i = 0; i < WHERRY_PORT_COUNT_MAX; i++)
		if (config->ports[i].present && config->ports[i].slaac) {
			const char *why = take_interface(config, i, 0, false, &interface);
			if (why)
				return refuse(error, error_bytes, "address", &none, 0, why);
		}
	for (unsigned i = 0; i < settings->route_count; i++) {
		const struct net_route *route = &settings->routes[i];
		const char *why = take_route(config, route);
		if (why)
			return refuse(error, error_bytes, "route", &route->prefix, route->prefix_bits, why);
	}
	return true;
}

struct net_config *net_config_create(const struct net_settings *settings, char *error, size_t error_bytes)
{
	struct net_config *config = calloc(1, sizeof *config);
	if (!config) {
		snprintf(error, error_bytes, "no memory for addresses and routes");
		errno = ENOMEM;
		return NULL;
	}
	if (fill(config, settings, error, error_bytes))
		return config;
	free(config);
	errno = EINVAL;
	return NULL;
}

static bool has_address(const struct net_config *config, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < config->address_count; i++)
		if (ip_addr_equal(&config->addresses[i].addr, addr))
			return true;
	return false;
}

bool net_config_lost(const struct net_config *from, const struct net_config *to, unsigned *at, struct ip_addr *addr)
{
	while (*at < from->address_count) {
		*addr = from->addresses[(*at)++].addr;
		if (!has_address(to, addr))
			return true;
	}
	return false;
}

void net_config_destroy(struct net_config *config)
{
	free(config);
}
