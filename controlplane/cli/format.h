/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Values of a reply, written for people.
 * Pure: time and replies come as arguments.  Any JSON is accepted, whatever its
 * types; text from the network is made harmless for a terminal.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "cli/command.h"

/* 1234567 -> "1,234,567".  Returns to. */
char *cli_count_text(uint64_t count, char *to, size_t size);
/* Seconds -> "3d 4h", "12s".  Returns to. */
char *cli_duration_text(int64_t seconds, char *to, size_t size);
/* Nanoseconds -> "640 ns", "12.3 us", "4.56 ms", "1.2 s".  Returns to. */
char *cli_latency_text(uint64_t ns, char *to, size_t size);
/* Microseconds since the epoch -> local time with its offset from UTC.  Returns to. */
char *cli_time_text(int64_t time_us, char *to, size_t size);
/* An integer or finite real of JSON as a count, 0 for anything else or below 0. */
uint64_t cli_json_u64(const json_t *value);

/* Write text; what a terminal would obey (control characters, also those of C1) becomes \xNN. */
void cli_write_safe(FILE *to, const char *text, size_t length);
/* A key of a reply, made harmless; malloc'd. */
char *cli_key_text(const char *key);
/* Terminal columns of UTF-8 text. */
size_t cli_text_columns(const char *text);

/* The value at "a.b" of an object, or NULL. */
json_t *cli_json_at(const json_t *object, const char *path);
/* The cell of a column for one object; malloc'd, "-" when there is nothing. */
char *cli_cell(const struct cli_column *column, const json_t *object, int64_t now_us);
/* Any JSON value by format; malloc'd. */
char *cli_value_text(const json_t *value, unsigned format, int64_t now_us);
/* Whether cells of the format are aligned to the right. */
bool cli_format_is_number(unsigned format);
