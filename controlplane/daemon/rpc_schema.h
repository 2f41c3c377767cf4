/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shapes of parameters and results: tables that are checked against and told to
 * clients (rpc.methods) from the same data.  Pure; any thread.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/fail.h"

enum rpc_type { RPC_BOOL, RPC_INT, RPC_NUMBER, RPC_STRING, RPC_ARRAY, RPC_OBJECT, RPC_MAP };

struct rpc_field;
struct rpc_schema {
	enum rpc_type type;
	bool nullable;
	int64_t min, max;               /* INT: value; STRING: bytes; ARRAY: count.  Both 0: no bound */
	const char *const *choices;     /* STRING: the only ones allowed, ended by NULL */
	const struct rpc_schema *items; /* ARRAY, MAP: of each value; MAP: NULL for any */
	const struct rpc_field *fields; /* OBJECT: ended by a NULL name; no others are allowed */
};

struct rpc_field {
	const char *name;
	const struct rpc_schema *schema;
	const char *help;
	bool optional;
	const char *fallback; /* what absence means, for people; NULL: nothing to say */
};

/* Fields of a table. */
#define RPC_REQUIRED(name_, schema_, help_)                                                                            \
	{                                                                                                              \
		name_, schema_, help_, false, NULL                                                                     \
	}
#define RPC_OPTIONAL(name_, schema_, fallback_, help_)                                                                 \
	{                                                                                                              \
		name_, schema_, help_, true, fallback_                                                                 \
	}
#define RPC_END                                                                                                        \
	{                                                                                                              \
		NULL, NULL, NULL, false, NULL                                                                          \
	}

/* Shapes used all over. */
extern const struct rpc_schema rpc_empty, rpc_bool, rpc_u16, rpc_u32, rpc_u64, rpc_number, rpc_text, rpc_text_or_null,
	rpc_name, rpc_path, rpc_size, rpc_mac_text, rpc_macs, rpc_names, rpc_vlans, rpc_shelf, rpc_slot, rpc_ppm,
	rpc_block_bytes, rpc_mtu;

/*
 * Check a value.  what names it in the reason ("params", "params.macs[2]").
 * 0, or -1 with FAIL_USAGE.
 */
int rpc_schema_check(const struct rpc_schema *schema, const json_t *value, const char *what, struct fail *fail);
/* As a JSON Schema object; new reference, NULL without memory. */
json_t *rpc_schema_describe(const struct rpc_schema *schema);

/* Parameters that passed the check: absent ones yield the fallback. */
const char *rpc_param_text(const json_t *params, const char *name, const char *fallback);
uint64_t rpc_param_u64(const json_t *params, const char *name, uint64_t fallback);
bool rpc_param_bool(const json_t *params, const char *name, bool fallback);
bool rpc_param_given(const json_t *params, const char *name);
