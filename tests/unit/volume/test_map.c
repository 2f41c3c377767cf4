/* SPDX-License-Identifier: BSD-3-Clause */
/* The allocation map, against a model of one byte a chunk, and on a volume. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "backend/engine.h"
#include "held.h"
#include "volume/volume.h"

#define CHUNK (1ull << VOL_MAP_CHUNK_BITS_MIN)
#define SIZE (200 * CHUNK + 4096) /* the last chunk is a part */
#define CHUNK_COUNT 201u

static struct vol_map *map_of(uint64_t size)
{
	struct vol_map *map = vol_map_create(size);
	cr_assert(map);
	return map;
}

Test(vol_map, starts_all_allocated)
{
	struct vol_map *map = map_of(SIZE);
	bool hole;
	cr_expect(vol_map_run(map, 0, SIZE, &hole) == SIZE && !hole);
	cr_expect(!vol_map_is_hole(map, 0, 512));
	vol_map_destroy(map);
}

Test(vol_map, stays_within_its_budget_for_every_size)
{
	static const uint64_t sizes[] = {
		4096, CHUNK, CHUNK + 512, 1ull << 40, (1ull << 40) + 512, 1ull << 45, WHERRY_VOLUME_BYTES_MAX};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct vol_map *map = map_of(sizes[i]);
		cr_expect(map->chunk_count <= VOL_MAP_BYTES_MAX * 8ull, "size %zu", i);
		cr_expect(map->chunk_count << map->chunk_bits >= sizes[i], "size %zu", i);
		vol_map_clear(map, 0, sizes[i]);
		cr_expect(vol_map_is_hole(map, 0, sizes[i]), "size %zu", i);
		cr_expect(vol_map_is_hole(map, sizes[i] - 512, 512), "size %zu", i);
		vol_map_set(map, sizes[i] - 1, 1);
		cr_expect(!vol_map_is_hole(map, sizes[i] - 512, 512), "size %zu", i);
		vol_map_destroy(map);
	}
}

Test(vol_map, nothing_is_known_without_a_map_or_beyond_it)
{
	bool hole;
	cr_expect(vol_map_run(NULL, 0, 4096, &hole) == 4096 && !hole);
	cr_expect(!vol_map_is_hole(NULL, 0, 4096));
	vol_map_set(NULL, 0, 1);
	vol_map_clear(NULL, 0, 1);
	vol_map_forget(NULL);
	struct vol_map *map = map_of(CHUNK);
	vol_map_clear(map, 0, 4 * CHUNK);
	cr_expect(vol_map_run(map, 0, 4 * CHUNK, &hole) == CHUNK && hole, "what the map covers");
	cr_expect(vol_map_run(map, CHUNK, 4 * CHUNK, &hole) == 4 * CHUNK && !hole, "a volume that has grown");
	cr_expect(!vol_map_is_hole(map, 0, CHUNK + 512));
	vol_map_set(map, 2 * CHUNK, CHUNK);
	vol_map_set(map, 0, 0);
	cr_expect(vol_map_is_hole(map, 0, CHUNK));
	vol_map_destroy(map);
}

static uint8_t model[CHUNK_COUNT]; /* 1: allocated */

static void model_clear(uint64_t offset, uint64_t len)
{
	for (uint64_t i = 0; i < CHUNK_COUNT; i++) {
		const uint64_t end = (i + 1) * CHUNK < SIZE ? (i + 1) * CHUNK : SIZE;
		if (offset <= i * CHUNK && end <= offset + len)
			model[i] = 0;
	}
}

static void model_set(uint64_t offset, uint64_t len)
{
	for (uint64_t i = 0; len && i < CHUNK_COUNT; i++)
		if (offset < (i + 1) * CHUNK && i * CHUNK < offset + len)
			model[i] = 1;
}

static void model_check(const struct vol_map *map, uint64_t offset, uint64_t len)
{
	bool hole;
	uint64_t at = offset;
	while (at < offset + len) {
		const uint64_t end = vol_map_run(map, at, offset + len, &hole);
		cr_assert(end > at && end <= offset + len);
		for (uint64_t chunk = at / CHUNK; chunk <= (end - 1) / CHUNK; chunk++)
			cr_assert(model[chunk] == !hole, "chunk %llu", (unsigned long long)chunk);
		if (end < offset + len)
			cr_assert(model[end / CHUNK] == hole, "a run ends where it changes");
		at = end;
	}
}

Test(vol_map, agrees_with_a_model_over_random_changes)
{
	struct vol_map *map = map_of(SIZE);
	uint64_t random = 7;
	memset(model, 1, sizeof model);
	for (unsigned i = 0; i < 20000; i++) {
		const uint64_t offset = test_random(&random) % (SIZE / 512) * 512;
		const uint64_t most = test_random(&random) % 3 ? 4 * CHUNK : SIZE;
		uint64_t len = test_random(&random) % (most / 512) * 512;
		if (test_random(&random) % 2)
			len = len / CHUNK * CHUNK;
		if (len > SIZE - offset)
			len = SIZE - offset;
		if (test_random(&random) % 5 < 3) {
			vol_map_clear(map, offset, len);
			model_clear(offset, len);
		} else {
			vol_map_set(map, offset, len);
			model_set(offset, len);
		}
		if (len)
			model_check(map, offset, len);
	}
	model_check(map, 0, SIZE);
	vol_map_destroy(map);
}

/* ---- on a volume ---- */

#define DISK (8 * CHUNK)

static unsigned done_count;
static enum io_status last_status;

static void on_done(struct vol_request *request, enum io_status status)
{
	(void)request;
	done_count++;
	last_status = status;
}

static uint8_t buffer[CHUNK] __attribute__((aligned(4096)));

static void start(struct volume *volume, struct vol_request *request, enum vol_op op, uint32_t flags, uint64_t offset,
		  uint64_t len)
{
	*request = (struct vol_request){.op = op,
					.flags = flags,
					.offset_bytes = offset,
					.len_bytes = len,
					.done = on_done,
					.iov_one = {buffer, len},
					.iov_count = 1};
	request->iov = &request->iov_one;
	vol_submit(volume, request);
}

struct rig {
	struct held *held;
	struct volume volume;
	struct vol_map *map;
};

static void rig_init(struct rig *rig)
{
	rig->held = held_create(DISK, 512, 512);
	rig->map = map_of(DISK);
	vol_init(&rig->volume, 1, &rig->held->backend, NULL, DISK, 512);
	rig->volume.map = rig->map;
	vol_map_clear(rig->map, 0, DISK);
	done_count = 0;
}

static void rig_fini(struct rig *rig)
{
	cr_expect(rig->volume.under_way_count == 0);
	vol_map_destroy(rig->map);
	held_destroy(rig->held);
}

Test(vol_map_volume, a_read_of_a_hole_never_reaches_the_store)
{
	struct rig rig;
	struct vol_request request;
	rig_init(&rig);
	start(&rig.volume, &request, VOL_READ, VOL_SKIP_HOLES, CHUNK, CHUNK);
	cr_expect(done_count == 1 && last_status == IO_OK && request.hole && rig.held->count == 0);
	start(&rig.volume, &request, VOL_READ, 0, CHUNK, CHUNK);
	cr_expect(!request.hole && rig.held->count == 1, "only who asks is told");
	held_release(rig.held, 0, IO_OK);
	rig_fini(&rig);
}

Test(vol_map_volume, a_write_allocates_before_its_io_and_stays_allocated_when_it_fails)
{
	struct rig rig;
	struct vol_request request;
	bool hole;
	rig_init(&rig);
	start(&rig.volume, &request, VOL_WRITE, 0, CHUNK - 512, 1024);
	cr_expect(vol_map_run(rig.map, 0, DISK, &hole) == 2 * CHUNK && !hole, "both chunks, while it is under way");
	held_release(rig.held, 0, IO_ERR_MEDIA);
	cr_expect(vol_map_run(rig.map, 0, DISK, &hole) == 2 * CHUNK && !hole, "nobody knows what it did");
	rig_fini(&rig);
}

Test(vol_map_volume, zeroes_and_discards_make_holes_of_whole_chunks_when_they_succeed)
{
	static const struct {
		const char *name;
		enum vol_op op;
		uint32_t flags;
		enum io_status status;
		bool zeroed, want;
	} cases[] = {
		{"zeroes", VOL_WRITE_ZEROES, 0, IO_OK, false, true},
		{"failed zeroes", VOL_WRITE_ZEROES, 0, IO_ERR_MEDIA, false, false},
		{"zeroes that keep the space", VOL_WRITE_ZEROES, VOL_NO_HOLE, IO_OK, false, false},
		{"discard", VOL_DISCARD, 0, IO_OK, true, true},
		{"discard that did nothing", VOL_DISCARD, 0, IO_OK, false, false},
		{"failed discard", VOL_DISCARD, 0, IO_ERR_MEDIA, true, false},
		{"write", VOL_WRITE, 0, IO_OK, false, false},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct rig rig;
		struct vol_request request;
		bool hole;
		rig_init(&rig);
		vol_map_forget(rig.map);
		start(&rig.volume, &request, cases[i].op, cases[i].flags, CHUNK - 512, 512 + CHUNK / 2);
		rig.held->io[0]->zeroed = cases[i].zeroed;
		held_release(rig.held, 0, cases[i].status);
		cr_expect(vol_map_run(rig.map, 0, DISK, &hole) == DISK && !hole, "%s: no whole chunk", cases[i].name);
		start(&rig.volume, &request, cases[i].op, cases[i].flags, CHUNK, CHUNK);
		cr_expect(!vol_map_is_hole(rig.map, CHUNK, CHUNK), "%s: not before its end", cases[i].name);
		rig.held->io[0]->zeroed = cases[i].zeroed;
		held_release(rig.held, 0, cases[i].status);
		cr_expect(vol_map_is_hole(rig.map, CHUNK, CHUNK) == cases[i].want, "%s", cases[i].name);
		cr_expect(!vol_map_is_hole(rig.map, 0, 512) && !vol_map_is_hole(rig.map, 2 * CHUNK, 512), "%s",
			  cases[i].name);
		rig_fini(&rig);
	}
}

Test(vol_map_volume, a_write_behind_zeroes_wins)
{
	struct rig rig;
	struct vol_request zeroes, write, read;
	rig_init(&rig);
	vol_map_forget(rig.map);
	start(&rig.volume, &zeroes, VOL_WRITE_ZEROES, 0, 0, CHUNK);
	start(&rig.volume, &write, VOL_WRITE, 0, 4096, 512);
	start(&rig.volume, &read, VOL_READ, VOL_SKIP_HOLES, 0, CHUNK);
	cr_expect(rig.held->count == 1, "they overlap");
	held_release(rig.held, 0, IO_OK);
	cr_expect(!vol_map_is_hole(rig.map, 0, CHUNK), "the write has started");
	held_release(rig.held, 0, IO_OK);
	cr_expect(done_count == 2 && !read.hole && rig.held->count == 1, "the read goes to the store");
	held_release(rig.held, 0, IO_OK);
	rig_fini(&rig);
}

Test(vol_map_volume, extents_follow_the_map_and_clip_to_the_range)
{
	struct rig rig;
	struct vol_extent extents[8];
	struct vol_request request = {.op = VOL_EXTENTS,
				      .offset_bytes = 512,
				      .len_bytes = DISK - 1024,
				      .done = on_done,
				      .extents = extents,
				      .extent_count_max = 8};
	rig_init(&rig);
	vol_map_set(rig.map, 2 * CHUNK, CHUNK);
	vol_submit(&rig.volume, &request);
	cr_assert(done_count == 1 && last_status == IO_OK && request.extent_count == 3 && rig.held->count == 0);
	cr_expect(extents[0].hole && extents[0].len_bytes == 2 * CHUNK - 512);
	cr_expect(!extents[1].hole && extents[1].len_bytes == CHUNK);
	cr_expect(extents[2].hole && extents[2].len_bytes == DISK - 3 * CHUNK - 512);
	request.extent_count_max = 1;
	vol_submit(&rig.volume, &request);
	cr_expect(request.extent_count == 1 && extents[0].len_bytes == 2 * CHUNK - 512);
	request.offset_bytes = DISK;
	vol_submit(&rig.volume, &request);
	cr_expect(last_status == IO_ERR_RANGE);
	rig_fini(&rig);
}

Test(vol_map_volume, an_immediate_write_allocates_too)
{
	struct volume volume;
	enum io_status status;
	struct backend *backend = backend_null_create(DISK);
	struct vol_map *map = map_of(DISK);
	vol_init(&volume, 1, backend, NULL, DISK, 512);
	volume.map = map;
	vol_map_clear(map, 0, DISK);
	cr_assert(vol_try(&volume, VOL_WRITE, 512, 512, buffer, &status) && status == IO_OK);
	cr_expect(!vol_map_is_hole(map, 0, 512) && vol_map_is_hole(map, CHUNK, CHUNK));
	vol_map_destroy(map);
	backend_destroy(backend);
}
