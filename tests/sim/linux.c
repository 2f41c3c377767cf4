/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A client that behaves like the Linux aoe driver.
 *
 * It finds its target by a broadcast Query Config, repeated every 60 s; each port
 * that answers becomes a target address with a window of its own, which starts at
 * half the buffer count, falls to 1 when a request times out and grows again.
 * Requests take the addresses and its own cards by turns.  The clock for time-outs
 * ticks every 100 ms; what has waited for 2 rttavg + 8 rttdev is sent again, with
 * a new tag and by another way; an answer to an older tag is nobody's.  After
 * 180 s of trying the device fails, and all that was under way with it.
 */
#include <string.h>

#include "client.h"
#include "world.h"

#define TICK_NS (100 * MS)
#define DISCOVER_NS (60 * SEC)
#define DEAD_NS (180 * SEC)
#define WINDOW_MAX 64u
#define SLOT_MAX 64u
#define RTT_SCALE 8u     /* the average moves by 1/256 of the difference, */
#define RTT_DEV_SCALE 3u /* the deviation by 1/8 */
#define RTT_MAX_NS (4 * SEC)

struct linux_target {
	uint8_t mac[6];
	unsigned window_max, window, out, threshold, next_growth;
	unsigned card; /* the next one to use */
};

enum slot_state { SLOT_FREE, SLOT_OUT, SLOT_RESEND };

struct linux_slot {
	enum slot_state state;
	struct client_io io;
	bool identify;
	uint32_t tag;
	uint64_t first_ns, sent_ns;
	unsigned target;
};

struct linux_client {
	struct linux_target targets[PORT_MAX];
	unsigned target_count, turn;
	struct linux_slot slots[SLOT_MAX];
	bool open, identifying, dead;
	uint32_t sector_count_max;
	uint64_t rtt_avg, rtt_dev; /* scaled, ns */
	uint64_t calm_since_ns;    /* when it was last hindered */
	bool pumping;              /* an event to issue I/O is on its way */
};

static uint64_t rto_ns(const struct linux_client *linux_)
{
	uint64_t rto = 2 * (linux_->rtt_avg >> RTT_SCALE) + 8 * (linux_->rtt_dev >> RTT_DEV_SCALE);
	return rto < NET_RTO_MIN_NS ? NET_RTO_MIN_NS : rto;
}

static void on_rtt(struct linux_client *linux_, struct linux_target *target, uint64_t rtt_ns)
{
	int64_t n = (int64_t)rtt_ns - (int64_t)(linux_->rtt_avg >> RTT_SCALE);
	linux_->rtt_avg = (uint64_t)((int64_t)linux_->rtt_avg + n);
	if (n < 0)
		n = -n;
	n -= (int64_t)(linux_->rtt_dev >> RTT_DEV_SCALE);
	linux_->rtt_dev = (uint64_t)((int64_t)linux_->rtt_dev + n);
	if (target->window >= target->window_max)
		return;
	if (target->window < target->threshold) {
		target->window++;
	} else if (target->next_growth-- == 0) {
		target->window++;
		target->next_growth = target->window;
	}
}

/* A target with room, by turns; NULL: none. */
static struct linux_target *pick_target(struct linux_client *linux_)
{
	for (unsigned i = 0; i < linux_->target_count; i++) {
		struct linux_target *target = &linux_->targets[(linux_->turn + i) % linux_->target_count];
		if (target->out < target->window) {
			linux_->turn = (linux_->turn + i + 1) % linux_->target_count;
			return target;
		}
	}
	return NULL;
}

static bool send_slot(struct client *client, struct linux_slot *slot)
{
	struct linux_client *linux_ = client->kind;
	struct linux_target *target = pick_target(linux_);
	if (!target)
		return false;
	const unsigned card = target->card++ % client->scenario->card_count;
	struct aoe_frame frame = client_request(client, card, target->mac, AOE_COMMAND_ATA);
	slot->tag = client_tag(&frame);
	slot->sent_ns = client->sim->now_ns;
	slot->target = (unsigned)(target - linux_->targets);
	slot->state = SLOT_OUT;
	target->out++;
	if (slot->identify) {
		frame.ata = (struct aoe_ata){.command = ATA_IDENTIFY, .sector_count = 1};
		client_send(client, card, &frame);
	} else {
		client_io_send(client, &slot->io, card, &frame);
	}
	return true;
}

static struct linux_slot *free_slot(struct linux_client *linux_)
{
	for (unsigned i = 0; i < SLOT_MAX; i++) {
		if (linux_->slots[i].state == SLOT_FREE)
			return &linux_->slots[i];
	}
	return NULL;
}

static unsigned io_count(const struct linux_client *linux_)
{
	unsigned count = 0;
	for (unsigned i = 0; i < SLOT_MAX; i++)
		count += linux_->slots[i].state != SLOT_FREE && !linux_->slots[i].identify;
	return count;
}

static void pump(struct client *client);

static void on_pump(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	(void)sim;
	(void)arg;
	((struct linux_client *)client->kind)->pumping = false;
	pump(client);
}

static void pump_later(struct client *client)
{
	struct linux_client *linux_ = client->kind;
	if (linux_->pumping)
		return;
	linux_->pumping = true;
	sim_in(client->sim, rng_below(&client->rng, client->scenario->think_ns_max), on_pump, client, 0);
}

/* Repeats first, then new I/O while the windows have room. */
static void pump(struct client *client)
{
	struct linux_client *linux_ = client->kind;
	for (unsigned i = 0; i < SLOT_MAX; i++) {
		if (linux_->slots[i].state == SLOT_RESEND && !send_slot(client, &linux_->slots[i]))
			return;
	}
	if (!linux_->open)
		return;
	while (io_count(linux_) < client->scenario->depth && io_count(linux_) < client->ops_left) {
		struct linux_slot *slot = free_slot(linux_);
		if (!slot)
			return;
		bool room = false;
		for (unsigned i = 0; i < linux_->target_count; i++)
			room |= linux_->targets[i].out < linux_->targets[i].window;
		if (!room)
			return;
		if (!client_io_draw(client, &slot->io, linux_->sector_count_max)) {
			pump_later(client);
			return;
		}
		slot->identify = false;
		slot->first_ns = client->sim->now_ns;
		slot->state = SLOT_RESEND;
		send_slot(client, slot);
	}
}

static void identify(struct client *client)
{
	struct linux_client *linux_ = client->kind;
	struct linux_slot *slot = free_slot(linux_);
	if (!slot || linux_->identifying)
		return;
	linux_->identifying = true;
	*slot = (struct linux_slot){.state = SLOT_RESEND, .identify = true, .first_ns = client->sim->now_ns};
	send_slot(client, slot);
}

static void on_config(struct client *client, const struct client_card *card, const struct aoe_frame *frame)
{
	struct linux_client *linux_ = client->kind;
	if ((frame->header.flags & AOE_FLAG_ERROR) || frame->header.shelf != client->shelf ||
	    frame->header.slot != client->slot)
		return;
	/* Nobody who is shut out for longer than any frame can be under way may be told of the target. */
	const uint64_t longest_ns = 3 * SEC;
	const uint64_t since_ns = client->sim->now_ns < longest_ns ? 0 : client->sim->now_ns - longest_ns;
	if (client->trusting && state_masked_out(client->state, card->endpoint.mac, since_ns))
		sim_fail(client->sim, "client %u: masked out, yet told of the target", client->index);
	struct linux_target *target = NULL;
	for (unsigned i = 0; i < linux_->target_count; i++) {
		if (memcmp(linux_->targets[i].mac, frame->eth.src, 6) == 0)
			target = &linux_->targets[i];
	}
	if (!target) {
		if (linux_->target_count == PORT_MAX)
			return;
		target = &linux_->targets[linux_->target_count++];
		memcpy(target->mac, frame->eth.src, 6);
		target->window_max = frame->config.buffer_count < WINDOW_MAX ? frame->config.buffer_count : WINDOW_MAX;
		target->window = target->window_max / 2;
		target->threshold = target->window_max;
		target->next_growth = target->window;
		if (target->window == 0)
			sim_fail(client->sim, "client %u: a buffer count of %u stops Linux", client->index,
				 frame->config.buffer_count);
	}
	uint32_t sectors = (client->world->scenario.mtu - 36u) / SECTOR_BYTES;
	if (frame->config.sector_count && frame->config.sector_count < sectors)
		sectors = frame->config.sector_count;
	linux_->sector_count_max = sectors;
	if (!linux_->open)
		identify(client);
	pump(client);
}

static void on_identified(struct client *client, const struct aoe_frame *frame)
{
	struct linux_client *linux_ = client->kind;
	struct ata_identify data;
	linux_->identifying = false;
	if ((frame->header.flags & AOE_FLAG_ERROR) || (frame->ata.command & 0xa9) ||
	    frame->ata.data_bytes < SECTOR_BYTES)
		return;
	if (ata_identify_parse(frame->ata.data, &data).result != WIRE_OK ||
	    data.sector_count != client->volume->sector_count) {
		if (client->trusting)
			sim_fail(client->sim, "client %u: IDENTIFY tells %lu sectors", client->index,
				 (unsigned long)data.sector_count);
		return;
	}
	if (!linux_->open)
		sim_trace(client->sim, "client %u: open, %u paths", client->index, linux_->target_count);
	linux_->open = true;
}

static void on_ata(struct client *client, const struct aoe_frame *frame)
{
	struct linux_client *linux_ = client->kind;
	struct linux_slot *slot = NULL;
	for (unsigned i = 0; i < SLOT_MAX; i++) {
		if (linux_->slots[i].state == SLOT_OUT && linux_->slots[i].tag == client_tag(frame))
			slot = &linux_->slots[i];
	}
	if (!slot)
		return;
	if (slot->identify) {
		if (frame->header.flags & AOE_FLAG_ERROR)
			return;
		on_identified(client, frame);
	} else if (client_io_answer(client, &slot->io, frame, slot->sent_ns) == IO_OUTCOME_NOTHING) {
		return;
	} else if (slot->sent_ns != slot->first_ns) {
		client_haunt(client, &slot->io);
	}
	struct linux_target *target = &linux_->targets[slot->target];
	on_rtt(linux_, target, client->sim->now_ns - slot->sent_ns);
	target->out--;
	slot->state = SLOT_FREE;
	if (!slot->identify)
		client_io_over(client);
	if (rng_chance(&client->rng, 100000))
		pump_later(client);
	else
		pump(client);
}

static void receive(struct client *client, struct client_card *card, const struct aoe_frame *frame)
{
	struct linux_client *linux_ = client->kind;
	if (linux_->dead)
		return;
	if (frame->header.command == AOE_COMMAND_CONFIG)
		on_config(client, card, frame);
	else if (frame->header.command == AOE_COMMAND_ATA)
		on_ata(client, frame);
}

/* The device has failed for good. */
static void die(struct client *client)
{
	struct linux_client *linux_ = client->kind;
	sim_trace(client->sim, "client %u: device failed", client->index);
	if (client->trusting && client->sim->now_ns - linux_->calm_since_ns >= DEAD_NS)
		sim_fail(client->sim, "client %u: no answer for 180 s, and nothing in the way", client->index);
	linux_->dead = true;
	while (client->ops_left)
		client_io_over(client);
}

static void expire(struct client *client)
{
	struct linux_client *linux_ = client->kind;
	const uint64_t now_ns = client->sim->now_ns, rto = rto_ns(linux_);
	bool any = false;
	for (unsigned i = 0; i < SLOT_MAX; i++) {
		struct linux_slot *slot = &linux_->slots[i];
		if (slot->state == SLOT_FREE)
			continue;
		if (now_ns - slot->first_ns > DEAD_NS) {
			die(client);
			return;
		}
		if (slot->state != SLOT_OUT || now_ns - slot->sent_ns < rto)
			continue;
		struct linux_target *target = &linux_->targets[slot->target];
		target->out--;
		if (target->window > 1) {
			target->threshold = target->window / 2;
			target->window = 1;
		}
		slot->state = SLOT_RESEND;
		client->world->retry_count++;
		any = true;
	}
	if (any) {
		linux_->rtt_avg *= 2;
		if (linux_->rtt_avg >> RTT_SCALE > RTT_MAX_NS)
			linux_->rtt_avg = RTT_MAX_NS << RTT_SCALE;
	}
}

static void on_tick(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	struct linux_client *linux_ = client->kind;
	(void)arg;
	if (client->finished)
		return;
	if (client_is_hindered(client, sim->now_ns - (sim->now_ns < TICK_NS ? sim->now_ns : TICK_NS)))
		linux_->calm_since_ns = sim->now_ns;
	expire(client);
	pump(client);
	sim_in(sim, TICK_NS, on_tick, client, 0);
}

static void on_discover(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	struct linux_client *linux_ = client->kind;
	(void)arg;
	if (client->finished)
		return;
	for (unsigned card = 0; card < client->scenario->card_count; card++) {
		struct aoe_frame frame = client_request(client, card, client_broadcast, AOE_COMMAND_CONFIG);
		frame.header.shelf = AOE_SHELF_ANY;
		frame.header.slot = AOE_SLOT_ANY;
		frame.config = (struct aoe_config){.version = AOE_VERSION, .command = AOE_CONFIG_READ};
		client_send(client, card, &frame);
	}
	/* An operator who sees no target asks again (aoe-discover). */
	if (!linux_->open && linux_->calm_since_ns && sim->now_ns - linux_->calm_since_ns > 400 * SEC)
		die(client);
	sim_in(sim, linux_->open ? DISCOVER_NS : SEC, on_discover, client, 0);
}

void linux_start(struct client *client)
{
	struct linux_client *linux_ = sim_alloc(client->sim, sizeof *linux_);
	client->kind = linux_;
	client->receive = receive;
	/* The driver starts with patience for 16.5 s; a run learns more from one that has used its target before. */
	linux_->rtt_avg = (rng_chance(&client->rng, 200000) ? SEC / 4 : 2 * MS) << RTT_SCALE;
	linux_->rtt_dev = linux_->rtt_avg / 4;
	sim_in(client->sim, rng_below(&client->rng, 200 * MS), on_discover, client, 0);
	sim_in(client->sim, rng_below(&client->rng, TICK_NS), on_tick, client, 0);
}
