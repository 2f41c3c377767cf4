/* SPDX-License-Identifier: BSD-3-Clause */
/* See fake_stack.h. */
#include "fake_stack.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct fake_stack fake_stack;

void fake_stack_init(void)
{
	memset(&fake_stack, 0, sizeof fake_stack);
	fake_stack.fail_export_create = -1;
}

void fake_stack_fini(void)
{
	cr_expect_eq(fake_stack.live_exports, 0, "%u NBD exports were not destroyed", fake_stack.live_exports);
	cr_expect_eq(fake_stack.live_configs, 0, "%u configurations were not destroyed", fake_stack.live_configs);
}

/* -------------------------------------------------------------------- NBD */

struct nbd_export *nbd_export_create(const struct nbd_export_settings *settings)
{
	if (fake_stack.fail_export_create == 0)
		return NULL;
	if (fake_stack.fail_export_create > 0)
		fake_stack.fail_export_create--;
	struct nbd_export *e = calloc(1, sizeof *e);
	cr_assert_not_null(e);
	e->settings = *settings;
	fake_stack.live_exports++;
	return e;
}

void nbd_export_destroy(struct nbd_export *e)
{
	cr_assert_null(e->lcore, "an NBD export is destroyed while it is served");
	cr_assert_eq(e->under_way, 0, "an NBD export is destroyed with requests under way");
	fake_stack.live_exports--;
	free(e);
}

struct nbd_export *nbd_export_remove(struct nbd_lcore *lcore, uint64_t id)
{
	struct nbd_export **at = &lcore->first;
	while (*at && (*at)->settings.id != id)
		at = &(*at)->next;
	struct nbd_export *e = *at;
	if (!e)
		return NULL;
	*at = e->next;
	e->lcore = NULL;
	return e;
}

struct nbd_export *nbd_export_add(struct nbd_lcore *lcore, struct nbd_export *e)
{
	struct nbd_export *old = nbd_export_remove(lcore, e->settings.id);
	if (old)
		memcpy(e->stats, old->stats, sizeof e->stats);
	e->lcore = lcore;
	e->next = lcore->first;
	lcore->first = e;
	return old;
}

struct nbd_export *fake_nbd_served(unsigned worker, uint64_t id)
{
	struct nbd_export *e = fake_stack.nbd[worker].first;
	while (e && e->settings.id != id)
		e = e->next;
	return e;
}

bool nbd_export_idle(const struct nbd_export *e)
{
	return e->under_way == 0;
}

bool nbd_accept(void *lcore, struct stream *stream)
{
	(void)lcore;
	(void)stream;
	return false;
}

const uint64_t *nbd_export_stats(const struct nbd_export *e)
{
	return e->stats;
}

const uint64_t *nbd_export_hist(const struct nbd_export *e, unsigned kind)
{
	return e->hist[kind];
}

unsigned nbd_session_copy(struct nbd_lcore *lcore, uint32_t *cursor, struct nbd_session_info *to, unsigned max)
{
	unsigned count = 0;
	for (; *cursor < lcore->session_count && count < max; ++*cursor)
		to[count++] = (struct nbd_session_info){.export_id = 7, .ends = {.remote_port = (uint16_t)*cursor}};
	return count;
}

/* -------------------------------------------------------------------- net */

struct net_config *net_config_create(const struct net_settings *settings, char *error, size_t error_bytes)
{
	for (unsigned i = 0; i < settings->address_count; i++)
		if (ip_addr_is_none(&settings->addresses[i].addr)) {
			snprintf(error, error_bytes, "address %u is none", i);
			errno = EINVAL;
			return NULL;
		}
	struct net_config *config = calloc(1, sizeof *config);
	cr_assert_not_null(config);
	config->settings = *settings;
	if (settings->address_count)
		memcpy(config->addresses, settings->addresses, settings->address_count * sizeof config->addresses[0]);
	if (settings->route_count)
		memcpy(config->routes, settings->routes, settings->route_count * sizeof config->routes[0]);
	fake_stack.live_configs++;
	return config;
}

void net_config_destroy(struct net_config *config)
{
	fake_stack.live_configs--;
	free(config);
}

bool net_config_lost(const struct net_config *from, const struct net_config *to, unsigned *at, struct ip_addr *addr)
{
	while (*at < from->settings.address_count) {
		bool stays = false;
		*addr = from->addresses[(*at)++].addr;
		for (unsigned i = 0; i < to->settings.address_count; i++)
			stays |= ip_addr_equal(&to->addresses[i].addr, addr);
		if (!stays)
			return true;
	}
	return false;
}

const struct net_config *net_set_config(struct net_lcore *lcore, const struct net_config *config, bool announce,
					uint64_t now_ns)
{
	const struct net_config *before = lcore->config;
	(void)now_ns;
	lcore->config = config;
	lcore->set_count++;
	lcore->announced += announce;
	return before;
}

unsigned net_neighbour_copy(struct net_lcore *lcore, struct net_neighbour *to, unsigned max, uint64_t now_ns)
{
	unsigned count = lcore->neighbour_count < max ? lcore->neighbour_count : max;
	(void)now_ns;
	for (unsigned i = 0; i < count; i++)
		to[i] = (struct net_neighbour){.vlan = (uint16_t)i, .state = NET_STALE, .age_ns = 5000};
	return count;
}

/* -------------------------------------------------------------------- TCP */

void tcp_settings_default(struct tcp_settings *settings)
{
	*settings = (struct tcp_settings){.congestion = TCP_CUBIC, .window_bytes_max = 4711};
}

void tcp_set_settings(struct tcp_lcore *lcore, const struct tcp_settings *settings)
{
	lcore->settings = *settings;
}

void tcp_abort_all(struct tcp_lcore *lcore, const struct ip_addr *local, uint64_t now_ns)
{
	(void)now_ns;
	lcore->aborted_count++;
	lcore->aborted = *local;
}

int tcp_listen(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port, tcp_accept_fn *accept, void *ctx)
{
	cr_assert(ip_addr_is_none(local));
	cr_assert_eq(accept, nbd_accept);
	cr_assert_not_null(ctx);
	for (unsigned i = 0; i < FAKE_LISTEN_MAX; i++)
		if (lcore->listening[i] == port)
			return -EADDRINUSE;
	for (unsigned i = 0; i < FAKE_LISTEN_MAX; i++)
		if (!lcore->listening[i]) {
			lcore->listening[i] = port;
			return 0;
		}
	return -ENOSPC;
}

bool tcp_unlisten(struct tcp_lcore *lcore, const struct ip_addr *local, uint16_t port)
{
	cr_assert(ip_addr_is_none(local));
	for (unsigned i = 0; i < FAKE_LISTEN_MAX; i++)
		if (lcore->listening[i] == port) {
			lcore->listening[i] = 0;
			return true;
		}
	return false;
}

const char *tcp_state_name(enum tcp_state state)
{
	return state == TCP_ESTABLISHED ? "established" : "?";
}

unsigned tcp_connection_copy(struct tcp_lcore *lcore, uint32_t *cursor, struct tcp_connection_info *to, unsigned max,
			     uint64_t now_ns)
{
	unsigned count = 0;
	for (; *cursor < lcore->connection_count && count < max; ++*cursor)
		to[count++] = (struct tcp_connection_info){
			.state = TCP_ESTABLISHED, .ends = {.remote_port = (uint16_t)*cursor}, .opened_ns = now_ns};
	return count;
}
