/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The calls of interface.h: who may wait, and how time goes on.
 *
 * Time moves in usleep and netdev_receive, a microsecond in gettimeofday, and in a
 * call of the first thread that has to wait although the script did not expect it.
 * A second thread that waits is woken as soon as what it waits for is there, and
 * time stands still until it has asked what time it is.
 */
#include "interface.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>

#include "host.h"

#define NS_PER_US 1000u
#define SILENCE_NS (300000 * TCP_NS_PER_MS) /* nothing was sent for so long: nothing will be */
#define UNEXPECTED_WAIT_NS (2000 * TCP_NS_PER_MS)
#define HANDOVER_NS 200000000 /* of real time, for a thread to come back */

typedef bool ready_fn(void *ctx);

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t woken, handed_over;
	pthread_t main;
	struct host host;
	ready_fn *ready; /* of the thread that waits; NULL: none does */
	void *ready_ctx;
	uint64_t deadline_ns;
	bool wake, owes_time;
} s = {.mutex = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER, .handed_over = PTHREAD_COND_INITIALIZER};

static int fail(int error)
{
	errno = error;
	return -1;
}

/* ---- time ---- */

/* Mutex held, here and below. */
static void let_waiter_go(void)
{
	if (!s.ready || s.wake || (s.host.now_ns < s.deadline_ns && !s.ready(s.ready_ctx)))
		return;
	struct timespec until;
	s.wake = s.owes_time = true;
	pthread_cond_signal(&s.woken);
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += HANDOVER_NS;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (s.owes_time && pthread_cond_timedwait(&s.handed_over, &s.mutex, &until) == 0)
		;
}

/* To the next moment at which something happens, or to this one. */
static void step(uint64_t until_ns)
{
	uint64_t next_ns = host_next_ns(&s.host, until_ns);
	if (s.ready && s.deadline_ns < next_ns)
		next_ns = s.deadline_ns;
	if (next_ns > s.host.now_ns)
		s.host.now_ns = next_ns;
	host_turn(&s.host);
	let_waiter_go();
}

static void run_until(uint64_t until_ns)
{
	while (s.host.now_ns < until_ns)
		step(until_ns);
}

/* Until it is ready; false: the deadline came first. */
static bool wait_for(ready_fn *ready, void *ctx, uint64_t for_ns)
{
	const uint64_t deadline_ns = for_ns > UINT64_MAX / 2 ? UINT64_MAX : s.host.now_ns + for_ns;
	if (pthread_equal(pthread_self(), s.main)) {
		const uint64_t limit_ns = deadline_ns < s.host.now_ns + UNEXPECTED_WAIT_NS
						  ? deadline_ns
						  : s.host.now_ns + UNEXPECTED_WAIT_NS;
		while (!ready(ctx) && s.host.now_ns < limit_ns)
			step(limit_ns);
		return ready(ctx);
	}
	s.ready = ready;
	s.ready_ctx = ctx;
	s.deadline_ns = deadline_ns;
	s.wake = false;
	while (!s.wake)
		pthread_cond_wait(&s.woken, &s.mutex);
	s.ready = NULL;
	return ready(ctx);
}

static int do_usleep(void *userdata, useconds_t us)
{
	(void)userdata;
	pthread_mutex_lock(&s.mutex);
	run_until(s.host.now_ns + (uint64_t)us * NS_PER_US);
	pthread_mutex_unlock(&s.mutex);
	return 0;
}

static int do_gettimeofday(void *userdata, struct timeval *now, struct timezone *zone)
{
	(void)userdata, (void)zone;
	pthread_mutex_lock(&s.mutex);
	if (s.owes_time && !pthread_equal(pthread_self(), s.main)) {
		s.owes_time = false;
		pthread_cond_signal(&s.handed_over);
	} else {
		run_until(s.host.now_ns + NS_PER_US);
	}
	now->tv_sec = (time_t)(s.host.now_ns / 1000000000);
	now->tv_usec = (suseconds_t)(s.host.now_ns % 1000000000 / NS_PER_US);
	pthread_mutex_unlock(&s.mutex);
	return 0;
}

/* ---- packets ---- */

static int do_netdev_send(void *userdata, const void *packet, size_t bytes)
{
	(void)userdata;
	pthread_mutex_lock(&s.mutex);
	host_input(&s.host, packet, bytes);
	let_waiter_go();
	pthread_mutex_unlock(&s.mutex);
	return 0;
}

static int do_netdev_receive(void *userdata, void *packet, size_t *bytes, long long *time_us)
{
	struct frame *frame;
	(void)userdata;
	pthread_mutex_lock(&s.mutex);
	const uint64_t limit_ns = s.host.now_ns + SILENCE_NS;
	while (!(frame = STAILQ_FIRST(&s.host.out)) && s.host.now_ns < limit_ns)
		step(limit_ns);
	if (frame) {
		STAILQ_REMOVE_HEAD(&s.host.out, link);
		if (frame->len_bytes < *bytes)
			*bytes = frame->len_bytes;
		memcpy(packet, frame->bytes, *bytes);
		*time_us = (long long)(frame->at_ns / NS_PER_US);
		free(frame);
	} else {
		*bytes = 0;
		*time_us = (long long)(s.host.now_ns / NS_PER_US);
	}
	pthread_mutex_unlock(&s.mutex);
	return 0;
}

/* ---- addresses ---- */

static bool take_address(const struct sockaddr *from, socklen_t bytes, struct ip_addr *addr, uint16_t *port)
{
	if (bytes >= sizeof(struct sockaddr_in) && from->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)from;
		*port = ntohs(in->sin_port);
		*addr = in->sin_addr.s_addr ? ip_addr_v4((const uint8_t *)&in->sin_addr) : (struct ip_addr){{0}};
		return true;
	}
	if (bytes >= sizeof(struct sockaddr_in6) && from->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)(const void *)from;
		*port = ntohs(in6->sin6_port);
		*addr = ip_addr_v6(in6->sin6_addr.s6_addr);
		return true;
	}
	return false;
}

static void give_address(int family, const struct ip_addr *addr, uint16_t port, struct sockaddr *to, socklen_t *room)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};
	memcpy(&in6.sin6_addr, addr->b, 16);
	memcpy(&in.sin_addr, addr->b + IP_ADDR_V4_OFFSET, 4);
	const socklen_t bytes = family == AF_INET ? sizeof in : sizeof in6;
	if (!to || !room)
		return;
	memcpy(to, family == AF_INET ? (const void *)&in : (const void *)&in6, *room < bytes ? *room : bytes);
	*room = bytes;
}

/* ---- sockets ---- */

static bool has_event(void *ctx)
{
	const struct sock *sock = ctx;
	return sock_events(sock) & (POLLIN | POLLERR | POLLHUP);
}

static bool has_room(void *ctx)
{
	const struct sock *sock = ctx;
	return sock_events(sock) & (POLLOUT | POLLERR | POLLHUP);
}

static bool is_over(void *ctx)
{
	return !((const struct sock *)ctx)->connecting;
}

/* Do what with a socket has to be done under the lock. */
#define WITH_SOCKET(fd)                                                                                                \
	(void)userdata;                                                                                                \
	pthread_mutex_lock(&s.mutex);                                                                                  \
	struct sock *sock = sock_of(&s.host, fd);                                                                      \
	if (!sock) {                                                                                                   \
		pthread_mutex_unlock(&s.mutex);                                                                        \
		return -1;                                                                                             \
	}

static ssize_t done(ssize_t rc)
{
	const int error = rc < -1 ? (int)-rc : errno;
	let_waiter_go();
	pthread_mutex_unlock(&s.mutex);
	errno = error;
	return rc < -1 ? -1 : rc;
}

static int do_socket(void *userdata, int family, int type, int protocol)
{
	(void)userdata;
	if (protocol && protocol != IPPROTO_TCP)
		return fail(EPROTONOSUPPORT);
	pthread_mutex_lock(&s.mutex);
	return (int)done(sock_new(&s.host, family, type));
}

static int do_bind(void *userdata, int fd, const struct sockaddr *addr, socklen_t addr_bytes)
{
	WITH_SOCKET(fd);
	if (sock->bound || !take_address(addr, addr_bytes, &sock->local, &sock->port))
		return (int)done(-EINVAL);
	if (!host_own(&s.host, &sock->local))
		return (int)done(-EADDRNOTAVAIL);
	sock->bound = true;
	return (int)done(0);
}

static int do_listen(void *userdata, int fd, int backlog)
{
	WITH_SOCKET(fd);
	return (int)done(sock_listen(sock, backlog));
}

static int do_accept(void *userdata, int fd, struct sockaddr *addr, socklen_t *addr_bytes)
{
	WITH_SOCKET(fd);
	int rc = sock_accept(sock);
	if (rc == -EAGAIN && !sock->nonblocking && wait_for(has_event, sock, UINT64_MAX))
		rc = sock_accept(sock);
	if (rc >= 0) {
		const struct sock *other = sock_of(&s.host, rc);
		struct stream_info ends = {0};
		if (other->stream)
			stream_info(other->stream, &ends);
		give_address(other->family, &ends.remote, ends.remote_port, addr, addr_bytes);
	}
	return (int)done(rc);
}

static int do_connect(void *userdata, int fd, const struct sockaddr *addr, socklen_t addr_bytes)
{
	struct ip_addr to;
	uint16_t port;
	WITH_SOCKET(fd);
	if (!take_address(addr, addr_bytes, &to, &port))
		return (int)done(-EINVAL);
	int rc = sock_connect(sock, &to, port);
	if (rc != -EINPROGRESS || sock->nonblocking)
		return (int)done(rc);
	(void)wait_for(is_over, sock, UINT64_MAX);
	rc = sock->connected ? 0 : sock->error ? -sock->error : -EINPROGRESS;
	if (!sock->connecting)
		sock->error = 0;
	sock->connect_told = sock->connected;
	return (int)done(rc);
}

static ssize_t do_recv(void *userdata, int fd, void *to, size_t bytes, int flags)
{
	WITH_SOCKET(fd);
	ssize_t rc = sock_read(sock, to, bytes, flags);
	if (rc == -EAGAIN && !sock->nonblocking && !(flags & MSG_DONTWAIT) && wait_for(has_event, sock, UINT64_MAX))
		rc = sock_read(sock, to, bytes, flags);
	return done(rc);
}

static ssize_t do_read(void *userdata, int fd, void *to, size_t bytes)
{
	return do_recv(userdata, fd, to, bytes, 0);
}

static ssize_t do_recvfrom(void *userdata, int fd, void *to, size_t bytes, int flags, struct sockaddr *addr,
			   socklen_t *addr_bytes)
{
	(void)addr, (void)addr_bytes;
	return do_recv(userdata, fd, to, bytes, flags);
}

static size_t iov_bytes(const struct iovec *iov, size_t count)
{
	size_t bytes = 0;
	for (size_t i = 0; i < count; i++)
		bytes += iov[i].iov_len;
	return bytes;
}

static ssize_t receive_iov(void *userdata, int fd, const struct iovec *iov, size_t count, int flags)
{
	const size_t bytes = iov_bytes(iov, count);
	uint8_t *all = malloc(bytes + 1);
	const ssize_t rc = all ? do_recv(userdata, fd, all, bytes, flags) : fail(ENOMEM);
	const int error = errno;
	size_t at = 0;
	for (size_t i = 0; rc > 0 && i < count && at < (size_t)rc; at += iov[i++].iov_len)
		memcpy(iov[i].iov_base, all + at, (size_t)rc - at < iov[i].iov_len ? (size_t)rc - at : iov[i].iov_len);
	free(all);
	errno = error;
	return rc;
}

static ssize_t do_readv(void *userdata, int fd, const struct iovec *iov, int count)
{
	return receive_iov(userdata, fd, iov, (size_t)count, 0);
}

static ssize_t do_recvmsg(void *userdata, int fd, struct msghdr *message, int flags)
{
	message->msg_flags = 0;
	message->msg_controllen = 0;
	return receive_iov(userdata, fd, message->msg_iov, message->msg_iovlen, flags);
}

static ssize_t do_send(void *userdata, int fd, const void *from, size_t bytes, int flags)
{
	WITH_SOCKET(fd);
	size_t sent = 0;
	ssize_t rc;
	for (;;) {
		rc = sock_write(sock, (const uint8_t *)from + sent, bytes - sent, flags);
		if (rc > 0)
			sent += (size_t)rc;
		if (rc != -EAGAIN || sock->nonblocking || flags & MSG_DONTWAIT) {
			if (rc < 0 || sent == bytes || sock->nonblocking || flags & MSG_DONTWAIT)
				break;
			continue;
		}
		if (!wait_for(has_room, sock, UINT64_MAX))
			break;
	}
	return done(sent ? (ssize_t)sent : rc);
}

static ssize_t do_write(void *userdata, int fd, const void *from, size_t bytes)
{
	return do_send(userdata, fd, from, bytes, 0);
}

static ssize_t do_sendto(void *userdata, int fd, const void *from, size_t bytes, int flags, const struct sockaddr *addr,
			 socklen_t addr_bytes)
{
	(void)addr, (void)addr_bytes;
	if (flags & MSG_FASTOPEN)
		return fail(EOPNOTSUPP);
	return do_send(userdata, fd, from, bytes, flags);
}

static ssize_t send_iov(void *userdata, int fd, const struct iovec *iov, size_t count, int flags)
{
	const size_t bytes = iov_bytes(iov, count);
	uint8_t *all = malloc(bytes + 1);
	size_t at = 0;
	for (size_t i = 0; all && i < count; at += iov[i++].iov_len)
		memcpy(all + at, iov[i].iov_base, iov[i].iov_len);
	const ssize_t rc = all ? do_send(userdata, fd, all, bytes, flags) : fail(ENOMEM);
	const int error = errno;
	free(all);
	errno = error;
	return rc;
}

static ssize_t do_writev(void *userdata, int fd, const struct iovec *iov, int count)
{
	return send_iov(userdata, fd, iov, (size_t)count, 0);
}

static ssize_t do_sendmsg(void *userdata, int fd, const struct msghdr *message, int flags)
{
	if (flags & MSG_FASTOPEN)
		return fail(EOPNOTSUPP);
	return send_iov(userdata, fd, message->msg_iov, message->msg_iovlen, flags);
}

static int do_fcntl(void *userdata, int fd, int command, ...)
{
	va_list list;
	va_start(list, command);
	const int value = command == F_SETFL ? va_arg(list, int) : 0;
	va_end(list);
	WITH_SOCKET(fd);
	if (command == F_GETFL)
		return (int)done(O_RDWR | (sock->nonblocking ? O_NONBLOCK : 0));
	if (command != F_SETFL)
		return (int)done(-EINVAL);
	sock->nonblocking = value & O_NONBLOCK;
	return (int)done(0);
}

static int do_ioctl(void *userdata, int fd, unsigned long request, ...)
{
	va_list list;
	va_start(list, request);
	int *value = va_arg(list, int *);
	va_end(list);
	WITH_SOCKET(fd);
	return (int)done(sock_ioctl(sock, request, value));
}

static int do_close(void *userdata, int fd)
{
	WITH_SOCKET(fd);
	return (int)done(sock_close(sock));
}

static int do_shutdown(void *userdata, int fd, int how)
{
	WITH_SOCKET(fd);
	return (int)done(sock_shutdown(sock, how));
}

static int do_getsockopt(void *userdata, int fd, int level, int name, void *value, socklen_t *bytes)
{
	WITH_SOCKET(fd);
	return (int)done(sock_get(sock, level, name, value, bytes));
}

static int do_setsockopt(void *userdata, int fd, int level, int name, const void *value, socklen_t bytes)
{
	WITH_SOCKET(fd);
	return (int)done(sock_set(sock, level, name, value, bytes));
}

/* ---- several at once ---- */

struct polled {
	struct pollfd *fds;
	nfds_t count;
};

static int look(const struct polled *polled)
{
	int found = 0;
	for (nfds_t i = 0; i < polled->count; i++) {
		struct pollfd *fd = &polled->fds[i];
		const struct sock *sock = sock_of(&s.host, fd->fd);
		const short always = POLLERR | POLLHUP;
		fd->revents = sock ? (short)(sock_events(sock) & (fd->events | always)) : POLLNVAL;
		found += fd->revents != 0;
	}
	return found;
}

static bool any_event(void *ctx)
{
	return look(ctx) > 0;
}

static int do_poll(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms)
{
	struct polled polled = {fds, count};
	(void)userdata;
	pthread_mutex_lock(&s.mutex);
	host_turn(&s.host);
	if (!look(&polled) && timeout_ms)
		(void)wait_for(any_event, &polled, timeout_ms < 0 ? UINT64_MAX : (unsigned)timeout_ms * TCP_NS_PER_MS);
	return (int)done(look(&polled));
}

static int no_epoll_create(void *userdata, int size)
{
	(void)userdata, (void)size;
	return fail(ENOSYS);
}

static int no_epoll_ctl(void *userdata, int epoll_fd, int operation, int fd, struct epoll_event *event)
{
	(void)userdata, (void)epoll_fd, (void)operation, (void)fd, (void)event;
	return fail(ENOSYS);
}

static int no_epoll_wait(void *userdata, int epoll_fd, struct epoll_event *events, int max, int timeout_ms)
{
	(void)userdata, (void)epoll_fd, (void)events, (void)max, (void)timeout_ms;
	return fail(ENOSYS);
}

static int no_pipe(void *userdata, int fds[2])
{
	(void)userdata, (void)fds;
	return fail(ENOSYS);
}

static int no_splice(void *userdata, int in, loff_t *in_offset, int out, loff_t *out_offset, size_t bytes,
		     unsigned int flags)
{
	(void)userdata, (void)in, (void)in_offset, (void)out, (void)out_offset, (void)bytes, (void)flags;
	return fail(ENOSYS);
}

static void do_free(void *userdata)
{
	(void)userdata;
	pthread_mutex_lock(&s.mutex);
	host_fini(&s.host);
	pthread_mutex_unlock(&s.mutex);
}

__attribute__((visibility("default"))) void packetdrill_interface_init(const char *flags,
								       struct packetdrill_interface *interface)
{
	s.main = pthread_self();
	if (!host_init(&s.host, flags))
		exit(2);
	*interface = (struct packetdrill_interface){
		.free = do_free,
		.socket = do_socket,
		.bind = do_bind,
		.listen = do_listen,
		.accept = do_accept,
		.connect = do_connect,
		.read = do_read,
		.readv = do_readv,
		.recv = do_recv,
		.recvfrom = do_recvfrom,
		.recvmsg = do_recvmsg,
		.write = do_write,
		.writev = do_writev,
		.send = do_send,
		.sendto = do_sendto,
		.sendmsg = do_sendmsg,
		.fcntl = do_fcntl,
		.ioctl = do_ioctl,
		.close = do_close,
		.shutdown = do_shutdown,
		.getsockopt = do_getsockopt,
		.setsockopt = do_setsockopt,
		.poll = do_poll,
		.netdev_send = do_netdev_send,
		.netdev_receive = do_netdev_receive,
		.usleep = do_usleep,
		.gettimeofday = do_gettimeofday,
		.epoll_create = no_epoll_create,
		.epoll_ctl = no_epoll_ctl,
		.epoll_wait = no_epoll_wait,
		.pipe = no_pipe,
		.splice = no_splice,
	};
}
