/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ATA: which command, may it, and how its end is told.
 *
 * I/O failures are ATA errors, never AoE errors: Linux drops AoE errors and
 * retries until its deadline.  Exceptions are states in which a retry is right:
 * volume offline (AoE error 3) and no memory (silence).
 */
#include "aoe/aoe_priv.h"

static bool is_reserved_for_others(struct aoe_call *call)
{
	struct aoe_mac_list *reserve = &call->export_->state.reserve;
	return reserve->count && !aoe_mac_list_has(reserve, eth_src(call->pkt->data));
}

static enum aoe_verdict dispatch(struct aoe_call *call, const struct aoe_ata *ata, struct ata_command command)
{
	switch ((enum ata_kind)command.kind) {
	case ATA_KIND_WRITE:
		return aoe_ata_write(call, ata, ata_lba(ata->lba, command.lba48));
	case ATA_KIND_VERIFY:
		return aoe_ata_verify(call, ata, ata_lba(ata->lba, command.lba48));
	case ATA_KIND_FLUSH:
	case ATA_KIND_STANDBY: /* a device that spins down writes its cache first */
		return aoe_ata_flush(call, command.kind);
	case ATA_KIND_TRIM:
		return aoe_ata_trim(call, ata);
	case ATA_KIND_IDENTIFY:
		return aoe_ata_identify(call, ata);
	case ATA_KIND_SMART:
		return aoe_ata_smart(call, ata);
	case ATA_KIND_FEATURES:
		return aoe_ata_features(call, ata);
	case ATA_KIND_CHECK_POWER:
		return aoe_ata_other_done(call, 0xff); /* active or idle */
	case ATA_KIND_IDLE:
		return aoe_ata_other_done(call, 0);
	case ATA_KIND_READ: /* not here */
	case ATA_KIND_UNKNOWN:
	case ATA_KIND_COUNT:
		break;
	}
	return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
}

enum aoe_verdict aoe_ata_execute(struct aoe_call *call)
{
	struct aoe_ata ata;
	const bool whole = aoe_ata_parse(call_pdu(call), call_pdu_bytes(call), &ata).result == WIRE_OK;
	const struct ata_command command = whole ? ata_commands[ata.command] : (struct ata_command){0};

	if (call->broadcast && command.kind != ATA_KIND_IDENTIFY)
		return aoe_silence(call, WHERRY_EXPORT_drop_broadcast_ata);
	if (!whole)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	if (command.kind != ATA_KIND_IDENTIFY && is_reserved_for_others(call))
		return aoe_error(call, AOE_ERROR_RESERVED);
	if (command.kind == ATA_KIND_READ) /* the most frequent one, without a detour */
		return aoe_ata_read(call, &ata, ata_lba(ata.lba, command.lba48));
	if (command.data_out && ata.data_bytes < ata.sector_count * ATA_SECTOR_BYTES)
		return aoe_error(call, AOE_ERROR_ARGUMENT);
	return dispatch(call, &ata, command);
}

void aoe_ata_prefetch(const struct aoe_call *call)
{
	struct aoe_ata ata;
	if (call->command != AOE_COMMAND_ATA ||
	    aoe_ata_parse(call_pdu(call), call_pdu_bytes(call), &ata).result != WIRE_OK)
		return;
	const struct ata_command command = ata_commands[ata.command];
	if (command.kind != ATA_KIND_READ && command.kind != ATA_KIND_WRITE)
		return;
	vol_prefetch(call->export_->volume, ata_lba(ata.lba, command.lba48) << ATA_SECTOR_SHIFT,
		     (uint64_t)ata.sector_count << ATA_SECTOR_SHIFT);
}

static enum aoe_verdict finish(struct aoe_call *call, uint8_t status, uint8_t error, uint8_t sector_count,
			       uint32_t data_bytes)
{
	const uint32_t frame_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES + data_bytes;
	if (!aoe_answer_room(call, frame_bytes))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	uint8_t *pdu = call_pdu(call);
	aoe_turn_round(pdu, AOE_ERROR_NONE, call->export_->shelf, call->export_->slot);
	aoe_ata_turn_round(pdu, status, error, sector_count);
	return aoe_finish(call, frame_bytes);
}

enum aoe_verdict aoe_ata_done(struct aoe_call *call, uint8_t sector_count, uint32_t data_bytes)
{
	return finish(call, ATA_STATUS_READY, 0, sector_count, data_bytes);
}

enum aoe_verdict aoe_ata_fail_with(struct aoe_call *call, uint8_t ata_error, enum wherry_export_stat stat,
				   uint32_t data_bytes)
{
	call_count(call, stat);
	call->client[WHERRY_CLIENT_errors]++;
	return finish(call, ATA_STATUS_ERROR, ata_error, 0, data_bytes);
}

enum aoe_verdict aoe_ata_fail(struct aoe_call *call, uint8_t ata_error, enum wherry_export_stat stat)
{
	return aoe_ata_fail_with(call, ata_error, stat, 0);
}

static enum aoe_verdict read_succeeded(struct aoe_call *call, uint64_t len_bytes)
{
	call_count(call, WHERRY_EXPORT_read_ops);
	call->export_->stats[WHERRY_EXPORT_read_bytes] += len_bytes;
	call->client[WHERRY_CLIENT_read_ops]++;
	return aoe_ata_done(call, 0, (uint32_t)len_bytes);
}

static enum aoe_verdict io_succeeded(struct aoe_call *call, uint8_t kind, uint64_t len_bytes)
{
	if (kind == ATA_KIND_READ)
		return read_succeeded(call, len_bytes);
	switch ((enum ata_kind)kind) {
	case ATA_KIND_WRITE:
		call_count(call, WHERRY_EXPORT_write_ops);
		call->export_->stats[WHERRY_EXPORT_write_bytes] += len_bytes;
		call->client[WHERRY_CLIENT_write_ops]++;
		break;
	case ATA_KIND_FLUSH:
		call_count(call, WHERRY_EXPORT_flush_ops);
		break;
	case ATA_KIND_TRIM:
		call_count(call, WHERRY_EXPORT_trim_ops);
		break;
	case ATA_KIND_VERIFY:
		call_count(call, WHERRY_EXPORT_verify_ops);
		break;
	case ATA_KIND_STANDBY:
		call_count(call, WHERRY_EXPORT_other_ata_ops);
		break;
	case ATA_KIND_READ:
	case ATA_KIND_UNKNOWN:
	case ATA_KIND_IDENTIFY:
	case ATA_KIND_SMART:
	case ATA_KIND_FEATURES:
	case ATA_KIND_CHECK_POWER:
	case ATA_KIND_IDLE:
	case ATA_KIND_COUNT:
		assert(false && "no I/O");
	}
	return aoe_ata_done(call, 0, 0);
}

/* The one place where an I/O result becomes AoE. */
enum aoe_verdict aoe_ata_answer(struct aoe_call *call, uint8_t kind, uint64_t len_bytes, enum io_status status)
{
	if (__builtin_expect(status == IO_OK, 1))
		return io_succeeded(call, kind, len_bytes);
	switch (status) {
	case IO_OK:
		break;
	case IO_ERR_MEDIA:
	case IO_ERR_SHORT:
		return aoe_ata_fail(call, ATA_ERROR_UNCORRECTABLE, WHERRY_EXPORT_ata_media);
	case IO_ERR_NO_SPACE:
		return aoe_ata_fail(call, ATA_ERROR_UNCORRECTABLE, WHERRY_EXPORT_ata_no_space);
	case IO_ERR_RANGE:
		return aoe_ata_fail(call, ATA_ERROR_NOT_FOUND, WHERRY_EXPORT_ata_range);
	case IO_ERR_READ_ONLY:
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_read_only);
	case IO_ERR_OFFLINE:
		return aoe_error(call, AOE_ERROR_UNAVAILABLE);
	case IO_ERR_NO_MEMORY:
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	case IO_ERR_UNSUPPORTED:
	case IO_STATUS_COUNT:
		break;
	}
	return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
}
