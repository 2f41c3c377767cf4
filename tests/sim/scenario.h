/* SPDX-License-Identifier: BSD-3-Clause */
/* What a seed decides before anything runs.  Nothing of it changes afterwards. */
#pragma once

#include "backend/engine.h"
#include "disk.h"
#include "net.h"

#define PORT_MAX 3
#define WORKER_MAX 4
#define VOLUME_MAX 3
#define EXPORT_MAX 4
#define CLIENT_MAX 6
#define CARD_MAX 2

enum client_kind { CLIENT_LINUX, CLIENT_IPXE, CLIENT_WINAOE, CLIENT_ADMIN, CLIENT_NOISE, CLIENT_KIND_COUNT };

struct volume_scenario {
	uint32_t sector_count, align_bytes, memory_align_bytes;
	bool write_back;
	unsigned home; /* worker */
	struct disk_latency latency;
	bool faulty;
	struct backend_fault_plan plan;
};

struct export_scenario {
	unsigned volume;
	uint16_t shelf;
	uint8_t slot;
	uint16_t buffer_count, sectors_max;
	uint32_t flags;
	bool administered; /* a client edits its mask, reservation and config string */
	bool operated;     /* the operator does */
};

struct client_scenario {
	enum client_kind kind;
	unsigned export_;
	unsigned card_count;
	unsigned op_count, depth;
	uint32_t read_percent, trim_ppm, flush_ppm, verify_ppm;
	uint64_t think_ns_max;
};

struct scenario {
	unsigned port_count, worker_count, volume_count, export_count, client_count;
	uint16_t mtu;
	struct volume_scenario volumes[VOLUME_MAX];
	struct export_scenario exports[EXPORT_MAX];
	struct client_scenario clients[CLIENT_MAX];
	unsigned rx_owner[PORT_MAX]; /* worker that polls the port */
	unsigned rx_ring_frames, handoff_ring_frames, request_count, packet_count, bounce_count;
	uint32_t stall_ppm;    /* of worker turns: the thread is preempted ... */
	uint64_t stall_ns_max; /* ... for up to so long */
	struct net_weather weather;
	/* Accidents, at times drawn within the trouble. */
	uint64_t trouble_ns;
	unsigned dataplane_crash_count, power_loss_count, control_crash_count, link_down_count, replace_count;
	uint64_t control_latency_ns_max;
};

/* op_count 0: as the seed says. */
void scenario_draw(struct scenario *scenario, const struct sim *sim, unsigned op_count);
void scenario_trace(struct sim *sim, const struct scenario *scenario);
