/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ATA over Ethernet: header and the arguments of its four commands.
 *
 * "PDU" is what follows the EtherType; offsets in comments count from the start
 * of an untagged frame, as the protocol text does.  Parsers serve both ends: a
 * target parses requests and emits responses, an initiator the other way round,
 * with the same structs.  Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/bytes.h"
#include "wire/ethernet.h"
#include "wire/wire.h"

#define AOE_ETHERTYPE 0x88a2
#define AOE_VERSION 1
#define AOE_SHELF_ANY 0xffff
#define AOE_SLOT_ANY 0xff

#define AOE_PDU_HEADER_BYTES 10u
#define AOE_ATA_BYTES 12u
#define AOE_CONFIG_BYTES 8u
#define AOE_MASK_BYTES 4u
#define AOE_DIRECTIVE_BYTES 8u
#define AOE_RESERVE_BYTES 2u
#define AOE_TAG_BYTES 4
#define AOE_CONFIG_STRING_BYTES_MAX 1024u

/* Of an untagged frame */
#define AOE_HEADER_BYTES (ETH_HEADER_BYTES + AOE_PDU_HEADER_BYTES)    /* 24 */
#define AOE_ATA_HEADER_BYTES (AOE_HEADER_BYTES + AOE_ATA_BYTES)       /* 36 */
#define AOE_CONFIG_HEADER_BYTES (AOE_HEADER_BYTES + AOE_CONFIG_BYTES) /* 32 */

#define AOE_FLAG_RESPONSE 0x08
#define AOE_FLAG_ERROR 0x04

enum aoe_error {
	AOE_ERROR_NONE,
	AOE_ERROR_COMMAND,     /* unrecognised command */
	AOE_ERROR_ARGUMENT,    /* bad argument */
	AOE_ERROR_UNAVAILABLE, /* device unavailable */
	AOE_ERROR_CONFIG_SET,  /* config string present */
	AOE_ERROR_VERSION,     /* unsupported version */
	AOE_ERROR_RESERVED,    /* target is reserved */
};

enum aoe_command {
	AOE_COMMAND_ATA,
	AOE_COMMAND_CONFIG,
	AOE_COMMAND_MASK,
	AOE_COMMAND_RESERVE,
	AOE_COMMAND_COUNT,
};

#define AOE_ATA_WRITE 0x01
#define AOE_ATA_ASYNC 0x02
#define AOE_ATA_DEVICE 0x10
#define AOE_ATA_LBA48 0x40

enum aoe_config_command {
	AOE_CONFIG_READ,
	AOE_CONFIG_TEST,
	AOE_CONFIG_TEST_PREFIX,
	AOE_CONFIG_SET,
	AOE_CONFIG_FORCE,
	AOE_CONFIG_COMMAND_COUNT,
};

enum aoe_mask_command { AOE_MASK_READ, AOE_MASK_EDIT, AOE_MASK_COMMAND_COUNT };
enum aoe_mask_error { AOE_MASK_OK, AOE_MASK_UNSPECIFIED, AOE_MASK_BAD_DIRECTIVE, AOE_MASK_FULL };
enum aoe_directive_command { AOE_DIRECTIVE_NONE, AOE_DIRECTIVE_ADD, AOE_DIRECTIVE_DELETE };

enum aoe_reserve_command { AOE_RESERVE_READ, AOE_RESERVE_SET, AOE_RESERVE_FORCE, AOE_RESERVE_COMMAND_COUNT };

/* ---- bytes ---- */

struct aoe_wire {
	uint8_t version_flags; /* 14 */
	uint8_t error;
	be16 shelf;
	uint8_t slot;
	uint8_t command;
	uint8_t tag[AOE_TAG_BYTES];
};

struct aoe_ata_wire {
	uint8_t flags; /* 24 */
	uint8_t error_feature;
	uint8_t sector_count;
	uint8_t command_status;
	uint8_t lba[6];
	uint8_t reserved[2];
};

struct aoe_config_wire {
	be16 buffer_count; /* 24 */
	be16 firmware;
	uint8_t sector_count;
	uint8_t version_command;
	be16 string_bytes;
};

struct aoe_mask_wire {
	uint8_t reserved; /* 24 */
	uint8_t command;
	uint8_t error;
	uint8_t directive_count;
};

struct aoe_directive_wire {
	uint8_t reserved; /* 28 */
	uint8_t command;
	uint8_t mac[ETH_ADDR_BYTES];
};

struct aoe_reserve_wire {
	uint8_t command; /* 24 */
	uint8_t mac_count;
};

_Static_assert(sizeof(struct aoe_wire) == AOE_PDU_HEADER_BYTES && offsetof(struct aoe_wire, shelf) == 2 &&
		       offsetof(struct aoe_wire, slot) == 4 && offsetof(struct aoe_wire, command) == 5 &&
		       offsetof(struct aoe_wire, tag) == 6,
	       "AoE header");
_Static_assert(sizeof(struct aoe_ata_wire) == AOE_ATA_BYTES && offsetof(struct aoe_ata_wire, command_status) == 3 &&
		       offsetof(struct aoe_ata_wire, lba) == 4 && offsetof(struct aoe_ata_wire, reserved) == 10,
	       "AoE ATA argument");
_Static_assert(sizeof(struct aoe_config_wire) == AOE_CONFIG_BYTES &&
		       offsetof(struct aoe_config_wire, sector_count) == 4 &&
		       offsetof(struct aoe_config_wire, version_command) == 5 &&
		       offsetof(struct aoe_config_wire, string_bytes) == 6,
	       "AoE Query Config argument");
_Static_assert(sizeof(struct aoe_mask_wire) == AOE_MASK_BYTES && offsetof(struct aoe_mask_wire, directive_count) == 3,
	       "AoE MAC mask argument");
_Static_assert(sizeof(struct aoe_directive_wire) == AOE_DIRECTIVE_BYTES &&
		       offsetof(struct aoe_directive_wire, mac) == 2,
	       "AoE MAC mask directive");
_Static_assert(sizeof(struct aoe_reserve_wire) == AOE_RESERVE_BYTES, "AoE reserve argument");

/* ---- values ---- */

struct aoe_header {
	uint8_t version;
	uint8_t flags; /* AOE_FLAG_*; the low two bits are dropped by parse and sent as zero */
	uint8_t error;
	uint8_t slot;
	uint16_t shelf;
	uint8_t command;
	uint8_t tag[AOE_TAG_BYTES];
};

/* Error and feature, command and status share their registers; the names are the request's. */
struct aoe_ata {
	uint8_t flags;        /* AOE_ATA_* */
	uint8_t feature;      /* response: error register */
	uint8_t sector_count; /* response: sectors not done */
	uint8_t command;      /* response: status register */
	uint8_t lba[6];       /* ata_lba makes the address of it */
	const uint8_t *data;  /* everything behind the argument, padding included: sector_count says what counts */
	uint32_t data_bytes;
};

struct aoe_config {
	uint16_t buffer_count;
	uint16_t firmware;
	uint8_t sector_count;
	uint8_t version; /* high nibble beside the sub-command */
	uint8_t command; /* enum aoe_config_command */
	uint16_t string_bytes;
	const uint8_t *string; /* into the bytes parsed */
};

struct aoe_directive {
	uint8_t command;
	uint8_t mac[ETH_ADDR_BYTES];
};

struct aoe_mask {
	uint8_t command;
	uint8_t error;
	uint8_t directive_count;   /* a refusal: index of the directive that failed, and no directives follow */
	const uint8_t *directives; /* into the bytes parsed: aoe_directive_parse reads one */
};

struct aoe_reserve {
	uint8_t command;
	uint8_t mac_count;
	const uint8_t *macs; /* into the bytes parsed: mac_count * 6 */
};

/* ---- parse: len_bytes is what there is of the PDU, arguments start at AOE_PDU_HEADER_BYTES ---- */

/* SHORT only; version and command are for the caller to judge, because each has its own answer. */
static inline struct wire_status aoe_header_parse(const uint8_t *pdu, uint32_t len_bytes, struct aoe_header *header)
{
	if (len_bytes < AOE_PDU_HEADER_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_HEADER);
	const struct aoe_wire *wire = (const struct aoe_wire *)pdu;
	header->version = wire->version_flags >> 4;
	header->flags = wire->version_flags & (AOE_FLAG_RESPONSE | AOE_FLAG_ERROR);
	header->error = wire->error;
	header->shelf = be16_get(wire->shelf);
	header->slot = wire->slot;
	header->command = wire->command;
	memcpy(header->tag, wire->tag, AOE_TAG_BYTES);
	return wire_ok();
}

/* SHORT only: how much data a command needs is settled by its opcode and count. */
static inline struct wire_status aoe_ata_parse(const uint8_t *pdu, uint32_t len_bytes, struct aoe_ata *ata)
{
	if (len_bytes < AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_AOE_ATA_ARGUMENT);
	const struct aoe_ata_wire *wire = (const struct aoe_ata_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	ata->flags = wire->flags;
	ata->feature = wire->error_feature;
	ata->sector_count = wire->sector_count;
	ata->command = wire->command_status;
	memcpy(ata->lba, wire->lba, sizeof ata->lba);
	ata->data = pdu + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES;
	ata->data_bytes = len_bytes - AOE_PDU_HEADER_BYTES - AOE_ATA_BYTES;
	return wire_ok();
}

/*
 * SHORT: argument or string not whole.  BAD: string over its maximum.  UNSUPPORTED: sub-command.
 * A request to read carries no string, whatever its length field says: string_bytes is then 0.
 */
__attribute__((warn_unused_result)) struct wire_status aoe_config_parse(const uint8_t *pdu, uint32_t len_bytes,
									bool response, struct aoe_config *config);
/* SHORT: argument or directives of an edit not whole.  UNSUPPORTED: sub-command.
 * A request to read carries no directives, a refusal neither: directives is then NULL. */
__attribute__((warn_unused_result)) struct wire_status aoe_mask_parse(const uint8_t *pdu, uint32_t len_bytes,
								      bool response, struct aoe_mask *mask);
/* SHORT: argument or addresses not whole.  UNSUPPORTED: sub-command.  A request to read carries no addresses. */
__attribute__((warn_unused_result)) struct wire_status aoe_reserve_parse(const uint8_t *pdu, uint32_t len_bytes,
									 bool response, struct aoe_reserve *reserve);
/* One of the directives that aoe_mask_parse found whole. */
struct aoe_directive aoe_directive_parse(const uint8_t *directives, uint32_t index);

/* ---- emit: return the bytes of the PDU written, 0 when room does not suffice; data and lists included ---- */

uint32_t aoe_header_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_header *header);
/* Argument, then data unless that is NULL or already in its place. */
uint32_t aoe_ata_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_ata *ata);
uint32_t aoe_config_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_config *config);
/* Argument, then directives unless they are NULL; aoe_directive_emit makes such bytes. */
uint32_t aoe_mask_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_mask *mask);
uint32_t aoe_reserve_emit(uint8_t *pdu, uint32_t room_bytes, const struct aoe_reserve *reserve);
void aoe_directive_emit(uint8_t *directives, uint32_t index, const struct aoe_directive *directive);

/* ---- turn a request into its answer in place; what the answer echoes stays, all else is set ---- */

static inline void aoe_turn_round(uint8_t *pdu, uint8_t error, uint16_t shelf, uint8_t slot)
{
	struct aoe_wire *wire = (struct aoe_wire *)pdu;
	wire->version_flags = AOE_VERSION << 4 | AOE_FLAG_RESPONSE | (error ? AOE_FLAG_ERROR : 0);
	wire->error = error;
	wire->shelf = be16_of(shelf);
	wire->slot = slot;
}

static inline void aoe_ata_turn_round(uint8_t *pdu, uint8_t status, uint8_t error, uint8_t sector_count)
{
	struct aoe_ata_wire *wire = (struct aoe_ata_wire *)(pdu + AOE_PDU_HEADER_BYTES);
	wire->flags &= AOE_ATA_LBA48 | AOE_ATA_DEVICE | AOE_ATA_ASYNC | AOE_ATA_WRITE;
	wire->error_feature = error;
	wire->sector_count = sector_count;
	wire->command_status = status;
	memset(wire->reserved, 0, sizeof wire->reserved);
}

/* ---- a whole frame, for initiators and tools ---- */

struct aoe_frame {
	struct eth_header eth; /* emit: type is set to AoE's */
	struct aoe_header header;
	union { /* by header.command; none when the error flag is set */
		struct aoe_ata ata;
		struct aoe_config config;
		struct aoe_mask mask;
		struct aoe_reserve reserve;
	};
};

/* Requests and responses (by the response flag).  UNSUPPORTED for another version or command. */
__attribute__((warn_unused_result)) struct wire_status aoe_frame_parse(const uint8_t *bytes, uint32_t len_bytes,
								       struct aoe_frame *frame);
/* Returns the length of the frame, not padded; 0 when room does not suffice. */
uint32_t aoe_frame_emit(uint8_t *bytes, uint32_t room_bytes, const struct aoe_frame *frame);
