/* SPDX-License-Identifier: BSD-3-Clause */
/* How much gets through, and how soon, over paths of many kinds. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire.h"

static struct wire wire;
static struct app apps[2];

static bool server_has_all(void *ctx)
{
	(void)ctx;
	return apps[SERVER].received == apps[CLIENT].to_send || apps[SERVER].closed || apps[CLIENT].closed;
}

static void begin(uint64_t seed, uint64_t bytes)
{
	wire_init(&wire, seed);
	app_init(&apps[SERVER], &wire.ends[SERVER], seed, seed + 1);
	app_init(&apps[CLIENT], &wire.ends[CLIENT], seed + 1, seed);
	apps[CLIENT].to_send = bytes;
	apps[CLIENT].piece_bytes = 65536;
}

static uint64_t client_stat(enum wherry_lcore_stat stat)
{
	return wire.ends[CLIENT].stats[stat];
}

/* Bits a second that the client's bytes took to arrive at the server's protocol. */
static double goodput(uint64_t limit_ns)
{
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	const uint64_t start_ns = wire.now_ns;
	cr_assert(wire_until(&wire, server_has_all, NULL, limit_ns), "%llu bytes only",
		  (unsigned long long)apps[SERVER].received);
	cr_expect_eq(apps[SERVER].wrong_count, 0);
	cr_expect_eq(apps[SERVER].received, apps[CLIENT].to_send);
	const double bits = (double)apps[CLIENT].to_send * 8 / ((double)(wire.now_ns - start_ns) / 1e9);
	fprintf(stderr, "goodput %.1f Mbit/s, %llu retransmits, %llu timeouts, %llu undone, %llu probes\n", bits / 1e6,
		(unsigned long long)client_stat(WHERRY_LCORE_tcp_retransmits),
		(unsigned long long)client_stat(WHERRY_LCORE_tcp_timeouts),
		(unsigned long long)client_stat(WHERRY_LCORE_tcp_undone),
		(unsigned long long)client_stat(WHERRY_LCORE_tcp_tail_probes));
	return bits;
}

Test(tcp_paths, fills_a_bottleneck)
{
	for (unsigned how = 0; how < 3; how++) {
		begin(3, 30000000);
		wire.ends[CLIENT].settings.congestion = (enum tcp_congestion)how;
		wire.rules.byte_ps = 80000; /* 100 Mbit/s */
		wire.rules.queue_bytes = 250000;
		wire.rules.mark_bytes = how == TCP_DCTCP ? 60000 : 0;
		wire.ends[SERVER].settings.congestion = (enum tcp_congestion)how;
		const double bits = goodput(60 * SECOND);
		cr_expect(bits > 85e6, "congestion control %u: %.1f Mbit/s", how, bits / 1e6);
		if (how == TCP_DCTCP)
			cr_expect_eq(client_stat(WHERRY_LCORE_tcp_retransmits), 0, "marks, not losses");
		wire_fini(&wire);
	}
}

/* Marks instead of losses: the classic echo until CWR, one reduction a round trip. */
Test(tcp_paths, slows_down_for_ecn_marks)
{
	begin(4, 30000000);
	wire.rules.byte_ps = 80000;
	wire.rules.queue_bytes = 250000;
	wire.rules.mark_bytes = 125000;
	const double bits = goodput(60 * SECOND);
	cr_expect(app_conn(&apps[CLIENT])->ecn && app_conn(&apps[SERVER])->ecn);
	cr_expect(bits > 85e6, "%.1f Mbit/s", bits / 1e6);
	cr_expect_eq(client_stat(WHERRY_LCORE_tcp_retransmits), 0);
	cr_expect(app_conn(&apps[CLIENT])->ssthresh < UINT32_MAX, "it did slow down");
	wire_fini(&wire);
}

/* Packets and records run out at times: slower, and nothing else. */
Test(tcp_paths, degrades_when_pools_run_dry)
{
	begin(27, 3000000);
	wire.rules.delay_ns = MS;
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	wire_run(&wire, 5 * MS);
	for (unsigned i = 0; i < 2000 && apps[SERVER].received < 3000000; i++) {
		for (unsigned e = 0; e < 2; e++)
			wire.ends[e].heap.count_max = i & 1 ? UINT32_MAX : 0;
		wire_run(&wire, 3 * MS);
	}
	cr_expect(wire.ends[CLIENT].stats[WHERRY_LCORE_tcp_drop_no_packet] > 0);
	wire.ends[0].heap.count_max = wire.ends[1].heap.count_max = UINT32_MAX;
	cr_expect(wire_until(&wire, server_has_all, NULL, 10 * SECOND));
	cr_expect(apps[SERVER].received == 3000000 && apps[SERVER].wrong_count == 0);
	wire_fini(&wire);
}

/* The square-root law of Reno is the least that CUBIC has to reach: 1.22 * MSS / (RTT * sqrt(p)). */
Test(tcp_paths, gets_through_random_loss)
{
	const struct {
		uint32_t loss_ppm;
		uint64_t delay_ns;
		double least_mbit;
	} cases[] = {{1000, 100000, 1800}, {10000, 100000, 600}, {10000, 5 * MS, 11}, {1000, 5 * MS, 40}};
	for (unsigned i = 0; i < 4; i++) {
		begin(5 + i, 20000000);
		wire.rules.loss_ppm = cases[i].loss_ppm;
		wire.rules.delay_ns = cases[i].delay_ns;
		wire.rules.byte_ps = 800; /* 10 Gbit/s */
		const double bits = goodput(100 * SECOND);
		cr_expect(bits > cases[i].least_mbit * 1e6, "case %u: %.1f Mbit/s", i, bits / 1e6);
		cr_expect(client_stat(WHERRY_LCORE_tcp_timeouts) <= 2, "case %u: timeouts", i);
		wire_fini(&wire);
	}
}

Test(tcp_paths, bears_reordering)
{
	begin(9, 20000000);
	wire.rules.delay_ns = 2 * MS;
	wire.rules.jitter_ns = 400000;
	wire.rules.byte_ps = 8000; /* 1 Gbit/s */
	const double bits = goodput(60 * SECOND);
	cr_expect(bits > 500e6, "%.1f Mbit/s", bits / 1e6);
	cr_expect(client_stat(WHERRY_LCORE_tcp_retransmits) < 300);
	wire_fini(&wire);
}

/* ---- loss of the tail ---- */

static bool drop_last(struct wire *w, unsigned from, struct pkt *pkt, const struct tcp_segment *segment)
{
	(void)pkt;
	unsigned *dropped = w->hook_ctx;
	const uint64_t end = segment->seq + segment->payload_bytes - app_conn(&apps[CLIENT])->iss - 1;
	if (from == CLIENT && segment->payload_bytes && end == apps[CLIENT].to_send && *dropped == 0) {
		(*dropped)++;
		return false;
	}
	return true;
}

Test(tcp_paths, recovers_a_lost_tail_without_a_timeout)
{
	const uint64_t delays_ns[] = {20000, 500000, 2 * MS, 20 * MS};
	for (unsigned i = 0; i < 4; i++) {
		for (uint64_t bytes = 500; bytes < 70000; bytes *= 5) {
			unsigned dropped = 0;
			begin(11, 0);
			wire.rules.delay_ns = delays_ns[i];
			wire_start(&wire);
			wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
			wire_run(&wire, 2 * SECOND);
			/* One exchange, so that the round trip is known. */
			apps[CLIENT].to_send = 10000;
			app_pump(&apps[CLIENT]);
			wire_run(&wire, 2 * SECOND);
			apps[CLIENT].to_send += bytes;
			wire.hook = drop_last;
			wire.hook_ctx = &dropped;
			const uint64_t start_ns = wire.now_ns;
			app_pump(&apps[CLIENT]);
			cr_assert(wire_until(&wire, server_has_all, NULL, SECOND));
			const uint64_t rtt_ns = 2 * delays_ns[i];
			const uint64_t patience_ns = 2 * rtt_ns > 10 * MS ? 2 * rtt_ns : 10 * MS;
			const uint64_t rounds_ns = 4 * rtt_ns; /* to send what came before, and the repair */
			const uint64_t took_ns = wire.now_ns - start_ns;
			cr_expect_eq(dropped, 1);
			cr_expect(took_ns <= patience_ns + rounds_ns + 2 * MS, "rtt %llu us, %llu bytes: %llu us",
				  (unsigned long long)rtt_ns / 1000, (unsigned long long)bytes,
				  (unsigned long long)took_ns / 1000);
			cr_expect_eq(client_stat(WHERRY_LCORE_tcp_timeouts), 0);
			wire_fini(&wire);
		}
	}
}

/* ---- the path changes ---- */

static void run_mtu_change(bool icmp)
{
	begin(13, 3000000);
	wire.rules.byte_ps = 80000;
	wire.rules.queue_bytes = 100000;
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	wire_run(&wire, 100 * MS);
	wire.path_mtu = 1300;
	wire.icmp = icmp;
	cr_assert(wire_until(&wire, server_has_all, NULL, 60 * SECOND), "icmp %d: stuck", icmp);
	cr_expect_eq(apps[SERVER].wrong_count, 0);
	cr_expect(client_stat(WHERRY_LCORE_tcp_timeouts) <= (icmp ? 0 : 12), "icmp %d: %llu timeouts", icmp,
		  (unsigned long long)client_stat(WHERRY_LCORE_tcp_timeouts));
	wire_fini(&wire);
}

Test(tcp_paths, survives_a_smaller_mtu_told_or_not)
{
	run_mtu_change(true);
	run_mtu_change(false);
}

/* RFC 4821 asks for this whatever was sent: a request that does not fill a jumbo segment is too long as well. */
Test(tcp_paths, suspects_a_black_hole_that_swallows_less_than_full_segments)
{
	begin(14, 4000);
	wire.ends[SERVER].mtu = wire.ends[CLIENT].mtu = 9000;
	wire_start(&wire);
	wire.path_mtu = 1500;
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	cr_expect(wire_until(&wire, server_has_all, NULL, 15 * SECOND), "stuck");
	cr_expect_eq(apps[SERVER].wrong_count, 0);
	cr_expect_eq(client_stat(WHERRY_LCORE_tcp_mtu_lowered), 1);
	wire_fini(&wire);
}

Test(tcp_paths, survives_an_outage)
{
	begin(15, 3000000);
	wire.rules.byte_ps = 80000;
	wire.rules.queue_bytes = 100000;
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	wire_run(&wire, 100 * MS);
	wire.rules.loss_ppm = 1000000;
	wire_run(&wire, 20 * SECOND);
	wire.rules.loss_ppm = 0;
	cr_expect(wire_until(&wire, server_has_all, NULL, 30 * SECOND));
	cr_expect_eq(apps[SERVER].wrong_count, 0);
	wire_fini(&wire);
}

static bool client_has_progress(void *ctx)
{
	return app_conn(&apps[CLIENT])->snd_una != *(const uint32_t *)ctx;
}

static bool loses_what_the_client_sends(struct wire *w, unsigned from, struct pkt *pkt,
					const struct tcp_segment *segment)
{
	(void)w, (void)pkt, (void)segment;
	return from != CLIENT;
}

/* RFC 6298 5: a new measurement ends the doubling, and timestamps make one of a retransmission, too (RFC 7323 4). */
Test(tcp_paths, times_out_as_early_as_ever_once_an_outage_is_over)
{
	begin(16, 3000000);
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	wire_run(&wire, 100 * MS);
	wire.hook = loses_what_the_client_sends;
	wire_run(&wire, 10 * SECOND);
	const struct tcp_conn *conn = app_conn(&apps[CLIENT]);
	const uint32_t una = conn->snd_una;
	cr_assert(conn->timestamps && conn->backoff >= 4);
	wire.hook = NULL;
	cr_assert(wire_until(&wire, client_has_progress, (void *)&una, 20 * SECOND));
	cr_expect_eq(conn->phase, TCP_LOSS);
	cr_expect_eq(conn->backoff, 0);
	wire_fini(&wire);
}

/* A delay that jumps is no loss: what the timeout did is taken back. */
Test(tcp_paths, undoes_what_a_spurious_timeout_did)
{
	begin(17, 3000000);
	wire.rules.delay_ns = 10 * MS;
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	wire_run(&wire, 60 * MS);
	const uint32_t cwnd = app_conn(&apps[CLIENT])->cwnd;
	wire.rules.delay_ns = 400 * MS;
	cr_expect(wire_until(&wire, server_has_all, NULL, 30 * SECOND));
	cr_expect(client_stat(WHERRY_LCORE_tcp_timeouts) >= 1);
	cr_expect(client_stat(WHERRY_LCORE_tcp_undone) >= 1);
	cr_expect(app_conn(&apps[CLIENT])->cwnd >= cwnd);
	wire_fini(&wire);
}

/* ---- numbers that wrap ---- */

Test(tcp_paths, carries_streams_over_the_ends_of_the_number_space)
{
	const uint32_t targets[] = {0x80000000u - 100000, 0xffffffffu - 100000, 0xffffffffu, 0x7fffffffu};
	for (unsigned i = 0; i < 8; i++) {
		begin(19, 300000);
		apps[SERVER].to_send = 300000;
		apps[CLIENT].shutdown_when_sent = true;
		wire.rules.loss_ppm = 10000;
		wire_start(&wire);
		struct tcp_lcore *client = wire.ends[CLIENT].tcp, *server = wire.ends[SERVER].tcp;
		struct tcp_key key = {wire.ends[CLIENT].addr, wire.ends[SERVER].addr, 50000, PORT};
		const uint32_t from_client = tcp_isn(client, &key);
		key = (struct tcp_key){wire.ends[SERVER].addr, wire.ends[CLIENT].addr, PORT, 50000};
		const uint32_t from_server = tcp_isn(server, &key);
		/* The clock of the numbers moves by one in 4,096 ns. */
		wire.now_ns += (uint64_t)(targets[i / 2] - (i & 1 ? from_server : from_client)) << 12;
		wire.ends[SERVER].next_app = &apps[SERVER];
		(void)tcp_listen(server, NULL, PORT, app_accept, &wire.ends[SERVER]);
		apps[CLIENT].stream = tcp_connect(client, NULL, 50000, &wire.ends[SERVER].addr, PORT, &app_handler,
						  &apps[CLIENT], wire.now_ns);
		if (!(i & 1))
			cr_expect_eq(app_conn(&apps[CLIENT])->iss, targets[i / 2]);
		wire_run(&wire, 60 * SECOND);
		for (unsigned e = 0; e < 2; e++)
			cr_expect(apps[e].closed && apps[e].received == 300000 && apps[e].wrong_count == 0,
				  "case %u end %u: %llu", i, e, (unsigned long long)apps[e].received);
		wire_fini(&wire);
	}
}

/* ---- budgets ---- */

/* A slow reader's window closes and opens; the sender's timers wait as long as it takes. */
Test(tcp_paths, waits_for_a_slow_reader)
{
	begin(21, 2000000);
	apps[SERVER].take_max = 0;
	wire_start(&wire);
	wire_connect(&wire, &apps[SERVER], &apps[CLIENT]);
	wire_run(&wire, 300 * SECOND);
	cr_expect(!apps[SERVER].closed && !apps[CLIENT].closed);
	cr_expect(app_conn(&apps[SERVER])->unread_bytes <= TCP_WINDOW_FIRST, "%u bytes held",
		  app_conn(&apps[SERVER])->unread_bytes);
	for (unsigned i = 0; i < 100 && apps[SERVER].received < 2000000; i++) {
		apps[SERVER].take_max += 50000;
		stream_resume(apps[SERVER].stream);
		wire_run(&wire, 100 * MS);
	}
	cr_expect_eq(apps[SERVER].received, 2000000);
	cr_expect_eq(apps[SERVER].wrong_count, 0);
	wire_fini(&wire);
}

Test(tcp_paths, lets_the_window_grow_with_the_path)
{
	begin(23, 40000000);
	wire.rules.delay_ns = 10 * MS;
	wire.rules.byte_ps = 8000;
	const double bits = goodput(60 * SECOND);
	cr_expect(bits > 300e6, "%.1f Mbit/s", bits / 1e6);
	cr_expect(app_conn(&apps[SERVER])->rcv_target >= 2 << 20, "%u", app_conn(&apps[SERVER])->rcv_target);
	wire_fini(&wire);
}

Test(tcp_paths, acknowledges_at_most_every_second_segment)
{
	begin(25, 10000000);
	wire.rules.byte_ps = 8000;
	(void)goodput(60 * SECOND);
	cr_expect(2 * wire.ends[SERVER].sent_count <= wire.ends[CLIENT].sent_count + 20, "%u for %u",
		  wire.ends[SERVER].sent_count, wire.ends[CLIENT].sent_count);
	wire_fini(&wire);
}
