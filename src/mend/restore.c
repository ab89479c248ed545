// SPDX-License-Identifier: Apache-2.0
#include "mend/restore.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "ingest/commit.h"
#include "ingest/engine.h"
#include "ingest/recover.h"
#include "ingest/segment.h"

/* One stored batch. */
struct stored {
	char *name;
	uint64_t seq;
	struct id batch_id;
};

struct restore {
	const struct restore_options *options;
	struct restore_report *report;
	struct dataset *dataset;
	char *prefix; /* of the dataset's objects */
	struct stored *batches;
	size_t count;
	size_t capacity;
	bool is_whole;           /* numbered 1, 2, 3 … */
	uint32_t schema_version; /* the newest in the store */
	struct state_counts counts;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* ".../<seq>-<batch_id>.csv.gz" */
static bool parse_name(struct stored *batch, const char *name)
{
	const char *base = file_base_name(name);
	char text[ID_TEXT_MAX];
	char *end;
	batch->seq = strtoull(base, &end, 10);
	if (end == base || *end != '-' || strlen(end + 1) != ID_TEXT_MAX - 1 + strlen(SPOOL_OBJECT) ||
	    strcmp(end + ID_TEXT_MAX, SPOOL_OBJECT) != 0)
		return false;
	memcpy(text, end + 1, ID_TEXT_MAX - 1);
	text[ID_TEXT_MAX - 1] = '\0';
	return id_parse(&batch->batch_id, text);
}

static enum result add_batch(void *context, const struct store_object *object, struct error *error)
{
	struct restore *restore = context;
	struct stored batch;
	if (!parse_name(&batch, object->name))
		return RESULT_OK;
	if (restore->count == restore->capacity) {
		size_t capacity = restore->capacity == 0 ? 256 : 2 * restore->capacity;
		struct stored *grown = realloc(restore->batches, capacity * sizeof *grown);
		if (grown == NULL)
			return no_memory(error);
		restore->batches = grown;
		restore->capacity = capacity;
	}
	batch.name = strdup(object->name);
	if (batch.name == NULL)
		return no_memory(error);
	restore->batches[restore->count++] = batch;
	return RESULT_OK;
}

static enum result add_schema(void *context, const struct store_object *object, struct error *error)
{
	struct restore *restore = context;
	(void)error;
	unsigned long version = strtoul(file_base_name(object->name), NULL, 10);
	if (version > restore->schema_version)
		restore->schema_version = (uint32_t)version;
	return RESULT_OK;
}

static int compare_seqs(const void *left, const void *right)
{
	const struct stored *a = left;
	const struct stored *b = right;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

/* Days first, as the names have it. */
static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct stored *)left)->name, ((const struct stored *)right)->name);
}

/* A number that two batches bear is of two lives of the dataset, which the days tell apart. */
static void sort_batches(struct restore *restore)
{
	bool is_distinct = true;
	qsort(restore->batches, restore->count, sizeof *restore->batches, compare_seqs);
	for (size_t i = 1; i < restore->count; i++)
		is_distinct &= restore->batches[i - 1].seq != restore->batches[i].seq;
	restore->is_whole = is_distinct && restore->count > 0 && restore->batches[0].seq == 1 &&
	                    restore->batches[restore->count - 1].seq == restore->count;
	if (!is_distinct)
		qsort(restore->batches, restore->count, sizeof *restore->batches, compare_names);
}

static enum result list_below(struct restore *restore, const char *kind, store_each *each,
                              struct error *error)
{
	struct store *store = restore->options->store;
	CLEANUP_FREE char *prefix = NULL;
	if (asprintf(&prefix, "%s%s/", restore->prefix, kind) < 0)
		return no_memory(error);
	return store->interface->list(store, prefix, each, restore, error);
}

static enum result look_at_store(struct restore *restore, struct error *error)
{
	enum result result = list_below(restore, "rows", add_batch, error);
	if (result == RESULT_OK)
		result = list_below(restore, "schema", add_schema, error);
	if (result != RESULT_OK)
		return result;
	sort_batches(restore);
	restore->report->batches = restore->count;
	if (restore->count > 0)
		return RESULT_OK;
	return error_set(error, RESULT_END, "the store holds no batch of dataset '%s'",
	                 restore->options->dataset);
}

static enum result write_piece(void *context, const void *bytes, size_t count, struct error *error)
{
	return file_write_all(*(int *)context, bytes, count, "what comes from the store", error);
}

static enum result fetch(const struct restore *restore, const char *name, struct error *error)
{
	struct store *store = restore->options->store;
	const char *path = restore->options->scratch;
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	enum result result = store->interface->get(store, name, write_piece, &fd, error);
	return result == RESULT_END ? error_set(error, RESULT_UNREACHABLE, "'%s' is gone", name) : result;
}

static enum result fetch_schema(const struct restore *restore, struct schema **out, struct error *error)
{
	CLEANUP_FREE char *name = NULL;
	CLEANUP(buffer_free) struct buffer text = {0};
	if (asprintf(&name, "%sschema/%u.json", restore->prefix, restore->schema_version) < 0)
		return no_memory(error);
	enum { SCHEMA_MAX = 64 << 20 };
	enum result result = fetch(restore, name, error);
	if (result == RESULT_OK)
		result = file_read(restore->options->scratch, SCHEMA_MAX, &text, error);
	return result == RESULT_OK ? schema_decode(out, text.data, text.length, error) : result;
}

/* A dataset that the state knows nothing of gets the columns that it had. */
static enum result freeze(struct restore *restore, struct error *error)
{
	struct dataset *dataset = restore->dataset;
	const struct ingest_options *options = &restore->options->engine->options;
	if (dataset->schema->count > 0)
		return dataset_contact(dataset, options->state, options->sink, error);
	if (restore->schema_version == 0)
		return error_set(error, RESULT_INVALID, "the store holds no schema of dataset '%s'",
		                 restore->options->dataset);
	struct schema *schema;
	enum result result = fetch_schema(restore, &schema, error);
	if (result != RESULT_OK)
		return result;
	identity_mark(schema, &dataset->options.spec);
	/* Under the number that it has in the store, so that a later one is known to be later. */
	dataset->record.schema_version = restore->schema_version - 1;
	return dataset_freeze(dataset, schema, options->state, options->sink, error);
}

/* Where to go on: behind the last batch that is there. */
static enum result find_start(struct restore *restore, size_t *start, struct error *error)
{
	const struct state_dataset *record = &restore->dataset->record;
	*start = 0;
	for (size_t i = 0; restore->is_whole && i < restore->count; i++) {
		if (restore->batches[i].seq == record->seq &&
		    memcmp(restore->batches[i].batch_id.bytes, record->batch_id, STATE_ID_SIZE) == 0)
			*start = i + 1;
	}
	restore->report->present = *start;
	if (*start > 0 || record->rows == 0)
		return RESULT_OK;
	error_set(error, RESULT_DISAGREES, "table '%s' holds %llu rows that were not restored into it",
	          record->table, (unsigned long long)record->rows);
	error_hint(error, "a restore fills an empty table: drop it, then run: rowsieve rebuild %s",
	           record->name);
	return RESULT_DISAGREES;
}

static enum result take_rows(struct restore *restore, struct segment_reader *reader, struct error *error)
{
	struct ingest *ingest = restore->options->engine;
	struct batch *batch = &ingest->batch;
	struct identity identity = identity_of(restore->dataset->schema);
	enum result result = RESULT_OK;
	while (result == RESULT_OK) {
		size_t offset = batch->bytes.length;
		struct identity_digests digests;
		const char *column;
		bool is_full = batch_is_full(batch);
		result = segment_next(reader, &batch->bytes, error);
		if (result != RESULT_OK)
			break;
		if (is_full) {
			result = error_set(error, RESULT_CONFIG,
			                   "a stored batch holds more rows than a batch may");
			error_hint(error, "set batch.rows and batch.bytes at least to what they were");
			break;
		}
		struct slice row = {batch->bytes.data + offset, batch->bytes.length - offset};
		result = identity_digest(&identity, row, restore->dataset->row_key, &digests, &column);
		if (result == RESULT_INVALID)
			error_set(error, result, "a stored row has no '%s', which is part of the key",
			          column);
		else if (result != RESULT_OK || batch_add(batch, offset, &digests, &restore->counts) == NULL)
			result = no_memory(error);
	}
	identity_close(&identity);
	return result == RESULT_END ? RESULT_OK : result;
}

static enum result restore_batch(struct restore *restore, const struct stored *stored, struct error *error)
{
	struct ingest *ingest = restore->options->engine;
	const char *path = restore->options->scratch;
	struct segment_reader *reader;
	if (atomic_load(ingest->options.stop))
		return error_set(error, RESULT_STOPPED, "stopped; run it again to go on");
	enum result result = fetch(restore, stored->name, error);
	if (result == RESULT_OK)
		result = segment_open(&reader, path, restore->dataset->schema, error);
	if (result != RESULT_OK)
		return result;
	result = take_rows(restore, reader, error);
	segment_close(reader);
	if (result != RESULT_OK)
		return error_wrap(error, "'%s'", stored->name);
	ingest->current = restore->dataset;
	ingest->given_batch_id = restore->is_whole ? stored->batch_id : (struct id){0};
	return commit_batch(ingest, error);
}

static enum result restore_batches(struct restore *restore, struct error *error)
{
	const struct restore_options *options = restore->options;
	size_t start;
	enum result result = find_start(restore, &start, error);
	for (size_t i = start; result == RESULT_OK && i < restore->count; i++) {
		result = restore_batch(restore, &restore->batches[i], error);
		if (options->progress != NULL)
			options->progress(options->context, i + 1, restore->count, restore->counts.new);
	}
	restore->report->rows = restore->counts.new + restore->counts.updated;
	restore->report->known = restore->counts.duplicate;
	return result == RESULT_OK ? commit_settle(options->engine, error) : result;
}

enum result restore_run(const struct restore_options *options, struct restore_report *report,
                        struct error *error)
{
	struct restore restore = {
	    .options = options, .report = report, .prefix = spool_prefix(options->dataset)};
	*report = (struct restore_report){0};
	if (restore.prefix == NULL)
		return no_memory(error);
	enum result result = look_at_store(&restore, error);
	if (result == RESULT_OK)
		result = recover_connect(options->engine, error);
	if (result == RESULT_OK)
		result = engine_open_dataset(options->engine, options->dataset, &restore.dataset, error);
	/* Whether a change was let through was decided when it was stored. */
	if (result == RESULT_OK)
		restore.dataset->options.on_change = BATCH_CHANGE_UPDATES;
	if (result == RESULT_OK && restore.dataset->options.spec.keeps_duplicates)
		result = error_set(
		    error, RESULT_CONFIG,
		    "dataset '%s' keeps duplicates, which its stored rows alone do not tell: deliver "
		    "its files again",
		    options->dataset);
	if (result == RESULT_OK)
		result = freeze(&restore, error);
	if (result == RESULT_OK)
		result = restore_batches(&restore, error);
	unlink(options->scratch);
	for (size_t i = 0; i < restore.count; i++)
		free(restore.batches[i].name);
	free(restore.batches);
	free(restore.prefix);
	return result;
}
