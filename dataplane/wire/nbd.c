/* SPDX-License-Identifier: BSD-3-Clause */
/* NBD: parse and emit.  Every length is compared with the bytes that are there before it is used. */
#include "wire/nbd.h"

#include <string.h>

/* ---- bytes ---- */

struct greeting_wire {
	be64 magic, option_magic;
	be16 flags;
};

struct option_wire {
	be64 magic;
	be32 option, len_bytes;
};

struct option_reply_wire {
	be64 magic;
	be32 option, type, len_bytes;
};

struct info_export_wire {
	be16 type;
	be64 size_bytes;
	be16 flags;
};

struct info_block_size_wire {
	be16 type;
	be32 min, preferred, max;
};

struct export_name_wire {
	be64 size_bytes;
	be16 flags;
};

struct request_wire {
	be32 magic;
	be16 flags, type;
	be64 cookie, offset;
	be32 len_bytes;
};

struct request_ext_wire {
	be32 magic;
	be16 flags, type;
	be64 cookie, offset, len_bytes;
};

struct simple_reply_wire {
	be32 magic, error;
	be64 cookie;
};

struct chunk_wire {
	be32 magic;
	be16 flags, type;
	be64 cookie;
	be32 len_bytes;
};

struct chunk_ext_wire {
	be32 magic;
	be16 flags, type;
	be64 cookie, offset, len_bytes;
};

_Static_assert(sizeof(struct greeting_wire) == NBD_GREETING_BYTES, "Newstyle negotiation");
_Static_assert(sizeof(struct option_wire) == NBD_OPTION_BYTES && offsetof(struct option_wire, len_bytes) == 12,
	       "option request");
_Static_assert(sizeof(struct option_reply_wire) == NBD_OPTION_REPLY_BYTES &&
		       offsetof(struct option_reply_wire, type) == 12,
	       "option reply");
_Static_assert(sizeof(struct info_export_wire) == 12 && sizeof(struct info_block_size_wire) == 14, "NBD_REP_INFO");
_Static_assert(sizeof(struct export_name_wire) == NBD_EXPORT_NAME_REPLY_BYTES, "NBD_OPT_EXPORT_NAME");
_Static_assert(sizeof(struct request_wire) == NBD_REQUEST_BYTES && offsetof(struct request_wire, cookie) == 8 &&
		       offsetof(struct request_wire, len_bytes) == 24,
	       "Request message");
_Static_assert(sizeof(struct request_ext_wire) == NBD_REQUEST_EXT_BYTES &&
		       offsetof(struct request_ext_wire, len_bytes) == 24,
	       "Request message, extended");
_Static_assert(sizeof(struct simple_reply_wire) == NBD_SIMPLE_REPLY_BYTES, "Simple reply message");
_Static_assert(sizeof(struct chunk_wire) == NBD_CHUNK_BYTES && offsetof(struct chunk_wire, len_bytes) == 16,
	       "Structured reply chunk message");
_Static_assert(sizeof(struct chunk_ext_wire) == NBD_CHUNK_EXT_BYTES && offsetof(struct chunk_ext_wire, offset) == 16,
	       "Extended reply chunk message");

/* ---- handshake: parse ---- */

struct wire_status nbd_client_flags_parse(const uint8_t *bytes, uint32_t len_bytes, uint32_t *flags)
{
	if (len_bytes < NBD_CLIENT_FLAGS_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_CLIENT_FLAGS);
	*flags = be32_get(*(const be32 *)bytes);
	if (*flags & ~(NBD_FLAG_FIXED_NEWSTYLE | NBD_FLAG_NO_ZEROES))
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_CLIENT_FLAGS);
	return wire_ok();
}

struct wire_status nbd_option_parse(const uint8_t *bytes, uint32_t len_bytes, struct nbd_option_header *header)
{
	if (len_bytes < NBD_OPTION_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_OPTION);
	const struct option_wire *wire = (const struct option_wire *)bytes;
	if (be64_get(wire->magic) != NBD_OPTION_MAGIC)
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_MAGIC);
	header->option = be32_get(wire->option);
	header->len_bytes = be32_get(wire->len_bytes);
	return wire_ok();
}

/* A length and as many bytes.  Moves *at behind them. */
static struct wire_status text_parse(const uint8_t *bytes, uint32_t len_bytes, uint32_t *at, struct nbd_text *text)
{
	if (len_bytes - *at < 4)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_STRING);
	const uint32_t text_bytes = be32_get(*(const be32 *)(bytes + *at));
	if (text_bytes > len_bytes - *at - 4)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_STRING);
	if (text_bytes > NBD_STRING_BYTES_MAX)
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_STRING);
	*text = (struct nbd_text){bytes + *at + 4, text_bytes};
	*at += 4 + text_bytes;
	return wire_ok();
}

struct wire_status nbd_go_parse(const uint8_t *bytes, uint32_t len_bytes, struct nbd_go *go)
{
	uint32_t at = 0;
	const struct wire_status status = text_parse(bytes, len_bytes, &at, &go->name);
	if (status.result != WIRE_OK)
		return status;
	if (len_bytes - at < 2)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_INFOS);
	go->info_count = be16_get(*(const be16 *)(bytes + at));
	go->infos = bytes + at + 2;
	const uint32_t want_bytes = go->info_count * 2u, have_bytes = len_bytes - at - 2;
	if (want_bytes != have_bytes)
		return wire_no(want_bytes > have_bytes ? WIRE_SHORT : WIRE_BAD, WIRE_WHY_NBD_INFOS);
	return wire_ok();
}

uint16_t nbd_go_info(const struct nbd_go *go, uint32_t index)
{
	return be16_get(((const be16 *)go->infos)[index]);
}

struct wire_status nbd_meta_parse(const uint8_t *bytes, uint32_t len_bytes, struct nbd_meta *meta)
{
	uint32_t at = 0;
	struct wire_status status = text_parse(bytes, len_bytes, &at, &meta->name);
	if (status.result != WIRE_OK)
		return status;
	if (len_bytes - at < 4)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_QUERIES);
	meta->query_count = be32_get(*(const be32 *)(bytes + at));
	at += 4;
	meta->queries = bytes + at;
	meta->queries_bytes = len_bytes - at;
	if (meta->query_count > meta->queries_bytes / 4)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_QUERIES);
	for (uint32_t i = 0; i < meta->query_count; i++) {
		struct nbd_text query;
		status = text_parse(bytes, len_bytes, &at, &query);
		if (status.result != WIRE_OK)
			return status;
	}
	return at == len_bytes ? wire_ok() : wire_no(WIRE_BAD, WIRE_WHY_NBD_QUERIES);
}

struct nbd_text nbd_meta_query(const struct nbd_meta *meta, uint32_t *at_bytes)
{
	const uint8_t *at = meta->queries + *at_bytes;
	const struct nbd_text query = {at + 4, be32_get(*(const be32 *)at)};
	*at_bytes += 4 + query.len_bytes;
	return query;
}

bool nbd_text_is(struct nbd_text text, const char *string)
{
	return text.len_bytes == strlen(string) && memcmp(text.bytes, string, text.len_bytes) == 0;
}

struct wire_status nbd_option_reply_parse(const uint8_t *bytes, uint32_t len_bytes,
					  struct nbd_option_reply_header *header)
{
	if (len_bytes < NBD_OPTION_REPLY_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_OPTION);
	const struct option_reply_wire *wire = (const struct option_reply_wire *)bytes;
	if (be64_get(wire->magic) != NBD_OPTION_REPLY_MAGIC)
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_MAGIC);
	header->option = be32_get(wire->option);
	header->type = be32_get(wire->type);
	header->len_bytes = be32_get(wire->len_bytes);
	return wire_ok();
}

/* ---- handshake: emit ---- */

uint32_t nbd_greeting_emit(uint8_t *bytes, uint16_t flags)
{
	struct greeting_wire *wire = (struct greeting_wire *)bytes;
	wire->magic = be64_of(NBD_MAGIC);
	wire->option_magic = be64_of(NBD_OPTION_MAGIC);
	wire->flags = be16_of(flags);
	return NBD_GREETING_BYTES;
}

uint32_t nbd_client_flags_emit(uint8_t *bytes, uint32_t flags)
{
	*(be32 *)bytes = be32_of(flags);
	return NBD_CLIENT_FLAGS_BYTES;
}

uint32_t nbd_option_emit(uint8_t *bytes, const struct nbd_option_header *header)
{
	struct option_wire *wire = (struct option_wire *)bytes;
	wire->magic = be64_of(NBD_OPTION_MAGIC);
	wire->option = be32_of(header->option);
	wire->len_bytes = be32_of(header->len_bytes);
	return NBD_OPTION_BYTES;
}

uint32_t nbd_option_reply_emit(uint8_t *bytes, uint32_t option, uint32_t type, uint32_t len_bytes)
{
	struct option_reply_wire *wire = (struct option_reply_wire *)bytes;
	wire->magic = be64_of(NBD_OPTION_REPLY_MAGIC);
	wire->option = be32_of(option);
	wire->type = be32_of(type);
	wire->len_bytes = be32_of(len_bytes);
	return NBD_OPTION_REPLY_BYTES;
}

uint32_t nbd_option_text_emit(uint8_t *bytes, uint32_t option, uint32_t type, const char *text)
{
	const uint32_t text_bytes = (uint32_t)strlen(text);
	const uint32_t head_bytes = nbd_option_reply_emit(bytes, option, type, text_bytes);
	memcpy(bytes + head_bytes, text, text_bytes);
	return head_bytes + text_bytes;
}

uint32_t nbd_option_server_emit(uint8_t *bytes, const char *name, const char *description)
{
	const uint32_t name_bytes = (uint32_t)strlen(name), text_bytes = (uint32_t)strlen(description);
	uint32_t at = nbd_option_reply_emit(bytes, NBD_OPT_LIST, NBD_REP_SERVER, 4 + name_bytes + text_bytes);
	*(be32 *)(bytes + at) = be32_of(name_bytes);
	at += 4;
	memcpy(bytes + at, name, name_bytes);
	memcpy(bytes + at + name_bytes, description, text_bytes);
	return at + name_bytes + text_bytes;
}

uint32_t nbd_info_export_emit(uint8_t *bytes, uint32_t option, uint64_t size_bytes, uint16_t flags)
{
	const uint32_t at = nbd_option_reply_emit(bytes, option, NBD_REP_INFO, sizeof(struct info_export_wire));
	*(struct info_export_wire *)(bytes + at) =
		(struct info_export_wire){be16_of(NBD_INFO_EXPORT), be64_of(size_bytes), be16_of(flags)};
	return at + (uint32_t)sizeof(struct info_export_wire);
}

uint32_t nbd_info_text_emit(uint8_t *bytes, uint32_t option, enum nbd_info info, const char *text)
{
	const uint32_t text_bytes = (uint32_t)strlen(text);
	const uint32_t at = nbd_option_reply_emit(bytes, option, NBD_REP_INFO, 2 + text_bytes);
	*(be16 *)(bytes + at) = be16_of((uint16_t)info);
	memcpy(bytes + at + 2, text, text_bytes);
	return at + 2 + text_bytes;
}

uint32_t nbd_info_block_size_emit(uint8_t *bytes, uint32_t option, uint32_t min, uint32_t preferred, uint32_t max)
{
	const uint32_t at = nbd_option_reply_emit(bytes, option, NBD_REP_INFO, sizeof(struct info_block_size_wire));
	*(struct info_block_size_wire *)(bytes + at) = (struct info_block_size_wire){
		be16_of(NBD_INFO_BLOCK_SIZE), be32_of(min), be32_of(preferred), be32_of(max)};
	return at + (uint32_t)sizeof(struct info_block_size_wire);
}

uint32_t nbd_meta_context_emit(uint8_t *bytes, uint32_t option, uint32_t id, const char *name)
{
	const uint32_t name_bytes = (uint32_t)strlen(name);
	const uint32_t at = nbd_option_reply_emit(bytes, option, NBD_REP_META_CONTEXT, 4 + name_bytes);
	*(be32 *)(bytes + at) = be32_of(id);
	memcpy(bytes + at + 4, name, name_bytes);
	return at + 4 + name_bytes;
}

uint32_t nbd_export_name_reply_emit(uint8_t *bytes, uint64_t size_bytes, uint16_t flags, bool zeroes)
{
	*(struct export_name_wire *)bytes = (struct export_name_wire){be64_of(size_bytes), be16_of(flags)};
	if (!zeroes)
		return NBD_EXPORT_NAME_REPLY_BYTES;
	memset(bytes + NBD_EXPORT_NAME_REPLY_BYTES, 0, NBD_EXPORT_NAME_ZEROES_BYTES);
	return NBD_EXPORT_NAME_REPLY_BYTES + NBD_EXPORT_NAME_ZEROES_BYTES;
}

/* ---- transmission ---- */

struct wire_status nbd_request_parse(const uint8_t *bytes, uint32_t len_bytes, bool extended,
				     struct nbd_command_header *header)
{
	if (len_bytes < nbd_request_bytes(extended))
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_REQUEST);
	/* The two kinds differ in magic and in the width of the length alone. */
	const struct request_ext_wire *wire = (const struct request_ext_wire *)bytes;
	if (be32_get(wire->magic) != (extended ? NBD_REQUEST_EXT_MAGIC : NBD_REQUEST_MAGIC))
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_MAGIC);
	header->flags = be16_get(wire->flags);
	header->type = be16_get(wire->type);
	header->cookie = be64_get(wire->cookie);
	header->offset_bytes = be64_get(wire->offset);
	header->len_bytes =
		extended ? be64_get(wire->len_bytes) : be32_get(((const struct request_wire *)bytes)->len_bytes);
	return wire_ok();
}

void nbd_status_filter_parse(const uint8_t *bytes, uint64_t *len_bytes, uint32_t *context)
{
	*len_bytes = be64_get(*(const be64 *)bytes);
	*context = be32_get(*(const be32 *)(bytes + 8));
}

uint32_t nbd_request_emit(uint8_t *bytes, bool extended, const struct nbd_command_header *header)
{
	struct request_ext_wire *wire = (struct request_ext_wire *)bytes;
	wire->magic = be32_of(extended ? NBD_REQUEST_EXT_MAGIC : NBD_REQUEST_MAGIC);
	wire->flags = be16_of(header->flags);
	wire->type = be16_of(header->type);
	wire->cookie = be64_of(header->cookie);
	wire->offset = be64_of(header->offset_bytes);
	if (extended)
		wire->len_bytes = be64_of(header->len_bytes);
	else
		((struct request_wire *)bytes)->len_bytes = be32_of((uint32_t)header->len_bytes);
	return nbd_request_bytes(extended);
}

struct wire_status nbd_simple_reply_parse(const uint8_t *bytes, uint32_t len_bytes, struct nbd_simple_reply *reply)
{
	if (len_bytes < NBD_SIMPLE_REPLY_BYTES)
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_REPLY);
	const struct simple_reply_wire *wire = (const struct simple_reply_wire *)bytes;
	if (be32_get(wire->magic) != NBD_SIMPLE_REPLY_MAGIC)
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_MAGIC);
	reply->error = be32_get(wire->error);
	reply->cookie = be64_get(wire->cookie);
	return wire_ok();
}

uint32_t nbd_simple_reply_emit(uint8_t *bytes, const struct nbd_simple_reply *reply)
{
	*(struct simple_reply_wire *)bytes = (struct simple_reply_wire){be32_of(NBD_SIMPLE_REPLY_MAGIC),
									be32_of(reply->error), be64_of(reply->cookie)};
	return NBD_SIMPLE_REPLY_BYTES;
}

struct wire_status nbd_chunk_parse(const uint8_t *bytes, uint32_t len_bytes, bool extended,
				   struct nbd_chunk_header *header)
{
	if (len_bytes < nbd_chunk_bytes(extended))
		return wire_no(WIRE_SHORT, WIRE_WHY_NBD_REPLY);
	const struct chunk_ext_wire *wire = (const struct chunk_ext_wire *)bytes;
	if (be32_get(wire->magic) != (extended ? NBD_CHUNK_EXT_MAGIC : NBD_CHUNK_MAGIC))
		return wire_no(WIRE_BAD, WIRE_WHY_NBD_MAGIC);
	header->flags = be16_get(wire->flags);
	header->type = be16_get(wire->type);
	header->cookie = be64_get(wire->cookie);
	header->offset_bytes = extended ? be64_get(wire->offset) : 0;
	header->len_bytes =
		extended ? be64_get(wire->len_bytes) : be32_get(((const struct chunk_wire *)bytes)->len_bytes);
	return wire_ok();
}

uint32_t nbd_chunk_emit(uint8_t *bytes, bool extended, const struct nbd_chunk_header *header)
{
	struct chunk_ext_wire *wire = (struct chunk_ext_wire *)bytes;
	wire->magic = be32_of(extended ? NBD_CHUNK_EXT_MAGIC : NBD_CHUNK_MAGIC);
	wire->flags = be16_of(header->flags);
	wire->type = be16_of(header->type);
	wire->cookie = be64_of(header->cookie);
	if (!extended) {
		((struct chunk_wire *)bytes)->len_bytes = be32_of((uint32_t)header->len_bytes);
		return NBD_CHUNK_BYTES;
	}
	wire->offset = be64_of(header->offset_bytes);
	wire->len_bytes = be64_of(header->len_bytes);
	return NBD_CHUNK_EXT_BYTES;
}

uint32_t nbd_chunk_data_emit(uint8_t *bytes, uint64_t offset_bytes)
{
	*(be64 *)bytes = be64_of(offset_bytes);
	return 8;
}

uint32_t nbd_chunk_hole_emit(uint8_t *bytes, uint64_t offset_bytes, uint32_t len_bytes)
{
	*(be64 *)bytes = be64_of(offset_bytes);
	*(be32 *)(bytes + 8) = be32_of(len_bytes);
	return 12;
}

uint32_t nbd_chunk_error_emit(uint8_t *bytes, enum nbd_error error, const char *text, const uint64_t *offset_bytes)
{
	const uint32_t text_bytes = (uint32_t)strlen(text);
	*(be32 *)bytes = be32_of((uint32_t)error);
	*(be16 *)(bytes + 4) = be16_of((uint16_t)text_bytes);
	memcpy(bytes + 6, text, text_bytes);
	if (!offset_bytes)
		return 6 + text_bytes;
	*(be64 *)(bytes + 6 + text_bytes) = be64_of(*offset_bytes);
	return 14 + text_bytes;
}

uint32_t nbd_chunk_status_emit(uint8_t *bytes, bool extended, uint32_t context, uint32_t count)
{
	*(be32 *)bytes = be32_of(context);
	if (!extended)
		return 4;
	*(be32 *)(bytes + 4) = be32_of(count);
	return 8;
}

uint32_t nbd_chunk_extent_emit(uint8_t *bytes, bool extended, uint64_t len_bytes, uint32_t flags)
{
	if (!extended) {
		*(be32 *)bytes = be32_of((uint32_t)len_bytes);
		*(be32 *)(bytes + 4) = be32_of(flags);
		return 8;
	}
	*(be64 *)bytes = be64_of(len_bytes);
	*(be64 *)(bytes + 8) = be64_of(flags);
	return 16;
}
