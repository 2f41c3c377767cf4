/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Advertisements: Config responses that nobody asked for, so that clients find
 * an export when it appears.  To everybody, or to each allowed client when there
 * is a mask; on every port and VLAN of the export.  aoe_poll sends them a few at
 * a time; each export remembers how far it is.
 */
#include "aoe/aoe_priv.h"

void aoe_advertise(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	export_->ad_port = export_->ad_vlan = export_->ad_mac = 0;
	if (export_->advertising)
		return;
	export_->advertising = true;
	TAILQ_INSERT_TAIL(&lcore->ads, export_, ad_link);
}

void aoe_advertise_stop(struct aoe_lcore *lcore, struct aoe_export *export_)
{
	if (!export_->advertising)
		return;
	export_->advertising = false;
	TAILQ_REMOVE(&lcore->ads, export_, ad_link);
}

/* VLAN number `index` of a port: 0 is untagged, then those configured on it.  -1 behind the last. */
static int port_vlan(const struct aoe_port *port, uint16_t index)
{
	if (index == 0)
		return 0;
	return index <= port->vlan_count ? port->vlans[index - 1] & ETH_VLAN_ID_MASK : -1;
}

/* Entries that no station can have are not told: that would be telling everybody, or nobody. */
static void skip_useless_macs(struct aoe_export *export_)
{
	const struct aoe_mac_list *mask = &export_->state.mask;
	while (export_->ad_mac < mask->count &&
	       (eth_addr_is_group(mask->mac[export_->ad_mac].b) || eth_addr_is_zero(mask->mac[export_->ad_mac].b)))
		export_->ad_mac++;
}

/* Move on to the next place to advertise at.  False: no more. */
static bool find_next(const struct aoe_lcore *lcore, struct aoe_export *export_)
{
	const uint16_t mac_count = export_->state.mask.count ? export_->state.mask.count : 1;
	while (export_->ad_port < WHERRY_PORT_COUNT_MAX) {
		const struct aoe_port *port = &lcore->env.ports[export_->ad_port];
		const bool usable = port->present && export_->ports >> export_->ad_port & 1;
		const int vlan = usable ? port_vlan(port, export_->ad_vlan) : -1;
		if (vlan < 0) {
			export_->ad_port++;
			export_->ad_vlan = export_->ad_mac = 0;
			continue;
		}
		skip_useless_macs(export_);
		const bool again = vlan == 0 && export_->ad_vlan > 0; /* untagged comes first anyway */
		if (!again && aoe_export_has_vlan(export_, (uint16_t)vlan) && export_->ad_mac < mac_count)
			return true;
		export_->ad_vlan++;
		export_->ad_mac = 0;
	}
	return false;
}

static uint32_t write_frame(const struct aoe_lcore *lcore, const struct aoe_export *export_, struct pkt *pkt)
{
	const struct aoe_port *port = &lcore->env.ports[export_->ad_port];
	const uint16_t vlan = (uint16_t)port_vlan(port, export_->ad_vlan);
	struct eth_header eth = {.type = AOE_ETHERTYPE, .tagged = vlan != 0, .tci = vlan};
	const struct aoe_header header = {
		.version = AOE_VERSION,
		.flags = AOE_FLAG_RESPONSE,
		.shelf = export_->shelf,
		.slot = export_->slot,
		.command = AOE_COMMAND_CONFIG,
	};
	memcpy(eth.src, port->mac, sizeof eth.src);
	if (export_->state.mask.count)
		memcpy(eth.dst, export_->state.mask.mac[export_->ad_mac].b, sizeof eth.dst);
	else
		memset(eth.dst, 0xff, sizeof eth.dst);

	const uint32_t eth_bytes = eth_header_emit(pkt->data, pkt->room_bytes, &eth);
	if (!eth_bytes || !aoe_header_emit(pkt->data + eth_bytes, pkt->room_bytes - eth_bytes, &header))
		return 0;
	uint32_t pdu_bytes =
		aoe_config_write(export_, port, AOE_CONFIG_READ, pkt->data + eth_bytes, pkt->room_bytes - eth_bytes);
	const uint32_t padded = eth_padded_bytes(eth_bytes + pdu_bytes, eth.tagged);
	if (!pdu_bytes || ETH_HEADER_BYTES + pdu_bytes > port->mtu + ETH_HEADER_BYTES || padded > pkt->room_bytes)
		return 0;
	memset(pkt->data + eth_bytes + pdu_bytes, 0, padded - eth_bytes - pdu_bytes);
	return padded;
}

unsigned aoe_advertise_poll(struct aoe_lcore *lcore, unsigned frames_max)
{
	const struct pkt_pool *pool = &lcore->env.pool;
	unsigned frame_count = 0, try_count = 0, look_count = 0;
	struct aoe_export *export_;
	while (try_count < frames_max && look_count++ < AOE_POLL_EXPORTS && (export_ = TAILQ_FIRST(&lcore->ads))) {
		/* One whose address another has taken is told when it has it back. */
		if (!aoe_has_address(lcore, export_) || !find_next(lcore, export_)) {
			aoe_advertise_stop(lcore, export_);
			continue;
		}
		struct pkt *pkt = pool->alloc(pool->ctx, export_->ad_port);
		if (!pkt)
			break; /* packets come back; the next poll goes on here */
		pkt->data = pkt->head;
		pkt->port_index = export_->ad_port;
		pkt->len_bytes = write_frame(lcore, export_, pkt);
		export_->ad_mac++;
		try_count++;
		if (!pkt->len_bytes) { /* the config string is too long for this port */
			pool->free(pool->ctx, pkt);
			continue;
		}
		frame_count++;
		lcore->env.lcore_stats[WHERRY_LCORE_aoe_advertised]++;
		lcore->env.output(lcore->env.ctx, pkt);
	}
	return frame_count;
}
