/* SPDX-License-Identifier: BSD-3-Clause */
/* What the config_*.c and yaml_config*.c share. */
#pragma once

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/yaml_reader.h"

/* ---- reading: keys of a mapping */
#define KEY(name_, kind_, type_, member_, required_)                                                                   \
	{                                                                                                              \
		name_, kind_, offsetof(type_, member_), sizeof(((type_ *)NULL)->member_), required_, NULL              \
	}
#define KEY_CUSTOM(name_, take_, required_)                                                                            \
	{                                                                                                              \
		name_, YAML_CUSTOM, 0, 0, required_, take_                                                             \
	}
#define KEY_END                                                                                                        \
	{                                                                                                              \
		NULL, YAML_CUSTOM, 0, 0, false, NULL                                                                   \
	}

/* A reason of the model at the node that holds the object. */
int config_refuse_object(struct yaml_reader *reader, const yaml_node_t *node, const struct fail *why);
/* Room for one more; -1 without memory. */
int config_grow_list(void **list, size_t *cap, size_t count, size_t item_bytes);

/* Sections, to: struct config. */
int config_take_addresses(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to);
int config_take_routes(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to);
int config_take_tcp(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to);
int config_take_nbd(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to);
int config_take_nbd_exports(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to);
/* Sort by name, and refuse names that come twice, and a second default. */
int config_order_nbd_exports(struct config *config, struct fail *fail);

/* ---- comparing: "a -> b, c -> d" as it grows */
#define CONFIG_DETAIL_BYTES 512
struct config_detail {
	char text[CONFIG_DETAIL_BYTES];
	size_t len;
};
void config_detail_add(struct config_detail *detail, const char *format, ...) __attribute__((format(printf, 2, 3)));
void config_detail_bool(struct config_detail *detail, const char *what, bool before, bool after);
void config_detail_number(struct config_detail *detail, const char *what, int64_t before, int64_t after);
void config_change(struct config_diff *diff, const char *op, const char *kind, const char *name, const char *detail);

/* What the text makes of addresses and routes, or of the settings of the network: the given parts, and the rest of
 * have. */
void config_merge_net(const struct config *config, const struct net_rows *have, struct net_rows *want);
void config_merge_network(const struct config *config, const struct network_row *have, struct network_row *want);
int config_diff_net(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail);
int config_diff_nbd_exports(struct state *state, const struct config *config, struct config_diff *diff,
			    struct fail *fail);
/* Without a section for exports: none of NBD loses its volume. */
int config_check_nbd_left_alone(struct state *state, const struct config *config, struct fail *fail);

/* ---- writing */
int config_delete_nbd_exports(struct state *state, const struct config *config, struct fail *fail);
int config_write_nbd_exports(struct state *state, const struct config *config, struct fail *fail);
/* Before the ports change: what they carry may stand in the way. */
int config_clear_net(struct state *state, const struct config *config, struct fail *fail);
int config_write_net(struct state *state, const struct config *config, struct fail *fail);
