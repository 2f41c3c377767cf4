/* SPDX-License-Identifier: BSD-3-Clause */
/* AoE arguments: parse and emit.  Every count is compared with the bytes that are there before it is used. */
#include "wire/aoe.h"

struct wire_status aoe_config_parse(const uint8_t *pdu, uint32_t len_bytes, bool response, struct aoe_config *config)
{
	if (len_bytes < AOE_PDU_HEADER_BYTES + AOE_CONFIG_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_CONFIG_ARGUMENT);
	const struct aoe_config_wire *wire = (const struct aoe_config_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	config->buffer_count = be16_get(wire->buffer_count);
	config->firmware = be16_get(wire->firmware);
	config->sector_count = wire->sector_count;
	config->version = wire->version_command >> 4;
	config->command = wire->version_command & 0x0f;
	config->string_bytes = be16_get(wire->string_bytes);
	config->string = pdu + AOE_PDU_HEADER_BYTES + AOE_CONFIG_BYTES;
	if (config->command >= AOE_CONFIG_COMMAND_COUNT)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_AOE_CONFIG_COMMAND);
	if (!response && config->command == AOE_CONFIG_READ) {
		config->string_bytes = 0;
		return wire_ok();
	}
	if (config->string_bytes > AOE_CONFIG_STRING_BYTES_MAX)
		return wire_no(WIRE_BAD, WIRE_WHY_AOE_CONFIG_LENGTH);
	if (config->string_bytes > len_bytes - AOE_PDU_HEADER_BYTES - AOE_CONFIG_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_CONFIG_STRING);
	return wire_ok();
}

struct wire_status aoe_mask_parse(const uint8_t *pdu, uint32_t len_bytes, bool response, struct aoe_mask *mask)
{
	if (len_bytes < AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_MASK_ARGUMENT);
	const struct aoe_mask_wire *wire = (const struct aoe_mask_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	mask->command = wire->command;
	mask->error = wire->error;
	mask->directive_count = wire->directive_count;
	mask->directives = NULL;
	if (mask->command >= AOE_MASK_COMMAND_COUNT)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_AOE_MASK_COMMAND);
	if (response ? mask->error != AOE_MASK_OK : mask->command == AOE_MASK_READ)
		return wire_ok();
	if (mask->directive_count * AOE_DIRECTIVE_BYTES > len_bytes - AOE_PDU_HEADER_BYTES - AOE_MASK_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_MASK_DIRECTIVES);
	mask->directives = pdu + AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES;
	return wire_ok();
}

struct aoe_directive aoe_directive_parse(const uint8_t *directives, uint32_t index)
{
	const struct aoe_directive_wire *wire = &((const struct aoe_directive_wire *)directives)[index];
	struct aoe_directive directive = {.command = wire->command};
	memcpy(directive.mac, wire->mac, ETH_ADDR_BYTES);
	return directive;
}

struct wire_status aoe_reserve_parse(const uint8_t *pdu, uint32_t len_bytes, bool response, struct aoe_reserve *reserve)
{
	if (len_bytes < AOE_PDU_HEADER_BYTES + AOE_RESERVE_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_RESERVE_ARGUMENT);
	const struct aoe_reserve_wire *wire = (const struct aoe_reserve_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	reserve->command = wire->command;
	reserve->mac_count = wire->mac_count;
	reserve->macs = pdu + AOE_PDU_HEADER_BYTES + AOE_RESERVE_BYTES;
	if (reserve->command >= AOE_RESERVE_COMMAND_COUNT)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_AOE_RESERVE_COMMAND);
	if (!response && reserve->command == AOE_RESERVE_READ) {
		reserve->mac_count = 0;
		return wire_ok();
	}
	if (reserve->mac_count * ETH_ADDR_BYTES > len_bytes - AOE_PDU_HEADER_BYTES - AOE_RESERVE_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_RESERVE_LIST);
	return wire_ok();
}

uint32_t aoe_header_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_header *header)
{
	if (room_bytes < AOE_PDU_HEADER_BYTES)
		return 0;
	struct aoe_wire *wire = (struct aoe_wire *)pdu;
	wire->version_flags = (uint8_t)(header->version << 4 | (header->flags & (AOE_FLAG_RESPONSE | AOE_FLAG_ERROR)));
	wire->error = header->error;
	wire->shelf = be16_of(header->shelf);
	wire->slot = header->slot;
	wire->command = header->command;
	memcpy(wire->tag, header->tag, AOE_TAG_BYTES);
	return AOE_PDU_HEADER_BYTES;
}

/* Bytes behind an argument; they may already be where they belong. */
static void tail_emit(uint8_t *to, const uint8_t *from, uint32_t len_bytes)
{
	if (from && to != from && len_bytes)
		memmove(to, from, len_bytes);
}

uint32_t aoe_ata_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_ata *ata)
{
	uint32_t data_bytes = ata->data ? ata->data_bytes : 0;
	if (room_bytes < AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES ||
	    room_bytes - AOE_PDU_HEADER_BYTES - AOE_ATA_BYTES < data_bytes)
		return 0;
	tail_emit(pdu + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES, ata->data, data_bytes);
	struct aoe_ata_wire *wire = (struct aoe_ata_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	wire->flags = ata->flags;
	wire->error_feature = ata->feature;
	wire->sector_count = ata->sector_count;
	wire->command_status = ata->command;
	memcpy(wire->lba, ata->lba, sizeof wire->lba);
	memset(wire->reserved, 0, sizeof wire->reserved);
	return AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES + data_bytes;
}

uint32_t aoe_config_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_config *config)
{
	uint32_t bytes = AOE_PDU_HEADER_BYTES + AOE_CONFIG_BYTES + config->string_bytes;
	if (room_bytes < bytes)
		return 0;
	tail_emit(pdu + AOE_PDU_HEADER_BYTES + AOE_CONFIG_BYTES, config->string, config->string_bytes);
	struct aoe_config_wire *wire = (struct aoe_config_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	wire->buffer_count = be16_of(config->buffer_count);
	wire->firmware = be16_of(config->firmware);
	wire->sector_count = config->sector_count;
	wire->version_command = (uint8_t)(config->version << 4 | (config->command & 0x0f));
	wire->string_bytes = be16_of(config->string_bytes);
	return bytes;
}

uint32_t aoe_mask_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_mask *mask)
{
	uint32_t list_bytes = mask->directives ? mask->directive_count * AOE_DIRECTIVE_BYTES : 0;
	uint32_t bytes = AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES + list_bytes;
	if (room_bytes < bytes)
		return 0;
	tail_emit(pdu + AOE_PDU_HEADER_BYTES + AOE_MASK_BYTES, mask->directives, list_bytes);
	*(struct aoe_mask_wire *)(pdu + AOE_PDU_HEADER_BYTES) = (struct aoe_mask_wire){
		.command = mask->command, .error = mask->error, .directive_count = mask->directive_count};
	return bytes;
}

void aoe_directive_emit(uint8_t *directives, uint32_t index, const struct aoe_directive *directive)
{
	struct aoe_directive_wire *wire = &((struct aoe_directive_wire *)directives)[index];
	wire->reserved = 0;
	wire->command = directive->command;
	memcpy(wire->mac, directive->mac, ETH_ADDR_BYTES);
}

uint32_t aoe_reserve_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_reserve *reserve)
{
	uint32_t list_bytes = (uint32_t)reserve->mac_count * ETH_ADDR_BYTES;
	uint32_t bytes = AOE_PDU_HEADER_BYTES + AOE_RESERVE_BYTES + list_bytes;
	if (room_bytes < bytes)
		return 0;
	tail_emit(pdu + AOE_PDU_HEADER_BYTES + AOE_RESERVE_BYTES, reserve->macs, list_bytes);
	*(struct aoe_reserve_wire *)(pdu + AOE_PDU_HEADER_BYTES) =
		(struct aoe_reserve_wire){reserve->command, reserve->mac_count};
	return bytes;
}

struct wire_status aoe_frame_parse(const uint8_t *bytes, uint32_t len_bytes, struct aoe_frame *frame)
{
	memset(frame, 0, sizeof *frame);
	struct wire_status status = eth_header_parse(bytes, len_bytes, &frame->eth);
	if (status.result != WIRE_OK)
		return status;
	if (frame->eth.type != AOE_ETHERTYPE)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_ETH_TYPE);
	const uint8_t *pdu = bytes + eth_header_bytes(&frame->eth);
	uint32_t pdu_bytes = len_bytes - eth_header_bytes(&frame->eth);
	status = aoe_header_parse(pdu, pdu_bytes, &frame->header);
	if (status.result != WIRE_OK)
		return status;
	if (frame->header.version != AOE_VERSION)
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_AOE_VERSION);
	bool response = frame->header.flags & AOE_FLAG_RESPONSE;
	if (response && frame->header.flags & AOE_FLAG_ERROR)
		return wire_ok();
	switch (frame->header.command) {
	case AOE_COMMAND_ATA:
		return aoe_ata_parse(pdu, pdu_bytes, &frame->ata);
	case AOE_COMMAND_CONFIG:
		return aoe_config_parse(pdu, pdu_bytes, response, &frame->config);
	case AOE_COMMAND_MASK:
		return aoe_mask_parse(pdu, pdu_bytes, response, &frame->mask);
	case AOE_COMMAND_RESERVE:
		return aoe_reserve_parse(pdu, pdu_bytes, response, &frame->reserve);
	default:
		return wire_no(WIRE_UNSUPPORTED, WIRE_WHY_AOE_COMMAND);
	}
}

static uint32_t argument_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_frame *frame)
{
	const uint8_t both = AOE_FLAG_RESPONSE | AOE_FLAG_ERROR;
	if ((frame->header.flags & both) == both)
		return AOE_PDU_HEADER_BYTES;
	switch (frame->header.command) {
	case AOE_COMMAND_ATA:
		return aoe_ata_emit(pdu, room_bytes, &frame->ata);
	case AOE_COMMAND_CONFIG:
		return aoe_config_emit(pdu, room_bytes, &frame->config);
	case AOE_COMMAND_MASK:
		return aoe_mask_emit(pdu, room_bytes, &frame->mask);
	case AOE_COMMAND_RESERVE:
		return aoe_reserve_emit(pdu, room_bytes, &frame->reserve);
	default:
		return AOE_PDU_HEADER_BYTES;
	}
}

uint32_t aoe_frame_emit(uint8_t *bytes, uint32_t room_bytes, const struct aoe_frame *frame)
{
	struct eth_header eth = frame->eth;
	eth.type = AOE_ETHERTYPE;
	uint32_t eth_bytes = eth_header_emit(bytes, room_bytes, &eth);
	if (!eth_bytes || !aoe_header_emit(bytes + eth_bytes, room_bytes - eth_bytes, &frame->header))
		return 0;
	uint32_t pdu_bytes = argument_emit(bytes + eth_bytes, room_bytes - eth_bytes, frame);
	return pdu_bytes ? eth_bytes + pdu_bytes : 0;
}
