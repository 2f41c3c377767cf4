/* SPDX-License-Identifier: BSD-3-Clause */
/* See punt.h.  punt_frame is the workers', all else main's. */
#include "lcore/punt.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lcore/priv.h"
#include "net/bucket.h"
#include "util/frame_ring.h"
#include "wire/ethernet.h"

#define PUNT_TURN 64u            /* frames each way, and for each port, before others have their turn */
#define RING_BYTES (256u * 1024) /* of frames on their way from one worker */
#define FRAME_BYTES_MAX (WHERRY_MTU_MAX + 64u)
#define BURST_MIN 16u
#define PAUSE_NS 2000000l /* how long the kernel's frames wait in its queue when there is no room for them */

enum { EVENT_WAKE = WHERRY_PORT_COUNT_MAX, EVENT_TIMER, EVENT_COUNT };

/* A worker's part.  Written by the worker; main reads the counters. */
struct punt_lane {
	bool on[WHERRY_PORT_COUNT_MAX];
	struct bucket buckets[WHERRY_PORT_COUNT_MAX];
	uint64_t drop_rate[WHERRY_PORT_COUNT_MAX], drop_full[WHERRY_PORT_COUNT_MAX];
	struct frame_ring *ring;
};

/* A port's part, main's. */
struct side {
	int fd; /* the tap, port/'s; -1: none */
	bool paused;
	struct bucket to_kernel, from_kernel;
	uint64_t frames, drop_rate, drop_full, sent, sent_drop;
};

static int epoll_fd = -1, wake_fd = -1, timer_fd = -1;
static struct side sides[WHERRY_PORT_COUNT_MAX];
static _Atomic bool is_awake; /* a worker has woken main, which has not looked yet */

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t burst_of(uint32_t rate)
{
	return rate / 10 > BURST_MIN ? rate / 10 : BURST_MIN;
}

static void wake(void)
{
	uint64_t one = 1;
	ssize_t written = write(wake_fd, &one, sizeof one);
	(void)written; /* the counter is full only when main is on its way already */
}

/* ---------------------------------------------------------------- workers */
static void pass_on(struct worker *worker, const struct pkt *pkt)
{
	struct punt_lane *lane = worker->priv->punt;
	const unsigned port = pkt->port_index;
	const struct frame_record record = {
		.captured_bytes = pkt->len_bytes, .frame_bytes = pkt->len_bytes, .port_index = pkt->port_index};
	if (!bucket_take(&lane->buckets[port], worker->now_ns))
		lane->drop_rate[port]++;
	else if (pkt->len_bytes > FRAME_BYTES_MAX || !frame_ring_put(lane->ring, &record, pkt->data))
		lane->drop_full[port]++;
	else if (!atomic_exchange_explicit(&is_awake, true, memory_order_acq_rel))
		wake();
}

void punt_frame(struct worker *worker, struct pkt *pkt, enum wherry_lcore_stat drop_reason)
{
	const struct punt_lane *lane = worker->priv->punt;
	if (lane && lane->on[pkt->port_index])
		pass_on(worker, pkt);
	else
		worker->stats[drop_reason]++;
	port_pkt_free(pkt);
}

/* ----------------------------------------------------------- to the kernel */
static void deliver(const struct frame_record *record, const uint8_t *frame, uint64_t now)
{
	struct side *side = &sides[record->port_index];
	if (side->fd >= 0 && !bucket_take(&side->to_kernel, now))
		side->drop_rate++;
	else if (side->fd >= 0 && write(side->fd, frame, record->captured_bytes) == (ssize_t)record->captured_bytes)
		side->frames++;
	else
		side->drop_full++; /* lost as on a wire: who needs it sends again */
}

static void empty_rings(uint64_t now)
{
	static uint8_t frame[FRAME_BYTES_MAX];
	static unsigned first; /* takes turns, so that no worker's flood starves the others */
	struct frame_record record;
	const unsigned count = worker_count();
	uint64_t wakes;
	ssize_t got = read(wake_fd, &wakes, sizeof wakes);
	(void)got;
	/* What a worker put before it saw the flag set is seen from here on. */
	atomic_exchange_explicit(&is_awake, false, memory_order_acq_rel);
	unsigned left = PUNT_TURN;
	for (unsigned i = 0; i < count && left; i++) {
		struct frame_ring *ring = worker_at((first + i) % count)->priv->punt->ring;
		for (; left && frame_ring_peek(ring, &record); left--) {
			frame_ring_take(ring, &record, frame);
			deliver(&record, frame, now);
		}
	}
	first = (first + 1) % count;
	if (!left && !atomic_exchange_explicit(&is_awake, true, memory_order_acq_rel))
		wake();
}

/* --------------------------------------------------------- from the kernel */
static void watch_tap(unsigned port, uint32_t events)
{
	struct epoll_event event = {.events = events, .data.u32 = port};
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, sides[port].fd, &event);
}

/* No credit, no room, no packet: the frames wait where they are. */
static void pause_tap(unsigned port)
{
	const struct itimerspec soon = {.it_value = {0, PAUSE_NS}};
	struct itimerspec left;
	sides[port].paused = true;
	watch_tap(port, 0);
	if (timerfd_gettime(timer_fd, &left) == 0 && left.it_value.tv_sec == 0 && left.it_value.tv_nsec == 0)
		(void)timerfd_settime(timer_fd, 0, &soon, NULL);
}

static void resume_taps(void)
{
	uint64_t count;
	ssize_t got = read(timer_fd, &count, sizeof count);
	(void)got;
	for (unsigned i = 0; i < WHERRY_PORT_COUNT_MAX; i++) {
		if (!sides[i].paused)
			continue;
		sides[i].paused = false;
		if (sides[i].fd >= 0)
			watch_tap(i, EPOLLIN);
	}
}

static void lose_tap(unsigned port)
{
	(void)epoll_ctl(epoll_fd, EPOLL_CTL_DEL, sides[port].fd, NULL);
	sides[port].fd = -1;
	port_punt_lost(port);
}

/* One frame of the kernel's to the worker that sends for it.  False: there are no more, or no way on. */
static bool take_frame(unsigned port, struct worker *sender, struct pkt *pkt, uint64_t now)
{
	struct side *side = &sides[port];
	ssize_t got = read(side->fd, pkt->data, pkt_tailroom_bytes(pkt));
	if (got < 0) {
		port_pkt_free(pkt);
		if (errno != EAGAIN && errno != EINTR)
			lose_tap(port);
		return false;
	}
	bucket_take(&side->from_kernel, now);
	pkt->len_bytes = (uint32_t)got;
	if (got >= (ssize_t)ETH_HEADER_BYTES && got <= (ssize_t)(port_mtu(port) + ETH_HEADER_BYTES + ETH_TAG_BYTES) &&
	    handoff_from_main(sender, pkt)) {
		side->sent++;
		return true;
	}
	side->sent_drop++;
	port_pkt_free(pkt);
	return true;
}

static void read_tap(unsigned port, uint64_t now)
{
	struct worker *sender = worker_at(worker_at(0)->priv->tx[port].owner);
	bool more = true;
	for (unsigned i = 0; more && i < PUNT_TURN; i++) {
		struct pkt *pkt = NULL;
		if (bucket_fill(&sides[port].from_kernel, now) && handoff_main_room(sender))
			pkt = port_pkt_alloc(port);
		if (!pkt) {
			pause_tap(port);
			return;
		}
		more = take_frame(port, sender, pkt, now);
	}
}

/* ----------------------------------------------------------------- turns */
int punt_poll_fd(void)
{
	return epoll_fd;
}

void punt_poll(void)
{
	struct epoll_event events[EVENT_COUNT];
	const uint64_t now = now_ns();
	int count = epoll_fd >= 0 ? epoll_wait(epoll_fd, events, EVENT_COUNT, 0) : 0;
	for (int i = 0; i < count; i++) {
		const uint32_t what = events[i].data.u32;
		if (what == EVENT_WAKE)
			empty_rings(now);
		else if (what == EVENT_TIMER)
			resume_taps();
		else if (sides[what].paused && (events[i].events & (EPOLLERR | EPOLLHUP)))
			lose_tap(what);
		else if (!sides[what].paused)
			read_tap(what, now);
	}
}

void punt_stats(unsigned port_index, uint64_t values[WHERRY_PORT_STAT_COUNT])
{
	const struct side *side = &sides[port_index];
	values[WHERRY_PORT_punt_frames] += side->frames;
	values[WHERRY_PORT_punt_drop_rate] += side->drop_rate;
	values[WHERRY_PORT_punt_drop_full] += side->drop_full;
	values[WHERRY_PORT_punt_sent] += side->sent;
	values[WHERRY_PORT_punt_sent_drop] += side->sent_drop;
	for (unsigned i = 0; epoll_fd >= 0 && i < worker_count(); i++) {
		const struct punt_lane *lane = worker_at(i)->priv->punt;
		values[WHERRY_PORT_punt_drop_rate] += __atomic_load_n(&lane->drop_rate[port_index], __ATOMIC_RELAXED);
		values[WHERRY_PORT_punt_drop_full] += __atomic_load_n(&lane->drop_full[port_index], __ATOMIC_RELAXED);
	}
}

/* ------------------------------------------------------------ open, close */
static int add_event(int fd, uint32_t what)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = what};
	return epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_side(unsigned port)
{
	struct side *side = &sides[port];
	const uint32_t rate = port_punt_rate(port);
	side->fd = port_punt_fd(port);
	bucket_init(&side->to_kernel, rate, burst_of(rate), 0);
	bucket_init(&side->from_kernel, rate, burst_of(rate), 0);
	return add_event(side->fd, port);
}

static int open_lane(struct worker *worker)
{
	struct punt_lane *lane = aligned_alloc(64, (sizeof *lane + 63) / 64 * 64);
	if (!lane)
		return -ENOMEM;
	memset(lane, 0, sizeof *lane);
	worker->priv->punt = lane;
	for (unsigned port = 0; port < port_count(); port++) {
		const uint32_t rate = port_punt_rate(port);
		lane->on[port] = port_punt_fd(port) >= 0;
		bucket_init(&lane->buckets[port], rate, burst_of(rate), 0);
	}
	lane->ring = frame_ring_create(RING_BYTES);
	return lane->ring ? 0 : -ENOMEM;
}

static bool any_port_punts(void)
{
	for (unsigned port = 0; port < port_count(); port++)
		if (port_punt_fd(port) >= 0)
			return true;
	return false;
}

static int open_events(void)
{
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (epoll_fd < 0 || wake_fd < 0 || timer_fd < 0)
		return -errno;
	int rc = add_event(wake_fd, EVENT_WAKE);
	return rc ? rc : add_event(timer_fd, EVENT_TIMER);
}

int punt_open(void)
{
	memset(sides, 0, sizeof sides);
	for (unsigned port = 0; port < WHERRY_PORT_COUNT_MAX; port++)
		sides[port].fd = -1;
	if (!any_port_punts())
		return 0;
	int rc = open_events();
	for (unsigned port = 0; rc == 0 && port < port_count(); port++)
		if (port_punt_fd(port) >= 0)
			rc = open_side(port);
	for (unsigned i = 0; rc == 0 && i < worker_count(); i++)
		rc = open_lane(worker_at(i));
	if (rc)
		punt_close();
	return rc;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void punt_close(void)
{
	for (unsigned i = 0; i < worker_count(); i++) {
		struct punt_lane *lane = worker_at(i)->priv->punt;
		worker_at(i)->priv->punt = NULL;
		if (lane)
			frame_ring_destroy(lane->ring);
		free(lane);
	}
	close_fd(&timer_fd);
	close_fd(&wake_fd);
	close_fd(&epoll_fd);
	for (unsigned port = 0; port < WHERRY_PORT_COUNT_MAX; port++)
		sides[port].fd = -1;
	atomic_store_explicit(&is_awake, false, memory_order_relaxed);
}
