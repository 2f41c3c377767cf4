/* SPDX-License-Identifier: BSD-3-Clause */
/* See host.h: the stack and what is below it. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>

#include "wire/arp.h"
#include "wire/icmp.h"
#include "wire/nd.h"

#define ETHERNET_BYTES 14u
#define TURNS_MAX 1000u
#define LOOK_NS (100 * TCP_NS_PER_MS) /* net/ does not say when it wants to be called next */

static const uint8_t our_mac[6] = {2, 0, 0, 0, 0, 1}, router_mac[6] = {2, 0, 0, 0, 0, 2};

/* ---- surroundings of the stack ---- */

static struct frame *frame_add(struct frame_list *list, uint64_t at_ns, uint32_t bytes)
{
	struct frame *frame = calloc(1, sizeof *frame + bytes);
	if (!frame)
		abort();
	frame->at_ns = at_ns;
	frame->len_bytes = bytes;
	STAILQ_INSERT_TAIL(list, frame, link);
	return frame;
}

static uint8_t *answer(struct host *host, uint16_t type, uint32_t payload_bytes)
{
	uint8_t *at = frame_add(&host->answers, host->now_ns, ETHERNET_BYTES + payload_bytes)->bytes;
	memcpy(at, our_mac, 6);
	memcpy(at + 6, router_mac, 6);
	at[12] = (uint8_t)(type >> 8);
	at[13] = (uint8_t)type;
	return at + ETHERNET_BYTES;
}

static bool is_ours(const struct host *host, const struct ip_addr *addr)
{
	for (unsigned i = 0; i < host->address_count; i++)
		if (ip_addr_equal(addr, &host->addresses[i].addr))
			return true;
	return false;
}

/* Whoever is asked for has the router's address, but for ourselves (a probe). */
static void answer_arp(struct host *host, const uint8_t *data, uint32_t bytes)
{
	struct arp_packet arp;
	if (arp_parse(data, bytes, &arp).result != WIRE_OK || arp.operation != ARP_REQUEST)
		return;
	const struct ip_addr target = ip_addr_v4(arp.target_ip);
	if (is_ours(host, &target))
		return;
	struct arp_packet reply = {.operation = ARP_REPLY};
	memcpy(reply.sender_mac, router_mac, 6);
	memcpy(reply.sender_ip, arp.target_ip, 4);
	memcpy(reply.target_mac, our_mac, 6);
	memcpy(reply.target_ip, arp.sender_ip, 4);
	(void)arp_emit(answer(host, 0x0806, ARP_PACKET_BYTES), ARP_PACKET_BYTES, &reply);
}

static uint16_t sum_v6(const uint8_t *ip, uint32_t payload_bytes)
{
	uint32_t sum = payload_bytes + 58;
	for (uint32_t i = 8; i < 40 + payload_bytes; i += 2)
		sum += (uint32_t)(ip[i] << 8) + (i + 1 < 40 + payload_bytes ? ip[i + 1] : 0);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void answer_nd(struct host *host, const uint8_t *ip, uint32_t bytes)
{
	struct nd_message ask;
	uint8_t nd[ND_EMIT_BYTES_MAX];
	if (bytes < 40 || nd_parse(ip + 40, bytes - 40, &ask).result != WIRE_OK || ask.type != 135)
		return;
	const struct ip_addr target = ip_addr_v6(ask.target);
	if (is_ours(host, &target) || (ask.target[0] == 0xfe && memcmp(ip + 8, (const uint8_t[16]){0}, 16) == 0))
		return;
	struct nd_message reply = {.type = 136, .has_mac = true, .solicited = true, .override = true, .router = true};
	memcpy(reply.mac, router_mac, 6);
	memcpy(reply.target, ask.target, 16);
	const uint32_t len = nd_emit(nd, sizeof nd, &reply);
	uint8_t *to = answer(host, 0x86dd, 40 + len);
	to[0] = 0x60;
	to[5] = (uint8_t)len;
	to[6] = 58;
	to[7] = ND_HOP_LIMIT;
	memcpy(to + 8, ask.target, 16);
	memcpy(to + 24, ip + 8, 16);
	memcpy(to + 40, nd, len);
	const uint16_t sum = sum_v6(to, len);
	to[42] = (uint8_t)(sum >> 8);
	to[43] = (uint8_t)sum;
}

/* TCP, and ICMP that is not the link's own business. */
static bool is_shown(const uint8_t *ip, uint32_t bytes)
{
	if (bytes >= 20 && ip[0] >> 4 == 4)
		return ip[9] == 6 || ip[9] == 1;
	return bytes > 40 && (ip[6] == 6 || (ip[6] == 58 && ip[40] < 130));
}

/* Short frames are filled up. */
static uint32_t ip_bytes(const uint8_t *ip, uint32_t bytes)
{
	const uint32_t said = ip[0] >> 4 == 4 ? (uint32_t)(ip[2] << 8 | ip[3]) : 40u + (uint32_t)(ip[4] << 8 | ip[5]);
	return said < bytes ? said : bytes;
}

static void output(void *ctx, struct pkt *pkt)
{
	struct host *host = ctx;
	pkt_finish_checksum(pkt);
	pkt_linearise(pkt);
	const uint8_t *payload = pkt->data + ETHERNET_BYTES;
	const uint32_t len = pkt->len_bytes - ETHERNET_BYTES;
	const uint16_t type = (uint16_t)(pkt->data[12] << 8 | pkt->data[13]);
	if (type == 0x0806)
		answer_arp(host, payload, len);
	else if (is_shown(payload, len))
		memcpy(frame_add(&host->out, host->now_ns, ip_bytes(payload, len))->bytes, payload,
		       ip_bytes(payload, len));
	else if (type == 0x86dd)
		answer_nd(host, payload, len);
	pkt_heap_free(pkt);
}

static void to_tcp(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	tcp_input(((struct host *)ctx)->tcp, pkt, view, now_ns);
}

static void icmp_to_tcp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	tcp_icmp(((struct host *)ctx)->tcp, icmp, now_ns);
}

static int path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
		     const struct ip_view *from)
{
	return net_path_open(((struct host *)ctx)->net, path, local, remote, from);
}

static void tcp_out(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	net_output(((struct host *)ctx)->net, path, pkt, 6, ecn, now_ns);
}

static uint16_t path_mtu(void *ctx, struct net_path *path, uint64_t now_ns)
{
	return net_path_mtu(((struct host *)ctx)->net, path, now_ns);
}

static void path_set_mtu(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	net_path_set_mtu(((struct host *)ctx)->net, remote, mtu, now_ns);
}

static void path_confirm(void *ctx, const struct net_path *path, uint64_t now_ns)
{
	net_path_confirm(((struct host *)ctx)->net, path, now_ns);
}

/* ---- life ---- */

static bool configure(struct host *host)
{
	char error[200];
	struct net_route routes[HOST_ADDRESS_COUNT];
	struct net_settings settings = {
		.addresses = host->addresses,
		.address_count = host->address_count,
		.routes = routes,
		.ports = {[0] = {.mtu = host->mtu, .present = true}},
	};
	bool has_route[2] = {false, false};
	memcpy(settings.ports[0].mac, our_mac, 6);
	for (unsigned i = 0; i < host->address_count; i++) {
		const bool v4 = ip_addr_is_v4(&host->addresses[i].addr);
		static const uint8_t zero[4];
		if (has_route[v4])
			continue;
		has_route[v4] = true;
		struct net_route *route = &routes[settings.route_count++];
		*route = (struct net_route){.gateway = host->addresses[i].addr};
		route->gateway.b[15] ^= 0x80;
		if (v4)
			route->prefix = ip_addr_v4(zero);
	}
	struct net_config *config = net_config_create(&settings, error, sizeof error);
	if (!config) {
		fprintf(stderr, "%s\n", error);
		return false;
	}
	const struct net_config *old = net_set_config(host->net, config, true, host->now_ns);
	net_config_destroy((struct net_config *)(uintptr_t)old);
	host->config = config;
	return true;
}

bool host_own(struct host *host, const struct ip_addr *addr)
{
	if (ip_addr_is_none(addr) || is_ours(host, addr))
		return true;
	if (host->address_count == HOST_ADDRESS_COUNT)
		return false;
	const bool v4 = ip_addr_is_v4(addr);
	host->addresses[host->address_count++] = (struct net_address){0, 0, *addr, v4 ? 16 : 48, true};
	if (configure(host))
		return true;
	host->address_count--;
	return false;
}

struct ip_addr host_local(struct host *host, bool v4)
{
	static const uint8_t first_v4[4] = {192, 168, 0, 1},
			     first_v6[16] = {0xfd, 0x3d, 0xfa, 0x7b, 0xd1, 0x7d, [15] = 1};
	for (unsigned i = 0; i < host->address_count; i++)
		if (ip_addr_is_v4(&host->addresses[i].addr) == v4)
			return host->addresses[i].addr;
	const struct ip_addr addr = v4 ? ip_addr_v4(first_v4) : ip_addr_v6(first_v6);
	(void)host_own(host, &addr);
	return addr;
}

static bool take_flag(struct host *host, const char *word)
{
	unsigned value;
	if (sscanf(word, "mtu=%u", &value) == 1 && value >= WHERRY_MTU_MIN && value <= 65535)
		host->mtu = (uint16_t)value;
	else if (sscanf(word, "window=%u", &value) == 1)
		host->settings.window_bytes_max = value;
	else if (sscanf(word, "ecn=%u", &value) == 1)
		host->settings.ecn = value;
	else if (strcmp(word, "cc=cubic") == 0)
		host->settings.congestion = TCP_CUBIC;
	else if (strcmp(word, "cc=reno") == 0)
		host->settings.congestion = TCP_RENO;
	else if (strcmp(word, "cc=dctcp") == 0)
		host->settings.congestion = TCP_DCTCP;
	else
		return false;
	return true;
}

static bool take_flags(struct host *host, const char *flags)
{
	char word[64];
	int used;
	for (; flags && sscanf(flags, " %63s%n", word, &used) == 1; flags += used)
		if (!take_flag(host, word)) {
			fprintf(stderr, "no such flag: %s\n", word);
			return false;
		}
	return true;
}

bool host_init(struct host *host, const char *flags)
{
	memset(host, 0, sizeof *host);
	host->now_ns = 1000000 * TCP_NS_PER_MS;
	host->mtu = 1500;
	STAILQ_INIT(&host->out);
	STAILQ_INIT(&host->answers);
	tcp_settings_default(&host->settings);
	host->settings.keepalive_idle_ms = 0; /* sockets have to ask for it */
	host->settings.ecn = false;
	if (!take_flags(host, flags))
		return false;
	pkt_heap_init(&host->heap);
	host->heap.room_bytes = NET_HEADROOM_BYTES + 65536;
	host->heap.headroom_bytes = NET_HEADROOM_BYTES;
	const struct net_env net_env = {
		.ctx = host,
		.pool = pkt_heap_pool(&host->heap),
		.output = output,
		.tcp_input = to_tcp,
		.tcp_icmp = icmp_to_tcp,
		.lcore_stats = host->stats,
		.secret = 1,
	};
	struct tcp_env tcp_env = {
		.ctx = host,
		.pool = pkt_heap_pool(&host->heap),
		.path_open = path_open,
		.output = tcp_out,
		.path_mtu = path_mtu,
		.path_set_mtu = path_set_mtu,
		.path_confirm = path_confirm,
		.worker_count = 1,
		.lcore_stats = host->stats,
	};
	memset(tcp_env.secret, 0x5a, sizeof tcp_env.secret);
	const struct tcp_limits limits = {64, 64, 16, 8192, 2048, 1024};
	host->net = net_lcore_create(&net_env, 16, 64);
	host->tcp = tcp_lcore_create(&tcp_env, &limits, &host->settings);
	return host->net && host->tcp;
}

static void free_frames(struct frame_list *list)
{
	struct frame *frame;
	while ((frame = STAILQ_FIRST(list))) {
		STAILQ_REMOVE_HEAD(list, link);
		free(frame);
	}
}

void host_fini(struct host *host)
{
	if (host->tcp)
		tcp_lcore_destroy(host->tcp);
	if (host->net)
		net_lcore_destroy(host->net);
	net_config_destroy((struct net_config *)(uintptr_t)host->config);
	free_frames(&host->out);
	free_frames(&host->answers);
}

/* ---- packets and time ---- */

static void give(struct host *host, const void *frame, uint32_t bytes)
{
	struct pkt *pkt = pkt_heap_make(&host->heap, frame, bytes, NET_HEADROOM_BYTES, 2048);
	const struct eth_view view = {.type = (uint16_t)(pkt->data[12] << 8 | pkt->data[13]),
				      .header_bytes = ETHERNET_BYTES};
	if (net_input(host->net, pkt, &view, host->now_ns) != NET_TAKEN)
		pkt_heap_free(pkt);
}

void host_turn(struct host *host)
{
	for (unsigned turns = 0; turns < TURNS_MAX; turns++) {
		struct frame *frame;
		unsigned moved = tcp_poll(host->tcp, host->now_ns) + net_poll(host->net, host->now_ns);
		for (; (frame = STAILQ_FIRST(&host->answers)); moved++) {
			STAILQ_REMOVE_HEAD(&host->answers, link);
			give(host, frame->bytes, frame->len_bytes);
			free(frame);
		}
		if (!moved)
			return;
	}
}

void host_input(struct host *host, const void *packet, size_t bytes)
{
	const uint8_t *ip = packet;
	const bool v4 = bytes >= 20 && ip[0] >> 4 == 4;
	if (!v4 && bytes < 40)
		return;
	const struct ip_addr to = v4 ? ip_addr_v4(ip + 16) : ip_addr_v6(ip + 24);
	(void)host_own(host, &to);
	uint8_t *frame = malloc(ETHERNET_BYTES + bytes);
	if (!frame)
		abort();
	memcpy(frame, our_mac, 6);
	memcpy(frame + 6, router_mac, 6);
	frame[12] = v4 ? 0x08 : 0x86;
	frame[13] = v4 ? 0x00 : 0xdd;
	memcpy(frame + ETHERNET_BYTES, ip, bytes);
	give(host, frame, (uint32_t)(ETHERNET_BYTES + bytes));
	free(frame);
	host_turn(host);
}

uint64_t host_next_ns(const struct host *host, uint64_t limit_ns)
{
	uint64_t next_ns = tcp_next_due_ns(host->tcp);
	if (next_ns > host->now_ns + LOOK_NS)
		next_ns = host->now_ns + LOOK_NS;
	if (next_ns < host->now_ns)
		next_ns = host->now_ns;
	return next_ns < limit_ns ? next_ns : limit_ns;
}
