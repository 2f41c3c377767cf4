/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NBD load generator over the kernel's TCP: the same client for every server.
 *
 * One thread, several connections.  Spins while it measures, so that the server,
 * not the client's wake-up, is what is timed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "nbd_client.h"

#define CONNECTION_COUNT_MAX 64u
#define BATCH 32u
#define RECEIVE_BYTES (1u << 20)
#define BLOCK_BYTES_MAX (32u << 20)
#define HANDSHAKE_NS 5000000000ull
#define STOP_NS 5000000000ull
#define FILL_NS 60000000000ull

struct connection {
	int fd;
	struct nbd_client *client;
	/* What is being sent: heads and bodies in turn; the first iov_at are gone. */
	struct iovec iov[2 * BATCH];
	uint8_t heads[BATCH][NBD_CLIENT_HEAD_BYTES_MAX];
	unsigned iov_at, iov_count;
};

static struct nbd_client clients[CONNECTION_COUNT_MAX];
static struct connection connections[CONNECTION_COUNT_MAX];
static unsigned connection_count = 1;
static uint8_t *body, *received;

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

static int fail(const char *what)
{
	fprintf(stderr, "nbd_load: %s: %s\n", what, strerror(errno));
	return -1;
}

static int open_connection(struct connection *connection, const struct sockaddr_in *server)
{
	const int one = 1;
	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connection->fd < 0)
		return fail("socket");
	if (connect(connection->fd, (const struct sockaddr *)server, sizeof *server))
		return fail("connecting");
	return setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) ? fail("TCP_NODELAY") : 0;
}

/* -1: the connection is over. */
static int receive(struct connection *connection)
{
	for (;;) {
		const ssize_t got = recv(connection->fd, received, RECEIVE_BYTES, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return 0;
		if (got == 0)
			errno = ECONNRESET;
		if (got <= 0)
			return connection->client->stopped ? 0 : fail("receiving");
		nbd_client_input(connection->client, received, (uint32_t)got, now_ns());
		if (connection->client->state == NBD_CLIENT_FAILED) {
			fprintf(stderr, "nbd_load: the server answered with an error, or with other data\n");
			return -1;
		}
		if ((size_t)got < RECEIVE_BYTES)
			return 0;
	}
}

static void gather(struct connection *connection)
{
	connection->iov_at = connection->iov_count = 0;
	for (unsigned i = 0; i < BATCH; i++) {
		uint32_t body_bytes;
		const uint32_t bytes = nbd_client_next(connection->client, connection->heads[i], &body_bytes, now_ns());
		if (!bytes)
			return;
		connection->iov[connection->iov_count++] = (struct iovec){connection->heads[i], bytes};
		if (body_bytes)
			connection->iov[connection->iov_count++] = (struct iovec){body, body_bytes};
	}
}

static int send_out(struct connection *connection)
{
	if (connection->iov_at == connection->iov_count)
		gather(connection);
	if (connection->iov_at == connection->iov_count)
		return 0;
	const struct msghdr message = {.msg_iov = connection->iov + connection->iov_at,
				       .msg_iovlen = connection->iov_count - connection->iov_at};
	ssize_t sent = sendmsg(connection->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : fail("sending");
	while (sent > 0) {
		struct iovec *iov = &connection->iov[connection->iov_at];
		const size_t bytes = (size_t)sent < iov->iov_len ? (size_t)sent : iov->iov_len;
		iov->iov_base = (uint8_t *)iov->iov_base + bytes;
		iov->iov_len -= bytes;
		sent -= (ssize_t)bytes;
		if (iov->iov_len == 0)
			connection->iov_at++;
	}
	return 0;
}

/* True while there is a reason to go on. */
typedef bool going_on_fn(void);

static bool is_shaking_hands(void)
{
	for (unsigned i = 0; i < connection_count; i++)
		if (clients[i].state != NBD_CLIENT_READY)
			return true;
	return false;
}

static bool is_filling(void)
{
	for (unsigned i = 0; i < connection_count; i++)
		if (clients[i].filling)
			return true;
	return false;
}

static bool is_stopping(void)
{
	for (unsigned i = 0; i < connection_count; i++)
		if (!clients[i].stopped || connections[i].iov_at != connections[i].iov_count)
			return true;
	return false;
}

static bool always(void)
{
	return true;
}

static int drive(going_on_fn *going_on, uint64_t until_ns)
{
	while (going_on() && now_ns() < until_ns)
		for (unsigned i = 0; i < connection_count; i++)
			if (receive(&connections[i]) || send_out(&connections[i]))
				return -1;
	return 0;
}

/* Connect, and write everything once. */
static int prepare(const struct sockaddr_in *server, const struct nbd_client_config *config)
{
	for (unsigned i = 0; i < connection_count; i++) {
		struct nbd_client_config own = *config;
		own.seed += i;
		own.fill_first = i;
		own.fill_stride = connection_count;
		nbd_client_init(&clients[i], &own);
		connections[i].client = &clients[i];
		if (open_connection(&connections[i], server))
			return -1;
	}
	if (drive(is_shaking_hands, now_ns() + HANDSHAKE_NS))
		return -1;
	if (drive(is_filling, now_ns() + FILL_NS))
		return -1;
	if (is_filling()) {
		fprintf(stderr, "nbd_load: the server does not answer\n");
		return -1;
	}
	for (unsigned i = 0; i < connection_count; i++)
		nbd_client_go(&clients[i]);
	return 0;
}

static void usage(FILE *to)
{
	fputs("usage: nbd_load --host ADDRESS [--port N] [--connections N] [--depth N] [--block BYTES] [--write]\n"
	      "                [--simple] [--seconds S] [--warmup S] [--span-mib N] [--seed N] [--gate]\n"
	      "Writes, then reads or writes random blocks of the default export; prints one JSON object.\n"
	      "--gate: print \"ready\" and wait for a line on standard input before measuring.\n"
	      "example: nbd_load --host 10.0.0.1 --connections 4 --depth 32 --block 4096 --seconds 5\n",
	      to);
}

struct options {
	struct nbd_client_config config;
	struct sockaddr_in server;
	double seconds, warmup;
	bool gate, help;
};

static bool parse(int argc, char **argv, struct options *to)
{
	static const struct option options[] = {
		{"host", required_argument, 0, 'h'},
		{"port", required_argument, 0, 'p'},
		{"connections", required_argument, 0, 'c'},
		{"depth", required_argument, 0, 'd'},
		{"block", required_argument, 0, 'b'},
		{"write", no_argument, 0, 'W'},
		{"simple", no_argument, 0, 'S'},
		{"seconds", required_argument, 0, 't'},
		{"warmup", required_argument, 0, 'u'},
		{"span-mib", required_argument, 0, 'm'},
		{"seed", required_argument, 0, 'r'},
		{"gate", no_argument, 0, 'g'},
		{"help", no_argument, 0, 'H'},
		{0},
	};
	*to = (struct options){
		.config = {.depth = 1, .block_bytes = 4096, .structured = true, .span_bytes = 64u << 20, .seed = 1},
		.server = {.sin_family = AF_INET, .sin_port = htons(10809)},
		.seconds = 5,
		.warmup = 0.5};
	bool has_host = false;
	int c;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'h':
			has_host = inet_pton(AF_INET, optarg, &to->server.sin_addr) == 1;
			break;
		case 'p':
			to->server.sin_port = htons((uint16_t)strtoul(optarg, NULL, 0));
			break;
		case 'c':
			connection_count = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'd':
			to->config.depth = (unsigned)strtoul(optarg, NULL, 0);
			break;
		case 'b':
			to->config.block_bytes = (uint32_t)strtoul(optarg, NULL, 0);
			break;
		case 'W':
			to->config.write = true;
			break;
		case 'S':
			to->config.structured = false;
			break;
		case 't':
			to->seconds = strtod(optarg, NULL);
			break;
		case 'u':
			to->warmup = strtod(optarg, NULL);
			break;
		case 'm':
			to->config.span_bytes = strtoull(optarg, NULL, 0) << 20;
			break;
		case 'r':
			to->config.seed = strtoull(optarg, NULL, 0);
			break;
		case 'g':
			to->gate = true;
			break;
		case 'H':
			to->help = true;
			return true;
		default:
			return false;
		}
	}
	return has_host && connection_count >= 1 && connection_count <= CONNECTION_COUNT_MAX && to->config.depth >= 1 &&
	       to->config.depth <= NBD_CLIENT_DEPTH_MAX && to->config.block_bytes >= 512 &&
	       to->config.block_bytes <= BLOCK_BYTES_MAX && to->config.span_bytes >= to->config.block_bytes &&
	       to->seconds > 0;
}

static void wait_for_go(void)
{
	char line[16];
	puts("ready");
	fflush(stdout);
	(void)!fgets(line, sizeof line, stdin);
}

int main(int argc, char **argv)
{
	struct options options;
	if (!parse(argc, argv, &options)) {
		usage(stderr);
		return 2;
	}
	if (options.help) {
		usage(stdout);
		return 0;
	}
	body = calloc(1, options.config.block_bytes);
	received = malloc(RECEIVE_BYTES);
	if (!body || !received)
		return 1;
	if (prepare(&options.server, &options.config) || drive(always, now_ns() + (uint64_t)(options.warmup * 1e9)))
		return 1;
	if (options.gate)
		wait_for_go();
	for (unsigned i = 0; i < connection_count; i++)
		nbd_client_reset_counters(&clients[i]);
	const double cpu = cpu_seconds();
	const uint64_t start = now_ns();
	if (drive(always, start + (uint64_t)(options.seconds * 1e9)))
		return 1;
	nbd_client_print_json(clients, connection_count, "socket", (double)(now_ns() - start) / 1e9,
			      cpu_seconds() - cpu);
	for (unsigned i = 0; i < connection_count; i++)
		nbd_client_stop(&clients[i]);
	return drive(is_stopping, now_ns() + STOP_NS) ? 1 : 0;
}
