/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions that Ethernet and IP cost per segment of TCP, in process: frames
 * of one station go in, the device having verified them or not, and segments go
 * out to it.  Run as tcp_insn.c says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/net.h"
#include "util/checksum.h"
#include "wire/arp.h"
#include "wire/ipv4.h"

#define BURST 32u
#define ROOM_BYTES 2048u
#define SEGMENT_BYTES 1480u

static const char *const names[] = {"net-input", "net-input-checksum", "net-output"};

static uint8_t memory[BURST][ROOM_BYTES] __attribute__((aligned(64)));
static struct pkt pkts[BURST];
static struct pkt_frag frags[BURST][PKT_FRAG_COUNT_MAX];
static struct pkt *free_list;
static uint64_t stats[WHERRY_LCORE_STAT_COUNT];
static struct net_lcore *net;
static struct net_path path;
static uint64_t now_ns = 1000000000, segments, sent;
static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, peer_mac[6] = {2, 0, 0, 0, 0, 2};
static const uint8_t our_ip[4] = {192, 0, 2, 1}, peer_ip[4] = {192, 0, 2, 2};

static struct pkt *take(void *ctx, uint16_t port_index)
{
	(void)ctx;
	struct pkt *pkt = free_list;
	free_list = pkt->next;
	pkt->data = pkt->head + 128;
	pkt->len_bytes = 0;
	pkt->port_index = port_index;
	pkt->frag_count = 0;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	return pkt;
}

static void give(void *ctx, struct pkt *pkt)
{
	(void)ctx;
	pkt->next = free_list;
	free_list = pkt;
}

/* Cheap, because both are counted too. */
static void output(void *ctx, struct pkt *pkt)
{
	sent++;
	give(ctx, pkt);
}

static void tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t at_ns)
{
	(void)view, (void)at_ns;
	segments++;
	give(ctx, pkt);
}

static void tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t at_ns)
{
	(void)ctx, (void)icmp, (void)at_ns;
}

__attribute__((noinline)) void bench_tcp_measured(struct pkt **burst, unsigned count, bool in);
void bench_tcp_measured(struct pkt **burst, unsigned count, bool in)
{
	const struct eth_view eth = {.type = IPV4_ETHERTYPE, .header_bytes = 14};
	for (unsigned i = 0; i < count; i++) {
		if (in)
			(void)net_input(net, burst[i], &eth, now_ns);
		else
			net_output(net, &path, burst[i], IP_PROTOCOL_TCP, IP_ECN_NOT_ECT, now_ns);
	}
}

static uint32_t put_eth(uint8_t *frame, uint16_t type)
{
	struct eth_header eth = {.type = type};
	memcpy(eth.dst, our_mac, 6);
	memcpy(eth.src, peer_mac, 6);
	return eth_header_emit(frame, 14, &eth);
}

static struct pkt *segment_in(bool verify)
{
	struct pkt *pkt = take(NULL, 0);
	struct ipv4_header ip = {.total_bytes = IPV4_HEADER_BYTES + SEGMENT_BYTES,
				 .dont_fragment = true,
				 .ttl = IPV4_TTL_DEFAULT,
				 .protocol = IP_PROTOCOL_TCP};
	memcpy(ip.src, peer_ip, 4);
	memcpy(ip.dst, our_ip, 4);
	pkt->len_bytes = put_eth(pkt->data, IPV4_ETHERTYPE);
	pkt->len_bytes += ipv4_emit(pkt->data + pkt->len_bytes, IPV4_HEADER_BYTES, &ip) + SEGMENT_BYTES;
	pkt->checksum = verify ? PKT_CHECKSUM_UNKNOWN : PKT_CHECKSUM_GOOD;
	return pkt;
}

static struct net_config *configure(void)
{
	const struct net_address address = {.addr = ip_addr_v4(our_ip), .prefix_bits = 24, .optimistic = true};
	struct net_settings settings = {.addresses = &address, .address_count = 1};
	settings.ports[0] = (struct net_port){.mtu = 1500, .present = true, .checksum_offload = true};
	memcpy(settings.ports[0].mac, our_mac, 6);
	char error[200];
	return net_config_create(&settings, error, sizeof error);
}

/* The peer asks for us, so that the cache knows it. */
static void meet(void)
{
	const struct eth_view eth = {.type = ARP_ETHERTYPE, .header_bytes = 14};
	struct arp_packet arp = {.operation = ARP_REQUEST};
	memcpy(arp.sender_mac, peer_mac, 6);
	memcpy(arp.sender_ip, peer_ip, 4);
	memcpy(arp.target_ip, our_ip, 4);
	struct pkt *pkt = take(NULL, 0);
	pkt->len_bytes = put_eth(pkt->data, ARP_ETHERTYPE);
	pkt->len_bytes += arp_emit(pkt->data + pkt->len_bytes, 64, &arp);
	(void)net_input(net, pkt, &eth, now_ns);
}

static int run(unsigned kind, unsigned count)
{
	for (unsigned i = 0; i < BURST; i++) {
		pkts[i] = (struct pkt){.head = memory[i], .room_bytes = ROOM_BYTES, .frags = frags[i]};
		give(NULL, &pkts[i]);
	}
	const struct net_env env = {.pool = {NULL, take, give},
				    .output = output,
				    .tcp_input = tcp_input,
				    .tcp_icmp = tcp_icmp,
				    .lcore_stats = stats};
	net = net_lcore_create(&env, 64, 8);
	struct net_config *config = configure();
	if (!net || !config)
		return 1;
	(void)net_set_config(net, config, true, now_ns);
	meet();
	const struct ip_addr us = ip_addr_v4(our_ip), peer = ip_addr_v4(peer_ip);
	if (net_path_open(net, &path, &us, &peer, NULL))
		return 1;
	const uint64_t before = sent;
	for (unsigned i = 0; i < count / BURST; i++) {
		struct pkt *burst[BURST];
		for (unsigned k = 0; k < BURST; k++) {
			burst[k] = kind == 2 ? take(NULL, 0) : segment_in(kind == 1);
			burst[k]->len_bytes = kind == 2 ? SEGMENT_BYTES : burst[k]->len_bytes;
		}
		bench_tcp_measured(burst, BURST, kind != 2);
	}
	if ((kind == 2 ? sent - before : segments) != count) {
		fprintf(stderr, "net_insn: not every segment passed\n");
		return 1;
	}
	(void)net_set_config(net, NULL, true, now_ns);
	net_lcore_destroy(net);
	net_config_destroy(config);
	return 0;
}

int main(int argc, char **argv)
{
	for (unsigned i = 0; argc == 3 && i < sizeof names / sizeof *names; i++)
		if (!strcmp(argv[1], names[i]))
			return run(i, (unsigned)strtoul(argv[2], NULL, 0));
	for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
		puts(names[i]);
	return argc == 2 && !strcmp(argv[1], "--list") ? 0 : 2;
}
