/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures.  Main lcore; tap is the workers'. */
#include "ctl/capture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "ctl/capture_file.h"
#include "ctl/pcapng.h"
#include "ctl/server_priv.h"
#include "port/port.h"
#include "util/frame_ring.h"
#include "wherry_build.h"

#define PUMP_INTERVAL_US 10000
#define FLUSH_NS 2000000000ull /* how long an ended capture waits for its reader */
#define RING_BYTES (4u << 20)  /* of frames on their way, for each worker */
#define EVERY_PORT 0xffffu
#define FRAME_BYTES_MAX (WHERRY_MTU_MAX + 64u)
#define BLOCK_BYTES_MAX (FRAME_BYTES_MAX + 64u)

enum capture_state {
	CAPTURE_RUNNING,
	CAPTURE_STOPPING, /* the workers are being told */
	CAPTURE_FLUSHING, /* what they left is written */
	CAPTURE_ENDED,
};

struct capture {
	struct capture *next; /* newest first */
	uint32_t id;
	enum capture_state state;
	bool in_set, told; /* in the set that is being published; every worker has it */
	/* constant while a worker has it */
	uint16_t port;
	bool by_mac;
	uint8_t mac[6];
	uint32_t snap_bytes; /* 0: whole frames */
	uint64_t real_minus_mono_ns;
	struct frame_ring *rings[WHERRY_LCORE_COUNT_MAX];
	/* main's */
	struct capture_file *file;
	uint64_t count_max, written, dropped;
	uint64_t end_ns; /* 0: no limit; of flushing later */
	struct ctl_reply start_reply, stop_reply;
	char detail[128];
};

/* What a worker's tap is given: the captures that run.  One is in use while the other is filled. */
struct tap_set {
	unsigned count;
	struct capture *captures[CTL_CAPTURE_COUNT_MAX];
};

static struct tap_set sets[2];
static unsigned set_index;
static bool publishing, publish_again;
static struct ctl_broadcast broadcast;
static struct capture *captures;
static uint32_t last_id;
static sd_event_source *pump_timer;

/* ------------------------------------------------------------ on a worker */

static bool capture_matches(const struct capture *c, uint16_t port, const uint8_t *frame, uint32_t len_bytes)
{
	if (c->port != EVERY_PORT && c->port != port)
		return false;
	return !c->by_mac || (len_bytes >= 12 && (memcmp(frame, c->mac, 6) == 0 || memcmp(frame + 6, c->mac, 6) == 0));
}

static void tap(struct worker *worker, void *ctx, uint16_t port, bool outgoing, const uint8_t *frame,
		uint32_t len_bytes)
{
	const struct tap_set *set = ctx;
	for (unsigned i = 0; i < set->count; i++) {
		struct capture *c = set->captures[i];
		if (!capture_matches(c, port, frame, len_bytes))
			continue;
		uint32_t captured = len_bytes < FRAME_BYTES_MAX ? len_bytes : FRAME_BYTES_MAX;
		const struct frame_record record = {
			.time_ns = worker->now_ns + c->real_minus_mono_ns,
			.captured_bytes = c->snap_bytes && c->snap_bytes < captured ? c->snap_bytes : captured,
			.frame_bytes = len_bytes,
			.port_index = port,
			.outgoing = outgoing,
		};
		(void)frame_ring_put(c->rings[worker->index], &record, frame);
	}
}

static void tap_run(struct worker *worker, struct ctl_broadcast *b)
{
	struct tap_set *set = &sets[set_index];
	(void)b;
	worker_set_tap(worker, set->count ? tap : NULL, set);
}

/* ------------------------------------------------------------ publication */

static void publish_done(struct ctl_broadcast *b);

static void publish(void)
{
	publish_again = publishing;
	if (publishing)
		return;
	struct tap_set *set = &sets[!set_index];
	set->count = 0;
	for (struct capture *c = captures; c; c = c->next) {
		c->in_set = c->state == CAPTURE_RUNNING;
		if (c->in_set)
			set->captures[set->count++] = c;
	}
	set_index = !set_index;
	publishing = true;
	broadcast.run = tap_run;
	broadcast.done = publish_done;
	ctl_broadcast_start(&broadcast);
}

static void answer_started(struct capture *c)
{
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 4];
	const struct wherry_ctl_capture_started m = {.capture = c->id};
	ctl_reply_packet(c->start_reply, packet,
			 wherry_ctl_put_capture_started(packet, sizeof packet, c->start_reply.request_id, &m), -1);
	c->start_reply = (struct ctl_reply){0};
}

static void publish_done(struct ctl_broadcast *b)
{
	(void)b;
	publishing = false;
	for (struct capture *c = captures; c; c = c->next) {
		if (c->in_set && !c->told) {
			c->told = true;
			answer_started(c);
		}
		if (!c->in_set && c->state == CAPTURE_STOPPING) {
			c->state = CAPTURE_FLUSHING;
			c->end_ns = ctl_now_ns() + FLUSH_NS;
		}
	}
	if (publish_again)
		publish();
}

/* ----------------------------------------------------------------- ending */

static size_t put_item(uint8_t *packet, size_t cap, uint32_t request_id, const struct capture *c)
{
	struct wherry_ctl_capture_item m = {
		.capture = c->id,
		.running = c->state != CAPTURE_ENDED,
		.written = c->written,
		.dropped = c->dropped,
	};
	for (unsigned i = 0; i < worker_count(); i++)
		if (c->rings[i])
			m.dropped += atomic_load_explicit(&c->rings[i]->dropped, memory_order_relaxed);
	snprintf(m.detail, sizeof m.detail, "%s", c->detail);
	return wherry_ctl_put_capture_item(packet, cap, request_id, &m);
}

static void answer_item(struct ctl_reply reply, const struct capture *c)
{
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof(struct wherry_ctl_capture_item)];
	ctl_reply_packet(reply, packet, put_item(packet, sizeof packet, reply.request_id, c), -1);
}

/* No worker has it: give its memory and descriptor back. */
static void capture_release(struct capture *c)
{
	for (unsigned i = 0; i < WHERRY_LCORE_COUNT_MAX; i++) {
		if (!c->rings[i])
			continue;
		c->dropped += atomic_load_explicit(&c->rings[i]->dropped, memory_order_relaxed);
		frame_ring_destroy(c->rings[i]);
		c->rings[i] = NULL;
	}
	if (c->file)
		capture_file_destroy(c->file);
	c->file = NULL;
}

/* Not while the list is being walked. */
static void forget_oldest(void)
{
	struct capture **at = &captures, **oldest = NULL;
	unsigned ended = 0;
	for (; *at; at = &(*at)->next) {
		if ((*at)->state != CAPTURE_ENDED)
			continue;
		ended++;
		oldest = at;
	}
	if (ended <= CTL_CAPTURE_KEPT_COUNT_MAX)
		return;
	struct capture *c = *oldest;
	*oldest = c->next;
	free(c);
}

static void capture_ended(struct capture *c)
{
	c->state = CAPTURE_ENDED;
	capture_release(c);
	if (!c->told)
		answer_started(c); /* it ended before it had begun */
	answer_item(c->stop_reply, c);
	c->stop_reply = (struct ctl_reply){0};
}

static void capture_stop(struct capture *c, const char *detail)
{
	if (c->state != CAPTURE_RUNNING)
		return;
	c->state = CAPTURE_STOPPING;
	snprintf(c->detail, sizeof c->detail, "%s", detail);
	publish();
}

/* ---------------------------------------------------------------- writing */

static struct frame_ring *oldest_frame(const struct capture *c, struct frame_record *record)
{
	struct frame_ring *oldest = NULL;
	for (unsigned i = 0; i < worker_count(); i++) {
		struct frame_record candidate;
		if (!frame_ring_peek(c->rings[i], &candidate) || (oldest && candidate.time_ns >= record->time_ns))
			continue;
		oldest = c->rings[i];
		*record = candidate;
	}
	return oldest;
}

/* Move frames into the file's buffer until it is full, the rings are empty, or the count is reached. */
static bool encode_frames(struct capture *c)
{
	static uint8_t frame[FRAME_BYTES_MAX];
	struct frame_record record;
	struct frame_ring *ring;
	bool moved = false;
	while (!(c->count_max && c->written >= c->count_max) && (ring = oldest_frame(c, &record))) {
		uint8_t *room = capture_file_room(c->file, BLOCK_BYTES_MAX);
		if (!room)
			break;
		frame_ring_take(ring, &record, frame);
		const struct pcapng_packet packet = {
			.interface = record.port_index,
			.time_ns = record.time_ns,
			.outgoing = record.outgoing,
			.bytes = frame,
			.captured_bytes = record.captured_bytes,
			.frame_bytes = record.frame_bytes,
		};
		capture_file_used(c->file, pcapng_put_packet(room, BLOCK_BYTES_MAX, &packet));
		c->written++;
		moved = true;
	}
	return moved;
}

static bool has_frames(const struct capture *c)
{
	struct frame_record record;
	return !(c->count_max && c->written >= c->count_max) && oldest_frame(c, &record);
}

static void capture_pump(struct capture *c, uint64_t now_ns)
{
	int result = 0;
	/* A few rounds at most: the other clients of the event loop wait. */
	for (unsigned round = 0; round < 16; round++) {
		bool moved = encode_frames(c);
		result = capture_file_flush(c->file);
		if (!moved || result < 0)
			break;
	}
	if (result < 0) {
		char detail[sizeof c->detail];
		snprintf(detail, sizeof detail, "ended: writing failed: %s", strerror(-result));
		capture_stop(c, detail);
		if (c->state == CAPTURE_FLUSHING)
			capture_ended(c);
		return;
	}
	if (c->state == CAPTURE_RUNNING && c->count_max && c->written >= c->count_max)
		capture_stop(c, "ended: its count is reached");
	else if (c->state == CAPTURE_RUNNING && c->end_ns && now_ns >= c->end_ns)
		capture_stop(c, "ended: its time is over");
	if (c->state != CAPTURE_FLUSHING)
		return;
	bool whole = !has_frames(c) && capture_file_empty(c->file);
	if (!whole && now_ns < c->end_ns)
		return;
	if (!whole)
		snprintf(c->detail, sizeof c->detail, "cut short: its reader is too slow");
	capture_ended(c);
}

static int on_pump(sd_event_source *source, uint64_t usec, void *ctx)
{
	uint64_t now_ns = ctl_now_ns();
	bool again = false;
	(void)usec;
	(void)ctx;
	for (struct capture *c = captures, *next; c; c = next) {
		next = c->next;
		if (c->state != CAPTURE_ENDED) {
			again = true;
			capture_pump(c, now_ns);
		}
	}
	forget_oldest();
	if (again)
		(void)ctl_timer_arm(&source, PUMP_INTERVAL_US, NULL, NULL);
	return 0;
}

/* --------------------------------------------------------------- requests */

static struct capture *capture_find(uint32_t id)
{
	struct capture *c = captures;
	while (c && c->id != id)
		c = c->next;
	return c;
}

static unsigned running_count(void)
{
	unsigned count = 0;
	for (const struct capture *c = captures; c; c = c->next)
		count += c->state != CAPTURE_ENDED;
	return count;
}

static bool put_head(struct capture *c)
{
	size_t used = pcapng_put_section(c->file->bytes, CAPTURE_FILE_BYTES, "wherry " WHERRY_VERSION);
	capture_file_used(c->file, used);
	for (unsigned i = 0; i < port_count(); i++) {
		struct wherry_ctl_port_item port;
		uint8_t *room = capture_file_room(c->file, BLOCK_BYTES_MAX);
		port_item(i, &port);
		if (!room)
			return false;
		capture_file_used(c->file, pcapng_put_interface(room, BLOCK_BYTES_MAX, port.name, c->snap_bytes));
	}
	return true;
}

/* All its memory and its file.  0 or an errno. */
static int capture_prepare(struct capture *c, struct ctl_request *request, const struct wherry_ctl_capture_start *m)
{
	c->file = capture_file_create(request->fd);
	if (!c->file)
		return errno;
	request->fd = -1;
	for (unsigned i = 0; i < worker_count(); i++)
		if (!(c->rings[i] = frame_ring_create(RING_BYTES)))
			return ENOMEM;
	c->port = m->port;
	c->by_mac = m->mac.count > 0;
	if (c->by_mac)
		memcpy(c->mac, m->mac.mac[0].b, sizeof c->mac);
	c->snap_bytes = m->snap_bytes;
	c->count_max = m->count;
	uint64_t now_ns = ctl_now_ns();
	c->real_minus_mono_ns = ctl_real_us() * 1000 - now_ns;
	c->end_ns = m->seconds ? now_ns + m->seconds * 1000000000ull : 0;
	return put_head(c) ? 0 : ENOBUFS;
}

void ctl_on_capture_start(struct ctl_request *request, const struct wherry_ctl_capture_start *m)
{
	if (m->port != EVERY_PORT && m->port >= port_count()) {
		ctl_reply_error(request->reply, ENOENT, "capture: port %u does not exist", m->port);
		return;
	}
	if (running_count() == CTL_CAPTURE_COUNT_MAX) {
		ctl_reply_error(request->reply, EBUSY, "capture: %u are running already: stop one",
				CTL_CAPTURE_COUNT_MAX);
		return;
	}
	struct capture *c = calloc(1, sizeof *c);
	int error = c ? capture_prepare(c, request, m) : ENOMEM;
	if (error) {
		ctl_reply_error(request->reply, error, "capture: cannot begin: %s", strerror(error));
		if (c)
			capture_release(c);
		free(c);
		return;
	}
	c->id = ++last_id;
	c->start_reply = request->reply;
	c->next = captures;
	captures = c;
	(void)ctl_timer_arm(&pump_timer, PUMP_INTERVAL_US, on_pump, NULL);
	publish();
}

void ctl_on_capture_stop(struct ctl_request *request, const struct wherry_ctl_capture_stop *m)
{
	struct capture *c = capture_find(m->capture);
	if (!c) {
		ctl_reply_error(request->reply, ENOENT, "capture %u does not exist", m->capture);
		return;
	}
	capture_stop(c, "ended: by request");
	if (c->state == CAPTURE_ENDED || c->stop_reply.connection)
		answer_item(request->reply, c);
	else
		c->stop_reply = request->reply;
}

void ctl_on_capture_get(struct ctl_request *request, const struct wherry_ctl_capture_get *m)
{
	const struct capture *c = capture_find(m->capture);
	if (c)
		answer_item(request->reply, c);
	else
		ctl_reply_error(request->reply, ENOENT, "capture %u does not exist", m->capture);
}

void ctl_capture_controller_went(void)
{
	for (struct capture *c = captures; c; c = c->next)
		capture_stop(c, "ended: the controller left");
}

void ctl_capture_close(void)
{
	while (captures) {
		struct capture *c = captures;
		captures = c->next;
		capture_release(c);
		free(c);
	}
	publishing = publish_again = false;
	pump_timer = sd_event_source_disable_unref(pump_timer);
}
