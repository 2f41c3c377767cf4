/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Exports: who may use which, and what becomes of sessions when one changes.
 *
 * Every worker has its own copy of an export; names are looked up in the
 * handshake only.
 */
#include <errno.h>
#include <stdlib.h>

#include "nbd/nbd_priv.h"

struct nbd_export *nbd_export_create(const struct nbd_export_settings *settings)
{
	if (settings->name[0] == '\0' || settings->allow_count > WHERRY_NBD_ALLOW_COUNT_MAX ||
	    !settings->volume.volume) {
		errno = EINVAL;
		return NULL;
	}
	for (unsigned i = 0; i < settings->allow_count; i++) {
		if (settings->allow[i].bits > 128) {
			errno = EINVAL;
			return NULL;
		}
	}
	struct nbd_export *export_ = calloc(1, sizeof *export_);
	if (!export_)
		return NULL;
	export_->settings = *settings;
	return export_;
}

void nbd_export_destroy(struct nbd_export *export_)
{
	assert(export_->refs == 0);
	free(export_);
}

bool nbd_export_idle(const struct nbd_export *export_)
{
	return export_->refs == 0;
}

const uint64_t *nbd_export_stats(const struct nbd_export *export_)
{
	return export_->stats;
}

const uint64_t *nbd_export_hist(const struct nbd_export *export_, unsigned kind)
{
	assert(kind < NBD_HIST_COUNT);
	return export_->hist[kind];
}

/* ---- who may ---- */

static bool prefix_has(const struct nbd_prefix *prefix, const struct ip_addr *addr)
{
	const unsigned whole = prefix->bits / 8, rest = prefix->bits % 8;
	/* A short IPv6 prefix does not mean the IPv4 addresses that stand among its own. */
	if (ip_addr_is_v4(&prefix->addr) != ip_addr_is_v4(addr) || memcmp(prefix->addr.b, addr->b, whole) != 0)
		return false;
	return rest == 0 || ((prefix->addr.b[whole] ^ addr->b[whole]) >> (8 - rest)) == 0;
}

bool nbd_export_allows(const struct nbd_export *export_, const struct ip_addr *from)
{
	const struct nbd_export_settings *settings = &export_->settings;
	for (unsigned i = 0; i < settings->allow_count; i++)
		if (prefix_has(&settings->allow[i], from))
			return true;
	return settings->allow_count == 0;
}

/* ---- look-up by name ---- */

/* FNV-1a: names are the operator's, not the peer's; those that meet are chained. */
static uint64_t name_key(const uint8_t *name, uint32_t len_bytes)
{
	uint64_t key = 0xcbf29ce484222325ull;
	for (uint32_t i = 0; i < len_bytes; i++)
		key = (key ^ name[i]) * 0x100000001b3ull;
	return key;
}

struct nbd_export *nbd_export_find(struct nbd_lcore *lcore, struct nbd_text name, const struct ip_addr *from,
				   bool *denied)
{
	struct nbd_export *export_ = lcore->default_export;
	if (name.len_bytes) {
		export_ = table_get(&lcore->by_name, name_key(name.bytes, name.len_bytes));
		while (export_ && !nbd_text_is(name, export_->settings.name))
			export_ = export_->same_name;
	}
	*denied = export_ && !nbd_export_allows(export_, from);
	if (!*denied)
		return export_;
	nbd_count(export_, WHERRY_EXPORT_nbd_denied, 1);
	return NULL;
}

static void name_take(struct nbd_lcore *lcore, struct nbd_export *export_)
{
	export_->name_key = name_key((const uint8_t *)export_->settings.name, (uint32_t)strlen(export_->settings.name));
	export_->same_name = table_put(&lcore->by_name, export_->name_key, export_);
}

static void name_leave(struct nbd_lcore *lcore, struct nbd_export *export_)
{
	struct nbd_export *first = table_get(&lcore->by_name, export_->name_key);
	if (first != export_) {
		while (first->same_name != export_)
			first = first->same_name;
		first->same_name = export_->same_name;
	} else if (export_->same_name) {
		table_put(&lcore->by_name, export_->name_key, export_->same_name);
	} else {
		table_remove(&lcore->by_name, export_->name_key);
	}
	export_->same_name = NULL;
}

static void default_choose(struct nbd_lcore *lcore)
{
	lcore->default_export = NULL;
	for (uint32_t i = 0; i < lcore->place_end && !lcore->default_export; i++)
		if (lcore->places[i] && lcore->places[i]->settings.is_default)
			lcore->default_export = lcore->places[i];
}

/* ---- adding, replacing, removing ---- */

/* A client that has negotiated the old one need not notice. */
static bool is_same_to_clients(const struct nbd_export *old, const struct nbd_export *new)
{
	const struct nbd_export_settings *a = &old->settings, *b = &new->settings;
	return strcmp(a->name, b->name) == 0 && a->read_only == b->read_only && a->volume.volume == b->volume.volume &&
	       nbd_export_size(new) >= nbd_export_size(old);
}

static bool admits(const struct nbd_export *export_, const struct nbd_session *session)
{
	struct stream_info ends;
	if (!session->stream)
		return true;
	stream_info(session->stream, &ends);
	return nbd_export_allows(export_, &ends.remote);
}

static void sessions_move(struct nbd_lcore *lcore, struct nbd_export *old, struct nbd_export *new)
{
	const bool same = new &&is_same_to_clients(old, new);
	struct nbd_session *session;
	TAILQ_FOREACH(session, &lcore->sessions, link)
	{
		if (session->export_ != old)
			continue;
		if (!same || !admits(new, session)) {
			if (session->stream && !session->doomed)
				nbd_end(session);
			continue;
		}
		nbd_session_leave_export(session);
		const bool waits = session->waiting && session->wait == NBD_WAIT_SHARE;
		if (waits)
			nbd_share_waits(session, UINT32_MAX);
		session->export_ = new;
		if (waits)
			nbd_share_waits(session, 1);
		nbd_export_get(new);
		nbd_count(new, WHERRY_EXPORT_nbd_sessions, 1);
	}
}

struct nbd_export *nbd_export_add(struct nbd_lcore *lcore, struct nbd_export *export_)
{
	struct nbd_export *old = table_get(&lcore->by_id, export_->settings.id);
	uint32_t place = 0;
	if (old) {
		place = old->place;
		name_leave(lcore, old);
		old->lcore = NULL;
	} else {
		while (place < lcore->place_end && lcore->places[place])
			place++;
		assert(place < WHERRY_EXPORT_COUNT_MAX);
	}
	export_->place = place;
	export_->lcore = lcore;
	lcore->places[place] = export_;
	if (place == lcore->place_end)
		lcore->place_end++;
	table_put(&lcore->by_id, export_->settings.id, export_);
	name_take(lcore, export_);
	default_choose(lcore);
	if (old) {
		memcpy(export_->stats, old->stats, sizeof export_->stats);
		memcpy(export_->hist, old->hist, sizeof export_->hist);
		export_->stats[WHERRY_EXPORT_nbd_sessions] = 0;
		export_->stats[WHERRY_EXPORT_queue_depth] = 0;
		sessions_move(lcore, old, export_);
	}
	return old;
}

struct nbd_export *nbd_export_remove(struct nbd_lcore *lcore, uint64_t id)
{
	struct nbd_export *export_ = table_remove(&lcore->by_id, id);
	if (!export_)
		return NULL;
	name_leave(lcore, export_);
	lcore->places[export_->place] = NULL;
	while (lcore->place_end && !lcore->places[lcore->place_end - 1])
		lcore->place_end--;
	export_->lcore = NULL;
	default_choose(lcore);
	sessions_move(lcore, export_, NULL);
	return export_;
}

uint16_t nbd_export_flags(const struct nbd_export *export_, const struct nbd_session *session)
{
	uint16_t flags = NBD_FLAG_HAS_FLAGS | NBD_FLAG_SEND_FLUSH | NBD_FLAG_SEND_FUA | NBD_FLAG_CAN_MULTI_CONN |
			 NBD_FLAG_SEND_CACHE;
	if (nbd_export_read_only(export_))
		flags |= NBD_FLAG_READ_ONLY;
	else
		flags |= NBD_FLAG_SEND_TRIM | NBD_FLAG_SEND_WRITE_ZEROES | NBD_FLAG_SEND_FAST_ZERO;
	if (session->structured || session->extended)
		flags |= NBD_FLAG_SEND_DF;
	if (session->extended && session->base_allocation && session->meta_export_id == export_->settings.id)
		flags |= NBD_FLAG_BLOCK_STATUS_PAYLOAD;
	return flags;
}
