/* SPDX-License-Identifier: BSD-3-Clause */
/* Query Config: its five sub-commands, its lengths, who may set. */
#include <stdlib.h>

#include "rig.h"

static struct aoe_export *serve_with_string(struct rig *rig, const char *string)
{
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->config.len = (uint16_t)strlen(string);
	memcpy(put->config.b, string, put->config.len);
	return rig_serve(rig, put);
}

static void expect_string(const struct rig_answer *answer, const char *string)
{
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.config.string_bytes, strlen(string));
	cr_expect_eq(memcmp(answer->bytes + 32, string, strlen(string)), 0, "string is \"%s\"", string);
}

Test(aoe_config, read_tells_buffers_sectors_and_string)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_with_string(rig, "hello");
	const struct rig_answer *answer = rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0));
	expect_string(answer, "hello");
	cr_expect_eq(answer->frame.config.buffer_count, 16);
	cr_expect_eq(answer->frame.config.sector_count, 2);
	cr_expect_eq(answer->bytes[29], 0x10, "version 1, sub-command read");
	answer = rig_ask_port(rig, rig_config(AOE_CONFIG_READ, NULL, 0), 1);
	cr_expect_eq(answer->frame.config.sector_count, 17, "by the MTU of the port it came in on");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_config_ops), 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, read_ignores_string_and_length)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_with_string(rig, "hello");
	uint8_t bytes[1056] = {0};
	struct aoe_frame frame = rig_config(AOE_CONFIG_READ, NULL, 0);
	aoe_frame_emit(bytes, sizeof bytes, &frame);
	static const uint16_t lengths[] = {1, 1024, 1025, 0xffff};
	for (int i = 0; i < 4; i++) { /* aoeping sends 1,024 */
		bytes[30] = (uint8_t)(lengths[i] >> 8), bytes[31] = (uint8_t)lengths[i];
		expect_string(rig_ask_bytes(rig, bytes, sizeof bytes, 0, 100), "hello");
		expect_string(rig_ask_bytes(rig, bytes, 60, 0, 100), "hello");
		expect_string(rig_ask_bytes(rig, bytes, 32, 0, 100), "hello");
	}
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, tests_answer_only_on_a_match)
{
	static const struct {
		const char *held, *asked;
		bool exact, prefix;
	} cases[] = {
		{"hello", "hello", true, true},    {"hello", "hell", false, true},   {"hello", "", false, true},
		{"hello", "hello!", false, false}, {"hello", "jello", false, false}, {"", "", true, true},
		{"", "x", false, false},
	};
	struct rig *rig = rig_create();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct aoe_export *export_ = serve_with_string(rig, cases[i].held);
		const uint16_t len = (uint16_t)strlen(cases[i].asked);
		const struct rig_answer *answer = rig_ask(rig, rig_config(AOE_CONFIG_TEST, cases[i].asked, len));
		cr_expect_eq(answer->got, cases[i].exact, "case %zu exact", i);
		if (answer->got) {
			expect_string(answer, cases[i].held);
			cr_expect_eq(answer->bytes[29], 0x11);
		}
		answer = rig_ask(rig, rig_config(AOE_CONFIG_TEST_PREFIX, cases[i].asked, len));
		cr_expect_eq(answer->got, cases[i].prefix, "case %zu prefix", i);
		if (answer->got) {
			expect_string(answer, cases[i].held);
			cr_expect_eq(answer->bytes[29], 0x12);
		}
		cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_drop_config_mismatch), !cases[i].exact + !cases[i].prefix);
		rig_remove(rig, export_);
	}
	rig_destroy(rig);
}

Test(aoe_config, set_fills_an_empty_string_and_answers_when_it_is_durable)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	struct aoe_frame frame = rig_config(AOE_CONFIG_SET, "mine", 4);
	cr_expect_eq(rig_ask(rig, frame)->verdict, AOE_PENDING);
	rig_expect_silence(rig_next(rig));
	cr_expect_eq(rig->persist.export_id, 0x100);
	cr_expect_eq(rig->persist.base_generation, 1);
	cr_expect_eq(rig->persist.change, WHERRY_AOE_CHANGE_CONFIG);
	cr_expect_arr_eq(rig->persist.requester.b, rig_mac_a, 6);
	cr_expect_eq(rig->persist.config_bytes, 4);
	cr_expect_arr_eq(rig->persist.config, "mine", 4);
	cr_expect_eq(rig->persist.list_count, 0);
	expect_string(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)), "");
	rig_persisted(rig, 0, 2);
	const struct rig_answer *answer = rig_next(rig);
	expect_string(answer, "mine");
	cr_expect_arr_eq(answer->frame.header.tag, frame.header.tag, 4);
	cr_expect_eq(answer->bytes[29], 0x13);
	expect_string(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)), "mine");
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, set_of_the_same_string_succeeds_and_of_another_is_error_4)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_with_string(rig, "taken");
	expect_string(rig_ask(rig, rig_config(AOE_CONFIG_SET, "taken", 5)), "taken");
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_SET, "other", 5)), AOE_ERROR_CONFIG_SET);
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_SET, "", 0)), AOE_ERROR_CONFIG_SET);
	cr_expect_eq(rig->persist_count, 0);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_config_set), 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, force_replaces_and_clears)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = serve_with_string(rig, "old");
	char long_string[1024];
	memset(long_string, 'x', sizeof long_string);
	rig_ask(rig, rig_config(AOE_CONFIG_FORCE, long_string, 1024));
	rig_persisted(rig, 0, 2);
	const struct rig_answer *answer = rig_next(rig);
	rig_expect_ok(answer);
	cr_expect_eq(answer->frame.config.string_bytes, 1024);
	cr_expect_arr_eq(answer->bytes + 32, long_string, 1024);
	cr_expect_eq(answer->len_bytes, 1056);
	rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "", 0));
	rig_persisted(rig, 0, 3);
	expect_string(rig_next(rig), "");
	expect_string(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "", 0)), ""); /* again: nothing to do */
	cr_expect_eq(rig->persist_count, 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, bad_lengths_and_sub_commands_are_error_2)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	uint8_t bytes[2000] = {0};
	for (int command = AOE_CONFIG_TEST; command <= AOE_CONFIG_FORCE; command++) {
		struct aoe_frame frame = rig_config((uint8_t)command, "0123456789", 10);
		uint32_t len = aoe_frame_emit(bytes, sizeof bytes, &frame);
		rig_expect_error(rig_ask_bytes(rig, bytes, len - 1, 0, 100), AOE_ERROR_ARGUMENT);
		bytes[30] = 0x04, bytes[31] = 0x01;
		rig_expect_error(rig_ask_bytes(rig, bytes, 1400, 0, 100), AOE_ERROR_ARGUMENT);
	}
	for (int command = 5; command < 16; command++)
		rig_expect_error(rig_ask(rig, rig_config((uint8_t)command, NULL, 0)), AOE_ERROR_ARGUMENT);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_argument), 8 + 11);
	cr_expect_eq(rig->persist_count, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, the_operator_can_keep_the_string_from_clients)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->flags &= ~WHERRY_AOE_REMOTE_CONFIG;
	struct aoe_export *export_ = rig_serve(rig, put);
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_SET, "x", 1)), AOE_ERROR_ARGUMENT);
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_FORCE, "x", 1)), AOE_ERROR_ARGUMENT);
	rig_expect_ok(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)));
	cr_expect_eq(rig->persist_count, 0);
	rig_remove(rig, export_);
	rig_destroy(rig);
}

Test(aoe_config, buffer_count_is_never_one_that_stops_linux)
{
	struct rig *rig = rig_create();
	for (uint16_t told = 0; told < 4; told++) {
		struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
		put->buffer_count = told;
		struct aoe_export *export_ = rig_serve(rig, put);
		const struct rig_answer *answer = rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0));
		cr_expect_eq(answer->frame.config.buffer_count, told < 2 ? 2 : told);
		rig_remove(rig, export_);
	}
	rig_destroy(rig);
}

Test(aoe_config, a_string_longer_than_the_port_can_carry_is_unavailable_there)
{
	struct rig *rig = rig_create();
	char string[1001];
	memset(string, 's', 1000);
	string[1000] = '\0';
	struct aoe_export *export_ = serve_with_string(rig, string);
	rig->ports[0].mtu = 576;
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)), AOE_ERROR_UNAVAILABLE);
	rig_expect_ok(rig_ask_port(rig, rig_config(AOE_CONFIG_READ, NULL, 0), 1));
	rig->ports[0].mtu = 32 - 14 + 1000;
	rig_expect_ok(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)));
	rig->ports[0].mtu--;
	rig_expect_error(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0)), AOE_ERROR_UNAVAILABLE);
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_err_unavailable), 2);
	rig_remove(rig, export_);
	rig_destroy(rig);
}
