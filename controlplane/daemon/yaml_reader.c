/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/yaml_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#define WHERE_BYTES 192

unsigned yaml_line(const yaml_node_t *node)
{
	return (unsigned)node->start_mark.line + 1;
}

int yaml_refuse(struct yaml_reader *reader, const yaml_node_t *node, const char *where, const char *format, ...)
{
	char why[WHERRY_TEXT_BYTES_MAX + 1];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(why, sizeof why, format, args);
	va_end(args);
	return fail_set(reader->fail, FAIL_USAGE, "line %u: %s%s%.300s", yaml_line(node), where, where[0] ? ": " : "",
			why);
}

static const char *scalar(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

int yaml_take_text(struct yaml_reader *reader, const yaml_node_t *node, const char *where, char *to, size_t cap)
{
	const char *text = scalar(node);

	if (!text || strlen(text) != node->data.scalar.length)
		return yaml_refuse(reader, node, where, "must be a text");
	if (node->data.scalar.length >= cap)
		return yaml_refuse(reader, node, where, "is too long; at most %zu bytes", cap - 1);
	memcpy(to, text, node->data.scalar.length + 1);
	return 0;
}

int yaml_take_number(struct yaml_reader *reader, const yaml_node_t *node, const char *where, int64_t min, int64_t max,
		     int64_t *to)
{
	const char *text = scalar(node);
	char *end = NULL;
	size_t signs = text && text[0] == '-' ? 1 : 0;

	if (!text || strspn(text + signs, "0123456789") != strlen(text) - signs || strlen(text) - signs - 1 > 17 ||
	    (text[signs] == '0' && text[signs + 1]))
		return yaml_refuse(reader, node, where, "must be a whole number");
	*to = strtoll(text, &end, 10);
	if (*to < min || *to > max)
		return yaml_refuse(reader, node, where, "must be from %lld to %lld, not %lld", (long long)min,
				   (long long)max, (long long)*to);
	return 0;
}

static int take_bool(struct yaml_reader *reader, const yaml_node_t *node, const char *where, bool *to)
{
	const char *text = scalar(node);

	if (text && strcmp(text, "true") == 0)
		*to = true;
	else if (text && strcmp(text, "false") == 0)
		*to = false;
	else
		return yaml_refuse(reader, node, where, "must be true or false");
	return 0;
}

static int take_size(struct yaml_reader *reader, const yaml_node_t *node, const char *where, uint64_t *to)
{
	const char *text = scalar(node);

	if (!text || strlen(text) != node->data.scalar.length || text_size_parse(text, to) != 0 || *to == 0)
		return yaml_refuse(reader, node, where, "must be a size such as 10GiB or 512M");
	return 0;
}

static int take_value(struct yaml_reader *reader, const yaml_node_t *node, const char *where,
		      const struct yaml_key *key, void *to)
{
	char *at = (char *)to + key->offset;
	int64_t number = 0;
	int rc;

	switch (key->kind) {
	case YAML_TEXT:
		return yaml_take_text(reader, node, where, at, key->cap);
	case YAML_BOOL:
		return take_bool(reader, node, where, (bool *)at);
	case YAML_U8:
		rc = yaml_take_number(reader, node, where, 0, UINT8_MAX, &number);
		*(uint8_t *)at = (uint8_t)number;
		return rc;
	case YAML_U16:
		rc = yaml_take_number(reader, node, where, 0, UINT16_MAX, &number);
		*(uint16_t *)(void *)at = (uint16_t)number;
		return rc;
	case YAML_U32:
		rc = yaml_take_number(reader, node, where, 0, UINT32_MAX, &number);
		*(uint32_t *)(void *)at = (uint32_t)number;
		return rc;
	case YAML_S32:
		rc = yaml_take_number(reader, node, where, INT32_MIN, INT32_MAX, &number);
		*(int32_t *)(void *)at = (int32_t)number;
		return rc;
	case YAML_SIZE:
		return take_size(reader, node, where, (uint64_t *)(void *)at);
	case YAML_CUSTOM:
		return key->take(reader, node, where, to);
	}
	return -1;
}

static const struct yaml_key *find_key(const struct yaml_key *keys, const char *name)
{
	for (; keys->name; keys++)
		if (strcmp(keys->name, name) == 0)
			return keys;
	return NULL;
}

static int refuse_key(struct yaml_reader *reader, const yaml_node_t *node, const char *where, const char *name,
		      const struct yaml_key *keys)
{
	char list[240] = "";
	size_t at = 0;

	for (; keys->name && at < sizeof list - 1; keys++) {
		int n = snprintf(list + at, sizeof list - at, "%s%s", at ? ", " : "", keys->name);
		at = n > 0 && (size_t)n < sizeof list - at ? at + (size_t)n : sizeof list - 1;
	}
	return yaml_refuse(reader, node, where, "key '%.48s' is not known here; there are: %s", name, list);
}

int yaml_take_map(struct yaml_reader *reader, const yaml_node_t *node, const char *where, const struct yaml_key *keys,
		  void *to)
{
	uint64_t seen = 0;
	char place[WHERE_BYTES];

	if (node->type != YAML_MAPPING_NODE)
		return yaml_refuse(reader, node, where, "must be a mapping of keys to values");
	for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
	     pair++) {
		const yaml_node_t *name_node = yaml_document_get_node(&reader->document, pair->key);
		const yaml_node_t *value = yaml_document_get_node(&reader->document, pair->value);
		const char *name = scalar(name_node);
		if (!name)
			return yaml_refuse(reader, name_node, where, "a key must be a text");
		const struct yaml_key *key = find_key(keys, name);
		if (!key)
			return refuse_key(reader, name_node, where, name, keys);
		if (seen >> (key - keys) & 1)
			return yaml_refuse(reader, name_node, where, "key '%s' comes twice", name);
		seen |= 1ull << (key - keys);
		(void)snprintf(place, sizeof place, "%s%s%s", where, where[0] ? "." : "", name);
		if (take_value(reader, value, place, key, to) != 0)
			return -1;
	}
	for (const struct yaml_key *key = keys; key->name; key++)
		if (key->required && !(seen >> (key - keys) & 1))
			return yaml_refuse(reader, node, where, "key '%s' is missing", key->name);
	return 0;
}

int yaml_take_list(struct yaml_reader *reader, const yaml_node_t *node, const char *where, size_t max,
		   int (*take)(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to),
		   void *to)
{
	char place[WHERE_BYTES];
	size_t index = 0;

	if (node->type != YAML_SEQUENCE_NODE)
		return yaml_refuse(reader, node, where, "must be a list");
	for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
	     item++) {
		const yaml_node_t *entry = yaml_document_get_node(&reader->document, *item);
		if (index == max)
			return yaml_refuse(reader, entry, where, "has more than %zu entries", max);
		(void)snprintf(place, sizeof place, "%.150s[%zu]", where, index++);
		if (take(reader, entry, place, to) != 0)
			return -1;
	}
	return 0;
}

static int refuse_syntax(struct yaml_reader *reader, const yaml_parser_t *parser)
{
	size_t line = parser->problem_mark.line + 1;

	return fail_set(reader->fail, FAIL_USAGE, "line %zu: not YAML: %s%s%s", line,
			parser->problem ? parser->problem : "out of memory", parser->context ? ", " : "",
			parser->context ? parser->context : "");
}

int yaml_load(struct yaml_reader *reader, const char *text, size_t len, yaml_node_t **root)
{
	yaml_parser_t parser;
	yaml_document_t second;

	memset(&reader->document, 0, sizeof reader->document);
	if (!yaml_parser_initialize(&parser))
		return fail_set(reader->fail, FAIL_FAILED, "out of memory");
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	int rc = 0;
	if (!yaml_parser_load(&parser, &reader->document)) {
		rc = refuse_syntax(reader, &parser);
		yaml_parser_delete(&parser);
		return rc;
	}
	*root = yaml_document_get_root_node(&reader->document);
	if (*root) {
		if (!yaml_parser_load(&parser, &second)) {
			rc = refuse_syntax(reader, &parser);
		} else {
			yaml_node_t *more = yaml_document_get_root_node(&second);
			if (more)
				rc = yaml_refuse(reader, more, "", "a second document; there may be one only");
			yaml_document_delete(&second);
		}
	}
	if (rc != 0)
		yaml_document_delete(&reader->document);
	yaml_parser_delete(&parser);
	return rc;
}
