/* SPDX-License-Identifier: BSD-3-Clause */
/* The benchmarks' AoE initiator.  See load.h. */
#include "load.h"

#include <stdio.h>
#include <string.h>

enum {
	OFF_DST = 0,
	OFF_SRC = 6,
	OFF_TYPE = 12,
	OFF_FLAGS = 14,
	OFF_SHELF = 16,
	OFF_SLOT = 18,
	OFF_COMMAND = 19,
	OFF_TAG = 20,
	OFF_ARG = 24,
	OFF_DATA = 36,
	FRAME_MIN = 60,
	AOE_ATA = 0,
	AOE_CONFIG = 1,
	ATA_READ_EXT = 0x24,
	ATA_WRITE_EXT = 0x34,
	ATA_IDENTIFY = 0xec,
};

/* Tags of control requests; requests of the window use (sequence << 12 | slot) with sequence > 0. */
#define TAG_DISCOVER 0x0d15u
#define TAG_IDENTIFY 0x01deu

static uint64_t next_random(struct load *load)
{
	uint64_t z = (load->random += 0x9e3779b97f4a7c15ull); /* splitmix64 */
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void load_init(struct load *load, const struct load_config *config)
{
	memset(load, 0, sizeof *load);
	load->config = *config;
	load->random = config->seed;
	for (unsigned i = 0; i < config->window; i++)
		load->free_slots[load->free_count++] = (uint16_t)i;
}

uint32_t load_frame_bytes_max(const struct load *load)
{
	return OFF_DATA + load->config.sectors * 512 + FRAME_MIN;
}

static void build_header(const struct load *load, uint8_t *buf, uint8_t command, uint32_t tag)
{
	memset(buf, 0, FRAME_MIN);
	memcpy(buf + OFF_DST, load->config.target_mac, 6);
	memcpy(buf + OFF_SRC, load->config.source_mac, 6);
	buf[OFF_TYPE] = 0x88;
	buf[OFF_TYPE + 1] = 0xa2;
	buf[OFF_FLAGS] = 0x10;
	buf[OFF_SHELF] = (uint8_t)(load->config.shelf >> 8);
	buf[OFF_SHELF + 1] = (uint8_t)load->config.shelf;
	buf[OFF_SLOT] = load->config.slot;
	buf[OFF_COMMAND] = command;
	for (unsigned i = 0; i < 4; i++)
		buf[OFF_TAG + i] = (uint8_t)(tag >> (24 - 8 * i));
}

uint32_t load_build_discover(const struct load *load, uint8_t *buf)
{
	build_header(load, buf, AOE_CONFIG, TAG_DISCOVER);
	memset(buf + OFF_DST, 0xff, 6);
	return FRAME_MIN;
}

uint32_t load_build_identify(const struct load *load, uint8_t *buf)
{
	build_header(load, buf, AOE_ATA, TAG_IDENTIFY);
	buf[OFF_ARG + 2] = 1;
	buf[OFF_ARG + 3] = ATA_IDENTIFY;
	return FRAME_MIN;
}

static uint64_t pick_lba(struct load *load)
{
	uint64_t span = load->config.span_sectors ? load->config.span_sectors : load->capacity_sectors;
	if (span > load->capacity_sectors)
		span = load->capacity_sectors;
	uint64_t blocks = span / load->config.sectors;
	if (!blocks)
		return 0;
	if (load->config.sequential)
		return (load->cursor++ % blocks) * load->config.sectors;
	return (uint64_t)(((unsigned __int128)next_random(load) * blocks) >> 64) * load->config.sectors;
}

static uint32_t build_request(struct load *load, uint8_t *buf, unsigned index, uint64_t now_ns)
{
	struct load_slot *slot = &load->slots[index];
	if (++load->sequence > 0xfffff)
		load->sequence = 1;
	slot->tag = load->sequence << 12 | index;
	slot->sent_ns = now_ns;
	build_header(load, buf, AOE_ATA, slot->tag);
	buf[OFF_ARG] = (uint8_t)(0x40 | (load->config.write ? 0x01 : 0));
	buf[OFF_ARG + 2] = (uint8_t)load->config.sectors;
	buf[OFF_ARG + 3] = load->config.write ? ATA_WRITE_EXT : ATA_READ_EXT;
	for (unsigned i = 0; i < 6; i++)
		buf[OFF_ARG + 4 + i] = (uint8_t)(slot->lba >> (8 * i));
	if (!load->config.write)
		return FRAME_MIN;
	memset(buf + OFF_DATA, (int)(slot->lba & 0xff), load->config.sectors * 512);
	return OFF_DATA + load->config.sectors * 512;
}

uint32_t load_build_next(struct load *load, uint8_t *buf, uint64_t now_ns)
{
	if (!load->free_count)
		return 0;
	unsigned index = load->free_slots[--load->free_count];
	struct load_slot *slot = &load->slots[index];
	slot->busy = true;
	slot->lba = pick_lba(load);
	slot->first_sent_ns = now_ns;
	return build_request(load, buf, index, now_ns);
}

uint32_t load_build_retransmit(struct load *load, uint8_t *buf, uint64_t now_ns)
{
	for (unsigned i = 0; i < load->config.window; i++) {
		struct load_slot *slot = &load->slots[i];
		if (slot->busy && now_ns - slot->sent_ns > load->config.timeout_ns) {
			load->retransmitted++;
			return build_request(load, buf, i, now_ns);
		}
	}
	return 0;
}

static enum load_event on_identify(struct load *load, const uint8_t *frame, uint32_t len_bytes)
{
	if (len_bytes < OFF_DATA + 512 || frame[OFF_ARG + 3] != 0x40)
		return LOAD_FAILED;
	const uint8_t *words = frame + OFF_DATA;
	uint64_t sectors = 0;
	for (unsigned i = 0; i < 8; i++) /* words 100..103 */
		sectors |= (uint64_t)words[200 + i] << (8 * i);
	if (!sectors) /* a target without LBA48: words 60..61 */
		for (unsigned i = 0; i < 4; i++)
			sectors |= (uint64_t)words[120 + i] << (8 * i);
	load->capacity_sectors = sectors;
	return sectors ? LOAD_IDENTIFIED : LOAD_FAILED;
}

enum load_event load_on_frame(struct load *load, const uint8_t *frame, uint32_t len_bytes, uint64_t now_ns)
{
	if (len_bytes < OFF_ARG || frame[OFF_TYPE] != 0x88 || frame[OFF_TYPE + 1] != 0xa2)
		return LOAD_IGNORED;
	if (!(frame[OFF_FLAGS] & 0x08) || memcmp(frame + OFF_DST, load->config.source_mac, 6))
		return LOAD_IGNORED;
	uint32_t tag = (uint32_t)frame[OFF_TAG] << 24 | (uint32_t)frame[OFF_TAG + 1] << 16 |
		       (uint32_t)frame[OFF_TAG + 2] << 8 | frame[OFF_TAG + 3];
	if (tag == TAG_DISCOVER && frame[OFF_COMMAND] == AOE_CONFIG) {
		memcpy(load->config.target_mac, frame + OFF_SRC, 6);
		return LOAD_DISCOVERED;
	}
	if (tag == TAG_IDENTIFY && frame[OFF_COMMAND] == AOE_ATA)
		return on_identify(load, frame, len_bytes);
	if (len_bytes < OFF_DATA) /* an AoE error, or no answer to an ATA command */
		return LOAD_IGNORED;
	unsigned index = tag & 0xfff;
	if (index >= load->config.window || !load->slots[index].busy || load->slots[index].tag != tag) {
		load->strays++;
		return LOAD_IGNORED;
	}
	struct load_slot *slot = &load->slots[index];
	bool failed = (frame[OFF_FLAGS] & 0x04) || frame[OFF_ARG + 3] != 0x40 ||
		      (!load->config.write && len_bytes < OFF_DATA + load->config.sectors * 512);
	slot->busy = false;
	load->free_slots[load->free_count++] = (uint16_t)index;
	load->hist[wherry_hist_bucket(now_ns - slot->first_sent_ns)]++;
	if (failed)
		load->errors++;
	else
		load->completed++;
	return failed ? LOAD_FAILED : LOAD_COMPLETED;
}

void load_reset_counters(struct load *load)
{
	load->completed = load->retransmitted = load->errors = load->strays = 0;
	memset(load->hist, 0, sizeof load->hist);
}

uint64_t load_percentile_ns(const struct load *load, double share)
{
	uint64_t total = 0, seen = 0;
	for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++)
		total += load->hist[i];
	for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++) {
		seen += load->hist[i];
		if (total && (double)seen >= share * (double)total)
			return wherry_hist_floor_ns(i);
	}
	return 0;
}

void load_print_json(const struct load *load, const char *transport, double seconds, double cpu_seconds)
{
	double iops = (double)load->completed / seconds;
	printf("{\"transport\": \"%s\", \"op\": \"%s\", \"sectors\": %u, \"window\": %u, \"seconds\": %.3f, "
	       "\"completed\": %llu, \"iops\": %.0f, \"bytes_per_s\": %.0f, \"p50_ns\": %llu, \"p99_ns\": %llu, "
	       "\"errors\": %llu, \"retransmitted\": %llu, \"client_cpu_s\": %.3f}\n",
	       transport, load->config.write ? "write" : "read", load->config.sectors, load->config.window, seconds,
	       (unsigned long long)load->completed, iops, iops * load->config.sectors * 512,
	       (unsigned long long)load_percentile_ns(load, 0.5), (unsigned long long)load_percentile_ns(load, 0.99),
	       (unsigned long long)load->errors, (unsigned long long)load->retransmitted, cpu_seconds);
}
