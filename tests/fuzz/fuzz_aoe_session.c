/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session with an AoE lcore: frames, completions that come late or fail, a
 * control plane that is slow or away, exports that are replaced, an operator who
 * changes state, packets that run out.
 *
 * Input: one byte of policy, then steps; the first byte of a step says which.
 * Frames are mostly bytes of the input behind a header that is likely to be
 * accepted, because a mutation seldom finds one.
 *
 * What must hold: an answer is padded, goes to one station, comes from the port,
 * carries a real address, and its station was not masked when the export looked
 * at the frame; every packet is sent or freed exactly once; when all I/O and all
 * changes are over, nothing is under way.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "aoe/aoe_priv.h"
#include "pkt/pkt_heap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define DISK_BYTES 65536u
#define HELD_MAX 64
#define STEPS_MAX 400
#define PERSIST_MAX 4

struct disk {
	struct backend backend; /* first member */
	struct volume volume;
	uint8_t bytes[DISK_BYTES];
};

struct session {
	struct pkt_heap heap;
	struct aoe_port ports[WHERRY_PORT_COUNT_MAX];
	uint64_t lcore_stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t client_stats[WHERRY_CLIENT_STAT_COUNT];
	uint64_t now_ns;
	struct aoe_lcore *lcore;
	struct disk disks[2];
	struct aoe_export *exports[2];
	struct aoe_export *retired[STEPS_MAX + 4]; /* replaced or removed, not idle yet */
	unsigned retired_count;
	struct backend_io *held[HELD_MAX];
	unsigned held_count;
	bool hold, away;
	bool has_arrivals; /* frames tell since when they may have been waiting */
	uint64_t cookies[PERSIST_MAX], generations[PERSIST_MAX];
	unsigned persist_count;
	uint64_t generation;
	const uint8_t *at, *end;
	bool checking_mask; /* inside a call whose answers are to stations that may talk now */
};

static struct session s;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static uint8_t next_byte(void)
{
	return s.at < s.end ? *s.at++ : 0;
}

/* ---- surroundings ---- */

static enum io_status disk_run(struct backend_io *io, struct disk *disk)
{
	uint8_t *at = disk->bytes + io->offset_bytes;
	require(io->offset_bytes <= DISK_BYTES && io->len_bytes <= DISK_BYTES - io->offset_bytes);
	switch (io->op) {
	case BACKEND_READ:
	case BACKEND_WRITE:
		for (uint32_t i = 0; i < io->iov_count; i++) {
			if (io->op == BACKEND_READ)
				memcpy(io->iov[i].iov_base, at, io->iov[i].iov_len);
			else
				memcpy(at, io->iov[i].iov_base, io->iov[i].iov_len);
			at += io->iov[i].iov_len;
		}
		break;
	case BACKEND_DISCARD:
	case BACKEND_WRITE_ZEROES:
		memset(at, 0, io->len_bytes);
		break;
	case BACKEND_FLUSH:
		break;
	}
	return IO_OK;
}

static void disk_submit(struct backend *backend, struct backend_io *io)
{
	if (s.hold && s.held_count < HELD_MAX) {
		io->file = backend;
		s.held[s.held_count++] = io;
		return;
	}
	io->done(io, disk_run(io, (struct disk *)backend));
}

static const struct backend_ops disk_ops = {.name = "fuzz", .submit = disk_submit};

static void release(unsigned index, enum io_status status)
{
	struct backend_io *io = s.held[index];
	s.held[index] = s.held[--s.held_count];
	if (status == IO_OK)
		status = disk_run(io, (struct disk *)io->file);
	io->done(io, status);
}

static struct aoe_export *export_at(uint16_t shelf, uint8_t slot)
{
	return table_get(&s.lcore->by_key, aoe_key(shelf, slot));
}

static void check_sent(const struct pkt *pkt)
{
	struct aoe_frame frame;
	const struct aoe_port *port = &s.ports[pkt->port_index];
	require(aoe_frame_parse(pkt->data, pkt->len_bytes, &frame).result == WIRE_OK);
	const uint32_t tag_bytes = frame.eth.tagged ? ETH_TAG_BYTES : 0;
	require(pkt->data >= pkt->head && pkt->data + pkt->len_bytes <= pkt->head + pkt->room_bytes);
	require(pkt->len_bytes >= ETH_FRAME_BYTES_MIN + tag_bytes);
	require(pkt->len_bytes <= ETH_HEADER_BYTES + tag_bytes + port->mtu);
	require(eth_addr_equal(frame.eth.src, port->mac));
	require(frame.header.flags & AOE_FLAG_RESPONSE);
	require(!(frame.header.flags & AOE_FLAG_ERROR) == !frame.header.error);
	require(frame.header.shelf != AOE_SHELF_ANY && frame.header.slot != AOE_SLOT_ANY);
	const bool error = frame.header.error != 0;
	if (frame.header.command == AOE_COMMAND_ATA && !error && frame.ata.command == ATA_STATUS_ERROR) {
		/* No data with an error, but for the empty sector of SMART. */
		require(frame.ata.feature != 0);
		require(pkt->len_bytes <= AOE_ATA_HEADER_BYTES + ATA_SECTOR_BYTES + tag_bytes);
		for (uint32_t i = AOE_ATA_HEADER_BYTES + tag_bytes; i < pkt->len_bytes; i++)
			require(pkt->data[i] == 0);
	}
	struct aoe_export *export_ = export_at(frame.header.shelf, frame.header.slot);
	const bool everybody = eth_addr_is_group(frame.eth.dst);
	if (everybody)
		require(frame.header.command == AOE_COMMAND_CONFIG && export_ && export_->state.mask.count == 0);
	else if (s.checking_mask && export_ && export_->state.mask.count)
		require(aoe_mac_list_has(&export_->state.mask, frame.eth.dst));
}

static void output(void *ctx, struct pkt *pkt)
{
	(void)ctx;
	check_sent(pkt);
	pkt_heap_free(pkt);
}

static int persist(void *ctx, const struct aoe_persist *change)
{
	(void)ctx;
	require(change->list_count <= WHERRY_AOE_RESERVE_COUNT_MAX);
	require(change->config_bytes <= WHERRY_AOE_CONFIG_BYTES_MAX);
	require(change->change != WHERRY_AOE_CHANGE_MASK || change->list_count <= WHERRY_AOE_MASK_COUNT_MAX);
	if (s.away || s.persist_count == PERSIST_MAX)
		return -EAGAIN;
	s.cookies[s.persist_count] = change->cookie;
	s.generations[s.persist_count++] = change->base_generation;
	return 0;
}

static uint64_t *client_stats(void *ctx, const uint8_t mac[6], uint16_t port_index, uint16_t vlan, uint64_t now_ns)
{
	(void)ctx, (void)now_ns;
	require(!eth_addr_is_group(mac) && port_index < WHERRY_PORT_COUNT_MAX && vlan < 4096);
	return s.client_stats;
}

/* ---- steps ---- */

static void persisted(unsigned index, int status, uint64_t generation)
{
	const uint64_t cookie = s.cookies[index];
	s.persist_count--;
	s.cookies[index] = s.cookies[s.persist_count];
	s.generations[index] = s.generations[s.persist_count];
	aoe_on_persisted(s.lcore, cookie, status, generation, s.now_ns);
}

static void retire(struct aoe_export *export_)
{
	if (!export_)
		return;
	if (aoe_export_idle(export_))
		aoe_export_destroy(export_);
	else
		s.retired[s.retired_count++] = export_;
}

static void put_export(unsigned index, uint8_t policy, bool advertise)
{
	static struct wherry_ctl_aoe_export_put put;
	memset(&put, 0, sizeof put);
	put.id = 1 + index;
	put.shelf = 1;
	put.slot = (uint8_t)(policy & 0x80 ? 0 : index); /* sometimes both claim one address */
	put.flags = policy & 0xf;
	put.buffer_count = policy;
	put.sectors_max = policy & 0x10 ? 3 : 0;
	put.state_generation = policy & 0x20 ? ++s.generation : 0;
	if (policy & 0x40) {
		put.vlans.count = 2;
		put.vlans.v[1] = 5;
	}
	struct aoe_export *export_ = aoe_export_create(&put, &s.disks[index].volume);
	require(export_ != NULL);
	struct aoe_export *old = aoe_export_add(s.lcore, export_, advertise, s.now_ns);
	require(old == s.exports[index]);
	s.exports[index] = export_;
	retire(old);
}

static void remove_export(unsigned index)
{
	if (!s.exports[index])
		return;
	s.checking_mask = false; /* those who wait are told, masked or not */
	struct aoe_export *export_ = aoe_export_remove(s.lcore, 1 + index);
	require(export_ == s.exports[index]);
	s.exports[index] = NULL;
	retire(export_);
}

static void put_state(unsigned index)
{
	static struct wherry_ctl_aoe_state_put put;
	if (!s.exports[index])
		return;
	memset(&put, 0, sizeof put);
	put.export_id = 1 + index;
	put.state_generation = ++s.generation;
	put.config.len = next_byte();
	put.mask.count = next_byte() % 3;
	put.reserve.count = next_byte() % 3;
	for (unsigned i = 0; i < 2; i++) {
		put.mask.mac[i].b[0] = put.reserve.mac[i].b[0] = 2;
		put.mask.mac[i].b[5] = put.reserve.mac[i].b[5] = next_byte() & 3;
	}
	aoe_export_state_put(s.exports[index], &put);
}

/* A header that gets far, then bytes of the input. */
static uint32_t frame_head(uint8_t *to, uint8_t how)
{
	struct eth_header eth = {.type = AOE_ETHERTYPE, .dst = {2, 0x77, 0, 0, 0, 0}, .src = {2, 0, 0, 0, 0, 0}};
	struct aoe_header header = {.version = how & 0x80 && !(how & 0x60) ? how & 0xf : AOE_VERSION, .shelf = 1};
	eth.src[5] = how & 3;
	if (how & 0x10)
		memset(eth.dst, 0xff, sizeof eth.dst);
	eth.tagged = how & 0x20;
	eth.tci = how & 0x20 ? next_byte() & 7 : 0;
	header.slot = how >> 2 & 1;
	if (how & 0x40) {
		header.shelf = how & 4 ? AOE_SHELF_ANY : 1;
		header.slot = AOE_SLOT_ANY;
	}
	header.command = next_byte() % 5;
	memset(header.tag, how, sizeof header.tag);
	uint32_t bytes = eth_header_emit(to, 64, &eth);
	return bytes + aoe_header_emit(to + bytes, 64 - bytes, &header);
}

static void input_frame(uint8_t how)
{
	static uint8_t bytes[64 + 65535];
	const bool raw = how & 8;
	uint32_t len = raw ? 0 : frame_head(bytes, how);
	uint32_t tail = next_byte();
	const uint32_t stretch = next_byte(); /* zeroes behind: padding, or the data of a write */
	if (tail > (size_t)(s.end - s.at))
		tail = (uint32_t)(s.end - s.at);
	if (tail)
		memcpy(bytes + len, s.at, tail);
	s.at += tail;
	len += tail;
	memset(bytes + len, 0, stretch * 16);
	len += stretch * 16;

	const uint8_t room = next_byte();
	struct pkt *pkt = pkt_heap_make(&s.heap, bytes, len, room & 0xf0, room & 1 ? 0 : 9600);
	pkt->port_index = room >> 1 & 1;
	if (s.has_arrivals)
		pkt->arrived_ns = room & 4 ? s.now_ns : 1;
	s.checking_mask = true;
	switch (aoe_input(s.lcore, pkt, s.now_ns)) {
	case AOE_REPLY:
		check_sent(pkt);
		pkt_heap_free(pkt);
		break;
	case AOE_DROP:
		pkt_heap_free(pkt);
		break;
	case AOE_PENDING:
		break;
	}
	s.checking_mask = false;
}

static void poll_once(void)
{
	s.checking_mask = true;
	require(aoe_poll(s.lcore, s.now_ns) <= AOE_POLL_FRAMES);
	s.checking_mask = false;
}

static void step(void)
{
	const uint8_t what = next_byte(), how = next_byte();
	switch (what % 12) {
	case 0:
	case 1:
	case 2:
	case 3:
		input_frame(how);
		break;
	case 4:
		poll_once();
		break;
	case 5:
		if (s.held_count)
			release(how % s.held_count, what & 0x80 ? (enum io_status)(how % IO_STATUS_COUNT) : IO_OK);
		break;
	case 6:
		if (s.persist_count) {
			unsigned index = how % s.persist_count;
			int status = how & 0x40 ? -EAGAIN : how & 0x20 ? -EIO : 0;
			persisted(index, status, status ? 0 : s.generations[index] + 1);
		}
		break;
	case 7:
		put_state(how & 1);
		break;
	case 8:
		put_export(how & 1, next_byte(), how & 2);
		break;
	case 9:
		if (how & 4)
			remove_export(how & 1);
		else
			aoe_advertise_all(s.lcore);
		break;
	case 10:
		s.hold = how & 1;
		s.away = how & 2;
		s.heap.count_max = how & 4 ? how >> 3 : UINT32_MAX;
		break;
	case 11:
		s.now_ns += (uint64_t)how << 24;
		s.disks[how & 1].volume.offline = how & 2;
		s.disks[how & 1].volume.write_back = how & 4;
		if (aoe_lcore_under_way(s.lcore) == 0) /* an answer under way was measured by the old one */
			s.ports[1].mtu = how & 8 ? 576 : 9000;
		break;
	}
	require(s.heap.out_count == aoe_lcore_under_way(s.lcore) + s.lcore->wild_count);
}

/* ---- beginning and end ---- */

static void begin(uint8_t policy)
{
	static struct vol_bounce_pool *bounce;
	memset(&s, 0, sizeof s);
	if (!bounce)
		bounce = vol_bounce_pool_create(2, 65536);
	pkt_heap_init(&s.heap);
	s.now_ns = 1;
	for (unsigned i = 0; i < 2; i++) {
		struct disk *disk = &s.disks[i];
		disk->backend = (struct backend){&disk_ops, DISK_BYTES, 1, i ? 512 : 1};
		vol_init(&disk->volume, i, &disk->backend, bounce, DISK_BYTES, i ? 4096 : 512);
		s.ports[i] = (struct aoe_port){{2, 0x77, 0, 0, 0, 0}, i ? 9000 : 1500, true, 1, {5}};
	}
	const struct aoe_env env = {
		.pool = pkt_heap_pool(&s.heap),
		.output = output,
		.persist = persist,
		.client_stats = policy & 0x80 ? NULL : client_stats,
		.ports = s.ports,
		.lcore_stats = s.lcore_stats,
		.now_ns = &s.now_ns,
	};
	/* Two lcores are kept from run to run, because their tables cost more than a run; a run leaves them empty. */
	static struct aoe_lcore *lcores[2];
	struct aoe_lcore **kept = &lcores[policy >> 6 & 1];
	if (!*kept)
		*kept = aoe_lcore_create(&env, policy & 0x40 ? 2 : 80);
	s.lcore = *kept;
	require(s.lcore != NULL);
	s.lcore->env.client_stats = env.client_stats;
	s.lcore->change_sequence = 0;
	s.lcore->wild_first = 0;
	s.has_arrivals = policy & 0x20;
	if (s.has_arrivals) {
		aoe_history_destroy(s.lcore->history);
		s.lcore->history = aoe_history_create();
		require(s.lcore->history != NULL);
	}
	put_export(0, WHERRY_AOE_REMOTE_MASK | WHERRY_AOE_REMOTE_CONFIG | WHERRY_AOE_REMOTE_FORCE_RESERVE, policy & 1);
	put_export(1, policy & 0x7f, policy & 2);
}

static void finish(void)
{
	s.hold = false;
	s.away = true;
	while (s.persist_count)
		persisted(0, -EIO, 0);
	while (s.held_count)
		release(0, IO_OK);
	require(aoe_lcore_under_way(s.lcore) == 0);
	for (unsigned i = 0; i < 2; i++)
		remove_export(i);
	for (unsigned i = 0; i < s.retired_count; i++) {
		require(aoe_export_idle(s.retired[i]));
		aoe_export_destroy(s.retired[i]);
	}
	aoe_wild_fini(s.lcore);
	require(s.heap.out_count == 0);
	require(s.lcore->by_key.count == 0 && s.lcore->by_id.count == 0 && s.lcore->place_end == 0);
	require(TAILQ_EMPTY(&s.lcore->shadowed) && TAILQ_EMPTY(&s.lcore->ads));
	for (unsigned i = 0; i < 2; i++)
		require(s.disks[i].volume.under_way_count == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	begin(size ? data[0] : 0);
	s.at = data + (size ? 1 : 0);
	s.end = data + size;
	for (unsigned i = 0; i < STEPS_MAX && s.at < s.end; i++)
		step();
	finish();
	return 0;
}
