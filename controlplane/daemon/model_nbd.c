/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/model_nbd.h"

#include <string.h>

#include "common/text.h"

static int check_allow(const struct nbd_export_row *row, struct fail *fail)
{
	char text[TEXT_PREFIX_BYTES], better[TEXT_PREFIX_BYTES];

	if (row->allow_count > WHERRY_NBD_ALLOW_COUNT_MAX)
		return fail_set(fail, FAIL_USAGE, "NBD export '%s': it can be open to at most %d prefixes, not %u",
				row->name, WHERRY_NBD_ALLOW_COUNT_MAX, row->allow_count);
	for (unsigned i = 0; i < row->allow_count; i++) {
		struct text_prefix network = text_prefix_network(&row->allow[i]);
		(void)text_prefix_emit(&row->allow[i], text);
		if (!text_prefix_equal(&network, &row->allow[i]))
			return fail_set(fail, FAIL_USAGE, "NBD export '%s': %s has bits beyond its prefix; give %s",
					row->name, text, text_prefix_emit(&network, better));
		for (unsigned j = 0; j < i; j++)
			if (text_prefix_equal(&row->allow[j], &row->allow[i]))
				return fail_set(fail, FAIL_USAGE, "NBD export '%s': %s is named twice", row->name,
						text);
	}
	return 0;
}

int model_nbd_check(const struct nbd_export_row *row, struct fail *fail)
{
	const char *why = text_name_check(row->name);

	if (why)
		return fail_set(fail, FAIL_USAGE, "NBD export '%s': %s", row->name, why);
	if (!text_is_printable((const uint8_t *)row->description, strlen(row->description)))
		return fail_set(fail, FAIL_USAGE,
				"NBD export '%s': its description must be UTF-8 without control characters", row->name);
	return check_allow(row, fail);
}

/* Only one can answer to the empty name. */
static int check_default(struct state *state, const struct nbd_export_row *row, struct fail *fail)
{
	struct nbd_export_row other;
	int rc = row->is_default ? state_nbd_default(state, &other, fail) : 0;

	if (rc < 0)
		return -1;
	if (rc == 1 && strcmp(other.name, row->name) != 0)
		return fail_set(fail, FAIL_CONFLICT,
				"NBD export '%s': '%s' is the default already; 'export nbd set %s --default no' first",
				row->name, other.name, other.name);
	return 0;
}

int model_nbd_create(struct state *state, struct nbd_export_row *row, struct fail *fail)
{
	struct nbd_export_row other;
	struct fail ignored;

	if (model_nbd_check(row, fail) != 0)
		return -1;
	if (state_nbd_by_name(state, row->name, &other, &ignored) == 0)
		return fail_set(fail, FAIL_CONFLICT,
				"NBD export '%s' exists already, it serves volume '%s'; choose another name", row->name,
				other.volume_name);
	if (state_nbd_count(state) >= WHERRY_NBD_EXPORT_COUNT_MAX)
		return fail_set(fail, FAIL_CONFLICT,
				"NBD export '%s': there are already %d NBD exports, the most possible", row->name,
				WHERRY_NBD_EXPORT_COUNT_MAX);
	if (check_default(state, row, fail) != 0 || state_nbd_insert(state, row, fail) != 0 ||
	    state_nbd_by_name(state, row->name, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "nbd.export.created", row->name, "created, volume %s",
			   row->volume_name);
}

int model_nbd_set(struct state *state, struct nbd_export_row *row, struct fail *fail)
{
	if (model_nbd_check(row, fail) != 0 || check_default(state, row, fail) != 0 ||
	    state_nbd_update(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "nbd.export.changed", row->name, "%s%s, open to %u prefixes%s",
			   row->read_only ? "read-only" : "writable", row->is_default ? ", the default" : "",
			   row->allow_count, row->allow_count ? "" : " (everybody)");
}

int model_nbd_delete(struct state *state, const struct nbd_export_row *row, struct fail *fail)
{
	if (state_nbd_delete(state, row->id, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "nbd.export.deleted", row->name, "deleted");
}
