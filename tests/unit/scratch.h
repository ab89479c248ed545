// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_SCRATCH_H
#define ROWSIEVE_TESTS_SCRATCH_H

/* A directory of a test's own, under $TMPDIR. */

char *scratch_make(void);                                    /* free() the path */
void scratch_remove(char *path);                             /* with everything in it; frees the path */
char *scratch_path(const char *directory, const char *name); /* free() it */
void scratch_write(const char *path, const char *text);
char *scratch_read(const char *path); /* free() it; NULL when there is no such file */

#endif
