/* SPDX-License-Identifier: BSD-3-Clause */
/* Beginning, the tick, and leaving. */
#include "initiator.h"

#include <string.h>

#include "stack_world.h"
#include "wire/nbd.h"

#define TICK_NS (100 * MS)
#define HANDSHAKE_NS (200 * SEC)

static bool is_used_up(const struct initiator *initiator)
{
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		if (initiator->ios[i].state != IO_FREE)
			return false;
	}
	return initiator->ops_left == 0;
}

static void say_goodbye(struct initiator_conn *conn)
{
	uint8_t bytes[NBD_REQUEST_EXT_BYTES];
	const struct nbd_command_header header = {.type = NBD_CMD_DISC};
	conn_send(conn, bytes, nbd_request_emit(bytes, conn->extended, &header));
	conn->phase = CONN_LEFT;
	conn->since_ns = conn->initiator->sim->now_ns;
	conn->pipe->ops->shutdown(conn->pipe);
}

static void check_patience(struct initiator *initiator)
{
	const uint64_t now_ns = initiator->sim->now_ns;
	for (unsigned i = 0; i < initiator->plot->conn_count; i++) {
		struct initiator_conn *conn = &initiator->conns[i];
		const bool shaking = conn->phase >= CONN_CONNECTING && conn->phase <= CONN_OPTIONS;
		/* Even one that waits for ever has an operator. */
		if ((shaking || conn->phase == CONN_LEFT) && now_ns - conn->since_ns > HANDSHAKE_NS)
			conn_break(conn, true);
	}
	for (unsigned i = 0; i < DEPTH_MAX; i++) {
		const struct initiator_io *io = &initiator->ios[i];
		if (io->state != IO_SENT || initiator->plot->patience_ns == NEVER ||
		    now_ns - io->sent_ns < initiator->plot->patience_ns)
			continue;
		sim_trace(initiator->sim, "host %u: connection %u: no answer to %lu", initiator->host->index, io->conn,
			  (unsigned long)io->cookie);
		conn_break(&initiator->conns[io->conn], true);
	}
}

static void on_tick(struct sim *sim, void *ctx, uint64_t arg)
{
	struct initiator *initiator = ctx;
	(void)arg;
	if (initiator->finished)
		return;
	check_patience(initiator);
	bool all_idle = true;
	const bool over = is_used_up(initiator);
	for (unsigned i = 0; i < initiator->plot->conn_count; i++) {
		struct initiator_conn *conn = &initiator->conns[i];
		if (conn->phase == CONN_IDLE && !over && sim->now_ns >= conn->retry_ns)
			conn_open(conn);
		else if ((conn->phase == CONN_LEAVING || (conn->phase == CONN_READY && over)) && !conn->under_way)
			say_goodbye(conn);
		else if (over && conn->phase > CONN_IDLE && conn->phase < CONN_READY)
			conn_break(conn, true);
		all_idle &= conn->phase == CONN_IDLE;
	}
	io_pump(initiator);
	if (over && all_idle) {
		initiator->finished = true;
		sim_trace(sim, "host %u: finished", initiator->host->index);
		return;
	}
	sim_in(sim, TICK_NS, on_tick, initiator, 0);
}

void initiator_host_lost(struct initiator *initiator)
{
	for (unsigned i = 0; i < initiator->plot->conn_count; i++)
		conn_break(&initiator->conns[i], false);
}

void initiator_create(struct initiator *initiator, struct stack_world *world, unsigned index)
{
	struct sim *sim = &world->sim;
	const struct host_plot *plot = &world->plot.hosts[index];
	*initiator = (struct initiator){.world = world,
					.sim = sim,
					.host = world->hosts[index],
					.plot = plot,
					.volume = &world->volumes[plot->volume],
					.rng = sim_rng(sim, "initiator", index),
					.ops_left = plot->op_count};
	for (unsigned i = 0; i < plot->conn_count; i++) {
		struct initiator_conn *conn = &initiator->conns[i];
		conn->initiator = initiator;
		conn->index = i;
		conn->in = sim_alloc(sim, IN_BYTES_MAX);
		conn->retry_ns = rng_below(&initiator->rng, 500) * MS;
	}
	for (unsigned i = 0; i < plot->depth; i++)
		initiator->ios[i].data = sim_alloc(sim, plot->sectors_max * SECTOR_BYTES);
	sim_in(sim, rng_below(&initiator->rng, TICK_NS), on_tick, initiator, 0);
}
