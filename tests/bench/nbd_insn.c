/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Instructions per NBD request, in process: a client with a stack of its own and
 * the server's stack, NBD and volume pass each other frames.  Run under
 * callgrind, which counts inside bench_nbd_measured alone, and not in
 * bench_nbd_output:
 *
 *   valgrind --tool=callgrind --collect-atstart=no --toggle-collect=bench_nbd_measured
 *            --toggle-collect=bench_nbd_output nbd_insn CASE REQUESTS
 *
 * That is everything between the port's receiving and its sending: Ethernet, IP,
 * TCP, NBD, volume, backend, acknowledgements.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "backend/engine.h"
#include "host.h"
#include "nbd/nbd.h"

#define VOLUME_BYTES (16ull << 20)
#define TURN_NS 20000u
#define WARM_UP 2048u
#define IN_FLIGHT_MAX 4096u

struct bench_case {
	const char *name;
	uint16_t mtu;
	bool write, ram, offload;
	unsigned depth;
};

/* "path" is all but data and checksums: the store leaves the bytes as they are, checksums are the port's.  "ram" copies
 * and sums. */
static const struct bench_case cases[] = {
	{"nbd-read-4k-1500-path", 1500, false, false, true, 32},
	{"nbd-read-4k-9000-path", 9000, false, false, true, 32},
	{"nbd-write-4k-1500-path", 1500, true, false, true, 32},
	{"nbd-write-4k-9000-path", 9000, true, false, true, 32},
	{"nbd-read-4k-1500-ram", 1500, false, true, false, 32},
	{"nbd-read-4k-9000-ram", 9000, false, true, false, 32},
	{"nbd-write-4k-1500-ram", 1500, true, true, false, 32},
	{"nbd-write-4k-9000-ram", 9000, true, true, false, 32},
	{"nbd-read-4k-1500-qd1", 1500, false, false, true, 1},
	{"nbd-write-4k-1500-qd1", 1500, true, false, true, 1},
};

/* Frames on their way from one end to the other, in order. */
struct wire {
	struct pkt *pkts[IN_FLIGHT_MAX];
	unsigned count;
};

static struct host client = {.mac = {2, 0, 0, 0, 0, 2}, .address = {10, 0, 0, 2}};
static struct host server = {.mac = {2, 0, 0, 0, 0, 1}, .address = {10, 0, 0, 1}};
static struct wire to_server, to_client;
static struct nbd_lcore *nbd;
static bool offload;

/* What the wire does: the packet of one end becomes one of the other. */
static void carry(struct host *from, struct host *to, struct wire *wire, struct pkt *pkt)
{
	struct pkt *copy = wire->count < IN_FLIGHT_MAX ? host_take(to) : NULL;
	const bool partial = pkt->checksum == PKT_CHECKSUM_PARTIAL;
	if (!partial)
		pkt_finish_checksum(pkt);
	if (copy) {
		copy->len_bytes = pkt_total_bytes(pkt);
		memcpy(copy->data, pkt->data, pkt->len_bytes);
		uint32_t at = pkt->len_bytes;
		for (unsigned i = 0; i < pkt->frag_count; i++) {
			memcpy(copy->data + at, pkt->frags[i].data, pkt->frags[i].len_bytes);
			at += pkt->frags[i].len_bytes;
		}
		copy->checksum = offload ? PKT_CHECKSUM_GOOD : PKT_CHECKSUM_UNKNOWN;
		wire->pkts[wire->count++] = copy;
	}
	host_give(from, pkt);
}

static void client_output(struct host *host, struct pkt *pkt)
{
	carry(host, &server, &to_server, pkt);
}

/* Kept whole, as bench_nbd_measured is: callgrind toggles at the beginning and the end of both. */
__attribute__((noinline)) void bench_nbd_output(struct host *host, struct pkt *pkt);
void bench_nbd_output(struct host *host, struct pkt *pkt)
{
	carry(host, &client, &to_client, pkt);
}

__attribute__((noinline)) void bench_nbd_measured(struct pkt **pkts, unsigned count, uint64_t now_ns);
void bench_nbd_measured(struct pkt **pkts, unsigned count, uint64_t now_ns)
{
	for (unsigned i = 0; i < count; i++)
		host_input(&server, pkts[i], now_ns);
	nbd_poll(nbd, now_ns);
	host_poll(&server, now_ns);
}

static void server_turn(uint64_t now_ns)
{
	static struct pkt *pkts[IN_FLIGHT_MAX];
	const unsigned count = to_server.count;
	memcpy(pkts, to_server.pkts, count * sizeof *pkts);
	to_server.count = 0;
	server.now_ns = now_ns;
	bench_nbd_measured(pkts, count, now_ns);
}

static void client_turn(uint64_t now_ns)
{
	const unsigned count = to_client.count;
	to_client.count = 0;
	for (unsigned i = 0; i < count; i++)
		host_input(&client, to_client.pkts[i], now_ns);
	host_poll(&client, now_ns);
}

static void *memory_alloc(void *ctx, uint64_t bytes)
{
	(void)ctx;
	return aligned_alloc(4096, bytes);
}

static void memory_free(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

static enum io_status blank_run(struct backend *backend, struct backend_io *io)
{
	(void)backend;
	(void)io;
	return IO_OK;
}

/* The marks that the client looks for are in no block of such a store. */
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

static struct backend *ram_create(void)
{
	const int fd = memfd_create("bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)VOLUME_BYTES))
		return NULL;
	struct backend *backend = backend_ram_create(fd, VOLUME_BYTES);
	close(fd);
	return backend;
}

static bool make_server(const struct bench_case *c)
{
	static struct volume volume;
	const struct nbd_env env = {
		.now_ns = &server.now_ns, .lcore_stats = server.stats, .alloc = memory_alloc, .free = memory_free};
	const struct nbd_limits limits = {16, 256, 128, 256, 65536};
	struct backend *backend = c->ram ? ram_create() : blank_create();
	struct vol_bounce_pool *bounce = vol_bounce_pool_create(4, 65536);
	struct nbd_export_settings settings = {
		.id = 1, .generation = 1, .name = "disk", .is_default = true, .volume = {.volume = &volume}};
	if (!backend || !bounce)
		return false;
	vol_init(&volume, 1, backend, bounce, VOLUME_BYTES, 512);
	nbd = nbd_lcore_create(&env, &limits);
	struct nbd_export *export_ = nbd ? nbd_export_create(&settings) : NULL;
	if (!export_ || nbd_export_add(nbd, export_))
		return false;
	return tcp_listen(server.tcp, NULL, 10809, nbd_accept, nbd) == 0;
}

static int run(const struct bench_case *c, unsigned requests)
{
	uint64_t now_ns = 1000000000;
	const struct nbd_client_config config = {.depth = c->depth,
						 .block_bytes = 4096,
						 .write = c->write,
						 .structured = true,
						 .unmarked = !c->ram,
						 .span_bytes = VOLUME_BYTES,
						 .seed = 1,
						 .fill_stride = c->ram};
	offload = c->offload;
	client.mtu = server.mtu = c->mtu;
	client.checksum_offload = server.checksum_offload = c->offload;
	client.output = client_output;
	server.output = bench_nbd_output;
	if (!host_create(&client, now_ns) || !host_create(&server, now_ns) || !make_server(c) ||
	    !host_connect(&client, server.address, &config)) {
		fprintf(stderr, "nbd_insn: it cannot be set up\n");
		return 1;
	}
	struct nbd_client *driver = &client.clients[0].nbd;
	const uint64_t give_up_ns = now_ns + 600000000000ull;
	const uint64_t fill = c->ram ? VOLUME_BYTES / 4096 : 0;
	bool going = false;
	while (driver->completed < fill + WARM_UP + requests && now_ns < give_up_ns && driver->errors == 0) {
		if (!going && driver->state == NBD_CLIENT_READY && !driver->filling) {
			nbd_client_go(driver);
			going = true;
		}
		client_turn(now_ns += TURN_NS);
		server_turn(now_ns += TURN_NS);
	}
	if (driver->errors || now_ns >= give_up_ns || server.stats[WHERRY_LCORE_tcp_retransmits]) {
		fprintf(stderr, "nbd_insn: the connection did not do what it should\n");
		return 1;
	}
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
	fprintf(stderr, "usage: nbd_insn --list | CASE REQUESTS\n");
	return 2;
}
