/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests and replies. */
#include <string.h>

#include "initiator.h"
#include "stack_world.h"
#include "wire/nbd.h"

static const char *const kind_names[] = {"read", "write", "trim", "zero", "flush", "status"};

static _Noreturn void nonsense(const struct initiator_conn *conn, const char *what)
{
	sim_fail(conn->initiator->sim, "host %u: connection %u: %s", conn->initiator->host->index, conn->index, what);
}

/* ---- requests ---- */

static void draw(struct initiator *initiator, struct initiator_io *io)
{
	const struct host_plot *plot = initiator->plot;
	struct rng *rng = &initiator->rng;
	uint8_t *data = io->data;
	*io = (struct initiator_io){.state = IO_QUEUED, .data = data};
	const uint32_t sector_count = initiator->volume->sector_count;
	io->lba = (uint32_t)rng_below(rng, sector_count);
	uint32_t count_max = plot->sectors_max < sector_count - io->lba ? plot->sectors_max : sector_count - io->lba;
	/* Mostly small ones. */
	if (count_max > 8 && rng_chance(rng, 700000))
		count_max = 8;
	io->count = (uint32_t)rng_between(rng, 1, count_max);
	io->kind = rng_below(rng, 100) < plot->read_percent ? IO_READ : IO_WRITE;
	if (rng_chance(rng, plot->trim_ppm))
		io->kind = IO_TRIM;
	if (rng_chance(rng, plot->zero_ppm))
		io->kind = IO_ZERO;
	if (rng_chance(rng, plot->flush_ppm))
		io->kind = IO_FLUSH;
	if (rng_chance(rng, plot->status_ppm))
		io->kind = IO_STATUS;
	io->fua = io->kind >= IO_WRITE && io->kind <= IO_ZERO && rng_chance(rng, plot->fua_ppm);
	io->fast = io->kind == IO_ZERO && rng_chance(rng, 200000);
}

/* What is sent again is a write of its own: the one before may lie somewhere inside the target and happen yet. */
static void tell_oracle(struct initiator *initiator, struct initiator_io *io)
{
	if (io->kind != IO_WRITE && io->kind != IO_TRIM && io->kind != IO_ZERO)
		return;
	io->write = oracle_issue(initiator->volume, io->lba, io->count, io->kind == IO_TRIM);
	io->write->zero = io->kind == IO_ZERO;
}

static void send_io(struct initiator_conn *conn, struct initiator_io *io)
{
	static const uint16_t types[] = {NBD_CMD_READ,         NBD_CMD_WRITE, NBD_CMD_TRIM,
					 NBD_CMD_WRITE_ZEROES, NBD_CMD_FLUSH, NBD_CMD_BLOCK_STATUS};
	struct initiator *initiator = conn->initiator;
	struct nbd_command_header header = {.type = types[io->kind], .cookie = ++initiator->next_cookie};
	uint8_t bytes[NBD_REQUEST_EXT_BYTES + 128 * SECTOR_BYTES];
	io->state = IO_SENT;
	io->conn = conn->index;
	io->cookie = header.cookie;
	io->sent_ns = initiator->sim->now_ns;
	io->got_bytes = 0;
	io->failed = false;
	conn->under_way++;
	tell_oracle(initiator, io);
	if (io->kind != IO_FLUSH) {
		header.offset_bytes = (uint64_t)io->lba * SECTOR_BYTES;
		header.len_bytes = (uint64_t)io->count * SECTOR_BYTES;
	}
	header.flags = (uint16_t)((io->fua ? NBD_CMD_FLAG_FUA : 0) | (io->fast ? NBD_CMD_FLAG_FAST_ZERO : 0));
	if (io->kind == IO_WRITE && conn->extended)
		header.flags |= NBD_CMD_FLAG_PAYLOAD_LEN;
	uint32_t len_bytes = nbd_request_emit(bytes, conn->extended, &header);
	if (io->kind == IO_WRITE) {
		oracle_fill(initiator->volume, io->write, bytes + len_bytes);
		len_bytes += io->count * SECTOR_BYTES;
	}
	sim_tell(initiator->sim, "host %u: connection %u: %s %u+%u as %lu", initiator->host->index, conn->index,
		 kind_names[io->kind], io->lba, io->count, (unsigned long)io->cookie);
	/* In pieces, sometimes: the target must not mind where segments begin. */
	uint32_t at = 0;
	while (at < len_bytes) {
		uint32_t part = len_bytes - at;
		if (rng_chance(&initiator->rng, 100000))
			part = (uint32_t)rng_between(&initiator->rng, 1, part);
		conn_send(conn, bytes + at, part);
		at += part;
	}
}

static struct initiator_conn *pick_conn(struct initiator *initiator, const struct initiator_io *io)
{
	for (unsigned i = 0; i < initiator->plot->conn_count; i++) {
		struct initiator_conn *conn = &initiator->conns[(initiator->turn + i) % initiator->plot->conn_count];
		if (conn->phase != CONN_READY || (io->kind == IO_STATUS && !conn->status))
			continue;
		initiator->turn = conn->index + 1;
		return conn;
	}
	return NULL;
}

void io_pump(struct initiator *initiator)
{
	if (initiator->sim->now_ns < initiator->pause_until_ns)
		return;
	for (unsigned i = 0; i < initiator->plot->depth; i++) {
		struct initiator_io *io = &initiator->ios[i];
		if (io->state == IO_FREE && initiator->ops_left) {
			initiator->ops_left--;
			draw(initiator, io);
		}
		struct initiator_conn *conn = io->state == IO_QUEUED ? pick_conn(initiator, io) : NULL;
		if (conn)
			send_io(conn, io);
	}
}

void io_conn_lost(struct initiator_conn *conn)
{
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		struct initiator_io *io = &conn->initiator->ios[i];
		if (io->state != IO_SENT || io->conn != conn->index)
			continue;
		/* Its write stays possible: it may lie somewhere inside the target. */
		io->state = conn->initiator->plot->gives_up ? IO_FREE : IO_QUEUED;
	}
	conn->under_way = 0;
}

/* ---- replies ---- */

static void on_pump(struct sim *sim, void *ctx, uint64_t arg)
{
	(void)sim;
	(void)arg;
	io_pump(ctx);
}

static void pump_later(struct initiator *initiator)
{
	if (rng_chance(&initiator->rng, 50000) && !initiator->world->calm)
		initiator->pause_until_ns =
			initiator->sim->now_ns + rng_below(&initiator->rng, initiator->plot->think_ns_max);
	const uint64_t now_ns = initiator->sim->now_ns;
	sim_at(initiator->sim, initiator->pause_until_ns > now_ns ? initiator->pause_until_ns : now_ns, on_pump,
	       initiator, 0);
}

static void perhaps_leave(struct initiator_conn *conn)
{
	struct initiator *initiator = conn->initiator;
	if (conn->phase != CONN_READY || !rng_chance(&initiator->rng, initiator->plot->leave_ppm) ||
	    initiator->world->calm)
		return;
	const enum leave_kind kind = (enum leave_kind)rng_below(&initiator->rng, LEAVE_KIND_COUNT);
	sim_trace(initiator->sim, "host %u: connection %u: leaves, %u", initiator->host->index, conn->index, kind);
	switch (kind) {
	case LEAVE_DISCONNECT:
		conn->phase = CONN_LEAVING;
		break;
	case LEAVE_RESET:
		conn_break(conn, true);
		break;
	case LEAVE_FIN:
		conn->phase = CONN_LEFT;
		conn->half_closed = true;
		conn->since_ns = initiator->sim->now_ns;
		conn->pipe->ops->shutdown(conn->pipe);
		break;
	case LEAVE_VANISH:
		stack_world_lose_host(initiator->world, initiator->host->index);
		break;
	case LEAVE_KIND_COUNT:
		break;
	}
}

/* What the volume's oracle learns. */
static void settle(struct initiator *initiator, struct initiator_io *io, bool ok)
{
	struct volume_oracle *volume = initiator->volume;
	if (io->kind == IO_READ && ok) {
		initiator->world->read_count++;
		oracle_read(volume, io->lba, io->count, io->data, io->sent_ns, io->sent_ns);
	} else if (io->kind == IO_FLUSH && ok) {
		oracle_flushed(volume, io->sent_ns);
	} else if (io->write && ok) {
		initiator->world->write_count++;
		oracle_acknowledged(volume, io->write, io->sent_ns);
		if (io->fua)
			oracle_durable(volume, io->write, io->sent_ns);
	} else if (io->write) {
		oracle_failed(volume, io->write);
	}
}

static void finish(struct initiator_conn *conn, struct initiator_io *io, uint32_t error)
{
	struct initiator *initiator = conn->initiator;
	sim_tell(initiator->sim, "host %u: connection %u: %lu answered, error %u", initiator->host->index, conn->index,
		 (unsigned long)io->cookie, error);
	sim_mix(initiator->sim, error + io->cookie);
	if (error == NBD_EINVAL || error == NBD_EPERM || (error == NBD_ENOTSUP && !io->fast))
		nonsense(conn, "a good request was refused");
	if (error)
		initiator->world->error_count++;
	settle(initiator, io, error == 0);
	io->state = IO_FREE;
	io->write = NULL;
	conn->under_way--;
	pump_later(initiator);
	perhaps_leave(conn);
}

static struct initiator_io *find(struct initiator_conn *conn, uint64_t cookie)
{
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		struct initiator_io *io = &conn->initiator->ios[i];
		if (io->state == IO_SENT && io->conn == conn->index && io->cookie == cookie)
			return io;
	}
	sim_fail(conn->initiator->sim, "host %u: connection %u: an answer to %lu, which was not asked",
		 conn->initiator->host->index, conn->index, (unsigned long)cookie);
}

static uint32_t simple_reply(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes)
{
	struct nbd_simple_reply reply;
	if (len_bytes < NBD_SIMPLE_REPLY_BYTES)
		return 0;
	if (nbd_simple_reply_parse(bytes, len_bytes, &reply).result != WIRE_OK)
		nonsense(conn, "a reply is none");
	struct initiator_io *io = find(conn, reply.cookie);
	if (conn->structured && (io->kind == IO_READ || io->kind == IO_STATUS) && reply.error == 0)
		nonsense(conn, "a simple reply where a structured one is due");
	uint32_t total = NBD_SIMPLE_REPLY_BYTES;
	if (io->kind == IO_READ && reply.error == 0) {
		total += io->count * SECTOR_BYTES;
		if (len_bytes < total)
			return 0;
		memcpy(io->data, bytes + NBD_SIMPLE_REPLY_BYTES, io->count * SECTOR_BYTES);
	}
	finish(conn, io, reply.error);
	return total;
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t value = 0;
	for (unsigned i = 0; i < 8; i++)
		value = value << 8 | at[i];
	return value;
}

static uint32_t get32_(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void take_data(struct initiator_conn *conn, struct initiator_io *io, const uint8_t *payload, uint64_t len_bytes,
		      bool hole)
{
	const uint64_t start = (uint64_t)io->lba * SECTOR_BYTES, bytes = (uint64_t)io->count * SECTOR_BYTES;
	if (io->kind != IO_READ || len_bytes < (hole ? 12 : 9))
		nonsense(conn, "data that were not asked for");
	const uint64_t offset = get64(payload), part = hole ? get32_(payload + 8) : len_bytes - 8;
	if (offset < start || part > bytes || offset - start > bytes - part)
		nonsense(conn, "data from outside of what was asked for");
	if (hole)
		memset(io->data + (offset - start), 0, part);
	else
		memcpy(io->data + (offset - start), payload + 8, part);
	io->got_bytes += part;
}

static void take_status(struct initiator_conn *conn, struct initiator_io *io, const uint8_t *payload,
			uint64_t len_bytes, bool extended)
{
	const uint32_t head = extended ? 8 : 4, each = extended ? 16 : 8;
	if (io->kind != IO_STATUS || len_bytes < head + each || (len_bytes - head) % each)
		nonsense(conn, "a block status that cannot be");
	for (uint64_t at = head; at < len_bytes; at += each) {
		if ((extended ? get64(payload + at) : get32_(payload + at)) == 0)
			nonsense(conn, "an empty extent");
	}
	io->got_bytes = 1;
}

static void take_chunk(struct initiator_conn *conn, struct initiator_io *io, const struct nbd_chunk_header *header,
		       const uint8_t *payload)
{
	uint32_t error = 0;
	switch (header->type) {
	case NBD_CHUNK_NONE:
		break;
	case NBD_CHUNK_OFFSET_DATA:
		take_data(conn, io, payload, header->len_bytes, false);
		break;
	case NBD_CHUNK_OFFSET_HOLE:
		take_data(conn, io, payload, header->len_bytes, true);
		break;
	case NBD_CHUNK_BLOCK_STATUS:
	case NBD_CHUNK_BLOCK_STATUS_EXT:
		take_status(conn, io, payload, header->len_bytes, header->type == NBD_CHUNK_BLOCK_STATUS_EXT);
		break;
	case NBD_CHUNK_ERROR:
	case NBD_CHUNK_ERROR_OFFSET:
		if (header->len_bytes < 6)
			nonsense(conn, "an error without a reason");
		error = get32_(payload);
		io->failed = true;
		break;
	default:
		nonsense(conn, "a chunk of an unknown type");
	}
	if (!(header->flags & NBD_CHUNK_FLAG_DONE))
		return;
	if (!io->failed && io->kind == IO_READ && io->got_bytes != (uint64_t)io->count * SECTOR_BYTES)
		nonsense(conn, "a read was answered in part");
	if (!io->failed && io->kind == IO_STATUS && !io->got_bytes)
		nonsense(conn, "a block status without one");
	finish(conn, io, io->failed && !error ? (uint32_t)NBD_EIO : error);
}

uint32_t io_reply(struct initiator_conn *conn, const uint8_t *bytes, uint32_t len_bytes)
{
	struct nbd_chunk_header header;
	const uint32_t head = nbd_chunk_bytes(conn->extended);
	if (len_bytes < 4)
		return 0;
	if (get32_(bytes) == NBD_SIMPLE_REPLY_MAGIC && !conn->extended)
		return simple_reply(conn, bytes, len_bytes);
	if (!conn->structured)
		nonsense(conn, "a structured reply was not agreed upon");
	if (len_bytes < head)
		return 0;
	if (nbd_chunk_parse(bytes, len_bytes, conn->extended, &header).result != WIRE_OK)
		nonsense(conn, "a chunk is none");
	if (header.len_bytes > IN_BYTES_MAX - head)
		nonsense(conn, "a chunk is too long");
	if (len_bytes < head + header.len_bytes)
		return 0;
	take_chunk(conn, find(conn, header.cookie), &header, bytes + head);
	return head + (uint32_t)header.len_bytes;
}
