/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of the workers; see workers.h.  Main lcore. */
#include "lcore/workers.h"

#include <errno.h>
#include <limits.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "lcore/control.h"
#include "lcore/placement.h"
#include "lcore/priv.h"
#include "lcore/spread.h"

#define START_TIMEOUT_MS 5000u
/* Bounce buffers of a worker: the largest AoE transfer, widened to whole 4,096-byte blocks on both sides. */
#define BOUNCE_COUNT 256u
#define BOUNCE_BYTES (20u * 1024u)

static struct worker workers[WHERRY_LCORE_COUNT_MAX];
static unsigned created_count;
static struct aoe_port aoe_ports[WHERRY_PORT_COUNT_MAX]; /* main clears present, a byte, when a port is removed */

unsigned worker_count(void)
{
	return created_count;
}

struct worker *worker_at(unsigned index)
{
	return index < created_count ? &workers[index] : NULL;
}

static void sleep_us(long us)
{
	struct timespec pause = {us / 1000000, us % 1000000 * 1000};
	nanosleep(&pause, NULL);
}

/* ---------------------------------------------------- surroundings of AoE */
static struct pkt *env_alloc(void *worker, uint16_t port_index)
{
	(void)worker;
	return port_pkt_alloc(port_index);
}

static void env_free(void *worker, struct pkt *pkt)
{
	(void)worker;
	port_pkt_free(pkt);
}

static void env_output(void *worker, struct pkt *pkt)
{
	tx_output(worker, pkt);
}

static uint64_t *env_client_stats(void *arg, const uint8_t mac[6], uint16_t port_index, uint16_t vlan, uint64_t now_ns)
{
	struct worker *worker = arg;
	(void)now_ns;
	return client_table_touch(worker->priv->clients, mac, port_index, vlan, worker->now_real_us,
				  &worker->stats[WHERRY_LCORE_clients_evicted])
		->stats;
}

/* --------------------------------------------------------------- creation */
static int create_parts(struct worker *worker, unsigned count, const struct idle_policy *idle)
{
	uint64_t seed[2];
	if (getrandom(seed, sizeof seed, 0) != sizeof seed)
		return -errno;
	worker->priv = rte_zmalloc_socket("worker", sizeof *worker->priv, RTE_CACHE_LINE_SIZE, (int)worker->numa_node);
	if (!worker->priv)
		worker->priv = rte_zmalloc("worker", sizeof *worker->priv, RTE_CACHE_LINE_SIZE);
	if (!worker->priv)
		return -ENOMEM;
	worker->priv->idle.policy = *idle;
	worker->priv->clients = client_table_create(WHERRY_CLIENT_COUNT_MAX, seed);
	worker->engine = backend_engine_create(ENGINE_RING_ENTRIES);
	worker->bounce = vol_bounce_pool_create(BOUNCE_COUNT, BOUNCE_BYTES);
	struct aoe_env env = {
		.ctx = worker,
		.pool = {worker, env_alloc, env_free},
		.output = env_output,
		.persist = worker_persist,
		.client_stats = env_client_stats,
		.ports = aoe_ports,
		.lcore_stats = worker->stats,
		.now_ns = &worker->now_ns,
	};
	worker->aoe = aoe_lcore_create(&env, WORKER_REQUEST_COUNT);
	if (!worker->priv->clients || !worker->engine || !worker->bounce || !worker->aoe)
		return -ENOMEM;
	int rc = handoff_create(worker, count);
	return rc ? rc : stack_create(worker, count);
}

/* The EAL knows a node for each CPU; libnuma knows when the CPUs of an lcore are on several. */
static unsigned node_of_lcore(unsigned lcore_id)
{
	rte_cpuset_t cpus = rte_lcore_cpuset(lcore_id);
	int node = placement_node(&cpus);
	return node >= 0 ? (unsigned)node : rte_lcore_to_socket_id(lcore_id);
}

int workers_create(const struct idle_policy *idle, char *error, size_t error_bytes)
{
	unsigned count = 0;
	for (unsigned lcore_id = rte_get_next_lcore(UINT_MAX, 1, 0); lcore_id < RTE_MAX_LCORE;
	     lcore_id = rte_get_next_lcore(lcore_id, 1, 0)) {
		if (count + 1 == WHERRY_LCORE_COUNT_MAX) {
			snprintf(error, error_bytes, "--lcores names more than %u lcores: name fewer",
				 WHERRY_LCORE_COUNT_MAX);
			return -E2BIG;
		}
		struct worker *worker = &workers[count];
		memset(worker, 0, sizeof *worker);
		worker->index = count++;
		worker->lcore_id = lcore_id;
		worker->numa_node = node_of_lcore(lcore_id);
	}
	if (count == 0) {
		snprintf(error, error_bytes,
			 "--lcores names one lcore, but the main lcore and a worker are needed: name two, e.g. "
			 "\"0@0,1@0\" to let them share CPU 0");
		return -EINVAL;
	}
	created_count = count;
	int rc = main_jobs_open();
	for (unsigned i = 0; rc == 0 && i < count; i++)
		rc = create_parts(&workers[i], count, idle);
	if (rc) {
		snprintf(error, error_bytes, "cannot create %u workers: %s; give more memory with --memory-mb", count,
			 strerror(-rc));
		workers_destroy();
	}
	return rc;
}

uint32_t workers_packets_each(unsigned count)
{
	uint32_t handoff = count > 8 ? HANDOFF_RING_FRAMES_MANY : HANDOFF_RING_FRAMES;
	return WORKER_REQUEST_COUNT + AOE_KEPT_PACKETS(WORKER_CHANGE_COUNT) + TX_LANE_PACKETS + stack_packets_each() +
	       HANDOFF_MAIN_FRAMES + (count > 1 ? handoff : 0);
}

uint32_t workers_memory_mb(unsigned count)
{
	return (uint32_t)((stack_memory_bytes() * count + (1u << 20) - 1) >> 20);
}

void workers_describe(struct port_workers *out)
{
	memset(out, 0, sizeof *out);
	out->count = created_count;
	for (unsigned i = 0; i < created_count; i++)
		out->numa_node[i] = workers[i].numa_node;
	out->packets_each = workers_packets_each(created_count);
}

/* ------------------------------------------------------- ports to workers */
static void rx_assign(struct worker_private *priv, uint8_t port, uint16_t queue)
{
	struct rx_assignment *rx = &priv->rx[priv->rx_count++];
	*rx = (struct rx_assignment){.port_index = port, .queue = queue};
	arrival_init(&rx->arrival, ARRIVAL_QUEUE_FRAMES, 1); /* 0 would say that it does not matter */
}

static void note_several_queues(void)
{
	unsigned queues = 0;
	for (unsigned port = 0; port < port_count(); port++)
		queues += port_rx_queue_count(port);
	for (unsigned i = 0; i < created_count; i++)
		workers[i].priv->several_queues = queues > 1;
}

static void assign_port(unsigned port)
{
	const uint16_t *vlans;
	struct aoe_port *view = &aoe_ports[port];
	memcpy(view->mac, port_mac(port), 6);
	view->mtu = port_mtu(port);
	view->vlan_count = (uint8_t)port_vlans(port, &vlans);
	memcpy(view->vlans, vlans, view->vlan_count * sizeof *vlans);
	view->present = !port_removed(port);
	rx_set_filter(port);
	for (unsigned q = 0; q < port_rx_queue_count(port); q++) {
		struct worker_private *priv = workers[spread_owner(port, q, created_count)].priv;
		if (priv->rx_count < RX_QUEUE_COUNT_MAX)
			rx_assign(priv, (uint8_t)port, (uint16_t)q);
	}
	for (unsigned i = 0; i < created_count; i++) {
		struct tx_lane *lane = &workers[i].priv->tx[port];
		unsigned queues = port_tx_queue_count(port);
		lane->queue = (uint16_t)(queues ? spread_tx_queue(port, i, queues, created_count) : 0);
		lane->owner = (uint8_t)(queues ? spread_owner(port, lane->queue, created_count) : i);
	}
}

/* ----------------------------------------------------- what ports go through */
struct hello {
	struct job job;
	uint16_t port_index;
};

static void hello_run(struct worker *worker, struct job *job)
{
	const struct hello *hello = (const struct hello *)job;
	aoe_advertise_all(worker->aoe);
	net_on_link_up(worker->net, hello->port_index, worker->now_ns);
}

static void hello_finished(struct job *job)
{
	free(job);
}

/* Switches and clients behind a link that has come up have not heard of us, or elsewhere. */
static void say_hello(unsigned port)
{
	for (unsigned i = 0; i < created_count; i++) {
		struct hello *hello = calloc(1, sizeof *hello);
		if (!hello)
			return; /* they ask by themselves within a minute */
		*hello = (struct hello){.job = {.run = hello_run, .finished = hello_finished},
					.port_index = (uint16_t)port};
		worker_post(&workers[i], &hello->job);
	}
}

static void on_port_event(unsigned index, enum port_event event, const char *message, void *ctx)
{
	(void)message;
	(void)ctx;
	if (event == PORT_REMOVED)
		aoe_ports[index].present = false;
	else if (event == PORT_LINK_UP)
		say_hello(index);
}

/* ------------------------------------------------------------------ start */
static bool is_in_phase(const struct worker *worker, enum worker_phase phase)
{
	return atomic_load_explicit(&worker->priv->phase, memory_order_acquire) == (int)phase;
}

static bool any_in_phase(enum worker_phase phase)
{
	for (unsigned i = 0; i < created_count; i++)
		if (is_in_phase(&workers[i], phase))
			return true;
	return false;
}

static int check_started(char *error, size_t error_bytes)
{
	for (unsigned i = 0; i < created_count; i++) {
		if (is_in_phase(&workers[i], WORKER_RUNNING))
			continue;
		snprintf(error, error_bytes, "worker %u (lcore %u) did not start: %s", i, workers[i].lcore_id,
			 is_in_phase(&workers[i], WORKER_FAILED) ? workers[i].priv->error
								 : "its thread got no CPU for 5 s");
		return -EAGAIN;
	}
	return 0;
}

int workers_start(char *error, size_t error_bytes)
{
	for (unsigned port = 0; port < port_count(); port++)
		assign_port(port);
	note_several_queues();
	port_add_handler(on_port_event, NULL);
	for (unsigned i = 0; i < created_count; i++) {
		int rc = rte_eal_remote_launch(worker_run, &workers[i], workers[i].lcore_id);
		if (rc) {
			snprintf(error, error_bytes, "worker %u (lcore %u) cannot be launched: %s", i,
				 workers[i].lcore_id, strerror(-rc));
			return rc;
		}
	}
	for (unsigned us = 0; any_in_phase(WORKER_CREATED) && us < START_TIMEOUT_MS * 1000; us += 50)
		sleep_us(50);
	return check_started(error, error_bytes);
}

/* -------------------------------------------------------------------- end */
struct drain_job {
	struct job job;
	unsigned *unfinished;
	bool reset; /* nothing is under way any more: tell the peers */
	uint32_t requests, waiting;
};

static void drain_run(struct worker *worker, struct job *job)
{
	struct drain_job *drain = (struct drain_job *)job;
	worker->priv->gate_open = false;
	/* A request of AoE may wait for I/O of the engine: counted once. */
	uint32_t frames = aoe_lcore_under_way(worker->aoe), io = backend_engine_under_way(worker->engine);
	drain->requests = (frames > io ? frames : io) + stack_drain(worker);
	if (drain->reset)
		stack_reset(worker);
	drain->waiting = tx_waiting(worker) + handoff_waiting(worker);
}

static void drain_finished(struct job *job)
{
	--*((struct drain_job *)job)->unfinished;
}

/* Ask every worker once.  Returns false, and tells nothing, when one did not answer in time. */
static bool ask_all(bool reset, uint32_t *requests, uint32_t *waiting, uint64_t deadline)
{
	static struct drain_job jobs[WHERRY_LCORE_COUNT_MAX]; /* outlive this call when a worker does not answer */
	static unsigned unfinished;
	if (unfinished)
		return false;
	for (unsigned i = 0; i < created_count; i++) {
		jobs[i] = (struct drain_job){.job = {.run = drain_run, .finished = drain_finished},
					     .unfinished = &unfinished,
					     .reset = reset};
		if (!is_in_phase(&workers[i], WORKER_RUNNING))
			continue;
		unfinished++;
		worker_post(&workers[i], &jobs[i].job);
	}
	while (unfinished && rte_get_tsc_cycles() < deadline) {
		worker_main_run();
		if (unfinished)
			sleep_us(100);
	}
	if (unfinished)
		return false;
	*requests = *waiting = 0;
	for (unsigned i = 0; i < created_count; i++) {
		*requests += jobs[i].requests;
		*waiting += jobs[i].waiting;
	}
	return true;
}

uint32_t workers_drain(unsigned timeout_ms)
{
	uint64_t deadline = rte_get_tsc_cycles() + rte_get_tsc_hz() / 1000 * timeout_ms;
	uint32_t requests = 1, waiting = 1;
	/* Twice nothing: what was between two workers in the first round has arrived by the second. */
	for (unsigned quiet = 0; quiet < 2 && rte_get_tsc_cycles() < deadline;) {
		if (!ask_all(false, &requests, &waiting, deadline))
			break;
		quiet = requests + waiting == 0 ? quiet + 1 : 0;
		if (requests + waiting)
			sleep_us(500);
	}
	if (requests)
		return requests;
	/* Once more after the resets: what they had to pass to the port's worker has left by then. */
	for (unsigned round = 0; round < 3; round++)
		if (!ask_all(round == 0, &requests, &waiting, deadline))
			break;
	return requests;
}

void workers_stop(void)
{
	for (unsigned i = 0; i < created_count; i++)
		atomic_store_explicit(&workers[i].priv->stop, true, memory_order_relaxed);
	for (unsigned i = 0; i < created_count; i++)
		rte_eal_wait_lcore(workers[i].lcore_id);
	main_jobs_own_workers();
	for (unsigned i = 0; i < created_count; i++)
		(void)worker_run_jobs(&workers[i], UINT_MAX);
	for (unsigned i = 0; i < created_count; i++)
		stack_stop(&workers[i]);
	worker_main_run();
}

static void destroy_parts(struct worker *worker)
{
	/* What waits to be sent may refer to buffers of the protocols. */
	tx_drop_all(worker);
	stack_destroy(worker);
	if (worker->aoe)
		aoe_lcore_destroy(worker->aoe);
	if (worker->bounce)
		vol_bounce_pool_destroy(worker->bounce);
	if (worker->engine)
		backend_engine_destroy(worker->engine);
	client_table_destroy(worker->priv->clients);
	handoff_destroy(worker, created_count);
	rte_free(worker->priv);
}

void workers_destroy(void)
{
	for (unsigned i = 0; i < created_count; i++)
		if (workers[i].priv)
			destroy_parts(&workers[i]);
	memset(workers, 0, sizeof workers);
	created_count = 0;
	main_jobs_close();
}
