/* SPDX-License-Identifier: BSD-3-Clause */
/* The machine of an odd TCP: addresses, neighbours, datagrams, connections by port. */
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "neighbour.h"
#include "odd.h"
#include "stack_world.h"

#define ASK_NS (300 * MS)

static void send_frame(struct odd_host *odd, const uint8_t *frame, uint32_t len_bytes)
{
	fabric_send(&odd->host.world->fabric, &odd->host.end, frame, len_bytes);
}

static void ask(struct odd_host *odd)
{
	uint8_t frame[NEIGHBOUR_FRAME_BYTES];
	const struct host *host = &odd->host;
	if (odd->asked_ns && host->sim->now_ns - odd->asked_ns < ASK_NS)
		return;
	odd->asked_ns = host->sim->now_ns;
	send_frame(odd, frame, neighbour_ask(frame, !host->plot->v6, odd->next_hop, host->addr, host->end.mac));
}

void odd_ask_again(struct odd_host *odd)
{
	ask(odd);
}

void odd_transmit(struct odd_host *odd, uint8_t *bytes, uint32_t tcp_bytes)
{
	const struct host *host = &odd->host;
	uint32_t len_bytes;
	uint8_t *tcp = bytes + FRAME_HEAD_BYTES;
	const struct frame_ip ip = {!host->plot->v6, host->addr, host->target, 6, tcp, tcp_bytes};
	put16(tcp + 16, 0);
	put16(tcp + 16, frame_checksum(&ip));
	if (!odd->has_mac) {
		ask(odd);
		flows_harm_host(&host->world->flows, host->index);
		return;
	}
	const uint8_t *frame = frame_build(bytes, &ip, odd->next_mac, host->end.mac, &len_bytes);
	send_frame(odd, frame, len_bytes);
}

/* ---- frames in ---- */

static bool parse_options(const uint8_t *at, uint32_t len_bytes, struct odd_segment *segment)
{
	for (uint32_t i = 0; i < len_bytes;) {
		const uint32_t kind = at[i];
		if (kind == 0)
			return true;
		if (kind == 1) {
			i++;
			continue;
		}
		if (i + 1 >= len_bytes || at[i + 1] < 2 || i + at[i + 1] > len_bytes)
			return false;
		if (kind == 2)
			segment->mss = get16(at + i + 2);
		segment->has_wscale |= kind == 3;
		if (kind == 3)
			segment->shift = at[i + 2];
		segment->sack_permitted |= kind == 4;
		segment->has_sack |= kind == 5;
		segment->has_timestamps |= kind == 8;
		if (kind == 8)
			segment->ts_val = get32(at + i + 2);
		i += at[i + 1];
	}
	return true;
}

/* False: damaged on the way. */
static bool parse(const struct odd_host *odd, const struct frame_ip *ip, struct odd_segment *segment)
{
	const uint8_t *tcp = ip->payload;
	const uint32_t addr_bytes = ip->v4 ? 4 : 16;
	if (ip->protocol != 6 || ip->payload_bytes < 20 || memcmp(ip->src, odd->host.target, addr_bytes) != 0 ||
	    memcmp(ip->dst, odd->host.addr, addr_bytes) != 0 || frame_checksum(ip) != 0)
		return false;
	const uint32_t header_bytes = (uint32_t)(tcp[12] >> 4) * 4;
	if (header_bytes < 20 || header_bytes > ip->payload_bytes)
		return false;
	*segment = (struct odd_segment){.seq = get32(tcp + 4),
					.ack = get32(tcp + 8),
					.flags = tcp[13] & 0x3f,
					.window = get16(tcp + 14),
					.payload = tcp + header_bytes,
					.payload_bytes = ip->payload_bytes - header_bytes,
					.option_bytes = header_bytes - 20};
	return parse_options(tcp + 20, header_bytes - 20, segment);
}

static void on_frame(struct sim *sim, void *ctx, const uint8_t *frame, uint32_t len_bytes)
{
	struct odd_host *odd = ctx;
	struct host *host = &odd->host;
	uint8_t answer[NEIGHBOUR_FRAME_BYTES], none[16] = {0};
	struct frame_ip ip;
	struct odd_segment segment;
	(void)sim;
	if (neighbour_heard(frame, len_bytes, !host->plot->v6, odd->next_hop, odd->next_mac))
		odd->has_mac = true;
	const uint32_t answer_bytes = neighbour_answer(answer, frame, len_bytes, host->plot->v6 ? none : host->addr,
						       host->plot->v6 ? host->addr : none, host->end.mac, false);
	if (answer_bytes) {
		send_frame(odd, answer, answer_bytes);
		return;
	}
	if (memcmp(frame, host->end.mac, 6) != 0 || !frame_ip_parse(frame, len_bytes, &ip) ||
	    (ip.v4 && frame_sum(0, frame + 14, 20) != 0xffff) || !parse(odd, &ip, &segment))
		return;
	const uint16_t port = get16(ip.payload + 2);
	for (unsigned i = 0; i < ODD_CONN_MAX; i++) {
		if (odd->conns[i].state != ODD_FREE && odd->conns[i].port == port) {
			odd_input(&odd->conns[i], &segment);
			return;
		}
	}
	odd_refuse(odd, port, &segment);
}

/* ---- what initiators ask for ---- */

static bool port_is_free(const struct odd_host *odd, uint16_t port)
{
	for (unsigned i = 0; i < ODD_CONN_MAX; i++) {
		if (odd->conns[i].state != ODD_FREE && odd->conns[i].port == port)
			return false;
	}
	return true;
}

static void draw_window(struct odd_style *style, const struct host *host, struct rng *rng)
{
	style->window =
		rng_chance(rng, 500000) ? ODD_WINDOW_CONSTANT : (enum odd_window)rng_below(rng, ODD_WINDOW_COUNT);
	style->window_bytes = (uint32_t)rng_between(rng, 3000, ODD_WINDOW_MAX);
	style->acks = (enum odd_acks)rng_below(rng, ODD_ACKS_COUNT);
	style->stretch = (uint32_t)rng_between(rng, 2, 16);
	style->ack_delay_ns = rng_between(rng, 10, 400) * MS;
	/* A tiny one is slow enough without any further delay. */
	if (rng_chance(rng, 150000) && host->plot->delay_ns < MS) {
		style->window_bytes = (uint32_t)rng_between(rng, 60, 1200);
		style->acks = ODD_ACKS_AT_ONCE;
	}
}

static void draw_style(struct odd_style *style, struct host *host)
{
	struct rng *rng = &host->rng;
	const unsigned headers = host->plot->v6 ? 60 : 40;
	const unsigned room = (host->plot->far ? 1280u : host->plot->mtu) - headers;
	*style = (struct odd_style){.segment_bytes = (uint16_t)rng_between(rng, 88, room - 40)};
	if (rng_chance(rng, 500000))
		style->segment_bytes = (uint16_t)(room - 40);
	if (rng_chance(rng, 800000))
		style->mss_option = (uint16_t)(rng_chance(rng, 500000) ? host->plot->mtu - headers
								       : (unsigned)rng_between(rng, 216, room));
	style->wscale = rng_chance(rng, 600000);
	style->shift = (uint8_t)(style->wscale ? rng_below(rng, 8) : 0);
	style->timestamps = rng_chance(rng, 500000);
	style->sack = rng_chance(rng, 600000);
	draw_window(style, host, rng);
	style->flight_segments = (uint32_t)rng_between(rng, 1, 24);
	style->rto_ns = rng_between(rng, 250, 1000) * MS + 4 * host->plot->delay_ns;
	if (rng_chance(rng, 300000))
		style->renege_ppm = (uint32_t)rng_between(rng, 1000, 50000);
	if (rng_chance(rng, 400000))
		style->overlap_ppm = (uint32_t)rng_between(rng, 1000, 300000);
	if (rng_chance(rng, 200000))
		style->rude_ppm = (uint32_t)rng_between(rng, 100, 5000);
	if (rng_chance(rng, 300000))
		style->stray_ppm = (uint32_t)rng_between(rng, 100, 5000);
}

static struct pipe *op_connect(struct host *host, const struct pipe_handler *handler, void *ctx)
{
	struct odd_host *odd = (struct odd_host *)host;
	for (unsigned i = 0; i < ODD_CONN_MAX; i++) {
		struct odd_conn *conn = &odd->conns[i];
		if (conn->state != ODD_FREE)
			continue;
		/* Often the port that was used last, which the target may not know to be free. */
		uint16_t port = odd->next_port;
		if (rng_chance(&host->rng, 500000) || !port_is_free(odd, port))
			port = odd->next_port++ == UINT16_MAX ? 20000 : odd->next_port;
		if (!port_is_free(odd, port))
			return NULL;
		odd->next_port = port;
		uint8_t *in = conn->in, *there = conn->there, *out = conn->out;
		const uint32_t room = conn->out_room;
		*conn = (struct odd_conn){.pipe = {&odd_pipe_ops, handler, ctx}, .host = odd, .port = port, .in = in};
		conn->there = there;
		conn->out = out;
		conn->out_room = room;
		draw_style(&conn->style, host);
		/* Beyond whatever the connection of the same name before it may have left in the network. */
		odd->next_iss += (uint32_t)rng_between(&host->rng, 1u << 21, 1u << 30);
		conn->iss = odd->next_iss;
		odd_open(conn);
		return &conn->pipe;
	}
	return NULL;
}

static void op_reboot(struct host *host)
{
	struct odd_host *odd = (struct odd_host *)host;
	for (unsigned i = 0; i < ODD_CONN_MAX; i++) {
		odd->conns[i].pipe.handler = NULL;
		odd_drop(&odd->conns[i]);
	}
	odd->has_mac = false;
	odd->boots++;
}

static void op_move(struct host *host)
{
	uint8_t frame[NEIGHBOUR_FRAME_BYTES];
	host_set_mac(host);
	send_frame((struct odd_host *)host, frame,
		   neighbour_announce(frame, !host->plot->v6, host->addr, host->end.mac, false));
}

static void op_check(struct host *host)
{
	struct odd_host *odd = (struct odd_host *)host;
	struct flows *flows = &host->world->flows;
	for (unsigned i = 0; i < ODD_CONN_MAX; i++) {
		struct odd_conn *conn = &odd->conns[i];
		if (conn->state != ODD_OPEN)
			continue;
		odd_keep_alive(conn);
		/* Its window stops the target, the target's stops it. */
		if (conn->edge - conn->rcv_nxt < 1500 || conn->wnd < 2u * conn->style.segment_bytes)
			flows_harm_port(flows, host->index, conn->port);
		const uint64_t late_ns = flows_overdue_ns(flows, host->index, conn->port, conn->progress_ns);
		if (odd_is_waiting(conn) && late_ns)
			sim_fail(host->sim,
				 "host %u: port %u: what was sent is not acknowledged since %.3f s: %.3f s late",
				 host->index, conn->port, (double)conn->progress_ns / 1e9, (double)late_ns / 1e9);
	}
}

static const char *op_leak(struct host *host)
{
	const struct odd_host *odd = (const struct odd_host *)host;
	for (unsigned i = 0; i < ODD_CONN_MAX; i++) {
		if (odd->conns[i].state != ODD_FREE)
			return "a connection";
	}
	return NULL;
}

static void op_fini(struct host *host)
{
	op_reboot(host);
}

static const struct host_ops ops = {op_connect, op_reboot, op_move, op_check, op_leak, op_fini};

struct host *odd_host_create(struct stack_world *world, unsigned index)
{
	struct odd_host *odd = sim_alloc(&world->sim, sizeof *odd);
	host_init(&odd->host, world, index, &ops, on_frame);
	const struct host_plot *plot = odd->host.plot;
	if (plot->far)
		router_addr(odd->next_hop, !plot->v6, FABRIC_FAR, ROUTER_NUMBER);
	else
		memcpy(odd->next_hop, odd->host.target, sizeof odd->next_hop);
	odd->next_port = (uint16_t)rng_between(&odd->host.rng, 20000, 60000);
	odd->next_iss = (uint32_t)rng_next(&odd->host.rng);
	return &odd->host;
}
