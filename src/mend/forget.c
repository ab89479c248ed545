// SPDX-License-Identifier: Apache-2.0
#include "mend/forget.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "ingest/dataset.h"

static enum result commit(struct state_txn *txn, struct error *error)
{
	struct state_error failure;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot forget");
	return RESULT_OK;
}

static void void_caches(struct state_txn *txn, uint32_t id, struct forget_report *report)
{
	struct state_dataset dataset;
	if (id == 0 || state_dataset_find(txn, id, &dataset) != STATE_OK)
		return;
	dataset.cache_epoch++;
	state_dataset_put(txn, &dataset);
	report->dataset_count++;
}

enum result forget_dataset(struct state *state, uint32_t dataset, struct forget_report *report,
                           struct error *error)
{
	struct state_txn *txn = state_txn_begin_write(state);
	void_caches(txn, dataset, report);
	return commit(txn, error);
}

/* Datasets that a delivery's members were read for, each once; an archive feeds few. */
struct fed {
	uint32_t datasets[64];
	size_t count;
};

static bool collect_fed(void *context, const struct state_member *member)
{
	struct fed *fed = context;
	for (size_t i = 0; i < fed->count; i++) {
		if (fed->datasets[i] == member->dataset)
			return true;
	}
	fed->datasets[fed->count++] = member->dataset;
	return fed->count < sizeof fed->datasets / sizeof *fed->datasets;
}

enum result forget_file(struct state *state, const char *path, struct forget_report *report,
                        struct error *error)
{
	struct stat status;
	struct state_delivery delivery;
	struct fed fed = {0};
	if (stat(path, &status) != 0)
		return error_set_errno(error, RESULT_INVALID, "'%s'", path);
	struct state_txn *txn = state_txn_begin_write(state);
	enum state_result found = state_delivery_of_file(txn, status.st_dev, status.st_ino, &delivery);
	if (found == STATE_NOT_FOUND) {
		state_txn_abort(txn);
		return error_set(error, RESULT_INVALID, "'%s': nothing is known of it", path);
	}
	state_delivery_each_member(txn, delivery.id, collect_fed, &fed);
	for (size_t i = 0; i < fed.count; i++)
		void_caches(txn, fed.datasets[i], report);
	if (delivery.status == STATE_STATUS_OPEN) {
		delivery.status = STATE_STATUS_FAILED;
		delivery.finished_ns = clock_wall_ns();
		snprintf(delivery.reason, sizeof delivery.reason, "forgotten before its end");
		state_delivery_put(txn, &delivery);
	}
	state_delivery_forget_file(txn, status.st_dev, status.st_ino);
	return commit(txn, error);
}
