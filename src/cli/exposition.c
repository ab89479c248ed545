// SPDX-License-Identifier: Apache-2.0
#include "cli/exposition.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"

static uint64_t count_of(const json_t *object, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(object, key));
}

static struct metrics_gauges gauges_of(const json_t *status)
{
	const json_t *worker = json_object_get(status, "worker");
	const json_t *outbox = json_object_get(status, "outbox");
	const json_t *state = json_object_get(status, "state");
	return (struct metrics_gauges){
	    .queue = count_of(worker, "queue"),
	    .oldest_s = json_real_value(json_object_get(worker, "oldest_seconds")),
	    .refused = count_of(worker, "refused"),
	    .is_in_trouble = json_is_string(json_object_get(worker, "trouble")),
	    .outbox = count_of(outbox, "owed"),
	    .outbox_oldest_s = json_real_value(json_object_get(outbox, "oldest_seconds")),
	    .state_used = count_of(state, "used_bytes"),
	    .state_file = count_of(state, "file_bytes"),
	};
}

char *exposition_page(struct metrics *metrics, const json_t *status)
{
	char *page = NULL;
	size_t size;
	FILE *out = open_memstream(&page, &size);
	if (out == NULL)
		return NULL;
	struct metrics_gauges gauges = gauges_of(status);
	metrics_write(metrics, &gauges, out);
	if (fclose(out) != 0) {
		free(page);
		return NULL;
	}
	return page;
}

enum result exposition_write(struct metrics *metrics, const json_t *status, const char *path,
                             struct error *error)
{
	CLEANUP_FREE char *page = exposition_page(metrics, status);
	CLEANUP_FREE char *part = NULL;
	if (page == NULL || asprintf(&part, "%s.tmp", path) < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	CLEANUP_FD int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", part);
	enum result result = file_write_all(fd, page, strlen(page), part, error);
	if (result == RESULT_OK && rename(part, path) != 0)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot replace", path);
	if (result != RESULT_OK)
		unlink(part);
	return result;
}
