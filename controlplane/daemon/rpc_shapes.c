/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/rpc_shapes.h"

#include "common/text.h"
#include "daemon/rpc.h"

const char *const rpc_backend_names[] = {"ram", "file", "null", NULL};
const char *const rpc_severity_names[] = {"info", "warning", "error", NULL};

static const struct rpc_schema backend = {.type = RPC_STRING, .choices = rpc_backend_names};
static const struct rpc_schema severity = {.type = RPC_STRING, .choices = rpc_severity_names};
static const struct rpc_schema lcore_or_null = {.type = RPC_INT, .nullable = true, .min = 0, .max = UINT16_MAX};
static const struct rpc_schema addresses = {.type = RPC_ARRAY, .items = &rpc_text};

static const struct rpc_field fault_fields[] = {
	RPC_REQUIRED("seed", &rpc_u64, "of the random decisions"),
	RPC_REQUIRED("read_error_ppm", &rpc_ppm, "reads that fail, per million"),
	RPC_REQUIRED("write_error_ppm", &rpc_ppm, "writes that fail, per million"),
	RPC_REQUIRED("flush_error_ppm", &rpc_ppm, "flushes that fail, per million"),
	RPC_REQUIRED("no_space_ppm", &rpc_ppm, "writes that find no space, per million"),
	RPC_REQUIRED("delay_ppm", &rpc_ppm, "requests that are delayed, per million"),
	RPC_REQUIRED("delay_us", &rpc_u32, "by how much"),
	RPC_REQUIRED("bad_offset_bytes", &rpc_u64, "start of a range that always fails"),
	RPC_REQUIRED("bad_length_bytes", &rpc_u64, "its length"),
	RPC_END,
};
static const struct rpc_schema fault = {.type = RPC_OBJECT, .nullable = true, .fields = fault_fields};

static const struct rpc_field volume_fields[] = {
	RPC_REQUIRED("id", &rpc_u64, "never used twice"),
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_REQUIRED("backend", &backend, NULL),
	RPC_REQUIRED("path", &rpc_text_or_null, "of the file or device; null for other backends"),
	RPC_REQUIRED("size_bytes", &rpc_size, NULL),
	RPC_REQUIRED("block_bytes", &rpc_block_bytes, "logical block that clients are told"),
	RPC_REQUIRED("read_only", &rpc_bool, NULL),
	RPC_REQUIRED("write_back", &rpc_bool, "writes are acknowledged before they are durable"),
	RPC_REQUIRED("direct", &rpc_bool, "past the page cache (O_DIRECT)"),
	RPC_REQUIRED("uuid", &rpc_text, "never changes"),
	RPC_REQUIRED("serial", &rpc_text, "as clients see it; never changes"),
	RPC_REQUIRED("created_at_us", &rpc_u64, "UNIX time"),
	RPC_REQUIRED("wanted_online", &rpc_bool, "what the operator asked for"),
	RPC_REQUIRED("online", &rpc_bool, "the dataplane serves it"),
	RPC_REQUIRED("lcore", &lcore_or_null, "index of its home worker; null while unknown"),
	RPC_REQUIRED("detail", &rpc_text, "fall-backs taken and troubles"),
	RPC_REQUIRED("exports", &addresses, "AoE addresses SHELF.SLOT, and nbd:NAME"),
	RPC_REQUIRED("fault", &fault, "faults injected; null: none"),
	RPC_END,
};
const struct rpc_schema rpc_volume = {.type = RPC_OBJECT, .fields = volume_fields};
const struct rpc_schema rpc_volume_list = {.type = RPC_ARRAY, .items = &rpc_volume};

static const struct rpc_field event_fields[] = {
	RPC_REQUIRED("id", &rpc_u64, "grows, never used twice"),
	RPC_REQUIRED("time_us", &rpc_u64, "UNIX time"),
	RPC_REQUIRED("severity", &severity, NULL),
	RPC_REQUIRED("code", &rpc_text, "what happened, for programs"),
	RPC_REQUIRED("object", &rpc_text, "whom it concerns, or empty"),
	RPC_REQUIRED("message", &rpc_text, "what happened, for people"),
	RPC_END,
};
const struct rpc_schema rpc_event = {.type = RPC_OBJECT, .fields = event_fields};
const struct rpc_schema rpc_event_list = {.type = RPC_ARRAY, .items = &rpc_event};

static json_t *fault_json(const struct volume_row *row)
{
	const struct volume_fault *f = &row->fault;

	if (!row->has_fault)
		return json_null();
	return json_pack("{sI sI sI sI sI sI sI sI sI}", "seed", (json_int_t)f->seed, "read_error_ppm",
			 (json_int_t)f->read_error_ppm, "write_error_ppm", (json_int_t)f->write_error_ppm,
			 "flush_error_ppm", (json_int_t)f->flush_error_ppm, "no_space_ppm", (json_int_t)f->no_space_ppm,
			 "delay_ppm", (json_int_t)f->delay_ppm, "delay_us", (json_int_t)f->delay_us, "bad_offset_bytes",
			 (json_int_t)f->bad_offset_bytes, "bad_length_bytes", (json_int_t)f->bad_length_bytes);
}

static json_t *exports_of(struct state *state, uint64_t volume_id)
{
	struct export_row row;
	struct nbd_export_row nbd;
	char address[TEXT_AOE_BYTES];
	json_t *list = json_array();

	for (int32_t after = -1; state_export_next_of(state, volume_id, after, &row, NULL) == 1;
	     after = state_export_key(&row))
		(void)json_array_append_new(list, json_string(text_aoe_emit(row.shelf, row.slot, address)));
	for (nbd.name[0] = '\0'; state_nbd_next_of(state, volume_id, nbd.name, &nbd, NULL) == 1;)
		(void)json_array_append_new(list, json_sprintf("nbd:%s", nbd.name));
	return list;
}

json_t *rpc_volume_json(struct state *state, const struct volume_row *row, const struct volume_view *view)
{
	return json_pack(
		"{sI ss ss so sI sI sb sb sb ss ss sI sb sb so so so so}", "id", (json_int_t)row->id, "name", row->name,
		"backend", rpc_backend_names[row->backend - 1], "path",
		row->path[0] ? rpc_text_lenient(row->path) : json_null(), "size_bytes", (json_int_t)row->size_bytes,
		"block_bytes", (json_int_t)row->block_bytes, "read_only", row->read_only, "write_back", row->write_back,
		"direct", view->direct, "uuid", row->uuid, "serial", row->serial, "created_at_us",
		(json_int_t)row->created_at_us, "wanted_online", row->online, "online", view->online, "lcore",
		view->lcore < 0 ? json_null() : json_integer(view->lcore), "detail", rpc_text_lenient(view->detail),
		"exports", exports_of(state, row->id), "fault", fault_json(row));
}

json_t *rpc_event_json(const struct event_row *row)
{
	return json_pack("{sI sI ss so so so}", "id", (json_int_t)row->id, "time_us", (json_int_t)row->time_us,
			 "severity", rpc_severity_names[row->severity], "code", rpc_text_lenient(row->code), "object",
			 rpc_text_lenient(row->object), "message", rpc_text_lenient(row->message));
}
