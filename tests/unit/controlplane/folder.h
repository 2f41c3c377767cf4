/* SPDX-License-Identifier: BSD-3-Clause */
/* A folder of a test's own; its suite removes it: TestSuite(name, .fini = folder_remove). */
#pragma once

void folder_remove(void);
/* Absolute path; the same one during the whole process. */
const char *folder(void);
/* folder()/name; lives as long as the test. */
char *folder_path(const char *name);
/* Bytes of a file; *len its length.  NULL when there is none.  They live as long as the test. */
char *folder_read(const char *path, unsigned long *len);
void folder_write(const char *path, const void *bytes, unsigned long len);
