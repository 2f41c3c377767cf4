/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AoE load generator over memif: two processes over shared memory, no kernel in
 * the way, so that the target's own cost is what limits.
 *
 * Poll-mode on the main lcore.  EAL arguments come first, then "--".
 */
#include <getopt.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "load.h"

#define BURST 32u
#define RING 1024u
#define DRAIN_NS 200000000ull

static struct rte_mempool *pool;
static struct rte_mbuf *tx[BURST];
static unsigned tx_count;
static double ns_per_cycle;

static uint64_t now_ns(void)
{
	return (uint64_t)((double)rte_rdtsc() * ns_per_cycle);
}

static double cpu_seconds(void)
{
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static int port_start(uint16_t port, uint16_t mtu, uint8_t mac[6])
{
	/* memif knows no MTU: its buffers (bsize) say how large a frame may be. */
	struct rte_eth_conf conf = {.txmode = {.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS}};
	struct rte_ether_addr address;
	pool = rte_pktmbuf_pool_create("load", 8191, 256, 0, (uint16_t)(RTE_PKTMBUF_HEADROOM + mtu + 64),
				       SOCKET_ID_ANY);
	if (!pool || rte_eth_dev_configure(port, 1, 1, &conf) || rte_eth_rx_queue_setup(port, 0, RING, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(port, 0, RING, 0, NULL) || rte_eth_dev_start(port) ||
	    rte_eth_macaddr_get(port, &address)) {
		fprintf(stderr, "aoe_load_memif: port %u does not start: %s\n", port, rte_strerror(rte_errno));
		return -1;
	}
	memcpy(mac, address.addr_bytes, 6);
	return 0;
}

static void tx_flush(uint16_t port)
{
	unsigned sent = tx_count ? rte_eth_tx_burst(port, 0, tx, (uint16_t)tx_count) : 0;
	for (unsigned i = sent; i < tx_count; i++)
		rte_pktmbuf_free(tx[i]); /* the retransmission timer makes up for it */
	tx_count = 0;
}

static struct rte_mbuf *tx_slot(void)
{
	return rte_pktmbuf_alloc(pool);
}

static void tx_push(uint16_t port, struct rte_mbuf *m, uint32_t len)
{
	m->data_len = (uint16_t)len;
	m->pkt_len = len;
	tx[tx_count++] = m;
	if (tx_count == BURST)
		tx_flush(port);
}

static unsigned receive(uint16_t port, struct load *load, uint64_t now, enum load_event *last)
{
	struct rte_mbuf *rx[BURST];
	unsigned n = rte_eth_rx_burst(port, 0, rx, BURST);
	for (unsigned i = 0; i < n; i++) {
		enum load_event event = load_on_frame(load, rte_pktmbuf_mtod(rx[i], uint8_t *), rx[i]->pkt_len, now);
		if (event != LOAD_IGNORED)
			*last = event;
	}
	if (n)
		rte_pktmbuf_free_bulk(rx, n);
	return n;
}

static int handshake(uint16_t port, struct load *load, uint32_t (*build)(const struct load *, uint8_t *),
		     enum load_event wanted)
{
	for (unsigned try = 0; try < 100; try++) {
		struct rte_mbuf *m = tx_slot();
		if (!m)
			return -1;
		tx_push(port, m, build(load, rte_pktmbuf_mtod(m, uint8_t *)));
		tx_flush(port);
		uint64_t until = now_ns() + 100000000ull;
		while (now_ns() < until) {
			enum load_event last = LOAD_IGNORED;
			receive(port, load, now_ns(), &last);
			if (last == wanted)
				return 0;
		}
	}
	return -1;
}

static void drive(uint16_t port, struct load *load, uint64_t until_ns)
{
	unsigned turn = 0;
	uint64_t now;
	while ((now = now_ns()) < until_ns) {
		enum load_event last;
		receive(port, load, now, &last);
		bool check = ++turn % 65536 == 0;
		while (load->free_count || check) {
			struct rte_mbuf *m = tx_slot();
			if (!m)
				break;
			uint8_t *buf = rte_pktmbuf_mtod(m, uint8_t *);
			uint32_t len = load_build_next(load, buf, now);
			if (!len && check)
				len = load_build_retransmit(load, buf, now);
			if (!len) {
				rte_pktmbuf_free(m);
				break;
			}
			tx_push(port, m, len);
		}
		tx_flush(port);
	}
}

/* Take the last answers: leaving in the middle of traffic can crash the other end (DPDK 22.11). */
static void drain(uint16_t port, struct load *load)
{
	const uint64_t until_ns = now_ns() + DRAIN_NS;
	enum load_event last;
	while (load->free_count < load->config.window && now_ns() < until_ns)
		receive(port, load, now_ns(), &last);
}

static void usage(FILE *to)
{
	fputs("usage: aoe_load_memif EAL-ARGS -- [--mtu N] [--shelf N] [--slot N] [--window N] [--sectors N]\n"
	      "                [--write] [--seconds S] [--warmup S] [--span-mib N] [--seed N]\n"
	      "example: aoe_load_memif -l 0 --no-huge -m 256 --file-prefix load --no-shconf --no-pci \\\n"
	      "           --vdev net_memif,role=client,id=0,socket=/tmp/m.sock,socket-abstract=no,bsize=9216 -- --mtu "
	      "9000 --sectors 8\n",
	      to);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"mtu", required_argument, 0, 'M'},      {"shelf", required_argument, 0, 's'},
		{"slot", required_argument, 0, 'l'},     {"window", required_argument, 0, 'w'},
		{"sectors", required_argument, 0, 'n'},  {"write", no_argument, 0, 'W'},
		{"seconds", required_argument, 0, 't'},  {"warmup", required_argument, 0, 'u'},
		{"span-mib", required_argument, 0, 'm'}, {"seed", required_argument, 0, 'r'},
		{"help", no_argument, 0, 'h'},           {0},
	};
	struct load_config config = {.window = 32, .sectors = 8, .seed = 1, .timeout_ns = 200000000ull};
	double seconds = 5, warmup = 0.5;
	uint16_t mtu = 9000;
	int used = rte_eal_init(argc, argv);
	if (used < 0) {
		usage(stderr);
		return 2;
	}
	argc -= used;
	argv += used;
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'M':
			mtu = (uint16_t)strtoul(optarg, NULL, 0);
			break;
		case 's':
			config.shelf = (uint16_t)strtoul(optarg, NULL, 0);
			break;
		case 'l':
			config.slot = (uint8_t)strtoul(optarg, NULL, 0);
			break;
		case 'w':
			config.window = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'n':
			config.sectors = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'W':
			config.write = true;
			break;
		case 't':
			seconds = strtod(optarg, NULL);
			break;
		case 'u':
			warmup = strtod(optarg, NULL);
			break;
		case 'm':
			config.span_sectors = strtoull(optarg, NULL, 0) * 2048;
			break;
		case 'r':
			config.seed = strtoull(optarg, NULL, 0);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (config.window < 1 || config.window > LOAD_WINDOW_MAX || config.sectors < 1 || config.sectors > 17 ||
	    seconds <= 0) {
		usage(stderr);
		return 2;
	}
	static struct load load;
	ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	load_init(&load, &config);
	if (!rte_eth_dev_count_avail() || port_start(0, mtu, load.config.source_mac))
		return 1;
	struct rte_eth_link link = {0};
	for (unsigned i = 0; i < 100 && !link.link_status; i++, usleep(50000))
		if (rte_eth_link_get_nowait(0, &link))
			break;
	if (handshake(0, &load, load_build_discover, LOAD_DISCOVERED) ||
	    handshake(0, &load, load_build_identify, LOAD_IDENTIFIED)) {
		fprintf(stderr, "aoe_load_memif: no answer from e%u.%u: is the other end of the memif up?\n",
			config.shelf, config.slot);
		return 1;
	}
	drive(0, &load, now_ns() + (uint64_t)(warmup * 1e9));
	load_reset_counters(&load);
	double cpu = cpu_seconds();
	uint64_t start = now_ns();
	drive(0, &load, start + (uint64_t)(seconds * 1e9));
	load_print_json(&load, "memif", (double)(now_ns() - start) / 1e9, cpu_seconds() - cpu);
	drain(0, &load);
	rte_eth_dev_stop(0);
	rte_eal_cleanup();
	return load.errors ? 1 : 0;
}
