/* SPDX-License-Identifier: BSD-3-Clause */
/* The configuration as text: strict reading, exact writing, what applying would change. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/model_aoe.h"
#include "folder.h"

TestSuite(cp_yaml, .fini = folder_remove);

static const char full[] =
	"ports:\n"
	"- name: p0\n"
	"  device: \"af_packet:eth1\"\n"
	"  mtu: 9000\n"
	"  vlans: [10, 20]\n"
	"- {name: p1, device: 'tap:t1', punt: true, punt_rate: 500, slaac: true}\n"
	"lcores: {list: \"0-3\", main: 0}\n"
	"idle: {spin_turns: 1, pause_turns: 2, sleep_us: 3}\n"
	"volumes:\n"
	"- name: disk\n"
	"  backend: null\n"
	"  size: 1.5GiB\n"
	"- {name: fast, backend: ram, size: 1M, block_bytes: 4096, write_back: true}\n"
	"exports:\n"
	"  aoe:\n"
	"  - {shelf: 1, slot: 0, volume: disk, ports: [p1, p0], vlans: [0, 10]}\n"
	"  - shelf: 1\n"
	"    slot: 1\n"
	"    volume: fast\n"
	"    read_only: true\n"
	"    buffer_count: 16\n"
	"    sectors_max: 8\n"
	"    remote: {mask: false, config: true, force_reserve: false}\n"
	"    mask: [\"02:00:00:00:00:01\"]\n"
	"    config_string: \"boot\"\n"
	"  nbd:\n"
	"  - {name: db, volume: disk, default: true, allow: [10.0.0.0/8, '2001:db8::/32', 192.0.2.1]}\n"
	"  - {name: all, volume: fast, description: \"for all\", read_only: true}\n"
	"addresses:\n"
	"- {port: p0, vlan: 20, address: 10.0.0.1/24}\n"
	"- {port: p1, address: '2001:DB8::1/64'}\n"
	"routes:\n"
	"- {prefix: 0.0.0.0/0, gateway: 10.0.0.254}\n"
	"- {prefix: '::/0', gateway: '2001:db8::ffff'}\n"
	"tcp: {congestion: dctcp, ecn: false, keepalive_idle_ms: 1, keepalive_interval_ms: 2,"
	" keepalive_count: 3, user_timeout_ms: 4}\n"
	"nbd: {port: 10810}\n";

static struct config *parse(const char *text)
{
	struct fail fail = {.text = ""};
	struct config *config = config_parse(text, strlen(text), &fail);

	cr_assert_not_null(config, "%s", fail.text);
	return config;
}

static struct state *fresh(const char *name)
{
	struct fail fail = {.text = ""};
	struct state *state = state_open(folder_path(name), &fail);

	cr_assert_not_null(state, "%s", fail.text);
	return state;
}

static int apply(struct state *state, const char *text, struct fail *fail)
{
	struct config *config = config_parse(text, strlen(text), fail);
	struct config_diff diff;
	int rc = config ? config_diff(state, config, &diff, fail) : -1;

	if (rc == 0) {
		config_diff_free(&diff);
		rc = state_begin(state, fail);
		if (rc == 0)
			rc = model_end(state, config_write(state, config, fail), fail);
	}
	config_free(config);
	return rc;
}

static void apply_or_fail(struct state *state, const char *text)
{
	struct fail fail = {.text = ""};

	cr_assert_eq(apply(state, text, &fail), 0, "%s", fail.text);
}

static size_t change_count(struct state *state, const char *text)
{
	struct config *config = parse(text);
	struct config_diff diff;
	struct fail fail = {.text = ""};

	cr_assert_eq(config_diff(state, config, &diff, &fail), 0, "%s", fail.text);
	size_t count = json_array_size(diff.changes);
	config_diff_free(&diff);
	config_free(config);
	return count;
}

Test(cp_yaml, every_key_is_read)
{
	struct config *config = parse(full);

	cr_expect_eq(config->port_count, 2);
	cr_expect(config->ports[0].row.mtu == 9000 && config->ports[0].row.vlan_count == 2);
	cr_expect_eq(config->ports[1].row.mtu, 1500);
	cr_expect(!config->ports[0].row.punt && !config->ports[0].row.slaac);
	cr_expect_eq(config->ports[0].row.punt_rate, WHERRY_PUNT_RATE_DEFAULT);
	cr_expect(config->ports[1].row.punt && config->ports[1].row.punt_rate == 500 && config->ports[1].row.slaac);
	cr_expect(config->lcores_given && strcmp(config->runtime.lcores, "0-3") == 0);
	cr_expect_eq(config->runtime.idle_sleep_us, 3);
	cr_assert_eq(config->volume_count, 2);
	const struct config_volume *disk = config_volume_named(config, "disk");
	cr_assert_not_null(disk);
	cr_expect_eq(disk->row.size_bytes, 3ull << 29);
	cr_expect_eq(disk->line, 10);
	cr_expect(disk->row.online && !disk->row.read_only);
	cr_assert_eq(config->export_count, 2);
	const struct config_export *second = config_export_at(config, 1, 1);
	cr_assert_not_null(second);
	cr_expect(second->row.read_only && !second->row.remote_mask && second->row.remote_config);
	cr_expect(second->mask_given && second->row.mask_count == 1);
	cr_expect(second->config_given && second->row.config_bytes == 4);
	cr_expect_null(config_export_at(config, 2, 1));
	cr_assert_eq(config->nbd_export_count, 2);
	const struct config_nbd_export *db = config_nbd_export_named(config, "db");
	cr_assert_not_null(db);
	cr_expect(db->row.is_default && !db->row.read_only && db->row.allow_count == 3 && db->row.allow[2].bits == 32);
	cr_expect_str_eq(config_nbd_export_named(config, "all")->row.description, "for all");
	cr_assert(config->addresses_given && config->net.address_count == 2 && config->net.addresses[0].vlan == 20);
	cr_expect_str_eq(config->net.addresses[1].port_name, "p1");
	cr_expect(config->routes_given && config->net.route_count == 2 && config->net.routes[1].prefix.bits == 0);
	cr_expect(config->tcp_given && config->network.congestion == WHERRY_TCP_DCTCP && !config->network.ecn &&
		  config->network.user_timeout_ms == 4);
	cr_expect(config->nbd_given && config->network.nbd_tcp_port == 10810);
	const struct export_row *first = &config->exports[0].row;
	cr_expect(!first->remote_mask && !first->remote_config && !first->remote_force_reserve,
		  "the network may change what nobody allowed");
	config_free(config);
}

Test(cp_yaml, what_is_wrong_is_refused_with_its_line)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *names;
	} cases[] = {
		{"a: 1\n", 1, "'a'"},
		{"ports: 7\n", 1, "list"},
		{"\n\nvolumes:\n- 7\n", 4, "mapping"},
		{"volumes:\n- name: a\n  backend: null\n  size: 1G\n  color: red\n", 5, "'color'"},
		{"volumes:\n- name: a\n  backend: null\n  size: 1G\n  name: b\n", 5, "twice"},
		{"volumes:\n- name: a\n  size: 1G\n", 2, "'backend'"},
		{"volumes:\n- name: a\n  backend: disk\n", 3, "backend"},
		{"volumes:\n- name: a\n  backend: null\n  size: big\n", 4, "size"},
		{"volumes:\n- name: a\n  backend: null\n  size: 1GB\n", 4, "size"},
		{"volumes:\n- name: a\n  backend: null\n  size: 0\n", 4, "size"},
		{"volumes:\n- name: a\n  backend: null\n  size: 5000\n", 2, "multiple"},
		{"volumes:\n- name: a\n  backend: null\n  size: 1G\n  read_only: yes\n", 5, "read_only"},
		{"volumes:\n- name: a\n  backend: null\n  size: 1G\n- name: a\n  backend: ram\n  size: 1M\n", 5, "'a'"},
		{"volumes:\n- {name: a, backend: file, path: /x}\n- {name: b, backend: file, path: /x}\n", 3, "/x"},
		{"volumes:\n- {name: a, backend: file, path: x}\n", 2, "absolute"},
		{"volumes:\n- {name: a, backend: file, path: /x, create_file: true}\n", 2, "size"},
		{"exports:\n  aoe:\n  - {shelf: 4095, slot: 0, volume: a}\n", 3, "4095"},
		{"exports:\n  aoe:\n  - {shelf: 65535, slot: 0, volume: a}\n", 3, "65535"},
		{"exports:\n  aoe:\n  - {shelf: 1, slot: 255, volume: a}\n", 3, "255"},
		{"exports:\n  aoe:\n  - {shelf: 1, slot: 256, volume: a}\n", 3, "slot"},
		{"exports:\n  aoe:\n  - {shelf: -1, slot: 0, volume: a}\n", 3, "shelf"},
		{"exports:\n  aoe:\n  - {shelf: 1, slot: 0, volume: a}\n  - {shelf: 1, slot: 0, volume: b}\n", 4,
		 "1.0"},
		{"exports:\n  aoe:\n  - {shelf: 1, slot: 0, volume: a, mask: [\"01:00:00:00:00:00\"]}\n", 3, "mask[0]"},
		{"exports:\n  aoe:\n  - {shelf: 1, slot: 0, volume: a, config_string_hex: abc}\n", 3, "hexadecimal"},
		{"exports:\n  aoe:\n  - {shelf: 1, slot: 0, volume: a, config_string: b, config_string_hex: ab}\n", 3,
		 "exclude"},
		{"exports:\n  nvme: []\n", 2, "'nvme'"},
		{"exports:\n  nbd:\n  - {name: a}\n", 3, "'volume'"},
		{"exports:\n  nbd:\n  - {name: -a, volume: v}\n", 3, "-a"},
		{"exports:\n  nbd:\n  - {name: a, volume: v, allow: [10.0.0.0/8, 10.0.0.0/33]}\n", 3, "allow[1]"},
		{"exports:\n  nbd:\n  - {name: a, volume: v, allow: [10.0.0.1/8]}\n", 3, "give 10.0.0.0/8"},
		{"exports:\n  nbd:\n  - {name: a, volume: v}\n  - {name: a, volume: w}\n", 4, "twice, see line 3"},
		{"exports:\n  nbd:\n  - {name: a, volume: v, default: true}\n  - {name: b, volume: v, default: true}\n",
		 4, "'a' is the default, see line 3"},
		{"addresses:\n- {port: p0, address: 10.0.0.1}\n", 2, "length of its network"},
		{"addresses:\n- {port: p0, address: 10.0.0.1/33}\n", 2, "too long"},
		{"addresses:\n- {port: p0, address: 224.0.0.1/4}\n", 2, "not unicast"},
		{"addresses:\n- {port: p0, vlan: 4095, address: 10.0.0.1/24}\n", 2, "vlan"},
		{"addresses:\n- {port: p0, address: 10.0.0.1/24, gateway: 10.0.0.2}\n", 2, "'gateway'"},
		{"routes:\n- {prefix: 10.0.0.1/24, gateway: 10.0.0.2}\n", 2, "give 10.0.0.0/24"},
		{"routes:\n- {prefix: 10.0.0.0/24, gateway: 10.0.0.2/24}\n", 2, "gateway"},
		{"routes:\n- {prefix: 10.0.0.0/24}\n", 2, "'gateway'"},
		{"tcp: {congestion: bbr}\n", 1, "cubic"},
		{"tcp: {congestion: reno}\n", 1, "'ecn'"},
		{"nbd: {port: 65536}\n", 1, "port"},
		{"nbd: {}\n", 1, "'port'"},
		{"ports:\n- {name: p, device: eth0}\n", 2, "device"},
		{"ports:\n- {name: p, device: 'tap:a', vlans: [4095]}\n", 2, "vlans[0]"},
		{"ports:\n- {name: p, device: 'tap:a', punt: true, punt_rate: 0}\n", 2, "frames a second"},
		{"ports:\n- {name: p, device: 'tap:a', punt_rate: 1000001}\n", 2, "frames a second"},
		{"ports:\n- {name: p, device: 'tap:a', mtu: 1000, slaac: true}\n", 2, "1280"},
		{"ports:\n- {name: p, device: 'tap:a', punt: 5}\n", 2, "punt"},
		{"ports:\n- {name: p, device: 'tap:a'}\n- {name: p, device: 'tap:b'}\n", 3, "twice"},
		{"lcores: {list: \"x\"}\n", 0, "lcores"},
		{"idle: {spin_turns: 1}\n", 1, "'pause_turns'"},
		{"a: [\n", 2, "not YAML"},
		{"a: 1\n---\nb: 2\n", 3, "second document"},
		{"volumes: []\n---\nvolumes: []\n", 3, "second document"},
		{"\xff\xfe\n", 1, "not YAML"},
		{"volumes:\n", 1, "list"},
		{"- 1\n", 1, "mapping"},
		{"volumes: &a [*a]\n", 1, "mapping"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fail fail = {.text = ""};
		char line[32];
		struct config *config = config_parse(cases[i].text, strlen(cases[i].text), &fail);
		if (config && cases[i].line == 0) { /* told when compared with the state */
			struct config_diff diff;
			struct state *state = fresh("line0.db");
			cr_expect_eq(config_diff(state, config, &diff, &fail), -1, "case %zu", i);
			state_close(state);
		} else {
			cr_expect_null(config, "case %zu was taken: %s", i, cases[i].text);
			(void)snprintf(line, sizeof line, "line %u:", cases[i].line);
			cr_expect_eq(strncmp(fail.text, line, strlen(line)), 0, "case %zu: %s", i, fail.text);
		}
		cr_expect_not_null(strstr(fail.text, cases[i].names), "case %zu: %s", i, fail.text);
		cr_expect_eq(fail.kind, FAIL_USAGE, "case %zu: kind %d", i, fail.kind);
		config_free(config);
	}
}

Test(cp_yaml, every_truncation_is_read_or_refused_and_never_crashes)
{
	for (size_t len = 0; len < sizeof full - 1; len++) {
		struct fail fail = {.text = ""};
		char *exact = malloc(len ? len : 1);
		memcpy(exact, full, len);
		struct config *config = config_parse(exact, len, &fail);
		if (!config)
			cr_expect_gt(strlen(fail.text), 10, "%zu bytes: refused without a word", len);
		config_free(config);
		free(exact);
	}
}

Test(cp_yaml, applying_is_idempotent_and_an_export_changes_nothing)
{
	struct state *state = fresh("state.db"), *copy = fresh("copy.db");
	struct fail fail = {.text = ""};

	cr_expect_gt(change_count(state, full), 0);
	apply_or_fail(state, full);
	cr_expect_eq(change_count(state, full), 0, "applied twice");
	char *text = config_emit(state, &fail);
	cr_assert_not_null(text, "%s", fail.text);
	cr_expect_eq(change_count(state, text), 0, "exported and applied:\n%s", text);
	/* On an empty machine it makes the same, down to the bytes of the next export. */
	apply_or_fail(copy, text);
	char *again = config_emit(copy, &fail);
	cr_expect_str_eq(again, text);
	free(text);
	free(again);
	state_close(state);
	state_close(copy);
}

Test(cp_yaml, hostile_contents_survive_the_way_through_text)
{
	static const uint8_t strings[][8] = {"a: b #c",      "'\"\\", "true", "{[&*!|>", "- x", "\xc3\xa4\xe2\x82\xac ",
					     "\x00\xff\n\r", " lead"};
	struct state *state = fresh("state.db");
	struct volume_row volume = {.name = "1.0",
				    .backend = WHERRY_BACKEND_NULL,
				    .size_bytes = 4096 + 512,
				    .block_bytes = 512,
				    .online = true};
	struct volume_row file = {.name = "null",
				  .path = "/a b/\"c\": '#\\{}",
				  .backend = WHERRY_BACKEND_FILE,
				  .size_bytes = 1ull << 57,
				  .block_bytes = 512};
	struct fail fail = {.text = ""};

	cr_assert_eq(state_begin(state, &fail), 0);
	cr_assert_eq(model_volume_create(state, &volume, &fail), 0, "%s", fail.text);
	cr_assert_eq(model_volume_create(state, &file, &fail), 0, "%s", fail.text);
	for (unsigned i = 0; i < sizeof strings / sizeof strings[0]; i++) {
		struct export_row row = {.volume_id = volume.id, .shelf = 1, .slot = (uint8_t)i, .buffer_count = 2};
		row.config_bytes = sizeof strings[0];
		memcpy(row.config, strings[i], sizeof strings[0]);
		cr_assert_eq(model_export_create(state, &row, &fail), 0, "%s", fail.text);
	}
	cr_assert_eq(state_commit(state, &fail), 0);
	char *text = config_emit(state, &fail);
	cr_assert_not_null(text);
	cr_expect_eq(change_count(state, text), 0, "%s", text);
	free(text);
	state_close(state);
}

Test(cp_yaml, a_section_that_is_absent_is_left_alone_and_one_that_is_there_is_the_whole_of_it)
{
	struct state *state = fresh("state.db");
	struct fail fail;

	apply_or_fail(state, full);
	apply_or_fail(state, "addresses: []\nroutes: []\n"); /* they name ports */
	cr_expect_eq(change_count(state, ""), 0);
	cr_expect_eq(change_count(state, "idle: {spin_turns: 1, pause_turns: 2, sleep_us: 3}\n"), 0);
	cr_expect_eq(change_count(state, "volumes: []\nports: []\nexports: {aoe: []}\n"), 8);
	cr_expect_eq(apply(state, "volumes: []\n", &fail), -1, "exports would lose their volumes");
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	cr_expect_eq(apply(state, "ports: []\n", &fail), -1, "exports would lose their ports");
	cr_expect_eq(fail.kind, FAIL_CONFLICT);
	apply_or_fail(state, "exports: {aoe: []}\n");
	cr_expect_eq(state_export_count(state), 0);
	cr_expect_eq(state_volume_count(state), 2);
	apply_or_fail(state, "volumes: []\nports: []\n");
	cr_expect_eq(state_volume_count(state), 0);
	state_close(state);
}

Test(cp_yaml, ports_and_names_may_be_swapped_in_one_go)
{
	struct state *state = fresh("state.db");
	struct port_row before, after;
	struct export_row row;
	struct fail fail;

	apply_or_fail(state, full);
	apply_or_fail(state, "addresses: []\nroutes: []\n"); /* they name ports */
	cr_assert_eq(state_port_by_name(state, "p1", &before, &fail), 0);
	apply_or_fail(state, "ports:\n- {name: p1, device: 'tap:other', mtu: 2000}\n- {name: p2, device: 'tap:t1'}\n"
			     "exports:\n  aoe:\n  - {shelf: 1, slot: 0, volume: disk, ports: [p2]}\n");
	cr_assert_eq(state_port_by_name(state, "p1", &after, &fail), 0);
	cr_expect_eq(after.id, before.id);
	cr_expect_str_eq(after.device, "tap:other");
	cr_assert_eq(state_port_by_name(state, "p2", &after, &fail), 0);
	cr_assert_eq(state_export_by_address(state, 1, 0, &row, &fail), 0);
	cr_expect(row.port_count == 1 && row.port_ids[0] == after.id);
	cr_expect_eq(state_export_count(state), 1);
	state_close(state);
}

Test(cp_yaml, addresses_routes_and_nbd_follow_the_text_as_a_whole)
{
	static const struct {
		const char *text;
		size_t changes; /* 0: refused */
		const char *says;
	} steps[] = {
		/* The default moves from one to the other, and back. */
		{"exports: {nbd: [{name: db, volume: disk}, {name: all, volume: fast, default: true}]}\n", 4, NULL},
		{"exports: {nbd: [{name: db, volume: disk, default: true}, {name: all, volume: fast}]}\n", 2, NULL},
		/* A VLAN, its address and the route over it go together; each alone is refused. */
		{"addresses: [{port: p1, address: '2001:db8::1/64'}]\n", 0, "give it, too"},
		{"ports: [{name: p0, device: 'tap:a'}, {name: p1, device: 'tap:t1'}]\n", 0, "no VLAN 20"},
		{"addresses: [{port: p0, vlan: 20, address: 10.0.0.1/24}, {port: p0, vlan: 20, address: "
		 "10.0.0.1/25}]\n",
		 0, "line 1: address 10.0.0.1/25: it is already"},
		{"addresses: [{port: p9, address: 10.0.0.1/24}]\n", 0, "line 1: address 10.0.0.1/24: port 'p9'"},
		{"routes: [{prefix: 10.9.0.0/16, gateway: 10.8.0.1}]\n", 0, "line 1: route 10.9.0.0/16: gateway"},
		{"ports: [{name: p0, device: 'tap:a'}, {name: p1, device: 'tap:t1'}]\n"
		 "addresses: [{port: p1, address: 10.1.0.1/24}]\nroutes: []\n",
		 7, NULL},
		{"volumes: [{name: disk, backend: null, size: 1.5GiB}]\n", 0, "exported by NBD as 'all'"},
		{"exports: {nbd: [{name: db, volume: none}]}\n", 0, "volume 'none' is not in this text"},
		{"exports: {nbd: [{name: db, volume: fast}]}\n", 2, NULL},
		{"nbd: {port: 0}\n", 1, NULL},
	};
	struct state *state = fresh("follow.db");
	struct network_row network;

	apply_or_fail(state, full);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct fail fail = {.text = ""};
		if (steps[i].changes) {
			cr_expect_eq(change_count(state, steps[i].text), steps[i].changes, "step %zu: %zu changes", i,
				     change_count(state, steps[i].text));
			apply_or_fail(state, steps[i].text);
			cr_expect_eq(change_count(state, steps[i].text), 0, "step %zu", i);
			continue;
		}
		cr_expect_eq(apply(state, steps[i].text, &fail), -1, "step %zu", i);
		cr_expect_not_null(strstr(fail.text, steps[i].says), "step %zu: %s", i, fail.text);
	}
	cr_assert_eq(state_network_get(state, &network, &(struct fail){0}), 0);
	cr_expect(network.nbd_tcp_port == 0 && network.congestion == WHERRY_TCP_DCTCP, "tcp is left alone");
	state_close(state);
}

Test(cp_yaml, what_a_volume_is_made_of_and_how_small_it_is_cannot_change)
{
	static const struct {
		const char *text;
		const char *names;
	} cases[] = {
		{"volumes: [{name: disk, backend: ram, size: 2G}, {name: fast, backend: ram, block_bytes: 4096}]",
		 "backend"},
		{"volumes: [{name: disk, backend: null}, {name: fast, backend: ram}]", "block_bytes"},
		{"volumes: [{name: disk, backend: null, size: 1G}, {name: fast, backend: ram, block_bytes: 4096}]",
		 "shrink"},
		{"volumes: [{name: disk, backend: null, uuid: 00000000-0000-4000-8000-000000000000},"
		 " {name: fast, backend: ram, block_bytes: 4096}]",
		 "uuid"},
	};
	struct state *state = fresh("state.db");

	apply_or_fail(state, full);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fail fail = {.text = ""};
		cr_expect_eq(apply(state, cases[i].text, &fail), -1, "case %zu", i);
		cr_expect_eq(fail.kind, FAIL_CONFLICT, "case %zu: %s", i, fail.text);
		cr_expect_not_null(strstr(fail.text, cases[i].names), "case %zu: %s", i, fail.text);
		cr_expect_eq(strncmp(fail.text, "line 1:", 7), 0, "case %zu: %s", i, fail.text);
	}
	cr_expect_eq(change_count(state, full), 0, "nothing of a refused text remains");
	state_close(state);
}

Test(cp_yaml, clients_keep_what_the_text_does_not_mention)
{
	struct state *state = fresh("state.db");
	struct export_row row;
	struct fail fail;
	const struct wherry_mac mac = {{2, 0, 0, 0, 0, 9}};

	apply_or_fail(state, full);
	cr_assert_eq(state_export_by_address(state, 1, 0, &row, &fail), 0);
	cr_assert_eq(state_begin(state, &fail), 0);
	cr_assert_eq(model_mask_add(state, &row, &mac, 1, &fail), 0);
	cr_assert_eq(model_reserve_put(state, &row, &mac, 1, &fail), 0);
	cr_assert_eq(model_config_put(state, &row, (const uint8_t *)"mine", 4, &fail), 0);
	cr_assert_eq(state_commit(state, &fail), 0);
	cr_expect_eq(change_count(state, full), 0);
	char *text = config_emit(state, &fail);
	cr_expect_not_null(strstr(text, "02:00:00:00:00:09"), "a mask is exported");
	free(text);
	state_close(state);
}
