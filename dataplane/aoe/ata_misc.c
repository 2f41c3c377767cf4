/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ATA commands without I/O: SET FEATURES, SMART, power.
 *
 * What is accepted is true afterwards: the write cache can be "set" only to what
 * the operator made it, self-tests and vendor logs do not exist.
 */
#include <string.h>

#include "aoe/aoe_priv.h"

enum aoe_verdict aoe_ata_other_done(struct aoe_call *call, uint8_t sector_count)
{
	call_count(call, WHERRY_EXPORT_other_ata_ops);
	return aoe_ata_done(call, sector_count, 0);
}

static enum aoe_verdict abort_command(struct aoe_call *call)
{
	return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
}

enum aoe_verdict aoe_ata_features(struct aoe_call *call, const struct aoe_ata *ata)
{
	const bool write_cache = call->export_->volume->write_back;
	switch (ata->feature) {
	case ATA_FEATURE_WRITE_CACHE_ON:
		return write_cache ? aoe_ata_other_done(call, 0) : abort_command(call);
	case ATA_FEATURE_WRITE_CACHE_OFF:
		return write_cache ? abort_command(call) : aoe_ata_other_done(call, 0);
	case ATA_FEATURE_TRANSFER_MODE: /* of a cable that is not there */
		return aoe_ata_other_done(call, 0);
	default:
		return abort_command(call);
	}
}

/* One sector to the client. */
static enum aoe_verdict smart_read(struct aoe_call *call, const struct aoe_ata *ata)
{
	const uint8_t feature = ata->feature, log = ata->lba[0], sector_count = ata->sector_count;
	const uint32_t header_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES;
	if (sector_count > 1)
		return abort_command(call);
	if (!aoe_room(call, header_bytes + ATA_SECTOR_BYTES))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	uint8_t *data = call->pkt->data + header_bytes;
	if (feature == ATA_SMART_READ_DATA)
		ata_smart_data_emit(data);
	else if (!ata_smart_log_emit(data, log))
		return abort_command(call);
	call_count(call, WHERRY_EXPORT_other_ata_ops);
	return aoe_ata_done(call, 0, ATA_SECTOR_BYTES);
}

/*
 * A SMART command without data.  Debian's aoeping (36-5) takes no SMART answer
 * that is shorter than one with data, so this one has a sector of zeros behind
 * it; whoever goes by the command does not look at it.
 */
static enum aoe_verdict smart_done(struct aoe_call *call)
{
	const uint32_t header_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES;
	if (!aoe_room(call, header_bytes + ATA_SECTOR_BYTES))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	memset(call->pkt->data + header_bytes, 0, ATA_SECTOR_BYTES);
	call_count(call, WHERRY_EXPORT_other_ata_ops);
	return aoe_ata_done(call, 0, ATA_SECTOR_BYTES);
}

enum aoe_verdict aoe_ata_smart(struct aoe_call *call, const struct aoe_ata *ata)
{
	if (ata->lba[1] != ATA_SMART_LBA_MID || ata->lba[2] != ATA_SMART_LBA_HIGH)
		return abort_command(call);
	if (ata->feature == ATA_SMART_ENABLE) {
		call->export_->smart_off = false;
		return smart_done(call);
	}
	if (call->export_->smart_off)
		return abort_command(call);
	switch (ata->feature) {
	case ATA_SMART_DISABLE:
		call->export_->smart_off = true;
		return smart_done(call);
	case ATA_SMART_RETURN_STATUS: /* the signature in the answer says: no threshold exceeded */
	case ATA_SMART_AUTOSAVE:
		return smart_done(call);
	case ATA_SMART_OFFLINE_IMMEDIATE: /* 0: collect data, of which there is none; 127: stop what does not run */
		return ata->lba[0] == 0 || ata->lba[0] == 127 ? smart_done(call) : abort_command(call);
	case ATA_SMART_READ_DATA:
	case ATA_SMART_READ_LOG:
		return smart_read(call, ata);
	default:
		return abort_command(call);
	}
}
