/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A bad wire between two interfaces: what comes in at one goes out at the other, but for what the dice say.
 *
 * Each direction has dice of its own, thrown equally often for every frame: the fate of the n-th frame of a direction
 * follows from the seed alone.  Counts are written to standard output as JSON at SIGTERM, and at SIGUSR1 on the way.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <math.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH 64u
#define FRAME_BYTES_MAX 9728u
#define FRAME_COUNT 16384u
#define SOCKET_BYTES (32 << 20)
#define NS_PER_US 1000u

static const char usage[] =
	"usage: lossy_forwarder [OPTION...] INTERFACE-A INTERFACE-B\n"
	"\n"
	"Pass frames between two Ethernet interfaces, badly.  A value is for both directions, or two with a comma\n"
	"between: what A receives, then what B receives.  Probabilities are of 1.\n"
	"\n"
	"  --seed N             of the dice (default 1)\n"
	"  --loss P[,P]         drop the frame\n"
	"  --duplicate P[,P]    send it twice\n"
	"  --corrupt P[,P]      invert one bit behind the Ethernet header; IPv4 and IPv6 only, as ARP has no checksum\n"
	"  --reorder P[,P]      hold it for --reorder-us, so that others overtake it\n"
	"  --reorder-us US[,US] how long (default 1000)\n"
	"  --delay-us US[,US]   hold every frame\n"
	"\n"
	"Prints \"ready\", forwards until SIGTERM, then prints what it did as JSON; also at SIGUSR1.\n";

#define COUNTERS(X)                                                                                                    \
	X(received)                                                                                                    \
	X(sent)                                                                                                        \
	X(lost)                                                                                                        \
	X(duplicated)                                                                                                  \
	X(corrupted)                                                                                                   \
	X(reordered)                                                                                                   \
	X(overflowed)                                                                                                  \
	X(refused)

#define FIELD(name) uint64_t name;
struct counters {
	COUNTERS(FIELD)
};

struct frame {
	uint64_t due_ns, serial;
	uint32_t len_bytes;
	unsigned to; /* direction it travels in */
	uint8_t bytes[FRAME_BYTES_MAX];
};

/* What comes in at socket `in` and goes out at that of the other direction. */
struct direction {
	const char *name;
	int in;
	uint64_t dice;
	double loss, duplicate, corrupt, reorder, reorder_us, delay_us;
	struct counters count;
	struct frame *out[BATCH];
	unsigned out_count;
};

static struct direction directions[2] = {{.reorder_us = 1000}, {.reorder_us = 1000}};
static struct frame *free_frames[FRAME_COUNT];
static unsigned free_count;
static struct frame *held[FRAME_COUNT + 1]; /* binary heap from 1, the soonest first */
static unsigned held_count;
static uint64_t serial;
static volatile sig_atomic_t stopped, asked;

static void on_signal(int signo)
{
	if (signo == SIGUSR1)
		asked = 1;
	else
		stopped = 1;
}

static uint64_t now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* splitmix64: every state is good, so a seed may be any number. */
static uint64_t roll(struct direction *direction)
{
	uint64_t z = direction->dice += 0x9e3779b97f4a7c15u;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static bool happens(struct direction *direction, double probability)
{
	return (double)(roll(direction) >> 11) * 0x1p-53 < probability;
}

/* ---------------------------------------------------------- frames held */
static bool is_sooner(const struct frame *a, const struct frame *b)
{
	return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->serial < b->serial;
}

static void hold(struct frame *frame)
{
	unsigned at = ++held_count;
	for (; at > 1 && is_sooner(frame, held[at / 2]); at /= 2)
		held[at] = held[at / 2];
	held[at] = frame;
}

static struct frame *take_soonest(void)
{
	struct frame *soonest = held[1], *last = held[held_count--];
	unsigned at = 1;
	for (unsigned child; (child = at * 2) <= held_count; at = child) {
		if (child < held_count && is_sooner(held[child + 1], held[child]))
			child++;
		if (!is_sooner(held[child], last))
			break;
		held[at] = held[child];
	}
	held[at] = last;
	return soonest;
}

/* -------------------------------------------------------------- sending */
static void flush(struct direction *direction)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	for (unsigned i = 0; i < direction->out_count; i++) {
		parts[i] = (struct iovec){direction->out[i]->bytes, direction->out[i]->len_bytes};
		messages[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
	}
	int out = directions[direction == directions].in;
	for (unsigned done = 0; done < direction->out_count;) {
		int sent = sendmmsg(out, messages + done, direction->out_count - done, 0);
		if (sent < 0 && errno == EINTR)
			continue;
		/* The interface is down or full: this frame is as good as lost, the next may do better. */
		*(sent > 0 ? &direction->count.sent : &direction->count.refused) += sent > 0 ? (unsigned)sent : 1;
		done += sent > 0 ? (unsigned)sent : 1;
	}
	while (direction->out_count)
		free_frames[free_count++] = direction->out[--direction->out_count];
}

static void send_frame(struct frame *frame)
{
	struct direction *direction = &directions[frame->to];
	direction->out[direction->out_count++] = frame;
	if (direction->out_count == BATCH)
		flush(direction);
}

static void send_due(uint64_t now)
{
	while (held_count && held[1]->due_ns <= now)
		send_frame(take_soonest());
	flush(&directions[0]);
	flush(&directions[1]);
}

/* ------------------------------------------------------------ receiving */
static void corrupt(struct frame *frame, uint64_t dice)
{
	uint64_t bits = (frame->len_bytes - ETHER_HDR_LEN) * 8u, bit = dice % bits;
	frame->bytes[ETHER_HDR_LEN + bit / 8] ^= (uint8_t)(1u << bit % 8);
}

static bool is_ip(const struct frame *frame)
{
	unsigned type = (unsigned)frame->bytes[12] << 8 | frame->bytes[13];
	return frame->len_bytes > ETHER_HDR_LEN && (type == ETHERTYPE_IP || type == ETHERTYPE_IPV6);
}

static void pass(struct direction *direction, struct frame *frame, double wait_us, uint64_t now)
{
	frame->due_ns = now + (uint64_t)(wait_us * NS_PER_US);
	frame->serial = serial++;
	frame->to = (unsigned)(direction - directions);
	if (wait_us > 0)
		hold(frame);
	else
		send_frame(frame);
}

/* Decide about one frame that came in; it belongs to this function. */
static void judge(struct direction *direction, struct frame *frame, uint64_t now)
{
	direction->count.received++;
	bool lost = happens(direction, direction->loss), twice = happens(direction, direction->duplicate);
	bool bad = happens(direction, direction->corrupt), late = happens(direction, direction->reorder);
	uint64_t where = roll(direction);
	if (lost) {
		direction->count.lost++;
		free_frames[free_count++] = frame;
		return;
	}
	if (bad && is_ip(frame)) {
		direction->count.corrupted++;
		corrupt(frame, where);
	}
	if (twice && free_count) {
		struct frame *copy = free_frames[--free_count];
		copy->len_bytes = frame->len_bytes;
		memcpy(copy->bytes, frame->bytes, frame->len_bytes);
		direction->count.duplicated++;
		pass(direction, copy, direction->delay_us, now);
	}
	direction->count.reordered += late;
	pass(direction, frame, direction->delay_us + (late ? direction->reorder_us : 0), now);
}

static void receive(struct direction *direction)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec parts[BATCH];
	struct sockaddr_ll from[BATCH];
	struct frame *frames[BATCH];
	unsigned count = free_count < BATCH ? free_count : BATCH;
	uint8_t dropped[FRAME_BYTES_MAX];
	if (!count) {
		direction->count.overflowed += recv(direction->in, dropped, sizeof dropped, MSG_DONTWAIT) >= 0;
		return;
	}
	for (unsigned i = 0; i < count; i++) {
		frames[i] = free_frames[--free_count];
		parts[i] = (struct iovec){frames[i]->bytes, FRAME_BYTES_MAX};
		messages[i].msg_hdr = (struct msghdr){
			.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &parts[i], .msg_iovlen = 1};
	}
	int got = recvmmsg(direction->in, messages, count, MSG_DONTWAIT, NULL);
	unsigned have = got > 0 ? (unsigned)got : 0;
	for (unsigned i = count; i > have; i--)
		free_frames[free_count++] = frames[i - 1];
	uint64_t now = now_ns();
	for (unsigned i = 0; i < have; i++) {
		frames[i]->len_bytes = messages[i].msg_len;
		if (from[i].sll_pkttype == PACKET_OUTGOING)
			free_frames[free_count++] = frames[i];
		else
			judge(direction, frames[i], now);
	}
}

/* ---------------------------------------------------------------- set-up */
static int open_interface(const char *name)
{
	int one = 1, bytes = SOCKET_BYTES, fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
	struct packet_mreq all = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
	if (fd < 0 || !address.sll_ifindex || setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) ||
	    setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) ||
	    bind(fd, (struct sockaddr *)&address, sizeof address) ||
	    setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all)) {
		fprintf(stderr, "lossy_forwarder: %s: %s\n", name, strerror(errno));
		exit(1);
	}
	return fd;
}

static double number(const char *text, char **end, double max)
{
	errno = 0;
	double value = strtod(text, end);
	if (*end == text || errno || !isfinite(value) || value < 0 || value > max) {
		fprintf(stderr, "lossy_forwarder: %s: not a number from 0 to %.0f\n", text, max);
		exit(2);
	}
	return value;
}

static void set_both(double *a, double *b, const char *text, double max)
{
	char *end;
	*a = *b = number(text, &end, max);
	if (*end == ',')
		*b = number(end + 1, &end, max);
	if (*end) {
		fprintf(stderr, "lossy_forwarder: %s: not one or two numbers\n", text);
		exit(2);
	}
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"seed", 1, 0, 's'},     {"loss", 1, 0, 'l'},    {"duplicate", 1, 0, 'd'},
		{"corrupt", 1, 0, 'c'},  {"reorder", 1, 0, 'r'}, {"reorder-us", 1, 0, 'R'},
		{"delay-us", 1, 0, 'D'}, {"help", 0, 0, 'h'},    {NULL, 0, NULL, 0},
	};
	struct direction *a = &directions[0], *b = &directions[1];
	uint64_t seed = 1;
	for (int option; (option = getopt_long(argc, argv, "h", options, NULL)) != -1;) {
		switch (option) {
		case 's':
			seed = strtoull(optarg, NULL, 0);
			break;
		case 'l':
			set_both(&a->loss, &b->loss, optarg, 1);
			break;
		case 'd':
			set_both(&a->duplicate, &b->duplicate, optarg, 1);
			break;
		case 'c':
			set_both(&a->corrupt, &b->corrupt, optarg, 1);
			break;
		case 'r':
			set_both(&a->reorder, &b->reorder, optarg, 1);
			break;
		case 'R':
			set_both(&a->reorder_us, &b->reorder_us, optarg, 1e9);
			break;
		case 'D':
			set_both(&a->delay_us, &b->delay_us, optarg, 1e9);
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
	if (argc - optind != 2) {
		fputs(usage, stderr);
		exit(2);
	}
	for (int i = 0; i < 2; i++) {
		directions[i].name = argv[optind + i];
		directions[i].dice = seed * 2 + (uint64_t)i;
		roll(&directions[i]);
		directions[i].dice ^= roll(&directions[i]);
	}
}

static void print_counts(void)
{
#define PRINT(field) printf("\"%s\": %llu, ", #field, (unsigned long long)directions[i].count.field);
	printf("{");
	for (int i = 0; i < 2; i++) {
		printf("%s\"%s\": {", i ? ", " : "", directions[i].name);
		COUNTERS(PRINT)
		printf("\"delay_us\": %.0f}", directions[i].delay_us);
	}
	printf("}\n");
	fflush(stdout);
}

/* Until the next held frame is due, a frame comes or a signal. */
static void wait_for_work(const sigset_t *unblocked)
{
	struct pollfd polls[2] = {{directions[0].in, POLLIN, 0}, {directions[1].in, POLLIN, 0}};
	uint64_t now = now_ns(), left = held_count && held[1]->due_ns > now ? held[1]->due_ns - now : 0;
	struct timespec wait = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
	if (ppoll(polls, 2, held_count ? &wait : NULL, unblocked) <= 0)
		return;
	for (int i = 0; i < 2; i++) {
		if (polls[i].revents & (POLLERR | POLLHUP)) {
			/* The interface went down: read the error away, and go on when it is up again. */
			int error;
			socklen_t bytes = sizeof error;
			getsockopt(directions[i].in, SOL_SOCKET, SO_ERROR, &error, &bytes);
		}
		if (polls[i].revents & POLLIN)
			receive(&directions[i]);
	}
}

int main(int argc, char **argv)
{
	parse(argc, argv);
	struct frame *frames = calloc(FRAME_COUNT, sizeof *frames);
	if (!frames) {
		fputs("lossy_forwarder: no memory\n", stderr);
		return 1;
	}
	while (free_count < FRAME_COUNT) {
		free_frames[free_count] = &frames[FRAME_COUNT - 1 - free_count];
		free_count++;
	}
	sigset_t blocked, before;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	prctl(PR_SET_TIMERSLACK, 1);
	for (int i = 0; i < 2; i++)
		directions[i].in = open_interface(directions[i].name);
	puts("ready");
	fflush(stdout);
	while (!stopped) {
		wait_for_work(&before);
		send_due(now_ns());
		if (asked) {
			asked = 0;
			print_counts();
		}
	}
	print_counts();
	free(frames);
	return 0;
}
