/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NBD load generator over memif: the product's own TCP opens the connections, no
 * kernel is in the way, so that the server's own cost is what limits.
 *
 * Poll-mode on the main lcore.  EAL arguments come first, then "--".
 */
#include <arpa/inet.h>
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

#include "host.h"

#define BURST 32u
#define RING 1024u
#define CONNECT_NS 20000000000ull
#define FILL_NS 60000000000ull
#define STOP_NS 2000000000ull

static struct rte_mempool *pool;
static struct rte_mbuf *tx[BURST];
static unsigned tx_count;
static double ns_per_cycle;
static struct host host = {.output = NULL};

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

static int port_start(void)
{
	/* memif knows no MTU: its buffers (bsize) say how large a frame may be. */
	struct rte_eth_conf conf = {.txmode = {.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS}};
	struct rte_ether_addr address;
	pool = rte_pktmbuf_pool_create("load", 8191, 256, 0, (uint16_t)(RTE_PKTMBUF_HEADROOM + host.mtu + 64),
				       SOCKET_ID_ANY);
	if (!pool || rte_eth_dev_configure(0, 1, 1, &conf) || rte_eth_rx_queue_setup(0, 0, RING, 0, NULL, pool) ||
	    rte_eth_tx_queue_setup(0, 0, RING, 0, NULL) || rte_eth_dev_start(0) || rte_eth_macaddr_get(0, &address)) {
		fprintf(stderr, "nbd_load_memif: the port does not start: %s\n", rte_strerror(rte_errno));
		return -1;
	}
	memcpy(host.mac, address.addr_bytes, 6);
	return 0;
}

/* Everything, sooner or later: the server empties the ring. */
static void tx_flush(void)
{
	unsigned sent = 0;
	const uint64_t until_ns = now_ns() + STOP_NS;
	while (sent < tx_count && now_ns() < until_ns)
		sent += rte_eth_tx_burst(0, 0, tx + sent, (uint16_t)(tx_count - sent));
	for (; sent < tx_count; sent++)
		rte_pktmbuf_free(tx[sent]);
	tx_count = 0;
}

static void output(struct host *from, struct pkt *pkt)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	pkt_finish_checksum(pkt);
	if (m) {
		uint8_t *to = rte_pktmbuf_mtod(m, uint8_t *);
		m->pkt_len = pkt_total_bytes(pkt);
		m->data_len = (uint16_t)m->pkt_len;
		memcpy(to, pkt->data, pkt->len_bytes);
		to += pkt->len_bytes;
		for (unsigned i = 0; i < pkt->frag_count; to += pkt->frags[i++].len_bytes)
			memcpy(to, pkt->frags[i].data, pkt->frags[i].len_bytes);
		tx[tx_count++] = m;
		if (tx_count == BURST)
			tx_flush();
	}
	host_give(from, pkt);
}

/* The frame lies in memory that the server wrote just now, so its checksum is taken for granted. */
static void receive(uint64_t now)
{
	struct rte_mbuf *rx[BURST];
	const unsigned count = rte_eth_rx_burst(0, 0, rx, BURST);
	for (unsigned i = 0; i < count; i++) {
		struct pkt *pkt = host_take(&host);
		if (!pkt)
			break;
		uint32_t bytes = 0;
		for (const struct rte_mbuf *m = rx[i]; m; m = m->next) {
			memcpy(pkt->data + bytes, rte_pktmbuf_mtod(m, const uint8_t *), m->data_len);
			bytes += m->data_len;
		}
		pkt->len_bytes = bytes;
		pkt->checksum = PKT_CHECKSUM_GOOD;
		host_input(&host, pkt, now);
	}
	if (count)
		rte_pktmbuf_free_bulk(rx, count);
}

typedef bool going_on_fn(const struct nbd_client *client);

static bool is_shaking_hands(const struct nbd_client *client)
{
	return client->state != NBD_CLIENT_READY;
}

static bool is_filling(const struct nbd_client *client)
{
	return client->filling;
}

static bool is_stopping(const struct nbd_client *client)
{
	return !client->stopped;
}

static bool always(const struct nbd_client *client)
{
	(void)client;
	return true;
}

/* While one of the clients wants it; false: an end or an error, or no end in time. */
static bool drive(going_on_fn *going_on, uint64_t span_ns, bool may_end)
{
	uint64_t now = now_ns();
	const uint64_t until_ns = now + span_ns;
	bool goes_on = true;
	for (; now < until_ns && goes_on; now = now_ns()) {
		receive(now);
		host_poll(&host, now);
		tx_flush();
		goes_on = false;
		for (unsigned i = 0; i < host.client_count; i++) {
			const struct host_client *client = &host.clients[i];
			if (client->nbd.errors || (!client->stream && !client->nbd.stopped))
				return false;
			goes_on |= going_on(&client->nbd);
		}
	}
	return !goes_on || may_end;
}

static void reset_counters(struct nbd_client *clients, bool copy_only)
{
	for (unsigned i = 0; i < host.client_count; i++) {
		if (!copy_only)
			nbd_client_reset_counters(&host.clients[i].nbd);
		clients[i] = host.clients[i].nbd;
	}
}

static int measure(double seconds, double warmup, bool gate)
{
	static struct nbd_client results[HOST_CONNECTION_COUNT_MAX];
	char line[16];
	if (!drive(always, (uint64_t)(warmup * 1e9), true))
		return -1;
	if (gate) {
		puts("ready");
		fflush(stdout);
		(void)!fgets(line, sizeof line, stdin);
	}
	reset_counters(results, false);
	const double cpu = cpu_seconds();
	const uint64_t start = now_ns();
	if (!drive(always, (uint64_t)(seconds * 1e9), true))
		return -1;
	const double took = (double)(now_ns() - start) / 1e9;
	reset_counters(results, true);
	nbd_client_print_json(results, host.client_count, "memif", took, cpu_seconds() - cpu);
	/* Take the last answers: leaving in the middle of traffic can crash the other end (DPDK 22.11). */
	for (unsigned i = 0; i < host.client_count; i++)
		nbd_client_stop(&host.clients[i].nbd);
	return drive(is_stopping, STOP_NS, false) && drive(always, STOP_NS / 20, true) ? 0 : -1;
}

static bool connect_all(const struct nbd_client_config *config, const uint8_t server[4], unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		struct nbd_client_config own = *config;
		own.seed += i;
		own.fill_first = i;
		own.fill_stride = config->unmarked ? 0 : count;
		if (!host_connect(&host, server, &own))
			return false;
	}
	if (!drive(is_shaking_hands, CONNECT_NS, false) || !drive(is_filling, FILL_NS, false))
		return false;
	for (unsigned i = 0; i < count; i++)
		nbd_client_go(&host.clients[i].nbd);
	return true;
}

static void usage(FILE *to)
{
	fputs("usage: nbd_load_memif EAL-ARGS -- --host ADDRESS [--address ADDRESS] [--mtu N] [--connections N]\n"
	      "                [--depth N] [--block BYTES] [--write] [--unmarked] [--seconds S] [--warmup S]\n"
	      "                [--span-mib N] [--gate]\n"
	      "Writes (unless --unmarked: the server keeps no data), then reads or writes random blocks of the "
	      "default\n"
	      "export; prints one JSON object.\n"
	      "example: nbd_load_memif -l 0 --no-huge -m 256 --file-prefix load --no-shconf --no-pci \\\n"
	      "           --vdev net_memif,role=client,id=0,socket=/tmp/m.sock,socket-abstract=no,bsize=2048 -- \\\n"
	      "           --host 10.0.0.1 --address 10.0.0.2 --mtu 1500 --depth 32\n",
	      to);
}

struct options {
	struct nbd_client_config config;
	uint8_t server[4];
	unsigned connections;
	double seconds, warmup;
	bool gate;
};

static bool parse(int argc, char **argv, struct options *to)
{
	static const struct option options[] = {
		{"host", required_argument, 0, 'h'},
		{"address", required_argument, 0, 'a'},
		{"mtu", required_argument, 0, 'M'},
		{"connections", required_argument, 0, 'c'},
		{"depth", required_argument, 0, 'd'},
		{"block", required_argument, 0, 'b'},
		{"write", no_argument, 0, 'W'},
		{"unmarked", no_argument, 0, 'u'},
		{"seconds", required_argument, 0, 't'},
		{"warmup", required_argument, 0, 'w'},
		{"span-mib", required_argument, 0, 'm'},
		{"gate", no_argument, 0, 'g'},
		{0},
	};
	*to = (struct options){
		.config = {.depth = 32, .block_bytes = 4096, .structured = true, .span_bytes = 64u << 20, .seed = 1},
		.connections = 1,
		.seconds = 5,
		.warmup = 0.5};
	host.mtu = 1500;
	inet_pton(AF_INET, "10.77.0.2", host.address);
	bool good = false;
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			good = inet_pton(AF_INET, optarg, to->server) == 1;
			break;
		case 'a':
			if (inet_pton(AF_INET, optarg, host.address) != 1)
				return false;
			break;
		case 'M':
			host.mtu = (uint16_t)strtoul(optarg, NULL, 0);
			break;
		case 'c':
			to->connections = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'd':
			to->config.depth = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'b':
			to->config.block_bytes = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'W':
			to->config.write = true;
			break;
		case 'u':
			to->config.unmarked = true;
			break;
		case 't':
			to->seconds = strtod(optarg, NULL);
			break;
		case 'w':
			to->warmup = strtod(optarg, NULL);
			break;
		case 'm':
			to->config.span_bytes = strtoull(optarg, NULL, 0) << 20;
			break;
		case 'g':
			to->gate = true;
			break;
		default:
			return false;
		}
	}
	return good && to->connections >= 1 && to->connections <= HOST_CONNECTION_COUNT_MAX && to->config.depth >= 1 &&
	       to->config.depth <= NBD_CLIENT_DEPTH_MAX && to->config.block_bytes >= 512 &&
	       to->config.block_bytes <= to->config.span_bytes && host.mtu <= 9000 && to->seconds > 0;
}

int main(int argc, char **argv)
{
	struct options options;
	const int used = rte_eal_init(argc, argv);
	if (used < 0 || !parse(argc - used, argv + used, &options)) {
		usage(stderr);
		return 2;
	}
	ns_per_cycle = 1e9 / (double)rte_get_tsc_hz();
	host.output = output;
	if (!rte_eth_dev_count_avail() || port_start())
		return 1;
	struct rte_eth_link link = {0};
	for (unsigned i = 0; i < 100 && !link.link_status; i++, usleep(50000))
		if (rte_eth_link_get_nowait(0, &link))
			break;
	int rc = 1;
	if (!host_create(&host, now_ns()))
		fprintf(stderr, "nbd_load_memif: out of memory\n");
	else if (!connect_all(&options.config, options.server, options.connections))
		fprintf(stderr, "nbd_load_memif: no connection to the server, or it fails\n");
	else if (measure(options.seconds, options.warmup, options.gate))
		fprintf(stderr, "nbd_load_memif: the server failed, or answered with other data\n");
	else
		rc = 0;
	rte_eth_dev_stop(0);
	rte_eal_cleanup();
	return rc;
}
