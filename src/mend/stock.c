// SPDX-License-Identifier: Apache-2.0
#include "mend/stock.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "ingest/bag.h"
#include "schema/identity.h"
#include "schema/stored.h"
#include "sink/sink.h"

static const int64_t PROGRESS_INTERVAL_NS = 100000000;

/* Digests that go into the state together: a transaction must stay small, and memory within its bound. */
enum { DIGESTS_MAX = 1 << 20, DIGESTS_MIN = 4096 };

/* What a row takes here; the state takes about as much again. */
enum {
	DIGEST_COST = 2 * (2 * sizeof(struct state_sort_item) + 3 * sizeof(struct state_digest) +
	                   sizeof(struct state_entry) + sizeof(bool))
};

struct taking {
	struct stock *stock;
	const struct stock_options *options;
	struct state_sort_item *items; /* of the rows, or of their keys; scratch for as many behind them */
	struct state_digest *rows;     /* with a key: by tag */
	struct state_digest *digests;  /* of the items, sorted */
	struct state_digest *known;    /* with a key: the row that the seen-set has */
	struct state_entry *part;      /* scratch of what is added */
	bool *seen;
	size_t count;
	size_t capacity;
	struct bag bag; /* the table is one member */
	struct buffer row;
	struct identity identity;
	int64_t progress_due_ns;
};

static enum state_result add_entries(struct taking *taking, bool wanted, struct state_error *failure)
{
	size_t count = 0;
	for (size_t i = 0; i < taking->count; i++) {
		if (taking->seen[i] == wanted)
			taking->part[count++] =
			    (struct state_entry){taking->digests[i], taking->rows[taking->items[i].tag]};
	}
	return state_rebuild_add_entries(taking->stock->set, taking->part, count, failure);
}

static enum state_result add_digests(struct taking *taking, bool wanted, struct state_error *failure)
{
	struct state_digest *part = taking->known; /* without a key it is free */
	size_t count = 0;
	for (size_t i = 0; i < taking->count; i++) {
		if (taking->seen[i] == wanted)
			part[count++] = taking->digests[i];
	}
	return state_rebuild_add(taking->stock->set, part, count, failure);
}

/* Adds those whose seen[] is as wanted, and says how many of them were new to the set. */
static enum result add_part(struct taking *taking, bool wanted, uint64_t *added, struct error *error)
{
	struct state_error failure;
	uint64_t before = state_rebuild_rows(taking->stock->set);
	enum state_result result = taking->identity.is_keyed ? add_entries(taking, wanted, &failure)
	                                                     : add_digests(taking, wanted, &failure);
	if (result != STATE_OK)
		return dataset_state_error(error, &failure, "cannot write the state");
	*added = state_rebuild_rows(taking->stock->set) - before;
	return RESULT_OK;
}

/* Of a key the row must be the same, too. */
static enum state_result look_up(struct taking *taking, struct state_txn *txn)
{
	uint32_t dataset = taking->options->dataset->record.id;
	if (!taking->identity.is_keyed)
		return state_run_probe(txn, dataset, taking->digests, taking->count, taking->seen);
	enum state_result result =
	    state_run_probe_keys(txn, dataset, taking->digests, taking->count, taking->seen, taking->known);
	for (size_t i = 0; result == STATE_OK && i < taking->count; i++) {
		struct state_digest row = taking->rows[taking->items[i].tag];
		taking->seen[i] = taking->seen[i] && state_digest_compare(row, taking->known[i]) == 0;
	}
	return result;
}

static enum result probe(struct taking *taking, struct error *error)
{
	struct state_error failure = {.result = STATE_NO_MEMORY, .text = "out of memory"};
	struct state_txn *txn = state_txn_begin_read(taking->options->state);
	enum state_result result = look_up(taking, txn);
	if (result != STATE_OK)
		state_txn_failure(txn, &failure);
	state_txn_abort(txn);
	return result == STATE_OK ? RESULT_OK : dataset_state_error(error, &failure, "cannot read the state");
}

static enum result sort(struct taking *taking, struct error *error)
{
	struct state_sort_item *scratch = taking->items + taking->capacity;
	enum result result = RESULT_OK;
	if (taking->options->dataset->options.spec.keeps_duplicates)
		result = bag_number_items(&taking->bag, taking->options->state, taking->items, scratch,
		                          taking->count, taking->options->dataset->row_key, error);
	state_sort_items(taking->items, scratch, taking->count);
	for (size_t i = 0; i < taking->count; i++)
		taking->digests[i] = taking->items[i].digest;
	return result;
}

static enum result flush(struct taking *taking, struct error *error)
{
	uint64_t known = 0;
	uint64_t unknown = 0;
	enum result result = sort(taking, error);
	if (result == RESULT_OK)
		result = probe(taking, error);
	if (result == RESULT_OK)
		result = add_part(taking, true, &known, error);
	if (result == RESULT_OK)
		result = add_part(taking, false, &unknown, error);
	taking->stock->known += known;
	taking->count = 0;
	return result;
}

static void report_progress(struct taking *taking)
{
	int64_t now = clock_monotonic_ns();
	if (taking->options->progress == NULL || now < taking->progress_due_ns)
		return;
	taking->progress_due_ns = now + PROGRESS_INTERVAL_NS;
	taking->options->progress(taking->options->context, taking->stock->rows);
}

static enum result leave_out(struct stock *stock, const char *column, const char *reason)
{
	if (stock->unfit++ == 0)
		snprintf(stock->fault, sizeof stock->fault, "column '%s': %s", column, reason);
	return RESULT_OK;
}

static enum result take_row(void *context, const struct slice *cells, struct error *error)
{
	struct taking *taking = context;
	struct stock *stock = taking->stock;
	struct schema_fault fault;
	if (atomic_load(taking->options->stop))
		return error_set(error, RESULT_STOPPED, "stopped");
	taking->row.length = 0;
	enum result result = stored_row(taking->options->schema, cells, &taking->row, &fault);
	if (result == RESULT_NO_MEMORY)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	stock->rows++;
	report_progress(taking);
	if (result == RESULT_INVALID)
		return leave_out(stock, fault.column, fault.reason);
	struct slice row = {taking->row.data, taking->row.length};
	struct identity_digests digests;
	const char *missing;
	result =
	    identity_digest(&taking->identity, row, taking->options->dataset->row_key, &digests, &missing);
	if (result == RESULT_NO_MEMORY)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	if (result == RESULT_INVALID)
		return leave_out(stock, missing, "is missing, and is of the key");
	struct row_digest named = taking->identity.is_keyed ? digests.key : digests.row;
	taking->rows[taking->count] = (struct state_digest){digests.row.hi, digests.row.lo};
	taking->items[taking->count] = (struct state_sort_item){{named.hi, named.lo}, taking->count};
	taking->count++;
	return taking->count < taking->capacity ? RESULT_OK : flush(taking, error);
}

static enum result allocate(struct taking *taking, struct error *error)
{
	size_t capacity = taking->options->memory / DIGEST_COST;
	taking->capacity = capacity > DIGESTS_MAX ? DIGESTS_MAX : capacity;
	if (taking->capacity < DIGESTS_MIN)
		taking->capacity = DIGESTS_MIN;
	taking->items = calloc(taking->capacity, 2 * sizeof *taking->items);
	taking->rows = calloc(taking->capacity, sizeof *taking->rows);
	taking->known = calloc(taking->capacity, sizeof *taking->known);
	taking->digests = calloc(taking->capacity, sizeof *taking->digests);
	taking->part = calloc(taking->capacity, sizeof *taking->part);
	taking->seen = calloc(taking->capacity, sizeof *taking->seen);
	if (taking->items == NULL || taking->rows == NULL || taking->known == NULL ||
	    taking->digests == NULL || taking->part == NULL || taking->seen == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	return RESULT_OK;
}

enum result stock_take(struct stock *stock, const struct stock_options *options, struct error *error)
{
	struct taking taking = {.stock = stock, .options = options, .identity = identity_of(options->schema)};
	struct sink_scan scan = {options->table, options->schema, take_row, &taking};
	struct state_error failure;
	*stock = (struct stock){0};
	enum result result = allocate(&taking, error);
	if (result == RESULT_OK && state_rebuild_begin(&stock->set, options->state, &failure) != STATE_OK)
		result = dataset_state_error(error, &failure, "cannot write the state");
	if (result == RESULT_OK)
		result = options->sink->interface->scan(options->sink, &scan, error);
	if (result == RESULT_OK)
		result = flush(&taking, error);
	identity_close(&taking.identity);
	bag_clear(&taking.bag);
	free(taking.items);
	free(taking.rows);
	free(taking.known);
	free(taking.digests);
	free(taking.part);
	free(taking.seen);
	buffer_free(&taking.row);
	return result;
}

void stock_free(struct stock *stock)
{
	struct state_error ignored;
	state_rebuild_discard(stock->set, &ignored);
	stock->set = NULL;
}
