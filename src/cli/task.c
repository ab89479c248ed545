// SPDX-License-Identifier: Apache-2.0
#include "cli/task.h"

#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cli/report.h"
#include "cli/store_task.h"
#include "mend/forget.h"
#include "mend/rebuild.h"
#include "mend/refeed.h"
#include "mend/replay.h"

/* The dataset that a task is about. */
struct subject {
	struct dataset_options options;
	struct state_dataset record; /* id 0: the state does not know it */
	bool is_known;               /* to the configuration or to the state */
};

static enum result read_record(const struct task *task, const char *name, struct state_dataset *record,
                               struct error *error)
{
	struct state_error failure;
	struct state_txn *txn = state_txn_begin_read(task->app->state);
	enum result result = RESULT_OK;
	if (state_dataset_get(txn, name, record) != STATE_OK) {
		*record = (struct state_dataset){0};
		if (state_txn_failure(txn, &failure) != STATE_OK)
			result = dataset_state_error(error, &failure, "cannot read the state");
	}
	state_txn_abort(txn);
	return result;
}

static enum result no_dataset(const char *name, struct error *error)
{
	return error_set(error, RESULT_CONFIG, "there is no dataset '%s'", name);
}

/* A configured dataset, one that the state knows, or where files make datasets of their own, a new one. */
static enum result find_subject(const struct task *task, const char *name, struct subject *subject,
                                struct error *error)
{
	struct match_rules rules = app_match_rules(task->app);
	const struct dataset_options *configured = match_find(&rules, name);
	if (name[0] == '\0' || strlen(name) > STATE_NAME_MAX)
		return error_set(error, RESULT_USAGE, "'%s' is no name of a dataset", name);
	enum result result = read_record(task, name, &subject->record, error);
	if (result != RESULT_OK)
		return result;
	subject->is_known = configured != NULL || subject->record.id != 0;
	if (configured != NULL)
		subject->options = *configured;
	else if (subject->record.id != 0)
		subject->options =
		    (struct dataset_options){.name = subject->record.name, .table = subject->record.table};
	else if (rules.create_unmatched)
		subject->options = (struct dataset_options){.name = name, .table = name};
	else
		return no_dataset(name, error);
	return RESULT_OK;
}

struct progress_context {
	const struct task *task;
	const char *table;
};

static void on_progress(void *context, uint64_t rows, uint64_t expected)
{
	const struct progress_context *progress = context;
	progress->task->progress(progress->task->context,
	                         json_pack("{s:s, s:I, s:I, s:I}", "file", progress->table, "position",
	                                   (json_int_t)rows, "size", (json_int_t)expected, "rows",
	                                   (json_int_t)rows));
}

static struct rebuild_options rebuild_options(const struct task *task, const struct subject *subject,
                                              struct progress_context *progress)
{
	*progress = (struct progress_context){task, subject->options.table};
	return (struct rebuild_options){
	    .state = task->app->state,
	    .sink = task->app->sink,
	    .dataset = &subject->options,
	    .memory = task->app->config->memory / 2,
	    .stop = task->stop,
	    .progress = on_progress,
	    .context = progress,
	};
}

/* An engine of the task's own; its reports are lines of the answer. */
struct feeding {
	const struct task *task;
	struct ingest *engine;
};

static void on_report(void *context, const struct ingest_report *report)
{
	const struct feeding *feeding = context;
	feeding->task->line(feeding->task->context, report_json(report));
}

static void on_file_progress(void *context, const struct ingest_progress *progress)
{
	const struct feeding *feeding = context;
	feeding->task->progress(feeding->task->context, report_progress_json(progress));
}

static enum result open_engine(struct feeding *feeding, struct error *error)
{
	struct ingest_options options = app_ingest_options(feeding->task->app);
	options.stop = feeding->task->stop;
	options.report = on_report;
	options.progress = on_file_progress;
	options.context = feeding;
	return ingest_open(&feeding->engine, &options, error);
}

/* Where nobody watches the drop directory, its files are read at once. */
static enum result feed_file(void *context, const char *path, const char *subdirectory, struct error *error)
{
	struct feeding *feeding = context;
	char name[SCHEMA_NAME_MAX + 1];
	struct match_rules rules = app_match_rules(feeding->task->app);
	if (feeding->task->has_daemon) {
		feeding->task->release(feeding->task->context, path);
		return RESULT_OK;
	}
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s'", path);
	bool is_named = subdirectory != NULL && match_name(&rules, subdirectory, name, error) == RESULT_OK;
	struct ingest_file file = {
	    .path = path, .fd = fd, .dataset = is_named ? name : NULL, .in_drop = true};
	enum result result = ingest_one(feeding->engine, &file, error);
	return result == RESULT_INVALID || result == RESULT_END ? RESULT_OK : result;
}

/* Files that are left in the drop directory are looked at again in any case; archived ones where wanted. */
static enum result feed_again(const struct task *task, const char *name, bool archived, struct error *error)
{
	const struct config *config = task->app->config;
	struct feeding feeding = {.task = task};
	struct state_dataset record;
	size_t count = 0;
	enum result result = read_record(task, name, &record, error);
	if (result == RESULT_OK && !task->has_daemon && archived)
		result = open_engine(&feeding, error);
	struct refeed_options options = {task->app->state, record.id, config->drop,
	                                 config->done,     feed_file, &feeding};
	if (result == RESULT_OK && config->on_done == CONFIG_ON_DONE_KEEP && (task->has_daemon || archived))
		result = refeed_kept(&options, &count, error);
	if (result == RESULT_OK && archived) {
		size_t kept = count;
		result = refeed_archived(&options, &count, error);
		task->line(task->context,
		           json_pack("{s:s, s:I}", "dataset", name, "refeed", (json_int_t)(kept + count)));
	}
	ingest_close(feeding.engine);
	return result;
}

static enum result rebuild(const struct task *task, const json_t *request, int *exit_status,
                           struct error *error)
{
	struct subject subject;
	struct progress_context progress;
	struct rebuild_report report;
	int64_t started = clock_monotonic_ns();
	(void)exit_status;
	enum result result = find_subject(task, task_subject(request), &subject, error);
	if (result != RESULT_OK)
		return result;
	struct rebuild_options options = rebuild_options(task, &subject, &progress);
	result = rebuild_run(&options, &report, error);
	if (result != RESULT_OK)
		return result;
	task->line(task->context,
	           json_pack("{s:s, s:s, s:I, s:I, s:I, s:s?, s:b, s:f}", "dataset", subject.options.name,
	                     "table", subject.options.table, "rows", (json_int_t)report.rows, "distinct",
	                     (json_int_t)report.distinct, "unfit", (json_int_t)report.unfit, "fault",
	                     report.unfit > 0 ? report.fault : NULL, "new_table", report.is_new_table,
	                     "seconds", (double)(clock_monotonic_ns() - started) / 1e9));
	return feed_again(task, subject.options.name, json_is_true(json_object_get(request, "refeed")),
	                  error);
}

static enum result verify(const struct task *task, const json_t *request, int *exit_status,
                          struct error *error)
{
	struct subject subject;
	struct progress_context progress;
	struct verify_report report;
	enum result result = find_subject(task, task_subject(request), &subject, error);
	if (result != RESULT_OK)
		return result;
	struct rebuild_options options = rebuild_options(task, &subject, &progress);
	result = rebuild_verify(&options, &report, error);
	if (result != RESULT_OK)
		return result;
	if (!subject.is_known && report.agrees)
		return no_dataset(subject.options.name, error);
	*exit_status = report.agrees ? 0 : 1;
	task->line(task->context,
	           json_pack("{s:s, s:s, s:b, s:s?, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "dataset",
	                     subject.options.name, "table", subject.options.table, "agrees", report.agrees,
	                     "problem", report.problem[0] != '\0' ? report.problem : NULL, "rows",
	                     (json_int_t)report.rows, "distinct", (json_int_t)report.distinct, "unfit",
	                     (json_int_t)report.unfit, "unknown", (json_int_t)report.unknown, "seen",
	                     (json_int_t)report.seen, "missing", (json_int_t)report.missing, "batches",
	                     (json_int_t)report.batches, "ledger_rows", (json_int_t)report.ledger_rows));
	if (!json_is_true(json_object_get(request, "store")))
		return RESULT_OK;
	return store_task_audit(task, subject.options.name, exit_status, error);
}

static enum result restore(const struct task *task, const json_t *request, int *exit_status,
                           struct error *error)
{
	struct subject subject;
	(void)exit_status;
	enum result result = find_subject(task, task_subject(request), &subject, error);
	return result == RESULT_OK ? store_task_restore(task, subject.options.name, error) : result;
}

static enum result forget(const struct task *task, const json_t *request, int *exit_status,
                          struct error *error)
{
	const char *what = task_subject(request);
	struct forget_report report = {0};
	struct subject subject;
	enum result result;
	(void)exit_status;
	if (strchr(what, '/') != NULL) {
		result = forget_file(task->app->state, what, &report, error);
		task->release(task->context, what);
	} else {
		result = find_subject(task, what, &subject, error);
		if (result == RESULT_OK && !subject.is_known)
			result = no_dataset(what, error);
		if (result == RESULT_OK)
			result = forget_dataset(task->app->state, subject.record.id, &report, error);
		if (result == RESULT_OK)
			result = feed_again(task, what, false, error);
	}
	if (result != RESULT_OK)
		return result;
	task->line(task->context,
	           json_pack("{s:s, s:i}", "forgotten", what, "datasets", (int)report.dataset_count));
	return RESULT_OK;
}

static uint64_t lines_to_skip(void *context, const char *dataset)
{
	const struct feeding *feeding = context;
	struct match_rules rules = app_match_rules(feeding->task->app);
	const struct dataset_options *options = match_find(&rules, dataset);
	return options != NULL ? options->dialect.skip_lines : 0;
}

static enum result feed_rejects(void *context, const char *path, const char *dataset,
                                const struct state_member *member, struct error *error)
{
	const struct feeding *feeding = context;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s'", path);
	struct ingest_file file = {
	    .path = path, .fd = fd, .dataset = dataset, .watermark = &member->watermark};
	return ingest_one(feeding->engine, &file, error);
}

static enum result replay(const struct task *task, const json_t *request, int *exit_status,
                          struct error *error)
{
	const char *what = task_subject(request);
	struct feeding feeding = {.task = task};
	struct replay_options options = {
	    .state = task->app->state,
	    .rejected = task->app->config->rejected,
	    .lines_to_skip = lines_to_skip,
	    .feed = feed_rejects,
	    .context = &feeding,
	};
	struct subject subject;
	size_t count = 0;
	enum result result = RESULT_OK;
	(void)exit_status;
	bool is_delivery = id_parse(&options.delivery, what);
	if (!is_delivery)
		result = find_subject(task, what, &subject, error);
	if (result == RESULT_OK && !is_delivery && subject.record.id == 0)
		result = error_set(error, RESULT_INVALID, "dataset '%s' has no rejects", what);
	if (result == RESULT_OK)
		result = open_engine(&feeding, error);
	if (result == RESULT_OK) {
		options.dataset = is_delivery ? 0 : subject.record.id;
		result = replay_run(&options, &count, error);
	}
	ingest_close(feeding.engine);
	if (result != RESULT_OK)
		return result;
	if (is_delivery && count == 0)
		return error_set(error, RESULT_INVALID, "there are no rejects of delivery '%s'", what);
	task->line(task->context, json_pack("{s:s, s:I}", "subject", what, "replayed", (json_int_t)count));
	return RESULT_OK;
}

static const struct {
	const char *name;
	enum result (*run)(const struct task *task, const json_t *request, int *exit_status,
	                   struct error *error);
} TASKS[] = {
    {"rebuild", rebuild},
    {"verify", verify},
    {"restore", restore},
    {"forget", forget},
    {"replay", replay},
};

enum { TASK_COUNT = sizeof TASKS / sizeof *TASKS };

static size_t find_task(const json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "command"));
	size_t i = 0;
	while (i < TASK_COUNT && (name == NULL || strcmp(TASKS[i].name, name) != 0))
		i++;
	return i;
}

bool task_is_one(const json_t *request)
{
	return find_task(request) < TASK_COUNT;
}

const char *task_subject(const json_t *request)
{
	const char *subject = json_string_value(json_object_get(request, "subject"));
	return subject != NULL ? subject : "";
}

enum result task_run(const struct task *task, const json_t *request, int *exit_status, struct error *error)
{
	size_t which = find_task(request);
	if (which == TASK_COUNT)
		return error_set(error, RESULT_USAGE, "there is no such task");
	*exit_status = 0;
	return TASKS[which].run(task, request, exit_status, error);
}

json_t *task_failure(const struct error *error)
{
	return json_pack("{s:s, s:s?, s:i}", "error", error->message, "hint",
	                 error->hint[0] != '\0' ? error->hint : NULL, "exit_status",
	                 error_exit_status(error->result));
}
