/* SPDX-License-Identifier: BSD-3-Clause */
/* The bench that AoE is tested on. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>

const uint8_t rig_mac_a[6] = {0x02, 0xc1, 0, 0, 0, 0x0a};
const uint8_t rig_mac_b[6] = {0x02, 0xc1, 0, 0, 0, 0x0b};
const uint8_t rig_mac_c[6] = {0x02, 0xc1, 0, 0, 0, 0x0c};
const uint8_t rig_port_mac[6] = {0x02, 0x77, 0, 0, 0, 0x00};

/* ---- disk ---- */

static enum io_status disk_run(struct rig_disk *disk, struct backend_io *io)
{
	uint8_t *at = disk->bytes + io->offset_bytes;
	bool change = io->op == BACKEND_WRITE || io->op == BACKEND_DISCARD || io->op == BACKEND_WRITE_ZEROES;
	disk->fua_count += (io->flags & BACKEND_FUA) != 0;
	if (io->op == BACKEND_READ && disk->fail_read != IO_OK)
		return disk->fail_read;
	if (change && disk->fail_change != IO_OK)
		return disk->fail_change;
	switch (io->op) {
	case BACKEND_READ:
	case BACKEND_WRITE:
		disk->last_address = (uintptr_t)io->iov[0].iov_base;
		for (uint32_t i = 0; i < io->iov_count; i++) {
			if (io->op == BACKEND_READ)
				memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
			else
				memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
			at += io->iov[i].iov_len;
		}
		*(io->op == BACKEND_READ ? &disk->read_count : &disk->write_count) += 1;
		return IO_OK;
	case BACKEND_FLUSH:
		disk->flush_count++;
		return disk->fail_flush;
	case BACKEND_DISCARD:
		disk->discard_count++;
		memset(at, 0xdd, io->len_bytes);
		return IO_OK;
	case BACKEND_WRITE_ZEROES:
		memset(at, 0, io->len_bytes);
		return IO_OK;
	}
	return IO_ERR_UNSUPPORTED;
}

static void disk_submit(struct backend *backend, struct backend_io *io)
{
	struct rig_disk *disk = (struct rig_disk *)backend;
	if (!disk->hold) {
		io->done(io, disk_run(disk, io));
		return;
	}
	cr_assert_lt(disk->held_count, sizeof disk->held / sizeof disk->held[0]);
	disk->held[disk->held_count++] = io;
}

static void disk_destroy(struct backend *backend)
{
	(void)backend;
}

static const struct backend_ops disk_ops = {.name = "rig", .submit = disk_submit, .destroy = disk_destroy};

void rig_disk_init(struct rig_disk *disk, uint64_t size_bytes, uint32_t block_bytes, uint32_t memory_align_bytes)
{
	memset(disk, 0, sizeof *disk);
	disk->backend = (struct backend){&disk_ops, size_bytes, 1, memory_align_bytes};
	disk->bytes = calloc(1, size_bytes);
	disk->bounce = vol_bounce_pool_create(4, 65536);
	cr_assert(disk->bytes && disk->bounce);
	vol_init(&disk->volume, 7, &disk->backend, disk->bounce, size_bytes, block_bytes);
}

void rig_disk_fini(struct rig_disk *disk)
{
	cr_expect_eq(disk->held_count, 0);
	vol_bounce_pool_destroy(disk->bounce);
	free(disk->bytes);
}

void rig_disk_release(struct rig_disk *disk, unsigned index)
{
	cr_assert_lt(index, disk->held_count);
	struct backend_io *io = disk->held[index];
	memmove(&disk->held[index], &disk->held[index + 1], (--disk->held_count - index) * sizeof disk->held[0]);
	io->done(io, disk_run(disk, io));
}

void rig_disk_release_all(struct rig_disk *disk)
{
	while (disk->held_count)
		rig_disk_release(disk, 0);
}

/* ---- rig ---- */

static void rig_output(void *ctx, struct pkt *pkt)
{
	struct rig *rig = ctx;
	cr_assert_lt(rig->out_count, RIG_OUT_MAX);
	rig->out[rig->out_count++] = pkt;
}

static int rig_persist(void *ctx, const struct aoe_persist *change)
{
	struct rig *rig = ctx;
	if (rig->persist_result != 0)
		return rig->persist_result;
	rig->persist_count++;
	rig->persist = *change;
	memcpy(rig->persist_config, change->config, change->config_bytes);
	memcpy(rig->persist_list, change->list, change->list_count * sizeof change->list[0]);
	rig->persist.config = rig->persist_config;
	rig->persist.list = rig->persist_list;
	return 0;
}

static uint64_t *rig_client_stats(void *ctx, const uint8_t mac[6], uint16_t port_index, uint16_t vlan, uint64_t now_ns)
{
	struct rig *rig = ctx;
	(void)now_ns;
	for (unsigned i = 0; i < rig->client_count; i++) {
		struct rig_client *client = &rig->clients[i];
		if (client->port_index == port_index && client->vlan == vlan && !memcmp(client->mac, mac, 6))
			return client->stats;
	}
	if (rig->client_count == sizeof rig->clients / sizeof rig->clients[0])
		return NULL;
	struct rig_client *client = &rig->clients[rig->client_count++];
	*client = (struct rig_client){.port_index = port_index, .vlan = vlan};
	memcpy(client->mac, mac, 6);
	return client->stats;
}

struct rig *rig_create_with(uint32_t request_count)
{
	struct rig *rig = calloc(1, sizeof *rig);
	cr_assert(rig);
	pkt_heap_init(&rig->heap);
	for (unsigned i = 0; i < WHERRY_PORT_COUNT_MAX; i++) {
		memcpy(rig->ports[i].mac, rig_port_mac, 6);
		rig->ports[i].mac[5] = (uint8_t)i;
		rig->ports[i].mtu = i == 1 ? 9000 : 1500;
		rig->ports[i].present = i < 2;
	}
	rig->now_ns = 1000000000;
	const struct aoe_env env = {
		.ctx = rig,
		.pool = pkt_heap_pool(&rig->heap),
		.output = rig_output,
		.persist = rig_persist,
		.client_stats = rig_client_stats,
		.ports = rig->ports,
		.lcore_stats = rig->lcore_stats,
		.now_ns = &rig->now_ns,
	};
	rig->lcore = aoe_lcore_create(&env, request_count);
	cr_assert(rig->lcore);
	rig_disk_init(&rig->disk, 1 << 20, 512, 1);
	return rig;
}

struct rig *rig_create(void)
{
	return rig_create_with(128);
}

void rig_destroy(struct rig *rig)
{
	rig_discard(rig);
	cr_expect_eq(aoe_lcore_under_way(rig->lcore), 0, "nothing is under way");
	aoe_lcore_destroy(rig->lcore);
	cr_expect_eq(rig->heap.out_count, 0, "every packet was sent or freed");
	rig_disk_fini(&rig->disk);
	free(rig);
}

struct wherry_ctl_aoe_export_put *rig_put(uint16_t shelf, uint8_t slot)
{
	static struct wherry_ctl_aoe_export_put put;
	memset(&put, 0, sizeof put);
	put.id = (uint64_t)shelf << 8 | slot;
	put.shelf = shelf;
	put.slot = slot;
	put.flags = WHERRY_AOE_REMOTE_MASK | WHERRY_AOE_REMOTE_CONFIG | WHERRY_AOE_REMOTE_FORCE_RESERVE;
	put.buffer_count = 16;
	put.state_generation = 1;
	memcpy(put.serial, "SN0001", 7);
	memcpy(put.model, "wherry test", 12);
	return &put;
}

struct aoe_export *rig_serve(struct rig *rig, const struct wherry_ctl_aoe_export_put *put)
{
	struct aoe_export *export_ = aoe_export_create(put, &rig->disk.volume);
	cr_assert(export_);
	struct aoe_export *old = aoe_export_add(rig->lcore, export_, false, rig->now_ns);
	cr_assert_null(old);
	return export_;
}

struct aoe_export *rig_serve_one(struct rig *rig)
{
	return rig_serve(rig, rig_put(1, 0));
}

void rig_remove(struct rig *rig, struct aoe_export *export_)
{
	cr_assert_eq(aoe_export_remove(rig->lcore, aoe_export_id(export_)), export_);
	cr_assert(aoe_export_idle(export_));
	aoe_export_destroy(export_);
}

/* ---- requests ---- */

static struct aoe_frame request(uint8_t command)
{
	static uint32_t tag;
	struct aoe_frame frame = {.header = {.version = 1, .shelf = 1, .slot = 0, .command = command}};
	memcpy(frame.eth.dst, rig_port_mac, 6);
	memcpy(frame.eth.src, rig_mac_a, 6);
	tag += 0x01010101;
	memcpy(frame.header.tag, &tag, 4);
	return frame;
}

struct aoe_frame rig_ata(uint8_t opcode, uint64_t lba, uint8_t sector_count)
{
	struct aoe_frame frame = request(AOE_COMMAND_ATA);
	bool lba48 = ata_commands[opcode].lba48;
	frame.ata.flags = lba48 ? AOE_ATA_LBA48 : 0;
	frame.ata.command = opcode;
	frame.ata.sector_count = sector_count;
	for (int i = 0; i < 6; i++)
		frame.ata.lba[i] = (uint8_t)(lba >> 8 * i);
	if (!lba48)
		frame.ata.lba[3] |= 0xe0;
	return frame;
}

struct aoe_frame rig_write(uint8_t opcode, uint64_t lba, uint8_t sector_count, const uint8_t *data)
{
	struct aoe_frame frame = rig_ata(opcode, lba, sector_count);
	frame.ata.flags |= AOE_ATA_WRITE;
	frame.ata.data = data;
	frame.ata.data_bytes = sector_count * ATA_SECTOR_BYTES;
	return frame;
}

struct aoe_frame rig_config(uint8_t command, const void *string, uint16_t string_bytes)
{
	struct aoe_frame frame = request(AOE_COMMAND_CONFIG);
	frame.config.command = command;
	frame.config.string = string;
	frame.config.string_bytes = string_bytes;
	return frame;
}

struct aoe_frame rig_mask_read(void)
{
	struct aoe_frame frame = request(AOE_COMMAND_MASK);
	frame.mask.command = AOE_MASK_READ;
	return frame;
}

struct aoe_frame rig_mask_edit(const struct aoe_directive *directives, uint8_t directive_count)
{
	static uint8_t bytes[255 * AOE_DIRECTIVE_BYTES];
	struct aoe_frame frame = request(AOE_COMMAND_MASK);
	for (unsigned i = 0; i < directive_count; i++)
		aoe_directive_emit(bytes, i, &directives[i]);
	frame.mask = (struct aoe_mask){AOE_MASK_EDIT, 0, directive_count, bytes};
	return frame;
}

struct aoe_frame rig_mask_one(uint8_t command, const uint8_t mac[6])
{
	struct aoe_directive directive = {.command = command};
	memcpy(directive.mac, mac, 6);
	return rig_mask_edit(&directive, 1);
}

struct aoe_frame rig_reserve(uint8_t command, const void *macs, uint8_t mac_count)
{
	struct aoe_frame frame = request(AOE_COMMAND_RESERVE);
	frame.reserve = (struct aoe_reserve){command, mac_count, macs};
	return frame;
}

struct aoe_frame rig_from(struct aoe_frame frame, const uint8_t mac[6])
{
	memcpy(frame.eth.src, mac, 6);
	return frame;
}

struct aoe_frame rig_to(struct aoe_frame frame, uint16_t shelf, uint8_t slot)
{
	frame.header.shelf = shelf;
	frame.header.slot = slot;
	return frame;
}

struct aoe_frame rig_broadcast(struct aoe_frame frame)
{
	memset(frame.eth.dst, 0xff, 6);
	return frame;
}

struct aoe_frame rig_tagged(struct aoe_frame frame, uint16_t tci)
{
	frame.eth.tagged = true;
	frame.eth.tci = tci;
	return frame;
}

/* ---- answers ---- */

static struct rig_answer answer;

/* What holds for every answer and every advertisement. */
static void check_answer(struct rig *rig)
{
	const struct aoe_frame *frame = &answer.frame;
	cr_assert_eq(aoe_frame_parse(answer.bytes, answer.len_bytes, &answer.frame).result, WIRE_OK, "it can be read");
	cr_expect_geq(answer.len_bytes, frame->eth.tagged ? 64 : 60, "long enough for every client");
	cr_expect_leq(answer.len_bytes, (uint32_t)rig->ports[answer.port_index].mtu + 14 + (frame->eth.tagged ? 4 : 0),
		      "fits the MTU");
	cr_expect_arr_eq(frame->eth.src, rig->ports[answer.port_index].mac, 6, "from the port");
	cr_expect(frame->header.flags & AOE_FLAG_RESPONSE, "is a response");
	cr_expect_eq(frame->header.version, 1);
	cr_expect_eq(answer.bytes[frame->eth.tagged ? 18 : 14] & 3, 0, "low bits are zero");
	cr_expect_neq(frame->header.shelf, AOE_SHELF_ANY, "real shelf");
	cr_expect_neq(frame->header.slot, AOE_SLOT_ANY, "real slot");
	if (!(frame->header.flags & AOE_FLAG_ERROR))
		cr_expect_eq(frame->header.error, 0);
}

static void take(struct rig *rig, struct pkt *pkt)
{
	cr_assert_leq(pkt->len_bytes, RIG_FRAME_BYTES);
	memcpy(answer.bytes, pkt->data, pkt->len_bytes);
	answer.got = true;
	answer.len_bytes = pkt->len_bytes;
	answer.port_index = pkt->port_index;
	pkt_heap_free(pkt);
	check_answer(rig);
}

const struct rig_answer *rig_next(struct rig *rig)
{
	answer.got = false;
	if (rig->out_first < rig->out_count)
		take(rig, rig->out[rig->out_first++]);
	return &answer;
}

const struct rig_answer *rig_ask_bytes(struct rig *rig, const uint8_t *bytes, uint32_t len_bytes, uint16_t port_index,
				       uint32_t tailroom_bytes)
{
	cr_assert_eq(rig->out_first, rig->out_count, "earlier answers were looked at");
	struct pkt *pkt = pkt_heap_make(&rig->heap, bytes, len_bytes, 0, tailroom_bytes);
	pkt->port_index = port_index;
	pkt->arrived_ns = rig->arrived_ns;
	answer.verdict = aoe_input(rig->lcore, pkt, rig->now_ns);
	enum aoe_verdict verdict = answer.verdict;
	switch (verdict) {
	case AOE_REPLY:
		take(rig, pkt);
		break;
	case AOE_DROP:
		answer.got = false;
		pkt_heap_free(pkt);
		break;
	case AOE_PENDING:
		rig_next(rig);
		break;
	}
	answer.verdict = verdict;
	return &answer;
}

const struct rig_answer *rig_ask_port(struct rig *rig, struct aoe_frame frame, uint16_t port_index)
{
	static uint8_t bytes[RIG_FRAME_BYTES];
	if (!eth_addr_is_group(frame.eth.dst))
		memcpy(frame.eth.dst, rig->ports[port_index].mac, 6);
	uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
	cr_assert(len);
	rig_ask_bytes(rig, bytes, len, port_index, 9000 + 14 + 4 + PKT_SLACK_BYTES - len);
	if (answer.got) {
		cr_expect_arr_eq(answer.frame.eth.dst, frame.eth.src, 6, "to the client");
		cr_expect_arr_eq(answer.frame.header.tag, frame.header.tag, 4, "with its tag");
		cr_expect_eq(answer.frame.header.command, frame.header.command);
		cr_expect_eq(answer.frame.eth.tagged, frame.eth.tagged);
		cr_expect_eq(answer.frame.eth.tci, frame.eth.tci, "with its VLAN tag");
		cr_expect_eq(answer.port_index, port_index);
	}
	return &answer;
}

const struct rig_answer *rig_ask(struct rig *rig, struct aoe_frame frame)
{
	return rig_ask_port(rig, frame, 0);
}

unsigned rig_discard(struct rig *rig)
{
	unsigned count = 0;
	for (; rig->out_first < rig->out_count; count++)
		pkt_heap_free(rig->out[rig->out_first++]);
	rig->out_first = rig->out_count = 0;
	return count;
}

unsigned rig_poll(struct rig *rig)
{
	unsigned total = 0;
	for (unsigned idle = 0; idle < 64;) {
		unsigned count = aoe_poll(rig->lcore, rig->now_ns);
		total += count;
		idle = count ? 0 : idle + 1;
	}
	return total;
}

void rig_persisted(struct rig *rig, int status, uint64_t state_generation)
{
	aoe_on_persisted(rig->lcore, rig->persist.cookie, status, state_generation, rig->now_ns);
}

uint64_t rig_stat(const struct aoe_export *export_, enum wherry_export_stat stat)
{
	return aoe_export_stats(export_)[stat];
}

uint64_t rig_client_stat(struct rig *rig, const uint8_t mac[6], enum wherry_client_stat stat)
{
	return rig_client_stats(rig, mac, 0, 0, 0)[stat];
}
