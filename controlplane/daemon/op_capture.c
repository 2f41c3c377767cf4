/* SPDX-License-Identifier: BSD-3-Clause */
/* capture.*: the client's descriptor goes on to the dataplane, which writes to it. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/text.h"
#include "daemon/op_priv.h"
#include "daemon/rpc_tables.h"

static const struct rpc_field start_fields[] = {
	RPC_OPTIONAL("port", &rpc_name, "every port", NULL),
	RPC_OPTIONAL("mac", &rpc_mac_text, "every client", "frames from or to this client"),
	RPC_OPTIONAL("snap_bytes", &rpc_u32, "0", "of each frame; 0: whole frames"),
	RPC_OPTIONAL("count", &rpc_u64, "0", "end after so many frames; 0: no limit"),
	RPC_OPTIONAL("seconds", &rpc_u32, "0", "end after so long; 0: no limit"),
	RPC_END,
};
static const struct rpc_schema start_params = {.type = RPC_OBJECT, .fields = start_fields};
static const struct rpc_field capture_fields[] = {RPC_REQUIRED("capture", &rpc_u32, "its number"), RPC_END};
static const struct rpc_schema capture_object = {.type = RPC_OBJECT, .fields = capture_fields};
static const struct rpc_field progress_fields[] = {
	RPC_REQUIRED("running", &rpc_bool, NULL),
	RPC_REQUIRED("written", &rpc_u64, "frames"),
	RPC_REQUIRED("dropped", &rpc_u64, "frames that could not be written in time"),
	RPC_REQUIRED("detail", &rpc_text, "why it ended"),
	RPC_END,
};
static const struct rpc_schema progress = {.type = RPC_OBJECT, .fields = progress_fields};

struct capture_op {
	struct rpc_call *call;
	json_t *result;
};

/* Who started a capture has left without ending it: it would be written for ever. */
static void end_capture(struct daemon *daemon, uint64_t capture)
{
	struct plane_link *link = plane_usable_link(daemon->plane);
	const struct wherry_ctl_capture_stop stop = {.capture = (uint32_t)capture};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (!link)
		return;
	uint32_t id = plane_link_next_id(link);
	plane_link_request(link, id, packet, wherry_ctl_put_capture_stop(packet, sizeof packet, id, &stop), -1, NULL,
			   NULL, NULL);
}

static void on_item(void *ctx, uint16_t type, const uint8_t *fields, size_t len, int fd)
{
	struct capture_op *op = ctx;
	struct wherry_ctl_capture_started started;
	struct wherry_ctl_capture_item item;

	(void)fd; /* none comes with it */
	json_decref(op->result);
	op->result = NULL;
	if (type == WHERRY_CTL_CAPTURE_STARTED && wherry_ctl_get_capture_started(fields, len, &started) == 0) {
		op->result = json_pack("{sI}", "capture", (json_int_t)started.capture);
		rpc_at_end(op->call, end_capture, started.capture);
	} else if (type == WHERRY_CTL_CAPTURE_ITEM && wherry_ctl_get_capture_item(fields, len, &item) == 0) {
		op->result = json_pack("{sb sI sI so}", "running", item.running, "written", (json_int_t)item.written,
				       "dropped", (json_int_t)item.dropped, "detail", rpc_text_lenient(item.detail));
	}
}

static void on_done(void *ctx, int error, const char *message)
{
	struct capture_op *op = ctx;
	struct fail fail;

	if (!error && op->result) {
		rpc_reply(op->call, op->result);
	} else if (error == ENOTCONN || error == ETIMEDOUT || !error) {
		json_decref(op->result);
		op_refuse_absent(op->call, error ? message : "its answer makes no sense");
	} else {
		json_decref(op->result);
		(void)fail_set(&fail,
			       error == ENOENT  ? FAIL_NOT_FOUND
			       : error == EBUSY ? FAIL_CONFLICT
						: FAIL_FAILED,
			       "capture: %s", message);
		rpc_refuse(op->call, &fail);
	}
	free(op);
}

static int fill_in(struct rpc_call *call, struct wherry_ctl_capture_start *start, struct fail *fail)
{
	const char *port = rpc_param_text(call->params, "port", NULL);
	const char *mac = rpc_param_text(call->params, "mac", NULL);

	start->port = UINT16_MAX;
	start->snap_bytes = (uint32_t)rpc_param_u64(call->params, "snap_bytes", 0);
	start->count = rpc_param_u64(call->params, "count", 0);
	start->seconds = (uint32_t)rpc_param_u64(call->params, "seconds", 0);
	if (mac && text_mac_parse(mac, &start->mac.mac[0]) != 0)
		return fail_set(fail, FAIL_USAGE, "'%.32s' is not a MAC address such as 00:11:22:33:44:55", mac);
	start->mac.count = mac ? 1 : 0;
	if (!port)
		return 0;
	struct port_row *ports = calloc(WHERRY_PORT_COUNT_MAX, sizeof *ports);
	int count = ports ? state_port_list(call->daemon->state, ports, fail) : -1;
	for (int i = 0; i < count; i++)
		if (strcmp(ports[i].name, port) == 0)
			start->port = (uint16_t)i;
	free(ports);
	if (count < 0)
		return fail_set(fail, FAIL_FAILED, "the ports cannot be read");
	return start->port == UINT16_MAX ? fail_set(fail, FAIL_NOT_FOUND, "port '%s' does not exist", port) : 0;
}

/* A regular file or a pipe, open for writing: anything else might block or be somebody's secret. */
static int check_descriptor(int fd, struct fail *fail)
{
	struct stat st;

	if (fd < 0)
		return fail_set(fail, FAIL_USAGE,
				"capture.start needs the descriptor to write to, sent beside the request (SCM_RIGHTS)");
	if (fstat(fd, &st) != 0 || (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)))
		return fail_set(fail, FAIL_USAGE, "capture.start writes to a regular file or a pipe only");
	if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
		return fail_set(fail, FAIL_USAGE, "capture.start: the descriptor is not open for writing");
	return 0;
}

static void run_start(struct rpc_call *call)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct wherry_ctl_capture_start start = {0};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + sizeof start];
	struct capture_op *op = NULL;
	struct fail fail;
	int fd = rpc_take_descriptor(call);

	if (check_descriptor(fd, &fail) != 0 || fill_in(call, &start, &fail) != 0)
		rpc_refuse(call, &fail);
	else if (!link || !(op = calloc(1, sizeof *op)))
		op_refuse_absent(call, NULL);
	if (op) {
		op->call = call;
		uint32_t id = plane_link_next_id(link);
		plane_link_request(link, id, packet, wherry_ctl_put_capture_start(packet, sizeof packet, id, &start),
				   fd, on_item, on_done, op);
	}
	if (fd >= 0)
		close(fd);
}

static void ask(struct rpc_call *call, bool stop)
{
	struct plane_link *link = plane_usable_link(call->daemon->plane);
	struct capture_op *op = link ? calloc(1, sizeof *op) : NULL;
	uint32_t capture = (uint32_t)rpc_param_u64(call->params, "capture", 0);
	const struct wherry_ctl_capture_stop stop_it = {.capture = capture};
	const struct wherry_ctl_capture_get get_it = {.capture = capture};
	uint8_t packet[WHERRY_CTL_HEADER_BYTES + 16];

	if (!op) {
		op_refuse_absent(call, NULL);
		return;
	}
	op->call = call;
	uint32_t id = plane_link_next_id(link);
	size_t len = stop ? wherry_ctl_put_capture_stop(packet, sizeof packet, id, &stop_it)
			  : wherry_ctl_put_capture_get(packet, sizeof packet, id, &get_it);
	plane_link_request(link, id, packet, len, -1, on_item, on_done, op);
}

static void run_stop(struct rpc_call *call)
{
	ask(call, true);
}

static void run_show(struct rpc_call *call)
{
	ask(call, false);
}

const struct rpc_method rpc_table_capture[] = {
	{"capture.start", "Write frames as pcapng to the descriptor that comes along.", &start_params, &capture_object,
	 0, run_start},
	{"capture.stop", "End a capture.", &capture_object, &progress, 0, run_stop},
	{"capture.show", "How a capture is.", &capture_object, &progress, 0, run_show},
	{0},
};
