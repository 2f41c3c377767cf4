/* SPDX-License-Identifier: BSD-3-Clause */
/* One end of a benchmark with a stack of its own.  See host.h. */
#include "host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "wire/nbd.h"

#define ITEM_COUNT (HOST_CONNECTION_COUNT_MAX * 4 * NBD_CLIENT_DEPTH_MAX)
#define BODY_BYTES (1u << 20)
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

struct host_item {
	struct pkt_buf buf;
	struct host *host;
	struct host_item *next;
	uint8_t head[NBD_CLIENT_HEAD_BYTES_MAX];
};

static uint8_t body[BODY_BYTES];

/* ---- packets ---- */

struct pkt *host_take(struct host *host)
{
	struct pkt *pkt = host->free_pkts;
	if (!pkt)
		return NULL;
	host->free_pkts = pkt->next;
	pkt->data = pkt->head;
	pkt->len_bytes = 0;
	pkt->port_index = 0;
	pkt->frag_count = 0;
	pkt->checksum = PKT_CHECKSUM_UNKNOWN;
	return pkt;
}

void host_give(struct host *host, struct pkt *pkt)
{
	pkt_drop_frags(pkt);
	pkt->next = host->free_pkts;
	host->free_pkts = pkt;
}

static struct pkt *env_take(void *ctx, uint16_t port_index)
{
	(void)port_index;
	struct pkt *pkt = host_take(ctx);
	if (pkt)
		pkt->data += NET_HEADROOM_BYTES;
	return pkt;
}

static void env_give(void *ctx, struct pkt *pkt)
{
	host_give(ctx, pkt);
}

static bool make_packets(struct host *host)
{
	uint8_t *memory = aligned_alloc(4096, (size_t)HOST_PACKET_COUNT * HOST_ROOM_BYTES);
	struct pkt *pkts = calloc(HOST_PACKET_COUNT, sizeof *pkts);
	struct pkt_frag *frags = calloc((size_t)HOST_PACKET_COUNT * PKT_FRAG_COUNT_MAX, sizeof *frags);
	struct host_item *items = calloc(ITEM_COUNT, sizeof *items);
	if (!memory || !pkts || !frags || !items)
		return false;
	for (unsigned i = 0; i < HOST_PACKET_COUNT; i++) {
		pkts[i].head = memory + (size_t)i * HOST_ROOM_BYTES;
		pkts[i].room_bytes = HOST_ROOM_BYTES;
		pkts[i].frags = frags + (size_t)i * PKT_FRAG_COUNT_MAX;
		host_give(host, &pkts[i]);
	}
	for (unsigned i = 0; i < ITEM_COUNT; i++) {
		items[i].host = host;
		items[i].next = host->free_items;
		host->free_items = &items[i];
	}
	return true;
}

/* ---- the stack ---- */

static void env_output(void *ctx, struct pkt *pkt)
{
	struct host *host = ctx;
	host->output(host, pkt);
}

static void env_tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	tcp_input(((struct host *)ctx)->tcp, pkt, view, now_ns);
}

static void env_tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	tcp_icmp(((struct host *)ctx)->tcp, icmp, now_ns);
}

static int env_path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
			 const struct ip_view *from)
{
	return net_path_open(((struct host *)ctx)->net, path, local, remote, from);
}

static void env_tcp_output(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	net_output(((struct host *)ctx)->net, path, pkt, 6, ecn, now_ns);
}

static uint16_t env_path_mtu(void *ctx, struct net_path *path, uint64_t now_ns)
{
	return net_path_mtu(((struct host *)ctx)->net, path, now_ns);
}

static void env_path_set_mtu(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	net_path_set_mtu(((struct host *)ctx)->net, remote, mtu, now_ns);
}

static void env_path_confirm(void *ctx, const struct net_path *path, uint64_t now_ns)
{
	net_path_confirm(((struct host *)ctx)->net, path, now_ns);
}

static bool make_config(struct host *host)
{
	const struct net_address address = {.addr = ip_addr_v4(host->address), .prefix_bits = 24, .optimistic = true};
	struct net_settings settings = {.addresses = &address, .address_count = 1};
	char error[200];
	settings.ports[0] =
		(struct net_port){.mtu = host->mtu, .present = true, .checksum_offload = host->checksum_offload};
	memcpy(settings.ports[0].mac, host->mac, 6);
	memcpy(host->filter.mac, host->mac, 6);
	host->config = net_config_create(&settings, error, sizeof error);
	if (!host->config)
		fprintf(stderr, "%s\n", error);
	return host->config;
}

bool host_create(struct host *host, uint64_t now_ns)
{
	static const struct tcp_limits limits = {256, 16, 4, 32768, 2048, 1024};
	struct tcp_settings settings;
	host->now_ns = now_ns;
	if (!make_packets(host) || !make_config(host))
		return false;
	const struct pkt_pool pool = {host, env_take, env_give};
	const struct net_env net_env = {.ctx = host,
					.pool = pool,
					.output = env_output,
					.tcp_input = env_tcp_input,
					.tcp_icmp = env_tcp_icmp,
					.lcore_stats = host->stats,
					.secret = 1};
	struct tcp_env tcp_env = {.ctx = host,
				  .pool = pool,
				  .path_open = env_path_open,
				  .output = env_tcp_output,
				  .path_mtu = env_path_mtu,
				  .path_set_mtu = env_path_set_mtu,
				  .path_confirm = env_path_confirm,
				  .worker_count = 1,
				  .lcore_stats = host->stats};
	memcpy(tcp_env.secret, host->mac, 6);
	tcp_settings_default(&settings);
	host->net = net_lcore_create(&net_env, 64, 64);
	host->tcp = tcp_lcore_create(&tcp_env, &limits, &settings);
	if (!host->net || !host->tcp)
		return false;
	net_set_config(host->net, host->config, true, now_ns);
	return true;
}

void host_input(struct host *host, struct pkt *pkt, uint64_t now_ns)
{
	struct eth_view eth;
	host->now_ns = now_ns;
	if (eth_parse(pkt->data, pkt->len_bytes, &host->filter, &eth) != ETH_ACCEPT ||
	    net_input(host->net, pkt, &eth, now_ns) != NET_TAKEN)
		host_give(host, pkt);
}

/* ---- NBD clients ---- */

static void item_release(struct pkt_buf *buf)
{
	struct host_item *item = CONTAINER_OF(buf, struct host_item, buf);
	item->next = item->host->free_items;
	item->host->free_items = item;
}

static struct host_item *take_item(struct host *host)
{
	struct host_item *item = host->free_items;
	if (item)
		host->free_items = item->next;
	return item;
}

static void send_bytes(struct host_client *client, struct host_item *item, const uint8_t *data, uint32_t bytes)
{
	item->buf = (struct pkt_buf){.data = data, .len_bytes = bytes, .refs = 1, .release = item_release};
	stream_send(client->stream, &item->buf);
}

static void pump(struct host_client *client)
{
	struct host *host = client->host;
	uint32_t bytes, body_bytes;
	bool queued = false;
	while (client->stream && client->stream->unsent_bytes < STREAM_UNSENT_BYTES_GOAL) {
		struct host_item *item = take_item(host);
		if (!item)
			break;
		bytes = nbd_client_next(&client->nbd, item->head, &body_bytes, host->now_ns);
		if (!bytes) {
			item_release(&item->buf);
			break;
		}
		queued = true;
		send_bytes(client, item, item->head, bytes);
		if (body_bytes && (item = take_item(host)))
			send_bytes(client, item, body, body_bytes);
	}
	if (queued)
		stream_flush(client->stream);
}

static void on_open(void *ctx)
{
	(void)ctx;
}

static uint32_t on_data(void *ctx, const uint8_t *data, uint32_t len_bytes)
{
	struct host_client *client = ctx;
	nbd_client_input(&client->nbd, data, len_bytes, client->host->now_ns);
	return len_bytes;
}

static void on_closed(void *ctx, enum stream_close reason)
{
	struct host_client *client = ctx;
	(void)reason;
	client->stream = NULL;
}

static const struct stream_handler handler = {
	.on_open = on_open, .on_data = on_data, .on_end = on_open, .on_room = on_open, .on_closed = on_closed};

bool host_connect(struct host *host, const uint8_t address[4], const struct nbd_client_config *config)
{
	const struct ip_addr remote = ip_addr_v4(address);
	struct host_client *client = &host->clients[host->client_count];
	if (host->client_count == HOST_CONNECTION_COUNT_MAX || config->block_bytes > BODY_BYTES)
		return false;
	client->host = host;
	nbd_client_init(&client->nbd, config);
	client->stream = tcp_connect(host->tcp, NULL, 0, &remote, NBD_PORT, &handler, client, host->now_ns);
	host->client_count += client->stream != NULL;
	return client->stream != NULL;
}

void host_poll(struct host *host, uint64_t now_ns)
{
	host->now_ns = now_ns;
	for (unsigned i = 0; i < host->client_count; i++)
		pump(&host->clients[i]);
	tcp_poll(host->tcp, now_ns);
	net_poll(host->net, now_ns);
}
