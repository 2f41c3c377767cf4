/* SPDX-License-Identifier: BSD-3-Clause */
/* The backends that complete at once: null and ram. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "rig.h"

#define SIZE (256u * 1024)

static uint8_t a[SIZE], b[SIZE];

static int memfd(uint64_t size_bytes, unsigned flags)
{
	int fd = memfd_create("test", MFD_CLOEXEC | flags);
	cr_assert(fd >= 0 && ftruncate(fd, (off_t)size_bytes) == 0);
	return fd;
}

Test(backend_null, reads_zero_and_forgets_writes)
{
	struct backend *backend = backend_null_create(SIZE);
	memset(a, 'x', SIZE);
	cr_expect(rig_run(NULL, backend, BACKEND_WRITE, 0, 0, a, SIZE) == IO_OK);
	cr_expect(rig_run(NULL, backend, BACKEND_READ, 0, 0, a, SIZE) == IO_OK);
	cr_expect(memcmp(a, b, SIZE) == 0);
	cr_expect(rig_run(NULL, backend, BACKEND_FLUSH, 0, 0, NULL, 0) == IO_OK);
	cr_expect(rig_run(NULL, backend, BACKEND_DISCARD, 0, 0, NULL, SIZE) == IO_OK);
	cr_expect(rig_run(NULL, backend, BACKEND_WRITE_ZEROES, 0, 0, NULL, SIZE) == IO_OK);
	cr_expect(backend_resize(backend, 2 * SIZE) == 0 && backend->size_bytes == 2 * SIZE);
	backend_destroy(backend);
}

Test(backend_ram, keeps_what_was_written_in_the_callers_memfd)
{
	int fd = memfd(SIZE, MFD_ALLOW_SEALING);
	struct backend *backend = backend_ram_create(fd, SIZE);
	cr_assert(backend);
	struct iovec iov[3] = {{a, 100}, {a + 100, 0}, {a + 100, 412}};
	struct rig_io io;
	for (unsigned i = 0; i < 512; i++)
		a[i] = (uint8_t)(i * 7);
	rig_start(backend, &io, BACKEND_FLUSH, 0, 0, NULL, 0);
	io.done = false;
	io.io.op = BACKEND_WRITE;
	io.io.offset_bytes = SIZE - 512;
	io.io.len_bytes = 512;
	io.io.iov = iov;
	io.io.iov_count = 3;
	backend_submit(backend, &io.io);
	cr_expect(io.done && io.status == IO_OK);
	backend_destroy(backend);

	cr_expect(pread(fd, b, 512, SIZE - 512) == 512 && memcmp(a, b, 512) == 0, "the memfd holds it");
	backend = backend_ram_create(fd, SIZE);
	memset(b, 0, 512);
	cr_expect(rig_run(NULL, backend, BACKEND_READ, 0, SIZE - 512, b, 512) == IO_OK && memcmp(a, b, 512) == 0);
	cr_expect(rig_run(NULL, backend, BACKEND_DISCARD, 0, SIZE - 512, NULL, 512) == IO_OK);
	cr_expect(rig_run(NULL, backend, BACKEND_WRITE_ZEROES, 0, SIZE - 512, NULL, 256) == IO_OK);
	memset(a, 0, 256);
	cr_expect(rig_run(NULL, backend, BACKEND_READ, 0, SIZE - 512, b, 512) == IO_OK && memcmp(a, b, 512) == 0);
	backend_destroy(backend);
	close(fd);
}

Test(backend_ram, cannot_be_shrunk_under_the_mapping)
{
	int fd = memfd(SIZE, MFD_ALLOW_SEALING);
	struct backend *backend = backend_ram_create(fd, SIZE);
	cr_assert(backend);
	cr_expect(ftruncate(fd, 4096) == -1 && errno == EPERM);
	cr_expect(rig_run(NULL, backend, BACKEND_READ, 0, SIZE - 512, a, 512) == IO_OK);
	backend_destroy(backend);
	close(fd);
}

Test(backend_ram, refuses_what_could_raise_sigbus)
{
	int unsealable = memfd(SIZE, 0), small = memfd(SIZE - 1, MFD_ALLOW_SEALING),
	    empty = memfd(0, MFD_ALLOW_SEALING);
	int file = rig_file(NULL, SIZE, 0);
	cr_expect(backend_ram_create(unsealable, SIZE) == NULL && errno == EPERM);
	cr_expect(backend_ram_create(small, SIZE) == NULL && errno == EINVAL);
	cr_expect(backend_ram_create(empty, 0) == NULL && errno == EINVAL);
	cr_expect(backend_ram_create(file, SIZE) == NULL && errno == EPERM);
	cr_expect(backend_ram_create(-1, SIZE) == NULL);
	close(unsealable);
	close(small);
	close(empty);
	close(file);
}

Test(backend_ram, grows_with_its_memfd)
{
	int fd = memfd(SIZE, MFD_ALLOW_SEALING);
	struct backend *backend = backend_ram_create(fd, SIZE);
	memset(a, 'g', 512);
	cr_expect(rig_run(NULL, backend, BACKEND_WRITE, 0, 0, a, 512) == IO_OK);
	cr_expect(backend_resize(backend, 2 * SIZE) == -EINVAL && backend->size_bytes == SIZE);
	cr_assert(ftruncate(fd, 2 * SIZE) == 0);
	cr_expect(backend_resize(backend, 2 * SIZE) == 0 && backend->size_bytes == 2 * SIZE);
	cr_expect(rig_run(NULL, backend, BACKEND_READ, 0, 0, b, 512) == IO_OK && memcmp(a, b, 512) == 0);
	cr_expect(rig_run(NULL, backend, BACKEND_WRITE, 0, 2 * SIZE - 512, a, 512) == IO_OK);
	cr_expect(rig_run(NULL, backend, BACKEND_READ, 0, 2 * SIZE - 512, b, 512) == IO_OK && b[511] == 'g');
	backend_destroy(backend);
	close(fd);
}
