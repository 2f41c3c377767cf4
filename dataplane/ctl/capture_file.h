/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes on their way to a descriptor that came from elsewhere.  Main lcore.
 *
 * Its flags are left alone: O_NONBLOCK would be shared with whoever opened it,
 * perhaps as the standard output of a terminal.  So a pipe is written only as much
 * as poll(2) promises (PIPE_BUF bytes), a socket by MSG_DONTWAIT, and only a
 * regular file without asking.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CAPTURE_FILE_BYTES (256u << 10)

struct capture_file {
	int fd;
	bool is_regular, is_socket;
	size_t start, end; /* of what waits */
	uint8_t bytes[CAPTURE_FILE_BYTES];
};

/* Takes fd over when it can be written to.  NULL with errno otherwise. */
struct capture_file *capture_file_create(int fd);
void capture_file_destroy(struct capture_file *file);
/* Room for at least this many bytes behind what waits; NULL: flush, and try again.  Then say how many were used. */
uint8_t *capture_file_room(struct capture_file *file, size_t bytes);
void capture_file_used(struct capture_file *file, size_t bytes);
/* Write what the descriptor takes now.  0, or -errno when writing failed for good. */
int capture_file_flush(struct capture_file *file);
bool capture_file_empty(const struct capture_file *file);
