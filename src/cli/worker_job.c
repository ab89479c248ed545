// SPDX-License-Identifier: Apache-2.0
#include "cli/worker_job.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/preview.h"
#include "cli/report.h"
#include "cli/task.h"
#include "cli/upkeep.h"

static const int64_t FAILED_FILE_NS = 60 * INT64_C(1000000000);

void worker_job_beat(struct worker *worker)
{
	atomic_fetch_add(&worker->heartbeat, 1);
}

static void set_progress(struct worker *worker, json_t *progress)
{
	pthread_mutex_lock(&worker->mutex);
	json_decref(worker->progress);
	worker->progress = progress;
	pthread_mutex_unlock(&worker->mutex);
}

static struct mailbox_job *find_taken(struct worker *worker, uint64_t ticket)
{
	struct mailbox_job *job;
	TAILQ_FOREACH (job, &worker->taken, link) {
		if (job->ticket == ticket)
			return job;
	}
	return NULL;
}

static void forget_refusal(struct worker *worker, const struct mailbox_job *job)
{
	pthread_mutex_lock(&worker->mutex);
	refusals_remove(&worker->refusals, job->path);
	pthread_mutex_unlock(&worker->mutex);
}

/* A file that is still in the drop directory then is handed in again. */
static void release_file(struct worker *worker, const struct mailbox_job *job)
{
	mailbox_post(worker->mailbox,
	             (struct mailbox_event){.kind = MAILBOX_RELEASED, .delay_ns = FAILED_FILE_NS}, job->path);
}

static void end_job(struct worker *worker, struct mailbox_job *job)
{
	TAILQ_REMOVE(&worker->taken, job, link);
	mailbox_post(worker->mailbox,
	             (struct mailbox_event){
			 .kind = MAILBOX_ENDED, .client = job->client, .exit_status = job->exit_status},
	             job->path);
	mailbox_free_job(job);
}

static void count_member(struct worker *worker, const struct ingest_report *report)
{
	struct metrics_member member = {
	    .dataset = report->dataset,
	    .status = report_status_text(report->status),
	    .counts = report->counts,
	    .bytes = report->bytes,
	    .bytes_skipped = report->bytes_skipped,
	    .ended_s = (double)clock_wall_ns() / 1e9,
	};
	metrics_add_member(worker->metrics, &member);
}

static void on_report(void *context, const struct ingest_report *report)
{
	struct worker *worker = context;
	struct mailbox_job *job = find_taken(worker, report->ticket);
	if (job == NULL)
		return;
	if (report->status != INGEST_DONE)
		job->exit_status = 1;
	if (!job->dry_run)
		count_member(worker, report);
	mailbox_post(worker->mailbox,
	             (struct mailbox_event){
			 .kind = MAILBOX_REPORTED, .client = job->client, .json = report_json(report)},
	             NULL);
	if (!report->is_last)
		return;
	if (job->client == 0 && report->status != INGEST_FAILED)
		forget_refusal(worker, job);
	if (job->client == 0 && report->is_left)
		release_file(worker, job);
	end_job(worker, job);
}

static void on_progress(void *context, const struct ingest_progress *progress)
{
	struct worker *worker = context;
	worker_job_beat(worker);
	json_t *json = report_progress_json(progress);
	const struct mailbox_job *job = find_taken(worker, progress->ticket);
	if (job != NULL && job->client != 0)
		mailbox_post(worker->mailbox,
		             (struct mailbox_event){.kind = MAILBOX_PROGRESSED,
		                                    .client = job->client,
		                                    .json = json_incref(json)},
		             NULL);
	set_progress(worker, json);
}

static void on_stored(void *context, double seconds)
{
	struct worker *worker = context;
	metrics_add_batch(worker->metrics, seconds);
	trouble_end(worker->trouble);
}

static struct ingest_options engine_options(struct worker *worker, bool dry_run)
{
	struct ingest_options options = app_ingest_options(worker->app);
	options.dry_run = dry_run;
	options.stop = &worker->stop;
	options.report = on_report;
	options.progress = on_progress;
	options.stored = on_stored;
	options.context = worker;
	return options;
}

static enum result open_stores(struct worker *worker, struct error *error)
{
	pthread_mutex_lock(&worker->state_mutex);
	enum result result = app_open_stores(worker->app, error);
	pthread_mutex_unlock(&worker->state_mutex);
	return result;
}

/* A failed write of the state has an unknown outcome: it is closed and opened again (I10). */
static void close_stores(struct worker *worker)
{
	ingest_close(worker->engine);
	worker->engine = NULL;
	pthread_mutex_lock(&worker->state_mutex);
	app_close_stores(worker->app);
	pthread_mutex_unlock(&worker->state_mutex);
}

static enum result open_engine(struct worker *worker, struct error *error)
{
	enum result result = RESULT_OK;
	if (worker->app->state == NULL)
		result = open_stores(worker, error);
	struct ingest_options options = engine_options(worker, false);
	if (result == RESULT_OK)
		result = ingest_open(&worker->engine, &options, error);
	return result == RESULT_OK ? ingest_recover(worker->engine, true, error) : result;
}

/* Everything that was taken goes back to the front of the queue; the engine has dropped it. */
static void requeue_taken(struct worker *worker)
{
	mailbox_return_jobs(worker->mailbox, &worker->taken);
}

/* True when it is news: a file that is tried again and again is worth one line. */
static bool remember_refusal(struct worker *worker, const struct mailbox_job *job, const struct error *error)
{
	pthread_mutex_lock(&worker->mutex);
	bool is_new = refusals_put(&worker->refusals, job->path, error->message);
	pthread_mutex_unlock(&worker->mutex);
	return is_new;
}

static void refuse_job(struct worker *worker, struct mailbox_job *job, const struct error *error)
{
	int exit_status = error_exit_status(error->result);
	metrics_add_error(worker->metrics, error->result);
	job->exit_status = exit_status == 0 ? 1 : exit_status;
	if (job->client != 0)
		mailbox_post(worker->mailbox,
		             (struct mailbox_event){.kind = MAILBOX_REPORTED,
		                                    .client = job->client,
		                                    .json = report_failure_json(job->path, job->dataset, error)},
		             NULL);
	else if (remember_refusal(worker, job, error))
		log_error(error);
	if (job->client == 0)
		release_file(worker, job);
	end_job(worker, job);
}

/* Clients do not wait for better times. */
static void refuse_clients(struct worker *worker, const struct error *error)
{
	struct mailbox_job *job = TAILQ_FIRST(&worker->taken);
	while (job != NULL) {
		struct mailbox_job *next = TAILQ_NEXT(job, link);
		if (job->client != 0)
			refuse_job(worker, job, error);
		job = next;
	}
}

/* The sink or this machine is in trouble, whatever the file: wait, longer each time. */
void worker_job_enter_trouble(struct worker *worker, const struct error *error)
{
	metrics_add_error(worker->metrics, error->result);
	trouble_enter(worker->trouble, error);
	refuse_clients(worker, error);
	requeue_taken(worker);
	if (error->result == RESULT_STATE || error->result == RESULT_HELD)
		close_stores(worker);
}

/* Whose fault is it: this file's (or its dataset's), or does nothing work? What the result leaves open,
 * asking the sink again decides. */
static bool is_file_matter(struct worker *worker, enum result result)
{
	struct error ignored;
	switch (result) {
	case RESULT_INVALID:
	case RESULT_CHANGED:
	case RESULT_DISAGREES:
	case RESULT_REFUSED:
		return true;
	case RESULT_IO:
	case RESULT_CONFIG:
		return worker->engine != NULL && ingest_recover(worker->engine, false, &ignored) == RESULT_OK;
	default:
		return false;
	}
}

/* The engine has dropped what it held. What was the fault of one file must not hold up the others. */
static void handle_failure(struct worker *worker, struct mailbox_job *culprit, const struct error *error)
{
	if (error->result == RESULT_STOPPED || error->result == RESULT_AGAIN) {
		requeue_taken(worker);
		return;
	}
	if (!is_file_matter(worker, error->result)) {
		worker_job_enter_trouble(worker, error);
		return;
	}
	/* Reading this file may have made the batch of those before it fail. */
	if (TAILQ_FIRST(&worker->taken) != TAILQ_LAST(&worker->taken, mailbox_jobs))
		culprit = NULL;
	if (culprit != NULL)
		refuse_job(worker, culprit, error);
	worker->is_cautious = culprit == NULL;
	requeue_taken(worker);
	trouble_end(worker->trouble);
}

/* Tries whether work can go on. */
bool worker_job_recover(struct worker *worker)
{
	struct error error = {0};
	enum result result = worker->engine == NULL ? open_engine(worker, &error)
	                                            : ingest_recover(worker->engine, true, &error);
	if (result == RESULT_OK)
		result = upkeep_check_space(worker->app->config, &error);
	if (result != RESULT_OK) {
		worker_job_enter_trouble(worker, &error);
		return false;
	}
	trouble_try(worker->trouble);
	if (mailbox_job_count(worker->mailbox) == 0)
		trouble_end(worker->trouble);
	return true;
}

void worker_job_flush(struct worker *worker)
{
	worker->flush_ns = 0;
	if (worker->engine == NULL || ingest_is_idle(worker->engine))
		return;
	struct error error = {0};
	struct mailbox_job *only = TAILQ_FIRST(&worker->taken);
	if (only != NULL && TAILQ_NEXT(only, link) != NULL)
		only = NULL;
	if (ingest_flush(worker->engine, &error) != RESULT_OK)
		handle_failure(worker, only, &error);
	else
		trouble_end(worker->trouble);
	set_progress(worker, NULL);
}

static enum result open_job(struct mailbox_job *job, struct error *error)
{
	if (job->fd >= 0)
		return RESULT_OK;
	job->fd = open(job->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (job->fd >= 0)
		return RESULT_OK;
	if (errno == ENOENT)
		return RESULT_END;
	return error_set_errno(error, RESULT_INVALID, "'%s': cannot open", job->path);
}

static void on_preview(void *context, const struct ingest_preview *preview)
{
	struct worker *worker = context;
	json_t *object = preview_json(preview, worker->app->sink);
	mailbox_post(worker->mailbox,
	             (struct mailbox_event){.kind = MAILBOX_ANSWERED,
	                                    .client = worker->onlooker,
	                                    .json = json_pack("{s:o}", "preview", object)},
	             NULL);
}

static enum result run_dry(struct worker *worker, const struct ingest_file *file,
                           const struct mailbox_job *job, struct error *error)
{
	struct ingest_options options = engine_options(worker, true);
	struct ingest *engine;
	worker->onlooker = job->client;
	if (job->preview)
		options.preview = on_preview;
	enum result result = ingest_open(&engine, &options, error);
	if (result != RESULT_OK)
		return result;
	result = ingest_read(engine, file, error);
	if (result == RESULT_OK)
		result = ingest_flush(engine, error);
	ingest_close(engine);
	return result;
}

/* There is nothing to say of this file any more: it is gone, or ended before and only moved, if it could be.
 */
static void end_silently(struct worker *worker, struct mailbox_job *job)
{
	forget_refusal(worker, job);
	if (job->client == 0 && worker->app->config->on_done != CONFIG_ON_DONE_KEEP)
		release_file(worker, job);
	end_job(worker, job);
	trouble_end(worker->trouble);
}

/* The job stands in `taken`; its report may have ended (and freed) it when this returns. */
void worker_job_read(struct worker *worker, struct mailbox_job *job)
{
	struct error error = {0};
	struct ingest_file file = {
	    .path = job->path, .dataset = job->dataset, .ticket = job->ticket, .in_drop = job->client == 0};
	enum result result = open_job(job, &error);
	bool is_for_engine = result == RESULT_OK && !job->dry_run;
	file.fd = job->fd;
	if (is_for_engine)
		result = ingest_read(worker->engine, &file, &error);
	else if (result == RESULT_OK)
		result = run_dry(worker, &file, job, &error);
	worker_job_beat(worker);
	job = find_taken(worker, file.ticket);
	if (job == NULL)
		trouble_end(worker->trouble);
	else if (result == RESULT_END)
		end_silently(worker, job);
	else if (result != RESULT_OK && is_for_engine)
		handle_failure(worker, job, &error);
	else if (result != RESULT_OK)
		refuse_job(worker, job, &error); /* the engine still holds the others */
}

/* Files of the drop directory wait while the disk is short; what was read before is made durable first, as
 * the engine would not drop it. */
bool worker_job_has_space(struct worker *worker)
{
	struct error error = {0};
	if (upkeep_check_space(worker->app->config, &error) == RESULT_OK)
		return true;
	worker_job_flush(worker);
	if (trouble_retry_ns(worker->trouble) == 0)
		worker_job_enter_trouble(worker, &error);
	return false;
}

/* The task is what was taken last. */
static void answer(struct worker *worker, json_t *line)
{
	const struct mailbox_job *job = TAILQ_LAST(&worker->taken, mailbox_jobs);
	mailbox_post(worker->mailbox,
	             (struct mailbox_event){.kind = MAILBOX_ANSWERED, .client = job->client, .json = line},
	             NULL);
}

static void on_task_line(void *context, json_t *line)
{
	worker_job_beat(context);
	answer(context, line);
}

static void on_task_progress(void *context, json_t *progress)
{
	worker_job_beat(context);
	set_progress(context, json_incref(progress));
	answer(context, json_pack("{s:o}", "progress", progress));
}

static void on_task_release(void *context, const char *path)
{
	struct worker *worker = context;
	mailbox_post(worker->mailbox, (struct mailbox_event){.kind = MAILBOX_RELEASED}, path);
}

/* No engine is at work meanwhile: what was read before is made durable first, and the next file opens a new
 * one. */
void worker_job_run_task(struct worker *worker, struct mailbox_job *job)
{
	struct error error = {0};
	struct task task = {worker->app,      &worker->stop,   true,  on_task_line,
	                    on_task_progress, on_task_release, worker};
	TAILQ_REMOVE(&worker->taken, job, link); /* not one of those that fail with the flush */
	worker_job_flush(worker);
	TAILQ_INSERT_TAIL(&worker->taken, job, link);
	ingest_close(worker->engine);
	worker->engine = NULL;
	enum result result = worker->app->state == NULL ? open_stores(worker, &error) : RESULT_OK;
	if (result == RESULT_OK)
		result = task_run(&task, job->request, &job->exit_status, &error);
	set_progress(worker, NULL);
	if (result != RESULT_OK) {
		job->exit_status = error_exit_status(result);
		answer(worker, task_failure(&error));
	}
	end_job(worker, job);
	if (result == RESULT_STATE)
		worker_job_enter_trouble(worker, &error);
}
