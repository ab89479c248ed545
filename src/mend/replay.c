// SPDX-License-Identifier: Apache-2.0
#include "mend/replay.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "ingest/dataset.h"
#include "mend/rejects_list.h"

/* A file is written out when this much waits. */
enum { BUFFER_LIMIT = 1 << 20 };

/* The reject file of one delivery, and where each of its members goes. */
struct source {
	const struct replay_options *options;
	struct state_delivery delivery;
	char *path;
	struct state_member *members; /* with rejects, or not */
	size_t count;
	bool is_wanted;

	/* what is being written */
	const struct state_member *member; /* NULL: none */
	int fd;                            /* -1: its file was begun to be read, and must stay as it is */
	char *part;                        /* its name while it is not whole */
	struct buffer waiting;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static bool collect_member(void *context, const struct state_member *member)
{
	struct source *source = context;
	struct state_member *grown = realloc(source->members, (source->count + 1) * sizeof *grown);
	if (grown == NULL)
		return false;
	source->members = grown;
	source->members[source->count++] = *member;
	source->is_wanted |= source->options->dataset != 0 && member->dataset == source->options->dataset;
	return true;
}

static bool is_named(const struct replay_options *options, struct id delivery)
{
	return options->dataset == 0 && id_equal(options->delivery, delivery);
}

/* What the state knows of it; one that is still under way is not wanted. */
static enum result look_up(struct source *source, struct id id, struct error *error)
{
	struct state_error failure = {.result = STATE_NO_MEMORY, .text = "out of memory"};
	struct state_txn *txn = state_txn_begin_read(source->options->state);
	enum state_result found = state_delivery_get(txn, id.bytes, &source->delivery);
	if (found == STATE_OK)
		found = state_delivery_each_member(txn, id.bytes, collect_member, source);
	bool has_failed = found != STATE_OK && found != STATE_NOT_FOUND;
	if (has_failed)
		state_txn_failure(txn, &failure);
	state_txn_abort(txn);
	if (has_failed)
		return dataset_state_error(error, &failure, "cannot look up a delivery");
	source->is_wanted |= is_named(source->options, id);
	source->is_wanted &= found == STATE_OK && source->delivery.status != STATE_STATUS_OPEN;
	return RESULT_OK;
}

/* <delivery>.<member><ending> in the directory of rejects. */
static char *member_path(const struct source *source, const struct state_member *member, const char *ending)
{
	char id[ID_TEXT_MAX];
	char *path;
	struct id delivery;
	memcpy(delivery.bytes, source->delivery.id, sizeof delivery.bytes);
	id_text(id, delivery);
	return asprintf(&path, "%s/%s.%u%s", source->options->rejected, id, member->index, ending) < 0 ? NULL
	                                                                                               : path;
}

static char *replay_path(const struct source *source, const struct state_member *member)
{
	return member_path(source, member, ".replay.csv");
}

static const struct state_member *find_member(const struct source *source, const char *name)
{
	for (size_t i = 0; i < source->count; i++) {
		if (strcmp(source->members[i].name, name) == 0)
			return &source->members[i];
	}
	return NULL;
}

/* How far was this very file read before a replay was cut off? 0: it was not. */
static enum state_status status_of(const struct source *source, const char *path)
{
	struct stat status;
	struct state_delivery delivery;
	if (lstat(path, &status) != 0)
		return 0;
	struct state_txn *txn = state_txn_begin_read(source->options->state);
	bool is_known = state_delivery_of_file(txn, status.st_dev, status.st_ino, &delivery) == STATE_OK;
	state_txn_abort(txn);
	if (!is_known)
		return 0;
	struct file_identity now = file_identity_of(&status);
	struct file_identity then = {delivery.file.device, delivery.file.inode, delivery.file.size,
	                             delivery.file.mtime_ns, delivery.file.ctime_ns};
	return file_identity_equal(&now, &then) ? delivery.status : 0;
}

static enum result write_waiting(struct source *source, struct error *error)
{
	enum result result =
	    file_write_all(source->fd, source->waiting.data, source->waiting.length, source->part, error);
	source->waiting.length = 0;
	return result;
}

/* The file has its name only when it is whole and durable. */
static enum result finish_member(struct source *source, struct error *error)
{
	const struct state_member *member = source->member;
	source->member = NULL;
	if (source->fd < 0)
		return RESULT_OK;
	CLEANUP_FREE char *path = replay_path(source, member);
	enum result result = path == NULL ? no_memory(error) : write_waiting(source, error);
	if (result == RESULT_OK)
		result = file_sync(source->fd, source->part, error);
	if (result == RESULT_OK && rename(source->part, path) != 0)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot rename", source->part);
	close(source->fd);
	source->fd = -1;
	free(source->part);
	source->part = NULL;
	return result == RESULT_OK ? file_sync_directory(source->options->rejected, error) : result;
}

static enum result dataset_name(const struct source *source, uint32_t id, struct state_dataset *dataset,
                                struct error *error)
{
	struct state_txn *txn = state_txn_begin_read(source->options->state);
	enum state_result found = state_dataset_find(txn, id, dataset);
	state_txn_abort(txn);
	if (found == STATE_OK)
		return RESULT_OK;
	return error_set(error, RESULT_INVALID, "'%s': its dataset is not known", source->path);
}

/* What stands before the first record is passed over in this file too. */
static enum result write_preamble(struct source *source, const struct state_member *member,
                                  struct error *error)
{
	const struct replay_options *options = source->options;
	struct state_dataset dataset;
	enum result result = dataset_name(source, member->dataset, &dataset, error);
	if (result != RESULT_OK)
		return result;
	for (uint64_t lines = options->lines_to_skip(options->context, dataset.name); lines > 0; lines--) {
		if (buffer_append(&source->waiting, "\n", 1) != RESULT_OK)
			return no_memory(error);
	}
	return RESULT_OK;
}

static enum result begin_member(struct source *source, const struct state_member *member, struct error *error)
{
	enum result result = finish_member(source, error);
	CLEANUP_FREE char *path = replay_path(source, member);
	if (result != RESULT_OK || path == NULL)
		return path == NULL ? no_memory(error) : result;
	source->member = member;
	enum state_status status = status_of(source, path);
	if (status == STATE_STATUS_OPEN || status == STATE_STATUS_DONE)
		return RESULT_OK;
	source->part = member_path(source, member, ".replay.part");
	if (source->part == NULL)
		return no_memory(error);
	source->fd = open(source->part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (source->fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", source->part);
	return write_preamble(source, member, error);
}

static enum result append_line(struct buffer *out, struct slice line)
{
	if (buffer_append(out, line.data, line.length) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return buffer_append(out, "\n", 1);
}

static enum result write_entry(void *context, const struct rejects_entry *entry, struct error *error)
{
	struct source *source = context;
	const struct state_member *member = find_member(source, entry->member);
	if (member == NULL)
		return error_set(error, RESULT_INVALID, "'%s': names a member '%s' that its delivery lacks",
		                 source->path, entry->member);
	if (member != source->member) {
		enum result result = begin_member(source, member, error);
		if (result != RESULT_OK)
			return result;
		if (source->fd >= 0 && entry->header.length > 0 &&
		    append_line(&source->waiting, entry->header) != RESULT_OK)
			return no_memory(error);
	}
	if (source->fd < 0)
		return RESULT_OK;
	if (append_line(&source->waiting, entry->record) != RESULT_OK)
		return no_memory(error);
	return source->waiting.length < BUFFER_LIMIT ? RESULT_OK : write_waiting(source, error);
}

static enum result write_members(struct source *source, struct error *error)
{
	enum result result = rejects_list_read(source->path, write_entry, source, error);
	return result == RESULT_OK ? finish_member(source, error) : result;
}

static enum result feed_members(struct source *source, struct error *error)
{
	for (size_t i = 0; i < source->count; i++) {
		struct state_dataset dataset;
		CLEANUP_FREE char *path = replay_path(source, &source->members[i]);
		if (path == NULL)
			return no_memory(error);
		/* No file: a member without rejects. */
		if (access(path, F_OK) != 0 || status_of(source, path) == STATE_STATUS_DONE)
			continue;
		enum result result = dataset_name(source, source->members[i].dataset, &dataset, error);
		if (result == RESULT_OK)
			result = source->options->feed(source->options->context, path, dataset.name,
			                               &source->members[i], error);
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

static void remove_replays(const struct source *source)
{
	for (size_t i = 0; i < source->count; i++) {
		CLEANUP_FREE char *path = replay_path(source, &source->members[i]);
		if (path != NULL)
			unlink(path);
	}
}

/* What is replayed is kept, under another name. */
static enum result set_aside(const struct source *source, struct error *error)
{
	static const char old_ending[] = ".rejects.csv";
	CLEANUP_FREE char *path = NULL;
	int stem = (int)(strlen(source->path) - strlen(old_ending));
	if (asprintf(&path, "%.*s.replayed.csv", stem, source->path) < 0)
		return no_memory(error);
	if (rename(source->path, path) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot rename", source->path);
	return file_sync_directory(source->options->rejected, error);
}

static enum result replay(struct source *source, struct error *error)
{
	enum result result = write_members(source, error);
	if (result == RESULT_OK)
		result = feed_members(source, error);
	if (result == RESULT_OK)
		result = set_aside(source, error);
	/* A file that cannot be taken is made anew by the next attempt. */
	if (result == RESULT_OK || result == RESULT_INVALID)
		remove_replays(source);
	return result;
}

struct reject_file {
	struct id delivery;
	int64_t started_ns; /* its delivery */
	char *path;
};

static enum result replay_file(const struct replay_options *options, const struct reject_file *file,
                               size_t *count, struct error *error)
{
	struct source source = {.options = options, .fd = -1, .path = file->path};
	enum result result = look_up(&source, file->delivery, error);
	if (result == RESULT_OK && source.is_wanted) {
		result = replay(&source, error);
		*count += result == RESULT_OK;
	}
	if (source.fd >= 0)
		close(source.fd);
	buffer_free(&source.waiting);
	free(source.part);
	free(source.members);
	return result;
}

static int is_reject_file(const struct dirent *entry)
{
	struct id ignored;
	return rejects_delivery(entry->d_name, &ignored);
}

/* A row of a key counts as it was delivered last. */
static int compare_starts(const void *left, const void *right)
{
	const struct reject_file *a = left;
	const struct reject_file *b = right;
	return (a->started_ns > b->started_ns) - (a->started_ns < b->started_ns);
}

/* What the replay rejects anew is not in this list. Free *files and its paths. */
static enum result list_files(const struct replay_options *options, struct reject_file **files, size_t *count,
                              struct error *error)
{
	struct dirent **entries;
	int found = scandir(options->rejected, &entries, is_reject_file, alphasort);
	if (found < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot read", options->rejected);
	*count = (size_t)found;
	*files = calloc(*count + 1, sizeof **files);
	struct state_txn *txn = state_txn_begin_read(options->state);
	bool is_complete = *files != NULL;
	for (size_t i = 0; i < *count; i++) {
		struct state_delivery delivery;
		struct reject_file file = {.path = file_join(options->rejected, entries[i]->d_name)};
		is_complete &= file.path != NULL;
		if (rejects_delivery(entries[i]->d_name, &file.delivery) &&
		    state_delivery_get(txn, file.delivery.bytes, &delivery) == STATE_OK)
			file.started_ns = delivery.started_ns;
		if (*files != NULL)
			(*files)[i] = file;
		free(entries[i]);
	}
	state_txn_abort(txn);
	free(entries);
	return is_complete ? RESULT_OK : no_memory(error);
}

enum result replay_run(const struct replay_options *options, size_t *count, struct error *error)
{
	struct reject_file *files = NULL;
	size_t found = 0;
	*count = 0;
	enum result result = list_files(options, &files, &found, error);
	if (result == RESULT_OK)
		qsort(files, found, sizeof *files, compare_starts);
	for (size_t i = 0; files != NULL && i < found; i++) {
		if (result == RESULT_OK)
			result = replay_file(options, &files[i], count, error);
		free(files[i].path);
	}
	free(files);
	return result;
}
