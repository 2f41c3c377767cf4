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

/*
 * SMART answers carry a sector always, an empty one where there is nothing to
 * tell: aoeping takes anything shorter for no answer, also to commands without
 * data and to aborted ones.
 */
static enum aoe_verdict smart_answer(struct aoe_call *call, bool good)
{
	if (good) {
		call_count(call, WHERRY_EXPORT_other_ata_ops);
		return aoe_ata_done(call, 0, ATA_SECTOR_BYTES);
	}
	return aoe_ata_fail_with(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort, ATA_SECTOR_BYTES);
}

/* True: served; data is then what the client gets. */
static bool smart_execute(struct aoe_export *export_, uint8_t feature, uint8_t lba_low, uint8_t sector_count,
			  uint8_t data[ATA_SECTOR_BYTES])
{
	if (feature == ATA_SMART_ENABLE) {
		export_->smart_off = false;
		return true;
	}
	if (export_->smart_off)
		return false;
	switch (feature) {
	case ATA_SMART_DISABLE:
		export_->smart_off = true;
		return true;
	case ATA_SMART_RETURN_STATUS: /* the signature in the answer says: no threshold exceeded */
	case ATA_SMART_AUTOSAVE:
		return true;
	case ATA_SMART_OFFLINE_IMMEDIATE: /* 0: collect data, of which there is none; 127: stop what does not run */
		return lba_low == 0 || lba_low == 127;
	case ATA_SMART_READ_DATA:
		ata_smart_data_emit(data);
		return sector_count <= 1;
	case ATA_SMART_READ_LOG:
		return sector_count <= 1 && ata_smart_log_emit(data, lba_low);
	default:
		return false;
	}
}

enum aoe_verdict aoe_ata_smart(struct aoe_call *call, const struct aoe_ata *ata)
{
	const uint8_t feature = ata->feature, lba_low = ata->lba[0], sector_count = ata->sector_count;
	const bool has_signature = ata->lba[1] == ATA_SMART_LBA_MID && ata->lba[2] == ATA_SMART_LBA_HIGH;
	const uint32_t header_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES;
	if (!aoe_room(call, header_bytes + ATA_SECTOR_BYTES))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	uint8_t *data = call->pkt->data + header_bytes;
	memset(data, 0, ATA_SECTOR_BYTES);
	bool good = has_signature && smart_execute(call->export_, feature, lba_low, sector_count, data);
	if (!good)
		memset(data, 0, ATA_SECTOR_BYTES);
	return smart_answer(call, good);
}
