/* SPDX-License-Identifier: BSD-3-Clause */
/* The main lcore's end of the job lists, for the files of lcore/ only. */
#pragma once

/* The descriptor that wakes the main lcore.  0 or -errno. */
int main_jobs_open(void);
void main_jobs_close(void);
/* The workers' threads have ended: from now on a job posted to a worker runs at once, on the main lcore. */
void main_jobs_own_workers(void);
