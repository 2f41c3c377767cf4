/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What options mean.
 *
 * Each is answered from the buffer that holds its data, before that goes.  An
 * export that a client's address may not use does not exist for that client: the
 * list leaves it out, and its name is as unknown as any.
 */
#include "nbd/nbd_priv.h"

#define INFO_ASKED_NAME 0x1u
#define INFO_ASKED_DESCRIPTION 0x2u
#define INFO_ASKED_BLOCK_SIZE 0x4u

#define BLOCK_MIN_BYTES 1u
#define BLOCK_PREFERRED_BYTES 4096u

void nbd_option_answer(struct nbd_session *session, uint32_t type, const char *text)
{
	nbd_option_send(session,
			nbd_option_text_emit(session->option_buffer->reply, session->option.option, type, text));
}

static void refuse(struct nbd_session *session, enum wherry_lcore_stat why, uint32_t type, const char *text)
{
	nbd_count_lcore(session->lcore, why);
	nbd_option_answer(session, type, text);
}

static void refuse_invalid(struct nbd_session *session, const char *text)
{
	refuse(session, WHERRY_LCORE_nbd_option_invalid, NBD_REP_ERR_INVALID, text);
}

static struct nbd_export *export_for(struct nbd_session *session, struct nbd_text name)
{
	struct stream_info ends;
	bool denied;
	stream_info(session->stream, &ends);
	struct nbd_export *export_ = nbd_export_find(session->lcore, name, &ends.remote, &denied);
	if (denied)
		nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_option_denied);
	else if (!export_)
		nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_option_unknown);
	return export_;
}

/* Options are over: requests come, for this export. */
static void enter_transmission(struct nbd_session *session, struct nbd_export *export_)
{
	session->export_ = export_;
	nbd_export_get(export_);
	nbd_count(export_, WHERRY_EXPORT_nbd_sessions, 1);
	session->base_allocation &= session->meta_export_id == export_->settings.id;
	nbd_set_state(session, NBD_STATE_REQUEST);
}

static void run_export_name(struct nbd_session *session)
{
	struct nbd_option_buffer *buffer = session->option_buffer;
	const struct nbd_text name = {buffer->data, session->option.len_bytes};
	struct nbd_export *export_ =
		name.len_bytes <= NBD_STRING_BYTES_MAX && !session->extended ? export_for(session, name) : NULL;
	if (!export_) {
		/* There is no reply that says no. */
		nbd_count_lcore(session->lcore, WHERRY_LCORE_nbd_drop_handshake);
		nbd_option_send(session, 0);
		nbd_disconnect(session);
		return;
	}
	const uint32_t len_bytes = nbd_export_name_reply_emit(buffer->reply, nbd_export_size(export_),
							      nbd_export_flags(export_, session), !session->no_zeroes);
	nbd_option_send(session, len_bytes);
	enter_transmission(session, export_);
}

static unsigned infos_asked(const struct nbd_go *go)
{
	unsigned asked = 0;
	for (uint32_t i = 0; i < go->info_count; i++) {
		switch (nbd_go_info(go, i)) {
		case NBD_INFO_NAME:
			asked |= INFO_ASKED_NAME;
			break;
		case NBD_INFO_DESCRIPTION:
			asked |= INFO_ASKED_DESCRIPTION;
			break;
		case NBD_INFO_BLOCK_SIZE:
			asked |= INFO_ASKED_BLOCK_SIZE;
			break;
		default:
			break;
		}
	}
	return asked;
}

static void run_go(struct nbd_session *session)
{
	struct nbd_option_buffer *buffer = session->option_buffer;
	const uint32_t option = session->option.option;
	struct nbd_go go;
	if (nbd_go_parse(buffer->data, session->option.len_bytes, &go).result != WIRE_OK) {
		refuse_invalid(session, "lengths do not fit");
		return;
	}
	struct nbd_export *export_ = export_for(session, go.name);
	if (!export_) {
		nbd_option_answer(session, NBD_REP_ERR_UNKNOWN, "no such export");
		return;
	}
	const struct nbd_export_settings *settings = &export_->settings;
	const unsigned asked = infos_asked(&go);
	uint8_t *at = buffer->reply;
	at += nbd_info_export_emit(at, option, nbd_export_size(export_), nbd_export_flags(export_, session));
	if (asked & INFO_ASKED_NAME)
		at += nbd_info_text_emit(at, option, NBD_INFO_NAME, settings->name);
	if ((asked & INFO_ASKED_DESCRIPTION) && settings->description[0])
		at += nbd_info_text_emit(at, option, NBD_INFO_DESCRIPTION, settings->description);
	if (asked & INFO_ASKED_BLOCK_SIZE)
		at += nbd_info_block_size_emit(at, option, BLOCK_MIN_BYTES, BLOCK_PREFERRED_BYTES,
					       NBD_PAYLOAD_BYTES_MAX);
	at += nbd_option_reply_emit(at, option, NBD_REP_ACK, 0);
	nbd_option_send(session, (uint32_t)(at - buffer->reply));
	if (option == NBD_OPT_GO)
		enter_transmission(session, export_);
}

/* As many entries as the buffer holds; a list of thousands takes several, one after the other. */
bool nbd_option_list(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	const uint32_t entry_bytes_max =
		NBD_OPTION_REPLY_BYTES + 4 + WHERRY_NAME_BYTES_MAX + WHERRY_TEXT_BYTES_MAX + NBD_OPTION_REPLY_BYTES;
	struct stream_info ends;
	stream_info(session->stream, &ends);
	while (session->listing) {
		if (!session->option_buffer)
			session->option_buffer = nbd_option_take(session);
		if (!session->option_buffer)
			return false;
		uint8_t *const start = session->option_buffer->reply, *at = start;
		for (; session->list_at < lcore->place_end; session->list_at++) {
			const struct nbd_export *export_ = lcore->places[session->list_at];
			if ((uint32_t)(at - start) + entry_bytes_max > NBD_OPTION_REPLY_BYTES_MAX)
				break;
			if (export_ && nbd_export_allows(export_, &ends.remote))
				at += nbd_option_server_emit(at, export_->settings.name, export_->settings.description);
		}
		if (session->list_at >= lcore->place_end) {
			at += nbd_option_reply_emit(at, NBD_OPT_LIST, NBD_REP_ACK, 0);
			session->listing = false;
		}
		nbd_option_send(session, (uint32_t)(at - start));
	}
	return true;
}

/* LIST takes wildcards: all of a namespace. */
static bool query_matches(struct nbd_text query, bool wildcards)
{
	return nbd_text_is(query, NBD_CONTEXT_BASE_ALLOCATION) || (wildcards && nbd_text_is(query, "base:"));
}

static void run_meta(struct nbd_session *session)
{
	struct nbd_option_buffer *buffer = session->option_buffer;
	const uint32_t option = session->option.option;
	const bool set = option == NBD_OPT_SET_META_CONTEXT;
	struct nbd_meta meta;
	if (set)
		session->base_allocation = false;
	if (!session->structured && !session->extended) {
		refuse_invalid(session, "negotiate structured replies first");
		return;
	}
	if (nbd_meta_parse(buffer->data, session->option.len_bytes, &meta).result != WIRE_OK) {
		refuse_invalid(session, "lengths do not fit");
		return;
	}
	struct nbd_export *export_ = export_for(session, meta.name);
	if (!export_) {
		nbd_option_answer(session, NBD_REP_ERR_UNKNOWN, "no such export");
		return;
	}
	bool matches = !set && meta.query_count == 0;
	uint32_t query_at = 0;
	for (uint32_t i = 0; i < meta.query_count; i++)
		matches |= query_matches(nbd_meta_query(&meta, &query_at), !set);
	uint8_t *at = buffer->reply;
	if (matches)
		at += nbd_meta_context_emit(at, option, set ? NBD_CONTEXT_ID : 0, NBD_CONTEXT_BASE_ALLOCATION);
	at += nbd_option_reply_emit(at, option, NBD_REP_ACK, 0);
	nbd_option_send(session, (uint32_t)(at - buffer->reply));
	if (set && matches) {
		session->base_allocation = true;
		session->meta_export_id = export_->settings.id;
	}
}

static void run_structured(struct nbd_session *session)
{
	if (session->extended) {
		refuse(session, WHERRY_LCORE_nbd_option_invalid, NBD_REP_ERR_EXT_HEADER_REQD,
		       "extended headers are in use");
		return;
	}
	session->structured = true;
	nbd_option_answer(session, NBD_REP_ACK, "");
}

static void run_extended(struct nbd_session *session)
{
	if (session->extended) {
		refuse_invalid(session, "extended headers are in use");
		return;
	}
	session->extended = true;
	nbd_option_answer(session, NBD_REP_ACK, "");
}

void nbd_option_run(struct nbd_session *session)
{
	switch (session->option.option) {
	case NBD_OPT_EXPORT_NAME:
		run_export_name(session);
		break;
	case NBD_OPT_ABORT:
		nbd_option_answer(session, NBD_REP_ACK, "");
		nbd_disconnect(session);
		break;
	case NBD_OPT_LIST:
		session->listing = true;
		session->list_at = 0;
		(void)nbd_option_list(session);
		break;
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
		run_go(session);
		break;
	case NBD_OPT_STRUCTURED_REPLY:
		run_structured(session);
		break;
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		run_meta(session);
		break;
	case NBD_OPT_EXTENDED_HEADERS:
		run_extended(session);
		break;
	default:
		/* STARTTLS too: no TLS here, and the client decides whether it goes on in the clear. */
		refuse(session, WHERRY_LCORE_nbd_option_unsupported, NBD_REP_ERR_UNSUP, "");
		break;
	}
}
