/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions per AoE frame, in process: bursts go through aoe_input_burst,
 * volume and backend, without a NIC.  tests/bench/run runs this under callgrind
 * and compares with the committed baseline.  Run alone it only checks that every
 * frame is answered.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "aoe/aoe.h"
#include "backend/engine.h"
#include "load.h"
#include "volume/volume.h"

#define VOLUME_BYTES (64ull << 20)
#define BUFFER_BYTES 16384u
#define BURST 32u

struct bench_case {
	const char *name;
	enum { BLANK, ZEROES, RAM } store;
	bool write;
	unsigned sectors;
};

/* "path" is all that a frame costs but its data: the store is the null backend, except that it leaves the bytes of a
 * read as they are.  On null a read is zeroed, which callgrind counts as one instruction per byte. */
static const struct bench_case cases[] = {
	{"read-4k-path", BLANK, false, 8}, {"write-4k-path", BLANK, true, 8},  {"read-4k-null", ZEROES, false, 8},
	{"read-4k-ram", RAM, false, 8},    {"read-1k-null", ZEROES, false, 2}, {"write-4k-ram", RAM, true, 8},
	{"write-1k-ram", RAM, true, 2},
};

static struct aoe_port ports[WHERRY_PORT_COUNT_MAX] = {{.mac = {2, 0, 0, 0, 0, 1}, .mtu = 9000, .present = true}};
static uint64_t lcore_stats[WHERRY_LCORE_STAT_COUNT];
static uint64_t client_stats[WHERRY_CLIENT_STAT_COUNT];
static struct load load;
static struct aoe_lcore *aoe;
static uint8_t buffers[BURST][BUFFER_BYTES] __attribute__((aligned(4096)));
static struct pkt pkts[BURST];
static unsigned answered_count;
static uint64_t answered_ns;

static struct pkt *no_packet(void *ctx, uint16_t port_index)
{
	(void)ctx, (void)port_index;
	return NULL;
}

static void free_packet(void *ctx, struct pkt *pkt)
{
	(void)ctx, (void)pkt;
}

/* An answer; the initiator core checks it.  Not counted (see bench_measured). */
__attribute__((noinline)) void bench_output(void *ctx, struct pkt *pkt);
void bench_output(void *ctx, struct pkt *pkt)
{
	(void)ctx;
	answered_count += load_on_frame(&load, pkt->data, pkt->len_bytes, answered_ns) == LOAD_COMPLETED;
}

static int persist(void *ctx, const struct aoe_persist *change)
{
	(void)ctx, (void)change;
	return -1;
}

static uint64_t *stats_of(void *ctx, const uint8_t mac[6], uint16_t port_index, uint16_t vlan, uint64_t now_ns)
{
	(void)ctx, (void)mac, (void)port_index, (void)vlan, (void)now_ns;
	return client_stats;
}

/*
 * Kept whole, so that callgrind can tell them apart: it counts from the beginning of bench_measured to its end, with a
 * pause in bench_output, at whose beginning and end it toggles too.
 */
__attribute__((noinline)) void bench_measured(unsigned count, uint64_t now_ns);
void bench_measured(unsigned count, uint64_t now_ns)
{
	static struct pkt *burst[BURST];
	for (unsigned i = 0; i < count; i++)
		burst[i] = &pkts[i];
	aoe_input_burst(aoe, burst, count, now_ns);
}

/* A burst of frames through the target. */
static void one_burst(uint64_t now_ns)
{
	for (unsigned i = 0; i < BURST; i++) {
		pkts[i] = (struct pkt){
			.head = buffers[i], .data = buffers[i] + 128, .room_bytes = BUFFER_BYTES, .priv = NULL};
		pkts[i].len_bytes = load_build_next(&load, pkts[i].data, now_ns);
	}
	answered_count = 0;
	answered_ns = now_ns;
	bench_measured(BURST, now_ns);
	if (answered_count != BURST) {
		fprintf(stderr, "aoe_insn: a frame was not answered\n");
		exit(1);
	}
}

static enum io_status blank_run(struct backend *backend, struct backend_io *io)
{
	(void)backend;
	(void)io;
	return IO_OK;
}

static struct backend *blank_create(void)
{
	static struct backend_ops ops;
	struct backend *backend = backend_null_create(VOLUME_BYTES);
	if (!backend)
		return NULL;
	ops = *backend->ops;
	ops.run = blank_run;
	backend->ops = &ops;
	return backend;
}

static struct backend *backend_of(const struct bench_case *c)
{
	if (c->store == BLANK)
		return blank_create();
	if (c->store == ZEROES)
		return backend_null_create(VOLUME_BYTES);
	int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)VOLUME_BYTES))
		return NULL;
	struct backend *backend = backend_ram_create(fd, VOLUME_BYTES);
	close(fd);
	return backend;
}

static int run(const struct bench_case *c, unsigned frames)
{
	struct load_config config = {.source_mac = {2, 0, 0, 0, 0, 2},
				     .target_mac = {2, 0, 0, 0, 0, 1},
				     .window = BURST,
				     .sectors = c->sectors,
				     .write = c->write,
				     .seed = 1,
				     .span_sectors = VOLUME_BYTES / 512};
	struct aoe_env env = {.pool = {.alloc = no_packet, .free = free_packet},
			      .output = bench_output,
			      .persist = persist,
			      .client_stats = stats_of,
			      .ports = ports,
			      .lcore_stats = lcore_stats};
	struct backend *backend = backend_of(c);
	struct vol_bounce_pool *bounce = vol_bounce_pool_create(4, 65536);
	static struct volume volume;
	struct wherry_ctl_aoe_export_put put = {
		.id = 1, .generation = 1, .volume_id = 1, .buffer_count = 64, .serial = "BENCH", .model = "wherry"};
	aoe = aoe_lcore_create(&env, 256);
	if (!backend || !bounce || !aoe) {
		fprintf(stderr, "aoe_insn: out of memory\n");
		return 1;
	}
	vol_init(&volume, 1, backend, bounce, VOLUME_BYTES, 512);
	struct aoe_export *export_ = aoe_export_create(&put, &volume);
	if (!export_)
		return 1;
	aoe_export_add(aoe, export_, false, 0);
	load_init(&load, &config);
	load.capacity_sectors = VOLUME_BYTES / 512;
	for (unsigned i = 0; i < frames / BURST; i++)
		one_burst(1000000ull + i * 32000ull);
	aoe_export_remove(aoe, 1);
	aoe_export_destroy(export_);
	aoe_lcore_destroy(aoe);
	backend->ops->destroy(backend);
	vol_bounce_pool_destroy(bounce);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--list")) {
		for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
			puts(cases[i].name);
		return 0;
	}
	for (size_t i = 0; argc == 3 && i < sizeof cases / sizeof cases[0]; i++)
		if (!strcmp(argv[1], cases[i].name))
			return run(&cases[i], (unsigned)strtoul(argv[2], NULL, 0));
	fprintf(stderr, "usage: aoe_insn --list | CASE FRAMES (a multiple of 32)\n");
	return 2;
}
