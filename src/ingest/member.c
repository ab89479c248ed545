// SPDX-License-Identifier: Apache-2.0
#include "ingest/member.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/commit.h"
#include "ingest/evolve.h"
#include "ingest/preview.h"
#include "ingest/survey.h"
#include "schema/schema_map.h"

static const int64_t PROGRESS_INTERVAL_NS = 100000000;

/* The member's plain bytes: the head, which was looked at first, then the rest; digested on the way. */
struct stream {
	const struct member_input *input;
	struct buffer head;
	size_t head_used;
};

static void report_progress(const struct member_input *input)
{
	struct ingest *ingest = input->ingest;
	int64_t now = clock_monotonic_ns();
	if (ingest->options.progress == NULL || now < ingest->progress_due_ns)
		return;
	ingest->progress_due_ns = now + PROGRESS_INTERVAL_NS;
	struct ingest_progress progress = {
	    .ticket = input->delivery->ticket,
	    .file = input->delivery->record.path,
	    .position = source_position(input->source),
	    .size = input->delivery->identity.size,
	    .counts = delivery_counts(input->delivery),
	};
	ingest->options.progress(ingest->options.context, &progress);
}

static enum result read_head(struct stream *stream, struct error *error)
{
	if (buffer_reserve(&stream->head, CONTENT_HEAD_SIZE) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	for (;;) {
		size_t count;
		enum result result =
		    source_read(stream->input->source, stream->head.data + stream->head.length,
		                CONTENT_HEAD_SIZE - stream->head.length, &count, error);
		stream->head.length += result == RESULT_OK ? count : 0;
		if (result != RESULT_OK || count == 0 || stream->head.length == CONTENT_HEAD_SIZE)
			return result;
	}
}

static enum result stream_read(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	struct stream *stream = context;
	struct ingest *ingest = stream->input->ingest;
	if (atomic_load(ingest->options.stop))
		return error_set(error, RESULT_STOPPED, "stopped");
	size_t waiting = stream->head.length - stream->head_used;
	if (waiting > 0) {
		*count = waiting < size ? waiting : size;
		memcpy(bytes, stream->head.data + stream->head_used, *count);
		stream->head_used += *count;
	} else {
		enum result result = source_read(stream->input->source, bytes, size, count, error);
		if (result != RESULT_OK)
			return result;
	}
	report_progress(stream->input);
	return content_update(ingest->content, bytes, *count, error);
}

static enum result digest_head(struct stream *stream, struct id *digest, struct error *error)
{
	struct content *content = stream->input->ingest->content;
	content_reset(content);
	enum result result = content_update(content, stream->head.data, stream->head.length, error);
	return result == RESULT_OK ? content_finish(content, digest, error) : result;
}

static struct survey survey_of(const struct member_input *input)
{
	const struct dataset *dataset = input->member->dataset;
	return (struct survey){input->ingest, input->delivery,
	                       input->fd,     input->member->mark.member.index,
	                       dataset,       dataset->options.spec};
}

/* Rows of a member that is recognised whole were all judged when it was read: they are duplicates now. */
static void take_recognised(struct delivery_member *member, const struct state_content *content)
{
	struct state_member *record = &member->mark.member;
	record->counts = (struct state_counts){
	    .rows = content->counts.rows,
	    .duplicate = content->counts.new + content->counts.updated + content->counts.duplicate,
	    .filtered = content->counts.filtered,
	};
	member->records = content->counts.rows;
	record->bytes = content->bytes;
	record->bytes_skipped = content->bytes;
	record->lines = content->lines;
	member->mark.content = *content;
	member->mark.content.seen_ns = clock_wall_ns();
	member->mark.has_content = true;
}

static enum result reject(const struct member_input *input, const struct record *record, const char *column,
                          const char *reason, struct error *error)
{
	struct state_counts *counts = &input->member->mark.member.counts;
	counts->rows++;
	counts->rejected++;
	if (input->ingest->options.dry_run)
		return RESULT_OK;
	const char *name = input->member->mark.member.name;
	const struct buffer *header = &input->member->header;
	bool is_first = counts->rejected == 1;
	struct rejects_row row = {
	    .member = name[0] != '\0' ? name : NULL,
	    .line = record->line,
	    .column = column,
	    .reason = reason,
	    .record = record->raw,
	    .header = is_first ? (struct slice){header->data, header->length} : SLICE(""),
	};
	return rejects_add(input->delivery->rejects, &row, error);
}

/* The row that was appended to the batch's bytes last, from `offset` on. */
static struct slice last_row(const struct batch *batch, size_t offset)
{
	return (struct slice){batch->bytes.data + offset, batch->bytes.length - offset};
}

static void filter(const struct member_input *input, size_t offset)
{
	struct state_counts *counts = &input->member->mark.member.counts;
	input->ingest->batch.bytes.length = offset;
	counts->rows++;
	counts->filtered++;
}

/* What the sink said about this very row when it was in a batch before. */
static const char *find_refusal(const struct member_input *input, struct slice row)
{
	struct refused *refused = &input->ingest->refused;
	const struct dataset *dataset = input->member->dataset;
	if (refused->count == 0)
		return NULL;
	return refused_meet(refused, dataset->record.id, row_digest(row, dataset->row_key));
}

static enum result take_row(const struct member_input *input, struct identity *identity,
                            const struct record *record, size_t offset, struct error *error)
{
	struct batch *batch = &input->ingest->batch;
	struct slice row = last_row(batch, offset);
	struct identity_digests digests;
	const char *column;
	const char *refusal = find_refusal(input, row);
	if (refusal != NULL) {
		batch->bytes.length = offset;
		return reject(input, record, NULL, refusal, error);
	}
	enum result result =
	    identity_digest(identity, row, input->member->dataset->row_key, &digests, &column);
	if (result == RESULT_INVALID) {
		batch->bytes.length = offset;
		return reject(input, record, column, "a column of the key is missing", error);
	}
	if (result != RESULT_OK)
		return error_set(error, result, "out of memory");
	batch_add(batch, offset, &digests, &input->member->mark.member.counts);
	return RESULT_OK;
}

/* A member's records on their way: what its heading makes of them. */
struct reading {
	const struct member_input *input;
	struct delimited *records;
	struct heading heading;
	struct schema_map map;
	struct identity identity;
	bool is_widened; /* this delivery's values had their say */
	struct preview preview;
};

static enum result open_map(struct reading *reading, struct error *error)
{
	struct dataset *dataset = reading->input->member->dataset;
	enum result result = schema_map_header(&reading->map, dataset->schema, &dataset->options.spec,
	                                       reading->heading.fields, reading->heading.count, error);
	reading->identity = identity_of(dataset->schema);
	return result;
}

static void close_map(struct reading *reading)
{
	identity_close(&reading->identity);
	schema_map_free(&reading->map);
}

/* Once in a member. False: the types stay as they are. */
static enum result widen(struct reading *reading, bool *has_changed, struct error *error)
{
	*has_changed = false;
	if (reading->is_widened)
		return RESULT_OK;
	reading->is_widened = true;
	enum result result = evolve_types(reading->input, has_changed, error);
	if (result != RESULT_OK || !*has_changed)
		return result;
	close_map(reading);
	return open_map(reading, error);
}

static enum result take_fields(struct reading *reading, const struct record *record,
                               const struct slice *fields, size_t count, struct error *error)
{
	const struct member_input *input = reading->input;
	struct batch *batch = &input->ingest->batch;
	struct schema_fault fault;
	size_t offset = batch->bytes.length;
	enum result result = schema_map_row(&reading->map, fields, count, &batch->bytes, &fault);
	if (result == RESULT_INVALID && fault.is_widenable) {
		bool has_changed;
		result = widen(reading, &has_changed, error);
		if (result != RESULT_OK)
			return result;
		offset = batch->bytes.length;
		result = schema_map_row(&reading->map, fields, count, &batch->bytes, &fault);
	}
	if (result == RESULT_INVALID)
		return reject(input, record, fault.column, fault.reason, error);
	if (result != RESULT_OK)
		return error_set(error, result, "out of memory");
	if (!schema_map_holds(&reading->map, last_row(batch, offset))) {
		filter(input, offset);
		return RESULT_OK;
	}
	if (input->ingest->options.preview != NULL &&
	    preview_take(&reading->preview, last_row(batch, offset)) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return take_row(input, &reading->identity, record, offset, error);
}

static enum result take_record(struct reading *reading, const struct record *record, struct error *error)
{
	if (record->fault != RECORD_WHOLE)
		return reject(reading->input, record, NULL, record_fault_text(record->fault), error);
	/* In a file of one column a blank line is that column's empty field. */
	struct slice empty = {"", 0};
	bool is_blank = record->field_count == 0;
	if (is_blank && reading->map.field_count > 1)
		return reject(reading->input, record, NULL, "blank line", error);
	return take_fields(reading, record, is_blank ? &empty : record->fields,
	                   is_blank ? 1 : record->field_count, error);
}

/* All of them are rejects now. That becomes durable before others are found, so that a file of nothing but
 * such rows is not read again from its beginning for each batch. */
static enum result leave_refused(struct ingest *ingest, struct error *error)
{
	enum result result = commit_batch(ingest, error);
	if (result == RESULT_OK)
		result = commit_settle(ingest, error);
	if (result == RESULT_OK)
		refused_clear(&ingest->refused);
	return result;
}

static enum result take_next(struct reading *reading, const struct record *record, struct error *error)
{
	struct delivery_member *member = reading->input->member;
	if (record->end <= member->resume_at)
		return RESULT_OK;
	enum result result = take_record(reading, record, error);
	if (result != RESULT_OK)
		return result;
	member->records++;
	member->mark.member.bytes = record->end;
	member->mark.member.lines = record->line;
	member->is_dirty = true;
	struct ingest *ingest = reading->input->ingest;
	if (ingest->refused.count > 0 && ingest->refused.met >= ingest->refused.count)
		return leave_refused(ingest, error);
	return batch_is_full(&ingest->batch) ? commit_batch(ingest, error) : RESULT_OK;
}

static enum result take_records(struct reading *reading, struct error *error)
{
	struct record record;
	enum result result = RESULT_OK;
	if (reading->heading.is_row)
		result = take_next(reading, &reading->heading.first, error);
	while (result == RESULT_OK &&
	       (result = delimited_next(reading->records, &record, error)) == RESULT_OK)
		result = take_next(reading, &record, error);
	return result;
}

/* Makes `dataset` the one that the batch belongs to (E1). */
static enum result make_current(struct ingest *ingest, struct dataset *dataset, struct error *error)
{
	if (ingest->current == dataset)
		return RESULT_OK;
	enum result result = RESULT_OK;
	if (ingest->current != NULL) {
		result = commit_batch(ingest, error);
		if (result == RESULT_OK)
			result = commit_settle(ingest, error);
	}
	ingest->current = dataset;
	return result;
}

/* Behind the heading. */
static enum result take_rows(struct reading *reading, struct error *error)
{
	bool has_rows;
	enum result result = evolve_columns(reading->input, &reading->heading, &has_rows, error);
	if (result != RESULT_OK || !has_rows)
		return result == RESULT_OK ? RESULT_END : result;
	result = open_map(reading, error);
	if (result == RESULT_OK) {
		delimited_expect_fields(reading->records, reading->map.field_count);
		result = take_records(reading, error);
	}
	close_map(reading);
	return result;
}

static enum result take_heading(struct reading *reading, struct error *error)
{
	struct delivery_member *member = reading->input->member;
	const struct schema_spec *spec = &member->dataset->options.spec;
	enum result result = heading_read(&reading->heading, reading->records, spec, error);
	if (result != RESULT_OK)
		return result;
	const struct record *first = &reading->heading.first;
	if (member->resume_at == 0 && !reading->heading.is_row)
		member->mark.member.bytes = first->end;
	if (!reading->heading.is_row &&
	    buffer_append(&member->header, first->raw.data, first->raw.length) != RESULT_OK)
		result = error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (result == RESULT_OK)
		result = take_rows(reading, error);
	if (result == RESULT_END && reading->input->ingest->options.preview != NULL)
		preview_tell(&reading->preview, reading->input, delimited_dialect(reading->records));
	preview_free(&reading->preview);
	heading_free(&reading->heading);
	return result;
}

/* Remembered when the batch that carries its last row is live, unless a row was rejected: those must be kept
 * anew. */
static enum result remember_content(const struct member_input *input, struct error *error)
{
	struct delivery_member *member = input->member;
	struct state_content *content = &member->mark.content;
	struct id whole;
	enum result result = content_finish(input->ingest->content, &whole, error);
	if (result != RESULT_OK)
		return result;
	/* Its counts are only those of the judged rows so far; all that matters of them later is their sum.
	 */
	content->counts = (struct state_counts){
	    .rows = member->records,
	    .duplicate = member->records - member->mark.member.counts.filtered,
	    .filtered = member->mark.member.counts.filtered,
	};
	memcpy(content->whole, whole.bytes, sizeof content->whole);
	memcpy(content->fingerprint, member->dataset->reading.bytes, sizeof content->fingerprint);
	content->cache_epoch = member->dataset->record.cache_epoch;
	content->bytes = member->mark.member.bytes;
	content->lines = member->mark.member.lines;
	content->seen_ns = clock_wall_ns();
	member->mark.has_content = member->mark.member.counts.rejected == 0 && member->records > 0;
	return RESULT_OK;
}

static enum result read_records(struct stream *stream, struct error *error)
{
	const struct member_input *input = stream->input;
	struct record_options limits = engine_record_limits(input->ingest);
	struct reading reading = {.input = input};
	content_reset(input->ingest->content);
	enum result result = delimited_open(&reading.records, &input->member->dataset->options.dialect,
	                                    &limits, stream_read, stream, error);
	if (result != RESULT_OK)
		return result;
	result = take_heading(&reading, error);
	delimited_close(reading.records);
	return result == RESULT_END ? remember_content(input, error) : result;
}

static enum result read_stream(struct stream *stream, struct error *error)
{
	const struct member_input *input = stream->input;
	struct delivery_member *member = input->member;
	enum result result = read_head(stream, error);
	struct id head;
	if (result == RESULT_OK)
		result = digest_head(stream, &head, error);
	if (result != RESULT_OK)
		return result;
	/* A preview looks at what it has seen before, too. */
	bool is_preview = input->ingest->options.preview != NULL;
	if (member->resume_at == 0 && stream->head.length > 0 && !is_preview) {
		struct survey survey = survey_of(input);
		struct state_content known;
		bool found;
		result = survey_recognise(&survey, head, &found, &known, error);
		if (result != RESULT_OK)
			return result;
		if (found) {
			take_recognised(member, &known);
			return RESULT_OK;
		}
	}
	memcpy(member->mark.content.head, head.bytes, sizeof head.bytes);
	return read_records(stream, error);
}

enum result member_read(const struct member_input *input, struct error *error)
{
	int64_t started = clock_monotonic_ns();
	enum result result = make_current(input->ingest, input->member->dataset, error);
	if (result != RESULT_OK)
		return result;
	struct stream stream = {.input = input};
	result = read_stream(&stream, error);
	buffer_free(&stream.head);
	input->member->mark.member.busy_ns += clock_monotonic_ns() - started;
	if (result == RESULT_OK)
		delivery_end_member(input->member, STATE_STATUS_DONE, "");
	return result;
}
