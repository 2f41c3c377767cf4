/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole connections between two stacks: bytes both ways, endings, over good and bad wires. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

static struct wire wire;
static struct app apps[2];

static bool both_closed(void *ctx)
{
	(void)ctx;
	return apps[0].closed && apps[1].closed;
}

static void begin(uint64_t seed)
{
	wire_init(&wire, seed);
	app_init(&apps[SERVER], &wire.ends[SERVER], seed, seed + 1);
	app_init(&apps[CLIENT], &wire.ends[CLIENT], seed + 1, seed);
}

/* Runs to the end of both and checks everything that must hold by then. */
static void finish(uint64_t limit_ns, const char *name)
{
	const uint64_t start_ns = wire.now_ns;
	const bool done = wire_until(&wire, both_closed, NULL, limit_ns);
	for (unsigned i = 0; i < 2; i++) {
		cr_expect_eq(apps[i].wrong_count, 0, "%s: end %u: %u wrong", name, i, apps[i].wrong_count);
		cr_expect_eq(apps[i].received, apps[!i].to_send, "%s: end %u has %llu of %llu", name, i,
			     (unsigned long long)apps[i].received, (unsigned long long)apps[!i].to_send);
		cr_expect(apps[i].closed && apps[i].reason == STREAM_CLOSED, "%s: end %u: closed %d reason %d", name, i,
			  apps[i].closed, apps[i].reason);
		cr_expect_eq(apps[i].buffers_out, 0, "%s: %u buffers not released", name, apps[i].buffers_out);
	}
	cr_assert(done, "%s: not over after %.3f s", name, (double)(wire.now_ns - start_ns) / 1e9);
	wire_fini(&wire);
}

Test(tcp_transfer, carries_bytes_both_ways_and_ends)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		begin(1);
		wire.rules.v6 = v6;
		wire_start(&wire);
		apps[SERVER].to_send = 300000;
		apps[CLIENT].to_send = 1000000;
		apps[CLIENT].shutdown_when_sent = true;
		wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
		finish(60 * SECOND, v6 ? "IPv6" : "IPv4");
		cr_expect_eq(wire.ends[0].stats[WHERRY_LCORE_tcp_retransmits], 0);
		cr_expect_eq(wire.ends[1].stats[WHERRY_LCORE_tcp_retransmits], 0);
	}
}

Test(tcp_transfer, leaves_checksums_to_a_port_that_finishes_them)
{
	for (unsigned v6 = 0; v6 < 2; v6++) {
		begin(1);
		wire.rules.v6 = v6;
		wire.ends[SERVER].checksum_offload = true;
		wire_start(&wire);
		apps[SERVER].to_send = 100001;
		apps[SERVER].piece_bytes = 777; /* pieces that begin at odd places */
		apps[CLIENT].to_send = 1000;
		apps[CLIENT].shutdown_when_sent = true;
		wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
		finish(60 * SECOND, v6 ? "IPv6" : "IPv4");
		cr_expect_geq(wire.ends[SERVER].partial_count, 70, "%u", wire.ends[SERVER].partial_count);
		cr_expect_eq(wire.ends[CLIENT].partial_count, 0);
	}
}

/* Drops one segment, counted over both directions. */
static bool drop_one(struct wire *w, unsigned from, struct pkt *pkt, const struct tcp_segment *segment)
{
	(void)from, (void)pkt, (void)segment;
	unsigned *left = w->hook_ctx;
	return (*left)-- != 0;
}

Test(tcp_transfer, survives_the_loss_of_any_one_segment)
{
	for (unsigned lost = 0; lost < 60; lost++) {
		unsigned left = lost;
		char name[32];
		snprintf(name, sizeof name, "segment %u lost", lost);
		begin(lost + 1);
		wire.hook = drop_one;
		wire.hook_ctx = &left;
		wire_start(&wire);
		apps[SERVER].to_send = 20000;
		apps[CLIENT].to_send = 20000;
		apps[CLIENT].shutdown_when_sent = true;
		wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
		finish(3 * SECOND, name);
	}
}

static void run_bad_wire(uint64_t seed)
{
	begin(seed);
	struct wire_rules *r = &wire.rules;
	wire.log = getenv("WHERRY_TCP_LOG");
	r->v6 = seed & 1;
	r->strip_sack = seed % 5 == 1;
	r->strip_timestamps = seed % 3 == 1;
	r->strip_wscale = seed % 7 == 1;
	r->delay_ns = 1000 + wire_random(&wire) % (20 * MS);
	r->jitter_ns = seed & 2 ? wire_random(&wire) % (2 * r->delay_ns) : 0;
	r->loss_ppm = seed & 4 ? (uint32_t)(wire_random(&wire) % 100000) : 10000;
	r->repeat_ppm = seed & 8 ? 20000 : 0;
	r->damage_ppm = seed & 16 ? 20000 : 0;
	for (unsigned i = 0; i < 2; i++) {
		struct tcp_settings *s = &wire.ends[i].settings;
		wire.ends[i].checksum_offload = wire_random(&wire) & 1;
		s->congestion = (enum tcp_congestion)(wire_random(&wire) % 3);
		s->window_bytes_max = 4096u << wire_random(&wire) % 11;
		apps[i].to_send = wire_random(&wire) % 400000;
		apps[i].piece_bytes = 1 + (uint32_t)(wire_random(&wire) % 20000);
		apps[i].take_step = wire_random(&wire) & 1 ? 0 : 1 + (uint32_t)(wire_random(&wire) % 5000);
	}
	wire_start(&wire);
	apps[CLIENT].shutdown_when_sent = true;
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	char name[32];
	snprintf(name, sizeof name, "seed %llu", (unsigned long long)seed);
	finish(400 * SECOND, name);
}

Test(tcp_transfer, loses_no_byte_on_bad_wires)
{
	const char *text = getenv("WHERRY_TCP_SEED");
	if (text) {
		run_bad_wire(strtoull(text, NULL, 0));
		return;
	}
	const char *count = getenv("WHERRY_TCP_SEEDS");
	for (uint64_t seed = 1; seed <= (count ? strtoull(count, NULL, 0) : 300); seed++)
		run_bad_wire(seed);
}
