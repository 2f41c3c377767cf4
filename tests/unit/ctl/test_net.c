/* SPDX-License-Identifier: BSD-3-Clause */
/* NET_PUT, TCP_PUT, and the lists of neighbours and connections. */
#include <criterion/criterion.h>

#include "ctl/server_priv.h"
#include "fake.h"
#include "fake_stack.h"

static struct client c;
static uint32_t next_id;

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	next_id = 100;
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_net, .init = init, .fini = fini);

static uint32_t send_put(const struct wherry_ctl_net_put *m)
{
	static uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	client_send(&c, packet, wherry_ctl_put_net_put(packet, sizeof packet, ++next_id, m), -1);
	return next_id;
}

/* One IPv4 address 10.0.0.last/24 on port 1, VLAN 7, and a default route. */
static struct wherry_ctl_net_put one_address(uint64_t generation, uint8_t last)
{
	struct wherry_ctl_net_put m = {.generation = generation};
	m.address_port.count = m.address_vlan.count = 1;
	m.address_port.v[0] = 1;
	m.address_vlan.v[0] = 7;
	m.address.len = m.route.len = m.route_gateway.len = 16;
	m.address.b[10] = m.address.b[11] = 0xff;
	m.address.b[12] = 10;
	m.address.b[15] = last;
	m.address_bits.len = m.route_bits.len = 1;
	m.address_bits.b[0] = 24;
	m.route_gateway.b[10] = m.route_gateway.b[11] = 0xff;
	m.route_gateway.b[12] = 10;
	m.route_gateway.b[15] = 1;
	m.slaac.count = 1;
	m.slaac.v[0] = 1;
	return m;
}

Test(ctl_net, addresses_and_routes_reach_every_worker)
{
	struct wherry_ctl_net_put m = one_address(1, 5);
	client_expect_ok(&c, send_put(&m));
	const struct net_config *config = fake_stack.net[0].config;
	cr_assert_not_null(config);
	cr_expect_eq(fake_stack.net[1].config, config);
	cr_expect_eq(config->settings.address_count, 1);
	cr_expect_eq(config->addresses[0].port_index, 1);
	cr_expect_eq(config->addresses[0].vlan, 7);
	cr_expect_eq(config->addresses[0].prefix_bits, 24);
	cr_expect_eq(config->addresses[0].addr.b[15], 5);
	cr_expect_eq(config->settings.route_count, 1);
	cr_expect_eq(config->routes[0].gateway.b[15], 1);
	cr_expect(config->settings.ports[1].slaac && !config->settings.ports[0].slaac);
	cr_expect_eq(fake_stack.net[0].announced, 0, "announced behind a closed gate");
}

Test(ctl_net, a_newer_one_replaces_and_the_old_one_is_freed_after_every_worker_let_go)
{
	struct wherry_ctl_net_put m = one_address(1, 5);
	client_expect_ok(&c, send_put(&m));
	client_expect_ok(&c, send_put(&m)); /* not newer */
	cr_expect_eq(fake_stack.net[0].set_count, 1);
	fake.stalled = true;
	m = one_address(2, 6);
	uint32_t second = send_put(&m);
	settle();
	m = one_address(3, 7);
	uint32_t third = send_put(&m);
	settle();
	m = one_address(4, 8);
	uint32_t fourth = send_put(&m);
	settle();
	client_expect_error(&c, third, ECANCELED);
	cr_expect_eq(fake_stack.live_configs, 3);
	fake.stalled = false;
	client_expect_ok(&c, second);
	client_expect_ok(&c, fourth);
	cr_expect_eq(fake_stack.live_configs, 1);
	cr_expect_eq(fake_stack.net[1].config->addresses[0].addr.b[15], 8);
	/* Who was connected to one that is no more is told: 5, then 6. */
	cr_expect_eq(fake_stack.tcp[1].aborted_count, 2);
	cr_expect_eq(fake_stack.tcp[1].aborted.b[15], 6);
}

Test(ctl_net, what_cannot_be_is_refused_and_changes_nothing)
{
	struct wherry_ctl_net_put m = one_address(1, 5);
	client_expect_ok(&c, send_put(&m));
	m = one_address(2, 6);
	m.address_vlan.count = 0;
	client_expect_error(&c, send_put(&m), EINVAL);
	m = one_address(2, 6);
	m.route_gateway.len = 15;
	client_expect_error(&c, send_put(&m), EINVAL);
	m = one_address(2, 6);
	memset(m.address.b, 0, 16);
	cr_expect_not_null(strstr(client_expect_error(&c, send_put(&m), EINVAL), "address 0"));
	cr_expect_eq(fake_stack.net[0].config->addresses[0].addr.b[15], 5);
	m = one_address(2, 6);
	client_expect_ok(&c, send_put(&m)); /* the same generation can be tried again */
}

Test(ctl_net, addresses_are_announced_when_the_gate_opens)
{
	struct wherry_ctl_net_put m = one_address(1, 5);
	CLIENT_SEND(&c, sync_begin, ++next_id, .epoch = 3);
	client_expect_ok(&c, next_id);
	client_expect_ok(&c, send_put(&m));
	CLIENT_SEND(&c, sync_end, ++next_id, .epoch = 3);
	client_expect_ok(&c, next_id);
	settle();
	cr_expect_eq(fake_stack.net[0].announced, 1);
	cr_expect_eq(fake_stack.net[1].announced, 0, "one worker speaks for all");
	cr_expect(fake_stack.net[0].config->addresses[0].optimistic, "clients wait after a restart");
	m = one_address(2, 6);
	client_expect_ok(&c, send_put(&m));
	cr_expect_eq(fake_stack.net[0].announced, 2);
	cr_expect_not(fake_stack.net[0].config->addresses[0].optimistic, "may be somebody else's");
	m = one_address(3, 6);
	client_expect_ok(&c, send_put(&m));
	cr_expect(fake_stack.net[0].config->addresses[0].optimistic);
}

Test(ctl_net, settings_of_tcp_reach_every_worker)
{
	CLIENT_SEND(&c, tcp_put, ++next_id, .congestion = WHERRY_TCP_DCTCP, .ecn = true, .keepalive_idle_ms = 5,
		    .keepalive_interval_ms = 6, .keepalive_count = 7, .user_timeout_ms = 8);
	client_expect_ok(&c, next_id);
	for (unsigned i = 0; i < worker_count(); i++) {
		const struct tcp_settings *s = &fake_stack.tcp[i].settings;
		cr_expect(s->congestion == TCP_DCTCP && s->ecn && s->keepalive_idle_ms == 5 &&
			  s->keepalive_interval_ms == 6 && s->keepalive_count == 7 && s->user_timeout_ms == 8);
		cr_expect_eq(s->window_bytes_max, 4711, "what the message does not name has its default");
	}
	CLIENT_SEND(&c, tcp_put, ++next_id, .congestion = 99);
	client_expect_error(&c, next_id, EINVAL);
}

Test(ctl_net, connections_and_neighbours_of_all_workers_are_listed)
{
	struct wherry_ctl_connection_item connection;
	struct wherry_ctl_neighbour_item neighbour;
	fake_stack.tcp[0].connection_count = 1000;
	fake_stack.tcp[1].connection_count = 3;
	fake_stack.net[1].neighbour_count = 2;
	CLIENT_SEND(&c, connection_list, ++next_id, );
	for (unsigned i = 0; i < 1003; i++) {
		client_expect(&c, WHERRY_CTL_CONNECTION_ITEM, next_id);
		CLIENT_GET(&c, connection_item, &connection);
		cr_expect_eq(connection.remote_port, i < 1000 ? i : i - 1000);
		cr_expect_str_eq(connection.state, "established");
		cr_expect_str_eq(connection.congestion, "cubic");
	}
	client_expect_ok(&c, next_id);
	CLIENT_SEND(&c, neighbour_list, ++next_id, );
	for (unsigned i = 0; i < 2; i++) {
		client_expect(&c, WHERRY_CTL_NEIGHBOUR_ITEM, next_id);
		CLIENT_GET(&c, neighbour_item, &neighbour);
		cr_expect_eq(neighbour.vlan, i);
		cr_expect_eq(neighbour.age_us, 5);
		cr_expect_str_eq(neighbour.state, "stale");
	}
	client_expect_ok(&c, next_id);
}
