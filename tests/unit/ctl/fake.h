/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Workers, ports and AoE exports for tests of the control server: the same
 * functions as lcore/, port/ and aoe/ have, synchronous and inspectable.
 *
 * Jobs run when fake_run_workers is called (client_receive and settle do so,
 * unless fake.stalled), so that a test decides what happens between a request and
 * its job.  fake_fini complains about what was not destroyed.
 */
#pragma once

#include "aoe/aoe.h"
#include "lcore/worker.h"
#include "port/port.h"

#define FAKE_WORKER_COUNT 2
#define FAKE_PORT_COUNT 2
#define FAKE_PERSISTED_MAX 256

struct aoe_export {
	struct aoe_export *next;
	struct wherry_ctl_aoe_export_put put;
	struct volume *volume;
	struct aoe_lcore *lcore;   /* where it is served, NULL: nowhere */
	uint64_t state_generation; /* newest of put, state_put */
	uint16_t mask_count;
	unsigned under_way; /* set by tests: not idle until 0 */
	unsigned advertised;
	uint64_t stats[WHERRY_EXPORT_STAT_COUNT];
	uint64_t hist[AOE_HIST_COUNT][WHERRY_HIST_BUCKET_COUNT];
};

struct aoe_lcore {
	struct aoe_export *first;
	unsigned advertised_all;
	struct {
		uint64_t cookie, state_generation;
		int status;
	} persisted[FAKE_PERSISTED_MAX];
	unsigned persisted_count;
};

struct fake_worker {
	struct job *first, **last;
	const struct route_table *routes;
	unsigned routes_set; /* how often */
	bool gate_open;
	unsigned served_when_opened; /* exports over all workers when the gate opened here */
	uint32_t spin_turns, pause_turns, sleep_us;
	worker_tap_fn *tap;
	void *tap_ctx;
	struct client_record clients[WHERRY_CLIENT_COUNT_MAX];
	unsigned client_count;
};

extern struct fake {
	bool stalled; /* workers do not run */
	struct fake_worker workers[FAKE_WORKER_COUNT];
	struct aoe_lcore lcores[FAKE_WORKER_COUNT];
	int (*persist)(struct worker *worker, const struct aoe_persist *change);
	unsigned live_exports;  /* created and not destroyed */
	int fail_export_create; /* how many more creations fail */
	uint64_t port_stats[FAKE_PORT_COUNT][WHERRY_PORT_STAT_COUNT];
	port_event_fn *port_handler;
	void *port_ctx;
} fake;

void fake_init(void);
void fake_fini(void);
/* Run what was posted to the workers, and make main's descriptor readable. */
void fake_run_workers(void);
/* The export that any worker serves, NULL: none. */
struct aoe_export *fake_served(uint64_t id);
/* Worker index that the published routes lead to, -1: none; asserts that all workers agree. */
int fake_route(uint16_t shelf, uint8_t slot);

/* ---- a server and its clients ---- */

struct client {
	int fd;
	/* the last message that came */
	struct wherry_ctl_header header;
	uint8_t packet[WHERRY_CTL_MESSAGE_BYTES_MAX];
	size_t len;
	int got_fd; /* with it, -1: none */
};

/* Open and close the server with fakes under it, at a socket in a new directory. */
void server_init(void);
void server_fini(void);
extern char server_path[108];

/* Let the server and the workers run until nothing happens any more. */
void settle(void);
void client_connect(struct client *c);
void client_close(struct client *c);
/* Connect and say HELLO as the controller or an observer; the reply has come. */
void client_hello(struct client *c, unsigned role);
void client_send(struct client *c, const uint8_t *packet, size_t len, int fd);
/* The next message, false when the server closed the connection or said nothing for two seconds. */
bool client_receive(struct client *c);
bool client_closed(struct client *c);
/* The next message is of this type and id; asserts. */
void client_expect(struct client *c, uint16_t type, uint32_t request_id);
void client_expect_ok(struct client *c, uint32_t request_id);
/* The next message is an ERROR with this errno and id; returns its sentence. */
const char *client_expect_error(struct client *c, uint32_t request_id, int error);

#define CLIENT_SEND_FD(client, name, id, fd, ...)                                                                      \
	do {                                                                                                           \
		static uint8_t packet_[WHERRY_CTL_MESSAGE_BYTES_MAX];                                                  \
		const struct wherry_ctl_##name m_ = {__VA_ARGS__};                                                     \
		client_send(client, packet_, wherry_ctl_put_##name(packet_, sizeof packet_, id, &m_), fd);             \
	} while (0)
#define CLIENT_SEND(client, name, id, ...) CLIENT_SEND_FD(client, name, id, -1, __VA_ARGS__)
/* Decode the last message. */
#define CLIENT_GET(client, name, to)                                                                                   \
	cr_assert_eq(wherry_ctl_get_##name((client)->packet + WHERRY_CTL_HEADER_BYTES, (client)->header.length, to), 0)

/* A sealable memfd of that size; a file in the test's directory, whose path goes to path[128] and is to be unlinked. */
int make_memfd(uint64_t size_bytes);
int make_file(uint64_t size_bytes, char *path);
/* How many descriptors this process has. */
unsigned count_fds(void);
