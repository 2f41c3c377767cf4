/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Control protocol between wherryd and wherry-dataplane.
 *
 * Transport: Unix socket, SOCK_SEQPACKET, one message per packet, little-endian.
 * The dataplane listens; wherryd connects.  Header, then the message's fields in
 * the order of the schema below, nothing after them.
 *
 *  - The first message each side sends is HELLO / HELLO_REPLY; a version mismatch
 *    is answered with ERROR and the connection is closed.
 *  - Every request gets exactly one final reply that carries its request id: OK,
 *    ERROR, or the typed reply named in the schema.  List requests stream *_ITEM
 *    messages with the request's id first, then OK.
 *  - An unknown type, a short field or trailing bytes: ERROR, connection kept.
 *  - Requests from the dataplane (AOE_PERSIST, EVENT) have the top bit of the
 *    request id set, so that the two directions never collide.
 *  - Object updates are idempotent by (id, generation): an update whose
 *    generation is not larger than the one held is acknowledged and ignored
 *    (a newer state_generation inside an AOE_EXPORT_PUT still takes effect).
 *  - A descriptor travels with SCM_RIGHTS beside the message that says so; one
 *    beside any other message: ERROR.
 *  - A controller that leaves a request of the dataplane unanswered for
 *    WHERRY_CTL_ANSWER_SECONDS is disconnected.  Whoever connects next sends the
 *    whole configuration, so both ends agree again about what is durable.
 *
 * The schema is a list of fields per message; struct, encoder and decoder are
 * generated from it, so that the two ends cannot disagree.  Decoding copies into
 * the struct: no pointer into the packet survives, strings are NUL-terminated.
 */
#pragma once

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "wherry/limits.h"
#include "wherry/stats.h"

#define WHERRY_CTL_MAGIC 0x59524857u /* "WHRY" */
#define WHERRY_CTL_VERSION 1
#define WHERRY_CTL_HEADER_BYTES 16
#define WHERRY_CTL_MESSAGE_BYTES_MAX 16384
#define WHERRY_CTL_FROM_DATAPLANE 0x80000000u /* bit of request ids chosen by the dataplane */
#define WHERRY_CTL_HELLO_SECONDS 5            /* a connection that has not said HELLO by then is closed */
#define WHERRY_CTL_ANSWER_SECONDS 10

/*
 * What a client of the dataplane's socket wants to be.  There is one controller: the newest that said HELLO; the
 * connection of an older one is closed, so that a restarted wherryd is never locked out by a half-dead one.
 */
enum wherry_ctl_role {
	WHERRY_ROLE_CONTROLLER = 1, /* everything; receives AOE_PERSIST and EVENT */
	WHERRY_ROLE_OBSERVER,       /* lists and statistics only */
};

struct wherry_mac {
	uint8_t b[6];
};

/* Volume flags */
#define WHERRY_VOLUME_READ_ONLY 0x1u
#define WHERRY_VOLUME_WRITE_BACK 0x2u   /* acknowledge before durable; flush makes durable */
#define WHERRY_VOLUME_DIRECT 0x4u       /* descriptor is open with O_DIRECT */
#define WHERRY_VOLUME_BLOCK_DEVICE 0x8u /* descriptor is a block device */

enum wherry_backend {
	WHERRY_BACKEND_RAM = 1, /* descriptor: memfd of size_bytes, shared mapping; survives the dataplane */
	WHERRY_BACKEND_FILE,    /* descriptor: regular file or block device */
	WHERRY_BACKEND_NULL,    /* no descriptor: writes vanish, reads are zero */
};

/* AoE export flags */
#define WHERRY_AOE_READ_ONLY 0x1u
#define WHERRY_AOE_REMOTE_MASK 0x2u          /* clients may edit the MAC mask */
#define WHERRY_AOE_REMOTE_CONFIG 0x4u        /* clients may set the config string */
#define WHERRY_AOE_REMOTE_FORCE_RESERVE 0x8u /* clients may use force-reserve */

/* NBD export flags */
#define WHERRY_NBD_READ_ONLY 0x1u
#define WHERRY_NBD_DEFAULT 0x2u /* answers to the empty name, too */

enum wherry_tcp_congestion { WHERRY_TCP_CUBIC, WHERRY_TCP_DCTCP, WHERRY_TCP_RENO };

/* What an AOE_PERSIST request changes */
enum wherry_aoe_change {
	WHERRY_AOE_CHANGE_CONFIG = 1,
	WHERRY_AOE_CHANGE_MASK,
	WHERRY_AOE_CHANGE_RESERVE,
};

enum wherry_severity { WHERRY_INFO, WHERRY_WARNING, WHERRY_ERROR };

/* Code of the EVENT that asks for a new dataplane: the device of a port that is out of service can be opened again. */
#define WHERRY_CTL_EVENT_PORT_RETURNED "port.returned"

/* ------------------------------------------------------------------ schema */
/* clang-format off */
/* Field kinds: U8 U16 U32 U64 BOOL(name); STR(name, max) -> char name[max + 1];
 * BYTES(name, max) -> {uint16_t len; uint8_t b[max];}; MACS(name, max) -> {uint16_t count; struct wherry_mac mac[max];};
 * U16S/U64S(name, max) -> {uint16_t count; uintN_t v[max];} */

#define WHERRY_CTL_F_HELLO(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U16(version) STR(software, WHERRY_NAME_BYTES_MAX) \
    U8(role)             /* enum wherry_ctl_role */

#define WHERRY_CTL_F_HELLO_REPLY(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U16(version) STR(software, WHERRY_NAME_BYTES_MAX) U64(instance) U32(pid) \
    BOOL(gate_open)      /* serving: a whole configuration has been received */ \
    U64(epoch)           /* of the last SYNC_END, 0 before */ \
    BOOL(hugepages)

#define WHERRY_CTL_F_OK(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
#define WHERRY_CTL_F_ERROR(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U32(error)           /* positive errno */ \
    STR(message, WHERRY_TEXT_BYTES_MAX) /* names the object and the remedy */

/* Bracket a whole configuration.  SYNC_END removes objects that were not put since SYNC_BEGIN and opens the gate.
 * While the gate is already open (wherryd restarted), service goes on throughout.  Exports put inside the brackets
 * take effect together at SYNC_END; when the controller leaves before it, what was put takes effect, nothing is
 * removed and the gate stays as it is.  Both messages carry the same epoch. */
#define WHERRY_CTL_F_SYNC_BEGIN(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(epoch)
#define WHERRY_CTL_F_SYNC_END(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(epoch)

/* + descriptor for ram and file.  A put with a larger size grows the volume in place (the backing store has grown
 * before).  size_bytes is a multiple of block_bytes and align_bytes.  A newer generation with another backing store
 * (another inode, backend, alignment or WHERRY_VOLUME_DIRECT) replaces the store once I/O under way has ended.
 * A backing store shorter than size_bytes: the volume is created out of service. */
#define WHERRY_CTL_F_VOLUME_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(id) U64(generation) STR(name, WHERRY_NAME_BYTES_MAX) U8(backend) U32(flags) \
    U64(size_bytes) U32(block_bytes) /* 512 or 4096: logical block told to clients */ \
    U32(align_bytes)     /* offset and length granularity of the descriptor (O_DIRECT), 1 when none */ \
    U32(memory_align_bytes) /* buffer address granularity, 1 when none */
#define WHERRY_CTL_F_VOLUME_DELETE(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(id)
#define WHERRY_CTL_F_VOLUME_FD_GET(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(id)
#define WHERRY_CTL_F_VOLUME_FD(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(id) /* + descriptor */
#define WHERRY_CTL_F_VOLUME_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
#define WHERRY_CTL_F_VOLUME_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(id) U64(generation) U64(size_bytes) BOOL(online) U16(lcore) STR(detail, WHERRY_TEXT_BYTES_MAX)
/* Take a volume out of service or back in (the main lcore also does so itself when the backing store shrinks). */
#define WHERRY_CTL_F_VOLUME_ONLINE(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(id) BOOL(online)

/* Fault injection on a volume; all zero removes it.  Rates are per million requests. */
#define WHERRY_CTL_F_FAULT_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(volume_id) U64(seed) U32(read_error_ppm) U32(write_error_ppm) U32(flush_error_ppm) \
    U32(no_space_ppm) U32(delay_ppm) U32(delay_us) U64(bad_offset_bytes) U64(bad_length_bytes)

/* ports/vlans empty: every port, untagged.  An entry of vlans is a VLAN id, 0 for untagged. */
#define WHERRY_CTL_F_AOE_EXPORT_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(id) U64(generation) U64(volume_id) U16(shelf) U8(slot) U32(flags) \
    U16(buffer_count)    /* told to clients; at least 2 */ \
    U16(sectors_max)     /* per frame; 0: what the port's MTU allows */ \
    STR(serial, 20) STR(model, 40) \
    U16S(ports, WHERRY_PORT_COUNT_MAX) U16S(vlans, WHERRY_VLAN_COUNT_MAX) \
    U64(state_generation) BYTES(config, WHERRY_AOE_CONFIG_BYTES_MAX) \
    MACS(mask, WHERRY_AOE_MASK_COUNT_MAX) MACS(reserve, WHERRY_AOE_RESERVE_COUNT_MAX)
#define WHERRY_CTL_F_AOE_EXPORT_DELETE(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(id)
/* The operator changed an export's durable state.  Whole state, not a difference. */
#define WHERRY_CTL_F_AOE_STATE_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(export_id) U64(state_generation) BYTES(config, WHERRY_AOE_CONFIG_BYTES_MAX) \
    MACS(mask, WHERRY_AOE_MASK_COUNT_MAX) MACS(reserve, WHERRY_AOE_RESERVE_COUNT_MAX)

/* The whole configuration of IP; lists of one length belong together.  An address is 16 bytes, IPv4 as
 * ::ffff:a.b.c.d; bits are the family's (up to 32 for IPv4). */
#define WHERRY_CTL_F_NET_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(generation) \
    U16S(address_port, WHERRY_ADDRESS_COUNT_MAX) U16S(address_vlan, WHERRY_ADDRESS_COUNT_MAX) \
    BYTES(address, WHERRY_ADDRESS_COUNT_MAX * 16) BYTES(address_bits, WHERRY_ADDRESS_COUNT_MAX) \
    BYTES(route, WHERRY_ROUTE_COUNT_MAX * 16) BYTES(route_bits, WHERRY_ROUTE_COUNT_MAX) \
    BYTES(route_gateway, WHERRY_ROUTE_COUNT_MAX * 16) \
    U16S(slaac, WHERRY_PORT_COUNT_MAX) /* ports that take addresses and routers from router advertisements */

/* For connections from now on.  Times of 0 switch off. */
#define WHERRY_CTL_F_TCP_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U8(congestion)       /* enum wherry_tcp_congestion */ \
    BOOL(ecn) U32(keepalive_idle_ms) U32(keepalive_interval_ms) U32(keepalive_count) U32(user_timeout_ms)

/* The TCP port that NBD listens on, 0: none. */
#define WHERRY_CTL_F_NBD_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U16(tcp_port)
/* allow empty: everybody; its addresses and bits (of the family) have one length. */
#define WHERRY_CTL_F_NBD_EXPORT_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(id) U64(generation) U64(volume_id) STR(name, WHERRY_NAME_BYTES_MAX) \
    STR(description, WHERRY_TEXT_BYTES_MAX) U32(flags) \
    BYTES(allow, WHERRY_NBD_ALLOW_COUNT_MAX * 16) BYTES(allow_bits, WHERRY_NBD_ALLOW_COUNT_MAX)
#define WHERRY_CTL_F_NBD_EXPORT_DELETE(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(id)

#define WHERRY_CTL_F_NEIGHBOUR_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
#define WHERRY_CTL_F_NEIGHBOUR_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    BYTES(address, 16) MACS(mac, 1) U16(port) U16(vlan) U16(lcore) STR(state, WHERRY_NAME_BYTES_MAX) U64(age_us)
#define WHERRY_CTL_F_CONNECTION_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
#define WHERRY_CTL_F_CONNECTION_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    BYTES(local, 16) U16(local_port) BYTES(remote, 16) U16(remote_port) U16(port) U16(vlan) U16(lcore) \
    STR(state, WHERRY_NAME_BYTES_MAX) STR(congestion, WHERRY_NAME_BYTES_MAX) BOOL(ecn) BOOL(sack) BOOL(timestamps) \
    U16(mss_bytes) U32(rtt_us) U32(rtt_var_us) U32(rto_us) U32(cwnd_bytes) U32(ssthresh_bytes) U32(in_flight_bytes) \
    U32(send_window_bytes) U32(receive_window_bytes) U64(unsent_bytes) U32(held_packets) U64(age_us) \
    U64(bytes_in) U64(bytes_out) U64(segments_in) U64(segments_out) U64(retransmits) U64(timeouts) \
    U64(tail_probes) U64(zero_windows) U64(out_of_order) U64(duplicates)
#define WHERRY_CTL_F_NBD_SESSION_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
/* export_id 0: still in the handshake. */
#define WHERRY_CTL_F_NBD_SESSION_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(export_id) BYTES(local, 16) U16(local_port) BYTES(remote, 16) U16(remote_port) U16(lcore) U64(age_us) \
    BOOL(structured) BOOL(extended) BOOL(base_allocation) U32(under_way) U64(read_ops) U64(read_bytes) \
    U64(write_ops) U64(write_bytes) U64(other_ops) U64(errors)

/* Idle policy: spin turns, then pause turns, then sleep of sleep_us (0: never sleep). */
#define WHERRY_CTL_F_IDLE_PUT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U32(spin_turns) U32(pause_turns) U32(sleep_us)

#define WHERRY_CTL_F_STATS_GET(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U8(scope)            /* enum wherry_stat_scope, all but CLIENT */ \
    U64(id)              /* one object (index + 1 for ports and lcores, here and in the items), 0: all */ \
    BOOL(histograms)     /* EXPORT: send HIST_ITEMs too */
#define WHERRY_CTL_F_STATS_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U8(scope) U64(id) U64(time_us) /* UNIX epoch */ U64S(values, WHERRY_STAT_COUNT_MAX)
#define WHERRY_CTL_F_HIST_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U8(scope) U64(id) U8(kind) /* 0 read, 1 write, 2 other */ \
    U16(first_bucket)    /* bucket of values[0]; leading and trailing empty buckets are not sent */ \
    U64S(values, WHERRY_HIST_BUCKET_COUNT)

#define WHERRY_CTL_F_CLIENT_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
#define WHERRY_CTL_F_CLIENT_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    MACS(mac, 1) U16(port) U16(vlan) U16(lcore) U64(first_seen_us) U64(last_seen_us) /* UNIX epoch */ \
    U64S(values, WHERRY_STAT_COUNT_MAX)

#define WHERRY_CTL_F_PORT_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
#define WHERRY_CTL_F_PORT_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U16(index) STR(name, WHERRY_NAME_BYTES_MAX) STR(device, WHERRY_TEXT_BYTES_MAX) STR(driver, WHERRY_NAME_BYTES_MAX) \
    MACS(mac, 1) U16(mtu) BOOL(link_up) U32(link_mbps) U16(rx_queues) U16(tx_queues) \
    U16(numa_node)       /* 0xffff: unknown */ \
    U32(punt_rate)       /* frames a second that go to the kernel and come from it, 0: none */ \
    STR(punt_interface, WHERRY_NAME_BYTES_MAX) /* the kernel's, "": there is none */ \
    U64(punt_frames) U64(punt_dropped) U64(punt_sent) \
    STR(detail, WHERRY_TEXT_BYTES_MAX) /* fall-backs taken, warnings, "removed" */
#define WHERRY_CTL_F_LCORE_LIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)
/* The workers in order of their index, then the main lcore with the next index. */
#define WHERRY_CTL_F_LCORE_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U16(index) U16(lcore_id) BOOL(main) U16(numa_node) U64(tsc_hz) U32(exports) U32(volumes) \
    STR(cpus, WHERRY_NAME_BYTES_MAX)

/* + descriptor to write pcapng to (file, pipe or socket); its flags are left alone.  Ends after count or seconds, on
 * CAPTURE_STOP, when writing fails, or when the controller leaves.  STOP (once everything is written) and GET are
 * answered with CAPTURE_ITEM; ids are never used twice. */
#define WHERRY_CTL_F_CAPTURE_START(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U16(port)            /* 0xffff: all ports */ \
    MACS(mac, 1)         /* frames from or to this client; empty: all */ \
    U32(snap_bytes)      /* 0: whole frames */ U64(count) U32(seconds) /* 0: no limit */
#define WHERRY_CTL_F_CAPTURE_STARTED(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U32(capture)
#define WHERRY_CTL_F_CAPTURE_STOP(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U32(capture)
#define WHERRY_CTL_F_CAPTURE_GET(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U32(capture)
#define WHERRY_CTL_F_CAPTURE_ITEM(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U32(capture) BOOL(running) U64(written) U64(dropped) STR(detail, WHERRY_TEXT_BYTES_MAX)

/* Finish I/O under way, stop ports, exit 0.  OK is sent before the exit. */
#define WHERRY_CTL_F_SHUTDOWN(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S)

/* dataplane -> wherryd.  The change is answered to the client only after AOE_PERSISTED, whose state the dataplane then
 * holds.  Whoever answers a stale base_generation sends AOE_STATE_PUT with the state that it holds first. */
#define WHERRY_CTL_F_AOE_PERSIST(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U64(export_id) U64(base_generation) /* the state_generation this change was computed on; stale -> ERROR EAGAIN */ \
    U8(change) MACS(requester, 1) BYTES(config, WHERRY_AOE_CONFIG_BYTES_MAX) \
    MACS(list, WHERRY_AOE_RESERVE_COUNT_MAX) /* the whole new mask or reserve list */
#define WHERRY_CTL_F_AOE_PERSISTED(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) U64(export_id) U64(state_generation)
/* dataplane -> wherryd, answered OK.  Kept while no controller is connected; sent again when one leaves without
 * having answered, so one event may arrive twice. */
#define WHERRY_CTL_F_EVENT(U8,U16,U32,U64,BOOL,STR,BYTES,MACS,U16S,U64S) \
    U8(severity) STR(code, WHERRY_NAME_BYTES_MAX) /* e.g. "volume.shrunk" */ \
    U64(object_id) STR(message, WHERRY_TEXT_BYTES_MAX)

/* MSG(number, NAME, name) */
#define WHERRY_CTL_MESSAGES(MSG) \
    MSG(1, HELLO, hello) MSG(2, HELLO_REPLY, hello_reply) MSG(3, OK, ok) MSG(4, ERROR, error) \
    MSG(5, SYNC_BEGIN, sync_begin) MSG(6, SYNC_END, sync_end) \
    MSG(10, VOLUME_PUT, volume_put) MSG(11, VOLUME_DELETE, volume_delete) MSG(12, VOLUME_FD_GET, volume_fd_get) \
    MSG(13, VOLUME_FD, volume_fd) MSG(14, VOLUME_LIST, volume_list) MSG(15, VOLUME_ITEM, volume_item) \
    MSG(16, VOLUME_ONLINE, volume_online) MSG(17, FAULT_PUT, fault_put) \
    MSG(20, AOE_EXPORT_PUT, aoe_export_put) MSG(21, AOE_EXPORT_DELETE, aoe_export_delete) \
    MSG(22, AOE_STATE_PUT, aoe_state_put) MSG(23, AOE_PERSIST, aoe_persist) MSG(24, AOE_PERSISTED, aoe_persisted) \
    MSG(30, STATS_GET, stats_get) MSG(31, STATS_ITEM, stats_item) MSG(32, HIST_ITEM, hist_item) \
    MSG(33, CLIENT_LIST, client_list) MSG(34, CLIENT_ITEM, client_item) MSG(35, PORT_LIST, port_list) \
    MSG(36, PORT_ITEM, port_item) MSG(37, LCORE_LIST, lcore_list) MSG(38, LCORE_ITEM, lcore_item) \
    MSG(39, IDLE_PUT, idle_put) \
    MSG(40, CAPTURE_START, capture_start) MSG(41, CAPTURE_STARTED, capture_started) MSG(42, CAPTURE_STOP, capture_stop) \
    MSG(43, CAPTURE_GET, capture_get) MSG(44, CAPTURE_ITEM, capture_item) \
    MSG(50, EVENT, event) MSG(51, SHUTDOWN, shutdown) \
    MSG(60, NET_PUT, net_put) MSG(61, TCP_PUT, tcp_put) MSG(62, NEIGHBOUR_LIST, neighbour_list) \
    MSG(63, NEIGHBOUR_ITEM, neighbour_item) MSG(64, CONNECTION_LIST, connection_list) \
    MSG(65, CONNECTION_ITEM, connection_item) \
    MSG(70, NBD_PUT, nbd_put) MSG(71, NBD_EXPORT_PUT, nbd_export_put) MSG(72, NBD_EXPORT_DELETE, nbd_export_delete) \
    MSG(73, NBD_SESSION_LIST, nbd_session_list) MSG(74, NBD_SESSION_ITEM, nbd_session_item)
/* clang-format on */

/* --------------------------------------------------------------- structs */
struct wherry_ctl_header {
	uint32_t magic;
	uint16_t version;
	uint16_t type;
	uint32_t request_id;
	uint32_t length; /* of the fields, header excluded */
};

enum wherry_ctl_type {
#define WHERRY_CTL_ENUM_(number, NAME, name) WHERRY_CTL_##NAME = number,
	WHERRY_CTL_MESSAGES(WHERRY_CTL_ENUM_)
#undef WHERRY_CTL_ENUM_
};

/* clang-format off */
#define WHERRY_S_U8(n) uint8_t n;
#define WHERRY_S_U16(n) uint16_t n;
#define WHERRY_S_U32(n) uint32_t n;
#define WHERRY_S_U64(n) uint64_t n;
#define WHERRY_S_BOOL(n) bool n;
#define WHERRY_S_STR(n, max) char n[(max) + 1];
#define WHERRY_S_BYTES(n, max) struct { uint16_t len; uint8_t b[max]; } n;
#define WHERRY_S_MACS(n, max) struct { uint16_t count; struct wherry_mac mac[max]; } n;
#define WHERRY_S_U16S(n, max) struct { uint16_t count; uint16_t v[max]; } n;
#define WHERRY_S_U64S(n, max) struct { uint16_t count; uint64_t v[max]; } n;
#define WHERRY_CTL_STRUCT_(number, NAME, name) \
    struct wherry_ctl_##name { WHERRY_CTL_F_##NAME(WHERRY_S_U8, WHERRY_S_U16, WHERRY_S_U32, WHERRY_S_U64, \
        WHERRY_S_BOOL, WHERRY_S_STR, WHERRY_S_BYTES, WHERRY_S_MACS, WHERRY_S_U16S, WHERRY_S_U64S) };
WHERRY_CTL_MESSAGES(WHERRY_CTL_STRUCT_)
#undef WHERRY_CTL_STRUCT_
/* clang-format on */

/* ---------------------------------------------------------------- cursors */
/* Writer: stops at the end of the buffer and remembers that it did. */
struct wherry_ctl_writer {
	uint8_t *at, *end;
	bool full;
};

/* Reader: every get is bounds-checked; after the first failure all yield zero. */
struct wherry_ctl_reader {
	const uint8_t *at, *end;
	bool bad;
};

static inline void wherry_ctl_put_raw(struct wherry_ctl_writer *w, const void *bytes, size_t n)
{
	if (w->full || (size_t)(w->end - w->at) < n) {
		w->full = true;
		return;
	}
	if (n)
		memcpy(w->at, bytes, n);
	w->at += n;
}

static inline void wherry_ctl_put_uint(struct wherry_ctl_writer *w, uint64_t value, unsigned bytes)
{
	uint8_t b[8];
	for (unsigned i = 0; i < bytes; i++)
		b[i] = (uint8_t)(value >> (8 * i));
	wherry_ctl_put_raw(w, b, bytes);
}

static inline const uint8_t *wherry_ctl_take(struct wherry_ctl_reader *r, size_t n)
{
	if (r->bad || (size_t)(r->end - r->at) < n) {
		r->bad = true;
		return NULL;
	}
	const uint8_t *at = r->at;
	r->at += n;
	return at;
}

static inline uint64_t wherry_ctl_get_uint(struct wherry_ctl_reader *r, unsigned bytes)
{
	const uint8_t *b = wherry_ctl_take(r, bytes);
	uint64_t value = 0;
	for (unsigned i = 0; b && i < bytes; i++)
		value |= (uint64_t)b[i] << (8 * i);
	return value;
}

/* Count of a variable field; more than max is a malformed message. */
static inline uint16_t wherry_ctl_get_count(struct wherry_ctl_reader *r, size_t max)
{
	uint64_t n = wherry_ctl_get_uint(r, 2);
	if (n > max) {
		r->bad = true;
		return 0;
	}
	return (uint16_t)n;
}

static inline void wherry_ctl_get_bytes(struct wherry_ctl_reader *r, void *to, size_t n)
{
	const uint8_t *b = wherry_ctl_take(r, n);
	if (b && n)
		memcpy(to, b, n);
}

/* A string: no NUL inside. */
static inline void wherry_ctl_get_str(struct wherry_ctl_reader *r, char *to, size_t max)
{
	uint16_t n = wherry_ctl_get_count(r, max);
	const uint8_t *b = wherry_ctl_take(r, n);
	if (!b || memchr(b, 0, n)) {
		r->bad = true;
		n = 0;
	} else {
		memcpy(to, b, n);
	}
	to[n] = '\0';
}

/*
 * Generated per message `name`:
 *   size_t wherry_ctl_put_<name>(uint8_t *buf, size_t cap, uint32_t request_id, const struct wherry_ctl_<name> *m);
 *     Encodes header and fields.  Returns the whole length, or 0 when cap is too small or a count exceeds its maximum.
 *   int wherry_ctl_get_<name>(const uint8_t *fields, size_t len, struct wherry_ctl_<name> *m);
 *     Decodes the fields (after the header).  0, or -EBADMSG when short, over a maximum or with trailing bytes.
 * Any thread; neither allocates.
 */
/* clang-format off */
#define WHERRY_P_U8(n) wherry_ctl_put_uint(&w, m->n, 1);
#define WHERRY_P_U16(n) wherry_ctl_put_uint(&w, m->n, 2);
#define WHERRY_P_U32(n) wherry_ctl_put_uint(&w, m->n, 4);
#define WHERRY_P_U64(n) wherry_ctl_put_uint(&w, m->n, 8);
#define WHERRY_P_BOOL(n) wherry_ctl_put_uint(&w, m->n ? 1 : 0, 1);
#define WHERRY_P_STR(n, max) { size_t len_ = strnlen(m->n, (max)); wherry_ctl_put_uint(&w, len_, 2); wherry_ctl_put_raw(&w, m->n, len_); }
#define WHERRY_P_BYTES(n, max) { w.full |= m->n.len > (max); wherry_ctl_put_uint(&w, m->n.len, 2); if (!w.full) wherry_ctl_put_raw(&w, m->n.b, m->n.len); }
#define WHERRY_P_MACS(n, max) { w.full |= m->n.count > (max); wherry_ctl_put_uint(&w, m->n.count, 2); if (!w.full) wherry_ctl_put_raw(&w, m->n.mac, m->n.count * sizeof m->n.mac[0]); }
#define WHERRY_P_U16S(n, max) { w.full |= m->n.count > (max); wherry_ctl_put_uint(&w, m->n.count, 2); for (unsigned i_ = 0; !w.full && i_ < m->n.count; i_++) wherry_ctl_put_uint(&w, m->n.v[i_], 2); }
#define WHERRY_P_U64S(n, max) { w.full |= m->n.count > (max); wherry_ctl_put_uint(&w, m->n.count, 2); for (unsigned i_ = 0; !w.full && i_ < m->n.count; i_++) wherry_ctl_put_uint(&w, m->n.v[i_], 8); }

#define WHERRY_G_U8(n) m->n = (uint8_t)wherry_ctl_get_uint(&r, 1);
#define WHERRY_G_U16(n) m->n = (uint16_t)wherry_ctl_get_uint(&r, 2);
#define WHERRY_G_U32(n) m->n = (uint32_t)wherry_ctl_get_uint(&r, 4);
#define WHERRY_G_U64(n) m->n = wherry_ctl_get_uint(&r, 8);
#define WHERRY_G_BOOL(n) { uint64_t v_ = wherry_ctl_get_uint(&r, 1); r.bad |= v_ > 1; m->n = v_ == 1; }
#define WHERRY_G_STR(n, max) wherry_ctl_get_str(&r, m->n, (max));
#define WHERRY_G_BYTES(n, max) m->n.len = wherry_ctl_get_count(&r, (max)); wherry_ctl_get_bytes(&r, m->n.b, m->n.len);
#define WHERRY_G_MACS(n, max) m->n.count = wherry_ctl_get_count(&r, (max)); wherry_ctl_get_bytes(&r, m->n.mac, m->n.count * sizeof m->n.mac[0]);
#define WHERRY_G_U16S(n, max) m->n.count = wherry_ctl_get_count(&r, (max)); for (unsigned i_ = 0; i_ < m->n.count; i_++) m->n.v[i_] = (uint16_t)wherry_ctl_get_uint(&r, 2);
#define WHERRY_G_U64S(n, max) m->n.count = wherry_ctl_get_count(&r, (max)); for (unsigned i_ = 0; i_ < m->n.count; i_++) m->n.v[i_] = wherry_ctl_get_uint(&r, 8);

#define WHERRY_CTL_CODEC_(number, NAME, name) \
    static inline size_t wherry_ctl_put_##name(uint8_t *buf, size_t cap, uint32_t request_id, const struct wherry_ctl_##name *m) \
    { \
        if (cap < WHERRY_CTL_HEADER_BYTES) return 0; \
        struct wherry_ctl_writer w = {buf + WHERRY_CTL_HEADER_BYTES, buf + cap, false}; \
        (void)m; \
        WHERRY_CTL_F_##NAME(WHERRY_P_U8, WHERRY_P_U16, WHERRY_P_U32, WHERRY_P_U64, WHERRY_P_BOOL, WHERRY_P_STR, \
            WHERRY_P_BYTES, WHERRY_P_MACS, WHERRY_P_U16S, WHERRY_P_U64S) \
        if (w.full) return 0; \
        size_t len = (size_t)(w.at - buf); \
        w.at = buf; \
        wherry_ctl_put_uint(&w, WHERRY_CTL_MAGIC, 4); wherry_ctl_put_uint(&w, WHERRY_CTL_VERSION, 2); \
        wherry_ctl_put_uint(&w, number, 2); wherry_ctl_put_uint(&w, request_id, 4); \
        wherry_ctl_put_uint(&w, len - WHERRY_CTL_HEADER_BYTES, 4); \
        return len; \
    } \
    static inline __attribute__((warn_unused_result)) int wherry_ctl_get_##name(const uint8_t *fields, size_t len, struct wherry_ctl_##name *m) \
    { \
        struct wherry_ctl_reader r = {fields, fields + len, false}; \
        memset(m, 0, sizeof *m); \
        WHERRY_CTL_F_##NAME(WHERRY_G_U8, WHERRY_G_U16, WHERRY_G_U32, WHERRY_G_U64, WHERRY_G_BOOL, WHERRY_G_STR, \
            WHERRY_G_BYTES, WHERRY_G_MACS, WHERRY_G_U16S, WHERRY_G_U64S) \
        return r.bad || r.at != r.end ? -EBADMSG : 0; \
    }
WHERRY_CTL_MESSAGES(WHERRY_CTL_CODEC_)
#undef WHERRY_CTL_CODEC_
/* clang-format on */

/*
 * Decode and check a header.  0; -EBADMSG when shorter than a header, with a
 * wrong magic, or when `length` is not what the packet holds; -EPROTONOSUPPORT
 * for another version (type and request_id are then still filled in).
 */
static inline __attribute__((warn_unused_result)) int wherry_ctl_get_header(const uint8_t *packet, size_t len,
									    struct wherry_ctl_header *h)
{
	struct wherry_ctl_reader r = {packet, packet + len, false};
	h->magic = (uint32_t)wherry_ctl_get_uint(&r, 4);
	h->version = (uint16_t)wherry_ctl_get_uint(&r, 2);
	h->type = (uint16_t)wherry_ctl_get_uint(&r, 2);
	h->request_id = (uint32_t)wherry_ctl_get_uint(&r, 4);
	h->length = (uint32_t)wherry_ctl_get_uint(&r, 4);
	if (r.bad || h->magic != WHERRY_CTL_MAGIC || h->length != (size_t)(r.end - r.at))
		return -EBADMSG;
	return h->version == WHERRY_CTL_VERSION ? 0 : -EPROTONOSUPPORT;
}

/* Name of a message type for logs and errors, NULL when unknown.  Static storage. */
static inline const char *wherry_ctl_type_name(uint16_t type)
{
	switch (type) {
#define WHERRY_CTL_CASE_(number, NAME, name)                                                                           \
	case number:                                                                                                   \
		return #NAME;
		WHERRY_CTL_MESSAGES(WHERRY_CTL_CASE_)
#undef WHERRY_CTL_CASE_
	default:
		return NULL;
	}
}
