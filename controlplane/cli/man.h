/* SPDX-License-Identifier: BSD-3-Clause */
/* Manual pages in mdoc, generated at build time.  Pure but for the stream. */
#pragma once

#include <stdio.h>

#define MAN_DATE "November 20, 2026"

/* An option of a daemon. */
struct man_option {
	const char *name;  /* without dashes */
	const char *value; /* NULL: none */
	const char *help;  /* sentences */
};

/* Options of wherryd and of wherry-dataplane; end with a NULL name. */
extern const struct man_option man_wherryd_options[];
extern const struct man_option man_dataplane_options[];

void man_wherryctl(FILE *out);
void man_wherryd(FILE *out);
void man_dataplane(FILE *out);
void man_overview(FILE *out);

/* ---- pieces */
/* Title and name sections. */
void man_head(FILE *out, const char *title, const char *section, const char *name, const char *summary);
/* Sentences, a line each, with what mdoc would obey made harmless. */
void man_text(FILE *out, const char *text);
/* A line as an argument of a macro: quoted, so that no word in it is taken for a macro. */
void man_argument(FILE *out, const char *text);
/* A list of options, each with its text. */
void man_options(FILE *out, const struct man_option *options);
/* Options in the SYNOPSIS. */
void man_options_synopsis(FILE *out, const struct man_option *options);
/* Lines of input shown as they are typed. */
void man_display(FILE *out, const char *prefix, const char *lines);
