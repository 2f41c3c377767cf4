/* SPDX-License-Identifier: BSD-3-Clause */
/* The commands. */
#include <errno.h>

#include "diag/diag_priv.h"

/* A buffer is there: nothing was read without one.  Behind !CLOSE there is nobody to tell. */
static void say_error(struct diag_session *session, const char *words)
{
	char line[160] = "!ERROR ";
	uint32_t len = 7;
	for (; *words && len < sizeof line - 1; words++)
		line[len++] = *words;
	line[len++] = '\n';
	(void)diag_answer(session, (const uint8_t *)line, len);
}

static void begin_pattern(struct diag_session *session, uint64_t bytes)
{
	if (session->shut)
		return;
	session->owed_bytes = bytes;
	session->sent_bytes = 0;
	(void)diag_send_pattern(session);
}

static void close_sending(struct diag_session *session, uint64_t unused)
{
	(void)unused;
	diag_shutdown(session);
}

static void quit(struct diag_session *session, uint64_t unused)
{
	(void)unused;
	session->quit = true;
	diag_shutdown(session);
	diag_set_timer(session, *session->lcore->env.now_ns + DIAG_QUIT_NS);
}

static const char *connect_error(int error)
{
	switch (error) {
	case ENOBUFS:
		return "no connection is left";
	case EADDRINUSE:
		return "no local port is left";
	case EADDRNOTAVAIL:
		return "the local address is gone";
	default:
		return "there is no way to the peer";
	}
}

static void open_port(struct diag_session *session, uint64_t port)
{
	struct diag_lcore *lcore = session->lcore;
	struct diag_session *other = diag_session_take(lcore);
	if (!other) {
		say_error(session, connect_error(ENOBUFS));
		return;
	}
	struct stream_info ends;
	stream_info(session->stream, &ends);
	other->connecting = true;
	struct stream *stream = lcore->env.connect(lcore->env.ctx, &ends, (uint16_t)port, &diag_handler, other);
	const int error = stream ? 0 : errno;
	other->connecting = false;
	other->stream = stream;
	if (stream)
		return;
	diag_session_release(other);
	say_error(session, connect_error(error));
}

static void pause_reading(struct diag_session *session, uint64_t ms)
{
	if (ms == 0)
		return;
	session->paused = true;
	diag_set_timer(session, *session->lcore->env.now_ns + ms * DIAG_NS_PER_MS);
}

static const struct command {
	const char *name;
	void (*obey)(struct diag_session *session, uint64_t number);
	bool has_number;
	uint64_t min, max;
	const char *usage;
} commands[] = {
	{"!SEND", begin_pattern, true, 0, UINT64_MAX, "!SEND n: 0 to 18446744073709551615 bytes"},
	{"!CLOSE", close_sending, false, 0, 0, "!CLOSE stands alone"},
	{"!QUIT", quit, false, 0, 0, "!QUIT stands alone"},
	{"!OPEN", open_port, true, 1, UINT16_MAX, "!OPEN p: port 1 to 65535"},
	{"!PAUSE", pause_reading, true, 0, DIAG_PAUSE_MS_MAX, "!PAUSE ms: 0 to 3600000 milliseconds"},
};

/* Decimal digits and nothing else. */
static bool read_number(const char *text, uint32_t len, uint64_t *number)
{
	*number = 0;
	for (uint32_t i = 0; i < len; i++) {
		const unsigned digit = (unsigned)(text[i] - '0');
		if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(*number, 10, number) ||
		    __builtin_add_overflow(*number, digit, number))
			return false;
	}
	return len > 0;
}

static const struct command *find(const char *line, uint32_t len)
{
	for (unsigned i = 0; i < sizeof commands / sizeof commands[0]; i++)
		if (strlen(commands[i].name) == len && memcmp(commands[i].name, line, len) == 0)
			return &commands[i];
	return NULL;
}

void diag_obey(struct diag_session *session)
{
	const char *line = session->command;
	uint32_t len = session->command_bytes, name = 0, at;
	if (len > DIAG_LINE_BYTES_MAX) {
		say_error(session, "a command has 64 bytes at most");
		return;
	}
	if (len && line[len - 1] == '\r')
		len--;
	while (len && line[len - 1] == ' ')
		len--;
	while (name < len && line[name] != ' ')
		name++;
	for (at = name; at < len && line[at] == ' ';)
		at++;
	const struct command *command = find(line, name);
	if (!command) {
		say_error(session, "commands are !SEND n, !CLOSE, !QUIT, !OPEN p, !PAUSE ms");
		return;
	}
	uint64_t number = 0;
	const bool good = command->has_number ? read_number(line + at, len - at, &number) : at == len;
	if (!good || number < command->min || number > command->max)
		say_error(session, command->usage);
	else
		command->obey(session, number);
}
