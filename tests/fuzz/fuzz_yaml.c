/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes as a configuration: read, or refused with a reason that names a line. */
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fail fail = {.kind = FAIL_NONE, .text = ""};
	struct config *config = config_parse((const char *)data, size, &fail);

	if (!config) {
		require(fail.kind == FAIL_USAGE && strncmp(fail.text, "line ", 5) == 0);
		return 0;
	}
	for (size_t i = 0; i < config->volume_count; i++)
		require(config_volume_named(config, config->volumes[i].row.name) == &config->volumes[i]);
	for (size_t i = 0; i < config->export_count; i++)
		require(config_export_at(config, config->exports[i].row.shelf, config->exports[i].row.slot) ==
			&config->exports[i]);
	config_free(config);
	return 0;
}
