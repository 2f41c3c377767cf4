/* SPDX-License-Identifier: BSD-3-Clause */
/* A daemon that answers what the test wants. */
#include "fake.h"

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/sock.h"

/* Whether the connection goes on. */
static bool answer_one(FILE *to, const char *request, const char *answer)
{
	const char *id = strstr(request, "\"id\":");
	if (!answer)
		return false;
	const char *mark = strstr(answer, "ID");
	if (mark && id)
		(void)fprintf(to, "%.*s%ld%s", (int)(mark - answer), answer, strtol(id + 5, NULL, 10), mark + 2);
	else
		(void)fputs(answer, to);
	return fflush(to) == 0;
}

static void serve(int fd, const char *const *answers, size_t count)
{
	FILE *from = fdopen(fd, "r"), *to = fdopen(dup(fd), "w");
	char *line = NULL;
	size_t capacity = 0, n = 0;
	while (from && to && getline(&line, &capacity, from) > 0) {
		if (!answer_one(to, line, answers[n < count ? n : count - 1]))
			break;
		n++;
	}
	free(line);
	if (from)
		(void)fclose(from);
	if (to)
		(void)fclose(to);
}

void fake_start(struct fake *fake, const char *const *answers, size_t count)
{
	(void)snprintf(fake->dir, sizeof(fake->dir), "/tmp/wherry-fake.XXXXXX");
	if (!mkdtemp(fake->dir))
		abort();
	(void)snprintf(fake->path, sizeof(fake->path), "%s/s", fake->dir);
	fake->listen_fd = sock_listen(fake->path, SOCK_STREAM, 0600);
	if (fake->listen_fd < 0)
		abort();
	fake->pid = fork();
	if (fake->pid)
		return;
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept(fake->listen_fd, NULL, NULL);
		if (fd >= 0)
			serve(fd, answers, count);
	}
}

void fake_start_one(struct fake *fake, const char *answer)
{
	fake_start(fake, &answer, 1);
}

void fake_stop(struct fake *fake)
{
	(void)kill(fake->pid, SIGKILL);
	(void)waitpid(fake->pid, NULL, 0);
	close(fake->listen_fd);
	(void)unlink(fake->path);
	(void)rmdir(fake->dir);
}
