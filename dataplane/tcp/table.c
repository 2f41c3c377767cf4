/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding a connection by its addresses and ports. */
#include <errno.h>

#include "tcp/flow.h"

uint32_t tcp_hash(const struct tcp_lcore *lcore, const struct tcp_key *key)
{
	return tcp_flow_hash(lcore, &key->local, &key->remote, tcp_flow_ports(key->local_port, key->remote_port));
}

struct tcp_node *tcp_find(const struct tcp_lcore *lcore, const struct tcp_key *key, uint32_t hash)
{
	for (struct tcp_node *node = lcore->buckets[hash & lcore->bucket_mask]; node; node = node->next)
		if (node->hash == hash && memcmp(&node->key, key, sizeof *key) == 0)
			return node;
	return NULL;
}

void tcp_table_add(struct tcp_lcore *lcore, struct tcp_node *node, const struct tcp_key *key)
{
	node->key = *key;
	node->ports = tcp_flow_ports(key->local_port, key->remote_port);
	node->hash = tcp_hash(lcore, key);
	struct tcp_node **bucket = &lcore->buckets[node->hash & lcore->bucket_mask];
	node->next = *bucket;
	*bucket = node;
	node->in_table = true;
}

void tcp_table_remove(struct tcp_lcore *lcore, struct tcp_node *node)
{
	if (!node->in_table)
		return;
	struct tcp_node **at = &lcore->buckets[node->hash & lcore->bucket_mask];
	while (*at != node)
		at = &(*at)->next;
	*at = node->next;
	node->in_table = false;
	if (lcore->last && node == &lcore->last->node)
		lcore->last = NULL;
}

struct tcp_listener *tcp_find_listener(const struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port)
{
	struct tcp_listener *any = NULL;
	for (uint32_t i = 0; i < lcore->limits.listener_count; i++) {
		struct tcp_listener *listener = &lcore->listeners[i];
		if (!listener->used || listener->port != port)
			continue;
		if (ip_addr_equal(&listener->local, local))
			return listener;
		if (ip_addr_is_none(&listener->local))
			any = listener;
	}
	return any;
}

static bool same_listener(const struct tcp_listener *listener, const struct ip_addr *local, uint16_t port)
{
	static const struct ip_addr none;
	return listener->used && listener->port == port && ip_addr_equal(&listener->local, local ? local : &none);
}

int tcp_listen(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port, tcp_accept_fn *accept, void *ctx)
{
	if (port == 0)
		return -EINVAL;
	struct tcp_listener *unused = NULL;
	for (uint32_t i = 0; i < lcore->limits.listener_count; i++) {
		if (same_listener(&lcore->listeners[i], local, port))
			return -EADDRINUSE;
		if (!lcore->listeners[i].used)
			unused = &lcore->listeners[i];
	}
	if (!unused)
		return -ENOSPC;
	*unused = (struct tcp_listener){.used = true, .port = port, .accept = accept, .ctx = ctx};
	if (local)
		unused->local = *local;
	return 0;
}

bool tcp_unlisten(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port)
{
	for (uint32_t i = 0; i < lcore->limits.listener_count; i++) {
		struct tcp_listener *listener = &lcore->listeners[i];
		if (!same_listener(listener, local, port))
			continue;
		for (uint32_t h = 0; h < lcore->limits.embryonic_count; h++)
			if (lcore->halves[h].node.in_table && lcore->halves[h].listener == listener)
				tcp_half_drop(lcore, &lcore->halves[h]);
		listener->used = false;
		return true;
	}
	return false;
}
