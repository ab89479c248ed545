// SPDX-License-Identifier: Apache-2.0
#include "ingest/recover.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"

struct names {
	char (*names)[STATE_NAME_MAX + 1];
	size_t count;
	bool is_out_of_memory;
};

static bool collect_name(void *context, const struct state_dataset *dataset)
{
	struct names *names = context;
	void *grown = realloc(names->names, (names->count + 1) * sizeof *names->names);
	if (grown == NULL) {
		names->is_out_of_memory = true;
		return false;
	}
	names->names = grown;
	memcpy(names->names[names->count++], dataset->name, sizeof dataset->name);
	return true;
}

/* Every dataset that the state knows; free names->names. */
static enum result list_names(struct ingest *ingest, struct names *names, struct error *error)
{
	*names = (struct names){0};
	struct state_txn *txn = state_txn_begin_read(ingest->options.state);
	state_dataset_each(txn, collect_name, names);
	struct state_error failure;
	enum result result = RESULT_OK;
	if (names->is_out_of_memory)
		result = error_set(error, RESULT_NO_MEMORY, "out of memory");
	else if (state_txn_failure(txn, &failure) != STATE_OK)
		result = dataset_state_error(error, &failure, "cannot read the state");
	state_txn_abort(txn);
	if (result != RESULT_OK) {
		free(names->names);
		names->names = NULL;
	}
	return result;
}

bool recover_has_pending(struct ingest *ingest, const struct dataset *dataset)
{
	struct state_txn *txn = state_txn_begin_read(ingest->options.state);
	struct state_pending pending;
	bool is_none = state_batch_pending(txn, dataset->record.id, &pending) == STATE_NOT_FOUND;
	state_txn_abort(txn);
	return !is_none;
}

/* Progress and rejects of a delivery are known only when the batch that carries them is settled. A dataset
 * that cannot be settled says so when its turn comes. */
static enum result settle_pending(struct ingest *ingest, const char *name, struct error *error)
{
	struct dataset *dataset;
	enum result result = engine_open_dataset(ingest, name, &dataset, error);
	if (result == RESULT_OK && recover_has_pending(ingest, dataset))
		result = dataset_contact(dataset, ingest->options.state, ingest->options.sink, error);
	return result == RESULT_DISAGREES || result == RESULT_CONFIG ? RESULT_OK : result;
}

enum result recover_connect(struct ingest *ingest, struct error *error)
{
	if (ingest->is_connected || ingest->options.dry_run)
		return RESULT_OK;
	struct sink *sink = ingest->options.sink;
	struct names names;
	enum result result = list_names(ingest, &names, error);
	if (result != RESULT_OK)
		return result;
	result = sink->interface->connect(sink, error);
	for (size_t i = 0; result == RESULT_OK && i < names.count; i++)
		result = settle_pending(ingest, names.names[i], error);
	free(names.names);
	if (result == RESULT_OK)
		result = spool_sweep(&ingest->options.spool, ingest->options.state, error);
	ingest->is_connected = result == RESULT_OK;
	return result;
}

static enum result recover_dataset(struct ingest *ingest, const char *name, bool is_loud, struct error *error)
{
	struct dataset *dataset;
	enum result result = engine_open_dataset(ingest, name, &dataset, error);
	if (result == RESULT_OK)
		result = dataset_contact(dataset, ingest->options.state, ingest->options.sink, error);
	bool is_stopped = result == RESULT_DISAGREES || result == RESULT_CONFIG;
	if (is_stopped && is_loud)
		log_error(error);
	return is_stopped ? RESULT_OK : result;
}

enum result recover_all(struct ingest *ingest, bool is_loud, struct error *error)
{
	struct names names = {0};
	enum result result = recover_connect(ingest, error);
	if (result == RESULT_OK)
		result = list_names(ingest, &names, error);
	for (size_t i = 0; result == RESULT_OK && i < names.count; i++)
		result = recover_dataset(ingest, names.names[i], is_loud, error);
	free(names.names);
	return result;
}
