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

static inline uint32_t tcp_flow_hash(const struct tcp_lcore *lcore, const struct ip_addr *local,
				     const struct ip_addr *remote, uint16_t local_port, uint16_t remote_port)
{
	const uint64_t *k = lcore->hash_key;
	const uint64_t ports = (uint64_t)local_port << 16 | remote_port;
	uint64_t h = tcp_flow_fold(tcp_flow_load(local->b) ^ k[0], tcp_flow_load(local->b + 8) ^ k[1]);
	h ^= tcp_flow_fold(tcp_flow_load(remote->b) ^ k[2], tcp_flow_load(remote->b + 8) ^ k[3]);
	return (uint32_t)tcp_flow_fold(h ^ ports ^ k[1], k[0] ^ k[2]);
}

static inline bool tcp_flow_is(const struct tcp_key *key, const struct ip_addr *local, const struct ip_addr *remote,
			       uint16_t local_port, uint16_t remote_port)
{
	const uint64_t differ = (tcp_flow_load(key->local.b + 8) ^ tcp_flow_load(local->b + 8)) |
				(tcp_flow_load(key->remote.b + 8) ^ tcp_flow_load(remote->b + 8)) |
				(tcp_flow_load(key->local.b) ^ tcp_flow_load(local->b)) |
				(tcp_flow_load(key->remote.b) ^ tcp_flow_load(remote->b)) |
				(uint64_t)(key->local_port ^ local_port) | (uint64_t)(key->remote_port ^ remote_port);
	return differ == 0;
}
