/* SPDX-License-Identifier: BSD-3-Clause */
/* What the network stack uses of util/: checksums, SipHash, the timing wheel. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "util/checksum.h"
#include "util/siphash.h"
#include "util/wheel.h"

static uint64_t random_state = 1;

static uint64_t next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* RFC 1071 as it is written, in bytes. */
static uint16_t plain_checksum(const uint8_t *at, uint32_t len)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < len; i++)
		sum += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t in_network_order(uint16_t as_in_memory)
{
	uint8_t b[2];
	memcpy(b, &as_in_memory, 2);
	return (uint16_t)(b[0] << 8 | b[1]);
}

Test(checksum, of_every_length_and_alignment_is_that_of_the_definition)
{
	for (uint32_t len = 0; len < 300; len++)
		for (uint32_t offset = 0; offset < 3; offset++) {
			uint8_t *exact = malloc(offset + len + 1);
			for (uint32_t i = 0; i < len; i++)
				exact[offset + i] = next_random() & 1 ? 0xff : (uint8_t)next_random();
			const uint16_t sum = checksum_fold(checksum_add(0, exact + offset, len));
			cr_assert_eq(in_network_order(sum), plain_checksum(exact + offset, len), "%u bytes", len);
			free(exact);
		}
}

Test(checksum, of_pieces_is_that_of_the_whole)
{
	uint8_t bytes[200];
	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)next_random();
	const uint16_t whole = checksum_fold(checksum_add(0, bytes, sizeof bytes));
	for (uint32_t cut = 0; cut <= sizeof bytes; cut++) {
		uint64_t rest = checksum_add(0, bytes + cut, (uint32_t)sizeof bytes - cut);
		if (cut & 1)
			rest = checksum_swap(rest);
		cr_expect_eq(checksum_fold(checksum_add64(checksum_add(0, bytes, cut), rest)), whole, "cut at %u", cut);
	}
}

Test(siphash, gives_the_values_of_its_paper)
{
	uint8_t key[16], message[15];
	for (uint8_t i = 0; i < 16; i++)
		key[i] = i;
	for (uint8_t i = 0; i < 15; i++)
		message[i] = i;
	cr_expect_eq(siphash(key, message, 15), 0xa129ca6149be45e5ull);
	cr_expect_eq(siphash(key, message, 0), 0x726fdb47dd0e0e31ull);
	cr_expect_eq(siphash(key, message, 8), 0x93f5f5799a932462ull);
}

#define TICK (1ull << WHEEL_TICK_SHIFT)
#define NODE_COUNT 500

struct timer {
	struct wheel_node node;
	uint64_t due_ns;
};

/* Random timers, moved and cancelled at random: each fires once, not before its time and at most a tick and the step
 * late, and next_ns is never after the first. */
Test(wheel, fires_each_timer_at_its_time)
{
	static struct wheel wheel;
	static struct timer timers[NODE_COUNT];
	uint64_t now_ns = 123456789;
	wheel_init(&wheel, now_ns);
	for (unsigned round = 0; round < 40000; round++) {
		struct timer *t = &timers[next_random() % NODE_COUNT];
		const unsigned what = next_random() % 8;
		if (what == 0) {
			wheel_cancel(&wheel, &t->node);
		} else if (what < 4) {
			t->due_ns = now_ns + (next_random() >> (next_random() % 40 + 20));
			wheel_set(&wheel, &t->node, t->due_ns);
		}
		const uint64_t next_ns = wheel_next_ns(&wheel);
		unsigned set = 0;
		uint64_t first_ns = UINT64_MAX;
		for (unsigned i = 0; i < NODE_COUNT; i++)
			if (wheel_is_set(&timers[i].node)) {
				set++;
				first_ns = timers[i].due_ns < first_ns ? timers[i].due_ns : first_ns;
			}
		cr_assert_eq(set, wheel.count);
		cr_assert(set ? next_ns <= first_ns + TICK : next_ns == UINT64_MAX);
		if (what == 4 && next_ns != UINT64_MAX && next_ns > now_ns)
			now_ns = next_ns;
		else
			now_ns += next_random() >> (next_random() % 30 + 30);
		for (struct wheel_node *node; (node = wheel_expire(&wheel, now_ns));) {
			t = (struct timer *)node;
			cr_assert(t->due_ns <= now_ns, "%llu early", (unsigned long long)(t->due_ns - now_ns));
		}
		for (unsigned i = 0; i < NODE_COUNT; i++)
			if (wheel_is_set(&timers[i].node))
				cr_assert(timers[i].due_ns + TICK > now_ns, "late");
	}
}

Test(wheel, takes_what_is_further_away_than_it_reaches)
{
	static struct wheel wheel;
	struct wheel_node node = {0};
	wheel_init(&wheel, 0);
	const uint64_t due_ns = 3ull << (WHEEL_TICK_SHIFT + WHEEL_LEVEL_COUNT * WHEEL_SLOT_BITS);
	wheel_set(&wheel, &node, due_ns);
	uint64_t now_ns = 0;
	for (unsigned i = 0; i < 1000; i++) {
		cr_assert(wheel_is_set(&node));
		now_ns = wheel_next_ns(&wheel);
		if (wheel_expire(&wheel, now_ns) == &node)
			break;
	}
	cr_expect_eq(now_ns, due_ns);
	cr_expect_eq(wheel_next_ns(&wheel), UINT64_MAX);
}

Test(wheel, lets_a_timer_be_set_again_while_timers_fire)
{
	static struct wheel wheel;
	struct wheel_node a = {0}, b = {0};
	wheel_init(&wheel, 0);
	wheel_set(&wheel, &a, 5 * TICK);
	wheel_set(&wheel, &b, 5 * TICK);
	cr_assert_eq(wheel_expire(&wheel, 5 * TICK), &a);
	wheel_cancel(&wheel, &b);
	wheel_set(&wheel, &a, 5 * TICK);
	cr_expect_eq(wheel_expire(&wheel, 5 * TICK), &a, "what is past fires at once");
	cr_expect_null(wheel_expire(&wheel, 5 * TICK));
	cr_expect_eq(wheel.count, 0);
}
