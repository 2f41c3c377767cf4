/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC mask list: who may talk to the export.
 *
 * Directives work one after the other on a copy of the list; what those before a
 * failing one did stays.  The answer is sent when the new list is durable.
 */
#include "aoe/aoe_priv.h"

enum aoe_verdict aoe_mask_answer(struct aoe_call *call, uint8_t command, uint8_t error, uint8_t index)
{
	struct aoe_export *export_ = call->export_;
	const struct aoe_mac_list *list = &export_->state.mask;
	uint32_t pdu_bytes = AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES + (error ? 0 : list->count * AOE_DIRECTIVE_BYTES);
	if (!aoe_fits_port(call, ETH_HEADER_BYTES + pdu_bytes)) {
		error = AOE_MASK_UNSPECIFIED;
		index = 0;
		pdu_bytes = AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES;
	}
	const uint32_t frame_bytes = call->eth_bytes + pdu_bytes;
	if (!aoe_answer_room(call, frame_bytes))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	uint8_t *pdu = call_pdu(call);
	aoe_turn_round(pdu, AOE_ERROR_NONE, export_->shelf, export_->slot);
	const struct aoe_mask mask = {
		.command = command, .error = error, .directive_count = error ? index : (uint8_t)list->count};
	aoe_mask_emit(pdu, pdu_bytes, &mask);
	for (uint32_t i = 0; !error && i < list->count; i++) {
		struct aoe_directive directive = {.command = AOE_DIRECTIVE_NONE};
		memcpy(directive.mac, list->mac[i].b, sizeof directive.mac);
		aoe_directive_emit(pdu + AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES, i, &directive);
	}
	if (error) {
		call_count(call, WHERRY_EXPORT_err_mask);
		call->client[WHERRY_CLIENT_errors]++;
	} else {
		call_count(call, WHERRY_EXPORT_mask_ops);
	}
	return aoe_finish(call, frame_bytes);
}

/* The longest list whose answer fits the port that the edit came by. */
static uint32_t list_limit(const struct aoe_call *call)
{
	uint32_t by_mtu =
		(call->port->mtu + ETH_HEADER_BYTES - AOE_HEADER_BYTES - AOE_MASK_BYTES) / AOE_DIRECTIVE_BYTES;
	return by_mtu < WHERRY_AOE_MASK_COUNT_MAX ? by_mtu : WHERRY_AOE_MASK_COUNT_MAX;
}

static enum aoe_mask_error list_add(struct aoe_mac_list *list, const uint8_t *mac, uint32_t limit)
{
	if (aoe_mac_list_has(list, mac))
		return AOE_MASK_OK;
	if (list->count >= limit)
		return AOE_MASK_FULL;
	memcpy(list->mac[list->count++].b, mac, ETH_ADDR_BYTES);
	return AOE_MASK_OK;
}

static enum aoe_mask_error list_delete(struct aoe_mac_list *list, const uint8_t *mac)
{
	if (!aoe_mac_list_has(list, mac))
		return AOE_MASK_OK;
	struct wherry_mac *at = &list->mac[list->hint];
	list->count--;
	memmove(at, at + 1, (size_t)(&list->mac[list->count] - at) * sizeof *at);
	return AOE_MASK_OK;
}

static enum aoe_mask_error list_edit(struct aoe_mac_list *list, const struct aoe_directive *directive, uint32_t limit)
{
	switch (directive->command) {
	case AOE_DIRECTIVE_NONE:
		return AOE_MASK_OK;
	case AOE_DIRECTIVE_ADD:
		return list_add(list, directive->mac, limit);
	case AOE_DIRECTIVE_DELETE:
		return list_delete(list, directive->mac);
	default:
		return AOE_MASK_BAD_DIRECTIVE;
	}
}

static enum aoe_verdict edit(struct aoe_call *call, const struct aoe_mask *mask)
{
	struct aoe_export *export_ = call->export_;
	struct aoe_change *change = export_->change;
	enum aoe_verdict verdict;
	if (!export_->remote_mask)
		return aoe_mask_answer(call, mask->command, AOE_MASK_UNSPECIFIED, 0);
	if (aoe_change_is_barred(call, &verdict))
		return verdict;

	const uint32_t limit = list_limit(call);
	enum aoe_mask_error error = AOE_MASK_OK;
	uint8_t index = 0;
	change->list = export_->state.mask;
	for (; index < mask->directive_count; index++) {
		struct aoe_directive directive = aoe_directive_parse(mask->directives, index);
		error = list_edit(&change->list, &directive, limit);
		if (error != AOE_MASK_OK)
			break;
	}
	if (aoe_mac_list_equal(&change->list, &export_->state.mask))
		return aoe_mask_answer(call, mask->command, (uint8_t)error, index);
	change->what = WHERRY_AOE_CHANGE_MASK;
	change->command = mask->command;
	change->mask_error = (uint8_t)error;
	change->mask_index = index;
	return aoe_change_start(call);
}

enum aoe_verdict aoe_mask_execute(struct aoe_call *call)
{
	struct aoe_mask mask;
	if (aoe_mask_parse(call_pdu(call), call_pdu_bytes(call), false, &mask).result != WIRE_OK)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	if (mask.command == AOE_MASK_EDIT)
		return edit(call, &mask);
	return aoe_mask_answer(call, mask.command, AOE_MASK_OK, 0);
}
