/* SPDX-License-Identifier: BSD-3-Clause */
/* See stack.h. */
#include "lcore/stack.h"

#include <errno.h>
#include <rte_malloc.h>
#include <string.h>
#include <sys/random.h>

#include "lcore/priv.h"
#include "lcore/stack_diag.h"
#include "wire/ipv4.h"

#define NEIGHBOUR_COUNT 4096u
#define NEIGHBOUR_HELD_COUNT 256u
#define CONNECTION_COUNT 8192u
#define EMBRYONIC_COUNT 1024u
#define LISTENER_COUNT 64u
#define SENT_SEGMENT_COUNT 32768u
#define HELD_PACKET_COUNT 2048u
#define HELD_PACKET_COUNT_EACH 1024u
#define NBD_SESSION_COUNT CONNECTION_COUNT
#define NBD_REQUEST_COUNT 1024u
#define NBD_REQUEST_COUNT_EACH 128u
#define NBD_BUFFER_COUNT 256u
#define NBD_BUFFER_BYTES 65536u

/* One for the process: whichever worker a segment reaches knows the same connections' secrets. */
static uint8_t secret[32];
static bool secret_set;

uint32_t stack_packets_each(void)
{
	return HELD_PACKET_COUNT + NEIGHBOUR_HELD_COUNT;
}

uint64_t stack_memory_bytes(void)
{
	return (uint64_t)NBD_BUFFER_COUNT * NBD_BUFFER_BYTES + (1u << 20) + stack_diag_memory_bytes();
}

/* ----------------------------------------------------------- surroundings */
static struct pkt *env_alloc(void *worker, uint16_t port_index)
{
	(void)worker;
	return port_pkt_alloc_gather(port_index);
}

static void env_free(void *worker, struct pkt *pkt)
{
	(void)worker;
	port_pkt_free(pkt);
}

static void env_output(void *worker, struct pkt *pkt)
{
	tx_output(worker, pkt);
}

static void env_tcp_input(void *worker, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	tcp_input(((struct worker *)worker)->tcp, pkt, view, now_ns);
}

static void env_tcp_icmp(void *worker, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	tcp_icmp(((struct worker *)worker)->tcp, icmp, now_ns);
}

static int env_path_open(void *worker, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
			 const struct ip_view *from)
{
	return net_path_open(((struct worker *)worker)->net, path, local, remote, from);
}

static void env_tcp_output(void *worker, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	net_output(((struct worker *)worker)->net, path, pkt, IP_PROTOCOL_TCP, ecn, now_ns);
}

static uint16_t env_path_mtu(void *worker, struct net_path *path, uint64_t now_ns)
{
	return net_path_mtu(((struct worker *)worker)->net, path, now_ns);
}

static void env_path_set_mtu(void *worker, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	net_path_set_mtu(((struct worker *)worker)->net, remote, mtu, now_ns);
}

static void env_path_confirm(void *worker, const struct net_path *path, uint64_t now_ns)
{
	net_path_confirm(((struct worker *)worker)->net, path, now_ns);
}

static void *env_memory_alloc(void *ctx, uint64_t bytes)
{
	struct worker *worker = ctx;
	void *memory = rte_malloc_socket("nbd", bytes, 4096, (int)worker->numa_node);
	return memory ? memory : rte_malloc("nbd", bytes, 4096);
}

static void env_memory_free(void *ctx, void *memory)
{
	(void)ctx;
	rte_free(memory);
}

/* ---------------------------------------------------------------- life */
static int create_net(struct worker *worker)
{
	uint64_t seed;
	memcpy(&seed, secret, sizeof seed);
	struct net_env env = {
		.ctx = worker,
		.pool = {worker, env_alloc, env_free},
		.output = env_output,
		.tcp_input = env_tcp_input,
		.tcp_icmp = env_tcp_icmp,
		.lcore_stats = worker->stats,
		.secret = seed ^ worker->index,
	};
	worker->net = net_lcore_create(&env, NEIGHBOUR_COUNT, NEIGHBOUR_HELD_COUNT);
	return worker->net ? 0 : -ENOMEM;
}

static int create_tcp(struct worker *worker, unsigned worker_count_)
{
	struct tcp_env env = {
		.ctx = worker,
		.pool = {worker, env_alloc, env_free},
		.path_open = env_path_open,
		.output = env_tcp_output,
		.path_mtu = env_path_mtu,
		.path_set_mtu = env_path_set_mtu,
		.path_confirm = env_path_confirm,
		.worker_index = worker->index,
		.worker_count = worker_count_,
		.lcore_stats = worker->stats,
	};
	memcpy(env.secret, secret, sizeof env.secret);
	struct tcp_limits limits = {
		.connection_count = CONNECTION_COUNT,
		.embryonic_count = EMBRYONIC_COUNT,
		.listener_count = LISTENER_COUNT,
		.sent_segment_count = SENT_SEGMENT_COUNT,
		.held_packet_count = HELD_PACKET_COUNT,
		.held_packet_count_each = HELD_PACKET_COUNT_EACH,
	};
	struct tcp_settings settings;
	tcp_settings_default(&settings);
	worker->tcp = tcp_lcore_create(&env, &limits, &settings);
	return worker->tcp ? 0 : -ENOMEM;
}

static int create_nbd(struct worker *worker)
{
	struct nbd_env env = {
		.ctx = worker,
		.now_ns = &worker->now_ns,
		.lcore_stats = worker->stats,
		.alloc = env_memory_alloc,
		.free = env_memory_free,
	};
	struct nbd_limits limits = {
		.session_count = NBD_SESSION_COUNT,
		.request_count = NBD_REQUEST_COUNT,
		.request_count_each = NBD_REQUEST_COUNT_EACH,
		.buffer_count = NBD_BUFFER_COUNT,
		.buffer_bytes = NBD_BUFFER_BYTES,
	};
	worker->nbd = nbd_lcore_create(&env, &limits);
	return worker->nbd ? 0 : -ENOMEM;
}

static struct carry carries[WHERRY_LCORE_COUNT_MAX];

int stack_create(struct worker *worker, unsigned worker_count_)
{
	if (!secret_set && getrandom(secret, sizeof secret, 0) != sizeof secret)
		return -EIO;
	secret_set = true;
	worker->carry = &carries[worker->index];
	carry_init(worker->carry, carries, &worker->stats[WHERRY_LCORE_carried_out],
		   &worker->stats[WHERRY_LCORE_carried_in]);
	int rc = create_net(worker);
	if (rc == 0)
		rc = create_tcp(worker, worker_count_);
	if (rc == 0)
		rc = create_nbd(worker);
	return rc ? rc : stack_diag_create(worker);
}

void stack_reset(struct worker *worker)
{
	tcp_abort_all(worker->tcp, NULL, worker->now_ns);
}

/* Sessions refer to exports, and packets to sessions' buffers, wherever they wait. */
void stack_stop(struct worker *worker)
{
	stack_reset(worker);
	(void)tcp_poll(worker->tcp, worker->now_ns);
	(void)net_set_config(worker->net, NULL, false, worker->now_ns);
	handoff_flush(worker);
	tx_drop_all(worker);
	nbd_lcore_let_go(worker->nbd);
}

void stack_destroy(struct worker *worker)
{
	if (worker->tcp)
		tcp_lcore_destroy(worker->tcp);
	if (worker->nbd)
		nbd_lcore_destroy(worker->nbd);
	stack_diag_destroy(worker);
	if (worker->net)
		net_lcore_destroy(worker->net);
	worker->tcp = NULL;
	worker->nbd = NULL;
	worker->net = NULL;
}

/* --------------------------------------------------------------- frames */
/* The frame was judged when it came in: this cannot fail. */
static struct eth_view view_of(const struct pkt *pkt)
{
	struct eth_view view = {.group = eth_addr_is_group(eth_dst(pkt->data))};
	uint16_t tci;
	view.header_bytes = (uint8_t)eth_payload_offset(pkt->data, pkt->len_bytes, &view.type, &tci);
	view.vlan = tci & ETH_VLAN_ID_MASK;
	return view;
}

static void input(struct worker *worker, struct pkt *pkt, const struct eth_view *eth)
{
	if (net_input(worker->net, pkt, eth, worker->now_ns) == NET_TAKEN)
		return;
	punt_frame(worker, pkt, WHERRY_LCORE_net_drop_address);
}

void stack_input_own(struct worker *worker, struct pkt *pkt, bool copy)
{
	struct eth_view eth = view_of(pkt);
	if (!copy) {
		input(worker, pkt, &eth);
		return;
	}
	net_learn(worker->net, pkt, &eth, worker->now_ns);
	port_pkt_free(pkt);
}

void stack_route(struct worker *worker, struct pkt *pkt, const struct eth_view *eth)
{
	uint32_t hash;
	unsigned count = worker_count();
	if (count > 1) {
		if (net_frame_is_for_all(pkt->data, pkt->len_bytes, eth)) {
			handoff_copies(worker, HANDOFF_STACK_COPY, pkt);
		} else if (net_peek_flow(pkt->data, pkt->len_bytes, eth, &hash) && hash % count != worker->index) {
			handoff_frame(worker, hash % count, HANDOFF_STACK, pkt);
			return;
		}
	}
	input(worker, pkt, eth);
}

/* ---------------------------------------------------------------- turns */
unsigned stack_poll(struct worker *worker)
{
	unsigned work = 0;
	if (carry_is_pending(worker->carry))
		work += carry_poll(worker->carry);
	work += nbd_poll(worker->nbd, worker->now_ns);
	work += stack_diag_poll(worker);
	work += tcp_poll(worker->tcp, worker->now_ns);
	work += net_poll(worker->net, worker->now_ns);
	return work;
}

uint32_t stack_drain(struct worker *worker)
{
	nbd_lcore_drain(worker->nbd);
	return nbd_lcore_under_way(worker->nbd) + worker->carry->away_count;
}
