/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Running what main has posted.
 *
 * A new configuration is thousands of jobs at once.  A turn runs a few of them
 * and goes on to its frames; the rest stays with the worker, in order, and is
 * taken up before anything newer.
 */
#include "lcore/priv.h"

unsigned worker_run_jobs(struct worker *worker, unsigned max)
{
	struct worker_private *priv = worker->priv;
	unsigned count = 0;
	while (count < max) {
		if (!priv->jobs)
			priv->jobs = job_list_take(&priv->inbox);
		struct job *job = priv->jobs;
		if (!job)
			break;
		priv->jobs = job->next;
		job->run(worker, job);
		worker_post_main(worker, job);
		count++;
	}
	worker->stats[WHERRY_LCORE_inbox_messages] += count;
	return count;
}
