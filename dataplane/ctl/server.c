/* SPDX-License-Identifier: BSD-3-Clause */
/* The listening socket, the event loop, and the order in which things begin and end.  Main lcore. */
#include "ctl/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "ctl/capture.h"
#include "ctl/connection.h"
#include "ctl/events.h"
#include "ctl/exports.h"
#include "ctl/job.h"
#include "ctl/nbd.h"
#include "ctl/net.h"
#include "ctl/persist.h"
#include "ctl/routes.h"
#include "ctl/server_priv.h"
#include "ctl/sync.h"
#include "ctl/volumes.h"
#include "ctl/watchdog.h"
#include "lcore/punt.h"
#include "log/log.h"
#include "port/port.h"

#define TICK_US 1000000
#define BACKLOG 16

struct ctl_server ctl_server = {.listen_fd = -1, .stop_fd = -1};

uint64_t ctl_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t ctl_real_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
}

void ctl_server_set_facts(const struct ctl_server_facts *facts)
{
	ctl_server.facts = *facts;
}

/* ----------------------------------------------------------------- events */

int ctl_timer_arm(sd_event_source **source, uint64_t delay_us, sd_event_time_handler_t fn, void *ctx)
{
	uint64_t now_us = ctl_now_ns() / 1000;
	int result;
	if (!*source)
		return sd_event_add_time(ctl_server.event, source, CLOCK_MONOTONIC, now_us + delay_us, 1000, fn, ctx);
	result = sd_event_source_set_time(*source, now_us + delay_us);
	if (result >= 0)
		result = sd_event_source_set_enabled(*source, SD_EVENT_ONESHOT);
	return result;
}

static bool peer_may_connect(int fd)
{
	struct ucred peer;
	socklen_t len = sizeof peer;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return false;
	if (peer.uid == 0 || peer.uid == geteuid())
		return true;
	return ctl_server.facts.owner_set &&
	       (peer.uid == ctl_server.facts.owner_uid || peer.gid == ctl_server.facts.owner_gid);
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t events, void *ctx)
{
	(void)events;
	(void)ctx;
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0) {
		/* It would be readable again at once: wait for the next tick. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
			(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
		return 0;
	}
	if (!peer_may_connect(fd)) {
		LOG_WARN("control socket: a peer with other credentials was turned away");
		close(fd);
		return 0;
	}
	ctl_connection_make_room();
	(void)ctl_connection_create(fd);
	return 0;
}

static int on_main_jobs(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)ctx;
	worker_main_run();
	return 0;
}

static int on_port_fd(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)ctx;
	port_poll();
	return 0;
}

static int on_punt_fd(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)ctx;
	punt_poll();
	return 0;
}

/* After everything else: a flood of frames for the kernel must not keep the control socket waiting. */
static int watch_punt(sd_event *event)
{
	sd_event_source *source;
	int result = sd_event_add_io(event, &source, punt_poll_fd(), EPOLLIN, on_punt_fd, NULL);
	if (result < 0)
		return result;
	(void)sd_event_source_set_priority(source, SD_EVENT_PRIORITY_IDLE);
	result = sd_event_source_set_floating(source, 1);
	(void)sd_event_source_unref(source);
	return result;
}

static void on_port_event(unsigned index, enum port_event event, const char *message, void *ctx)
{
	static const struct {
		enum wherry_severity severity;
		const char *code;
	} codes[] = {
		[PORT_LINK_UP] = {WHERRY_INFO, "port.link_up"},
		[PORT_LINK_DOWN] = {WHERRY_WARNING, "port.link_down"},
		[PORT_REMOVED] = {WHERRY_ERROR, "port.removed"},
		[PORT_RETURNED] = {WHERRY_INFO, WHERRY_CTL_EVENT_PORT_RETURNED},
		[PORT_TROUBLE] = {WHERRY_ERROR, "port.trouble"},
		[PORT_RECOVERED] = {WHERRY_INFO, "port.recovered"},
	};
	(void)ctx;
	ctl_event(codes[event].severity, codes[event].code, index + 1u, "%s", message);
}

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)ctx;
	ctl_server_exit();
	return 0;
}

void ctl_server_tick(uint64_t now_ns)
{
	ctl_connection_tick(now_ns);
	if (ctl_persist_overdue(now_ns) || ctl_event_overdue(now_ns)) {
		LOG_WARN("the control plane did not answer for %u s: its connection is closed",
			 WHERRY_CTL_ANSWER_SECONDS);
		ctl_connection_drop(ctl_connection_controller());
	}
	ctl_watch_tick(now_ns);
	ctl_export_tick(now_ns);
	ctl_nbd_tick(now_ns);
	ctl_volume_tick(now_ns);
	/* Accepting stops when there are no descriptors left for it. */
	(void)sd_event_source_set_enabled(ctl_server.listen_source, SD_EVENT_ON);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)usec;
	(void)ctx;
	ctl_server_tick(ctl_now_ns());
	(void)ctl_timer_arm(&source, TICK_US, NULL, NULL);
	return 0;
}

/* ----------------------------------------------------------------- socket */

/* Remove a socket file that nobody listens on.  0, or -errno. */
static int remove_stale(const struct sockaddr_un *address)
{
	struct stat st;
	if (lstat(address->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	bool dead = connect(fd, (const struct sockaddr *)address, sizeof *address) < 0 && errno == ECONNREFUSED;
	close(fd);
	if (!dead)
		return -EADDRINUSE;
	return unlink(address->sun_path) < 0 ? -errno : 0;
}

static int socket_listen(const char *path, const char **step)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const struct ctl_server_facts *facts = &ctl_server.facts;
	*step = "use it";
	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	int result = remove_stale(&address);
	if (result < 0)
		return result;
	*step = "listen on it";
	ctl_server.listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (ctl_server.listen_fd < 0)
		return -errno;
	/* Nobody but this user between bind and chmod. */
	mode_t mask = umask(0177);
	result = bind(ctl_server.listen_fd, (const struct sockaddr *)&address, sizeof address) < 0 ? -errno : 0;
	umask(mask);
	if (result < 0)
		return result;
	memcpy(ctl_server.path, path, strlen(path) + 1);
	*step = "give it to its owner";
	if (facts->owner_set && chown(path, facts->owner_uid, facts->owner_gid) < 0)
		return -errno;
	if (chmod(path, 0660) < 0)
		return -errno;
	*step = "listen on it";
	return listen(ctl_server.listen_fd, BACKLOG) < 0 ? -errno : 0;
}

/* --------------------------------------------------------------- lifetime */

static int events_open(void)
{
	sd_event *event;
	int result = sd_event_new(&ctl_server.event);
	if (result < 0)
		return result;
	event = ctl_server.event;
	ctl_server.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (ctl_server.stop_fd < 0)
		return -errno;
	if ((result = sd_event_add_io(event, NULL, ctl_server.stop_fd, EPOLLIN, on_stop, NULL)) < 0 ||
	    (result = sd_event_add_io(event, NULL, worker_main_fd(), EPOLLIN, on_main_jobs, NULL)) < 0 ||
	    (result = sd_event_add_io(event, NULL, port_poll_fd(), EPOLLIN, on_port_fd, NULL)) < 0 ||
	    (result = sd_event_add_io(event, &ctl_server.listen_source, ctl_server.listen_fd, EPOLLIN, on_accept,
				      NULL)) < 0)
		return result;
	if (punt_poll_fd() >= 0 && (result = watch_punt(event)) < 0)
		return result;
	return ctl_timer_arm(&ctl_server.tick_source, TICK_US, on_tick, NULL);
}

int ctl_server_open(const char *socket_path, char *error, size_t error_bytes)
{
	const char *step;
	int result = socket_listen(socket_path, &step);
	if (result < 0) {
		snprintf(error, error_bytes, "control socket %s: cannot %s: %s%s", socket_path, step, strerror(-result),
			 result == -EADDRINUSE     ? "; another process serves there: stop it or give another --socket"
			 : result == -EEXIST       ? "; it is not a socket: remove it or give another --socket"
			 : result == -ENAMETOOLONG ? "; give a --socket of at most 107 characters"
						   : "");
		goto fail;
	}
	result = events_open();
	if (result >= 0 && getrandom(&ctl_server.instance, sizeof ctl_server.instance, 0) < 0)
		result = -errno;
	if (result >= 0 && !ctl_persist_open())
		result = -ENOMEM;
	if (result < 0) {
		snprintf(error, error_bytes, "control server: cannot set up its events: %s", strerror(-result));
		goto fail;
	}
	signal(SIGPIPE, SIG_IGN);
	port_add_handler(on_port_event, NULL);
	return 0;
fail:
	ctl_server_close();
	return result;
}

int ctl_server_turn(uint64_t timeout_us)
{
	return sd_event_run(ctl_server.event, timeout_us);
}

int ctl_server_run(void)
{
	int result = sd_event_loop(ctl_server.event);
	/* Nobody reads answers any more: what waits for one must not hold up the end of I/O. */
	ctl_persist_controller_went();
	return result < 0 ? result : 0;
}

void ctl_server_exit(void)
{
	(void)sd_event_exit(ctl_server.event, 0);
}

void ctl_server_stop(void)
{
	uint64_t one = 1;
	int saved = errno;
	ssize_t written = write(ctl_server.stop_fd, &one, sizeof one);
	(void)written;
	errno = saved;
}

void ctl_server_close(void)
{
	if (ctl_server.event) {
		worker_main_run();
		ctl_connection_destroy_all();
		ctl_capture_close();
		ctl_sync_close();
		worker_main_run();
	}
	ctl_drain_close();
	ctl_export_close();
	ctl_nbd_close();
	ctl_volume_close();
	ctl_routes_close();
	ctl_task_abandon_all();
	ctl_net_close();
	ctl_persist_close();
	ctl_event_close();
	ctl_server.tick_source = sd_event_source_disable_unref(ctl_server.tick_source);
	ctl_server.listen_source = sd_event_source_disable_unref(ctl_server.listen_source);
	ctl_server.event = sd_event_unref(ctl_server.event);
	if (ctl_server.listen_fd >= 0)
		close(ctl_server.listen_fd);
	if (ctl_server.stop_fd >= 0)
		close(ctl_server.stop_fd);
	if (ctl_server.path[0])
		(void)unlink(ctl_server.path); /* may be forbidden by now: the next start removes it */
	ctl_server.listen_fd = ctl_server.stop_fd = -1;
	ctl_server.path[0] = '\0';
	ctl_server.gate_open = false;
	ctl_server.epoch = 0;
}
