/* SPDX-License-Identifier: BSD-3-Clause */
/* What a volume knows of the holes of its store, from creation on. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ctl/server_priv.h"
#include "ctl/volumes.h"
#include "fake.h"

#define MIB (1ull << 20)

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

TestSuite(ctl_holes, .init = init, .fini = fini);

/* A file of 4 MiB whose second MiB is data. */
static int sparse_file(void)
{
	char path[] = "/tmp/wherry-holes.XXXXXX";
	static uint8_t data[MIB];
	int fd = mkstemp(path);
	cr_assert(fd >= 0);
	unlink(path);
	memset(data, 1, sizeof data);
	cr_assert(ftruncate(fd, 4 * (off_t)MIB) == 0 && pwrite(fd, data, MIB, (off_t)MIB) == (ssize_t)MIB);
	return fd;
}

static void put(uint64_t generation, uint32_t flags, int fd)
{
	static uint8_t packet[1024];
	const struct wherry_ctl_volume_put m = {.id = 1,
						.generation = generation,
						.name = "vol",
						.backend = WHERRY_BACKEND_FILE,
						.flags = flags,
						.size_bytes = 4 * MIB,
						.block_bytes = 512,
						.align_bytes = 512,
						.memory_align_bytes = 512};
	client_send(&c, packet, wherry_ctl_put_volume_put(packet, sizeof packet, ++next_id, &m), fd);
	close(fd);
	client_expect_ok(&c, next_id);
}

Test(ctl_holes, are_found_at_creation)
{
	put(1, 0, sparse_file());
	const struct vol_map *map = ctl_volume_find(1)->volume.map;
	cr_expect(vol_map_is_hole(map, 0, MIB) && vol_map_is_hole(map, 2 * MIB, 2 * MIB));
	cr_expect(!vol_map_is_hole(map, MIB, 512) && !vol_map_is_hole(map, 2 * MIB - 512, 512));
}

Test(ctl_holes, are_not_believed_of_what_others_may_write)
{
	put(1, WHERRY_VOLUME_READ_ONLY, sparse_file());
	cr_expect(!vol_map_is_hole(ctl_volume_find(1)->volume.map, 0, 512));
}

Test(ctl_holes, are_forgotten_when_the_volume_was_out_of_service)
{
	put(1, 0, sparse_file());
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = false);
	client_expect_ok(&c, next_id);
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id);
	cr_expect(!vol_map_is_hole(ctl_volume_find(1)->volume.map, 0, 512));
}

Test(ctl_holes, are_those_of_the_new_store_after_an_exchange)
{
	put(1, 0, sparse_file());
	int full = sparse_file();
	static uint8_t data[MIB];
	cr_assert(pwrite(full, data, MIB, 0) == (ssize_t)MIB);
	put(2, 0, full);
	const struct vol_map *map = ctl_volume_find(1)->volume.map;
	cr_expect(!vol_map_is_hole(map, 0, 512) && vol_map_is_hole(map, 2 * MIB, 2 * MIB));
}
