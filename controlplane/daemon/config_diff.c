/* SPDX-License-Identifier: BSD-3-Clause */
/* What applying a configuration would change, and whether it can. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/config_priv.h"
#include "daemon/model.h"
#include "daemon/rpc.h"
#include "daemon/rpc_shapes.h"

void config_detail_add(struct config_detail *detail, const char *format, ...)
{
	va_list args;

	if (detail->len >= CONFIG_DETAIL_BYTES - 3)
		return;
	if (detail->len) {
		memcpy(detail->text + detail->len, ", ", 3);
		detail->len += 2;
	}
	va_start(args, format);
	int n = vsnprintf(detail->text + detail->len, CONFIG_DETAIL_BYTES - detail->len, format, args);
	va_end(args);
	detail->len += n > 0 ? (size_t)n : 0;
	if (detail->len > CONFIG_DETAIL_BYTES - 1)
		detail->len = CONFIG_DETAIL_BYTES - 1;
}

void config_detail_bool(struct config_detail *detail, const char *what, bool before, bool after)
{
	if (before != after)
		config_detail_add(detail, "%s %s -> %s", what, before ? "true" : "false", after ? "true" : "false");
}

void config_detail_number(struct config_detail *detail, const char *what, int64_t before, int64_t after)
{
	if (before != after)
		config_detail_add(detail, "%s %" PRId64 " -> %" PRId64, what, before, after);
}

void config_change(struct config_diff *diff, const char *op, const char *kind, const char *name, const char *detail)
{
	(void)json_array_append_new(diff->changes,
				    json_pack("{ss ss so so}", "op", op, "kind", kind, "name", rpc_text_lenient(name),
					      "detail", rpc_text_lenient(detail)));
}

static int add_store(struct config_diff *diff, enum config_store_kind kind, const struct config_volume *volume,
		     uint64_t volume_id, struct fail *fail)
{
	if (diff->store_count == diff->store_cap) {
		size_t cap = diff->store_cap ? diff->store_cap * 2 : 16;
		struct config_store *bigger = realloc(diff->stores, cap * sizeof *bigger);
		if (!bigger)
			return fail_set(fail, FAIL_FAILED, "out of memory");
		diff->stores = bigger;
		diff->store_cap = cap;
	}
	diff->stores[diff->store_count++] = (struct config_store){kind, volume, volume_id};
	return 0;
}

static bool same_vlans(const uint16_t *a, unsigned a_count, const uint16_t *b, unsigned b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof *a) == 0;
}

/* ----------------------------------------------------------------- ports */

static void compare_port(const struct config_port *want, const struct port_row *have, struct config_diff *diff)
{
	struct config_detail detail = {.len = 0};

	if (strcmp(want->row.device, have->device) != 0) {
		config_detail_add(&detail, "device %.100s -> %.100s", have->device, want->row.device);
	}
	config_detail_number(&detail, "mtu", have->mtu, want->row.mtu);
	if (!same_vlans(have->vlans, have->vlan_count, want->row.vlans, want->row.vlan_count))
		config_detail_add(&detail, "vlans %u -> %u of them", have->vlan_count, want->row.vlan_count);
	config_detail_bool(&detail, "punt", have->punt, want->row.punt);
	config_detail_number(&detail, "punt_rate", have->punt_rate, want->row.punt_rate);
	config_detail_bool(&detail, "slaac", have->slaac, want->row.slaac);
	if (detail.len == 0)
		return;
	config_change(diff, "update", "port", have->name, detail.text);
	diff->runtime_changed = true;
}

static int diff_ports(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail)
{
	struct port_row *rows = calloc(WHERRY_PORT_COUNT_MAX, sizeof *rows);
	int count = rows ? state_port_list(state, rows, fail) : fail_set(fail, FAIL_FAILED, "out of memory");

	for (int i = 0; i < count; i++) {
		const struct config_port *want = config_port_named(config, rows[i].name);
		if (want) {
			compare_port(want, &rows[i], diff);
			continue;
		}
		config_change(diff, "delete", "port", rows[i].name, rows[i].device);
		diff->runtime_changed = true;
	}
	for (size_t j = 0; count >= 0 && j < config->port_count; j++) {
		bool there = false;
		for (int i = 0; i < count; i++)
			there |= strcmp(rows[i].name, config->ports[j].row.name) == 0;
		if (there)
			continue;
		config_change(diff, "create", "port", config->ports[j].row.name, config->ports[j].row.device);
		diff->runtime_changed = true;
	}
	free(rows);
	return count < 0 ? -1 : 0;
}

static int diff_runtime(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail)
{
	struct runtime_row have, want;
	struct config_detail lcores = {.len = 0}, idle = {.len = 0};

	if (state_runtime_get(state, &have, fail) != 0)
		return -1;
	want = have;
	if (config->lcores_given) {
		memcpy(want.lcores, config->runtime.lcores, sizeof want.lcores);
		want.main_lcore = config->runtime.main_lcore;
	}
	if (config->idle_given) {
		want.idle_spin_turns = config->runtime.idle_spin_turns;
		want.idle_pause_turns = config->runtime.idle_pause_turns;
		want.idle_sleep_us = config->runtime.idle_sleep_us;
	}
	if (model_runtime_check(&want, fail) != 0)
		return -1;
	if (strcmp(have.lcores, want.lcores) != 0)
		config_detail_add(&lcores, "list '%s' -> '%s'", have.lcores, want.lcores);
	config_detail_number(&lcores, "main", have.main_lcore, want.main_lcore);
	config_detail_number(&idle, "spin_turns", have.idle_spin_turns, want.idle_spin_turns);
	config_detail_number(&idle, "pause_turns", have.idle_pause_turns, want.idle_pause_turns);
	config_detail_number(&idle, "sleep_us", have.idle_sleep_us, want.idle_sleep_us);
	if (lcores.len) {
		config_change(diff, "update", "lcores", "", lcores.text);
		diff->runtime_changed = true;
	}
	if (idle.len)
		config_change(diff, "update", "idle", "", idle.text);
	return 0;
}

/* --------------------------------------------------------------- volumes */

/* What a volume is made of never changes under its clients. */
static int check_identity(const struct config_volume *want, const struct volume_row *have, struct fail *fail)
{
	const char *what = NULL;

	if (want->row.backend != have->backend)
		what = "backend";
	else if (strcmp(want->row.path, have->path) != 0)
		what = "path";
	else if (want->row.block_bytes != have->block_bytes)
		what = "block_bytes";
	else if (want->row.uuid[0] && strcasecmp(want->row.uuid, have->uuid) != 0)
		what = "uuid";
	if (!what)
		return 0;
	return fail_set(fail, FAIL_CONFLICT,
			"line %u: volume '%s': its %s cannot change; delete the volume first, or use another name",
			want->line, have->name, what);
}

static int compare_volume(const struct config_volume *want, const struct volume_row *have, struct config_diff *diff,
			  struct fail *fail)
{
	char before[TEXT_SIZE_BYTES], after[TEXT_SIZE_BYTES];
	struct config_detail detail = {.len = 0};
	uint64_t size = want->row.size_bytes ? want->row.size_bytes : have->size_bytes;
	struct fail why;

	if (check_identity(want, have, fail) != 0)
		return -1;
	if (model_volume_check_grow(have, size, &why) != 0)
		return fail_set(fail, why.kind, "line %u: %.400s", want->line, why.text);
	if (size > have->size_bytes) {
		config_detail_add(&detail, "size %s -> %s", text_size_emit(have->size_bytes, before),
				  text_size_emit(size, after));
		if (have->backend != WHERRY_BACKEND_NULL &&
		    add_store(diff, CONFIG_STORE_GROW, want, have->id, fail) != 0)
			return -1;
	}
	config_detail_bool(&detail, "read_only", have->read_only, want->row.read_only);
	config_detail_bool(&detail, "write_back", have->write_back, want->row.write_back);
	config_detail_bool(&detail, "online", have->online, want->row.online);
	if (detail.len)
		config_change(diff, "update", "volume", have->name, detail.text);
	return 0;
}

static int create_volume(struct state *state, const struct config_volume *want, struct config_diff *diff,
			 struct fail *fail)
{
	char size[TEXT_SIZE_BYTES];
	struct fail why;

	if (model_volume_check(&want->row, &why) != 0 ||
	    (want->row.path[0] && model_volume_path_is_free(state, want->row.path, 0, &why) != 0))
		return fail_set(fail, why.kind, "line %u: %.400s", want->line, why.text);
	config_change(diff, "create", "volume", want->row.name,
		      want->row.size_bytes ? text_size_emit(want->row.size_bytes, size) : want->row.path);
	if (want->row.backend == WHERRY_BACKEND_NULL)
		return 0;
	return add_store(diff, CONFIG_STORE_OPEN, want, 0, fail);
}

static int diff_volumes(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail)
{
	struct volume_row have;
	struct fail ignored;
	int rc = 1;

	for (have.name[0] = '\0'; (rc = state_volume_next(state, have.name, &have, fail)) == 1;) {
		const struct config_volume *want = config_volume_named(config, have.name);
		if (!want)
			config_change(diff, "delete", "volume", have.name, have.path[0] ? "its file stays" : "");
		else if (compare_volume(want, &have, diff, fail) != 0)
			return -1;
	}
	for (size_t i = 0; rc == 0 && i < config->volume_count; i++)
		if (state_volume_by_name(state, config->volumes[i].row.name, &have, &ignored) != 0)
			rc = create_volume(state, &config->volumes[i], diff, fail);
	return rc;
}

/* --------------------------------------------------------------- exports */

static bool same_ports(struct state *state, const struct config_export *want, const struct export_row *have)
{
	struct port_row port;
	unsigned found = 0;

	for (unsigned i = 0; i < want->row.port_count; i++) {
		if (state_port_by_name(state, want->ports[i], &port, NULL) != 0)
			return false;
		for (unsigned j = 0; j < have->port_count; j++)
			found += have->port_ids[j] == port.id;
	}
	return found == want->row.port_count && found == have->port_count;
}

static void compare_export(struct state *state, const struct config_export *want, const struct export_row *have,
			   struct config_diff *diff)
{
	struct config_detail detail = {.len = 0};
	char name[TEXT_AOE_BYTES];

	if (strcmp(want->row.volume_name, have->volume_name) != 0)
		config_detail_add(&detail, "volume %s -> %s, its durable state starts anew", have->volume_name,
				  want->row.volume_name);
	config_detail_bool(&detail, "read_only", have->read_only, want->row.read_only);
	config_detail_number(&detail, "buffer_count", have->buffer_count, want->row.buffer_count);
	config_detail_number(&detail, "sectors_max", have->sectors_max, want->row.sectors_max);
	config_detail_bool(&detail, "remote.mask", have->remote_mask, want->row.remote_mask);
	config_detail_bool(&detail, "remote.config", have->remote_config, want->row.remote_config);
	config_detail_bool(&detail, "remote.force_reserve", have->remote_force_reserve, want->row.remote_force_reserve);
	if (!same_vlans(have->vlans, have->vlan_count, want->row.vlans, want->row.vlan_count))
		config_detail_add(&detail, "vlans %u -> %u of them", have->vlan_count, want->row.vlan_count);
	if (!same_ports(state, want, have))
		config_detail_add(&detail, "ports %u -> %u of them", have->port_count, want->row.port_count);
	if (want->mask_given && (want->row.mask_count != have->mask_count ||
				 memcmp(want->row.mask, have->mask, have->mask_count * sizeof have->mask[0]) != 0))
		config_detail_add(&detail, "mask %u -> %u entries", have->mask_count, want->row.mask_count);
	if (want->config_given && (want->row.config_bytes != have->config_bytes ||
				   memcmp(want->row.config, have->config, have->config_bytes) != 0))
		config_detail_add(&detail, "config_string %u -> %u bytes", have->config_bytes, want->row.config_bytes);
	if (detail.len)
		config_change(diff, "update", "export", text_aoe_emit(have->shelf, have->slot, name), detail.text);
}

/* Volumes and ports that an export names are in the text, or in the state where the text leaves that section alone. */
static int check_references(struct state *state, const struct config *config, const struct config_export *want,
			    struct fail *fail)
{
	struct volume_row volume;
	struct port_row port;

	if (!config_volume_named(config, want->row.volume_name) &&
	    (config->volumes_given ||
	     state_volume_by_name(state, want->row.volume_name, &volume, &(struct fail){0}) != 0))
		return fail_set(fail, FAIL_USAGE, "line %u: AoE export %u.%u: volume '%s' is not in this text",
				want->line, want->row.shelf, want->row.slot, want->row.volume_name);
	for (unsigned i = 0; i < want->row.port_count; i++)
		if (!config_port_named(config, want->ports[i]) &&
		    (config->ports_given || state_port_by_name(state, want->ports[i], &port, &(struct fail){0}) != 0))
			return fail_set(fail, FAIL_USAGE, "line %u: AoE export %u.%u: port '%s' is not in this text",
					want->line, want->row.shelf, want->row.slot, want->ports[i]);
	return 0;
}

static int diff_exports(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail)
{
	struct export_row have;
	char name[TEXT_AOE_BYTES];
	int rc = 1;

	for (size_t i = 0; i < config->export_count; i++)
		if (check_references(state, config, &config->exports[i], fail) != 0)
			return -1;
	for (int32_t after = -1; rc == 1; after = state_export_key(&have)) {
		rc = state_export_next(state, after, &have, fail);
		if (rc != 1)
			break;
		const struct config_export *want = config_export_at(config, have.shelf, have.slot);
		if (want)
			compare_export(state, want, &have, diff);
		else
			config_change(diff, "delete", "export", text_aoe_emit(have.shelf, have.slot, name),
				      have.volume_name);
	}
	for (size_t i = 0; rc == 0 && i < config->export_count; i++) {
		const struct export_row *row = &config->exports[i].row;
		if (state_export_by_address(state, row->shelf, row->slot, &have, &(struct fail){0}) != 0)
			config_change(diff, "create", "export", text_aoe_emit(row->shelf, row->slot, name),
				      row->volume_name);
	}
	return rc;
}

static int check_ports_of(const struct config *config, const struct export_row *have, const struct port_row *ports,
			  int count, struct fail *fail)
{
	for (unsigned i = 0; i < have->port_count; i++)
		for (int j = 0; j < count; j++)
			if (ports[j].id == have->port_ids[i] && !config_port_named(config, ports[j].name))
				return fail_set(fail, FAIL_CONFLICT,
						"port '%s' is named by AoE export %u.%u and not in this text; name it,"
						" or give the section 'exports' too",
						ports[j].name, have->shelf, have->slot);
	return 0;
}

/* Without a section for exports, those that are there must not lose their volume or port. */
static int check_left_alone(struct state *state, const struct config *config, struct fail *fail)
{
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	struct export_row have;
	int rc = config->exports_given ? 0 : 1;

	int count = ports ? state_port_list(state, ports, fail) : fail_set(fail, FAIL_FAILED, "out of memory");
	if (count < 0)
		rc = -1;
	for (int32_t after = -1; rc == 1; after = state_export_key(&have)) {
		rc = state_export_next(state, after, &have, fail);
		if (rc != 1)
			break;
		if (config->volumes_given && !config_volume_named(config, have.volume_name))
			rc = fail_set(fail, FAIL_CONFLICT,
				      "volume '%s' is exported as AoE %u.%u and not in this text; name it, or give the"
				      " section 'exports' too",
				      have.volume_name, have.shelf, have.slot);
		else if (config->ports_given && check_ports_of(config, &have, ports, count, fail) != 0)
			rc = -1;
	}
	free(ports);
	return rc;
}

int config_diff(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail)
{
	*diff = (struct config_diff){.changes = json_array()};
	if ((config->ports_given && diff_ports(state, config, diff, fail) != 0) ||
	    diff_runtime(state, config, diff, fail) != 0 || config_diff_net(state, config, diff, fail) != 0 ||
	    (config->volumes_given && diff_volumes(state, config, diff, fail) != 0) ||
	    (config->exports_given && diff_exports(state, config, diff, fail) != 0) ||
	    (config->exports_given && config_diff_nbd_exports(state, config, diff, fail) != 0) ||
	    check_left_alone(state, config, fail) != 0 || config_check_nbd_left_alone(state, config, fail) != 0) {
		config_diff_free(diff);
		return -1;
	}
	return 0;
}

void config_diff_free(struct config_diff *diff)
{
	json_decref(diff->changes);
	free(diff->stores);
	*diff = (struct config_diff){0};
}
