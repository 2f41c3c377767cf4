/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Schema of the state file, one text per version.  A version that was released
 * never changes; a later one adds the statements that lead from its predecessor.
 *
 * fault: the nine numbers of struct volume_fault, separated by blanks, or null.
 * identity, epoch: of the state itself, see state_epoch_begin.
 * vlans: numbers separated by commas.  mask, reserve: MAC addresses, six bytes each.
 * address, prefix, gateway: 16 bytes, IPv4 as ::ffff:a.b.c.d; bits: of the family.
 * allow: 17 bytes each, an address and the bits of its prefix.
 * generation of network: grows with addresses, routes and settings.
 */
#pragma once

/* clang-format off */
static const char state_schema_1[] =
	"CREATE TABLE volume (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),\n"
	"  backend INTEGER NOT NULL CHECK (backend BETWEEN 1 AND 3),\n"
	"  path TEXT UNIQUE CHECK ((path IS NOT NULL) = (backend = 2)),\n"
	"  size_bytes INTEGER NOT NULL CHECK (size_bytes > 0),\n"
	"  block_bytes INTEGER NOT NULL CHECK (block_bytes IN (512, 4096)),\n"
	"  read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),\n"
	"  write_back INTEGER NOT NULL CHECK (write_back IN (0, 1)),\n"
	"  online INTEGER NOT NULL CHECK (online IN (0, 1)),\n"
	"  uuid TEXT NOT NULL UNIQUE CHECK (length(uuid) = 36),\n"
	"  serial TEXT NOT NULL UNIQUE CHECK (length(serial) BETWEEN 1 AND 20),\n"
	"  created_at_us INTEGER NOT NULL,\n"
	"  generation INTEGER NOT NULL CHECK (generation > 0),\n"
	"  fault TEXT\n"
	") STRICT;\n"
	"CREATE TABLE port (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),\n"
	"  device TEXT NOT NULL UNIQUE,\n"
	"  mtu INTEGER NOT NULL CHECK (mtu BETWEEN 576 AND 9216),\n"
	"  vlans TEXT NOT NULL\n"
	") STRICT;\n"
	"CREATE TABLE aoe_export (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"  volume_id INTEGER NOT NULL REFERENCES volume (id),\n"
	"  shelf INTEGER NOT NULL CHECK (shelf BETWEEN 0 AND 65534 AND shelf <> 4095),\n"
	"  slot INTEGER NOT NULL CHECK (slot BETWEEN 0 AND 254),\n"
	"  read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),\n"
	"  remote_mask INTEGER NOT NULL CHECK (remote_mask IN (0, 1)),\n"
	"  remote_config INTEGER NOT NULL CHECK (remote_config IN (0, 1)),\n"
	"  remote_force_reserve INTEGER NOT NULL CHECK (remote_force_reserve IN (0, 1)),\n"
	"  buffer_count INTEGER NOT NULL CHECK (buffer_count BETWEEN 2 AND 65535),\n"
	"  sectors_max INTEGER NOT NULL CHECK (sectors_max BETWEEN 0 AND 255),\n"
	"  vlans TEXT NOT NULL,\n"
	"  generation INTEGER NOT NULL CHECK (generation > 0),\n"
	"  state_generation INTEGER NOT NULL CHECK (state_generation > 0),\n"
	"  config BLOB NOT NULL CHECK (length(config) <= 1024),\n"
	"  mask BLOB NOT NULL CHECK (length(mask) % 6 = 0 AND length(mask) <= 6 * 185),\n"
	"  reserve BLOB NOT NULL CHECK (length(reserve) % 6 = 0 AND length(reserve) <= 6 * 255),\n"
	"  UNIQUE (shelf, slot)\n"
	") STRICT;\n"
	"CREATE INDEX aoe_export_volume ON aoe_export (volume_id, shelf, slot);\n"
	"CREATE TABLE aoe_export_port (\n"
	"  export_id INTEGER NOT NULL REFERENCES aoe_export (id) ON DELETE CASCADE,\n"
	"  port_id INTEGER NOT NULL REFERENCES port (id),\n"
	"  PRIMARY KEY (export_id, port_id)\n"
	") STRICT, WITHOUT ROWID;\n"
	"CREATE INDEX aoe_export_port_port ON aoe_export_port (port_id);\n"
	"CREATE TABLE runtime (\n"
	"  id INTEGER PRIMARY KEY CHECK (id = 1),\n"
	"  lcores TEXT NOT NULL,\n"
	"  main_lcore INTEGER NOT NULL CHECK (main_lcore BETWEEN -1 AND 1023),\n"
	"  idle_spin_turns INTEGER NOT NULL CHECK (idle_spin_turns >= 0),\n"
	"  idle_pause_turns INTEGER NOT NULL CHECK (idle_pause_turns >= 0),\n"
	"  idle_sleep_us INTEGER NOT NULL CHECK (idle_sleep_us >= 0),\n"
	"  identity INTEGER NOT NULL CHECK (identity BETWEEN 1 AND 4294967295),\n"
	"  epoch INTEGER NOT NULL CHECK (epoch BETWEEN 0 AND 4294967295)\n"
	") STRICT;\n"
	"INSERT INTO runtime VALUES (1, '', -1, 500, 500, 50, 1 + (random() & 2147483647), 0);\n"
	"CREATE TABLE event (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"  time_us INTEGER NOT NULL,\n"
	"  severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 2),\n"
	"  code TEXT NOT NULL,\n"
	"  object TEXT NOT NULL,\n"
	"  message TEXT NOT NULL\n"
	") STRICT;\n";

static const char state_schema_2[] =
	"CREATE TABLE address (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  port_id INTEGER NOT NULL REFERENCES port (id),\n"
	"  vlan INTEGER NOT NULL CHECK (vlan BETWEEN 0 AND 4094),\n"
	"  address BLOB NOT NULL CHECK (length(address) = 16),\n"
	"  bits INTEGER NOT NULL CHECK (bits BETWEEN 1 AND 128),\n"
	"  UNIQUE (port_id, vlan, address)\n"
	") STRICT;\n"
	"CREATE TABLE route (\n"
	"  id INTEGER PRIMARY KEY,\n"
	"  prefix BLOB NOT NULL CHECK (length(prefix) = 16),\n"
	"  bits INTEGER NOT NULL CHECK (bits BETWEEN 0 AND 128),\n"
	"  gateway BLOB NOT NULL CHECK (length(gateway) = 16),\n"
	"  UNIQUE (prefix, bits)\n"
	") STRICT;\n"
	"CREATE TABLE network (\n"
	"  id INTEGER PRIMARY KEY CHECK (id = 1),\n"
	"  generation INTEGER NOT NULL CHECK (generation >= 0),\n"
	"  nbd_tcp_port INTEGER NOT NULL CHECK (nbd_tcp_port BETWEEN 0 AND 65535),\n"
	"  congestion INTEGER NOT NULL CHECK (congestion BETWEEN 0 AND 2),\n"
	"  ecn INTEGER NOT NULL CHECK (ecn IN (0, 1)),\n"
	"  keepalive_idle_ms INTEGER NOT NULL CHECK (keepalive_idle_ms >= 0),\n"
	"  keepalive_interval_ms INTEGER NOT NULL CHECK (keepalive_interval_ms >= 0),\n"
	"  keepalive_count INTEGER NOT NULL CHECK (keepalive_count >= 0),\n"
	"  user_timeout_ms INTEGER NOT NULL CHECK (user_timeout_ms >= 0)\n"
	") STRICT;\n"
	"INSERT INTO network VALUES (1, 0, 10809, 0, 1, 60000, 10000, 6, 60000);\n"
	"CREATE TABLE nbd_export (\n"
	"  id INTEGER PRIMARY KEY AUTOINCREMENT,\n"
	"  volume_id INTEGER NOT NULL REFERENCES volume (id),\n"
	"  name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 63),\n"
	"  description TEXT NOT NULL,\n"
	"  read_only INTEGER NOT NULL CHECK (read_only IN (0, 1)),\n"
	"  is_default INTEGER NOT NULL CHECK (is_default IN (0, 1)),\n"
	"  allow BLOB NOT NULL CHECK (length(allow) % 17 = 0 AND length(allow) <= 17 * 64),\n"
	"  generation INTEGER NOT NULL CHECK (generation > 0)\n"
	") STRICT;\n"
	"CREATE INDEX nbd_export_volume ON nbd_export (volume_id, name);\n"
	"CREATE UNIQUE INDEX nbd_export_default ON nbd_export (is_default) WHERE is_default = 1;\n";

static const char state_schema_3[] =
	"ALTER TABLE port ADD COLUMN punt INTEGER NOT NULL DEFAULT 0 CHECK (punt IN (0, 1));\n"
	"ALTER TABLE port ADD COLUMN punt_rate INTEGER NOT NULL DEFAULT 10000"
	" CHECK (punt_rate BETWEEN 0 AND 1000000);\n"
	"ALTER TABLE port ADD COLUMN slaac INTEGER NOT NULL DEFAULT 0 CHECK (slaac IN (0, 1));\n";

/* What leads from each version to the next; the first leads from an empty file. */
static const char *const state_schemas[] = {state_schema_1, state_schema_2, state_schema_3};
/* clang-format on */
