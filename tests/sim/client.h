/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Clients.  Here is what all kinds share: cards, tags, what an answer must look
 * like, and I/O that the oracle knows of.  How a kind finds its target, paces
 * itself and repeats is its own file's business.
 */
#pragma once

#include "net.h"
#include "oracle.h"
#include "scenario.h"
#include "state.h"
#include "wire/aoe.h"
#include "wire/ata.h"

struct world;
struct client;

struct client_card {
	struct net_endpoint endpoint;
	struct client *client;
	unsigned index;
};

enum io_kind { IO_KIND_READ, IO_KIND_WRITE, IO_KIND_TRIM, IO_KIND_FLUSH, IO_KIND_VERIFY };

struct client_io {
	enum io_kind kind;
	uint32_t lba, count;
	uint64_t issue_ns;
	struct write *write; /* WRITE, TRIM */
	uint32_t tag;        /* of the last frame */
	bool lba28;
};

enum io_outcome {
	IO_OUTCOME_DONE,
	IO_OUTCOME_FAILED,  /* an ATA error: the I/O is over */
	IO_OUTCOME_NOTHING, /* an AoE error, or not an answer to it: goes on */
};

struct client {
	struct world *world;
	struct sim *sim;
	const struct client_scenario *scenario;
	unsigned index;
	struct rng rng;
	struct client_card cards[CARD_MAX];
	uint16_t shelf;
	uint8_t slot;
	struct volume_oracle *volume;
	struct state_oracle *state;
	uint32_t last_tag;
	unsigned ops_left;
	bool finished;
	uint32_t haunted_lba,
		haunted_count; /* where a write was answered only after repeats: a good place to look at */
	uint64_t haunted_until_ns;
	bool trusting; /* contents mean something: no damaged frame is delivered */
	void (*receive)(struct client *client, struct client_card *card, const struct aoe_frame *frame);
	void *kind; /* the kind's own */
};

struct client *client_create(struct world *world, unsigned index);

/* Each kind: set receive and kind, and start. */
void linux_start(struct client *client);
void ipxe_start(struct client *client);
void winaoe_start(struct client *client);
void admin_start(struct client *client);
void noise_start(struct client *client);

/* A request's frame, without argument; the tag is new. */
struct aoe_frame client_request(struct client *client, unsigned card, const uint8_t dst[6], enum aoe_command command);
uint32_t client_tag(const struct aoe_frame *frame);
void client_set_tag(struct aoe_frame *frame, uint32_t tag);
void client_send(struct client *client, unsigned card, const struct aoe_frame *frame);
extern const uint8_t client_broadcast[6];

/* The next I/O of the client's mix, at most so many sectors.  False: where it looked it must not write yet. */
bool client_io_draw(struct client *client, struct client_io *io, uint32_t sector_count_max);
/* Send it (again), as this frame. */
void client_io_send(struct client *client, struct client_io *io, unsigned card, struct aoe_frame *frame);
/* What the answer to a frame that was sent then means for it.  Checks everything that can be checked. */
enum io_outcome client_io_answer(struct client *client, struct client_io *io, const struct aoe_frame *frame,
				 uint64_t sent_ns);
/* Repeats of a write may still be somewhere inside the target: write there again soon, and look what becomes of it. */
void client_haunt(struct client *client, const struct client_io *io);
/* Nobody will wait for it any more. */
void client_io_abandon(struct client *client, struct client_io *io);
/* An I/O is over, or will never be: ops_left falls, and the client may have finished. */
void client_io_over(struct client *client);
/* Since then, were there accidents, or might the target ignore or refuse every card of this client? */
bool client_is_hindered(const struct client *client, uint64_t since_ns);
