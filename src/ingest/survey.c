// SPDX-License-Identifier: Apache-2.0
#include "ingest/survey.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/heading.h"
#include "schema/identity.h"
#include "schema/infer.h"

enum { READ_SIZE = 262144 };

/* Through the members from the one in question on. */
struct walk {
	const struct survey *survey;
	struct source *source;
	struct source_member member;
};

static enum result walk_open(struct walk *walk, const struct survey *survey, struct error *error)
{
	*walk = (struct walk){.survey = survey};
	enum result result = source_open(&walk->source, survey->fd, survey->delivery->record.path,
	                                 &survey->ingest->options.limits, error);
	while (result == RESULT_OK) {
		result = source_next(walk->source, &walk->member, error);
		if (result == RESULT_OK && walk->member.index == survey->index)
			return RESULT_OK;
	}
	source_close(walk->source);
	if (result == RESULT_END)
		return error_set(error, RESULT_CHANGED, "'%s' changed while it was read",
		                 survey->delivery->record.path);
	return result;
}

/* The next member of the same dataset; RESULT_END behind the last. */
static enum result walk_next(struct walk *walk, struct error *error)
{
	for (;;) {
		enum result result = source_next(walk->source, &walk->member, error);
		if (result != RESULT_OK)
			return result;
		char name[SCHEMA_NAME_MAX + 1];
		result = engine_dataset_name(walk->survey->ingest, walk->survey->delivery, walk->source,
		                             &walk->member, name, error);
		if (result == RESULT_OK && strcmp(name, walk->survey->dataset->record.name) == 0)
			return RESULT_OK;
		if (result != RESULT_OK && result != RESULT_END)
			return result;
	}
}

static enum result walk_read(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct walk *walk = context;
	if (atomic_load(walk->survey->ingest->options.stop))
		return error_set(error, RESULT_STOPPED, "stopped");
	return source_read(walk->source, bytes, size, count, error);
}

static enum result digest_member(struct walk *walk, struct id *whole, struct error *error)
{
	struct content *content = walk->survey->ingest->content;
	char *bytes = malloc(READ_SIZE);
	if (bytes == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	content_reset(content);
	enum result result;
	size_t count;
	do {
		result = walk_read(walk, bytes, READ_SIZE, &count, error);
		if (result == RESULT_OK)
			result = content_update(content, bytes, count, error);
	} while (result == RESULT_OK && count > 0);
	free(bytes);
	return result == RESULT_OK ? content_finish(content, whole, error) : result;
}

/* The rows of a key may have changed since: what a member gave them counts only until somebody gave others
 * (I9). */
bool survey_is_in_force(const struct state_content *content, const struct dataset *dataset)
{
	return content->seq >= dataset->record.updated_seq && content->seq >= dataset->updated_seq &&
	       content->cache_epoch == dataset->record.cache_epoch &&
	       memcmp(content->fingerprint, dataset->reading.bytes, sizeof content->fingerprint) == 0;
}

enum result survey_recognise(const struct survey *survey, struct id head, bool *found,
                             struct state_content *content, struct error *error)
{
	struct state *state = survey->ingest->options.state;
	uint32_t dataset = survey->dataset->record.id;
	*found = false;
	struct state_txn *txn = state_txn_begin_read(state);
	enum state_result known = state_delivery_has_head(txn, dataset, head.bytes);
	state_txn_abort(txn);
	if (known != STATE_OK)
		return RESULT_OK;

	struct walk walk;
	enum result result = walk_open(&walk, survey, error);
	if (result != RESULT_OK)
		return result;
	struct id whole;
	result = digest_member(&walk, &whole, error);
	source_close(walk.source);
	if (result != RESULT_OK)
		return result;
	txn = state_txn_begin_read(state);
	*found = state_delivery_get_content(txn, dataset, head.bytes, whole.bytes, content) == STATE_OK &&
	         survey_is_in_force(content, survey->dataset);
	state_txn_abort(txn);
	return RESULT_OK;
}

/* Calls each() with a reader that stands behind the heading, for the member in question and those of its
 * dataset behind it. */
typedef enum result walk_fn(void *context, const struct heading *heading, struct delimited *reader,
                            struct error *error);

static enum result walk_member(struct walk *walk, walk_fn *each, void *context, struct error *error)
{
	const struct dataset_options *options = &walk->survey->dataset->options;
	struct record_options limits = engine_record_limits(walk->survey->ingest);
	struct delimited *reader;
	enum result result = delimited_open(&reader, &options->dialect, &limits, walk_read, walk, error);
	if (result != RESULT_OK)
		return result;
	struct heading heading = {0};
	result = heading_read(&heading, reader, &options->spec, error);
	if (result == RESULT_OK)
		result = each(context, &heading, reader, error);
	heading_free(&heading);
	delimited_close(reader);
	return result == RESULT_END ? RESULT_OK : result;
}

/* What is wrong with a member teaches nothing about the others; its own turn will reject it. */
static enum result walk_members(const struct survey *survey, walk_fn *each, void *context,
                                struct error *error)
{
	struct walk walk;
	enum result result = walk_open(&walk, survey, error);
	if (result != RESULT_OK)
		return result;
	do {
		bool is_the_one = walk.member.index == survey->index;
		result = walk_member(&walk, each, context, error);
		if (result != RESULT_OK && (result != RESULT_INVALID || is_the_one))
			break;
		result = walk_next(&walk, error);
		if (result == RESULT_INVALID)
			result = RESULT_END;
	} while (result == RESULT_OK);
	source_close(walk.source);
	return result == RESULT_END ? RESULT_OK : result;
}

struct learning {
	struct schema *schema;
	const struct schema_spec *spec;
	struct infer *infer;
	bool has_rows;
};

/* On a copy first: a header that cannot be taken must leave no columns behind. */
static enum result learn_header(void *context, const struct heading *heading, struct delimited *reader,
                                struct error *error)
{
	struct learning *learning = context;
	size_t added;
	(void)reader;
	struct schema *trial = schema_copy(learning->schema);
	if (trial == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result =
	    schema_extend(trial, learning->spec, heading->fields, heading->count, &added, error);
	if (result == RESULT_OK) {
		struct schema learned = *trial;
		*trial = *learning->schema;
		*learning->schema = learned;
	}
	schema_free(trial);
	return result;
}

static void learn_record(struct learning *learning, const struct schema_map *map, const struct record *record)
{
	learning->has_rows = true;
	if (record->fault == RECORD_WHOLE)
		infer_record(learning->infer, map, record->fields, record->field_count);
}

static enum result learn_values(void *context, const struct heading *heading, struct delimited *reader,
                                struct error *error)
{
	struct learning *learning = context;
	struct schema_map map;
	enum result result =
	    schema_map_header(&map, learning->schema, learning->spec, heading->fields, heading->count, error);
	if (result != RESULT_OK)
		return result;
	delimited_expect_fields(reader, map.field_count);
	if (heading->is_row)
		learn_record(learning, &map, &heading->first);
	struct record record;
	while ((result = delimited_next(reader, &record, error)) == RESULT_OK)
		learn_record(learning, &map, &record);
	schema_map_free(&map);
	return result;
}

enum result survey_infer(const struct survey *survey, struct schema *schema, bool *has_rows,
                         struct error *error)
{
	struct learning learning = {.schema = schema, .spec = &survey->spec};
	size_t known = schema->count;
	enum result result = walk_members(survey, learn_header, &learning, error);
	if (result != RESULT_OK)
		return result;
	learning.infer = infer_new(schema, learning.spec, known);
	if (learning.infer == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	result = walk_members(survey, learn_values, &learning, error);
	if (result == RESULT_OK)
		infer_finish(learning.infer, schema);
	if (result == RESULT_OK)
		identity_mark(schema, learning.spec);
	infer_free(learning.infer);
	*has_rows = learning.has_rows;
	return result;
}

enum result survey_widen(const struct survey *survey, struct schema *schema, bool *has_changed,
                         struct error *error)
{
	struct learning learning = {.schema = schema, .spec = &survey->spec};
	*has_changed = false;
	learning.infer = infer_new_wider(schema, learning.spec);
	if (learning.infer == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = walk_members(survey, learn_values, &learning, error);
	if (result == RESULT_OK)
		*has_changed = infer_finish(learning.infer, schema);
	infer_free(learning.infer);
	return result;
}
