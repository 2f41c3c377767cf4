/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * AoE load generator over a packet socket: the same client for every target.
 *
 * Receives through a shared ring (PACKET_RX_RING), sends in batches; spins while
 * it measures, so that the target, not the client's wake-up, is what is timed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "load.h"

#define ETHERTYPE_AOE 0x88a2
#define RING_FRAMES 1024u
#define BATCH 32u

struct wire {
	int fd;
	uint8_t *ring;
	uint32_t frame_bytes;
	uint32_t at;
	uint8_t *tx_buffer;
	uint32_t tx_stride;
	struct mmsghdr tx[BATCH];
	struct iovec tx_iov[BATCH];
	unsigned tx_count;
};

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static double cpu_seconds(void)
{
	struct rusage ru;
	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static int fail(const char *what, const char *object)
{
	fprintf(stderr, "aoe_load: %s %s: %s\n", what, object, strerror(errno));
	return -1;
}

static int wire_open(struct wire *wire, const char *iface, uint8_t mac[6], uint32_t frame_bytes_max)
{
	memset(wire, 0, sizeof *wire);
	wire->fd = socket(AF_PACKET, SOCK_RAW, 0);
	if (wire->fd < 0)
		return fail("packet socket on", iface);
	struct ifreq ifr = {0};
	snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", iface);
	if (ioctl(wire->fd, SIOCGIFHWADDR, &ifr) < 0)
		return fail("address of interface", iface);
	memcpy(mac, ifr.ifr_hwaddr.sa_data, 6);

	int version = TPACKET_V2, one = 1;
	wire->frame_bytes = frame_bytes_max + 256 > 2048 ? 16384 : 2048;
	struct tpacket_req req = {
		.tp_block_size = 65536,
		.tp_frame_size = wire->frame_bytes,
		.tp_frame_nr = RING_FRAMES,
		.tp_block_nr = RING_FRAMES * wire->frame_bytes / 65536,
	};
	if (setsockopt(wire->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof version) ||
	    setsockopt(wire->fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
	    setsockopt(wire->fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof req))
		return fail("receive ring on", iface);
	/* Sending straight to the device is the quicker way; without it the frames only take longer. */
	(void)setsockopt(wire->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one);
	wire->ring =
		mmap(NULL, (size_t)RING_FRAMES * wire->frame_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, wire->fd, 0);
	if (wire->ring == MAP_FAILED)
		return fail("mapping the ring of", iface);
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
				      .sll_protocol = htons(ETHERTYPE_AOE),
				      .sll_ifindex = (int)if_nametoindex(iface)};
	if (bind(wire->fd, (struct sockaddr *)&address, sizeof address))
		return fail("bind to", iface);
	wire->tx_stride = (frame_bytes_max + 63) & ~63u;
	wire->tx_buffer = calloc(BATCH, wire->tx_stride);
	for (unsigned i = 0; wire->tx_buffer && i < BATCH; i++) {
		wire->tx_iov[i].iov_base = wire->tx_buffer + i * wire->tx_stride;
		wire->tx[i].msg_hdr = (struct msghdr){.msg_iov = &wire->tx_iov[i], .msg_iovlen = 1};
	}
	return wire->tx_buffer ? 0 : fail("memory for", iface);
}

static uint8_t *wire_tx_slot(struct wire *wire)
{
	return wire->tx_iov[wire->tx_count].iov_base;
}

static void wire_tx_flush(struct wire *wire)
{
	unsigned sent = 0;
	while (sent < wire->tx_count) {
		int n = sendmmsg(wire->fd, wire->tx + sent, wire->tx_count - sent, 0);
		if (n < 0 && (errno == ENOBUFS || errno == EAGAIN || errno == EINTR))
			continue;
		if (n <= 0)
			break; /* the retransmission timer makes up for it */
		sent += (unsigned)n;
	}
	wire->tx_count = 0;
}

static void wire_tx_push(struct wire *wire, uint32_t len_bytes)
{
	wire->tx_iov[wire->tx_count].iov_len = len_bytes;
	if (++wire->tx_count == BATCH)
		wire_tx_flush(wire);
}

/* Take what has arrived, at most one ring's worth.  Returns the last event that was not LOAD_IGNORED. */
static enum load_event wire_receive(struct wire *wire, struct load *load, uint64_t now)
{
	enum load_event last = LOAD_IGNORED;
	for (unsigned i = 0; i < RING_FRAMES; i++) {
		struct tpacket2_hdr *header = (void *)(wire->ring + (size_t)wire->at * wire->frame_bytes);
		if (!(__atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		enum load_event event =
			load_on_frame(load, (uint8_t *)header + header->tp_mac, header->tp_snaplen, now);
		__atomic_store_n(&header->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		wire->at = (wire->at + 1) % RING_FRAMES;
		if (event != LOAD_IGNORED)
			last = event;
	}
	return last;
}

/* Send a control request every 200 ms until its answer comes; 0, or -1 after 10 s. */
static int handshake(struct wire *wire, struct load *load, uint32_t (*build)(const struct load *, uint8_t *),
		     enum load_event wanted)
{
	for (unsigned try = 0; try < 50; try++) {
		wire_tx_push(wire, build(load, wire_tx_slot(wire)));
		wire_tx_flush(wire);
		uint64_t until = now_ns() + 200000000ull;
		while (now_ns() < until)
			if (wire_receive(wire, load, now_ns()) == wanted)
				return 0;
	}
	return -1;
}

static void drive(struct wire *wire, struct load *load, uint64_t until_ns)
{
	unsigned turn = 0;
	uint64_t now;
	while ((now = now_ns()) < until_ns) {
		wire_receive(wire, load, now);
		uint32_t len;
		while ((len = load_build_next(load, wire_tx_slot(wire), now)))
			wire_tx_push(wire, len);
		if (++turn % 4096 == 0)
			while ((len = load_build_retransmit(load, wire_tx_slot(wire), now)))
				wire_tx_push(wire, len);
		wire_tx_flush(wire);
	}
}

static void usage(FILE *to)
{
	fputs("usage: aoe_load --iface IF [--shelf N] [--slot N] [--window N] [--sectors N] [--write]\n"
	      "                [--sequential] [--seconds S] [--warmup S] [--span-mib N] [--seed N]\n"
	      "Drives one AoE export through a packet socket and prints one JSON object.\n"
	      "example: aoe_load --iface veth1 --shelf 1 --slot 0 --window 16 --sectors 8 --seconds 5\n",
	      to);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"iface", required_argument, 0, 'i'},
		{"shelf", required_argument, 0, 's'},
		{"slot", required_argument, 0, 'l'},
		{"window", required_argument, 0, 'w'},
		{"sectors", required_argument, 0, 'n'},
		{"write", no_argument, 0, 'W'},
		{"sequential", no_argument, 0, 'S'},
		{"seconds", required_argument, 0, 't'},
		{"warmup", required_argument, 0, 'u'},
		{"span-mib", required_argument, 0, 'm'},
		{"seed", required_argument, 0, 'r'},
		{"help", no_argument, 0, 'h'},
		{0},
	};
	struct load_config config = {.window = 1, .sectors = 2, .seed = 1, .timeout_ns = 200000000ull};
	const char *iface = NULL;
	double seconds = 5, warmup = 0.5;
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'i':
			iface = optarg;
			break;
		case 's':
			config.shelf = (uint16_t)strtoul(optarg, NULL, 0);
			break;
		case 'l':
			config.slot = (uint8_t)strtoul(optarg, NULL, 0);
			break;
		case 'w':
			config.window = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'n':
			config.sectors = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'W':
			config.write = true;
			break;
		case 'S':
			config.sequential = true;
			break;
		case 't':
			seconds = strtod(optarg, NULL);
			break;
		case 'u':
			warmup = strtod(optarg, NULL);
			break;
		case 'm':
			config.span_sectors = strtoull(optarg, NULL, 0) * 2048;
			break;
		case 'r':
			config.seed = strtoull(optarg, NULL, 0);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (!iface || config.window < 1 || config.window > LOAD_WINDOW_MAX || config.sectors < 1 ||
	    config.sectors > 255 || seconds <= 0) {
		usage(stderr);
		return 2;
	}
	static struct load load;
	struct wire wire;
	load_init(&load, &config);
	if (wire_open(&wire, iface, load.config.source_mac, load_frame_bytes_max(&load)))
		return 1;
	if (handshake(&wire, &load, load_build_discover, LOAD_DISCOVERED) ||
	    handshake(&wire, &load, load_build_identify, LOAD_IDENTIFIED)) {
		fprintf(stderr, "aoe_load: no answer from e%u.%u on %s: is the export up and the link too?\n",
			config.shelf, config.slot, iface);
		return 1;
	}
	drive(&wire, &load, now_ns() + (uint64_t)(warmup * 1e9));
	load_reset_counters(&load);
	double cpu = cpu_seconds();
	uint64_t start = now_ns();
	drive(&wire, &load, start + (uint64_t)(seconds * 1e9));
	load_print_json(&load, "packet", (double)(now_ns() - start) / 1e9, cpu_seconds() - cpu);
	return load.errors ? 1 : 0;
}
