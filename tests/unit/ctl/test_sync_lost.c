/* SPDX-License-Identifier: BSD-3-Clause */
/* What a store that failed to sync means for its volume and for the operator. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "backend/engine_priv.h"
#include "ctl/server_priv.h"
#include "ctl/volumes.h"
#include "fake.h"

#define MIB (1ull << 20)

static struct client c;
static uint32_t next_id;

static void init(void)
{
	server_init();
	client_hello(&c, WHERRY_ROLE_CONTROLLER);
	next_id = 100;
}

static void fini(void)
{
	client_close(&c);
	server_fini();
}

TestSuite(ctl_sync_lost, .init = init, .fini = fini);

static void expect_event(const char *code, const char *words)
{
	struct wherry_ctl_event event;
	cr_assert(client_receive(&c), "no event %s", code);
	cr_assert_eq(c.header.type, WHERRY_CTL_EVENT, "%s instead of %s", wherry_ctl_type_name(c.header.type), code);
	CLIENT_GET(&c, event, &event);
	cr_expect_str_eq(event.code, code);
	cr_expect_not_null(strstr(event.message, words), "%s: %s", code, event.message);
	CLIENT_SEND(&c, ok, c.header.request_id, );
}

static void sync_done(struct backend_io *io, enum io_status status)
{
	(void)io;
	cr_expect_neq(status, IO_OK);
}

Test(ctl_sync_lost, a_failed_flush_is_told_and_lasts_until_the_operator_has_looked)
{
	static uint8_t packet[1024];
	const struct wherry_ctl_volume_put m = {
		.id = 1,
		.generation = 1,
		.name = "vol",
		.backend = WHERRY_BACKEND_FILE,
		.size_bytes = MIB,
		.block_bytes = 512,
		.align_bytes = 1,
		.memory_align_bytes = 1,
	};
	int fd = make_memfd(MIB);
	client_send(&c, packet, wherry_ctl_put_volume_put(packet, sizeof packet, ++next_id, &m), fd);
	close(fd);
	client_expect_ok(&c, next_id);
	struct ctl_volume *v = ctl_volume_find(1);
	struct backend_io io = {.op = BACKEND_FLUSH, .stage = 3, .file = v->base, .done = sync_done};
	file_on_result(&io, -EIO);
	uint64_t now_ns = ctl_now_ns();
	ctl_server_tick(now_ns);
	expect_event("volume.unlinked", ""); /* a memfd has no name */
	expect_event("volume.sync_failed", "volume vol: ");
	cr_expect_not_null(strstr(v->detail, "offline and online"), "%s", v->detail);
	ctl_server_tick(now_ns + 1000000000);
	/* A controller that has just come says this of all volumes, and nobody has looked. */
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id); /* no event before */
	cr_expect(backend_file_sync_lost(v->base));
	cr_expect_neq(v->detail[0], '\0');
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = false);
	client_expect_ok(&c, next_id);
	cr_expect(backend_file_sync_lost(v->base));
	CLIENT_SEND(&c, volume_online, ++next_id, .id = 1, .online = true);
	client_expect_ok(&c, next_id);
	cr_expect(!backend_file_sync_lost(v->base));
	cr_expect_eq(v->detail[0], '\0');
	ctl_server_tick(now_ns + 2000000000);
	file_on_result(&io, -EIO);
	ctl_server_tick(now_ns + 3000000000);
	expect_event("volume.sync_failed", "volume vol: ");
}
