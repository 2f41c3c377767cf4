/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static int hex_digit(char c)
{
	if (is_digit(c))
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decimal digits at *at into *value; moves *at behind them.  -EINVAL without a digit, -ERANGE above max. */
static int take_decimal(const char **at, uint64_t max, uint64_t *value)
{
	const char *p = *at;
	uint64_t v = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++) {
		uint64_t digit = (uint64_t)(*p - '0');
		if (v > (max - digit) / 10)
			return -ERANGE;
		v = v * 10 + digit;
	}
	*at = p;
	*value = v;
	return 0;
}

static int unit_shift(const char *unit, unsigned *shift)
{
	static const char letters[] = "KMGTP";

	if (*unit == '\0' || strcasecmp(unit, "B") == 0) {
		*shift = 0;
		return 0;
	}
	for (unsigned i = 0; letters[i]; i++) {
		if ((unit[0] & ~0x20) != letters[i])
			continue;
		if (unit[1] != '\0' && strcasecmp(unit + 1, "iB") != 0)
			return -EINVAL;
		*shift = 10 * (i + 1);
		return 0;
	}
	return -EINVAL;
}

/* Digits after the point as an exact fraction; at most 15 of them, so that the product below fits. */
static int take_fraction(const char **at, uint64_t *numerator, uint64_t *denominator)
{
	unsigned digits = 0;

	*numerator = 0;
	*denominator = 1;
	for ((*at)++; is_digit(**at); (*at)++) {
		if (++digits > 15)
			return -ERANGE;
		*numerator = *numerator * 10 + (uint64_t)(**at - '0');
		*denominator *= 10;
	}
	return digits ? 0 : -EINVAL;
}

int text_size_parse(const char *text, uint64_t *bytes)
{
	const char *at = text;
	uint64_t whole, numerator = 0, denominator = 1;
	unsigned shift;
	int rc = take_decimal(&at, INT64_MAX, &whole);

	if (rc)
		return rc;
	if (*at == '.') {
		rc = take_fraction(&at, &numerator, &denominator);
		if (rc)
			return rc;
	}
	if (*at == ' ')
		at++;
	rc = unit_shift(at, &shift);
	if (rc)
		return rc;
	unsigned __int128 part = (unsigned __int128)numerator << shift;
	if (part % denominator != 0)
		return -ERANGE;
	unsigned __int128 total = ((unsigned __int128)whole << shift) + part / denominator;
	if (total > INT64_MAX)
		return -ERANGE;
	*bytes = (uint64_t)total;
	return 0;
}

static const char *const unit_names[] = {"", "KiB", "MiB", "GiB", "TiB", "PiB"};

const char *text_size_emit(uint64_t bytes, char out[TEXT_SIZE_BYTES])
{
	unsigned unit = 0;

	while (bytes != 0 && unit < 5 && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	(void)snprintf(out, TEXT_SIZE_BYTES, "%llu%s", (unsigned long long)bytes, unit_names[unit]);
	return out;
}

const char *text_size_emit_short(uint64_t bytes, char out[TEXT_SIZE_BYTES])
{
	unsigned unit = 0;
	double value = (double)bytes;

	while (value >= 1024.0 && unit < 5) {
		value /= 1024.0;
		unit++;
	}
	(void)snprintf(out, TEXT_SIZE_BYTES, "%.4g%s", value, unit ? unit_names[unit] : "B");
	return out;
}

int text_mac_parse(const char *text, struct wherry_mac *mac)
{
	struct wherry_mac parsed;
	char separator = '\0';

	for (unsigned i = 0; i < 6; i++) {
		int high = hex_digit(text[0]);
		int low = high < 0 ? -1 : hex_digit(text[1]);
		if (low < 0)
			return -EINVAL;
		parsed.b[i] = (uint8_t)(high << 4 | low);
		text += 2;
		if (i == 5)
			break;
		if ((*text != ':' && *text != '-') || (separator && *text != separator))
			return -EINVAL;
		separator = *text++;
	}
	if (*text)
		return -EINVAL;
	*mac = parsed;
	return 0;
}

const char *text_mac_emit(const struct wherry_mac *mac, char out[TEXT_MAC_BYTES])
{
	(void)snprintf(out, TEXT_MAC_BYTES, "%02x:%02x:%02x:%02x:%02x:%02x", mac->b[0], mac->b[1], mac->b[2], mac->b[3],
		       mac->b[4], mac->b[5]);
	return out;
}

bool text_mac_is_host(const struct wherry_mac *mac)
{
	static const struct wherry_mac zero;

	return !(mac->b[0] & 1) && memcmp(mac, &zero, sizeof zero) != 0;
}

int text_aoe_parse(const char *text, uint16_t *shelf, uint8_t *slot)
{
	uint64_t major, minor;
	int rc;

	if (*text == 'e')
		text++;
	rc = take_decimal(&text, UINT16_MAX, &major);
	if (rc)
		return rc;
	if (*text++ != '.')
		return -EINVAL;
	rc = take_decimal(&text, UINT8_MAX, &minor);
	if (rc)
		return rc;
	if (*text)
		return -EINVAL;
	*shelf = (uint16_t)major;
	*slot = (uint8_t)minor;
	return 0;
}

const char *text_aoe_emit(uint16_t shelf, uint8_t slot, char out[TEXT_AOE_BYTES])
{
	(void)snprintf(out, TEXT_AOE_BYTES, "%u.%u", shelf, slot);
	return out;
}

const char *text_aoe_check(uint64_t shelf, uint64_t slot)
{
	if (shelf == WHERRY_AOE_SHELF_RESERVED)
		return "Linux refuses answers from shelf 4095 (0x0fff); choose another shelf";
	if (shelf == WHERRY_AOE_SHELF_MAX + 1)
		return "shelf 65535 (0xffff) is the wildcard address; choose one from 0 to 65534";
	if (shelf > WHERRY_AOE_SHELF_MAX)
		return "a shelf is a number from 0 to 65534";
	if (slot == WHERRY_AOE_SLOT_MAX + 1)
		return "slot 255 (0xff) is the wildcard address; choose one from 0 to 254";
	if (slot > WHERRY_AOE_SLOT_MAX)
		return "a slot is a number from 0 to 254";
	return NULL;
}

const char *text_name_check(const char *name)
{
	size_t len = strlen(name);

	if (len == 0)
		return "a name must not be empty";
	if (len > WHERRY_NAME_BYTES_MAX)
		return "a name has at most 63 characters";
	if (name[0] == '-' || name[0] == '.')
		return "a name must not start with '-' or '.'";
	if (strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != len)
		return "a name consists of letters, digits, '.', '_' and '-'";
	return NULL;
}

void text_hex_emit(const uint8_t *bytes, size_t len, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * len] = '\0';
}

int text_hex_parse(const char *text, uint8_t *out, size_t max, size_t *len)
{
	size_t digits = strlen(text);

	if (digits % 2)
		return -EINVAL;
	if (digits / 2 > max)
		return -ERANGE;
	for (size_t i = 0; i < digits / 2; i++) {
		int high = hex_digit(text[2 * i]), low = hex_digit(text[2 * i + 1]);
		if (high < 0 || low < 0)
			return -EINVAL;
		out[i] = (uint8_t)(high << 4 | low);
	}
	*len = digits / 2;
	return 0;
}

/* Length of the UTF-8 sequence at b, 0 when malformed, overlong, a surrogate or beyond U+10FFFF. */
static size_t utf8_sequence(const uint8_t *b, size_t left)
{
	size_t n;

	if (b[0] < 0x80)
		return 1;
	if (b[0] >= 0xc2 && b[0] <= 0xdf)
		n = 2;
	else if ((b[0] & 0xf0) == 0xe0)
		n = 3;
	else if (b[0] >= 0xf0 && b[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > left)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((b[i] & 0xc0) != 0x80)
			return 0;
	if ((b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf0 && b[1] < 0x90) ||
	    (b[0] == 0xf4 && b[1] > 0x8f))
		return 0;
	return n;
}

bool text_is_printable(const uint8_t *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		size_t n = utf8_sequence(bytes + at, len - at);
		if (n == 0 || bytes[at] < 0x20 || bytes[at] == 0x7f)
			return false;
		if (n == 2 && bytes[at] == 0xc2 && bytes[at + 1] < 0xa0)
			return false; /* C1 controls */
		at += n;
	}
	return true;
}

int text_lcores_parse(const char *text, struct text_lcores *lcores)
{
	bool chosen[TEXT_LCORE_ID_MAX + 1] = {false};
	uint64_t first, last;

	for (;;) {
		int rc = take_decimal(&text, TEXT_LCORE_ID_MAX, &first);
		if (rc)
			return rc;
		last = first;
		if (*text == '-') {
			text++;
			rc = take_decimal(&text, TEXT_LCORE_ID_MAX, &last);
			if (rc)
				return rc;
		}
		if (last < first)
			return -EINVAL;
		for (uint64_t id = first; id <= last; id++)
			chosen[id] = true;
		if (*text == '\0')
			break;
		if (*text++ != ',')
			return -EINVAL;
	}
	lcores->count = 0;
	for (unsigned id = 0; id <= TEXT_LCORE_ID_MAX; id++) {
		if (!chosen[id])
			continue;
		if (lcores->count == WHERRY_LCORE_COUNT_MAX)
			return -ERANGE;
		lcores->id[lcores->count++] = (uint16_t)id;
	}
	return 0;
}
