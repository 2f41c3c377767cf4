/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An NBD client: a device over one or several connections.
 *
 * It keeps so many requests under way, spreads them over its connections, sends
 * again what a broken connection left unanswered (as the Linux driver does) or
 * gives it up, and ends connections in every way there is.  The oracle hears of
 * what it sends and what it is answered.
 */
#pragma once

#include "../oracle.h"
#include "host.h"

#define DEPTH_MAX 32
#define IN_BYTES_MAX (512u << 10)

enum io_kind { IO_READ, IO_WRITE, IO_TRIM, IO_ZERO, IO_FLUSH, IO_STATUS };
enum io_state { IO_FREE, IO_QUEUED, IO_SENT };

struct initiator_io {
	enum io_state state;
	enum io_kind kind;
	uint32_t lba, count;
	bool fua, fast;
	struct write *write;
	unsigned conn;
	uint64_t cookie, sent_ns;
	bool failed; /* an error chunk has come */
	uint64_t got_bytes;
	uint8_t *data; /* of a read */
};

enum conn_phase { CONN_IDLE, CONN_CONNECTING, CONN_GREETING, CONN_OPTIONS, CONN_READY, CONN_LEAVING, CONN_LEFT };

struct initiator_conn {
	struct initiator *initiator;
	unsigned index;
	struct pipe *pipe;
	enum conn_phase phase;
	uint64_t since_ns, heard_ns, retry_ns;
	uint64_t size_bytes; /* as the handshake said */
	uint64_t instance;   /* of the target, when it became ready */
	unsigned step;       /* of the handshake */
	bool structured, extended, status;
	bool half_closed; /* it sent FIN and expects its answers all the same */
	unsigned under_way;
	uint8_t *in;
	uint32_t in_bytes;
};

struct initiator {
	struct stack_world *world;
	struct sim *sim;
	struct host *host;
	const struct host_plot *plot;
	struct volume_oracle *volume;
	struct rng rng;
	struct initiator_conn conns[CONN_MAX];
	struct initiator_io ios[DEPTH_MAX];
	unsigned ops_left, turn;
	uint64_t next_cookie, pause_until_ns;
	bool finished;
};

void initiator_create(struct initiator *initiator, struct stack_world *world, unsigned index);
/* Its host was switched off: all its connections are gone. */
void initiator_host_lost(struct initiator *initiator);

/* initiator_conn.c */
extern const struct pipe_handler initiator_pipe;
void conn_open(struct initiator_conn *conn);
void conn_break(struct initiator_conn *conn, bool abort);
/* What the pipe says, and what is sent. */
void conn_send(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes);

/* initiator_io.c */
void io_pump(struct initiator *initiator);
/* The replies that stand in conn->in; returns bytes used, 0: more is needed. */
uint32_t io_reply(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes);
void io_conn_lost(struct initiator_conn *conn);
