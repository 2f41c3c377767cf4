/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Supervision: how the dataplane comes to serve, and what happens when it ends.
 * Nothing here sleeps: the path from its death to serving again is spawn,
 * connect as soon as it listens, HELLO, the whole configuration.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "common/sock.h"
#include "daemon/events.h"
#include "daemon/log.h"
#include "daemon/monitor_link.h"
#include "daemon/plane_priv.h"
#include "wherry_build.h"

#define CONNECT_POLL_US 2000u       /* while it may come any moment */
#define CONNECT_POLL_SLOW_US 50000u /* later: huge pages or devices take their time */
#define CONNECT_POLL_SLOW_AFTER_US 2000000u
#define CONNECT_NEW_US 60000000u /* a new process must listen within */
#define CONNECT_OLD_US 5000000u  /* one that runs already */
#define STOP_US 3000000u         /* to end its I/O before it is killed */
#define STEADY_US 200000u        /* an end after so much service is not a quick failure */
#define LINK_LOSSES_MAX 5        /* in a row, then it is killed */

const char *const plane_state_names[] = {"down", "starting", "syncing", "serving", "adopted", NULL};

static void connect_soon(struct plane *plane, uint64_t within_us);

static uint64_t now_us(struct plane *plane)
{
	uint64_t now = 0;

	(void)sd_event_now(plane->daemon->event, CLOCK_MONOTONIC, &now);
	return now;
}

/* (Re)arm a timer of the plane. */
static void arm(struct plane *plane, sd_event_source **timer, uint64_t delay_us, sd_event_time_handler_t handler)
{
	if (*timer) {
		(void)sd_event_source_set_time(*timer, now_us(plane) + delay_us);
		(void)sd_event_source_set_enabled(*timer, SD_EVENT_ONESHOT);
	} else {
		(void)sd_event_add_time(plane->daemon->event, timer, CLOCK_MONOTONIC, now_us(plane) + delay_us, 100,
					handler, plane);
	}
}

static void disarm(sd_event_source *timer)
{
	if (timer)
		(void)sd_event_source_set_enabled(timer, SD_EVENT_OFF);
}

/* ------------------------------------------------------------- waiters */

static void end_wait(struct plane_waiter *waiter, enum plane_settled settled)
{
	struct plane_waiter **at = &waiter->plane->waiters;

	while (*at != waiter)
		at = &(*at)->next;
	*at = waiter->next;
	(void)sd_event_source_disable_unref(waiter->timer);
	waiter->fn(waiter->ctx, settled);
	free(waiter);
}

static void end_waits(struct plane *plane, enum plane_settled settled)
{
	while (plane->waiters)
		end_wait(plane->waiters, settled);
}

static int on_wait_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	end_wait(ctx, PLANE_SETTLED_LATE);
	return 0;
}

void plane_wait_settled(struct plane *plane, uint64_t timeout_us, plane_settled_fn *fn, void *ctx)
{
	struct plane_waiter *waiter = plane->state == PLANE_SERVING ? NULL : calloc(1, sizeof *waiter);

	if (!waiter) {
		fn(ctx, plane->state == PLANE_SERVING ? PLANE_SETTLED_SERVING : PLANE_SETTLED_LATE);
		return;
	}
	*waiter = (struct plane_waiter){.next = plane->waiters, .plane = plane, .fn = fn, .ctx = ctx};
	plane->waiters = waiter;
	(void)sd_event_add_time_relative(plane->daemon->event, &waiter->timer, CLOCK_MONOTONIC, timeout_us, 0,
					 on_wait_time, waiter);
}

/* ------------------------------------------------------------ starting */

static void say_trouble(struct plane *plane, const char *text)
{
	(void)snprintf(plane->trouble, sizeof plane->trouble, "%s", text);
}

void plane_start(struct plane *plane)
{
	struct daemon *daemon = plane->daemon;
	struct monitor_spawn *spawn = calloc(1, sizeof *spawn);
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	struct fail fail = {.text = "out of memory"};

	disarm(plane->retry_timer);
	int count = spawn && ports ? state_port_list(daemon->state, ports, &fail) : -1;
	if (count >= 0 && state_runtime_get(daemon->state, &spawn->runtime, &fail) == 0) {
		for (int i = 0; i < count; i++) {
			struct monitor_port *port = &spawn->ports[i];
			memcpy(port->name, ports[i].name, sizeof port->name);
			memcpy(port->device, ports[i].device, sizeof port->device);
			port->mtu = ports[i].mtu;
			port->vlan_count = ports[i].vlan_count;
			memcpy(port->vlans, ports[i].vlans, sizeof port->vlans);
			port->punt_rate = ports[i].punt ? ports[i].punt_rate : 0;
		}
		spawn->port_count = (uint32_t)count;
		plane->state = PLANE_STARTING;
		monitor_link_spawn(daemon->monitor, spawn);
	} else {
		log_error("the dataplane cannot be started: %s", fail.text);
		say_trouble(plane, fail.text);
	}
	free(spawn);
	free(ports);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	plane_start(ctx);
	return 0;
}

/* At once the first two times, then with growing pauses. */
static void start_again(struct plane *plane)
{
	static const uint32_t delays_ms[] = {0, 0, 100, 500, 2000, 5000, 10000};
	unsigned last = sizeof delays_ms / sizeof delays_ms[0] - 1;
	unsigned at = plane->quick_failures < last ? plane->quick_failures : last;

	plane->quick_failures++;
	plane->state = PLANE_DOWN;
	if (delays_ms[at] == 0)
		plane_start(plane);
	else
		arm(plane, &plane->retry_timer, (uint64_t)delays_ms[at] * 1000, on_retry);
}

void plane_on_spawned(void *ctx, const struct monitor_spawned *spawned)
{
	struct plane *plane = ((struct daemon *)ctx)->plane;

	if (spawned->outcome == MONITOR_NOT_STARTED) {
		say_trouble(plane, spawned->text);
		if (strcmp(plane->last_exit, spawned->text) != 0)
			events_add(plane->daemon, WHERRY_ERROR, "dataplane.not_started", "", "%s", spawned->text);
		memcpy(plane->last_exit, spawned->text, sizeof plane->last_exit);
		/* Whoever waited may have changed the settings and started it already. */
		plane->state = PLANE_DOWN;
		end_waits(plane, PLANE_SETTLED_DIED);
		if (plane->state == PLANE_DOWN)
			start_again(plane);
		/* Not to be waited for: the stores are opened all the same. */
		if (plane->fetching == 0)
			plane_stores_fetched(plane);
		return;
	}
	plane->pid = spawned->pid;
	plane->adopted = spawned->outcome != MONITOR_STARTED;
	plane->different = spawned->outcome == MONITOR_RUNNING_DIFFERENT;
	connect_soon(plane, plane->adopted ? CONNECT_OLD_US : CONNECT_NEW_US);
	if (!plane->adopted && plane->fetching == 0)
		plane_stores_fetched(plane);
}

/* ---------------------------------------------------------- connecting */

static int on_link_lost(sd_event_source *source, void *ctx);

static void drop_link(struct plane *plane)
{
	struct plane_link *link = plane->link;

	plane->link = NULL;
	plane->greeted = false;
	plane_sync_reset(plane);
	plane_link_destroy(link);
	plane_end_resync(plane, ENOTCONN, "the connection to the dataplane ended");
}

/* Its process may still live: try again to connect, or wait for the news of its end. */
static int on_link_lost(sd_event_source *source, void *ctx)
{
	struct plane *plane = ctx;

	(void)source;
	if (!plane->link)
		return 0;
	drop_link(plane);
	if (plane->stopping)
		return 0;
	plane->state = PLANE_STARTING;
	plane->adopted = true; /* when it answers again, it still holds its configuration */
	if (++plane->link_losses > LINK_LOSSES_MAX)
		monitor_link_kill(plane->daemon->monitor, SIGKILL);
	else
		connect_soon(plane, CONNECT_OLD_US);
	return 0;
}

void plane_fail_link(struct plane *plane, const char *why)
{
	if (!plane->stopping)
		log_info("connection to the dataplane lost: %s", why);
	if (!plane->lost_source) {
		(void)sd_event_add_defer(plane->daemon->event, &plane->lost_source, on_link_lost, plane);
		(void)sd_event_source_set_priority(plane->lost_source, -15);
	}
	(void)sd_event_source_set_enabled(plane->lost_source, SD_EVENT_ONESHOT);
}

static int on_kill_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct plane *plane = ctx;

	(void)source;
	(void)usec;
	log_warning("the dataplane did not end in time; it is killed");
	monitor_link_kill(plane->daemon->monitor, SIGKILL);
	return 0;
}

/* It cannot be ours.  One that ran before is replaced; one that we have just started would come back the same. */
static void kill_foreign(struct plane *plane, const char *why)
{
	if (plane->adopted)
		events_add(plane->daemon, WHERRY_WARNING, "dataplane.replaced", "",
			   "the dataplane that runs is replaced: %s", why);
	else
		log_error("the dataplane is of no use: %s", why);
	plane->stopping = plane->adopted;
	monitor_link_kill(plane->daemon->monitor, SIGTERM);
	arm(plane, &plane->kill_timer, STOP_US, on_kill_time);
}

static void on_link_closed(void *ctx, int error, const char *why)
{
	struct plane *plane = ctx;

	if (error == EPROTONOSUPPORT && !plane->stopping)
		kill_foreign(plane, why);
	else
		plane_fail_link(plane, why);
}

static void on_hello_reply(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct plane *plane = ctx;

	(void)fd; /* none comes with it */
	plane->hello_came =
		type == WHERRY_CTL_HELLO_REPLY && wherry_ctl_get_hello_reply(fields, len, &plane->hello) == 0;
}

/* Stores are fetched back from one that holds a configuration of ours; another's is not trusted with our ids. */
static void on_hello_done(void *ctx, int error, const char *message)
{
	struct plane *plane = ctx;
	const struct wherry_ctl_hello_reply *hello = &plane->hello;

	if (error == ENOTCONN)
		return;
	if (error == EPROTONOSUPPORT || (!error && hello->version != WHERRY_CTL_VERSION)) {
		kill_foreign(plane, "it speaks another version of the control protocol");
		return;
	}
	if (error || !plane->hello_came) {
		plane_fail_link(plane, error ? message : "HELLO was answered with something else");
		return;
	}
	if (hello->epoch != 0 && !state_epoch_is_ours(plane->daemon->state, hello->epoch)) {
		kill_foreign(plane, "it was configured from another state");
		return;
	}
	plane->greeted = true;
	plane->instance = hello->instance;
	plane->pid = (int32_t)hello->pid;
	plane->hugepages = hello->hugepages;
	memcpy(plane->software, hello->software, sizeof plane->software);
	if (strcmp(hello->software, "wherry-dataplane " WHERRY_VERSION) != 0)
		log_warning("the dataplane is '%s', wherryd is %s", hello->software, WHERRY_VERSION);
	if (plane->adopted && !plane->stores_asked && plane->fetching == 0)
		plane_fetch_stores(plane);
	else if (plane->stores_settled)
		plane_stores_settled(plane);
}

static void greet(struct plane *plane)
{
	const struct wherry_ctl_hello hello = {
		.version = WHERRY_CTL_VERSION, .software = "wherryd " WHERRY_VERSION, .role = WHERRY_ROLE_CONTROLLER};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof hello];
	uint32_t id = plane_link_next_id(plane->link);

	plane->hello_came = false;
	plane_link_request(plane->link, id, packet, wherry_ctl_put_hello(packet, sizeof packet, id, &hello), -1,
			   on_hello_reply, on_hello_done, plane);
}

static int on_connect_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	const struct plane_link_callbacks callbacks = {ctx, plane_on_request, on_link_closed};
	struct plane *plane = ctx;

	(void)source;
	if (plane->link || plane->state != PLANE_STARTING)
		return 0;
	int sock = sock_connect(plane->daemon->options->plane_path, SOCK_SEQPACKET | SOCK_NONBLOCK);
	if (sock >= 0) {
		plane->link = plane_link_create(plane->daemon->event, sock, &callbacks);
		if (plane->link)
			greet(plane);
		return 0;
	}
	if (sock != -ENOENT && sock != -ECONNREFUSED && sock != -EAGAIN) {
		(void)snprintf(plane->trouble, sizeof plane->trouble, "%.400s cannot be connected to: %s",
			       plane->daemon->options->plane_path, strerror(-sock));
	}
	if (usec >= plane->connect_deadline_us) {
		say_trouble(plane, "the dataplane runs but does not listen; it is killed");
		log_error("%s", plane->trouble);
		monitor_link_kill(plane->daemon->monitor, SIGKILL);
		return 0;
	}
	bool slow = usec > plane->connect_since_us + CONNECT_POLL_SLOW_AFTER_US;
	arm(plane, &plane->connect_timer, slow ? CONNECT_POLL_SLOW_US : CONNECT_POLL_US, on_connect_time);
	return 0;
}

static void connect_soon(struct plane *plane, uint64_t within_us)
{
	plane->connect_since_us = now_us(plane);
	plane->connect_deadline_us = plane->connect_since_us + within_us;
	arm(plane, &plane->connect_timer, 0, on_connect_time);
}

/* --------------------------------------------------------- configuring */

static void all_opened(struct daemon *daemon)
{
	plane_stores_settled(daemon->plane);
}

/* What the dataplane held is back; the others are opened. */
void plane_stores_fetched(struct plane *plane)
{
	if (plane->stores_asked)
		return;
	plane->stores_asked = true;
	backing_open_all(plane->daemon, all_opened);
}

void plane_stores_settled(struct plane *plane)
{
	bool first = !plane->stores_settled;

	plane->stores_settled = true;
	if (first)
		daemon_started(plane->daemon);
	if (!plane->link || !plane->greeted || plane->stopping || plane->opening_again)
		return;
	if (plane->different) {
		log_info("the dataplane was started with other settings: starting it anew");
		plane_restart(plane);
		return;
	}
	plane_sync_start(plane);
}

void plane_is_configured(struct plane *plane)
{
	bool news = plane->state != PLANE_SERVING;

	plane->state = PLANE_SERVING;
	plane->trouble[0] = '\0';
	plane->link_losses = 0;
	if (!news)
		return;
	plane->serving_since_us = now_us(plane);
	events_add(plane->daemon, WHERRY_INFO, plane->adopted ? "dataplane.adopted" : "dataplane.serving", "",
		   "%s, process %d%s", plane->software, (int)plane->pid,
		   plane->adopted ? ", went on serving meanwhile" : "");
	end_waits(plane, PLANE_SETTLED_SERVING);
}

void plane_end_resync(struct plane *plane, int error, const char *message)
{
	plane_done_fn *done = plane->resynced;

	plane->resynced = NULL;
	if (done)
		done(plane->resynced_ctx, error, message);
}

void plane_resync(struct plane *plane, plane_done_fn *done, void *ctx)
{
	plane->resynced = done;
	plane->resynced_ctx = ctx;
	if (plane_usable_link(plane))
		plane_sync_start(plane);
	else
		plane_end_resync(plane, ENOTCONN, "the dataplane does not run; it gets the change when it does");
}

/* ------------------------------------------------------------ stopping */

static void ask_to_stop(struct plane *plane)
{
	const struct wherry_ctl_shutdown shutdown;
	uint8_t packet[WHERRY_CTL_HEADER_BYTES];

	plane->stopping = true;
	if (plane->link && plane->greeted) {
		uint32_t id = plane_link_next_id(plane->link);
		plane_link_request(plane->link, id, packet,
				   wherry_ctl_put_shutdown(packet, sizeof packet, id, &shutdown), -1, NULL, NULL, NULL);
	} else {
		monitor_link_kill(plane->daemon->monitor, SIGTERM);
	}
	arm(plane, &plane->kill_timer, STOP_US, on_kill_time);
}

void plane_restart(struct plane *plane)
{
	plane->quick_failures = 0;
	if (plane->pid == 0)
		plane_start(plane);
	else if (!plane->stopping)
		ask_to_stop(plane);
	/* One that is already ending is started again with the settings of then. */
	if (plane->state == PLANE_SERVING)
		plane->state = PLANE_STARTING;
}

void plane_stop(struct plane *plane, void (*stopped)(struct daemon *daemon))
{
	plane->stop_for_good = true;
	plane->stopped = stopped;
	disarm(plane->retry_timer);
	disarm(plane->connect_timer);
	if (plane->pid == 0) {
		stopped(plane->daemon);
		return;
	}
	if (!plane->stopping)
		ask_to_stop(plane);
}

static void describe_end(const struct monitor_exited *exited, char *text, size_t cap)
{
	const char *words = exited->text[0] ? ": " : "";
	int status = exited->wait_status;

	if (!exited->status_known)
		(void)snprintf(text, cap, "ended, unknown how because an earlier wherryd had started it%s%.400s", words,
			       exited->text);
	else if (WIFSIGNALED(status))
		(void)snprintf(text, cap, "killed by signal %d (%s)%s%.400s", WTERMSIG(status),
			       strsignal(WTERMSIG(status)), words, exited->text);
	else
		(void)snprintf(text, cap, "exited with status %d%s%.400s", WEXITSTATUS(status), words, exited->text);
}

/* It ended by itself or was killed. */
static void died(struct plane *plane, const struct monitor_exited *exited)
{
	bool steady = plane->serving_since_us && now_us(plane) - plane->serving_since_us >= STEADY_US;

	describe_end(exited, plane->last_exit, sizeof plane->last_exit);
	say_trouble(plane, plane->last_exit);
	plane->restart_count++;
	if (steady)
		plane->quick_failures = 0;
	plane->serving_since_us = 0;
	plane->adopted = false;
	plane->state = PLANE_DOWN;
	end_waits(plane, PLANE_SETTLED_DIED);
	if (plane->state == PLANE_DOWN)
		start_again(plane);
	/* Told after the new one is on its way: the disk takes its time. */
	events_add(plane->daemon, WHERRY_ERROR, "dataplane.died", "", "process %d %s", (int)exited->pid,
		   plane->last_exit);
}

void plane_on_exited(void *ctx, const struct monitor_exited *exited)
{
	struct plane *plane = ((struct daemon *)ctx)->plane;
	bool planned = plane->stopping;

	disarm(plane->kill_timer);
	disarm(plane->connect_timer);
	drop_link(plane);
	plane->stopping = false;
	plane->different = false;
	plane->link_losses = 0;
	plane->pid = 0;
	if (plane->stop_for_good) {
		plane->state = PLANE_DOWN;
		plane->stopped(plane->daemon);
	} else if (planned) {
		plane->adopted = false;
		plane_start(plane);
	} else {
		died(plane, exited);
	}
	plane_renew_stores(plane);
	/* It took descriptors along that were to be fetched: what is left of them is opened. */
	if (!plane->stores_settled && !plane->stop_for_good && plane->fetching == 0 &&
	    plane->daemon->opening_count == 0)
		plane_stores_fetched(plane);
}

/* -------------------------------------------------------------- queries */

struct plane_link *plane_usable_link(struct plane *plane)
{
	bool usable = (plane->state == PLANE_SERVING || plane->state == PLANE_SYNCING) && !plane->stopping;

	return usable ? plane->link : NULL;
}

bool plane_is_serving(const struct plane *plane)
{
	return plane->state == PLANE_SERVING;
}

bool plane_is_adopted(const struct plane *plane)
{
	return plane->adopted;
}

const char *plane_trouble(const struct plane *plane)
{
	return plane->trouble;
}

json_t *plane_status_json(const struct plane *plane)
{
	const char *state = plane_state_names[plane->state];

	if (plane->state == PLANE_SERVING && plane->adopted)
		state = "adopted";
	return json_pack("{ss so so so sI so sb so}", "state", state, "pid",
			 plane->pid ? json_integer(plane->pid) : json_null(), "instance",
			 plane->greeted ? json_sprintf("%016llx", (unsigned long long)plane->instance) : json_null(),
			 "software", plane->greeted ? rpc_text_lenient(plane->software) : json_null(), "restarts",
			 (json_int_t)plane->restart_count, "last_exit",
			 plane->last_exit[0] ? rpc_text_lenient(plane->last_exit) : json_null(), "hugepages",
			 plane->hugepages, "detail", rpc_text_lenient(plane->trouble));
}

struct plane *plane_create(struct daemon *daemon)
{
	struct plane *plane = calloc(1, sizeof *plane);

	if (plane)
		plane->daemon = daemon;
	return plane;
}

void plane_destroy(struct plane *plane)
{
	if (!plane)
		return;
	plane->stopping = true;
	drop_link(plane);
	end_waits(plane, PLANE_SETTLED_DIED);
	(void)sd_event_source_disable_unref(plane->connect_timer);
	(void)sd_event_source_disable_unref(plane->retry_timer);
	(void)sd_event_source_disable_unref(plane->kill_timer);
	(void)sd_event_source_disable_unref(plane->lost_source);
	(void)sd_event_source_disable_unref(plane->reopen_timer);
	free(plane);
}
