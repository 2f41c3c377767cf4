/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fast path against the long way: two stacks that are given the same
 * segments at the same times, one of which takes every segment the long way,
 * have to do the same.
 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "util/checksum.h"
#include "wire.h"

#define FAST 0
#define LONG 1
#define SEEN_MAX 64
#define STEP_COUNT 400

struct seen {
	struct tcp_segment segment;
	uint64_t at_ns;
};

/* One of the two stacks, its peer's end of the wire unused. */
struct side {
	struct wire wire;
	struct app app;
	struct seen seen[SEEN_MAX]; /* since the last look */
	unsigned seen_count;
};

static struct side sides[2];
static uint64_t random_state;

static uint64_t roll(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state * 0x2545f4914f6cdd1dull >> 11) % below;
}

static bool one_in(unsigned n)
{
	return roll(n) == 0;
}

static bool record(struct wire *wire, unsigned from, struct pkt *pkt, const struct tcp_segment *segment)
{
	struct side *side = wire->hook_ctx;
	(void)pkt;
	if (from == SERVER && side->seen_count < SEEN_MAX)
		side->seen[side->seen_count++] = (struct seen){*segment, wire->now_ns};
	return false;
}

static struct tcp_conn *conn_of(unsigned i)
{
	return sides[i].app.stream ? app_conn(&sides[i].app) : NULL;
}

/* How a segment travels. */
struct manner {
	uint8_t ecn;
	bool good;    /* the device has verified it */
	bool damaged; /* a bit of it is wrong */
};

static void give(const struct tcp_segment *segment, uint64_t data_at, const struct manner *manner)
{
	for (unsigned i = 0; i < 2; i++) {
		struct wire *wire = &sides[i].wire;
		uint8_t bytes[TCP_HEADER_BYTES_MAX + 4096];
		struct tcp_segment copy = *segment;
		const uint32_t header = tcp_segment_emit(bytes, &copy);
		for (uint32_t b = 0; b < segment->payload_bytes; b++)
			bytes[header + b] = app_byte(2, (uint32_t)(data_at + b));
		struct pkt *pkt =
			pkt_heap_make(&wire->ends[SERVER].heap, bytes, header + segment->payload_bytes, 0, 64);
		const struct ip_view view = {
			.src = wire->ends[CLIENT].addr, .dst = wire->ends[SERVER].addr, .ecn = manner->ecn};
		tcp_fill_checksum(pkt, tcp_pseudo_sum(&view.dst, &view.src));
		if (manner->damaged)
			pkt->data[pkt->len_bytes - 1] ^= 0x10;
		pkt->checksum = manner->good ? PKT_CHECKSUM_GOOD : PKT_CHECKSUM_UNKNOWN;
		tcp_input(wire->ends[SERVER].tcp, pkt, &view, wire->now_ns);
	}
}

/* ---- comparing ---- */

static bool same_bytes(const char *what, const void *a, const void *b, size_t bytes, uint64_t seed, unsigned step)
{
	cr_assert_eq(memcmp(a, b, bytes), 0, "seed %llu, step %u: %s differ", (unsigned long long)seed, step, what);
	return true;
}

#define SAME(field)                                                                                                    \
	cr_assert_eq(a->field, b->field, "seed %llu, step %u: %s %lld, %lld", (unsigned long long)seed, step, #field,  \
		     (long long)a->field, (long long)b->field)

/* What both have to agree upon at the end of every turn, however much came in it. */
static void compare_receiver(const struct tcp_conn *a, const struct tcp_conn *b, uint64_t seed, unsigned step)
{
	SAME(state);
	SAME(rcv_nxt);
	SAME(rcv_edge);
	SAME(rcv_target);
	SAME(ts_recent);
	if (a->timestamps)
		SAME(ts_recent_ns);
	SAME(last_ack_sent);
	SAME(heard_ns);
	SAME(ack_ns);
	SAME(keep_ns);
	SAME(snd_una);
	SAME(snd_nxt);
	SAME(snd_wnd);
	SAME(max_wnd);
	SAME(rcv_mss);
	SAME(unacked_segments);
	SAME(ack_now);
	SAME(held_count);
	SAME(unread_bytes);
	SAME(paused);
	SAME(bytes_in);
	SAME(bytes_out);
	SAME(segments_in);
	SAME(segments_out);
	SAME(sack_count);
	SAME(challenge_count);
	SAME(out_of_order);
	SAME(duplicates);
	SAME(stream.unsent_bytes);
	cr_assert_eq(a->noted_credit, 0);
}

/* And after each single segment. */
static void compare_sender(const struct tcp_conn *a, const struct tcp_conn *b, uint64_t seed, unsigned step)
{
	SAME(cwnd);
	SAME(flight_max);
	SAME(flight_max_before);
	SAME(cwnd_limited);
	SAME(cwnd_limited_before);
	SAME(round_end);
	SAME(acked_remainder);
	SAME(ssthresh);
	SAME(flight_bytes);
	SAME(phase);
	SAME(backoff);
	SAME(srtt_ns);
	SAME(rttvar_ns);
	SAME(min_rtt_ns);
	SAME(rto_ns);
	SAME(timer);
	SAME(rexmt_ns);
	SAME(progress_ns);
	SAME(rack_fack);
	SAME(rack_sent_ns);
	SAME(tlp_out);
	SAME(sent_count);
	SAME(retransmits);
}

/* Counters that both ends of a batch have to agree upon: all of them. */
static void compare(uint64_t seed, unsigned step, bool single)
{
	cr_assert_eq(sides[FAST].seen_count, sides[LONG].seen_count, "seed %llu, step %u: %u and %u segments sent",
		     (unsigned long long)seed, step, sides[FAST].seen_count, sides[LONG].seen_count);
	for (unsigned i = 0; i < sides[FAST].seen_count; i++) {
		const struct seen *a = &sides[FAST].seen[i], *b = &sides[LONG].seen[i];
		SAME(at_ns);
		SAME(segment.seq);
		SAME(segment.ack);
		SAME(segment.flags);
		SAME(segment.window);
		SAME(segment.payload_bytes);
		SAME(segment.options.has_timestamps);
		SAME(segment.options.sack_count);
		if (a->segment.options.has_timestamps) {
			SAME(segment.options.ts_val);
			SAME(segment.options.ts_ecr);
		}
		same_bytes("SACK blocks", a->segment.options.sack, b->segment.options.sack,
			   a->segment.options.sack_count * sizeof(struct tcp_range), seed, step);
	}
	sides[FAST].seen_count = sides[LONG].seen_count = 0;
	same_bytes("counters", sides[FAST].wire.ends[SERVER].stats, sides[LONG].wire.ends[SERVER].stats,
		   sizeof sides[FAST].wire.ends[SERVER].stats, seed, step);
	const struct app *a = &sides[FAST].app, *b = &sides[LONG].app;
	SAME(received);
	SAME(ended);
	SAME(closed);
	SAME(reason);
	SAME(sent);
	SAME(buffers_out);
	SAME(wrong_count);
	cr_assert_eq(a->wrong_count, 0, "seed %llu, step %u", (unsigned long long)seed, step);
	if (a->closed)
		return;
	compare_receiver(conn_of(FAST), conn_of(LONG), seed, step);
	if (single)
		compare_sender(conn_of(FAST), conn_of(LONG), seed, step);
}

/* ---- the peer ---- */

static uint32_t peer_iss, ts_now;

static void poll_both(uint64_t pass_ns)
{
	for (unsigned i = 0; i < 2; i++) {
		struct wire *wire = &sides[i].wire;
		wire->now_ns += pass_ns;
		tcp_poll(wire->ends[SERVER].tcp, wire->now_ns);
	}
}

/* Acknowledgements that are taken together make one round trip and one step of the congestion window: a stack that
 * sends is the same after single segments only. */
static void begin(uint64_t seed, bool sends)
{
	random_state = seed * 0x9e3779b97f4a7c15ull + 1;
	const uint64_t shape = roll(UINT32_MAX);
	peer_iss = (uint32_t)roll(UINT32_MAX);
	ts_now = (uint32_t)roll(UINT32_MAX);
	for (unsigned i = 0; i < 2; i++) {
		struct side *side = &sides[i];
		memset(side, 0, sizeof *side);
		wire_init(&side->wire, seed);
		side->wire.hook = record;
		side->wire.hook_ctx = side;
		side->wire.rules.v6 = shape & 1;
		struct endpoint *end = &side->wire.ends[SERVER];
		end->settings.congestion = (enum tcp_congestion)(shape / 2 % 3);
		end->settings.ecn = shape & 8;
		end->checksum_offload = shape & 16;
		app_init(&side->app, end, 1, 2);
		side->app.take_step = shape & 32 ? 0 : 700;
		side->app.piece_bytes = 1 + (uint32_t)(shape >> 8) % 3000;
		side->app.to_send = sends && shape & 64 ? 50000 : 0;
		end->next_app = &side->app;
		wire_start(&side->wire);
		end->tcp->no_fast = i == LONG;
		cr_assert_eq(tcp_listen(end->tcp, NULL, PORT, app_accept, end), 0);
	}
	struct tcp_segment segment = {.source_port = 40000,
				      .destination_port = PORT,
				      .seq = peer_iss,
				      .flags = TCP_SYN | (shape & 128 ? TCP_ECE | TCP_CWR : 0),
				      .window = 65535};
	segment.options = (struct tcp_options){.has_mss = true,
					       .mss_bytes = 1000,
					       .sack_permitted = shape & 256,
					       .has_timestamps = shape & 512,
					       .ts_val = ts_now,
					       .has_wscale = shape & 1024,
					       .wscale = 2};
	const struct manner plain = {0, false, false};
	give(&segment, 0, &plain);
	cr_assert_eq(sides[FAST].seen_count, 1);
	segment.ack = sides[FAST].seen[0].segment.seq + 1;
	segment.seq++;
	segment.flags = TCP_ACK;
	segment.options = (struct tcp_options){.has_timestamps = shape & 512, .ts_val = ts_now};
	poll_both(MS);
	give(&segment, 0, &plain);
	cr_assert(conn_of(FAST) && conn_of(LONG));
	poll_both(0);
	sides[FAST].seen_count = sides[LONG].seen_count = 0;
}

/* A segment that is mostly what is expected. */
static void some_segment(void)
{
	const struct tcp_conn *conn = conn_of(FAST);
	struct tcp_segment segment = {.source_port = 40000,
				      .destination_port = PORT,
				      .seq = conn_of(LONG)->rcv_nxt,
				      .ack = conn->noted_credit ? conn->noted_ack : conn->snd_una,
				      .flags = TCP_ACK,
				      .window = (uint16_t)(conn->snd_wnd >> conn->snd_wscale)};
	struct manner manner = {0, one_in(2), false};
	ts_now += (uint32_t)roll(3);
	segment.options.has_timestamps = conn->timestamps;
	segment.options.ts_val = ts_now;
	segment.options.ts_ecr = tcp_ts_now(conn);
	segment.payload_bytes = one_in(3) ? 0 : (uint32_t)roll(1449);
	if (one_in(2))
		segment.ack += (uint32_t)roll(conn->snd_nxt - segment.ack + 1);
	if (one_in(2))
		segment.flags |= TCP_PSH;
	switch (roll(40)) {
	case 0:
		segment.seq += (uint32_t)roll(3000) - 1500;
		break;
	case 1:
		segment.ack += (uint32_t)roll(200000) - 100000;
		break;
	case 2:
		segment.window = (uint16_t)roll(65536);
		break;
	case 3:
		segment.window = 0;
		break;
	case 4:
		segment.options.ts_val -= (uint32_t)roll(10);
		break;
	case 5:
		segment.options.has_timestamps = !segment.options.has_timestamps;
		break;
	case 6:
		segment.flags = (uint8_t)roll(256);
		break;
	case 7:
		manner.damaged = true;
		manner.good = false;
		break;
	case 8:
		manner.ecn = IP_ECN_CE;
		break;
	case 9:
		segment.options.sack_count = 1;
		segment.options.sack[0].start = conn->snd_una + (uint32_t)roll(3000);
		segment.options.sack[0].end = segment.options.sack[0].start + (uint32_t)roll(3000);
		break;
	case 10:
		segment.destination_port++;
		break;
	case 11:
		segment.flags |= one_in(8) ? TCP_FIN : 0;
		break;
	default:
		break;
	}
	give(&segment, segment.seq - peer_iss - 1, &manner);
}

static void run(uint64_t seed, unsigned batch_max)
{
	begin(seed, batch_max == 1);
	for (unsigned step = 0; step < STEP_COUNT && !sides[FAST].app.closed; step++) {
		const unsigned count = 1 + (unsigned)roll(batch_max);
		for (unsigned i = 0; i < count && conn_of(FAST)->node.in_table && conn_of(LONG)->node.in_table; i++)
			some_segment();
		if (batch_max == 1 && one_in(8)) {
			const uint32_t more = (uint32_t)roll(20000);
			for (unsigned i = 0; i < 2; i++) {
				sides[i].app.to_send += more;
				if (conn_of(i)->state == TCP_ESTABLISHED)
					app_pump(&sides[i].app);
			}
		}
		poll_both(0);
		compare(seed, step, batch_max == 1);
		poll_both(one_in(4) ? roll(300 * MS) : roll(MS));
		compare(seed, step, batch_max == 1);
	}
	for (unsigned i = 0; i < 2; i++)
		wire_fini(&sides[i].wire);
}

Test(tcp_fast, does_with_each_segment_what_the_long_way_does)
{
	const char *count = getenv("WHERRY_TCP_SEEDS");
	for (uint64_t seed = 1; seed <= (count ? strtoull(count, NULL, 0) : 200); seed++)
		run(seed, 1);
}

Test(tcp_fast, ends_every_turn_where_the_long_way_ends_it)
{
	const char *count = getenv("WHERRY_TCP_SEEDS");
	for (uint64_t seed = 1; seed <= (count ? strtoull(count, NULL, 0) : 200); seed++)
		run(seed, 9);
}
