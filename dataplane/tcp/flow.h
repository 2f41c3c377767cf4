/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of connections: hash and comparison, inline for those who pay for them
 * with every segment.
 *
 * The hash is keyed, so that a stranger cannot choose ports that collide; it is
 * a few multiplications rather than SipHash because every segment pays for it,
 * and what an attacker could learn from timing only lengthens chains that the
 * size of the pools bounds.
 */
#pragma once

#include "tcp/tcp_priv.h"

static inline uint64_t tcp_flow_fold(uint64_t a, uint64_t b)
{
	const unsigned __int128 product = (unsigned __int128)a * b;
	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static inline uint64_t tcp_flow_load(const uint8_t *at)
{
	uint64_t word;
	memcpy(&word, at, sizeof word);
	return word;
}

/* As struct tcp_node has them. */
static inline uint32_t tcp_flow_ports(uint16_t local_port, uint16_t remote_port)
{
	return (uint32_t)remote_port << 16 | local_port;
}

static inline uint32_t tcp_flow_hash(const struct tcp_lcore *lcore, const struct ip_addr *local,
				     const struct ip_addr *remote, uint32_t ports)
{
	const uint64_t *k = lcore->hash_key;
	uint64_t h = tcp_flow_fold(tcp_flow_load(local->b) ^ k[0], tcp_flow_load(local->b + 8) ^ k[1]);
	h ^= tcp_flow_fold(tcp_flow_load(remote->b) ^ k[2], tcp_flow_load(remote->b + 8) ^ k[3]);
	return (uint32_t)tcp_flow_fold(h ^ ports ^ k[1], k[0] ^ k[2]);
}

typedef long long tcp_flow_words __attribute__((vector_size(16)));

static inline tcp_flow_words tcp_flow_load16(const struct ip_addr *addr)
{
	tcp_flow_words words;
	memcpy(&words, addr, sizeof words);
	return words;
}

/* Is it the node of what view brings? */
static inline bool tcp_flow_is(const struct tcp_node *node, const struct ip_view *view, uint32_t ports)
{
	const tcp_flow_words differ = (tcp_flow_load16(&node->key.local) ^ tcp_flow_load16(&view->dst)) |
				      (tcp_flow_load16(&node->key.remote) ^ tcp_flow_load16(&view->src));
#ifdef __SSE4_1__
	const bool same = __builtin_ia32_ptestz128(differ, differ);
#else
	const bool same = (differ[0] | differ[1]) == 0;
#endif
	return node->ports == ports && same;
}

/* The connection that a segment belongs to; NULL: none, or half of one. */
static inline struct tcp_conn *tcp_flow_find(const struct tcp_lcore *lcore, const struct ip_view *view, uint32_t ports)
{
	const uint32_t hash = tcp_flow_hash(lcore, &view->dst, &view->src, ports);
	struct tcp_node *node = lcore->buckets[hash & lcore->bucket_mask];
	while (node && (node->hash != hash || !tcp_flow_is(node, view, ports)))
		node = node->next;
	if (!node || node->kind != TCP_NODE_CONN)
		return NULL;
	return (struct tcp_conn *)((char *)node - offsetof(struct tcp_conn, node));
}
