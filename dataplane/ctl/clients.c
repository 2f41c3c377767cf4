/* SPDX-License-Identifier: BSD-3-Clause */
/* CLIENT_LIST.  Main lcore; copy_clients is the workers'. */
#include "ctl/gather.h"
#include "ctl/lists.h"

/* All at once: the table's order changes with every frame. */
static unsigned copy_clients(struct worker *worker, uint32_t *cursor, void *records, unsigned max)
{
	if (*cursor)
		return 0;
	*cursor = 1;
	return worker_client_copy(worker, records, max);
}

static size_t put_client(const void *record_, const struct worker *worker, uint32_t request_id, uint8_t *packet,
			 size_t packet_bytes)
{
	const struct client_record *record = record_;
	struct wherry_ctl_client_item m = {
		.mac = {.count = 1},
		.port = record->port_index,
		.vlan = record->vlan,
		.lcore = (uint16_t)worker->index,
		.first_seen_us = record->first_seen_us,
		.last_seen_us = record->last_seen_us,
		.values = {.count = WHERRY_CLIENT_STAT_COUNT},
	};
	memcpy(m.mac.mac[0].b, record->mac, sizeof record->mac);
	memcpy(m.values.v, record->stats, sizeof record->stats);
	return wherry_ctl_put_client_item(packet, packet_bytes, request_id, &m);
}

void ctl_on_client_list(struct ctl_request *request, const struct wherry_ctl_client_list *m)
{
	static const struct ctl_gather_kind kind = {
		.what = "clients",
		.record_bytes = sizeof(struct client_record),
		.record_count = WHERRY_CLIENT_COUNT_MAX,
		.copy = copy_clients,
		.put = put_client,
	};
	(void)m;
	ctl_gather_start(request, &kind);
}
