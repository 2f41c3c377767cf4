/* SPDX-License-Identifier: BSD-3-Clause */
/* The command table as JSON. */
#include "cli/table_json.h"

#include <string.h>

#include "cli/command.h"

/* What a value becomes on the wire. */
static const char *wire_type(const struct cli_param *param)
{
	switch ((enum cli_type)param->type) {
	case CLI_FLAG:
	case CLI_BOOL:
		return "boolean";
	case CLI_INT:
	case CLI_SIZE:
	case CLI_CHOICE:
	case CLI_TARGET:
		return "integer";
	case CLI_NAMES:
	case CLI_VLANS:
	case CLI_PREFIXES:
		return "array";
	case CLI_SECONDS:
		return "number";
	case CLI_JSON:
		return "object";
	case CLI_NAME:
	case CLI_TEXT:
	case CLI_PATH:
	case CLI_FILE:
	case CLI_ENUM:
	case CLI_MAC:
	case CLI_DEVICE:
	case CLI_LCORES:
	case CLI_PREFIX:
	case CLI_WORD:
	case CLI_SINCE:
	case CLI_TYPE_COUNT:
		break;
	}
	return param->flags & CLI_MANY ? "array" : "string";
}

static json_t *param_json(const struct cli_param *param)
{
	json_t *keys = json_array();
	if (param->type == CLI_TARGET) {
		json_array_append_new(keys, json_string("shelf"));
		json_array_append_new(keys, json_string("slot"));
	} else if (param->key) {
		json_array_append_new(keys, json_string(param->key));
	}
	return json_pack("{s:s, s:b, s:b, s:s, s:o}", "name", param->name, "positional",
			 (param->flags & CLI_POSITIONAL) != 0, "required", (param->flags & CLI_REQUIRED) != 0, "type",
			 wire_type(param), "keys", keys);
}

static json_t *columns_json(const struct cli_column *columns)
{
	json_t *paths = json_array();
	for (; columns && columns->title; columns++) {
		const char *bar = strchr(columns->path, '|');
		if (bar) {
			json_array_append_new(paths, json_stringn(columns->path, (size_t)(bar - columns->path)));
			json_array_append_new(paths, json_string(bar + 1));
		} else if (*columns->path) {
			json_array_append_new(paths, json_string(columns->path));
		}
	}
	return paths;
}

static json_t *command_json(const struct cli_command *command)
{
	static const char *const outputs[] = {"done", "list", "record", "values", "text"};
	char name[64] = "";
	json_t *params = json_array();
	for (unsigned i = 0; i < cli_word_count(command); i++) {
		size_t used = strlen(name);
		(void)snprintf(name + used, sizeof(name) - used, "%s%s", i ? " " : "", command->words[i]);
	}
	for (const struct cli_param *param = command->params; param->name; param++)
		json_array_append_new(params, param_json(param));
	json_t *columns = columns_json(command->columns);
	if (command->value_key)
		json_array_append_new(columns, json_string(command->value_key));
	return json_pack("{s:s, s:s?, s:s, s:o, s:o}", "command", name, "method", command->method, "output",
			 outputs[command->output], "columns", columns, "params", params);
}

json_t *cli_table_json(void)
{
	const struct cli_command *command;
	json_t *commands = json_array();
	for (unsigned i = 0; (command = cli_command_at(i)); i++)
		json_array_append_new(commands, command_json(command));
	return commands;
}
