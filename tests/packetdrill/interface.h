/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What packetdrill asks of a stack that it loads as a shared object (--so_filename).
 *
 * It looks up packetdrill_interface_init, calls it once with the text of
 * --so_flags (NULL: none was given), and from then on makes the calls of the
 * struct, each with userdata in front of the arguments that the call of that name
 * has in POSIX or Linux.  The order of the members is the contract.
 *
 *   netdev_send     a packet for the stack, from its IP header on
 *   netdev_receive  the stack's next packet; *bytes: room, then length; *time_us:
 *                   when it was sent, by the clock of gettimeofday.  Waits for it:
 *                   length 0 says that none will come, and ends the script.
 *   usleep,         the clock is the stack's.  It has to move on with every call of
 *   gettimeofday    gettimeofday, because the end of each wait is spun for.
 *
 * A call that the script expects to block is made by a second thread, while the
 * first one goes on with the script.  Before it that thread waits for the moment
 * of the call, by usleep and gettimeofday; right behind it it asks gettimeofday
 * for the time at which the call ended.
 */
#pragma once

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

struct packetdrill_interface {
	void *userdata;
	void (*free)(void *userdata);
	int (*socket)(void *userdata, int family, int type, int protocol);
	int (*bind)(void *userdata, int fd, const struct sockaddr *addr, socklen_t addr_bytes);
	int (*listen)(void *userdata, int fd, int backlog);
	int (*accept)(void *userdata, int fd, struct sockaddr *addr, socklen_t *addr_bytes);
	int (*connect)(void *userdata, int fd, const struct sockaddr *addr, socklen_t addr_bytes);
	ssize_t (*read)(void *userdata, int fd, void *to, size_t bytes);
	ssize_t (*readv)(void *userdata, int fd, const struct iovec *iov, int count);
	ssize_t (*recv)(void *userdata, int fd, void *to, size_t bytes, int flags);
	ssize_t (*recvfrom)(void *userdata, int fd, void *to, size_t bytes, int flags, struct sockaddr *addr,
			    socklen_t *addr_bytes);
	ssize_t (*recvmsg)(void *userdata, int fd, struct msghdr *message, int flags);
	ssize_t (*write)(void *userdata, int fd, const void *from, size_t bytes);
	ssize_t (*writev)(void *userdata, int fd, const struct iovec *iov, int count);
	ssize_t (*send)(void *userdata, int fd, const void *from, size_t bytes, int flags);
	ssize_t (*sendto)(void *userdata, int fd, const void *from, size_t bytes, int flags,
			  const struct sockaddr *addr, socklen_t addr_bytes);
	ssize_t (*sendmsg)(void *userdata, int fd, const struct msghdr *message, int flags);
	int (*fcntl)(void *userdata, int fd, int command, ...);
	int (*ioctl)(void *userdata, int fd, unsigned long request, ...);
	int (*close)(void *userdata, int fd);
	int (*shutdown)(void *userdata, int fd, int how);
	int (*getsockopt)(void *userdata, int fd, int level, int name, void *value, socklen_t *value_bytes);
	int (*setsockopt)(void *userdata, int fd, int level, int name, const void *value, socklen_t value_bytes);
	int (*poll)(void *userdata, struct pollfd *fds, nfds_t count, int timeout_ms);
	int (*netdev_send)(void *userdata, const void *packet, size_t bytes);
	int (*netdev_receive)(void *userdata, void *packet, size_t *bytes, long long *time_us);
	int (*usleep)(void *userdata, useconds_t us);
	int (*gettimeofday)(void *userdata, struct timeval *now, struct timezone *zone);
	int (*epoll_create)(void *userdata, int size);
	int (*epoll_ctl)(void *userdata, int epoll_fd, int operation, int fd, struct epoll_event *event);
	int (*epoll_wait)(void *userdata, int epoll_fd, struct epoll_event *events, int max, int timeout_ms);
	int (*pipe)(void *userdata, int fds[2]);
	int (*splice)(void *userdata, int in, loff_t *in_offset, int out, loff_t *out_offset, size_t bytes,
		      unsigned int flags);
};

void packetdrill_interface_init(const char *flags, struct packetdrill_interface *interface);
