/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two stacks joined by a wire on a virtual clock.
 *
 * The wire delays, drops, repeats, reorders and damages segments by a seeded
 * draw, or as a hook says; it checks every segment it carries: a correct
 * checksum, no longer than the MTU, inside the window that was offered.
 *
 * On top, an application at each end sends bytes that follow from their place in
 * the stream and checks each byte that it is given.
 */
#pragma once

#include "pkt/pkt_heap.h"
#include "tcp/tcp_priv.h"

#define MS TCP_NS_PER_MS
#define SECOND (1000 * MS)
#define SERVER 0
#define CLIENT 1
#define FLIGHT_MAX 8192
#define PORT 10809

struct wire_rules {
	uint64_t delay_ns;
	uint64_t jitter_ns; /* drawn for each segment: reorders */
	uint32_t loss_ppm;  /* of segments */
	uint32_t repeat_ppm;
	uint32_t damage_ppm;
	uint64_t byte_ps;     /* time that a byte takes; 0: none */
	uint32_t queue_bytes; /* of the bottleneck; 0: endless */
	uint32_t mark_bytes;  /* ECN marks beyond so many queued; 0: never */
	bool v6;
	bool strip_sack, strip_timestamps, strip_wscale; /* from SYNs, as a middle box may */
};

struct flight {
	uint64_t at_ns;
	uint64_t order;
	struct pkt *pkt;
	uint8_t to;
	uint8_t ecn;
};

struct app;
struct wire;

struct endpoint {
	struct wire *wire;
	struct tcp_lcore *tcp;
	struct pkt_heap heap;
	struct ip_addr addr;
	uint16_t mtu;           /* as the path says */
	bool checksum_offload;  /* as the path says */
	unsigned partial_count; /* segments whose checksum was left to the port */
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t link_free_ns;
	unsigned sent_count; /* segments put on the wire */
	struct tcp_segment last_sent;
	unsigned confirmed;
	struct tcp_settings settings;
	struct app *next_app; /* of the next connection accepted; NULL: refuse */
};

struct wire {
	uint64_t now_ns;
	uint64_t random;
	uint64_t order;
	struct wire_rules rules;
	struct endpoint ends[2];
	struct flight flights[FLIGHT_MAX];
	unsigned flight_count;
	/* Sees every segment that is about to travel; false: it is dropped. */
	bool (*hook)(struct wire *wire, unsigned from, struct pkt *pkt, const struct tcp_segment *segment);
	void *hook_ctx;
	unsigned path_mtu; /* longer datagrams vanish, with an ICMP error if icmp */
	bool icmp;
	bool log;
	uint64_t bad_count; /* of the wire's own checks */
};

struct app {
	struct stream *stream;
	struct endpoint *end;
	bool opened, ended, closed;
	enum stream_close reason;
	uint64_t sent, received, to_send; /* bytes; to_send is the goal */
	uint64_t seed;                    /* of what it sends */
	uint64_t peer_seed;               /* of what it must receive */
	uint64_t take_max;                /* on_data takes at most so many in all; UINT64_MAX */
	uint32_t take_step;               /* and at most so many a call; 0: all */
	uint32_t piece_bytes;             /* size of the buffers it sends */
	bool shutdown_when_sent, shutdown_on_end, no_flush;
	bool echo;
	unsigned wrong_count, room_count, buffers_out;
};

void wire_init(struct wire *wire, uint64_t seed);
void wire_start(struct wire *wire); /* creates the lcores from ends[].settings */
void wire_fini(struct wire *wire);  /* and checks that nothing leaked */
uint64_t wire_random(struct wire *wire);

/* Time goes on until then, or to the first thing that happens (wire_step; false: nothing will). */
bool wire_step(struct wire *wire, uint64_t until_ns);
void wire_run(struct wire *wire, uint64_t for_ns);
/* Until the condition holds; false: it did not in time. */
bool wire_until(struct wire *wire, bool (*condition)(void *ctx), void *ctx, uint64_t for_ns);
/* One turn of an endpoint, at the present time. */
void wire_turn(struct wire *wire, unsigned end);

void app_init(struct app *app, struct endpoint *end, uint64_t seed, uint64_t peer_seed);
extern const struct stream_handler app_handler;
bool app_accept(void *ctx, struct stream *stream);
/* Queue what is still to send, as far as the stream wants it. */
void app_pump(struct app *app);
/* The server listens with its app; the client connects with its. */
void wire_connect(struct wire *wire, struct app *server, struct app *client);
static inline struct tcp_conn *app_conn(const struct app *app)
{
	return (struct tcp_conn *)app->stream;
}
uint8_t app_byte(uint64_t seed, uint64_t at);

/* ---- segments by hand ---- */

/* Give the endpoint a segment as if its peer had sent it; fields of segment, payload by the seed and place. */
void wire_inject(struct wire *wire, unsigned to, const struct tcp_segment *segment, const void *payload,
		 uint32_t payload_bytes);
/* With these bits in its IP header. */
void wire_inject_ecn(struct wire *wire, unsigned to, const struct tcp_segment *segment, const void *payload,
		     uint32_t payload_bytes, enum ip_ecn ecn);
