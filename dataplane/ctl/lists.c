/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of what is known on main: volumes, ports, lcores, statistics.  Main lcore. */
#include "ctl/lists.h"

#include <stdlib.h>

#include "ctl/exports.h"
#include "ctl/nbd.h"
#include "ctl/server_priv.h"
#include "lcore/punt.h"
#include "port/port.h"
#include "stats/snapshot.h"

static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];

/* A walk over numbered places. */
struct walk {
	struct ctl_stream stream;
	unsigned at;
	unsigned (*count)(void);
	void (*item)(struct walk *walk); /* sends what is at a place, if anything */
	uint64_t id;                     /* STATS_GET */
	uint64_t time_us;
	bool histograms;
};

static enum ctl_stream_state walk_step(struct ctl_stream *stream)
{
	struct walk *walk = CTL_CONTAINER_OF(stream, struct walk, stream);
	if (walk->at >= walk->count())
		return CTL_STREAM_DONE;
	walk->item(walk);
	walk->at++;
	return CTL_STREAM_MORE;
}

static void walk_destroy(struct ctl_stream *stream)
{
	free(CTL_CONTAINER_OF(stream, struct walk, stream));
}

static void walk_start(struct ctl_request *request, unsigned (*count)(void), void (*item)(struct walk *walk),
		       const struct wherry_ctl_stats_get *get)
{
	struct walk *walk = calloc(1, sizeof *walk);
	if (!walk) {
		ctl_reply_error(request->reply, ENOMEM, "no memory for the list");
		return;
	}
	walk->stream.reply = request->reply;
	walk->stream.step = walk_step;
	walk->stream.destroy = walk_destroy;
	walk->count = count;
	walk->item = item;
	walk->time_us = ctl_real_us();
	if (get) {
		walk->id = get->id;
		walk->histograms = get->histograms;
	}
	ctl_stream_start(&walk->stream);
}

/* --------------------------------------------------- volumes, ports, lcores */

static void volume_item(struct walk *walk)
{
	const struct ctl_volume *v = ctl_volume_at(walk->at);
	if (!v)
		return;
	struct wherry_ctl_volume_item m = {
		.id = v->id,
		.generation = v->generation,
		.size_bytes = v->size_bytes,
		.online = !v->offline_operator && !v->offline_store && !v->replacing,
		.lcore = (uint16_t)v->worker->index,
	};
	memcpy(m.detail, v->detail, sizeof m.detail);
	ctl_stream_send(&walk->stream, packet,
			wherry_ctl_put_volume_item(packet, sizeof packet, walk->stream.reply.request_id, &m));
}

void ctl_on_volume_list(struct ctl_request *request, const struct wherry_ctl_volume_list *m)
{
	(void)m;
	walk_start(request, ctl_volume_place_count, volume_item, NULL);
}

static void port_list_item(struct walk *walk)
{
	struct wherry_ctl_port_item m;
	uint64_t stats[WHERRY_PORT_STAT_COUNT] = {0};
	port_item(walk->at, &m);
	punt_stats(walk->at, stats);
	m.punt_frames = stats[WHERRY_PORT_punt_frames];
	m.punt_dropped = stats[WHERRY_PORT_punt_drop_rate] + stats[WHERRY_PORT_punt_drop_full];
	m.punt_sent = stats[WHERRY_PORT_punt_sent];
	ctl_stream_send(&walk->stream, packet,
			wherry_ctl_put_port_item(packet, sizeof packet, walk->stream.reply.request_id, &m));
}

void ctl_on_port_list(struct ctl_request *request, const struct wherry_ctl_port_list *m)
{
	(void)m;
	walk_start(request, port_count, port_list_item, NULL);
}

static void lcore_list_item(struct walk *walk)
{
	struct wherry_ctl_lcore_item m;
	lcore_item(walk->at, &m);
	if (walk->at < worker_count()) {
		m.exports = ctl_export_count_on(worker_at(walk->at));
		m.volumes = ctl_volume_count_on(worker_at(walk->at));
	}
	ctl_stream_send(&walk->stream, packet,
			wherry_ctl_put_lcore_item(packet, sizeof packet, walk->stream.reply.request_id, &m));
}

void ctl_on_lcore_list(struct ctl_request *request, const struct wherry_ctl_lcore_list *m)
{
	(void)m;
	walk_start(request, lcore_count, lcore_list_item, NULL);
}

/* ------------------------------------------------------------ statistics */

static bool is_wanted(const struct walk *walk, uint64_t id)
{
	return walk->id == 0 || walk->id == id;
}

static void send_stats(struct walk *walk, enum wherry_stat_scope scope, uint64_t id, struct wherry_ctl_stats_item *m)
{
	m->scope = (uint8_t)scope;
	m->id = id;
	m->time_us = walk->time_us;
	m->values.count = (uint16_t)wherry_stat_scope_desc(scope)->stat_count;
	ctl_stream_send(&walk->stream, packet,
			wherry_ctl_put_stats_item(packet, sizeof packet, walk->stream.reply.request_id, m));
}

static void port_stats_item(struct walk *walk)
{
	struct wherry_ctl_stats_item m;
	if (!is_wanted(walk, walk->at + 1u))
		return;
	port_stats(walk->at, m.values.v);
	punt_stats(walk->at, m.values.v);
	send_stats(walk, WHERRY_SCOPE_PORT, walk->at + 1u, &m);
}

static void lcore_stats_item(struct walk *walk)
{
	struct wherry_ctl_stats_item m;
	if (!is_wanted(walk, walk->at + 1u))
		return;
	stats_copy(m.values.v, worker_at(walk->at)->stats, WHERRY_LCORE_STAT_COUNT);
	send_stats(walk, WHERRY_SCOPE_LCORE, walk->at + 1u, &m);
}

static void volume_stats_item(struct walk *walk)
{
	struct wherry_ctl_stats_item m;
	const struct ctl_volume *v = ctl_volume_at(walk->at);
	if (!v || !is_wanted(walk, v->id))
		return;
	stats_copy(m.values.v, v->volume.stats, WHERRY_VOLUME_STAT_COUNT);
	send_stats(walk, WHERRY_SCOPE_VOLUME, v->id, &m);
}

static void send_hist(struct walk *walk, struct wherry_ctl_hist_item *m,
		      const uint64_t buckets[WHERRY_HIST_BUCKET_COUNT])
{
	if (stats_trim_hist(buckets, m))
		ctl_stream_send(&walk->stream, packet,
				wherry_ctl_put_hist_item(packet, sizeof packet, walk->stream.reply.request_id, m));
}

static void export_hist_items(struct walk *walk, const struct ctl_export *e)
{
	uint64_t buckets[WHERRY_HIST_BUCKET_COUNT];
	struct wherry_ctl_hist_item m = {.scope = WHERRY_SCOPE_EXPORT, .id = e->id};
	for (unsigned kind = 0; kind < AOE_HIST_COUNT; kind++) {
		ctl_export_hist(e, kind, buckets);
		m.kind = (uint8_t)kind;
		send_hist(walk, &m, buckets);
	}
}

static void export_stats_item(struct walk *walk)
{
	struct wherry_ctl_stats_item m;
	const struct ctl_export *e = ctl_export_at(walk->at);
	if (!e || !is_wanted(walk, e->id))
		return;
	ctl_export_stats(e, m.values.v);
	send_stats(walk, WHERRY_SCOPE_EXPORT, e->id, &m);
	if (walk->histograms)
		export_hist_items(walk, e);
}

static void nbd_hist_items(struct walk *walk, const struct ctl_nbd_export *e)
{
	uint64_t buckets[WHERRY_HIST_BUCKET_COUNT];
	struct wherry_ctl_hist_item m = {.scope = WHERRY_SCOPE_NBD_EXPORT, .id = ctl_nbd_export_id(e)};
	for (unsigned kind = 0; kind < NBD_HIST_COUNT; kind++) {
		ctl_nbd_export_hist(e, kind, buckets);
		m.kind = (uint8_t)kind;
		send_hist(walk, &m, buckets);
	}
}

static void nbd_stats_item(struct walk *walk)
{
	struct wherry_ctl_stats_item m;
	const struct ctl_nbd_export *e = ctl_nbd_export_at(walk->at);
	if (!e || !is_wanted(walk, ctl_nbd_export_id(e)))
		return;
	ctl_nbd_export_stats(e, m.values.v);
	send_stats(walk, WHERRY_SCOPE_NBD_EXPORT, ctl_nbd_export_id(e), &m);
	if (walk->histograms)
		nbd_hist_items(walk, e);
}

void ctl_on_stats_get(struct ctl_request *request, const struct wherry_ctl_stats_get *m)
{
	bool exists = m->id == 0;
	unsigned (*count)(void) = NULL;
	void (*item)(struct walk *) = NULL;
	switch (m->scope) {
	case WHERRY_SCOPE_PORT:
		count = port_count;
		item = port_stats_item;
		exists |= m->id <= port_count();
		break;
	case WHERRY_SCOPE_LCORE:
		count = worker_count;
		item = lcore_stats_item;
		exists |= m->id <= worker_count();
		break;
	case WHERRY_SCOPE_EXPORT:
		count = ctl_export_place_count;
		item = export_stats_item;
		exists |= ctl_export_find(m->id) != NULL;
		break;
	case WHERRY_SCOPE_VOLUME:
		count = ctl_volume_place_count;
		item = volume_stats_item;
		exists |= ctl_volume_find(m->id) != NULL;
		break;
	case WHERRY_SCOPE_NBD_EXPORT:
		count = ctl_nbd_export_place_count;
		item = nbd_stats_item;
		exists |= ctl_nbd_export_find(m->id) != NULL;
		break;
	default:
		ctl_reply_error(request->reply, EINVAL, "STATS_GET: no statistics of scope %u this way", m->scope);
		return;
	}
	if (exists)
		walk_start(request, count, item, m);
	else
		ctl_reply_error(request->reply, ENOENT, "STATS_GET: there is no %s with id %llu",
				wherry_stat_scope_desc(m->scope)->name, (unsigned long long)m->id);
}
