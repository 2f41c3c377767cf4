/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel knows of the holes of a store. */
#include <errno.h>
#include <unistd.h>

#include "backend/engine.h"

void backend_find_holes(int fd, uint64_t size_bytes, unsigned count_max,
			void (*found)(void *ctx, uint64_t offset_bytes, uint64_t len_bytes), void *ctx)
{
	uint64_t at = 0;
	for (unsigned i = 0; i < count_max && at < size_bytes; i++) {
		/* cppcheck-suppress invalidFunctionArg ; it does not know of holes */
		const off_t data = lseek(fd, (off_t)at, SEEK_DATA);
		/* ENXIO: no data from here to the end.  Anything else: who knows. */
		if (data < 0 && errno != ENXIO)
			return;
		const uint64_t hole_end = data < 0 || (uint64_t)data > size_bytes ? size_bytes : (uint64_t)data;
		if (hole_end > at)
			found(ctx, at, hole_end - at);
		if (hole_end == size_bytes)
			return;
		/* cppcheck-suppress invalidFunctionArg ; as above */
		const off_t hole = lseek(fd, data, SEEK_HOLE);
		if (hole <= data)
			return;
		at = (uint64_t)hole;
	}
}
