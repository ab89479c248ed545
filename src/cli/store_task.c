// SPDX-License-Identifier: Apache-2.0
#include "cli/store_task.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "mend/audit.h"
#include "mend/restore.h"

struct store_task {
	const struct task *task;
	const char *dataset;
};

static enum result open_store(const struct task *task, struct store **store, struct error *error)
{
	const struct config *config = task->app->config;
	if (app_spool_options(config).directory != NULL)
		return app_make_store(config, task->stop, store, error);
	return error_set(error, RESULT_CONFIG, "nothing is kept: both rows and raw are off");
}

static void tell_progress(const struct store_task *context, uint64_t position, uint64_t size, uint64_t rows)
{
	context->task->progress(context->task->context,
	                        json_pack("{s:s, s:I, s:I, s:I}", "file", context->dataset, "position",
	                                  (json_int_t)position, "size", (json_int_t)size, "rows",
	                                  (json_int_t)rows));
}

static void on_manifest(void *context, uint64_t manifests, uint64_t expected)
{
	tell_progress(context, manifests, expected, 0);
}

enum result store_task_audit(const struct task *task, const char *dataset, int *exit_status,
                             struct error *error)
{
	struct store *store;
	struct store_task context = {task, dataset};
	struct audit_report report;
	enum result result = open_store(task, &store, error);
	if (result != RESULT_OK)
		return result;
	struct audit_options options = {store, dataset, task->stop, on_manifest, &context};
	const char *kind = store->interface->kind;
	result = audit_run(&options, &report, error);
	store->interface->close(store);
	if (result != RESULT_OK)
		return result;
	bool agrees = report.missing == 0 && report.different == 0;
	if (!agrees)
		*exit_status = 1;
	task->line(task->context,
	           json_pack("{s:s, s:s, s:b, s:s?, s:I, s:I, s:I, s:I, s:I, s:I}", "dataset", dataset,
	                     "store", kind, "agrees", agrees, "problem",
	                     report.problem[0] != '\0' ? report.problem : NULL, "manifests",
	                     (json_int_t)report.manifests, "objects", (json_int_t)report.objects, "bytes",
	                     (json_int_t)report.bytes, "missing", (json_int_t)report.missing, "different",
	                     (json_int_t)report.different, "unnamed", (json_int_t)report.unnamed));
	return RESULT_OK;
}

static void on_batch(void *context, uint64_t batches, uint64_t expected, uint64_t rows)
{
	tell_progress(context, batches, expected, rows);
}

static void ignore_report(void *context, const struct ingest_report *report)
{
	(void)context;
	(void)report;
}

/* With an engine of its own, which keeps nothing for the store: it is all there. */
static enum result restore_with(struct restore_options *options, const struct task *task,
                                struct restore_report *report, struct error *error)
{
	struct ingest_options engine = app_ingest_options(task->app);
	engine.spool = (struct spool_options){0};
	engine.stop = task->stop;
	engine.report = ignore_report;
	enum result result = ingest_open(&options->engine, &engine, error);
	if (result == RESULT_OK)
		result = restore_run(options, report, error);
	ingest_close(options->engine);
	return result;
}

enum result store_task_restore(const struct task *task, const char *dataset, struct error *error)
{
	struct store *store;
	struct store_task context = {task, dataset};
	struct restore_report report;
	int64_t started = clock_monotonic_ns();
	CLEANUP_FREE char *scratch = file_join(task->app->config->state, "restore.part");
	if (scratch == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = open_store(task, &store, error);
	if (result != RESULT_OK)
		return result;
	struct restore_options options = {NULL, store, dataset, scratch, on_batch, &context};
	result = restore_with(&options, task, &report, error);
	store->interface->close(store);
	if (result == RESULT_END)
		return error->result = RESULT_INVALID;
	if (result != RESULT_OK)
		return result;
	task->line(task->context,
	           json_pack("{s:s, s:I, s:I, s:I, s:I, s:f}", "dataset", dataset, "batches",
	                     (json_int_t)report.batches, "present", (json_int_t)report.present, "rows",
	                     (json_int_t)report.rows, "known", (json_int_t)report.known, "seconds",
	                     (double)(clock_monotonic_ns() - started) / 1e9));
	return RESULT_OK;
}
