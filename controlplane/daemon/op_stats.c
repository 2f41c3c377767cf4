/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.get: counters by name, and latencies out of the histograms. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/histogram.h"
#include "daemon/op_priv.h"

struct stats_op {
	struct rpc_call *call;
	unsigned scope;
	uint64_t time_us;
	json_t *objects;
	int port_count;
	struct port_row ports[WHERRY_PORT_COUNT_MAX];
};

/* What the id of an item is called; false when it is gone meanwhile. */
static bool name_of(const struct stats_op *op, uint64_t id, char *name, size_t cap)
{
	struct state *state = op->call->daemon->state;
	struct nbd_export_row nbd;
	struct volume_row volume;
	struct export_row export_;

	switch (op->scope) {
	case WHERRY_SCOPE_PORT:
		if (id == 0 || id > (uint64_t)op->port_count)
			return false;
		(void)snprintf(name, cap, "%s", op->ports[id - 1].name);
		return true;
	case WHERRY_SCOPE_LCORE:
		(void)snprintf(name, cap, "%llu", (unsigned long long)id - 1);
		return id != 0;
	case WHERRY_SCOPE_EXPORT:
		if (state_export_by_id(state, id, &export_, NULL) != 0)
			return false;
		(void)snprintf(name, cap, "%u.%u", export_.shelf, export_.slot);
		return true;
	case WHERRY_SCOPE_NBD_EXPORT:
		if (state_nbd_by_id(state, id, &nbd, NULL) != 0)
			return false;
		(void)snprintf(name, cap, "%s", nbd.name);
		return true;
	default:
		if (state_volume_by_id(state, id, &volume, NULL) != 0)
			return false;
		(void)snprintf(name, cap, "%s", volume.name);
		return true;
	}
}

static void on_values(struct stats_op *op, const struct wherry_ctl_stats_item *item)
{
	const struct wherry_stat_scope_desc *desc = wherry_stat_scope_desc(op->scope);
	char name[WHERRY_NAME_BYTES_MAX + 1];

	if (!name_of(op, item->id, name, sizeof name))
		return;
	json_t *values = json_object();
	for (size_t i = 0; i < desc->stat_count && i < item->values.count; i++)
		(void)json_object_set_new(values, desc->stats[i].name, json_integer((json_int_t)item->values.v[i]));
	(void)json_array_append_new(op->objects, json_pack("{ss so}", "object", name, "values", values));
	op->time_us = item->time_us;
}

static json_t *object_named(const struct stats_op *op, const char *name)
{
	size_t count = json_array_size(op->objects);
	json_t *last = count ? json_array_get(op->objects, count - 1) : NULL;

	/* Histograms come right behind the values of their object. */
	if (last && strcmp(json_string_value(json_object_get(last, "object")), name) == 0)
		return last;
	for (size_t i = 0; i < count; i++) {
		json_t *object = json_array_get(op->objects, i);
		if (strcmp(json_string_value(json_object_get(object, "object")), name) == 0)
			return object;
	}
	return NULL;
}

static void on_histogram(struct stats_op *op, const struct wherry_ctl_hist_item *item)
{
	static const char *const kinds[] = {"read", "write", "other"};
	char name[WHERRY_NAME_BYTES_MAX + 1];

	if (item->kind >= 3 || !name_of(op, item->id, name, sizeof name))
		return;
	json_t *object = object_named(op, name);
	if (!object)
		return;
	json_t *histograms = json_object_get(object, "histograms");
	if (!histograms) {
		histograms = json_object();
		(void)json_object_set_new(object, "histograms", histograms);
	}
	(void)json_object_set_new(histograms, kinds[item->kind],
				  histogram_json(item->first_bucket, item->values.v, item->values.count));
}

static void on_item(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct stats_op *op = ctx;
	union {
		struct wherry_ctl_stats_item stats;
		struct wherry_ctl_hist_item hist;
	} item;

	(void)fd; /* none comes with it */
	if (type == WHERRY_CTL_STATS_ITEM && wherry_ctl_get_stats_item(fields, len, &item.stats) == 0)
		on_values(op, &item.stats);
	else if (type == WHERRY_CTL_HIST_ITEM && wherry_ctl_get_hist_item(fields, len, &item.hist) == 0)
		on_histogram(op, &item.hist);
}

static void on_done(void *ctx, int error, const char *message)
{
	struct stats_op *op = ctx;

	if (error) {
		json_decref(op->objects);
		op_refuse_absent(op->call, message);
	} else {
		rpc_reply(op->call,
			  json_pack("{sI so}", "time_us", (json_int_t)(op->time_us ? op->time_us : model_now_us()),
				    "objects", op->objects));
	}
	free(op);
}

/* The id that the dataplane knows an object by; 0 for all. */
static int id_of(struct stats_op *op, const char *object, uint64_t *id, struct fail *fail)
{
	struct state *state = op->call->daemon->state;
	struct nbd_export_row nbd;
	struct volume_row volume;
	struct export_row export_;
	uint16_t shelf;
	uint8_t slot;
	char *end;

	*id = 0;
	if (!object)
		return 0;
	switch (op->scope) {
	case WHERRY_SCOPE_PORT:
		for (int i = 0; i < op->port_count; i++)
			if (strcmp(op->ports[i].name, object) == 0)
				*id = (uint64_t)i + 1;
		return *id ? 0 : fail_set(fail, FAIL_NOT_FOUND, "port '%.64s' does not exist", object);
	case WHERRY_SCOPE_LCORE:
		*id = strtoull(object, &end, 10) + 1;
		if (object[0] < '0' || object[0] > '9' || *end || *id > WHERRY_LCORE_COUNT_MAX)
			return fail_set(fail, FAIL_NOT_FOUND, "lcore '%.64s' does not exist; name its index", object);
		return 0;
	case WHERRY_SCOPE_EXPORT:
		if (text_aoe_parse(object, &shelf, &slot) != 0)
			return fail_set(fail, FAIL_USAGE, "'%.64s' is not an AoE address such as 1.0", object);
		if (state_export_by_address(state, shelf, slot, &export_, fail) != 0)
			return -1;
		*id = export_.id;
		return 0;
	case WHERRY_SCOPE_NBD_EXPORT:
		if (state_nbd_by_name(state, object, &nbd, fail) != 0)
			return -1;
		*id = nbd.id;
		return 0;
	default:
		if (state_volume_by_name(state, object, &volume, fail) != 0)
			return -1;
		*id = volume.id;
		return 0;
	}
}

void op_stats_get(struct rpc_call *call, unsigned scope, const char *object, bool histograms)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct stats_op *op = calloc(1, sizeof *op);
	struct wherry_ctl_stats_get request = {.scope = (uint8_t)scope, .histograms = histograms};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof request];
	struct fail fail = {.kind = FAIL_FAILED, .text = "out of memory"};

	if (op) {
		op->call = call;
		op->scope = scope;
		op->port_count = state_port_list(call->daemon->state, op->ports, &fail);
	}
	if (!op || op->port_count < 0 || id_of(op, object, &request.id, &fail) != 0) {
		free(op);
		rpc_refuse(call, &fail);
		return;
	}
	if (!link) {
		free(op);
		op_refuse_absent(call, NULL);
		return;
	}
	op->objects = json_array();
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_stats_get(packet, sizeof packet, id, &request), -1, on_item,
			   on_done, op);
}
