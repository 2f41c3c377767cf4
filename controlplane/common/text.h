/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The operator's notations: sizes, MAC addresses, AoE addresses, object names,
 * lists of processors.  Pure functions, any thread, no allocation.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wherry/ctl.h"
#include "wherry/limits.h"

#define TEXT_MAC_BYTES 18      /* "00:11:22:33:44:55" and its NUL */
#define TEXT_AOE_BYTES 10      /* "65534.254" and its NUL */
#define TEXT_SIZE_BYTES 32     /* any output of text_size_emit */
#define TEXT_LCORE_ID_MAX 1023 /* largest processor number that a list may hold */

/*
 * Size in bytes: a decimal number, a fraction allowed before a unit, and one of
 * B K M G T P, KiB MiB GiB TiB PiB (powers of 1,024; case does not matter).
 * KB, MB... are refused because people disagree on what they mean.
 * 0; -EINVAL when not a size; -ERANGE beyond 2^63 - 1 or not a whole number of bytes.
 */
int text_size_parse(const char *text, uint64_t *bytes);
/* Exact: the largest unit that divides it, "10GiB", "1536MiB", "513".  text_size_parse reads it back. */
const char *text_size_emit(uint64_t bytes, char out[TEXT_SIZE_BYTES]);
/* For people: four significant digits at most, "9.313GiB". */
const char *text_size_emit_short(uint64_t bytes, char out[TEXT_SIZE_BYTES]);

/* "00:11:22:33:44:55", with ':' or '-' throughout.  0 or -EINVAL. */
int text_mac_parse(const char *text, struct wherry_mac *mac);
const char *text_mac_emit(const struct wherry_mac *mac, char out[TEXT_MAC_BYTES]);
/* A host can have it: neither a group address nor all zero. */
bool text_mac_is_host(const struct wherry_mac *mac);

/* "SHELF.SLOT", decimal, with an 'e' before it allowed.  0; -EINVAL; -ERANGE above 65535 or 255.
 * Whether the address may be given to an export is text_aoe_check's business. */
int text_aoe_parse(const char *text, uint16_t *shelf, uint8_t *slot);
const char *text_aoe_emit(uint16_t shelf, uint8_t slot, char out[TEXT_AOE_BYTES]);
/* NULL when an export may have the address, else the reason.  Static storage. */
const char *text_aoe_check(uint64_t shelf, uint64_t slot);

/* NULL when the name may be given to an object, else the reason.  Static storage. */
const char *text_name_check(const char *name);

/* Lower-case hexadecimal; out holds 2 * len + 1. */
void text_hex_emit(const uint8_t *bytes, size_t len, char *out);
/* Even number of digits into at most max bytes.  0; -EINVAL; -ERANGE when longer. */
int text_hex_parse(const char *text, uint8_t *out, size_t max, size_t *len);

/* Valid UTF-8 without control characters: fit to be shown as text. */
bool text_is_printable(const uint8_t *bytes, size_t len);

struct text_lcores {
	uint16_t count;
	uint16_t id[WHERRY_LCORE_COUNT_MAX]; /* ascending, none twice */
};
/* "0-3,6" into a set.  0; -EINVAL when not a list; -ERANGE for an id above TEXT_LCORE_ID_MAX or too many. */
int text_lcores_parse(const char *text, struct text_lcores *lcores);
