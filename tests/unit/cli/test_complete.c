/* SPDX-License-Identifier: BSD-3-Clause */
/* Completion of half-typed command lines. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "cli/complete.h"

#define WORD_COUNT_MAX 16

static json_t *some_names(void *ctx, enum cli_names kind)
{
	(void)ctx;
	switch (kind) {
	case CLI_NAMES_VOLUME:
		return json_pack("[s, s, i, s]", "disk0", "data", 7, "two\nlines");
	case CLI_NAMES_AOE_EXPORT:
		return json_pack("[s, s]", "1.0", "1.1");
	case CLI_NAMES_NBD_EXPORT:
		return json_pack("[s, s]", "db", "golden");
	case CLI_NAMES_PORT:
		return json_pack("[s, s]", "east", "west");
	case CLI_NAMES_METHOD:
		return json_pack("[s]", "volume.list");
	case CLI_NAMES_CLIENT:
		return json_pack("[s]", "52:54:00:00:00:01");
	case CLI_NAMES_NONE:
	case CLI_NAMES_OF_SCOPE:
		break;
	}
	return NULL;
}

static const struct {
	const char *line; /* "|" ends it where the cursor is, so that a blank before it counts */
	const char *offered;
} cases[] = {
	{"vol|", "volume "},
	{"volume |", "create grow delete list show set fault "},
	{"volume s|", "show set "},
	{"export |", "list aoe nbd "},
	{"export aoe s|", "set show "},
	{"export nbd show |", "db golden "},
	{"stats nbd_export g|", "golden "},
	{"route add d|", "default "},
	{"nothing |", ""},
	{"--json vol|", "volume "},
	{"--socket /x vol|", "volume "},
	{"--socket |", ":files "},
	{"volume show |", "disk0 data "},
	{"volume show d|", "disk0 data "},
	{"volume show di|", "disk0 "},
	{"volume show disk0 |", ""},
	{"volume grow disk0 |", ""},
	{"volume create x --ba|", "--backend "},
	{"volume create x --backend |", "ram file null "},
	{"volume create x --backend=f|", "--backend=file "},
	{"volume create x --path |", ":files "},
	{"volume set disk0 --read-only |", "yes no "},
	{"export aoe show |", "1.0 1.1 "},
	{"export aoe create 1.2 |", "disk0 data "},
	{"export aoe set 1.0 --ports |", "east west "},
	{"export aoe set 1.0 --ports east,w|", "east,west "},
	{"export aoe set 1.0 --ports=east,w|", "--ports=east,west "},
	{"mask add 1.0 52:54:00:00:00:01 52|", "52:54:00:00:00:01 "},
	{"stats |", "port lcore export nbd_export volume client "},
	{"stats client |", "52:54:00:00:00:01 "},
	{"stats --watch 5 exp|", "export "},
	{"stats ex|", "export "},
	{"stats export |", "1.0 1.1 "},
	{"stats lcore |", ""},
	{"stats --watch |", "port lcore export nbd_export volume client "},
	{"rpc call |", "volume.list "},
	{"config apply -f |", ":files "},
	{"config apply --dry-run --fi|", "--file "},
	{"completion |", "bash "},
	{"volume show -- --|", ""},
};

Test(cli_complete, candidates_fit_the_place)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char line[128];
		const char *words[WORD_COUNT_MAX];
		unsigned count = 0;
		(void)snprintf(line, sizeof(line), "%.*s", (int)strcspn(cases[i].line, "|"), cases[i].line);
		char *rest = line, *text = NULL;
		size_t length = 0;
		for (char *word = strsep(&rest, " "); word && count < WORD_COUNT_MAX; word = strsep(&rest, " "))
			words[count++] = word;
		FILE *out = open_memstream(&text, &length);
		cli_complete(words, count, some_names, NULL, out);
		(void)fclose(out);
		for (size_t c = 0; c < length; c++)
			text[c] = text[c] == '\n' ? ' ' : text[c];
		cr_expect_str_eq(text, cases[i].offered, "%s: %s", cases[i].line, text);
		free(text);
	}
}

Test(cli_complete, without_names_the_words_are_still_offered)
{
	const char *const words[] = {"volume", "show", ""};
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	cli_complete(words, 3, NULL, NULL, out);
	cli_complete(words, 2, NULL, NULL, out);
	cli_complete(words, 0, NULL, NULL, out);
	(void)fclose(out);
	cr_expect_str_eq(text, "show\n");
	free(text);
}

Test(cli_complete, an_empty_line_offers_every_first_word_once)
{
	const char *const words[] = {""};
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);
	cli_complete(words, 1, NULL, NULL, out);
	(void)fclose(out);
	cr_expect(strstr(text, "volume\nexport\n") == text, "%s", text);
	cr_expect(strstr(text, "doctor\n") && strstr(text, "completion\n"));
	free(text);
}
