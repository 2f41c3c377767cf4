/* SPDX-License-Identifier: BSD-3-Clause */
/* Exports coming, going, being replaced; thousands of them. */
#include <errno.h>
#include <stdlib.h>

#include "rig.h"

Test(aoe_exports, addresses_that_no_client_could_use_are_refused)
{
	static const struct {
		uint16_t shelf;
		uint8_t slot;
		bool good;
	} cases[] = {
		{0, 0, true},       {0xfffe, 0xfe, true}, {0xffff, 0, false}, {0, 0xff, false},
		{0x0fff, 0, false}, {0x0ffe, 0, true},    {0x1000, 0, true},
	};
	struct rig *rig = rig_create();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		errno = 0;
		struct aoe_export *export_ =
			aoe_export_create(rig_put(cases[i].shelf, cases[i].slot), &rig->disk.volume);
		cr_expect_eq(export_ != NULL, cases[i].good, "%04x.%02x", cases[i].shelf, cases[i].slot);
		if (export_)
			aoe_export_destroy(export_);
		else
			cr_expect_eq(errno, EINVAL);
	}
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->ports.count = 1, put->ports.v[0] = WHERRY_PORT_COUNT_MAX;
	cr_expect_null(aoe_export_create(put, &rig->disk.volume));
	put = rig_put(1, 0);
	put->vlans.count = 1, put->vlans.v[0] = 4095;
	cr_expect_null(aoe_export_create(put, &rig->disk.volume));
	rig_destroy(rig);
}

Test(aoe_exports, a_removed_export_is_silent_and_its_io_ends_well)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig->disk.hold = true;
	rig_ask(rig, rig_ata(ATA_READ, 0, 1));
	cr_expect_eq(aoe_export_remove(rig->lcore, 0x100), export_);
	cr_expect_null(aoe_export_remove(rig->lcore, 0x100));
	cr_expect_null(aoe_export_find(rig->lcore, 0x100));
	cr_expect_not(aoe_export_idle(export_));
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 0, 1))->verdict, AOE_DROP);
	rig_disk_release_all(&rig->disk);
	rig_expect_done(rig_next(rig));
	cr_expect(aoe_export_idle(export_));
	aoe_export_destroy(export_);
	rig_destroy(rig);
}

Test(aoe_exports, a_replacement_serves_at_once_while_old_io_goes_on)
{
	struct rig *rig = rig_create();
	struct rig_disk other;
	rig_disk_init(&other, 1 << 20, 512, 1);
	memset(other.bytes, 'N', 512);
	struct aoe_export *old = rig_serve_one(rig);
	rig_ask(rig, rig_ata(ATA_READ, 0, 1));
	rig->disk.hold = true;
	rig_ask(rig, rig_ata(ATA_READ, 0, 1));

	struct wherry_ctl_aoe_export_put *put = rig_put(2, 5);
	put->id = 0x100; /* the same export moves to another address */
	struct aoe_export *export_ = aoe_export_create(put, &other.volume);
	cr_assert_eq(aoe_export_add(rig->lcore, export_, false, 0), old);
	cr_expect_eq(aoe_export_find(rig->lcore, 0x100), export_);
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 0, 1))->verdict, AOE_DROP, "the old address is gone");
	const struct rig_answer *answer = rig_ask(rig, rig_to(rig_ata(ATA_READ, 0, 1), 2, 5));
	rig_expect_done(answer);
	cr_expect_eq(answer->bytes[36], 'N');
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_frames_in), 3, "counters go on");
	cr_expect_eq(rig_stat(export_, WHERRY_EXPORT_queue_depth), 0);

	cr_expect_not(aoe_export_idle(old));
	rig_disk_release_all(&rig->disk);
	answer = rig_next(rig);
	rig_expect_done(answer);
	cr_expect_eq(answer->frame.header.shelf, 1, "by the name it was asked for");
	cr_expect(aoe_export_idle(old));
	aoe_export_destroy(old);
	rig_remove(rig, export_);
	rig_disk_fini(&other);
	rig_destroy(rig);
}

Test(aoe_exports, a_replacement_keeps_a_durable_state_that_is_newer_than_its_message)
{
	struct rig *rig = rig_create();
	struct aoe_export *old = rig_serve_one(rig);
	rig_ask(rig, rig_config(AOE_CONFIG_SET, "new", 3));
	rig_persisted(rig, 0, 7);
	rig_next(rig);
	struct aoe_export *export_ = aoe_export_create(rig_put(1, 0), &rig->disk.volume); /* generation 1, no string */
	aoe_export_destroy(aoe_export_add(rig->lcore, export_, false, 0));
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0))->frame.config.string_bytes, 3);
	(void)old;

	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->state_generation = 8;
	struct aoe_export *newer = aoe_export_create(put, &rig->disk.volume);
	aoe_export_destroy(aoe_export_add(rig->lcore, newer, false, 0));
	cr_expect_eq(rig_ask(rig, rig_config(AOE_CONFIG_READ, NULL, 0))->frame.config.string_bytes, 0);
	rig_remove(rig, newer);
	rig_destroy(rig);
}

Test(aoe_exports, two_exports_can_swap_addresses_one_at_a_time)
{
	struct rig *rig = rig_create();
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	memcpy(put->serial, "AAA", 4);
	struct aoe_export *a = rig_serve(rig, put);
	put = rig_put(2, 0);
	memcpy(put->serial, "BBB", 4);
	struct aoe_export *b = rig_serve(rig, put);

	put = rig_put(2, 0); /* a takes b's address while b has it */
	put->id = 0x100;
	memcpy(put->serial, "AAA", 4);
	struct aoe_export *a2 = aoe_export_create(put, &rig->disk.volume);
	aoe_export_destroy(aoe_export_add(rig->lcore, a2, false, 0));
	const struct rig_answer *answer = rig_ask(rig, rig_to(rig_ata(ATA_IDENTIFY, 0, 1), 2, 0));
	rig_expect_done(answer);
	cr_expect_eq(memcmp(answer->bytes + 36 + 20, "AA A", 4), 0, "the later one has it");
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_IDENTIFY, 0, 1))->verdict, AOE_DROP);

	rig_ask(rig, rig_to(rig_config(AOE_CONFIG_READ, NULL, 0), AOE_SHELF_ANY, AOE_SLOT_ANY));
	cr_expect_eq(rig_poll(rig), 1, "one answer for one address");
	rig_next(rig);

	rig_remove(rig, a2);
	answer = rig_ask(rig, rig_to(rig_ata(ATA_IDENTIFY, 0, 1), 2, 0));
	rig_expect_done(answer);
	cr_expect_eq(memcmp(answer->bytes + 36 + 20, "BB B", 4), 0, "b has it again");
	rig_remove(rig, b);
	cr_expect_eq(rig_ask(rig, rig_to(rig_ata(ATA_IDENTIFY, 0, 1), 2, 0))->verdict, AOE_DROP);
	(void)a;
	rig_destroy(rig);
}

Test(aoe_exports, a_shadowed_export_can_go_without_taking_the_address_along)
{
	struct rig *rig = rig_create();
	struct aoe_export *first = rig_serve_one(rig);
	struct wherry_ctl_aoe_export_put *put = rig_put(1, 0);
	put->id = 999;
	struct aoe_export *second = rig_serve(rig, put);
	rig_remove(rig, first);
	rig_expect_done(rig_ask(rig, rig_ata(ATA_READ, 0, 1)));
	rig_remove(rig, second);
	cr_expect_eq(rig_ask(rig, rig_ata(ATA_READ, 0, 1))->verdict, AOE_DROP);
	rig_destroy(rig);
}

Test(aoe_exports, thousands_are_served_by_one_lcore)
{
	enum { COUNT = 5000 };
	static struct aoe_export *exports[COUNT];
	struct rig *rig = rig_create();
	for (unsigned i = 0; i < COUNT; i++)
		exports[i] = rig_serve(rig, rig_put((uint16_t)(i / 200), (uint8_t)(i % 200)));
	for (unsigned i = 0; i < COUNT; i += 37) {
		const struct rig_answer *answer =
			rig_ask(rig, rig_to(rig_ata(ATA_READ, 0, 1), (uint16_t)(i / 200), (uint8_t)(i % 200)));
		rig_expect_done(answer);
		cr_expect_eq(answer->frame.header.shelf, i / 200);
		cr_expect_eq(answer->frame.header.slot, i % 200);
		cr_expect_eq(rig_stat(exports[i], WHERRY_EXPORT_read_ops), 1);
	}
	for (unsigned i = 0; i < COUNT; i += 2) {
		rig_remove(rig, exports[i]);
		exports[i] = NULL;
	}
	for (unsigned i = 0; i < COUNT; i += 37)
		cr_expect_eq(
			rig_ask(rig, rig_to(rig_ata(ATA_READ, 0, 1), (uint16_t)(i / 200), (uint8_t)(i % 200)))->got,
			i % 2 == 1, "export %u", i);
	for (unsigned i = 1; i < COUNT; i += 2)
		rig_remove(rig, exports[i]);
	rig_destroy(rig);
}

Test(aoe_exports, an_lcore_can_end_with_exports_on_it)
{
	struct rig *rig = rig_create();
	struct aoe_export *export_ = rig_serve_one(rig);
	rig_ask(rig, rig_to(rig_config(AOE_CONFIG_READ, NULL, 0), AOE_SHELF_ANY, AOE_SLOT_ANY)); /* waits for a poll */
	rig_destroy(rig);
	aoe_export_destroy(export_);
}
