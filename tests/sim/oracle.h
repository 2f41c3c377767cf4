/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The block oracle: a history for every sector of 512 bytes.
 *
 * Each write has a number that fills its sectors, together with their address,
 * so that whatever a read returns names the write it came from.  Clients tell the
 * oracle what they send and what they are answered; it ends the run when a read,
 * or the disk at the end, holds what cannot be there.
 */
#pragma once

#include "history.h"

#define SECTOR_BYTES 512u

struct volume_oracle {
	struct sim *sim;
	unsigned index;
	uint32_t sector_count;
	bool write_back;
	uint64_t power_loss_ns; /* the last one under write-back: an answer from before it says nothing of now */
	struct version initial;
	struct history *sectors;
	uint64_t *last_sent_ns;  /* per sector: when a write to it was last put on the wire */
	struct version **writes; /* by id */
	uint64_t write_count, write_capacity;
};

/* A write, or a trim: something that changes sectors. */
struct write {
	struct version version; /* first member */
	uint32_t lba, count;
	bool trim; /* may leave what was there, or make it zero */
	bool zero; /* makes it zero; set by whoever issued it */
};

void oracle_init(struct volume_oracle *oracle, struct sim *sim, unsigned index, uint32_t sector_count, bool write_back);
/*
 * May a client write there now?  AoE has no sequence numbers: a frame that the
 * network holds back cannot be told from a new one, by any target.  So no block
 * is written again before every frame that ever carried a write to it has
 * arrived or is lost: the network bounds their lives (NET_FRAME_LIFE_NS).
 */
bool oracle_may_write(const struct volume_oracle *oracle, uint32_t lba, uint32_t count);
struct write *oracle_issue(struct volume_oracle *oracle, uint32_t lba, uint32_t count, bool trim);
/* A frame that carries it leaves the client.  copies_left: an answer need not be the last frame's. */
void oracle_sent(struct volume_oracle *oracle, struct write *write, bool copies_left);
/* The bytes to write: count sectors. */
void oracle_fill(const struct volume_oracle *oracle, const struct write *write, uint8_t *data);
/* sent_ns: when the frame was sent whose answer it is. */
void oracle_acknowledged(struct volume_oracle *oracle, struct write *write, uint64_t sent_ns);
/* The answer promised that it is durable, whatever the volume does otherwise. */
void oracle_durable(struct volume_oracle *oracle, const struct write *write, uint64_t sent_ns);
/* An error was the answer: it may have happened, but no more will. */
void oracle_failed(struct volume_oracle *oracle, struct write *write);
/* A read that was issued then is answered; sent_ns as above. */
void oracle_read(struct volume_oracle *oracle, uint32_t lba, uint32_t count, const uint8_t *data, uint64_t issue_ns,
		 uint64_t sent_ns);
void oracle_flushed(struct volume_oracle *oracle, uint64_t issue_ns);
void oracle_power_loss(struct volume_oracle *oracle);
/* The disk's durable content after everything is quiet. */
void oracle_check_disk(struct volume_oracle *oracle, const uint8_t *bytes);
