/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a packet means: header, role, descriptor and fields are checked here, once,
 * then the handler gets a typed struct.  Every request ends in one of ctl_reply_*.
 * Main lcore.
 */
#include <stdlib.h>
#include <unistd.h>

#include "ctl/capture.h"
#include "ctl/connection.h"
#include "ctl/events.h"
#include "ctl/exports.h"
#include "ctl/lists.h"
#include "ctl/nbd.h"
#include "ctl/net.h"
#include "ctl/persist.h"
#include "ctl/server_priv.h"
#include "ctl/sync.h"
#include "ctl/volumes.h"
#include "log/log.h"
#include "wherry_build.h"

/* ------------------------------------------------------- small handlers */

struct idle_put {
	struct ctl_task task;
	struct ctl_broadcast broadcast;
	struct ctl_reply reply;
	struct wherry_ctl_idle_put m;
};

static void idle_free(struct ctl_task *task)
{
	free(CTL_CONTAINER_OF(task, struct idle_put, task));
}

static void idle_run(struct worker *worker, struct ctl_broadcast *broadcast)
{
	const struct wherry_ctl_idle_put *m = &CTL_CONTAINER_OF(broadcast, struct idle_put, broadcast)->m;
	worker_set_idle(worker, m->spin_turns, m->pause_turns, m->sleep_us);
}

static void idle_done(struct ctl_broadcast *broadcast)
{
	struct idle_put *idle = CTL_CONTAINER_OF(broadcast, struct idle_put, broadcast);
	ctl_reply_ok(idle->reply);
	ctl_task_forget(&idle->task);
	idle_free(&idle->task);
}

static void on_idle_put(struct ctl_request *request, const struct wherry_ctl_idle_put *m)
{
	struct idle_put *idle = calloc(1, sizeof *idle);
	if (!idle) {
		ctl_reply_error(request->reply, ENOMEM, "IDLE_PUT: no memory");
		return;
	}
	idle->reply = request->reply;
	idle->m = *m;
	idle->broadcast.run = idle_run;
	idle->broadcast.done = idle_done;
	ctl_task_register(&idle->task, idle_free);
	ctl_broadcast_start(&idle->broadcast);
}

static void on_shutdown(struct ctl_request *request, const struct wherry_ctl_shutdown *m)
{
	(void)m;
	LOG_INFO("shutting down: the control plane asks for it");
	ctl_reply_ok(request->reply);
	ctl_server_exit();
}

static void on_hello_again(struct ctl_request *request, const struct wherry_ctl_hello *m)
{
	(void)m;
	ctl_reply_error(request->reply, EALREADY, "HELLO came twice on this connection");
}

/* ---------------------------------------------------------------- table */

enum request_right { FOR_CONTROLLER, FOR_ANYONE };
enum request_descriptor { WITHOUT_FD, MAYBE_FD, WITH_FD };

/* REQUEST(NAME, name, handler, right, descriptor) */
/* clang-format off */
#define CTL_REQUESTS(REQUEST) \
	REQUEST(HELLO, hello, on_hello_again, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(SYNC_BEGIN, sync_begin, ctl_on_sync_begin, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(SYNC_END, sync_end, ctl_on_sync_end, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(VOLUME_PUT, volume_put, ctl_on_volume_put, FOR_CONTROLLER, MAYBE_FD) \
	REQUEST(VOLUME_DELETE, volume_delete, ctl_on_volume_delete, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(VOLUME_FD_GET, volume_fd_get, ctl_on_volume_fd_get, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(VOLUME_LIST, volume_list, ctl_on_volume_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(VOLUME_ONLINE, volume_online, ctl_on_volume_online, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(FAULT_PUT, fault_put, ctl_on_fault_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(AOE_EXPORT_PUT, aoe_export_put, ctl_on_aoe_export_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(AOE_EXPORT_DELETE, aoe_export_delete, ctl_on_aoe_export_delete, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(AOE_STATE_PUT, aoe_state_put, ctl_on_aoe_state_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(STATS_GET, stats_get, ctl_on_stats_get, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(CLIENT_LIST, client_list, ctl_on_client_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(PORT_LIST, port_list, ctl_on_port_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(LCORE_LIST, lcore_list, ctl_on_lcore_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(IDLE_PUT, idle_put, on_idle_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(CAPTURE_START, capture_start, ctl_on_capture_start, FOR_CONTROLLER, WITH_FD) \
	REQUEST(CAPTURE_STOP, capture_stop, ctl_on_capture_stop, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(CAPTURE_GET, capture_get, ctl_on_capture_get, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(NET_PUT, net_put, ctl_on_net_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(TCP_PUT, tcp_put, ctl_on_tcp_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(NEIGHBOUR_LIST, neighbour_list, ctl_on_neighbour_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(CONNECTION_LIST, connection_list, ctl_on_connection_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(NBD_PUT, nbd_put, ctl_on_nbd_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(NBD_EXPORT_PUT, nbd_export_put, ctl_on_nbd_export_put, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(NBD_EXPORT_DELETE, nbd_export_delete, ctl_on_nbd_export_delete, FOR_CONTROLLER, WITHOUT_FD) \
	REQUEST(NBD_SESSION_LIST, nbd_session_list, ctl_on_nbd_session_list, FOR_ANYONE, WITHOUT_FD) \
	REQUEST(SHUTDOWN, shutdown, on_shutdown, FOR_CONTROLLER, WITHOUT_FD)

#define HANDLE(NAME, name, handler, right_, descriptor_) \
static bool handle_##name(struct ctl_request *request, const uint8_t *fields, size_t len) \
{ \
	struct wherry_ctl_##name m; \
	if (wherry_ctl_get_##name(fields, len, &m) < 0) \
		return false; \
	handler(request, &m); \
	return true; \
}
CTL_REQUESTS(HANDLE)
#undef HANDLE

static const struct request_type {
	uint16_t type;
	uint8_t right, descriptor;
	/* False when the fields are malformed, and the request is unanswered. */
	bool (*handle)(struct ctl_request *request, const uint8_t *fields, size_t len);
} request_types[] = {
#define ENTRY(NAME, name, handler, right_, descriptor_) {WHERRY_CTL_##NAME, right_, descriptor_, handle_##name},
	CTL_REQUESTS(ENTRY)
#undef ENTRY
};
/* clang-format on */

static const struct request_type *find_type(uint16_t type)
{
	for (size_t i = 0; i < sizeof request_types / sizeof request_types[0]; i++)
		if (request_types[i].type == type)
			return &request_types[i];
	return NULL;
}

/* What forbids the request before its fields are looked at.  0, or an errno with the sentence's second half. */
static int refusal(const struct request_type *type, const struct ctl_request *request, uint32_t request_id,
		   const char **why)
{
	if (request_id & WHERRY_CTL_FROM_DATAPLANE) {
		*why = "the top bit of a request's id is the dataplane's";
		return EINVAL;
	}
	if (type->right == FOR_CONTROLLER && ctl_connection_state(request->connection) != CTL_CONNECTION_CONTROLLER) {
		*why = "only the controller may do this: say HELLO with that role";
		return EPERM;
	}
	if (type->descriptor == WITHOUT_FD && request->fd >= 0) {
		*why = "a descriptor came with it that it does not take";
		return EINVAL;
	}
	if (type->descriptor == WITH_FD && request->fd < 0) {
		*why = "its descriptor did not come with it";
		return EBADF;
	}
	return 0;
}

static void dispatch_request(struct ctl_request *request, const struct wherry_ctl_header *h, const uint8_t *fields)
{
	const struct request_type *type = find_type(h->type);
	const char *name = wherry_ctl_type_name(h->type), *why = NULL;
	if (!type) {
		ctl_reply_error(request->reply, EOPNOTSUPP, "message type %u is not a request of this version",
				h->type);
		return;
	}
	int error = refusal(type, request, h->request_id, &why);
	if (error)
		ctl_reply_error(request->reply, error, "%s: %s", name, why);
	else if (!type->handle(request, fields, h->length))
		ctl_reply_error(request->reply, EBADMSG, "%s: its fields are short, too long or out of bounds", name);
}

/* ---------------------------------------------------------------- HELLO */

static void dispatch_hello(struct ctl_request *request, const struct wherry_ctl_header *h, const uint8_t *fields)
{
	struct ctl_connection *c = request->connection;
	struct wherry_ctl_hello m;
	if (h->type != WHERRY_CTL_HELLO || wherry_ctl_get_hello(fields, h->length, &m) < 0) {
		ctl_reply_error(request->reply, EPROTO, "the first message is HELLO");
		ctl_connection_close(c);
		return;
	}
	if (m.version != WHERRY_CTL_VERSION) {
		ctl_reply_error(request->reply, EPROTONOSUPPORT,
				"control protocol version %u is spoken here, not %u: install matching packages",
				WHERRY_CTL_VERSION, m.version);
		ctl_connection_close(c);
		return;
	}
	if (m.role != WHERRY_ROLE_CONTROLLER && m.role != WHERRY_ROLE_OBSERVER) {
		ctl_reply_error(request->reply, EINVAL, "HELLO: role %u does not exist", m.role);
		ctl_connection_close(c);
		return;
	}
	struct ctl_connection *before = ctl_connection_controller();
	if (m.role == WHERRY_ROLE_CONTROLLER && before) {
		LOG_INFO("%s takes over from an older controller connection", m.software);
		ctl_connection_drop(before);
	}
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof(struct wherry_ctl_hello_reply)];
	const struct wherry_ctl_hello_reply reply = {
		.version = WHERRY_CTL_VERSION,
		.software = "wherry-dataplane " WHERRY_VERSION,
		.instance = ctl_server.instance,
		.pid = (uint32_t)getpid(),
		.gate_open = ctl_server.gate_open,
		.epoch = ctl_server.epoch,
		.hugepages = ctl_server.facts.hugepages,
	};
	ctl_connection_greet(c, m.role == WHERRY_ROLE_CONTROLLER ? CTL_CONNECTION_CONTROLLER : CTL_CONNECTION_OBSERVER);
	ctl_reply_packet(request->reply, packet,
			 wherry_ctl_put_hello_reply(packet, sizeof packet, request->reply.request_id, &reply), -1);
	if (ctl_connection_controller() == c) {
		ctl_persist_controller_came();
		ctl_event_controller_came();
	}
}

void ctl_controller_lost(void)
{
	ctl_persist_controller_went();
	ctl_event_controller_went();
	ctl_capture_controller_went();
	ctl_sync_abort();
}

/* --------------------------------------------------- answers to our own */

/* Answers are never answered: what cannot be matched is ignored. */
static void dispatch_answer(const struct ctl_connection *c, const struct wherry_ctl_header *h, const uint8_t *fields)
{
	struct wherry_ctl_error error;
	struct wherry_ctl_aoe_persisted persisted;
	if (ctl_connection_state(c) != CTL_CONNECTION_CONTROLLER)
		return;
	if (h->request_id & CTL_EVENT_ID) {
		(void)ctl_event_answered(h->request_id);
		return;
	}
	if (h->type == WHERRY_CTL_AOE_PERSISTED && wherry_ctl_get_aoe_persisted(fields, h->length, &persisted) == 0)
		ctl_on_aoe_persisted(h->request_id, &persisted);
	else if (h->type == WHERRY_CTL_ERROR && wherry_ctl_get_error(fields, h->length, &error) == 0)
		ctl_on_persist_error(h->request_id, error.error);
	else
		ctl_on_persist_error(h->request_id, EPROTO);
}

static bool is_answer(uint16_t type)
{
	return type == WHERRY_CTL_OK || type == WHERRY_CTL_ERROR || type == WHERRY_CTL_AOE_PERSISTED;
}

/* ------------------------------------------------------------------ all */

void ctl_dispatch(struct ctl_connection *c, const uint8_t *packet, size_t len, bool truncated, int fd, int fd_error)
{
	struct wherry_ctl_header h;
	int result = wherry_ctl_get_header(packet, len, &h);
	bool is_new = ctl_connection_state(c) == CTL_CONNECTION_NEW;
	if (is_answer(h.type) && result == 0 && !is_new) {
		dispatch_answer(c, &h, packet + WHERRY_CTL_HEADER_BYTES);
		if (fd >= 0)
			close(fd);
		return;
	}
	bool has_magic = len >= WHERRY_CTL_HEADER_BYTES && h.magic == WHERRY_CTL_MAGIC;
	struct ctl_request request = {c, ctl_connection_request(c, has_magic ? h.request_id : 0), fd};
	if (!has_magic) {
		ctl_reply_error(request.reply, EBADMSG, "this is not a message of the control protocol");
		ctl_connection_close(c);
	} else if (result == -EPROTONOSUPPORT) {
		ctl_reply_error(request.reply, EPROTONOSUPPORT,
				"control protocol version %u is spoken here, not %u: install matching packages",
				WHERRY_CTL_VERSION, h.version);
		ctl_connection_close(c);
	} else if (truncated || result < 0) {
		ctl_reply_error(request.reply, truncated ? EMSGSIZE : EBADMSG, "message type %u: %s", h.type,
				truncated ? "larger than a message may be" : "its length is not what the packet holds");
		if (is_new)
			ctl_connection_close(c);
	} else if (fd_error) {
		ctl_reply_error(request.reply, fd_error, "message type %u: %s", h.type,
				fd_error == EMFILE ? "its descriptor was lost: too many files are open here"
						   : "more than one descriptor came with it");
	} else if (is_new) {
		dispatch_hello(&request, &h, packet + WHERRY_CTL_HEADER_BYTES);
	} else {
		dispatch_request(&request, &h, packet + WHERRY_CTL_HEADER_BYTES);
	}
	if (request.fd >= 0)
		close(request.fd);
}
