/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for a wildcard address: every export that is meant deals with a copy.
 *
 * They wait in a bounded ring and are worked off by aoe_poll, a few answers at a
 * time and clients by turns, because one frame can have thousands of answers.
 * The same request of the same client again is no second walk: with the same tag
 * its answers are on their way; with a new tag the walk goes once more round,
 * and every export answers the new one.
 */
#include "aoe/aoe_priv.h"

#define TURN_FRAMES 8    /* answers before another client has its turn */
#define TURN_EXPORTS 256 /* exports looked at */

static struct aoe_wild *wild_at(struct aoe_lcore *lcore, uint32_t index)
{
	return &lcore->wild[(lcore->wild_first + index) % AOE_WILD_COUNT_MAX];
}

/* What of the frame counts: bytes behind that are padding, which nobody needs to copy or compare. */
static uint32_t pdu_needed(const uint8_t *pdu, uint32_t len_bytes, const struct aoe_header *header)
{
	struct aoe_config config;
	struct aoe_mask mask;
	struct aoe_reserve reserve;
	uint32_t argument = 0;
	if (header->version != AOE_VERSION)
		return AOE_PDU_HEADER_BYTES;
	switch (header->command) {
	case AOE_COMMAND_ATA: /* none with data is served */
		argument = AOE_ATA_BYTES;
		break;
	case AOE_COMMAND_CONFIG:
		if (aoe_config_parse(pdu, len_bytes, false, &config).result != WIRE_OK)
			return len_bytes;
		argument = AOE_CONFIG_BYTES + config.string_bytes;
		break;
	case AOE_COMMAND_MASK:
		if (aoe_mask_parse(pdu, len_bytes, false, &mask).result != WIRE_OK)
			return len_bytes;
		argument = AOE_MASK_BYTES + (mask.directives ? mask.directive_count * AOE_DIRECTIVE_BYTES : 0);
		break;
	case AOE_COMMAND_RESERVE:
		if (aoe_reserve_parse(pdu, len_bytes, false, &reserve).result != WIRE_OK)
			return len_bytes;
		argument = AOE_RESERVE_BYTES + reserve.mac_count * ETH_ADDR_BYTES;
		break;
	default:
		break;
	}
	return len_bytes < AOE_PDU_HEADER_BYTES + argument ? len_bytes : AOE_PDU_HEADER_BYTES + argument;
}

static bool is_same_client(const struct aoe_wild *wild, const struct pkt *pkt, uint16_t vlan)
{
	return wild->vlan == vlan && wild->pkt->port_index == pkt->port_index &&
	       eth_addr_equal(eth_src(wild->pkt->data), eth_src(pkt->data));
}

/* The same bytes from the EtherType on, but for the tag of the request. */
static bool is_same_request(const struct aoe_wild *wild, const struct pkt *pkt, uint32_t eth_bytes)
{
	const uint32_t type_at = ETH_HEADER_BYTES - (uint32_t)sizeof(be16);
	const uint32_t tag_at = eth_bytes + (uint32_t)offsetof(struct aoe_wire, tag);
	const uint32_t behind = eth_bytes + AOE_PDU_HEADER_BYTES;
	const uint8_t *a = wild->pkt->data, *b = pkt->data;
	return wild->eth_bytes == eth_bytes && wild->pkt->len_bytes == pkt->len_bytes &&
	       memcmp(a + type_at, b + type_at, tag_at - type_at) == 0 &&
	       memcmp(a + behind, b + behind, pkt->len_bytes - behind) == 0;
}

static void merge(struct aoe_lcore *lcore, struct aoe_wild *wild, const struct aoe_header *header)
{
	uint8_t *tag = wild->pkt->data + wild->eth_bytes + offsetof(struct aoe_wire, tag);
	if (memcmp(tag, header->tag, AOE_TAG_BYTES) != 0) {
		memcpy(tag, header->tag, AOE_TAG_BYTES);
		wild->left = lcore->place_end;
		wild->arrival_ns = lcore->now_ns;
	}
	lcore->env.lcore_stats[WHERRY_LCORE_aoe_merged]++;
}

static enum aoe_verdict refuse(struct aoe_lcore *lcore, uint64_t *client, enum wherry_lcore_stat stat)
{
	lcore->env.lcore_stats[stat]++;
	client[WHERRY_CLIENT_drops]++;
	return AOE_DROP;
}

enum aoe_verdict aoe_wild_input(struct aoe_lcore *lcore, struct pkt *pkt, uint32_t eth_bytes, uint16_t vlan)
{
	struct aoe_header header;
	const struct wire_status status = aoe_header_parse(pkt->data + eth_bytes, pkt->len_bytes - eth_bytes, &header);
	assert(status.result == WIRE_OK);
	(void)status;
	uint64_t *client = aoe_client(lcore, eth_src(pkt->data), pkt->port_index, vlan);
	client[WHERRY_CLIENT_frames_in]++;
	client[WHERRY_CLIENT_bytes_in] += pkt->len_bytes;
	if (lcore->place_end == 0)
		return refuse(lcore, client, WHERRY_LCORE_aoe_drop_target);

	pkt->len_bytes = eth_bytes + pdu_needed(pkt->data + eth_bytes, pkt->len_bytes - eth_bytes, &header);
	unsigned same_client = 0;
	for (uint32_t i = 0; i < lcore->wild_count; i++) {
		struct aoe_wild *wild = wild_at(lcore, i);
		if (!is_same_client(wild, pkt, vlan))
			continue;
		if (is_same_request(wild, pkt, eth_bytes)) {
			merge(lcore, wild, &header);
			return AOE_DROP;
		}
		same_client++;
	}
	if (lcore->wild_count == AOE_WILD_COUNT_MAX || same_client == AOE_WILD_CLIENT_MAX)
		return refuse(lcore, client, WHERRY_LCORE_aoe_drop_broadcast_queue);
	*wild_at(lcore, lcore->wild_count++) = (struct aoe_wild){
		.pkt = pkt,
		.arrival_ns = lcore->now_ns,
		.left = lcore->place_end,
		.vlan = vlan,
		.shelf = header.shelf,
		.slot = header.slot,
		.version = header.version,
		.command = header.command,
		.eth_bytes = (uint8_t)eth_bytes,
	};
	return AOE_PENDING;
}

void aoe_wild_on_place_added(struct aoe_lcore *lcore)
{
	for (uint32_t i = 0; i < lcore->wild_count; i++)
		wild_at(lcore, i)->left++;
}

static bool is_meant(const struct aoe_lcore *lcore, const struct aoe_wild *wild, const struct aoe_export *export_)
{
	return export_ && (wild->shelf == AOE_SHELF_ANY || wild->shelf == export_->shelf) &&
	       (wild->slot == AOE_SLOT_ANY || wild->slot == export_->slot) &&
	       aoe_export_serves(export_, wild->pkt->port_index, wild->vlan) && aoe_has_address(lcore, export_);
}

static struct pkt *copy_of(struct aoe_lcore *lcore, const struct pkt *pkt)
{
	const struct pkt_pool *pool = &lcore->env.pool;
	struct pkt *copy = pool->alloc(pool->ctx, pkt->port_index);
	if (!copy)
		return NULL;
	if (copy->room_bytes < pkt->len_bytes) {
		pool->free(pool->ctx, copy);
		return NULL;
	}
	copy->data = copy->head;
	copy->len_bytes = pkt->len_bytes;
	copy->port_index = pkt->port_index;
	copy->owner_lcore = pkt->owner_lcore;
	copy->arrived_ns = pkt->arrived_ns;
	memcpy(copy->data, pkt->data, pkt->len_bytes);
	return copy;
}

/* False: no packet for it now. */
static bool run_for(struct aoe_lcore *lcore, const struct aoe_wild *wild, struct aoe_export *export_,
		    unsigned *frame_count)
{
	struct pkt *pkt = copy_of(lcore, wild->pkt);
	if (!pkt)
		return false;
	struct aoe_call call = {
		.lcore = lcore,
		.export_ = export_,
		.pkt = pkt,
		.port = &lcore->env.ports[pkt->port_index],
		.arrival_ns = wild->arrival_ns,
		.client = aoe_client(lcore, eth_src(pkt->data), pkt->port_index, wild->vlan),
		.eth_bytes = wild->eth_bytes,
		.version = wild->version,
		.command = wild->command,
		.broadcast = true,
		.wildcard = true,
		.hist = AOE_HIST_OTHER,
	};
	enum aoe_verdict verdict = aoe_run(&call);
	*frame_count += verdict == AOE_REPLY;
	aoe_settle(lcore, call.pkt, verdict);
	return true;
}

static void end_first(struct aoe_lcore *lcore)
{
	struct aoe_wild *wild = wild_at(lcore, 0);
	lcore->env.pool.free(lcore->env.pool.ctx, wild->pkt);
	lcore->wild_first = (lcore->wild_first + 1) % AOE_WILD_COUNT_MAX;
	lcore->wild_count--;
}

static void first_goes_last(struct aoe_lcore *lcore)
{
	*wild_at(lcore, lcore->wild_count) = *wild_at(lcore, 0); /* a full ring: onto itself */
	lcore->wild_first = (lcore->wild_first + 1) % AOE_WILD_COUNT_MAX;
}

/* One turn of the first one.  False: out of packets. */
static bool turn(struct aoe_lcore *lcore, unsigned frames_max, unsigned *frame_count, unsigned *look_count)
{
	struct aoe_wild *wild = wild_at(lcore, 0);
	const unsigned frames_end = *frame_count + (frames_max < TURN_FRAMES ? frames_max : TURN_FRAMES);
	const unsigned looks_end = *look_count + TURN_EXPORTS;
	if (wild->left > lcore->place_end)
		wild->left = lcore->place_end;
	while (wild->left && *frame_count < frames_end && *look_count < looks_end) {
		if (wild->at >= lcore->place_end)
			wild->at = 0;
		struct aoe_export *export_ = lcore->places[wild->at];
		if (is_meant(lcore, wild, export_) && !run_for(lcore, wild, export_, frame_count))
			return false;
		wild->at++;
		wild->left--;
		(*look_count)++;
	}
	if (wild->left)
		first_goes_last(lcore);
	else
		end_first(lcore);
	return true;
}

unsigned aoe_wild_poll(struct aoe_lcore *lcore, unsigned frames_max)
{
	unsigned frame_count = 0, look_count = 0;
	while (lcore->wild_count && frame_count < frames_max && look_count < AOE_POLL_EXPORTS) {
		if (turn(lcore, frames_max - frame_count, &frame_count, &look_count))
			continue;
		if (lcore->now_ns - wild_at(lcore, 0)->arrival_ns < AOE_WILD_WAIT_NS)
			break; /* I/O that ends will give packets back */
		lcore->env.lcore_stats[WHERRY_LCORE_aoe_drop_no_buffer]++;
		end_first(lcore);
	}
	return frame_count;
}

void aoe_wild_fini(struct aoe_lcore *lcore)
{
	while (lcore->wild_count)
		end_first(lcore);
}
