// SPDX-License-Identifier: Apache-2.0
#include "cli/upkeep.h"

#include <dirent.h>
#include <sys/statvfs.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
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

/* What a kill left between putting a file aside and removing it; the delivery says what it was. */
static enum result finish_delete(struct state *state, struct id id, struct error *error)
{
	struct state_txn *txn = state_txn_begin_read(state);
	struct state_delivery record;
	bool is_known = state_delivery_get(txn, id.bytes, &record) == STATE_OK;
	state_txn_abort(txn);
	if (!is_known)
		return RESULT_OK;
	struct retire_group group = {0};
	struct retire_file file = {
	    .path = record.path,
	    .identity = {record.file.device, record.file.inode, record.file.size, record.file.mtime_ns,
	                 record.file.ctime_ns},
	    .delivery = id,
	};
	enum result result = retire_delete(&group, &file, error);
	struct error failure;
	return retire_settle(&group, &failure) == RESULT_OK
	           ? result
	           : error_set(error, failure.result, "%s", failure.message);
}

static enum result finish_deletes(struct state *state, const char *directory, bool is_drop,
                                  struct error *error)
{
	DIR *stream = opendir(directory);
	enum result result = RESULT_OK;
	if (stream == NULL)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", directory);
	for (struct dirent *entry; result == RESULT_OK && (entry = readdir(stream)) != NULL;) {
		struct id id;
		CLEANUP_FREE char *path = NULL;
		if (entry->d_type == DT_REG && retire_is_aside(entry->d_name, &id))
			result = finish_delete(state, id, error);
		else if (is_drop && entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
		         (path = file_join(directory, entry->d_name)) != NULL)
			result = finish_deletes(state, path, false, error);
	}
	closedir(stream);
	return result;
}

enum result upkeep_expire(const struct app *app, struct error *error)
{
	const struct config *config = app->config;
	int64_t now = clock_wall_ns();
	enum result result = retire_expire(config->done, config->keep.done_ns, now, error);
	if (result == RESULT_OK)
		result = retire_expire(config->rejected, config->keep.rejected_ns, now, error);
	if (result == RESULT_OK)
		result = finish_deletes(app->state, config->drop, true, error);
	size_t expired = EXPIRE_LIMIT;
	while (result == RESULT_OK && expired == EXPIRE_LIMIT)
		result = forget_some(app->state, now - config->keep.history_ns, &expired, error);
	return result;
}
