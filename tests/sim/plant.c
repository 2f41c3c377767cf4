/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The planted stale-write bug: volume requests go to the backend as they come,
 * past the order that the volume would keep.  The linker puts this in the place
 * of vol_submit (--wrap).  The other planted bugs are one line each, in the disk
 * and in the control plane's model.
 */
#include <stdlib.h>

#include "volume/volume.h"
#include "world.h"

void __real_vol_submit(struct volume *volume, struct vol_request *request);
void __wrap_vol_submit(struct volume *volume, struct vol_request *request);

struct astray {
	struct backend_io io; /* first member */
	struct vol_request *request;
};

static void on_astray_done(struct backend_io *io, enum io_status status)
{
	struct vol_request *request = ((struct astray *)io)->request;
	free(io);
	request->done(request, status);
}

static bool goes_astray(const struct volume *volume, const struct vol_request *request)
{
	const struct sim *sim =
		((const struct world *)volume->drained_ctx) ? &((const struct world *)volume->drained_ctx)->sim : NULL;
	if (!sim || sim->plant != PLANT_STALE_WRITE || request->op != VOL_WRITE)
		return false;
	const struct backend *backend = volume->backend;
	return (request->offset_bytes | request->len_bytes) % backend->align_bytes == 0 &&
	       request->offset_bytes + request->len_bytes <= volume->size_bytes;
}

void __wrap_vol_submit(struct volume *volume, struct vol_request *request)
{
	if (!goes_astray(volume, request)) {
		__real_vol_submit(volume, request);
		return;
	}
	struct astray *astray = calloc(1, sizeof *astray);
	if (!astray)
		abort();
	*astray = (struct astray){.request = request,
				  .io = {.op = BACKEND_WRITE,
					 .flags = BACKEND_FUA,
					 .offset_bytes = request->offset_bytes,
					 .len_bytes = request->len_bytes,
					 .iov = request->iov,
					 .iov_count = request->iov_count,
					 .done = on_astray_done}};
	backend_submit(volume->backend, &astray->io);
}
