/* SPDX-License-Identifier: BSD-3-Clause */
/* See runner.h. */
#include "runner.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOB_MAX 64u
#define REPORT_SECONDS 5
#define HANG_SECONDS 120

struct job {
	pid_t pid;
	uint64_t seed; /* at work */
	uint64_t done_count;
	time_t since;       /* parent: when it began that seed */
	uint64_t seen_seed; /* parent */
};

struct totals {
	uint64_t done_count, failed_count, virtual_ms, event_count, hash;
	uint64_t counts[RUN_COUNT_MAX];
};

/* Shared by parent and children. */
struct board {
	struct job jobs[JOB_MAX];
	struct totals totals;
};

struct options {
	struct run_options run;
	uint64_t first, last;
	unsigned job_count;
	bool must_fail, twice, single;
};

static struct board *board;

static const struct runner *runner;

static void add(uint64_t *to, uint64_t value)
{
	__atomic_fetch_add(to, value, __ATOMIC_RELAXED);
}

static const char *plant_name(enum plant plant)
{
	unsigned i = 0;
	while (runner->plants[i].plant != plant)
		i++;
	return runner->plants[i].name;
}

static void tell_failure(const struct options *options, uint64_t seed, const char *what)
{
	printf("seed %lu FAILED: %s\n  replay: %s --seed %lu --verbose", (unsigned long)seed, what, runner->name,
	       (unsigned long)seed);
	if (options->run.op_count)
		printf(" --ops %u", options->run.op_count);
	if (options->run.plant)
		printf(" --plant %s", plant_name(options->run.plant));
	printf("\n");
	fflush(stdout);
	add(&board->totals.failed_count, 1);
}

static void count_run(const struct run_result *result)
{
	struct totals *totals = &board->totals;
	add(&totals->virtual_ms, result->virtual_ns / MS);
	add(&totals->event_count, result->event_count);
	for (unsigned i = 0; i < RUN_COUNT_MAX; i++)
		add(&totals->counts[i], result->counts[i]);
	add(&totals->hash, result->trace_hash);
}

/* Returns whether it failed. */
static bool run_seed(const struct options *options, uint64_t seed)
{
	struct run_options run = options->run;
	struct run_result result, again;
	run.seed = seed;
	runner->run(&run, &result);
	count_run(&result);
	if (result.failed) {
		tell_failure(options, seed, result.failure);
		return true;
	}
	if (options->twice) {
		runner->run(&run, &again);
		if (again.trace_hash != result.trace_hash || again.event_count != result.event_count) {
			tell_failure(options, seed, "a second run went otherwise");
			return true;
		}
	}
	return false;
}

static void child(const struct options *options, unsigned index)
{
	struct job *job = &board->jobs[index];
	for (uint64_t seed = options->first + index; seed <= options->last; seed += options->job_count) {
		__atomic_store_n(&job->seed, seed, __ATOMIC_RELAXED);
		const bool failed = run_seed(options, seed);
		add(&board->totals.done_count, 1);
		add(&job->done_count, 1);
		/* What a failed run leaves behind is of no interest: no exit handlers. */
		if (failed && options->must_fail)
			_exit(0);
	}
	fflush(stdout);
	_exit(0);
}

static void start_job(const struct options *options, unsigned index)
{
	fflush(stdout);
	board->jobs[index].since = time(NULL);
	const pid_t pid = fork();
	if (pid < 0) {
		perror("sim: fork");
		exit(2);
	}
	if (pid == 0)
		child(options, index);
	board->jobs[index].pid = pid;
}

static void stop_hung_jobs(const struct options *options)
{
	for (unsigned i = 0; i < options->job_count; i++) {
		struct job *job = &board->jobs[i];
		const uint64_t seed = __atomic_load_n(&job->seed, __ATOMIC_RELAXED);
		if (!job->pid)
			continue;
		if (seed != job->seen_seed) {
			job->seen_seed = seed;
			job->since = time(NULL);
		} else if (time(NULL) - job->since > HANG_SECONDS) {
			printf("seed %lu hangs\n", (unsigned long)seed);
			kill(job->pid, SIGABRT);
		}
	}
}

static void report(const struct options *options, const char *prefix)
{
	const struct totals *totals = &board->totals;
	printf("%s%lu of %lu seeds, %lu failed; %lu s virtual", prefix, (unsigned long)totals->done_count,
	       (unsigned long)(options->last - options->first + 1), (unsigned long)totals->failed_count,
	       (unsigned long)(totals->virtual_ms / 1000));
	for (unsigned i = 0; i < RUN_COUNT_MAX && runner->count_names[i]; i++)
		printf(", %lu %s", (unsigned long)totals->counts[i], runner->count_names[i]);
	printf(", %.1f M events\n", (double)totals->event_count / 1e6);
	fflush(stdout);
}

/* A child ended: with its seeds, or in the middle of one. */
static bool on_child_end(const struct options *options, pid_t pid, int status)
{
	for (unsigned i = 0; i < options->job_count; i++) {
		struct job *job = &board->jobs[i];
		char what[64];
		if (job->pid != pid)
			continue;
		job->pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			return true;
		if (WIFSIGNALED(status))
			snprintf(what, sizeof what, "ended by signal %d", WTERMSIG(status));
		else
			snprintf(what, sizeof what, "ended with status %d", WEXITSTATUS(status));
		tell_failure(options, job->seed, what);
		return true;
	}
	return false;
}

static void run_jobs(const struct options *options)
{
	unsigned running = options->job_count;
	time_t reported = time(NULL);
	for (unsigned i = 0; i < options->job_count; i++)
		start_job(options, i);
	while (running) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);
		if (pid > 0 && on_child_end(options, pid, status)) {
			running--;
			continue;
		}
		usleep(20000);
		stop_hung_jobs(options);
		if (time(NULL) - reported >= REPORT_SECONDS) {
			reported = time(NULL);
			report(options, "... ");
		}
	}
}

static bool parse_number(const char *text, char end, const char **rest, uint64_t *value)
{
	char *at;
	if (*text < '0' || *text > '9')
		return false;
	*value = strtoull(text, &at, 10);
	*rest = at + 1;
	return *at == end;
}

static bool parse_plant(const char *text, enum plant *plant)
{
	for (unsigned i = 0; runner->plants[i].name; i++) {
		if (strcmp(text, runner->plants[i].name) == 0) {
			*plant = runner->plants[i].plant;
			return true;
		}
	}
	return false;
}

static bool parse_option(int option, struct options *options)
{
	const char *rest;
	uint64_t value;
	switch (option) {
	case 's':
		return parse_number(optarg, '-', &rest, &options->first) &&
		       parse_number(rest, '\0', &rest, &options->last) && options->first <= options->last;
	case 'n':
		options->single = true;
		return parse_number(optarg, '\0', &rest, &options->first) &&
		       parse_number(optarg, '\0', &rest, &options->last);
	case 'v':
		options->run.verbose = true;
		return true;
	case 'o':
		if (!parse_number(optarg, '\0', &rest, &value) || value == 0 || value > 1000000)
			return false;
		options->run.op_count = (unsigned)value;
		return true;
	case 'j':
		if (!parse_number(optarg, '\0', &rest, &value) || value == 0)
			return false;
		options->job_count = value < JOB_MAX ? (unsigned)value : JOB_MAX;
		return true;
	case 'p':
		return parse_plant(optarg, &options->run.plant);
	case 'm':
		options->must_fail = true;
		return true;
	case 't':
		options->twice = true;
		return true;
	default:
		return false;
	}
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: %s --seeds A-B [--ops N] [--jobs N] [--twice] [--plant BUG [--must-fail]]\n"
		"       %s --seed N [--verbose] [--ops N] [--plant BUG]\n"
		"\n"
		"%s\n"
		"\n"
		"  --seeds A-B    run each of them\n"
		"  --seed N       run one; with --verbose, tell everything that happens\n"
		"  --ops N        requests per client, instead of what the seed says\n"
		"  --jobs N       processes to use (default: one a processor)\n"
		"  --twice        run each seed twice and compare what happened\n"
		"  --must-fail    exit 0 when a broken promise was found, 1 when none was\n"
		"  --plant BUG    break the code:\n",
		runner->name, runner->name, runner->about);
	for (unsigned i = 0; runner->plants[i].name; i++)
		fprintf(to, "                   %-20s %s\n", runner->plants[i].name, runner->plants[i].about);
}

static bool parse(int argc, char **argv, struct options *options)
{
	static const struct option names[] = {
		{"seeds", required_argument, NULL, 's'}, {"seed", required_argument, NULL, 'n'},
		{"verbose", no_argument, NULL, 'v'},     {"ops", required_argument, NULL, 'o'},
		{"jobs", required_argument, NULL, 'j'},  {"plant", required_argument, NULL, 'p'},
		{"must-fail", no_argument, NULL, 'm'},   {"twice", no_argument, NULL, 't'},
		{"help", no_argument, NULL, 'h'},        {NULL, 0, NULL, 0},
	};
	int option;
	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == 'h') {
			usage(stdout);
			exit(0);
		}
		if (!parse_option(option, options))
			return false;
	}
	return optind == argc && options->last != 0;
}

int runner_main(const struct runner *program, int argc, char **argv)
{
	struct options options = {0};
	runner = program;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	options.job_count = processors < 1 ? 1 : processors > (long)JOB_MAX ? JOB_MAX : (unsigned)processors;
	if (!parse(argc, argv, &options)) {
		usage(stderr);
		return 2;
	}
	board = mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (board == MAP_FAILED) {
		perror("sim: mmap");
		return 2;
	}
	if (options.single) {
		const bool failed = run_seed(&options, options.first);
		printf("trace %016lx\n", (unsigned long)board->totals.hash);
		fflush(stdout);
		_exit(failed != options.must_fail);
	}
	run_jobs(&options);
	report(&options, "");
	printf("trace %016lx\n", (unsigned long)board->totals.hash);
	return (board->totals.failed_count != 0) != options.must_fail;
}
