/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Strict reading of a YAML document into structs, by tables of keys.  A reason
 * names the line and the place, "line 7: volumes[2].size: ...".  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <yaml.h>

#include "common/fail.h"

enum yaml_kind {
	YAML_TEXT,   /* char[], cap bytes */
	YAML_BOOL,   /* bool */
	YAML_U8,     /* uint8_t */
	YAML_U16,    /* uint16_t */
	YAML_U32,    /* uint32_t */
	YAML_S32,    /* int32_t */
	YAML_SIZE,   /* uint64_t, with units */
	YAML_CUSTOM, /* take */
};

struct yaml_reader {
	yaml_document_t document;
	struct fail *fail;
};

struct yaml_key {
	const char *name;
	enum yaml_kind kind;
	size_t offset;
	size_t cap; /* TEXT: of the array */
	bool required;
	int (*take)(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to);
};

/* Refuse at a node; returns -1. */
int yaml_refuse(struct yaml_reader *reader, const yaml_node_t *node, const char *where, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* A mapping with just these keys (the table ends with a NULL name), each at most once. */
int yaml_take_map(struct yaml_reader *reader, const yaml_node_t *node, const char *where, const struct yaml_key *keys,
		  void *to);
/* Call take for each entry of a sequence with at most max entries. */
int yaml_take_list(struct yaml_reader *reader, const yaml_node_t *node, const char *where, size_t max,
		   int (*take)(struct yaml_reader *reader, const yaml_node_t *node, const char *where, void *to),
		   void *to);
/* Scalars. */
int yaml_take_text(struct yaml_reader *reader, const yaml_node_t *node, const char *where, char *to, size_t cap);
int yaml_take_number(struct yaml_reader *reader, const yaml_node_t *node, const char *where, int64_t min, int64_t max,
		     int64_t *to);
unsigned yaml_line(const yaml_node_t *node);

/* Load the one document of a text; the caller deletes reader->document.  *root is NULL for an empty text.  0 or -1. */
int yaml_load(struct yaml_reader *reader, const char *text, size_t len, yaml_node_t **root);
