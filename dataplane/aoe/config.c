/* SPDX-License-Identifier: BSD-3-Clause */
/* Query Config: discovery, and a string that is the clients' to use. */
#include "aoe/aoe_priv.h"

uint32_t aoe_config_write(const struct aoe_export *export_, const struct aoe_port *port, uint8_t command, uint8_t *pdu,
			  uint32_t room_bytes)
{
	const struct aoe_config config = {
		.buffer_count = export_->buffer_count,
		.firmware = AOE_FIRMWARE_VERSION,
		.sector_count = (uint8_t)aoe_sectors(export_, port),
		.version = AOE_VERSION,
		.command = command,
		.string_bytes = export_->state.config_bytes,
		.string = export_->state.config,
	};
	return aoe_config_emit(pdu, room_bytes, &config);
}

enum aoe_verdict aoe_config_answer(struct aoe_call *call, uint8_t command)
{
	struct aoe_export *export_ = call->export_;
	const uint32_t pdu_bytes = AOE_PDU_HEADER_BYTES + AOE_CONFIG_BYTES + export_->state.config_bytes;
	const uint32_t frame_bytes = call->eth_bytes + pdu_bytes;
	if (!aoe_fits_port(call, ETH_HEADER_BYTES + pdu_bytes))
		return aoe_error(call, AOE_ERROR_UNAVAILABLE);
	if (!aoe_answer_room(call, frame_bytes))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	uint8_t *pdu = call_pdu(call);
	aoe_turn_round(pdu, AOE_ERROR_NONE, export_->shelf, export_->slot);
	aoe_config_write(export_, call->port, command, pdu, pdu_bytes);
	call_count(call, WHERRY_EXPORT_config_ops);
	return aoe_finish(call, frame_bytes);
}

static bool is_current(const struct aoe_state *state, const struct aoe_config *config)
{
	return config->string_bytes == state->config_bytes &&
	       memcmp(config->string, state->config, config->string_bytes) == 0;
}

static bool is_prefix(const struct aoe_state *state, const struct aoe_config *config)
{
	return config->string_bytes <= state->config_bytes &&
	       memcmp(config->string, state->config, config->string_bytes) == 0;
}

static enum aoe_verdict set(struct aoe_call *call, const struct aoe_config *config)
{
	struct aoe_export *export_ = call->export_;
	struct aoe_change *change = export_->change;
	enum aoe_verdict verdict;
	if (!export_->remote_config)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	if (aoe_change_is_barred(call, &verdict))
		return verdict;
	if (is_current(&export_->state, config)) /* a retransmission must succeed */
		return aoe_config_answer(call, config->command);
	if (config->command == AOE_CONFIG_SET && export_->state.config_bytes)
		return aoe_error(call, AOE_ERROR_CONFIG_SET);
	change->what = WHERRY_AOE_CHANGE_CONFIG;
	change->command = config->command;
	change->config_bytes = config->string_bytes;
	memcpy(change->config, config->string, config->string_bytes);
	return aoe_change_start(call);
}

enum aoe_verdict aoe_config_execute(struct aoe_call *call)
{
	struct aoe_config config;
	const struct aoe_state *state = &call->export_->state;
	if (aoe_config_parse(call_pdu(call), call_pdu_bytes(call), false, &config).result != WIRE_OK)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	switch ((enum aoe_config_command)config.command) {
	case AOE_CONFIG_READ:
		return aoe_config_answer(call, config.command);
	case AOE_CONFIG_TEST:
		return is_current(state, &config) ? aoe_config_answer(call, config.command)
						  : aoe_silence(call, WHERRY_EXPORT_drop_config_mismatch);
	case AOE_CONFIG_TEST_PREFIX:
		return is_prefix(state, &config) ? aoe_config_answer(call, config.command)
						 : aoe_silence(call, WHERRY_EXPORT_drop_config_mismatch);
	case AOE_CONFIG_SET:
	case AOE_CONFIG_FORCE:
		return set(call, &config);
	case AOE_CONFIG_COMMAND_COUNT:
		break;
	}
	return aoe_error(call, AOE_ERROR_ARGUMENT);
}
