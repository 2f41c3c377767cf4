/* SPDX-License-Identifier: BSD-3-Clause */
/* YAML text to struct config. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/config_priv.h"
#include "daemon/model.h"
#include "daemon/model_aoe.h"
#include "daemon/rpc_shapes.h"

int config_refuse_object(struct yaml_reader *reader, const yaml_node_t *node, const struct fail *why)
{
	return yaml_refuse(reader, node, "", "%s", why->text);
}

/* ---------------------------------------------------------- small lists */

struct vlan_list {
	uint16_t count;
	uint16_t vlans[WHERRY_VLAN_COUNT_MAX];
};

static int take_vlan(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct vlan_list *list = to;
	int64_t vlan = 0;

	if (yaml_take_number(reader, node, where, 0, 4094, &vlan) != 0)
		return -1;
	list->vlans[list->count++] = (uint16_t)vlan;
	return 0;
}

static int take_vlans(struct yaml_reader *reader, const yaml_node_t *node, const char *where, uint16_t *vlans,
		      uint16_t *count)
{
	struct vlan_list list = {0};

	if (yaml_take_list(reader, node, where, WHERRY_VLAN_COUNT_MAX, take_vlan, &list) != 0)
		return -1;
	memcpy(vlans, list.vlans, sizeof list.vlans);
	*count = list.count;
	return 0;
}

/* ----------------------------------------------------------------- ports */

static int take_port_vlans(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_port *port = to;

	return take_vlans(reader, node, where, port->row.vlans, &port->row.vlan_count);
}

static int take_port(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("name", YAML_TEXT, struct config_port, row.name, true),
		KEY("device", YAML_TEXT, struct config_port, row.device, true),
		KEY("mtu", YAML_U16, struct config_port, row.mtu, false),
		KEY_CUSTOM("vlans", take_port_vlans, false),
		KEY("punt", YAML_BOOL, struct config_port, row.punt, false),
		KEY("punt_rate", YAML_U32, struct config_port, row.punt_rate, false),
		KEY("slaac", YAML_BOOL, struct config_port, row.slaac, false),
		KEY_END,
	};
	struct config *config = to;
	struct config_port *port = &config->ports[config->port_count];
	struct fail why;

	*port = (struct config_port){.line = yaml_line(node),
				     .row = {.mtu = 1500, .punt_rate = WHERRY_PUNT_RATE_DEFAULT}};
	if (yaml_take_map(reader, node, where, keys, port) != 0)
		return -1;
	if (model_port_check(&port->row, &why) != 0)
		return config_refuse_object(reader, node, &why);
	for (size_t i = 0; i < config->port_count; i++) {
		if (strcmp(config->ports[i].row.name, port->row.name) == 0)
			return yaml_refuse(reader, node, where, "port '%s' comes twice", port->row.name);
		if (strcmp(config->ports[i].row.device, port->row.device) == 0)
			return yaml_refuse(reader, node, where, "device %.100s comes twice", port->row.device);
	}
	config->port_count++;
	return 0;
}

static int take_ports(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	((struct config *)to)->ports_given = true;
	return yaml_take_list(reader, node, where, WHERRY_PORT_COUNT_MAX, take_port, to);
}

/* ---------------------------------------------------------- lcores, idle */

static int take_lcores(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("list", YAML_TEXT, struct config, runtime.lcores, true),
		KEY("main", YAML_S32, struct config, runtime.main_lcore, false),
		KEY_END,
	};
	struct config *config = to;

	config->lcores_given = true;
	config->runtime.main_lcore = -1;
	return yaml_take_map(reader, node, where, keys, config);
}

static int take_idle(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("spin_turns", YAML_U32, struct config, runtime.idle_spin_turns, true),
		KEY("pause_turns", YAML_U32, struct config, runtime.idle_pause_turns, true),
		KEY("sleep_us", YAML_U32, struct config, runtime.idle_sleep_us, true),
		KEY_END,
	};
	struct config *config = to;

	config->idle_given = true;
	return yaml_take_map(reader, node, where, keys, config);
}

/* --------------------------------------------------------------- volumes */

static int take_backend(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_volume *volume = to;
	char name[16];

	if (yaml_take_text(reader, node, where, name, sizeof name) != 0)
		return -1;
	for (unsigned i = 0; rpc_backend_names[i]; i++) {
		if (strcmp(rpc_backend_names[i], name) == 0) {
			volume->row.backend = (enum wherry_backend)(i + 1);
			return 0;
		}
	}
	return yaml_refuse(reader, node, where, "must be ram, file or null");
}

int config_grow_list(void **list, size_t *cap, size_t count, size_t item_bytes)
{
	if (count < *cap)
		return 0;
	size_t more = *cap ? *cap * 2 : 16;
	void *bigger = realloc(*list, more * item_bytes);
	if (!bigger)
		return -1;
	*list = bigger;
	*cap = more;
	return 0;
}

static int take_volume(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("name", YAML_TEXT, struct config_volume, row.name, true),
		KEY_CUSTOM("backend", take_backend, true),
		KEY("path", YAML_TEXT, struct config_volume, row.path, false),
		KEY("size", YAML_SIZE, struct config_volume, row.size_bytes, false),
		KEY("block_bytes", YAML_U32, struct config_volume, row.block_bytes, false),
		KEY("read_only", YAML_BOOL, struct config_volume, row.read_only, false),
		KEY("write_back", YAML_BOOL, struct config_volume, row.write_back, false),
		KEY("online", YAML_BOOL, struct config_volume, row.online, false),
		KEY("uuid", YAML_TEXT, struct config_volume, row.uuid, false),
		KEY("create_file", YAML_BOOL, struct config_volume, create_file, false),
		KEY("sparse", YAML_BOOL, struct config_volume, sparse, false),
		KEY_END,
	};
	struct config *config = to;
	struct fail why;

	if (config_grow_list((void **)&config->volumes, &config->volume_cap, config->volume_count,
			     sizeof *config->volumes))
		return yaml_refuse(reader, node, where, "out of memory");
	struct config_volume *volume = &config->volumes[config->volume_count];
	*volume = (struct config_volume){.line = yaml_line(node), .row.block_bytes = 512, .row.online = true};
	if (yaml_take_map(reader, node, where, keys, volume) != 0)
		return -1;
	/* Without a size it keeps the one it has; whether it has one is told when it is compared with the state. */
	struct volume_row sized = volume->row;
	if (sized.size_bytes == 0)
		sized.size_bytes = WHERRY_VOLUME_BYTES_MIN;
	if (model_volume_check(&sized, &why) != 0)
		return config_refuse_object(reader, node, &why);
	if (volume->create_file && (volume->row.backend != WHERRY_BACKEND_FILE || volume->row.size_bytes == 0))
		return yaml_refuse(reader, node, where, "create_file needs backend file and a size");
	if (volume->sparse && !volume->create_file)
		return yaml_refuse(reader, node, where, "sparse goes with create_file");
	config->volume_count++;
	return 0;
}

static int take_volumes(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	((struct config *)to)->volumes_given = true;
	return yaml_take_list(reader, node, where, WHERRY_VOLUME_COUNT_MAX, take_volume, to);
}

/* --------------------------------------------------------------- exports */

static int take_export_vlans(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_export *export_ = to;

	return take_vlans(reader, node, where, export_->row.vlans, &export_->row.vlan_count);
}

static int take_export_port(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_export *export_ = to;
	char *name = export_->ports[export_->row.port_count];

	if (yaml_take_text(reader, node, where, name, sizeof export_->ports[0]) != 0)
		return -1;
	for (unsigned i = 0; i < export_->row.port_count; i++)
		if (strcmp(export_->ports[i], name) == 0)
			return yaml_refuse(reader, node, where, "port '%s' comes twice", name);
	export_->row.port_count++;
	return 0;
}

static int take_export_ports(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	return yaml_take_list(reader, node, where, WHERRY_PORT_COUNT_MAX, take_export_port, to);
}

static int take_mac(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_export *export_ = to;
	struct wherry_mac *mac = &export_->row.mask[export_->row.mask_count];
	char text[TEXT_MAC_BYTES + 1];

	if (yaml_take_text(reader, node, where, text, sizeof text) != 0)
		return -1;
	if (text_mac_parse(text, mac) != 0 || !text_mac_is_host(mac))
		return yaml_refuse(reader, node, where, "must be the MAC address of a host, 00:11:22:33:44:55");
	for (unsigned i = 0; i < export_->row.mask_count; i++)
		if (memcmp(&export_->row.mask[i], mac, sizeof *mac) == 0)
			return yaml_refuse(reader, node, where, "%s comes twice", text);
	export_->row.mask_count++;
	return 0;
}

static int take_mask(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_export *export_ = to;

	export_->mask_given = true;
	return yaml_take_list(reader, node, where, WHERRY_AOE_MASK_COUNT_MAX, take_mac, to);
}

static int take_config_string(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_export *export_ = to;
	char text[WHERRY_AOE_CONFIG_BYTES_MAX + 1];

	if (export_->config_given)
		return yaml_refuse(reader, node, where, "config_string and config_string_hex exclude each other");
	if (yaml_take_text(reader, node, where, text, sizeof text) != 0)
		return -1;
	export_->config_given = true;
	export_->row.config_bytes = (uint16_t)strlen(text);
	memcpy(export_->row.config, text, export_->row.config_bytes);
	return 0;
}

static int take_config_hex(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct config_export *export_ = to;
	char text[2 * WHERRY_AOE_CONFIG_BYTES_MAX + 1];
	size_t len = 0;

	if (export_->config_given)
		return yaml_refuse(reader, node, where, "config_string and config_string_hex exclude each other");
	if (yaml_take_text(reader, node, where, text, sizeof text) != 0)
		return -1;
	if (text_hex_parse(text, export_->row.config, sizeof export_->row.config, &len) != 0)
		return yaml_refuse(reader, node, where, "must be hexadecimal, two digits a byte");
	export_->config_given = true;
	export_->row.config_bytes = (uint16_t)len;
	return 0;
}

static int take_remote(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("mask", YAML_BOOL, struct config_export, row.remote_mask, false),
		KEY("config", YAML_BOOL, struct config_export, row.remote_config, false),
		KEY("force_reserve", YAML_BOOL, struct config_export, row.remote_force_reserve, false),
		KEY_END,
	};

	return yaml_take_map(reader, node, where, keys, to);
}

static int take_export(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("shelf", YAML_U16, struct config_export, row.shelf, true),
		KEY("slot", YAML_U8, struct config_export, row.slot, true),
		KEY("volume", YAML_TEXT, struct config_export, row.volume_name, true),
		KEY("read_only", YAML_BOOL, struct config_export, row.read_only, false),
		KEY("buffer_count", YAML_U16, struct config_export, row.buffer_count, false),
		KEY("sectors_max", YAML_U16, struct config_export, row.sectors_max, false),
		KEY_CUSTOM("ports", take_export_ports, false),
		KEY_CUSTOM("vlans", take_export_vlans, false),
		KEY_CUSTOM("remote", take_remote, false),
		KEY_CUSTOM("mask", take_mask, false),
		KEY_CUSTOM("config_string", take_config_string, false),
		KEY_CUSTOM("config_string_hex", take_config_hex, false),
		KEY_END,
	};
	struct config *config = to;
	struct fail why;

	if (config_grow_list((void **)&config->exports, &config->export_cap, config->export_count,
			     sizeof *config->exports))
		return yaml_refuse(reader, node, where, "out of memory");
	struct config_export *export_ = &config->exports[config->export_count];
	memset(export_, 0, sizeof *export_);
	export_->line = yaml_line(node);
	export_->row.buffer_count = 64;
	if (yaml_take_map(reader, node, where, keys, export_) != 0)
		return -1;
	if (model_export_check(&export_->row, &why) != 0)
		return config_refuse_object(reader, node, &why);
	config->export_count++;
	return 0;
}

static int take_aoe(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	return yaml_take_list(reader, node, where, WHERRY_EXPORT_COUNT_MAX, take_export, to);
}

static int take_exports(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {KEY_CUSTOM("aoe", take_aoe, false),
					       KEY_CUSTOM("nbd", config_take_nbd_exports, false), KEY_END};

	((struct config *)to)->exports_given = true;
	return yaml_take_map(reader, node, where, keys, to);
}

/* ------------------------------------------------------------- the whole */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct config_volume *)a)->row.name, ((const struct config_volume *)b)->row.name);
}

static int by_path(const void *a, const void *b)
{
	return strcmp((*(const struct config_volume *const *)a)->row.path,
		      (*(const struct config_volume *const *)b)->row.path);
}

static int by_address(const void *a, const void *b)
{
	return state_export_key(&((const struct config_export *)a)->row) -
	       state_export_key(&((const struct config_export *)b)->row);
}

/* Sort by name, and refuse names and paths that come twice. */
static int order_volumes(struct config *config, struct fail *fail)
{
	size_t count = config->volume_count;
	const struct config_volume **sorted = calloc(count + 1, sizeof *sorted);
	int rc = sorted ? 0 : fail_set(fail, FAIL_FAILED, "out of memory");

	if (count)
		qsort(config->volumes, count, sizeof *config->volumes, by_name);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		const struct config_volume *volume = sorted[i] = &config->volumes[i];
		if (i > 0 && by_name(volume - 1, volume) == 0)
			rc = fail_set(fail, FAIL_USAGE, "line %u: volume '%s' comes twice, see line %u",
				      volume->line > volume[-1].line ? volume->line : volume[-1].line, volume->row.name,
				      volume->line > volume[-1].line ? volume[-1].line : volume->line);
	}
	if (rc == 0)
		qsort(sorted, count, sizeof *sorted, by_path);
	for (size_t i = 1; rc == 0 && i < count; i++)
		if (sorted[i]->row.path[0] && strcmp(sorted[i - 1]->row.path, sorted[i]->row.path) == 0)
			rc = fail_set(fail, FAIL_USAGE, "line %u: %.200s is the file of another volume, see line %u",
				      sorted[i]->line, sorted[i]->row.path, sorted[i - 1]->line);
	free(sorted);
	return rc;
}

/* Sort by address, and refuse addresses that come twice. */
static int order_exports(struct config *config, struct fail *fail)
{
	if (config->export_count)
		qsort(config->exports, config->export_count, sizeof *config->exports, by_address);
	for (size_t i = 1; i < config->export_count; i++) {
		const struct config_export *export_ = &config->exports[i];
		if (by_address(export_ - 1, export_) == 0)
			return fail_set(fail, FAIL_USAGE, "line %u: AoE export %u.%u comes twice, see line %u",
					export_->line > export_[-1].line ? export_->line : export_[-1].line,
					export_->row.shelf, export_->row.slot,
					export_->line > export_[-1].line ? export_[-1].line : export_->line);
	}
	return 0;
}

const struct config_volume *config_volume_named(const struct config *config, const char *name)
{
	struct config_volume key;

	if (config->volume_count == 0)
		return NULL;
	(void)snprintf(key.row.name, sizeof key.row.name, "%s", name);
	return bsearch(&key, config->volumes, config->volume_count, sizeof *config->volumes, by_name);
}

const struct config_export *config_export_at(const struct config *config, uint16_t shelf, uint8_t slot)
{
	struct config_export key;

	if (config->export_count == 0)
		return NULL;
	key.row.shelf = shelf;
	key.row.slot = slot;
	return bsearch(&key, config->exports, config->export_count, sizeof *config->exports, by_address);
}

const struct config_port *config_port_named(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->port_count; i++)
		if (strcmp(config->ports[i].row.name, name) == 0)
			return &config->ports[i];
	return NULL;
}

struct config *config_parse(const char *text, size_t len, struct fail *fail)
{
	static const struct yaml_key keys[] = {
		KEY_CUSTOM("ports", take_ports, false),
		KEY_CUSTOM("lcores", take_lcores, false),
		KEY_CUSTOM("idle", take_idle, false),
		KEY_CUSTOM("volumes", take_volumes, false),
		KEY_CUSTOM("exports", take_exports, false),
		KEY_CUSTOM("addresses", config_take_addresses, false),
		KEY_CUSTOM("routes", config_take_routes, false),
		KEY_CUSTOM("tcp", config_take_tcp, false),
		KEY_CUSTOM("nbd", config_take_nbd, false),
		KEY_END,
	};
	struct yaml_reader reader = {.fail = fail};
	struct config *config = calloc(1, sizeof *config);
	yaml_node_t *root = NULL;

	if (!config) {
		(void)fail_set(fail, FAIL_FAILED, "out of memory");
		return NULL;
	}
	int rc = yaml_load(&reader, text, len, &root);
	if (rc == 0) {
		if (root)
			rc = yaml_take_map(&reader, root, "", keys, config);
		yaml_document_delete(&reader.document);
	}
	if (rc != 0 || order_volumes(config, fail) != 0 || order_exports(config, fail) != 0 ||
	    config_order_nbd_exports(config, fail) != 0) {
		config_free(config);
		return NULL;
	}
	return config;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	free(config->volumes);
	free(config->exports);
	free(config->nbd_exports);
	free(config);
}
