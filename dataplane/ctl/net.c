/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NET_PUT and TCP_PUT.  Main lcore; functions named _run are the workers'.
 *
 * One configuration is on its way at a time; a newer one that comes meanwhile
 * waits, and replaces one that waits already.
 */
#include "ctl/net.h"

#include <stdlib.h>

#include "ctl/job.h"
#include "ctl/server_priv.h"
#include "port/port.h"

struct change {
	struct ctl_broadcast broadcast;
	struct ctl_task task;
	struct ctl_reply reply;
	uint64_t generation;
	struct net_config *config; /* the workers' after this */
	struct tcp_settings tcp;
};

static struct net_config *current;
static struct wherry_ctl_net_put last; /* the newest that was accepted */
static uint64_t generation;
static struct change *under_way, *waiting;

static void change_free(struct ctl_task *task)
{
	struct change *change = CTL_CONTAINER_OF(task, struct change, task);
	if (change->config)
		net_config_destroy(change->config);
	free(change);
}

/* Give up one that never reached a worker. */
static void change_cancel(struct change *change, int error, const char *why)
{
	ctl_reply_error(change->reply, error, "%s", why);
	ctl_task_forget(&change->task);
	change_free(&change->task);
}

static struct change *change_create(struct ctl_reply reply)
{
	struct change *change = calloc(1, sizeof *change);
	if (!change)
		return NULL;
	change->reply = reply;
	ctl_task_register(&change->task, change_free);
	return change;
}

/* -------------------------------------------------------------- NET_PUT */

static void net_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	struct change *change = CTL_CONTAINER_OF(broadcast, struct change, broadcast);
	struct ip_addr lost;
	/* While there is a way to tell them: nothing that they send would be answered any more. */
	for (unsigned at = 0; current && net_config_lost(current, change->config, &at, &lost);)
		tcp_abort_all(worker->tcp, &lost, worker->now_ns);
	(void)net_set_config(worker->net, change->config, worker->index == 0 && ctl_server.gate_open, worker->now_ns);
}

static void start(struct change *change);

static void net_done(struct ctl_broadcast *broadcast)
{
	struct change *change = CTL_CONTAINER_OF(broadcast, struct change, broadcast), *next = waiting;
	if (current)
		net_config_destroy(current);
	current = change->config;
	change->config = NULL;
	ctl_reply_ok(change->reply);
	ctl_task_forget(&change->task);
	change_free(&change->task);
	under_way = waiting = NULL;
	if (next)
		start(next);
}

static void start(struct change *change)
{
	under_way = change;
	change->broadcast = (struct ctl_broadcast){.run = net_run, .done = net_done};
	ctl_broadcast_start(&change->broadcast);
}

static struct ip_addr address_at(const uint8_t *bytes, unsigned i)
{
	struct ip_addr addr;
	memcpy(addr.b, bytes + i * sizeof addr.b, sizeof addr.b);
	return addr;
}

static bool lists_agree(const struct wherry_ctl_net_put *m)
{
	unsigned addresses = m->address_bits.len, routes = m->route_bits.len;
	return m->address.len == addresses * 16u && m->address_port.count == addresses &&
	       m->address_vlan.count == addresses && m->route.len == routes * 16u &&
	       m->route_gateway.len == routes * 16u;
}

static void ports_describe(struct net_port ports[WHERRY_PORT_COUNT_MAX], const struct wherry_ctl_net_put *m)
{
	for (unsigned i = 0; i < port_count(); i++) {
		memcpy(ports[i].mac, port_mac(i), sizeof ports[i].mac);
		ports[i].mtu = port_mtu(i);
		ports[i].checksum_offload = port_checksum_offload(i);
		ports[i].present = true; /* also while its device is gone: the others must not lose their addresses */
	}
	for (unsigned i = 0; i < m->slaac.count; i++)
		if (m->slaac.v[i] < port_count())
			ports[m->slaac.v[i]].slaac = true;
}

/* What was served before goes on being served; what an operator adds is looked for on the network first. */
static bool was_ours(const struct wherry_ctl_net_put *m, unsigned i)
{
	for (unsigned j = 0; j < last.address_bits.len; j++)
		if (last.address_port.v[j] == m->address_port.v[i] && last.address_vlan.v[j] == m->address_vlan.v[i] &&
		    memcmp(last.address.b + j * 16u, m->address.b + i * 16u, 16) == 0)
			return true;
	return false;
}

static struct net_config *config_of(const struct wherry_ctl_net_put *m, char *error, size_t error_bytes)
{
	static struct net_address addresses[WHERRY_ADDRESS_COUNT_MAX];
	static struct net_route routes[WHERRY_ROUTE_COUNT_MAX];
	static struct net_settings settings;
	for (unsigned i = 0; i < m->address_bits.len; i++)
		addresses[i] = (struct net_address){
			.port_index = m->address_port.v[i],
			.vlan = m->address_vlan.v[i],
			.addr = address_at(m->address.b, i),
			.prefix_bits = m->address_bits.b[i],
			.optimistic = !ctl_server.gate_open || was_ours(m, i),
		};
	for (unsigned i = 0; i < m->route_bits.len; i++)
		routes[i] = (struct net_route){
			.prefix = address_at(m->route.b, i),
			.prefix_bits = m->route_bits.b[i],
			.gateway = address_at(m->route_gateway.b, i),
		};
	settings = (struct net_settings){
		.addresses = addresses,
		.address_count = m->address_bits.len,
		.routes = routes,
		.route_count = m->route_bits.len,
	};
	ports_describe(settings.ports, m);
	return net_config_create(&settings, error, error_bytes);
}

void ctl_on_net_put(struct ctl_request *request, const struct wherry_ctl_net_put *m)
{
	char error[WHERRY_TEXT_BYTES_MAX + 1] = "";
	if (m->generation <= generation) {
		ctl_reply_ok(request->reply);
		return;
	}
	if (!lists_agree(m)) {
		ctl_reply_error(request->reply, EINVAL, "NET_PUT: lists that belong together differ in length");
		return;
	}
	struct net_config *config = config_of(m, error, sizeof error);
	if (!config) {
		ctl_reply_error(request->reply, errno, "%s", error);
		return;
	}
	struct change *change = change_create(request->reply);
	if (!change) {
		net_config_destroy(config);
		ctl_reply_error(request->reply, ENOMEM, "no memory for the addresses");
		return;
	}
	change->config = config;
	generation = m->generation;
	last = *m;
	if (!under_way) {
		start(change);
		return;
	}
	if (waiting)
		change_cancel(waiting, ECANCELED, "newer addresses came before these took effect");
	waiting = change;
}

static void announce_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	(void)broadcast;
	if (worker->index == 0)
		(void)net_set_config(worker->net, current, true, worker->now_ns);
}

static void announce_done(struct ctl_broadcast *broadcast)
{
	struct change *change = CTL_CONTAINER_OF(broadcast, struct change, broadcast);
	ctl_task_forget(&change->task);
	change_free(&change->task);
}

void ctl_net_announce(void)
{
	struct change *change = under_way ? NULL : change_create((struct ctl_reply){0});
	if (!change)
		return; /* what is under way announces itself; without memory, neighbours ask */
	change->broadcast = (struct ctl_broadcast){.run = announce_run, .done = announce_done};
	ctl_broadcast_start(&change->broadcast);
}

/* -------------------------------------------------------------- TCP_PUT */

static void tcp_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	tcp_set_settings(worker->tcp, &CTL_CONTAINER_OF(broadcast, struct change, broadcast)->tcp);
}

static void tcp_done(struct ctl_broadcast *broadcast)
{
	ctl_reply_ok(CTL_CONTAINER_OF(broadcast, struct change, broadcast)->reply);
	announce_done(broadcast);
}

void ctl_on_tcp_put(struct ctl_request *request, const struct wherry_ctl_tcp_put *m)
{
	static const enum tcp_congestion congestions[] = {
		[WHERRY_TCP_CUBIC] = TCP_CUBIC, [WHERRY_TCP_DCTCP] = TCP_DCTCP, [WHERRY_TCP_RENO] = TCP_RENO};
	if (m->congestion >= sizeof congestions / sizeof congestions[0]) {
		ctl_reply_error(request->reply, EINVAL, "TCP_PUT: congestion control %u does not exist", m->congestion);
		return;
	}
	struct change *change = change_create(request->reply);
	if (!change) {
		ctl_reply_error(request->reply, ENOMEM, "no memory for the settings of TCP");
		return;
	}
	tcp_settings_default(&change->tcp);
	change->tcp.congestion = congestions[m->congestion];
	change->tcp.ecn = m->ecn;
	change->tcp.keepalive_idle_ms = m->keepalive_idle_ms;
	change->tcp.keepalive_interval_ms = m->keepalive_interval_ms;
	change->tcp.keepalive_count = m->keepalive_count;
	change->tcp.user_timeout_ms = m->user_timeout_ms;
	change->broadcast = (struct ctl_broadcast){.run = tcp_run, .done = tcp_done};
	ctl_broadcast_start(&change->broadcast);
}

void ctl_net_close(void)
{
	if (current)
		net_config_destroy(current);
	current = NULL;
	under_way = waiting = NULL; /* tasks: freed with all of them */
	generation = 0;
	memset(&last, 0, sizeof last);
}
