/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The stack below TCP as a host of its own at the end of a tap, for a kernel to talk to.
 *
 *     net_host TAP MAC optimistic|probe ADDRESS/BITS...
 *
 * Makes the tap in the network namespace that it runs in, says "ready", and serves until SIGTERM; then prints what it
 * counted, and its addresses and neighbours.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "net/net.h"
#include "pkt/pkt_heap.h"

#define ADDRESS_COUNT_MAX 8
#define FRAME_BYTES_MAX 2048

static struct {
	int tap;
	struct pkt_heap heap;
	struct net_lcore *net;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	uint64_t punted;
} host;

static volatile sig_atomic_t stopped;

static void stop(int signo)
{
	(void)signo;
	stopped = 1;
}

static uint64_t now(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void output(void *ctx, struct pkt *pkt)
{
	(void)ctx;
	/* A tap that is down refuses: as good as a wire that is cut. */
	if (write(host.tap, pkt->data, pkt->len_bytes) < 0 && errno != EIO && errno != EAGAIN)
		perror("write");
	pkt_heap_free(pkt);
}

static void tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	(void)ctx;
	(void)view;
	(void)now_ns;
	pkt_heap_free(pkt);
}

static void tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	(void)ctx;
	(void)icmp;
	(void)now_ns;
}

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (tap < 0)
		return -1;
	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	return ioctl(tap, TUNSETIFF, &request) < 0 ? -1 : tap;
}

static bool parse_address(char *text, struct net_address *to)
{
	uint8_t bytes[16];
	char *slash = strchr(text, '/');
	if (!slash)
		return false;
	*slash = 0;
	to->prefix_bits = (uint8_t)strtoul(slash + 1, NULL, 10);
	if (inet_pton(AF_INET, text, bytes) == 1)
		to->addr = ip_addr_v4(bytes);
	else if (inet_pton(AF_INET6, text, bytes) == 1)
		to->addr = ip_addr_v6(bytes);
	else
		return false;
	return true;
}

static void serve(const struct eth_filter *filter)
{
	uint8_t frame[FRAME_BYTES_MAX];
	while (!stopped) {
		struct pollfd tap = {.fd = host.tap, .events = POLLIN};
		struct eth_view eth;
		poll(&tap, 1, 10);
		net_poll(host.net, now());
		const ssize_t len = read(host.tap, frame, sizeof frame);
		if (len <= 0)
			continue;
		struct pkt *pkt = pkt_heap_make(&host.heap, frame, (uint32_t)len, 0, 0);
		if (eth_parse(pkt->data, pkt->len_bytes, filter, &eth) == ETH_ACCEPT &&
		    net_input(host.net, pkt, &eth, now()) == NET_TAKEN)
			continue;
		host.punted++;
		pkt_heap_free(pkt);
	}
}

static void print_addr(const char *what, const struct ip_addr *addr, const uint8_t mac[6], unsigned state)
{
	char text[INET6_ADDRSTRLEN];
	if (ip_addr_is_v4(addr))
		inet_ntop(AF_INET, addr->b + IP_ADDR_V4_OFFSET, text, sizeof text);
	else
		inet_ntop(AF_INET6, addr->b, text, sizeof text);
	printf("%s %s %02x:%02x:%02x:%02x:%02x:%02x %u\n", what, text, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5],
	       state);
}

static void report(void)
{
	const struct wherry_stat_scope_desc *desc = wherry_stat_scope_desc(WHERRY_SCOPE_LCORE);
	struct net_address_info addresses[16];
	struct net_neighbour neighbours[16];
	for (size_t i = 0; i < desc->stat_count; i++)
		if (host.stats[i])
			printf("%s %llu\n", desc->stats[i].name, (unsigned long long)host.stats[i]);
	printf("punted %llu\n", (unsigned long long)host.punted);
	unsigned count = net_address_copy(host.net, addresses, 16);
	for (unsigned i = 0; i < count; i++)
		print_addr("address", &addresses[i].addr, addresses[i].conflict_mac, addresses[i].state);
	count = net_neighbour_copy(host.net, neighbours, 16, now());
	for (unsigned i = 0; i < count; i++)
		print_addr("neighbour", &neighbours[i].addr, neighbours[i].mac, neighbours[i].state);
}

int main(int argc, char **argv)
{
	struct net_address addresses[ADDRESS_COUNT_MAX] = {0};
	struct net_settings settings = {.addresses = addresses,
					.ports = {[0] = {.mtu = 1500, .present = true, .punt = true, .slaac = true}}};
	struct eth_filter filter = {{0}, {0}};
	char error[200];
	if (argc < 5 || argc > 4 + ADDRESS_COUNT_MAX ||
	    sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &filter.mac[0], &filter.mac[1], &filter.mac[2],
		   &filter.mac[3], &filter.mac[4], &filter.mac[5]) != 6) {
		fprintf(stderr, "usage: net_host TAP MAC optimistic|probe ADDRESS/BITS...\n");
		return 2;
	}
	memcpy(settings.ports[0].mac, filter.mac, 6);
	for (int i = 4; i < argc; i++) {
		struct net_address *address = &addresses[settings.address_count++];
		address->optimistic = strcmp(argv[3], "optimistic") == 0;
		if (!parse_address(argv[i], address)) {
			fprintf(stderr, "net_host: not an address with a prefix length: %s\n", argv[i]);
			return 2;
		}
	}
	struct net_config *config = net_config_create(&settings, error, sizeof error);
	if (!config) {
		fprintf(stderr, "net_host: %s\n", error);
		return 1;
	}
	pkt_heap_init(&host.heap);
	host.heap.headroom_bytes = NET_HEADROOM_BYTES;
	const struct net_env env = {&host, pkt_heap_pool(&host.heap), output, tcp_input, tcp_icmp, host.stats, now()};
	host.net = net_lcore_create(&env, 64, 64);
	host.tap = open_tap(argv[1]);
	if (!host.net || host.tap < 0) {
		perror("net_host");
		return 1;
	}
	const struct sigaction action = {.sa_handler = stop};
	sigaction(SIGTERM, &action, NULL);
	puts("ready");
	fflush(stdout);
	/* The case brings the tap up now. */
	usleep(500000);
	net_set_config(host.net, config, true, now());
	serve(&filter);
	report();
	net_set_config(host.net, NULL, false, now());
	net_lcore_destroy(host.net);
	net_config_destroy(config);
	return host.heap.out_count ? 1 : 0;
}
