// SPDX-License-Identifier: Apache-2.0
#include "mend/rebuild.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "mend/stock.h"
#include "schema/stored.h"

/* What both ways of looking at a table need. */
struct work {
	const struct rebuild_options *options;
	struct dataset *dataset;
	struct schema *schema;
	struct sink_presence presence;
	struct sink_ledger ledger;
	struct stock stock;
};

static const struct sink_interface *interface_of(const struct work *work)
{
	return work->options->sink->interface;
}

static const char *table_of(const struct work *work)
{
	return work->options->dataset->table;
}

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result begin(struct work *work, const struct rebuild_options *options, struct error *error)
{
	*work = (struct work){.options = options};
	enum result result = interface_of(work)->connect(options->sink, error);
	if (result == RESULT_OK)
		result = dataset_open(&work->dataset, options->state, options->dataset, error);
	return result;
}

static void end(struct work *work)
{
	stock_free(&work->stock);
	schema_free(work->schema);
	dataset_close(work->dataset);
}

static void on_progress(void *context, uint64_t rows)
{
	const struct work *work = context;
	int64_t expected = work->ledger.rows;
	if (work->options->progress != NULL)
		work->options->progress(work->options->context, rows, expected > 0 ? (uint64_t)expected : 0);
}

static enum result take_stock(struct work *work, struct error *error)
{
	const struct rebuild_options *options = work->options;
	struct stock_options stock = {
	    .state = options->state,
	    .sink = options->sink,
	    .dataset = work->dataset,
	    .table = table_of(work),
	    .schema = work->schema,
	    .memory = options->memory,
	    .stop = options->stop,
	    .progress = on_progress,
	    .context = work,
	};
	return stock_take(&work->stock, &stock, error);
}

/* Which columns of a table made by others hold a datetime that is not midnight. */
struct moments {
	const struct schema *schema;
	bool *has_time;
	bool *has_value;
};

static enum result look_at_moments(void *context, const struct slice *cells, struct error *error)
{
	struct moments *moments = context;
	(void)error;
	for (size_t i = 0; i < moments->schema->count; i++) {
		if (moments->schema->columns[i].type.kind != TYPE_DATETIME || cells[i].data == NULL)
			continue;
		moments->has_value[i] = true;
		moments->has_time[i] |= !stored_is_midnight(cells[i]);
	}
	return RESULT_OK;
}

/* pandas makes every date column DATETIME; that what it holds are dates shows in the values. */
static enum result narrow_moments(struct work *work, struct error *error)
{
	struct schema *schema = work->schema;
	CLEANUP_FREE bool *has_time = calloc(schema->count + 1, sizeof *has_time);
	CLEANUP_FREE bool *has_value = calloc(schema->count + 1, sizeof *has_value);
	if (has_time == NULL || has_value == NULL)
		return no_memory(error);
	struct moments moments = {schema, has_time, has_value};
	struct sink_scan scan = {table_of(work), schema, look_at_moments, &moments};
	enum result result = interface_of(work)->scan(work->options->sink, &scan, error);
	for (size_t i = 0; result == RESULT_OK && i < schema->count; i++) {
		if (has_value[i] && !has_time[i])
			schema->columns[i].type = (struct type){.kind = TYPE_DATE};
	}
	return result;
}

/* What the state has frozen stays; a table that it knows nothing of says itself what it holds. */
static enum result choose_schema(struct work *work, struct error *error)
{
	struct sink *sink = work->options->sink;
	enum result result = RESULT_OK;
	if (work->dataset->schema->count > 0) {
		work->schema = schema_copy(work->dataset->schema);
		if (work->schema == NULL)
			return no_memory(error);
		result = work->presence.has_table
		             ? interface_of(work)->add_columns(sink, table_of(work), work->schema, error)
		             : RESULT_OK;
	} else if (work->presence.has_table) {
		result = interface_of(work)->describe(sink, table_of(work), &work->schema, error);
		if (result == RESULT_OK && !work->presence.has_head)
			result = narrow_moments(work, error);
	} else {
		result = error_set(error, RESULT_CONFIG,
		                   "dataset '%s': there is no table '%s', nor anything known of its columns",
		                   work->options->dataset->name, table_of(work));
	}
	if (result == RESULT_OK && stored_declare(work->schema, &work->options->dataset->spec) != RESULT_OK)
		return no_memory(error);
	return result;
}

static enum result fence(struct work *work, struct error *error)
{
	return interface_of(work)->fence(work->options->sink, table_of(work), &work->presence, error);
}

/* A table that was dropped, or that is to be filled somewhere else, is made again, empty. */
static enum result make_table(struct work *work, struct error *error)
{
	struct sink_head head =
	    work->presence.has_head ? work->presence.head : dataset_head(work->dataset, work->options->state);
	enum result result =
	    interface_of(work)->create(work->options->sink, table_of(work), work->schema, &head, error);
	return result == RESULT_OK ? fence(work, error) : result;
}

/* Step 1, and whatever step 2 needs. */
static enum result prepare(struct work *work, struct rebuild_report *report, struct error *error)
{
	enum result result = fence(work, error);
	if (result == RESULT_OK)
		result = choose_schema(work, error);
	report->is_new_table = !work->presence.has_table;
	if (result == RESULT_OK && !work->presence.has_table)
		result = make_table(work, error);
	if (result == RESULT_OK)
		result =
		    interface_of(work)->ledger(work->options->sink, table_of(work), &work->ledger, error);
	return result;
}

/* Step 3. */
static enum result adopt(struct work *work, struct sink_head *head, struct error *error)
{
	const struct sink_presence *presence = &work->presence;
	*head = dataset_head(work->dataset, work->options->state);
	head->sink_id = id_random();
	head->epoch = presence->has_head ? presence->head.epoch + 1 : 1;
	head->seq = presence->has_head ? presence->head.seq : 0;
	if (head->seq < work->ledger.last_seq)
		head->seq = work->ledger.last_seq;
	head->seq++;
	head->batch_id = id_random();
	struct sink_adoption adoption = {
	    .table = table_of(work),
	    .before = presence->has_head ? &presence->head : NULL,
	    .after = head,
	    .row_change = (int64_t)work->stock.rows - work->ledger.rows,
	};
	enum result result = interface_of(work)->adopt(work->options->sink, &adoption, error);
	if (result == RESULT_DISAGREES)
		error_hint(error, "another rowsieve feeds this table: stop it, then run the rebuild again");
	else if (result != RESULT_OK)
		error_hint(error, "run the rebuild again");
	return result;
}

/* Step 4. */
static enum result install(struct work *work, const struct sink_head *head, struct error *error)
{
	struct state_dataset record = work->dataset->record;
	struct buffer encoded = {0};
	work->schema->version = record.schema_version + 1;
	if (schema_encode(work->schema, &encoded) != RESULT_OK) {
		buffer_free(&encoded);
		return no_memory(error);
	}
	snprintf(record.table, sizeof record.table, "%s", table_of(work));
	snprintf(record.sink_kind, sizeof record.sink_kind, "%s", interface_of(work)->kind);
	memcpy(record.sink_id, head->sink_id.bytes, sizeof record.sink_id);
	memcpy(record.fingerprint, head->fingerprint.bytes, sizeof record.fingerprint);
	memcpy(record.batch_id, head->batch_id.bytes, sizeof record.batch_id);
	record.seq = head->seq;
	record.watermark = (struct state_watermark){0}; /* the next member looks at the table */
	record.schema_version = work->schema->version;
	struct state_error failure;
	struct state_txn *txn = state_txn_begin_write(work->options->state);
	state_rebuild_install(work->stock.set, txn, &record);
	state_dataset_put_schema(txn, record.id, record.schema_version, encoded.data, encoded.length);
	enum result result = RESULT_OK;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		result = dataset_state_error(error, &failure, "cannot install the rebuilt seen-set");
	buffer_free(&encoded);
	return result;
}

enum result rebuild_run(const struct rebuild_options *options, struct rebuild_report *report,
                        struct error *error)
{
	struct work work;
	struct sink_head head;
	*report = (struct rebuild_report){0};
	enum result result = begin(&work, options, error);
	if (result == RESULT_OK)
		result = prepare(&work, report, error);
	if (result == RESULT_OK)
		result = take_stock(&work, error);
	if (result == RESULT_OK)
		result = adopt(&work, &head, error);
	if (result == RESULT_OK)
		result = install(&work, &head, error);
	if (result == RESULT_OK) {
		report->rows = work.stock.rows;
		report->distinct = state_rebuild_rows(work.stock.set);
		report->unfit = work.stock.unfit;
		memcpy(report->fault, work.stock.fault, sizeof report->fault);
	}
	end(&work);
	return result;
}

/* What a person must know, as opposed to what keeps us from looking. */
static enum result take_problem(struct verify_report *report, enum result result, const struct error *error)
{
	if (result != RESULT_DISAGREES && result != RESULT_CONFIG)
		return result;
	if (report->problem[0] == '\0')
		snprintf(report->problem, sizeof report->problem, "%s", error->message);
	return RESULT_OK;
}

static enum result compare(struct work *work, struct error *error)
{
	struct sink *sink = work->options->sink;
	enum result result = interface_of(work)->inspect(sink, table_of(work), &work->presence, error);
	if (result == RESULT_OK)
		result = interface_of(work)->ledger(sink, table_of(work), &work->ledger, error);
	if (result != RESULT_OK || !work->presence.has_table)
		return result;
	if (work->dataset->schema->count == 0)
		return error_set(error, RESULT_DISAGREES,
		                 "table '%s' exists and this state knows nothing of its rows",
		                 table_of(work));
	work->schema = schema_copy(work->dataset->schema);
	return work->schema == NULL ? no_memory(error) : take_stock(work, error);
}

static void sum_up(const struct work *work, struct verify_report *report)
{
	report->rows = work->stock.rows;
	report->distinct = work->stock.set != NULL ? state_rebuild_rows(work->stock.set) : 0;
	report->unfit = work->stock.unfit;
	report->unknown = report->distinct - work->stock.known;
	report->seen = work->dataset->record.rows;
	report->missing = report->seen - work->stock.known;
	report->batches = work->ledger.batches;
	report->ledger_rows = work->ledger.rows;
	report->agrees = report->problem[0] == '\0' && report->unknown == 0 && report->missing == 0 &&
	                 report->ledger_rows == (int64_t)report->rows;
}

enum result rebuild_verify(const struct rebuild_options *options, struct verify_report *report,
                           struct error *error)
{
	struct work work;
	*report = (struct verify_report){0};
	enum result result = begin(&work, options, error);
	if (result == RESULT_OK) {
		result = dataset_contact(work.dataset, options->state, options->sink, error);
		result = take_problem(report, result, error);
	}
	if (result == RESULT_OK) {
		result = compare(&work, error);
		result = take_problem(report, result, error);
	}
	if (result == RESULT_OK)
		sum_up(&work, report);
	end(&work);
	return result;
}
