/* SPDX-License-Identifier: BSD-3-Clause */
/* Whose a frame is, and the limits of the way to the kernel; a pair of sockets is the tap. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "fake.h"
#include "lcore/punt.h"

#define RATE 100u
#define BURST 16u /* a tenth of the rate would be less */

static int kernel; /* the other end of the tap of port 0 */

static void begin(unsigned workers, uint32_t rate)
{
	int pair[2];
	fake_init(workers);
	cr_assert_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	fake_punt_fd = pair[0];
	fake_punt_rate = rate;
	kernel = pair[1];
	cr_assert_eq(punt_open(), 0);
}

static void end(void)
{
	punt_close();
	close(kernel);
	if (fake_punt_fd >= 0)
		close(fake_punt_fd);
	fake_punt_fd = -1;
	fake_fini();
	cr_expect_eq(fake_pkts_alive(), 0u);
}

static uint64_t stat_of(enum wherry_port_stat stat)
{
	uint64_t values[WHERRY_PORT_STAT_COUNT] = {0};
	punt_stats(0, values);
	return values[stat];
}

/* What the kernel has got; 0: nothing. */
static size_t kernel_reads(uint8_t frame[2048])
{
	ssize_t got = recv(kernel, frame, 2048, MSG_DONTWAIT);
	return got > 0 ? (size_t)got : 0;
}

Test(lcore_punt, what_no_one_here_serves_is_the_kernels_and_aoe_never_is)
{
	const struct {
		const char *name;
		uint8_t head[20];
		bool gate_open;
		bool punted;
	} cases[] = {
		{"LLDP", {1, 0x80, 0xc2, 0, 0, 14, 2, 0, 0, 0, 0, 1, 0x88, 0xcc}, true, true},
		{"another protocol", {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0x47}, true, true},
		{"of a VLAN that is served",
		 {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 7, 0x88, 0xcc},
		 true,
		 true},
		{"of a VLAN that is not", {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 8, 8, 0}, true, true},
		{"IP before the configuration", {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 8, 0}, false, true},
		{"AoE for nobody", {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xa2, 0x10, 0, 0, 1, 0}, true, false},
		{"AoE before the configuration", {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xa2, 0x10}, false, false},
		{"AoE of a VLAN that is not served",
		 {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x81, 0, 0, 8, 0x88, 0xa2, 0x10},
		 true,
		 false},
		{"another station's", {2, 0, 0, 0, 0, 8, 2, 0, 0, 0, 0, 1, 0x88, 0xcc}, true, false},
		{"from a group", {2, 0, 0, 0, 0, 9, 1, 0, 0, 0, 0, 1, 0x88, 0xcc}, true, false},
	};
	for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		uint8_t frame[64] = {0}, got[2048];
		begin(1, RATE);
		fake_workers[0].priv->gate_open = cases[i].gate_open;
		memcpy(frame, cases[i].head, sizeof cases[i].head);
		fake_receive(fake_pkt(0, frame, sizeof frame));
		rx_poll(&fake_workers[0]);
		punt_poll();
		size_t len = kernel_reads(got);
		cr_expect_eq(len, cases[i].punted ? sizeof frame : 0, "%s: %zu bytes", cases[i].name, len);
		cr_expect(len == 0 || memcmp(got, frame, len) == 0, "%s: changed", cases[i].name);
		cr_expect_eq(kernel_reads(got), 0, "%s: twice", cases[i].name);
		cr_expect_eq(stat_of(WHERRY_PORT_punt_frames), cases[i].punted, "%s", cases[i].name);
		uint64_t dropped = 0;
		for (unsigned stat = 0; stat < WHERRY_LCORE_STAT_COUNT; stat++)
			dropped += fake_workers[0].stats[stat];
		cr_expect_eq(dropped, !cases[i].punted, "%s: a drop has a name, a punted frame none", cases[i].name);
		end();
	}
}

Test(lcore_punt, a_port_that_does_not_punt_drops_by_name)
{
	uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xcc};
	fake_init(1);
	cr_expect_eq(punt_open(), 0);
	cr_expect_eq(punt_poll_fd(), -1);
	fake_receive(fake_pkt(0, frame, sizeof frame));
	rx_poll(&fake_workers[0]);
	punt_poll();
	cr_expect_eq(fake_workers[0].stats[WHERRY_LCORE_drop_eth_type], 1u);
	punt_close();
	fake_fini();
	cr_expect_eq(fake_pkts_alive(), 0u);
}

static void punt_some(struct worker *worker, unsigned count)
{
	static const uint8_t frame[60] = {2, 0, 0, 0, 0, 9, 2, 0, 0, 0, 0, 1, 0x88, 0xcc};
	for (unsigned i = 0; i < count; i++)
		punt_frame(worker, fake_pkt(0, frame, sizeof frame), WHERRY_LCORE_drop_eth_type);
}

Test(lcore_punt, a_worker_stops_copying_at_the_limit_and_goes_on_when_time_has_passed)
{
	uint8_t got[2048];
	unsigned came = 0;
	begin(1, RATE);
	fake_workers[0].now_ns = 5000000000;
	punt_some(&fake_workers[0], 50);
	punt_poll();
	while (kernel_reads(got))
		came++;
	cr_expect_eq(came, BURST);
	cr_expect_eq(stat_of(WHERRY_PORT_punt_frames), BURST);
	cr_expect_eq(stat_of(WHERRY_PORT_punt_drop_rate), 50 - BURST);
	fake_workers[0].now_ns += 20000000; /* two frames' worth */
	punt_some(&fake_workers[0], 5);
	cr_expect_eq(stat_of(WHERRY_PORT_punt_drop_rate), 50 - BURST + 3);
	end();
}

Test(lcore_punt, the_limit_is_the_ports_however_many_workers_there_are)
{
	begin(4, RATE);
	for (unsigned i = 0; i < 4; i++) {
		fake_workers[i].now_ns = 5000000000;
		punt_some(&fake_workers[i], BURST);
	}
	for (unsigned i = 0; i < 4; i++)
		punt_poll();
	/* Real time passes on main: a frame or two more may have become due. */
	cr_expect_geq(stat_of(WHERRY_PORT_punt_frames), BURST);
	cr_expect_leq(stat_of(WHERRY_PORT_punt_frames), 2 * BURST);
	cr_expect_eq(stat_of(WHERRY_PORT_punt_frames) + stat_of(WHERRY_PORT_punt_drop_rate), 4 * BURST);
	end();
}

Test(lcore_punt, a_full_tap_loses_frames_and_counts_them)
{
	begin(1, WHERRY_PUNT_RATE_MAX);
	fake_workers[0].now_ns = 5000000000;
	unsigned sent = 0;
	for (; stat_of(WHERRY_PORT_punt_drop_full) == 0 && sent < 100000; sent += 32) {
		punt_some(&fake_workers[0], 32);
		punt_poll();
	}
	cr_expect_gt(stat_of(WHERRY_PORT_punt_drop_full), 0u, "nobody reads, and all of it went somewhere");
	cr_expect_eq(stat_of(WHERRY_PORT_punt_frames) + stat_of(WHERRY_PORT_punt_drop_full), sent);
	end();
}

Test(lcore_punt, a_full_ring_loses_frames_and_counts_them)
{
	begin(1, WHERRY_PUNT_RATE_MAX);
	fake_workers[0].now_ns = 5000000000;
	punt_some(&fake_workers[0], 10000); /* main does not look */
	cr_expect_gt(stat_of(WHERRY_PORT_punt_drop_full), 0u);
	cr_expect_eq(fake_pkts_alive(), 0u);
	end();
}

static void wait_ms(long ms)
{
	const struct timespec pause = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&pause, NULL);
}

Test(lcore_punt, what_the_kernel_sends_leaves_by_the_port_in_order_and_within_the_limit)
{
	uint8_t frame[60] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 9, 8, 6};
	begin(2, RATE);
	fake_workers[0].priv->tx[0].owner = 1; /* the port has one queue, worker 1's */
	for (unsigned i = 0; i < 40; i++) {
		frame[20] = (uint8_t)i;
		cr_assert_eq(send(kernel, frame, sizeof frame, 0), (ssize_t)sizeof frame);
	}
	punt_poll();
	handoff_input(&fake_workers[1]);
	tx_flush(&fake_workers[1]);
	const unsigned first = fake_sent_count;
	cr_expect(first >= BURST && first < 40, "%u of 40 at once", first);
	for (unsigned turn = 0; fake_sent_count < 40 && turn < 2000; turn++) {
		wait_ms(1);
		punt_poll();
		handoff_input(&fake_workers[1]);
		tx_flush(&fake_workers[1]);
	}
	cr_expect_eq(fake_sent_count, 40u, "the rest waited in the kernel");
	for (unsigned i = 0; i < fake_sent_count; i++)
		cr_expect_eq(fake_sent[i]->data[20], i);
	cr_expect_eq(stat_of(WHERRY_PORT_punt_sent), 40u);
	end();
}

Test(lcore_punt, what_is_no_frame_of_the_port_is_not_sent)
{
	static const uint8_t frame[1600];
	begin(1, RATE);
	send(kernel, frame, 13, 0);
	send(kernel, frame, 1500 + 18, 0); /* with a tag */
	send(kernel, frame, 1500 + 19, 0);
	punt_poll();
	handoff_input(&fake_workers[0]);
	tx_flush(&fake_workers[0]);
	cr_expect_eq(fake_sent_count, 1u);
	cr_expect_eq(stat_of(WHERRY_PORT_punt_sent_drop), 2u);
	end();
}

Test(lcore_punt, without_packets_the_kernels_frames_wait)
{
	static const uint8_t frame[60];
	begin(1, RATE);
	fake_allocs_left = 0;
	send(kernel, frame, sizeof frame, 0);
	punt_poll();
	cr_expect_eq(stat_of(WHERRY_PORT_punt_sent) + stat_of(WHERRY_PORT_punt_sent_drop), 0u);
	fake_allocs_left = 10;
	for (unsigned turn = 0; stat_of(WHERRY_PORT_punt_sent) == 0 && turn < 2000; turn++) {
		wait_ms(1);
		punt_poll();
	}
	cr_expect_eq(stat_of(WHERRY_PORT_punt_sent), 1u);
	end();
}

Test(lcore_punt, a_capture_sees_what_the_kernel_sends)
{
	static const uint8_t frame[60];
	begin(1, RATE);
	fake_workers[0].priv->tap = fake_tap;
	send(kernel, frame, sizeof frame, 0);
	punt_poll();
	handoff_input(&fake_workers[0]);
	cr_expect_eq(fake_tapped[1], 1u);
	end();
}
