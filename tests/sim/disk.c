/* SPDX-License-Identifier: BSD-3-Clause */
#include "disk.h"

#include <string.h>

#define SECTOR_BYTES 512u
#define CACHED_COUNT_MAX 256u

struct disk_cached {
	struct disk_cached *next;
	uint32_t sector;
	uint8_t bytes[SECTOR_BYTES];
};

struct disk_io {
	struct disk_io *next, **at;
	struct disk *disk;
	struct backend_io *io;
	bool took_effect, lost;
	enum io_status status;
};

static void on_flush(struct disk *disk);

static void cache_write(struct disk *disk, uint32_t sector, const uint8_t *bytes)
{
	struct disk_cached *cached = sim_alloc(disk->sim, sizeof *cached);
	cached->sector = sector;
	memcpy(cached->bytes, bytes, SECTOR_BYTES);
	if (disk->cached_last)
		disk->cached_last->next = cached;
	else
		disk->cached_first = cached;
	disk->cached_last = cached;
	disk->cached_count++;
}

/* The oldest cached sector reaches the platter. */
static void cache_write_back(struct disk *disk)
{
	struct disk_cached *cached = disk->cached_first;
	memcpy(disk->durable + (size_t)cached->sector * SECTOR_BYTES, cached->bytes, SECTOR_BYTES);
	disk->cached_first = cached->next;
	if (!disk->cached_first)
		disk->cached_last = NULL;
	disk->cached_count--;
}

static void cache_forget(struct disk *disk, uint32_t sector)
{
	struct disk_cached **at = &disk->cached_first, *last = NULL;
	while (*at) {
		if ((*at)->sector == sector) {
			*at = (*at)->next;
			disk->cached_count--;
		} else {
			last = *at;
			at = &(*at)->next;
		}
	}
	disk->cached_last = last;
}

static void on_flush(struct disk *disk)
{
	while (disk->cached_first)
		cache_write_back(disk);
}

static void write_sector(struct disk *disk, uint32_t sector, const uint8_t *bytes, bool durable)
{
	memcpy(disk->current + (size_t)sector * SECTOR_BYTES, bytes, SECTOR_BYTES);
	if (durable) {
		cache_forget(disk, sector);
		memcpy(disk->durable + (size_t)sector * SECTOR_BYTES, bytes, SECTOR_BYTES);
		return;
	}
	cache_write(disk, sector, bytes);
	while (disk->cached_count > CACHED_COUNT_MAX)
		cache_write_back(disk);
}

/* Byte range of the I/O's buffers to or from a flat one. */
static void io_copy(const struct backend_io *io, uint64_t at, uint8_t *flat, uint64_t bytes, bool from_io)
{
	for (uint32_t i = 0; i < io->iov_count && bytes; i++) {
		const struct iovec *iov = &io->iov[i];
		if (at >= iov->iov_len) {
			at -= iov->iov_len;
			continue;
		}
		uint64_t part = iov->iov_len - at < bytes ? iov->iov_len - at : bytes;
		uint8_t *there = (uint8_t *)iov->iov_base + at;
		memcpy(from_io ? flat : there, from_io ? there : flat, part);
		flat += part;
		bytes -= part;
		at = 0;
	}
}

/* One sector of a write, discard or zeroing; bytes of it may be outside the I/O on an unaligned disk. */
static void apply_sector(struct disk *disk, const struct backend_io *io, uint32_t sector)
{
	uint8_t bytes[SECTOR_BYTES];
	const uint64_t start = (uint64_t)sector * SECTOR_BYTES;
	const uint64_t from = io->offset_bytes > start ? io->offset_bytes : start;
	const uint64_t io_end = io->offset_bytes + io->len_bytes;
	const uint64_t to = io_end < start + SECTOR_BYTES ? io_end : start + SECTOR_BYTES;
	memcpy(bytes, disk->current + start, SECTOR_BYTES);
	if (io->op == BACKEND_WRITE)
		io_copy(io, from - io->offset_bytes, bytes + (from - start), to - from, true);
	else
		memset(bytes + (from - start), 0, to - from);
	write_sector(disk, sector, bytes, io->flags & BACKEND_FUA);
}

static bool changes(const struct backend_io *io)
{
	return io->op == BACKEND_WRITE || io->op == BACKEND_WRITE_ZEROES || io->op == BACKEND_DISCARD;
}

/* All of it, or each sector by a draw. */
static void apply(struct disk *disk, const struct backend_io *io, bool torn)
{
	if (io->op == BACKEND_FLUSH) {
		if (!torn)
			on_flush(disk);
		return;
	}
	if (io->op == BACKEND_READ) {
		io_copy(io, 0, disk->current + io->offset_bytes, io->len_bytes, false);
		return;
	}
	/* A discard may do nothing. */
	if (io->op == BACKEND_DISCARD && rng_chance(&disk->rng, 300000))
		return;
	const uint32_t first = (uint32_t)(io->offset_bytes / SECTOR_BYTES);
	const uint32_t end = (uint32_t)((io->offset_bytes + io->len_bytes + SECTOR_BYTES - 1) / SECTOR_BYTES);
	for (uint32_t sector = first; sector < end; sector++) {
		if (!torn || rng_chance(&disk->rng, 500000))
			apply_sector(disk, io, sector);
	}
}

static void io_unlink(struct disk_io *disk_io)
{
	*disk_io->at = disk_io->next;
	if (disk_io->next)
		disk_io->next->at = disk_io->at;
}

static void make_ready(struct disk *disk, struct disk_io *disk_io)
{
	io_unlink(disk_io);
	disk_io->next = NULL;
	if (disk->ready_last)
		disk->ready_last->next = disk_io;
	else
		disk->ready_first = disk_io;
	disk->ready_last = disk_io;
	disk->on_ready(disk->sim, disk->ready_ctx);
}

static void on_complete(struct sim *sim, void *ctx, uint64_t arg)
{
	struct disk_io *disk_io = ctx;
	(void)sim;
	(void)arg;
	if (!disk_io->lost)
		make_ready(disk_io->disk, disk_io);
}

static void on_effect(struct sim *sim, void *ctx, uint64_t complete_ns)
{
	struct disk_io *disk_io = ctx;
	if (disk_io->lost)
		return;
	sim_tell(sim, "disk %u: op %d of %lu+%lu takes effect", disk_io->disk->index, (int)disk_io->io->op,
		 (unsigned long)disk_io->io->offset_bytes / 512, (unsigned long)disk_io->io->len_bytes / 512);
	apply(disk_io->disk, disk_io->io, false);
	disk_io->took_effect = true;
	sim_at(sim, complete_ns, on_complete, disk_io, 0);
}

static uint64_t draw_latency_ns(struct disk *disk)
{
	const struct disk_latency *latency = &disk->latency;
	uint64_t ns = rng_between(&disk->rng, latency->low_us, latency->high_us) * US;
	if (rng_chance(&disk->rng, latency->stall_ppm)) {
		disk->stall_count++;
		ns += rng_between(&disk->rng, 1, latency->stall_high_ms) * MS;
	}
	return ns;
}

/* What a real backend may rely on. */
static void check_io(const struct disk *disk, const struct backend_io *io)
{
	const struct backend *backend = &disk->backend;
	uint64_t total_bytes = 0;
	if (io->op == BACKEND_FLUSH)
		return;
	if ((io->offset_bytes | io->len_bytes) % backend->align_bytes != 0)
		sim_fail(disk->sim, "disk %u: I/O of %lu at %lu is not aligned to %u", disk->index,
			 (unsigned long)io->len_bytes, (unsigned long)io->offset_bytes, backend->align_bytes);
	if (io->len_bytes == 0 || io->offset_bytes + io->len_bytes > backend->size_bytes)
		sim_fail(disk->sim, "disk %u: I/O of %lu at %lu is outside", disk->index, (unsigned long)io->len_bytes,
			 (unsigned long)io->offset_bytes);
	if (io->op != BACKEND_READ && io->op != BACKEND_WRITE)
		return;
	for (uint32_t i = 0; i < io->iov_count; i++) {
		total_bytes += io->iov[i].iov_len;
		if ((uintptr_t)io->iov[i].iov_base % backend->memory_align_bytes != 0)
			sim_fail(disk->sim, "disk %u: memory is not aligned to %u", disk->index,
				 backend->memory_align_bytes);
	}
	if (total_bytes != io->len_bytes)
		sim_fail(disk->sim, "disk %u: %lu bytes of memory for %lu", disk->index, (unsigned long)total_bytes,
			 (unsigned long)io->len_bytes);
}

static void disk_submit(struct backend *backend, struct backend_io *io)
{
	struct disk *disk = (struct disk *)backend;
	check_io(disk, io);
	if (disk->dead) {
		io->done(io, IO_ERR_MEDIA);
		return;
	}
	if (disk->sim->plant == PLANT_ACK_BEFORE_DURABLE)
		io->flags &= ~BACKEND_FUA;
	struct disk_io *disk_io = sim_alloc(disk->sim, sizeof *disk_io);
	*disk_io = (struct disk_io){.next = disk->under_way, .at = &disk->under_way, .disk = disk, .io = io};
	if (disk->under_way)
		disk->under_way->at = &disk_io->next;
	disk->under_way = disk_io;
	disk->io_count++;
	const uint64_t total_ns = draw_latency_ns(disk);
	const uint64_t effect_ns = rng_below(&disk->rng, total_ns);
	sim_mix(disk->sim, io->offset_bytes << 8 | (uint64_t)io->op);
	sim_in(disk->sim, effect_ns, on_effect, disk_io, disk->sim->now_ns + total_ns);
}

static void disk_destroy(struct backend *backend)
{
	(void)backend; /* the arena's */
}

static const struct backend_ops disk_ops = {
	.name = "simulated",
	.submit = disk_submit,
	.destroy = disk_destroy,
};

void disk_init(struct disk *disk, struct sim *sim, unsigned index, uint64_t size_bytes, uint32_t align_bytes,
	       uint32_t memory_align_bytes)
{
	*disk = (struct disk){.backend = {&disk_ops, size_bytes, align_bytes, memory_align_bytes},
			      .sim = sim,
			      .index = index,
			      .rng = sim_rng(sim, "disk", index)};
	disk->durable = sim_alloc(sim, size_bytes);
	disk->current = sim_alloc(sim, size_bytes);
}

unsigned disk_poll(struct disk *disk)
{
	unsigned count = 0;
	while (disk->ready_first) {
		struct disk_io *disk_io = disk->ready_first;
		disk->ready_first = disk_io->next;
		if (!disk->ready_first)
			disk->ready_last = NULL;
		disk_io->io->done(disk_io->io, disk_io->status);
		count++;
	}
	return count;
}

void disk_process_lost(struct disk *disk)
{
	disk->dead = true;
	for (struct disk_io *disk_io = disk->under_way, *next; disk_io; disk_io = next) {
		next = disk_io->next;
		if (!disk_io->took_effect && changes(disk_io->io))
			apply(disk, disk_io->io, true);
		disk_io->lost = true;
		disk_io->status = IO_ERR_MEDIA;
		make_ready(disk, disk_io);
	}
}

void disk_power_lost(struct disk *disk)
{
	disk_process_lost(disk);
	/* In the order of the cache, each later version of a sector wins or is lost with all after it. */
	const uint32_t sector_count = (uint32_t)(disk->backend.size_bytes / SECTOR_BYTES);
	for (uint32_t sector = 0; sector < sector_count && disk->cached_first; sector++) {
		for (struct disk_cached *cached = disk->cached_first; cached; cached = cached->next) {
			if (cached->sector != sector)
				continue;
			if (rng_chance(&disk->rng, 400000))
				break;
			memcpy(disk->durable + (size_t)sector * SECTOR_BYTES, cached->bytes, SECTOR_BYTES);
		}
	}
	disk->cached_first = disk->cached_last = NULL;
	disk->cached_count = 0;
	memcpy(disk->current, disk->durable, disk->backend.size_bytes);
}

void disk_revive(struct disk *disk)
{
	disk->dead = false;
}
