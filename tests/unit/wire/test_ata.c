/* SPDX-License-Identifier: BSD-3-Clause */
/* ATA: the command table, addresses, IDENTIFY, TRIM ranges, SMART structures. */
#include <criterion/criterion.h>
#include <string.h>

#include "wire/ata.h"

static uint16_t word(const uint8_t *data, unsigned index)
{
	return (uint16_t)(data[2 * index] | data[2 * index + 1] << 8);
}

static uint8_t sum(const uint8_t *data)
{
	uint8_t total = 0;
	for (int i = 0; i < 512; i++)
		total = (uint8_t)(total + data[i]);
	return total;
}

Test(ata, opcode_decides_between_28_and_48_bits_and_who_sends_data)
{
	static const struct {
		uint8_t opcode, kind;
		bool lba48, data_out;
	} cases[] = {
		{0x20, ATA_KIND_READ, false, false},        {0x21, ATA_KIND_READ, false, false},
		{0x24, ATA_KIND_READ, true, false},         {0x30, ATA_KIND_WRITE, false, true},
		{0x31, ATA_KIND_WRITE, false, true},        {0x34, ATA_KIND_WRITE, true, true},
		{0x40, ATA_KIND_VERIFY, false, false},      {0x42, ATA_KIND_VERIFY, true, false},
		{0x06, ATA_KIND_TRIM, true, true},          {0xe7, ATA_KIND_FLUSH, false, false},
		{0xea, ATA_KIND_FLUSH, true, false},        {0xec, ATA_KIND_IDENTIFY, false, false},
		{0xb0, ATA_KIND_SMART, false, false},       {0xef, ATA_KIND_FEATURES, false, false},
		{0xe5, ATA_KIND_CHECK_POWER, false, false}, {0xe0, ATA_KIND_STANDBY, false, false},
		{0xe1, ATA_KIND_IDLE, false, false},        {0xe2, ATA_KIND_STANDBY, false, false},
		{0xe3, ATA_KIND_IDLE, false, false},
	};
	unsigned known = 0;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct ata_command command = ata_commands[cases[i].opcode];
		cr_expect_eq(command.kind, cases[i].kind, "opcode %02x", cases[i].opcode);
		cr_expect_eq(command.lba48, cases[i].lba48, "opcode %02x", cases[i].opcode);
		cr_expect_eq(command.data_out, cases[i].data_out, "opcode %02x", cases[i].opcode);
	}
	for (int i = 0; i < 256; i++)
		known += ata_commands[i].kind != ATA_KIND_UNKNOWN;
	cr_expect_eq(known, sizeof cases / sizeof *cases, "no opcode beyond these");
}

Test(ata, address_of_a_28_bit_command_ignores_the_device_bits)
{
	const uint8_t lba[6] = {0x01, 0x02, 0x03, 0xe4, 0x55, 0x66};
	cr_expect_eq(ata_lba(lba, false), 0x4030201);
	cr_expect_eq(ata_lba(lba, true), 0x6655e4030201ull);
	const uint8_t high[6] = {0, 0, 0, 0x80, 0, 0};
	cr_expect_eq(ata_lba(high, true), 0x80000000ull, "no sign extension");
}

Test(ata, identify_words_are_where_clients_read_them)
{
	uint8_t data[512];
	struct ata_identify identify = {
		.serial = "SER123",
		.firmware = "0.1",
		.model = "wherry",
		.sector_count = 0x123456789aull,
		.smart_enabled = true,
		.trim = true,
		.trim_sectors_max = 1,
	};
	memset(data, 0xa5, sizeof data);
	ata_identify_emit(data, &identify);
	cr_expect_eq(word(data, 0), 0x0040);
	cr_expect_eq(memcmp(data + 20, "ES1R32              ", 20), 0, "serial, bytes swapped in each word");
	cr_expect_eq(memcmp(data + 46, ".0 1    ", 8), 0, "firmware, bytes swapped in each word");
	cr_expect_eq(memcmp(data + 54, "hwreyr  ", 8), 0, "model, bytes swapped in each word");
	for (int i = 54 + 6; i < 54 + 40; i++)
		cr_expect_eq(data[i], ' ', "model is padded with blanks at %d", i);
	cr_expect_eq(word(data, 47), 0x8000);
	cr_expect_eq(word(data, 49), 0x0200);
	cr_expect_eq(word(data, 53) & 1, 1);
	cr_expect_eq(word(data, 55), 16);
	cr_expect_eq(word(data, 56), 63);
	cr_expect_eq(word(data, 60), 0xffff);
	cr_expect_eq(word(data, 61), 0x0fff, "28-bit capacity is clamped");
	cr_expect_eq(word(data, 82) & 1, 1, "SMART");
	cr_expect_eq(word(data, 82) & 0x20, 0, "no write cache");
	cr_expect_eq(word(data, 83), 0x7400, "48 bits, both flushes");
	cr_expect_eq(word(data, 84), 0x4000);
	cr_expect_eq(word(data, 85), word(data, 82), "what is supported is enabled");
	cr_expect_eq(word(data, 86), 0x3400);
	cr_expect_eq(word(data, 87), 0x4000);
	cr_expect_eq(word(data, 100), 0x789a);
	cr_expect_eq(word(data, 101), 0x3456);
	cr_expect_eq(word(data, 102), 0x0012);
	cr_expect_eq(word(data, 103), 0);
	cr_expect_eq(word(data, 105), 1);
	cr_expect_eq(word(data, 106), 0x4000);
	cr_expect_eq(word(data, 117), 256);
	cr_expect_eq(word(data, 118), 0);
	cr_expect_eq(word(data, 169), 1);
	cr_expect_eq(word(data, 217), 1);
	cr_expect_eq(data[510], 0xa5);
	cr_expect_eq(sum(data), 0);
}

Test(ata, identify_tells_4096_byte_blocks_write_cache_and_missing_trim)
{
	uint8_t data[512];
	struct ata_identify identify = {.sector_count = 2048, .physical_shift = 3, .write_cache = true};
	ata_identify_emit(data, &identify);
	cr_expect_eq(word(data, 60), 2048);
	cr_expect_eq(word(data, 61), 0);
	cr_expect_eq(word(data, 106), 0x6003, "eight logical sectors in a physical one");
	cr_expect_eq(word(data, 209), 0x4000);
	cr_expect_eq(word(data, 82) & 0x21, 0x21);
	cr_expect_eq(word(data, 85) & 0x21, 0x20, "SMART is there but off");
	cr_expect_eq(word(data, 169), 0);
	cr_expect_eq(word(data, 105), 0);
}

Test(ata, identify_survives_emit_and_parse)
{
	static const struct ata_identify cases[] = {
		{.serial = "12345678901234567890",
		 .firmware = "12345678",
		 .model = "1234567890123456789012345678901234567890",
		 .sector_count = ATA_LBA48_MASK,
		 .physical_shift = 3,
		 .smart_enabled = true,
		 .write_cache = true,
		 .trim = true,
		 .trim_sectors_max = 8},
		{.serial = "", .firmware = "x", .model = "a b", .sector_count = 1},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		uint8_t data[512];
		struct ata_identify back;
		ata_identify_emit(data, &cases[i]);
		cr_assert_eq(ata_identify_parse(data, &back).result, WIRE_OK);
		cr_expect_str_eq(back.serial, cases[i].serial);
		cr_expect_str_eq(back.firmware, cases[i].firmware);
		cr_expect_str_eq(back.model, cases[i].model);
		cr_expect_eq(back.sector_count, cases[i].sector_count);
		cr_expect_eq(back.physical_shift, cases[i].physical_shift);
		cr_expect_eq(back.smart_enabled, cases[i].smart_enabled);
		cr_expect_eq(back.write_cache, cases[i].write_cache);
		cr_expect_eq(back.trim, cases[i].trim);
		cr_expect_eq(back.trim_sectors_max, cases[i].trim_sectors_max);
	}
}

Test(ata, identify_text_ends_at_a_nul_or_at_its_blanks)
{
	uint8_t data[512];
	struct ata_identify identify = {.model = "two  blanks"}, back;
	ata_identify_emit(data, &identify);
	cr_assert_eq(ata_identify_parse(data, &back).result, WIRE_OK);
	cr_expect_str_eq(back.model, "two  blanks");
	data[54 + (4 ^ 1)] = '\0'; /* in the second blank; the checksum makes up for it */
	data[511] = (uint8_t)(data[511] + ' ');
	cr_assert_eq(ata_identify_parse(data, &back).result, WIRE_OK);
	cr_expect_str_eq(back.model, "two", "and the blank before it goes too");
}

Test(ata, identify_with_any_byte_changed_is_refused)
{
	uint8_t data[512];
	struct ata_identify identify = {.sector_count = 2048}, back;
	ata_identify_emit(data, &identify);
	for (int i = 0; i < 512; i++) {
		data[i] ^= 0x10;
		struct wire_status status = ata_identify_parse(data, &back);
		cr_expect_eq(status.result, WIRE_BAD, "byte %d", i);
		cr_expect_eq(status.reason, i == 510 ? WIRE_WHY_ATA_IDENTIFY_SIGNATURE : WIRE_WHY_ATA_IDENTIFY_CHECKSUM,
			     "byte %d", i);
		data[i] ^= 0x10;
	}
}

Test(ata, trim_ranges_are_48_bits_of_address_and_16_of_count)
{
	uint8_t payload[16] = {0};
	const uint8_t golden[8] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0xff, 0x80};
	struct ata_trim_range range = {0x060504030201ull, 0x80ff};
	ata_trim_range_emit(payload, 1, range);
	cr_expect_arr_eq(payload + 8, golden, 8);
	struct ata_trim_range back = ata_trim_range_parse(payload, 1);
	cr_expect_eq(back.lba, range.lba);
	cr_expect_eq(back.sector_count, range.sector_count);
	cr_expect_eq(ata_trim_range_parse(payload, 0).sector_count, 0);
}

Test(ata, smart_structures_are_whole_and_add_up)
{
	uint8_t data[512];
	ata_smart_data_emit(data);
	cr_expect_eq(sum(data), 0);
	cr_expect(ata_smart_log_emit(data, 0));
	cr_expect_eq(word(data, 0), 1, "directory version");
	for (unsigned i = 1; i < 256; i++) {
		uint8_t log[512];
		cr_expect_eq(ata_smart_log_emit(log, (uint8_t)i), word(data, i) != 0, "log %u is as in the directory",
			     i);
		if (word(data, i))
			cr_expect_eq(sum(log), 0, "log %u", i);
	}
}
