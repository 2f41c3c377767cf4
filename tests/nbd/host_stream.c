/* SPDX-License-Identifier: BSD-3-Clause */
#include "host_stream.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define IN_BYTES (256u * 1024)
#define IOV_COUNT 64

struct host {
	struct stream stream; /* first */
	struct host_loop *loop;
	LIST_ENTRY(host) link;
	int fd;
	struct pkt_buf *first, *last; /* to be sent */
	uint32_t sent_bytes;          /* of first */
	uint32_t in_start, in_end;    /* received and not taken */
	uint32_t events;
	bool in_callback, resume, was_full;
	bool peer_ended, told_end, shut, shut_done, aborted, broken;
	uint8_t in[IN_BYTES];
};

struct host_loop {
	int epoll, listener;
	bool (*accept)(void *ctx, struct stream *stream);
	void *ctx;
	unsigned happened;
	LIST_HEAD(host_list, host) hosts;
};

static void set_events(struct host *host)
{
	const bool wants = host->in_end == host->in_start && !host->peer_ended;
	struct epoll_event event = {.events = (wants ? EPOLLIN : 0u) | (host->first ? EPOLLOUT : 0u), .data.ptr = host};
	if (event.events == host->events)
		return;
	host->events = event.events;
	epoll_ctl(host->loop->epoll, EPOLL_CTL_MOD, host->fd, &event);
}

static void consume(struct host *host, size_t bytes)
{
	host->stream.unsent_bytes -= bytes;
	while (bytes) {
		struct pkt_buf *buf = host->first;
		const uint32_t left = buf->len_bytes - host->sent_bytes;
		if (bytes < left) {
			host->sent_bytes += (uint32_t)bytes;
			return;
		}
		bytes -= left;
		host->sent_bytes = 0;
		host->first = buf->next;
		pkt_buf_put(buf);
	}
}

static void write_out(struct host *host)
{
	while (host->first && !host->broken) {
		struct iovec iov[IOV_COUNT];
		unsigned count = 0;
		uint32_t skip = host->sent_bytes;
		for (struct pkt_buf *buf = host->first; buf && count < IOV_COUNT; buf = buf->next, skip = 0)
			iov[count++] = (struct iovec){(uint8_t *)(uintptr_t)buf->data + skip, buf->len_bytes - skip};
		struct msghdr message = {.msg_iov = iov, .msg_iovlen = count};
		const ssize_t done = sendmsg(host->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (done < 0) {
			host->broken |= errno != EAGAIN && errno != EINTR;
			break;
		}
		host->loop->happened++;
		consume(host, (size_t)done);
	}
	if (!host->first && host->shut && !host->shut_done) {
		host->shut_done = true;
		shutdown(host->fd, SHUT_WR);
	}
}

/* ---- what the protocol calls ---- */

static void host_send(struct stream *stream, struct pkt_buf *buf)
{
	struct host *host = (struct host *)stream;
	assert(buf->len_bytes && buf->refs && !host->shut && !host->aborted);
	buf->next = NULL;
	if (host->first)
		host->last->next = buf;
	else
		host->first = buf;
	host->last = buf;
	stream->unsent_bytes += buf->len_bytes;
	host->was_full |= stream->unsent_bytes > STREAM_UNSENT_BYTES_GOAL;
}

static void host_flush(struct stream *stream)
{
	write_out((struct host *)stream);
	set_events((struct host *)stream);
}

static void deliver(struct host *host)
{
	host->resume = true;
	while (host->resume && !host->aborted && host->in_start < host->in_end) {
		host->resume = false;
		host->in_callback = true;
		const uint32_t have = host->in_end - host->in_start;
		const uint32_t taken = host->stream.handler->on_data(host->stream.ctx, host->in + host->in_start, have);
		host->in_callback = false;
		assert(taken <= have);
		host->in_start += taken;
	}
	if (host->in_start == host->in_end)
		host->in_start = host->in_end = 0;
}

static void host_resume(struct stream *stream)
{
	struct host *host = (struct host *)stream;
	if (host->in_callback) {
		host->resume = true;
		return;
	}
	deliver(host);
	host_flush(stream);
}

static void host_shutdown(struct stream *stream)
{
	struct host *host = (struct host *)stream;
	host->shut = true;
	host_flush(stream);
}

static void host_abort(struct stream *stream)
{
	((struct host *)stream)->aborted = true;
}

static struct ip_addr addr_of(const struct sockaddr_in6 *sa)
{
	struct ip_addr addr;
	memcpy(addr.b, &sa->sin6_addr, sizeof addr.b);
	return addr;
}

static void host_info(const struct stream *stream, struct stream_info *info)
{
	const struct host *host = (const struct host *)stream;
	struct sockaddr_in6 sa = {0};
	socklen_t bytes = sizeof sa;
	getsockname(host->fd, (struct sockaddr *)&sa, &bytes);
	info->local = addr_of(&sa);
	info->local_port = ntohs(sa.sin6_port);
	bytes = sizeof sa;
	getpeername(host->fd, (struct sockaddr *)&sa, &bytes);
	info->remote = addr_of(&sa);
	info->remote_port = ntohs(sa.sin6_port);
}

static const struct stream_ops host_ops = {
	host_send, host_flush, host_resume, host_shutdown, host_abort, host_info,
};

/* ---- the loop ---- */

static void read_in(struct host *host)
{
	if (host->in_start != host->in_end || host->peer_ended)
		return;
	const ssize_t got = recv(host->fd, host->in, sizeof host->in, MSG_DONTWAIT);
	if (got > 0) {
		host->in_end = (uint32_t)got;
		deliver(host);
	} else if (got == 0) {
		host->peer_ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		host->broken = true;
	}
}

static void tell_room(struct host *host)
{
	if (!host->was_full || host->stream.unsent_bytes > STREAM_UNSENT_BYTES_GOAL / 2)
		return;
	host->was_full = false;
	host->stream.handler->on_room(host->stream.ctx);
}

static void end(struct host *host, enum stream_close reason)
{
	const struct linger linger = {.l_onoff = 1};
	if (reason == STREAM_ABORTED)
		setsockopt(host->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
	close(host->fd);
	while (host->first) {
		struct pkt_buf *buf = host->first;
		host->first = buf->next;
		pkt_buf_put(buf);
	}
	LIST_REMOVE(host, link);
	host->stream.handler->on_closed(host->stream.ctx, reason);
	free(host);
}

/* What follows from the state the host is in.  It may be gone afterwards. */
static void settle(struct host *host)
{
	if (!host->broken && !host->aborted) {
		tell_room(host);
		if (host->peer_ended && !host->told_end && host->in_start == host->in_end) {
			host->told_end = true;
			host->stream.handler->on_end(host->stream.ctx);
		}
		host_flush(&host->stream);
	}
	if (host->aborted)
		end(host, STREAM_ABORTED);
	else if (host->broken)
		end(host, STREAM_RESET);
	else if (host->told_end && host->shut_done)
		end(host, STREAM_CLOSED);
}

static void accept_one(struct host_loop *loop)
{
	const int fd = accept4(loop->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	const int on = 1;
	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	struct host *host = calloc(1, sizeof *host);
	if (!host) {
		close(fd);
		return;
	}
	host->stream.ops = &host_ops;
	host->loop = loop;
	host->fd = fd;
	if (!loop->accept(loop->ctx, &host->stream)) {
		close(fd);
		free(host);
		return;
	}
	struct epoll_event event = {.events = 0, .data.ptr = host};
	epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event);
	LIST_INSERT_HEAD(&loop->hosts, host, link);
	host_flush(&host->stream);
}

unsigned host_loop_poll(struct host_loop *loop, int timeout_ms)
{
	struct epoll_event events[64];
	loop->happened = 0;
	const int count = epoll_wait(loop->epoll, events, 64, timeout_ms);
	for (int i = 0; i < count; i++) {
		struct host *host = events[i].data.ptr;
		if (!host) {
			accept_one(loop);
			continue;
		}
		if (events[i].events & (EPOLLERR | EPOLLHUP) && !(events[i].events & EPOLLIN) && !host->peer_ended)
			host->broken = true;
		read_in(host);
	}
	struct host *host = LIST_FIRST(&loop->hosts);
	while (host) {
		struct host *next = LIST_NEXT(host, link);
		settle(host);
		host = next;
	}
	return loop->happened + (count > 0 ? (unsigned)count : 0);
}

struct host_loop *host_loop_create(bool (*accept)(void *ctx, struct stream *stream), void *ctx)
{
	struct host_loop *loop = calloc(1, sizeof *loop);
	if (!loop)
		return NULL;
	loop->accept = accept;
	loop->ctx = ctx;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	LIST_INIT(&loop->hosts);
	return loop;
}

int host_loop_listen(struct host_loop *loop, uint16_t port)
{
	struct sockaddr_in6 sa = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	const int on = 1, off = 0;
	socklen_t bytes = sizeof sa;
	loop->listener = socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (loop->listener < 0)
		return -errno;
	setsockopt(loop->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	setsockopt(loop->listener, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
	if (bind(loop->listener, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(loop->listener, 1024) < 0)
		return -errno;
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
	epoll_ctl(loop->epoll, EPOLL_CTL_ADD, loop->listener, &event);
	getsockname(loop->listener, (struct sockaddr *)&sa, &bytes);
	return ntohs(sa.sin6_port);
}
