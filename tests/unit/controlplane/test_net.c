/* SPDX-License-Identifier: BSD-3-Clause */
/* Addresses, routes, NBD exports: notation, rows that come back, what is refused and with what reason. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/text_ip.h"
#include "daemon/model_aoe.h"
#include "daemon/model_nbd.h"
#include "daemon/model_net.h"
#include "daemon/state_schema.h"
#include "folder.h"

TestSuite(cp_net, .fini = folder_remove);

static struct state *fresh(void)
{
	struct fail fail = {.text = ""};
	struct state *state = state_open(folder_path("state.db"), &fail);

	cr_assert_not_null(state, "%s", fail.text);
	cr_assert_eq(state_begin(state, &fail), 0);
	return state;
}

/* ports p0 (VLANs 10 and 20) and p1 (an MTU too small for IPv6) */
static struct state *with_ports(void)
{
	struct port_row p0 = {
		.name = "p0", .device = "af_packet:eth0", .mtu = 1500, .vlan_count = 2, .vlans = {10, 20}};
	struct port_row p1 = {.name = "p1", .device = "af_packet:eth1", .mtu = 1279};
	struct state *state = fresh();
	struct fail fail = {.text = ""};

	cr_assert_eq(model_port_add(state, &p0, &fail), 0, "%s", fail.text);
	cr_assert_eq(model_port_add(state, &p1, &fail), 0, "%s", fail.text);
	return state;
}

static struct address_row address(const char *port, uint16_t vlan, const char *text)
{
	struct address_row row = {.vlan = vlan};

	(void)snprintf(row.port_name, sizeof row.port_name, "%s", port);
	cr_assert_eq(text_prefix_parse(text, &row.address), 0, "%s", text);
	return row;
}

static struct route_row route(const char *prefix, const char *gateway)
{
	struct route_row row;

	cr_assert_eq(text_prefix_parse(prefix, &row.prefix), 0, "%s", prefix);
	cr_assert_eq(text_ip_parse(gateway, &row.gateway), 0, "%s", gateway);
	return row;
}

static void add_address(struct state *state, const char *port, uint16_t vlan, const char *text)
{
	struct address_row row = address(port, vlan, text);
	struct fail fail = {.text = ""};

	cr_assert_eq(model_address_add(state, &row, &fail), 0, "%s", fail.text);
}

static uint64_t generation(struct state *state)
{
	struct network_row row;
	struct fail fail;

	cr_assert_eq(state_network_get(state, &row, &fail), 0);
	return row.generation;
}

Test(cp_net, an_address_is_read_and_written_in_one_notation)
{
	static const struct {
		const char *text, *out; /* out NULL: refused */
		int rc;
	} cases[] = {
		{"10.0.0.1", "10.0.0.1/32", 0},
		{"10.0.0.1/0", "10.0.0.1/0", 0},
		{"10.0.0.1/32", "10.0.0.1/32", 0},
		{"10.0.0.1/33", NULL, -ERANGE},
		{"255.255.255.255/1", "255.255.255.255/1", 0},
		{"2001:DB8:0:0::1/64", "2001:db8::1/64", 0},
		{"::/0", "::/0", 0},
		{"::1/128", "::1/128", 0},
		{"::1/129", NULL, -ERANGE},
		{"::1/999", NULL, -ERANGE},
		{"::1/1000", NULL, -EINVAL},
		{"::ffff:10.0.0.1", NULL, -EINVAL},
		{"10.0.0", NULL, -EINVAL},
		{"10.0.0.256", NULL, -EINVAL},
		{"10.0.0.1/", NULL, -EINVAL},
		{"10.0.0.1/08", NULL, -EINVAL},
		{"10.0.0.1/-1", NULL, -EINVAL},
		{"10.0.0.1/+1", NULL, -EINVAL},
		{"10.0.0.1/8 ", NULL, -EINVAL},
		{" 10.0.0.1", NULL, -EINVAL},
		{"fe80::1%eth0", NULL, -EINVAL},
		{"", NULL, -EINVAL},
		{"/8", NULL, -EINVAL},
		{"default", NULL, -EINVAL},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/1", NULL, -EINVAL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text_prefix prefix;
		char out[TEXT_PREFIX_BYTES];
		cr_expect_eq(text_prefix_parse(cases[i].text, &prefix), cases[i].rc, "%s", cases[i].text);
		if (cases[i].out)
			cr_expect_str_eq(text_prefix_emit(&prefix, out), cases[i].out, "%s", cases[i].text);
	}
	struct text_ip ip;
	char out[TEXT_ENDPOINT_BYTES];
	cr_assert_eq(text_ip_parse("2001:db8::1", &ip), 0);
	cr_expect_str_eq(text_endpoint_emit(&ip, 10809, out), "[2001:db8::1]:10809");
	cr_assert_eq(text_ip_parse("10.0.0.1", &ip), 0);
	cr_expect_str_eq(text_endpoint_emit(&ip, 65535, out), "10.0.0.1:65535");
}

Test(cp_net, a_prefix_holds_what_agrees_in_its_bits)
{
	static const struct {
		const char *prefix, *ip;
		bool holds;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/31", "10.0.0.1", true},
		{"10.0.0.0/31", "10.0.0.2", false},
		{"10.0.0.1/32", "10.0.0.1", true},
		{"10.0.0.1/32", "10.0.0.0", false},
		{"0.0.0.0/0", "192.0.2.1", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "10.0.0.1", false},
		{"2001:db8::/33", "2001:db8:7fff::1", true},
		{"2001:db8::/33", "2001:db8:8000::1", false},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct text_prefix prefix;
		struct text_ip ip;
		cr_assert_eq(text_prefix_parse(cases[i].prefix, &prefix), 0);
		cr_assert_eq(text_ip_parse(cases[i].ip, &ip), 0);
		cr_expect_eq(text_prefix_holds(&prefix, &ip), cases[i].holds, "%s in %s", cases[i].ip, cases[i].prefix);
	}
}

Test(cp_net, addresses_and_routes_come_back_in_their_order_and_the_generation_grows)
{
	struct state *state = with_ports();
	struct fail fail = {.text = ""};
	struct net_rows rows;

	cr_expect_eq(generation(state), 0);
	add_address(state, "p0", 20, "10.0.20.1/24");
	add_address(state, "p0", 0, "2001:db8::1/64");
	struct route_row first = route("0.0.0.0/0", "10.0.20.254"), second = route("10.9.0.0/16", "10.0.20.253");
	cr_assert_eq(model_route_add(state, &first, &fail), 0, "%s", fail.text);
	cr_assert_eq(model_route_add(state, &second, &fail), 0, "%s", fail.text);
	cr_expect_eq(generation(state), 4);
	cr_assert_eq(model_end(state, 0, &fail), 0);
	state_close(state);
	state = state_open(folder_path("state.db"), &fail);
	cr_assert_not_null(state);
	cr_assert_eq(state_net_get(state, &rows, &fail), 0);
	cr_assert_eq(rows.address_count, 2);
	cr_expect_str_eq(rows.addresses[0].port_name, "p0");
	cr_expect_eq(rows.addresses[0].vlan, 20);
	struct address_row want = address("p0", 0, "2001:db8::1/64");
	cr_expect(text_prefix_equal(&rows.addresses[1].address, &want.address));
	cr_assert_eq(rows.route_count, 2);
	cr_expect(text_prefix_equal(&rows.routes[0].prefix, &first.prefix));
	cr_expect(text_ip_equal(&rows.routes[1].gateway, &second.gateway));
	cr_expect_eq(generation(state), 4, "it never falls back: the dataplane would ignore what it is told");
	struct net_rows same = rows;
	cr_assert_eq(state_begin(state, &fail), 0);
	cr_expect_eq(model_net_set(state, &same, &fail), 0);
	cr_expect_eq(generation(state), 4, "what is the same changes nothing");
	state_rollback(state);
	state_close(state);
}

Test(cp_net, an_address_that_will_not_do_is_refused_with_the_remedy)
{
	static const struct {
		const char *port, *text, *says;
		uint16_t vlan;
	} cases[] = {
		{"p0", "224.0.0.1/24", "not unicast", 0},
		{"p0", "127.0.0.1/8", "not unicast", 0},
		{"p0", "0.0.0.1/8", "not unicast", 0},
		{"p0", "255.255.255.255/24", "not unicast", 0},
		{"p0", "ff02::1/64", "not unicast", 0},
		{"p0", "::1/64", "not unicast", 0},
		{"p0", "10.0.0.1/0", "0 bits", 0},
		{"p0", "10.0.0.0/24", "for the network", 0},
		{"p0", "10.0.0.255/24", "for all hosts", 0},
		{"p0", "10.0.0.3/30", "for all hosts", 0},
		{"p9", "10.0.0.1/24", "port 'p9' does not exist; 'port list'", 0},
		{"p0", "10.0.0.1/24", "has no VLAN 30; add it with 'port set p0 --vlans'", 30},
		{"p1", "10.0.0.1/24", "has no VLAN 10", 10},
		{"p1", "2001:db8::1/64", "MTU of at least 1280", 0},
		{"p0", "192.0.2.1/24", "already on port 'p0', VLAN 10", 10},
		{"p1", "192.0.2.1/25", "already on port 'p0', VLAN 10", 0},
	};
	struct state *state = with_ports();

	add_address(state, "p0", 10, "192.0.2.1/24");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct address_row row = address(cases[i].port, cases[i].vlan, cases[i].text);
		struct fail fail = {.text = ""};
		cr_expect_eq(model_address_add(state, &row, &fail), -1, "%s", cases[i].text);
		cr_expect_not_null(strstr(fail.text, cases[i].says), "%s: %s", cases[i].text, fail.text);
		cr_expect_not_null(strstr(fail.text, cases[i].text), "%s: %s", cases[i].text, fail.text);
	}
	cr_expect_eq(generation(state), 1, "what was refused has changed nothing");
	/* Good ones at the edges. */
	add_address(state, "p0", 0, "10.0.0.0/31");
	add_address(state, "p0", 0, "10.0.0.1/32");
	add_address(state, "p0", 0, "10.0.0.2/30");
	add_address(state, "p0", 10, "fe80::1/64");
	add_address(state, "p0", 20, "fe80::1/64");
	state_rollback(state);
	state_close(state);
}

Test(cp_net, a_route_that_will_not_do_is_refused_with_the_remedy)
{
	static const struct {
		const char *prefix, *gateway, *says;
	} cases[] = {
		{"10.1.0.0/8", "10.0.0.2", "give 10.0.0.0/8"},
		{"0.0.0.0/0", "10.9.9.9", "on the network of no address"},
		{"0.0.0.0/0", "10.0.0.1", "the appliance itself"},
		{"0.0.0.0/0", "224.0.0.1", "not unicast"},
		{"0.0.0.0/0", "2001:db8::2", "other family"},
		{"::/0", "10.0.0.2", "other family"},
		{"172.16.0.0/12", "10.0.0.3", "exists already, via 10.0.0.2; delete it first"},
	};
	struct state *state = with_ports();
	struct route_row row = route("172.16.0.0/12", "10.0.0.2");
	struct fail fail = {.text = ""};

	add_address(state, "p0", 0, "10.0.0.1/24");
	cr_assert_eq(model_route_add(state, &row, &fail), 0, "%s", fail.text);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		row = route(cases[i].prefix, cases[i].gateway);
		cr_expect_eq(model_route_add(state, &row, &fail), -1, "%s", cases[i].prefix);
		cr_expect_not_null(strstr(fail.text, cases[i].says), "%s: %s", cases[i].prefix, fail.text);
	}
	struct address_row only = address("p0", 0, "10.0.0.1/24");
	cr_expect_eq(model_address_delete(state, &only, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "172.16.0.0/12"), "%s", fail.text);
	add_address(state, "p0", 10, "10.0.0.9/28");
	cr_expect_eq(model_address_delete(state, &only, &fail), 0, "another address reaches the gateway: %s",
		     fail.text);
	only.vlan = 20;
	cr_expect_eq(model_address_delete(state, &only, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_NOT_FOUND);
	cr_expect_eq(model_route_delete(state, &row.prefix, &fail), 0);
	cr_expect_eq(model_route_delete(state, &row.prefix, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_NOT_FOUND);
	state_rollback(state);
	state_close(state);
}

Test(cp_net, a_port_keeps_what_its_addresses_need)
{
	struct state *state = with_ports();
	struct port_row port;
	struct fail fail = {.text = ""};

	add_address(state, "p0", 10, "2001:db8::1/64");
	cr_assert_eq(state_port_by_name(state, "p0", &port, &fail), 0);
	cr_expect_eq(model_port_remove(state, &port, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "2001:db8::1/64"), "%s", fail.text);
	port.vlan_count = 1;
	port.vlans[0] = 20;
	cr_expect_eq(model_port_set(state, &port, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "VLAN 10"), "%s", fail.text);
	port.vlans[0] = 10;
	port.mtu = 1279;
	cr_expect_eq(model_port_set(state, &port, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "MTU"), "%s", fail.text);
	port.mtu = 1280;
	cr_expect_eq(model_port_set(state, &port, &fail), 0, "%s", fail.text);
	struct network_row network;
	cr_assert_eq(state_network_get(state, &network, &fail), 0);
	const uint64_t generation = network.generation;
	port.punt = true;
	port.punt_rate = 300;
	cr_expect_eq(model_port_set(state, &port, &fail), 0, "%s", fail.text);
	cr_assert_eq(state_network_get(state, &network, &fail), 0);
	cr_expect_eq(network.generation, generation, "the dataplane learns of it by its command line");
	port.slaac = true;
	cr_expect_eq(model_port_set(state, &port, &fail), 0, "%s", fail.text);
	cr_assert_eq(state_port_by_name(state, "p0", &port, &fail), 0);
	cr_expect(port.mtu == 1280 && port.punt && port.punt_rate == 300 && port.slaac);
	cr_assert_eq(state_network_get(state, &network, &fail), 0);
	cr_expect_gt(network.generation, generation, "the dataplane has to be told");
	port.mtu = 1000;
	cr_expect_eq(model_port_set(state, &port, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "slaac"), "%s", fail.text);
	state_rollback(state);
	state_close(state);
}

Test(cp_net, there_is_room_for_so_many_addresses_and_routes)
{
	struct state *state = with_ports();
	struct fail fail = {.text = ""};
	char text[TEXT_PREFIX_BYTES];
	struct net_rows rows;

	for (unsigned i = 0; i < WHERRY_ADDRESS_COUNT_MAX; i++) {
		(void)snprintf(text, sizeof text, "10.%u.0.1/16", i);
		add_address(state, "p0", 0, text);
		(void)snprintf(text, sizeof text, "172.16.%u.0/24", i);
		struct route_row row = route(text, "10.0.0.2");
		cr_assert_eq(model_route_add(state, &row, &fail), 0, "%s", fail.text);
	}
	struct address_row more = address("p0", 0, "192.0.2.1/24");
	cr_expect_eq(model_address_add(state, &more, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "128"), "%s", fail.text);
	struct route_row route_more = route("192.0.2.0/24", "10.0.0.2");
	cr_expect_eq(model_route_add(state, &route_more, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "128"), "%s", fail.text);
	cr_assert_eq(state_net_get(state, &rows, &fail), 0);
	cr_expect(rows.address_count == WHERRY_ADDRESS_COUNT_MAX && rows.route_count == WHERRY_ROUTE_COUNT_MAX);
	state_rollback(state);
	state_close(state);
}

Test(cp_net, tcp_and_the_port_of_nbd_are_kept_and_checked)
{
	struct state *state = fresh();
	struct network_row row, back;
	struct fail fail = {.text = ""};

	cr_assert_eq(state_network_get(state, &row, &fail), 0);
	cr_expect_eq(row.nbd_tcp_port, WHERRY_NBD_PORT_DEFAULT);
	cr_expect(row.congestion == WHERRY_TCP_CUBIC && row.ecn && row.keepalive_idle_ms == 60000);
	row = (struct network_row){.nbd_tcp_port = 65535,
				   .congestion = WHERRY_TCP_DCTCP,
				   .keepalive_idle_ms = 86400000,
				   .keepalive_interval_ms = 1,
				   .keepalive_count = 100,
				   .user_timeout_ms = 7};
	cr_assert_eq(model_network_set(state, &row, "tcp.changed", &fail), 0, "%s", fail.text);
	cr_assert_eq(state_network_get(state, &back, &fail), 0);
	cr_expect_eq(back.generation, 1);
	row.generation = back.generation;
	cr_expect(back.nbd_tcp_port == 65535 && back.congestion == WHERRY_TCP_DCTCP && !back.ecn &&
		  back.keepalive_idle_ms == 86400000 && back.keepalive_interval_ms == 1 &&
		  back.keepalive_count == 100 && back.user_timeout_ms == 7);
	row.keepalive_count = 0;
	cr_expect_eq(model_network_check(&row, &fail), -1);
	row.keepalive_idle_ms = 0;
	cr_expect_eq(model_network_check(&row, &fail), 0, "without keep-alive the rest has no meaning");
	row.user_timeout_ms = 86400001;
	cr_expect_eq(model_network_check(&row, &fail), -1);
	row.user_timeout_ms = 0;
	row.congestion = (enum wherry_tcp_congestion)3;
	cr_expect_eq(model_network_check(&row, &fail), -1);
	state_rollback(state);
	state_close(state);
}

/* ------------------------------------------------------------------- NBD */

static struct volume_row make_volume(struct state *state, const char *name)
{
	struct volume_row row = {
		.backend = WHERRY_BACKEND_NULL, .size_bytes = 1 << 20, .block_bytes = 512, .online = true};
	struct fail fail = {.text = ""};

	(void)snprintf(row.name, sizeof row.name, "%s", name);
	cr_assert_eq(model_volume_create(state, &row, &fail), 0, "%s", fail.text);
	return row;
}

static struct nbd_export_row nbd_export(const struct volume_row *volume, const char *name)
{
	struct nbd_export_row row = {.volume_id = volume->id};

	(void)snprintf(row.name, sizeof row.name, "%s", name);
	return row;
}

Test(cp_net, everything_of_an_nbd_export_comes_back)
{
	struct state *state = fresh();
	struct volume_row volume = make_volume(state, "disk");
	struct nbd_export_row row = nbd_export(&volume, "db"), back;
	struct fail fail = {.text = ""};

	(void)snprintf(row.description, sizeof row.description, "%s", "the database \xc3\xa9");
	row.read_only = row.is_default = true;
	row.allow_count = WHERRY_NBD_ALLOW_COUNT_MAX;
	for (unsigned i = 0; i < row.allow_count; i++) {
		char text[TEXT_PREFIX_BYTES];
		(void)snprintf(text, sizeof text, i % 2 ? "10.%u.0.0/16" : "2001:db8:%x::/48", i);
		cr_assert_eq(text_prefix_parse(text, &row.allow[i]), 0);
	}
	cr_assert_eq(model_nbd_create(state, &row, &fail), 0, "%s", fail.text);
	cr_assert_eq(state_nbd_by_id(state, row.id, &back, &fail), 0);
	cr_expect_str_eq(back.name, "db");
	cr_expect_str_eq(back.volume_name, "disk");
	cr_expect_str_eq(back.description, row.description);
	cr_expect(back.read_only && back.is_default && back.generation == 1);
	cr_assert_eq(back.allow_count, row.allow_count);
	for (unsigned i = 0; i < row.allow_count; i++)
		cr_expect(text_prefix_equal(&back.allow[i], &row.allow[i]));
	back.read_only = false;
	back.allow_count = 0;
	cr_assert_eq(model_nbd_set(state, &back, &fail), 0, "%s", fail.text);
	cr_assert_eq(state_nbd_by_name(state, "db", &row, &fail), 0);
	cr_expect(!row.read_only && row.is_default && row.allow_count == 0 && row.generation == 2);
	cr_assert_eq(model_nbd_delete(state, &row, &fail), 0);
	cr_expect_eq(state_nbd_by_name(state, "db", &row, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_NOT_FOUND);
	state_rollback(state);
	state_close(state);
}

Test(cp_net, an_nbd_export_that_will_not_do_is_refused_with_the_remedy)
{
	struct state *state = fresh();
	struct volume_row volume = make_volume(state, "disk");
	struct nbd_export_row row = nbd_export(&volume, "db"), other = nbd_export(&volume, "other");
	struct fail fail = {.text = ""};

	row.is_default = true;
	cr_assert_eq(model_nbd_create(state, &row, &fail), 0, "%s", fail.text);
	struct nbd_export_row again = nbd_export(&volume, "db");
	cr_expect_eq(model_nbd_create(state, &again, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "'db' exists already"), "%s", fail.text);
	other.is_default = true;
	cr_expect_eq(model_nbd_create(state, &other, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "'db' is the default already"), "%s", fail.text);
	other.is_default = false;
	other.allow_count = 1;
	cr_assert_eq(text_prefix_parse("10.0.0.1/8", &other.allow[0]), 0);
	cr_expect_eq(model_nbd_create(state, &other, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "give 10.0.0.0/8"), "%s", fail.text);
	other.allow_count = 2;
	cr_assert_eq(text_prefix_parse("10.0.0.0/8", &other.allow[0]), 0);
	other.allow[1] = other.allow[0];
	cr_expect_eq(model_nbd_create(state, &other, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "named twice"), "%s", fail.text);
	other.allow_count = 0;
	(void)snprintf(other.description, sizeof other.description, "%s", "two\nlines");
	cr_expect_eq(model_nbd_create(state, &other, &fail), -1);
	cr_expect_not_null(strstr(fail.text, "description"), "%s", fail.text);
	other.description[0] = '\0';
	(void)snprintf(other.name, sizeof other.name, "%s", "-x");
	cr_expect_eq(model_nbd_create(state, &other, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_USAGE);
	cr_expect_eq(model_volume_delete(state, &volume, &fail), -1);
	cr_expect(fail.kind == FAIL_CONFLICT && strstr(fail.text, "by NBD as 'db'"), "%s", fail.text);
	cr_expect_eq(model_nbd_delete(state, &row, &fail), 0);
	cr_expect_eq(model_volume_delete(state, &volume, &fail), 0, "%s", fail.text);
	state_rollback(state);
	state_close(state);
}

/* ------------------------------------------------------------- migration */

/* A state as the first version left it, with something in every table. */
static void make_version_1(const char *path)
{
	static const char rows[] = "INSERT INTO volume VALUES (3, 'disk', 3, NULL, 1048576, 512, 0, 0, 1,"
				   " '01234567-89ab-cdef-0123-456789abcdef', 'serial', 1, 4, NULL);"
				   "INSERT INTO port VALUES (5, 'p0', 'af_packet:eth0', 9000, '10,20');"
				   "INSERT INTO aoe_export VALUES (7, 3, 1, 0, 0, 1, 0, 0, 64, 0, '10', 8, 9, "
				   "x'616263', x'020000000001', x'');"
				   "INSERT INTO aoe_export_port VALUES (7, 5);"
				   "UPDATE runtime SET identity = 77, epoch = 6;"
				   "PRAGMA application_id = 1464357465; PRAGMA user_version = 1;";
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, state_schema_1, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_exec(db, rows, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
}

Test(cp_net, a_state_of_the_first_version_is_raised_with_all_that_is_in_it)
{
	const char *path = folder_path("state.db");
	struct fail fail = {.text = ""};
	struct export_row row;
	struct port_row port;
	struct net_rows rows;
	struct network_row network;

	make_version_1(path);
	for (unsigned turn = 0; turn < 2; turn++) { /* raised, and opened as it is then */
		struct state *state = state_open(path, &fail);
		cr_assert_not_null(state, "%s", fail.text);
		cr_assert_eq(state_export_by_address(state, 1, 0, &row, &fail), 0, "%s", fail.text);
		cr_expect(row.id == 7 && row.generation == 8 && row.state_generation == 9 && row.mask_count == 1 &&
			  row.port_count == 1 && row.port_ids[0] == 5 && row.config_bytes == 3);
		cr_assert_eq(state_port_by_name(state, "p0", &port, &fail), 0);
		cr_expect(port.id == 5 && port.mtu == 9000 && port.vlan_count == 2);
		cr_expect(!port.punt && port.punt_rate == WHERRY_PUNT_RATE_DEFAULT && !port.slaac);
		cr_expect_eq(state_epoch(state), 77ull << 32 | 6);
		cr_assert_eq(state_net_get(state, &rows, &fail), 0);
		cr_expect(rows.address_count == 0 && rows.route_count == 0);
		cr_assert_eq(state_network_get(state, &network, &fail), 0);
		cr_expect(network.generation == 0 && network.nbd_tcp_port == 10809);
		cr_assert_eq(state_begin(state, &fail), 0);
		struct volume_row volume;
		cr_assert_eq(state_volume_by_name(state, "disk", &volume, &fail), 0);
		struct nbd_export_row nbd = nbd_export(&volume, "db");
		cr_assert_eq(model_nbd_create(state, &nbd, &fail), 0, "%s", fail.text);
		state_rollback(state);
		state_close(state);
	}
}

/* Addresses came with the second version, punting and SLAAC with the third. */
Test(cp_net, a_state_of_the_second_version_keeps_its_ports_and_addresses)
{
	const char *path = folder_path("state.db");
	struct fail fail = {.text = ""};
	struct port_row port;
	struct net_rows rows;
	sqlite3 *db;

	make_version_1(path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, state_schema_2, NULL, NULL, NULL), SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_exec(db,
				  "INSERT INTO address VALUES (1, 5, 10, x'00000000000000000000ffff0a000001', 24);"
				  "PRAGMA user_version = 2;",
				  NULL, NULL, NULL),
		     SQLITE_OK, "%s", sqlite3_errmsg(db));
	cr_assert_eq(sqlite3_close(db), SQLITE_OK);
	struct state *state = state_open(path, &fail);
	cr_assert_not_null(state, "%s", fail.text);
	cr_assert_eq(state_port_by_name(state, "p0", &port, &fail), 0);
	cr_expect(port.id == 5 && !port.punt && port.punt_rate == WHERRY_PUNT_RATE_DEFAULT && !port.slaac);
	cr_assert_eq(state_net_get(state, &rows, &fail), 0);
	cr_expect(rows.address_count == 1 && strcmp(rows.addresses[0].port_name, "p0") == 0);
	state_close(state);
}

Test(cp_net, a_raise_that_cannot_be_finished_leaves_the_first_version)
{
	const char *path = folder_path("state.db");
	struct fail fail = {.text = ""};
	sqlite3 *db;

	make_version_1(path);
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	/* In the way of the last table: all before it is undone. */
	cr_assert_eq(sqlite3_exec(db, "CREATE TABLE nbd_export (x)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	cr_expect_null(state_open(path, &fail));
	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_expect_eq(sqlite3_exec(db, "DROP TABLE nbd_export", NULL, NULL, NULL), SQLITE_OK);
	cr_expect_eq(sqlite3_exec(db, "SELECT id FROM address", NULL, NULL, NULL), SQLITE_ERROR, "no half of it stays");
	sqlite3_close(db);
	struct state *state = state_open(path, &fail);
	cr_expect_not_null(state, "%s", fail.text);
	state_close(state);
}
