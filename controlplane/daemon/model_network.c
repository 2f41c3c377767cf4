/* SPDX-License-Identifier: BSD-3-Clause */
/* TCP, and the port that NBD listens on. */
#include "daemon/model_net.h"

#define TIME_MS_MAX 86400000u /* a day */
#define PROBE_COUNT_MAX 100u

const char *const model_congestion_names[] = {"cubic", "dctcp", "reno", NULL};

int model_network_check(const struct network_row *row, struct fail *fail)
{
	if ((unsigned)row->congestion > WHERRY_TCP_RENO)
		return fail_set(fail, FAIL_USAGE, "tcp: congestion control %u does not exist; use cubic, dctcp or reno",
				(unsigned)row->congestion);
	if (row->keepalive_idle_ms > TIME_MS_MAX || row->keepalive_interval_ms > TIME_MS_MAX ||
	    row->user_timeout_ms > TIME_MS_MAX)
		return fail_set(fail, FAIL_USAGE, "tcp: a time of more than %u ms, a day, is too long", TIME_MS_MAX);
	if (row->keepalive_idle_ms &&
	    (row->keepalive_interval_ms == 0 || row->keepalive_count == 0 || row->keepalive_count > PROBE_COUNT_MAX))
		return fail_set(fail, FAIL_USAGE,
				"tcp: keep-alive needs an interval above 0 and 1 to %u probes; keepalive_idle_ms 0"
				" switches it off",
				PROBE_COUNT_MAX);
	return 0;
}

int model_network_set(struct state *state, const struct network_row *row, const char *code, struct fail *fail)
{
	if (model_network_check(row, fail) != 0 || state_network_put(state, row, fail) != 0)
		return -1;
	return model_event(state, fail, WHERRY_INFO, code, "",
			   "NBD on TCP port %u; %s, ECN %s, keep-alive %u ms, user timeout %u ms", row->nbd_tcp_port,
			   model_congestion_names[row->congestion], row->ecn ? "on" : "off", row->keepalive_idle_ms,
			   row->user_timeout_ms);
}
