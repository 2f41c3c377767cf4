/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The handshake as bytes: flags, option headers, option data.
 *
 * Whatever an option is answered, its data are consumed first, so that the next
 * header is where the peer put it.
 */
#include "nbd/nbd_priv.h"

/* Fill input up to want bytes.  Returns how many were taken; *whole when all are there. */
static uint32_t gather(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes, uint32_t want_bytes,
		       bool *whole)
{
	const uint32_t left_bytes = want_bytes - session->input_bytes;
	const uint32_t take_bytes = len_bytes < left_bytes ? len_bytes : left_bytes;
	memcpy(session->input + session->input_bytes, data, take_bytes);
	session->input_bytes += take_bytes;
	*whole = session->input_bytes == want_bytes;
	return take_bytes;
}

uint32_t nbd_input_flags(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	bool whole;
	uint32_t flags;
	const uint32_t taken = gather(session, data, len_bytes, NBD_CLIENT_FLAGS_BYTES, &whole);
	if (!whole)
		return taken;
	if (nbd_client_flags_parse(session->input, session->input_bytes, &flags).result != WIRE_OK) {
		nbd_doom(session, WHERRY_LCORE_nbd_drop_flags);
		return taken;
	}
	session->fixed = flags & NBD_FLAG_FIXED_NEWSTYLE;
	session->no_zeroes = flags & NBD_FLAG_NO_ZEROES;
	nbd_set_state(session, NBD_STATE_OPTION);
	return taken;
}

/* Options whose data are looked at. */
static bool option_reads_data(uint32_t option)
{
	switch (option) {
	case NBD_OPT_EXPORT_NAME:
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
	case NBD_OPT_LIST_META_CONTEXT:
	case NBD_OPT_SET_META_CONTEXT:
		return true;
	default:
		return false;
	}
}

/* The header is whole and there is a buffer for the answer. */
static void option_begin(struct nbd_session *session)
{
	const struct nbd_option_header *option = &session->option;
	if (!session->fixed && option->option != NBD_OPT_EXPORT_NAME) {
		/* Such a client knows no replies: the option that it may send is the only one that it understands. */
		nbd_doom(session, WHERRY_LCORE_nbd_drop_not_fixed);
		return;
	}
	if (option->len_bytes == 0) {
		nbd_set_state(session, NBD_STATE_OPTION);
		nbd_option_run(session);
		return;
	}
	const bool fits = option_reads_data(option->option) && option->len_bytes <= NBD_OPTION_DATA_BYTES_MAX;
	if (!fits && option->option == NBD_OPT_EXPORT_NAME) {
		nbd_doom(session, WHERRY_LCORE_nbd_drop_option_length);
		return;
	}
	nbd_set_state(session, fits ? NBD_STATE_OPTION_DATA : NBD_STATE_OPTION_SKIP);
	session->skip_bytes = option->len_bytes;
}

uint32_t nbd_input_option(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	bool whole;
	if (session->input_bytes + len_bytes >= NBD_OPTION_BYTES && !session->option_buffer) {
		session->option_buffer = nbd_option_take(session);
		if (!session->option_buffer)
			return 0;
	}
	const uint32_t taken = gather(session, data, len_bytes, NBD_OPTION_BYTES, &whole);
	if (!whole)
		return taken;
	if (nbd_option_parse(session->input, session->input_bytes, &session->option).result != WIRE_OK)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_magic);
	else if (session->option.len_bytes > NBD_OPTION_BYTES_MAX)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_option_length);
	else if (++session->option_count > NBD_OPTION_COUNT_MAX)
		nbd_doom(session, WHERRY_LCORE_nbd_drop_option_flood);
	else
		option_begin(session);
	return taken;
}

uint32_t nbd_input_option_data(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	const uint32_t take_bytes = len_bytes < session->skip_bytes ? len_bytes : (uint32_t)session->skip_bytes;
	const uint64_t at = session->option.len_bytes - session->skip_bytes;
	memcpy(session->option_buffer->data + at, data, take_bytes);
	session->skip_bytes -= take_bytes;
	if (session->skip_bytes == 0) {
		nbd_set_state(session, NBD_STATE_OPTION);
		nbd_option_run(session);
	}
	return take_bytes;
}

/* Data that nobody looks at, or too many of them. */
static void option_refuse(struct nbd_session *session)
{
	struct nbd_lcore *lcore = session->lcore;
	switch (session->option.option) {
	case NBD_OPT_ABORT:
		nbd_option_run(session);
		break;
	case NBD_OPT_LIST:
	case NBD_OPT_STARTTLS:
	case NBD_OPT_STRUCTURED_REPLY:
	case NBD_OPT_EXTENDED_HEADERS:
		nbd_count_lcore(lcore, WHERRY_LCORE_nbd_option_invalid);
		nbd_option_answer(session, NBD_REP_ERR_INVALID, "this option takes no data");
		break;
	case NBD_OPT_INFO:
	case NBD_OPT_GO:
	case NBD_OPT_LIST_META_CONTEXT:
		nbd_count_lcore(lcore, WHERRY_LCORE_nbd_option_too_big);
		nbd_option_answer(session, NBD_REP_ERR_TOO_BIG, "the option has too much data");
		break;
	case NBD_OPT_SET_META_CONTEXT:
		session->base_allocation = false;
		nbd_count_lcore(lcore, WHERRY_LCORE_nbd_option_too_big);
		nbd_option_answer(session, NBD_REP_ERR_TOO_BIG, "the option has too much data");
		break;
	default:
		nbd_count_lcore(lcore, WHERRY_LCORE_nbd_option_unsupported);
		nbd_option_answer(session, NBD_REP_ERR_UNSUP, "");
		break;
	}
}

uint32_t nbd_input_option_skip(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	(void)data;
	const uint32_t take_bytes = len_bytes < session->skip_bytes ? len_bytes : (uint32_t)session->skip_bytes;
	session->skip_bytes -= take_bytes;
	if (session->skip_bytes == 0) {
		nbd_set_state(session, NBD_STATE_OPTION);
		option_refuse(session);
	}
	return take_bytes;
}
