/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared between the files of this folder.  Owning lcore only, except creation.
 *
 * Life of a frame: aoe_input finds the export and makes an aoe_call; aoe_run
 * checks mask and version; the command's file executes it.  It ends in exactly
 * one of: an answer built in the packet (AOE_REPLY), a counted drop (AOE_DROP),
 * or the packet is kept (AOE_PENDING) by a request (I/O), by a change (waiting
 * for the control plane) or by the wildcard queue.  What is kept comes back as
 * an aoe_call on the same packet, whose request header is still as it arrived.
 */
#pragma once

#include <assert.h>
#include <sys/queue.h>

#include "aoe/aoe.h"
#include "aoe/history.h"
#include "util/table.h"
#include "wire/aoe.h"
#include "wire/ata.h"

#define AOE_FIRMWARE_VERSION 1         /* Query Config: told to clients, no client interprets it */
#define AOE_BUFFER_COUNT_MIN 2         /* Linux starts at half of what it is told: 0 or 1 would never send */
#define AOE_SECTORS_MAX 255            /* the sector count is one byte */
#define AOE_CHANGE_TRIES_MAX 3         /* times a change is computed anew because the operator was faster */
#define AOE_WILD_CLIENT_MAX 4          /* of those, from one client */
#define AOE_WILD_WAIT_NS 1000000000ull /* how long one waits for a packet buffer */
#define AOE_POLL_FRAMES 32             /* frames sent by one aoe_poll */
#define AOE_POLL_EXPORTS 1024          /* exports looked at by one aoe_poll */
#define AOE_ANSWER_BYTES_MIN (ETH_FRAME_BYTES_MIN + ETH_TAG_BYTES)
#define AOE_TRIM_SECTORS_MAX 1 /* payload sectors of one TRIM: 64 ranges */

struct aoe_mac_list {
	uint16_t count;
	uint16_t hint; /* where the last search ended: clients come in bursts */
	struct wherry_mac mac[WHERRY_AOE_RESERVE_COUNT_MAX];
};
_Static_assert(WHERRY_AOE_MASK_COUNT_MAX <= WHERRY_AOE_RESERVE_COUNT_MAX, "one list type serves both");

/* The state that survives restarts: what AOE_STATE_PUT carries. */
struct aoe_state {
	uint64_t generation;
	uint16_t config_bytes;
	uint8_t config[WHERRY_AOE_CONFIG_BYTES_MAX];
	struct aoe_mac_list mask, reserve;
};

/*
 * The one durable change of an export that the control plane works on, and the
 * requests that wait behind it.  An allocation of its own, because it moves to
 * the export that replaces this one.
 */
struct aoe_change {
	uint64_t cookie; /* 0: nothing pending */
	struct pkt *pkt;
	uint64_t arrival_ns;
	uint64_t changed_ns; /* when the last change was begun; AOE_CHANGED_LATELY: by the operator, and nobody knows
				when */
	uint64_t base_generation;
	enum wherry_aoe_change what;
	uint8_t command; /* the request's sub-command, which the answer repeats */
	uint8_t tries;
	bool wildcard;
	uint8_t mask_error; /* MASK: what the answer tells beside the new list */
	uint8_t mask_index;
	uint16_t config_bytes; /* CONFIG */
	uint8_t config[WHERRY_AOE_CONFIG_BYTES_MAX];
	struct aoe_mac_list list; /* MASK, RESERVE */
	struct {
		struct pkt *pkt;
		uint64_t arrival_ns;
		bool wildcard;
	} waiting[AOE_CHANGE_WAIT_MAX]; /* ring, in arrival order */
	uint16_t waiting_first, waiting_count;
};
#define AOE_CHANGED_LATELY UINT64_MAX

struct aoe_export {
	/* read for every frame */
	uint32_t key; /* shelf << 8 | slot */
	uint16_t shelf;
	uint8_t slot;
	bool read_only;
	uint16_t ports; /* bit per port index */
	uint16_t sectors_max;
	struct volume *volume;
	uint32_t io_count; /* requests of the pool in use */
	uint16_t buffer_count;
	bool remote_mask, remote_config, remote_force;
	bool smart_off;
	uint64_t stats[WHERRY_EXPORT_STAT_COUNT]; /* written by the lcore, read by main */
	uint64_t vlans[4096 / 64];
	struct aoe_state state;
	/* rarely read */
	uint64_t id;
	struct aoe_change *change;
	uint32_t place; /* index in the lcore's places; AOE_NO_PLACE: not served */
	bool advertising;
	uint16_t ad_port, ad_vlan,
		ad_mac; /* next advertisement: port index, 0 or 1 + index of the port's VLAN, mask entry */
	TAILQ_ENTRY(aoe_export) ad_link;
	TAILQ_ENTRY(aoe_export) shadow_link;
	char serial[ATA_SERIAL_CHARS + 1], model[ATA_MODEL_CHARS + 1];
	uint64_t hist[AOE_HIST_COUNT][WHERRY_HIST_BUCKET_COUNT]; /* as stats */
};
#define AOE_NO_PLACE UINT32_MAX
_Static_assert(WHERRY_PORT_COUNT_MAX <= 16, "a bit of ports each");

enum aoe_hist { AOE_HIST_READ, AOE_HIST_WRITE, AOE_HIST_OTHER };

struct aoe_call;

/* One I/O under way. */
struct aoe_request {
	struct vol_request vol; /* first member */
	struct aoe_lcore *lcore;
	struct aoe_export *export_;
	struct pkt *pkt;
	struct aoe_request *next; /* free list */
	uint64_t arrival_ns;
	struct aoe_call *call; /* that began it; NULL once it is over */
	uint16_t parts_left;   /* TRIM: ranges not done */
	uint8_t kind;          /* enum ata_kind */
	uint8_t eth_bytes;
	enum io_status worst; /* TRIM: of the parts done */
};

/* A frame with a wildcard address, on its way past every export. */
struct aoe_wild {
	struct pkt *pkt; /* cut to what its counts say */
	uint64_t arrival_ns;
	uint32_t at, left; /* place to look at next, places to go */
	uint16_t vlan;
	uint16_t shelf;
	uint8_t slot;
	uint8_t version, command;
	uint8_t eth_bytes;
};

struct aoe_lcore {
	struct aoe_env env;
	struct table by_key; /* address -> export */
	struct aoe_request *free_requests;
	struct aoe_request *running; /* the one inside vol_submit: its completion becomes aoe_input's verdict */
	enum aoe_verdict running_verdict;
	uint32_t under_way; /* packets kept by requests and changes */
	uint64_t now_ns;
	struct aoe_history *history;
	struct table by_id; /* id -> export */
	struct aoe_request *requests;
	uint32_t request_count;
	uint64_t change_sequence;
	uint32_t place_end;                /* above the highest place in use */
	uint32_t place_hint;               /* no hole below */
	TAILQ_HEAD(, aoe_export) shadowed; /* whose address another has taken, oldest first */
	struct aoe_export **places;        /* [WHERRY_EXPORT_COUNT_MAX]; holes are NULL */
	TAILQ_HEAD(, aoe_export) ads;
	uint64_t no_client[WHERRY_CLIENT_STAT_COUNT]; /* counted for nobody */
	uint32_t wild_first, wild_count;
	struct aoe_wild wild[AOE_WILD_COUNT_MAX]; /* ring; the first is worked on, then goes last */
};

/* One frame for one export. */
struct aoe_call {
	struct aoe_lcore *lcore;
	struct aoe_export *export_;
	struct pkt *pkt; /* may be exchanged by aoe_room */
	const struct aoe_port *port;
	uint64_t arrival_ns;
	uint64_t *client; /* [WHERRY_CLIENT_STAT_COUNT] */
	uint32_t eth_bytes;
	uint16_t vlan;
	uint8_t version, command; /* of the AoE header */
	bool broadcast;           /* group destination or wildcard address */
	bool wildcard;
	uint8_t hist;  /* enum aoe_hist */
	uint8_t tries; /* of a change that was overtaken */
};

static inline uint32_t aoe_key(uint16_t shelf, uint8_t slot)
{
	return (uint32_t)shelf << 8 | slot;
}

/* False: another export has taken its address. */
static inline bool aoe_has_address(const struct aoe_lcore *lcore, const struct aoe_export *export_)
{
	return table_get(&lcore->by_key, export_->key) == export_;
}

static inline uint8_t *call_pdu(const struct aoe_call *call)
{
	return call->pkt->data + call->eth_bytes;
}

static inline uint32_t call_pdu_bytes(const struct aoe_call *call)
{
	return call->pkt->len_bytes - call->eth_bytes;
}

static inline void call_count(struct aoe_call *call, enum wherry_export_stat stat)
{
	call->export_->stats[stat]++;
}

static inline bool aoe_export_has_vlan(const struct aoe_export *export_, uint16_t vlan)
{
	return export_->vlans[vlan / 64] >> (vlan % 64) & 1;
}

static inline bool aoe_export_serves(const struct aoe_export *export_, uint16_t port_index, uint16_t vlan)
{
	return export_->ports >> port_index & 1 && aoe_export_has_vlan(export_, vlan);
}

/* Sectors of one frame on a port: what its MTU holds behind 36 bytes of header, what the operator allows. */
static inline uint32_t aoe_sectors(const struct aoe_export *export_, const struct aoe_port *port)
{
	uint32_t by_mtu =
		port->mtu < AOE_ATA_HEADER_BYTES ? 0 : (uint32_t)(port->mtu - AOE_ATA_HEADER_BYTES) >> ATA_SECTOR_SHIFT;
	return by_mtu < export_->sectors_max ? by_mtu : export_->sectors_max;
}

/* The array of a client's statistics; never NULL. */
static inline uint64_t *aoe_client(struct aoe_lcore *lcore, const uint8_t *mac, uint16_t port_index, uint16_t vlan)
{
	uint64_t *stats = lcore->env.client_stats
				  ? lcore->env.client_stats(lcore->env.ctx, mac, port_index, vlan, lcore->now_ns)
				  : NULL;
	return stats ? stats : lcore->no_client;
}

/* maclist.c */
bool aoe_mac_list_has(struct aoe_mac_list *list, const uint8_t mac[6]);
bool aoe_mac_list_equal(const struct aoe_mac_list *a, const struct aoe_mac_list *b);
/* macs: count addresses of 6 bytes, one behind the other. */
void aoe_mac_list_set(struct aoe_mac_list *list, const void *macs, uint32_t count);
/* The export has a mask, and the sender is not in it. */
static inline bool aoe_is_masked(const struct aoe_call *call)
{
	struct aoe_mac_list *mask = &call->export_->state.mask;
	return mask->count && !aoe_mac_list_has(mask, eth_src(call->pkt->data));
}

/* target.c: what the sender asks of this export; its mask and version check are behind us. */
enum aoe_verdict aoe_execute(struct aoe_call *call);
/* target.c: the whole way of one frame to one export. */
enum aoe_verdict aoe_run(struct aoe_call *call);
/* target.c: a call on a packet that was kept. */
struct aoe_call aoe_call_resume(struct aoe_lcore *lcore, struct aoe_export *export_, struct pkt *pkt,
				uint64_t arrival_ns, bool wildcard);
/* target.c: send or free a packet that was kept, by what came of it. */
void aoe_settle(struct aoe_lcore *lcore, struct pkt *pkt, enum aoe_verdict verdict);

/* reply.c */
/* aoe_room when there is too little behind the frame's start. */
bool aoe_make_room(struct aoe_call *call, uint32_t bytes);
/* Make the packet hold at least bytes from its start; the request's bytes stay.  False: counted, drop the frame. */
static inline bool aoe_room(struct aoe_call *call, uint32_t bytes)
{
	const struct pkt *pkt = call->pkt;
	return bytes <= pkt->room_bytes - (uint32_t)(pkt->data - pkt->head) || aoe_make_room(call, bytes);
}
/* Room for an answer of so many bytes, and for its padding. */
static inline bool aoe_answer_room(struct aoe_call *call, uint32_t frame_bytes)
{
	return aoe_room(call, frame_bytes < AOE_ANSWER_BYTES_MIN ? AOE_ANSWER_BYTES_MIN : frame_bytes);
}
/* Does an answer of so many bytes (untagged) fit the port's MTU? */
bool aoe_fits_port(const struct aoe_call *call, uint32_t bytes);
/* The header of the answer, padding, counters; the command's part, of frame_bytes in all, is there.  AOE_REPLY. */
enum aoe_verdict aoe_finish(struct aoe_call *call, uint32_t frame_bytes);
/* The whole error answer. */
enum aoe_verdict aoe_error(struct aoe_call *call, enum aoe_error error);
/* Silence, counted. */
enum aoe_verdict aoe_silence(struct aoe_call *call, enum wherry_export_stat stat);

/* ata.c */
enum aoe_verdict aoe_ata_execute(struct aoe_call *call);
enum aoe_verdict aoe_ata_done(struct aoe_call *call, uint8_t sector_count, uint32_t data_bytes);
enum aoe_verdict aoe_ata_fail(struct aoe_call *call, uint8_t ata_error, enum wherry_export_stat stat);
/* A failure with data bytes behind it, which are there. */
enum aoe_verdict aoe_ata_fail_with(struct aoe_call *call, uint8_t ata_error, enum wherry_export_stat stat,
				   uint32_t data_bytes);
/* The answer to an I/O. */
enum aoe_verdict aoe_ata_answer(struct aoe_call *call, uint8_t kind, uint64_t len_bytes, enum io_status status);

/* ata_io.c, trim.c, ata_misc.c, identify.c */
enum aoe_verdict aoe_ata_read(struct aoe_call *call, const struct aoe_ata *ata, uint64_t lba);
enum aoe_verdict aoe_ata_write(struct aoe_call *call, const struct aoe_ata *ata, uint64_t lba);
enum aoe_verdict aoe_ata_verify(struct aoe_call *call, const struct aoe_ata *ata, uint64_t lba);
enum aoe_verdict aoe_ata_flush(struct aoe_call *call, uint8_t kind);
enum aoe_verdict aoe_ata_trim(struct aoe_call *call, const struct aoe_ata *ata);
enum aoe_verdict aoe_ata_features(struct aoe_call *call, const struct aoe_ata *ata);
enum aoe_verdict aoe_ata_smart(struct aoe_call *call, const struct aoe_ata *ata);
enum aoe_verdict aoe_ata_other_done(struct aoe_call *call, uint8_t sector_count);
enum aoe_verdict aoe_ata_identify(struct aoe_call *call, const struct aoe_ata *ata);

/* ata.c: if the frame, which is for an export whose volume can prefetch, reads or writes blocks, have them fetched. */
void aoe_ata_prefetch(const struct aoe_call *call);

/* config.c, mask.c, reserve.c: execute, and the answer from the export's state. */
enum aoe_verdict aoe_config_execute(struct aoe_call *call);
enum aoe_verdict aoe_config_answer(struct aoe_call *call, uint8_t command);
uint32_t aoe_config_write(const struct aoe_export *export_, const struct aoe_port *port, uint8_t command, uint8_t *pdu,
			  uint32_t room_bytes);
enum aoe_verdict aoe_mask_execute(struct aoe_call *call);
enum aoe_verdict aoe_mask_answer(struct aoe_call *call, uint8_t command, uint8_t error, uint8_t index);
enum aoe_verdict aoe_reserve_execute(struct aoe_call *call);
enum aoe_verdict aoe_reserve_answer(struct aoe_call *call, uint8_t command);

/* change.c */
/*
 * Asked first by a request that may change something.  True: not now, return *verdict.  Either a change is pending, and
 * the request waits behind it; or the request lay in its receive queue while a change was begun that may be later than
 * itself (aoe/history.h), and is dropped: its client asks again.
 */
bool aoe_change_is_barred(struct aoe_call *call, enum aoe_verdict *verdict);
/* Ask the control plane for what the export's change block holds (what, command, value). */
enum aoe_verdict aoe_change_start(struct aoe_call *call);
/* Error 3 to everybody who waits: the export goes. */
void aoe_change_abandon(struct aoe_lcore *lcore, struct aoe_export *export_);

/* wild.c */
/* A frame with a wildcard address; its headers are whole. */
enum aoe_verdict aoe_wild_input(struct aoe_lcore *lcore, struct pkt *pkt, uint32_t eth_bytes, uint16_t vlan);
/* place_end grew: those on their way go one further. */
void aoe_wild_on_place_added(struct aoe_lcore *lcore);
unsigned aoe_wild_poll(struct aoe_lcore *lcore, unsigned frames_max);
void aoe_wild_fini(struct aoe_lcore *lcore);

/* advertise.c */
void aoe_advertise(struct aoe_lcore *lcore, struct aoe_export *export_);
void aoe_advertise_stop(struct aoe_lcore *lcore, struct aoe_export *export_);
unsigned aoe_advertise_poll(struct aoe_lcore *lcore, unsigned frames_max);
