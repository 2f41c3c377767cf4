/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two simpler clients.
 *
 * iPXE: finds the target by a Query Config to the broadcast address, then reads
 * one request after the other, of at most two sectors; it repeats a request with
 * the same tag, ever more slowly, and gives up for good after a while or at the
 * first error.  A machine that failed to boot tries again from the beginning.
 *
 * WinAoE: finds the target by broadcasting IDENTIFY, uses 48-bit addresses, has
 * many requests under way whatever the target says of its buffers, and repeats
 * with the same tag.
 */
#include <string.h>

#include "client.h"
#include "world.h"

#define IPXE_TRIES 8u
#define WINAOE_SLOT_MAX 64u
#define WINAOE_RETRY_NS (300 * MS)
#define WINAOE_DISCOVER_NS (10 * SEC)

struct ipxe {
	bool found, identified;
	uint8_t target[6];
	bool waiting;
	struct aoe_frame frame; /* under way */
	struct client_io io;
	uint64_t sent_ns, sequence;
	unsigned tries;
	uint64_t last_ns; /* when it was last sent */
};

static void ipxe_send(struct client *client);

static void on_ipxe_timer(struct sim *sim, void *ctx, uint64_t sequence)
{
	struct client *client = ctx;
	struct ipxe *ipxe = client->kind;
	if (client->finished || sequence != ipxe->sequence)
		return;
	client->world->retry_count++;
	if (++ipxe->tries < IPXE_TRIES) {
		ipxe_send(client);
		return;
	}
	if (client->trusting && !client_is_hindered(client, ipxe->last_ns))
		sim_fail(sim, "client %u: does not boot, and nothing in the way", client->index);
	/* Boot again; after the trouble, not for ever. */
	ipxe->found = ipxe->identified = false;
	ipxe->tries = 0;
	if (client->world->calm)
		client_io_over(client);
	if (!client->finished)
		ipxe_send(client);
}

/* The next thing to ask, or the same again. */
static void ipxe_send(struct client *client)
{
	struct ipxe *ipxe = client->kind;
	if (ipxe->tries == 0) {
		if (!ipxe->found) {
			ipxe->frame = client_request(client, 0, client_broadcast, AOE_COMMAND_CONFIG);
			ipxe->frame.config = (struct aoe_config){.version = AOE_VERSION, .command = AOE_CONFIG_READ};
		} else {
			ipxe->frame = client_request(client, 0, ipxe->target, AOE_COMMAND_ATA);
			ipxe->frame.ata = (struct aoe_ata){.command = ATA_IDENTIFY, .sector_count = 1};
		}
		ipxe->sent_ns = client->sim->now_ns;
	}
	ipxe->sequence++;
	ipxe->waiting = true;
	ipxe->last_ns = client->sim->now_ns;
	if (ipxe->found && ipxe->identified)
		client_io_send(client, &ipxe->io, 0, &ipxe->frame);
	else
		client_send(client, 0, &ipxe->frame);
	sim_in(client->sim, (250 * MS) << ipxe->tries, on_ipxe_timer, client, ipxe->sequence);
}

static void on_ipxe_next(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	struct ipxe *ipxe = client->kind;
	(void)sim;
	(void)arg;
	if (client->finished)
		return;
	ipxe->tries = 0;
	if (ipxe->found && ipxe->identified) {
		client_io_draw(client, &ipxe->io, 2);
		ipxe->sent_ns = client->sim->now_ns;
	}
	ipxe_send(client);
}

static void ipxe_next(struct client *client)
{
	struct ipxe *ipxe = client->kind;
	ipxe->waiting = false;
	ipxe->sequence++;
	sim_in(client->sim, rng_below(&client->rng, client->scenario->think_ns_max / 8 + 1), on_ipxe_next, client, 0);
}

static void ipxe_receive(struct client *client, struct client_card *card, const struct aoe_frame *frame)
{
	struct ipxe *ipxe = client->kind;
	(void)card;
	if (client->finished || !ipxe->waiting || client_tag(frame) != client_tag(&ipxe->frame) ||
	    frame->header.command != ipxe->frame.header.command)
		return;
	if (!ipxe->found) {
		if (frame->header.flags & AOE_FLAG_ERROR)
			return;
		ipxe->found = true;
		memcpy(ipxe->target, frame->eth.src, 6);
	} else if (!ipxe->identified) {
		ipxe->identified = !(frame->header.flags & AOE_FLAG_ERROR) && !(frame->ata.command & 1);
	} else {
		switch (client_io_answer(client, &ipxe->io, frame, ipxe->sent_ns)) {
		case IO_OUTCOME_DONE:
			break;
		case IO_OUTCOME_FAILED:
		case IO_OUTCOME_NOTHING: /* an error of either kind: boot again */
			ipxe->found = ipxe->identified = false;
			break;
		}
		client_io_over(client);
	}
	if (!client->finished)
		ipxe_next(client);
}

void ipxe_start(struct client *client)
{
	client->kind = sim_alloc(client->sim, sizeof(struct ipxe));
	client->receive = ipxe_receive;
	ipxe_next(client);
}

struct winaoe_slot {
	bool used;
	struct client_io io;
	struct aoe_frame frame;
	uint64_t first_ns, sent_ns;
	unsigned tries;
};

struct winaoe {
	bool found;
	uint8_t target[6];
	uint64_t last_discover_ns;
	struct winaoe_slot slots[WINAOE_SLOT_MAX];
};

static void winaoe_send(struct client *client, struct winaoe_slot *slot)
{
	slot->sent_ns = client->sim->now_ns;
	client_io_send(client, &slot->io, 0, &slot->frame);
}

static void winaoe_discover(struct client *client)
{
	struct winaoe *winaoe = client->kind;
	struct aoe_frame frame = client_request(client, 0, client_broadcast, AOE_COMMAND_ATA);
	frame.header.shelf = AOE_SHELF_ANY;
	frame.header.slot = AOE_SLOT_ANY;
	frame.ata = (struct aoe_ata){.command = ATA_IDENTIFY, .sector_count = 1, .flags = AOE_ATA_LBA48};
	client_send(client, 0, &frame);
	winaoe->last_discover_ns = client->sim->now_ns;
}

static void winaoe_repeat(struct client *client, struct winaoe_slot *slot)
{
	if (client->sim->now_ns - slot->sent_ns < WINAOE_RETRY_NS)
		return;
	client->world->retry_count++;
	if (++slot->tries > 200) {
		slot->used = false;
		client_io_abandon(client, &slot->io);
		return;
	}
	winaoe_send(client, slot);
}

static void winaoe_new_io(struct client *client)
{
	struct winaoe *winaoe = client->kind;
	unsigned used = 0;
	for (unsigned i = 0; i < WINAOE_SLOT_MAX; i++)
		used += winaoe->slots[i].used;
	for (unsigned i = 0; i < WINAOE_SLOT_MAX; i++) {
		struct winaoe_slot *slot = &winaoe->slots[i];
		if (slot->used || used >= client->scenario->depth || used >= client->ops_left)
			continue;
		const uint32_t sectors = (client->world->scenario.mtu - 36u) / SECTOR_BYTES;
		if (!client_io_draw(client, &slot->io, sectors < 4 ? sectors : 4))
			return;
		slot->io.lba28 = false;
		slot->used = true;
		slot->tries = 0;
		slot->first_ns = client->sim->now_ns;
		slot->frame = client_request(client, 0, winaoe->target, AOE_COMMAND_ATA);
		winaoe_send(client, slot);
		used++;
	}
}

static void on_winaoe_tick(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	struct winaoe *winaoe = client->kind;
	(void)arg;
	if (client->finished)
		return;
	if (!winaoe->last_discover_ns || sim->now_ns - winaoe->last_discover_ns > WINAOE_DISCOVER_NS)
		winaoe_discover(client);
	for (unsigned i = 0; i < WINAOE_SLOT_MAX; i++) {
		if (winaoe->slots[i].used)
			winaoe_repeat(client, &winaoe->slots[i]);
	}
	if (winaoe->found)
		winaoe_new_io(client);
	/* Nobody there at all: the user gives up. */
	if (!winaoe->found && client->world->calm && sim->now_ns > 300 * SEC) {
		while (client->ops_left)
			client_io_over(client);
	}
	sim_in(sim, rng_between(&client->rng, 1, 20) * MS, on_winaoe_tick, client, 0);
}

static void winaoe_receive(struct client *client, struct client_card *card, const struct aoe_frame *frame)
{
	struct winaoe *winaoe = client->kind;
	(void)card;
	if (client->finished || frame->header.command != AOE_COMMAND_ATA)
		return;
	if (!winaoe->found) {
		/* Every target answers a broadcast; this is ours. */
		if ((frame->header.flags & AOE_FLAG_ERROR) || frame->header.shelf != client->shelf ||
		    frame->header.slot != client->slot)
			return;
		winaoe->found = true;
		memcpy(winaoe->target, frame->eth.src, 6);
		return;
	}
	for (unsigned i = 0; i < WINAOE_SLOT_MAX; i++) {
		struct winaoe_slot *slot = &winaoe->slots[i];
		if (!slot->used || client_tag(&slot->frame) != client_tag(frame))
			continue;
		if (client_io_answer(client, &slot->io, frame, slot->first_ns) == IO_OUTCOME_NOTHING)
			return;
		if (slot->tries)
			client_haunt(client, &slot->io);
		slot->used = false;
		client_io_over(client);
		return;
	}
}

void winaoe_start(struct client *client)
{
	client->kind = sim_alloc(client->sim, sizeof(struct winaoe));
	client->receive = winaoe_receive;
	sim_in(client->sim, rng_below(&client->rng, 200 * MS), on_winaoe_tick, client, 0);
}
