/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, TCP and NBD as messages. */
#include <string.h>

#include "daemon/plane_encode.h"
#include "wherry/ctl.h"

size_t plane_encode_net(uint8_t *buf, uint32_t id, uint64_t generation, const struct net_rows *rows,
			const struct port_row *ports, unsigned port_count)
{
	struct wherry_ctl_net_put put = {.generation = generation};

	for (unsigned i = 0; i < rows->address_count; i++) {
		const struct address_row *row = &rows->addresses[i];
		for (unsigned j = 0; j < port_count; j++)
			if (strcmp(ports[j].name, row->port_name) == 0)
				put.address_port.v[put.address_port.count++] = (uint16_t)j;
		put.address_vlan.v[put.address_vlan.count++] = row->vlan;
		memcpy(put.address.b + put.address.len, row->address.ip.b, sizeof row->address.ip.b);
		put.address.len = (uint16_t)(put.address.len + sizeof row->address.ip.b);
		put.address_bits.b[put.address_bits.len++] = row->address.bits;
	}
	for (unsigned i = 0; i < rows->route_count; i++) {
		const struct route_row *row = &rows->routes[i];
		memcpy(put.route.b + put.route.len, row->prefix.ip.b, sizeof row->prefix.ip.b);
		memcpy(put.route_gateway.b + put.route.len, row->gateway.b, sizeof row->gateway.b);
		put.route.len = (uint16_t)(put.route.len + sizeof row->prefix.ip.b);
		put.route_bits.b[put.route_bits.len++] = row->prefix.bits;
	}
	put.route_gateway.len = put.route.len;
	for (unsigned j = 0; j < port_count; j++)
		if (ports[j].slaac)
			put.slaac.v[put.slaac.count++] = (uint16_t)j;
	/* Ports of addresses exist (a foreign key); a list that is shorter would shift all that follow. */
	if (put.address_port.count != rows->address_count)
		return 0;
	return wherry_ctl_put_net_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}

size_t plane_encode_tcp(uint8_t *buf, uint32_t id, const struct network_row *row)
{
	const struct wherry_ctl_tcp_put put = {
		.congestion = (uint8_t)row->congestion,
		.ecn = row->ecn,
		.keepalive_idle_ms = row->keepalive_idle_ms,
		.keepalive_interval_ms = row->keepalive_interval_ms,
		.keepalive_count = row->keepalive_count,
		.user_timeout_ms = row->user_timeout_ms,
	};

	return wherry_ctl_put_tcp_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}

size_t plane_encode_nbd(uint8_t *buf, uint32_t id, const struct network_row *row)
{
	const struct wherry_ctl_nbd_put put = {.tcp_port = row->nbd_tcp_port};

	return wherry_ctl_put_nbd_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}

size_t plane_encode_nbd_export(uint8_t *buf, uint32_t id, const struct nbd_export_row *row)
{
	struct wherry_ctl_nbd_export_put put = {
		.id = row->id,
		.generation = row->generation,
		.volume_id = row->volume_id,
		.flags = (row->read_only ? WHERRY_NBD_READ_ONLY : 0) | (row->is_default ? WHERRY_NBD_DEFAULT : 0),
	};

	memcpy(put.name, row->name, sizeof put.name);
	memcpy(put.description, row->description, sizeof put.description);
	for (unsigned i = 0; i < row->allow_count; i++) {
		memcpy(put.allow.b + put.allow.len, row->allow[i].ip.b, sizeof row->allow[i].ip.b);
		put.allow.len = (uint16_t)(put.allow.len + sizeof row->allow[i].ip.b);
		put.allow_bits.b[put.allow_bits.len++] = row->allow[i].bits;
	}
	return wherry_ctl_put_nbd_export_put(buf, WHERRY_CTL_MESSAGE_BYTES_MAX, id, &put);
}
