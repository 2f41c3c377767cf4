/* SPDX-License-Identifier: BSD-3-Clause */
/* Ports, lcores, the idle policy: what the dataplane is started with. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "daemon/model_net.h"

#define IDLE_TURNS_MAX 100000000u
#define IDLE_SLEEP_US_MAX 100000u
#define SLAAC_MTU_MIN 1280 /* RFC 8200 5 */

static bool is_pci_address(const char *text)
{
	unsigned domain, bus, device, function;
	char end;

	return sscanf(text, "%4x:%2x:%2x.%1x%c", &domain, &bus, &device, &function, &end) == 4 && strlen(text) == 12;
}

static bool is_interface_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len <= 15 && strcspn(text, "/:,;= \t") == len && strcmp(text, ".") != 0 &&
	       strcmp(text, "..") != 0;
}

/* "/path[,role=server|client][,id=N][,queues=N]" */
static bool is_memif(const char *text)
{
	size_t path = strcspn(text, ",");
	const char *at = text + path;

	if (text[0] != '/' || path > 100)
		return false;
	while (*at == ',') {
		size_t n;
		at++;
		if (strncmp(at, "role=server", 11) == 0 || strncmp(at, "role=client", 11) == 0) {
			n = 11;
		} else if (strncmp(at, "id=", 3) == 0 || strncmp(at, "queues=", 7) == 0) {
			size_t name = strcspn(at, "=") + 1;
			n = name + strspn(at + name, "0123456789");
			if (n == name || n > name + 9)
				return false;
		} else {
			return false;
		}
		at += n;
	}
	return *at == '\0';
}

static const struct {
	const char *prefix;
	bool (*check)(const char *rest);
} device_kinds[] = {
	{"pci:", is_pci_address},    {"af_xdp:", is_interface_name}, {"af_packet:", is_interface_name},
	{"tap:", is_interface_name}, {"memif:", is_memif},
};

static bool device_is_sound(const char *device)
{
	if (!text_is_printable((const uint8_t *)device, strlen(device)) || strpbrk(device, "; \""))
		return false;
	for (size_t i = 0; i < sizeof device_kinds / sizeof device_kinds[0]; i++) {
		size_t n = strlen(device_kinds[i].prefix);
		if (strncmp(device, device_kinds[i].prefix, n) == 0)
			return device_kinds[i].check(device + n);
	}
	return false;
}

int model_vlans_check(const char *what, const uint16_t *vlans, unsigned count, unsigned least, struct fail *fail)
{
	for (unsigned i = 0; i < count; i++) {
		if (vlans[i] < least || vlans[i] > 4094)
			return fail_set(fail, FAIL_USAGE,
					"%s: VLAN %u does not exist; a VLAN is a number from %u to 4094", what,
					vlans[i], least);
		for (unsigned j = 0; j < i; j++)
			if (vlans[j] == vlans[i])
				return fail_set(fail, FAIL_USAGE, "%s: VLAN %u is named twice", what, vlans[i]);
	}
	return 0;
}

int model_port_check(const struct port_row *row, struct fail *fail)
{
	const char *why = text_name_check(row->name);
	char what[WHERRY_NAME_BYTES_MAX + 16];

	if (why)
		return fail_set(fail, FAIL_USAGE, "port '%s': %s", row->name, why);
	(void)snprintf(what, sizeof what, "port '%s'", row->name);
	if (!device_is_sound(row->device))
		return fail_set(fail, FAIL_USAGE,
				"%s: '%.128s' is not a device; it is pci:0000:01:00.0, af_xdp:IFACE, af_packet:IFACE,"
				" tap:IFACE or memif:/PATH[,role=server|client][,id=N][,queues=N]",
				what, row->device);
	if (row->mtu < WHERRY_MTU_MIN || row->mtu > WHERRY_MTU_MAX)
		return fail_set(fail, FAIL_USAGE, "%s: an MTU is a number from %d to %d, not %u", what, WHERRY_MTU_MIN,
				WHERRY_MTU_MAX, row->mtu);
	if (row->punt_rate > WHERRY_PUNT_RATE_MAX || (row->punt && row->punt_rate == 0))
		return fail_set(fail, FAIL_USAGE,
				"%s: the kernel can get from 1 to %d frames a second, not %u; punt says whether it gets"
				" any",
				what, WHERRY_PUNT_RATE_MAX, row->punt_rate);
	if (row->slaac && row->mtu < SLAAC_MTU_MIN)
		return fail_set(fail, FAIL_USAGE, "%s: slaac is IPv6, which needs an MTU of at least %d, not %u", what,
				SLAAC_MTU_MIN, row->mtu);
	return model_vlans_check(what, row->vlans, row->vlan_count, 1, fail);
}

bool model_port_equal(const struct port_row *a, const struct port_row *b)
{
	return strcmp(a->device, b->device) == 0 && a->mtu == b->mtu && a->punt == b->punt &&
	       a->punt_rate == b->punt_rate && a->slaac == b->slaac && a->vlan_count == b->vlan_count &&
	       memcmp(a->vlans, b->vlans, a->vlan_count * sizeof a->vlans[0]) == 0;
}

int model_port_add(struct state *state, struct port_row *row, struct fail *fail)
{
	struct port_row *rows = NULL;
	int rc = model_port_check(row, fail);

	if (rc == 0) {
		rows = calloc(WHERRY_PORT_COUNT_MAX, sizeof *rows);
		rc = rows ? state_port_list(state, rows, fail) : fail_set(fail, FAIL_FAILED, "out of memory");
	}
	for (int i = 0, count = rc; i < count; i++) {
		if (strcmp(rows[i].name, row->name) == 0)
			rc = fail_set(fail, FAIL_CONFLICT, "port '%s' exists already; choose another name", row->name);
		else if (strcmp(rows[i].device, row->device) == 0)
			rc = fail_set(fail, FAIL_CONFLICT, "port '%s': %s is already the device of port '%s'",
				      row->name, row->device, rows[i].name);
	}
	free(rows);
	if (rc >= WHERRY_PORT_COUNT_MAX)
		rc = fail_set(fail, FAIL_CONFLICT, "port '%s': there are already %d ports, the most possible",
			      row->name, WHERRY_PORT_COUNT_MAX);
	if (rc < 0 || state_port_insert(state, row, fail) != 0 || (row->slaac && state_net_touch(state, fail) != 0))
		return -1;
	return model_event(state, fail, WHERRY_INFO, "port.added", row->name, "added, %.200s, MTU %u", row->device,
			   row->mtu);
}

int model_port_set(struct state *state, const struct port_row *row, struct fail *fail)
{
	struct port_row before;

	if (model_port_check(row, fail) != 0 || model_net_check_port(state, row, fail) != 0 ||
	    state_port_by_name(state, row->name, &before, fail) != 0 || state_port_update(state, row, fail) != 0)
		return -1;
	if (before.slaac != row->slaac && state_net_touch(state, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "port.changed", row->name, "MTU %u, %u VLANs%s%s", row->mtu,
			   row->vlan_count, row->punt ? ", punts" : "", row->slaac ? ", SLAAC" : "");
}

int model_port_remove(struct state *state, const struct port_row *row, struct fail *fail)
{
	uint16_t shelf;
	uint8_t slot;
	int rc = state_port_user(state, row->id, &shelf, &slot, fail);

	if (rc < 0)
		return -1;
	if (rc == 1)
		return fail_set(fail, FAIL_CONFLICT,
				"port '%s' is named by AoE export %u.%u; change that export's ports first", row->name,
				shelf, slot);
	if (model_net_port_is_free(state, row->name, fail) != 0)
		return -1;
	if (state_port_delete(state, row->id, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, "port.removed", row->name, "removed");
}

/* "0-3,6", where all can be checked, or the EAL's "0@(0-1),1@(0-1)", which the dataplane checks. */
static int check_lcores(const struct runtime_row *row, struct fail *fail)
{
	struct text_lcores lcores = {0};
	bool main_is_named = false;

	if (row->main_lcore < -1 || row->main_lcore > TEXT_LCORE_ID_MAX)
		return fail_set(fail, FAIL_USAGE, "lcores: main %d is not the number of an lcore",
				(int)row->main_lcore);
	if (!row->lcores[0])
		return row->main_lcore < 0 ? 0
					   : fail_set(fail, FAIL_USAGE,
						      "lcores: a main lcore needs a list of lcores that holds it");
	if (strchr(row->lcores, '@') && strspn(row->lcores, "0123456789,-@()") == strlen(row->lcores))
		return 0;
	if (text_lcores_parse(row->lcores, &lcores) != 0)
		return fail_set(fail, FAIL_USAGE,
				"lcores: '%s' is not a list of at most %d processors such as 0-3,6 or 0@(0-1),1@(0-1)",
				row->lcores, WHERRY_LCORE_COUNT_MAX);
	for (unsigned i = 0; i < lcores.count; i++)
		main_is_named |= lcores.id[i] == row->main_lcore;
	if (row->main_lcore >= 0 && !main_is_named)
		return fail_set(fail, FAIL_USAGE, "lcores: main %d is not in the list '%s'; name one that is",
				(int)row->main_lcore, row->lcores);
	return 0;
}

int model_runtime_check(const struct runtime_row *row, struct fail *fail)
{
	if (check_lcores(row, fail) != 0)
		return -1;
	if (row->idle_spin_turns > IDLE_TURNS_MAX || row->idle_pause_turns > IDLE_TURNS_MAX)
		return fail_set(fail, FAIL_USAGE, "idle: at most %u turns", IDLE_TURNS_MAX);
	if (row->idle_sleep_us > IDLE_SLEEP_US_MAX)
		return fail_set(fail, FAIL_USAGE, "idle: a sleep of %u us is too long; at most %u", row->idle_sleep_us,
				IDLE_SLEEP_US_MAX);
	return 0;
}

int model_runtime_set(struct state *state, const struct runtime_row *row, const char *code, struct fail *fail)
{
	if (model_runtime_check(row, fail) != 0 || state_runtime_put(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, code, "",
			   "lcores %s, main %d; idle: spin %u, pause %u turns, sleep %u us",
			   row->lcores[0] ? row->lcores : "chosen by the dataplane", (int)row->main_lcore,
			   row->idle_spin_turns, row->idle_pause_turns, row->idle_sleep_us);
}
