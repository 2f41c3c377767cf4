/* SPDX-License-Identifier: BSD-3-Clause */
/* NBD_SESSION_LIST.  Main lcore; copy_sessions is the workers'. */
#include "ctl/gather.h"
#include "ctl/nbd.h"

struct session_record {
	struct nbd_session_info info;
	uint64_t now_ns;
};

static unsigned copy_sessions(struct worker *worker, uint32_t *cursor, void *records, unsigned max)
{
	struct nbd_session_info infos[32];
	struct session_record *to = records;
	unsigned count = nbd_session_copy(worker->nbd, cursor, infos, max < 32 ? max : 32);
	for (unsigned i = 0; i < count; i++)
		to[i] = (struct session_record){infos[i], worker->now_ns};
	return count;
}

static size_t put_session(const void *record_, const struct worker *worker, uint32_t request_id, uint8_t *packet,
			  size_t packet_bytes)
{
	const struct session_record *record = record_;
	const struct nbd_session_info *s = &record->info;
	struct wherry_ctl_nbd_session_item m = {
		.export_id = s->export_id,
		.local = {.len = 16},
		.local_port = s->ends.local_port,
		.remote = {.len = 16},
		.remote_port = s->ends.remote_port,
		.lcore = (uint16_t)worker->index,
		.age_us = (record->now_ns - s->since_ns) / 1000,
		.structured = s->structured,
		.extended = s->extended,
		.base_allocation = s->base_allocation,
		.under_way = s->under_way,
		.read_ops = s->read_ops,
		.read_bytes = s->read_bytes,
		.write_ops = s->write_ops,
		.write_bytes = s->write_bytes,
		.other_ops = s->other_ops,
		.errors = s->errors,
	};
	memcpy(m.local.b, s->ends.local.b, 16);
	memcpy(m.remote.b, s->ends.remote.b, 16);
	return wherry_ctl_put_nbd_session_item(packet, packet_bytes, request_id, &m);
}

void ctl_on_nbd_session_list(struct ctl_request *request, const struct wherry_ctl_nbd_session_list *m)
{
	static const struct ctl_gather_kind kind = {
		.what = "NBD sessions",
		.record_bytes = sizeof(struct session_record),
		.record_count = 128,
		.copy = copy_sessions,
		.put = put_session,
	};
	(void)m;
	ctl_gather_start(request, &kind);
}
