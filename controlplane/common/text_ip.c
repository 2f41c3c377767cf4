/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/text_ip.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define V4_OFFSET 12

static const uint8_t v4_prefix[V4_OFFSET] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int text_ip_parse(const char *text, struct text_ip *ip)
{
	struct text_ip parsed = {{0}};

	if (strchr(text, ':')) {
		if (inet_pton(AF_INET6, text, parsed.b) != 1 || text_ip_is_v4(&parsed))
			return -EINVAL;
	} else {
		memcpy(parsed.b, v4_prefix, V4_OFFSET);
		if (inet_pton(AF_INET, text, parsed.b + V4_OFFSET) != 1)
			return -EINVAL;
	}
	*ip = parsed;
	return 0;
}

const char *text_ip_emit(const struct text_ip *ip, char out[TEXT_IP_BYTES])
{
	bool v4 = text_ip_is_v4(ip);

	out[0] = '\0'; /* inet_ntop cannot fail for these families and this size */
	(void)inet_ntop(v4 ? AF_INET : AF_INET6, ip->b + (v4 ? V4_OFFSET : 0), out, TEXT_IP_BYTES);
	return out;
}

bool text_ip_is_v4(const struct text_ip *ip)
{
	return memcmp(ip->b, v4_prefix, V4_OFFSET) == 0;
}

unsigned text_ip_bits(const struct text_ip *ip)
{
	return text_ip_is_v4(ip) ? 32 : 128;
}

bool text_ip_equal(const struct text_ip *a, const struct text_ip *b)
{
	return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool text_ip_is_unicast(const struct text_ip *ip)
{
	static const uint8_t zero[V4_OFFSET];
	uint8_t first = ip->b[V4_OFFSET];

	if (text_ip_is_v4(ip))
		return first != 0 && first != 127 && first < 224;
	/* ff00::/8; ::, ::1 and what else begins with 96 zero bits (RFC 4291 2.5.5.1) */
	return ip->b[0] != 0xff && memcmp(ip->b, zero, V4_OFFSET) != 0;
}

bool text_ip_is_link_local(const struct text_ip *ip)
{
	return ip->b[0] == 0xfe && (ip->b[1] & 0xc0) == 0x80;
}

/* Bits of the 16 bytes. */
static unsigned whole_bits(const struct text_prefix *prefix)
{
	return prefix->bits + (text_ip_is_v4(&prefix->ip) ? 8u * V4_OFFSET : 0);
}

static int parse_bits(const char *text, unsigned max, uint8_t *bits)
{
	unsigned value = 0;

	if (text[0] == '\0' || (text[0] == '0' && text[1] != '\0'))
		return -EINVAL;
	for (const char *at = text; *at; at++) {
		if (*at < '0' || *at > '9' || at - text >= 3)
			return -EINVAL;
		value = value * 10 + (unsigned)(*at - '0');
	}
	if (value > max)
		return -ERANGE;
	*bits = (uint8_t)value;
	return 0;
}

int text_prefix_parse(const char *text, struct text_prefix *prefix)
{
	size_t len = strcspn(text, "/");
	struct text_prefix parsed;
	char address[TEXT_IP_BYTES];

	if (len >= sizeof address)
		return -EINVAL;
	memcpy(address, text, len);
	address[len] = '\0';
	int rc = text_ip_parse(address, &parsed.ip);
	if (rc)
		return rc;
	parsed.bits = (uint8_t)text_ip_bits(&parsed.ip);
	if (text[len] == '/')
		rc = parse_bits(text + len + 1, parsed.bits, &parsed.bits);
	if (rc == 0)
		*prefix = parsed;
	return rc;
}

const char *text_prefix_emit(const struct text_prefix *prefix, char out[TEXT_PREFIX_BYTES])
{
	char address[TEXT_IP_BYTES];

	(void)snprintf(out, TEXT_PREFIX_BYTES, "%s/%u", text_ip_emit(&prefix->ip, address), prefix->bits & 0xffu);
	return out;
}

struct text_prefix text_prefix_network(const struct text_prefix *prefix)
{
	struct text_prefix network = *prefix;
	unsigned bits = whole_bits(prefix);

	for (unsigned i = 0; i < sizeof network.ip.b; i++) {
		unsigned kept = bits > 8 * i ? bits - 8 * i : 0;
		if (kept < 8)
			network.ip.b[i] &= (uint8_t)(0xff00u >> kept);
	}
	return network;
}

bool text_prefix_holds(const struct text_prefix *prefix, const struct text_ip *ip)
{
	struct text_prefix other = {*ip, prefix->bits};

	if (text_ip_is_v4(&prefix->ip) != text_ip_is_v4(ip))
		return false;
	struct text_prefix a = text_prefix_network(prefix), b = text_prefix_network(&other);
	return text_ip_equal(&a.ip, &b.ip);
}

bool text_prefix_equal(const struct text_prefix *a, const struct text_prefix *b)
{
	return a->bits == b->bits && text_ip_equal(&a->ip, &b->ip);
}

const char *text_endpoint_emit(const struct text_ip *ip, uint16_t port, char out[TEXT_ENDPOINT_BYTES])
{
	char address[TEXT_IP_BYTES];

	(void)text_ip_emit(ip, address);
	(void)snprintf(out, TEXT_ENDPOINT_BYTES, text_ip_is_v4(ip) ? "%s:%u" : "[%s]:%u", address, port);
	return out;
}
