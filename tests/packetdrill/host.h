/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack as a host on a virtual clock: IP packets in and out, sockets on top.
 *
 * Time stands still unless host_run moves it.  The link layer is not to be seen:
 * a router answers ARP and neighbour solicitations at once, and an address becomes
 * the host's own by being used.
 */
#pragma once

#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "net/net.h"
#include "pkt/pkt_heap.h"
#include "tcp/tcp_priv.h"

#define HOST_SOCKET_COUNT 256
#define HOST_ADDRESS_COUNT 8
#define HOST_QUEUE_COUNT 64

struct frame {
	STAILQ_ENTRY(frame) link;
	uint64_t at_ns;
	uint32_t len_bytes;
	uint8_t bytes[];
};
STAILQ_HEAD(frame_list, frame);

struct host;

struct sock {
	struct host *host;
	int fd; /* a real one, of nothing: packetdrill closes what a script has left open by itself */
	int family;
	bool used, nonblocking, bound, listening;
	bool connecting, connected, was_connected, connect_told;
	bool ended, shut_read, shut_write, orphan;
	bool corked, linger_abort;
	int error; /* not told yet */
	struct ip_addr local;
	uint16_t port;
	struct stream *stream; /* NULL: none, or gone */
	struct tcp_settings settings;
	uint32_t send_bytes_max; /* queued at once; 0: no limit */
	uint64_t queued_bytes;
	uint8_t *want; /* where a read wants bytes; NULL: nobody reads */
	size_t want_bytes, got_bytes;
	struct sock *queue[HOST_QUEUE_COUNT]; /* of a listener, oldest first */
	unsigned queue_count, backlog;
};

struct host {
	uint64_t now_ns;
	struct pkt_heap heap;
	struct net_lcore *net;
	struct tcp_lcore *tcp;
	const struct net_config *config;
	struct net_address addresses[HOST_ADDRESS_COUNT];
	unsigned address_count;
	uint16_t mtu;
	struct tcp_settings settings; /* of new sockets */
	struct frame_list out;        /* IP packets, oldest first */
	struct frame_list answers;    /* frames of the router, not given yet */
	struct sock socks[HOST_SOCKET_COUNT];
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
};

/* flags: words "name=value": mtu, window (bytes), cc (cubic, reno, dctcp), ecn (0, 1).  False: no memory, or no such
 * flag. */
bool host_init(struct host *host, const char *flags);
void host_fini(struct host *host);
/* A packet, from its IP header on. */
void host_input(struct host *host, const void *packet, size_t bytes);
/* What is due at the present moment. */
void host_turn(struct host *host);
/* The next moment at which something may happen, or limit_ns when that is earlier. */
uint64_t host_next_ns(const struct host *host, uint64_t limit_ns);
/* Be the owner of this address from now on. */
bool host_own(struct host *host, const struct ip_addr *addr);
/* An address of ours of this family; one is made up when there is none. */
struct ip_addr host_local(struct host *host, bool v4);

/* ---- sockets: as the system calls, which set errno; -EAGAIN where those would wait ---- */

struct sock *sock_of(struct host *host, int fd);
int sock_new(struct host *host, int family, int type);
int sock_listen(struct sock *sock, int backlog);
int sock_accept(struct sock *sock);
/* 0: connected.  -EINPROGRESS the first time. */
int sock_connect(struct sock *sock, const struct ip_addr *addr, uint16_t port);
ssize_t sock_read(struct sock *sock, void *to, size_t bytes, int flags);
ssize_t sock_write(struct sock *sock, const void *from, size_t bytes, int flags);
int sock_shutdown(struct sock *sock, int how);
int sock_close(struct sock *sock);
/* POLLIN and so on, as they hold now. */
short sock_events(const struct sock *sock);
int sock_get(struct sock *sock, int level, int name, void *value, socklen_t *value_bytes);
int sock_set(struct sock *sock, int level, int name, const void *value, socklen_t value_bytes);
int sock_ioctl(struct sock *sock, unsigned long request, int *value);
