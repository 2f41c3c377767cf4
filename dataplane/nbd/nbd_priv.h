/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shared between the files of this folder.  Owning lcore only.
 *
 * Who holds what: a session takes requests, I/O buffers and option buffers from
 * the pools of its lcore.  A request is given back when its reply has left and
 * the stream has let go of it; a buffer likewise.  A session is given back when
 * its stream is gone and it holds nothing.
 *
 * Nothing here ends a stream from inside a completion: what a session wants of
 * its stream beyond sending is noted (nbd_attend) and done by nbd_poll.
 */
#pragma once

#include <assert.h>
#include <stddef.h>
#include <string.h>
#include <sys/queue.h>

#include "nbd/nbd.h"
#include "util/checked.h"
#include "util/table.h"
#include "wire/nbd.h"

#define NBD_HEAD_ROOM_BYTES 64u          /* in front of the data of an I/O buffer: a chunk's header and offset */
#define NBD_REPLY_BYTES_MAX 128u         /* of a reply without data, with the words of an error */
#define NBD_GROUP_COUNT_MAX 16u          /* buffers that one write to the volume takes */
#define NBD_HOLD_COUNT_MAX 17u           /* buffers of a read that is answered in one piece, when nothing failed */
#define NBD_EXTENT_COUNT_MAX 1024u       /* of one block status reply */
#define NBD_OPTION_BUFFER_COUNT 64u      /* of one lcore */
#define NBD_OPTION_DATA_BYTES_MAX 12288u /* a 4096-byte name and a few long queries */
#define NBD_OPTION_REPLY_BYTES_MAX 4096u
#define NBD_OPTION_BYTES_MAX (1u << 20) /* longer ones are not even skipped */
#define NBD_OPTION_COUNT_MAX 4096u      /* of one session */
#define NBD_INPUT_BYTES 32u             /* the largest header */
#define NBD_CONTEXT_ID 1u               /* of base:allocation */

#define NBD_HANDSHAKE_NS 30000000000ull /* from one byte to the next while shaking hands */
#define NBD_STALL_NS 60000000000ull     /* in the middle of a request */
#define NBD_CLOSE_NS 5000000000ull      /* for the peer to end its side, and what it has begun */
#define NBD_STARVED_NS 1000000000ull    /* a session waits for buffers that long: look for who sits on them */
#define NBD_IDLE_NS 5000000000ull       /* sits on buffers: none has moved for that long */
#define NBD_PROMPT_NS 250000000ull      /* a peer that takes or fills a buffer within it may be prompt */
#define NBD_SLOW_REQUEST_COUNT 32u      /* of one slow session */
#define NBD_PROMPT_COUNT 8u             /* buffers in a row that prove a session to be prompt */
#define NBD_OVERDRAWN_NS 100000000ull   /* a prompt session waits that long: look for who sits on buffers */
#define NBD_STALLED_NS 1000000000ull    /* a prompt one is slow when none has moved for that long */
#define NBD_CHECK_COUNT 4u              /* sessions whose deadlines are looked at in a turn */

enum nbd_state {
	NBD_STATE_FLAGS,       /* client flags */
	NBD_STATE_OPTION,      /* option header */
	NBD_STATE_OPTION_DATA, /* data of an option that is served */
	NBD_STATE_OPTION_SKIP, /* data of one that is not */
	NBD_STATE_REQUEST,     /* request header */
	NBD_STATE_PAYLOAD,     /* of a write */
	NBD_STATE_STATUS_DATA, /* of a filtered block status */
	NBD_STATE_SKIP,        /* payload of a refused request */
	NBD_STATE_DEAF,        /* what comes is dropped */
	NBD_STATE_COUNT,
};

enum nbd_wait {
	NBD_WAIT_NONE,
	NBD_WAIT_POOL,   /* in the queue for buffers and requests of the lcore */
	NBD_WAIT_SHARE,  /* its export has as many of them as it may have: until some come back */
	NBD_WAIT_OPTION, /* in the queue for option buffers */
	NBD_WAIT_ROOM,   /* its own share is used up: until a reply has left */
};

struct nbd_session;
struct nbd_request;

/* A buffer for data, and one request to the volume. */
struct nbd_io {
	struct vol_request vol;
	struct pkt_buf buf; /* what is sent: headers in front of the data, and data */
	struct nbd_session *session;
	struct nbd_export *export_; /* in whose share it is, and reference */
	struct nbd_request *request;
	struct nbd_io *next; /* free list; pieces of a request in order */
	uint8_t *data;       /* buffer_bytes, aligned to 4096, NBD_HEAD_ROOM_BYTES usable in front */
	uint64_t offset_bytes;
	uint64_t peer_ns;   /* since when it is the peer's turn: to fill it, or to take it; 0: it is not */
	uint32_t len_bytes; /* of the piece */
	uint32_t have_bytes;
	bool slow;     /* taken by a session that was not prompt */
	bool complete; /* read, waits for those before it */
	struct iovec iov[NBD_GROUP_COUNT_MAX];
};

struct nbd_request {
	struct nbd_session *session;
	struct nbd_export *export_; /* held by exports' reference count */
	uint64_t cookie;
	uint64_t offset_bytes, len_bytes;
	uint64_t at_bytes; /* received, issued or zeroed so far */
	uint64_t arrived_ns;
	uint16_t type, flags;
	uint32_t pending; /* volume requests under way */
	enum nbd_error error;
	uint64_t error_offset_bytes;
	bool issued;                 /* no more volume requests come */
	bool ordered;                /* read: pieces leave in order behind one header */
	bool hold;                   /* read: nothing leaves before all is there */
	bool started;                /* read: the header has left */
	bool busy;                   /* read: pieces are being issued, sending waits */
	bool abandoned;              /* write: its payload will never be whole */
	bool slow;                   /* taken by a session that was not prompt */
	struct nbd_io *first, *last; /* read, ordered: pieces; write: the group being filled */
	uint32_t group_count;
	struct vol_request vol;
	struct pkt_buf buf;
	uint64_t peer_ns;         /* since when its reply waits for the peer; 0: it does not */
	struct nbd_request *next; /* free list */
	TAILQ_ENTRY(nbd_request) step_link;
	uint8_t reply[NBD_REPLY_BYTES_MAX];
};

struct nbd_option_buffer {
	struct pkt_buf buf;
	struct nbd_session *session;
	struct nbd_option_buffer *next;
	uint8_t reply[NBD_OPTION_REPLY_BYTES_MAX]; /* a list may go on into data */
	uint8_t data[NBD_OPTION_DATA_BYTES_MAX];
};

struct nbd_session {
	struct nbd_lcore *lcore;
	struct stream *stream; /* NULL: closed */
	struct nbd_export *export_;
	TAILQ_ENTRY(nbd_session) link; /* all, or free */
	TAILQ_ENTRY(nbd_session) wait_link;
	TAILQ_ENTRY(nbd_session) attend_link;
	uint8_t state, wait;
	bool fixed, no_zeroes, structured, extended;
	bool base_allocation;   /* negotiated for the export below, or for export_ after the handshake */
	bool waiting, attended; /* in a list */
	bool in_data;           /* inside on_data: what is sent is flushed by the stream */
	bool ending;            /* finish what is under way, then shut down */
	bool shut;              /* has shut down */
	bool doomed;            /* to be aborted */
	bool aborted;
	bool listing; /* the answer to LIST goes on */
	bool used;
	bool prompt;     /* has proven to take and fill buffers at once */
	bool waits_slow; /* was slow when it began to wait */
	bool need_request;
	uint8_t prompt_count; /* towards it */
	uint32_t turn;        /* takes from a pool that others wait for too */
	uint32_t need;        /* buffers wanted while waiting */
	uint32_t granted;     /* buffers that nbd_io_take gives without asking again */
	uint64_t meta_export_id;
	uint64_t since_ns, progress_ns, wait_since_ns, shut_ns;
	uint64_t end_ns; /* the operator ends it since then; 0: not */
	uint32_t option_count;
	uint32_t list_at;
	struct nbd_option_header option;
	struct nbd_option_buffer *option_buffer;
	uint32_t option_buffer_count;
	uint64_t skip_bytes;
	struct nbd_request *receiving, *issuing;
	struct nbd_io *filling;
	uint32_t io_count, request_count; /* held */
	uint32_t peer_count;              /* of both: those that wait for the peer */
	uint32_t active_count;            /* requests not answered yet */
	struct pkt_buf greeting;
	uint64_t read_ops, read_bytes, write_ops, write_bytes, other_ops, errors;
	uint32_t input_bytes;
	uint8_t input[NBD_INPUT_BYTES];
};

TAILQ_HEAD(nbd_session_list, nbd_session);
TAILQ_HEAD(nbd_step_list, nbd_request);

struct nbd_export {
	struct nbd_export_settings settings;
	struct nbd_lcore *lcore;      /* NULL: not served */
	struct nbd_export *same_name; /* others of this name hash */
	uint64_t name_key;
	uint32_t place;
	uint32_t refs;                              /* sessions, requests, buffers */
	uint32_t io_count, request_count;           /* of the lcore's pools that its sessions hold */
	uint32_t slow_io_count, slow_request_count; /* of these, taken by sessions that were not prompt */
	uint32_t sharing_count, slow_sharing_count; /* sessions that wait for its share, prompt and slow */
	uint64_t stats[WHERRY_EXPORT_STAT_COUNT];
	uint64_t hist[NBD_HIST_COUNT][WHERRY_HIST_BUCKET_COUNT];
};

struct nbd_lcore {
	struct nbd_env env;
	struct nbd_limits limits;
	uint32_t io_count_each; /* buffers of one session */
	bool draining;

	struct nbd_io *free_ios;
	struct nbd_request *free_requests;
	struct nbd_option_buffer *free_options;
	uint32_t free_io_count, free_request_count;
	uint32_t session_count;
	uint32_t under_way; /* requests not answered yet */
	struct nbd_session_list sessions, free_sessions;
	struct nbd_session_list waiting, waiting_slow, waiting_option; /* in order of arrival */
	struct nbd_session_list sharing; /* their export's share is used up; looked at by turns */
	struct nbd_session_list ready;   /* to go on: their share has room again */
	struct nbd_session_list attend;
	struct nbd_step_list stepping;
	uint32_t check_at;

	struct nbd_export **places; /* [WHERRY_EXPORT_COUNT_MAX] */
	uint32_t place_end;
	struct nbd_export *default_export;
	struct table by_id, by_name;

	struct nbd_session *session_memory;
	struct nbd_request *request_memory;
	struct nbd_io *io_memory;
	struct nbd_option_buffer *option_memory;
	uint8_t *buffer_memory;
};

static inline void nbd_count_lcore(struct nbd_lcore *lcore, enum wherry_lcore_stat stat)
{
	__atomic_store_n(&lcore->env.lcore_stats[stat], lcore->env.lcore_stats[stat] + 1, __ATOMIC_RELAXED);
}

static inline void nbd_count(struct nbd_export *export_, enum wherry_export_stat stat, uint64_t n)
{
	__atomic_store_n(&export_->stats[stat], export_->stats[stat] + n, __ATOMIC_RELAXED);
}

static inline uint64_t nbd_now(const struct nbd_lcore *lcore)
{
	return *lcore->env.now_ns;
}

/* Written by the volume's lcore; a whole value is all that matters here. */
static inline uint64_t nbd_export_size(const struct nbd_export *export_)
{
	return __atomic_load_n(&export_->settings.volume.volume->size_bytes, __ATOMIC_RELAXED);
}

static inline bool nbd_export_read_only(const struct nbd_export *export_)
{
	return export_->settings.read_only ||
	       __atomic_load_n(&export_->settings.volume.volume->read_only, __ATOMIC_RELAXED);
}

/* export.c: the one that a client at this address may use by this name, or NULL.  *denied: there is one, but not for
 * that address. */
struct nbd_export *nbd_export_find(struct nbd_lcore *lcore, struct nbd_text name, const struct ip_addr *from,
				   bool *denied);
bool nbd_export_allows(const struct nbd_export *export_, const struct ip_addr *from);
uint16_t nbd_export_flags(const struct nbd_export *export_, const struct nbd_session *session);
static inline void nbd_export_get(struct nbd_export *export_)
{
	export_->refs++;
}
static inline void nbd_export_put(struct nbd_export *export_)
{
	assert(export_->refs > 0);
	export_->refs--;
}

/* pool.c: take, or have the session wait and return NULL or false. */
struct nbd_io *nbd_io_take(struct nbd_session *session);
bool nbd_io_grant(struct nbd_session *session, uint32_t count); /* so many nbd_io_take succeed, until granted is 0 */
struct nbd_request *nbd_request_take(struct nbd_session *session);
struct nbd_option_buffer *nbd_option_take(struct nbd_session *session);
/* pool.c: give back what no stream refers to. */
void nbd_io_put(struct nbd_io *io);
void nbd_request_put(struct nbd_request *request);
/* pool.c: it is the peer's turn with this buffer; it has done its part, since then. */
void nbd_peer_begin(struct nbd_session *session, uint64_t *peer_ns);
void nbd_peer_end(struct nbd_session *session, uint64_t *peer_ns);
/* pool.c: one more or less (UINT32_MAX) of those who wait for the share of session->export_. */
void nbd_share_waits(struct nbd_session *session, uint32_t add);
void nbd_session_set_prompt(struct nbd_session *session, bool prompt);
/* pool.c: hand a buffer with bytes from data on to the stream, or give it back when that is gone. */
void nbd_io_send(struct nbd_io *io, const uint8_t *bytes, uint32_t len_bytes);
void nbd_request_send(struct nbd_request *request, uint32_t len_bytes);
void nbd_option_send(struct nbd_session *session, uint32_t len_bytes);
/* pool.c: wait for room in the session's own share. */
void nbd_wait_room(struct nbd_session *session);
void nbd_wait_stop(struct nbd_session *session);
void nbd_pool_wake(struct nbd_lcore *lcore);

/* session.c */
void nbd_set_state(struct nbd_session *session, enum nbd_state state);
void nbd_attend(struct nbd_session *session);
/* Reset it, for the reason counted. */
void nbd_doom(struct nbd_session *session, enum wherry_lcore_stat why);
/* Refuse what comes, finish what is under way, shut down. */
void nbd_end(struct nbd_session *session);
/* The same, without an answer for what still comes. */
void nbd_disconnect(struct nbd_session *session);
/* Every turn: flush, shut down or abort the streams of those that nbd_attend has noted. */
void nbd_session_attend(struct nbd_lcore *lcore);
/* What it waited for is there. */
void nbd_session_continue(struct nbd_session *session);
void nbd_session_check(struct nbd_session *session, uint64_t now_ns);
/* Nobody hears its peer any more: reset it when the peer alone could end what is under way. */
void nbd_session_give_up(struct nbd_session *session);
void nbd_session_release(struct nbd_session *session); /* when it holds nothing any more */
void nbd_session_leave_export(struct nbd_session *session);

/* option.c: bytes taken. */
uint32_t nbd_input_flags(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
uint32_t nbd_input_option(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
uint32_t nbd_input_option_data(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
uint32_t nbd_input_option_skip(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
/* option_reply.c: option_buffer holds the data. */
void nbd_option_run(struct nbd_session *session);
/* option_reply.c: send more of a list.  False: it waits. */
bool nbd_option_list(struct nbd_session *session);
/* option_reply.c: answer without data. */
void nbd_option_answer(struct nbd_session *session, uint32_t type, const char *text);

/* request.c */
uint32_t nbd_input_request(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
uint32_t nbd_input_status_data(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
uint32_t nbd_input_skip(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
enum nbd_error nbd_error_of(enum io_status status, uint16_t type);
const char *nbd_error_text(enum nbd_error error);
/* The request is over: counters, then its reply unless data were it. */
void nbd_request_answer(struct nbd_request *request);
void nbd_request_finish(struct nbd_request *request);
/* It ends without an answer. */
void nbd_request_drop(struct nbd_request *request);

/* How much of a request one buffer takes: ends at a multiple of 4096, so that what follows is aligned. */
static inline uint32_t nbd_piece_bytes(const struct nbd_lcore *lcore, uint64_t offset_bytes, uint64_t left_bytes)
{
	const uint32_t room_bytes = lcore->limits.buffer_bytes - (uint32_t)(offset_bytes % 4096);
	return left_bytes < room_bytes ? (uint32_t)left_bytes : room_bytes;
}

/* read.c: true when all of it is under way. */
bool nbd_read_start(struct nbd_request *request);
bool nbd_read_issue(struct nbd_request *request);
void nbd_read_abandon(struct nbd_request *request);

/* write.c */
void nbd_write_start(struct nbd_request *request);
uint32_t nbd_input_payload(struct nbd_session *session, const uint8_t *data, uint32_t len_bytes);
void nbd_write_abandon(struct nbd_request *request);

/* misc.c: flush, trim, zeroes, block status. */
void nbd_flush_start(struct nbd_request *request);
void nbd_trim_start(struct nbd_request *request);
void nbd_zero_start(struct nbd_request *request);
bool nbd_status_start(struct nbd_request *request); /* false: waits for a buffer */
void nbd_step_run(struct nbd_lcore *lcore);
