/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames given together: served as one by one, with the blocks of the next one fetched meanwhile. */
#include <string.h>

#include "rig.h"

#define BURST 32u

static uint64_t draw(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* Every kind of frame, good and bad; some of them change what the ones behind them meet. */
static struct aoe_frame frame_of(uint64_t *state)
{
	static uint8_t data[2 * 512];
	const uint64_t lba = draw(state) % 2100;
	memset(data, (int)draw(state), sizeof data);
	struct aoe_frame frame;
	switch (draw(state) % 10) {
	case 0:
		frame = rig_config(AOE_CONFIG_READ, "", 0);
		break;
	case 1:
		frame = rig_broadcast(rig_to(rig_config(AOE_CONFIG_READ, "", 0), AOE_SHELF_ANY, AOE_SLOT_ANY));
		break;
	case 2:
		frame = rig_to(rig_ata(ATA_READ_EXT, lba, 1), 7, 7);
		break;
	case 3:
		frame = rig_ata(ATA_IDENTIFY, 0, 1);
		break;
	case 4:
		frame = rig_broadcast(rig_ata(ATA_READ_EXT, lba, 1));
		break;
	case 5:
	case 6:
		frame = rig_write(ATA_WRITE_EXT, lba, (uint8_t)(1 + draw(state) % 2), data);
		break;
	default:
		frame = rig_ata(ATA_READ_EXT, lba, (uint8_t)(draw(state) % 4));
		break;
	}
	return rig_from(frame, draw(state) % 2 ? rig_mac_a : rig_mac_b);
}

static struct pkt *pkt_of(struct rig *rig, struct aoe_frame frame, uint32_t cut_bytes)
{
	uint8_t bytes[2048];
	const uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame) - cut_bytes;
	return pkt_heap_make(&rig->heap, bytes, len, 0, cut_bytes ? 0 : 2048); /* no room: another packet */
}

static void output_one(struct rig *rig, struct pkt *pkt)
{
	switch (aoe_input(rig->lcore, pkt, rig->now_ns)) {
	case AOE_REPLY:
		rig->out[rig->out_count++] = pkt;
		break;
	case AOE_DROP:
		pkt_heap_free(pkt);
		break;
	case AOE_PENDING:
		break;
	}
}

static void expect_same_output(struct rig *rig[2], unsigned round)
{
	rig_poll(rig[0]);
	rig_poll(rig[1]);
	cr_assert_eq(rig[0]->out_count, rig[1]->out_count, "round %u", round);
	for (unsigned i = rig[0]->out_first; i < rig[0]->out_count; i++) {
		const struct pkt *a = rig[0]->out[i], *b = rig[1]->out[i];
		cr_assert_eq(a->len_bytes, b->len_bytes, "round %u, answer %u", round, i);
		cr_assert(!memcmp(a->data, b->data, a->len_bytes), "round %u, answer %u", round, i);
	}
	for (unsigned r = 0; r < 2; r++) {
		rig_discard(rig[r]);
		rig[r]->out_first = rig[r]->out_count = 0;
	}
}

Test(aoe_burst, is_served_as_its_frames_one_by_one)
{
	struct rig *rig[2];
	struct aoe_export *export_[2];
	struct pkt *pkts[BURST];
	uint64_t state = 88172645463325252ull;
	unsigned total = 0;
	for (unsigned r = 0; r < 2; r++) {
		rig[r] = rig_create();
		export_[r] = rig_serve_one(rig[r]);
	}
	for (unsigned round = 0; round < 200; round++) {
		const unsigned count = (unsigned)(draw(&state) % (BURST + 1));
		for (unsigned i = 0; i < count; i++) {
			const struct aoe_frame frame = frame_of(&state);
			const uint32_t cut_bytes = draw(&state) % 8 ? 0 : 1 + (uint32_t)(draw(&state) % 20);
			output_one(rig[0], pkt_of(rig[0], frame, cut_bytes));
			pkts[i] = pkt_of(rig[1], frame, cut_bytes);
		}
		aoe_input_burst(rig[1]->lcore, pkts, count, rig[1]->now_ns);
		total += rig[0]->out_count;
		expect_same_output(rig, round);
	}
	cr_expect_gt(total, 1000u);
	cr_expect(!memcmp(rig[0]->lcore_stats, rig[1]->lcore_stats, sizeof rig[0]->lcore_stats));
	cr_expect(!memcmp(aoe_export_stats(export_[0]), aoe_export_stats(export_[1]),
			  WHERRY_EXPORT_STAT_COUNT * sizeof(uint64_t)));
	cr_expect(!memcmp(rig[0]->disk.bytes, rig[1]->disk.bytes, rig[0]->disk.volume.size_bytes));
	for (unsigned r = 0; r < 2; r++) {
		rig_remove(rig[r], export_[r]);
		rig_destroy(rig[r]);
	}
}

/* What was fetched, and when: in front of the I/O of which number. */
static struct {
	unsigned run_count, count, before[BURST];
	uint64_t offset[BURST], len[BURST];
} fetched;

static void fetch(struct backend *backend, uint64_t offset_bytes, uint64_t len_bytes)
{
	cr_assert(len_bytes <= backend->size_bytes && offset_bytes <= backend->size_bytes - len_bytes);
	cr_assert_lt(fetched.count, BURST);
	fetched.before[fetched.count] = fetched.run_count;
	fetched.offset[fetched.count] = offset_bytes;
	fetched.len[fetched.count++] = len_bytes;
}

static enum io_status run(struct backend *backend, struct backend_io *io)
{
	(void)backend;
	(void)io;
	fetched.run_count++;
	return IO_OK;
}

Test(aoe_burst, fetches_the_blocks_of_the_next_frame_before_it_serves_one)
{
	static const struct backend_ops ops = {.name = "fetch", .run = run, .prefetch = fetch};
	static uint8_t data[512];
	struct backend backend = {&ops, 1 << 20, 1, 1};
	struct rig *rig = rig_create();
	struct volume volume;
	vol_init(&volume, 1, &backend, NULL, 1 << 20, 512);
	struct aoe_export *export_ = aoe_export_create(rig_put(1, 0), &volume);
	aoe_export_add(rig->lcore, export_, false, 0);
	struct pkt *pkts[] = {
		pkt_of(rig, rig_ata(ATA_READ_EXT, 10, 2), 0),
		pkt_of(rig, rig_ata(ATA_READ_EXT, 20, 2), 0),
		pkt_of(rig, rig_ata(ATA_IDENTIFY, 0, 1), 0),
		pkt_of(rig, rig_write(ATA_WRITE_EXT, 30, 1, data), 0),
		pkt_of(rig, rig_ata(ATA_READ_EXT, 2047, 2), 0),                         /* behind the end */
		pkt_of(rig, rig_ata(ATA_READ_EXT, ATA_LBA48_MASK, 2), 0),               /* far behind it */
		pkt_of(rig, rig_ata(ATA_READ_EXT, 40, 2), 3),                           /* cut */
		pkt_of(rig, rig_to(rig_ata(ATA_READ_EXT, 40, 2), 7, 7), 0),             /* nobody's */
		pkt_of(rig, rig_to(rig_ata(ATA_READ_EXT, 40, 2), AOE_SHELF_ANY, 0), 0), /* everybody's */
		pkt_of(rig, rig_ata(ATA_READ, 0x50000000 | 50, 1), 0),                  /* 28 bits count */
	};
	aoe_input_burst(rig->lcore, pkts, sizeof pkts / sizeof pkts[0], 0);
	cr_assert_eq(fetched.count, 3u);
	cr_expect(fetched.before[0] == 0 && fetched.offset[0] == 20 * 512 && fetched.len[0] == 1024);
	cr_expect(fetched.before[1] == 2 && fetched.offset[1] == 30 * 512 && fetched.len[1] == 512);
	cr_expect(fetched.before[2] == 3 && fetched.offset[2] == 50 * 512 && fetched.len[2] == 512);
	cr_expect_eq(fetched.run_count, 4u);
	rig_poll(rig);
	rig_discard(rig);
	aoe_export_remove(rig->lcore, aoe_export_id(export_));
	aoe_export_destroy(export_);
	rig_destroy(rig);
}
