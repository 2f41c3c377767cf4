/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests: header, checks, dispatch, and the answer without data.
 *
 * Everything that can be wrong with a request is settled before it starts.  A
 * refused one that carries a payload is answered when that has been drained, so
 * that the connection goes on.
 */
#include "nbd/nbd_priv.h"

#define STATUS_DATA_BYTES 12u /* effect length, and the one context there is */

static const struct {
	uint16_t flags; /* that may be set, beside FUA, which may always */
	bool changes;
	bool ranged;
	enum nbd_error past_end;
} commands[NBD_CMD_COUNT] = {
	[NBD_CMD_READ] = {NBD_CMD_FLAG_DF, false, true, NBD_EINVAL},
	[NBD_CMD_WRITE] = {NBD_CMD_FLAG_PAYLOAD_LEN, true, true, NBD_ENOSPC},
	[NBD_CMD_DISC] = {0, false, false, NBD_EINVAL},
	[NBD_CMD_FLUSH] = {0, false, false, NBD_EINVAL},
	[NBD_CMD_TRIM] = {0, true, true, NBD_EINVAL},
	[NBD_CMD_CACHE] = {0, false, true, NBD_EINVAL},
	[NBD_CMD_WRITE_ZEROES] = {NBD_CMD_FLAG_NO_HOLE | NBD_CMD_FLAG_FAST_ZERO, true, true, NBD_ENOSPC},
	[NBD_CMD_BLOCK_STATUS] = {NBD_CMD_FLAG_REQ_ONE | NBD_CMD_FLAG_PAYLOAD_LEN, false, true, NBD_EINVAL},
};

enum nbd_error nbd_error_of(enum io_status status, uint16_t type)
{
	switch (status) {
	case IO_OK:
		return NBD_OK;
	case IO_ERR_NO_SPACE:
		return NBD_ENOSPC;
	case IO_ERR_RANGE:
		return commands[type].past_end;
	case IO_ERR_READ_ONLY:
		return NBD_EPERM;
	case IO_ERR_NO_MEMORY:
		return NBD_ENOMEM;
	case IO_ERR_UNSUPPORTED:
		return type == NBD_CMD_WRITE_ZEROES ? NBD_ENOTSUP : NBD_EIO;
	case IO_ERR_MEDIA:
	case IO_ERR_SHORT:
	case IO_ERR_OFFLINE:
	case IO_STATUS_COUNT:
		break;
	}
	return NBD_EIO;
}

const char *nbd_error_text(enum nbd_error error)
{
	switch (error) {
	case NBD_EPERM:
		return "the export is read-only";
	case NBD_EIO:
		return "the backing store failed";
	case NBD_ENOMEM:
		return "out of buffers";
	case NBD_EINVAL:
		return "bad command, flags or range";
	case NBD_ENOSPC:
		return "no space, or past the end of the export";
	case NBD_EOVERFLOW:
		return "too long for one piece";
	case NBD_ENOTSUP:
		return "no faster than writing";
	case NBD_ESHUTDOWN:
		return "the export goes away";
	case NBD_OK:
		break;
	}
	return "";
}

/* ---- the end of a request ---- */

static void count_error(struct nbd_request *request)
{
	enum wherry_export_stat stat = WHERRY_EXPORT_nbd_err_io;
	switch (request->error) {
	case NBD_EPERM:
		stat = WHERRY_EXPORT_nbd_err_read_only;
		break;
	case NBD_EINVAL:
		stat = WHERRY_EXPORT_nbd_err_invalid;
		break;
	case NBD_ENOSPC:
		stat = WHERRY_EXPORT_nbd_err_no_space;
		break;
	case NBD_EOVERFLOW:
		stat = WHERRY_EXPORT_nbd_err_overflow;
		break;
	case NBD_ENOTSUP:
		stat = WHERRY_EXPORT_nbd_err_not_fast;
		break;
	case NBD_ESHUTDOWN:
		stat = WHERRY_EXPORT_nbd_err_shutdown;
		break;
	case NBD_OK:
	case NBD_EIO:
	case NBD_ENOMEM:
		break;
	}
	nbd_count(request->export_, stat, 1);
	request->session->errors++;
}

static unsigned count_success(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	struct nbd_export *export_ = request->export_;
	const uint64_t len_bytes = request->len_bytes;
	switch (request->type) {
	case NBD_CMD_READ:
		nbd_count(export_, WHERRY_EXPORT_read_ops, 1);
		nbd_count(export_, WHERRY_EXPORT_read_bytes, len_bytes);
		session->read_ops++;
		session->read_bytes += len_bytes;
		return 0;
	case NBD_CMD_WRITE:
		nbd_count(export_, WHERRY_EXPORT_write_ops, 1);
		nbd_count(export_, WHERRY_EXPORT_write_bytes, len_bytes);
		session->write_ops++;
		session->write_bytes += len_bytes;
		return 1;
	case NBD_CMD_FLUSH:
		nbd_count(export_, WHERRY_EXPORT_flush_ops, 1);
		break;
	case NBD_CMD_TRIM:
		nbd_count(export_, WHERRY_EXPORT_trim_ops, 1);
		break;
	case NBD_CMD_WRITE_ZEROES:
		nbd_count(export_, WHERRY_EXPORT_nbd_zero_ops, 1);
		break;
	case NBD_CMD_CACHE:
		nbd_count(export_, WHERRY_EXPORT_nbd_cache_ops, 1);
		break;
	case NBD_CMD_BLOCK_STATUS:
		nbd_count(export_, WHERRY_EXPORT_nbd_status_ops, 1);
		break;
	default:
		break;
	}
	session->other_ops++;
	return 2;
}

static void end(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	nbd_count(request->export_, WHERRY_EXPORT_queue_depth, UINT64_MAX);
	session->active_count--;
	session->lcore->under_way--;
	if (session->ending)
		nbd_attend(session);
}

void nbd_request_finish(struct nbd_request *request)
{
	end(request);
	if (request->error) {
		count_error(request);
		return;
	}
	const unsigned kind = count_success(request);
	const unsigned bucket = wherry_hist_bucket(nbd_now(request->session->lcore) - request->arrived_ns);
	uint64_t *slot = &request->export_->hist[kind][bucket];
	__atomic_store_n(slot, *slot + 1, __ATOMIC_RELAXED);
}

void nbd_request_drop(struct nbd_request *request)
{
	end(request);
	nbd_request_put(request);
}

static uint32_t emit_chunk(struct nbd_request *request)
{
	const struct nbd_session *session = request->session;
	const bool at_offset = request->error && request->type == NBD_CMD_READ && request->len_bytes &&
			       request->error_offset_bytes >= request->offset_bytes;
	const char *text = nbd_error_text(request->error);
	struct nbd_chunk_header header = {
		.flags = NBD_CHUNK_FLAG_DONE,
		.type = request->error ? at_offset ? NBD_CHUNK_ERROR_OFFSET : NBD_CHUNK_ERROR : NBD_CHUNK_NONE,
		.cookie = request->cookie,
		.offset_bytes = request->offset_bytes,
	};
	uint8_t *body = request->reply + nbd_chunk_bytes(session->extended);
	if (request->error)
		header.len_bytes = nbd_chunk_error_emit(body, request->error, text,
							at_offset ? &request->error_offset_bytes : NULL);
	return nbd_chunk_emit(request->reply, session->extended, &header) + (uint32_t)header.len_bytes;
}

void nbd_request_answer(struct nbd_request *request)
{
	const struct nbd_session *session = request->session;
	const struct nbd_simple_reply simple = {(uint32_t)request->error, request->cookie};
	nbd_request_finish(request);
	nbd_request_send(request, session->structured || session->extended
					  ? emit_chunk(request)
					  : nbd_simple_reply_emit(request->reply, &simple));
}

/* ---- checks ---- */

/* What follows the header. */
static uint64_t payload_bytes(const struct nbd_request *request)
{
	if (request->session->extended)
		return request->flags & NBD_CMD_FLAG_PAYLOAD_LEN ? request->len_bytes : 0;
	return request->type == NBD_CMD_WRITE ? request->len_bytes : 0;
}

static uint16_t allowed_flags(const struct nbd_request *request)
{
	const struct nbd_session *session = request->session;
	uint16_t flags = commands[request->type].flags | NBD_CMD_FLAG_FUA;
	if (!session->extended)
		flags &= (uint16_t)~NBD_CMD_FLAG_PAYLOAD_LEN;
	if (!session->structured && !session->extended)
		flags &= (uint16_t)~NBD_CMD_FLAG_DF;
	return flags;
}

static enum nbd_error check_range(const struct nbd_request *request)
{
	if (!commands[request->type].ranged)
		return NBD_OK;
	if (!range_inside_u64(request->offset_bytes, request->len_bytes, nbd_export_size(request->export_)))
		return commands[request->type].past_end;
	return NBD_OK;
}

static enum nbd_error check(const struct nbd_request *request)
{
	const struct nbd_session *session = request->session;
	if (session->ending)
		return NBD_ESHUTDOWN;
	if (request->type >= NBD_CMD_COUNT || (request->flags & ~allowed_flags(request)))
		return NBD_EINVAL;
	if (commands[request->type].changes && nbd_export_read_only(request->export_))
		return NBD_EPERM;
	switch (request->type) {
	case NBD_CMD_READ:
		if (request->len_bytes > NBD_PAYLOAD_BYTES_MAX)
			return NBD_EINVAL;
		break;
	case NBD_CMD_WRITE:
		/* With extended headers a write says that its payload is one; without, nothing follows. */
		if (session->extended && !(request->flags & NBD_CMD_FLAG_PAYLOAD_LEN))
			return NBD_EINVAL;
		break;
	case NBD_CMD_BLOCK_STATUS:
		if (!session->base_allocation || request->len_bytes == 0)
			return NBD_EINVAL;
		if (request->flags & NBD_CMD_FLAG_PAYLOAD_LEN)
			return request->len_bytes == STATUS_DATA_BYTES ? NBD_OK : NBD_EINVAL;
		break;
	default:
		break;
	}
	return check_range(request);
}

/* ---- dispatch ---- */

static void execute(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	switch (request->type) {
	case NBD_CMD_READ:
		if (!nbd_read_start(request))
			session->issuing = request;
		break;
	case NBD_CMD_WRITE:
		nbd_write_start(request);
		break;
	case NBD_CMD_FLUSH:
		nbd_flush_start(request);
		break;
	case NBD_CMD_TRIM:
		nbd_trim_start(request);
		break;
	case NBD_CMD_CACHE:
		/* Advice.  There is no cache between a volume and its store that it could fill. */
		nbd_request_answer(request);
		break;
	case NBD_CMD_WRITE_ZEROES:
		nbd_zero_start(request);
		break;
	case NBD_CMD_BLOCK_STATUS:
		if (!nbd_status_start(request))
			session->issuing = request;
		break;
	default:
		assert(false && "checked");
	}
}

static void receive_first(struct nbd_request *request, enum nbd_state state, uint64_t bytes)
{
	struct nbd_session *session = request->session;
	session->receiving = request;
	session->skip_bytes = bytes;
	nbd_set_state(session, state);
}

static void start(struct nbd_request *request)
{
	struct nbd_session *session = request->session;
	const uint64_t payload = payload_bytes(request);
	/* Whatever is wrong with it, and whatever else ends the session: it is not answered. */
	if (request->type == NBD_CMD_DISC) {
		nbd_request_drop(request);
		nbd_disconnect(session);
		return;
	}
	if (payload > NBD_PAYLOAD_BYTES_MAX) {
		nbd_request_drop(request);
		nbd_doom(session, WHERRY_LCORE_nbd_drop_payload);
		return;
	}
	request->error = check(request);
	if (request->error == NBD_OK && request->type == NBD_CMD_BLOCK_STATUS && payload)
		receive_first(request, NBD_STATE_STATUS_DATA, payload);
	else if (request->error == NBD_OK)
		execute(request);
	else if (payload)
		receive_first(request, NBD_STATE_SKIP, payload);
	else
		nbd_request_answer(request);
}

static void request_init(struct nbd_request *request, const struct nbd_command_header *header)
{
	struct nbd_session *session = request->session;
	request->cookie = header->cookie;
	request->offset_bytes = header->offset_bytes;
	request->len_bytes = header->len_bytes;
	request->type = header->type;
	request->flags = header->flags;
	request->at_bytes = 0;
	request->arrived_ns = nbd_now(session->lcore);
	request->pending = 0;
	request->error = NBD_OK;
	request->error_offset_bytes = 0;
	request->issued = request->ordered = request->hold = request->started = request->busy = false;
	request->abandoned = false;
	request->first = request->last = NULL;
	request->group_count = 0;
	nbd_count(request->export_, WHERRY_EXPORT_queue_depth, 1);
	const uint64_t depth = request->export_->stats[WHERRY_EXPORT_queue_depth];
	if (depth > request->export_->stats[WHERRY_EXPORT_queue_depth_max])
		nbd_count(request->export_, WHERRY_EXPORT_queue_depth_max, 1);
}

uint32_t nbd_input_request(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	const uint32_t want_bytes = nbd_request_bytes(session->extended);
	const uint32_t had_bytes = session->input_bytes;
	const uint8_t *bytes = data;
	struct nbd_command_header header;
	if (had_bytes + len_bytes < want_bytes) {
		memcpy(session->input + had_bytes, data, len_bytes);
		session->input_bytes += len_bytes;
		return len_bytes;
	}
	struct nbd_request *request = nbd_request_take(session);
	if (!request)
		return 0;
	if (had_bytes) {
		memcpy(session->input + had_bytes, data, want_bytes - had_bytes);
		session->input_bytes = 0;
		bytes = session->input;
	}
	const bool good = nbd_request_parse(bytes, want_bytes, session->extended, &header).result == WIRE_OK;
	if (good) {
		request_init(request, &header);
		start(request);
	} else {
		nbd_count(request->export_, WHERRY_EXPORT_queue_depth, 1);
		nbd_request_drop(request);
		nbd_doom(session, WHERRY_LCORE_nbd_drop_magic);
	}
	return want_bytes - had_bytes;
}

/* ---- payloads of other requests than writes ---- */

uint32_t nbd_input_status_data(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	const uint32_t take_bytes = len_bytes < session->skip_bytes ? len_bytes : (uint32_t)session->skip_bytes;
	memcpy(session->input + session->input_bytes, data, take_bytes);
	session->input_bytes += take_bytes;
	session->skip_bytes -= take_bytes;
	if (session->skip_bytes)
		return take_bytes;
	struct nbd_request *request = session->receiving;
	uint32_t context;
	nbd_status_filter_parse(session->input, &request->len_bytes, &context);
	session->receiving = NULL;
	nbd_set_state(session, NBD_STATE_REQUEST);
	request->error = request->len_bytes == 0 || context != NBD_CONTEXT_ID ? NBD_EINVAL : check_range(request);
	if (request->error)
		nbd_request_answer(request);
	else
		execute(request);
	return take_bytes;
}

uint32_t nbd_input_skip(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes)
{
	(void)data;
	const uint32_t take_bytes = len_bytes < session->skip_bytes ? len_bytes : (uint32_t)session->skip_bytes;
	session->skip_bytes -= take_bytes;
	if (session->skip_bytes == 0) {
		struct nbd_request *request = session->receiving;
		session->receiving = NULL;
		nbd_set_state(session, NBD_STATE_REQUEST);
		nbd_request_answer(request);
	}
	return take_bytes;
}
