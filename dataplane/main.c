/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wherry-dataplane: wiring, and the order of start and end.
 *
 *   arguments, EAL, workers, ports, control socket, loops, privileges, service,
 *   gate closed and I/O finished, loops ended, volumes and exports destroyed,
 *   workers destroyed, ports closed, buffers counted.
 *
 * Each step that fails undoes the ones before it, in the other direction.
 */
#include <errno.h>
#include <inttypes.h>
#include <rte_eal.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "ctl/server.h"
#include "lcore/cpus.h"
#include "lcore/eal.h"
#include "lcore/punt.h"
#include "lcore/workers.h"
#include "log/log.h"
#include "port/drvlog.h"
#include "port/plan.h"
#include "port/port.h"
#include "privileges.h"
#include "wherry_build.h"

enum exit_status { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2, STATUS_LEAK = 3 };

#define DRAIN_TIMEOUT_MS 5000u

static char error_text[2 * WHERRY_TEXT_BYTES_MAX];

/* ------------------------------------------------------------------ phases */
static uint64_t phase_start_us;

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void phase_done(const char *name)
{
	uint64_t now = now_us();
	LOG_DEBUG("%s: %" PRIu64 " us", name, now - phase_start_us);
	phase_start_us = now;
}

/* --------------------------------------------------------------- callbacks */
static void on_signal(int number)
{
	(void)number;
	ctl_server_stop();
}

static void on_port_event(unsigned index, enum port_event event, const char *message, void *ctx)
{
	(void)index;
	(void)ctx;
	if (event == PORT_LINK_UP || event == PORT_RETURNED || event == PORT_RECOVERED)
		LOG_INFO("%s", message);
	else
		LOG_WARN("%s", message);
}

/* ------------------------------------------------------------------- start */
static uint32_t needed_memory_mb(const struct args *args, unsigned workers_planned)
{
	struct port_device devices[WHERRY_PORT_COUNT_MAX];
	struct port_plan plans[WHERRY_PORT_COUNT_MAX];
	for (unsigned i = 0; i < args->port_count; i++) {
		/* The device was parsed before; an MTU that is not possible is refused with its reason when the port is
		 * opened. */
		int rc = port_device_parse(args->ports[i].device, &devices[i], error_text, sizeof error_text);
		if (rc || port_plan(&devices[i], args->ports[i].mtu, &plans[i], error_text, sizeof error_text))
			memset(&plans[i], 0, sizeof plans[i]);
	}
	return port_plan_memory_mb(devices, plans, args->port_count, workers_planned,
				   workers_packets_each(workers_planned)) +
	       workers_memory_mb(workers_planned);
}

static int start_eal(const struct args *args)
{
	static char lcores[ARGS_LCORES_BYTES_MAX + 1];
	cpu_set_t cpus;
	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof cpus, &cpus);
	if (args->lcores[0])
		memcpy(lcores, args->lcores, sizeof lcores);
	else
		cpus_default_lcores(&cpus, lcores, sizeof lcores);
	unsigned lcores_named = eal_count_lcores(lcores);
	struct eal_config config = {
		.lcores = lcores,
		.main_lcore = args->main_lcore,
		.no_huge = args->no_huge,
		.memory_mb = args->memory_mb,
		.extra_count = args->eal_count,
		.pid = (int)getpid(),
	};
	if (!config.memory_mb)
		config.memory_mb = needed_memory_mb(args, lcores_named > 1 ? lcores_named - 1 : 1);
	for (unsigned i = 0; i < args->port_count; i++)
		if (strncmp(args->ports[i].device, "pci:", 4) == 0)
			config.pci[config.pci_count++] = args->ports[i].device + 4;
	memcpy(config.extra, args->eal, sizeof config.extra);
	uint64_t free_mb = eal_free_huge_mb();
	if (!config.no_huge && free_mb < config.memory_mb) {
		LOG_WARN("%" PRIu64 " MiB of hugepages are free, %u MiB are needed: going on without hugepages, slower",
			 free_mb, config.memory_mb);
		config.no_huge = true;
	}
	LOG_INFO("lcores %s, %u MiB of packet memory %s hugepages", lcores, config.memory_mb,
		 config.no_huge ? "without" : "in");
	return eal_start(&config, error_text, sizeof error_text);
}

static void log_ports(void)
{
	for (unsigned i = 0; i < port_count(); i++) {
		struct wherry_ctl_port_item item;
		port_item(i, &item);
		const uint8_t *mac = item.mac.mac[0].b;
		if (port_removed(i)) {
			LOG_ERROR("port %s (%s) is %s", item.name, item.device, item.detail);
			continue;
		}
		LOG_INFO(
			"port %s: %s by %s, %02x:%02x:%02x:%02x:%02x:%02x, MTU %u, link %s, %u receive and %u transmit "
			"queues",
			item.name, item.device, item.driver, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], item.mtu,
			item.link_up ? "up" : "down", item.rx_queues, item.tx_queues);
		if (item.punt_interface[0])
			LOG_INFO("port %s: the kernel has %s beside it, at most %u frames/s", item.name,
				 item.punt_interface, item.punt_rate);
		if (item.detail[0])
			LOG_WARN("port %s: %s", item.name, item.detail);
	}
}

static int open_ports(const struct args *args)
{
	struct port_workers workers;
	workers_describe(&workers);
	int rc = port_open_all(args->ports, args->port_count, &workers, error_text, sizeof error_text);
	if (rc == 0) {
		port_add_handler(on_port_event, NULL);
		log_ports();
	}
	return rc;
}

static int open_control(const struct args *args)
{
	int rc = punt_open();
	if (rc) {
		snprintf(error_text, sizeof error_text, "cannot set up the way to the kernel: %s", strerror(-rc));
		return rc;
	}
	ctl_server_set_facts(&(struct ctl_server_facts){
		.hugepages = rte_eal_has_hugepages() != 0,
		.owner_set = args->has_user,
		.owner_uid = args->uid,
		.owner_gid = args->gid,
	});
	return ctl_server_open(args->socket, error_text, sizeof error_text);
}

static int drop_privileges(const struct args *args)
{
	if (!args->has_user) {
		if (geteuid() == 0)
			LOG_WARN("running as root: give --user UID:GID");
		return 0;
	}
	return privileges_drop(args->uid, args->gid, port_close_needs_net_admin(), error_text, sizeof error_text);
}

static void install_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

/* -------------------------------------------------------------------- runs */
/* Everything is there: serve until told to stop. */
static enum exit_status serve(const struct args *args)
{
	if (workers_start(error_text, sizeof error_text))
		return STATUS_FAILED;
	install_signals();
	phase_done("workers");
	if (drop_privileges(args))
		return STATUS_FAILED;
	LOG_INFO("wherry-dataplane " WHERRY_VERSION " ready at %s", args->socket);
	int rc = ctl_server_run();
	if (rc == 0)
		return STATUS_OK;
	snprintf(error_text, sizeof error_text, "the control server ended by itself: %s", strerror(-rc));
	return STATUS_FAILED;
}

/* What the kernel still does into our buffers forbids to take anything apart: only the end of the process is safe. */
_Noreturn static void give_up(uint32_t unfinished)
{
	LOG_ERROR("%u requests were still under way %u ms after the stop: ending without them", unfinished,
		  DRAIN_TIMEOUT_MS);
	_exit(STATUS_FAILED);
}

static enum exit_status run_ports(const struct args *args)
{
	if (open_ports(args))
		return STATUS_FAILED;
	phase_done("ports");
	if (open_control(args))
		return STATUS_FAILED;
	phase_done("control socket");
	enum exit_status status = serve(args);
	phase_start_us = now_us();
	uint32_t unfinished = workers_drain(DRAIN_TIMEOUT_MS);
	if (unfinished)
		give_up(unfinished);
	phase_done("finishing I/O");
	workers_stop();
	port_let_go();
	ctl_server_close();
	phase_done("ending loops");
	return status;
}

static enum exit_status close_all(enum exit_status status)
{
	char leaks[WHERRY_TEXT_BYTES_MAX + 1] = "";
	privileges_raise_net_admin();
	punt_close();
	/* Before the ports: what workers still hold goes back to the pools. */
	workers_destroy();
	drvlog_set_quiet(true);
	if (port_close_all(leaks, sizeof leaks)) {
		LOG_ERROR("packet buffers were lost: %s", leaks);
		status = status == STATUS_OK ? STATUS_LEAK : status;
	}
	phase_done("closing");
	return status;
}

static enum exit_status run(const struct args *args)
{
	phase_start_us = now_us();
	if (privileges_prepare())
		LOG_WARN("cannot raise the limits on locked memory and open files: %s", strerror(errno));
	if (start_eal(args))
		return STATUS_FAILED;
	phase_done("EAL");
	if (workers_create(&args->idle, error_text, sizeof error_text))
		return STATUS_FAILED;
	return close_all(run_ports(args));
}

int main(int argc, char **argv)
{
	static struct args args;
	if (args_parse(argc, argv, &args, error_text, sizeof error_text)) {
		LOG_ERROR("%s", error_text);
		return STATUS_USAGE;
	}
	if (args.want_help) {
		args_print_help(stdout);
		return STATUS_OK;
	}
	if (args.want_version) {
		puts("wherry-dataplane " WHERRY_VERSION);
		return STATUS_OK;
	}
	log_set_level(args.log_level);
	if (drvlog_open()) {
		LOG_ERROR("out of memory");
		return STATUS_FAILED;
	}
	enum exit_status status = run(&args);
	if (status == STATUS_FAILED)
		LOG_ERROR("%s", error_text);
	return (int)status;
}
