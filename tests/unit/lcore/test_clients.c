/* SPDX-License-Identifier: BSD-3-Clause */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "lcore/clients.h"

static const uint64_t seed[2] = {0x0123456789abcdefull, 0xfedcba9876543210ull};

static void mac_of(unsigned number, uint8_t mac[6])
{
	memset(mac, 0, 6);
	mac[0] = 2;
	mac[4] = (uint8_t)(number >> 8);
	mac[5] = (uint8_t)number;
}

static struct client_record *touch(struct client_table *table, unsigned number, uint64_t now_us, uint64_t *evicted)
{
	uint8_t mac[6];
	mac_of(number, mac);
	return client_table_touch(table, mac, 0, 0, now_us, evicted);
}

Test(lcore_clients, a_client_keeps_its_record_and_times)
{
	struct client_table *table = client_table_create(4, seed);
	uint64_t evicted = 0;
	struct client_record *record = touch(table, 7, 100, &evicted);
	record->stats[0] = 5;
	touch(table, 8, 150, &evicted);
	record = touch(table, 7, 200, &evicted);
	cr_expect_eq(record->stats[0], 5u);
	cr_expect_eq(record->first_seen_us, 100u);
	cr_expect_eq(record->last_seen_us, 200u);
	cr_expect_eq(record->mac[5], 7u);
	cr_expect_eq(evicted, 0u);
	client_table_destroy(table);
}

Test(lcore_clients, port_and_vlan_tell_clients_with_one_mac_apart)
{
	struct client_table *table = client_table_create(8, seed);
	const uint8_t mac[6] = {2, 0, 0, 0, 0, 1};
	uint64_t evicted = 0;
	client_table_touch(table, mac, 0, 0, 1, &evicted)->stats[0] = 1;
	client_table_touch(table, mac, 1, 0, 1, &evicted)->stats[0] = 2;
	client_table_touch(table, mac, 0, 9, 1, &evicted)->stats[0] = 3;
	cr_expect_eq(client_table_touch(table, mac, 0, 0, 2, &evicted)->stats[0], 1u);
	cr_expect_eq(client_table_touch(table, mac, 1, 0, 2, &evicted)->stats[0], 2u);
	cr_expect_eq(client_table_touch(table, mac, 0, 9, 2, &evicted)->stats[0], 3u);
	client_table_destroy(table);
}

Test(lcore_clients, a_full_table_forgets_the_one_that_was_silent_longest)
{
	struct client_table *table = client_table_create(3, seed);
	uint64_t evicted = 0;
	touch(table, 1, 1, &evicted);
	touch(table, 2, 2, &evicted);
	touch(table, 3, 3, &evicted);
	touch(table, 1, 4, &evicted)->stats[0] = 11;
	cr_expect_eq(evicted, 0u);
	cr_expect_eq(touch(table, 4, 5, &evicted)->stats[0], 0u, "a new record starts at zero");
	cr_expect_eq(evicted, 1u);
	cr_expect_eq(touch(table, 1, 6, &evicted)->stats[0], 11u, "1 was heard after 2 and stays");
	cr_expect_eq(evicted, 1u);
	cr_expect_eq(touch(table, 2, 7, &evicted)->first_seen_us, 7u, "2 was forgotten");
	cr_expect_eq(evicted, 2u);
	client_table_destroy(table);
}

Test(lcore_clients, a_copy_starts_with_the_one_heard_last_and_ends_at_the_limit)
{
	struct client_table *table = client_table_create(8, seed);
	struct client_record records[8];
	uint64_t evicted = 0;
	cr_expect_eq(client_table_copy(table, records, 8), 0u);
	for (unsigned i = 1; i <= 5; i++)
		touch(table, i, i, &evicted);
	touch(table, 2, 9, &evicted);
	cr_assert_eq(client_table_copy(table, records, 8), 5u);
	const unsigned order[] = {2, 5, 4, 3, 1};
	for (unsigned i = 0; i < 5; i++)
		cr_expect_eq(records[i].mac[5], order[i], "place %u", i);
	cr_expect_eq(client_table_copy(table, records, 2), 2u);
	client_table_destroy(table);
}

/* The same by the simplest means: an array in order of hearing. */
struct model {
	unsigned count;
	struct {
		unsigned number;
		uint64_t value;
	} at[64];
};

static uint64_t model_touch(struct model *model, unsigned number, unsigned capacity, uint64_t *evicted)
{
	unsigned i = 0;
	while (i < model->count && model->at[i].number != number)
		i++;
	uint64_t value = i < model->count ? model->at[i].value + 1 : 1;
	if (i == model->count && model->count == capacity) {
		++*evicted;
		i = model->count - 1;
	} else if (i == model->count) {
		model->count++;
	}
	memmove(&model->at[1], &model->at[0], i * sizeof model->at[0]);
	model->at[0].number = number;
	model->at[0].value = value;
	return value;
}

Test(lcore_clients, a_long_random_run_agrees_with_a_list)
{
	for (unsigned capacity = 1; capacity <= 40; capacity += 13) {
		struct client_table *table = client_table_create(capacity, seed);
		struct model model = {0};
		uint64_t evicted = 0, model_evicted = 0;
		unsigned state = capacity;
		for (unsigned step = 0; step < 20000; step++) {
			state = state * 1103515245u + 12345u;
			unsigned number = (state >> 16) % (capacity * 2 + 1);
			uint64_t value = ++touch(table, number, step, &evicted)->stats[0];
			cr_assert_eq(value, model_touch(&model, number, capacity, &model_evicted),
				     "capacity %u step %u", capacity, step);
			cr_assert_eq(evicted, model_evicted, "capacity %u step %u", capacity, step);
		}
		client_table_destroy(table);
	}
}

Test(lcore_clients, more_clients_than_an_index_can_name_are_refused)
{
	cr_expect_null(client_table_create(0, seed));
	cr_expect_null(client_table_create(32769, seed));
}
