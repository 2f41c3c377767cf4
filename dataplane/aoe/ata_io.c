/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Reads, writes, verifies and flushes.
 *
 * Read data lands behind the header of the answer, write data is taken from
 * behind the header of the request.  A backend that wants aligned memory gets
 * it by moving the frame's start (read) or the data (write) inside the packet's
 * buffer; where the buffer is too small for that, the volume bounces.
 */
#include "aoe/aoe_io.h"
#include "util/checked.h"

static void on_done(struct vol_request *vol, enum io_status status)
{
	struct aoe_request *request = (struct aoe_request *)vol;
	struct aoe_lcore *lcore = request->lcore;
	const bool running = lcore->running == request;
	enum aoe_verdict verdict = aoe_io_complete(request, status);
	if (running) {
		lcore->running = NULL;
		lcore->running_verdict = verdict;
	}
}

static enum aoe_verdict submit(struct aoe_request *request, enum vol_op op, uint64_t lba, uint32_t sector_count,
			       uint8_t *data)
{
	struct aoe_lcore *lcore = request->lcore;
	struct vol_request *vol = &request->vol;
	vol->op = op;
	vol->flags = 0;
	vol->offset_bytes = lba << ATA_SECTOR_SHIFT;
	vol->len_bytes = (uint64_t)sector_count << ATA_SECTOR_SHIFT;
	vol->iov_one = (struct iovec){data, (size_t)vol->len_bytes};
	vol->iov = &vol->iov_one;
	vol->iov_count = data ? 1 : 0;
	vol->done = on_done;
	vol->ctx = NULL;

	lcore->running = request;
	vol_submit(request->export_->volume, vol);
	if (!lcore->running)
		return lcore->running_verdict;
	lcore->running = NULL;
	request->call = NULL;
	return AOE_PENDING;
}

struct aoe_request *aoe_io_begin(struct aoe_call *call, uint8_t kind)
{
	struct aoe_request *request = aoe_request_get(call);
	if (!request)
		return NULL;
	request->pkt = call->pkt;
	request->arrival_ns = call->arrival_ns;
	request->call = call;
	request->kind = kind;
	request->eth_bytes = (uint8_t)call->eth_bytes;
	call->lcore->under_way++;
	uint64_t *stats = call->export_->stats;
	uint64_t depth = ++stats[WHERRY_EXPORT_queue_depth];
	if (depth > stats[WHERRY_EXPORT_queue_depth_max])
		stats[WHERRY_EXPORT_queue_depth_max] = depth;
	return request;
}

static enum aoe_hist hist_of(uint8_t kind)
{
	return kind == ATA_KIND_READ ? AOE_HIST_READ : kind == ATA_KIND_WRITE ? AOE_HIST_WRITE : AOE_HIST_OTHER;
}

/* The call that began the request is over: one that looks the same, at the time of now. */
static struct aoe_call call_again(struct aoe_request *request)
{
	struct aoe_lcore *lcore = request->lcore;
	const struct pkt *pkt = request->pkt;
	uint16_t type, tci;
	lcore->now_ns = *lcore->env.now_ns;
	eth_payload_offset(pkt->data, pkt->len_bytes, &type, &tci);
	return (struct aoe_call){
		.lcore = lcore,
		.export_ = request->export_,
		.pkt = request->pkt,
		.port = &lcore->env.ports[pkt->port_index],
		.arrival_ns = request->arrival_ns,
		.client = aoe_client(lcore, eth_src(pkt->data), pkt->port_index, tci & ETH_VLAN_ID_MASK),
		.eth_bytes = request->eth_bytes,
		.hist = (uint8_t)hist_of(request->kind),
	};
}

static void end(struct aoe_request *request)
{
	request->export_->stats[WHERRY_EXPORT_queue_depth]--;
	request->lcore->under_way--;
	aoe_request_put(request);
}

enum aoe_verdict aoe_io_complete(struct aoe_request *request, enum io_status status)
{
	struct pkt *pkt = request->pkt;
	struct aoe_call again, *call = request->call;
	if (!call) {
		again = call_again(request);
		call = &again;
	}
	enum aoe_verdict verdict = aoe_ata_answer(call, request->kind, request->vol.len_bytes, status);
	assert(call->pkt == pkt); /* room for the answer was had before the I/O */
	end(request);
	if (call == &again)
		aoe_settle(again.lcore, pkt, verdict);
	return verdict;
}

/* Through a request: the store may answer later. */
__attribute__((noinline)) static enum aoe_verdict transfer_later(struct aoe_call *call, enum ata_kind kind,
								 enum vol_op op, uint64_t lba, uint32_t sector_count,
								 uint8_t *data)
{
	struct aoe_request *request = aoe_io_begin(call, (uint8_t)kind);
	if (!request)
		return aoe_silence(call, WHERRY_EXPORT_drop_no_request);
	return submit(request, op, lba, sector_count, data);
}

/* Read or write; kind and op say the same.  A store that answers at once needs no request. */
static inline enum aoe_verdict transfer(struct aoe_call *call, enum ata_kind kind, enum vol_op op, uint64_t lba,
					uint32_t sector_count, uint8_t *data)
{
	const uint64_t len_bytes = (uint64_t)sector_count << ATA_SECTOR_SHIFT;
	enum io_status status;
	if (!vol_try(call->export_->volume, op, lba << ATA_SECTOR_SHIFT, len_bytes, data, &status))
		return transfer_later(call, kind, op, lba, sector_count, data);
	uint64_t *depth_max = &call->export_->stats[WHERRY_EXPORT_queue_depth_max];
	if (*depth_max == 0)
		*depth_max = 1;
	return aoe_ata_answer(call, (uint8_t)kind, len_bytes, status);
}

/* 0 or more than the export takes: aborted, so that no short success is possible. */
static bool count_is_bad(const struct aoe_call *call, uint8_t sector_count)
{
	return sector_count == 0 || sector_count > aoe_sectors(call->export_, call->port);
}

/* Move the start of the frame so that its data will be aligned; only the header moves, the data is to come. */
static void align_read(struct aoe_call *call, uint32_t header_bytes, uint32_t data_bytes, uint32_t align_bytes)
{
	struct pkt *pkt = call->pkt;
	const uintptr_t end = (uintptr_t)pkt->head + pkt->room_bytes;
	uintptr_t data = align_up_u64((uintptr_t)pkt->data + header_bytes, align_bytes);
	if (data + data_bytes > end)
		data = align_up_u64((uintptr_t)pkt->head + header_bytes, align_bytes);
	if (data + data_bytes > end)
		return;
	uint8_t *start = pkt->head + (data - header_bytes - (uintptr_t)pkt->head);
	memmove(start, pkt->data, header_bytes);
	pkt->data = start;
	pkt->len_bytes = header_bytes; /* what followed is not the request's any more */
}

enum aoe_verdict aoe_ata_read(struct aoe_call *call, const struct aoe_ata *ata, uint64_t lba)
{
	call->hist = AOE_HIST_READ;
	if (count_is_bad(call, ata->sector_count))
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
	const uint32_t header_bytes = call->eth_bytes + AOE_PDU_HEADER_BYTES + AOE_ATA_BYTES;
	const uint32_t data_bytes = ata->sector_count * ATA_SECTOR_BYTES;
	const uint32_t align_bytes = call->export_->volume->backend->memory_align_bytes;
	if (!aoe_room(call, header_bytes + data_bytes))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	if (align_bytes > 1)
		align_read(call, header_bytes, data_bytes, align_bytes);
	return transfer(call, ATA_KIND_READ, VOL_READ, lba, ata->sector_count, call->pkt->data + header_bytes);
}

/* Where the data is aligned: where it is, or a little further up in the packet's slack. */
static uint8_t *align_write(const struct pkt *pkt, const uint8_t *data, uint32_t data_bytes, uint32_t align_bytes)
{
	uint32_t at = (uint32_t)(data - pkt->head);
	uint32_t up = (uint32_t)(align_up_u64((uintptr_t)data, align_bytes) - (uintptr_t)data);
	uint8_t *to = pkt->head + at;
	if (up && pkt->room_bytes - at >= up + data_bytes) {
		to += up;
		memmove(to, data, data_bytes);
	}
	return to;
}

/* Several queues lead here, and this write waited in its own while something that overlaps it was served. */
static bool overtaken(const struct aoe_call *call, uint64_t lba, uint32_t sector_count)
{
	const uint64_t arrived_ns = call->pkt->arrived_ns;
	return arrived_ns &&
	       aoe_history_overtaken(call->lcore->history, call->export_->volume->id, lba, sector_count, arrived_ns);
}

enum aoe_verdict aoe_ata_write(struct aoe_call *call, const struct aoe_ata *ata, uint64_t lba)
{
	call->hist = AOE_HIST_WRITE;
	if (call->export_->read_only)
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_read_only);
	if (count_is_bad(call, ata->sector_count))
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
	if (overtaken(call, lba, ata->sector_count))
		return aoe_silence(call, WHERRY_EXPORT_drop_overtaken);
	const uint32_t align_bytes = call->export_->volume->backend->memory_align_bytes;
	uint8_t *data = align_write(call->pkt, ata->data, ata->sector_count * ATA_SECTOR_BYTES, align_bytes);
	if (call->pkt->arrived_ns)
		aoe_history_record(call->lcore->history, call->export_->volume->id, lba, ata->sector_count,
				   call->lcore->now_ns);
	return transfer(call, ATA_KIND_WRITE, VOL_WRITE, lba, ata->sector_count, data);
}

enum aoe_verdict aoe_ata_verify(struct aoe_call *call, const struct aoe_ata *ata, uint64_t lba)
{
	if (ata->sector_count == 0)
		return aoe_ata_fail(call, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort);
	if (!aoe_answer_room(call, 0))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	struct aoe_request *request = aoe_io_begin(call, ATA_KIND_VERIFY);
	if (!request)
		return aoe_silence(call, WHERRY_EXPORT_drop_no_request);
	return submit(request, VOL_VERIFY, lba, ata->sector_count, NULL);
}

enum aoe_verdict aoe_ata_flush(struct aoe_call *call, uint8_t kind)
{
	if (!aoe_answer_room(call, 0))
		return aoe_silence(call, WHERRY_EXPORT_drop_no_buffer);
	struct aoe_request *request = aoe_io_begin(call, kind);
	if (!request)
		return aoe_silence(call, WHERRY_EXPORT_drop_no_request);
	return submit(request, VOL_FLUSH, 0, 0, NULL);
}
