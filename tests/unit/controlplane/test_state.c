/* SPDX-License-Identifier: BSD-3-Clause */
/* The state file: rows come back, what is not ours or damaged is refused and left alone, full disks and kills. */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/model.h"
#include "daemon/model_aoe.h"
#include "daemon/state.h"
#include "folder.h"

TestSuite(cp_state, .fini = folder_remove);

static struct state *open_or_fail(const char *path)
{
	struct fail fail = {.text = ""};
	struct state *state = state_open(path, &fail);

	cr_assert_not_null(state, "%s", fail.text);
	return state;
}

static struct volume_row null_volume(const char *name)
{
	struct volume_row row = {
		.backend = WHERRY_BACKEND_NULL, .size_bytes = 1 << 20, .block_bytes = 512, .online = true};

	(void)snprintf(row.name, sizeof row.name, "%s", name);
	return row;
}

static int create_volume(struct state *state, struct volume_row *row, struct fail *fail)
{
	if (state_begin(state, fail) != 0)
		return -1;
	return model_end(state, model_volume_create(state, row, fail), fail);
}

static void make_volume(struct state *state, struct volume_row *row)
{
	struct fail fail = {.text = ""};

	cr_assert_eq(create_volume(state, row, &fail), 0, "%s", fail.text);
}

static struct export_row export_of(const struct volume_row *volume, uint16_t shelf, uint8_t slot)
{
	return (struct export_row){.volume_id = volume->id,
				   .shelf = shelf,
				   .slot = slot,
				   .buffer_count = 64,
				   .remote_mask = true,
				   .remote_config = true};
}

static void make_export(struct state *state, struct export_row *row)
{
	struct fail fail = {.text = ""};

	cr_assert_eq(state_begin(state, &fail), 0);
	cr_assert_eq(model_end(state, model_export_create(state, row, &fail), &fail), 0, "%s", fail.text);
}

Test(cp_state, everything_of_a_volume_comes_back_after_reopening)
{
	const char *path = folder_path("state.db");
	struct state *state = open_or_fail(path);
	struct volume_row row = null_volume("disk"), back;
	struct fail fail;

	row.read_only = true;
	row.has_fault = true;
	row.fault = (struct volume_fault){UINT64_MAX, 1, 2, 3, 4, 5, 6, 1ull << 40, 77};
	make_volume(state, &row);
	cr_expect_eq(strlen(row.uuid), 36);
	cr_expect_eq(strlen(row.serial), 20);
	state_close(state);
	state = open_or_fail(path);
	cr_assert_eq(state_volume_by_name(state, "disk", &back, &fail), 0);
	cr_expect_eq(back.id, row.id);
	cr_expect_str_eq(back.uuid, row.uuid);
	cr_expect_str_eq(back.serial, row.serial);
	cr_expect_eq(back.created_at_us, row.created_at_us);
	cr_expect_eq(back.size_bytes, row.size_bytes);
	cr_expect(back.read_only && back.online && !back.write_back && back.has_fault);
	cr_expect_eq(memcmp(&back.fault, &row.fault, sizeof row.fault), 0);
	cr_expect_eq(state_volume_by_name(state, "none", &back, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_NOT_FOUND);
	state_close(state);
}

Test(cp_state, identity_never_changes_and_ids_are_never_used_twice)
{
	struct state *state = open_or_fail(folder_path("state.db"));
	struct volume_row row = null_volume("disk"), back;
	struct fail fail;

	make_volume(state, &row);
	struct volume_row changed = row;
	(void)snprintf(changed.uuid, sizeof changed.uuid, "%s", "00000000-0000-0000-0000-000000000000");
	(void)snprintf(changed.serial, sizeof changed.serial, "%s", "other");
	changed.size_bytes *= 2;
	cr_expect_eq(state_volume_update(state, &changed, &fail), 0);
	cr_assert_eq(state_volume_by_id(state, row.id, &back, &fail), 0);
	cr_expect_str_eq(back.uuid, row.uuid);
	cr_expect_str_eq(back.serial, row.serial);
	cr_expect_eq(back.generation, row.generation + 1);
	cr_expect_eq(state_volume_delete(state, row.id, &fail), 0);
	struct volume_row second = null_volume("disk");
	make_volume(state, &second);
	cr_expect_gt(second.id, row.id);
	cr_expect_str_neq(second.uuid, row.uuid);
	state_close(state);
}

Test(cp_state, everything_of_an_export_comes_back_after_reopening)
{
	const char *path = folder_path("state.db");
	struct state *state = open_or_fail(path);
	struct volume_row volume = null_volume("disk");
	struct port_row port = {
		.name = "p0", .device = "af_packet:eth0", .mtu = 9000, .vlan_count = 2, .vlans = {5, 7}};
	struct fail fail = {.text = ""};

	make_volume(state, &volume);
	cr_assert_eq(state_port_insert(state, &port, &fail), 0);
	struct export_row row = export_of(&volume, 65534, 254), back;
	row.port_count = 1;
	row.port_ids[0] = port.id;
	row.vlan_count = WHERRY_VLAN_COUNT_MAX;
	for (unsigned i = 0; i < WHERRY_VLAN_COUNT_MAX; i++)
		row.vlans[i] = (uint16_t)(4094 - i);
	make_export(state, &row);
	row.config_bytes = WHERRY_AOE_CONFIG_BYTES_MAX;
	memset(row.config, 0, sizeof row.config);
	row.mask_count = WHERRY_AOE_MASK_COUNT_MAX;
	row.reserve_count = WHERRY_AOE_RESERVE_COUNT_MAX;
	for (unsigned i = 0; i < WHERRY_AOE_RESERVE_COUNT_MAX; i++)
		row.reserve[i] = (struct wherry_mac){{2, 0, 0, 0, 1, (uint8_t)i}};
	memcpy(row.mask, row.reserve, sizeof row.mask);
	cr_assert_eq(state_export_put_state(state, &row, &fail), 0, "%s", fail.text);
	state_close(state);

	state = open_or_fail(path);
	cr_assert_eq(state_export_by_address(state, 65534, 254, &back, &fail), 0, "%s", fail.text);
	cr_expect_eq(memcmp(&back, &row, sizeof row), 0, "the row differs");
	cr_expect_str_eq(back.volume_name, "disk");
	cr_expect_str_eq(back.serial, volume.serial);
	cr_expect_eq(back.state_generation, 2);
	struct port_row ports[WHERRY_PORT_COUNT_MAX];
	cr_assert_eq(state_port_list(state, ports, &fail), 1);
	cr_expect_eq(memcmp(&ports[0], &port, sizeof port), 0);
	uint16_t shelf;
	uint8_t slot;
	cr_expect_eq(state_port_user(state, port.id, &shelf, &slot, &fail), 1);
	cr_expect(shelf == 65534 && slot == 254);
	state_close(state);
}

Test(cp_state, exports_are_walked_in_the_order_of_their_addresses)
{
	static const struct {
		uint16_t shelf;
		uint8_t slot;
	} made[] = {{300, 0}, {0, 254}, {1, 0}, {0, 0}, {65534, 254}, {1, 254}, {2, 0}};
	struct state *state = open_or_fail(folder_path("state.db"));
	struct volume_row volume = null_volume("disk");
	struct export_row row;
	struct fail fail;
	int32_t after = -1;
	unsigned count = 0;

	make_volume(state, &volume);
	for (size_t i = 0; i < sizeof made / sizeof made[0]; i++) {
		row = export_of(&volume, made[i].shelf, made[i].slot);
		make_export(state, &row);
	}
	while (state_export_next(state, after, &row, &fail) == 1) {
		cr_expect_gt(state_export_key(&row), after);
		after = state_export_key(&row);
		count++;
	}
	cr_expect_eq(count, sizeof made / sizeof made[0]);
	cr_expect_eq(state_export_count(state), (int64_t)count);
	count = 0;
	for (after = -1; state_export_next_of(state, volume.id, after, &row, &fail) == 1;
	     after = state_export_key(&row))
		count++;
	cr_expect_eq(count, sizeof made / sizeof made[0]);
	cr_expect_eq(state_export_next_of(state, volume.id + 1, -1, &row, &fail), 0);
	state_close(state);
}

Test(cp_state, the_event_log_keeps_the_last_ten_thousand)
{
	struct state *state = open_or_fail(folder_path("state.db"));
	struct event_row row = {.severity = WHERRY_WARNING, .code = "test", .object = "o", .message = "m"};
	struct fail fail = {.text = ""};
	unsigned count = 0;

	cr_assert_eq(state_begin(state, &fail), 0);
	for (unsigned i = 0; i < STATE_EVENT_COUNT_MAX + 37; i++)
		cr_assert_eq(state_event_insert(state, &row, &fail), 0, "%s", fail.text);
	cr_assert_eq(state_commit(state, &fail), 0);
	cr_expect_eq(row.id, STATE_EVENT_COUNT_MAX + 37);
	cr_expect_eq(state_event_last_id(state), row.id);
	cr_expect_eq(state_event_tail(state, 10), row.id - 10);
	for (uint64_t since = 0; state_event_next(state, since, &row, &fail) == 1; since = row.id)
		count++;
	cr_expect_eq(count, STATE_EVENT_COUNT_MAX);
	state_close(state);
}

Test(cp_state, an_epoch_is_ours_when_it_was_begun_from_this_file)
{
	const char *path = folder_path("a.db");
	struct state *state = open_or_fail(path), *other = open_or_fail(folder_path("b.db"));
	struct fail fail;

	cr_assert_eq(state_epoch_begin(state, &fail), 0);
	uint64_t first = state_epoch(state);
	state_close(state);
	state = open_or_fail(path);
	cr_assert_eq(state_epoch_begin(state, &fail), 0);
	cr_expect_eq(state_epoch(state), first + 1);
	cr_expect(state_epoch_is_ours(state, first));
	cr_expect(state_epoch_is_ours(state, first + 1));
	cr_expect_not(state_epoch_is_ours(state, first + 2),
		      "later than anything this file knows: an older copy of it");
	cr_expect_not(state_epoch_is_ours(state, state_epoch(other)), "another file");
	cr_expect_not(state_epoch_is_ours(state, 0));
	state_close(state);
	state_close(other);
}

/* ------------------------------------------------------------- refusals */

static void sql(const char *path, const char *text)
{
	sqlite3 *db = NULL;
	char *why = NULL;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, text, NULL, NULL, &why), SQLITE_OK, "%s: %s", text, why);
	(void)sqlite3_close(db);
}

static void newer(const char *path)
{
	sql(path, "PRAGMA user_version = 4");
}

static void foreign(const char *path)
{
	unlink(path);
	sql(path, "CREATE TABLE theirs (a); PRAGMA application_id = 1234");
}

static void foreign_without_id(const char *path)
{
	unlink(path);
	sql(path, "CREATE TABLE theirs (a)");
}

static void no_database(const char *path)
{
	folder_write(path,
		     "these are my notes, not a database, and they are longer than a header of one hundred bytes\n"
		     "which is what an SQLite file starts with\n",
		     132);
}

static void too_short(const char *path)
{
	folder_write(path, "SQLite format 3", 16);
}

static void cut(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size / 2), 0);
}

static void overwritten(const char *path)
{
	int fd = open(path, O_WRONLY);
	char junk[4096];

	memset(junk, 0x5a, sizeof junk);
	cr_assert_eq(pwrite(fd, junk, sizeof junk, 4096), 4096);
	close(fd);
}

static void broken_reference(const char *path)
{
	sql(path, "PRAGMA foreign_keys = OFF; DELETE FROM volume");
}

static void broken_check(const char *path)
{
	sql(path, "PRAGMA ignore_check_constraints = ON; UPDATE aoe_export SET slot = 255");
}

Test(cp_state, what_is_not_ours_newer_or_damaged_is_refused_and_left_byte_identical)
{
	static const struct {
		const char *name;
		void (*spoil)(const char *path);
		const char *says;
	} cases[] = {
		{"newer", newer, "newer wherryd"},
		{"foreign", foreign, "another program"},
		{"foreign without an id", foreign_without_id, "another program"},
		{"no database", no_database, "not a wherry state file"},
		{"too short", too_short, "not a wherry state file"},
		{"cut", cut, "damaged"},
		{"overwritten", overwritten, "damaged"},
		{"broken reference", broken_reference, "damaged"},
		{"broken check", broken_check, "damaged"},
	};
	const char *path = folder_path("state.db");

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct fail fail = {.text = ""};
		unsigned long before_len = 0, after_len = 0;
		unlink(path);
		struct state *state = open_or_fail(path);
		struct volume_row volume = null_volume("disk");
		make_volume(state, &volume);
		struct export_row row = export_of(&volume, 1, 0);
		make_export(state, &row);
		state_close(state);
		cases[i].spoil(path);
		char *before = folder_read(path, &before_len);
		cr_expect_null(state_open(path, &fail), "%s: opened", cases[i].name);
		cr_expect_not_null(strstr(fail.text, cases[i].says), "%s: says '%s'", cases[i].name, fail.text);
		cr_expect_not_null(strstr(fail.text, path), "%s: does not name the file: %s", cases[i].name, fail.text);
		char *after = folder_read(path, &after_len);
		cr_expect(before_len == after_len && memcmp(before, after, before_len) == 0, "%s: the file changed",
			  cases[i].name);
	}
}

Test(cp_state, a_newer_version_in_the_wal_alone_is_seen_too)
{
	const char *path = folder_path("state.db"), *wal = folder_path("state.db-wal");
	struct fail fail = {.text = ""};
	unsigned long len[4];

	state_close(open_or_fail(path));
	pid_t pid = fork();
	if (pid == 0) { /* leaves its WAL behind, as after a crash */
		sqlite3 *db;
		if (sqlite3_open(path, &db) != SQLITE_OK ||
		    sqlite3_exec(db, "PRAGMA journal_mode = WAL; PRAGMA user_version = 9", NULL, NULL, NULL) !=
			    SQLITE_OK)
			_exit(1);
		_exit(0);
	}
	int status;
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_assert_eq(status, 0);
	char *before = folder_read(path, &len[0]), *before_wal = folder_read(wal, &len[1]);
	cr_assert_not_null(before_wal, "the test needs a WAL");
	cr_assert_gt(len[1], 0);
	cr_expect_null(state_open(path, &fail));
	cr_expect_not_null(strstr(fail.text, "newer wherryd"), "%s", fail.text);
	char *after = folder_read(path, &len[2]), *after_wal = folder_read(wal, &len[3]);
	cr_assert_not_null(after_wal);
	cr_expect(len[0] == len[2] && memcmp(before, after, len[0]) == 0, "the file changed");
	cr_expect(len[1] == len[3] && memcmp(before_wal, after_wal, len[1]) == 0, "the WAL changed");
}

Test(cp_state, an_empty_file_and_a_creation_cut_short_are_begun_anew)
{
	const char *path = folder_path("state.db");
	struct fail fail;
	struct volume_row row;

	folder_write(path, "", 0);
	state_close(open_or_fail(path));
	unlink(path);
	sql(path, "PRAGMA journal_mode = WAL"); /* all that a creation had done when it was killed */
	struct state *state = open_or_fail(path);
	cr_expect_eq(state_volume_by_name(state, "x", &row, &fail), -1);
	cr_expect_eq(fail.kind, FAIL_NOT_FOUND);
	state_close(state);
}

Test(cp_state, a_second_opener_is_refused)
{
	const char *path = folder_path("state.db");
	struct state *state = open_or_fail(path);
	int status;

	pid_t pid = fork();
	if (pid == 0) { /* another process: POSIX locks do not exclude their own */
		struct fail fail = {.text = ""};
		_exit(state_open(path, &fail) == NULL && strstr(fail.text, "locked") ? 0 : 1);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	cr_expect_eq(status, 0);
	state_close(state);
}

Test(cp_state, a_link_a_folder_and_a_path_without_a_folder_are_refused)
{
	struct fail fail;
	const char *target = folder_path("target.db"), *link = folder_path("link.db");

	state_close(open_or_fail(target));
	cr_assert_eq(symlink(target, link), 0);
	cr_expect_null(state_open(link, &fail));
	cr_expect_null(state_open(folder(), &fail));
	cr_expect_null(state_open(folder_path("missing/state.db"), &fail));
}

/* ------------------------------------------------- full disks and kills */

Test(cp_state, a_full_disk_refuses_the_operation_whole_and_the_next_ones_go_on, .timeout = 60)
{
	const char *mount_point = folder_path("tiny");
	struct fail fail = {.text = ""};
	struct volume_row row, back;
	char name[64], path[600];
	int made = 0;

	cr_assert_eq(mkdir(mount_point, 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("tmpfs", mount_point, "tmpfs", 0, "size=512k") != 0)
		cr_skip_test("mounting a small file system needs root");
	(void)snprintf(path, sizeof path, "%s/state.db", mount_point);
	struct state *state = open_or_fail(path);
	for (;;) {
		(void)snprintf(name, sizeof name, "disk-%06d", made);
		row = null_volume(name);
		if (create_volume(state, &row, &fail) != 0)
			break;
		cr_assert_lt(made++, 100000, "the disk never fills");
	}
	cr_assert_gt(made, 10);
	cr_expect_eq(fail.kind, FAIL_FAILED);
	cr_expect_not_null(strstr(fail.text, "disk is full"), "%s", fail.text);
	cr_expect_eq(state_volume_by_name(state, name, &back, &fail), -1, "half an operation is there");
	cr_expect_eq(state_volume_count(state), made);
	(void)snprintf(name, sizeof name, "disk-%06d", made / 2);
	cr_expect_eq(state_volume_by_name(state, name, &back, &fail), 0, "reading goes on");
	/* Somebody makes room: everything goes on without opening it anew. */
	cr_assert_eq(mount("tmpfs", mount_point, "tmpfs", MS_REMOUNT, "size=8m"), 0);
	row = null_volume("after");
	cr_expect_eq(create_volume(state, &row, &fail), 0, "%s", fail.text);
	cr_expect_eq(state_volume_count(state), made + 1);
	state_close(state);
	state = open_or_fail(path);
	cr_expect_eq(state_volume_count(state), made + 1);
	state_close(state);
	cr_expect_eq(umount(mount_point), 0);
}

/* In the child: operation n is a volume and its export in one transaction, told to the parent once committed. */
static void operate_for_ever(const char *path, int tell)
{
	struct fail fail = {.text = ""};
	struct state *state = state_open(path, &fail);

	if (!state)
		_exit(2);
	for (uint32_t n = (uint32_t)state_volume_count(state);; n++) {
		char name[64];
		(void)snprintf(name, sizeof name, "disk-%06u", n);
		struct volume_row row = null_volume(name);
		if (state_begin(state, &fail) != 0 || model_volume_create(state, &row, &fail) != 0)
			_exit(3);
		struct export_row export_ = export_of(&row, (uint16_t)(n / 200), (uint8_t)(n % 200));
		if (model_export_create(state, &export_, &fail) != 0 || state_commit(state, &fail) != 0)
			_exit(4);
		if (write(tell, &n, sizeof n) != (ssize_t)sizeof n)
			_exit(5);
	}
}

Test(cp_state, killed_at_any_moment_it_holds_what_was_committed_and_nothing_half, .timeout = 120)
{
	const char *path = folder_path("state.db");
	int64_t committed = 0;

	for (unsigned round = 0; round < 30; round++) {
		int tell[2], status;
		uint32_t n;
		cr_assert_eq(pipe(tell), 0);
		pid_t pid = fork();
		if (pid == 0)
			operate_for_ever(path, tell[1]);
		close(tell[1]);
		/* Sometimes while it opens, sometimes in the middle of its work. */
		const struct timespec pause = {.tv_nsec = 500000 + 1370000 * (long)(round % 13)};
		(void)nanosleep(&pause, NULL);
		cr_assert_eq(kill(pid, SIGKILL), 0);
		cr_assert_eq(waitpid(pid, &status, 0), pid);
		cr_expect(WIFSIGNALED(status), "it ended by itself with %d", WEXITSTATUS(status));
		while (read(tell[0], &n, sizeof n) == (ssize_t)sizeof n)
			committed = n + 1;
		close(tell[0]);
		struct state *state = open_or_fail(path);
		int64_t volumes = state_volume_count(state), exports = state_export_count(state);
		cr_expect_eq(volumes, exports, "round %u: %lld volumes, %lld exports", round, (long long)volumes,
			     (long long)exports);
		cr_expect(volumes == committed || volumes == committed + 1, "round %u: %lld of %lld committed", round,
			  (long long)volumes, (long long)committed);
		cr_expect_eq(state_event_last_id(state), (uint64_t)(2 * volumes), "events go with their operation");
		committed = volumes;
		state_close(state);
	}
	cr_expect_gt(committed, 0, "nothing was ever committed: the test shows nothing");
}
