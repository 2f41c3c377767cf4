/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines over a stream: what came in is cut at newlines, what goes out waits
 * until the peer takes it.  Both are bounded.  Owner: one thread per object.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define LINE_REQUEST_BYTES_MAX (16u << 20)  /* one request, newline excluded: the largest configuration fits */
#define LINE_RESPONSE_BYTES_MAX (64u << 20) /* what may wait for one client */

enum line_status {
	LINE_NONE,     /* no whole line yet */
	LINE_READY,    /* a line, without its newline (and carriage return) */
	LINE_TOO_LONG, /* a line exceeded the bound; its rest will be skipped, the next line is whole again */
};

struct line_reader {
	char *buf;
	size_t start, len, cap; /* unread bytes are buf[start .. start + len) */
	size_t scanned;         /* of those, how many hold no newline */
	size_t max;             /* longest line */
	bool skipping;
};

void line_reader_init(struct line_reader *reader, size_t max);
void line_reader_fini(struct line_reader *reader);
/* Take in what was received.  0 or -ENOMEM. */
int line_reader_feed(struct line_reader *reader, const void *bytes, size_t len) __attribute__((warn_unused_result));
/* Next line.  *line points into the reader, is NUL-terminated (it may hold other NULs) and valid until the next call
 * of either function. */
enum line_status line_reader_next(struct line_reader *reader, char **line, size_t *len);

struct line_writer {
	char *buf;
	size_t start, len, cap; /* unsent bytes are buf[start .. start + len) */
	size_t max;
};

void line_writer_init(struct line_writer *writer, size_t max);
void line_writer_fini(struct line_writer *writer);
/* Queue one line; the newline is added.  0; -ENOBUFS when more than max would wait; -ENOMEM. */
int line_writer_put(struct line_writer *writer, const char *text, size_t len) __attribute__((warn_unused_result));
/* Send what the socket takes.  0 when nothing waits any more, -EAGAIN when some does, else -errno: close. */
int line_writer_flush(struct line_writer *writer, int fd) __attribute__((warn_unused_result));
