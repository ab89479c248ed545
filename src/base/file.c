// SPDX-License-Identifier: Apache-2.0
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

static int64_t nanoseconds(struct timespec time)
{
	return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

struct file_identity file_identity_of(const struct stat *status)
{
	return (struct file_identity){
	    .device = status->st_dev,
	    .inode = status->st_ino,
	    .size = (uint64_t)status->st_size,
	    .mtime_ns = nanoseconds(status->st_mtim),
	    .ctime_ns = nanoseconds(status->st_ctim),
	};
}

bool file_identity_same_content(const struct file_identity *a, const struct file_identity *b)
{
	return a->device == b->device && a->inode == b->inode && a->size == b->size &&
	       a->mtime_ns == b->mtime_ns;
}

bool file_identity_equal(const struct file_identity *a, const struct file_identity *b)
{
	return file_identity_same_content(a, b) && a->ctime_ns == b->ctime_ns;
}

static enum result read_all(int fd, const char *path, size_t limit, struct buffer *out, struct error *error)
{
	for (;;) {
		if (buffer_reserve(out, 65536) != RESULT_OK)
			return error_set(error, RESULT_NO_MEMORY, "'%s': out of memory", path);
		ssize_t count = read(fd, out->data + out->length, out->capacity - out->length - 1);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, RESULT_IO, "'%s': cannot read", path);
		out->length += (size_t)count;
		if (out->length > limit)
			return error_set(error, RESULT_INVALID, "'%s': larger than %zu bytes", path, limit);
		if (count == 0)
			break;
	}
	out->data[out->length] = '\0';
	return RESULT_OK;
}

enum result file_read(const char *path, size_t limit, struct buffer *out, struct error *error)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	out->length = 0;
	return read_all(fd, path, limit, out, error);
}

enum result file_write_all(int fd, const void *bytes, size_t count, const char *path, struct error *error)
{
	const char *rest = bytes;
	while (count > 0) {
		ssize_t written = write(fd, rest, count);
		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
		rest += written;
		count -= (size_t)written;
	}
	return RESULT_OK;
}

enum result file_sync(int fd, const char *path, struct error *error)
{
	if (fsync(fd) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot sync", path);
	return RESULT_OK;
}

enum result file_sync_directory(const char *path, struct error *error)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	return file_sync(fd, path, error);
}

enum result file_make_directory(const char *path, mode_t mode, struct error *error)
{
	CLEANUP_FREE char *part = strdup(path);
	if (part == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	for (char *slash = strchr(part + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return error_set_errno(error, RESULT_IO, "'%s': cannot make the directory", part);
		*slash = '/';
	}
	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return error_set_errno(error, RESULT_IO, "'%s': cannot make the directory", path);
	struct stat status;
	if (stat(path, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", path);
	if (!S_ISDIR(status.st_mode))
		return error_set(error, RESULT_IO, "'%s': not a directory", path);
	return RESULT_OK;
}

const char *file_base_name(const char *path)
{
	const char *slash = strrchr(path, '/');
	return slash == NULL ? path : slash + 1;
}

char *file_join(const char *directory, const char *name)
{
	char *path;
	size_t length = strlen(directory);
	const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
	return asprintf(&path, "%s%s%s", directory, slash, name) < 0 ? NULL : path;
}
