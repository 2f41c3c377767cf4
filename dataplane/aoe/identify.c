/* SPDX-License-Identifier: BSD-3-Clause */
/* IDENTIFY DEVICE: made anew for every request, because volumes grow. */
#include "aoe/aoe_priv.h"
#include "wherry_build.h"

static void describe(const struct aoe_export *export_, struct ata_identify *identify)
{
	const struct volume *volume = export_->volume;
	*identify = (struct ata_identify){
		.sector_count = volume->size_bytes >> ATA_SECTOR_SHIFT,
		.physical_shift = volume->block_bytes == 4096 ? 3 : 0,
		.smart_enabled = !export_->smart_off,
		.write_cache = volume->write_back,
		.trim = !export_->read_only && !volume->read_only,
		.trim_sectors_max = AOE_TRIM_SECTORS_MAX,
	};
	_Static_assert(sizeof identify->serial == sizeof export_->serial, "serial");
	_Static_assert(sizeof identify->model == sizeof export_->model, "model");
	memcpy(identify->serial, export_->serial, sizeof identify->serial);
	memcpy(identify->model, export_->model, sizeof identify->model);
	memcpy(identify->firmware, WHERRY_VERSION, strnlen(WHERRY_VERSION, ATA_FIRMWARE_CHARS));
}

enum aoe_verdict aoe_ata_identify(struct aoe_call *call, const struct aoe_ata *ata)
{
	struct ata_identify identify;
	const uint32_t header_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES;
	if (ata->sector_count > 1)
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
	if (!aoe_room(call, header_bytes + ATA_SECTOR_BYTES))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	describe(call->export_, &identify);
	ata_identify_emit(call->pkt->data + header_bytes, &identify);
	call_count(call, WHERRY_EXPORT_identify_ops);
	return aoe_ata_done(call, 0, ATA_SECTOR_BYTES);
}
