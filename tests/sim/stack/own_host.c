/* SPDX-License-Identifier: BSD-3-Clause */
/* A host with our own net/ and tcp/, which opens connections. */
#include <stdlib.h>
#include <string.h>

#include "flows.h"
#include "frame.h"
#include "host.h"
#include "net/priv.h"
#include "pkt/pkt_heap.h"
#include "stack_world.h"
#include "tcp/tcp_priv.h"
#include "wire/ipv4.h"

#define TX_RING 4096u
#define PIPE_MAX 24

struct own_host;

struct own_pipe {
	struct pipe pipe; /* first */
	struct own_host *host;
	struct stream *stream;
	bool used, shut, slow;
};

struct own_buf {
	struct pkt_buf buf; /* first */
	struct own_host *host;
	uint8_t bytes[];
};

struct own_host {
	struct host host; /* first */
	struct net_lcore *net;
	struct tcp_lcore *tcp;
	const struct net_config *config;
	struct pkt_heap heap;
	struct pkt *tx[TX_RING];
	unsigned tx_count;
	struct own_pipe pipes[PIPE_MAX];
	uint64_t clock_base_ns, boots, kick_ns;
	uint64_t stats[WHERRY_LCORE_STAT_COUNT];
	unsigned buf_count;
	bool in_turn;
};

static uint64_t clock_ns(const struct own_host *own)
{
	return own->host.sim->now_ns + own->clock_base_ns;
}

/* ---- surroundings ---- */

static void env_output(void *ctx, struct pkt *pkt)
{
	struct own_host *own = ctx;
	if (own->tx_count == TX_RING)
		pkt_heap_free(pkt);
	else
		own->tx[own->tx_count++] = pkt;
}

static void env_tcp_input(void *ctx, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	tcp_input(((struct own_host *)ctx)->tcp, pkt, view, now_ns);
}

static void env_tcp_icmp(void *ctx, const struct net_icmp_view *icmp, uint64_t now_ns)
{
	tcp_icmp(((struct own_host *)ctx)->tcp, icmp, now_ns);
}

static int env_path_open(void *ctx, struct net_path *path, const struct ip_addr *local, const struct ip_addr *remote,
			 const struct ip_view *from)
{
	return net_path_open(((struct own_host *)ctx)->net, path, local, remote, from);
}

static void env_tcp_output(void *ctx, struct net_path *path, struct pkt *pkt, enum ip_ecn ecn, uint64_t now_ns)
{
	net_output(((struct own_host *)ctx)->net, path, pkt, IP_PROTOCOL_TCP, ecn, now_ns);
}

static uint16_t env_path_mtu(void *ctx, struct net_path *path, uint64_t now_ns)
{
	return net_path_mtu(((struct own_host *)ctx)->net, path, now_ns);
}

static void env_path_set_mtu(void *ctx, const struct ip_addr *remote, uint16_t mtu, uint64_t now_ns)
{
	net_path_set_mtu(((struct own_host *)ctx)->net, remote, mtu, now_ns);
}

static void env_path_confirm(void *ctx, const struct net_path *path, uint64_t now_ns)
{
	net_path_confirm(((struct own_host *)ctx)->net, path, now_ns);
}

/* ---- the turn ---- */

static void turn(struct own_host *own);

static void on_kick(struct sim *sim, void *ctx, uint64_t boots)
{
	struct own_host *own = ctx;
	if (own->boots != boots)
		return;
	if (sim->now_ns >= own->kick_ns)
		own->kick_ns = NEVER;
	turn(own);
}

static void kick_at(struct own_host *own, uint64_t at_ns)
{
	if (own->kick_ns <= at_ns && own->kick_ns > own->host.sim->now_ns)
		return;
	own->kick_ns = at_ns;
	sim_at(own->host.sim, at_ns, on_kick, own, own->boots);
}

static void flush(struct own_host *own)
{
	uint8_t bytes[FABRIC_FRAME_BYTES_MAX];
	for (unsigned i = 0; i < own->tx_count; i++) {
		const uint32_t total = stack_frame_flatten(own->host.sim, own->tx[i], bytes, sizeof bytes);
		pkt_heap_free(own->tx[i]);
		fabric_send(&own->host.world->fabric, &own->host.end, bytes, total);
	}
	own->tx_count = 0;
}

static void turn(struct own_host *own)
{
	const uint64_t now_ns = clock_ns(own);
	own->in_turn = true;
	tcp_poll(own->tcp, now_ns);
	net_poll(own->net, now_ns);
	flush(own);
	own->in_turn = false;
	uint64_t due_ns = tcp_next_due_ns(own->tcp);
	if (own->net->next_due_ns < due_ns)
		due_ns = own->net->next_due_ns;
	if (due_ns == NEVER)
		return;
	due_ns = due_ns < now_ns ? 0 : due_ns - now_ns;
	kick_at(own, own->host.sim->now_ns + (due_ns < 10 * US ? 10 * US : due_ns));
}

static void on_frame(struct sim *sim, void *ctx, const uint8_t *bytes, uint32_t len_bytes)
{
	struct own_host *own = ctx;
	struct eth_filter filter = {0};
	struct eth_view view;
	memcpy(filter.mac, own->host.end.mac, 6);
	struct pkt *pkt = pkt_heap_make(&own->heap, bytes, len_bytes, NET_HEADROOM_BYTES, 0);
	if (eth_parse(pkt->data, pkt->len_bytes, &filter, &view) != ETH_ACCEPT ||
	    net_input(own->net, pkt, &view, clock_ns(own)) != NET_TAKEN)
		pkt_heap_free(pkt);
	kick_at(own, sim->now_ns + rng_between(&own->host.rng, 1, 30) * US);
}

/* ---- pipes ---- */

static void on_open(void *ctx)
{
	struct own_pipe *own = ctx;
	if (own->pipe.handler)
		own->pipe.handler->open(own->pipe.ctx);
}

static void on_resume(struct sim *sim, void *ctx, uint64_t boots)
{
	struct own_pipe *own = ctx;
	(void)sim;
	if (!own->used || !own->slow || own->host->boots != boots)
		return;
	own->slow = false;
	own->host->tcp->now_ns = clock_ns(own->host);
	stream_resume(own->stream);
	kick_at(own->host, sim->now_ns);
}

static uint32_t on_data(void *ctx, const uint8_t *bytes, uint32_t len_bytes)
{
	struct own_pipe *own = ctx;
	struct own_host *host = own->host;
	/* Now and then it has something better to do than to read. */
	if (rng_chance(&host->host.rng, host->host.plot->slow_ppm) && !host->host.world->calm) {
		own->slow = true;
		len_bytes = (uint32_t)rng_below(&host->host.rng, len_bytes);
		sim_in(host->host.sim, rng_between(&host->host.rng, 1, 3000) * MS, on_resume, own, host->boots);
	}
	if (len_bytes && own->pipe.handler)
		own->pipe.handler->data(own->pipe.ctx, bytes, len_bytes);
	return len_bytes;
}

static void on_end(void *ctx)
{
	struct own_pipe *own = ctx;
	if (own->pipe.handler)
		own->pipe.handler->end(own->pipe.ctx);
	else if (!own->shut)
		stream_shutdown(own->stream);
	own->shut = own->shut || !own->pipe.handler;
}

static void on_closed(void *ctx, enum stream_close reason)
{
	struct own_pipe *own = ctx;
	const struct pipe_handler *handler = own->pipe.handler;
	(void)reason;
	own->used = false;
	own->stream = NULL;
	own->pipe.handler = NULL;
	if (handler)
		handler->closed(own->pipe.ctx);
}

static const struct stream_handler handler_ = {on_open, on_data, on_end, NULL, on_closed};

static void buf_release(struct pkt_buf *buf)
{
	((struct own_buf *)buf)->host->buf_count--;
	free(buf);
}

static void op_send(struct pipe *pipe, const uint8_t *bytes, uint32_t len_bytes)
{
	struct own_pipe *own = (struct own_pipe *)pipe;
	struct own_buf *buf = malloc(sizeof *buf + len_bytes);
	if (!buf)
		abort();
	buf->host = own->host;
	memcpy(buf->bytes, bytes, len_bytes);
	buf->buf = (struct pkt_buf){.data = buf->bytes, .len_bytes = len_bytes, .refs = 1, .release = buf_release};
	own->host->buf_count++;
	own->host->tcp->now_ns = clock_ns(own->host);
	stream_send(own->stream, &buf->buf);
	stream_flush(own->stream);
	kick_at(own->host, own->host->host.sim->now_ns);
}

static void op_shutdown(struct pipe *pipe)
{
	struct own_pipe *own = (struct own_pipe *)pipe;
	if (own->shut)
		return;
	own->shut = true;
	own->host->tcp->now_ns = clock_ns(own->host);
	stream_shutdown(own->stream);
	kick_at(own->host, own->host->host.sim->now_ns);
}

static void op_abort(struct pipe *pipe)
{
	struct own_pipe *own = (struct own_pipe *)pipe;
	own->pipe.handler = NULL;
	own->host->tcp->now_ns = clock_ns(own->host);
	stream_abort(own->stream);
	kick_at(own->host, own->host->host.sim->now_ns);
}

static const struct pipe_ops pipe_ops_ = {op_send, op_shutdown, op_abort};

static struct pipe *op_connect(struct host *host, const struct pipe_handler *handler, void *ctx)
{
	struct own_host *own = (struct own_host *)host;
	const struct ip_addr remote = host->plot->v6 ? ip_addr_v6(host->target) : ip_addr_v4(host->target);
	for (unsigned i = 0; i < PIPE_MAX; i++) {
		struct own_pipe *pipe = &own->pipes[i];
		if (pipe->used)
			continue;
		*pipe = (struct own_pipe){.pipe = {&pipe_ops_, handler, ctx}, .host = own, .used = true};
		pipe->stream = tcp_connect(own->tcp, NULL, 0, &remote, NBD_PORT, &handler_, pipe, clock_ns(own));
		pipe->used = pipe->stream != NULL;
		kick_at(own, host->sim->now_ns);
		return pipe->used ? &pipe->pipe : NULL;
	}
	return NULL;
}

/* ---- life ---- */

static void configure(struct own_host *own)
{
	struct host *host = &own->host;
	struct net_route route = {0};
	struct net_address address = {.addr = host->plot->v6 ? ip_addr_v6(host->addr) : ip_addr_v4(host->addr),
				      .prefix_bits = host->plot->v6 ? 64 : 24,
				      .optimistic = true};
	struct net_settings settings = {.addresses = &address, .address_count = 1, .routes = &route, .route_count = 1};
	char error[200] = "";
	uint8_t gateway[16];
	router_addr(gateway, !host->plot->v6, (enum fabric_segment)host->end.segment, ROUTER_NUMBER);
	route.gateway = host->plot->v6 ? ip_addr_v6(gateway) : ip_addr_v4(gateway);
	route.prefix = host->plot->v6 ? ip_addr_v6((const uint8_t[16]){0}) : ip_addr_v4((const uint8_t[4]){0});
	settings.ports[0].present = true;
	settings.ports[0].mtu = host->plot->mtu;
	memcpy(settings.ports[0].mac, host->end.mac, 6);
	const struct net_config *before = own->config;
	own->config = net_config_create(&settings, error, sizeof error);
	if (!own->config)
		sim_fail(host->sim, "host %u: the addresses were refused: %s", host->index, error);
	net_set_config(own->net, own->config, true, clock_ns(own));
	if (before)
		net_config_destroy((struct net_config *)before);
}

static void boot(struct own_host *own)
{
	struct host *host = &own->host;
	const struct tcp_limits limits = {.connection_count = PIPE_MAX,
					  .embryonic_count = 4,
					  .listener_count = 1,
					  .sent_segment_count = 4096,
					  .held_packet_count = 1024,
					  .held_packet_count_each = 512};
	own->boots++;
	own->kick_ns = NEVER;
	own->clock_base_ns = rng_between(&host->rng, 10, 1000) * SEC;
	pkt_heap_init(&own->heap);
	own->heap.headroom_bytes = NET_HEADROOM_BYTES;
	const struct pkt_pool pool = pkt_heap_pool(&own->heap);
	const struct net_env net = {.ctx = own,
				    .pool = pool,
				    .output = env_output,
				    .tcp_input = env_tcp_input,
				    .tcp_icmp = env_tcp_icmp,
				    .lcore_stats = own->stats,
				    .secret = rng_next(&host->rng)};
	struct tcp_env tcp = {.ctx = own,
			      .pool = pool,
			      .path_open = env_path_open,
			      .output = env_tcp_output,
			      .path_mtu = env_path_mtu,
			      .path_set_mtu = env_path_set_mtu,
			      .path_confirm = env_path_confirm,
			      .worker_count = 1,
			      .lcore_stats = own->stats};
	for (unsigned i = 0; i < sizeof tcp.secret; i++)
		tcp.secret[i] = (uint8_t)rng_next(&host->rng);
	struct tcp_settings settings = host->world->plot.settings;
	settings.congestion = (enum tcp_congestion)rng_below(&host->rng, 3);
	own->net = net_lcore_create(&net, 16, 16);
	own->tcp = tcp_lcore_create(&tcp, &limits, &settings);
	if (!own->net || !own->tcp)
		sim_fail(host->sim, "no memory for a host");
	configure(own);
	kick_at(own, host->sim->now_ns);
}

static void halt(struct own_host *own)
{
	for (unsigned i = 0; i < PIPE_MAX; i++)
		own->pipes[i].pipe.handler = NULL;
	for (unsigned i = 0; i < own->tx_count; i++)
		pkt_heap_free(own->tx[i]);
	own->tx_count = 0;
	tcp_lcore_destroy(own->tcp);
	net_lcore_destroy(own->net);
	net_config_destroy((struct net_config *)own->config);
	own->config = NULL;
	memset(own->pipes, 0, sizeof own->pipes);
	own->boots++;
	if (own->heap.out_count || own->buf_count)
		sim_fail(own->host.sim, "host %u: %u packets lost, %u buffers", own->host.index, own->heap.out_count,
			 own->buf_count);
}

static void op_reboot(struct host *host)
{
	struct own_host *own = (struct own_host *)host;
	halt(own);
	boot(own);
}

static void op_move(struct host *host)
{
	host_set_mac(host);
	configure((struct own_host *)host);
	kick_at((struct own_host *)host, host->sim->now_ns);
}

static void op_check(struct host *host)
{
	struct own_host *own = (struct own_host *)host;
	for (unsigned i = 0; i < PIPE_MAX; i++) {
		const struct own_pipe *pipe = &own->pipes[i];
		if (pipe->used && pipe->slow)
			flows_harm_port(&host->world->flows, host->index,
					((const struct tcp_conn *)pipe->stream)->node.key.local_port);
	}
	stack_world_check_tcp(host->world, own->tcp, own->clock_base_ns, "host", host->index);
}

static const char *op_leak(struct host *host)
{
	const struct own_host *own = (const struct own_host *)host;
	if (tcp_connection_count(own->tcp))
		return "connections";
	if (own->buf_count)
		return "buffers";
	return own->heap.out_count == own->net->held_count ? NULL : "packets";
}

static void op_fini(struct host *host)
{
	halt((struct own_host *)host);
}

static const struct host_ops ops = {op_connect, op_reboot, op_move, op_check, op_leak, op_fini};

struct host *own_host_create(struct stack_world *world, unsigned index)
{
	struct own_host *own = sim_alloc(&world->sim, sizeof *own);
	host_init(&own->host, world, index, &ops, on_frame);
	boot(own);
	return &own->host;
}
