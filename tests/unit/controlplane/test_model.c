/* SPDX-License-Identifier: BSD-3-Clause */
/* What an operator and a client may do, and the reasons for refusing. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/model_aoe.h"
#include "folder.h"

TestSuite(cp_model, .fini = folder_remove);

static struct state *fresh(void)
{
	struct fail fail = {.text = ""};
	struct state *state = state_open(folder_path("state.db"), &fail);

	cr_assert_not_null(state, "%s", fail.text);
	cr_assert_eq(state_begin(state, &fail), 0);
	return state;
}

static struct volume_row volume(const char *name, enum wherry_backend backend, const char *path, uint64_t size_bytes,
				uint32_t block_bytes)
{
	struct volume_row row = {
		.backend = backend, .size_bytes = size_bytes, .block_bytes = block_bytes, .online = true};

	(void)snprintf(row.name, sizeof row.name, "%s", name);
	(void)snprintf(row.path, sizeof row.path, "%s", path);
	return row;
}

static struct export_row export_of(uint64_t volume_id, uint16_t shelf, uint8_t slot)
{
	return (struct export_row){.volume_id = volume_id,
				   .shelf = shelf,
				   .slot = slot,
				   .buffer_count = 64,
				   .remote_mask = true,
				   .remote_config = true,
				   .remote_force_reserve = true};
}

/* A reason names its object and says something; never more than half a kilobyte. */
static void expect_reason(const struct fail *fail, const char *object, const char *case_name)
{
	cr_expect_not_null(strstr(fail->text, object), "%s: '%s' does not name %s", case_name, fail->text, object);
	cr_expect_gt(strlen(fail->text), strlen(object) + 10, "%s: '%s'", case_name, fail->text);
}

Test(cp_model, volumes_are_checked_against_every_limit)
{
	static const struct {
		const char *name, *path;
		enum wherry_backend backend;
		uint64_t size_bytes;
		uint32_t block_bytes;
		bool fine;
	} cases[] = {
		{"a", "", WHERRY_BACKEND_RAM, 4096, 512, true},
		{"a", "", WHERRY_BACKEND_RAM, 4095, 512, false},
		{"a", "", WHERRY_BACKEND_RAM, 0, 512, false},
		{"a", "", WHERRY_BACKEND_NULL, WHERRY_VOLUME_BYTES_MAX, 512, true},
		{"a", "", WHERRY_BACKEND_NULL, WHERRY_VOLUME_BYTES_MAX + 512, 512, false},
		{"a", "", WHERRY_BACKEND_NULL, 4096 + 511, 512, false},
		{"a", "", WHERRY_BACKEND_NULL, 4096 + 512, 4096, false},
		{"a", "", WHERRY_BACKEND_NULL, 8192, 4096, true},
		{"a", "", WHERRY_BACKEND_NULL, 8192, 1024, false},
		{"a", "/x", WHERRY_BACKEND_NULL, 8192, 512, false},
		{"a", "/x", WHERRY_BACKEND_RAM, 8192, 512, false},
		{"a", "/x", WHERRY_BACKEND_FILE, 8192, 512, true},
		{"a", "/x", WHERRY_BACKEND_FILE, 0, 512, true},
		{"a", "x", WHERRY_BACKEND_FILE, 8192, 512, false},
		{"a", "", WHERRY_BACKEND_FILE, 8192, 512, false},
		{"a", "/x\n", WHERRY_BACKEND_FILE, 8192, 512, false},
		{"a", "/\xff", WHERRY_BACKEND_FILE, 8192, 512, false},
		{"", "", WHERRY_BACKEND_NULL, 8192, 512, false},
		{"-a", "", WHERRY_BACKEND_NULL, 8192, 512, false},
		{"a/b", "", WHERRY_BACKEND_NULL, 8192, 512, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct volume_row row = volume(cases[i].name, cases[i].backend, cases[i].path, cases[i].size_bytes,
					       cases[i].block_bytes);
		struct fail fail = {.kind = FAIL_NONE};
		char label[32];
		(void)snprintf(label, sizeof label, "case %zu", i);
		cr_expect_eq(model_volume_check(&row, &fail) == 0, cases[i].fine, "%s: %s", label, fail.text);
		if (cases[i].fine)
			continue;
		cr_expect_eq(fail.kind, FAIL_USAGE, "%s", label);
		expect_reason(&fail, cases[i].name, label);
	}
}

Test(cp_model, names_and_paths_belong_to_one_volume)
{
	struct state *state = fresh();
	struct volume_row first = volume("a", WHERRY_BACKEND_FILE, "/x/1", 8192, 512);
	struct volume_row same_name = volume("a", WHERRY_BACKEND_NULL, "", 8192, 512);
	struct volume_row same_path = volume("b", WHERRY_BACKEND_FILE, "/x/1", 8192, 512);
	struct fail fail;

	cr_assert_eq(model_volume_create(state, &first, &fail), 0);
	cr_expect_eq(model_volume_create(state, &same_name, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "'a'", "same name");
	cr_expect_eq(model_volume_create(state, &same_path, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "/x/1", "same path");
	expect_reason(&fail, "'a'", "same path tells whose");
	state_rollback(state);
	state_close(state);
}

Test(cp_model, volumes_grow_and_never_shrink)
{
	struct state *state = fresh();
	struct volume_row row = volume("a", WHERRY_BACKEND_NULL, "", 8192, 512);
	struct fail fail;

	cr_assert_eq(model_volume_create(state, &row, &fail), 0);
	uint64_t generation = row.generation;
	cr_expect_eq(model_volume_grow(state, &row, 8192, &fail), 0, "the same size is no change");
	cr_expect_eq(row.generation, generation);
	cr_expect_eq(model_volume_grow(state, &row, 8192 + 512, &fail), 0);
	cr_expect_eq(row.generation, generation + 1);
	cr_expect_eq(model_volume_grow(state, &row, 8192, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "'a'", "shrink");
	cr_expect_eq(model_volume_grow(state, &row, 16385, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_USAGE);
	cr_expect_eq(model_volume_grow(state, &row, WHERRY_VOLUME_BYTES_MAX + 512, &fail), -1);
	state_rollback(state);
	state_close(state);
}

Test(cp_model, a_volume_in_use_is_not_deleted)
{
	struct state *state = fresh();
	struct volume_row row = volume("a", WHERRY_BACKEND_NULL, "", 8192, 512);
	struct fail fail;

	cr_assert_eq(model_volume_create(state, &row, &fail), 0);
	struct export_row export_ = export_of(row.id, 7, 3);
	cr_assert_eq(model_export_create(state, &export_, &fail), 0);
	cr_expect_eq(model_volume_delete(state, &row, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "7.3", "in use");
	cr_expect_eq(model_export_delete(state, &export_, &fail), 0);
	cr_expect_eq(model_volume_delete(state, &row, &fail), 0);
	state_rollback(state);
	state_close(state);
}

Test(cp_model, export_addresses_and_settings_are_checked)
{
	static const struct {
		uint16_t shelf;
		uint8_t slot;
		uint16_t buffers, sectors, vlan_count, vlan;
		bool fine;
	} cases[] = {
		{0, 0, 64, 0, 0, 0, true},       {65534, 254, 2, 255, 1, 4094, true}, {0x0fff, 0, 64, 0, 0, 0, false},
		{0xffff, 0, 64, 0, 0, 0, false}, {0, 255, 64, 0, 0, 0, false},        {0, 0, 1, 0, 0, 0, false},
		{0, 0, 0, 0, 0, 0, false},       {0, 0, 64, 256, 0, 0, false},        {0, 0, 64, 0, 1, 4095, false},
		{0, 0, 64, 0, 1, 0, true},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct export_row row = export_of(1, cases[i].shelf, cases[i].slot);
		struct fail fail = {.kind = FAIL_NONE};
		row.buffer_count = cases[i].buffers;
		row.sectors_max = cases[i].sectors;
		row.vlan_count = cases[i].vlan_count;
		row.vlans[0] = cases[i].vlan;
		cr_expect_eq(model_export_check(&row, &fail) == 0, cases[i].fine, "case %zu: %s", i, fail.text);
		if (!cases[i].fine)
			expect_reason(&fail, "AoE export", "refused");
	}
	struct export_row twice = export_of(1, 1, 1);
	struct fail fail;
	twice.vlan_count = 2;
	twice.vlans[0] = twice.vlans[1] = 9;
	cr_expect_eq(model_export_check(&twice, &fail), -1, "a VLAN named twice");
}

Test(cp_model, an_address_is_given_once)
{
	struct state *state = fresh();
	struct volume_row row = volume("a", WHERRY_BACKEND_NULL, "", 8192, 512);
	struct fail fail;

	cr_assert_eq(model_volume_create(state, &row, &fail), 0);
	struct export_row first = export_of(row.id, 1, 0), second = export_of(row.id, 1, 0);
	cr_assert_eq(model_export_create(state, &first, &fail), 0);
	cr_expect_str_eq(first.volume_name, "a");
	cr_expect_str_eq(first.serial, row.serial);
	cr_expect_eq(model_export_create(state, &second, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "1.0", "duplicate");
	state_rollback(state);
	state_close(state);
}

static const struct wherry_mac mac_a = {{2, 0, 0, 0, 0, 0xa}}, mac_b = {{2, 0, 0, 0, 0, 0xb}},
			       group = {{3, 0, 0, 0, 0, 0xc}};

Test(cp_model, mask_edits_are_idempotent_and_bounded)
{
	struct state *state = fresh();
	struct volume_row row = volume("a", WHERRY_BACKEND_NULL, "", 8192, 512);
	struct fail fail;

	cr_assert_eq(model_volume_create(state, &row, &fail), 0);
	struct export_row export_ = export_of(row.id, 1, 0), back;
	cr_assert_eq(model_export_create(state, &export_, &fail), 0);
	uint64_t generation = export_.state_generation;
	cr_expect_eq(model_mask_add(state, &export_, &mac_a, 1, &fail), 0);
	cr_expect_eq(export_.state_generation, generation + 1);
	cr_expect_eq(model_mask_add(state, &export_, &mac_a, 1, &fail), 0, "present already");
	cr_expect_eq(model_mask_remove(state, &export_, &mac_b, 1, &fail), 0, "absent already");
	cr_expect_eq(export_.state_generation, generation + 1, "no change, no generation");
	cr_expect_eq(model_mask_add(state, &export_, &group, 1, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_USAGE);
	struct wherry_mac many[WHERRY_AOE_RESERVE_COUNT_MAX];
	for (unsigned i = 0; i < WHERRY_AOE_RESERVE_COUNT_MAX; i++)
		many[i] = (struct wherry_mac){{2, 1, 0, 0, 0, (uint8_t)i}};
	cr_expect_eq(model_mask_add(state, &export_, many, WHERRY_AOE_MASK_COUNT_MAX - 1, &fail), 0);
	cr_expect_eq(export_.mask_count, WHERRY_AOE_MASK_COUNT_MAX);
	cr_expect_eq(model_mask_add(state, &export_, &mac_b, 1, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "185", "full");
	cr_assert_eq(state_export_by_address(state, 1, 0, &back, &fail), 0);
	cr_expect_eq(back.mask_count, WHERRY_AOE_MASK_COUNT_MAX);
	cr_expect_eq(model_mask_put(state, &export_, NULL, 0, &fail), 0);
	cr_expect_eq(export_.mask_count, 0);
	cr_expect_eq(model_reserve_put(state, &export_, many, WHERRY_AOE_RESERVE_COUNT_MAX, &fail), 0);
	cr_expect_eq(export_.reserve_count, WHERRY_AOE_RESERVE_COUNT_MAX);
	cr_expect_eq(model_reserve_put(state, &export_, &group, 1, &fail), -1);
	uint8_t text[WHERRY_AOE_CONFIG_BYTES_MAX + 1] = "config";
	cr_expect_eq(model_config_put(state, &export_, text, sizeof text, &fail), -1);
	cr_expect_eq(model_config_put(state, &export_, text, sizeof text - 1, &fail), 0);
	generation = export_.state_generation;
	cr_expect_eq(model_config_put(state, &export_, text, sizeof text - 1, &fail), 0);
	cr_expect_eq(export_.state_generation, generation);
	state_rollback(state);
	state_close(state);
}

/* ----------------------------------------------------------- by clients */

static struct wherry_ctl_aoe_persist change_of(enum wherry_aoe_change kind, uint64_t base)
{
	return (struct wherry_ctl_aoe_persist){
		.export_id = 1, .base_generation = base, .change = (uint8_t)kind, .requester = {1, {mac_a}}};
}

Test(cp_model, a_client_change_on_the_last_state_is_taken)
{
	struct export_row row = export_of(1, 1, 0);
	struct fail fail;
	bool changed = false;

	row.state_generation = 5;
	struct wherry_ctl_aoe_persist mask = change_of(WHERRY_AOE_CHANGE_MASK, 5);
	mask.list.count = 1;
	mask.list.mac[0] = mac_b;
	cr_expect_eq(model_persist_decide(&mask, &row, &changed, &fail), MODEL_PERSIST_DONE);
	cr_expect(changed);
	cr_expect_eq(row.mask_count, 1);
	struct wherry_ctl_aoe_persist reserve = change_of(WHERRY_AOE_CHANGE_RESERVE, 5);
	reserve.list.count = WHERRY_AOE_RESERVE_COUNT_MAX;
	cr_expect_eq(model_persist_decide(&reserve, &row, &changed, &fail), MODEL_PERSIST_DONE);
	cr_expect_eq(row.reserve_count, WHERRY_AOE_RESERVE_COUNT_MAX);
	struct wherry_ctl_aoe_persist config = change_of(WHERRY_AOE_CHANGE_CONFIG, 5);
	config.config.len = 3;
	memcpy(config.config.b, "abc", 3);
	cr_expect_eq(model_persist_decide(&config, &row, &changed, &fail), MODEL_PERSIST_DONE);
	cr_expect(changed && row.config_bytes == 3 && memcmp(row.config, "abc", 3) == 0);
}

Test(cp_model, a_client_change_on_an_older_state_is_stale_unless_it_is_there_already)
{
	struct export_row row = export_of(1, 1, 0);
	struct fail fail;
	bool changed = true;

	row.state_generation = 6;
	struct wherry_ctl_aoe_persist config = change_of(WHERRY_AOE_CHANGE_CONFIG, 5);
	config.config.len = 3;
	memcpy(config.config.b, "abc", 3);
	cr_expect_eq(model_persist_decide(&config, &row, &changed, &fail), MODEL_PERSIST_STALE);
	cr_expect_not(changed);
	cr_expect_eq(row.config_bytes, 0, "nothing was touched");
	row.config_bytes = 3;
	memcpy(row.config, "abc", 3);
	cr_expect_eq(model_persist_decide(&config, &row, &changed, &fail), MODEL_PERSIST_DONE, "a duplicate");
	cr_expect_not(changed);
	cr_expect_eq(row.state_generation, 6);
}

Test(cp_model, what_the_operator_has_locked_meanwhile_is_refused)
{
	struct fail fail;
	bool changed;

	for (unsigned kind = WHERRY_AOE_CHANGE_CONFIG; kind <= WHERRY_AOE_CHANGE_RESERVE + 1; kind++) {
		struct export_row row = export_of(1, 1, 0);
		struct wherry_ctl_aoe_persist change = change_of((enum wherry_aoe_change)kind, 1);
		row.state_generation = 1;
		row.remote_mask = row.remote_config = false;
		change.config.len = change.list.count = 1;
		enum model_persist outcome = model_persist_decide(&change, &row, &changed, &fail);
		cr_expect_eq(outcome, kind == WHERRY_AOE_CHANGE_RESERVE ? MODEL_PERSIST_DONE : MODEL_PERSIST_REFUSED,
			     "kind %u", kind);
	}
	struct export_row row = export_of(1, 1, 0);
	struct wherry_ctl_aoe_persist mask = change_of(WHERRY_AOE_CHANGE_MASK, 1);
	row.state_generation = 1;
	mask.list.count = WHERRY_AOE_MASK_COUNT_MAX + 1;
	cr_expect_eq(model_persist_decide(&mask, &row, &changed, &fail), MODEL_PERSIST_REFUSED, "a mask too long");
}

/* ---------------------------------------------------------------- ports */

Test(cp_model, devices_are_of_the_known_kinds_and_cannot_smuggle_arguments)
{
	static const struct {
		const char *device;
		bool fine;
	} cases[] = {
		{"pci:0000:01:00.0", true},
		{"pci:0000:01:00.0,vdev=evil", false},
		{"pci:01:00.0", false},
		{"af_xdp:eth0", true},
		{"af_packet:enp1s0f0", true},
		{"af_packet:", false},
		{"af_packet:a,iface=b", false},
		{"af_packet:a/../b", false},
		{"af_packet:0123456789abcdef", false},
		{"af_packet:a b", false},
		{"af_packet:a;b", false},
		{"tap:tap0", true},
		{"memif:/run/m.sock", true},
		{"memif:/run/m.sock,role=server,id=3,queues=2", true},
		{"memif:/run/m.sock,role=boss", false},
		{"memif:/run/m.sock,id=", false},
		{"memif:/run/m.sock,id=1x", false},
		{"memif:/run/m.sock,", false},
		{"memif:relative", false},
		{"net_null0", false},
		{"", false},
		{"eth0", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct port_row row = {.name = "p0", .mtu = 1500};
		struct fail fail = {.kind = FAIL_NONE};
		(void)snprintf(row.device, sizeof row.device, "%s", cases[i].device);
		cr_expect_eq(model_port_check(&row, &fail) == 0, cases[i].fine, "'%s': %s", cases[i].device, fail.text);
	}
	struct port_row row = {.name = "p0", .device = "tap:t", .mtu = WHERRY_MTU_MIN - 1};
	cr_expect_eq(model_port_check(&row, NULL), -1);
	row.mtu = WHERRY_MTU_MAX + 1;
	cr_expect_eq(model_port_check(&row, NULL), -1);
	row.mtu = WHERRY_MTU_MAX;
	cr_expect_eq(model_port_check(&row, NULL), 0);
	row.vlan_count = 1;
	cr_expect_eq(model_port_check(&row, NULL), -1, "a sub-interface without an id");
}

Test(cp_model, ports_are_named_once_used_once_and_kept_while_an_export_names_them)
{
	struct state *state = fresh();
	struct port_row row = {.name = "p0", .device = "tap:t0", .mtu = 1500}, same = row, other = row;
	struct volume_row disk = volume("a", WHERRY_BACKEND_NULL, "", 8192, 512);
	struct fail fail;

	cr_assert_eq(model_port_add(state, &row, &fail), 0);
	cr_expect_eq(model_port_add(state, &same, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	(void)snprintf(other.name, sizeof other.name, "p1");
	cr_expect_eq(model_port_add(state, &other, &fail), -1, "the device has a port");
	expect_reason(&fail, "'p0'", "whose device");
	cr_assert_eq(model_volume_create(state, &disk, &fail), 0);
	struct export_row export_ = export_of(disk.id, 1, 0);
	export_.port_count = 1;
	export_.port_ids[0] = row.id;
	cr_assert_eq(model_export_create(state, &export_, &fail), 0);
	cr_expect_eq(model_port_remove(state, &row, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	expect_reason(&fail, "1.0", "who uses it");
	for (unsigned i = 1; i < WHERRY_PORT_COUNT_MAX; i++) {
		struct port_row more = {.mtu = 1500};
		(void)snprintf(more.name, sizeof more.name, "p%u", i);
		(void)snprintf(more.device, sizeof more.device, "tap:t%u", i);
		cr_expect_eq(model_port_add(state, &more, &fail), 0, "port %u", i);
	}
	struct port_row one_more = {.name = "p99", .device = "tap:t99", .mtu = 1500};
	cr_expect_eq(model_port_add(state, &one_more, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	state_rollback(state);
	state_close(state);
}

Test(cp_model, lcores_and_idle_policy_are_checked)
{
	static const struct {
		const char *lcores;
		int32_t main_lcore;
		uint32_t spin, sleep_us;
		bool fine;
	} cases[] = {
		{"", -1, 0, 0, true},
		{"0-1", 0, 500, 50, true},
		{"0-1", -1, 500, 50, true},
		{"0-1", 2, 0, 0, false},
		{"", 0, 0, 0, false},
		{"0@(0-1),1@(0-1)", 0, 0, 0, true},
		{"0-1;rm", -1, 0, 0, false},
		{"0@(0-1) --vdev=x", -1, 0, 0, false},
		{"1-0", -1, 0, 0, false},
		{"0-1", 0, 0, 100001, false},
		{"0-1", 0, 100000001, 0, false},
		{"0-1", -2, 0, 0, false},
		{"0-2000", -1, 0, 0, false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct runtime_row row = {.main_lcore = cases[i].main_lcore,
					  .idle_spin_turns = cases[i].spin,
					  .idle_sleep_us = cases[i].sleep_us};
		struct fail fail = {.kind = FAIL_NONE};
		(void)snprintf(row.lcores, sizeof row.lcores, "%s", cases[i].lcores);
		cr_expect_eq(model_runtime_check(&row, &fail) == 0, cases[i].fine, "case %zu: %s", i, fail.text);
	}
}
