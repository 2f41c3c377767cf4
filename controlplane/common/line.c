/* SPDX-License-Identifier: BSD-3-Clause */
#include "common/line.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* Make room for more bytes behind start + len. */
static int reserve(char **buf, size_t *start, size_t len, size_t *cap, size_t more)
{
	if (*start + len + more <= *cap)
		return 0;
	if (*start > 0) {
		memmove(*buf, *buf + *start, len);
		*start = 0;
		if (len + more <= *cap)
			return 0;
	}
	size_t want = *cap ? *cap : 4096;
	while (want < len + more)
		want *= 2;
	char *bigger = realloc(*buf, want);
	if (!bigger)
		return -ENOMEM;
	*buf = bigger;
	*cap = want;
	return 0;
}

void line_reader_init(struct line_reader *reader, size_t max)
{
	*reader = (struct line_reader){.max = max};
}

void line_reader_fini(struct line_reader *reader)
{
	free(reader->buf);
	*reader = (struct line_reader){.max = reader->max};
}

int line_reader_feed(struct line_reader *reader, const void *bytes, size_t len)
{
	int rc = reserve(&reader->buf, &reader->start, reader->len, &reader->cap, len);

	if (rc || len == 0)
		return rc;
	memcpy(reader->buf + reader->start + reader->len, bytes, len);
	reader->len += len;
	return 0;
}

/* Forget the first n unread bytes. */
static void consume(struct line_reader *reader, size_t n)
{
	reader->start += n;
	reader->len -= n;
	reader->scanned = 0;
	if (reader->len == 0)
		reader->start = 0;
}

enum line_status line_reader_next(struct line_reader *reader, char **line, size_t *len)
{
	for (;;) {
		if (reader->len == reader->scanned)
			break;
		char *first = reader->buf + reader->start;
		char *newline = memchr(first + reader->scanned, '\n', reader->len - reader->scanned);
		if (!newline) {
			reader->scanned = reader->len;
			break;
		}
		size_t n = (size_t)(newline - first);
		bool skipped = reader->skipping;
		reader->skipping = false;
		consume(reader, n + 1);
		if (skipped)
			continue;
		if (n > reader->max)
			return LINE_TOO_LONG;
		if (n > 0 && first[n - 1] == '\r')
			n--;
		first[n] = '\0';
		*line = first;
		*len = n;
		return LINE_READY;
	}
	if (reader->skipping) {
		consume(reader, reader->len);
		return LINE_NONE;
	}
	if (reader->len > reader->max) {
		consume(reader, reader->len);
		reader->skipping = true;
		return LINE_TOO_LONG;
	}
	return LINE_NONE;
}

void line_writer_init(struct line_writer *writer, size_t max)
{
	*writer = (struct line_writer){.max = max};
}

void line_writer_fini(struct line_writer *writer)
{
	free(writer->buf);
	*writer = (struct line_writer){.max = writer->max};
}

int line_writer_put(struct line_writer *writer, const char *text, size_t len)
{
	if (len >= writer->max || writer->len > writer->max - len - 1)
		return -ENOBUFS;
	int rc = reserve(&writer->buf, &writer->start, writer->len, &writer->cap, len + 1);
	if (rc)
		return rc;
	char *end = writer->buf + writer->start + writer->len;
	memcpy(end, text, len);
	end[len] = '\n';
	writer->len += len + 1;
	return 0;
}

int line_writer_flush(struct line_writer *writer, int fd)
{
	while (writer->len > 0) {
		ssize_t sent = send(fd, writer->buf + writer->start, writer->len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0)
			return errno == EWOULDBLOCK ? -EAGAIN : -errno;
		writer->start += (size_t)sent;
		writer->len -= (size_t)sent;
	}
	writer->start = 0;
	if (writer->cap > (1u << 20)) { /* a rare large answer does not keep its memory */
		free(writer->buf);
		writer->buf = NULL;
		writer->cap = 0;
	}
	return 0;
}
