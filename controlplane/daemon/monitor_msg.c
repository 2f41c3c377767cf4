/* SPDX-License-Identifier: BSD-3-Clause */
#include "daemon/monitor_msg.h"

#include <signal.h>
#include <string.h>

#include "daemon/model.h"

size_t monitor_message_bytes(uint32_t op)
{
	switch (op) {
	case MONITOR_FILE_OPEN:
	case MONITOR_FILE_GROW:
	case MONITOR_FILE_ERASE:
		return sizeof(struct monitor_file);
	case MONITOR_SPAWN:
		return sizeof(struct monitor_spawn);
	case MONITOR_KILL:
		return sizeof(struct monitor_kill);
	case MONITOR_NOTIFY:
		return sizeof(struct monitor_notify);
	case MONITOR_FILE_RESULT:
		return sizeof(struct monitor_file_result);
	case MONITOR_SPAWNED:
		return sizeof(struct monitor_spawned);
	case MONITOR_EXITED:
		return sizeof(struct monitor_exited);
	default:
		return 0;
	}
}

/* The text ends inside its array. */
#define ENDS(text) (memchr((text), 0, sizeof(text)) != NULL)

static bool check_spawn(const struct monitor_spawn *spawn)
{
	if (!ENDS(spawn->runtime.lcores) || model_runtime_check(&spawn->runtime, NULL) != 0 ||
	    spawn->port_count > WHERRY_PORT_COUNT_MAX)
		return false;
	for (uint32_t i = 0; i < spawn->port_count; i++) {
		const struct monitor_port *port = &spawn->ports[i];
		struct port_row row = {.mtu = (uint16_t)port->mtu,
				       .vlan_count = (uint16_t)port->vlan_count,
				       .punt_rate = port->punt_rate};
		if (!ENDS(port->name) || !ENDS(port->device) || port->mtu > UINT16_MAX ||
		    port->vlan_count > WHERRY_VLAN_COUNT_MAX)
			return false;
		memcpy(row.name, port->name, sizeof row.name);
		memcpy(row.device, port->device, sizeof row.device);
		memcpy(row.vlans, port->vlans, sizeof row.vlans);
		if (model_port_check(&row, NULL) != 0)
			return false;
	}
	return true;
}

/* All that the daemon has to say to the service manager.  Others could have it restart, or watch, what they like. */
static bool is_notification(const char *text)
{
	return strcmp(text, "READY=1") == 0 || strcmp(text, "WATCHDOG=1") == 0 || strcmp(text, "STOPPING=1") == 0;
}

bool monitor_message_check(const union monitor_message *message, size_t len)
{
	const struct monitor_header *header = &message->header;

	if (len < sizeof *header || header->magic != MONITOR_MAGIC || len != monitor_message_bytes(header->op))
		return false;
	switch (header->op) {
	case MONITOR_FILE_OPEN:
	case MONITOR_FILE_GROW:
	case MONITOR_FILE_ERASE:
		return ENDS(message->file.path) && message->file.path[0] == '/' &&
		       message->file.size_bytes <= WHERRY_VOLUME_BYTES_MAX &&
		       (message->file.flags & ~(MONITOR_FILE_READ_ONLY | MONITOR_FILE_CREATE | MONITOR_FILE_SPARSE |
						MONITOR_FILE_ANEW | MONITOR_FILE_BRIEF)) == 0;
	case MONITOR_SPAWN:
		return check_spawn(&message->spawn);
	case MONITOR_KILL:
		return message->kill.signal == SIGTERM || message->kill.signal == SIGKILL;
	case MONITOR_NOTIFY:
		return ENDS(message->notify.text) && is_notification(message->notify.text);
	case MONITOR_FILE_RESULT:
		return ENDS(message->file_result.text) && message->file_result.kind < FAIL_KIND_COUNT;
	case MONITOR_SPAWNED:
		return ENDS(message->spawned.text) && message->spawned.outcome <= MONITOR_NOT_STARTED;
	default:
		return ENDS(message->exited.text);
	}
}
