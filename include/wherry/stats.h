/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one list of everything wherry counts.
 *
 * STAT(scope, name, kind, unit, help): kind C is a counter that only grows
 * (u64, wraps never in practice), G a gauge.  The dataplane keeps one array per
 * object, indexed by the enum; wherryd and wherryctl name, describe and print
 * the same arrays from the same list.  Every refusal and drop has its line here.
 *
 * Written by the worker lcore that owns the object, read by the main lcore with
 * relaxed atomics; values of one snapshot may be a few operations apart.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* clang-format off */
#define WHERRY_STATS_PORT(STAT) \
    STAT(PORT, rx_frames,        C, frames, "frames received") \
    STAT(PORT, rx_bytes,         C, bytes,  "bytes received, Ethernet header included") \
    STAT(PORT, tx_frames,        C, frames, "frames sent") \
    STAT(PORT, tx_bytes,         C, bytes,  "bytes sent, Ethernet header included") \
    STAT(PORT, rx_missed,        C, frames, "dropped by the device: receive ring full") \
    STAT(PORT, rx_errors,        C, frames, "dropped by the device: damaged frame") \
    STAT(PORT, rx_no_buffer,     C, frames, "dropped by the driver: buffer pool empty") \
    STAT(PORT, rx_linearised,    C, frames, "delivered in pieces by the driver and joined by copying") \
    STAT(PORT, tx_errors,        C, frames, "the device failed to send") \
    STAT(PORT, tx_ring_full,     C, frames, "dropped: transmit ring stayed full") \
    STAT(PORT, punt_frames,      C, frames, "not for the appliance, passed to the kernel") \
    STAT(PORT, punt_drop_rate,   C, frames, "not passed to the kernel: more than the limit") \
    STAT(PORT, punt_drop_full,   C, frames, "not passed to the kernel: its interface is down or full") \
    STAT(PORT, punt_sent,        C, frames, "sent for the kernel") \
    STAT(PORT, punt_sent_drop,   C, frames, "of the kernel's, not sent: too long, or no room on the way") \
    STAT(PORT, link_changes,     C, events, "link went up or down") \
    STAT(PORT, link_up,          G, bool,   "1 while the link is up") \
    STAT(PORT, link_mbps,        G, mbps,   "link speed, 0 when the driver does not say")

#define WHERRY_STATS_LCORE(STAT) \
    STAT(LCORE, turns,           C, turns,  "loop turns") \
    STAT(LCORE, busy_cycles,     C, cycles, "TSC cycles in turns that moved a frame, message or completion") \
    STAT(LCORE, idle_cycles,     C, cycles, "TSC cycles in empty turns, pauses and sleeps") \
    STAT(LCORE, sleeps,          C, sleeps, "short sleeps taken by the idle policy") \
    STAT(LCORE, handoff_out,     C, frames, "frames passed to the owning lcore") \
    STAT(LCORE, handoff_in,      C, frames, "frames taken from other lcores") \
    STAT(LCORE, handoff_full,    C, frames, "dropped: the owner's hand-off ring was full") \
    STAT(LCORE, carried_out,     C, ops,    "volume requests passed to the volume's lcore") \
    STAT(LCORE, carried_in,      C, ops,    "volume requests taken from other lcores") \
    STAT(LCORE, inbox_messages,  C, msgs,   "configuration messages handled") \
    STAT(LCORE, clients_evicted, C, clients,"client records forgotten to make room") \
    STAT(LCORE, drop_gate_closed,C, frames, "dropped: configuration not complete yet") \
    STAT(LCORE, drop_no_buffer,  C, frames, "not passed to another lcore: no packet buffer for a copy") \
    STAT(LCORE, drop_eth_short,  C, frames, "dropped: shorter than its Ethernet header") \
    STAT(LCORE, drop_eth_type,   C, frames, "dropped: EtherType not served") \
    STAT(LCORE, drop_eth_vlan,   C, frames, "dropped: VLAN not configured on the port") \
    STAT(LCORE, drop_eth_dst,    C, frames, "dropped: unicast destination is not this port") \
    STAT(LCORE, drop_eth_src,    C, frames, "dropped: source is a group address or all zero") \
    STAT(LCORE, aoe_drop_runt,   C, frames, "AoE dropped: header not whole") \
    STAT(LCORE, aoe_drop_response,C,frames, "AoE dropped: response flag set") \
    STAT(LCORE, aoe_drop_target, C, frames, "AoE dropped: no such shelf.slot on this port and VLAN") \
    STAT(LCORE, aoe_drop_no_request,C,frames,"AoE dropped: request pool of the lcore empty") \
    STAT(LCORE, aoe_drop_no_buffer,C,frames,"AoE dropped: no packet buffer for an answer") \
    STAT(LCORE, aoe_drop_broadcast_queue,C,frames,"AoE dropped: too many wildcard requests under way") \
    STAT(LCORE, aoe_merged,      C, frames, "wildcard requests merged with one of the same client under way") \
    STAT(LCORE, aoe_advertised,  C, frames, "unsolicited Config responses sent") \
    WHERRY_STATS_LCORE_NET(STAT) \
    WHERRY_STATS_LCORE_TCP(STAT) \
    WHERRY_STATS_LCORE_NBD(STAT)

#define WHERRY_STATS_LCORE_NET(STAT) \
    STAT(LCORE, net_datagrams_in, C, packets, "datagrams for an address of the appliance") \
    STAT(LCORE, net_datagrams_out, C, packets, "datagrams sent, or held until their next hop is known") \
    STAT(LCORE, net_echo_replies, C, packets, "echo requests answered") \
    STAT(LCORE, net_icmp_errors_in, C, packets, "ICMP errors received that quote a TCP segment of ours") \
    STAT(LCORE, net_icmp_errors_out, C, packets, "ICMP errors sent") \
    STAT(LCORE, net_solicitations, C, packets, "ARP requests and neighbour solicitations sent") \
    STAT(LCORE, net_advertisements, C, packets, "ARP replies, announcements and neighbour advertisements sent") \
    STAT(LCORE, net_mac_changes, C, events, "a neighbour's hardware address changed") \
    STAT(LCORE, net_conflicts, C, events, "another station used one of our addresses") \
    STAT(LCORE, net_drop_malformed, C, frames, "IP dropped: header not whole or not sane") \
    STAT(LCORE, net_drop_checksum, C, frames, "IP or ICMP dropped: checksum wrong") \
    STAT(LCORE, net_drop_source, C, frames, "IP dropped: from an address that no sender has, or from our own") \
    STAT(LCORE, net_drop_address, C, frames, "IP or ARP dropped: not for an address of the appliance") \
    STAT(LCORE, net_drop_group, C, frames, "IP dropped: unicast datagram in a broadcast or multicast frame") \
    STAT(LCORE, net_drop_fragment, C, frames, "IP dropped: fragments are not served") \
    STAT(LCORE, net_drop_option, C, frames, "IP dropped: source route, or extension header that is not served") \
    STAT(LCORE, net_drop_protocol, C, frames, "IP dropped: protocol or port not served") \
    STAT(LCORE, net_drop_icmp, C, frames, "ICMP dropped: malformed, not served, or about no segment of ours") \
    STAT(LCORE, net_drop_echo_limit, C, frames, "echo requests dropped: more than the limit") \
    STAT(LCORE, net_drop_error_limit, C, packets, "ICMP errors not sent: more than the limit") \
    STAT(LCORE, net_drop_arp, C, frames, "ARP dropped: malformed or not sane") \
    STAT(LCORE, net_drop_nd, C, frames, "neighbour discovery dropped: malformed, forwarded (hop limit), or not sane") \
    STAT(LCORE, net_drop_no_neighbour, C, packets, "dropped: the next hop did not answer") \
    STAT(LCORE, net_drop_hold_full, C, packets, "dropped: too many packets wait for their next hop") \
    STAT(LCORE, net_drop_strangers, C, packets, "dropped: too many unknown next hops to look for at once") \
    STAT(LCORE, net_drop_neighbour_full, C, packets, "dropped: neighbour cache full of neighbours in use") \
    STAT(LCORE, net_drop_no_address, C, packets, "dropped: our address of the path is not usable, or its interface is gone") \
    STAT(LCORE, net_drop_too_big, C, packets, "dropped: datagram larger than its interface takes") \
    STAT(LCORE, net_drop_no_buffer, C, packets, "dropped: no packet buffer")

#define WHERRY_STATS_LCORE_TCP(STAT) \
    STAT(LCORE, tcp_connections, G, conns, "TCP connections now, TIME-WAIT included") \
    STAT(LCORE, tcp_half_open, G, conns, "half-open TCP connections now") \
    STAT(LCORE, tcp_held_packets, G, packets, "received packets held now: out of order, or not read") \
    STAT(LCORE, tcp_drop_malformed, C, segments, "TCP dropped: header not whole or options not sane") \
    STAT(LCORE, tcp_drop_checksum, C, segments, "TCP dropped: checksum wrong") \
    STAT(LCORE, tcp_drop_address, C, segments, "TCP dropped: from its own destination, or from a group") \
    STAT(LCORE, tcp_drop_stranger, C, segments, "TCP dropped: no connection and no listener") \
    STAT(LCORE, tcp_drop_state, C, segments, "TCP dropped: nothing that the state of the connection allows") \
    STAT(LCORE, tcp_drop_paws, C, segments, "TCP dropped: timestamp older than one seen (PAWS)") \
    STAT(LCORE, tcp_drop_no_timestamp, C, segments, "TCP dropped: without the timestamp agreed upon") \
    STAT(LCORE, tcp_drop_window, C, segments, "TCP dropped: wholly outside the window") \
    STAT(LCORE, tcp_drop_ack, C, segments, "TCP dropped: acknowledges what was never sent, or long ago") \
    STAT(LCORE, tcp_drop_held, C, segments, "TCP dropped: budget of held packets used up") \
    STAT(LCORE, tcp_held_evicted, C, packets, "TCP dropped: held out of order for long, others needed the room") \
    STAT(LCORE, tcp_drop_no_packet, C, segments, "TCP not sent: no packet buffer") \
    STAT(LCORE, tcp_drop_no_segment, C, segments, "TCP not sent: no record for a segment in flight") \
    STAT(LCORE, tcp_drop_no_connection, C, segments, "TCP refused: connection pool empty") \
    STAT(LCORE, tcp_drop_refused, C, segments, "TCP refused by the protocol") \
    STAT(LCORE, tcp_drop_reset_limit, C, segments, "resets to strangers not sent: too many") \
    STAT(LCORE, tcp_challenges, C, segments, "challenge acknowledgements sent (RFC 5961)") \
    STAT(LCORE, tcp_challenges_limited, C, segments, "challenge acknowledgements not sent: too many") \
    STAT(LCORE, tcp_cookies_sent, C, segments, "SYN cookies sent: the half-open pool was full") \
    STAT(LCORE, tcp_cookies_good, C, segments, "connections made from SYN cookies") \
    STAT(LCORE, tcp_cookies_bad, C, segments, "acknowledgements that no SYN cookie explains") \
    STAT(LCORE, tcp_half_timeouts, C, events, "half-open connections given up") \
    STAT(LCORE, tcp_accepted, C, conns, "TCP connections accepted") \
    STAT(LCORE, tcp_opened, C, conns, "TCP connections opened from here") \
    STAT(LCORE, tcp_resets_in, C, segments, "resets that ended a connection") \
    STAT(LCORE, tcp_resets_out, C, segments, "resets sent") \
    STAT(LCORE, tcp_retransmits, C, segments, "segments sent again") \
    STAT(LCORE, tcp_timeouts, C, events, "retransmission timeouts") \
    STAT(LCORE, tcp_tail_probes, C, segments, "tail loss probes sent") \
    STAT(LCORE, tcp_recoveries, C, events, "fast recoveries") \
    STAT(LCORE, tcp_undone, C, events, "reductions undone: the loss was none") \
    STAT(LCORE, tcp_out_of_order, C, segments, "segments received ahead of a gap") \
    STAT(LCORE, tcp_duplicates, C, segments, "segments received again") \
    STAT(LCORE, tcp_time_wait_reused, C, conns, "TIME-WAIT ended by a new connection of the same name") \
    STAT(LCORE, tcp_time_wait_evicted, C, conns, "TIME-WAIT cut short: connection pool empty") \
    STAT(LCORE, tcp_silent_ended, C, conns, "connections ended because the peer was silent") \
    STAT(LCORE, tcp_mtu_lowered, C, events, "path MTU lowered") \
    STAT(LCORE, tcp_icmp_ignored, C, events, "ICMP errors for a connection not believed")

#define WHERRY_STATS_LCORE_NBD(STAT) \
    STAT(LCORE, nbd_sessions, G, sessions, "NBD sessions now") \
    STAT(LCORE, nbd_requests, G, ops, "NBD requests under way now") \
    STAT(LCORE, nbd_buffers, G, buffers, "NBD I/O buffers in use now, of 64 KiB each") \
    STAT(LCORE, nbd_accepted, C, sessions, "NBD sessions begun") \
    STAT(LCORE, nbd_wait_pool, C, waits, "NBD waits for a request or buffer of the lcore: the session stops reading") \
    STAT(LCORE, nbd_option_unsupported, C, options, "NBD ERR_UNSUP: option not served, STARTTLS among them") \
    STAT(LCORE, nbd_option_invalid, C, options, "NBD ERR_INVALID: option malformed or out of order") \
    STAT(LCORE, nbd_option_too_big, C, options, "NBD ERR_TOO_BIG: more data than an option may have here") \
    STAT(LCORE, nbd_option_unknown, C, options, "NBD ERR_UNKNOWN: no export of that name") \
    STAT(LCORE, nbd_option_denied, C, options, "NBD ERR_UNKNOWN: the export is not for the client's address") \
    STAT(LCORE, nbd_drop_no_session, C, sessions, "NBD refused: as many sessions as there may be, or shutting down") \
    STAT(LCORE, nbd_drop_handshake, C, sessions, "NBD sessions ended in the handshake: malformed, refused or too slow") \
    STAT(LCORE, nbd_drop_flags, C, sessions, "NBD reset: client flags that were not offered") \
    STAT(LCORE, nbd_drop_not_fixed, C, sessions, "NBD reset: options of a client that does not speak fixed newstyle") \
    STAT(LCORE, nbd_drop_magic, C, sessions, "NBD reset: no magic number where a header starts") \
    STAT(LCORE, nbd_drop_option_length, C, sessions, "NBD reset: option of a length that is not even skipped") \
    STAT(LCORE, nbd_drop_option_flood, C, sessions, "NBD reset: options without end") \
    STAT(LCORE, nbd_drop_payload, C, sessions, "NBD reset: payload of more than 32 MiB") \
    STAT(LCORE, nbd_drop_late_error, C, sessions, "NBD reset: a long read failed behind its simple reply") \
    STAT(LCORE, nbd_drop_silent, C, sessions, "NBD reset: silent in the handshake") \
    STAT(LCORE, nbd_drop_stalled, C, sessions, "NBD reset: silent in the middle of a request") \
    STAT(LCORE, nbd_drop_hoarding, C, sessions, "NBD reset: sat on buffers that others waited for") \
    STAT(LCORE, nbd_drop_close, C, sessions, "NBD reset: did not end its side")

#define WHERRY_STATS_EXPORT(STAT) \
    STAT(EXPORT, frames_in,      C, frames, "frames addressed to the export") \
    STAT(EXPORT, frames_out,     C, frames, "answers sent") \
    STAT(EXPORT, read_ops,       C, ops,    "reads served") \
    STAT(EXPORT, read_bytes,     C, bytes,  "bytes read") \
    STAT(EXPORT, write_ops,      C, ops,    "writes acknowledged") \
    STAT(EXPORT, write_bytes,    C, bytes,  "bytes written and acknowledged") \
    STAT(EXPORT, flush_ops,      C, ops,    "flushes acknowledged") \
    STAT(EXPORT, trim_ops,       C, ops,    "trims served") \
    STAT(EXPORT, verify_ops,     C, ops,    "ATA READ VERIFY served") \
    STAT(EXPORT, identify_ops,   C, ops,    "ATA IDENTIFY served") \
    STAT(EXPORT, other_ata_ops,  C, ops,    "power, SMART, features served") \
    STAT(EXPORT, config_ops,     C, ops,    "Query Config served") \
    STAT(EXPORT, mask_ops,       C, ops,    "MAC mask commands served") \
    STAT(EXPORT, reserve_ops,    C, ops,    "reserve and release commands served") \
    STAT(EXPORT, queue_depth,    G, ops,    "I/O under way now") \
    STAT(EXPORT, queue_depth_max,G, ops,    "largest queue depth seen") \
    STAT(EXPORT, drop_masked,    C, frames, "silently dropped: source not in the MAC mask list") \
    STAT(EXPORT, drop_broadcast_ata,C,frames,"silently dropped: broadcast ATA other than IDENTIFY") \
    STAT(EXPORT, drop_config_mismatch,C,frames,"Query Config test did not match: silence by design") \
    STAT(EXPORT, drop_overtaken, C, frames, "writes and changes dropped: one that may be later was served already") \
    STAT(EXPORT, drop_no_request,C, frames, "dropped: request pool of the lcore empty") \
    STAT(EXPORT, drop_no_buffer, C, frames, "dropped: no packet or bounce buffer free") \
    STAT(EXPORT, err_command,    C, frames, "AoE error 1: unknown command") \
    STAT(EXPORT, err_argument,   C, frames, "AoE error 2: bad or short argument") \
    STAT(EXPORT, err_unavailable,C, frames, "AoE error 3: not durable now (control plane away), or volume offline") \
    STAT(EXPORT, err_config_set, C, frames, "AoE error 4: config string already present") \
    STAT(EXPORT, err_version,    C, frames, "AoE error 5: protocol version is not 1") \
    STAT(EXPORT, err_reserved,   C, frames, "AoE error 6: reserved by another host") \
    STAT(EXPORT, err_mask,       C, frames, "MAC mask edit refused (MError)") \
    STAT(EXPORT, ata_abort,      C, ops,    "ATA ABRT: unsupported or malformed command") \
    STAT(EXPORT, ata_range,      C, ops,    "ATA IDNF: past the end of the export") \
    STAT(EXPORT, ata_read_only,  C, ops,    "ATA ABRT: write to a read-only export") \
    STAT(EXPORT, ata_media,      C, ops,    "ATA UNC: the backend failed the I/O") \
    STAT(EXPORT, ata_no_space,   C, ops,    "ATA UNC: the backing store is full") \
    STAT(EXPORT, nbd_sessions,   G, sessions,"NBD sessions now") \
    STAT(EXPORT, nbd_denied,     C, options,"NBD refused: the client's address is not in the allow list") \
    STAT(EXPORT, nbd_zero_ops,   C, ops,    "NBD WRITE_ZEROES acknowledged") \
    STAT(EXPORT, nbd_cache_ops,  C, ops,    "NBD CACHE answered") \
    STAT(EXPORT, nbd_status_ops, C, ops,    "NBD BLOCK_STATUS answered") \
    STAT(EXPORT, nbd_hole_bytes, C, bytes,  "NBD read as holes, without asking the backend") \
    STAT(EXPORT, nbd_err_invalid,C, ops,    "NBD EINVAL: command, flags or range") \
    STAT(EXPORT, nbd_err_read_only,C,ops,   "NBD EPERM: change of a read-only export") \
    STAT(EXPORT, nbd_err_no_space,C,ops,    "NBD ENOSPC: past the end, or the backing store is full") \
    STAT(EXPORT, nbd_err_overflow,C,ops,    "NBD EOVERFLOW: unfragmented read too long") \
    STAT(EXPORT, nbd_err_not_fast,C,ops,    "NBD ENOTSUP: zeroes would be no faster than a write") \
    STAT(EXPORT, nbd_err_shutdown,C,ops,    "NBD ESHUTDOWN: the export went away") \
    STAT(EXPORT, nbd_err_io,     C, ops,    "NBD EIO, ENOMEM: the backend failed, or the volume is offline")

#define WHERRY_STATS_CLIENT(STAT) \
    STAT(CLIENT, frames_in,      C, frames, "frames received from the client") \
    STAT(CLIENT, frames_out,     C, frames, "answers sent to the client") \
    STAT(CLIENT, bytes_in,       C, bytes,  "bytes received from the client") \
    STAT(CLIENT, bytes_out,      C, bytes,  "bytes sent to the client") \
    STAT(CLIENT, read_ops,       C, ops,    "reads served") \
    STAT(CLIENT, write_ops,      C, ops,    "writes acknowledged") \
    STAT(CLIENT, errors,         C, frames, "requests answered with an error") \
    STAT(CLIENT, drops,          C, frames, "requests dropped without an answer")

#define WHERRY_STATS_VOLUME(STAT) \
    STAT(VOLUME, read_ops,       C, ops,    "reads completed") \
    STAT(VOLUME, read_bytes,     C, bytes,  "bytes read") \
    STAT(VOLUME, write_ops,      C, ops,    "writes completed") \
    STAT(VOLUME, write_bytes,    C, bytes,  "bytes written") \
    STAT(VOLUME, flush_ops,      C, ops,    "flushes completed") \
    STAT(VOLUME, discard_ops,    C, ops,    "discards completed") \
    STAT(VOLUME, write_zeroes_ops,C,ops,    "write-zeroes completed") \
    STAT(VOLUME, verify_ops,     C, ops,    "verifies completed") \
    STAT(VOLUME, overlap_waits,  C, ops,    "requests that waited for an earlier overlapping one") \
    STAT(VOLUME, rmw_ops,        C, ops,    "unaligned writes done by read-modify-write") \
    STAT(VOLUME, buffer_waits,   C, ops,    "requests that waited for a bounce buffer") \
    STAT(VOLUME, queue_depth,    G, ops,    "requests under way now, waiting ones included") \
    STAT(VOLUME, queue_depth_max,G, ops,    "largest queue depth seen") \
    STAT(VOLUME, err_range,      C, ops,    "refused: outside the volume") \
    STAT(VOLUME, err_read_only,  C, ops,    "refused: volume is read-only") \
    STAT(VOLUME, err_offline,    C, ops,    "refused: volume is offline") \
    STAT(VOLUME, err_no_memory,  C, ops,    "refused: no bounce buffers at all") \
    STAT(VOLUME, err_io,         C, ops,    "failed by the backend: I/O error") \
    STAT(VOLUME, err_no_space,   C, ops,    "failed by the backend: no space") \
    STAT(VOLUME, err_short,      C, ops,    "failed by the backend: backing store shorter than the volume")
/* clang-format on */

#define WHERRY_STAT_ENUM_(scope, name, kind, unit, help) WHERRY_##scope##_##name,
enum wherry_port_stat { WHERRY_STATS_PORT(WHERRY_STAT_ENUM_) WHERRY_PORT_STAT_COUNT };
enum wherry_lcore_stat { WHERRY_STATS_LCORE(WHERRY_STAT_ENUM_) WHERRY_LCORE_STAT_COUNT };
enum wherry_export_stat { WHERRY_STATS_EXPORT(WHERRY_STAT_ENUM_) WHERRY_EXPORT_STAT_COUNT };
enum wherry_client_stat { WHERRY_STATS_CLIENT(WHERRY_STAT_ENUM_) WHERRY_CLIENT_STAT_COUNT };
enum wherry_volume_stat { WHERRY_STATS_VOLUME(WHERRY_STAT_ENUM_) WHERRY_VOLUME_STAT_COUNT };
#undef WHERRY_STAT_ENUM_

#define WHERRY_STAT_COUNT_MAX 192 /* most statistics any one scope may have */

enum wherry_stat_scope {
	WHERRY_SCOPE_PORT,
	WHERRY_SCOPE_LCORE,
	WHERRY_SCOPE_EXPORT,
	WHERRY_SCOPE_CLIENT,
	WHERRY_SCOPE_VOLUME,
	WHERRY_SCOPE_NBD_EXPORT, /* the list of EXPORT, by the ids of NBD exports */
	WHERRY_SCOPE_COUNT,
};

struct wherry_stat_desc {
	const char *name; /* e.g. "read_ops" */
	const char *unit; /* e.g. "ops" */
	const char *help; /* one phrase */
	char kind;        /* 'C' counter or 'G' gauge */
};

struct wherry_stat_scope_desc {
	const char *name; /* "port", "lcore", "export", "client", "volume" */
	const struct wherry_stat_desc *stats;
	size_t stat_count;
};

/*
 * Description of one scope, for whoever names or prints statistics.
 * Returns NULL for a scope out of range.  Static storage, any thread.
 */
static inline const struct wherry_stat_scope_desc *wherry_stat_scope_desc(unsigned scope)
{
#define C_ 'C'
#define G_ 'G'
#define WHERRY_STAT_DESC_(scope_, name_, kind_, unit_, help_) {#name_, #unit_, help_, kind_##_},
	static const struct wherry_stat_desc port[] = {WHERRY_STATS_PORT(WHERRY_STAT_DESC_)};
	static const struct wherry_stat_desc lcore[] = {WHERRY_STATS_LCORE(WHERRY_STAT_DESC_)};
	static const struct wherry_stat_desc export_[] = {WHERRY_STATS_EXPORT(WHERRY_STAT_DESC_)};
	static const struct wherry_stat_desc client[] = {WHERRY_STATS_CLIENT(WHERRY_STAT_DESC_)};
	static const struct wherry_stat_desc volume[] = {WHERRY_STATS_VOLUME(WHERRY_STAT_DESC_)};
#undef WHERRY_STAT_DESC_
#undef C_
#undef G_
	static const struct wherry_stat_scope_desc scopes[WHERRY_SCOPE_COUNT] = {
		[WHERRY_SCOPE_PORT] = {"port", port, WHERRY_PORT_STAT_COUNT},
		[WHERRY_SCOPE_LCORE] = {"lcore", lcore, WHERRY_LCORE_STAT_COUNT},
		[WHERRY_SCOPE_EXPORT] = {"export", export_, WHERRY_EXPORT_STAT_COUNT},
		[WHERRY_SCOPE_CLIENT] = {"client", client, WHERRY_CLIENT_STAT_COUNT},
		[WHERRY_SCOPE_VOLUME] = {"volume", volume, WHERRY_VOLUME_STAT_COUNT},
		[WHERRY_SCOPE_NBD_EXPORT] = {"nbd_export", export_, WHERRY_EXPORT_STAT_COUNT},
	};
	return scope < WHERRY_SCOPE_COUNT ? &scopes[scope] : NULL;
}

/*
 * Latency histogram: log-linear, 8 buckets per power of two from 64 ns up, so a
 * bucket is at most 12.5 % wide; below 64 ns buckets are 8 ns.  The last bucket
 * takes everything above about 68 s.  Recording is an index and an increment.
 */
#define WHERRY_HIST_SUB_BITS 3
#define WHERRY_HIST_MIN_BITS 6
#define WHERRY_HIST_MAX_BITS 36
#define WHERRY_HIST_BUCKET_COUNT                                                                                       \
	(((WHERRY_HIST_MAX_BITS - WHERRY_HIST_MIN_BITS) << WHERRY_HIST_SUB_BITS) + (1 << WHERRY_HIST_SUB_BITS))

/* Bucket index of a latency in nanoseconds. */
static inline unsigned wherry_hist_bucket(uint64_t ns)
{
	if (ns < (1u << WHERRY_HIST_MIN_BITS))
		return (unsigned)(ns >> (WHERRY_HIST_MIN_BITS - WHERRY_HIST_SUB_BITS));
	unsigned top = 63u - (unsigned)__builtin_clzll(ns);
	if (top >= WHERRY_HIST_MAX_BITS)
		return WHERRY_HIST_BUCKET_COUNT - 1;
	unsigned sub = (unsigned)(ns >> (top - WHERRY_HIST_SUB_BITS)) & ((1u << WHERRY_HIST_SUB_BITS) - 1);
	return ((top - WHERRY_HIST_MIN_BITS + 1) << WHERRY_HIST_SUB_BITS) + sub;
}

/* Smallest latency, in nanoseconds, that falls into the bucket. */
static inline uint64_t wherry_hist_floor_ns(unsigned bucket)
{
	unsigned octave = bucket >> WHERRY_HIST_SUB_BITS;
	uint64_t sub = bucket & ((1u << WHERRY_HIST_SUB_BITS) - 1);
	if (octave == 0)
		return sub << (WHERRY_HIST_MIN_BITS - WHERRY_HIST_SUB_BITS);
	unsigned top = octave + WHERRY_HIST_MIN_BITS - 1;
	return (1ull << top) + (sub << (top - WHERRY_HIST_SUB_BITS));
}
