// SPDX-License-Identifier: Apache-2.0
#include "ingest/stock.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "schema/identity.h"
#include "schema/stored.h"
#include "sink/sink.h"

static const int64_t PROGRESS_INTERVAL_NS = 100000000;

/* Digests that go into the state together: a transaction must stay small, and memory within its bound. What a
 * digest takes is itself here, its copy there, and what sorting needs. */
enum { DIGESTS_MAX = 1 << 20, DIGESTS_MIN = 4096, DIGEST_COST = 4 * sizeof(struct state_digest) };

struct taking {
	struct stock *stock;
	const struct stock_options *options;
	struct state_digest *digests;
	struct state_digest *part; /* scratch */
	bool *seen;                /* scratch */
	size_t count;
	size_t capacity;
	struct buffer row;
	struct identity identity;
	int64_t progress_due_ns;
};

static int compare(const void *left, const void *right)
{
	return state_digest_compare(*(const struct state_digest *)left, *(const struct state_digest *)right);
}

/* Adds those whose seen[] is as wanted, and says how many of them were new to the set. */
static enum result add_part(struct taking *taking, bool wanted, uint64_t *added, struct error *error)
{
	struct state_error failure;
	struct state_rebuild *set = taking->stock->set;
	uint64_t before = state_rebuild_rows(set);
	size_t count = 0;
	for (size_t i = 0; i < taking->count; i++) {
		if (taking->seen[i] == wanted)
			taking->part[count++] = taking->digests[i];
	}
	if (state_rebuild_add(set, taking->part, count, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot write the state");
	*added = state_rebuild_rows(set) - before;
	return RESULT_OK;
}

static enum result probe(struct taking *taking, struct error *error)
{
	struct state_error failure = {.result = STATE_NO_MEMORY, .text = "out of memory"};
	struct state_txn *txn = state_txn_begin_read(taking->options->state);
	enum state_result result = state_run_probe(txn, taking->options->dataset->record.id, taking->digests,
	                                           taking->count, taking->seen);
	if (result != STATE_OK)
		state_txn_failure(txn, &failure);
	state_txn_abort(txn);
	return result == STATE_OK ? RESULT_OK : dataset_state_error(error, &failure, "cannot read the state");
}

static enum result flush(struct taking *taking, struct error *error)
{
	uint64_t known = 0;
	uint64_t unknown = 0;
	qsort(taking->digests, taking->count, sizeof *taking->digests, compare);
	enum result result = probe(taking, error);
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
	taking->digests[taking->count++] = (struct state_digest){digests.row.hi, digests.row.lo};
	return taking->count < taking->capacity ? RESULT_OK : flush(taking, error);
}

static enum result allocate(struct taking *taking, struct error *error)
{
	size_t capacity = taking->options->memory / DIGEST_COST;
	taking->capacity = capacity > DIGESTS_MAX ? DIGESTS_MAX : capacity;
	if (taking->capacity < DIGESTS_MIN)
		taking->capacity = DIGESTS_MIN;
	taking->digests = calloc(taking->capacity, sizeof *taking->digests);
	taking->part = calloc(taking->capacity, sizeof *taking->part);
	taking->seen = calloc(taking->capacity, sizeof *taking->seen);
	if (taking->digests == NULL || taking->part == NULL || taking->seen == NULL)
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
