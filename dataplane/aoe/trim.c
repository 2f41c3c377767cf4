/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * DATA SET MANAGEMENT / TRIM: many ranges, one answer.
 *
 * All ranges are checked before the first is discarded, and all are submitted
 * before this call returns: one that was submitted later could take away what a
 * later write has put there.
 */
#include "aoe/aoe_io.h"
#include "util/checked.h"

#define RANGES_MAX (AOE_TRIM_SECTORS_MAX * ATA_TRIM_RANGES_PER_SECTOR)

#define LISTED_SECTORS_MAX 1024u /* beyond that the history keeps no single sectors */

struct ranges {
	uint32_t count;
	uint64_t sector_count; /* of all */
	struct {
		uint64_t lba, sector_count;
	} range[RANGES_MAX];
};

/* Unused entries fall away, neighbours in order become one: clients cut long discards at 65,535 sectors. */
static bool ranges_collect(struct ranges *ranges, const struct aoe_ata *ata, uint64_t sectors_on_volume)
{
	ranges->count = 0;
	ranges->sector_count = 0;
	for (uint32_t i = 0; i < ata->sector_count * ATA_TRIM_RANGES_PER_SECTOR; i++) {
		struct ata_trim_range entry = ata_trim_range_parse(ata->data, i);
		if (entry.sector_count == 0)
			continue;
		if (!range_inside_u64(entry.lba, entry.sector_count, sectors_on_volume))
			return false;
		ranges->sector_count += entry.sector_count;
		uint32_t last = ranges->count - 1;
		if (ranges->count && ranges->range[last].lba + ranges->range[last].sector_count == entry.lba) {
			ranges->range[last].sector_count += entry.sector_count;
			continue;
		}
		ranges->range[ranges->count].lba = entry.lba;
		ranges->range[ranges->count].sector_count = entry.sector_count;
		ranges->count++;
	}
	return true;
}

/* As overtaken in ata_io.c. */
static bool ranges_overtaken(const struct ranges *ranges, const struct aoe_call *call)
{
	const struct aoe_history *history = call->lcore->history;
	const uint64_t volume_id = call->export_->volume->id, arrived_ns = call->pkt->arrived_ns;
	if (!aoe_history_any_since(history, volume_id, arrived_ns))
		return false;
	if (ranges->sector_count > LISTED_SECTORS_MAX)
		return true;
	for (uint32_t i = 0; i < ranges->count; i++) {
		if (aoe_history_overtaken(history, volume_id, ranges->range[i].lba,
					  (uint32_t)ranges->range[i].sector_count, arrived_ns))
			return true;
	}
	return false;
}

static void ranges_record(const struct ranges *ranges, const struct aoe_call *call)
{
	struct aoe_history *history = call->lcore->history;
	const uint64_t volume_id = call->export_->volume->id;
	if (ranges->sector_count > LISTED_SECTORS_MAX) {
		aoe_history_record_all(history, volume_id, call->lcore->now_ns);
		return;
	}
	for (uint32_t i = 0; i < ranges->count; i++)
		aoe_history_record(history, volume_id, ranges->range[i].lba, (uint32_t)ranges->range[i].sector_count,
				   call->lcore->now_ns);
}

static void on_part_done(struct vol_request *vol, enum io_status status)
{
	struct aoe_request *part = (struct aoe_request *)vol;
	struct aoe_request *whole = vol->ctx;
	if (whole->worst == IO_OK)
		whole->worst = status;
	if (part != whole)
		aoe_request_put(part);
	if (--whole->parts_left == 0)
		aoe_io_complete(whole, whole->worst);
}

static void submit_part(struct aoe_request *part, struct aoe_request *whole, uint64_t lba, uint64_t sector_count)
{
	struct vol_request *vol = &part->vol;
	vol->op = VOL_DISCARD;
	vol->flags = 0;
	vol->offset_bytes = lba << ATA_SECTOR_SHIFT;
	vol->len_bytes = sector_count << ATA_SECTOR_SHIFT;
	vol->iov = NULL;
	vol->iov_count = 0;
	vol->done = on_part_done;
	vol->ctx = whole;
	vol_submit(whole->export_->volume, vol);
}

static enum aoe_verdict submit_all(struct aoe_request *whole, struct aoe_request *const *parts,
				   const struct ranges *ranges)
{
	whole->worst = IO_OK;
	whole->parts_left = (uint16_t)(ranges->count + 1); /* one for us: the end does not come inside the loop */
	for (uint32_t i = 0; i < ranges->count; i++)
		submit_part(i ? parts[i] : whole, whole, ranges->range[i].lba, ranges->range[i].sector_count);
	if (--whole->parts_left == 0)
		return aoe_io_complete(whole, whole->worst);
	whole->call = NULL;
	return AOE_PENDING;
}

enum aoe_verdict aoe_ata_trim(struct aoe_call *call, const struct aoe_ata *ata)
{
	struct ranges ranges;
	struct aoe_request *parts[RANGES_MAX], *whole;
	if (call->export_->read_only)
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_read_only);
	if (!(ata->feature & ATA_TRIM_FEATURE) || ata->sector_count == 0 || ata->sector_count > AOE_TRIM_SECTORS_MAX)
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
	if (!ranges_collect(&ranges, ata, call->export_->volume->size_bytes >> ATA_SECTOR_SHIFT))
		return aoe_ata_fail(call, ATA_ERROR_NOT_FOUND, WHERRY_EXPORT_ata_range);
	if (ranges.count == 0)
		return aoe_ata_answer(call, ATA_KIND_TRIM, 0, IO_OK);
	if (ranges.count > call->lcore->request_count) /* no retry would ever find so many free */
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);

	if (call->pkt->arrived_ns && ranges_overtaken(&ranges, call))
		return aoe_silence(call, WHERRY_EXPORT_drop_overtaken);

	uint32_t have = 1;
	while (have < ranges.count && (parts[have] = aoe_request_get(call)))
		have++;
	whole = have == ranges.count ? aoe_io_begin(call, ATA_KIND_TRIM) : NULL;
	if (!whole) {
		while (have-- > 1)
			aoe_request_put(parts[have]);
		return aoe_silence(call, WHERRY_EXPORT_drop_no_request);
	}
	if (call->pkt->arrived_ns)
		ranges_record(&ranges, call);
	return submit_all(whole, parts, &ranges);
}
