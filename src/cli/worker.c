// SPDX-License-Identifier: Apache-2.0
#include "cli/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/mailbox.h"
#include "cli/refusals.h"
#include "cli/report.h"
#include "cli/upkeep.h"

static const int64_t SECOND_NS = 1000000000;
static const int64_t HOUSEKEEPING_NS = 3600 * SECOND_NS;
static const int64_t BACKOFF_FIRST_NS = SECOND_NS;
static const int64_t BACKOFF_LAST_NS = 60 * SECOND_NS;
static const int64_t FAILED_FILE_NS = 60 * SECOND_NS;

struct worker {
	struct app *app;
	struct worker_callbacks callbacks;
	pthread_t thread;
	struct mailbox *mailbox;
	atomic_bool stop;
	atomic_uint_fast64_t heartbeat;

	/* What the event loop may look at, and whether the thread has left. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool has_left;
	json_t *progress;
	struct refusals *refusals;
	char trouble[ERROR_MESSAGE_MAX];

	/* Held while the state is used by readers, or replaced. */
	pthread_mutex_t state_mutex;

	/* The thread's own. */
	struct ingest *engine;
	struct mailbox_jobs taken; /* read, or being read, and not reported yet */
	int64_t retry_ns;          /* in trouble until then */
	int64_t backoff_ns;
	int64_t flush_ns; /* what was read is flushed by then */
	int64_t housekeeping_ns;
	bool is_cautious; /* a group of files failed together: one at a time, until the culprit is known */
};

static void beat(struct worker *worker)
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

static void on_report(void *context, const struct ingest_report *report)
{
	struct worker *worker = context;
	struct mailbox_job *job = find_taken(worker, report->ticket);
	if (job == NULL)
		return;
	if (report->status != INGEST_DONE)
		job->exit_status = 1;
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
	beat(worker);
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

static struct ingest_options engine_options(struct worker *worker, bool dry_run)
{
	struct ingest_options options = app_ingest_options(worker->app);
	options.dry_run = dry_run;
	options.stop = &worker->stop;
	options.report = on_report;
	options.progress = on_progress;
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

static void set_trouble(struct worker *worker, const char *text)
{
	pthread_mutex_lock(&worker->mutex);
	snprintf(worker->trouble, sizeof worker->trouble, "%s", text);
	pthread_mutex_unlock(&worker->mutex);
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
	job->exit_status = exit_status == 0 ? 1 : exit_status;
	if (job->client != 0)
		mailbox_post(worker->mailbox,
		             (struct mailbox_event){.kind = MAILBOX_REPORTED,
		                                    .client = job->client,
		                                    .json = report_failure_json(job->path, error)},
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

static int64_t with_jitter(int64_t delay_ns)
{
	uint32_t random = 0;
	if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
		random = UINT32_MAX / 2;
	return delay_ns / 2 + (int64_t)((double)random / UINT32_MAX * (double)(delay_ns / 2));
}

/* The sink or this machine is in trouble, whatever the file: wait, longer each time. */
static void enter_trouble(struct worker *worker, const struct error *error)
{
	if (worker->backoff_ns == 0 || strcmp(worker->trouble, error->message) != 0)
		log_error(error);
	set_trouble(worker, error->message);
	refuse_clients(worker, error);
	requeue_taken(worker);
	if (error->result == RESULT_STATE || error->result == RESULT_HELD)
		close_stores(worker);
	worker->backoff_ns = worker->backoff_ns == 0 ? BACKOFF_FIRST_NS : 2 * worker->backoff_ns;
	if (worker->backoff_ns > BACKOFF_LAST_NS)
		worker->backoff_ns = BACKOFF_LAST_NS;
	worker->retry_ns = clock_monotonic_ns() + with_jitter(worker->backoff_ns);
}

/* Something got through, or nothing is left to try. Until then what looks recovered may fail again. */
static void end_trouble(struct worker *worker)
{
	if (worker->backoff_ns == 0 || worker->retry_ns > 0)
		return;
	log_info("going on");
	set_trouble(worker, "");
	worker->backoff_ns = 0;
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
	if (error->result == RESULT_STOPPED) {
		requeue_taken(worker);
		return;
	}
	if (!is_file_matter(worker, error->result)) {
		enter_trouble(worker, error);
		return;
	}
	if (culprit != NULL)
		refuse_job(worker, culprit, error);
	worker->is_cautious = culprit == NULL;
	requeue_taken(worker);
	end_trouble(worker);
}

/* Tries whether work can go on. */
static bool recover(struct worker *worker)
{
	struct error error = {0};
	enum result result = worker->engine == NULL ? open_engine(worker, &error)
	                                            : ingest_recover(worker->engine, true, &error);
	if (result == RESULT_OK)
		result = upkeep_check_space(worker->app->config, &error);
	if (result != RESULT_OK) {
		enter_trouble(worker, &error);
		return false;
	}
	worker->retry_ns = 0;
	if (mailbox_job_count(worker->mailbox) == 0)
		end_trouble(worker);
	return true;
}

static void flush(struct worker *worker)
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
		end_trouble(worker);
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

static enum result run_dry(struct worker *worker, const struct ingest_file *file, struct error *error)
{
	struct ingest_options options = engine_options(worker, true);
	struct ingest *engine;
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
	end_trouble(worker);
}

/* The job stands in `taken`; its report may have ended (and freed) it when this returns. */
static void run_job(struct worker *worker, struct mailbox_job *job)
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
		result = run_dry(worker, &file, &error);
	beat(worker);
	job = find_taken(worker, file.ticket);
	if (job == NULL)
		end_trouble(worker);
	else if (result == RESULT_END)
		end_silently(worker, job);
	else if (result != RESULT_OK && is_for_engine)
		handle_failure(worker, job, &error);
	else if (result != RESULT_OK)
		refuse_job(worker, job, &error); /* the engine still holds the others */
}

/* Files of the drop directory wait while the disk is short; what was read before is made durable first, as
 * the engine would not drop it. */
static bool has_space(struct worker *worker)
{
	struct error error = {0};
	if (upkeep_check_space(worker->app->config, &error) == RESULT_OK)
		return true;
	flush(worker);
	if (worker->retry_ns == 0)
		enter_trouble(worker, &error);
	return false;
}

static void expire(struct worker *worker)
{
	struct error error = {0};
	pthread_mutex_lock(&worker->mutex);
	refusals_remove_gone(&worker->refusals);
	pthread_mutex_unlock(&worker->mutex);
	enum result result = upkeep_expire(worker->app, &error);
	if (result == RESULT_STATE)
		enter_trouble(worker, &error);
	else if (result != RESULT_OK)
		log_error(&error);
}

/* When the thread must look again even if nothing comes; 0: never. */
static int64_t next_deadline(const struct worker *worker)
{
	if (worker->retry_ns > 0)
		return worker->retry_ns;
	if (worker->flush_ns > 0)
		return worker->flush_ns;
	return worker->housekeeping_ns;
}

/* The next job, or NULL when it is time for something else. In trouble only clients are served, so that they
 * hear of it. */
static struct mailbox_job *take_job(struct worker *worker)
{
	struct mailbox_job *job =
	    mailbox_take_job(worker->mailbox, worker->retry_ns > 0, next_deadline(worker));
	if (job != NULL)
		TAILQ_INSERT_TAIL(&worker->taken, job, link);
	beat(worker);
	return job;
}

/* What was read is flushed when nothing waits behind it, or after batch.wait, and at once for a client. */
static void flush_when_due(struct worker *worker, bool is_client)
{
	if (worker->engine == NULL || ingest_is_idle(worker->engine))
		return;
	int64_t now = clock_monotonic_ns();
	if (worker->flush_ns == 0)
		worker->flush_ns = now + worker->app->config->batch.wait_ns;
	bool is_last = mailbox_job_count(worker->mailbox) == 0;
	if (is_client || is_last || worker->is_cautious || now >= worker->flush_ns)
		flush(worker);
	worker->is_cautious &= !is_last;
}

static void serve(struct worker *worker, struct mailbox_job *job)
{
	bool is_client = job->client != 0;
	if (worker->engine == NULL && !recover(worker))
		return;
	if (!is_client && !has_space(worker))
		return;
	run_job(worker, job);
	flush_when_due(worker, is_client);
}

static void *work(void *context)
{
	struct worker *worker = context;
	recover(worker);
	while (!atomic_load(&worker->stop)) {
		struct mailbox_job *job = take_job(worker);
		int64_t now = clock_monotonic_ns();
		if (job != NULL)
			serve(worker, job);
		else if (worker->retry_ns > 0 && now >= worker->retry_ns)
			recover(worker);
		else if (worker->flush_ns > 0 && now >= worker->flush_ns)
			flush(worker);
		if (now >= worker->housekeeping_ns && worker->retry_ns == 0) {
			expire(worker);
			worker->housekeeping_ns = now + HOUSEKEEPING_NS;
		}
	}
	/* What is not durable is read again by the next start, from the last live batch on. */
	ingest_close(worker->engine);
	worker->engine = NULL;
	pthread_mutex_lock(&worker->mutex);
	worker->has_left = true;
	pthread_cond_broadcast(&worker->changed);
	pthread_mutex_unlock(&worker->mutex);
	return NULL;
}

static void release(struct worker *worker)
{
	mailbox_close(worker->mailbox);
	json_decref(worker->progress);
	refusals_clear(&worker->refusals);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->mutex);
	pthread_mutex_destroy(&worker->state_mutex);
	free(worker);
}

enum result worker_start(struct worker **out, struct app *app, const struct worker_callbacks *callbacks,
                         struct error *error)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (worker == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	worker->app = app;
	worker->callbacks = *callbacks;
	TAILQ_INIT(&worker->taken);
	worker->housekeeping_ns = clock_monotonic_ns();
	pthread_mutex_init(&worker->mutex, NULL);
	pthread_mutex_init(&worker->state_mutex, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&worker->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	enum result result = mailbox_open(&worker->mailbox, error);
	if (result == RESULT_OK && pthread_create(&worker->thread, NULL, work, worker) != 0)
		result = error_set(error, RESULT_NO_MEMORY, "cannot start the worker thread");
	if (result != RESULT_OK) {
		release(worker);
		return result;
	}
	*out = worker;
	return RESULT_OK;
}

enum result worker_submit(struct worker *worker, const struct worker_job *values)
{
	struct mailbox_job *job = calloc(1, sizeof *job);
	if (job == NULL) {
		if (values->fd >= 0)
			close(values->fd);
		return RESULT_NO_MEMORY;
	}
	*job = (struct mailbox_job){
	    .path = strdup(values->path),
	    .dataset = values->dataset != NULL ? strdup(values->dataset) : NULL,
	    .client = values->client,
	    .fd = values->fd,
	    .dry_run = values->dry_run,
	};
	if (job->path == NULL || (values->dataset != NULL && job->dataset == NULL)) {
		mailbox_free_job(job);
		return RESULT_NO_MEMORY;
	}
	mailbox_put_job(worker->mailbox, job);
	return RESULT_OK;
}

int worker_fd(const struct worker *worker)
{
	return mailbox_fd(worker->mailbox);
}

void worker_dispatch(struct worker *worker)
{
	const struct worker_callbacks *callbacks = &worker->callbacks;
	for (struct mailbox_event *event; (event = mailbox_next_event(worker->mailbox)) != NULL;
	     mailbox_free_event(event)) {
		switch (event->kind) {
		case MAILBOX_REPORTED:
			callbacks->reported(callbacks->context, event->client, event->json);
			break;
		case MAILBOX_PROGRESSED:
			callbacks->progressed(callbacks->context, event->client, event->json);
			break;
		case MAILBOX_ENDED:
			callbacks->ended(callbacks->context, event->client, event->path, event->exit_status);
			break;
		case MAILBOX_RELEASED:
			callbacks->released(callbacks->context, event->path, event->delay_ns);
			break;
		}
	}
}

bool worker_stop(struct worker *worker, int64_t patience_ns)
{
	int64_t deadline = clock_monotonic_ns() + patience_ns;
	struct timespec until = {.tv_sec = deadline / SECOND_NS, .tv_nsec = deadline % SECOND_NS};
	atomic_store(&worker->stop, true);
	mailbox_wake(worker->mailbox);
	pthread_mutex_lock(&worker->mutex);
	while (!worker->has_left && pthread_cond_timedwait(&worker->changed, &worker->mutex, &until) == 0)
		;
	bool has_left = worker->has_left;
	pthread_mutex_unlock(&worker->mutex);
	return has_left;
}

void worker_free(struct worker *worker)
{
	if (worker == NULL)
		return;
	pthread_join(worker->thread, NULL);
	mailbox_return_jobs(worker->mailbox, &worker->taken);
	release(worker);
}

uint64_t worker_heartbeat(struct worker *worker)
{
	if (mailbox_is_waited_at(worker->mailbox))
		beat(worker);
	return atomic_load(&worker->heartbeat);
}

json_t *worker_status(struct worker *worker)
{
	pthread_mutex_lock(&worker->mutex);
	json_t *status = json_pack(
	    "{s:I, s:O?, s:s?, s:I}", "queue", (json_int_t)mailbox_job_count(worker->mailbox), "progress",
	    worker->progress, "trouble", worker->trouble[0] != '\0' ? worker->trouble : NULL, "refused",
	    (json_int_t)refusals_count(worker->refusals));
	pthread_mutex_unlock(&worker->mutex);
	return status;
}

bool worker_refusal(struct worker *worker, const char *path, char reason[ERROR_MESSAGE_MAX])
{
	pthread_mutex_lock(&worker->mutex);
	const char *found = refusals_find(worker->refusals, path);
	if (found != NULL)
		snprintf(reason, ERROR_MESSAGE_MAX, "%s", found);
	pthread_mutex_unlock(&worker->mutex);
	return found != NULL;
}

struct state *worker_lock_state(struct worker *worker)
{
	pthread_mutex_lock(&worker->state_mutex);
	return worker->app->state;
}

void worker_unlock_state(struct worker *worker)
{
	pthread_mutex_unlock(&worker->state_mutex);
}
