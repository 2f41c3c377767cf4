/* SPDX-License-Identifier: BSD-3-Clause */
/* What the plane_*.c of the daemon process share. */
#pragma once

#include "daemon/daemon.h"
#include "daemon/plane.h"

struct plane_waiter {
	struct plane_waiter *next;
	struct plane *plane;
	sd_event_source *timer;
	plane_settled_fn *fn;
	void *ctx;
};

/* A whole configuration on its way (plane_sync.c). */
struct plane_sync {
	bool active, again; /* again: the state changed in bulk, begin anew when done */
	bool volumes_done, exports_done, nbd_exports_done, end_sent;
	uint64_t epoch;
	char volume_name[WHERRY_NAME_BYTES_MAX + 1]; /* the last one put */
	int32_t export_key;
	char nbd_name[WHERRY_NAME_BYTES_MAX + 1]; /* the last one put */
	unsigned under_way;
	unsigned refused; /* objects that the dataplane did not take */
	char first_refusal[WHERRY_TEXT_BYTES_MAX + 1];
};

struct plane {
	struct daemon *daemon;
	enum plane_state state;
	struct plane_link *link;
	bool greeted;        /* HELLO was answered */
	bool adopted;        /* it ran before this daemon */
	bool different;      /* it was started with other settings */
	bool stores_asked;   /* opening the stores has begun */
	bool stores_settled; /* the stores have been opened, or given up for now */
	bool opening_again;  /* after the end of a dataplane: it had them */
	bool stopping;       /* asked to end: its end is no failure */
	bool stop_for_good;  /* and is not to be started again */
	void (*stopped)(struct daemon *daemon);
	int32_t pid;
	uint64_t instance;
	bool hugepages;
	char software[WHERRY_NAME_BYTES_MAX + 1];
	char trouble[WHERRY_TEXT_BYTES_MAX + 1]; /* why it does not serve */
	char last_exit[WHERRY_TEXT_BYTES_MAX + 1];
	uint64_t restart_count;
	unsigned quick_failures;   /* in a row, each before it served for a while */
	unsigned link_losses;      /* in a row, of a process that lives */
	uint64_t serving_since_us; /* CLOCK_MONOTONIC */
	uint64_t connect_since_us, connect_deadline_us;
	sd_event_source *connect_timer, *retry_timer, *kill_timer, *lost_source;
	sd_event_source *reopen_timer;
	uint64_t reopen_instance, reopened_us; /* for which instance; when it was done last */
	struct plane_waiter *waiters;
	plane_done_fn *resynced; /* who waits for plane_resync */
	void *resynced_ctx;
	struct plane_sync sync;
	unsigned fetching;                          /* descriptors asked back for, and one for the asking itself */
	char fetch_name[WHERRY_NAME_BYTES_MAX + 1]; /* the last volume asked for */
	bool fetch_asked;                           /* for all */
	bool fetch_failed;                          /* not by a volume, but as a whole */
	uint64_t exit_count;                        /* of dataplanes */
	struct wherry_ctl_hello_reply hello;
	bool hello_came;
};

/* plane.c */
void plane_fail_link(struct plane *plane, const char *why); /* drop the link from a callback of its own */
void plane_is_configured(struct plane *plane);              /* SYNC_END was answered */
void plane_end_resync(struct plane *plane, int error, const char *message);
void plane_stores_fetched(struct plane *plane); /* what an adopted one held is back */
/* plane_adopt.c: fetch the descriptors back, then plane_stores_fetched. */
void plane_fetch_stores(struct plane *plane);
/* plane_adopt.c: it ended: the stores that it had are opened anew for the next one. */
void plane_renew_stores(struct plane *plane);
/* plane_push.c: the end of a push that could not begin.  done may be NULL. */
#define PLANE_NOT_CONNECTED "the dataplane does not run; it gets the change when it does"
void plane_push_end(plane_done_fn *done, void *ctx, int error, const char *message);
/* plane_push.c: the link for one message, with its id; NULL when there is none, and the push has ended. */
struct plane_link *plane_push_begin(struct plane *plane, plane_done_fn *done, void *ctx, uint32_t *id);
/* plane_sync.c */
void plane_sync_start(struct plane *plane);
void plane_sync_reset(struct plane *plane);
/* plane_reopen.c: a port can be opened again, by a new dataplane.  Soon, and at most every ten seconds. */
void plane_reopen_ports(struct plane *plane);
/* plane_requests.c: requests of the dataplane. */
void plane_on_request(void *ctx, const struct wherry_ctl_header *header, const uint8_t *fields);
