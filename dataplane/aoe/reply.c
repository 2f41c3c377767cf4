/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Answers, errors and silence.
 *
 * An answer keeps of the request's bytes its tag, its command, its VLAN tag and
 * (for ATA) its registers; everything else is written, padding included.
 */
#include "aoe/aoe_priv.h"

bool aoe_make_room(struct aoe_call *call, uint32_t bytes)
{
	struct pkt *pkt = call->pkt;
	if (bytes <= pkt->room_bytes) {
		memmove(pkt->head, pkt->data, pkt->len_bytes);
		pkt->data = pkt->head;
		return true;
	}
	const struct pkt_pool *pool = &call->lcore->env.pool;
	struct pkt *roomy = pool->alloc(pool->ctx, pkt->port_index);
	if (!roomy || roomy->room_bytes < bytes || roomy->room_bytes < pkt->len_bytes) {
		if (roomy)
			pool->free(pool->ctx, roomy);
		call->lcore->env.lcore_stats[WHERRY_LCORE_aoe_drop_no_buffer]++;
		return false;
	}
	roomy->data = roomy->head;
	roomy->len_bytes = pkt->len_bytes;
	roomy->port_index = pkt->port_index;
	roomy->owner_lcore = pkt->owner_lcore;
	roomy->arrived_ns = pkt->arrived_ns;
	memcpy(roomy->data, pkt->data, pkt->len_bytes);
	pool->free(pool->ctx, pkt);
	call->pkt = roomy;
	return true;
}

bool aoe_fits_port(const struct aoe_call *call, uint32_t bytes)
{
	return bytes <= (uint32_t)call->port->mtu + ETH_HEADER_BYTES;
}

/* Up to the minimum, with zeroes: nothing of the request is left there. */
static uint32_t pad(struct aoe_call *call, uint32_t frame_bytes)
{
	const uint32_t padded = eth_padded_bytes(frame_bytes, call->eth_bytes > ETH_HEADER_BYTES);
	memset(call->pkt->data + frame_bytes, 0, padded - frame_bytes);
	return padded;
}

enum aoe_verdict aoe_finish(struct aoe_call *call, uint32_t frame_bytes)
{
	struct pkt *pkt = call->pkt;
	struct aoe_export *export_ = call->export_;
	if (frame_bytes < AOE_ANSWER_BYTES_MIN)
		frame_bytes = pad(call, frame_bytes);
	pkt->len_bytes = frame_bytes;
	eth_turn_round(pkt->data, call->port->mac);

	export_->stats[WHERRY_EXPORT_frames_out]++;
	export_->hist[call->hist][wherry_hist_bucket(call->lcore->now_ns - call->arrival_ns)]++;
	call->client[WHERRY_CLIENT_frames_out]++;
	call->client[WHERRY_CLIENT_bytes_out] += frame_bytes;
	return AOE_REPLY;
}

static enum wherry_export_stat error_stat(enum aoe_error error)
{
	switch (error) {
	case AOE_ERROR_COMMAND:
		return WHERRY_EXPORT_err_command;
	case AOE_ERROR_ARGUMENT:
		return WHERRY_EXPORT_err_argument;
	case AOE_ERROR_UNAVAILABLE:
		return WHERRY_EXPORT_err_unavailable;
	case AOE_ERROR_CONFIG_SET:
		return WHERRY_EXPORT_err_config_set;
	case AOE_ERROR_VERSION:
		return WHERRY_EXPORT_err_version;
	case AOE_ERROR_RESERVED:
		return WHERRY_EXPORT_err_reserved;
	case AOE_ERROR_NONE:
		break;
	}
	assert(false && "not an error");
	return WHERRY_EXPORT_err_command;
}

enum aoe_verdict aoe_error(struct aoe_call *call, enum aoe_error error)
{
	const uint32_t frame_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES;
	if (!aoe_answer_room(call, frame_bytes))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	aoe_turn_round(call_pdu(call), (uint8_t)error, call->export_->shelf, call->export_->slot);
	call_count(call, error_stat(error));
	call->client[WHERRY_CLIENT_errors]++;
	return aoe_finish(call, frame_bytes);
}

enum aoe_verdict aoe_silence(struct aoe_call *call, enum wherry_export_stat stat)
{
	call_count(call, stat);
	if (!call->wildcard) /* not answering for this export is no failure of a request that went to all */
		call->client[WHERRY_CLIENT_drops]++;
	return AOE_DROP;
}
