/* SPDX-License-Identifier: BSD-3-Clause */
/* The benchmarks' NBD client.  See nbd_client.h. */
#include "nbd_client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "wire/nbd.h"

#define NO_SLOT NBD_CLIENT_DEPTH_MAX
#define MARK_BYTES 8u

static uint64_t get(const uint8_t *at, unsigned bytes)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return value;
}

static uint32_t put(uint8_t *at, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
	return bytes;
}

/* Never all zeros: a block that nobody wrote is not taken for the first. */
static void mark_of(uint64_t offset_bytes, uint8_t mark[MARK_BYTES])
{
	put(mark, offset_bytes ^ 0x5745525259000000ull, MARK_BYTES);
}

static uint64_t next_random(struct nbd_client *client)
{
	uint64_t z = (client->random += 0x9e3779b97f4a7c15ull); /* splitmix64 */
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

void nbd_client_init(struct nbd_client *client, const struct nbd_client_config *config)
{
	assert(config->depth >= 1 && config->depth <= NBD_CLIENT_DEPTH_MAX);
	assert(config->block_bytes >= 512 && config->span_bytes >= config->block_bytes);
	memset(client, 0, sizeof *client);
	client->config = *config;
	client->random = config->seed;
	client->filling = client->waiting = config->fill_stride != 0;
	client->cursor_bytes = (uint64_t)config->fill_first * config->block_bytes;
	client->head_want_bytes = NBD_GREETING_BYTES;
	client->reply_slot = NO_SLOT;
	for (unsigned i = 0; i < config->depth; i++)
		client->free_slots[client->free_count++] = (uint8_t)i;
}

static void fail(struct nbd_client *client)
{
	client->errors++;
	client->state = NBD_CLIENT_FAILED;
}

/* ---- handshake ---- */

static void expect_option(struct nbd_client *client, enum nbd_client_state state)
{
	client->state = (uint8_t)state;
	client->hello = true;
	client->head_want_bytes = NBD_OPTION_REPLY_BYTES;
}

static uint32_t emit_hello(struct nbd_client *client, uint8_t *to)
{
	const bool structured = client->state == NBD_CLIENT_OPTION_STRUCTURED;
	uint32_t at = 0;
	client->hello = false;
	if (structured || !client->config.structured)
		at += put(to, NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES, 4);
	at += put(to + at, NBD_OPTION_MAGIC, 8);
	at += put(to + at, structured ? NBD_OPT_STRUCTURED_REPLY : NBD_OPT_GO, 4);
	if (structured)
		return at + put(to + at, 0, 4);
	at += put(to + at, 6, 4);
	at += put(to + at, 0, 4);       /* the default export */
	return at + put(to + at, 0, 2); /* no information requests */
}

static void on_greeting(struct nbd_client *client)
{
	if (get(client->head, 8) != NBD_MAGIC || get(client->head + 8, 8) != NBD_OPTION_MAGIC)
		fail(client);
	else
		expect_option(client, client->config.structured ? NBD_CLIENT_OPTION_STRUCTURED : NBD_CLIENT_OPTION_GO);
}

/* The whole reply is there; of its data what head holds. */
static void on_option_reply(struct nbd_client *client)
{
	if (client->option_type & 0x80000000u) {
		fail(client);
	} else if (client->option_type == NBD_REP_ACK) {
		if (client->state == NBD_CLIENT_OPTION_STRUCTURED) {
			expect_option(client, NBD_CLIENT_OPTION_GO);
		} else {
			client->state = NBD_CLIENT_READY;
			client->head_want_bytes = NBD_SIMPLE_REPLY_BYTES;
		}
	}
}

static void on_option_head(struct nbd_client *client)
{
	if (get(client->head, 8) != NBD_OPTION_REPLY_MAGIC) {
		fail(client);
		return;
	}
	client->option_type = (uint32_t)get(client->head + 12, 4);
	client->skip_bytes = get(client->head + 16, 4);
	if (client->skip_bytes == 0)
		on_option_reply(client);
}

/* ---- replies ---- */

static void complete(struct nbd_client *client, unsigned index, bool good, uint64_t now_ns)
{
	struct nbd_client_slot *slot = &client->slots[index];
	slot->busy = false;
	client->free_slots[client->free_count++] = (uint8_t)index;
	client->hist[wherry_hist_bucket(now_ns - slot->sent_ns)]++;
	if (good && slot->left_bytes == 0)
		client->completed++;
	else
		client->errors++;
}

static unsigned slot_of(const struct nbd_client *client, uint64_t cookie)
{
	const unsigned index = (unsigned)(cookie & 0xffff);
	if (index >= client->config.depth || !client->slots[index].busy ||
	    client->slots[index].generation != (cookie >> 16 & 0xffff))
		return NO_SLOT;
	return index;
}

/* bytes of data of the block at offset follow. */
static void expect_data(struct nbd_client *client, unsigned index, uint64_t offset_bytes, uint64_t bytes, bool done)
{
	struct nbd_client_slot *slot = &client->slots[index];
	if (bytes > slot->left_bytes) {
		fail(client);
		return;
	}
	slot->left_bytes -= (uint32_t)bytes;
	client->reply_slot = index;
	client->reply_done = done;
	client->skip_bytes = bytes;
	client->check_bytes = 0;
	if (offset_bytes == slot->offset_bytes && bytes >= MARK_BYTES && !client->config.unmarked)
		client->check_bytes = MARK_BYTES;
	mark_of(offset_bytes, client->mark);
}

static void on_simple(struct nbd_client *client, uint64_t now_ns)
{
	const unsigned index = slot_of(client, get(client->head + 8, 8));
	const bool good = get(client->head + 4, 4) == 0;
	if (index == NO_SLOT)
		fail(client);
	else if (good && client->slots[index].left_bytes)
		expect_data(client, index, client->slots[index].offset_bytes, client->config.block_bytes, true);
	else
		complete(client, index, good, now_ns);
}

static void on_chunk(struct nbd_client *client, uint64_t now_ns)
{
	const bool done = get(client->head + 4, 2) & NBD_CHUNK_FLAG_DONE;
	const uint64_t type = get(client->head + 6, 2), bytes = get(client->head + 16, 4);
	const unsigned index = slot_of(client, get(client->head + 8, 8));
	if (index == NO_SLOT) {
		fail(client);
	} else if (type == NBD_CHUNK_OFFSET_DATA && bytes > 8) {
		if (client->head_bytes < NBD_CHUNK_BYTES + 8) {
			client->head_want_bytes = NBD_CHUNK_BYTES + 8;
			return;
		}
		expect_data(client, index, get(client->head + NBD_CHUNK_BYTES, 8), bytes - 8, done);
	} else if (type == NBD_CHUNK_NONE && done) {
		complete(client, index, true, now_ns);
	} else {
		fail(client); /* an error, or a hole where everything was written */
	}
}

static void on_head(struct nbd_client *client, uint64_t now_ns)
{
	const uint64_t magic = get(client->head, 4);
	switch ((enum nbd_client_state)client->state) {
	case NBD_CLIENT_GREETING:
		on_greeting(client);
		break;
	case NBD_CLIENT_OPTION_STRUCTURED:
	case NBD_CLIENT_OPTION_GO:
		on_option_head(client);
		break;
	case NBD_CLIENT_READY:
		if (magic == NBD_SIMPLE_REPLY_MAGIC) {
			on_simple(client, now_ns);
		} else if (magic != NBD_CHUNK_MAGIC) {
			fail(client);
		} else if (client->head_bytes < NBD_CHUNK_BYTES) {
			client->head_want_bytes = NBD_CHUNK_BYTES;
			return;
		} else {
			on_chunk(client, now_ns);
			if (client->head_want_bytes > client->head_bytes)
				return;
		}
		client->head_want_bytes = NBD_SIMPLE_REPLY_BYTES;
		break;
	case NBD_CLIENT_FAILED:
		break;
	}
	client->head_bytes = 0;
}

static void after_payload(struct nbd_client *client, uint64_t now_ns)
{
	if (client->state != NBD_CLIENT_READY) {
		on_option_reply(client);
		return;
	}
	const unsigned index = client->reply_slot;
	client->reply_slot = NO_SLOT;
	if (client->reply_done)
		complete(client, index, true, now_ns);
}

static uint32_t take_payload(struct nbd_client *client, const uint8_t *data, uint32_t len_bytes)
{
	const uint32_t bytes = len_bytes < client->skip_bytes ? len_bytes : (uint32_t)client->skip_bytes;
	for (uint32_t i = 0; i < bytes && client->check_bytes; i++) {
		if (data[i] != client->mark[MARK_BYTES - client->check_bytes]) {
			fail(client);
			return len_bytes;
		}
		client->check_bytes--;
	}
	client->skip_bytes -= bytes;
	return bytes;
}

void nbd_client_input(struct nbd_client *client, const uint8_t *data, uint32_t len_bytes, uint64_t now_ns)
{
	while (len_bytes && client->state != NBD_CLIENT_FAILED) {
		uint32_t taken;
		if (client->skip_bytes) {
			taken = take_payload(client, data, len_bytes);
			if (client->skip_bytes == 0 && client->state != NBD_CLIENT_FAILED)
				after_payload(client, now_ns);
		} else {
			const uint32_t want = client->head_want_bytes - client->head_bytes;
			taken = len_bytes < want ? len_bytes : want;
			memcpy(client->head + client->head_bytes, data, taken);
			client->head_bytes += taken;
			if (taken == want)
				on_head(client, now_ns);
		}
		data += taken;
		len_bytes -= taken;
	}
}

/* ---- requests ---- */

static uint64_t pick_offset(struct nbd_client *client)
{
	const uint64_t blocks = client->config.span_bytes / client->config.block_bytes;
	return (uint64_t)(((unsigned __int128)next_random(client) * blocks) >> 64) * client->config.block_bytes;
}

static uint32_t emit_request(struct nbd_client *client, unsigned index, uint8_t *head, uint32_t *body_bytes,
			     uint64_t now_ns)
{
	struct nbd_client_slot *slot = &client->slots[index];
	const bool write = client->config.write || client->filling;
	slot->busy = true;
	slot->generation++;
	slot->sent_ns = now_ns;
	slot->left_bytes = write ? 0 : client->config.block_bytes;
	uint32_t at = put(head, NBD_REQUEST_MAGIC, 4);
	at += put(head + at, 0, 2);
	at += put(head + at, write ? NBD_CMD_WRITE : NBD_CMD_READ, 2);
	at += put(head + at, (uint64_t)slot->generation << 16 | index, 8);
	at += put(head + at, slot->offset_bytes, 8);
	at += put(head + at, client->config.block_bytes, 4);
	*body_bytes = 0;
	if (!write)
		return at;
	mark_of(slot->offset_bytes, head + at);
	*body_bytes = client->config.block_bytes - MARK_BYTES;
	return at + MARK_BYTES;
}

static uint32_t emit_goodbye(struct nbd_client *client, uint8_t *head)
{
	if (!nbd_client_is_idle(client))
		return 0;
	client->stopped = true;
	memset(head, 0, NBD_REQUEST_BYTES);
	put(head, NBD_REQUEST_MAGIC, 4);
	put(head + 6, NBD_CMD_DISC, 2);
	return NBD_REQUEST_BYTES;
}

uint32_t nbd_client_next(struct nbd_client *client, uint8_t head[NBD_CLIENT_HEAD_BYTES_MAX], uint32_t *body_bytes,
			 uint64_t now_ns)
{
	*body_bytes = 0;
	if (client->hello)
		return emit_hello(client, head);
	if (client->state != NBD_CLIENT_READY || client->free_count == 0 || client->stopped)
		return 0;
	if (client->stopping)
		return emit_goodbye(client, head);
	uint64_t offset_bytes;
	if (client->filling) {
		offset_bytes = client->cursor_bytes;
		if (offset_bytes + client->config.block_bytes > client->config.span_bytes) {
			client->filling = client->free_count != client->config.depth;
			return 0;
		}
		client->cursor_bytes += (uint64_t)client->config.fill_stride * client->config.block_bytes;
	} else if (client->waiting) {
		return 0;
	} else {
		offset_bytes = pick_offset(client);
	}
	const unsigned index = client->free_slots[--client->free_count];
	client->slots[index].offset_bytes = offset_bytes;
	return emit_request(client, index, head, body_bytes, now_ns);
}

/* ---- figures ---- */

void nbd_client_reset_counters(struct nbd_client *client)
{
	client->completed = client->errors = 0;
	memset(client->hist, 0, sizeof client->hist);
}

uint64_t nbd_client_percentile_ns(const struct nbd_client *clients, unsigned count, double share)
{
	uint64_t total = 0, seen = 0;
	for (unsigned c = 0; c < count; c++)
		for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++)
			total += clients[c].hist[i];
	for (unsigned i = 0; i < WHERRY_HIST_BUCKET_COUNT; i++) {
		for (unsigned c = 0; c < count; c++)
			seen += clients[c].hist[i];
		if (total && (double)seen >= share * (double)total)
			return wherry_hist_floor_ns(i);
	}
	return 0;
}

void nbd_client_print_json(const struct nbd_client *clients, unsigned count, const char *transport, double seconds,
			   double cpu_seconds)
{
	uint64_t completed = 0, errors = 0;
	for (unsigned i = 0; i < count; i++) {
		completed += clients[i].completed;
		errors += clients[i].errors;
	}
	const double iops = (double)completed / seconds;
	printf("{\"transport\": \"%s\", \"op\": \"%s\", \"block_bytes\": %u, \"depth\": %u, \"connections\": %u, "
	       "\"seconds\": %.3f, \"completed\": %llu, \"iops\": %.0f, \"bytes_per_s\": %.0f, \"p50_ns\": %llu, "
	       "\"p99_ns\": %llu, \"errors\": %llu, \"client_cpu_s\": %.3f}\n",
	       transport, clients->config.write ? "write" : "read", clients->config.block_bytes, clients->config.depth,
	       count, seconds, (unsigned long long)completed, iops, iops * clients->config.block_bytes,
	       (unsigned long long)nbd_client_percentile_ns(clients, count, 0.5),
	       (unsigned long long)nbd_client_percentile_ns(clients, count, 0.99), (unsigned long long)errors,
	       cpu_seconds);
}
