/* SPDX-License-Identifier: BSD-3-Clause */
/* volume.*: from parameters to operations. */
#include <stdio.h>
#include <string.h>

#include "daemon/op.h"
#include "daemon/rpc_shapes.h"
#include "daemon/rpc_tables.h"

static const struct rpc_schema backend = {.type = RPC_STRING, .choices = rpc_backend_names};

static const struct rpc_field create_fields[] = {
	RPC_REQUIRED("name", &rpc_name, "letters, digits, '.', '_', '-'"),
	RPC_REQUIRED("backend", &backend, "where the data lives"),
	RPC_OPTIONAL("size_bytes", &rpc_size, "the size of the file", "required for ram, null and create_file"),
	RPC_OPTIONAL("path", &rpc_path, NULL, "absolute; file only"),
	RPC_OPTIONAL("block_bytes", &rpc_block_bytes, "512", "512 or 4096"),
	RPC_OPTIONAL("read_only", &rpc_bool, "false", NULL),
	RPC_OPTIONAL("write_back", &rpc_bool, "false", "acknowledge writes before they are durable"),
	RPC_OPTIONAL("create_file", &rpc_bool, "false", "make the file; refused when it exists"),
	RPC_OPTIONAL("sparse", &rpc_bool, "false", "with create_file: allocate nothing beforehand"),
	RPC_END,
};
static const struct rpc_schema create_params = {.type = RPC_OBJECT, .fields = create_fields};

static const struct rpc_field name_fields[] = {RPC_REQUIRED("name", &rpc_name, NULL), RPC_END};
static const struct rpc_schema name_params = {.type = RPC_OBJECT, .fields = name_fields};

static const struct rpc_field grow_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_REQUIRED("size_bytes", &rpc_size, "the new size; never less than the old"),
	RPC_END,
};
static const struct rpc_schema grow_params = {.type = RPC_OBJECT, .fields = grow_fields};

static const struct rpc_field delete_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_OPTIONAL("erase_file", &rpc_bool, "false", "remove the regular file too"),
	RPC_END,
};
static const struct rpc_schema delete_params = {.type = RPC_OBJECT, .fields = delete_fields};

static const struct rpc_field set_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_OPTIONAL("read_only", &rpc_bool, "unchanged", NULL),
	RPC_OPTIONAL("write_back", &rpc_bool, "unchanged", NULL),
	RPC_OPTIONAL("online", &rpc_bool, "unchanged", "false takes it out of service"),
	RPC_END,
};
static const struct rpc_schema set_params = {.type = RPC_OBJECT, .fields = set_fields};

static const struct rpc_field fault_fields[] = {
	RPC_REQUIRED("name", &rpc_name, NULL),
	RPC_OPTIONAL("seed", &rpc_u64, "0", "of the random decisions"),
	RPC_OPTIONAL("read_error_ppm", &rpc_ppm, "0", "reads that fail, per million"),
	RPC_OPTIONAL("write_error_ppm", &rpc_ppm, "0", "writes that fail, per million"),
	RPC_OPTIONAL("flush_error_ppm", &rpc_ppm, "0", "flushes that fail, per million"),
	RPC_OPTIONAL("no_space_ppm", &rpc_ppm, "0", "writes that find no space, per million"),
	RPC_OPTIONAL("delay_ppm", &rpc_ppm, "0", "requests that are delayed, per million"),
	RPC_OPTIONAL("delay_us", &rpc_u32, "0", "by how much"),
	RPC_OPTIONAL("bad_offset_bytes", &rpc_u64, "0", "start of a range that always fails"),
	RPC_OPTIONAL("bad_length_bytes", &rpc_u64, "0", "its length"),
	RPC_END,
};
static const struct rpc_schema fault_params = {.type = RPC_OBJECT, .fields = fault_fields};

static enum wherry_backend backend_of(const char *name)
{
	unsigned i = 0;

	while (rpc_backend_names[i] && strcmp(rpc_backend_names[i], name) != 0)
		i++;
	return (enum wherry_backend)(i + 1);
}

static void run_create(struct rpc_call *call)
{
	const json_t *params = call->params;
	struct op_volume_create create = {
		.create_file = rpc_param_bool(params, "create_file", false),
		.sparse = rpc_param_bool(params, "sparse", false),
	};
	struct volume_row *row = &create.row;

	(void)snprintf(row->name, sizeof row->name, "%s", rpc_param_text(params, "name", ""));
	(void)snprintf(row->path, sizeof row->path, "%s", rpc_param_text(params, "path", ""));
	row->backend = backend_of(rpc_param_text(params, "backend", ""));
	row->size_bytes = rpc_param_u64(params, "size_bytes", 0);
	row->block_bytes = (uint32_t)rpc_param_u64(params, "block_bytes", 512);
	row->read_only = rpc_param_bool(params, "read_only", false);
	row->write_back = rpc_param_bool(params, "write_back", false);
	row->online = true;
	op_volume_create(call, &create);
}

static void run_grow(struct rpc_call *call)
{
	op_volume_grow(call, rpc_param_text(call->params, "name", ""), rpc_param_u64(call->params, "size_bytes", 0));
}

static void run_delete(struct rpc_call *call)
{
	op_volume_delete(call, rpc_param_text(call->params, "name", ""),
			 rpc_param_bool(call->params, "erase_file", false));
}

/* The row with the changes that the parameters ask for; false: refused already. */
static bool load_row(struct rpc_call *call, struct volume_row *row)
{
	struct fail fail;

	if (state_volume_by_name(call->daemon->state, rpc_param_text(call->params, "name", ""), row, &fail) == 0)
		return true;
	rpc_refuse(call, &fail);
	return false;
}

static void run_set(struct rpc_call *call)
{
	struct volume_row row;

	if (!load_row(call, &row))
		return;
	row.read_only = rpc_param_bool(call->params, "read_only", row.read_only);
	row.write_back = rpc_param_bool(call->params, "write_back", row.write_back);
	row.online = rpc_param_bool(call->params, "online", row.online);
	op_volume_set(call, &row);
}

static void run_fault(struct rpc_call *call)
{
	const json_t *params = call->params;
	struct volume_row row;

	if (!load_row(call, &row))
		return;
	row.fault = (struct volume_fault){
		.seed = rpc_param_u64(params, "seed", 0),
		.read_error_ppm = (uint32_t)rpc_param_u64(params, "read_error_ppm", 0),
		.write_error_ppm = (uint32_t)rpc_param_u64(params, "write_error_ppm", 0),
		.flush_error_ppm = (uint32_t)rpc_param_u64(params, "flush_error_ppm", 0),
		.no_space_ppm = (uint32_t)rpc_param_u64(params, "no_space_ppm", 0),
		.delay_ppm = (uint32_t)rpc_param_u64(params, "delay_ppm", 0),
		.delay_us = (uint32_t)rpc_param_u64(params, "delay_us", 0),
		.bad_offset_bytes = rpc_param_u64(params, "bad_offset_bytes", 0),
		.bad_length_bytes = rpc_param_u64(params, "bad_length_bytes", 0),
	};
	op_volume_set(call, &row);
}

static void run_list(struct rpc_call *call)
{
	op_volume_list(call, NULL);
}

static void run_show(struct rpc_call *call)
{
	op_volume_list(call, rpc_param_text(call->params, "name", ""));
}

const struct rpc_method rpc_table_volume[] = {
	{"volume.create", "Create a volume.", &create_params, &rpc_volume, RPC_CHANGES, run_create},
	{"volume.grow", "Make a volume larger; its file or device grows with it where it can.", &grow_params,
	 &rpc_volume, RPC_CHANGES, run_grow},
	{"volume.set", "Change how a volume is served.", &set_params, &rpc_volume, RPC_CHANGES, run_set},
	{"volume.fault", "Inject faults into a volume; all zero ends it.", &fault_params, &rpc_volume, RPC_CHANGES,
	 run_fault},
	{"volume.delete", "Delete a volume that nothing exports; its file stays unless erase_file.", &delete_params,
	 &rpc_empty, RPC_CHANGES, run_delete},
	{"volume.list", "All volumes, by name.", &rpc_empty, &rpc_volume_list, 0, run_list},
	{"volume.show", "One volume.", &name_params, &rpc_volume, 0, run_show},
	{0},
};
