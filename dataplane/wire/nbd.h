/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NBD: greeting, options, requests, replies.
 *
 * Source: the protocol document of NetworkBlockDevice/nbd (doc/proto.md) and its
 * extension-ext-header branch; section names in comments are its headings.
 * Every integer is big-endian.  Parsers serve both ends.  Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define NBD_PORT 10809
#define NBD_STRING_BYTES_MAX 4096u        /* "Values": names, queries, descriptions */
#define NBD_PAYLOAD_BYTES_MAX (32u << 20) /* what a client may ask for that was told nothing */
#define NBD_DF_BYTES_MIN 65536u           /* reads up to here may not be refused for being in one piece */

#define NBD_GREETING_BYTES 18u
#define NBD_CLIENT_FLAGS_BYTES 4u
#define NBD_OPTION_BYTES 16u
#define NBD_OPTION_REPLY_BYTES 20u
#define NBD_EXPORT_NAME_REPLY_BYTES 10u
#define NBD_EXPORT_NAME_ZEROES_BYTES 124u
#define NBD_REQUEST_BYTES 28u
#define NBD_REQUEST_EXT_BYTES 32u
#define NBD_SIMPLE_REPLY_BYTES 16u
#define NBD_CHUNK_BYTES 20u
#define NBD_CHUNK_EXT_BYTES 32u

#define NBD_MAGIC 0x4e42444d41474943ull        /* "NBDMAGIC" */
#define NBD_OPTION_MAGIC 0x49484156454f5054ull /* "IHAVEOPT" */
#define NBD_OPTION_REPLY_MAGIC 0x0003e889045565a9ull
#define NBD_REQUEST_MAGIC 0x25609513u
#define NBD_REQUEST_EXT_MAGIC 0x21e41c71u
#define NBD_SIMPLE_REPLY_MAGIC 0x67446698u
#define NBD_CHUNK_MAGIC 0x668e33efu
#define NBD_CHUNK_EXT_MAGIC 0x6e8a278cu

/* Handshake flags, the same bits from both sides. */
#define NBD_FLAG_FIXED_NEWSTYLE 0x1u
#define NBD_FLAG_NO_ZEROES 0x2u

enum nbd_option {
	NBD_OPT_EXPORT_NAME = 1,
	NBD_OPT_ABORT = 2,
	NBD_OPT_LIST = 3,
	NBD_OPT_STARTTLS = 5,
	NBD_OPT_INFO = 6,
	NBD_OPT_GO = 7,
	NBD_OPT_STRUCTURED_REPLY = 8,
	NBD_OPT_LIST_META_CONTEXT = 9,
	NBD_OPT_SET_META_CONTEXT = 10,
	NBD_OPT_EXTENDED_HEADERS = 11,
};

enum nbd_option_reply {
	NBD_REP_ACK = 1,
	NBD_REP_SERVER = 2,
	NBD_REP_INFO = 3,
	NBD_REP_META_CONTEXT = 4,
};
#define NBD_REP_ERR_UNSUP 0x80000001u
#define NBD_REP_ERR_POLICY 0x80000002u
#define NBD_REP_ERR_INVALID 0x80000003u
#define NBD_REP_ERR_UNKNOWN 0x80000006u
#define NBD_REP_ERR_SHUTDOWN 0x80000007u
#define NBD_REP_ERR_TOO_BIG 0x80000009u
#define NBD_REP_ERR_EXT_HEADER_REQD 0x8000000au

enum nbd_info { NBD_INFO_EXPORT, NBD_INFO_NAME, NBD_INFO_DESCRIPTION, NBD_INFO_BLOCK_SIZE };

/* Transmission flags. */
#define NBD_FLAG_HAS_FLAGS 0x0001u
#define NBD_FLAG_READ_ONLY 0x0002u
#define NBD_FLAG_SEND_FLUSH 0x0004u
#define NBD_FLAG_SEND_FUA 0x0008u
#define NBD_FLAG_SEND_TRIM 0x0020u
#define NBD_FLAG_SEND_WRITE_ZEROES 0x0040u
#define NBD_FLAG_SEND_DF 0x0080u
#define NBD_FLAG_CAN_MULTI_CONN 0x0100u
#define NBD_FLAG_SEND_CACHE 0x0400u
#define NBD_FLAG_SEND_FAST_ZERO 0x0800u
#define NBD_FLAG_BLOCK_STATUS_PAYLOAD 0x1000u

enum nbd_command {
	NBD_CMD_READ,
	NBD_CMD_WRITE,
	NBD_CMD_DISC,
	NBD_CMD_FLUSH,
	NBD_CMD_TRIM,
	NBD_CMD_CACHE,
	NBD_CMD_WRITE_ZEROES,
	NBD_CMD_BLOCK_STATUS,
	NBD_CMD_COUNT,
};

#define NBD_CMD_FLAG_FUA 0x01u
#define NBD_CMD_FLAG_NO_HOLE 0x02u
#define NBD_CMD_FLAG_DF 0x04u
#define NBD_CMD_FLAG_REQ_ONE 0x08u
#define NBD_CMD_FLAG_FAST_ZERO 0x10u
#define NBD_CMD_FLAG_PAYLOAD_LEN 0x20u /* extended requests only */

enum nbd_chunk_type {
	NBD_CHUNK_NONE = 0,
	NBD_CHUNK_OFFSET_DATA = 1,
	NBD_CHUNK_OFFSET_HOLE = 2,
	NBD_CHUNK_BLOCK_STATUS = 5,
	NBD_CHUNK_BLOCK_STATUS_EXT = 6,
	NBD_CHUNK_ERROR = 0x8001,
	NBD_CHUNK_ERROR_OFFSET = 0x8002,
};
#define NBD_CHUNK_FLAG_DONE 0x1u

enum nbd_error {
	NBD_OK = 0,
	NBD_EPERM = 1,
	NBD_EIO = 5,
	NBD_ENOMEM = 12,
	NBD_EINVAL = 22,
	NBD_ENOSPC = 28,
	NBD_EOVERFLOW = 75,
	NBD_ENOTSUP = 95,
	NBD_ESHUTDOWN = 108,
};

/* Metadata context "base:allocation": status flags of an extent. */
#define NBD_CONTEXT_BASE_ALLOCATION "base:allocation"
#define NBD_STATE_HOLE 0x1u
#define NBD_STATE_ZERO 0x2u

/* ---- handshake ---- */

struct nbd_option_header {
	uint32_t option;
	uint32_t len_bytes; /* of data that follow */
};

/* A string inside the bytes parsed; not terminated. */
struct nbd_text {
	const uint8_t *bytes;
	uint32_t len_bytes;
};

/* Data of INFO and GO. */
struct nbd_go {
	struct nbd_text name;
	uint16_t info_count;
	const uint8_t *infos; /* nbd_go_info reads one */
};

/* Data of LIST_META_CONTEXT and SET_META_CONTEXT. */
struct nbd_meta {
	struct nbd_text name;
	uint32_t query_count;
	const uint8_t *queries; /* nbd_meta_query steps through them */
	uint32_t queries_bytes;
};

/* 4 bytes.  BAD: a bit that no server offers. */
__attribute__((warn_unused_result)) struct wire_status nbd_client_flags_parse(const uint8_t *bytes, uint32_t len_bytes,
									      uint32_t *flags);
/* 16 bytes.  BAD: magic. */
__attribute__((warn_unused_result)) struct wire_status nbd_option_parse(const uint8_t *bytes, uint32_t len_bytes,
									struct nbd_option_header *header);
/* len_bytes is the option's length.  SHORT: shorter than it must be, or than what it announces; BAD: longer, or a
 * string over 4096 bytes. */
__attribute__((warn_unused_result)) struct wire_status nbd_go_parse(const uint8_t *bytes, uint32_t len_bytes,
								    struct nbd_go *go);
/* Of a go that was parsed; index < info_count. */
uint16_t nbd_go_info(const struct nbd_go *go, uint32_t index);
__attribute__((warn_unused_result)) struct wire_status nbd_meta_parse(const uint8_t *bytes, uint32_t len_bytes,
								      struct nbd_meta *meta);
/* Take the next query of a meta that was parsed; *at_bytes is 0 at first.  Called at most query_count times. */
struct nbd_text nbd_meta_query(const struct nbd_meta *meta, uint32_t *at_bytes);

bool nbd_text_is(struct nbd_text text, const char *string);

/* Each emits at bytes, where there is room for the constant or length named, and returns what it wrote. */
uint32_t nbd_greeting_emit(uint8_t *bytes, uint16_t flags);
uint32_t nbd_client_flags_emit(uint8_t *bytes, uint32_t flags);
uint32_t nbd_option_emit(uint8_t *bytes, const struct nbd_option_header *header); /* NBD_OPTION_BYTES */
/* NBD_OPTION_REPLY_BYTES */
uint32_t nbd_option_reply_emit(uint8_t *bytes, uint32_t option, uint32_t type, uint32_t len_bytes);
/* Reply with text as its data. */
uint32_t nbd_option_text_emit(uint8_t *bytes, uint32_t option, uint32_t type, const char *text);
/* SERVER: name, then description as data that clients ignore or show. */
uint32_t nbd_option_server_emit(uint8_t *bytes, const char *name, const char *description);
uint32_t nbd_info_export_emit(uint8_t *bytes, uint32_t option, uint64_t size_bytes, uint16_t flags);
uint32_t nbd_info_text_emit(uint8_t *bytes, uint32_t option, enum nbd_info info, const char *text);
uint32_t nbd_info_block_size_emit(uint8_t *bytes, uint32_t option, uint32_t min, uint32_t preferred, uint32_t max);
uint32_t nbd_meta_context_emit(uint8_t *bytes, uint32_t option, uint32_t id, const char *name);
/* NBD_EXPORT_NAME_REPLY_BYTES, and zeroes behind them. */
uint32_t nbd_export_name_reply_emit(uint8_t *bytes, uint64_t size_bytes, uint16_t flags, bool zeroes);

struct nbd_option_reply_header {
	uint32_t option, type, len_bytes;
};
__attribute__((warn_unused_result)) struct wire_status nbd_option_reply_parse(const uint8_t *bytes, uint32_t len_bytes,
									      struct nbd_option_reply_header *header);

/* ---- transmission ---- */

struct nbd_command_header {
	uint16_t flags; /* NBD_CMD_FLAG_* */
	uint16_t type;  /* enum nbd_command, or anything */
	uint64_t cookie;
	uint64_t offset_bytes;
	uint64_t len_bytes; /* of the payload for WRITE, and with PAYLOAD_LEN; of the effect otherwise */
};

struct nbd_chunk_header {
	uint16_t flags; /* NBD_CHUNK_FLAG_* */
	uint16_t type;  /* enum nbd_chunk_type */
	uint64_t cookie;
	uint64_t offset_bytes; /* extended only: echo of the request's */
	uint64_t len_bytes;    /* of what follows */
};

struct nbd_simple_reply {
	uint32_t error;
	uint64_t cookie;
};

static inline uint32_t nbd_request_bytes(bool extended)
{
	return extended ? NBD_REQUEST_EXT_BYTES : NBD_REQUEST_BYTES;
}

static inline uint32_t nbd_chunk_bytes(bool extended)
{
	return extended ? NBD_CHUNK_EXT_BYTES : NBD_CHUNK_BYTES;
}

/* nbd_request_bytes(extended).  SHORT; BAD: magic. */
__attribute__((warn_unused_result)) struct wire_status
nbd_request_parse(const uint8_t *bytes, uint32_t len_bytes, bool extended, struct nbd_command_header *header);
/* Payload of a filtered BLOCK_STATUS that names one context: 12 bytes. */
void nbd_status_filter_parse(const uint8_t *bytes, uint64_t *len_bytes, uint32_t *context);
uint32_t nbd_request_emit(uint8_t *bytes, bool extended, const struct nbd_command_header *header);

__attribute__((warn_unused_result)) struct wire_status nbd_simple_reply_parse(const uint8_t *bytes, uint32_t len_bytes,
									      struct nbd_simple_reply *reply);
uint32_t nbd_simple_reply_emit(uint8_t *bytes, const struct nbd_simple_reply *reply);

/* nbd_chunk_bytes(extended).  SHORT; BAD: magic. */
__attribute__((warn_unused_result)) struct wire_status nbd_chunk_parse(const uint8_t *bytes, uint32_t len_bytes,
								       bool extended, struct nbd_chunk_header *header);
uint32_t nbd_chunk_emit(uint8_t *bytes, bool extended, const struct nbd_chunk_header *header);

/* What stands between chunk header and data. */
uint32_t nbd_chunk_data_emit(uint8_t *bytes, uint64_t offset_bytes);                     /* 8 bytes */
uint32_t nbd_chunk_hole_emit(uint8_t *bytes, uint64_t offset_bytes, uint32_t len_bytes); /* 12 bytes */
/* 6 bytes and the text; with an offset (ERROR_OFFSET) 8 more. */
uint32_t nbd_chunk_error_emit(uint8_t *bytes, enum nbd_error error, const char *text, const uint64_t *offset_bytes);
/* Head of a block status payload, 4 or 8 bytes; then count extents of 8 or 16. */
uint32_t nbd_chunk_status_emit(uint8_t *bytes, bool extended, uint32_t context, uint32_t count);
uint32_t nbd_chunk_extent_emit(uint8_t *bytes, bool extended, uint64_t len_bytes, uint32_t flags);
