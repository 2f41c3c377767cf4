/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC 2.0: the table of methods, calls under way, and the server.
 *
 * A call is answered exactly once, by rpc_reply or rpc_refuse, at once or later;
 * until then its storage is the method's to keep.  Calls that change something
 * (RPC_CHANGES) run one at a time in the order of their arrival, so that none
 * sees another half done.  Thread: the daemon's only one.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "common/fail.h"
#include "daemon/rpc_schema.h"

#define RPC_CLIENT_COUNT_MAX 128
#define RPC_CALL_COUNT_MAX 64   /* under way for one client; beyond, its input waits */
#define RPC_BATCH_COUNT_MAX 256 /* requests of one batch */

struct daemon;
struct rpc_client;
struct rpc_batch;
struct rpc_server;

#define RPC_CHANGES 0x1u /* changes state: one at a time */

struct rpc_call;
struct rpc_method {
	const char *name;
	const char *summary; /* one sentence */
	const struct rpc_schema *params, *result;
	unsigned flags;
	void (*run)(struct rpc_call *call);
};

/* Tables of methods, ended by NULL. */
extern const struct rpc_method *const rpc_tables[];
const struct rpc_method *rpc_method_find(const char *name);
/* What rpc.methods answers; new reference. */
json_t *rpc_methods_describe(void);

struct rpc_call {
	struct daemon *daemon;
	const struct rpc_method *method;
	json_t *params;                      /* checked; owned by the call */
	void (*gone)(struct rpc_call *call); /* the client left: answer as soon as possible; may be NULL */
	void *ctx;                           /* the method's */
	/* below: the server's own */
	struct rpc_server *server;
	struct rpc_client *client; /* NULL when it left */
	struct rpc_batch *batch;
	json_t *id; /* NULL: notification */
	struct rpc_call *prev, *next;
	struct rpc_call *queue_next;
	bool running;
};

/* Answer; result becomes the server's (NULL: out of memory).  The call is gone afterwards. */
void rpc_reply(struct rpc_call *call, json_t *result);
void rpc_refuse(struct rpc_call *call, const struct fail *fail);
/* The descriptor that came with the client's last message, -1 when none did.  The caller owns it. */
int rpc_take_descriptor(struct rpc_call *call);

/*
 * Call end(daemon, value) when the call's client leaves (at once when it has left
 * already): what was started on its behalf ends with it.  At most
 * RPC_END_COUNT_MAX a client; the oldest is forgotten for a newer one.
 */
#define RPC_END_COUNT_MAX 16
typedef void rpc_end_fn(struct daemon *daemon, uint64_t value);
void rpc_at_end(struct rpc_call *call, rpc_end_fn *end, uint64_t value);

/* ---- decoding, pure */
struct rpc_request {
	const struct rpc_method *method;
	json_t *id;     /* borrowed from the value; NULL: notification */
	json_t *params; /* owned: new reference */
};
/* Check one request value.  0, or -1 with the reason; request->id is set in both cases where it can be told. */
int rpc_request_decode(json_t *value, struct rpc_request *request, struct fail *fail);
/* Bytes of one line to a value; NULL with FAIL_PARSE.  New reference. */
json_t *rpc_line_decode(const char *line, size_t len, struct fail *fail);
/* A text that may hold any bytes (a message that quotes a client, a path): what is not UTF-8 becomes '?'. */
json_t *rpc_text_lenient(const char *text);
/* A response object; result is stolen, fail used when result is NULL. */
json_t *rpc_response(json_t *id, json_t *result, const struct fail *fail);

/* ---- server */
/* May a peer with these credentials use the socket? groups: its supplementary groups. */
bool rpc_peer_allowed(uid_t uid, gid_t gid, const gid_t *groups, size_t group_count, uid_t own_uid, gid_t own_group);

/* Serve listen_fd (which becomes the server's).  Changes wait until rpc_server_open.  NULL without memory. */
struct rpc_server *rpc_server_create(struct daemon *daemon, sd_event *event, int listen_fd, gid_t group);
void rpc_server_destroy(struct rpc_server *server);
/* Let the changes that wait, and all later ones, run. */
void rpc_server_open(struct rpc_server *server);
