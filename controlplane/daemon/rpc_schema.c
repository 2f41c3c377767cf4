/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/rpc_schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "wherry/limits.h"

static const struct rpc_field no_fields[] = {RPC_END};
static const struct rpc_schema vlan_id = {.type = RPC_INT, .min = 0, .max = 4094};

const struct rpc_schema rpc_empty = {.type = RPC_OBJECT, .fields = no_fields};
const struct rpc_schema rpc_bool = {.type = RPC_BOOL};
const struct rpc_schema rpc_u16 = {.type = RPC_INT, .min = 0, .max = UINT16_MAX};
const struct rpc_schema rpc_u32 = {.type = RPC_INT, .min = 0, .max = UINT32_MAX};
const struct rpc_schema rpc_u64 = {.type = RPC_INT, .min = 0, .max = INT64_MAX};
const struct rpc_schema rpc_number = {.type = RPC_NUMBER};
const struct rpc_schema rpc_text = {.type = RPC_STRING};
const struct rpc_schema rpc_text_or_null = {.type = RPC_STRING, .nullable = true};
const struct rpc_schema rpc_name = {.type = RPC_STRING, .min = 1, .max = WHERRY_NAME_BYTES_MAX};
const struct rpc_schema rpc_path = {.type = RPC_STRING, .min = 1, .max = WHERRY_PATH_BYTES_MAX};
const struct rpc_schema rpc_size = {.type = RPC_INT, .min = 1, .max = INT64_MAX};
const struct rpc_schema rpc_mac_text = {.type = RPC_STRING, .min = 17, .max = 17};
const struct rpc_schema rpc_macs = {
	.type = RPC_ARRAY, .min = 0, .max = WHERRY_AOE_RESERVE_COUNT_MAX, .items = &rpc_mac_text};
const struct rpc_schema rpc_names = {.type = RPC_ARRAY, .min = 0, .max = WHERRY_PORT_COUNT_MAX, .items = &rpc_name};
const struct rpc_schema rpc_vlans = {.type = RPC_ARRAY, .min = 0, .max = WHERRY_VLAN_COUNT_MAX, .items = &vlan_id};
const struct rpc_schema rpc_shelf = {.type = RPC_INT, .min = 0, .max = UINT16_MAX};
const struct rpc_schema rpc_slot = {.type = RPC_INT, .min = 0, .max = UINT8_MAX};
const struct rpc_schema rpc_ppm = {.type = RPC_INT, .min = 0, .max = 1000000};
const struct rpc_schema rpc_block_bytes = {.type = RPC_INT, .min = 512, .max = 4096};
const struct rpc_schema rpc_mtu = {.type = RPC_INT, .min = WHERRY_MTU_MIN, .max = WHERRY_MTU_MAX};

static bool bounded(const struct rpc_schema *schema)
{
	return schema->min != 0 || schema->max != 0;
}

static int check_int(const struct rpc_schema *schema, const json_t *value, const char *what, struct fail *fail)
{
	int64_t n = json_integer_value(value);

	if (bounded(schema) && (n < schema->min || n > schema->max))
		return fail_set(fail, FAIL_USAGE, "%s must be from %" PRId64 " to %" PRId64 ", not %" PRId64, what,
				schema->min, schema->max, n);
	return 0;
}

static int check_string(const struct rpc_schema *schema, const json_t *value, const char *what, struct fail *fail)
{
	int64_t len = (int64_t)json_string_length(value);
	char list[256] = "";
	size_t at = 0;

	if (bounded(schema) && (len < schema->min || len > schema->max))
		return fail_set(fail, FAIL_USAGE, "%s must have %" PRId64 " to %" PRId64 " bytes, not %" PRId64, what,
				schema->min, schema->max, len);
	if (!schema->choices)
		return 0;
	for (const char *const *choice = schema->choices; *choice; choice++) {
		if (strcmp(*choice, json_string_value(value)) == 0)
			return 0;
		int n = snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", *choice);
		at = n > 0 && (size_t)n < sizeof list - at ? at + (size_t)n : sizeof list - 1;
	}
	return fail_set(fail, FAIL_USAGE, "%s must be one of: %s", what, list);
}

static int check_array(const struct rpc_schema *schema, const json_t *value, const char *what, struct fail *fail)
{
	int64_t count = (int64_t)json_array_size(value);
	char item[192];

	if (bounded(schema) && (count < schema->min || count > schema->max))
		return fail_set(fail, FAIL_USAGE, "%s must have %" PRId64 " to %" PRId64 " entries, not %" PRId64, what,
				schema->min, schema->max, count);
	for (int64_t i = 0; i < count; i++) {
		(void)snprintf(item, sizeof item, "%s[%" PRId64 "]", what, i);
		if (rpc_schema_check(schema->items, json_array_get(value, (size_t)i), item, fail) != 0)
			return -1;
	}
	return 0;
}

static const struct rpc_field *find_field(const struct rpc_schema *schema, const char *name)
{
	for (const struct rpc_field *field = schema->fields; field->name; field++)
		if (strcmp(field->name, name) == 0)
			return field;
	return NULL;
}

static int check_object(const struct rpc_schema *schema, const json_t *value, const char *what, struct fail *fail)
{
	const char *key;
	json_t *member;
	char item[192];

	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		const struct rpc_schema *of = schema->items;
		if (schema->type == RPC_OBJECT) {
			const struct rpc_field *field = find_field(schema, key);
			if (!field)
				return fail_set(fail, FAIL_USAGE, "%s has no member '%.64s'; rpc.methods shows which",
						what, key);
			of = field->schema;
		}
		(void)snprintf(item, sizeof item, "%s.%.64s", what, key);
		if (of && rpc_schema_check(of, member, item, fail) != 0)
			return -1;
	}
	if (schema->type != RPC_OBJECT)
		return 0;
	for (const struct rpc_field *field = schema->fields; field->name; field++)
		if (!field->optional && !json_object_get(value, field->name))
			return fail_set(fail, FAIL_USAGE, "%s.%s is missing", what, field->name);
	return 0;
}

int rpc_schema_check(const struct rpc_schema *schema, const json_t *value, const char *what, struct fail *fail)
{
	static const char *const nouns[] = {
		[RPC_BOOL] = "true or false", [RPC_INT] = "a whole number", [RPC_NUMBER] = "a number",
		[RPC_STRING] = "a string",    [RPC_ARRAY] = "an array",     [RPC_OBJECT] = "an object",
		[RPC_MAP] = "an object",
	};

	if (json_is_null(value) && schema->nullable)
		return 0;
	switch (schema->type) {
	case RPC_BOOL:
		if (json_is_boolean(value))
			return 0;
		break;
	case RPC_INT:
		if (json_is_integer(value))
			return check_int(schema, value, what, fail);
		break;
	case RPC_NUMBER:
		if (json_is_number(value))
			return 0;
		break;
	case RPC_STRING:
		if (json_is_string(value))
			return check_string(schema, value, what, fail);
		break;
	case RPC_ARRAY:
		if (json_is_array(value))
			return check_array(schema, value, what, fail);
		break;
	case RPC_OBJECT:
	case RPC_MAP:
		if (json_is_object(value))
			return check_object(schema, value, what, fail);
		break;
	}
	return fail_set(fail, FAIL_USAGE, "%s must be %s", what, nouns[schema->type]);
}

static void describe_bounds(const struct rpc_schema *schema, json_t *out)
{
	static const char *const names[][2] = {
		[RPC_INT] = {"minimum", "maximum"},
		[RPC_STRING] = {"minLength", "maxLength"},
		[RPC_ARRAY] = {"minItems", "maxItems"},
	};

	if (!bounded(schema))
		return;
	(void)json_object_set_new(out, names[schema->type][0], json_integer(schema->min));
	(void)json_object_set_new(out, names[schema->type][1], json_integer(schema->max));
}

static void describe_fields(const struct rpc_schema *schema, json_t *out)
{
	json_t *properties = json_object(), *required = json_array();

	for (const struct rpc_field *field = schema->fields; field->name; field++) {
		json_t *property = rpc_schema_describe(field->schema);
		if (field->help)
			(void)json_object_set_new(property, "description", json_string(field->help));
		if (field->fallback)
			(void)json_object_set_new(property, "default", json_string(field->fallback));
		(void)json_object_set_new(properties, field->name, property);
		if (!field->optional)
			(void)json_array_append_new(required, json_string(field->name));
	}
	(void)json_object_set_new(out, "properties", properties);
	(void)json_object_set_new(out, "required", required);
	(void)json_object_set_new(out, "additionalProperties", json_false());
}

json_t *rpc_schema_describe(const struct rpc_schema *schema)
{
	static const char *const types[] = {
		[RPC_BOOL] = "boolean", [RPC_INT] = "integer",   [RPC_NUMBER] = "number", [RPC_STRING] = "string",
		[RPC_ARRAY] = "array",  [RPC_OBJECT] = "object", [RPC_MAP] = "object",
	};
	json_t *out = json_object();

	if (schema->nullable)
		(void)json_object_set_new(out, "type", json_pack("[ss]", types[schema->type], "null"));
	else
		(void)json_object_set_new(out, "type", json_string(types[schema->type]));
	if (schema->type == RPC_INT || schema->type == RPC_STRING || schema->type == RPC_ARRAY)
		describe_bounds(schema, out);
	if (schema->choices) {
		json_t *choices = json_array();
		for (const char *const *choice = schema->choices; *choice; choice++)
			(void)json_array_append_new(choices, json_string(*choice));
		(void)json_object_set_new(out, "enum", choices);
	}
	if (schema->type == RPC_ARRAY)
		(void)json_object_set_new(out, "items", rpc_schema_describe(schema->items));
	if (schema->type == RPC_MAP)
		(void)json_object_set_new(out, "additionalProperties",
					  schema->items ? rpc_schema_describe(schema->items) : json_true());
	if (schema->type == RPC_OBJECT)
		describe_fields(schema, out);
	return out;
}

const char *rpc_param_text(const json_t *params, const char *name, const char *fallback)
{
	const char *text = json_string_value(json_object_get(params, name));

	return text ? text : fallback;
}

uint64_t rpc_param_u64(const json_t *params, const char *name, uint64_t fallback)
{
	const json_t *value = json_object_get(params, name);

	return json_is_integer(value) ? (uint64_t)json_integer_value(value) : fallback;
}

bool rpc_param_bool(const json_t *params, const char *name, bool fallback)
{
	const json_t *value = json_object_get(params, name);

	return json_is_boolean(value) ? json_is_true(value) : fallback;
}

bool rpc_param_given(const json_t *params, const char *name)
{
	const json_t *value = json_object_get(params, name);

	return value && !json_is_null(value);
}
