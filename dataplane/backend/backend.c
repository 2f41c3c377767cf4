/* SPDX-License-Identifier: BSD-3-Clause */
/* What is common to all backends. */
#include <errno.h>

#include "backend/backend.h"

int backend_resize(struct backend *backend, uint64_t size_bytes)
{
	if (!backend->ops->resize)
		return -ENOTSUP;
	int result = backend->ops->resize(backend, size_bytes);
	if (result == 0)
		backend->size_bytes = size_bytes;
	return result;
}
