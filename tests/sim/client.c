/* SPDX-License-Identifier: BSD-3-Clause */
#include "client.h"

#include <string.h>

#include "world.h"

#define TRIM_SECTORS_MAX 160u

const uint8_t client_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void check_addresses(struct client *client, const struct aoe_frame *frame, uint32_t len_bytes)
{
	const struct eth_header *eth = &frame->eth;
	uint8_t mac[6];
	bool known = false;
	for (unsigned i = 0; i < client->world->scenario.port_count; i++) {
		net_mac(mac, 'P', i, 0);
		known |= memcmp(mac, eth->src, 6) == 0;
	}
	if (!known)
		sim_fail(client->sim, "client %u: an answer does not come from a port's address", client->index);
	if (len_bytes < ETH_FRAME_BYTES_MIN)
		sim_fail(client->sim, "client %u: an answer of %u bytes", client->index, len_bytes);
	if (frame->header.shelf == AOE_SHELF_ANY || frame->header.slot == AOE_SLOT_ANY)
		sim_fail(client->sim, "client %u: an answer from a wildcard address", client->index);
	if (client_tag(frame) > client->last_tag)
		sim_fail(client->sim, "client %u: an answer to tag %u, which was never sent", client->index,
			 client_tag(frame));
	if (client_tag(frame) == 0 && frame->header.command != AOE_COMMAND_CONFIG)
		sim_fail(client->sim, "client %u: tag 0 on what is no advertisement", client->index);
}

static void on_frame(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes)
{
	struct client_card *card = ctx;
	struct client *client = card->client;
	struct aoe_frame frame;
	/* What other clients broadcast is their business, and may be noise. */
	if (bytes[6] == 0x02 && bytes[8] == 'C')
		return;
	if (aoe_frame_parse(bytes, len_bytes, &frame).result != WIRE_OK) {
		if (client->trusting)
			sim_fail(sim, "client %u: an answer that cannot be parsed", client->index);
		return;
	}
	if (!(frame.header.flags & AOE_FLAG_RESPONSE))
		return;
	if (client->trusting && client->scenario->kind != CLIENT_NOISE)
		check_addresses(client, &frame, len_bytes);
	client->receive(client, card, &frame);
}

struct client *client_create(struct world *world, unsigned index)
{
	static void (*const starts[CLIENT_KIND_COUNT])(struct client * client) = {
		[CLIENT_LINUX] = linux_start, [CLIENT_IPXE] = ipxe_start,   [CLIENT_WINAOE] = winaoe_start,
		[CLIENT_ADMIN] = admin_start, [CLIENT_NOISE] = noise_start,
	};
	const struct client_scenario *scenario = &world->scenario.clients[index];
	const struct export_scenario *export_ = &world->scenario.exports[scenario->export_];
	struct client *client = sim_alloc(&world->sim, sizeof *client);
	client->world = world;
	client->sim = &world->sim;
	client->scenario = scenario;
	client->index = index;
	client->rng = sim_rng(&world->sim, "client", index);
	client->shelf = export_->shelf;
	client->slot = export_->slot;
	client->volume = &world->volumes[export_->volume];
	client->state = &world->states[scenario->export_];
	client->ops_left = scenario->op_count;
	client->trusting = !world->scenario.weather.deliver_damaged;
	for (unsigned i = 0; i < scenario->card_count; i++) {
		struct client_card *card = &client->cards[i];
		*card = (struct client_card){.client = client, .index = i};
		card->endpoint.ctx = card;
		card->endpoint.deliver = on_frame;
		card->endpoint.mtu = world->scenario.mtu;
		net_mac(card->endpoint.mac, 'C', index, i);
		net_attach(&world->net, &card->endpoint);
	}
	starts[scenario->kind](client);
	return client;
}

uint32_t client_tag(const struct aoe_frame *frame)
{
	const uint8_t *tag = frame->header.tag;
	return (uint32_t)tag[0] << 24 | (uint32_t)tag[1] << 16 | (uint32_t)tag[2] << 8 | tag[3];
}

void client_set_tag(struct aoe_frame *frame, uint32_t tag)
{
	for (unsigned i = 0; i < 4; i++)
		frame->header.tag[i] = (uint8_t)(tag >> (24 - 8 * i));
}

struct aoe_frame client_request(struct client *client, unsigned card, const uint8_t dst[6], enum aoe_command command)
{
	struct aoe_frame frame = {.header = {.version = AOE_VERSION,
					     .shelf = client->shelf,
					     .slot = client->slot,
					     .command = (uint8_t)command}};
	memcpy(frame.eth.dst, dst, 6);
	memcpy(frame.eth.src, client->cards[card].endpoint.mac, 6);
	client_set_tag(&frame, ++client->last_tag);
	return frame;
}

void client_send(struct client *client, unsigned card, const struct aoe_frame *frame)
{
	uint8_t bytes[NET_FRAME_BYTES_MAX] = {0};
	uint32_t len_bytes = aoe_frame_emit(bytes, sizeof bytes, frame);
	net_send(&client->world->net, &client->cards[card].endpoint, bytes, eth_padded_bytes(len_bytes, false));
}

static const char *const io_names[] = {"read", "write", "trim", "flush", "verify"};

static enum io_kind draw_kind(struct client *client)
{
	const struct client_scenario *scenario = client->scenario;
	if (rng_chance(&client->rng, scenario->trim_ppm))
		return IO_KIND_TRIM;
	if (rng_chance(&client->rng, scenario->flush_ppm))
		return IO_KIND_FLUSH;
	if (rng_chance(&client->rng, scenario->verify_ppm))
		return IO_KIND_VERIFY;
	return rng_below(&client->rng, 100) < scenario->read_percent ? IO_KIND_READ : IO_KIND_WRITE;
}

static void draw_place(struct client *client, struct client_io *io, uint32_t sector_count_max)
{
	struct rng *rng = &client->rng;
	const uint32_t size = client->volume->sector_count;
	if (client->sim->now_ns < client->haunted_until_ns && rng_chance(rng, 300000)) {
		io->lba = client->haunted_lba;
		io->count = client->haunted_count < sector_count_max ? client->haunted_count : sector_count_max;
		return;
	}
	/* Half of everything in one corner, so that clients meet. */
	io->lba = (uint32_t)rng_below(rng, rng_chance(rng, 500000) ? 16 : size);
	io->count = (uint32_t)rng_between(rng, 1, sector_count_max);
	if (io->count > size - io->lba)
		io->count = size - io->lba;
}

void client_haunt(struct client *client, const struct client_io *io)
{
	if (io->kind != IO_KIND_WRITE)
		return;
	client->haunted_lba = io->lba;
	client->haunted_count = io->count;
	client->haunted_until_ns = client->sim->now_ns + 3 * SEC;
}

bool client_io_draw(struct client *client, struct client_io *io, uint32_t sector_count_max)
{
	struct rng *rng = &client->rng;
	*io = (struct client_io){.kind = draw_kind(client), .issue_ns = client->sim->now_ns};
	io->lba28 = rng_chance(rng, 200000);
	if (io->kind == IO_KIND_FLUSH)
		return true;
	/* A trim's range is not in the frame: it may be far larger. */
	draw_place(client, io, io->kind == IO_KIND_TRIM ? TRIM_SECTORS_MAX : sector_count_max);
	if (io->kind != IO_KIND_WRITE && io->kind != IO_KIND_TRIM)
		return true;
	if (!oracle_may_write(client->volume, io->lba, io->count))
		return false;
	io->write = oracle_issue(client->volume, io->lba, io->count, io->kind == IO_KIND_TRIM);
	return true;
}

static uint8_t opcode(const struct client_io *io)
{
	switch (io->kind) {
	case IO_KIND_READ:
		return io->lba28 ? ATA_READ : ATA_READ_EXT;
	case IO_KIND_WRITE:
		return io->lba28 ? ATA_WRITE : ATA_WRITE_EXT;
	case IO_KIND_VERIFY:
		return io->lba28 ? ATA_VERIFY : ATA_VERIFY_EXT;
	case IO_KIND_FLUSH:
		return io->lba28 ? ATA_FLUSH : ATA_FLUSH_EXT;
	case IO_KIND_TRIM:
		break;
	}
	return ATA_DATA_SET_MANAGEMENT;
}

/* The trim's sectors as one, two or three ranges. */
static void emit_trim(struct client *client, const struct client_io *io, uint8_t *data)
{
	uint32_t lba = io->lba, left = io->count;
	memset(data, 0, SECTOR_BYTES);
	for (uint32_t i = 0; left && i < 3; i++) {
		uint32_t part = i == 2 ? left : (uint32_t)rng_between(&client->rng, 1, left);
		ata_trim_range_emit(data, i, (struct ata_trim_range){lba, part});
		lba += part;
		left -= part;
	}
}

/*
 * Can more than one frame of the write be under way when it is answered?  The
 * network's doubles can; repeats can when they have the same tag, because the
 * answer to the first one counts then.
 */
static bool copies_left(const struct client *client, struct client_io *io, const struct aoe_frame *frame)
{
	const bool repeated = io->tag == client_tag(frame);
	io->tag = client_tag(frame);
	return repeated || client->world->net.weather.double_ppm != 0;
}

void client_io_send(struct client *client, struct client_io *io, unsigned card, struct aoe_frame *frame)
{
	uint8_t data[NET_FRAME_BYTES_MAX];
	struct aoe_ata *ata = &frame->ata;
	*ata = (struct aoe_ata){.command = opcode(io), .sector_count = (uint8_t)io->count};
	ata->flags = (uint8_t)((io->lba28 ? 0 : AOE_ATA_LBA48) | (io->kind == IO_KIND_WRITE ? AOE_ATA_WRITE : 0));
	for (unsigned i = 0; i < 4; i++)
		ata->lba[i] = (uint8_t)(io->lba >> (8 * i));
	if (io->lba28)
		ata->lba[3] |= 0xe0;
	if (io->kind == IO_KIND_WRITE) {
		oracle_fill(client->volume, io->write, data);
		ata->data = data;
		ata->data_bytes = io->count * SECTOR_BYTES;
	} else if (io->kind == IO_KIND_TRIM) {
		memset(ata->lba, 0, sizeof ata->lba);
		ata->flags = AOE_ATA_LBA48 | AOE_ATA_WRITE;
		ata->feature = ATA_TRIM_FEATURE;
		ata->sector_count = 1;
		emit_trim(client, io, data);
		ata->data = data;
		ata->data_bytes = SECTOR_BYTES;
	}
	if (io->write)
		oracle_sent(client->volume, io->write, copies_left(client, io, frame));
	sim_tell(client->sim, "client %u: %s %u+%u of volume %u (write %lu) tag %u by card %u to port %u",
		 client->index, io_names[io->kind], io->lba, io->count, client->volume->index,
		 io->write ? (unsigned long)io->write->version.id : 0, client_tag(frame), card, frame->eth.dst[4]);
	client_send(client, card, frame);
}

static void check_rights(struct client *client, const struct aoe_frame *frame, uint64_t sent_ns)
{
	const uint8_t *mac = frame->eth.dst;
	if (state_masked_out(client->state, mac, sent_ns))
		sim_fail(client->sim, "client %u: masked out, yet answered", client->index);
	if ((frame->header.flags & AOE_FLAG_ERROR) && frame->header.error == AOE_ERROR_RESERVED &&
	    state_reserved_in(client->state, mac, sent_ns))
		sim_fail(client->sim, "client %u: refused as reserved, but is not", client->index);
	if (!(frame->header.flags & AOE_FLAG_ERROR) && state_reserved_out(client->state, mac, sent_ns))
		sim_fail(client->sim, "client %u: reserved by others, yet served", client->index);
}

static void settle_done(struct client *client, struct client_io *io, const struct aoe_frame *frame, uint64_t sent_ns)
{
	switch (io->kind) {
	case IO_KIND_READ:
		if (frame->ata.data_bytes < io->count * SECTOR_BYTES)
			sim_fail(client->sim, "client %u: a read of %u sectors was answered with %u bytes",
				 client->index, io->count, frame->ata.data_bytes);
		client->world->read_count++;
		oracle_read(client->volume, io->lba, io->count, frame->ata.data, io->issue_ns, sent_ns);
		break;
	case IO_KIND_WRITE:
	case IO_KIND_TRIM:
		client->world->write_count++;
		oracle_acknowledged(client->volume, io->write, sent_ns);
		break;
	case IO_KIND_FLUSH:
		oracle_flushed(client->volume, io->issue_ns);
		break;
	case IO_KIND_VERIFY:
		break;
	}
}

enum io_outcome client_io_answer(struct client *client, struct client_io *io, const struct aoe_frame *frame,
				 uint64_t sent_ns)
{
	if (frame->header.command != AOE_COMMAND_ATA)
		return IO_OUTCOME_NOTHING;
	if (client->trusting)
		check_rights(client, frame, sent_ns);
	sim_tell(client->sim, "client %u: tag %u of %s %u+%u answered, status %02x", client->index, client_tag(frame),
		 io_names[io->kind], io->lba, io->count, frame->ata.command);
	if (frame->header.flags & AOE_FLAG_ERROR)
		return IO_OUTCOME_NOTHING;
	sim_mix(client->sim, frame->ata.command);
	if (frame->ata.command & 0xa9) {
		if (client->trusting && io->write)
			oracle_failed(client->volume, io->write);
		return IO_OUTCOME_FAILED;
	}
	if (client->trusting)
		settle_done(client, io, frame, sent_ns);
	return IO_OUTCOME_DONE;
}

void client_io_abandon(struct client *client, struct client_io *io)
{
	/* A frame of it may still lie somewhere inside the target: its write stays possible. */
	(void)io;
	client_io_over(client);
}

void client_io_over(struct client *client)
{
	if (client->ops_left && --client->ops_left == 0) {
		client->finished = true;
		sim_trace(client->sim, "client %u: finished", client->index);
	}
}

bool client_is_hindered(const struct client *client, uint64_t since_ns)
{
	if (!client->world->calm || since_ns < client->world->calm_ns)
		return true;
	for (unsigned i = 0; i < client->scenario->card_count; i++) {
		const uint8_t *mac = client->cards[i].endpoint.mac;
		if (state_masked_in(client->state, mac, since_ns) && state_reserved_in(client->state, mac, since_ns))
			return false;
	}
	return true;
}
