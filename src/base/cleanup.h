// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_CLEANUP_H
#define ROWSIEVE_BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Ownership by scope: the variable is released when it goes out of scope, unless STEAL() handed its value on.
 */

static inline void cleanup_free_pointer(void *address)
{
	free(*(void **)address);
}

static inline void cleanup_close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_file(FILE **file)
{
	if (*file != NULL)
		fclose(*file);
}

static inline int cleanup_steal_fd(int *fd)
{
	int value = *fd;
	*fd = -1;
	return value;
}

#define CLEANUP(function) __attribute__((cleanup(function)))
#define CLEANUP_FREE CLEANUP(cleanup_free_pointer)
#define CLEANUP_FD CLEANUP(cleanup_close_fd)
#define CLEANUP_FILE CLEANUP(cleanup_close_file)

#define STEAL(pointer)                                                                                       \
	__extension__({                                                                                      \
		__typeof__(pointer) stolen_ = (pointer);                                                     \
		(pointer) = NULL;                                                                            \
		stolen_;                                                                                     \
	})

#endif
