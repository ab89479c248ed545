// SPDX-License-Identifier: Apache-2.0
#include "mend/refeed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "base/id.h"
#include "ingest/dataset.h"

struct found {
	struct state_delivery delivery;
	char *from; /* NULL: it is where it was dropped */
};

struct work {
	const struct refeed_options *options;
	char *whole_drop;
	struct found **found;
	size_t count;
	struct state_txn *txn;
	enum result result;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

struct search {
	uint32_t dataset;
	bool is_found;
};

static bool look_for_dataset(void *context, const struct state_member *member)
{
	struct search *search = context;
	search->is_found |= member->dataset == search->dataset;
	return !search->is_found;
}

/* Done, from the drop directory, with a member of the dataset, and its bytes are still in this file. */
static bool is_wanted(const struct work *work, const struct state_delivery *delivery,
                      const struct stat *status)
{
	struct search search = {.dataset = work->options->dataset};
	struct file_identity now = file_identity_of(status);
	struct file_identity then = {delivery->file.device, delivery->file.inode, delivery->file.size,
	                             delivery->file.mtime_ns, delivery->file.ctime_ns};
	if (!S_ISREG(status->st_mode) || delivery->status != STATE_STATUS_DONE || !delivery->in_drop ||
	    !file_identity_same_content(&now, &then))
		return false;
	return state_delivery_each_member(work->txn, delivery->id, look_for_dataset, &search) == STATE_OK &&
	       search.is_found;
}

static enum result append(struct work *work, const struct state_delivery *delivery, const char *from)
{
	struct found **grown = realloc(work->found, (work->count + 1) * sizeof *grown);
	struct found *found = calloc(1, sizeof *found);
	if (grown != NULL)
		work->found = grown;
	if (grown == NULL || found == NULL || (from != NULL && (found->from = strdup(from)) == NULL)) {
		free(found);
		return RESULT_NO_MEMORY;
	}
	found->delivery = *delivery;
	work->found[work->count++] = found;
	return RESULT_OK;
}

static enum result find_archived(struct work *work, struct error *error)
{
	DIR *stream = opendir(work->options->done);
	if (stream == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", work->options->done);
	enum result result = RESULT_OK;
	for (struct dirent *entry; result == RESULT_OK && (entry = readdir(stream)) != NULL;) {
		struct stat status;
		struct state_delivery delivery;
		if (fstatat(dirfd(stream), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
		    state_delivery_of_file(work->txn, status.st_dev, status.st_ino, &delivery) != STATE_OK ||
		    !is_wanted(work, &delivery, &status))
			continue;
		CLEANUP_FREE char *path = file_join(work->options->done, entry->d_name);
		if (path == NULL || append(work, &delivery, path) != RESULT_OK)
			result = no_memory(error);
	}
	closedir(stream);
	return result;
}

static bool look_whether_kept(void *context, const struct state_delivery *delivery)
{
	struct work *work = context;
	struct state_delivery newest;
	struct stat status;
	if (lstat(delivery->path, &status) == 0 && is_wanted(work, delivery, &status) &&
	    state_delivery_of_file(work->txn, status.st_dev, status.st_ino, &newest) == STATE_OK &&
	    memcmp(newest.id, delivery->id, sizeof newest.id) == 0)
		work->result = append(work, delivery, NULL);
	return work->result == RESULT_OK;
}

static enum result find_kept(struct work *work, struct error *error)
{
	state_delivery_each(work->txn, look_whether_kept, work);
	return work->result == RESULT_OK ? RESULT_OK : no_memory(error);
}

/* In the order in which they were delivered. */
static int compare(const void *left, const void *right)
{
	const struct found *const *a = left;
	const struct found *const *b = right;
	int64_t first = (*a)->delivery.started_ns;
	int64_t second = (*b)->delivery.started_ns;
	return (first > second) - (first < second);
}

/* Behind the drop directory, as it was; just the name for what was dropped somewhere else. */
static const char *inner_path(const struct work *work, const char *path)
{
	size_t length = strlen(work->whole_drop);
	if (strncmp(path, work->whole_drop, length) == 0 && path[length] == '/')
		return path + length + 1;
	return file_base_name(path);
}

static enum result sync_both(const char *from, const char *to, struct error *error)
{
	enum result result = file_sync_directory(to, error);
	return result == RESULT_OK ? file_sync_directory(from, error) : result;
}

/* Back to `path`, or beside it when the name is taken: then *path is another one. */
static enum result move_back(const struct work *work, const struct found *found, char **path,
                             struct error *error)
{
	const char *name = file_base_name(*path);
	CLEANUP_FREE char *directory = strndup(*path, (size_t)(name - *path));
	if (directory == NULL)
		return no_memory(error);
	enum result result = file_make_directory(directory, 0755, error);
	if (result != RESULT_OK)
		return result;
	if (renameat2(AT_FDCWD, found->from, AT_FDCWD, *path, RENAME_NOREPLACE) != 0) {
		char id[ID_TEXT_MAX];
		char *other;
		struct id delivery;
		memcpy(delivery.bytes, found->delivery.id, sizeof delivery.bytes);
		id_text(id, delivery);
		if (asprintf(&other, "%s%s-%s", directory, id, name) < 0)
			return no_memory(error);
		free(*path);
		*path = other;
		if (renameat2(AT_FDCWD, found->from, AT_FDCWD, *path, RENAME_NOREPLACE) != 0)
			return error_set_errno(error, RESULT_IO, "'%s': cannot move to '%s'", found->from,
			                       *path);
	}
	return sync_both(work->options->done, directory, error);
}

static enum result feed(const struct work *work, const struct found *found, struct error *error)
{
	const char *inner = inner_path(work, found->delivery.path);
	CLEANUP_FREE char *path = file_join(work->options->drop, inner);
	const char *slash = strchr(inner, '/');
	CLEANUP_FREE char *subdirectory = slash != NULL ? strndup(inner, (size_t)(slash - inner)) : NULL;
	if (path == NULL || (slash != NULL && subdirectory == NULL))
		return no_memory(error);
	enum result result = found->from != NULL ? move_back(work, found, &path, error) : RESULT_OK;
	if (result == RESULT_OK)
		result = work->options->each(work->options->context, path, subdirectory, error);
	return result;
}

static enum result run(const struct refeed_options *options,
                       enum result (*find)(struct work *work, struct error *error), size_t *count,
                       struct error *error)
{
	struct work work = {.options = options, .whole_drop = realpath(options->drop, NULL)};
	*count = 0;
	if (work.whole_drop == NULL)
		return error_set_errno(error, RESULT_IO, "'%s'", options->drop);
	work.txn = state_txn_begin_read(options->state);
	enum result result = find(&work, error);
	state_txn_abort(work.txn);
	if (work.count > 0)
		qsort(work.found, work.count, sizeof *work.found, compare);
	for (size_t i = 0; i < work.count; i++) {
		if (result == RESULT_OK)
			result = feed(&work, work.found[i], error);
		*count += result == RESULT_OK;
		free(work.found[i]->from);
		free(work.found[i]);
	}
	free(work.found);
	free(work.whole_drop);
	return result;
}

enum result refeed_archived(const struct refeed_options *options, size_t *count, struct error *error)
{
	return run(options, find_archived, count, error);
}

enum result refeed_kept(const struct refeed_options *options, size_t *count, struct error *error)
{
	return run(options, find_kept, count, error);
}
