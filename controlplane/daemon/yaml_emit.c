/* SPDX-License-Identifier: BSD-3-Clause */
/* The state as YAML: what config_parse reads back to the same state. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "common/text.h"
#include "daemon/config.h"
#include "daemon/model_net.h"
#include "daemon/rpc_shapes.h"

struct out {
	yaml_emitter_t emitter;
	bool failed;
	char *text;
	size_t len, cap;
};

static int on_write(void *ctx, unsigned char *bytes, size_t len)
{
	struct out *out = ctx;

	if (out->len + len + 1 > out->cap) {
		size_t cap = (out->len + len + 1) * 2;
		char *bigger = realloc(out->text, cap);
		if (!bigger)
			return 0;
		out->text = bigger;
		out->cap = cap;
	}
	memcpy(out->text + out->len, bytes, len);
	out->len += len;
	out->text[out->len] = '\0';
	return 1;
}

static void emit(struct out *out, yaml_event_t *event, int made)
{
	if (out->failed || !made || !yaml_emitter_emit(&out->emitter, event))
		out->failed = true;
}

static void put_scalar(struct out *out, const char *text, size_t len, yaml_scalar_style_t style)
{
	yaml_event_t event;

	if (out->failed)
		return;
	emit(out, &event,
	     yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, 1, 1, style));
}

static void put_plain(struct out *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put_plain(struct out *out, const char *format, ...)
{
	char text[128];
	va_list args;

	va_start(args, format);
	int n = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	put_scalar(out, text, n < 0 ? 0 : (size_t)n, YAML_PLAIN_SCALAR_STYLE);
}

static void key(struct out *out, const char *name)
{
	put_scalar(out, name, strlen(name), YAML_PLAIN_SCALAR_STYLE);
}

static void key_text(struct out *out, const char *name, const char *text)
{
	key(out, name);
	put_scalar(out, text, strlen(text), YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

static void key_number(struct out *out, const char *name, int64_t number)
{
	key(out, name);
	put_plain(out, "%" PRId64, number);
}

static void key_bool(struct out *out, const char *name, bool value)
{
	key(out, name);
	put_plain(out, "%s", value ? "true" : "false");
}

static void open_map(struct out *out)
{
	yaml_event_t event;

	if (!out->failed)
		emit(out, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
}

static void close_map(struct out *out)
{
	yaml_event_t event;

	if (!out->failed)
		emit(out, &event, yaml_mapping_end_event_initialize(&event));
}

static void open_list(struct out *out, yaml_sequence_style_t style)
{
	yaml_event_t event;

	if (!out->failed)
		emit(out, &event, yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, style));
}

static void close_list(struct out *out)
{
	yaml_event_t event;

	if (!out->failed)
		emit(out, &event, yaml_sequence_end_event_initialize(&event));
}

static void key_vlans(struct out *out, const uint16_t *vlans, unsigned count)
{
	if (count == 0)
		return;
	key(out, "vlans");
	open_list(out, YAML_FLOW_SEQUENCE_STYLE);
	for (unsigned i = 0; i < count; i++)
		put_plain(out, "%u", vlans[i]);
	close_list(out);
}

/* --------------------------------------------------------------- objects */

static void put_ports(struct out *out, const struct port_row *ports, int count)
{
	key(out, "ports");
	open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
	for (int i = 0; i < count; i++) {
		open_map(out);
		key_text(out, "name", ports[i].name);
		key_text(out, "device", ports[i].device);
		key_number(out, "mtu", ports[i].mtu);
		key_vlans(out, ports[i].vlans, ports[i].vlan_count);
		if (ports[i].punt)
			key_bool(out, "punt", true);
		if (ports[i].punt_rate != WHERRY_PUNT_RATE_DEFAULT)
			key_number(out, "punt_rate", ports[i].punt_rate);
		if (ports[i].slaac)
			key_bool(out, "slaac", true);
		close_map(out);
	}
	close_list(out);
}

static int put_runtime(struct out *out, struct state *state, struct fail *fail)
{
	struct runtime_row runtime;

	if (state_runtime_get(state, &runtime, fail) != 0)
		return -1;
	key(out, "lcores");
	open_map(out);
	key_text(out, "list", runtime.lcores);
	key_number(out, "main", runtime.main_lcore);
	close_map(out);
	key(out, "idle");
	open_map(out);
	key_number(out, "spin_turns", runtime.idle_spin_turns);
	key_number(out, "pause_turns", runtime.idle_pause_turns);
	key_number(out, "sleep_us", runtime.idle_sleep_us);
	close_map(out);
	return 0;
}

static int put_net(struct out *out, struct state *state, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];
	struct net_rows rows;

	if (state_net_get(state, &rows, fail) != 0)
		return -1;
	key(out, "addresses");
	open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
	for (unsigned i = 0; i < rows.address_count; i++) {
		open_map(out);
		key_text(out, "port", rows.addresses[i].port_name);
		key_number(out, "vlan", rows.addresses[i].vlan);
		key_text(out, "address", text_prefix_emit(&rows.addresses[i].address, text));
		close_map(out);
	}
	close_list(out);
	key(out, "routes");
	open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
	for (unsigned i = 0; i < rows.route_count; i++) {
		open_map(out);
		key_text(out, "prefix", text_prefix_emit(&rows.routes[i].prefix, text));
		key_text(out, "gateway", text_ip_emit(&rows.routes[i].gateway, text));
		close_map(out);
	}
	close_list(out);
	return 0;
}

static int put_network(struct out *out, struct state *state, struct fail *fail)
{
	struct network_row row;

	if (state_network_get(state, &row, fail) != 0)
		return -1;
	key(out, "tcp");
	open_map(out);
	key(out, "congestion");
	put_plain(out, "%s", model_congestion_names[row.congestion]);
	key_bool(out, "ecn", row.ecn);
	key_number(out, "keepalive_idle_ms", row.keepalive_idle_ms);
	key_number(out, "keepalive_interval_ms", row.keepalive_interval_ms);
	key_number(out, "keepalive_count", row.keepalive_count);
	key_number(out, "user_timeout_ms", row.user_timeout_ms);
	close_map(out);
	key(out, "nbd");
	open_map(out);
	key_number(out, "port", row.nbd_tcp_port);
	close_map(out);
	return 0;
}

static void put_volume(struct out *out, const struct volume_row *row)
{
	char size[TEXT_SIZE_BYTES];

	open_map(out);
	key_text(out, "name", row->name);
	key(out, "backend");
	put_plain(out, "%s", rpc_backend_names[row->backend - 1]);
	if (row->path[0])
		key_text(out, "path", row->path);
	key(out, "size");
	put_plain(out, "%s", text_size_emit(row->size_bytes, size));
	key_number(out, "block_bytes", row->block_bytes);
	key_bool(out, "read_only", row->read_only);
	key_bool(out, "write_back", row->write_back);
	key_bool(out, "online", row->online);
	key_text(out, "uuid", row->uuid);
	close_map(out);
}

static int put_volumes(struct out *out, struct state *state, struct fail *fail)
{
	struct volume_row row;
	int rc;

	key(out, "volumes");
	open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
	for (row.name[0] = '\0'; (rc = state_volume_next(state, row.name, &row, fail)) == 1;)
		put_volume(out, &row);
	close_list(out);
	return rc;
}

static void put_export_state(struct out *out, const struct export_row *row)
{
	char text[2 * WHERRY_AOE_CONFIG_BYTES_MAX + 1], mac[TEXT_MAC_BYTES];

	if (row->mask_count) {
		key(out, "mask");
		open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
		for (unsigned i = 0; i < row->mask_count; i++)
			put_scalar(out, text_mac_emit(&row->mask[i], mac), TEXT_MAC_BYTES - 1,
				   YAML_DOUBLE_QUOTED_SCALAR_STYLE);
		close_list(out);
	}
	if (row->config_bytes == 0)
		return;
	if (text_is_printable(row->config, row->config_bytes)) {
		key(out, "config_string");
		put_scalar(out, (const char *)row->config, row->config_bytes, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
	} else {
		text_hex_emit(row->config, row->config_bytes, text);
		key_text(out, "config_string_hex", text);
	}
}

static void put_export(struct out *out, const struct export_row *row, const struct port_row *ports, int port_count)
{
	open_map(out);
	key_number(out, "shelf", row->shelf);
	key_number(out, "slot", row->slot);
	key_text(out, "volume", row->volume_name);
	key_bool(out, "read_only", row->read_only);
	if (row->port_count) {
		key(out, "ports");
		open_list(out, YAML_FLOW_SEQUENCE_STYLE);
		for (unsigned i = 0; i < row->port_count; i++)
			for (int j = 0; j < port_count; j++)
				if (ports[j].id == row->port_ids[i])
					put_scalar(out, ports[j].name, strlen(ports[j].name),
						   YAML_DOUBLE_QUOTED_SCALAR_STYLE);
		close_list(out);
	}
	key_vlans(out, row->vlans, row->vlan_count);
	key_number(out, "buffer_count", row->buffer_count);
	key_number(out, "sectors_max", row->sectors_max);
	key(out, "remote");
	open_map(out);
	key_bool(out, "mask", row->remote_mask);
	key_bool(out, "config", row->remote_config);
	key_bool(out, "force_reserve", row->remote_force_reserve);
	close_map(out);
	put_export_state(out, row);
	close_map(out);
}

static int put_nbd_exports(struct out *out, struct state *state, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES];
	struct nbd_export_row row;
	int rc;

	key(out, "nbd");
	open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
	for (row.name[0] = '\0'; (rc = state_nbd_next(state, row.name, &row, fail)) == 1;) {
		open_map(out);
		key_text(out, "name", row.name);
		key_text(out, "volume", row.volume_name);
		key_text(out, "description", row.description);
		key_bool(out, "read_only", row.read_only);
		key_bool(out, "default", row.is_default);
		if (row.allow_count) {
			key(out, "allow");
			open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
			for (unsigned i = 0; i < row.allow_count; i++) {
				(void)text_prefix_emit(&row.allow[i], text);
				put_scalar(out, text, strlen(text), YAML_DOUBLE_QUOTED_SCALAR_STYLE);
			}
			close_list(out);
		}
		close_map(out);
	}
	close_list(out);
	return rc;
}

static int put_exports(struct out *out, struct state *state, const struct port_row *ports, int port_count,
		       struct fail *fail)
{
	struct export_row row;
	int rc = 1;

	key(out, "exports");
	open_map(out);
	key(out, "aoe");
	open_list(out, YAML_BLOCK_SEQUENCE_STYLE);
	for (int32_t after = -1; rc == 1; after = state_export_key(&row)) {
		rc = state_export_next(state, after, &row, fail);
		if (rc == 1)
			put_export(out, &row, ports, port_count);
	}
	close_list(out);
	if (rc == 0)
		rc = put_nbd_exports(out, state, fail);
	close_map(out);
	return rc;
}

static int put_all(struct out *out, struct state *state, const struct port_row *ports, int port_count,
		   struct fail *fail)
{
	yaml_event_t event;
	int rc;

	emit(out, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
	if (!out->failed)
		emit(out, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
	open_map(out);
	put_ports(out, ports, port_count);
	rc = put_runtime(out, state, fail);
	if (rc == 0)
		rc = put_net(out, state, fail);
	if (rc == 0)
		rc = put_network(out, state, fail);
	if (rc == 0)
		rc = put_volumes(out, state, fail);
	if (rc == 0)
		rc = put_exports(out, state, ports, port_count, fail);
	close_map(out);
	if (!out->failed)
		emit(out, &event, yaml_document_end_event_initialize(&event, 1));
	if (!out->failed)
		emit(out, &event, yaml_stream_end_event_initialize(&event));
	return rc;
}

char *config_emit(struct state *state, struct fail *fail)
{
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	struct out out = {0};
	int rc = -1;

	int count = ports ? state_port_list(state, ports, fail) : fail_set(fail, FAIL_FAILED, "out of memory");
	if (count >= 0) {
		if (yaml_emitter_initialize(&out.emitter)) {
			yaml_emitter_set_output(&out.emitter, on_write, &out);
			yaml_emitter_set_unicode(&out.emitter, 1);
			yaml_emitter_set_width(&out.emitter, -1);
			rc = put_all(&out, state, ports, count, fail);
			yaml_emitter_delete(&out.emitter);
		} else {
			out.failed = true;
		}
		if (rc == 0 && out.failed)
			rc = fail_set(fail, FAIL_FAILED, "out of memory");
	}
	free(ports);
	if (rc == 0)
		return out.text;
	free(out.text);
	return NULL;
}
