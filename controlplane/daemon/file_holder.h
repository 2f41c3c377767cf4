/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who has a file or device locked, for messages.  Looks through /proc, so it
 * takes a while and belongs into the processes that may block.
 */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#define FILE_HOLDER_BYTES 128

/* st: of the file or device.  False: nobody is seen, because it is the system or nobody that lives. */
bool file_holder(const struct stat *st, char text[FILE_HOLDER_BYTES]);
