/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fault injector: errors and delays on the way to another backend.
 *
 * Every decision is drawn when the I/O arrives, in a fixed order, so that a seed
 * and a sequence of I/Os give the same faults whatever their timing.
 */
#include <assert.h>
#include <stdlib.h>

#include "backend/engine_priv.h"

struct fault {
	struct backend backend;
	struct backend_engine *engine;
	struct backend *below;
	struct backend_fault_plan plan;
	bool transparent;
	uint64_t random;
	uint32_t under_way_count;
};

/* splitmix64: any seed is good, 0 included. */
static uint64_t fault_random(struct fault *fault)
{
	uint64_t z = fault->random += 0x9e3779b97f4a7c15ull;
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

static bool fault_draw(struct fault *fault, uint32_t ppm)
{
	return fault_random(fault) % 1000000u < ppm;
}

static bool fault_is_bad_range(const struct fault *fault, const struct backend_io *io)
{
	const struct backend_fault_plan *plan = &fault->plan;
	if (plan->bad_length_bytes == 0 || io->len_bytes == 0 || io->op == BACKEND_FLUSH)
		return false;
	if (io->offset_bytes >= plan->bad_offset_bytes)
		return io->offset_bytes - plan->bad_offset_bytes < plan->bad_length_bytes;
	return plan->bad_offset_bytes - io->offset_bytes < io->len_bytes;
}

/* What the caller will hear, IO_OK: what the backend below says; and whether the I/O gets there. */
static enum io_status fault_decide(struct fault *fault, const struct backend_io *io, bool *reaches)
{
	const struct backend_fault_plan *plan = &fault->plan;
	const bool even = fault_random(fault) & 1;
	const bool error = fault_draw(fault, io->op == BACKEND_READ    ? plan->read_error_ppm
					     : io->op == BACKEND_FLUSH ? plan->flush_error_ppm
								       : plan->write_error_ppm);
	const bool full = fault_draw(fault, plan->no_space_ppm);

	*reaches = false;
	if (fault_is_bad_range(fault, io))
		return IO_ERR_MEDIA;
	if (full && (io->op == BACKEND_WRITE || io->op == BACKEND_WRITE_ZEROES))
		return IO_ERR_NO_SPACE;
	if (error) {
		*reaches = even && io->op != BACKEND_READ && io->op != BACKEND_FLUSH;
		return IO_ERR_MEDIA;
	}
	*reaches = true;
	return IO_OK;
}

static void fault_done(struct backend_io *io, enum io_status status)
{
	struct fault *fault = (struct fault *)io->fault;
	(void)status;
	fault->under_way_count--;
	io->done = io->fault_done;
	io->done(io, io->fault_status);
}

/* Its fate is in fault_status; done is the caller's when it is to go below untouched. */
static void fault_resume(struct backend_io *io)
{
	struct fault *fault = (struct fault *)io->fault;
	if (io->done == fault_done) {
		backend_submit(fault->below, io);
		return;
	}
	fault->under_way_count--;
	if (io->fault_status == IO_OK)
		backend_submit(fault->below, io);
	else
		io->done(io, io->fault_status);
}

static void fault_submit(struct backend *backend, struct backend_io *io)
{
	struct fault *fault = (struct fault *)backend;
	if (fault->transparent) {
		backend_submit(fault->below, io);
		return;
	}
	bool reaches;
	io->fault = backend;
	io->fault_done = io->done;
	io->fault_status = fault_decide(fault, io, &reaches);
	if (io->fault_status != IO_OK && reaches)
		io->done = fault_done;
	fault->under_way_count++;
	if (fault_draw(fault, fault->plan.delay_ppm) && fault->plan.delay_us)
		engine_delay(fault->engine, io, fault->engine->now_ns + fault->plan.delay_us * 1000ull, fault_resume);
	else
		fault_resume(io);
}

static int fault_resize(struct backend *backend, uint64_t size_bytes)
{
	return backend_resize(((struct fault *)backend)->below, size_bytes);
}

static void fault_destroy(struct backend *backend)
{
	struct fault *fault = (struct fault *)backend;
	assert(fault->under_way_count == 0);
	if (fault->below)
		backend_destroy(fault->below);
	free(fault);
}

static const struct backend_ops fault_ops = {
	.name = "fault",
	.submit = fault_submit,
	.resize = fault_resize,
	.destroy = fault_destroy,
};

struct backend *backend_fault_create(struct backend_engine *engine, struct backend *below,
				     const struct backend_fault_plan *plan)
{
	assert(below->ops != &fault_ops);
	struct fault *fault = calloc(1, sizeof *fault);
	if (!fault)
		return NULL;
	fault->backend = (struct backend){&fault_ops, below->size_bytes, below->align_bytes, below->memory_align_bytes};
	fault->engine = engine;
	fault->below = below;
	backend_fault_set_plan(&fault->backend, plan);
	return &fault->backend;
}

void backend_fault_set_plan(struct backend *backend, const struct backend_fault_plan *plan)
{
	struct fault *fault = (struct fault *)backend;
	assert(backend->ops == &fault_ops);
	fault->plan = *plan;
	fault->random = plan->seed;
	fault->transparent = !plan->read_error_ppm && !plan->write_error_ppm && !plan->flush_error_ppm &&
			     !plan->no_space_ppm && !(plan->delay_ppm && plan->delay_us) && !plan->bad_length_bytes;
}

uint32_t backend_fault_under_way(const struct backend *backend)
{
	return ((const struct fault *)backend)->under_way_count;
}

struct backend *backend_fault_detach(struct backend *backend)
{
	struct fault *fault = (struct fault *)backend;
	assert(backend->ops == &fault_ops && fault->under_way_count == 0);
	struct backend *below = fault->below;
	fault->below = NULL;
	return below;
}
