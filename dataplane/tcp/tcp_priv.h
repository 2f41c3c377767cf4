/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Inside of tcp/: what a connection is made of, and what the files ask of each other.
 *
 * Thread: the owning lcore.  Time is lcore->now_ns, the latest that was passed
 * in.  Segments leave in tcp_poll (the end of a turn) and from timers; input
 * only marks a connection ready, except for acknowledgements that cannot wait.
 */
#pragma once

#include <stddef.h>
#include <string.h>
#include <sys/queue.h>

#include "tcp/tcp.h"
#include "util/wheel.h"
#include "wire/tcp.h"

#define TCP_NS_PER_MS 1000000ull
#define TCP_RTO_MIN_NS (200 * TCP_NS_PER_MS)
#define TCP_RTO_MAX_NS (60000 * TCP_NS_PER_MS)
#define TCP_RTO_FIRST_NS (1000 * TCP_NS_PER_MS) /* RFC 6298 2.1 */
/* Long enough for an answer to carry it, short for a sender whose window has shrunk to this segment (RFC 9293 3.8.6.3:
 * less than 500 ms). */
#define TCP_DELAYED_ACK_NS (2 * TCP_NS_PER_MS)
#define TCP_QUICK_ACKS 16u                       /* acknowledgements that are not delayed after something went wrong */
#define TCP_TIME_WAIT_NS (60000 * TCP_NS_PER_MS) /* twice a segment lifetime of 30 s */
#define TCP_SYN_TIMEOUT_NS (180000 * TCP_NS_PER_MS) /* RFC 9293 3.8.3: three minutes at least */
#define TCP_HALF_RETRIES 5u
#define TCP_MSS_FLOOR 88u /* of what a peer may ask for, so that a header is not all we send */
#define TCP_MSS_DEFAULT_V4 536u
#define TCP_MSS_DEFAULT_V6 1220u
#define TCP_WINDOW_FIRST 65535u
#define TCP_CHALLENGE_COUNT 8u /* a second and connection */
#define TCP_ACK_BURST 8u       /* segments acknowledged at once, without waiting for the end of the turn */
#define TCP_COPY_BYTES 256u    /* pieces up to this are copied behind the header */

#define TCP_COUNT(lcore, name) ((lcore)->env.lcore_stats[WHERRY_LCORE_tcp_##name]++)
#define TCP_GAUGE(lcore, name, value) ((lcore)->env.lcore_stats[WHERRY_LCORE_tcp_##name] = (value))

struct tcp_key {
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
};

enum tcp_node_kind { TCP_NODE_CONN, TCP_NODE_HALF };

/* What the look-up by addresses and ports finds, and what a timer belongs to. */
struct tcp_node {
	struct tcp_node *next; /* of the bucket */
	uint32_t hash;
	uint32_t ports; /* of key, as tcp_flow_ports puts them */
	uint8_t kind;   /* enum tcp_node_kind */
	bool in_table;
	struct tcp_key key;
	struct wheel_node timer;
};

/* A segment sent and not acknowledged cumulatively. */
struct tcp_sent {
	uint32_t start, end; /* end includes the FIN */
	uint8_t flags;       /* enum tcp_sent_flag */
	uint8_t tx_count;    /* transmissions, saturating */
	uint32_t offset;     /* of its first byte in buf */
	uint64_t sent_ns;    /* last transmission */
	struct pkt_buf *buf;
	TAILQ_ENTRY(tcp_sent) by_seq;
	TAILQ_ENTRY(tcp_sent) by_time; /* of in_flight in order of transmission, or of lost; in neither when SACKed */
};
TAILQ_HEAD(tcp_sent_list, tcp_sent);

enum tcp_sent_flag {
	TCP_SENT_FIN = 1,
	TCP_SENT_IN_FLIGHT = 2, /* believed to be in the network: counted in flight_bytes */
	TCP_SENT_LOST = 4,      /* to be sent again */
	TCP_SENT_SACKED = 8,
};

/* A received packet that is kept: out of order, or not taken by the protocol yet. */
struct tcp_held {
	TAILQ_ENTRY(tcp_held) link;
	struct pkt *pkt;
	const uint8_t *data;
	uint32_t start, len_bytes;
	bool fin; /* out of order only */
};
TAILQ_HEAD(tcp_held_list, tcp_held);

enum tcp_phase {
	TCP_OPEN,     /* nothing is believed lost */
	TCP_REDUCED,  /* the window was cut for ECN; until recovery_point */
	TCP_RECOVERY, /* fast recovery */
	TCP_LOSS,     /* after a retransmission timeout */
};

enum tcp_timer { TCP_TIMER_NONE, TCP_TIMER_RTO, TCP_TIMER_TLP, TCP_TIMER_REORDER, TCP_TIMER_PERSIST, TCP_TIMER_RETRY };

struct tcp_cc_ops {
	void (*init)(struct tcp_conn *conn);
	/* Threshold after congestion (loss or ECN), bytes; also where the algorithm remembers the event. */
	uint32_t (*ssthresh)(struct tcp_conn *conn);
	/* Bytes were acknowledged in congestion avoidance, and the window was in use. */
	void (*avoid)(struct tcp_conn *conn, uint32_t acked_bytes);
	/* Every acknowledgement of new data; may be NULL. */
	void (*acked)(struct tcp_conn *conn, uint32_t acked_bytes, bool ece);
	/* A reduction was undone; may be NULL. */
	void (*undo)(struct tcp_conn *conn);
};

struct tcp_cubic {
	uint64_t epoch_ns; /* 0: no epoch */
	uint64_t k_ms;
	uint32_t w_max, origin, w_est, prior;
	uint32_t w_max_before; /* for undo */
	uint32_t remainder;
};

struct tcp_dctcp {
	uint32_t alpha; /* of 1024 */
	uint32_t acked, marked;
	uint32_t window_end;
	bool ce; /* receiver: state of the last segment */
};

struct tcp_conn {
	struct stream stream; /* first */

	/* hot: what every segment touches */
	uint32_t rcv_nxt;
	uint32_t rcv_edge; /* first number behind the window advertised */
	uint32_t snd_una, snd_nxt;
	uint32_t snd_wnd; /* bytes */
	uint32_t ts_recent;
	uint8_t state; /* enum tcp_state; tcp_set_state alone writes */
	uint8_t phase; /* enum tcp_phase */
	uint8_t rcv_wscale, snd_wscale;
	bool timestamps, sack, ecn;
	uint16_t shape;   /* of the segments that fast.c takes; 0: none */
	bool is_ready;    /* in lcore->ready */
	bool ack_now;     /* an acknowledgement is owed at the end of the turn */
	bool in_callback; /* the protocol is being called */
	bool paused;      /* on_data took less than it was given */
	bool corked;      /* unsent bytes wait for more, or for a flush */
	uint16_t mss;     /* payload of a full segment without SACK blocks */
	uint16_t rcv_mss; /* largest payload received */
	uint32_t unacked_segments;
	uint32_t cwnd, flight_bytes;
	uint32_t snd_wl1, snd_wl2;
	/* Plain acknowledgements of this turn, noted by fast.c and not taken yet; the newest says all. */
	uint32_t noted_ack, noted_ecr;
	uint32_t noted_wnd;    /* bytes */
	uint32_t noted_credit; /* bytes that slow start may grow by; 0: nothing is noted, the others mean nothing */
	uint64_t heard_ns;
	uint64_t rexmt_ns, ack_ns; /* deadlines; UINT64_MAX: none */
	uint64_t push_bytes;       /* of the unsent bytes, those that need not wait for a full segment */
	struct pkt_buf *next_buf;  /* of the first unsent byte */
	uint32_t next_offset;
	uint32_t last_ack_sent;
	struct tcp_sent_list sent, in_flight, lost;
	uint64_t bytes_in, bytes_out, segments_in, segments_out;
	struct tcp_lcore *lcore;
	uint32_t pseudo_sum; /* addresses and protocol, folded */

	struct tcp_node node;
	struct net_path path;
	TAILQ_ENTRY(tcp_conn) ready_link;
	TAILQ_ENTRY(tcp_conn) all_link; /* of lcore->free, or lcore->time_wait */
	struct tcp_settings settings;
	uint64_t opened_ns;

	/* sending */
	uint32_t iss, max_wnd;
	struct pkt_buf *buf_first, *buf_last;
	uint32_t acked_offset; /* bytes of buf_first that are acknowledged */
	uint16_t peer_mss;
	bool fin_queued, fin_sent;
	bool room_wanted; /* unsent bytes were above the goal */
	bool probing;     /* the head was sent as a probe of a closed window */
	uint32_t sent_count;
	uint32_t ts_offset;
	uint64_t mtu_check_ns;
	uint16_t mtu_limit; /* a black hole is suspected; 0: none */
	uint64_t mtu_limit_until_ns;

	/* round trips and timers */
	uint64_t srtt_ns, rttvar_ns, rto_ns;
	uint64_t min_rtt_ns, min_rtt_next_ns, min_rtt_until_ns;
	uint64_t progress_ns; /* the peer last acknowledged something new, or had nothing to acknowledge before */
	uint64_t keep_ns;
	uint64_t rto_base_ns; /* the retransmission timer runs from here: progress, or the head sent again */
	uint8_t timer;        /* enum tcp_timer: what rexmt_ns is for */
	uint8_t backoff;
	uint8_t keep_probes;

	/* congestion and recovery */
	const struct tcp_cc_ops *cc;
	uint32_t ssthresh, recovery_point;
	uint32_t acked_remainder;
	uint32_t ack_credit; /* slow start by one acknowledgement that stands for several: at most so many bytes */
	uint32_t flight_max; /* of this round */
	uint32_t flight_max_before;
	uint32_t round_end;
	bool cwnd_limited, cwnd_limited_before;
	uint64_t validated_ns; /* the window was last in use (RFC 7661) */
	uint32_t prr_delivered, prr_out, prr_flight;
	uint32_t dupacks, dupack_credit;
	uint32_t undo_cwnd, undo_ssthresh, undo_retransmits;
	uint32_t retransmit_ts; /* of the first retransmission of this episode */
	bool undo_possible, retransmit_ts_set;
	bool ece_pending, cwr_pending; /* receiver echoes CE; sender has to say that it reduced */
	union {
		struct tcp_cubic cubic;
		struct tcp_dctcp dctcp;
	} cc_state;

	/* RACK-TLP */
	uint64_t rack_sent_ns, rack_rtt_ns;
	uint32_t rack_end, rack_fack;
	uint32_t rack_fack_before; /* of the present acknowledgement, whose blocks come in any order */
	uint32_t sacked_count, sacked_bytes;
	uint32_t dsack_round;
	bool dsack_round_set, reordering_seen;
	uint8_t reo_mult, reo_persist;
	bool tlp_out, tlp_retransmit;
	uint32_t tlp_end;
	uint8_t probe_count;   /* since an acknowledgement said anything */
	bool asked, asked_out; /* since then; and not answered */
	uint32_t asked_seq;    /* snd_una of then */
	uint64_t asked_ns;

	/* receiving */
	uint32_t irs;
	uint32_t rcv_target; /* bytes that autotuning grants */
	uint64_t ts_recent_ns;
	struct tcp_held_list unread, ahead;
	TAILQ_ENTRY(tcp_conn) gap_link; /* of lcore->gaps, when has_gap */
	bool has_gap;                   /* something is ahead */
	uint32_t unread_bytes, held_count;
	uint32_t ahead_segments; /* that came ahead since the present gap opened */
	uint32_t ahead_unacked;  /* of those, the latest that no acknowledgement has told of */
	uint8_t quick_acks;
	uint8_t sack_count;
	bool dsack_set;
	bool fin_received, end_told, resume_wanted;
	struct tcp_range blocks[TCP_SACK_COUNT_MAX]; /* newest first */
	struct tcp_range dsack;
	uint32_t drs_mark;
	uint64_t drs_ns;
	uint64_t challenge_ns;
	uint8_t challenge_count;

	/* ending */
	bool finished; /* on_closed is owed with reason */
	uint8_t reason;

	uint64_t retransmits, timeouts, tail_probes, zero_windows, out_of_order, duplicates;
};
TAILQ_HEAD(tcp_conn_list, tcp_conn);

/* A connection of which only the SYN has come. */
struct tcp_half {
	struct tcp_node node;
	TAILQ_ENTRY(tcp_half) free_link;
	struct tcp_listener *listener;
	struct net_path path;
	uint32_t irs, iss;
	uint32_t ts_recent, ts_offset;
	uint16_t peer_mss, window;
	uint8_t snd_wscale, rcv_wscale;
	bool wscale_ok, timestamps, sack, ecn;
	uint8_t retries;
	uint64_t due_ns, sent_ns, since_ns;
};
TAILQ_HEAD(tcp_half_list, tcp_half);

struct tcp_listener {
	bool used;
	struct ip_addr local;
	uint16_t port;
	tcp_accept_fn *accept;
	void *ctx;
};

struct tcp_lcore {
	struct tcp_env env;
	struct tcp_limits limits;
	struct tcp_settings settings;
	uint64_t now_ns;
	uint64_t hash_key[4];
	struct tcp_conn *last; /* found last by fast.c: segments come in bursts; NULL: none */
	bool no_fast;          /* tests: every segment goes the long way */
	struct tcp_node **buckets;
	uint32_t bucket_mask;
	struct tcp_conn_list ready, free, time_wait;
	struct tcp_conn_list gaps; /* with packets ahead; whose gap is oldest comes first */
	struct tcp_half_list free_halves;
	struct tcp_sent *free_sent; /* linked by by_seq.tqe_next alone */
	struct tcp_held_list free_held;
	uint32_t free_held_count, conn_count, half_count;
	uint32_t free_sent_count; /* of free_sent */
	uint64_t cookie_sent_ns;  /* cookies are believed for a while after one was sent */
	uint64_t reset_ns;        /* resets to strangers: so many a second */
	uint32_t reset_count;
	uint32_t port_count; /* local ports drawn */
	struct tcp_conn *conns;
	struct tcp_half *halves;
	struct tcp_sent *sents;
	struct tcp_held *helds;
	struct tcp_listener *listeners;
	struct wheel wheel;
};

/* A segment on its way through input. */
struct tcp_arrival {
	struct pkt *pkt; /* NULL once somebody else owns it */
	const struct ip_view *view;
	const uint8_t *payload;
	struct tcp_segment segment; /* trimmed to the window as it goes */
	bool has_iss_behind;        /* our numbers have to begin behind those of a connection in TIME-WAIT */
	uint32_t iss_behind;
};

/* ---- state.c ---- */
enum tcp_event {
	TCP_EVENT_CONNECT,
	TCP_EVENT_ACCEPT,      /* a listener's handshake is over */
	TCP_EVENT_SYN,         /* simultaneous open */
	TCP_EVENT_ESTABLISHED, /* our SYN was acknowledged */
	TCP_EVENT_SHUTDOWN,    /* the protocol ends its side */
	TCP_EVENT_FIN,         /* the peer ended its side */
	TCP_EVENT_FIN_ACKED,
	TCP_EVENT_END, /* reset, timeout, TIME-WAIT over */
	TCP_EVENT_COUNT,
};
/* The state behind an event, TCP_STATE_COUNT where the pair cannot be. */
enum tcp_state tcp_next_state(enum tcp_state state, enum tcp_event event);
/* The one setter.  False, counted and nothing changed, where the pair cannot be. */
bool tcp_step(struct tcp_conn *conn, enum tcp_event event);

/* ---- table.c ---- */
uint32_t tcp_hash(const struct tcp_lcore *lcore, const struct tcp_key *key);
struct tcp_node *tcp_find(const struct tcp_lcore *lcore, const struct tcp_key *key, uint32_t hash);
void tcp_table_add(struct tcp_lcore *lcore, struct tcp_node *node, const struct tcp_key *key);
void tcp_table_remove(struct tcp_lcore *lcore, struct tcp_node *node);
struct tcp_listener *tcp_find_listener(const struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port);

/* ---- isn.c ---- */
uint32_t tcp_isn(const struct tcp_lcore *lcore, const struct tcp_key *key);
uint32_t tcp_ts_offset(const struct tcp_lcore *lcore, const struct tcp_key *key);
/* Milliseconds of the timestamps option, before the offset. */
uint32_t tcp_clock_ms(const struct tcp_lcore *lcore);
/* A keyed hash of the connection's name for a purpose. */
uint64_t tcp_keyed(const struct tcp_lcore *lcore, const struct tcp_key *key, uint64_t purpose, uint64_t more);

/* ---- conn.c ---- */
/* NULL and counted: none left, not even one in TIME-WAIT. */
struct tcp_conn *tcp_conn_take(struct tcp_lcore *lcore, const struct tcp_key *key, const struct net_path *path);
/* Effective MSS from the peer's, the path's MTU and the options in use (RFC 6691, 9293 3.7.1). */
void tcp_conn_set_mss(struct tcp_conn *conn);
/* The connection is over: out of the table, queues dropped; on_closed follows in tcp_poll. */
void tcp_conn_end(struct tcp_conn *conn, enum stream_close reason);
/* on_closed follows in tcp_poll; the connection may live on in TIME-WAIT. */
void tcp_conn_finish(struct tcp_conn *conn, enum stream_close reason);
void tcp_conn_time_wait(struct tcp_conn *conn);
/* Both sides have ended and everything was read: tell. */
void tcp_conn_check_end(struct tcp_conn *conn);
void tcp_conn_free(struct tcp_conn *conn);
static inline void tcp_ready(struct tcp_conn *conn)
{
	if (conn->is_ready)
		return;
	conn->is_ready = true;
	TAILQ_INSERT_TAIL(&conn->lcore->ready, conn, ready_link);
}
extern const struct stream_ops tcp_stream_ops;

/* ---- input.c, open.c ---- */
/* tcp_input for a segment that fast.c has not taken. */
void tcp_input_slowly(struct tcp_lcore *lcore, struct pkt *pkt, const struct ip_view *view);
void tcp_conn_input(struct tcp_conn *conn, struct tcp_arrival *arrival);
void tcp_challenge(struct tcp_conn *conn);
void tcp_syn_sent_input(struct tcp_conn *conn, struct tcp_arrival *arrival);
/* From the options of the SYN or SYN-ACK. */
void tcp_conn_negotiated(struct tcp_conn *conn, const struct tcp_options *options);
void tcp_conn_established(struct tcp_conn *conn, uint16_t window);

/* ---- listen.c, cookie.c ---- */
void tcp_listen_input(struct tcp_lcore *lcore, struct tcp_listener *listener, struct tcp_arrival *arrival,
		      const struct tcp_key *key);
void tcp_half_input(struct tcp_lcore *lcore, struct tcp_half *half, struct tcp_arrival *arrival);
void tcp_half_timer(struct tcp_lcore *lcore, struct tcp_half *half);
void tcp_half_drop(struct tcp_lcore *lcore, struct tcp_half *half);
/* The connection that a handshake makes; NULL when it was refused (and reset). */
struct tcp_conn *tcp_half_accept(struct tcp_lcore *lcore, const struct tcp_half *half, const struct tcp_key *key,
				 const struct tcp_segment *segment);
void tcp_cookie_make(struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_key *key);
/* True: the acknowledgement answers a cookie of ours; half is filled in. */
bool tcp_cookie_check(struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_key *key,
		      const struct tcp_segment *segment);
uint8_t tcp_wscale_for(uint32_t window_bytes);

/* ---- fast.c ---- */
/* Take the acknowledgements that were noted. */
void tcp_fast_flush(struct tcp_conn *conn);
static inline void tcp_flush_noted(struct tcp_conn *conn)
{
	if (conn->noted_credit)
		tcp_fast_flush(conn);
}
/* After a change of state or of what was agreed upon: which segments are plain enough. */
void tcp_fast_choose(struct tcp_conn *conn);

/* ---- ack.c, sack.c, rack.c, recovery.c, rtt.c, probe.c ---- */
struct tcp_ack_result {
	uint32_t acked_bytes;     /* cumulatively, new */
	uint32_t delivered_bytes; /* new to the receiver as far as we know */
	uint64_t sacked_ns;       /* when the newest was sent that was SACKed now and sent once; 0: none */
	bool sacked_new, dsack, spurious_probe;
	bool answered;         /* a question of ours: everything sent before it has arrived or is lost */
	bool retransmit_acked; /* something acknowledged had been sent more than once */
	bool sampled;          /* it tells a round-trip time all the same, or because nothing had */
};
/* False: the acknowledgement is not acceptable, the segment is dropped. */
bool tcp_ack_input(struct tcp_conn *conn, const struct tcp_segment *segment);
void tcp_sack_input(struct tcp_conn *conn, const struct tcp_segment *segment, struct tcp_ack_result *result);
/* A record was delivered: cumulatively or by SACK. */
void tcp_rack_delivered(struct tcp_conn *conn, const struct tcp_sent *sent, uint32_t ts_ecr);
void tcp_rack_dsack(struct tcp_conn *conn);
/* A question has been answered: it counts as a segment that was sent then and has arrived. */
void tcp_rack_answered(struct tcp_conn *conn);
/* Marks what is lost; returns when to look again, UINT64_MAX: nothing to wait for. */
uint64_t tcp_rack_detect(struct tcp_conn *conn);
void tcp_mark_lost(struct tcp_conn *conn, struct tcp_sent *sent);
void tcp_recovery_on_ack(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_ack_result *result);
void tcp_recovery_on_rto(struct tcp_conn *conn);
void tcp_reduce_for_ecn(struct tcp_conn *conn);
void tcp_undo(struct tcp_conn *conn);
void tcp_rtt_sample(struct tcp_conn *conn, uint64_t rtt_ns);
void tcp_probe_acked(struct tcp_conn *conn, const struct tcp_segment *segment, const struct tcp_ack_result *result);
/* When a silence may have to be broken; UINT64_MAX: not at all. */
uint64_t tcp_probe_due_ns(const struct tcp_conn *conn);
/* Breaks it, or sees that it has to last longer. */
void tcp_probe_send(struct tcp_conn *conn);
/* Does the DSACK range tell of a question, not of data? */
bool tcp_probe_answered(struct tcp_conn *conn, const struct tcp_range *range);

/* ---- congestion ---- */
extern const struct tcp_cc_ops tcp_cubic_ops, tcp_reno_ops, tcp_dctcp_ops;
uint32_t tcp_window_first(const struct tcp_conn *conn);
void tcp_dctcp_received(struct tcp_conn *conn, bool ce);

/* ---- receive.c, reassembly.c ---- */
/* Payload that begins at or before rcv_nxt, and what it makes contiguous.  May call the protocol. */
void tcp_receive(struct tcp_conn *conn, struct tcp_arrival *arrival);
/* The same for payload at rcv_nxt that was given to the protocol already, of which it took so much; rcv_nxt is behind
 * it. */
void tcp_receive_rest(struct tcp_conn *conn, struct tcp_arrival *arrival, uint32_t taken);
/* Dynamic right-sizing of the window, when a round trip has passed. */
void tcp_autotune(struct tcp_conn *conn);
void tcp_deliver(struct tcp_conn *conn);
/* Keep a packet that is ahead of rcv_nxt. */
void tcp_hold_ahead(struct tcp_conn *conn, struct tcp_arrival *arrival);
/* Packets that rcv_nxt has reached go to unread; returns true with a FIN. */
bool tcp_reassemble(struct tcp_conn *conn);
/* For what is in order: NULL when this connection, or all of them, hold as much as they may. */
struct tcp_held *tcp_held_take(struct tcp_conn *conn, struct pkt *pkt);
/* Drop everything ahead: nothing of it was promised (RFC 2018 8). */
void tcp_ahead_drop(struct tcp_conn *conn);
/* The one that is furthest ahead makes room for what comes sooner. */
void tcp_ahead_drop_last(struct tcp_conn *conn);
void tcp_held_drop(struct tcp_conn *conn, struct tcp_held_list *list, struct tcp_held *held);
/* Bytes that may be advertised now. */
uint32_t tcp_receive_room(const struct tcp_conn *conn);
/* Does the window open by enough to tell the peer unasked? */
bool tcp_window_opens(const struct tcp_conn *conn);
void tcp_ack_later(struct tcp_conn *conn);

/* ---- output.c, send.c, segment.c, sent.c ---- */
void tcp_output(struct tcp_conn *conn);
/* A header without payload.  False: no packet. */
bool tcp_send_control(struct tcp_conn *conn, uint8_t flags, uint32_t seq);
static inline bool tcp_send_ack(struct tcp_conn *conn)
{
	/* A probe of a closed window, and what was sent before it shrank, lie beyond it: an acknowledgement numbered
	 * behind them is not acceptable there, and dropped (RFC 9293 3.10.7.4). */
	const uint32_t edge = conn->snd_una + conn->snd_wnd;
	const bool is_beyond = tcp_seq_lt(edge, conn->snd_nxt - conn->fin_sent) && conn->state >= TCP_ESTABLISHED;
	return tcp_send_control(conn, TCP_ACK, is_beyond ? edge : conn->snd_nxt);
}
bool tcp_send_syn(struct tcp_conn *conn);
/* One byte that the peer has had, which it answers at once.  False: no packet. */
bool tcp_send_question(struct tcp_conn *conn);
/* Payload of a record, all of it or max_bytes.  False: no packet. */
bool tcp_send_data(struct tcp_conn *conn, const struct tcp_sent *sent, uint32_t max_bytes, bool again);
/* Do headers of this moment say no more than plain ones can?  No SACK blocks, no echo of congestion. */
static inline bool tcp_is_plain(const struct tcp_conn *conn)
{
	return !conn->sack_count && !conn->dsack_set && !conn->ece_pending;
}
/* What these headers have in common.  Promises the window in it: a segment has to follow. */
void tcp_plain_begin(struct tcp_conn *conn, struct tcp_plain_header *header);
/* Payload by copy or by reference, behind what is there; it may stand in several buffers. */
void tcp_add_payload(struct pkt *pkt, struct pkt_buf *buf, uint32_t offset, uint32_t len);
/* New segments, as far as the windows allow; false: no packet or record was to be had. */
bool tcp_send_new(struct tcp_conn *conn);
/* Send a record again, whatever the windows say. */
bool tcp_retransmit(struct tcp_conn *conn, struct tcp_sent *sent);
/* A reset that answers a segment nobody wants (RFC 9293 3.10.7.1). */
void tcp_send_reset_for(struct tcp_lcore *lcore, const struct tcp_arrival *arrival);
bool tcp_send_synack(struct tcp_lcore *lcore, struct tcp_half *half, const struct tcp_key *key);
void tcp_fill_checksum(struct pkt *pkt, uint64_t pseudo_sum);
uint64_t tcp_pseudo_sum(const struct ip_addr *a, const struct ip_addr *b);
uint32_t tcp_ip_header_bytes(const struct ip_addr *addr);
void tcp_queue(struct tcp_conn *conn, struct pkt_buf *buf);
/* The cumulative acknowledgement moved: give back records and buffers. */
void tcp_sent_acked(struct tcp_conn *conn, uint32_t ack, uint32_t ts_ecr, struct tcp_ack_result *result);
/* Cut a record that is longer than this in two, if a record is left (the MSS fell since it was sent). */
void tcp_sent_split(struct tcp_conn *conn, struct tcp_sent *sent, uint32_t bytes);
void tcp_sent_drop_all(struct tcp_conn *conn);
/* Next new segment of at most max_bytes as a record; NULL: no record left. */
struct tcp_sent *tcp_sent_new(struct tcp_conn *conn, uint32_t payload_bytes, bool fin);

/* Records come from the lcore's pool and go back there. */
static inline struct tcp_sent *tcp_sent_take(struct tcp_lcore *lcore)
{
	struct tcp_sent *sent = lcore->free_sent;
	if (sent) {
		lcore->free_sent = TAILQ_NEXT(sent, by_seq);
		lcore->free_sent_count--;
	}
	return sent;
}
static inline void tcp_sent_give(struct tcp_lcore *lcore, struct tcp_sent *sent)
{
	TAILQ_NEXT(sent, by_seq) = lcore->free_sent;
	lcore->free_sent = sent;
	lcore->free_sent_count++;
}

/* ---- timer.c ---- */
void tcp_conn_timer(struct tcp_conn *conn);
/* Choose what rexmt_ns is for from what is in flight. */
void tcp_arm(struct tcp_conn *conn);
/* Let the wheel know of the earliest deadline. */
void tcp_schedule(struct tcp_conn *conn);

/* ---- icmp.c ---- */
void tcp_conn_new_mtu(struct tcp_conn *conn);

static inline uint32_t tcp_min_u32(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

static inline uint32_t tcp_max_u32(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* Bytes believed to be in the network; without SACK, duplicate acknowledgements say that segments have left it. */
static inline uint32_t tcp_pipe_bytes(const struct tcp_conn *conn)
{
	return conn->flight_bytes - tcp_min_u32(conn->flight_bytes, conn->dupack_credit);
}

static inline bool tcp_is_synchronized(const struct tcp_conn *conn)
{
	return conn->state >= TCP_ESTABLISHED;
}

/* May the protocol still be given data? */
static inline bool tcp_can_receive(const struct tcp_conn *conn)
{
	return conn->state == TCP_ESTABLISHED || conn->state == TCP_FIN_WAIT_1 || conn->state == TCP_FIN_WAIT_2;
}

static inline uint32_t tcp_ts_now(const struct tcp_conn *conn)
{
	return tcp_clock_ms(conn->lcore) + conn->ts_offset;
}
