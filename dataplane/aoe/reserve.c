/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reserve and release: whose ATA commands are served.  The check itself is in
 * ata.c; everything else stays allowed to everybody.
 */
#include "aoe/aoe_priv.h"

enum aoe_verdict aoe_reserve_answer(struct aoe_call *call, uint8_t command)
{
	struct aoe_export *export_ = call->export_;
	const struct aoe_mac_list *list = &export_->state.reserve;
	const uint32_t pdu_bytes = AOE_PDU_HEADER_BYTES + AOE_RESERVE_BYTES + list->count * ETH_ADDR_BYTES;
	const uint32_t frame_bytes = call->eth_bytes + pdu_bytes;
	if (!aoe_fits_port(call, ETH_HEADER_BYTES + pdu_bytes))
		return aoe_error(call, AOE_ERROR_UNAVAILABLE);
	if (!aoe_answer_room(call, frame_bytes))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	uint8_t *pdu = call_pdu(call);
	aoe_turn_round(pdu, AOE_ERROR_NONE, export_->shelf, export_->slot);
	const struct aoe_reserve reserve = {command, (uint8_t)list->count, list->mac[0].b};
	aoe_reserve_emit(pdu, pdu_bytes, &reserve);
	call_count(call, WHERRY_EXPORT_reserve_ops);
	return aoe_finish(call, frame_bytes);
}

static enum aoe_verdict set(struct aoe_call *call, const struct aoe_reserve *reserve)
{
	struct aoe_export *export_ = call->export_;
	struct aoe_change *change = export_->change;
	enum aoe_verdict verdict;
	struct aoe_mac_list *held = &export_->state.reserve;
	if (reserve->command == AOE_RESERVE_FORCE && !export_->remote_force)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	if (aoe_change_is_barred(call, &verdict))
		return verdict;

	_Static_assert(sizeof(struct wherry_mac) == ETH_ADDR_BYTES, "addresses lie in a list as on the wire");
	aoe_mac_list_set(&change->list, reserve->macs, reserve->mac_count);
	/* A retransmission must succeed, also of a set whose new list omits its sender. */
	if (aoe_mac_list_equal(&change->list, held))
		return aoe_reserve_answer(call, reserve->command);
	if (reserve->command == AOE_RESERVE_SET && held->count && !aoe_mac_list_has(held, eth_src(call->pkt->data)))
		return aoe_error(call, AOE_ERROR_RESERVED);
	change->what = WHERRY_AOE_CHANGE_RESERVE;
	change->command = reserve->command;
	return aoe_change_start(call);
}

enum aoe_verdict aoe_reserve_execute(struct aoe_call *call)
{
	struct aoe_reserve reserve;
	if (aoe_reserve_parse(call_pdu(call), call_pdu_bytes(call), false, &reserve).result != WIRE_OK)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	if (reserve.command == AOE_RESERVE_READ)
		return aoe_reserve_answer(call, reserve.command);
	return set(call, &reserve);
}
