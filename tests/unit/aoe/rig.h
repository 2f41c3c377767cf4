/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A whole AoE lcore on a bench: heap packets, memory disks that can hold I/O
 * back or fail it, a control plane that says what the test wants, and a client
 * that checks of every answer what must hold for all answers.
 */
#pragma once

#include <criterion/criterion.h>
#include <stdbool.h>
#include <stdint.h>

#include "aoe/aoe.h"
#include "pkt/pkt_heap.h"
#include "wire/aoe.h"
#include "wire/ata.h"

#define RIG_FRAME_BYTES 10000
#define RIG_OUT_MAX 20000

/* ---- disk: a volume on memory ---- */
struct rig_disk {
	struct backend backend; /* first member */
	struct volume volume;
	struct vol_bounce_pool *bounce;
	uint8_t *bytes;
	bool hold; /* keep I/O until rig_disk_release */
	enum io_status fail_read, fail_change, fail_flush;
	struct backend_io *held[512]; /* in arrival order */
	unsigned held_count;
	unsigned read_count, write_count, flush_count, discard_count, fua_count;
	uintptr_t last_address; /* of the last read's or write's memory */
};

void rig_disk_init(struct rig_disk *disk, uint64_t size_bytes, uint32_t block_bytes, uint32_t memory_align_bytes);
void rig_disk_fini(struct rig_disk *disk);
/* Completes the index'th of the held ones. */
void rig_disk_release(struct rig_disk *disk, unsigned index);
void rig_disk_release_all(struct rig_disk *disk);

/* ---- rig ---- */
struct rig_client {
	uint8_t mac[6];
	uint16_t port_index, vlan;
	uint64_t stats[WHERRY_CLIENT_STAT_COUNT];
};

struct rig {
	struct pkt_heap heap;
	struct aoe_port ports[WHERRY_PORT_COUNT_MAX];
	uint64_t lcore_stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t now_ns;
	uint64_t arrived_ns; /* of the packets that are sent from now on; 0: one receive queue in all */
	struct aoe_lcore *lcore;
	struct rig_disk disk; /* 1 MiB, 512-byte blocks */

	struct pkt *out[RIG_OUT_MAX]; /* what output() was given, in order */
	unsigned out_first, out_count;

	int persist_result;
	unsigned persist_count;
	struct aoe_persist persist; /* the last one; its pointers point to the copies below */
	uint8_t persist_config[WHERRY_AOE_CONFIG_BYTES_MAX];
	struct wherry_mac persist_list[WHERRY_AOE_RESERVE_COUNT_MAX];

	struct rig_client clients[64];
	unsigned client_count;
};

extern const uint8_t rig_mac_a[6], rig_mac_b[6], rig_mac_c[6]; /* clients */
extern const uint8_t rig_port_mac[6];                          /* of port 0; port n differs in the last byte */

/* Ports 0 (MTU 1500) and 1 (MTU 9000) are present. */
struct rig *rig_create(void);
struct rig *rig_create_with(uint32_t request_count);
/* Expects that nothing is under way and no packet is lost. */
void rig_destroy(struct rig *rig);

/* Message for an export with every remote right, id = shelf << 8 | slot; static storage, overwritten by the next. */
struct wherry_ctl_aoe_export_put *rig_put(uint16_t shelf, uint8_t slot);
/* Create on the rig's disk and serve, without advertising. */
struct aoe_export *rig_serve(struct rig *rig, const struct wherry_ctl_aoe_export_put *put);
/* rig_serve(rig, rig_put(1, 0)) */
struct aoe_export *rig_serve_one(struct rig *rig);
/* Remove and destroy; it must be idle. */
void rig_remove(struct rig *rig, struct aoe_export *export_);

/* ---- requests: from client A to export 1.0 on port 0, unless changed ---- */
struct aoe_frame rig_ata(uint8_t opcode, uint64_t lba, uint8_t sector_count);
struct aoe_frame rig_write(uint8_t opcode, uint64_t lba, uint8_t sector_count, const uint8_t *data);
struct aoe_frame rig_config(uint8_t command, const void *string, uint16_t string_bytes);
struct aoe_frame rig_mask_read(void);
/* directive_count directives in directives[]; kept until the next call. */
struct aoe_frame rig_mask_edit(const struct aoe_directive *directives, uint8_t directive_count);
struct aoe_frame rig_mask_one(uint8_t directive, const uint8_t mac[6]);
struct aoe_frame rig_reserve(uint8_t command, const void *macs, uint8_t mac_count);
struct aoe_frame rig_from(struct aoe_frame frame, const uint8_t mac[6]);
struct aoe_frame rig_to(struct aoe_frame frame, uint16_t shelf, uint8_t slot);
struct aoe_frame rig_broadcast(struct aoe_frame frame);
struct aoe_frame rig_tagged(struct aoe_frame frame, uint16_t tci);

/* ---- answers ---- */
struct rig_answer {
	enum aoe_verdict verdict; /* of aoe_input */
	bool got;                 /* an answer is here */
	uint32_t len_bytes;
	uint16_t port_index;
	struct aoe_frame frame; /* points into bytes of the answer: not valid in a copy; see rig_data */
	uint8_t bytes[RIG_FRAME_BYTES];
};

/* Sends; the answer when there is one at once, or else the next that output() was given in the course of it.
 * Static storage, overwritten by the next call. */
const struct rig_answer *rig_ask(struct rig *rig, struct aoe_frame frame);
const struct rig_answer *rig_ask_port(struct rig *rig, struct aoe_frame frame, uint16_t port_index);
/* The same for bytes, with exactly that much room behind the frame. */
const struct rig_answer *rig_ask_bytes(struct rig *rig, const uint8_t *bytes, uint32_t len_bytes, uint16_t port_index,
				       uint32_t tailroom_bytes);
/* The next packet that output() was given; got is false when there is none. */
const struct rig_answer *rig_next(struct rig *rig);
/* Frees what output() was given; returns how many there were. */
unsigned rig_discard(struct rig *rig);
unsigned rig_poll(struct rig *rig); /* until nothing goes out any more; returns the number of frames */

/* The durable change that is pending is answered. */
void rig_persisted(struct rig *rig, int status, uint64_t state_generation);

/* ---- expectations ---- */
#define rig_expect_error(answer, error_)                                                                               \
	do {                                                                                                           \
		const struct rig_answer *a_ = (answer);                                                                \
		cr_assert(a_->got, "an answer");                                                                       \
		cr_expect_eq(a_->frame.header.flags, AOE_FLAG_RESPONSE | AOE_FLAG_ERROR);                              \
		cr_expect_eq(a_->frame.header.error, (error_), "error %u", a_->frame.header.error);                    \
	} while (0)
#define rig_expect_ok(answer)                                                                                          \
	do {                                                                                                           \
		const struct rig_answer *a_ = (answer);                                                                \
		cr_assert(a_->got, "an answer");                                                                       \
		cr_expect_eq(a_->frame.header.flags, AOE_FLAG_RESPONSE, "AoE error %u", a_->frame.header.error);       \
	} while (0)
#define rig_expect_ata(answer, status_, error_)                                                                        \
	do {                                                                                                           \
		const struct rig_answer *b_ = (answer);                                                                \
		rig_expect_ok(b_);                                                                                     \
		cr_expect_eq(b_->frame.ata.command, (status_), "status %02x", b_->frame.ata.command);                  \
		cr_expect_eq(b_->frame.ata.feature, (error_), "error %02x", b_->frame.ata.feature);                    \
	} while (0)
#define rig_expect_done(answer) rig_expect_ata(answer, ATA_STATUS_READY, 0)
#define rig_expect_silence(answer) cr_expect_not((answer)->got, "no answer")

uint64_t rig_stat(const struct aoe_export *export_, enum wherry_export_stat stat);
/* Of the client with this address on port 0, untagged. */
uint64_t rig_client_stat(struct rig *rig, const uint8_t mac[6], enum wherry_client_stat stat);
