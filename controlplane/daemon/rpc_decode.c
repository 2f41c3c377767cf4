/* SPDX-License-Identifier: BSD-3-Clause */
/* From bytes to checked requests, and back to responses. Pure. */
#include <stdlib.h>
#include <string.h>

#include "daemon/rpc.h"

const struct rpc_method *rpc_method_find(const char *name)
{
	for (const struct rpc_method *const *table = rpc_tables; *table; table++)
		for (const struct rpc_method *method = *table; method->name; method++)
			if (strcmp(method->name, name) == 0)
				return method;
	return NULL;
}

json_t *rpc_methods_describe(void)
{
	json_t *list = json_array();

	for (const struct rpc_method *const *table = rpc_tables; *table; table++)
		for (const struct rpc_method *method = *table; method->name; method++)
			(void)json_array_append_new(list, json_pack("{ss ss so so sb}", "name", method->name, "summary",
								    method->summary, "params",
								    rpc_schema_describe(method->params), "result",
								    rpc_schema_describe(method->result), "changes",
								    (method->flags & RPC_CHANGES) != 0));
	return list;
}

json_t *rpc_line_decode(const char *line, size_t len, struct fail *fail)
{
	json_error_t error;
	json_t *value = json_loadb(line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);

	if (!value)
		(void)fail_set(fail, FAIL_PARSE, "not JSON: %s at byte %d", error.text, error.position);
	return value;
}

static int check_envelope(json_t *value, struct fail *fail)
{
	const char *key;
	json_t *member;

	json_object_foreach(value, key, member)
	{
		if (strcmp(key, "jsonrpc") != 0 && strcmp(key, "id") != 0 && strcmp(key, "method") != 0 &&
		    strcmp(key, "params") != 0)
			return fail_set(fail, FAIL_REQUEST, "a request has no member '%.64s'", key);
	}
	const char *version = json_string_value(json_object_get(value, "jsonrpc"));
	if (!version || strcmp(version, "2.0") != 0)
		return fail_set(fail, FAIL_REQUEST, "a request must have \"jsonrpc\": \"2.0\"");
	if (!json_is_string(json_object_get(value, "method")))
		return fail_set(fail, FAIL_REQUEST, "a request must have a string \"method\"");
	return 0;
}

int rpc_request_decode(json_t *value, struct rpc_request *request, struct fail *fail)
{
	*request = (struct rpc_request){0};
	if (!json_is_object(value))
		return fail_set(fail, FAIL_REQUEST,
				"a request is an object {\"jsonrpc\": \"2.0\", \"id\", \"method\", "
				"\"params\"}");
	json_t *id = json_object_get(value, "id");
	if (id && !json_is_string(id) && !json_is_integer(id) && !json_is_null(id))
		return fail_set(fail, FAIL_REQUEST, "an id is a string or a whole number");
	request->id = id;
	if (check_envelope(value, fail) != 0)
		return -1;
	const char *name = json_string_value(json_object_get(value, "method"));
	request->method = rpc_method_find(name);
	if (!request->method)
		return fail_set(fail, FAIL_METHOD, "method '%.64s' does not exist; rpc.methods shows those that do",
				name);
	json_t *params = json_object_get(value, "params");
	params = params ? json_incref(params) : json_object();
	if (rpc_schema_check(request->method->params, params, "params", fail) != 0) {
		json_decref(params);
		return -1;
	}
	request->params = params;
	return 0;
}

json_t *rpc_text_lenient(const char *text)
{
	json_t *value = json_string(text);

	if (value)
		return value;
	char *copy = strdup(text);
	for (char *at = copy; at && *at; at++)
		if ((unsigned char)*at >= 0x80)
			*at = '?';
	value = json_string(copy ? copy : "");
	free(copy);
	return value;
}

json_t *rpc_response(json_t *id, json_t *result, const struct fail *fail)
{
	json_t *response = json_object();

	(void)json_object_set_new(response, "jsonrpc", json_string("2.0"));
	(void)json_object_set(response, "id", id ? id : json_null());
	if (result) {
		(void)json_object_set_new(response, "result", result);
		return response;
	}
	(void)json_object_set_new(response, "error",
				  json_pack("{si so s{ss}}", "code", fail_kind_code(fail->kind), "message",
					    rpc_text_lenient(fail->text), "data", "kind", fail_kind_name(fail->kind)));
	return response;
}

bool rpc_peer_allowed(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, uid_t own_uid, gid_t own_group)
{
	if (uid == 0 || uid == own_uid)
		return true;
	if (own_group == (gid_t)-1)
		return false;
	if (gid == own_group)
		return true;
	for (size_t i = 0; i < group_count; i++)
		if (groups[i] == own_group)
			return true;
	return false;
}
