// SPDX-License-Identifier: Apache-2.0
#include "ingest/dataset.h"

#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "schema/identity.h"

/* How long an agreement of state and table is taken for granted between deliveries; every batch checks it
 * anyway. */
static const int64_t CONTACT_INTERVAL_NS = 1000000000;

enum result dataset_state_error(struct error *error, const struct state_error *failure, const char *context)
{
	static const enum result results[] = {
	    [STATE_NOT_FOUND] = RESULT_STATE, [STATE_HELD] = RESULT_HELD,      [STATE_FORMAT] = RESULT_STATE,
	    [STATE_CORRUPT] = RESULT_STATE,   [STATE_NO_SPACE] = RESULT_STATE, [STATE_IO] = RESULT_STATE,
	    [STATE_NO_MEMORY] = RESULT_STATE, [STATE_MISUSE] = RESULT_STATE,
	};
	error_set(error, results[failure->result], "%s: %s", context, failure->text);
	if (failure->result == STATE_NO_SPACE)
		error_hint(error, "free space on the disk that holds the state; nothing was lost");
	return results[failure->result];
}

static enum result commit(struct state_txn *txn, const char *context, struct error *error)
{
	struct state_error failure;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, context);
	return RESULT_OK;
}

static struct id id_from(const uint8_t bytes[STATE_ID_SIZE])
{
	struct id id;
	memcpy(id.bytes, bytes, sizeof id.bytes);
	return id;
}

/* Shows that a head was made under the same secret, without giving the secret away. */
static struct id secret_check(const struct state *state)
{
	static const char label[] = "rowsieve secret check";
	struct id check;
	crypto_generichash(check.bytes, sizeof check.bytes, (const unsigned char *)label, sizeof label,
	                   state_secret(state), STATE_SECRET_SIZE);
	return check;
}

/* Record and schema as the state has them now. A new dataset leaves both as they are. */
static enum result read_record(struct dataset *dataset, struct state_txn *txn, struct error *error)
{
	struct state_dataset record;
	if (state_dataset_get(txn, dataset->options.name, &record) != STATE_OK)
		return RESULT_OK; /* new, or a failure that stuck */
	dataset->record = record;
	if (record.schema_version == 0)
		return RESULT_OK;
	const void *bytes;
	size_t count;
	if (state_dataset_get_schema(txn, record.id, record.schema_version, &bytes, &count) != STATE_OK)
		return error_set(error, RESULT_STATE, "dataset '%s': the state lacks its schema",
		                 record.name);
	struct schema *schema;
	if (schema_decode(&schema, bytes, count, error) != RESULT_OK)
		return error_wrap(error, "dataset '%s'", record.name);
	schema_free(dataset->schema);
	dataset->schema = schema;
	return RESULT_OK;
}

enum result dataset_reload(struct dataset *dataset, struct state *state, struct error *error)
{
	dataset->is_judged = false;
	dataset->promotion_due = false;
	dataset->contacted_ns = 0;
	struct state_txn *txn = state_txn_begin_read(state);
	if (txn == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = read_record(dataset, txn, error);
	struct state_error failure;
	if (result == RESULT_OK && state_txn_failure(txn, &failure) != STATE_OK)
		result = dataset_state_error(error, &failure, "cannot read the state");
	state_txn_abort(txn);
	return result;
}

static void hash_text(crypto_generichash_state *state, const char *text)
{
	/* With its NUL, so that no text runs into the next. */
	crypto_generichash_update(state, (const unsigned char *)text, strlen(text) + 1);
}

/* What a value of a column may look like. The identity says nothing of it where no stored row depends on it. */
static void hash_columns(crypto_generichash_state *state, const struct schema_spec *spec)
{
	for (size_t i = 0; i < spec->count; i++) {
		const struct schema_declared *column = &spec->columns[i];
		char type[TYPE_TEXT_MAX] = "";
		if (column->has_type)
			type_text(type, &column->type);
		hash_text(state, column->source);
		hash_text(state, type);
		for (size_t j = 0; j < column->formats.count; j++)
			hash_text(state, column->formats.formats[j]);
		hash_text(state, "");
	}
}

static struct id reading_fingerprint(const struct dataset_options *options, struct id identity)
{
	const struct dialect *dialect = &options->dialect;
	const struct schema_spec *spec = &options->spec;
	char plain[128];
	snprintf(plain, sizeof plain, "%d %d %d %d %d %llu %d %d %d %d %d", dialect->delimiter,
	         (int)dialect->quote, dialect->escape, dialect->comment, dialect->is_headerless,
	         (unsigned long long)dialect->skip_lines, (int)spec->drift, (int)spec->missing,
	         (int)spec->bad_value, (int)spec->ragged, (int)options->on_change);
	crypto_generichash_state state;
	crypto_generichash_init(&state, NULL, 0, ID_SIZE);
	crypto_generichash_update(&state, identity.bytes, sizeof identity.bytes);
	hash_text(&state, plain);
	hash_text(&state, dialect->encoding != NULL ? dialect->encoding : "");
	hash_text(&state, spec->watermark != NULL ? spec->watermark : "");
	hash_columns(&state, spec);
	for (size_t i = 0; i < spec->where_count; i++)
		hash_text(&state, spec->where[i]);
	struct id reading;
	crypto_generichash_final(&state, reading.bytes, sizeof reading.bytes);
	return reading;
}

enum result dataset_open(struct dataset **out, struct state *state, const struct dataset_options *options,
                         struct error *error)
{
	struct dataset *dataset = calloc(1, sizeof *dataset);
	if (dataset == NULL || (dataset->schema = schema_new()) == NULL) {
		dataset_close(dataset);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	dataset->options = *options;
	strncpy(dataset->record.name, options->name, STATE_NAME_MAX);
	strncpy(dataset->record.table, options->table, STATE_NAME_MAX);
	dataset->options.name = dataset->record.name;
	dataset->fingerprint = identity_fingerprint(&options->spec);
	dataset->reading = reading_fingerprint(options, dataset->fingerprint);
	row_derive_key(dataset->row_key, state_secret(state), dataset->record.name);
	enum result result = dataset_reload(dataset, state, error);
	if (result != RESULT_OK) {
		dataset_close(dataset);
		return result;
	}
	*out = dataset;
	return RESULT_OK;
}

void dataset_close(struct dataset *dataset)
{
	if (dataset == NULL)
		return;
	schema_free(dataset->schema);
	free(dataset);
}

static enum result PRINTF_LIKE(3, 4)
    disagree(struct error *error, const struct dataset *dataset, const char *format, ...)
{
	char text[ERROR_MESSAGE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	error_set(error, RESULT_DISAGREES, "dataset '%s' is stopped: %s", dataset->record.name, text);
	error_hint(error, "settle it with: rowsieve rebuild %s", dataset->record.name);
	return RESULT_DISAGREES;
}

enum result dataset_check_configuration(const struct dataset *dataset, const char *sink_kind,
                                        struct error *error)
{
	const struct state_dataset *record = &dataset->record;
	if (record->sink_kind[0] == '\0')
		return RESULT_OK;
	if (strcmp(record->sink_kind, sink_kind) != 0) {
		disagree(error, dataset, "its rows are in %s, the configuration says %s", record->sink_kind,
		         sink_kind);
		error_hint(error, "to load them there: rowsieve rebuild %s --refeed", record->name);
		return RESULT_DISAGREES;
	}
	if (strcmp(record->table, dataset->options.table) != 0) {
		disagree(error, dataset, "its rows are in table '%s', the configuration says '%s'",
		         record->table, dataset->options.table);
		error_hint(error, "to load them there: rowsieve rebuild %s --refeed", record->name);
		return RESULT_DISAGREES;
	}
	if (!identity_accepts(&dataset->options.spec, id_from(record->fingerprint)))
		return disagree(error, dataset, "this change of its columns makes %llu rows look new",
		                (unsigned long long)record->rows);
	const char *column = schema_disagreement(dataset->schema, &dataset->options.spec);
	if (column != NULL)
		return disagree(error, dataset, "this change of column '%s' makes %llu rows look new", column,
		                (unsigned long long)record->rows);
	return RESULT_OK;
}

/* From now on the identity is what the configuration says, which means the same for what is stored. */
static enum result adopt_fingerprint(struct dataset *dataset, struct state *state, struct error *error)
{
	struct state_dataset record = dataset->record;
	if (memcmp(record.fingerprint, dataset->fingerprint.bytes, sizeof record.fingerprint) == 0)
		return RESULT_OK;
	memcpy(record.fingerprint, dataset->fingerprint.bytes, sizeof record.fingerprint);
	struct state_txn *txn = state_txn_begin_write(state);
	state_dataset_put(txn, &record);
	enum result result = commit(txn, "cannot keep the identity fingerprint", error);
	if (result == RESULT_OK)
		dataset->record = record;
	return result;
}

struct sink_head dataset_head(const struct dataset *dataset, const struct state *state)
{
	struct sink_head head = {
	    .sink_id = id_from(dataset->record.sink_id),
	    .state_id = id_from(state_id(state)),
	    .secret_check = secret_check(state),
	    .fingerprint = dataset->fingerprint,
	};
	memcpy(head.dataset, dataset->record.name, sizeof head.dataset);
	return head;
}

/* What stands in the sink against what the state remembers, before any judgement. */
static enum result check_presence(struct dataset *dataset, struct state *state, struct sink *sink,
                                  struct sink_presence *presence, struct error *error)
{
	const struct state_dataset *record = &dataset->record;
	struct sink_head mine = dataset_head(dataset, state);
	if (!presence->has_head) {
		if (record->seq > 0 || presence->has_rows)
			return disagree(error, dataset, "table '%s' has no head row in rowsieve_head",
			                record->table);
		/* Announced, then cut off before the table was made. */
		enum result result =
		    sink->interface->create(sink, record->table, dataset->schema, &mine, error);
		if (result != RESULT_OK)
			return result;
		presence->has_head = presence->has_table = true;
		presence->head = mine;
		return RESULT_OK;
	}
	if (!id_equal(presence->head.state_id, mine.state_id) ||
	    !id_equal(presence->head.secret_check, mine.secret_check))
		return disagree(error, dataset, "table '%s' is fed by another state", record->table);
	if (!id_equal(presence->head.sink_id, mine.sink_id))
		return disagree(error, dataset,
		                "table '%s' is in another database than the one that was filled",
		                record->table);
	if (!presence->has_table)
		return disagree(error, dataset, "table '%s' is gone", record->table);
	if (!presence->has_rows && record->rows > 0)
		return disagree(error, dataset, "table '%s' is empty, but %llu rows were stored in it",
		                record->table, (unsigned long long)record->rows);
	return RESULT_OK;
}

static bool is_batch(const struct sink_head *head, uint64_t seq, const uint8_t batch_id[STATE_ID_SIZE])
{
	return head->seq == seq && id_equal(head->batch_id, id_from(batch_id));
}

void dataset_promote(const struct dataset *dataset, struct state_txn *txn, struct state_dataset *record)
{
	state_batch_promote(txn, dataset->record.id);
	state_dataset_get(txn, dataset->record.name, record);
}

/* The table has spoken: the pending batch happened, or it did not and never will, or nothing fits. */
static enum result settle_pending(struct dataset *dataset, struct state *state, struct error *error)
{
	const struct sink_head *head = &dataset->head;
	struct state_txn *txn = state_txn_begin_write(state);
	struct state_pending pending;
	bool has_pending = state_batch_pending(txn, dataset->record.id, &pending) == STATE_OK;
	bool is_taken_back = false;
	if (is_batch(head, dataset->record.seq, dataset->record.batch_id)) {
		if (!has_pending) /* or it could not be read, which the commit then says */
			return commit(txn, "cannot look up the pending batch", error);
		state_batch_discard(txn, dataset->record.id);
		is_taken_back = dataset->promotion_due;
	} else if (has_pending && is_batch(head, pending.seq, pending.batch_id)) {
		state_batch_promote(txn, dataset->record.id);
	} else {
		state_txn_abort(txn);
		return disagree(error, dataset, "table '%s' is at batch %llu, the state at batch %llu",
		                dataset->record.table, (unsigned long long)head->seq,
		                (unsigned long long)dataset->record.seq);
	}
	state_dataset_get(txn, dataset->record.name, &dataset->record);
	dataset->promotion_due = false;
	enum result result = commit(txn, "cannot settle the pending batch", error);
	/* Its COMMIT was confirmed and the table has lost it since: what was read on the strength of it falls
	 * too (I3). */
	if (result == RESULT_OK && is_taken_back)
		return error_set(error, RESULT_UNREACHABLE,
		                 "table '%s' fell back behind a batch that it had confirmed",
		                 dataset->record.table);
	return result;
}

static enum result judge(struct dataset *dataset, struct state *state, struct sink *sink, struct error *error)
{
	enum result result =
	    sink->interface->add_columns(sink, dataset->record.table, dataset->schema, error);
	if (result == RESULT_OK)
		result = sink->interface->judge(sink, dataset->record.table, id_from(dataset->record.sink_id),
		                                id_from(state_id(state)), &dataset->head, error);
	if (result == RESULT_OK)
		result = settle_pending(dataset, state, error);
	dataset->is_judged = result == RESULT_OK;
	return result;
}

static bool has_batch(const struct dataset *dataset, struct state *state)
{
	if (dataset->record.seq > 0)
		return true;
	struct state_txn *txn = state_txn_begin_read(state);
	struct state_pending pending;
	bool is_none = state_batch_pending(txn, dataset->record.id, &pending) == STATE_NOT_FOUND;
	state_txn_abort(txn);
	return !is_none;
}

/* A table was announced but never made, and the configuration has changed since: begin anew. */
static enum result forget_announcement(struct dataset *dataset, struct error *error)
{
	struct schema *schema = schema_new();
	if (schema == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	schema_free(dataset->schema);
	dataset->schema = schema;
	dataset->record.sink_kind[0] = '\0';
	return RESULT_OK;
}

enum result dataset_contact(struct dataset *dataset, struct state *state, struct sink *sink,
                            struct error *error)
{
	if (dataset->record.sink_kind[0] == '\0')
		return RESULT_OK;
	int64_t now = clock_monotonic_ns();
	if (dataset->is_judged && now - dataset->contacted_ns < CONTACT_INTERVAL_NS)
		return RESULT_OK;
	struct sink_presence presence;
	struct error change = {0};
	enum result agreed = dataset_check_configuration(dataset, sink->interface->kind, &change);
	enum result result = sink->interface->inspect(sink, dataset->options.table, &presence, error);
	if (result != RESULT_OK)
		return result;
	if (agreed == RESULT_DISAGREES && !presence.has_head && !has_batch(dataset, state))
		return forget_announcement(dataset, error);
	if (agreed != RESULT_OK) {
		*error = change;
		return agreed;
	}
	result = adopt_fingerprint(dataset, state, error);
	if (result == RESULT_OK)
		result = check_presence(dataset, state, sink, &presence, error);
	if (result != RESULT_OK)
		return result;
	if (!dataset->is_judged || presence.head.epoch != dataset->head.epoch ||
	    !is_batch(&presence.head, dataset->head.seq, dataset->head.batch_id.bytes))
		result = judge(dataset, state, sink, error);
	if (result == RESULT_OK)
		dataset->contacted_ns = now;
	return result;
}

/* Before the first table of a dataset: whatever stands under that name must not be somebody else's rows. */
static enum result choose_sink_id(struct dataset *dataset, struct state *state, struct sink *sink,
                                  struct state_dataset *record, struct error *error)
{
	struct sink_presence presence;
	enum result result = sink->interface->inspect(sink, record->table, &presence, error);
	if (result != RESULT_OK)
		return result;
	if (presence.has_rows ||
	    (presence.has_head &&
	     (presence.head.seq > 0 || !id_equal(presence.head.state_id, id_from(state_id(state))))))
		return disagree(error, dataset,
		                "table '%s' exists already and this state knows nothing of its rows",
		                record->table);
	struct id sink_id = presence.has_head ? presence.head.sink_id : id_random();
	memcpy(record->sink_id, sink_id.bytes, sizeof record->sink_id);
	snprintf(record->sink_kind, sizeof record->sink_kind, "%s", sink->interface->kind);
	return RESULT_OK;
}

static enum result announce(struct dataset *dataset, struct state_dataset *record,
                            const struct schema *schema, struct state *state, struct error *error)
{
	struct buffer encoded = {0};
	if (schema_encode(schema, &encoded) != RESULT_OK) {
		buffer_free(&encoded);
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	}
	struct state_txn *txn = state_txn_begin_write(state);
	record->schema_version = schema->version;
	state_dataset_put(txn, record);
	state_dataset_put_schema(txn, record->id, schema->version, encoded.data, encoded.length);
	enum result result = commit(txn, "cannot freeze the schema", error);
	buffer_free(&encoded);
	if (result == RESULT_OK)
		dataset->record = *record;
	return result;
}

enum result dataset_freeze(struct dataset *dataset, struct schema *schema, struct state *state,
                           struct sink *sink, struct error *error)
{
	struct state_dataset record = dataset->record;
	bool is_first = record.sink_kind[0] == '\0';
	enum result result = RESULT_OK;
	if (is_first) {
		snprintf(record.table, sizeof record.table, "%s", dataset->options.table);
		memcpy(record.fingerprint, dataset->fingerprint.bytes, sizeof record.fingerprint);
		record.cache_epoch = 1;
		result = choose_sink_id(dataset, state, sink, &record, error);
	}
	schema->version = record.schema_version + 1;
	if (result == RESULT_OK)
		result = announce(dataset, &record, schema, state, error);
	if (result != RESULT_OK) {
		schema_free(schema);
		return result;
	}
	schema_free(dataset->schema);
	dataset->schema = schema;
	/* What was announced is made true by contact: it creates a table that is missing and adds columns. */
	dataset->is_judged = false;
	return dataset_contact(dataset, state, sink, error);
}
