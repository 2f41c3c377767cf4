/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests: bytes to calls, shapes of parameters, who may connect. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/rpc.h"

static int decode(const char *text, enum fail_kind *kind, char *why, size_t cap)
{
	struct fail fail = {.kind = FAIL_NONE, .text = ""};
	struct rpc_request request = {0};
	json_t *value = rpc_line_decode(text, strlen(text), &fail);
	int rc = value ? rpc_request_decode(value, &request, &fail) : -1;

	if (rc == 0)
		json_decref(request.params);
	json_decref(value);
	*kind = fail.kind;
	(void)snprintf(why, cap, "%s", fail.text);
	return rc;
}

Test(cp_rpc, requests_are_told_apart_and_refused_with_the_right_kind)
{
	static const struct {
		const char *line;
		enum fail_kind kind;
	} cases[] = {
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"id\":1}", FAIL_NONE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"params\":{},\"id\":\"x\"}", FAIL_NONE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\"}", FAIL_NONE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"id\":null}", FAIL_NONE},
		{"", FAIL_PARSE},
		{"{", FAIL_PARSE},
		{"nonsense", FAIL_PARSE},
		{"{\"jsonrpc\":\"2.0\"} trailing", FAIL_PARSE},
		{"{\"a\":1,\"a\":2}", FAIL_PARSE},
		{"\"\\u0000\"", FAIL_PARSE},
		{"\"\xff\"", FAIL_PARSE},
		{"99999999999999999999", FAIL_PARSE},
		{"1", FAIL_REQUEST},
		{"[]", FAIL_REQUEST},
		{"{}", FAIL_REQUEST},
		{"{\"jsonrpc\":\"1.0\",\"method\":\"daemon.status\",\"id\":1}", FAIL_REQUEST},
		{"{\"jsonrpc\":2.0,\"method\":\"daemon.status\",\"id\":1}", FAIL_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"method\":7,\"id\":1}", FAIL_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"id\":1.5}", FAIL_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"id\":[]}", FAIL_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"id\":1,\"extra\":1}", FAIL_REQUEST},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"no.such\",\"id\":1}", FAIL_METHOD},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"params\":[],\"id\":1}", FAIL_USAGE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"params\":null,\"id\":1}", FAIL_USAGE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"daemon.status\",\"params\":{\"x\":1},\"id\":1}", FAIL_USAGE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"volume.show\",\"params\":{},\"id\":1}", FAIL_USAGE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"volume.show\",\"params\":{\"name\":1},\"id\":1}", FAIL_USAGE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"volume.show\",\"params\":{\"name\":\"\"},\"id\":1}", FAIL_USAGE},
		{"{\"jsonrpc\":\"2.0\",\"method\":\"volume.show\",\"params\":{\"name\":\"a\"},\"id\":1}", FAIL_NONE},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum fail_kind kind;
		char why[600];
		int rc = decode(cases[i].line, &kind, why, sizeof why);
		cr_expect_eq(rc == 0, cases[i].kind == FAIL_NONE, "%s: %s", cases[i].line, why);
		cr_expect_eq(kind, cases[i].kind, "%s: kind %d, %s", cases[i].line, kind, why);
	}
}

Test(cp_rpc, every_truncation_of_a_request_is_a_parse_error)
{
	static const char whole[] = "{\"jsonrpc\":\"2.0\",\"method\":\"aoe.mask.add\",\"id\":7,\"params\":{\"shelf\":1,"
				    "\"slot\":2,\"macs\":[\"02:00:00:00:00:01\"]}}";

	for (size_t len = 0; len < sizeof whole - 1; len++) {
		struct fail fail = {.kind = FAIL_NONE};
		char *exact = malloc(len ? len : 1);
		memcpy(exact, whole, len);
		json_t *value = rpc_line_decode(exact, len, &fail);
		cr_expect_null(value, "%zu bytes were taken for a request", len);
		cr_expect_eq(fail.kind, FAIL_PARSE);
		json_decref(value);
		free(exact);
	}
}

Test(cp_rpc, deep_nesting_is_refused_and_not_followed)
{
	size_t depth = 200000;
	char *text = malloc(2 * depth + 1);
	struct fail fail;

	memset(text, '[', depth);
	memset(text + depth, ']', depth);
	cr_expect_null(rpc_line_decode(text, 2 * depth, &fail));
	cr_expect_eq(fail.kind, FAIL_PARSE);
	free(text);
}

static const char *const colours[] = {"red", "green", NULL};
static const struct rpc_schema number = {.type = RPC_INT, .min = -2, .max = 2};
static const struct rpc_schema colour = {.type = RPC_STRING, .choices = colours};
static const struct rpc_schema word = {.type = RPC_STRING, .min = 1, .max = 3};
static const struct rpc_schema numbers = {.type = RPC_ARRAY, .min = 1, .max = 2, .items = &number};
static const struct rpc_schema maybe = {.type = RPC_BOOL, .nullable = true};
static const struct rpc_schema map = {.type = RPC_MAP, .items = &number};
static const struct rpc_field fields[] = {RPC_REQUIRED("number", &number, "help"),
					  RPC_OPTIONAL("colour", &colour, "red", NULL),
					  RPC_OPTIONAL("word", &word, NULL, NULL),
					  RPC_OPTIONAL("numbers", &numbers, NULL, NULL),
					  RPC_OPTIONAL("maybe", &maybe, NULL, NULL),
					  RPC_OPTIONAL("map", &map, NULL, NULL),
					  RPC_END};
static const struct rpc_schema object = {.type = RPC_OBJECT, .fields = fields};

Test(cp_rpc, values_are_checked_against_every_part_of_a_shape)
{
	static const struct {
		const char *json;
		const char *names; /* what the reason must name; NULL: fine */
	} cases[] = {
		{"{\"number\":0}", NULL},
		{"{\"number\":-2,\"colour\":\"green\",\"word\":\"abc\",\"numbers\":[1,2],\"maybe\":null}", NULL},
		{"{\"number\":0,\"map\":{\"x\":1,\"y\":2}}", NULL},
		{"{}", "p.number"},
		{"{\"number\":3}", "p.number"},
		{"{\"number\":-3}", "p.number"},
		{"{\"number\":1.0}", "p.number"},
		{"{\"number\":\"1\"}", "p.number"},
		{"{\"number\":null}", "p.number"},
		{"{\"number\":0,\"colour\":\"blue\"}", "p.colour"},
		{"{\"number\":0,\"word\":\"\"}", "p.word"},
		{"{\"number\":0,\"word\":\"abcd\"}", "p.word"},
		{"{\"number\":0,\"numbers\":[]}", "p.numbers"},
		{"{\"number\":0,\"numbers\":[1,1,1]}", "p.numbers"},
		{"{\"number\":0,\"numbers\":[1,7]}", "p.numbers[1]"},
		{"{\"number\":0,\"maybe\":0}", "p.maybe"},
		{"{\"number\":0,\"map\":{\"x\":true}}", "p.map.x"},
		{"{\"number\":0,\"unknown\":0}", "unknown"},
		{"[]", "p "},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fail fail = {.text = ""};
		json_t *value = json_loads(cases[i].json, JSON_DECODE_ANY, NULL);
		int rc = rpc_schema_check(&object, value, "p", &fail);
		cr_expect_eq(rc == 0, cases[i].names == NULL, "%s: %s", cases[i].json, fail.text);
		if (cases[i].names) {
			cr_expect_not_null(strstr(fail.text, cases[i].names), "%s: %s", cases[i].json, fail.text);
			cr_expect_eq(fail.kind, FAIL_USAGE);
		}
		json_decref(value);
	}
}

static void expect_described(const char *method, const char *part, const json_t *schema)
{
	cr_expect(json_is_object(schema), "%s: no %s", method, part);
	const json_t *type = json_object_get(schema, "type");
	cr_expect(json_is_string(type) || json_is_array(type), "%s: %s has no type", method, part);
	if (json_is_string(type) && strcmp(json_string_value(type), "array") == 0)
		expect_described(method, part, json_object_get(schema, "items"));
	const char *key;
	json_t *property;
	json_object_foreach(json_object_get(schema, "properties"), key, property)
		expect_described(method, key, property);
}

Test(cp_rpc, every_method_describes_itself_and_has_a_name_of_its_own)
{
	json_t *list = rpc_methods_describe(), *method;
	size_t i;

	cr_assert_gt(json_array_size(list), 40);
	json_array_foreach(list, i, method)
	{
		const char *name = json_string_value(json_object_get(method, "name"));
		cr_assert_not_null(name);
		cr_expect_gt(strlen(json_string_value(json_object_get(method, "summary"))), 8, "%s", name);
		expect_described(name, "params", json_object_get(method, "params"));
		expect_described(name, "result", json_object_get(method, "result"));
		cr_assert_not_null(rpc_method_find(name));
		for (size_t j = 0; j < i; j++)
			cr_expect_str_neq(name, json_string_value(json_object_get(json_array_get(list, j), "name")));
	}
	cr_expect_null(rpc_method_find("volume"));
	cr_expect_null(rpc_method_find(""));
	json_decref(list);
}

Test(cp_rpc, responses_carry_the_id_and_either_a_result_or_a_reason)
{
	struct fail fail = {.kind = FAIL_CONFLICT, .text = "volume 'a\xff' exists"};
	json_t *id = json_string("seven");
	json_t *response = rpc_response(id, json_pack("{si}", "x", 1), NULL);

	cr_expect_str_eq(json_string_value(json_object_get(response, "id")), "seven");
	cr_expect_null(json_object_get(response, "error"));
	json_decref(response);
	response = rpc_response(NULL, NULL, &fail);
	cr_expect(json_is_null(json_object_get(response, "id")));
	const json_t *error = json_object_get(response, "error");
	cr_expect_eq(json_integer_value(json_object_get(error, "code")), -32002);
	cr_expect_str_eq(json_string_value(json_object_get(error, "message")), "volume 'a?' exists",
			 "bytes that are no text do not take the reason away");
	cr_expect_str_eq(json_string_value(json_object_get(json_object_get(error, "data"), "kind")), "conflict");
	json_decref(response);
	json_decref(id);
}

Test(cp_rpc, root_the_own_user_and_the_group_may_connect_and_nobody_else)
{
	static const gid_t groups[] = {20, 30};
	static const struct {
		uid_t uid;
		gid_t gid, own_group;
		bool allowed;
	} cases[] = {
		{0, 0, (gid_t)-1, true},
		{100, 7, (gid_t)-1, true},
		{101, 7, (gid_t)-1, false},
		{101, 7, 7, true},
		{101, 8, 30, true},
		{101, 8, 31, false},
		{101, (gid_t)-1, (gid_t)-1, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_expect_eq(rpc_peer_allowed(cases[i].uid, cases[i].gid, groups, 2, 100, cases[i].own_group),
			     cases[i].allowed, "case %zu", i);
}

Test(cp_rpc, kinds_have_names_codes_and_exit_statuses)
{
	static const struct {
		enum fail_kind kind;
		const char *name;
		int code, status;
	} cases[] = {{FAIL_USAGE, "usage", -32602, 2},
		     {FAIL_NOT_FOUND, "not_found", -32001, 4},
		     {FAIL_CONFLICT, "conflict", -32002, 5},
		     {FAIL_FAILED, "failed", -32000, 1},
		     {FAIL_UNAVAILABLE, "unavailable", -32003, 1}};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		cr_expect_str_eq(fail_kind_name(cases[i].kind), cases[i].name);
		cr_expect_eq(fail_kind_from_name(cases[i].name), cases[i].kind);
		cr_expect_eq(fail_kind_code(cases[i].kind), cases[i].code);
		cr_expect_eq(fail_kind_exit(cases[i].kind), cases[i].status);
	}
	cr_expect_eq(fail_kind_from_name("else"), FAIL_FAILED);
	cr_expect_eq(fail_kind_from_name(NULL), FAIL_FAILED);
}
