// SPDX-License-Identifier: Apache-2.0
#include "fetch/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

enum result nursery_open(struct nursery *nursery, const char *drop, const struct handle *handle,
                         struct error *error)
{
	CLEANUP_FREE char *key = handle_key(handle);
	*nursery = (struct nursery){.drop = strdup(drop), .directory = file_join(drop, ".fetch")};
	if (key == NULL || nursery->drop == NULL || nursery->directory == NULL ||
	    asprintf(&nursery->part, "%s/%s.part", nursery->directory, key) < 0) {
		nursery->part = NULL;
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	return file_make_directory(nursery->directory, 0755, error);
}

void nursery_close(struct nursery *nursery)
{
	free(nursery->drop);
	free(nursery->directory);
	free(nursery->part);
	*nursery = (struct nursery){0};
}

enum result nursery_grow(const struct nursery *nursery, bool keeps, int *fd, struct error *error)
{
	int flags = O_RDWR | O_CREAT | O_CLOEXEC | O_APPEND | (keeps ? 0 : O_TRUNC);
	*fd = open(nursery->part, flags, 0644);
	return *fd >= 0 ? RESULT_OK : error_set_errno(error, RESULT_IO, "'%s': cannot open", nursery->part);
}

enum result nursery_look(const struct nursery *nursery, bool *has_part, struct error *error)
{
	*has_part = access(nursery->part, F_OK) == 0;
	if (*has_part || errno == ENOENT)
		return RESULT_OK;
	return error_set_errno(error, RESULT_IO, "'%s'", nursery->part);
}

void nursery_clear(const struct nursery *nursery)
{
	unlink(nursery->part);
}

enum result nursery_settle(const struct nursery *nursery, int fd, struct error *error)
{
	enum result result = file_sync(fd, nursery->part, error);
	if (result != RESULT_OK)
		nursery_clear(nursery); /* what is on disk is unknown, and a second sync would not tell */
	return result == RESULT_OK ? file_sync_directory(nursery->directory, error) : result;
}

enum result nursery_drop(const struct nursery *nursery, const char *name, struct error *error)
{
	CLEANUP_FREE char *path = file_join(nursery->drop, name);
	if (path == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (renameat2(AT_FDCWD, nursery->part, AT_FDCWD, path, RENAME_NOREPLACE) != 0) {
		if (errno == EEXIST)
			return RESULT_END;
		return error_set_errno(error, RESULT_IO, "'%s': cannot make it '%s'", nursery->part, path);
	}
	return RESULT_OK;
}

enum result nursery_confirm(const struct nursery *nursery, struct error *error)
{
	enum result result = file_sync_directory(nursery->drop, error);
	return result == RESULT_OK ? file_sync_directory(nursery->directory, error) : result;
}
