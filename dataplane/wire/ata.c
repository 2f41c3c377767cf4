/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ATA commands and structures: table, IDENTIFY, SMART.
 * Words are little-endian, counted from 0 as the standard does.
 */
#include "wire/ata.h"

#include <string.h>

const struct ata_command ata_commands[256] = {
	[ATA_DATA_SET_MANAGEMENT] = {ATA_KIND_TRIM, true, true},
	[ATA_READ] = {ATA_KIND_READ, false, false},
	[ATA_READ_NO_RETRY] = {ATA_KIND_READ, false, false},
	[ATA_READ_EXT] = {ATA_KIND_READ, true, false},
	[ATA_WRITE] = {ATA_KIND_WRITE, false, true},
	[ATA_WRITE_NO_RETRY] = {ATA_KIND_WRITE, false, true},
	[ATA_WRITE_EXT] = {ATA_KIND_WRITE, true, true},
	[ATA_VERIFY] = {ATA_KIND_VERIFY, false, false},
	[ATA_VERIFY_EXT] = {ATA_KIND_VERIFY, true, false},
	[ATA_SMART] = {ATA_KIND_SMART, false, false},
	[ATA_STANDBY_IMMEDIATE] = {ATA_KIND_STANDBY, false, false},
	[ATA_IDLE_IMMEDIATE] = {ATA_KIND_IDLE, false, false},
	[ATA_STANDBY] = {ATA_KIND_STANDBY, false, false},
	[ATA_IDLE] = {ATA_KIND_IDLE, false, false},
	[ATA_CHECK_POWER_MODE] = {ATA_KIND_CHECK_POWER, false, false},
	[ATA_FLUSH] = {ATA_KIND_FLUSH, false, false},
	[ATA_FLUSH_EXT] = {ATA_KIND_FLUSH, true, false},
	[ATA_IDENTIFY] = {ATA_KIND_IDENTIFY, false, false},
	[ATA_SET_FEATURES] = {ATA_KIND_FEATURES, false, false},
};

/* IDENTIFY words (ATA8-ACS 7.16) */
enum {
	ID_GENERAL = 0,
	ID_CYLINDERS = 1,
	ID_HEADS = 3,
	ID_SECTORS_PER_TRACK = 6,
	ID_SERIAL = 10,
	ID_FIRMWARE = 23,
	ID_MODEL = 27,
	ID_MULTIPLE = 47,
	ID_CAPABILITIES = 49,
	ID_CAPABILITIES_2 = 50,
	ID_VALID = 53,
	ID_CURRENT_CYLINDERS = 54,
	ID_CURRENT_HEADS = 55,
	ID_CURRENT_SECTORS_PER_TRACK = 56,
	ID_CURRENT_CAPACITY = 57,
	ID_LBA28_CAPACITY = 60,
	ID_MAJOR_VERSION = 80,
	ID_SUPPORTED_1 = 82,
	ID_SUPPORTED_2 = 83,
	ID_SUPPORTED_3 = 84,
	ID_ENABLED_1 = 85,
	ID_ENABLED_2 = 86,
	ID_ENABLED_3 = 87,
	ID_LBA48_CAPACITY = 100,
	ID_TRIM_SECTORS_MAX = 105,
	ID_SECTOR_SIZES = 106,
	ID_LOGICAL_SECTOR_WORDS = 117,
	ID_DSM = 169,
	ID_ALIGNMENT = 209,
	ID_ROTATION = 217,
	ID_INTEGRITY = 255,
};

#define ID_WORD_VALID 0x4000u /* bits 15:14 = 01 */
#define ID_1_SMART 0x0001u
#define ID_1_POWER 0x0008u
#define ID_1_WRITE_CACHE 0x0020u
#define ID_2_LBA48 0x0400u
#define ID_2_FLUSH 0x1000u
#define ID_2_FLUSH_EXT 0x2000u
#define ID_MULTIPLE_LOGICAL 0x2000u
#define ID_SIGNATURE 0xa5u

static void word_put(uint8_t *data, unsigned index, unsigned value)
{
	((le16 *)data)[index] = le16_of((uint16_t)value);
}

static uint16_t word_get(const uint8_t *data, unsigned index)
{
	return le16_get(((const le16 *)data)[index]);
}

/* Text: the first character of each pair is in the high byte; padded with blanks. */
static void text_put(uint8_t *data, unsigned index, const char *text, unsigned chars)
{
	size_t len = strnlen(text, chars);
	for (unsigned i = 0; i < chars; i++)
		data[2 * index + (i ^ 1)] = i < len ? (uint8_t)text[i] : ' ';
}

/* Ends at a NUL, which no text should hold, or where only blanks follow. */
static void text_get(const uint8_t *data, unsigned index, char *text, unsigned chars)
{
	unsigned len = 0;
	for (unsigned i = 0; i < chars; i++) {
		text[i] = (char)data[2 * index + (i ^ 1)];
		if (text[i] == '\0')
			break;
		if (text[i] != ' ')
			len = i + 1;
	}
	text[len] = '\0';
}

/* Makes the 512 bytes add up to zero. */
static void checksum_put(uint8_t *data)
{
	uint8_t sum = 0;
	for (unsigned i = 0; i < ATA_SECTOR_BYTES - 1; i++)
		sum = (uint8_t)(sum + data[i]);
	data[ATA_SECTOR_BYTES - 1] = (uint8_t)-sum;
}

/* Cylinders, heads and sectors: only old software looks, and only below 8 GB. */
static void geometry_put(uint8_t *data, uint64_t sector_count)
{
	const unsigned heads = 16, sectors_per_track = 63, cylinders_max = 16383;
	uint64_t cylinders = sector_count / (heads * sectors_per_track);
	if (cylinders > cylinders_max)
		cylinders = cylinders_max;
	uint32_t capacity = (uint32_t)cylinders * heads * sectors_per_track;
	word_put(data, ID_CYLINDERS, (unsigned)cylinders);
	word_put(data, ID_HEADS, heads);
	word_put(data, ID_SECTORS_PER_TRACK, sectors_per_track);
	word_put(data, ID_VALID, 0x0001); /* words 54-58 */
	word_put(data, ID_CURRENT_CYLINDERS, (unsigned)cylinders);
	word_put(data, ID_CURRENT_HEADS, heads);
	word_put(data, ID_CURRENT_SECTORS_PER_TRACK, sectors_per_track);
	word_put(data, ID_CURRENT_CAPACITY, capacity & 0xffff);
	word_put(data, ID_CURRENT_CAPACITY + 1, capacity >> 16);
}

static void capacity_put(uint8_t *data, uint64_t sector_count)
{
	uint64_t lba28 = sector_count < ATA_LBA28_MASK ? sector_count : ATA_LBA28_MASK;
	word_put(data, ID_LBA28_CAPACITY, lba28 & 0xffff);
	word_put(data, ID_LBA28_CAPACITY + 1, (unsigned)(lba28 >> 16));
	for (unsigned i = 0; i < 4; i++)
		word_put(data, ID_LBA48_CAPACITY + i, (sector_count >> 16 * i) & 0xffff);
}

void ata_identify_emit(uint8_t data[ATA_SECTOR_BYTES], const struct ata_identify *identify)
{
	unsigned write_cache = identify->write_cache ? ID_1_WRITE_CACHE : 0;
	unsigned second = ID_2_LBA48 | ID_2_FLUSH | ID_2_FLUSH_EXT;

	memset(data, 0, ATA_SECTOR_BYTES);
	word_put(data, ID_GENERAL, 0x0040); /* ATA, fixed medium */
	geometry_put(data, identify->sector_count);
	text_put(data, ID_SERIAL, identify->serial, ATA_SERIAL_CHARS);
	text_put(data, ID_FIRMWARE, identify->firmware, ATA_FIRMWARE_CHARS);
	text_put(data, ID_MODEL, identify->model, ATA_MODEL_CHARS);
	word_put(data, ID_MULTIPLE, 0x8000);     /* no READ/WRITE MULTIPLE */
	word_put(data, ID_CAPABILITIES, 0x0200); /* LBA */
	word_put(data, ID_CAPABILITIES_2, ID_WORD_VALID);
	capacity_put(data, identify->sector_count);
	word_put(data, ID_MAJOR_VERSION, 0x01f0); /* ATA/ATAPI-4 to ATA8-ACS */
	word_put(data, ID_SUPPORTED_1, ID_1_SMART | ID_1_POWER | write_cache);
	word_put(data, ID_SUPPORTED_2, ID_WORD_VALID | second);
	word_put(data, ID_SUPPORTED_3, ID_WORD_VALID);
	word_put(data, ID_ENABLED_1, (identify->smart_enabled ? ID_1_SMART : 0) | ID_1_POWER | write_cache);
	word_put(data, ID_ENABLED_2, second);
	word_put(data, ID_ENABLED_3, ID_WORD_VALID);
	word_put(data, ID_SECTOR_SIZES,
		 ID_WORD_VALID | (identify->physical_shift ? ID_MULTIPLE_LOGICAL | identify->physical_shift : 0));
	word_put(data, ID_LOGICAL_SECTOR_WORDS, ATA_SECTOR_BYTES / 2);
	if (identify->trim) {
		word_put(data, ID_TRIM_SECTORS_MAX, identify->trim_sectors_max);
		word_put(data, ID_DSM, 0x0001);
	}
	word_put(data, ID_ALIGNMENT, ID_WORD_VALID); /* logical sector 0 starts a physical one */
	word_put(data, ID_ROTATION, 1);              /* does not rotate */
	data[2 * ID_INTEGRITY] = ID_SIGNATURE;
	checksum_put(data);
}

struct wire_status ata_identify_parse(const uint8_t data[ATA_SECTOR_BYTES], struct ata_identify *identify)
{
	uint8_t sum = 0;
	for (unsigned i = 0; i < ATA_SECTOR_BYTES; i++)
		sum = (uint8_t)(sum + data[i]);
	if (data[2 * ID_INTEGRITY] != ID_SIGNATURE)
		return wire_no(WIRE_BAD, WIRE_WHY_ATA_IDENTIFY_SIGNATURE);
	if (sum)
		return wire_no(WIRE_BAD, WIRE_WHY_ATA_IDENTIFY_CHECKSUM);

	memset(identify, 0, sizeof *identify);
	text_get(data, ID_SERIAL, identify->serial, ATA_SERIAL_CHARS);
	text_get(data, ID_FIRMWARE, identify->firmware, ATA_FIRMWARE_CHARS);
	text_get(data, ID_MODEL, identify->model, ATA_MODEL_CHARS);
	if (word_get(data, ID_SUPPORTED_2) & ID_2_LBA48) {
		for (unsigned i = 0; i < 4; i++)
			identify->sector_count |= (uint64_t)word_get(data, ID_LBA48_CAPACITY + i) << 16 * i;
	} else {
		identify->sector_count =
			word_get(data, ID_LBA28_CAPACITY) | (uint32_t)word_get(data, ID_LBA28_CAPACITY + 1) << 16;
	}
	uint16_t sizes = word_get(data, ID_SECTOR_SIZES);
	if ((sizes & 0xc000) == ID_WORD_VALID && sizes & ID_MULTIPLE_LOGICAL)
		identify->physical_shift = sizes & 0xf;
	identify->smart_enabled = word_get(data, ID_ENABLED_1) & ID_1_SMART;
	identify->write_cache = word_get(data, ID_ENABLED_1) & ID_1_WRITE_CACHE;
	identify->trim = word_get(data, ID_DSM) & 1;
	identify->trim_sectors_max = word_get(data, ID_TRIM_SECTORS_MAX);
	return wire_ok();
}

void ata_smart_data_emit(uint8_t data[ATA_SECTOR_BYTES])
{
	memset(data, 0, ATA_SECTOR_BYTES);
	word_put(data, 0, 0x0010); /* structure revision; no attributes follow */
	/* 362: off-line collection never started; 363: self-test never run; 367: off-line immediate is served. */
	data[367] = 0x01;
	checksum_put(data);
}

bool ata_smart_log_emit(uint8_t data[ATA_SECTOR_BYTES], uint8_t log_address)
{
	memset(data, 0, ATA_SECTOR_BYTES);
	switch (log_address) {
	case ATA_SMART_LOG_DIRECTORY: /* one sector each; the directory carries no checksum */
		word_put(data, 0, 1);
		word_put(data, ATA_SMART_LOG_SUMMARY_ERROR, 1);
		word_put(data, ATA_SMART_LOG_SELF_TEST, 1);
		return true;
	case ATA_SMART_LOG_SUMMARY_ERROR:
		data[0] = 1;
		checksum_put(data);
		return true;
	case ATA_SMART_LOG_SELF_TEST:
		word_put(data, 0, 1);
		checksum_put(data);
		return true;
	default:
		return false;
	}
}
