/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The NBD server and its volumes on host sockets, for clients as they ship.
 *
 *     nbd_serve [--port N] [--remote] [--buffers N] EXPORT...
 *
 * EXPORT: NAME=ram:SIZE | NAME=null:SIZE | NAME=file:PATH, then options, each
 * after a comma: ro, default, desc=TEXT, allow=ADDRESS/BITS, bad=OFFSET+LENGTH (reads and writes there fail),
 * delay=US.  Sizes in bytes.  --remote: volumes behave as if they lived on
 * another lcore.  Prints "port N" when it serves, counters at SIGUSR1, and ends
 * in order at SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/engine.h"
#include "host_stream.h"
#include "nbd/nbd.h"

#define EXPORT_COUNT_MAX 64
#define HOLE_COUNT_MAX 65536u

struct disk {
	struct volume volume;
	struct nbd_export *export_;
};

static struct disk disks[EXPORT_COUNT_MAX];
static unsigned disk_count;
static struct backend_engine *engine;
static struct nbd_lcore *lcore;
static uint64_t now_ns, lcore_stats[WHERRY_LCORE_STAT_COUNT];
static volatile sig_atomic_t stop, show;
static bool remote;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		show = 1;
	else
		stop = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "nbd_serve: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* ---- volumes on "another lcore": requests and completions travel in the next turn ---- */

struct passenger {
	struct vol_request *request;
	vol_done_fn *done;
	void *ctx;
	enum io_status status;
	bool back;
};

#define PASSENGER_COUNT 65536u
static struct passenger passengers[PASSENGER_COUNT];
static uint32_t passenger_first, passenger_end;

static void passenger_add(const struct passenger *passenger)
{
	if (passenger_end - passenger_first == PASSENGER_COUNT)
		abort();
	passengers[passenger_end++ % PASSENGER_COUNT] = *passenger;
}

static void remote_done(struct vol_request *request, enum io_status status)
{
	struct passenger *passenger = request->ctx;
	struct passenger back = *passenger;
	free(passenger);
	back.status = status;
	back.back = true;
	passenger_add(&back);
}

static void carry(void *ctx, unsigned home, struct vol_request *request)
{
	(void)ctx;
	(void)home;
	const struct passenger passenger = {request, request->done, request->ctx, IO_OK, false};
	passenger_add(&passenger);
}

static const struct vol_carrier carrier = {NULL, carry};

static unsigned remote_poll(void)
{
	const uint32_t end = passenger_end, count = end - passenger_first;
	while (passenger_first != end) {
		const struct passenger passenger = passengers[passenger_first++ % PASSENGER_COUNT];
		struct vol_request *request = passenger.request;
		if (passenger.back) {
			request->done = passenger.done;
			request->ctx = passenger.ctx;
			request->done(request, passenger.status);
			continue;
		}
		struct passenger *kept = malloc(sizeof *kept);
		if (!kept)
			abort();
		*kept = passenger;
		request->done = remote_done;
		request->ctx = kept;
		vol_submit(request->volume, request);
	}
	return count;
}

/* ---- set-up ---- */

static void found_hole(void *map, uint64_t offset_bytes, uint64_t len_bytes)
{
	vol_map_clear(map, offset_bytes, len_bytes);
}

static struct backend *backend_of(const char *kind, uint64_t *size_bytes, struct vol_map **map)
{
	const char *value = strchr(kind, ':') ? strchr(kind, ':') + 1 : "";
	struct backend *backend;
	int fd;
	*size_bytes = strtoull(value, NULL, 0);
	if (strncmp(kind, "null:", 5) == 0)
		return backend_null_create(*size_bytes);
	if (strncmp(kind, "ram:", 4) == 0) {
		fd = memfd_create("disk", MFD_ALLOW_SEALING | MFD_CLOEXEC);
		if (fd < 0 || ftruncate(fd, (off_t)*size_bytes) < 0)
			die(kind);
		backend = backend_ram_create(fd, *size_bytes);
	} else {
		struct stat st;
		fd = open(value, O_RDWR | O_DIRECT | O_CLOEXEC);
		if (fd < 0)
			fd = open(value, O_RDWR | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			die(value);
		*size_bytes = (uint64_t)st.st_size;
		backend = backend_file_create(engine, fd, *size_bytes, 512, 4096);
	}
	*map = vol_map_create(*size_bytes);
	if (*map)
		backend_find_holes(fd, *size_bytes, HOLE_COUNT_MAX, found_hole, *map);
	return backend;
}

static void parse_allow(struct nbd_export_settings *settings, char *text)
{
	struct nbd_prefix *prefix = &settings->allow[settings->allow_count++];
	char *slash = strchr(text, '/');
	uint8_t v4[4];
	if (slash)
		*slash++ = '\0';
	if (inet_pton(AF_INET, text, v4) == 1) {
		prefix->addr = ip_addr_v4(v4);
		prefix->bits = (uint8_t)(96 + (slash ? strtoul(slash, NULL, 10) : 32));
	} else if (inet_pton(AF_INET6, text, prefix->addr.b) == 1) {
		prefix->bits = (uint8_t)(slash ? strtoul(slash, NULL, 10) : 128);
	} else {
		die(text);
	}
}

static void parse_option(struct nbd_export_settings *settings, struct backend_fault_plan *plan, char *option)
{
	char *plus;
	if (strcmp(option, "ro") == 0)
		settings->read_only = true;
	else if (strcmp(option, "default") == 0)
		settings->is_default = true;
	else if (strncmp(option, "desc=", 5) == 0)
		snprintf(settings->description, sizeof settings->description, "%s", option + 5);
	else if (strncmp(option, "allow=", 6) == 0)
		parse_allow(settings, option + 6);
	else if (strncmp(option, "delay=", 6) == 0)
		plan->delay_us = (uint32_t)strtoul(option + 6, NULL, 0), plan->delay_ppm = 1000000;
	else if (strncmp(option, "bad=", 4) == 0 && (plus = strchr(option, '+')))
		plan->bad_offset_bytes = strtoull(option + 4, NULL, 0),
		plan->bad_length_bytes = strtoull(plus, NULL, 0);
	else
		die(option);
}

static void add_export(char *spec)
{
	struct disk *disk = &disks[disk_count];
	struct nbd_export_settings settings = {.id = ++disk_count};
	struct backend_fault_plan plan = {0};
	struct vol_map *map = NULL;
	uint64_t size_bytes;
	char *kind = strchr(spec, '='), *rest;
	if (!kind)
		die(spec);
	*kind++ = '\0';
	snprintf(settings.name, sizeof settings.name, "%s", spec);
	rest = strchr(kind, ',');
	if (rest)
		*rest++ = '\0';
	for (char *option = rest; option; option = rest) {
		rest = strchr(option, ',');
		if (rest)
			*rest++ = '\0';
		parse_option(&settings, &plan, option);
	}
	struct backend *backend = backend_of(kind, &size_bytes, &map);
	if (backend && (plan.delay_ppm || plan.bad_length_bytes))
		backend = backend_fault_create(engine, backend, &plan);
	if (!backend || vol_shape_error(backend, size_bytes, 512))
		die(kind);
	vol_init(&disk->volume, settings.id, backend, vol_bounce_pool_create(8, 65536), size_bytes, 512);
	disk->volume.map = map;
	settings.volume = (struct vol_port){&disk->volume, 0, remote ? &carrier : NULL};
	disk->export_ = nbd_export_create(&settings);
	if (!disk->export_)
		die(spec);
	nbd_export_add(lcore, disk->export_);
}

static void *buffers_alloc(void *ctx, uint64_t bytes)
{
	(void)ctx;
	return aligned_alloc(4096, bytes);
}

static void buffers_free(void *ctx, void *memory)
{
	(void)ctx;
	free(memory);
}

/* ---- running ---- */

static void tick(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	now_ns = (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static void print_stats(void)
{
	const struct wherry_stat_scope_desc *scope = wherry_stat_scope_desc(WHERRY_SCOPE_LCORE);
	for (size_t i = 0; i < scope->stat_count; i++)
		if (lcore_stats[i])
			printf("lcore %s %llu\n", scope->stats[i].name, (unsigned long long)lcore_stats[i]);
	scope = wherry_stat_scope_desc(WHERRY_SCOPE_EXPORT);
	for (unsigned d = 0; d < disk_count; d++)
		for (size_t i = 0; i < scope->stat_count; i++)
			if (nbd_export_stats(disks[d].export_)[i])
				printf("export%u %s %llu\n", d + 1, scope->stats[i].name,
				       (unsigned long long)nbd_export_stats(disks[d].export_)[i]);
	scope = wherry_stat_scope_desc(WHERRY_SCOPE_VOLUME);
	for (unsigned d = 0; d < disk_count; d++)
		for (size_t i = 0; i < scope->stat_count; i++)
			if (disks[d].volume.stats[i])
				printf("volume%u %s %llu\n", d + 1, scope->stats[i].name,
				       (unsigned long long)disks[d].volume.stats[i]);
	printf("end of counters\n");
	fflush(stdout);
}

static void serve(struct host_loop *loop)
{
	unsigned idle = 0;
	while (!stop || nbd_lcore_session_count(lcore)) {
		tick();
		unsigned busy = host_loop_poll(loop, idle > 20 ? 1 : 0);
		tick();
		busy += backend_engine_poll(engine, now_ns);
		busy += remote_poll();
		busy += nbd_poll(lcore, now_ns);
		idle = busy ? 0 : idle + 1;
		if (show) {
			show = 0;
			print_stats();
		}
		if (stop == 1) {
			stop = 2;
			nbd_lcore_drain(lcore);
		}
	}
}

int main(int argc, char **argv)
{
	struct nbd_limits limits = {
		.session_count = 256,
		.request_count = 4096,
		.request_count_each = 128,
		.buffer_count = 512,
		.buffer_bytes = 65536,
	};
	const struct nbd_env env = {
		.now_ns = &now_ns, .lcore_stats = lcore_stats, .alloc = buffers_alloc, .free = buffers_free};
	uint16_t port = 0;
	int first = 1;
	char error[256];
	for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
		if (strcmp(argv[first], "--remote") == 0)
			remote = true;
		else if (strcmp(argv[first], "--port") == 0 && first + 1 < argc)
			port = (uint16_t)strtoul(argv[++first], NULL, 10);
		else if (strcmp(argv[first], "--buffers") == 0 && first + 1 < argc)
			limits.buffer_count = (uint32_t)strtoul(argv[++first], NULL, 10);
		else
			die(argv[first]);
	}
	const struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	engine = backend_engine_create(256);
	lcore = nbd_lcore_create(&env, &limits);
	struct host_loop *loop = host_loop_create(nbd_accept, lcore);
	if (!engine || !lcore || !loop || backend_engine_attach(engine, error, sizeof error) < 0)
		die("set-up");
	tick();
	while (first < argc && disk_count < EXPORT_COUNT_MAX)
		add_export(argv[first++]);
	const int bound = host_loop_listen(loop, port);
	if (bound < 0)
		die("listen");
	printf("port %d\n", bound);
	fflush(stdout);
	serve(loop);
	print_stats();
	return 0;
}
