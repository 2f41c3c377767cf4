/* SPDX-License-Identifier: BSD-3-Clause */
/* YAML: addresses, routes, TCP, NBD. */
#include <errno.h>
#include <stdio.h>

#include "daemon/config_priv.h"
#include "daemon/model_nbd.h"
#include "daemon/model_net.h"

static int take_prefix(struct yaml_reader *reader, const yaml_node_t *node, const char *where,
		       struct text_prefix *prefix)
{
	char text[TEXT_PREFIX_BYTES + 16];

	if (yaml_take_text(reader, node, where, text, sizeof text) != 0)
		return -1;
	int rc = text_prefix_parse(text, prefix);
	if (rc == -ERANGE)
		return yaml_refuse(reader, node, where, "the prefix is too long");
	return rc == 0 ? 0
		       : yaml_refuse(reader, node, where,
				     "must be an address of IPv4 or IPv6, 10.0.0.1/24 or 2001:db8::1/64");
}

/* ------------------------------------------------------------- addresses */

static int take_address_text(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct address_row *row = to;

	if (node->type == YAML_SCALAR_NODE && !memchr(node->data.scalar.value, '/', node->data.scalar.length))
		return yaml_refuse(reader, node, where, "the length of its network is missing, 10.0.0.1/24");
	return take_prefix(reader, node, where, &row->address);
}

static int take_vlan(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	int64_t vlan = 0;

	if (yaml_take_number(reader, node, where, 0, 4094, &vlan) != 0)
		return -1;
	((struct address_row *)to)->vlan = (uint16_t)vlan;
	return 0;
}

static int take_address(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("port", YAML_TEXT, struct address_row, port_name, true),
		KEY_CUSTOM("vlan", take_vlan, false),
		KEY_CUSTOM("address", take_address_text, true),
		KEY_END,
	};
	struct config *config = to;
	struct address_row *row = &config->net.addresses[config->net.address_count];
	struct fail why;

	if (yaml_take_map(reader, node, where, keys, row) != 0)
		return -1;
	if (model_address_check(row, &why) != 0)
		return config_refuse_object(reader, node, &why);
	config->address_lines[config->net.address_count++] = yaml_line(node);
	return 0;
}

int config_take_addresses(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	((struct config *)to)->addresses_given = true;
	return yaml_take_list(reader, node, where, WHERRY_ADDRESS_COUNT_MAX, take_address, to);
}

/* ---------------------------------------------------------------- routes */

static int take_route_prefix(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	return take_prefix(reader, node, where, &((struct route_row *)to)->prefix);
}

static int take_gateway(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	char text[TEXT_IP_BYTES + 16];

	if (yaml_take_text(reader, node, where, text, sizeof text) != 0)
		return -1;
	if (text_ip_parse(text, &((struct route_row *)to)->gateway) != 0)
		return yaml_refuse(reader, node, where, "must be the address of a router, 10.0.0.254");
	return 0;
}

static int take_route(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY_CUSTOM("prefix", take_route_prefix, true),
		KEY_CUSTOM("gateway", take_gateway, true),
		KEY_END,
	};
	struct config *config = to;
	struct route_row *row = &config->net.routes[config->net.route_count];
	struct fail why;

	if (yaml_take_map(reader, node, where, keys, row) != 0)
		return -1;
	if (model_route_check(row, &why) != 0)
		return config_refuse_object(reader, node, &why);
	config->route_lines[config->net.route_count++] = yaml_line(node);
	return 0;
}

int config_take_routes(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	((struct config *)to)->routes_given = true;
	return yaml_take_list(reader, node, where, WHERRY_ROUTE_COUNT_MAX, take_route, to);
}

/* -------------------------------------------------------------- TCP, NBD */

static int take_congestion(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	char name[16];

	if (yaml_take_text(reader, node, where, name, sizeof name) != 0)
		return -1;
	for (unsigned i = 0; model_congestion_names[i]; i++) {
		if (strcmp(model_congestion_names[i], name) == 0) {
			((struct config *)to)->network.congestion = (enum wherry_tcp_congestion)i;
			return 0;
		}
	}
	return yaml_refuse(reader, node, where, "must be cubic, dctcp or reno");
}

int config_take_tcp(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY_CUSTOM("congestion", take_congestion, true),
		KEY("ecn", YAML_BOOL, struct config, network.ecn, true),
		KEY("keepalive_idle_ms", YAML_U32, struct config, network.keepalive_idle_ms, true),
		KEY("keepalive_interval_ms", YAML_U32, struct config, network.keepalive_interval_ms, true),
		KEY("keepalive_count", YAML_U32, struct config, network.keepalive_count, true),
		KEY("user_timeout_ms", YAML_U32, struct config, network.user_timeout_ms, true),
		KEY_END,
	};
	struct config *config = to;
	struct fail why;

	config->tcp_given = true;
	if (yaml_take_map(reader, node, where, keys, config) != 0)
		return -1;
	return model_network_check(&config->network, &why) == 0 ? 0 : config_refuse_object(reader, node, &why);
}

int config_take_nbd(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("port", YAML_U16, struct config, network.nbd_tcp_port, true),
		KEY_END,
	};

	((struct config *)to)->nbd_given = true;
	return yaml_take_map(reader, node, where, keys, to);
}

static int take_allowed(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	struct nbd_export_row *row = to;

	return take_prefix(reader, node, where, &row->allow[row->allow_count++]);
}

static int take_allow(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	return yaml_take_list(reader, node, where, WHERRY_NBD_ALLOW_COUNT_MAX, take_allowed,
			      &((struct config_nbd_export *)to)->row);
}

static int take_nbd_export(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	static const struct yaml_key keys[] = {
		KEY("name", YAML_TEXT, struct config_nbd_export, row.name, true),
		KEY("volume", YAML_TEXT, struct config_nbd_export, row.volume_name, true),
		KEY("description", YAML_TEXT, struct config_nbd_export, row.description, false),
		KEY("read_only", YAML_BOOL, struct config_nbd_export, row.read_only, false),
		KEY("default", YAML_BOOL, struct config_nbd_export, row.is_default, false),
		KEY_CUSTOM("allow", take_allow, false),
		KEY_END,
	};
	struct config *config = to;
	struct fail why;

	if (config_grow_list((void **)&config->nbd_exports, &config->nbd_export_cap, config->nbd_export_count,
			     sizeof *config->nbd_exports))
		return yaml_refuse(reader, node, where, "out of memory");
	struct config_nbd_export *export_ = &config->nbd_exports[config->nbd_export_count];
	memset(export_, 0, sizeof *export_);
	export_->line = yaml_line(node);
	if (yaml_take_map(reader, node, where, keys, export_) != 0)
		return -1;
	if (model_nbd_check(&export_->row, &why) != 0)
		return config_refuse_object(reader, node, &why);
	config->nbd_export_count++;
	return 0;
}

int config_take_nbd_exports(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to)
{
	return yaml_take_list(reader, node, where, WHERRY_NBD_EXPORT_COUNT_MAX, take_nbd_export, to);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct config_nbd_export *)a)->row.name, ((const struct config_nbd_export *)b)->row.name);
}

int config_order_nbd_exports(struct config *config, struct fail *fail)
{
	const struct config_nbd_export *first = NULL;

	if (config->nbd_export_count)
		qsort(config->nbd_exports, config->nbd_export_count, sizeof *config->nbd_exports, by_name);
	for (size_t i = 0; i < config->nbd_export_count; i++) {
		const struct config_nbd_export *export_ = &config->nbd_exports[i];
		if (i > 0 && by_name(export_ - 1, export_) == 0)
			return fail_set(fail, FAIL_USAGE, "line %u: NBD export '%s' comes twice, see line %u",
					export_->line > export_[-1].line ? export_->line : export_[-1].line,
					export_->row.name,
					export_->line > export_[-1].line ? export_[-1].line : export_->line);
		if (export_->row.is_default && first)
			return fail_set(fail, FAIL_USAGE, "line %u: NBD export '%s': '%s' is the default, see line %u",
					export_->line, export_->row.name, first->row.name, first->line);
		if (export_->row.is_default)
			first = export_;
	}
	return 0;
}

const struct config_nbd_export *config_nbd_export_named(const struct config *config, const char *name)
{
	struct config_nbd_export key;

	if (config->nbd_export_count == 0)
		return NULL;
	(void)snprintf(key.row.name, sizeof key.row.name, "%s", name);
	return bsearch(&key, config->nbd_exports, config->nbd_export_count, sizeof *config->nbd_exports, by_name);
}
