/* SPDX-License-Identifier: BSD-3-Clause */
/* What the diagnostic service answers to bytes, commands, ends and a peer that does not read. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "rig.h"

#define MS DIAG_NS_PER_MS

static const struct diag_limits usual = {4, 64, 16, 64};

static void give(struct rig_stream *s, const char *text)
{
	rig_give(s, text, strlen(text));
}

/* What the peer has is just this; forgotten afterwards. */
static void expect(struct rig_stream *s, const char *text)
{
	cr_assert(s->out_bytes == strlen(text) && memcmp(s->out, text, s->out_bytes) == 0, "%.*s, expected %s",
		  (int)s->out_bytes, (const char *)s->out, text);
	s->out_bytes = 0;
}

static bool is_error(struct rig_stream *s)
{
	const bool yes = s->out_bytes > 8 && memcmp(s->out, "!ERROR ", 7) == 0 && s->out[s->out_bytes - 1] == '\n' &&
			 memchr(s->out, '\n', s->out_bytes) == s->out + s->out_bytes - 1;
	s->out_bytes = 0;
	return yes;
}

static bool is_pattern(const uint8_t *data, uint64_t bytes)
{
	for (uint64_t at = 0; at < bytes; at++) {
		const uint32_t i = at % 65536;
		if (data[at] != (0x80 | ((i * 7 + (i >> 7)) & 0x7f)))
			return false;
	}
	return true;
}

Test(diag_session, echoes_bytes_and_obeys_only_lines_that_begin_with_a_mark)
{
	static const char text[] = "a!SEND 3\n!SEND 4\r\n\n!SEND 0\nx\n!!\n!SEND 2  \n\xff\x00!\r!\n!SEND  1\n";
	static const char answer[] = "a!SEND 3\n\x80\x87\x8e\x95\nx\n!ERROR commands are !SEND n, !CLOSE, !QUIT, "
				     "!OPEN p, !PAUSE ms\n\x80\x87\xff\x00!\r!\n\x80";
	const size_t len = sizeof text - 1;
	rig_init(&usual);
	/* In two pieces, cut everywhere; and a byte at a time. */
	for (size_t cut = 0; cut <= len; cut++) {
		struct rig_stream *s = rig_connect();
		rig_give(s, text, cut);
		rig_give(s, text + cut, len - cut);
		cr_expect(s->out_bytes == sizeof answer - 1 && memcmp(s->out, answer, s->out_bytes) == 0, "cut at %zu",
			  cut);
		rig_close(s);
	}
	struct rig_stream *s = rig_connect();
	for (size_t i = 0; i < len; i++)
		rig_give(s, text + i, 1);
	cr_expect(s->out_bytes == sizeof answer - 1 && memcmp(s->out, answer, s->out_bytes) == 0);
	rig_close(s);
	rig_fini();
}

Test(diag_session, sends_the_pattern_which_begins_anew_with_each_command)
{
	static const uint32_t sizes[] = {0, 1, 127, 128, 65535, 65536, 65537, 200000};
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		char line[32];
		snprintf(line, sizeof line, "!SEND %u\n", sizes[i]);
		give(s, line);
		cr_expect(s->out_bytes == sizes[i] && is_pattern(s->out, sizes[i]), "!SEND %u", sizes[i]);
		s->out_bytes = 0;
	}
	give(s, "!SEND 3\n!SEND 2\n");
	expect(s, "\x80\x87\x8e\x80\x87");
	rig_close(s);
	rig_fini();
}

Test(diag_session, sends_any_number_of_bytes_as_the_peer_takes_them)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	s->deaf = true;
	give(s, "!SEND 18446744073709551615\nheld");
	uint64_t seen = 0;
	for (unsigned i = 0; i < 400; i++) {
		cr_assert(s->stream.unsent_bytes < STREAM_UNSENT_BYTES_GOAL + DIAG_PATTERN_BYTES);
		cr_assert(s->kept_first, "it has stopped after %lu bytes", (unsigned long)seen);
		rig_take(s, 1 + (i % 3) * 500000);
		for (uint64_t at = 0; at < s->out_bytes; at += 65536)
			cr_assert(is_pattern(s->out + at, s->out_bytes - at < 65536 ? s->out_bytes - at : 65536));
		seen += s->out_bytes;
		s->out_bytes = 0;
		rig_turn(0);
	}
	cr_expect_eq(s->in_bytes, 4, "nothing is read before it is through");
	rig_close(s);
	rig_fini();
}

Test(diag_session, a_stream_that_has_ended_without_a_word_yet_costs_no_more_than_a_turn)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	s->deaf = true;
	give(s, "!SEND 18446744073709551615\n");
	s->dead = true;
	rig_take(s, 600000);
	rig_turn(0);
	rig_close(s);
	s = rig_connect();
	s->dead = true;
	give(s, "!SEND 18446744073709551615\n");
	rig_turn(0);
	rig_close(s);
	rig_fini();
}

Test(diag_session, what_follows_a_long_answer_waits_for_its_end)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	s->deaf = true;
	give(s, "!SEND 3000000\nbehind\n!CLOSE\n");
	while (s->kept_first) {
		cr_assert(!s->shut || s->out_bytes + s->stream.unsent_bytes == 3000007);
		rig_take(s, 100000);
		rig_turn(0);
	}
	cr_expect(is_pattern(s->out, 65536) && s->out_bytes == 3000007 && memcmp(s->out + 3000000, "behind\n", 7) == 0);
	cr_expect(s->shut);
	rig_close(s);
	rig_fini();
}

Test(diag_session, bad_commands_are_answered_in_words)
{
	static const char *const bad[] = {
		"!",
		"!send 1",
		"!SENDER",
		"! SEND 1",
		"!SEND",
		"!SEND ",
		"!SEND -1",
		"!SEND +1",
		"!SEND 1x",
		"!SEND 1 2",
		"!SEND 18446744073709551616",
		"!SEND 99999999999999999999999999",
		"!OPEN",
		"!OPEN 0",
		"!OPEN 65536",
		"!PAUSE 3600001",
		"!CLOSE 1",
		"!QUIT now",
	};
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		give(s, bad[i]);
		give(s, "\n");
		cr_expect(is_error(s), "%s", bad[i]);
		cr_expect(!s->shut && !s->aborted && !rig.opened);
		give(s, "on\n");
		expect(s, "on\n");
	}
	rig_close(s);
	rig_fini();
}

Test(diag_session, a_command_has_64_bytes_at_most)
{
	char line[100000];
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	memset(line, '0', sizeof line);
	memcpy(line, "!SEND ", 6);
	line[63] = '5';
	line[64] = '\n';
	rig_give(s, line, 65);
	cr_expect(s->out_bytes == 5 && is_pattern(s->out, 5));
	s->out_bytes = 0;
	line[63] = '0', line[64] = '5', line[65] = '\n';
	rig_give(s, line, 66);
	cr_expect(is_error(s), "65 bytes");
	line[65] = '0', line[sizeof line - 1] = '\n';
	for (size_t at = 0; at < sizeof line; at += 1000)
		rig_give(s, line + at, 1000);
	cr_expect(is_error(s), "a line without end");
	give(s, "!SEND 1\n");
	expect(s, "\x80");
	rig_close(s);
	rig_fini();
}

Test(diag_session, close_ends_sending_and_goes_on_reading)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	give(s, "x!\n!CLOSE\nnobody hears\n!SEND 5\n!nonsense\n!OPEN 99\n");
	expect(s, "x!\n");
	cr_expect(s->shut && !s->aborted && s->in_bytes == 0);
	cr_expect(rig.opened != NULL, "commands are obeyed");
	give(s, "!PAUSE 5\nlater");
	cr_expect_eq(s->in_bytes, 5);
	rig_turn(5 * MS);
	cr_expect_eq(s->in_bytes, 0);
	rig_give_end(s);
	rig_close(s);
	rig_close(rig.opened);
	rig_fini();
}

Test(diag_session, quit_closes_both_sides_and_resets_for_what_comes_then)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	give(s, "a\n!QUIT\n");
	expect(s, "a\n");
	cr_expect(s->shut && !s->aborted);
	give(s, "b");
	cr_expect(s->aborted, "a byte behind it");
	rig_close(s);
	s = rig_connect();
	give(s, "!QUIT\nb");
	cr_expect(s->aborted, "a byte that was there already");
	rig_close(s);
	s = rig_connect();
	give(s, "!CLOSE\n!QUIT\n");
	rig_turn(59999 * MS);
	cr_expect(s->shut && !s->aborted);
	rig_turn(1 * MS);
	cr_expect(s->aborted, "the peer does not end its side");
	rig_close(s);
	s = rig_connect();
	give(s, "!QUIT\n");
	rig_give_end(s);
	cr_expect(!s->aborted);
	rig_close(s);
	rig_turn(100000 * MS);
	rig_fini();
}

Test(diag_session, pause_stops_reading_for_that_long)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	give(s, "a\n!PAUSE 0\n!PAUSE 250\nb\n!PAUSE 100\n");
	expect(s, "a\n");
	give(s, "c\n");
	rig_turn(249 * MS);
	expect(s, "");
	rig_turn(1 * MS);
	expect(s, "b\n");
	rig_turn(99 * MS);
	expect(s, "");
	rig_turn(1 * MS);
	expect(s, "c\n");
	/* Nothing behind it: what comes later waits as well, the peer's end too. */
	give(s, "!SEND 2\n!PAUSE 3600000\n");
	expect(s, "\x80\x87");
	rig_give_end(s);
	rig_turn(3599999 * MS);
	cr_expect(!s->shut);
	rig_turn(1 * MS);
	cr_expect(s->shut);
	rig_close(s);
	s = rig_connect();
	give(s, "!PAUSE 1000\n");
	rig_close(s);
	rig_turn(2000 * MS);
	rig_fini();
}

Test(diag_session, reads_no_more_than_its_peer_takes)
{
	const uint32_t total = 1u << 20;
	uint8_t *bytes = malloc(total);
	for (uint32_t i = 0; i < total; i++)
		bytes[i] = (uint8_t)(i * 31 >> 3);
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	s->deaf = true;
	rig_give(s, bytes, total);
	cr_expect_eq(total - s->in_bytes, usual.echo_count_each * DIAG_ECHO_BYTES);
	while (s->kept_first) {
		cr_assert(s->stream.unsent_bytes <= usual.echo_count_each * DIAG_ECHO_BYTES);
		rig_take(s, 1);
		rig_turn(0);
	}
	cr_expect(s->out_bytes == total && memcmp(s->out, bytes, total) == 0);
	free(bytes);
	rig_close(s);
	rig_fini();
}

Test(diag_session, those_who_wait_for_buffers_of_others_get_them_in_turn)
{
	const struct diag_limits few = {3, 8, 8, 2};
	struct rig_stream *s[3];
	char bytes[9 * DIAG_ECHO_BYTES];
	memset(bytes, 'x', sizeof bytes);
	rig_init(&few);
	for (unsigned i = 0; i < 3; i++) {
		s[i] = rig_connect();
		s[i]->deaf = true;
		rig_give(s[i], bytes, sizeof bytes);
	}
	cr_expect(rig_connect() == NULL, "no session is left");
	cr_expect_eq(s[0]->in_bytes, sizeof bytes - 8 * DIAG_ECHO_BYTES);
	cr_expect_eq(s[1]->in_bytes, sizeof bytes);
	for (unsigned turns = 0; turns < 40; turns++)
		for (unsigned i = 0; i < 3; i++) {
			rig_take(s[i], 1);
			rig_turn(0);
		}
	/* The pattern, too, when its references are used up. */
	for (unsigned i = 0; i < 3; i++) {
		cr_expect_eq(s[i]->out_bytes, sizeof bytes);
		s[i]->out_bytes = 0;
		give(s[i], "\n!SEND 400000\n");
	}
	for (unsigned turns = 0; turns < 40; turns++)
		for (unsigned i = 0; i < 3; i++) {
			rig_take(s[i], 1);
			rig_turn(0);
		}
	for (unsigned i = 0; i < 3; i++) {
		cr_expect(s[i]->out_bytes == 400001 && is_pattern(s[i]->out + 1, 65536), "session %u", i);
		rig_close(s[i]);
	}
	rig_fini();
}

Test(diag_session, open_connects_to_the_peer_and_serves_there)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	give(s, "!OPEN 4242\nhere\n");
	expect(s, "here\n");
	struct rig_stream *other = rig.opened;
	cr_assert(other && other->port == 4242 && rig.opened_from.remote_port == 40000);
	give(other, "!SEND 1\nthere");
	expect(other, "\x80there");
	rig_close(s);
	give(other, "\n!QUIT\n");
	cr_expect(other->shut);
	rig_close(other);

	static const int errors[] = {EHOSTUNREACH, ENOBUFS, EADDRINUSE, EADDRNOTAVAIL};
	s = rig_connect();
	for (unsigned i = 0; i < 4; i++) {
		rig.connect_error = errors[i];
		give(s, "!OPEN 1\n");
		cr_expect(is_error(s), "error %d", errors[i]);
	}
	rig.connect_error = 0;
	struct rig_stream *more[3];
	for (unsigned i = 0; i < 3; i++) {
		give(s, "!OPEN 1\n");
		expect(s, "");
		more[i] = rig.opened;
	}
	give(s, "!OPEN 1\n");
	cr_expect(is_error(s), "no session is left");
	for (unsigned i = 0; i < 3; i++)
		rig_close(more[i]); /* refused: the peer knows */
	expect(s, "");
	rig_close(s);
	rig_fini();
}

Test(diag_session, ends_its_side_behind_all_that_it_owes)
{
	rig_init(&usual);
	struct rig_stream *s = rig_connect();
	s->deaf = true;
	give(s, "bye\n!SEND 2000000\n!QUI");
	rig_give_end(s);
	while (s->kept_first) {
		cr_assert(!s->shut || s->out_bytes + s->stream.unsent_bytes == 2000004);
		rig_take(s, 1);
		rig_turn(0);
	}
	cr_expect(s->out_bytes == 2000004 && is_pattern(s->out + 4, 2000000));
	cr_expect(s->shut && !s->aborted, "half a command is none");
	rig_close(s);
	rig_fini();
}
