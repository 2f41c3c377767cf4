/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a frame to the export that it is for.
 *
 * Order of the checks: what nobody may answer (runts, responses, impossible
 * addresses), address, MAC mask, version, command.  The reservation is checked
 * by the commands that it concerns.
 */
#include "aoe/aoe_priv.h"

bool aoe_peek(const uint8_t *frame, uint32_t len_bytes, uint16_t *shelf, uint8_t *slot, bool *wildcard)
{
	uint16_t type, tci;
	struct aoe_header header;
	uint32_t eth_bytes = eth_payload_offset(frame, len_bytes, &type, &tci);
	if (!eth_bytes || type != AOE_ETHERTYPE ||
	    aoe_header_parse(frame + eth_bytes, len_bytes - eth_bytes, &header).result != WIRE_OK)
		return false;
	*shelf = header.shelf;
	*slot = header.slot;
	*wildcard = header.shelf == AOE_SHELF_ANY || header.slot == AOE_SLOT_ANY;
	return true;
}

enum aoe_verdict aoe_execute(struct aoe_call *call)
{
	switch (call->command) {
	case AOE_COMMAND_ATA:
		return aoe_ata_execute(call);
	case AOE_COMMAND_CONFIG:
		return aoe_config_execute(call);
	case AOE_COMMAND_MASK:
		return aoe_mask_execute(call);
	case AOE_COMMAND_RESERVE:
		return aoe_reserve_execute(call);
	default:
		return aoe_error(call, AOE_ERROR_COMMAND);
	}
}

enum aoe_verdict aoe_run(struct aoe_call *call)
{
	call_count(call, WHERRY_EXPORT_frames_in);
	if (aoe_is_masked(call))
		return aoe_silence(call, WHERRY_EXPORT_drop_masked);
	if (call->version != AOE_VERSION)
		return aoe_error(call, AOE_ERROR_VERSION);
	return aoe_execute(call);
}

void aoe_settle(struct aoe_lcore *lcore, struct pkt *pkt, enum aoe_verdict verdict)
{
	switch (verdict) {
	case AOE_REPLY:
		lcore->env.output(lcore->env.ctx, pkt);
		break;
	case AOE_DROP:
		lcore->env.pool.free(lcore->env.pool.ctx, pkt);
		break;
	case AOE_PENDING:
		break;
	}
}

struct aoe_call aoe_call_resume(struct aoe_lcore *lcore, struct aoe_export *export_, struct pkt *pkt,
				uint64_t arrival_ns, bool wildcard)
{
	uint16_t type, tci;
	struct aoe_header header = {0};
	uint32_t eth_bytes = eth_payload_offset(pkt->data, pkt->len_bytes, &type, &tci);
	struct wire_status status = aoe_header_parse(pkt->data + eth_bytes, pkt->len_bytes - eth_bytes, &header);
	assert(status.result == WIRE_OK);
	(void)status;
	return (struct aoe_call){
		.lcore = lcore,
		.export_ = export_,
		.pkt = pkt,
		.port = &lcore->env.ports[pkt->port_index],
		.arrival_ns = arrival_ns,
		.client = aoe_client(lcore, eth_src(pkt->data), pkt->port_index, tci & ETH_VLAN_ID_MASK),
		.eth_bytes = eth_bytes,
		.version = header.version,
		.command = header.command,
		.broadcast = wildcard || eth_addr_is_group(eth_dst(pkt->data)),
		.wildcard = wildcard,
		.hist = AOE_HIST_OTHER,
	};
}

static enum aoe_verdict drop(struct aoe_lcore *lcore, enum wherry_lcore_stat stat)
{
	lcore->env.lcore_stats[stat]++;
	return AOE_DROP;
}

static enum aoe_verdict input_for(struct aoe_lcore *lcore, struct aoe_export *export_, struct pkt *pkt,
				  const struct aoe_header *header, uint32_t eth_bytes, uint16_t vlan)
{
	struct aoe_call call = {
		.lcore = lcore,
		.export_ = export_,
		.pkt = pkt,
		.port = &lcore->env.ports[pkt->port_index],
		.arrival_ns = lcore->now_ns,
		.client = aoe_client(lcore, eth_src(pkt->data), pkt->port_index, vlan),
		.eth_bytes = eth_bytes,
		.version = header->version,
		.command = header->command,
		.broadcast = eth_addr_is_group(eth_dst(pkt->data)),
		.hist = AOE_HIST_OTHER,
	};
	call.client[WHERRY_CLIENT_frames_in]++;
	call.client[WHERRY_CLIENT_bytes_in] += pkt->len_bytes;
	enum aoe_verdict verdict = aoe_run(&call);
	if (call.pkt == pkt)
		return verdict;
	aoe_settle(lcore, call.pkt, verdict); /* the answer moved to a roomier packet, pkt is freed */
	return AOE_PENDING;
}

enum aoe_verdict aoe_input(struct aoe_lcore *lcore, struct pkt *pkt, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	assert(pkt->port_index < WHERRY_PORT_COUNT_MAX);

	uint16_t type, tci;
	struct aoe_header header;
	const uint32_t eth_bytes = eth_payload_offset(pkt->data, pkt->len_bytes, &type, &tci);
	if (!eth_bytes)
		return drop(lcore, WHERRY_LCORE_aoe_drop_runt);
	if (type != AOE_ETHERTYPE)
		return drop(lcore, WHERRY_LCORE_drop_eth_type);
	if (aoe_header_parse(pkt->data + eth_bytes, pkt->len_bytes - eth_bytes, &header).result != WIRE_OK)
		return drop(lcore, WHERRY_LCORE_aoe_drop_runt);
	/* An answer goes to the source address: one that is a group would turn us into an amplifier. */
	if (eth_addr_is_group(eth_src(pkt->data)))
		return drop(lcore, WHERRY_LCORE_drop_eth_src);
	if (!eth_addr_is_group(eth_dst(pkt->data)) &&
	    !eth_addr_equal(eth_dst(pkt->data), lcore->env.ports[pkt->port_index].mac))
		return drop(lcore, WHERRY_LCORE_drop_eth_dst);
	if (header.flags & AOE_FLAG_RESPONSE)
		return drop(lcore, WHERRY_LCORE_aoe_drop_response);

	const uint16_t vlan = tci & ETH_VLAN_ID_MASK;
	if (header.shelf == AOE_SHELF_ANY || header.slot == AOE_SLOT_ANY)
		return aoe_wild_input(lcore, pkt, &header, eth_bytes, vlan);
	struct aoe_export *export_ = table_get(&lcore->by_key, aoe_key(header.shelf, header.slot));
	if (!export_ || !aoe_export_serves(export_, pkt->port_index, vlan))
		return drop(lcore, WHERRY_LCORE_aoe_drop_target);
	return input_for(lcore, export_, pkt, &header, eth_bytes, vlan);
}

unsigned aoe_poll(struct aoe_lcore *lcore, uint64_t now_ns)
{
	lcore->now_ns = now_ns;
	unsigned count = 0;
	/* A quarter is kept for advertisements, so that a storm of discovery cannot starve them. */
	if (lcore->wild_count)
		count = aoe_wild_poll(lcore, AOE_POLL_FRAMES - AOE_POLL_FRAMES / 4);
	if (!TAILQ_EMPTY(&lcore->ads))
		count += aoe_advertise_poll(lcore, AOE_POLL_FRAMES - count);
	return count;
}
