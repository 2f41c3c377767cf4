/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions per AoE frame, in process: frames go through aoe_input, volume
 * and backend, without a NIC.  Run under callgrind with
 * --toggle-collect=bench_measured; tests/bench/run does that and compares with
 * the committed baseline.  Run alone it only checks that every frame is answered.
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

struct bench_case {
	const char *name;
	bool ram, write;
	unsigned sectors;
};

static const struct bench_case cases[] = {
	{"read-4k-null", false, false, 8}, {"read-4k-ram", true, false, 8}, {"read-1k-null", false, false, 2},
	{"write-4k-null", false, true, 8}, {"write-4k-ram", true, true, 8}, {"write-1k-ram", true, true, 2},
};

static struct aoe_port ports[WHERRY_PORT_COUNT_MAX] = {{.mac = {2, 0, 0, 0, 0, 1}, .mtu = 9000, .present = true}};
static uint64_t lcore_stats[WHERRY_LCORE_STAT_COUNT];
static uint64_t client_stats[WHERRY_CLIENT_STAT_COUNT];
static struct load load;
static struct aoe_lcore *aoe;
static uint8_t buffer[BUFFER_BYTES] __attribute__((aligned(4096)));
static unsigned answered;

static struct pkt *no_packet(void *ctx, uint16_t port_index)
{
	(void)ctx, (void)port_index;
	return NULL;
}

static void free_packet(void *ctx, struct pkt *pkt)
{
	(void)ctx, (void)pkt;
}

static void output(void *ctx, struct pkt *pkt)
{
	(void)ctx, (void)pkt;
	answered++;
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

/* Kept whole, so that callgrind can tell it apart. */
__attribute__((noinline)) enum aoe_verdict bench_measured(struct pkt *pkt, uint64_t now_ns);
enum aoe_verdict bench_measured(struct pkt *pkt, uint64_t now_ns)
{
	return aoe_input(aoe, pkt, now_ns);
}

/* One frame through the target; the initiator core builds and checks it. */
static void one_frame(uint64_t now_ns)
{
	struct pkt pkt = {.head = buffer, .data = buffer + 128, .room_bytes = BUFFER_BYTES};
	pkt.len_bytes = load_build_next(&load, pkt.data, now_ns);
	unsigned before = answered;
	if (bench_measured(&pkt, now_ns) == AOE_REPLY)
		answered++;
	if (answered != before + 1 || load_on_frame(&load, pkt.data, pkt.len_bytes, now_ns) != LOAD_COMPLETED) {
		fprintf(stderr, "aoe_insn: a frame was not answered\n");
		exit(1);
	}
}

static struct backend *backend_of(const struct bench_case *c)
{
	if (!c->ram)
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
				     .window = 1,
				     .sectors = c->sectors,
				     .write = c->write,
				     .seed = 1,
				     .span_sectors = VOLUME_BYTES / 512};
	struct aoe_env env = {.pool = {.alloc = no_packet, .free = free_packet},
			      .output = output,
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
	for (unsigned i = 0; i < frames; i++)
		one_frame(1000000ull + i * 1000ull);
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
	fprintf(stderr, "usage: aoe_insn --list | CASE FRAMES\n");
	return 2;
}
