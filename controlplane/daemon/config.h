/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The whole configuration as one YAML text.
 *
 *   A section (ports, lcores, idle, addresses, routes, tcp, nbd, volumes, exports) that is absent is left as it is.
 *   In a section that is there, what is not named is deleted.
 *   Of an export, mask and config_string: left as they are when absent, because
 *   clients may change them; the reservation is the clients' alone and is not here.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/fail.h"
#include "daemon/state.h"

struct config_port {
	unsigned line;
	struct port_row row;
};

struct config_volume {
	unsigned line;
	struct volume_row row; /* size_bytes 0: not given */
	bool create_file, sparse;
};

struct config_export {
	unsigned line;
	struct export_row row; /* volume_name, not volume_id; port_ids unused */
	char ports[WHERRY_PORT_COUNT_MAX][WHERRY_NAME_BYTES_MAX + 1];
	bool mask_given, config_given;
};

struct config_nbd_export {
	unsigned line;
	struct nbd_export_row row; /* volume_name, not volume_id */
};

struct config {
	bool ports_given, lcores_given, idle_given, volumes_given, exports_given;
	bool addresses_given, routes_given, tcp_given, nbd_given;
	struct net_rows net; /* the given parts */
	unsigned address_lines[WHERRY_ADDRESS_COUNT_MAX], route_lines[WHERRY_ROUTE_COUNT_MAX];
	struct network_row network; /* the given parts */
	size_t nbd_export_count, nbd_export_cap;
	struct config_nbd_export *nbd_exports; /* by name */
	struct runtime_row runtime;            /* the given parts */
	size_t port_count, volume_count, export_count;
	size_t volume_cap, export_cap;
	struct config_port ports[WHERRY_PORT_COUNT_MAX];
	struct config_volume *volumes; /* by name */
	struct config_export *exports; /* by address */
};

/*
 * Read a text: strict about keys, types and ranges; every reason starts with
 * "line N:".  Names and addresses are checked, and that none comes twice; whether
 * it fits the state is config_diff's business.  Pure.  NULL with FAIL_USAGE.
 */
struct config *config_parse(const char *text, size_t len, struct fail *fail);
void config_free(struct config *config);
/* NULL when the text does not name it. */
const struct config_port *config_port_named(const struct config *config, const char *name);
const struct config_volume *config_volume_named(const struct config *config, const char *name);
const struct config_nbd_export *config_nbd_export_named(const struct config *config, const char *name);
const struct config_export *config_export_at(const struct config *config, uint16_t shelf, uint8_t slot);

/* The state as a text that config_parse reads back; malloc'ed, NULL with the reason. */
char *config_emit(struct state *state, struct fail *fail);

/* What must be done to the stores before the state may change. */
enum config_store_kind { CONFIG_STORE_OPEN, CONFIG_STORE_GROW };
struct config_store {
	enum config_store_kind kind;
	const struct config_volume *volume;
	uint64_t volume_id; /* GROW */
};

struct config_diff {
	json_t *changes;      /* [{op, kind, name, detail}] */
	bool runtime_changed; /* lcores or ports: the dataplane is to be started anew */
	size_t store_count, store_cap;
	struct config_store *stores;
};

/* Compare with the state; refuses what cannot be done (a volume that would shrink...), with its line.  0 or -1. */
int config_diff(struct state *state, const struct config *config, struct config_diff *diff, struct fail *fail);
void config_diff_free(struct config_diff *diff);

/*
 * Make the state what the configuration says, inside a transaction of the caller.
 * New volumes have their size by now.  The ids of new volumes are filled in.
 */
int config_write(struct state *state, struct config *config, struct fail *fail);
