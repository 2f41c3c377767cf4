/* SPDX-License-Identifier: BSD-3-Clause */
/* The client of wherryd's socket against answers good, wrong and missing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cli/rpc.h"
#include "common/sock.h"
#include "fake.h"

static int call_once(const struct fake *fake, double timeout_s, json_t **result, struct cli_error *error)
{
	struct rpc_client client;
	*result = NULL;
	int rc = rpc_open(&client, fake->path, timeout_s, error);
	if (!rc)
		rc = rpc_call(&client, "volume.list", NULL, -1, result, error);
	rpc_close(&client);
	return rc;
}

static const struct {
	const char *answer;
	int rc;
	const char *said; /* the result as JSON when rc is 0 */
} cases[] = {
	{FAKE_RESULT("[1]"), 0, "[1]"},
	{FAKE_RESULT("null"), 0, "null"},
	{"{\"jsonrpc\":\"2.0\",\"method\":\"note\"}\n" FAKE_RESULT("2"), 0, "2"},
	{FAKE_ERROR("{\"code\":-32001,\"message\":\"no x\",\"data\":{\"kind\":\"not_found\"}}"), FAIL_EXIT_NOT_FOUND,
	 "no x"},
	{FAKE_ERROR("{\"code\":-32002,\"message\":\"twice\",\"data\":{\"kind\":\"conflict\"}}"), FAIL_EXIT_CONFLICT,
	 "twice"},
	{FAKE_ERROR("{\"code\":-32602,\"message\":\"bad\",\"data\":{\"kind\":\"usage\"}}"), FAIL_EXIT_USAGE, "bad"},
	{FAKE_ERROR("{\"code\":-32003,\"message\":\"later\",\"data\":{\"kind\":\"unavailable\"}}"), FAIL_EXIT_ERROR,
	 "later"},
	{FAKE_ERROR("{\"code\":-32000,\"message\":\"odd\",\"data\":{\"kind\":\"brand-new\"}}"), FAIL_EXIT_ERROR, "odd"},
	{FAKE_ERROR("{\"code\":-32601,\"message\":\"?\"}"), FAIL_EXIT_ERROR, "does not know the method volume.list"},
	{FAKE_ERROR("{}"), FAIL_EXIT_ERROR, "without a reason"},
	{FAKE_ERROR("7"), FAIL_EXIT_ERROR, "neither result nor error"},
	{"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"not JSON\"}}\n", FAIL_EXIT_ERROR,
	 "not JSON"},
	{"{\"jsonrpc\":\"2.0\",\"id\":ID}\n", FAIL_EXIT_ERROR, "neither result nor error"},
	{"hello\n", FAIL_EXIT_ERROR, "not a JSON object"},
	{"[]\n", FAIL_EXIT_ERROR, "not a JSON object"},
	{"{\"id\":ID,\"id\":1,\"result\":1}\n", FAIL_EXIT_ERROR, "not a JSON object"},
	{"\n", FAIL_EXIT_ERROR, "not a JSON object"},
	{"\xff\xfe\n", FAIL_EXIT_ERROR, "not a JSON object"},
	{FAKE_HANG_UP, FAIL_EXIT_NO_DAEMON, "closed the connection without an answer"},
	{FAKE_SILENCE, FAIL_EXIT_NO_DAEMON, "no answer within"},
	{"{\"half\": ", FAIL_EXIT_NO_DAEMON, "no answer within"},
	{"{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}\n", FAIL_EXIT_NO_DAEMON, "no answer within"},
};

Test(cli_rpc, every_answer_ends_in_a_result_or_a_reason)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake fake;
		struct cli_error error = {.text = ""};
		json_t *result;
		fake_start_one(&fake, cases[i].answer);
		int rc = call_once(&fake, 0.3, &result, &error);
		cr_expect_eq(rc, cases[i].rc, "case %zu: %d %s", i, rc, error.text);
		char *text = rc ? NULL : json_dumps(result, JSON_COMPACT | JSON_ENCODE_ANY);
		cr_expect(strstr(rc ? error.text : text, cases[i].said), "case %zu: %s", i, rc ? error.text : text);
		cr_expect((result != NULL) == (rc == 0), "case %zu", i);
		free(text);
		json_decref(result);
		fake_stop(&fake);
	}
}

Test(cli_rpc, the_kind_that_the_daemon_tells_is_kept)
{
	struct fake fake;
	struct cli_error error;
	json_t *result;
	fake_start_one(&fake, FAKE_ERROR("{\"code\":-32003,\"message\":\"m\",\"data\":{\"kind\":\"unavailable\"}}"));
	(void)call_once(&fake, 1, &result, &error);
	cr_expect_str_eq(error.kind, "unavailable");
	fake_stop(&fake);
}

Test(cli_rpc, calls_of_one_connection_get_their_own_answers)
{
	static const char *const answers[] = {FAKE_RESULT("1"), FAKE_RESULT("2"), FAKE_RESULT("3")};
	struct fake fake;
	struct rpc_client client;
	struct cli_error error;
	fake_start(&fake, answers, 3);
	cr_expect_eq(rpc_open(&client, fake.path, 2, &error), 0);
	for (int i = 1; i <= 3; i++) {
		json_t *result;
		cr_expect_eq(rpc_call(&client, "m", NULL, -1, &result, &error), 0);
		cr_expect_eq(json_integer_value(result), i);
		json_decref(result);
	}
	rpc_close(&client);
	fake_stop(&fake);
}

Test(cli_rpc, a_large_answer_arrives_whole)
{
	size_t length = 3u << 20;
	char *answer = malloc(length + 128);
	static const char head[] = "{\"id\":ID,\"result\":\"";
	size_t n = sizeof(head) - 1;
	memcpy(answer, head, n);
	memset(answer + n, 'x', length);
	memcpy(answer + n + length, "\"}\n", 4); /* with its terminator */
	struct fake fake;
	struct cli_error error;
	json_t *result;
	fake_start_one(&fake, answer);
	cr_expect_eq(call_once(&fake, 20, &result, &error), 0, "%s", error.text);
	cr_expect_eq(json_string_length(result), length);
	json_decref(result);
	free(answer);
	fake_stop(&fake);
}

Test(cli_rpc, a_request_longer_than_the_daemon_takes_is_not_sent)
{
	struct fake fake;
	struct rpc_client client;
	struct cli_error error;
	json_t *result;
	char *text = malloc(LINE_REQUEST_BYTES_MAX + 1);
	memset(text, 'x', LINE_REQUEST_BYTES_MAX);
	json_t *params = json_pack("{s:s%}", "text", text, (size_t)LINE_REQUEST_BYTES_MAX);
	fake_start_one(&fake, FAKE_RESULT("1"));
	cr_expect_eq(rpc_open(&client, fake.path, 2, &error), 0);
	cr_expect_eq(rpc_call(&client, "m", params, -1, &result, &error), FAIL_EXIT_USAGE);
	cr_expect(strstr(error.text, "at most"), "%s", error.text);
	cr_expect_eq(rpc_call(&client, "m", NULL, -1, &result, &error), 0, "the connection is still good");
	json_decref(result);
	json_decref(params);
	free(text);
	rpc_close(&client);
	fake_stop(&fake);
}

Test(cli_rpc, a_socket_that_cannot_be_reached_has_a_remedy)
{
	struct rpc_client client;
	struct cli_error error;
	char dir[] = "/tmp/wherry-none.XXXXXX", path[64], longer[200];
	cr_assert(mkdtemp(dir));
	(void)snprintf(path, sizeof(path), "%s/s", dir);
	cr_expect_eq(rpc_open(&client, path, 1, &error), FAIL_EXIT_NO_DAEMON);
	cr_expect(strstr(error.text, "no such socket; start wherryd"), "%s", error.text);
	rpc_close(&client);

	int fd = sock_listen(path, SOCK_STREAM, 0600);
	close(fd);
	cr_expect_eq(rpc_open(&client, path, 1, &error), FAIL_EXIT_NO_DAEMON);
	cr_expect(strstr(error.text, "nobody listens"), "%s", error.text);
	rpc_close(&client);
	(void)unlink(path);
	(void)rmdir(dir);

	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = 0;
	cr_expect_eq(rpc_open(&client, longer, 1, &error), FAIL_EXIT_NO_DAEMON);
	cr_expect(strstr(error.text, "longer than a socket path"), "%s", error.text);
	rpc_close(&client);
}

Test(cli_rpc, the_socket_is_the_option_then_the_environment_then_the_default)
{
	setenv("WHERRY_SOCKET", "/env", 1);
	cr_expect_str_eq(rpc_socket_path("/option"), "/option");
	cr_expect_str_eq(rpc_socket_path(NULL), "/env");
	setenv("WHERRY_SOCKET", "", 1);
	cr_expect_str_eq(rpc_socket_path(NULL), "/run/wherry/wherryd.sock");
	unsetenv("WHERRY_SOCKET");
	cr_expect_str_eq(rpc_socket_path(NULL), "/run/wherry/wherryd.sock");
}
