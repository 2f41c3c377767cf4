/* SPDX-License-Identifier: BSD-3-Clause */
/* ICMP and ICMPv6: echo, errors in and errors out. */
#include "wire/icmp.h"

#include "net/priv.h"
#include "net/sum.h"
#include "wire/checksum.h"

static bool is_echo(const struct ip_view *view, uint8_t type)
{
	return type == (ip_addr_is_v4(&view->dst) ? (uint8_t)ICMP_ECHO_REQUEST : (uint8_t)ICMPV6_ECHO_REQUEST);
}

/* The request becomes the reply where it lies. */
static void echo(struct net_lcore *lcore, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	const bool v4 = ip_addr_is_v4(&view->dst);
	struct icmp_wire *icmp = (struct icmp_wire *)pkt->data;
	struct net_path path;
	if (!bucket_take(&lcore->echoes, now_ns)) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_echo_limit);
		return;
	}
	if (net_path_open(lcore, &path, &view->dst, &view->src, view) != 0) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_no_address);
		return;
	}
	const uint16_t before = (uint16_t)(icmp->type << 8 | icmp->code);
	icmp->type = v4 ? (uint8_t)ICMP_ECHO_REPLY : (uint8_t)ICMPV6_ECHO_REPLY;
	icmp->checksum = checksum_replace(icmp->checksum, before, (uint16_t)(icmp->type << 8 | icmp->code));
	net_count(lcore, WHERRY_LCORE_net_echo_replies);
	net_output(lcore, &path, pkt, v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6, IP_ECN_NOT_ECT, now_ns);
}

/* What an error means to a flow; false: nothing. */
static bool meaning(const struct icmp_header *icmp, bool v4, struct net_icmp_view *out)
{
	out->error = NET_ERROR_UNREACHABLE;
	if (v4) {
		if (icmp->type == ICMP_UNREACHABLE && icmp->code == ICMP_CODE_TOO_BIG) {
			out->error = NET_ERROR_TOO_BIG;
			out->mtu = (uint16_t)icmp->rest;
			return out->mtu == 0 || out->mtu >= 68; /* RFC 791 3.2 */
		}
		if (icmp->type == ICMP_UNREACHABLE && icmp->code == ICMP_CODE_PORT)
			out->error = NET_ERROR_PORT_UNREACHABLE;
		else if (icmp->type == ICMP_UNREACHABLE && icmp->code == ICMP_CODE_PROTOCOL)
			out->error = NET_ERROR_PROTOCOL;
		return true;
	}
	if (icmp->type == ICMPV6_TOO_BIG) {
		out->error = NET_ERROR_TOO_BIG;
		out->mtu = icmp->rest > UINT16_MAX ? UINT16_MAX : (uint16_t)icmp->rest;
		return icmp->rest >= IPV6_MTU_MIN; /* RFC 8201 4 */
	}
	if (icmp->type == ICMPV6_UNREACHABLE && icmp->code == ICMPV6_CODE_PORT)
		out->error = NET_ERROR_PORT_UNREACHABLE;
	else if (icmp->type == ICMPV6_PARAMETER_PROBLEM && icmp->code == ICMPV6_CODE_NEXT_HEADER)
		out->error = NET_ERROR_PROTOCOL;
	return icmp->type >= ICMPV6_UNREACHABLE && icmp->type <= ICMPV6_PARAMETER_PROBLEM;
}

/* True when it was about a segment that we may have sent. */
static bool error_in(struct net_lcore *lcore, const struct pkt *pkt, bool v4, const struct icmp_header *icmp,
		     uint64_t now_ns)
{
	struct icmp_quote quote;
	struct net_icmp_view view = {0};
	if (!meaning(icmp, v4, &view) ||
	    icmp_quote_parse(pkt->data + ICMP_HEADER_BYTES, pkt->len_bytes - ICMP_HEADER_BYTES, v4, &quote).result !=
		    WIRE_OK ||
	    quote.protocol != IP_PROTOCOL_TCP)
		return false;
	view.local = v4 ? ip_addr_v4(quote.src) : ip_addr_v6(quote.src);
	view.remote = v4 ? ip_addr_v4(quote.dst) : ip_addr_v6(quote.dst);
	view.local_port = quote.src_port;
	view.remote_port = quote.dst_port;
	view.seq = quote.seq;
	if (!net_local_find_any(lcore, &view.local))
		return false;
	net_count(lcore, WHERRY_LCORE_net_icmp_errors_in);
	lcore->env.tcp_icmp(lcore->env.ctx, &view, now_ns);
	return true;
}

void net_icmp_input(struct net_lcore *lcore, struct pkt *pkt, const struct ip_view *view, uint64_t now_ns)
{
	const bool v4 = ip_addr_is_v4(&view->dst);
	struct icmp_header icmp;
	if (icmp_parse(pkt->data, pkt->len_bytes, &icmp).result != WIRE_OK) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_icmp);
		return;
	}
	if (is_echo(view, icmp.type)) {
		echo(lcore, pkt, view, now_ns);
		return;
	}
	const bool error = v4 ? icmp_is_error(icmp.type) : icmpv6_is_error(icmp.type);
	if (!error || !error_in(lcore, pkt, v4, &icmp, now_ns)) {
		net_drop(lcore, pkt, WHERRY_LCORE_net_drop_icmp);
		return;
	}
	lcore->env.pool.free(lcore->env.pool.ctx, pkt);
}

void net_icmp_error(struct net_lcore *lcore, const struct ip_view *view, uint8_t type, uint8_t code, uint32_t rest,
		    const uint8_t *ip, uint32_t len_bytes, uint64_t now_ns)
{
	const bool v4 = ip_addr_is_v4(&view->dst);
	const uint32_t quoted_max = v4 ? ICMP_ERROR_BYTES_MAX - IPV4_HEADER_BYTES - ICMP_HEADER_BYTES
				       : ICMPV6_ERROR_BYTES_MAX - IPV6_HEADER_BYTES - ICMP_HEADER_BYTES;
	const uint8_t protocol = v4 ? IP_PROTOCOL_ICMP : IP_PROTOCOL_ICMPV6;
	const struct icmp_header icmp = {type, code, rest};
	struct net_path path;
	if (net_path_open(lcore, &path, &view->dst, &view->src, view) != 0)
		return;
	if (!bucket_take(&lcore->errors, now_ns)) {
		net_count(lcore, WHERRY_LCORE_net_drop_error_limit);
		return;
	}
	struct pkt *pkt = net_frame_alloc(lcore, path.interface);
	if (!pkt)
		return;
	if (len_bytes > quoted_max)
		len_bytes = quoted_max;
	icmp_emit(pkt->data, ICMP_HEADER_BYTES, &icmp);
	memcpy(pkt->data + ICMP_HEADER_BYTES, ip, len_bytes);
	pkt->len_bytes = ICMP_HEADER_BYTES + len_bytes;
	struct icmp_wire *wire = (struct icmp_wire *)pkt->data;
	wire->checksum = checksum_finish(v4 ? checksum_add(0, pkt->data, pkt->len_bytes)
					    : net_transport_sum(&view->dst, &view->src, protocol, pkt));
	net_count(lcore, WHERRY_LCORE_net_icmp_errors_out);
	net_output(lcore, &path, pkt, protocol, IP_ECN_NOT_ECT, now_ns);
}
