// SPDX-License-Identifier: Apache-2.0
#include "cli/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/answer_rejects.h"
#include "cli/exposition.h"
#include "fetch/logbook.h"
#include "state_outbox.h"
#include "status/freshness.h"
#include "status/history.h"
#include "watch/watch.h"

static json_t *array_of(json_t *object)
{
	json_t *array = json_array();
	if (array != NULL && object != NULL && json_array_append_new(array, object) == 0)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *failure(const char *text)
{
	return array_of(json_pack("{s:s}", "error", text));
}

static json_t *state_failure(struct state_txn *txn)
{
	struct state_error error;
	if (txn == NULL || state_txn_failure(txn, &error) == STATE_OK)
		return failure("out of memory");
	return failure(error.text);
}

/* What is owed to the object store: how much, since when, and why it does not go; JSON null when nothing is
 * kept. */
static json_t *outbox(const struct answer_source *source)
{
	const struct config *config = source->config;
	if (app_spool_options(config).directory == NULL)
		return json_null();
	struct state_outbox_summary summary = {0};
	if (source->state != NULL) {
		struct state_txn *txn = state_txn_begin_read(source->state);
		if (txn != NULL)
			state_outbox_summary(txn, &summary);
		state_txn_abort(txn);
	}
	char since[CLOCK_TEXT_MAX] = "";
	char trouble[ERROR_MESSAGE_MAX];
	if (summary.entries > 0)
		clock_text(since, summary.oldest_ns);
	bool is_in_trouble = uploader_trouble(source->uploader, trouble);
	bool has_s3 = config->s3.bucket != NULL;
	double age_s = summary.entries > 0 ? (double)(clock_wall_ns() - summary.oldest_ns) / 1e9 : 0;
	return json_pack("{s:s, s:s, s:I, s:s?, s:f, s:s?}", "store", has_s3 ? "s3" : "local", "place",
	                 has_s3 ? config->s3.bucket : config->backup.dir, "owed", (json_int_t)summary.entries,
	                 "oldest", since[0] != '\0' ? since : NULL, "oldest_seconds", age_s, "trouble",
	                 is_in_trouble ? trouble : NULL);
}

static json_t *fetches(const struct config *config)
{
	CLEANUP_FREE char *directory = app_logbooks(config);
	return directory != NULL ? logbook_summaries(directory) : NULL;
}

/* Datasets that had no delivery for longer than they may. */
static json_t *overdue(const struct answer_source *source)
{
	const struct config *config = source->config;
	struct freshness_wish *wishes = calloc(config->dataset_count + 1, sizeof *wishes);
	struct state_txn *txn = source->state != NULL ? state_txn_begin_read(source->state) : NULL;
	json_t *overdue = NULL;
	for (size_t i = 0; wishes != NULL && i < config->dataset_count; i++)
		wishes[i] =
		    (struct freshness_wish){config->datasets[i].name, config->datasets[i].stale_after_ns};
	if (wishes != NULL && txn != NULL)
		overdue = freshness_overdue(txn, wishes, config->dataset_count, clock_wall_ns());
	state_txn_abort(txn);
	free(wishes);
	return overdue != NULL ? overdue : json_array();
}

/* What the daemon reads per second of late; JSON null without one. */
static json_t *rates(const struct answer_source *source)
{
	if (source->metrics == NULL)
		return json_null();
	struct metrics_rates rates = metrics_rates(source->metrics);
	return json_pack("{s:f, s:f, s:f}", "rows", rates.rows, "bytes", rates.bytes, "bytes_skipped",
	                 rates.skipped);
}

/* The daemon's last warnings and errors, oldest first. */
static json_t *last_errors(const struct answer_source *source)
{
	struct log_record records[LOG_RECENT_MAX];
	size_t count = source->worker != NULL ? log_recent(records) : 0;
	json_t *errors = json_array();
	for (size_t i = 0; errors != NULL && i < count; i++) {
		char time[CLOCK_TEXT_MAX];
		clock_text(time, records[i].wall_ns);
		json_array_append_new(errors,
		                      json_pack("{s:s, s:s}", "time", time, "message", records[i].line));
	}
	return errors;
}

static json_t *status(const struct answer_source *source)
{
	json_t *datasets = json_array();
	uint64_t used = 0;
	uint64_t file = 0;
	if (source->state != NULL) {
		struct state_txn *txn = state_txn_begin_read(source->state);
		json_decref(datasets);
		datasets = history_datasets(txn);
		json_t *failed = datasets == NULL ? state_failure(txn) : NULL;
		state_txn_abort(txn);
		if (failed != NULL)
			return failed;
		struct state_error error;
		if (state_size(source->state, &used, &file, &error) != STATE_OK) {
			json_decref(datasets);
			return failure(error.text);
		}
	}
	bool is_running = source->worker != NULL;
	return array_of(json_pack(
	    "{s:b, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:I}}", "running", is_running, "pid",
	    is_running ? json_integer(getpid()) : json_null(), "data", source->config->data, "sink",
	    source->config->sink == CONFIG_SINK_SQLITE ? "sqlite" : "mysql", "worker",
	    is_running ? worker_status(source->worker) : json_null(), "datasets", datasets, "outbox",
	    outbox(source), "fetches", fetches(source->config), "overdue", overdue(source), "rates",
	    rates(source), "errors", last_errors(source), "state",
	    "used_bytes", (json_int_t)used, "file_bytes", (json_int_t)file));
}

static json_t *metrics(const struct answer_source *source)
{
	if (source->metrics == NULL)
		return failure("there are figures only while the daemon runs");
	json_t *lines = status(source);
	CLEANUP_FREE char *page = exposition_page(source->metrics, json_array_get(lines, 0));
	json_decref(lines);
	return array_of(json_pack("{s:s}", "metrics", page));
}

static json_t *history(const struct answer_source *source, const char *filter)
{
	if (source->state == NULL)
		return json_array();
	struct state_txn *txn = state_txn_begin_read(source->state);
	json_t *members = txn != NULL ? history_members(txn, filter) : NULL;
	if (members == NULL)
		members = state_failure(txn);
	state_txn_abort(txn);
	return members;
}

/* What the state knows of exactly this file: {"delivery", "status", …} or JSON null. */
static json_t *find_delivery(const struct answer_source *source, const struct file_identity *identity)
{
	if (source->state == NULL)
		return json_null();
	struct state_txn *txn = state_txn_begin_read(source->state);
	json_t *delivery =
	    txn != NULL ? history_of_file(txn, identity->device, identity->inode) : json_null();
	state_txn_abort(txn);
	bool is_same =
	    json_integer_value(json_object_get(delivery, "size")) == (json_int_t)identity->size &&
	    json_integer_value(json_object_get(delivery, "mtime_ns")) == (json_int_t)identity->mtime_ns;
	if (json_is_object(delivery) && is_same)
		return delivery;
	json_decref(delivery);
	return json_null();
}

/* What stands behind the drop directory in the path, newly allocated; NULL for a file outside of it. */
static char *path_in_drop(const char *drop, const char *path)
{
	CLEANUP_FREE char *whole = realpath(path, NULL);
	CLEANUP_FREE char *whole_drop = realpath(drop, NULL);
	size_t length = whole_drop != NULL ? strlen(whole_drop) : 0;
	if (whole == NULL || length == 0 || strncmp(whole, whole_drop, length) != 0 || whole[length] != '/')
		return NULL;
	return strdup(whole + length + 1);
}

/* The subdirectory of the drop directory that the file is in, or NULL. */
static const char *subdirectory_of(const char *drop, const char *path, char name[SCHEMA_NAME_MAX + 1])
{
	CLEANUP_FREE char *inner = path_in_drop(drop, path);
	const char *slash = inner != NULL ? strchr(inner, '/') : NULL;
	if (slash == NULL || slash - inner > SCHEMA_NAME_MAX)
		return NULL;
	snprintf(name, SCHEMA_NAME_MAX + 1, "%.*s", (int)(slash - inner), inner);
	return name;
}

static enum result match_file(const struct answer_source *source, const char *path,
                              char name[SCHEMA_NAME_MAX + 1], struct error *error)
{
	char subdirectory[SCHEMA_NAME_MAX + 1];
	struct match_member member = {.title = file_base_name(path)};
	if (subdirectory_of(source->config->drop, path, subdirectory) != NULL &&
	    match_name(source->rules, subdirectory, name, error) == RESULT_OK)
		return RESULT_OK;
	return match_member(source->rules, &member, name, error);
}

/* Does what keeps the daemon from its work keep this file waiting too? */
static bool explain_trouble(const struct answer_source *source, const char *path, char *line, size_t size)
{
	CLEANUP_FREE char *inner = path_in_drop(source->config->drop, path);
	if (source->worker == NULL || inner == NULL)
		return false;
	json_t *status = worker_status(source->worker);
	const char *trouble = json_string_value(json_object_get(status, "trouble"));
	if (trouble != NULL)
		snprintf(line, size, "waiting: %s", trouble);
	json_decref(status);
	return trouble != NULL;
}

/* Why nothing keeps the file from being taken, or what does; one line. */
static void explain_match(const struct answer_source *source, const char *path, char *line, size_t size)
{
	char name[SCHEMA_NAME_MAX + 1];
	struct error error = {0};
	enum result result = match_file(source, path, name, &error);
	if (result == RESULT_END)
		snprintf(line, size,
		         "held: no dataset's files match it, unless it is an archive whose members do");
	else if (result != RESULT_OK)
		snprintf(line, size, "held: %s", error.message);
	else if (!explain_trouble(source, path, line, size))
		snprintf(line, size, "ready: dataset '%s' takes it%s", name,
		         source->worker != NULL ? "" : "; no daemon is running");
}

static void explain_delivery(const json_t *delivery, char *line, size_t size)
{
	const char *reason = json_string_value(json_object_get(delivery, "reason"));
	snprintf(line, size, "%s: delivery %s%s%s", json_string_value(json_object_get(delivery, "status")),
	         json_string_value(json_object_get(delivery, "delivery")), reason != NULL ? ": " : "",
	         reason != NULL ? reason : "");
}

/* What became of the last file of that name, which is not there any more; JSON null when there was none. */
static json_t *find_former(const struct answer_source *source, const char *path)
{
	if (source->state == NULL)
		return json_null();
	struct state_txn *txn = state_txn_begin_read(source->state);
	json_t *members = txn != NULL ? history_members(txn, path) : NULL;
	state_txn_abort(txn);
	json_t *last = json_array_get(members, json_array_size(members) - 1);
	json_t *found = last != NULL ? json_incref(last) : json_null();
	json_decref(members);
	return found;
}

/* The daemon tried it and will again: why it was not taken. */
static bool explain_refusal(const struct answer_source *source, const char *path, char *line, size_t size)
{
	char reason[ERROR_MESSAGE_MAX];
	CLEANUP_FREE char *inner = path_in_drop(source->config->drop, path);
	CLEANUP_FREE char *submitted = inner != NULL ? file_join(source->config->drop, inner) : NULL;
	if (source->worker == NULL || submitted == NULL || !worker_refusal(source->worker, submitted, reason))
		return false;
	snprintf(line, size, "waiting: %s", reason);
	return true;
}

static json_t *explain(const struct answer_source *source, const char *path)
{
	if (path == NULL)
		return failure("no file named");
	char line[2 * ERROR_MESSAGE_MAX];
	struct stat status_of_file;
	json_t *delivery = json_null();
	enum watch_verdict verdict = watch_judge(path, source->config->settle_ns, clock_wall_ns());
	if (lstat(path, &status_of_file) == 0 && S_ISREG(status_of_file.st_mode)) {
		struct file_identity identity = file_identity_of(&status_of_file);
		delivery = find_delivery(source, &identity);
	}
	if (verdict == WATCH_GONE) {
		json_decref(delivery);
		delivery = find_former(source, path);
	}
	if (json_is_object(delivery))
		explain_delivery(delivery, line, sizeof line);
	else if (verdict == WATCH_SETTLED && !explain_refusal(source, path, line, sizeof line))
		explain_match(source, path, line, sizeof line);
	else if (verdict == WATCH_UNREADABLE)
		snprintf(line, sizeof line, "waiting: not readable; run: chmod a+r '%s'", path);
	else if (verdict != WATCH_SETTLED)
		snprintf(line, sizeof line, "not taken: %s", watch_verdict_text(verdict));
	char quoted[2 * ERROR_MESSAGE_MAX];
	char quoted_path[2 * ERROR_MESSAGE_MAX];
	error_quote(quoted, sizeof quoted, line);
	error_quote(quoted_path, sizeof quoted_path, path);
	return array_of(
	    json_pack("{s:s, s:s, s:o}", "file", quoted_path, "explanation", quoted, "delivery", delivery));
}

json_t *answer_request(const struct answer_source *source, const json_t *request)
{
	const char *command = json_string_value(json_object_get(request, "command"));
	if (command == NULL)
		return failure("no command");
	if (strcmp(command, "status") == 0)
		return status(source);
	if (strcmp(command, "metrics") == 0)
		return metrics(source);
	if (strcmp(command, "history") == 0)
		return history(source, json_string_value(json_object_get(request, "filter")));
	if (strcmp(command, "rejects") == 0)
		return source->state == NULL
		           ? json_array()
		           : answer_rejects(source->state, source->config->rejected,
		                            json_string_value(json_object_get(request, "filter")));
	if (strcmp(command, "explain") == 0)
		return explain(source, json_string_value(json_object_get(request, "file")));
	return failure("unknown command");
}
