/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ATA commands and data structures that travel inside AoE (ATA8-ACS).
 * Registers are AoE's business (wire/aoe.h); here is what they mean.
 * Pure, any thread.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "util/bytes.h"
#include "wire/wire.h"

#define ATA_SECTOR_BYTES 512u
#define ATA_SECTOR_SHIFT 9
#define ATA_LBA28_MASK 0x0fffffffull
#define ATA_LBA48_MASK 0xffffffffffffull

/* Command register */
enum ata_opcode {
	ATA_DATA_SET_MANAGEMENT = 0x06,
	ATA_READ = 0x20,
	ATA_READ_NO_RETRY = 0x21,
	ATA_READ_EXT = 0x24,
	ATA_WRITE = 0x30,
	ATA_WRITE_NO_RETRY = 0x31,
	ATA_WRITE_EXT = 0x34,
	ATA_VERIFY = 0x40,
	ATA_VERIFY_EXT = 0x42,
	ATA_SMART = 0xb0,
	ATA_STANDBY_IMMEDIATE = 0xe0,
	ATA_IDLE_IMMEDIATE = 0xe1,
	ATA_STANDBY = 0xe2,
	ATA_IDLE = 0xe3,
	ATA_CHECK_POWER_MODE = 0xe5,
	ATA_FLUSH = 0xe7,
	ATA_FLUSH_EXT = 0xea,
	ATA_IDENTIFY = 0xec,
	ATA_SET_FEATURES = 0xef,
};

/* Status and error registers */
#define ATA_STATUS_READY 0x40
#define ATA_STATUS_ERROR 0x41
#define ATA_ERROR_ABORT 0x04
#define ATA_ERROR_NOT_FOUND 0x10
#define ATA_ERROR_UNCORRECTABLE 0x40

/* What an opcode asks for. */
enum ata_kind {
	ATA_KIND_UNKNOWN,
	ATA_KIND_READ,
	ATA_KIND_WRITE,
	ATA_KIND_VERIFY,
	ATA_KIND_FLUSH,
	ATA_KIND_TRIM,
	ATA_KIND_IDENTIFY,
	ATA_KIND_SMART,
	ATA_KIND_FEATURES,
	ATA_KIND_CHECK_POWER,
	ATA_KIND_IDLE,
	ATA_KIND_STANDBY,
	ATA_KIND_COUNT,
};

struct ata_command {
	uint8_t kind;  /* enum ata_kind */
	bool lba48;    /* 48-bit addresses; else bits 28.. of the LBA registers are not address */
	bool data_out; /* the request carries sector count * 512 bytes */
};

extern const struct ata_command ata_commands[256];

/* The address that the six LBA registers, little-endian, hold for this command. */
static inline uint64_t ata_lba(const uint8_t lba[6], bool lba48)
{
	uint64_t low = (uint64_t)lba[0] | (uint64_t)lba[1] << 8 | (uint64_t)lba[2] << 16 | (uint64_t)lba[3] << 24;
	uint64_t high = (uint64_t)lba[4] << 32 | (uint64_t)lba[5] << 40;
	return lba48 ? low | high : low & ATA_LBA28_MASK;
}

/* SMART: feature register, and the signature in the LBA registers (ATA8-ACS 7.48). */
enum ata_smart {
	ATA_SMART_READ_DATA = 0xd0,
	ATA_SMART_AUTOSAVE = 0xd2,
	ATA_SMART_OFFLINE_IMMEDIATE = 0xd4,
	ATA_SMART_READ_LOG = 0xd5,
	ATA_SMART_WRITE_LOG = 0xd6,
	ATA_SMART_ENABLE = 0xd8,
	ATA_SMART_DISABLE = 0xd9,
	ATA_SMART_RETURN_STATUS = 0xda,
};
#define ATA_SMART_LBA_MID 0x4f
#define ATA_SMART_LBA_HIGH 0xc2
#define ATA_SMART_LOG_DIRECTORY 0x00
#define ATA_SMART_LOG_SUMMARY_ERROR 0x01
#define ATA_SMART_LOG_SELF_TEST 0x06

/* SET FEATURES: feature register. */
#define ATA_FEATURE_WRITE_CACHE_ON 0x02
#define ATA_FEATURE_TRANSFER_MODE 0x03
#define ATA_FEATURE_WRITE_CACHE_OFF 0x82

#define ATA_TRIM_FEATURE 0x01 /* feature register of DATA SET MANAGEMENT */
#define ATA_TRIM_RANGES_PER_SECTOR 64u

struct ata_trim_range {
	uint64_t lba;
	uint32_t sector_count; /* 0: the entry is not used */
};

/* Range `index` of a TRIM payload, which must hold (index + 1) * 8 bytes. */
static inline struct ata_trim_range ata_trim_range_parse(const uint8_t *payload, uint32_t index)
{
	uint64_t entry = le64_get(((const le64 *)payload)[index]);
	return (struct ata_trim_range){entry & ATA_LBA48_MASK, (uint32_t)(entry >> 48)};
}

static inline void ata_trim_range_emit(uint8_t *payload, uint32_t index, struct ata_trim_range range)
{
	((le64 *)payload)[index] = le64_of((range.lba & ATA_LBA48_MASK) | (uint64_t)range.sector_count << 48);
}

#define ATA_SERIAL_CHARS 20
#define ATA_FIRMWARE_CHARS 8
#define ATA_MODEL_CHARS 40

/* What IDENTIFY DEVICE tells. */
struct ata_identify {
	char serial[ATA_SERIAL_CHARS + 1]; /* blanks at the end removed */
	char firmware[ATA_FIRMWARE_CHARS + 1];
	char model[ATA_MODEL_CHARS + 1];
	uint64_t sector_count;  /* of 512 bytes */
	uint8_t physical_shift; /* log2 of logical sectors per physical sector */
	bool smart_enabled;
	bool write_cache; /* present, and on */
	bool trim;
	uint16_t trim_sectors_max; /* payload sectors of one TRIM */
};

void ata_identify_emit(uint8_t data[ATA_SECTOR_BYTES], const struct ata_identify *identify);
/* BAD when the integrity word is there and wrong, or not there. */
__attribute__((warn_unused_result)) struct wire_status ata_identify_parse(const uint8_t data[ATA_SECTOR_BYTES],
									  struct ata_identify *identify);

/* SMART data of a device that is well and has nothing to tell.  Whole sector, checksum included. */
void ata_smart_data_emit(uint8_t data[ATA_SECTOR_BYTES]);
/* An empty log of the given address.  False when there is no such log. */
bool ata_smart_log_emit(uint8_t data[ATA_SECTOR_BYTES], uint8_t log_address);
