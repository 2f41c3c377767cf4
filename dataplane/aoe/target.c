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
		.vlan = tci & ETH_VLAN_ID_MASK,
		.version = header.version,
		.command = header.command,
		.broadcast = wildcard || eth_addr_is_group(eth_dst(pkt->data)),
		.wildcard = wildcard,
		.hist = AOE_HIST_OTHER,
	};
}

static bool dropped(struct aoe_lcore *lcore, enum wherry_lcore_stat stat)
{
	lcore->env.lcore_stats[stat]++;
	return false;
}

/*
 * For which export a frame is; the call has none when its address is a wildcard.  False: counted, drop it.  Nothing
 * else changes: the frame before may still be to be served.
 */
static bool decode(struct aoe_lcore *lcore, struct pkt *pkt, struct aoe_call *call)
{
	assert(pkt->port_index < WHERRY_PORT_COUNT_MAX);

	uint16_t type, tci;
	struct aoe_header header;
	const struct aoe_port *port = &lcore->env.ports[pkt->port_index];
	const uint32_t eth_bytes = eth_payload_offset(pkt->data, pkt->len_bytes, &type, &tci);
	if (!eth_bytes)
		return dropped(lcore, WHERRY_LCORE_aoe_drop_runt);
	if (type != AOE_ETHERTYPE)
		return dropped(lcore, WHERRY_LCORE_drop_eth_type);
	if (aoe_header_parse(pkt->data + eth_bytes, pkt->len_bytes - eth_bytes, &header).result != WIRE_OK)
		return dropped(lcore, WHERRY_LCORE_aoe_drop_runt);
	/* An answer goes to the source address: one that is a group would turn us into an amplifier. */
	if (eth_addr_is_group(eth_src(pkt->data)))
		return dropped(lcore, WHERRY_LCORE_drop_eth_src);
	const bool group = eth_addr_is_group(eth_dst(pkt->data));
	if (!group && !eth_addr_equal(eth_dst(pkt->data), port->mac))
		return dropped(lcore, WHERRY_LCORE_drop_eth_dst);
	if (header.flags & AOE_FLAG_RESPONSE)
		return dropped(lcore, WHERRY_LCORE_aoe_drop_response);

	call->lcore = lcore;
	call->export_ = NULL;
	call->pkt = pkt;
	call->port = port;
	call->arrival_ns = lcore->now_ns;
	call->eth_bytes = eth_bytes;
	call->vlan = tci & ETH_VLAN_ID_MASK;
	call->version = header.version;
	call->command = header.command;
	call->broadcast = group;
	call->wildcard = false;
	call->hist = AOE_HIST_OTHER;
	call->tries = 0;
	if (header.shelf == AOE_SHELF_ANY || header.slot == AOE_SLOT_ANY)
		return true;
	call->export_ = table_get(&lcore->by_key, aoe_key(header.shelf, header.slot));
	if (!call->export_ || !aoe_export_serves(call->export_, pkt->port_index, call->vlan))
		return dropped(lcore, WHERRY_LCORE_aoe_drop_target);
	return true;
}

/* The verdict is for the call's packet, which may be a roomier one than came in. */
static enum aoe_verdict serve(struct aoe_call *call)
{
	struct pkt *pkt = call->pkt;
	if (!call->export_)
		return aoe_wild_input(call->lcore, pkt, call->eth_bytes, call->vlan);
	call->client = aoe_client(call->lcore, eth_src(pkt->data), pkt->port_index, call->vlan);
	call->client[WHERRY_CLIENT_frames_in]++;
	call->client[WHERRY_CLIENT_bytes_in] += pkt->len_bytes;
	return aoe_run(call);
}

enum aoe_verdict aoe_input(struct aoe_lcore *lcore, struct pkt *pkt, uint64_t now_ns)
{
	struct aoe_call call;
	lcore->now_ns = now_ns;
	if (!decode(lcore, pkt, &call))
		return AOE_DROP;
	enum aoe_verdict verdict = serve(&call);
	if (call.pkt == pkt)
		return verdict;
	aoe_settle(lcore, call.pkt, verdict); /* the answer moved to a roomier packet, pkt is freed */
	return AOE_PENDING;
}

void aoe_input_burst(struct aoe_lcore *lcore, struct pkt *const *pkts, unsigned count, uint64_t now_ns)
{
	struct aoe_call calls[2], *call = &calls[0], *next = &calls[1];
	lcore->now_ns = now_ns;
	bool good = count && decode(lcore, pkts[0], call);
	for (unsigned i = 0; i < count; i++) {
		const bool next_good = i + 1 < count && decode(lcore, pkts[i + 1], next);
		if (next_good && next->export_ && vol_can_prefetch(next->export_->volume))
			aoe_ata_prefetch(next);
		const enum aoe_verdict verdict = good ? serve(call) : AOE_DROP;
		aoe_settle(lcore, good ? call->pkt : pkts[i], verdict);
		struct aoe_call *served = call;
		call = next;
		next = served;
		good = next_good;
	}
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
