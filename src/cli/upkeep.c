// SPDX-License-Identifier: Apache-2.0
#include "cli/upkeep.h"

#include <sys/statvfs.h>

#include "base/clock.h"
#include "ingest/retire.h"
#include "state_delivery.h"

/* What is forgotten in one transaction: it must not keep the worker for long. */
enum { EXPIRE_LIMIT = 1000 };

enum result upkeep_check_space(const struct config *config, struct error *error)
{
	struct statvfs status;
	if (statvfs(config->data, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", config->data);
	uint64_t available = (uint64_t)status.f_bavail * status.f_frsize;
	if (available >= config->keep.min_free)
		return RESULT_OK;
	error_set(error, RESULT_NO_SPACE, "'%s': less is free than the %llu MiB of keep.min_free",
	          config->data, (unsigned long long)(config->keep.min_free >> 20));
	error_hint(error, "free some space; files wait in the drop directory");
	return RESULT_NO_SPACE;
}

/* Up to EXPIRE_LIMIT deliveries and contents; *expired is the greater number. */
static enum result forget_some(struct state *state, int64_t before_ns, size_t *expired, struct error *error)
{
	size_t content = 0;
	*expired = 0;
	struct state_txn *txn = state_txn_begin_write(state);
	state_delivery_expire(txn, before_ns, EXPIRE_LIMIT, expired);
	state_delivery_expire_content(txn, before_ns, EXPIRE_LIMIT, &content);
	if (content > *expired)
		*expired = content;
	struct state_error failure;
	if (state_txn_commit(txn, &failure) != STATE_OK)
		return dataset_state_error(error, &failure, "cannot forget old deliveries");
	return RESULT_OK;
}

enum result upkeep_expire(const struct app *app, struct error *error)
{
	const struct config *config = app->config;
	int64_t now = clock_wall_ns();
	enum result result = retire_expire(config->done, config->keep.done_ns, now, error);
	if (result == RESULT_OK)
		result = retire_expire(config->rejected, config->keep.rejected_ns, now, error);
	size_t expired = EXPIRE_LIMIT;
	while (result == RESULT_OK && expired == EXPIRE_LIMIT)
		result = forget_some(app->state, now - config->keep.history_ns, &expired, error);
	return result;
}
