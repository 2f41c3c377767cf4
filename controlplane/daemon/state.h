/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The durable state: one SQLite file, the truth about everything the operator
 * and the AoE clients may change.
 *
 * Thread: the daemon's only one.  Everything that changes rows runs inside a
 * transaction (state_begin ... state_commit); one operation is one transaction,
 * so that a crash at any moment leaves the state before or after it.  Readers
 * need none.  Functions that can be refused return 0 or -1 with the reason in
 * fail; rows are plain values that the caller owns.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/fail.h"
#include "common/text_ip.h"
#include "wherry/ctl.h"
#include "wherry/limits.h"

#define STATE_SCHEMA_VERSION 3
#define STATE_EVENT_COUNT_MAX 10000
#define STATE_UUID_BYTES 37   /* text form and its NUL */
#define STATE_SERIAL_BYTES 21 /* ATA serial number, at most 20 characters, and its NUL */

struct state;

struct volume_fault {
	uint64_t seed;
	uint32_t read_error_ppm, write_error_ppm, flush_error_ppm, no_space_ppm;
	uint32_t delay_ppm, delay_us;
	uint64_t bad_offset_bytes, bad_length_bytes;
};

struct volume_row {
	uint64_t id; /* never used twice */
	char name[WHERRY_NAME_BYTES_MAX + 1];
	enum wherry_backend backend;
	char path[WHERRY_PATH_BYTES_MAX + 1]; /* FILE only, as the operator wrote it */
	uint64_t size_bytes;
	uint32_t block_bytes;
	bool read_only, write_back;
	bool online; /* the operator wants it in service */
	char uuid[STATE_UUID_BYTES];
	char serial[STATE_SERIAL_BYTES];
	uint64_t created_at_us; /* UNIX epoch */
	uint64_t generation;    /* grows with every change */
	bool has_fault;
	struct volume_fault fault;
};

struct export_row {
	uint64_t id; /* never used twice */
	uint64_t volume_id;
	char volume_name[WHERRY_NAME_BYTES_MAX + 1]; /* read only: follows volume_id */
	char serial[STATE_SERIAL_BYTES];             /* read only: the volume's */
	uint16_t shelf;
	uint8_t slot;
	bool read_only;
	bool remote_mask, remote_config, remote_force_reserve;
	uint16_t buffer_count, sectors_max;
	uint16_t port_count;
	uint64_t port_ids[WHERRY_PORT_COUNT_MAX]; /* none: every port */
	uint16_t vlan_count;
	uint16_t vlans[WHERRY_VLAN_COUNT_MAX]; /* none: untagged; 0 stands for untagged */
	uint64_t generation;                   /* of everything above */
	uint64_t state_generation;             /* of everything below */
	uint16_t config_bytes;
	uint8_t config[WHERRY_AOE_CONFIG_BYTES_MAX];
	uint16_t mask_count, reserve_count;
	struct wherry_mac mask[WHERRY_AOE_MASK_COUNT_MAX];
	struct wherry_mac reserve[WHERRY_AOE_RESERVE_COUNT_MAX];
};

struct port_row {
	uint64_t id; /* never used twice; the dataplane's index is the rank among the ids */
	char name[WHERRY_NAME_BYTES_MAX + 1];
	char device[WHERRY_TEXT_BYTES_MAX + 1]; /* "af_packet:eth1", ... */
	uint16_t mtu;
	uint16_t vlan_count;
	uint16_t vlans[WHERRY_VLAN_COUNT_MAX];
	bool punt;          /* what is not for the appliance goes to the kernel */
	uint32_t punt_rate; /* frames a second, each way */
	bool slaac;         /* IPv6 addresses and routers by router advertisements */
};

struct address_row {
	char port_name[WHERRY_NAME_BYTES_MAX + 1];
	uint16_t vlan; /* 0: untagged */
	struct text_prefix address;
};

struct route_row {
	struct text_prefix prefix; /* 0 bits: default */
	struct text_ip gateway;
};

/* All addresses and routes, in the order in which they were made. */
struct net_rows {
	uint16_t address_count, route_count;
	struct address_row addresses[WHERRY_ADDRESS_COUNT_MAX];
	struct route_row routes[WHERRY_ROUTE_COUNT_MAX];
};

/* What holds for all of IP; one row. */
struct network_row {
	uint64_t generation;   /* grows with every change here, of an address or of a route; 0: never changed */
	uint16_t nbd_tcp_port; /* 0: NBD is switched off */
	enum wherry_tcp_congestion congestion;
	bool ecn;
	uint32_t keepalive_idle_ms, keepalive_interval_ms, keepalive_count, user_timeout_ms; /* 0: off */
};

struct nbd_export_row {
	uint64_t id; /* never used twice */
	uint64_t volume_id;
	char volume_name[WHERRY_NAME_BYTES_MAX + 1]; /* read only: follows volume_id */
	char name[WHERRY_NAME_BYTES_MAX + 1];
	char description[WHERRY_TEXT_BYTES_MAX + 1];
	bool read_only;
	bool is_default; /* answers to the empty name, too; one at most */
	uint16_t allow_count;
	struct text_prefix allow[WHERRY_NBD_ALLOW_COUNT_MAX]; /* none: everybody */
	uint64_t generation;
};

/* How the dataplane runs; one row. */
struct runtime_row {
	char lcores[WHERRY_NAME_BYTES_MAX + 1]; /* "0-1"; empty: the dataplane decides */
	int32_t main_lcore;                     /* -1: the dataplane decides */
	uint32_t idle_spin_turns, idle_pause_turns, idle_sleep_us;
};

struct event_row {
	uint64_t id;      /* grows, never used twice */
	uint64_t time_us; /* UNIX epoch */
	enum wherry_severity severity;
	char code[WHERRY_NAME_BYTES_MAX + 1];
	char object[WHERRY_PATH_BYTES_MAX + 1];
	char message[WHERRY_TEXT_BYTES_MAX + 1];
};

/*
 * Open or create the state at path.  Refuses (and leaves byte-identical) a file
 * that is not a database, not ours, newer than this program or damaged.  NULL
 * with the reason in fail.
 */
struct state *state_open(const char *path, struct fail *fail);
void state_close(struct state *state);

int state_begin(struct state *state, struct fail *fail) __attribute__((warn_unused_result));
/* On failure nothing of the transaction is left, as after state_rollback. */
int state_commit(struct state *state, struct fail *fail) __attribute__((warn_unused_result));
void state_rollback(struct state *state);
/* In a transaction: references are checked at its end, so that the order of changes does not matter. */
int state_defer_references(struct state *state, struct fail *fail);

/* ---- volumes.  insert sets id and generation; update raises generation, in the row too. */
int state_volume_insert(struct state *state, struct volume_row *row, struct fail *fail);
int state_volume_update(struct state *state, struct volume_row *row, struct fail *fail);
int state_volume_delete(struct state *state, uint64_t id, struct fail *fail);
/* 0; -1 with FAIL_NOT_FOUND (or a database failure) in fail. */
int state_volume_by_name(struct state *state, const char *name, struct volume_row *row, struct fail *fail);
int state_volume_by_id(struct state *state, uint64_t id, struct volume_row *row, struct fail *fail);
/* 1 with the row, 0 when no volume has the path, -1. */
int state_volume_by_path(struct state *state, const char *path, struct volume_row *row, struct fail *fail);
/* In order of name; after "" starts.  1 with a row, 0 at the end, -1. */
int state_volume_next(struct state *state, const char *after, struct volume_row *row, struct fail *fail);
int64_t state_volume_count(struct state *state);

/* ---- AoE exports.  insert sets id and generations; update raises generation; put_state raises state_generation. */
int state_export_insert(struct state *state, struct export_row *row, struct fail *fail);
int state_export_update(struct state *state, struct export_row *row, struct fail *fail);
int state_export_put_state(struct state *state, struct export_row *row, struct fail *fail);
int state_export_delete(struct state *state, uint64_t id, struct fail *fail);
int state_export_by_address(struct state *state, uint16_t shelf, uint8_t slot, struct export_row *row,
			    struct fail *fail);
int state_export_by_id(struct state *state, uint64_t id, struct export_row *row, struct fail *fail);
/* In order of shelf << 8 | slot; after -1 starts.  1 with a row, 0 at the end, -1. */
int state_export_next(struct state *state, int32_t after, struct export_row *row, struct fail *fail);
/* The same, of one volume. */
int state_export_next_of(struct state *state, uint64_t volume_id, int32_t after, struct export_row *row,
			 struct fail *fail);
int64_t state_export_count(struct state *state);
static inline int32_t state_export_key(const struct export_row *row)
{
	return row->shelf << 8 | row->slot;
}

/* ---- ports */
int state_port_insert(struct state *state, struct port_row *row, struct fail *fail);
int state_port_update(struct state *state, const struct port_row *row, struct fail *fail);
int state_port_delete(struct state *state, uint64_t id, struct fail *fail);
int state_port_by_name(struct state *state, const char *name, struct port_row *row, struct fail *fail);
/* All, in order of id.  The count, or -1. */
int state_port_list(struct state *state, struct port_row rows[WHERRY_PORT_COUNT_MAX], struct fail *fail);
/* An export that names the port: 1 with its address, 0 when none does, -1. */
int state_port_user(struct state *state, uint64_t id, uint16_t *shelf, uint8_t *slot, struct fail *fail);

/* ---- addresses and routes.  put replaces them all; both puts raise the generation of struct network_row. */
int state_net_get(struct state *state, struct net_rows *rows, struct fail *fail);
int state_net_put(struct state *state, const struct net_rows *rows, struct fail *fail);
/* What the dataplane is told of the network has changed: it is newer from now on. */
int state_net_touch(struct state *state, struct fail *fail);
int state_network_get(struct state *state, struct network_row *row, struct fail *fail);
int state_network_put(struct state *state, const struct network_row *row, struct fail *fail);

/* ---- NBD exports.  insert sets id and generation; update raises generation. */
int state_nbd_insert(struct state *state, struct nbd_export_row *row, struct fail *fail);
int state_nbd_update(struct state *state, struct nbd_export_row *row, struct fail *fail);
int state_nbd_delete(struct state *state, uint64_t id, struct fail *fail);
int state_nbd_by_name(struct state *state, const char *name, struct nbd_export_row *row, struct fail *fail);
int state_nbd_by_id(struct state *state, uint64_t id, struct nbd_export_row *row, struct fail *fail);
/* 1 with the one that answers to the empty name, 0 when none does, -1. */
int state_nbd_default(struct state *state, struct nbd_export_row *row, struct fail *fail);
/* In order of name; after "" starts.  1 with a row, 0 at the end, -1. */
int state_nbd_next(struct state *state, const char *after, struct nbd_export_row *row, struct fail *fail);
/* The same, of one volume. */
int state_nbd_next_of(struct state *state, uint64_t volume_id, const char *after, struct nbd_export_row *row,
		      struct fail *fail);
int64_t state_nbd_count(struct state *state);

/* ---- how the dataplane runs */
int state_runtime_get(struct state *state, struct runtime_row *row, struct fail *fail);
int state_runtime_put(struct state *state, const struct runtime_row *row, struct fail *fail);

/*
 * Every start of the daemon is an epoch of the state: a random identity in the
 * high half, a count in the low one.  The dataplane is told the epoch of its
 * configuration; so the next daemon knows whether a running one was configured
 * from this state or from another, whose object ids mean nothing here.
 */
int state_epoch_begin(struct state *state, struct fail *fail);
uint64_t state_epoch(struct state *state);
/* Was a configuration of that epoch made from this state, now or earlier? */
bool state_epoch_is_ours(struct state *state, uint64_t epoch);

/* ---- events.  insert drops the oldest beyond STATE_EVENT_COUNT_MAX and sets id. */
int state_event_insert(struct state *state, struct event_row *row, struct fail *fail);
/* Ascending ids above since_id.  1 with a row, 0 at the end, -1. */
int state_event_next(struct state *state, uint64_t since_id, struct event_row *row, struct fail *fail);
/* Smallest since_id that shows the last count events. */
uint64_t state_event_tail(struct state *state, uint32_t count);
uint64_t state_event_last_id(struct state *state);
