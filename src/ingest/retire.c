// SPDX-License-Identifier: Apache-2.0
#include "ingest/retire.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char REASON_SUFFIX[] = ".reason.txt";
static const char ASIDE_SUFFIX[] = ".delete";

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* Is the file under this path the one that was read? A rename changes ctime, so that is not asked. */
static bool is_the_file(const char *path, const struct file_identity *identity)
{
	struct stat status;
	if (lstat(path, &status) != 0)
		return false;
	struct file_identity found = file_identity_of(&status);
	return S_ISREG(status.st_mode) && file_identity_same_content(&found, identity);
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (slash == NULL)
		return strdup(".");
	return strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

static enum result touch(struct retire_group *group, const char *directory, struct error *error)
{
	for (size_t i = 0; i < group->count; i++) {
		if (strcmp(group->directories[i], directory) == 0)
			return RESULT_OK;
	}
	char **grown = realloc((void *)group->directories, (group->count + 1) * sizeof *grown);
	if (grown == NULL)
		return no_memory(error);
	group->directories = grown;
	grown[group->count] = strdup(directory);
	if (grown[group->count] == NULL)
		return no_memory(error);
	group->count++;
	return RESULT_OK;
}

/* Where the file goes to before where it comes from: in between it has two names rather than none. */
static enum result touch_both(struct retire_group *group, const char *path, const char *directory,
                              struct error *error)
{
	CLEANUP_FREE char *from = directory_of(path);
	if (from == NULL)
		return no_memory(error);
	enum result result = touch(group, directory, error);
	return result == RESULT_OK ? touch(group, from, error) : result;
}

enum result retire_settle(struct retire_group *group, struct error *error)
{
	enum result result = RESULT_OK;
	for (size_t i = 0; i < group->count; i++) {
		if (result == RESULT_OK)
			result = file_sync_directory(group->directories[i], error);
		free(group->directories[i]);
	}
	free((void *)group->directories);
	*group = (struct retire_group){0};
	return result;
}

/* name, or <delivery>-name cut at its front to what a file name may hold. */
static char *target_name(const struct retire_file *file, bool with_id)
{
	const char *name = file_base_name(file->path);
	if (!with_id)
		return strdup(name);
	char id[ID_TEXT_MAX];
	id_text(id, file->delivery);
	size_t room = NAME_MAX - strlen(id) - 1 - strlen(REASON_SUFFIX);
	size_t length = strlen(name);
	const char *tail = length > room ? name + (length - room) : name;
	char *target;
	return asprintf(&target, "%s-%s", id, tail) < 0 ? NULL : target;
}

/* The rename itself, never over another file, then the check that it was the right one. */
static enum result move_to(const struct retire_file *file, const char *target, struct error *error)
{
	if (renameat2(AT_FDCWD, file->path, AT_FDCWD, target, RENAME_NOREPLACE) != 0) {
		enum result result = errno == EEXIST ? RESULT_END : RESULT_IO;
		bool is_other_disk = errno == EXDEV;
		bool is_denied = errno == EACCES || errno == EPERM;
		error_set_errno(error, result, "'%s': cannot move to '%s'", file->path, target);
		if (is_other_disk)
			error_hint(error, "put both directories on one file system");
		if (is_denied)
			error_hint(error, "the directory that it is in must be writable: chmod g+w");
		return result;
	}
	if (is_the_file(target, &file->identity))
		return RESULT_OK;
	/* Replaced between reading and moving: back with it, unless yet another one has come. */
	if (renameat2(AT_FDCWD, target, AT_FDCWD, file->path, RENAME_NOREPLACE) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': is not the file that was read from '%s'",
		                       target, file->path);
	return error_set(error, RESULT_CHANGED, "'%s': replaced by another file, which stays", file->path);
}

static enum result move_under(const struct retire_file *file, const char *directory, const char *name,
                              struct error *error)
{
	CLEANUP_FREE char *target = file_join(directory, name);
	return target == NULL ? no_memory(error) : move_to(file, target, error);
}

static bool is_gone(const struct retire_file *file)
{
	struct stat status;
	return lstat(file->path, &status) != 0 && errno == ENOENT;
}

enum result retire_move(struct retire_group *group, const struct retire_file *file, const char *directory,
                        struct error *error)
{
	if (is_gone(file))
		return RESULT_OK;
	if (!is_the_file(file->path, &file->identity))
		return error_set(error, RESULT_CHANGED, "'%s': replaced by another file, which stays",
		                 file->path);
	enum result result = touch_both(group, file->path, directory, error);
	if (result != RESULT_OK)
		return result;
	result = RESULT_END;
	for (int with_id = 0; result == RESULT_END && with_id < 2; with_id++) {
		CLEANUP_FREE char *name = target_name(file, with_id);
		result = name == NULL ? no_memory(error) : move_under(file, directory, name, error);
	}
	if (result == RESULT_END)
		return error->result = RESULT_IO;
	return result;
}

enum result retire_to(struct retire_group *group, const struct retire_file *file, const char *path,
                      struct error *error)
{
	if (is_gone(file))
		return RESULT_OK;
	if (!is_the_file(file->path, &file->identity))
		return error_set(error, RESULT_CHANGED, "'%s': replaced by another file, which stays",
		                 file->path);
	CLEANUP_FREE char *directory = directory_of(path);
	if (directory == NULL)
		return no_memory(error);
	enum result result = touch_both(group, file->path, directory, error);
	if (result == RESULT_OK)
		result = move_to(file, path, error);
	return result == RESULT_END ? error->result = RESULT_IO : result;
}

char *retire_find(const struct retire_file *file, const char *directory)
{
	for (int with_id = 0; with_id < 2; with_id++) {
		CLEANUP_FREE char *name = target_name(file, with_id);
		char *path = name != NULL ? file_join(directory, name) : NULL;
		if (path != NULL && is_the_file(path, &file->identity))
			return path;
		free(path);
	}
	return NULL;
}

static enum result write_reason(int fd, const char *path, const char *reason, struct error *error)
{
	enum result result = file_write_all(fd, reason, strlen(reason), path, error);
	if (result == RESULT_OK)
		result = file_write_all(fd, "\n", 1, path, error);
	return result == RESULT_OK ? file_sync(fd, path, error) : result;
}

/* A reason beside no file that begins as this one does: written by an attempt that was cut off before the
 * move. */
static bool is_cut_off(const char *directory, const char *name, const char *path, const char *reason)
{
	CLEANUP_FREE char *target = file_join(directory, name);
	struct stat status;
	if (target == NULL || lstat(target, &status) == 0 || errno != ENOENT)
		return false;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return false;
	size_t length = strlen(reason) + 1;
	CLEANUP_FREE char *found = malloc(length);
	if (found == NULL || (size_t)status.st_size > length || read(fd, found, length) != status.st_size)
		return false;
	size_t shared = (size_t)status.st_size < length ? (size_t)status.st_size : length - 1;
	return memcmp(found, reason, shared) == 0;
}

/* The reason stands before the file moves, so that no rejected file is without one. RESULT_END: the name is
 * taken. */
static enum result reject_as(const struct retire_file *file, const char *directory, bool with_id,
                             const char *reason, struct error *error)
{
	CLEANUP_FREE char *name = target_name(file, with_id);
	CLEANUP_FREE char *path = NULL;
	if (name == NULL || asprintf(&path, "%s/%s%s", directory, name, REASON_SUFFIX) < 0)
		return no_memory(error);
	/* The id is this delivery's alone. */
	bool may_replace = with_id || is_cut_off(directory, name, path, reason);
	CLEANUP_FD int fd =
	    open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (may_replace ? O_TRUNC : O_EXCL), 0640);
	if (fd < 0 && (errno == EEXIST || errno == ENAMETOOLONG) && !with_id)
		return RESULT_END;
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	enum result result = write_reason(fd, path, reason, error);
	/* Not with the group: the move may become durable first. */
	if (result == RESULT_OK)
		result = file_sync_directory(directory, error);
	if (result == RESULT_OK)
		result = move_under(file, directory, name, error);
	if (result != RESULT_OK)
		unlink(path);
	return result;
}

enum result retire_reject(struct retire_group *group, const struct retire_file *file, const char *directory,
                          const char *reason, struct error *error)
{
	if (is_gone(file))
		return RESULT_OK;
	if (!is_the_file(file->path, &file->identity))
		return error_set(error, RESULT_CHANGED, "'%s': replaced by another file, which stays",
		                 file->path);
	enum result result = touch_both(group, file->path, directory, error);
	if (result == RESULT_OK)
		result = reject_as(file, directory, false, reason, error);
	if (result == RESULT_END)
		result = reject_as(file, directory, true, reason, error);
	if (result == RESULT_END)
		return error->result = RESULT_IO;
	return result;
}

bool retire_is_aside(const char *name, struct id *delivery)
{
	size_t length = strlen(name);
	size_t suffix = strlen(ASIDE_SUFFIX);
	char id[ID_TEXT_MAX];
	if (length != 1 + (ID_TEXT_MAX - 1) + suffix || name[0] != '.' ||
	    strcmp(name + length - suffix, ASIDE_SUFFIX) != 0)
		return false;
	memcpy(id, name + 1, ID_TEXT_MAX - 1);
	id[ID_TEXT_MAX - 1] = '\0';
	return id_parse(delivery, id);
}

/* Without one there is nothing to do. */
static enum result remove_aside(const struct retire_file *file, const char *aside, struct error *error)
{
	struct stat status;
	if (lstat(aside, &status) != 0)
		return RESULT_OK;
	if (is_the_file(aside, &file->identity)) {
		if (unlink(aside) != 0)
			return error_set_errno(error, RESULT_IO, "'%s': cannot remove", aside);
	} else if (renameat2(AT_FDCWD, aside, AT_FDCWD, file->path, RENAME_NOREPLACE) != 0) {
		return error_set_errno(error, RESULT_IO, "'%s': is not the file that was read from '%s'",
		                       aside, file->path);
	}
	return RESULT_OK;
}

enum result retire_delete(struct retire_group *group, const struct retire_file *file, struct error *error)
{
	CLEANUP_FREE char *directory = directory_of(file->path);
	char id[ID_TEXT_MAX];
	id_text(id, file->delivery);
	CLEANUP_FREE char *aside = NULL;
	if (directory == NULL || asprintf(&aside, "%s/.%s%s", directory, id, ASIDE_SUFFIX) < 0)
		return no_memory(error);
	enum result result = touch(group, directory, error);
	if (result == RESULT_OK)
		result = remove_aside(file, aside, error);
	if (result != RESULT_OK || is_gone(file))
		return result;
	result = move_to(file, aside, error);
	if (result != RESULT_OK)
		return result == RESULT_END ? error->result = RESULT_IO : result;
	return remove_aside(file, aside, error);
}

enum result retire_expire(const char *directory, int64_t age_ns, int64_t wall_now_ns, struct error *error)
{
	DIR *stream = opendir(directory);
	if (stream == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", directory);
	enum result result = RESULT_OK;
	for (struct dirent *entry; result == RESULT_OK && (entry = readdir(stream)) != NULL;) {
		struct stat status;
		if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		/* The rename into the directory set ctime; mtime is the producer's. */
		if (file_identity_of(&status).ctime_ns > wall_now_ns - age_ns)
			continue;
		if (unlinkat(dirfd(stream), entry->d_name, 0) != 0 && errno != ENOENT)
			result = error_set_errno(error, RESULT_IO, "'%s/%s': cannot remove", directory,
			                         entry->d_name);
	}
	closedir(stream);
	return result;
}
