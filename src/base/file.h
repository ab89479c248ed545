// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_FILE_H
#define ROWSIEVE_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/error.h"

/* What makes a file the same file on this machine; times in nanoseconds since 1970. */
struct file_identity {
	uint64_t device;
	uint64_t inode;
	uint64_t size;
	int64_t mtime_ns;
	int64_t ctime_ns;
};

struct file_identity file_identity_of(const struct stat *status);

/* All five equal. */
bool file_identity_equal(const struct file_identity *a, const struct file_identity *b);

/* Equal but for ctime, which a rename changes. */
bool file_identity_same_content(const struct file_identity *a, const struct file_identity *b);

/* The whole of a file that holds at most `limit` bytes; more is an error. The result is terminated with a NUL
 * that the length does not count. */
enum result file_read(const char *path, size_t limit, struct buffer *out, struct error *error) WARN_UNUSED;

/* Writes all of it, whatever short writes and EINTR do. `path` is for the message. */
enum result file_write_all(int fd, const void *bytes, size_t count, const char *path,
                           struct error *error) WARN_UNUSED;

enum result file_sync(int fd, const char *path, struct error *error) WARN_UNUSED;
enum result file_sync_directory(const char *path, struct error *error) WARN_UNUSED;

/* Creates the directory and what is missing above it; one that exists is left as it is. */
enum result file_make_directory(const char *path, mode_t mode, struct error *error) WARN_UNUSED;

/* The part behind the last '/'. */
const char *file_base_name(const char *path);

/* "directory/name" in newly allocated memory; NULL without memory. */
char *file_join(const char *directory, const char *name);

#endif
