// SPDX-License-Identifier: Apache-2.0
#include "ingest/member.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "ingest/commit.h"
#include "ingest/evolve.h"
#include "ingest/preview.h"
#include "ingest/stream.h"
#include "ingest/survey.h"
#include "ingest/watermark.h"
#include "schema/provenance.h"
#include "schema/schema_map.h"

static enum result digest_head(const struct member_input *input, struct slice head, struct id *digest,
                               struct error *error)
{
	struct content *content = input->ingest->content;
	content_reset(content);
	enum result result = content_update(content, head.data, head.length, error);
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
	if (input->member->is_past)
		return RESULT_OK;
	struct rejects_row row = {
	    .line = record->line, .column = column, .reason = reason, .record = record->raw};
	return delivery_reject(input->delivery, input->member, row, error);
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
	if (input->member->is_past)
		return;
	counts->rows++;
	counts->filtered++;
}

/* What the sink said about this very row when it was in a batch before. */
static const char *find_refusal(const struct member_input *input, struct slice row)
{
	struct refused *refused = &input->ingest->refused;
	const struct dataset *dataset = input->member->dataset;
	/* What is past stands in its bag as it did, whatever is known of equal rows by now. */
	if (refused->count == 0 || input->member->is_past)
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
	enum result result = RESULT_OK;
	bool is_left = identity_is_all(identity); /* to the batch, which digests many rows at once */
	if (!is_left)
		result = identity_digest(identity, row, input->member->dataset->row_key, &digests, &column);
	if (result == RESULT_INVALID) {
		batch->bytes.length = offset;
		return reject(input, record, column, "a column of the key is missing", error);
	}
	if (result != RESULT_OK)
		return error_set(error, result, "out of memory");
	struct batch_row *added =
	    batch_add(batch, offset, is_left ? NULL : &digests, &input->member->mark.member.counts);
	if (added == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	added->is_past = input->member->is_past;
	if (input->member->dataset->options.spec.watermark != NULL)
		added->is_old =
		    watermark_is_old(watermark_column(input->member->dataset), input->member, row);
	struct origin origin = {.delivery = input->delivery, .member = input->member, .line = record->line};
	if (identity->is_keyed && input->member->dataset->options.on_change == BATCH_CHANGE_REJECTED)
		return origins_keep(&input->ingest->origins, batch->count - 1, &origin, record->raw, error);
	return RESULT_OK;
}

/* A member's records on their way: what its heading makes of them. */
struct reading {
	const struct member_input *input;
	struct stream *stream;
	struct delimited *records;
	struct heading heading;
	struct schema_map map;
	struct identity identity;
	struct provenance provenance;
	bool is_widened; /* this delivery's values had their say */
	struct preview preview;
};

static enum result open_map(struct reading *reading, struct error *error)
{
	struct dataset *dataset = reading->input->member->dataset;
	enum result result = schema_map_header(&reading->map, dataset->schema, &dataset->options.spec,
	                                       reading->heading.fields, reading->heading.count, error);
	reading->identity = identity_of(dataset->schema);
	const struct delivery *delivery = reading->input->delivery;
	char id[ID_TEXT_MAX];
	id_text(id, delivery->id);
	provenance_begin(&reading->provenance, &reading->map, id, delivery->record.started_ns);
	return result;
}

static void close_map(struct reading *reading)
{
	identity_close(&reading->identity);
	schema_map_free(&reading->map);
}

/* C3: what decides which rows the bytes of a chunk are, beside the bytes. */
static struct id meaning_of(const struct reading *reading)
{
	const struct dataset *dataset = reading->input->member->dataset;
	const struct dialect *dialect = delimited_dialect(reading->records);
	struct record_options limits = engine_record_limits(reading->input->ingest);
	uint64_t numbers[] = {dataset->schema->version, (unsigned char)dialect->delimiter, limits.max_field,
	                      limits.max_columns, limits.max_lines};
	struct id meaning;
	crypto_generichash_state hash;
	crypto_generichash_init(&hash, NULL, 0, sizeof meaning.bytes);
	crypto_generichash_update(&hash, dataset->reading.bytes, sizeof dataset->reading.bytes);
	crypto_generichash_update(&hash, (const unsigned char *)numbers, sizeof numbers);
	crypto_generichash_update(&hash, (const unsigned char *)dialect->encoding,
	                          strlen(dialect->encoding) + 1);
	for (size_t i = 0; i < reading->heading.count; i++) {
		struct slice field = reading->heading.fields[i];
		uint64_t length = field.length;
		crypto_generichash_update(&hash, (const unsigned char *)&length, sizeof length);
		crypto_generichash_update(&hash, (const unsigned char *)field.data, field.length);
	}
	crypto_generichash_final(&hash, meaning.bytes, sizeof meaning.bytes);
	return meaning;
}

/* Chunks say that a set has their rows. A short member is recognised whole. */
static bool may_have_chunks(const struct member_input *input, const struct stream *stream)
{
	const struct schema_spec *spec = &input->member->dataset->options.spec;
	return input->ingest->options.preview == NULL && spec->key_count == 0 && !spec->keeps_duplicates &&
	       spec->watermark == NULL && !stream_is_short(stream);
}

static enum result begin_chunks(const struct reading *reading, struct error *error)
{
	if (!may_have_chunks(reading->input, reading->stream) || delimited_is_wide(reading->records))
		return RESULT_OK;
	struct record_options options = dialect_record_options(delimited_dialect(reading->records),
	                                                       engine_record_limits(reading->input->ingest));
	struct stream_chunks chunks = {
	    .records = reading->records, .meaning = meaning_of(reading), .quote = options.quote};
	return stream_begin_chunks(reading->stream, &chunks, error);
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
	if (stream_has_chunks(reading->stream)) {
		struct id meaning = meaning_of(reading);
		stream_change_meaning(reading->stream, &meaning);
	}
	return open_map(reading, error);
}

static enum result take_fields(struct reading *reading, const struct record *record,
                               const struct slice *fields, size_t count, struct error *error)
{
	const struct member_input *input = reading->input;
	struct batch *batch = &input->ingest->batch;
	struct schema_fault fault;
	size_t offset = batch->bytes.length;
	provenance_set_line(&reading->provenance, record->line);
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

/* Equal rows need not be found out again, as long as there are not more of them to look through than this. */
enum { SETTLED_MAX = 4096 };

/* All of them are rejects now. That becomes durable before others are found, so that a file of nothing but
 * such rows is not read again from its beginning for each batch. */
static enum result leave_refused(struct ingest *ingest, struct error *error)
{
	enum result result = commit_batch(ingest, error);
	if (result == RESULT_OK)
		result = commit_settle(ingest, error);
	if (result == RESULT_OK)
		refused_settle(&ingest->refused);
	if (result == RESULT_OK && ingest->refused.count > SETTLED_MAX)
		refused_drop_settled(&ingest->refused);
	return result;
}

static enum result flush_if_full(struct ingest *ingest, struct error *error)
{
	bool is_full =
	    batch_is_full(&ingest->batch) || ingest->origins.records.length >= ingest->batch.size.bytes;
	return is_full ? commit_ahead(ingest, error) : RESULT_OK;
}

static enum result count_record(struct reading *reading, const struct record *record, struct error *error)
{
	struct delivery_member *member = reading->input->member;
	struct ingest *ingest = reading->input->ingest;
	member->records++;
	member->mark.member.bytes = record->end;
	member->mark.member.lines = record->line;
	member->is_dirty = true;
	if (refused_are_due(&ingest->refused))
		return leave_refused(ingest, error);
	return flush_if_full(ingest, error);
}

static enum result take_next(struct reading *reading, const struct record *record, struct error *error)
{
	struct delivery_member *member = reading->input->member;
	member->is_past = record->end <= member->resume_at;
	if (member->is_past && !member->dataset->options.spec.keeps_duplicates)
		return RESULT_OK;
	enum result result = take_record(reading, record, error);
	if (result != RESULT_OK)
		return result;
	return member->is_past ? flush_if_full(reading->input->ingest, error)
	                       : count_record(reading, record, error);
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
	ingest->parts = 1;
	return result;
}

/* Behind the heading. */
static enum result take_rows(struct reading *reading, struct error *error)
{
	bool has_rows;
	enum result result = evolve_columns(reading->input, &reading->heading, &has_rows, error);
	if (result != RESULT_OK || !has_rows)
		return result == RESULT_OK ? RESULT_END : result;
	result = watermark_fix(reading->input, error);
	if (result != RESULT_OK)
		return result;
	result = open_map(reading, error);
	if (result == RESULT_OK) {
		delimited_expect_fields(reading->records, reading->map.field_count);
		result = begin_chunks(reading, error);
	}
	if (result == RESULT_OK)
		result = take_records(reading, error);
	if (result == RESULT_END && stream_has_chunks(reading->stream))
		stream_end_chunks(reading->stream);
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
static enum result remember_content(const struct member_input *input, struct stream *stream,
                                    struct error *error)
{
	struct delivery_member *member = input->member;
	struct state_content *content = &member->mark.content;
	if (stream_has_chunks(stream))
		return RESULT_OK; /* it was remembered chunk by chunk */
	struct id whole;
	enum result result = content_finish(input->ingest->content, &whole, error);
	if (result != RESULT_OK)
		return result;
	memcpy(content->whole, whole.bytes, sizeof content->whole);
	memcpy(content->fingerprint, member->dataset->reading.bytes, sizeof content->fingerprint);
	content->cache_epoch = member->dataset->record.cache_epoch;
	content->bytes = member->mark.member.bytes;
	content->lines = member->mark.member.lines;
	content->seen_ns = clock_wall_ns();
	/* What stood in front of the place where it was resumed was judged nobody knows when. */
	bool is_whole = member->resume_at == 0 || member->dataset->options.spec.key_count == 0;
	member->mark.has_content =
	    is_whole && member->mark.member.counts.rejected == 0 && member->records > 0;
	return RESULT_OK;
}

static enum result read_records(const struct member_input *input, struct stream *stream, struct error *error)
{
	struct record_options limits = engine_record_limits(input->ingest);
	struct reading reading = {.input = input, .stream = stream};
	content_reset(input->ingest->content);
	enum result result = delimited_open(&reading.records, &input->member->dataset->options.dialect,
	                                    &limits, stream_read, stream, error);
	if (result != RESULT_OK)
		return result;
	result = take_heading(&reading, error);
	delimited_close(reading.records);
	return result == RESULT_END ? remember_content(input, stream, error) : result;
}

static enum result read_stream(const struct member_input *input, struct stream *stream, struct error *error)
{
	struct delivery_member *member = input->member;
	struct slice first = stream_head(stream);
	struct id head;
	enum result result = digest_head(input, first, &head, error);
	if (result != RESULT_OK)
		return result;
	/* A preview looks at what it has seen before, too. */
	bool is_preview = input->ingest->options.preview != NULL;
	if (member->resume_at == 0 && first.length > 0 && !is_preview && !may_have_chunks(input, stream)) {
		struct survey survey = survey_of(input);
		struct state_content known;
		bool found;
		result = survey_recognise(&survey, head, &found, &known, error);
		/* Rows that came before it may change what it gave. */
		if (result == RESULT_OK && found && member->dataset->options.spec.key_count > 0)
			result = commit_batch(input->ingest, error);
		if (result != RESULT_OK)
			return result;
		if (found && survey_is_in_force(&known, member->dataset)) {
			take_recognised(member, &known);
			return RESULT_OK;
		}
	}
	memcpy(member->mark.content.head, head.bytes, sizeof head.bytes);
	member->mark.content.seq = member->dataset->head.seq;
	return read_records(input, stream, error);
}

static void open_member(const struct member_input *input)
{
	const struct state_counts *counts = &input->member->mark.member.counts;
	if (input->ingest->bag.owner == counts) /* a member that is gone had its place */
		bag_clear(&input->ingest->bag);
	input->ingest->open_member = counts;
}

/* A batch is away only while records are read (P1); at their end the one behind it may as well be judged meanwhile. Its
 * failure came before whatever ended the reading, and may ask for more (I10). */
static enum result collect(struct ingest *ingest, enum result result, struct error *error)
{
	struct error failure;
	bool is_whole = result == RESULT_OK && committer_is_away(&ingest->committer);
	enum result collected = is_whole ? commit_batch(ingest, &failure) : commit_collect(ingest, &failure);
	if (collected == RESULT_OK)
		return result;
	*error = failure;
	return failure.result;
}

enum result member_read(const struct member_input *input, struct error *error)
{
	int64_t started = clock_monotonic_ns();
	struct stream *stream;
	enum result result = make_current(input->ingest, input->member->dataset, error);
	if (result == RESULT_OK)
		result = stream_open(&stream, input, error);
	if (result != RESULT_OK)
		return result;
	open_member(input);
	result = read_stream(input, stream, error);
	input->ingest->open_member = NULL;
	result = collect(input->ingest, result, error);
	stream_close(stream);
	refused_drop_settled(&input->ingest->refused);
	input->member->mark.member.busy_ns += clock_monotonic_ns() - started;
	if (result == RESULT_OK)
		delivery_end_member(input->member, STATE_STATUS_DONE, "");
	return result;
}
