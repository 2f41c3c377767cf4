/* SPDX-License-Identifier: BSD-3-Clause */
/* Typed values of the command line, turned into JSON. */
#include "cli/value.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/text.h"
#include "common/text_ip.h"
#include "wherry/limits.h"

int cli_int_parse(const char *text, int64_t *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = hex ? text + 2 : text;
	if (hex ? !isxdigit((unsigned char)digits[0]) : !isdigit((unsigned char)digits[0]))
		return -1;
	char *end = NULL;
	errno = 0;
	long long parsed = strtoll(digits, &end, hex ? 16 : 10);
	if (errno || *end)
		return -1;
	*value = parsed;
	return 0;
}

int cli_age_parse(const char *text, int64_t *seconds)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t length = strlen(text);
	char digits[12];
	if (length < 2 || length > sizeof(digits))
		return -1;
	memcpy(digits, text, length - 1);
	digits[length - 1] = 0;
	int64_t count;
	if (!isdigit((unsigned char)digits[0]) || strchr(digits, 'x') || cli_int_parse(digits, &count))
		return -1;
	for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (text[length - 1] == units[i].unit) {
			*seconds = count * units[i].seconds;
			return 0;
		}
	}
	return -1;
}

bool cli_choice_find(const char *choices, const char *text, unsigned *index)
{
	size_t length = strlen(text);
	unsigned i = 0;
	for (const char *at = choices; at; at = strchr(at, '|')) {
		if (*at == '|')
			at++;
		if (!strncmp(at, text, length) && (at[length] == '|' || !at[length])) {
			*index = i;
			return true;
		}
		i++;
	}
	return false;
}

/* How a parameter is named in an error. */
static const char *label(const struct cli_param *param, char text[64])
{
	(void)snprintf(text, 64, "%s%s", param->flags & CLI_POSITIONAL ? "" : "--", param->name);
	return text;
}

static int refuse(const struct cli_param *param, const char *value, const char *remedy, struct cli_error *error)
{
	char name[64];
	return cli_fail(error, FAIL_EXIT_USAGE, "%s: \"%s\" will not do; %s", label(param, name), value, remedy);
}

/* Range check of an integer or size; both bounds zero: not below zero. */
static int check_range(const struct cli_param *param, const char *text, int64_t value, struct cli_error *error)
{
	int64_t max = param->min == 0 && param->max == 0 ? INT64_MAX : param->max;
	if (value >= param->min && value <= max)
		return 0;
	char remedy[128];
	(void)snprintf(remedy, sizeof(remedy), "give a value from %lld to %lld", (long long)param->min, (long long)max);
	return refuse(param, text, remedy, error);
}

static json_t *make_number(const struct cli_param *param, const char *text, struct cli_error *error)
{
	int64_t value = 0;
	unsigned index;
	if (param->type == CLI_CHOICE && !cli_choice_find(param->choices, text, &index)) {
		char remedy[128];
		(void)snprintf(remedy, sizeof(remedy), "give one of %s", param->choices);
		(void)refuse(param, text, remedy, error);
		return NULL;
	}
	uint64_t bytes = 0;
	if (param->type == CLI_SIZE ? text_size_parse(text, &bytes) : cli_int_parse(text, &value)) {
		(void)refuse(param, text,
			     param->type == CLI_SIZE ? "give a size such as 4096, 512M, 10G or 1.5TiB"
						     : "give a whole number",
			     error);
		return NULL;
	}
	if (param->type == CLI_SIZE)
		value = bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes;
	if (param->type != CLI_CHOICE && check_range(param, text, value, error))
		return NULL;
	return json_integer(value);
}

static json_t *make_seconds(const struct cli_param *param, const char *text, struct cli_error *error)
{
	char *end = NULL;
	double value = isdigit((unsigned char)text[0]) ? strtod(text, &end) : -1;
	if (value < 0 || !end || *end || value > (double)param->max) {
		(void)refuse(param, text, "give seconds such as 1 or 0.5", error);
		return NULL;
	}
	return json_real(value);
}

/* One entry of a list; NULL when it is none. */
static json_t *make_list_item(unsigned type, const char *item)
{
	struct text_prefix prefix;
	int64_t vlan = 0;
	if (type == CLI_VLANS)
		return !cli_int_parse(item, &vlan) && vlan <= 4094 ? json_integer(vlan) : NULL;
	bool good = type == CLI_PREFIXES ? !text_prefix_parse(item, &prefix) : !text_name_check(item);
	return good ? json_string(item) : NULL;
}

/* Comma-separated names, prefixes or VLAN ids; the word for "none of them" gives an empty list. */
static json_t *make_list(const struct cli_param *param, const char *text, struct cli_error *error)
{
	bool vlans = param->type == CLI_VLANS;
	json_t *list = json_array();
	if (!strcmp(text, vlans ? "none" : "all"))
		return list;
	char copy[4096];
	if (strlen(text) >= sizeof(copy)) {
		json_decref(list);
		(void)refuse(param, "...", "the list is too long", error);
		return NULL;
	}
	memcpy(copy, text, strlen(text) + 1);
	char *rest = copy;
	for (char *item = strsep(&rest, ","); item; item = strsep(&rest, ",")) {
		json_t *value = make_list_item(param->type, item);
		if (!value) {
			json_decref(list);
			(void)refuse(
				param, text,
				vlans ? "give VLAN ids from 0 to 4094, comma-separated, or none"
				: param->type == CLI_PREFIXES
					? "give prefixes such as 10.0.0.0/8 or 2001:db8::/32, comma-separated, or all"
					: "give names, comma-separated, or all",
				error);
			return NULL;
		}
		json_array_append_new(list, value);
	}
	return list;
}

static json_t *make_path(const struct cli_param *param, const char *text, struct cli_error *error)
{
	char cwd[PATH_MAX], full[2 * PATH_MAX];
	if (text[0] == '/') {
		(void)snprintf(full, sizeof(full), "%s", text);
	} else if (!text[0] || !getcwd(cwd, sizeof(cwd))) {
		(void)refuse(param, text, "give an absolute path", error);
		return NULL;
	} else {
		(void)snprintf(full, sizeof(full), "%s/%s", cwd, text);
	}
	if (strlen(full) > WHERRY_PATH_BYTES_MAX) {
		(void)refuse(param, text, "the path is too long", error);
		return NULL;
	}
	json_t *value = json_string(full);
	if (!value)
		(void)refuse(param, "(not UTF-8)", "give a path in UTF-8", error);
	return value;
}

static json_t *make_json(const struct cli_param *param, const char *text, struct cli_error *error)
{
	json_error_t why;
	json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &why);
	if (value && json_is_object(value))
		return value;
	char name[64];
	(void)cli_fail(error, FAIL_EXIT_USAGE, "%s: %s; give a JSON object such as '{\"name\": \"disk0\"}'",
		       label(param, name), value ? "not an object" : why.text);
	json_decref(value);
	return NULL;
}

static json_t *make_checked_text(const struct cli_param *param, const char *text, struct cli_error *error)
{
	unsigned index;
	char mac_text[TEXT_MAC_BYTES], remedy[160];
	struct wherry_mac mac;
	const char *value = text, *why = NULL;
	int64_t number;
	remedy[0] = 0;
	switch ((enum cli_type)param->type) {
	case CLI_NAME:
		why = text_name_check(text);
		break;
	case CLI_ENUM:
		if (!cli_choice_find(param->choices, text, &index))
			(void)snprintf(remedy, sizeof(remedy), "give one of %s", param->choices);
		why = remedy[0] ? remedy : NULL;
		break;
	case CLI_MAC:
		if (text_mac_parse(text, &mac))
			why = "give a MAC address such as 52:54:00:12:34:56";
		else
			value = text_mac_emit(&mac, mac_text);
		break;
	case CLI_DEVICE: {
		const char *colon = strchr(text, ':');
		char kind[16] = "";
		if (colon && (size_t)(colon - text) < sizeof(kind))
			(void)snprintf(kind, sizeof(kind), "%.*s", (int)(colon - text), text);
		if (!colon || !colon[1] || !cli_choice_find("pci|af_xdp|af_packet|tap|memif", kind, &index))
			why = "give pci:ADDRESS, af_xdp:INTERFACE, af_packet:INTERFACE, tap:INTERFACE or memif:SOCKET";
		break;
	}
	case CLI_LCORES:
		if (!strcmp(text, "auto"))
			value = "";
		else if (!*text || strspn(text, "0123456789,-@()") != strlen(text))
			/* The daemon knows the whole grammar, which is that of DPDK. */
			why = "give a list of CPUs such as 2-5, 2,4,6 or 0@(0-1),1@(0-1), or auto";
		break;
	case CLI_PREFIX: {
		struct text_prefix prefix;
		if ((!param->choices || !cli_choice_find(param->choices, text, &index)) &&
		    text_prefix_parse(text, &prefix))
			why = "give an address of IPv4 or IPv6, such as 10.0.0.1/24 or 2001:db8::1/64";
		break;
	}
	case CLI_SINCE:
		if (cli_int_parse(text, &number) && cli_age_parse(text, &number))
			why = "give an event id, or an age such as 90s, 15m, 2h or 3d";
		break;
	default:
		break;
	}
	if (why) {
		(void)refuse(param, text, why, error);
		return NULL;
	}
	json_t *made = json_string(value);
	if (!made)
		(void)refuse(param, "(not UTF-8)", "give text in UTF-8", error);
	return made;
}

/* NULL with the error set when text is not a value of the parameter's type. */
static json_t *make_value(const struct cli_param *param, const char *text, struct cli_error *error)
{
	unsigned index;
	switch ((enum cli_type)param->type) {
	case CLI_FLAG:
	case CLI_BOOL:
		if (!text)
			return json_true();
		if (!cli_choice_find("no|yes|off|on|false|true", text, &index)) {
			(void)refuse(param, text, "give yes or no", error);
			return NULL;
		}
		return json_boolean(index & 1);
	case CLI_INT:
	case CLI_CHOICE:
	case CLI_SIZE:
		return make_number(param, text, error);
	case CLI_SECONDS:
		return text ? make_seconds(param, text, error) : json_real(1.0);
	case CLI_NAMES:
	case CLI_VLANS:
	case CLI_PREFIXES:
		return make_list(param, text, error);
	case CLI_PATH:
		return make_path(param, text, error);
	case CLI_JSON:
		return make_json(param, text, error);
	case CLI_NAME:
	case CLI_TEXT:
	case CLI_FILE:
	case CLI_ENUM:
	case CLI_MAC:
	case CLI_DEVICE:
	case CLI_LCORES:
	case CLI_PREFIX:
	case CLI_WORD:
	case CLI_SINCE:
	case CLI_TARGET:
	case CLI_TYPE_COUNT:
		break;
	}
	return make_checked_text(param, text, error);
}

/* Set a key that may be "outer.inner". */
static void set_key(json_t *object, const char *key, json_t *value)
{
	const char *dot = strchr(key, '.');
	if (!dot) {
		json_object_set_new(object, key, value);
		return;
	}
	char outer[64];
	(void)snprintf(outer, sizeof(outer), "%.*s", (int)(dot - key), key);
	json_t *inner = json_object_get(object, outer);
	if (!inner) {
		inner = json_object();
		json_object_set_new(object, outer, inner);
	}
	json_object_set_new(inner, dot + 1, value);
}

int cli_value_store(const struct cli_param *param, const char *text, json_t *params, json_t *locals,
		    struct cli_error *error)
{
	if (param->type == CLI_TARGET) {
		uint16_t shelf;
		uint8_t slot;
		if (text_aoe_parse(text, &shelf, &slot))
			return refuse(param, text, "give SHELF.SLOT such as 1.0", error);
		const char *why = text_aoe_check(shelf, slot);
		if (why)
			return refuse(param, text, why, error);
		json_object_set_new(params, "shelf", json_integer(shelf));
		json_object_set_new(params, "slot", json_integer(slot));
		return 0;
	}
	json_t *value = make_value(param, text, error);
	if (!value)
		return error->code;
	json_t *object = param->key ? params : locals;
	const char *key = param->key ? param->key : param->name;
	if (!(param->flags & CLI_MANY)) {
		set_key(object, key, value);
		return 0;
	}
	json_t *list = json_object_get(object, key);
	if (!list) {
		list = json_array();
		json_object_set_new(object, key, list);
	}
	json_array_append_new(list, value);
	return 0;
}
