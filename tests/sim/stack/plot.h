/* SPDX-License-Identifier: BSD-3-Clause */
/* What a seed decides before anything runs.  Nothing of it changes afterwards. */
#pragma once

#include "../disk.h"
#include "backend/engine.h"
#include "fabric.h"
#include "flows.h"
#include "nbd/nbd.h"
#include "tcp/tcp.h"

#define WORKER_MAX 3
#define VOLUME_MAX 2
#define CONN_MAX 4

struct volume_plot {
	uint32_t sector_count, align_bytes, memory_align_bytes;
	bool write_back;
	unsigned home; /* worker */
	struct disk_latency latency;
	bool faulty;
	struct backend_fault_plan plan;
};

enum host_kind { HOST_OWN, HOST_ODD };

/* How an initiator ends a connection. */
enum leave_kind { LEAVE_DISCONNECT, LEAVE_RESET, LEAVE_FIN, LEAVE_VANISH, LEAVE_KIND_COUNT };

struct host_plot {
	enum host_kind kind;
	bool far, v6;
	uint16_t mtu;
	uint64_t delay_ns;
	/* the NBD device on it */
	unsigned volume, conn_count, op_count, depth;
	uint32_t read_percent, trim_ppm, zero_ppm, flush_ppm, fua_ppm, status_ppm;
	uint32_t sectors_max;
	bool structured, extended, by_name; /* by_name: EXPORT_NAME rather than GO */
	bool gives_up;                      /* what a broken connection left is not sent again */
	uint32_t leave_ppm;                 /* after each answer */
	uint64_t think_ns_max, patience_ns; /* patience: with one answer */
	uint32_t slow_ppm;                  /* own stack: pauses in reading */
};

struct stack_plot {
	unsigned worker_count, volume_count, host_count, rx_worker;
	uint16_t mtu;
	struct volume_plot volumes[VOLUME_MAX];
	struct host_plot hosts[HOST_MAX];
	struct tcp_limits tcp;
	struct tcp_settings settings;
	struct nbd_limits nbd;
	unsigned packet_count, rx_ring_frames, handoff_ring_frames, bounce_count;
	bool optimistic;
	uint32_t stall_ppm;
	uint64_t stall_ns_max, clock_base_ns;
	struct fabric_weather weather;
	uint64_t trouble_ns;
	unsigned kill_count, power_loss_count, restart_count, link_down_count, mac_change_count, path_change_count,
		router_change_count, host_loss_count;
	uint64_t slack_ns;
};

void plot_draw(struct stack_plot *plot, const struct sim *sim, unsigned op_count);
void plot_trace(struct sim *sim, const struct stack_plot *plot);
