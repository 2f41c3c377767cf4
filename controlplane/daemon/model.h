/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an operator may do, checked against limits and against what exists.
 *
 * Functions that change run inside a transaction that the caller opened
 * (state_begin) and ends with model_end; each writes its event in the same
 * transaction.  They touch the state only: opening files and telling the
 * dataplane is the caller's business (op_*.c).  0, or -1 with a reason that names
 * the object and the remedy.  Thread: the daemon's.
 */
#pragma once

#include "common/fail.h"
#include "daemon/state.h"

/* Commit when rc is 0, else roll back; 0 or -1. */
int model_end(struct state *state, int rc, struct fail *fail);

/* UNIX time in microseconds. */
uint64_t model_now_us(void);

/* Write an event; object may be "". */
int model_event(struct state *state, struct fail *fail, enum wherry_severity severity, const char *code,
		const char *object, const char *format, ...) __attribute__((format(printf, 6, 7)));

/* ---- volumes */
/* What can be said about a new volume without looking at the disk.  A file's size may still be 0 (take the file's). */
int model_volume_check(const struct volume_row *row, struct fail *fail);
/* The size alone, of the volume that row describes otherwise. */
int model_volume_check_size(const struct volume_row *row, uint64_t size_bytes, struct fail *fail);
/* Also that name and path are free.  Needs no transaction. */
int model_volume_check_new(struct state *state, const struct volume_row *row, struct fail *fail);
/* Fills in id, uuid and serial (unless row->uuid is set), times and generation. */
int model_volume_create(struct state *state, struct volume_row *row, struct fail *fail);
/* May the volume become so large? */
int model_volume_check_grow(const struct volume_row *row, uint64_t size_bytes, struct fail *fail);
/* row is the current one; its size becomes the new one. */
int model_volume_grow(struct state *state, struct volume_row *row, uint64_t size_bytes, struct fail *fail);
/* Record read_only, write_back, online and fault as changed in row. */
int model_volume_set(struct state *state, struct volume_row *row, struct fail *fail);
/* Refused while an export uses it. */
int model_volume_delete(struct state *state, const struct volume_row *row, struct fail *fail);
/* A volume other than except_id with this path: FAIL_CONFLICT. */
int model_volume_path_is_free(struct state *state, const char *path, uint64_t except_id, struct fail *fail);

/* ---- ports, lcores, idle policy */
/* VLAN ids from least to 4094, none twice; what names their owner. */
int model_vlans_check(const char *what, const uint16_t *vlans, unsigned count, unsigned least, struct fail *fail);
/* What can be said about a port by itself.  fail may be NULL, here and in model_runtime_check. */
int model_port_check(const struct port_row *row, struct fail *fail);
int model_port_add(struct state *state, struct port_row *row, struct fail *fail);
int model_port_set(struct state *state, const struct port_row *row, struct fail *fail);
/* Are they set alike, whatever they are called? */
bool model_port_equal(const struct port_row *a, const struct port_row *b);
/* Refused while an export names it. */
int model_port_remove(struct state *state, const struct port_row *row, struct fail *fail);
int model_runtime_check(const struct runtime_row *row, struct fail *fail);
/* code: of the event, "lcore.changed" or "idle.changed". */
int model_runtime_set(struct state *state, const struct runtime_row *row, const char *code, struct fail *fail);
