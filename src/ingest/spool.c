// SPDX-License-Identifier: Apache-2.0
#include "ingest/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "store/store.h"

enum { COPY_SIZE = 1 << 20 };

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

char *spool_prefix(const char *dataset)
{
	CLEANUP_FREE char *part = store_name_part(dataset);
	char *prefix;
	return part == NULL || asprintf(&prefix, "%s/", part) < 0 ? NULL : prefix;
}

char *spool_path(const char *directory, const uint8_t id[STATE_ID_SIZE], const char *suffix)
{
	struct id name;
	char text[ID_TEXT_MAX];
	char *path;
	memcpy(name.bytes, id, sizeof name.bytes);
	id_text(text, name);
	return asprintf(&path, "%s/%s%s", directory, text, suffix) < 0 ? NULL : path;
}

/* "<dataset>/<kind>/<yyyy>/<mm>/<dd>/" */
static int object_directory(char *out, size_t size, const char *dataset, const char *kind, int64_t made_ns)
{
	CLEANUP_FREE char *prefix = spool_prefix(dataset);
	time_t seconds = (time_t)(made_ns / 1000000000);
	struct tm day;
	if (prefix == NULL || gmtime_r(&seconds, &day) == NULL)
		return -1;
	int length = snprintf(out, size, "%s%s/%04d/%02d/%02d/", prefix, kind, day.tm_year + 1900,
	                      day.tm_mon + 1, day.tm_mday);
	return length < (int)size ? length : -1;
}

int spool_rows_object(char out[STATE_OBJECT_MAX + 1], const char *dataset, const struct state_outbox *batch)
{
	int length = object_directory(out, STATE_OBJECT_MAX + 1, dataset, "rows", batch->made_ns);
	if (length < 0)
		return -1;
	struct id batch_id;
	char text[ID_TEXT_MAX];
	memcpy(batch_id.bytes, batch->subject, sizeof batch_id.bytes);
	id_text(text, batch_id);
	snprintf(out + length, STATE_OBJECT_MAX + 1 - (size_t)length, "%010llu-%s%s",
	         (unsigned long long)batch->seq, text, SPOOL_OBJECT);
	return 0;
}

/* The name that the file came under, as far as an object's name may hold it. */
static int raw_object(char out[STATE_OBJECT_MAX + 1], const char *dataset, const struct delivery *delivery,
                      int64_t made_ns)
{
	int length = object_directory(out, STATE_OBJECT_MAX + 1, dataset, "raw", made_ns);
	if (length < 0)
		return -1;
	char text[ID_TEXT_MAX];
	id_text(text, delivery->id);
	int used = snprintf(out + length, STATE_OBJECT_MAX + 1 - (size_t)length, "%s-", text);
	char *name = out + length + used;
	enum { NAME_BYTES_MAX = 150 };
	snprintf(name, NAME_BYTES_MAX + 1, "%s", file_base_name(delivery->record.path));
	for (; *name != '\0'; name++) {
		bool is_plain = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
		                (*name >= '0' && *name <= '9') || strchr("._-", *name) != NULL;
		*name = is_plain ? *name : '_';
	}
	return 0;
}

enum result spool_open(const struct spool_options *options, struct error *error)
{
	return options->directory == NULL ? RESULT_OK : file_make_directory(options->directory, 0700, error);
}

static enum result copy(int from, int to, uint64_t size, const char *path, struct error *error)
{
	/* Where the file system can, both share their blocks. */
	if (ioctl(to, FICLONE, from) == 0)
		return RESULT_OK;
	CLEANUP_FREE char *piece = malloc(COPY_SIZE);
	if (piece == NULL)
		return no_memory(error);
	for (uint64_t done = 0; done < size;) {
		ssize_t count = pread(from, piece, COPY_SIZE, (off_t)done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, RESULT_IO, "cannot read what is to be kept");
		if (count == 0)
			break; /* it changed: its identity says so */
		enum result result = file_write_all(to, piece, (size_t)count, path, error);
		if (result != RESULT_OK)
			return result;
		done += (uint64_t)count;
	}
	return RESULT_OK;
}

static enum result hold_copy(const char *path, int from, uint64_t size, struct error *error)
{
	CLEANUP_FD int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (to < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	enum result result = copy(from, to, size, path, error);
	return result == RESULT_OK ? file_sync(to, path, error) : result;
}

/* The dataset that the file is stored under: its first member's. NULL: no dataset took any of it. */
static const struct dataset *dataset_of(const struct delivery *delivery)
{
	for (size_t i = 0; i < delivery->member_count; i++) {
		if (delivery->members[i]->dataset != NULL)
			return delivery->members[i]->dataset;
	}
	return NULL;
}

/* One that changed while it was read is not kept: it will come again. */
bool spool_wants_raw(const struct spool_options *options, const struct delivery *delivery)
{
	return options->directory != NULL && options->raw && dataset_of(delivery) != NULL &&
	       delivery->record.status != STATE_STATUS_FAILED;
}

enum result spool_copy(const struct spool_options *options, const struct delivery *delivery, int fd,
                       struct error *error)
{
	if (!spool_wants_raw(options, delivery))
		return RESULT_OK;
	CLEANUP_FREE char *path = spool_path(options->directory, delivery->record.id, SPOOL_RAW);
	if (path == NULL)
		return no_memory(error);
	enum result result = hold_copy(path, fd, delivery->identity.size, error);
	return result == RESULT_OK ? file_sync_directory(options->directory, error) : result;
}

enum result spool_link(const struct spool_options *options, const struct delivery *delivery, const char *path,
                       struct error *error)
{
	CLEANUP_FREE char *held = spool_path(options->directory, delivery->record.id, SPOOL_RAW);
	if (held == NULL)
		return no_memory(error);
	if (link(path, held) == 0 || errno == EEXIST)
		return file_sync_directory(options->directory, error);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	return spool_copy(options, delivery, fd, error);
}

enum result spool_owe(struct state_txn *txn, const struct spool_options *options,
                      const struct delivery *delivery, struct error *error)
{
	const struct dataset *dataset = dataset_of(delivery);
	if (options->directory == NULL || (!options->rows && !options->raw) || dataset == NULL)
		return RESULT_OK;
	struct state_outbox entry = {
	    .kind = STATE_OUTBOX_RAW,
	    .dataset = dataset->record.id,
	    .bytes = delivery->identity.size,
	    .made_ns = delivery->record.finished_ns,
	};
	memcpy(entry.subject, delivery->record.id, sizeof entry.subject);
	if (spool_wants_raw(options, delivery)) {
		if (raw_object(entry.object, dataset->record.name, delivery, entry.made_ns) != 0)
			return error_set(error, RESULT_NO_MEMORY, "out of memory");
		state_outbox_put(txn, &entry, (const uint8_t(*)[STATE_ID_SIZE])&entry.subject, 1);
	}
	entry.kind = STATE_OUTBOX_MANIFEST;
	entry.bytes = 0;
	entry.object[0] = '\0';
	state_outbox_put(txn, &entry, (const uint8_t(*)[STATE_ID_SIZE])&entry.subject, 1);
	return RESULT_OK;
}

/* The ids that name files which must stay. */
struct ids {
	struct id *ids;
	size_t count;
	size_t capacity;
};

static bool add_id(struct ids *ids, const uint8_t id[STATE_ID_SIZE])
{
	if (ids->count == ids->capacity) {
		size_t capacity = ids->capacity == 0 ? 64 : 2 * ids->capacity;
		struct id *grown = realloc(ids->ids, capacity * sizeof *grown);
		if (grown == NULL)
			return false;
		ids->ids = grown;
		ids->capacity = capacity;
	}
	memcpy(ids->ids[ids->count++].bytes, id, STATE_ID_SIZE);
	return true;
}

static enum result collect_owed(struct state *state, struct ids *ids, struct error *error)
{
	struct state_txn *txn = state_txn_begin_read(state);
	struct state_outbox entry = {0};
	struct state_pending pending;
	uint32_t dataset = 0;
	bool is_complete = true;
	while (is_complete && state_batch_next_pending(txn, dataset, &dataset, &pending) == STATE_OK)
		is_complete = add_id(ids, pending.batch_id);
	while (is_complete && state_outbox_next(txn, entry.id, &entry) == STATE_OK)
		is_complete = add_id(ids, entry.subject);
	struct state_error failure;
	enum result result = RESULT_OK;
	if (!is_complete)
		result = no_memory(error);
	else if (state_txn_failure(txn, &failure) != STATE_OK)
		result = dataset_state_error(error, &failure, "cannot read the outbox");
	state_txn_abort(txn);
	return result;
}

static int compare_ids(const void *left, const void *right)
{
	return memcmp(left, right, sizeof(struct id));
}

/* Files of the spool that are named after an id. */
static bool parse_name(const char *name, struct id *id)
{
	char text[ID_TEXT_MAX];
	if (strlen(name) <= ID_TEXT_MAX - 1)
		return false;
	memcpy(text, name, ID_TEXT_MAX - 1);
	text[ID_TEXT_MAX - 1] = '\0';
	const char *suffix = name + ID_TEXT_MAX - 1;
	return id_parse(id, text) && (strcmp(suffix, SPOOL_ROWS) == 0 || strcmp(suffix, SPOOL_OBJECT) == 0 ||
	                              strcmp(suffix, SPOOL_PART) == 0 || strcmp(suffix, SPOOL_RAW) == 0);
}

static enum result sweep_directory(const char *directory, const struct ids *ids, struct error *error)
{
	DIR *stream = opendir(directory);
	if (stream == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", directory);
	enum result result = RESULT_OK;
	for (struct dirent *entry; result == RESULT_OK && (entry = readdir(stream)) != NULL;) {
		struct id id;
		if (!parse_name(entry->d_name, &id) ||
		    bsearch(&id, ids->ids, ids->count, sizeof id, compare_ids) != NULL)
			continue;
		if (unlinkat(dirfd(stream), entry->d_name, 0) != 0 && errno != ENOENT)
			result = error_set_errno(error, RESULT_IO, "'%s/%s': cannot remove", directory,
			                         entry->d_name);
	}
	closedir(stream);
	return result;
}

enum result spool_sweep(const struct spool_options *options, struct state *state, struct error *error)
{
	if (options->directory == NULL || access(options->directory, F_OK) != 0)
		return RESULT_OK;
	struct ids ids = {0};
	enum result result = collect_owed(state, &ids, error);
	if (result == RESULT_OK) {
		if (ids.count > 0)
			qsort(ids.ids, ids.count, sizeof *ids.ids, compare_ids);
		result = sweep_directory(options->directory, &ids, error);
	}
	free(ids.ids);
	return result;
}
