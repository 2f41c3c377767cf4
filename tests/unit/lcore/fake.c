/* SPDX-License-Identifier: BSD-3-Clause */
/* See fake.h. */
#include "fake.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROOM_BYTES 2048u

struct worker fake_workers[FAKE_WORKER_COUNT_MAX];
static struct worker_private privs[FAKE_WORKER_COUNT_MAX];
static unsigned count;
unsigned fake_allocs_left, fake_tx_room, fake_sent_count, fake_tx_dropped, fake_reclaims;
struct pkt *fake_sent[FAKE_SENT_MAX];
enum aoe_verdict fake_verdict;
unsigned fake_input_count[FAKE_WORKER_COUNT_MAX];
struct pkt *fake_last_input;
bool fake_starved;
int fake_punt_fd = -1;
uint32_t fake_punt_rate;
unsigned fake_tapped[2];
uint32_t fake_tapped_bytes;
unsigned fake_stack_routed, fake_stack_input[FAKE_WORKER_COUNT_MAX], fake_stack_copies[FAKE_WORKER_COUNT_MAX];
static _Atomic int alive;
static struct pkt *waiting[64];
static unsigned waiting_count;
static const uint8_t mac[6] = {2, 0, 0, 0, 0, 9};

void fake_init(unsigned worker_count_)
{
	count = worker_count_;
	memset(fake_workers, 0, sizeof fake_workers);
	memset(privs, 0, sizeof privs);
	memset(fake_input_count, 0, sizeof fake_input_count);
	memset(fake_stack_input, 0, sizeof fake_stack_input);
	memset(fake_stack_copies, 0, sizeof fake_stack_copies);
	fake_stack_routed = fake_tapped[0] = fake_tapped[1] = 0;
	fake_allocs_left = fake_tx_room = UINT32_MAX;
	fake_sent_count = fake_tx_dropped = fake_reclaims = waiting_count = 0;
	fake_verdict = AOE_DROP;
	fake_starved = false;
	alive = 0;
	for (unsigned i = 0; i < count; i++) {
		fake_workers[i].index = i;
		fake_workers[i].priv = &privs[i];
		fake_workers[i].aoe = (struct aoe_lcore *)&fake_workers[i];
		privs[i].gate_open = true;
		privs[i].rx_count = 1;
		for (unsigned port = 0; port < WHERRY_PORT_COUNT_MAX; port++)
			privs[i].tx[port].owner = (uint8_t)i;
		cr_assert_eq(handoff_create(&fake_workers[i], count), 0);
	}
	rx_set_filter(0);
}

void fake_fini(void)
{
	for (unsigned i = 0; i < count; i++) {
		tx_drop_all(&fake_workers[i]);
		handoff_destroy(&fake_workers[i], count);
	}
	for (unsigned i = 0; i < fake_sent_count; i++)
		port_pkt_free(fake_sent[i]);
	fake_sent_count = 0;
}

unsigned worker_count(void)
{
	return count;
}

struct worker *worker_at(unsigned index)
{
	return &fake_workers[index];
}

void worker_post_main(struct worker *worker, struct job *job)
{
	job->worker = worker;
	if (job->finished)
		job->finished(job);
}

/* ---------------------------------------------------------------- packets */
struct pkt *fake_pkt(uint16_t port_index, const void *data, uint32_t len_bytes)
{
	struct pkt *pkt = calloc(1, sizeof *pkt + ROOM_BYTES);
	pkt->head = pkt->data = (uint8_t *)(pkt + 1);
	pkt->data += 128;
	pkt->room_bytes = ROOM_BYTES;
	pkt->port_index = port_index;
	pkt->len_bytes = len_bytes;
	memcpy(pkt->data, data, len_bytes);
	alive++;
	return pkt;
}

struct pkt *fake_frame(uint16_t shelf, uint8_t slot)
{
	uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xa2, 0x10, 0};
	frame[16] = (uint8_t)(shelf >> 8);
	frame[17] = (uint8_t)shelf;
	frame[18] = slot;
	return fake_pkt(0, frame, sizeof frame);
}

unsigned fake_pkts_alive(void)
{
	return (unsigned)alive;
}

struct pkt *port_pkt_alloc(unsigned index)
{
	if (fake_allocs_left == 0)
		return NULL;
	fake_allocs_left--;
	struct pkt *pkt = fake_pkt((uint16_t)index, "", 0);
	pkt->data = pkt->head;
	return pkt;
}

void port_pkt_free(struct pkt *pkt)
{
	alive--;
	free(pkt);
}

/* ------------------------------------------------------------------ stack */
void stack_route(struct worker *worker, struct pkt *pkt, const struct eth_view *eth)
{
	fake_stack_routed++;
	if (eth->group)
		handoff_copies(worker, HANDOFF_STACK_COPY, pkt);
	else if (worker->index) {
		handoff_frame(worker, 0, HANDOFF_STACK, pkt);
		return;
	}
	stack_input_own(worker, pkt, false);
}

void stack_input_own(struct worker *worker, struct pkt *pkt, bool copy)
{
	(copy ? fake_stack_copies : fake_stack_input)[worker->index]++;
	port_pkt_free(pkt);
}

/* ------------------------------------------------------------------ ports */
unsigned port_count(void)
{
	return 1;
}

const uint8_t *port_mac(unsigned index)
{
	(void)index;
	return mac;
}

unsigned port_vlans(unsigned index, const uint16_t **vlans)
{
	static const uint16_t served[] = {7, 4094};
	(void)index;
	*vlans = served;
	return 2;
}

uint16_t port_mtu(unsigned index)
{
	(void)index;
	return 1500;
}

int port_punt_fd(unsigned index)
{
	(void)index;
	return fake_punt_fd;
}

uint32_t port_punt_rate(unsigned index)
{
	(void)index;
	return fake_punt_rate;
}

void port_punt_lost(unsigned index)
{
	(void)index;
	close(fake_punt_fd);
	fake_punt_fd = -1;
}

void fake_tap(struct worker *worker, void *ctx, uint16_t port_index, bool outgoing, const uint8_t *frame,
	      uint32_t len_bytes)
{
	(void)worker;
	(void)ctx;
	(void)port_index;
	(void)frame;
	cr_expect_geq(len_bytes, 14u);
	fake_tapped[outgoing]++;
	fake_tapped_bytes = len_bytes;
}

void fake_receive(struct pkt *pkt)
{
	waiting[waiting_count++] = pkt;
}

unsigned port_rx(unsigned index, unsigned queue, struct pkt **pkts, unsigned max)
{
	(void)index;
	(void)queue;
	cr_assert_leq(waiting_count, max);
	memcpy(pkts, waiting, waiting_count * sizeof *pkts);
	unsigned got = waiting_count;
	waiting_count = 0;
	return got;
}

bool port_starved(unsigned index)
{
	(void)index;
	return fake_starved;
}

unsigned port_tx(unsigned index, unsigned queue, struct pkt **pkts, unsigned offered)
{
	(void)index;
	(void)queue;
	unsigned taken = offered < fake_tx_room ? offered : fake_tx_room;
	cr_assert_leq(fake_sent_count + taken, FAKE_SENT_MAX);
	memcpy(fake_sent + fake_sent_count, pkts, taken * sizeof *pkts);
	fake_sent_count += taken;
	return taken;
}

void port_tx_reclaim(unsigned index, unsigned queue)
{
	(void)index;
	(void)queue;
	fake_reclaims++;
}

void port_count_tx_dropped(unsigned index, unsigned queue, unsigned dropped)
{
	(void)index;
	(void)queue;
	fake_tx_dropped += dropped;
}

/* -------------------------------------------------------------------- AoE */
void aoe_input_burst(struct aoe_lcore *lcore, struct pkt *const *pkts, unsigned frame_count, uint64_t now_ns)
{
	struct worker *worker = (struct worker *)lcore;
	(void)now_ns;
	for (unsigned i = 0; i < frame_count; i++) {
		fake_input_count[worker->index]++;
		fake_last_input = pkts[i];
		if (fake_verdict == AOE_REPLY)
			tx_output(worker, pkts[i]);
		else if (fake_verdict == AOE_DROP)
			port_pkt_free(pkts[i]);
	}
}

bool aoe_peek(const uint8_t *frame, uint32_t len_bytes, uint16_t *shelf, uint8_t *slot, bool *wildcard)
{
	uint32_t at = frame[12] == 0x81 ? 4 : 0;
	if (len_bytes < 24 + at)
		return false;
	*shelf = (uint16_t)(frame[16 + at] << 8 | frame[17 + at]);
	*slot = frame[18 + at];
	*wildcard = *shelf == 0xffff || *slot == 0xff;
	return true;
}
