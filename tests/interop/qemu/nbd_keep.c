/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What nbd-client's -persist leaves out on a kernel that it configures by netlink: requests wait for a new connection
 * instead of failing, and every connection that dies is replaced.
 *
 *     nbd_keep INDEX ADDRESS PORT EXPORT SECONDS
 *
 * Prints a line for each connection replaced; runs until it is killed.
 */
#include <arpa/inet.h>
#include <endian.h>
#include <err.h>
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <linux/netlink.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define MESSAGE_BYTES 1024u
#define RETRY_US 50000u
#define ATTR_BYTES ((uint32_t)sizeof(struct nlattr))

struct message {
	struct nlmsghdr header;
	struct genlmsghdr genl;
	uint8_t attributes[MESSAGE_BYTES];
};

static struct {
	int netlink;
	uint16_t family;
	uint32_t group;
	uint32_t serial, index;
	struct sockaddr_in server;
	const char *export_name;
} keep;

/* ----------------------------------------------------------------- netlink */
static void begin(struct message *m, uint16_t type, uint8_t command, uint8_t version)
{
	*m = (struct message){
		.header = {.nlmsg_len = NLMSG_LENGTH(GENL_HDRLEN),
			   .nlmsg_type = type,
			   .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK,
			   .nlmsg_seq = ++keep.serial},
		.genl = {.cmd = command, .version = version},
	};
}

static uint32_t aligned(uint32_t bytes)
{
	return (bytes + 3) & ~3u;
}

static struct nlattr *add(struct message *m, uint16_t type, const void *value, size_t len)
{
	struct nlattr *attr = (struct nlattr *)((uint8_t *)m + m->header.nlmsg_len);
	attr->nla_type = type;
	attr->nla_len = (uint16_t)(ATTR_BYTES + len);
	if (len)
		memcpy((uint8_t *)attr + ATTR_BYTES, value, len);
	m->header.nlmsg_len += aligned(attr->nla_len);
	return attr;
}

static void end_nest(struct message *m, struct nlattr *nest)
{
	nest->nla_type |= NLA_F_NESTED;
	nest->nla_len = (uint16_t)((uint8_t *)m + m->header.nlmsg_len - (uint8_t *)nest);
}

/* Of the attributes from start to end, the first of a type. */
static const struct nlattr *find(const uint8_t *start, const uint8_t *end, uint16_t type)
{
	while (start + ATTR_BYTES <= end) {
		const struct nlattr *attr = (const struct nlattr *)start;
		if ((attr->nla_type & NLA_TYPE_MASK) == type)
			return attr;
		start += attr->nla_len >= ATTR_BYTES ? aligned(attr->nla_len) : ATTR_BYTES;
	}
	return NULL;
}

static const uint8_t *value_of(const struct nlattr *attr)
{
	return (const uint8_t *)attr + ATTR_BYTES;
}

static const uint8_t *end_of(const struct nlattr *attr)
{
	return (const uint8_t *)attr + attr->nla_len;
}

static void learn_family(const struct message *m)
{
	const uint8_t *end = (const uint8_t *)m + m->header.nlmsg_len;
	const struct nlattr *id = find(m->attributes, end, CTRL_ATTR_FAMILY_ID);
	const struct nlattr *groups = find(m->attributes, end, CTRL_ATTR_MCAST_GROUPS);
	const struct nlattr *group = groups ? (const struct nlattr *)value_of(groups) : NULL;
	const struct nlattr *number = group ? find(value_of(group), end_of(group), CTRL_ATTR_MCAST_GRP_ID) : NULL;
	if (!id || !number)
		errx(1, "this kernel's nbd has no netlink group");
	memcpy(&keep.family, value_of(id), sizeof keep.family);
	memcpy(&keep.group, value_of(number), sizeof keep.group);
}

/* Connections that died while an answer was awaited. */
static unsigned dead;

static bool receive(struct message *m)
{
	const ssize_t len = recv(keep.netlink, m, sizeof *m, 0);
	if (len < (ssize_t)sizeof m->header)
		err(1, "netlink");
	if (keep.family && m->header.nlmsg_type == keep.family && m->genl.cmd == NBD_CMD_LINK_DEAD)
		dead++;
	return m->header.nlmsg_seq == keep.serial && m->header.nlmsg_type == NLMSG_ERROR;
}

/* The kernel's answer: 0 or -errno. */
static int ask(struct message *m)
{
	struct message answer;
	int error;
	if (send(keep.netlink, m, m->header.nlmsg_len, 0) < 0)
		err(1, "netlink");
	while (!receive(&answer))
		if (answer.header.nlmsg_type == GENL_ID_CTRL)
			learn_family(&answer);
	memcpy(&error, &answer.genl, sizeof error);
	return error;
}

static void open_netlink(void)
{
	static const char name[] = NBD_GENL_FAMILY_NAME;
	struct message m;
	keep.netlink = socket(AF_NETLINK, SOCK_RAW, NETLINK_GENERIC);
	const struct sockaddr_nl self = {.nl_family = AF_NETLINK};
	if (keep.netlink < 0 || bind(keep.netlink, (const struct sockaddr *)&self, sizeof self))
		err(1, "netlink");
	begin(&m, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);
	add(&m, CTRL_ATTR_FAMILY_NAME, name, sizeof name);
	const int error = ask(&m);
	if (error)
		errx(1, "the nbd family: %s", strerror(-error));
	if (setsockopt(keep.netlink, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, &keep.group, sizeof keep.group))
		err(1, "the nbd group");
}

static int reconfigure(int sock, uint64_t dead_timeout_s)
{
	struct message m;
	begin(&m, keep.family, NBD_CMD_RECONFIGURE, NBD_GENL_VERSION);
	add(&m, NBD_ATTR_INDEX, &keep.index, sizeof keep.index);
	if (dead_timeout_s)
		add(&m, NBD_ATTR_DEAD_CONN_TIMEOUT, &dead_timeout_s, sizeof dead_timeout_s);
	if (sock >= 0) {
		struct nlattr *sockets = add(&m, NBD_ATTR_SOCKETS, NULL, 0);
		struct nlattr *item = add(&m, NBD_SOCK_ITEM, NULL, 0);
		const uint32_t fd = (uint32_t)sock;
		add(&m, NBD_SOCK_FD, &fd, sizeof fd);
		end_nest(&m, item);
		end_nest(&m, sockets);
	}
	return ask(&m);
}

/* ------------------------------------------------------------- connections */
static bool take(int sock, size_t count)
{
	uint8_t bytes[64];
	return recv(sock, bytes, count, MSG_WAITALL) == (ssize_t)count;
}

/* A connection that has entered transmission, -1: not now. */
static int connect_once(void)
{
	const struct timeval limit = {.tv_sec = 2};
	const uint32_t len = (uint32_t)strlen(keep.export_name);
	const uint32_t flags = htobe32(3), option[2] = {htobe32(1), htobe32(len)};
	uint8_t hello[20 + 256];
	if (len > 256)
		errx(2, "the name is too long");
	memcpy(hello, &flags, 4);
	memcpy(hello + 4, "IHAVEOPT", 8);
	memcpy(hello + 12, option, 8);
	memcpy(hello + 20, keep.export_name, len);
	const int sock = socket(AF_INET, SOCK_STREAM, 0);
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	const bool good = connect(sock, (const struct sockaddr *)&keep.server, sizeof keep.server) == 0 &&
			  take(sock, 18) && send(sock, hello, 20 + len, MSG_NOSIGNAL) == (ssize_t)(20 + len) &&
			  take(sock, 10);
	if (!good) {
		close(sock);
		return -1;
	}
	const struct timeval forever = {0};
	(void)setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &forever, sizeof forever);
	(void)setsockopt(sock, SOL_SOCKET, SO_SNDTIMEO, &forever, sizeof forever);
	return sock;
}

static void replace_one(void)
{
	int sock;
	while ((sock = connect_once()) < 0)
		usleep(RETRY_US);
	/* The driver has a reference of its own when it took it. */
	const int error = reconfigure(sock, 0);
	printf("a connection: %s\n", error ? strerror(-error) : "replaced");
	close(sock);
}

int main(int argc, char **argv)
{
	if (argc != 6) {
		fprintf(stderr, "usage: nbd_keep INDEX ADDRESS PORT EXPORT SECONDS\n");
		return 2;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	keep.index = (uint32_t)strtoul(argv[1], NULL, 10);
	keep.server = (struct sockaddr_in){.sin_family = AF_INET,
					   .sin_port = htons((uint16_t)strtoul(argv[3], NULL, 10)),
					   .sin_addr.s_addr = inet_addr(argv[2])};
	keep.export_name = argv[4];
	open_netlink();
	const int error = reconfigure(-1, strtoull(argv[5], NULL, 10));
	if (error)
		errx(1, "nbd%u: %s", keep.index, strerror(-error));
	puts("ready");
	for (struct message m;;) {
		if (dead == 0)
			(void)receive(&m);
		for (; dead; dead--)
			replace_one();
	}
}
