/* SPDX-License-Identifier: BSD-3-Clause */
/* I/O that takes time, fails, needs alignment, or finds no resources. */
#include <stdlib.h>

#include "rig.h"

Test(aoe_io, each_io_status_has_its_one_answer)
{
	static const struct {
		enum io_status status;
		int aoe_error; /* -1: ATA */
		uint8_t ata_error;
		enum wherry_export_stat stat;
	} cases[] = {
		{IO_ERR_MEDIA, -1, ATA_ERROR_UNCORRECTABLE, WHERRY_EXPORT_ata_media},
		{IO_ERR_SHORT, -1, ATA_ERROR_UNCORRECTABLE, WHERRY_EXPORT_ata_media},
		{IO_ERR_NO_SPACE, -1, ATA_ERROR_UNCORRECTABLE, WHERRY_EXPORT_ata_no_space},
		{IO_ERR_RANGE, -1, ATA_ERROR_NOT_FOUND, WHERRY_EXPORT_ata_range},
		{IO_ERR_READ_ONLY, -1, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_read_only},
		{IO_ERR_OFFLINE, AOE_ERROR_UNAVAILABLE, 0, WHERRY_EXPORT_err_unavailable},
		{IO_ERR_UNSUPPORTED, -1, ATA_ERROR_ABORT, WHERRY_EXPORT_ata_abort},
	};
	const uint8_t data[512] = {0};
	struct rig *rig = rig_create();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct aoe_export *export_ = rig_serve_one(rig);
		rig->disk.fail_read = rig->disk.fail_change = rig->disk.fail_flush = cases[i].status;
		const struct aoe_frame frames[] = {rig_ata(ATA_READ, 0, 1), rig_write(ATA_WRITE, 0, 1, data),
						   rig_ata(ATA_FLUSH, 0, 0), rig_ata(ATA_VERIFY, 0, 1)};
		for (int f = 0; f < 4; f++) {
			const struct rig_answer *answer = rig_ask(rig, frames[f]);
			cr_expect_eq(answer->len_bytes, 60, "case %zu: no data with an error", i);
			if (cases[i].aoe_error >= 0)
				rig_expect_error(answer, cases[i].aoe_error);
			else
				rig_expect_ata(answer, ATA_STATUS_ERROR, cases[i].ata_error);
		}
		cr_expect_eq(rig_stat(export_, cases[i].stat), 4, "case %zu", i);
		cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_read_ops) + rig_stat(export_, WHERRY_EXPORT_write_ops) +
				     rig_stat(export_, WHERRY_EXPORT_flush_ops) +
				     rig_stat(export_, WHERRY_EXPORT_verify_ops),
			     0, "case %zu: none was served", i);
		rig_remove(rig, export_);
	}
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_errors), 4 * sizeof cases / sizeof *cases);
	rig_destroy(rig);
}

Test(aoe_io, no_memory_is_silence_so_that_the_client_tries_again)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->disk.fail_read = IO_ERR_NO_MEMORY;
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 0, 1))->verdict, AOE_DROP);
	rig->disk.hold = true;
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 0, 1))->verdict, AOE_PENDING);
	rig_disk_release_all(&rig->disk);
	rig_expect_silence(rig_next(rig));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_no_buffer), 2);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, an_offline_volume_is_unavailable_but_can_be_found)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->disk.volume.offline = true;
	rig_expect_error(rig_ask(rig, rig_ata(ATA_READ, 0, 1)), AOE_ERROR_UNAVAILABLE);
	rig_expect_ok(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)));
	rig_expect_done(rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, 1)));
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, a_late_completion_is_sent_by_output)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	memset(rig->disk.bytes, 0x42, 1024);
	rig->disk.hold = true;
	const struct rig_answer *answer = rig_ask(rig, rig_ata(ATA_READ, 0, 2));
	cr_expect_eq(answer->verdict, AOE_PENDING);
	rig_expect_silence(answer);
	cr_expect_eq(aoe_lcore_under_way(rig->lcore), 1);
	cr_expect_not(aoe_export_idle(export_));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth), 1);
	rig_disk_release_all(&rig->disk);
	answer = rig_next(rig);
	rig_expect_done(answer);
	cr_expect_eq(answer->len_bytes, 36 + 1024);
	cr_expect_eq(answer->bytes[36 + 1023], 0x42);
	cr_expect_eq(aoe_lcore_under_way(rig->lcore), 0);
	cr_expect(aoe_export_idle(export_));
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_read_ops), 1);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_frames_out), 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, queue_depth_goes_up_and_down_and_remembers_its_peak)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->disk.hold = true;
	for (unsigned i = 0; i < 5; i++)
		rig_ask(rig, rig_ata(ATA_READ, i, 1));
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth), 5);
	rig_disk_release(&rig->disk, 3);
	rig_disk_release(&rig->disk, 0);
	rig_next(rig), rig_next(rig);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth), 3);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth_max), 5);
	rig_disk_release_all(&rig->disk);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth), 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, latency_is_from_arrival_to_answer_by_kind)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t data[512] = {0};
	rig->disk.hold = true;
	rig_ask(rig, rig_ata(ATA_READ, 0, 1));
	rig->now_ns += 5000;
	rig_ask(rig, rig_write(ATA_WRITE, 8, 1, data));
	rig->now_ns += 100000;
	rig_disk_release_all(&rig->disk);
	rig_next(rig), rig_next(rig);
	rig->disk.hold = false;
	rig_ask(rig, rig_ata(ATA_FLUSH, 0, 0));
	rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0));
	cr_expect_eq(aoe_export_hist(export_, 0)[wherry_hist_bucket(105000)], 1, "read");
	cr_expect_eq(aoe_export_hist(export_, 1)[wherry_hist_bucket(100000)], 1, "write");
	cr_expect_eq(aoe_export_hist(export_, 2)[0], 2, "other");
	uint64_t total = 0;
	for (unsigned kind = 0; kind < AOE_HIST_COUNT; kind++)
		for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++)
			total += aoe_export_hist(export_, kind)[i];
	cr_expect_eq(total, rig_stat(export_, WHERRY_EXPORT_frames_out), "each answer is in one histogram");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, an_empty_request_pool_drops_and_recovers)
{
	struct rig *rig = rig_create_with(3);
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t data[512] = {0};
	rig->disk.hold = true;
	for (unsigned i = 0; i < 3; i++)
		cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, i, 1))->verdict, AOE_PENDING);
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 9, 1))->verdict, AOE_DROP);
	cr_expect_eq(rig_ask(rig, rig_write(ATA_WRITE, 9, 1, data))->verdict, AOE_DROP);
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_VERIFY, 9, 1))->verdict, AOE_DROP);
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_FLUSH, 0, 0))->verdict, AOE_DROP);
	cr_expect_eq(rig->lcore_stats[WHERRY_LCORE_aoe_drop_no_request], 4);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_no_request), 4);
	cr_expect_eq(rig_client_stat(rig, rig_mac_a, WHERRY_CLIENT_drops), 4);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, 1)));
	rig_disk_release(&rig->disk, 0);
	rig_expect_done(rig_next(rig));
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 9, 1))->verdict, AOE_PENDING);
	rig_disk_release_all(&rig->disk);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, writes_are_durable_before_the_answer_unless_the_volume_is_write_back)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	const uint8_t data[512] = {0};
	rig_expect_done(rig_ask(rig, rig_write(ATA_WRITE, 0, 1, data)));
	cr_expect_eq(rig->disk.fua_count, 1);
	rig->disk.volume.write_back = true;
	rig_expect_done(rig_ask(rig, rig_write(ATA_WRITE, 0, 1, data)));
	cr_expect_eq(rig->disk.fua_count, 1);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, a_stalled_write_never_lands_after_a_later_one)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t a[512], b[512];
	memset(a, 'A', sizeof a);
	memset(b, 'B', sizeof b);
	rig->disk.hold = true;
	rig_ask(rig, rig_write(ATA_WRITE, 5, 1, a));         /* A stalls */
	rig_ask_port(rig, rig_write(ATA_WRITE, 5, 1, a), 1); /* A' by another path, with a new tag */
	rig_ask(rig, rig_write(ATA_WRITE, 5, 1, b));         /* B */
	rig_ask(rig, rig_ata(ATA_READ, 5, 1));
	cr_expect_eq(rig->disk.held_count, 1, "the others wait for the first");
	while (rig->disk.held_count)
		rig_disk_release(&rig->disk, rig->disk.held_count - 1);
	cr_expect_eq(rig->disk.bytes[5 * 512], 'B');
	rig_expect_done(rig_next(rig));
	rig_expect_done(rig_next(rig));
	rig_expect_done(rig_next(rig));
	const struct rig_answer *answer = rig_next(rig);
	cr_expect_eq(answer->bytes[36], 'B');
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_io, aligned_backends_get_aligned_memory_without_a_bounce)
{
	const uint32_t aligns[] = {4, 512, 4096};
	const uint32_t headrooms[] = {0, 1, 100, 128, 128 + 22};
	uint8_t data[1024];
	for (unsigned i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)(i * 3);
	struct rig *rig = rig_create();
	for (int a = 0; a < 3; a++) {
		struct rig_disk disk;
		rig_disk_init(&disk, 1 << 20, 512, aligns[a]);
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->vlans.count = 2, put->vlans.v[0] = 0, put->vlans.v[1] = 9;
		struct aoe_export *export_ = aoe_export_create(put, &disk.volume);
		aoe_export_add(rig->lcore, export_, false, 0);
		for (int h = 0; h < 10; h++) {
			const bool tagged = h >= 5;
			uint8_t bytes[2000];
			struct aoe_frame frame = rig_write(ATA_WRITE, 2, 2, data);
			frame = tagged ? rig_tagged(frame, 9) : frame;
			uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
			struct pkt *pkt = pkt_heap_make(&rig->heap, bytes, len, headrooms[h % 5], 4096 + 512);
			cr_assert_eq(aoe_input(rig->lcore, pkt, 0), AOE_REPLY);
			cr_expect_eq(disk.last_address % aligns[a], 0, "write, align %u, headroom %u", aligns[a],
				     headrooms[h % 5]);
			cr_expect_arr_eq(disk.bytes + 1024, data, 1024);
			pkt_heap_free(pkt);

			frame = rig_ata(ATA_READ, 2, 2);
			frame = tagged ? rig_tagged(frame, 9) : frame;
			len = aoe_frame_emit(bytes, sizeof bytes, &frame);
			pkt = pkt_heap_make(&rig->heap, bytes, len, headrooms[h % 5], 4096 + 1024 + 512);
			cr_assert_eq(aoe_input(rig->lcore, pkt, 0), AOE_REPLY);
			cr_expect_eq(disk.last_address % aligns[a], 0, "read, align %u, headroom %u", aligns[a],
				     headrooms[h % 5]);
			cr_expect_eq(disk.last_address, (uintptr_t)pkt->data + (tagged ? 40 : 36), "no copy");
			cr_expect_eq(pkt->len_bytes, (tagged ? 40u : 36u) + 1024);
			cr_expect_arr_eq(pkt->data + (tagged ? 40 : 36), data, 1024);
			cr_expect_arr_eq(pkt->data, rig_mac_a, 6);
			cr_expect_arr_eq(pkt->data + (tagged ? 24 : 20), frame.header.tag, 4, "the header moved along");
			pkt_heap_free(pkt);
		}
		rig_remove(rig, export_);
		rig_disk_fini(&disk);
	}
	rig_destroy(rig);
}

/* One frame with so many spare bytes behind what it needs; was the backend's memory aligned exactly when it could be?
 */
static void align_with_slack(struct rig *rig, struct rig_disk *disk, const struct aoe_frame *frame, uint32_t data_bytes,
			     uint32_t slack)
{
	const uint32_t align = disk->backend.memory_align_bytes;
	uint8_t bytes[1060];
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, frame);
	struct pkt *pkt = pkt_heap_make(&rig->heap, bytes, len, 0, 36 + data_bytes + slack - len);
	const uintptr_t data = (uintptr_t)pkt->data + 36, up = (data + align - 1) / align * align;
	const bool can = up + data_bytes <= (uintptr_t)pkt->head + pkt->room_bytes;
	cr_assert_eq(aoe_input(rig->lcore, pkt, 0), AOE_REPLY);
	cr_expect_eq(pkt->data[27], ATA_STATUS_READY);
	if (can)
		cr_expect(disk->last_address == up, "opcode %02x, slack %u: aligned in place", frame->ata.command,
			  slack);
	else
		cr_expect(disk->last_address < data || disk->last_address > data + data_bytes,
			  "opcode %02x, slack %u: bounced", frame->ata.command, slack);
	pkt_heap_free(pkt);
}

Test(aoe_io, memory_is_aligned_whenever_there_is_room_and_bounced_when_not)
{
	uint8_t data[1024];
	memset(data, 0x5e, sizeof data);
	struct rig *rig = rig_create();
	struct rig_disk disk;
	rig_disk_init(&disk, 1 << 20, 512, 512);
	struct aoe_export *export_ = aoe_export_create(rig_put(1, 0), &disk.volume);
	aoe_export_add(rig->lcore, export_, false, 0);
	const struct aoe_frame write = rig_write(ATA_WRITE, 4, 2, data), read = rig_ata(ATA_READ, 4, 2);
	for (uint32_t slack = 0; slack < 520; slack++) {
		align_with_slack(rig, &disk, &write, 1024, slack);
		align_with_slack(rig, &disk, &read, 1024, slack);
	}
	cr_expect_arr_eq(disk.bytes + 4 * 512, data, 1024);
	rig_remove(rig, export_);
	rig_disk_fini(&disk);
	rig_destroy(rig);
}

Test(aoe_io, a_failed_read_on_an_aligned_backend_still_has_a_good_header)
{
	struct rig *rig = rig_create();
	struct rig_disk disk;
	rig_disk_init(&disk, 1 << 20, 512, 512);
	struct aoe_export *export_ = aoe_export_create(rig_put(1, 0), &disk.volume);
	aoe_export_add(rig->lcore, export_, false, 0);
	disk.fail_read = IO_ERR_MEDIA;
	rig_expect_ata(rig_ask(rig, rig_ata(ATA_READ, 0, 1)), ATA_STATUS_ERROR, ATA_ERROR_UNCORRECTABLE);
	rig_remove(rig, export_);
	rig_disk_fini(&disk);
	rig_destroy(rig);
}
