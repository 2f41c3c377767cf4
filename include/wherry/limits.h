/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hard limits that both processes and the operator's documentation agree on.
 * Pools are sized from these at start; nothing grows past them at run time.
 */
#pragma once

#define WHERRY_NAME_BYTES_MAX 63   /* object names: [A-Za-z0-9._-], no leading '-' or '.' */
#define WHERRY_PATH_BYTES_MAX 1023 /* absolute path of a backing file or device */
#define WHERRY_TEXT_BYTES_MAX 511  /* an error or event message */

#define WHERRY_VOLUME_COUNT_MAX 16384
#define WHERRY_EXPORT_COUNT_MAX 16384
#define WHERRY_PORT_COUNT_MAX 16
#define WHERRY_LCORE_COUNT_MAX 64
#define WHERRY_VLAN_COUNT_MAX 64     /* VLAN sub-interfaces of one port */
#define WHERRY_CLIENT_COUNT_MAX 4096 /* clients remembered per worker lcore; the longest silent is forgotten */

#define WHERRY_AOE_CONFIG_BYTES_MAX 1024 /* Query Config string */
#define WHERRY_AOE_MASK_COUNT_MAX 185    /* MAC mask list: the whole list must fit one answer at MTU 1500 */
#define WHERRY_AOE_RESERVE_COUNT_MAX 255 /* NMacs is one byte */
#define WHERRY_AOE_SHELF_MAX 0xfffe      /* 0xffff is the wildcard */
#define WHERRY_AOE_SHELF_RESERVED 0x0fff /* Linux refuses answers that carry it */
#define WHERRY_AOE_SLOT_MAX 0xfe         /* 0xff is the wildcard */

#define WHERRY_ADDRESS_COUNT_MAX 128 /* IP addresses of the appliance */
#define WHERRY_ROUTE_COUNT_MAX 128
#define WHERRY_NBD_EXPORT_COUNT_MAX 4096
#define WHERRY_NBD_ALLOW_COUNT_MAX 64 /* address prefixes that one export is open to */
#define WHERRY_NBD_PORT_DEFAULT 10809 /* TCP */

#define WHERRY_VOLUME_BYTES_MIN 4096ull
#define WHERRY_VOLUME_BYTES_MAX (1ull << 57) /* 2^48 sectors of 512 bytes: LBA48 ends here */

#define WHERRY_PUNT_RATE_DEFAULT 10000 /* frames a second between a port and the kernel, each way */
#define WHERRY_PUNT_RATE_MAX 1000000

#define WHERRY_MTU_MIN 576
#define WHERRY_MTU_MAX 9216
