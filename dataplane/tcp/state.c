/* SPDX-License-Identifier: BSD-3-Clause */
/* The states of a connection (RFC 9293 3.3.2) as one table, and the one function that changes them. */
#include "tcp/tcp_priv.h"

#define NO TCP_STATE_COUNT

/* LISTEN and the SYN-RECEIVED of passive opens live in listen.c: a connection begins with its handshake over. */
static const uint8_t next_states[TCP_STATE_COUNT][TCP_EVENT_COUNT] = {
	/* clang-format off */
	/*                     CONNECT       ACCEPT           SYN               ESTABLISHED      SHUTDOWN        FIN             FIN_ACKED       END */
	[TCP_CLOSED]       = {TCP_SYN_SENT, TCP_ESTABLISHED, NO,               NO,              NO,             NO,             NO,             NO},
	[TCP_SYN_SENT]     = {NO,           NO,              TCP_SYN_RECEIVED, TCP_ESTABLISHED, NO,             NO,             NO,             TCP_CLOSED},
	[TCP_SYN_RECEIVED] = {NO,           NO,              NO,               TCP_ESTABLISHED, NO,             NO,             NO,             TCP_CLOSED},
	[TCP_ESTABLISHED]  = {NO,           NO,              NO,               NO,              TCP_FIN_WAIT_1, TCP_CLOSE_WAIT, NO,             TCP_CLOSED},
	[TCP_FIN_WAIT_1]   = {NO,           NO,              NO,               NO,              NO,             TCP_CLOSING,    TCP_FIN_WAIT_2, TCP_CLOSED},
	[TCP_FIN_WAIT_2]   = {NO,           NO,              NO,               NO,              NO,             TCP_TIME_WAIT,  NO,             TCP_CLOSED},
	[TCP_CLOSE_WAIT]   = {NO,           NO,              NO,               NO,              TCP_LAST_ACK,   NO,             NO,             TCP_CLOSED},
	[TCP_CLOSING]      = {NO,           NO,              NO,               NO,              NO,             NO,             TCP_TIME_WAIT,  TCP_CLOSED},
	[TCP_LAST_ACK]     = {NO,           NO,              NO,               NO,              NO,             NO,             TCP_CLOSED,     TCP_CLOSED},
	[TCP_TIME_WAIT]    = {NO,           NO,              NO,               NO,              NO,             NO,             NO,             TCP_CLOSED},
	/* clang-format on */
};

enum tcp_state tcp_next_state(enum tcp_state state, enum tcp_event event)
{
	return (unsigned)state < TCP_STATE_COUNT && (unsigned)event < TCP_EVENT_COUNT
		       ? (enum tcp_state)next_states[state][event]
		       : TCP_STATE_COUNT;
}

bool tcp_step(struct tcp_conn *conn, enum tcp_event event)
{
	const enum tcp_state next = tcp_next_state(conn->state, event);
	if (next == TCP_STATE_COUNT) {
		TCP_COUNT(conn->lcore, drop_state);
		return false;
	}
	conn->state = (uint8_t)next;
	tcp_fast_choose(conn);
	return true;
}

const char *tcp_state_name(enum tcp_state state)
{
	static const char *const names[TCP_STATE_COUNT] = {
		"closed",     "syn-sent",   "syn-received", "established", "fin-wait-1",
		"fin-wait-2", "close-wait", "closing",      "last-ack",    "time-wait",
	};
	return (unsigned)state < TCP_STATE_COUNT ? names[state] : "unknown";
}
