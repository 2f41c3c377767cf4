/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two clients that do no block I/O.
 *
 * The administrator reads and changes config string, mask and reservation of one
 * export, one request at a time, by any port; it repeats a request, with a new
 * tag, until it is answered, and one that was refused for want of the control plane, until it
 * is done.  It never locks itself out of the mask, and at the end it leaves
 * everything open.
 *
 * Noise sends what no client should: runts, wrong versions, absurd counts,
 * answers, unknown commands, addresses of nobody.
 */
#include <stdio.h>
#include <string.h>

#include "client.h"
#include "world.h"

#define ADMIN_RETRY_NS (60 * MS)
#define ADMIN_TRIES_MAX 2000u

enum admin_what {
	ADMIN_FIND,
	ADMIN_CONFIG_READ,
	ADMIN_CONFIG_SET,
	ADMIN_CONFIG_FORCE,
	ADMIN_MASK_READ,
	ADMIN_MASK_EDIT,
	ADMIN_RESERVE_READ,
	ADMIN_RESERVE_SET,
	ADMIN_RESERVE_FORCE,
	ADMIN_WHAT_COUNT,
};

struct admin {
	enum admin_what what;
	bool found;
	uint32_t tag;
	uint64_t first_ns, sequence;
	unsigned tries, string_count;
	struct state_value value, mask; /* mask: what it last knew */
	struct state_change *change;
	uint8_t directives[16 * AOE_DIRECTIVE_BYTES];
	uint8_t directive_count;
	enum { ADMIN_WORKING, ADMIN_OPEN_MASK, ADMIN_RELEASE, ADMIN_DONE } phase;
};

static void admin_next(struct client *client);

static void admin_random_mac(struct client *client, uint8_t mac[6])
{
	const struct scenario *scenario = &client->world->scenario;
	if (rng_chance(&client->rng, 100000)) {
		net_mac(mac, 'X', (unsigned)rng_below(&client->rng, 4), 0);
		return;
	}
	const unsigned index = (unsigned)rng_below(&client->rng, scenario->client_count);
	net_mac(mac, 'C', index, (unsigned)rng_below(&client->rng, scenario->clients[index].card_count));
}

/* Some directives, and the list they lead to from what is known. */
static void draw_mask_edit(struct client *client)
{
	struct admin *admin = client->kind;
	const uint8_t *own = client->cards[0].endpoint.mac;
	admin->value = admin->mask;
	admin->directive_count = 0;
	const unsigned count = (unsigned)rng_between(&client->rng, 1, 4);
	for (unsigned i = 0; i <= count; i++) {
		struct aoe_directive directive = {.command = AOE_DIRECTIVE_ADD};
		if (i == 0) {
			memcpy(directive.mac, own, 6); /* first of all, itself */
		} else {
			admin_random_mac(client, directive.mac);
			if (rng_chance(&client->rng, 400000) && memcmp(directive.mac, own, 6) != 0)
				directive.command = AOE_DIRECTIVE_DELETE;
		}
		if (directive.command == AOE_DIRECTIVE_ADD)
			state_list_add(&admin->value, directive.mac);
		else
			state_list_remove(&admin->value, directive.mac);
		aoe_directive_emit(admin->directives, admin->directive_count++, &directive);
	}
}

static void draw_open_mask(struct admin *admin)
{
	admin->what = ADMIN_MASK_EDIT;
	admin->directive_count = 0;
	for (unsigned i = 0; i < admin->mask.count; i++) {
		struct aoe_directive directive = {.command = AOE_DIRECTIVE_DELETE};
		memcpy(directive.mac, admin->mask.macs[i].b, 6);
		aoe_directive_emit(admin->directives, admin->directive_count++, &directive);
	}
	admin->value = (struct state_value){0};
}

static bool may_force(const struct client *client)
{
	return client->world->scenario.exports[client->scenario->export_].flags & WHERRY_AOE_REMOTE_FORCE_RESERVE;
}

static void draw_list(struct client *client, struct state_value *value)
{
	uint8_t mac[6];
	*value = (struct state_value){0};
	for (uint64_t count = rng_below(&client->rng, 4); count; count--) {
		admin_random_mac(client, mac);
		state_list_add(value, mac);
	}
	/* Who may not use force must not reserve for others alone: nobody could release it. */
	if (value->count && (!may_force(client) || rng_chance(&client->rng, 500000)))
		state_list_add(value, client->cards[0].endpoint.mac);
}

static enum state_kind kind_of(enum admin_what what)
{
	return what >= ADMIN_RESERVE_READ ? STATE_RESERVE : what >= ADMIN_MASK_READ ? STATE_MASK : STATE_CONFIG;
}

static bool is_change(enum admin_what what)
{
	return what == ADMIN_CONFIG_SET || what == ADMIN_CONFIG_FORCE || what == ADMIN_MASK_EDIT ||
	       what == ADMIN_RESERVE_SET || what == ADMIN_RESERVE_FORCE;
}

static void draw_what(struct client *client)
{
	struct admin *admin = client->kind;
	admin->what = (enum admin_what)rng_between(&client->rng, ADMIN_CONFIG_READ, ADMIN_WHAT_COUNT - 1);
	switch (admin->what) {
	case ADMIN_CONFIG_SET:
	case ADMIN_CONFIG_FORCE:
		admin->value.count = 0;
		if (!rng_chance(&client->rng, 200000))
			admin->value.count = (uint16_t)snprintf((char *)admin->value.config, 64, "config-%u-%u",
								client->index, admin->string_count++);
		break;
	case ADMIN_MASK_EDIT:
		draw_mask_edit(client);
		break;
	case ADMIN_RESERVE_SET:
	case ADMIN_RESERVE_FORCE:
		draw_list(client, &admin->value);
		break;
	default:
		break;
	}
}

static void fill_argument(struct admin *admin, struct aoe_frame *frame)
{
	switch (admin->what) {
	case ADMIN_FIND:
	case ADMIN_CONFIG_READ:
		frame->config = (struct aoe_config){.version = AOE_VERSION, .command = AOE_CONFIG_READ};
		break;
	case ADMIN_CONFIG_SET:
	case ADMIN_CONFIG_FORCE:
		frame->config = (struct aoe_config){.version = AOE_VERSION,
						    .command = admin->what == ADMIN_CONFIG_SET ? AOE_CONFIG_SET
											       : AOE_CONFIG_FORCE,
						    .string_bytes = admin->value.count,
						    .string = admin->value.config};
		break;
	case ADMIN_MASK_READ:
		frame->mask = (struct aoe_mask){.command = AOE_MASK_READ};
		break;
	case ADMIN_MASK_EDIT:
		frame->mask = (struct aoe_mask){.command = AOE_MASK_EDIT,
						.directive_count = admin->directive_count,
						.directives = admin->directives};
		break;
	case ADMIN_RESERVE_READ:
		frame->reserve = (struct aoe_reserve){.command = AOE_RESERVE_READ};
		break;
	case ADMIN_RESERVE_SET:
	case ADMIN_RESERVE_FORCE:
		frame->reserve = (struct aoe_reserve){.command = admin->what == ADMIN_RESERVE_SET ? AOE_RESERVE_SET
												  : AOE_RESERVE_FORCE,
						      .mac_count = (uint8_t)admin->value.count,
						      .macs = (const uint8_t *)admin->value.macs};
		break;
	case ADMIN_WHAT_COUNT:
		break;
	}
}

static void on_admin_timer(struct sim *sim, void *ctx, uint64_t sequence);

static void admin_send(struct client *client)
{
	static const enum aoe_command commands[STATE_KIND_COUNT] = {AOE_COMMAND_CONFIG, AOE_COMMAND_MASK,
								    AOE_COMMAND_RESERVE};
	struct admin *admin = client->kind;
	uint8_t port[6];
	net_mac(port, 'P', (unsigned)rng_below(&client->rng, client->world->scenario.port_count), 0);
	struct aoe_frame frame =
		client_request(client, 0, admin->found ? port : client_broadcast, commands[kind_of(admin->what)]);
	fill_argument(admin, &frame);
	admin->tag = client_tag(&frame);
	if (admin->tries == 0) {
		admin->first_ns = client->sim->now_ns;
		if (is_change(admin->what) && !admin->change)
			admin->change = state_issue(client->state, kind_of(admin->what), &admin->value);
	}
	client_send(client, 0, &frame);
	sim_in(client->sim, ADMIN_RETRY_NS, on_admin_timer, client, ++admin->sequence);
}

static void on_admin_timer(struct sim *sim, void *ctx, uint64_t sequence)
{
	struct client *client = ctx;
	struct admin *admin = client->kind;
	if (client->finished || sequence != admin->sequence)
		return;
	client->world->retry_count++;
	if (++admin->tries < ADMIN_TRIES_MAX) {
		admin_send(client);
		return;
	}
	if (client->trusting && admin->found && client->world->calm)
		sim_fail(sim, "client %u: the administrator is not answered", client->index);
	while (client->ops_left)
		client_io_over(client);
}

/* What the answer tells of the place; false: nothing, it is an error. */
static bool told(const struct admin *admin, const struct aoe_frame *frame, struct state_value *value)
{
	*value = (struct state_value){0};
	if (frame->header.flags & AOE_FLAG_ERROR)
		return false;
	switch (kind_of(admin->what)) {
	case STATE_CONFIG:
		value->count = frame->config.string_bytes;
		if (value->count > sizeof value->config)
			return true; /* longer than any that was set: found out by the oracle */
		if (value->count)
			memcpy(value->config, frame->config.string, value->count);
		return true;
	case STATE_MASK:
		if (frame->mask.error)
			return false;
		value->count = frame->mask.directive_count;
		for (unsigned i = 0; frame->mask.directives && i < value->count && i < 16; i++)
			memcpy(value->macs[i].b, aoe_directive_parse(frame->mask.directives, i).mac, 6);
		return true;
	case STATE_RESERVE:
		value->count = frame->reserve.mac_count;
		for (unsigned i = 0; frame->reserve.macs && i < value->count && i < 16; i++)
			memcpy(value->macs[i].b, frame->reserve.macs + i * 6, 6);
		return true;
	case STATE_KIND_COUNT:
		break;
	}
	return false;
}

static void settle(struct client *client, const struct aoe_frame *frame)
{
	struct admin *admin = client->kind;
	struct state_value value;
	if (!told(admin, frame, &value)) {
		if (admin->change)
			state_failed(client->state, admin->change);
		return;
	}
	if (!client->trusting)
		return;
	state_told(client->state, kind_of(admin->what), &value, admin->first_ns);
	if (admin->change) {
		if ((admin->what == ADMIN_CONFIG_SET || admin->what == ADMIN_RESERVE_SET) &&
		    !state_may_set(client->state, admin->change, client->cards[0].endpoint.mac))
			sim_fail(client->sim, "client %u: set what was not its own to set", client->index);
		state_acknowledged(client->state, admin->change);
		/* It tells what holds now: nothing but what was asked for. */
		state_told(client->state, kind_of(admin->what), &value, client->sim->now_ns);
	}
	if (kind_of(admin->what) == STATE_MASK)
		admin->mask = value;
}

static void admin_receive(struct client *client, struct client_card *card, const struct aoe_frame *frame)
{
	struct admin *admin = client->kind;
	(void)card;
	if (client->finished || admin->tag == 0 || client_tag(frame) != admin->tag ||
	    frame->header.shelf != client->shelf || frame->header.slot != client->slot)
		return;
	if (!admin->found) {
		admin->tag = 0;
		admin->found = true;
		admin_next(client);
		return;
	}
	/* Refused for now: the control plane is away.  The same again, until the retry timer has enough of it. */
	if ((frame->header.flags & AOE_FLAG_ERROR) && frame->header.error == AOE_ERROR_UNAVAILABLE &&
	    is_change(admin->what))
		return;
	admin->tag = 0; /* every port and every double answers: once is enough */
	sim_trace(client->sim, "client %u: admin %d %s", client->index, (int)admin->what,
		  frame->header.flags & AOE_FLAG_ERROR ? "refused" : "answered");
	settle(client, frame);
	if (admin->phase != ADMIN_WORKING)
		admin->phase++;
	if (client->ops_left > 3 || admin->phase == ADMIN_DONE)
		client_io_over(client);
	admin_next(client);
}

static void on_admin_next(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	struct admin *admin = client->kind;
	(void)sim;
	(void)arg;
	if (client->finished)
		return;
	admin->tries = 0;
	admin->change = NULL;
	if (!admin->found) {
		admin->what = ADMIN_FIND;
	} else if (admin->phase == ADMIN_WORKING && client->ops_left > 3) {
		draw_what(client);
	} else {
		if (admin->phase == ADMIN_WORKING)
			admin->phase = ADMIN_OPEN_MASK;
		if (admin->phase == ADMIN_DONE) {
			while (client->ops_left)
				client_io_over(client);
			return;
		}
		if (admin->phase == ADMIN_OPEN_MASK) {
			draw_open_mask(admin);
		} else {
			admin->what = may_force(client) ? ADMIN_RESERVE_FORCE : ADMIN_RESERVE_SET;
			admin->value = (struct state_value){0};
		}
	}
	admin_send(client);
}

static void admin_next(struct client *client)
{
	struct admin *admin = client->kind;
	admin->sequence++;
	/* Not before every double of the last request has arrived: as with blocks, nobody could tell it from a new one.
	 */
	sim_in(client->sim, NET_FRAME_LIFE_NS + rng_below(&client->rng, 100 * MS), on_admin_next, client, 0);
}

void admin_start(struct client *client)
{
	client->kind = sim_alloc(client->sim, sizeof(struct admin));
	client->receive = admin_receive;
	admin_next(client);
}

/* ---- noise ---- */

static void noise_frame(struct client *client)
{
	struct rng *rng = &client->rng;
	uint8_t bytes[1514] = {0}, mac[6];
	const uint32_t len_bytes = (uint32_t)rng_between(rng, 14, 400);
	for (uint32_t i = 0; i < len_bytes; i++)
		bytes[i] = (uint8_t)rng_next(rng);
	net_mac(mac, 'P', (unsigned)rng_below(rng, client->world->scenario.port_count), 0);
	memcpy(bytes, rng_chance(rng, 300000) ? client_broadcast : mac, 6);
	memcpy(bytes + 6, client->cards[0].endpoint.mac, 6);
	bytes[12] = 0x88;
	bytes[13] = 0xa2;
	bytes[16] = (uint8_t)(client->shelf >> 8);
	bytes[17] = (uint8_t)client->shelf;
	bytes[18] = client->slot;
	switch (rng_below(rng, 6)) {
	case 0: /* a version that is not served */
		bytes[14] = (uint8_t)(rng_between(rng, 2, 15) << 4);
		break;
	case 1: /* somebody's answer */
		bytes[14] = 0x18;
		break;
	case 2: /* a command that is not served */
		bytes[14] = 0x10;
		bytes[19] = (uint8_t)rng_between(rng, 4, 255);
		break;
	case 3: /* a read of anything */
		bytes[14] = 0x10;
		bytes[19] = 0;
		bytes[24] = (uint8_t)(rng_next(rng) & 0xfe);
		bytes[27] = rng_chance(rng, 500000) ? ATA_READ : ATA_READ_EXT;
		break;
	case 4: /* reads of lists and strings with absurd counts */
		bytes[14] = 0x10;
		bytes[19] = (uint8_t)rng_between(rng, 1, 3);
		bytes[24] = bytes[25] = 0;
		bytes[29] = 0x10;
		break;
	default: /* nobody's */
		bytes[14] = 0x10;
		bytes[16] = 0x77;
		break;
	}
	/* The rest of the tag space is the others'. */
	bytes[20] = bytes[21] = 0;
	net_send(&client->world->net, &client->cards[0].endpoint, bytes, len_bytes);
	client->last_tag = 0xffff;
}

static void on_noise(struct sim *sim, void *ctx, uint64_t arg)
{
	struct client *client = ctx;
	(void)arg;
	if (client->finished)
		return;
	noise_frame(client);
	client_io_over(client);
	sim_in(sim, rng_between(&client->rng, 1, 20) * MS, on_noise, client, 0);
}

static void noise_receive(struct client *client, struct client_card *card, const struct aoe_frame *frame)
{
	(void)client;
	(void)card;
	(void)frame;
}

void noise_start(struct client *client)
{
	client->receive = noise_receive;
	client->last_tag = 0xffff;
	sim_in(client->sim, rng_below(&client->rng, 200 * MS), on_noise, client, 0);
}
