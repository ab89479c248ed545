// SPDX-License-Identifier: Apache-2.0
#include "cli/worker.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/upkeep.h"
#include "cli/worker_job.h"

static const int64_t SECOND_NS = 1000000000;
static const int64_t HOUSEKEEPING_NS = 3600 * SECOND_NS;

static void expire(struct worker *worker)
{
	struct error error = {0};
	pthread_mutex_lock(&worker->mutex);
	refusals_remove_gone(&worker->refusals);
	pthread_mutex_unlock(&worker->mutex);
	enum result result = upkeep_expire(worker->app, &error);
	if (result == RESULT_STATE)
		worker_job_enter_trouble(worker, &error);
	else if (result != RESULT_OK)
		log_error(&error);
}

/* When the thread must look again even if nothing comes; 0: never. */
static int64_t next_deadline(const struct worker *worker)
{
	int64_t retry_ns = trouble_retry_ns(worker->trouble);
	if (retry_ns > 0)
		return retry_ns;
	if (worker->flush_ns > 0)
		return worker->flush_ns;
	return worker->housekeeping_ns;
}

/* The next job, or NULL when it is time for something else. In trouble only clients are served, so that they
 * hear of it. */
static struct mailbox_job *take_job(struct worker *worker)
{
	struct mailbox_job *job =
	    mailbox_take_job(worker->mailbox, trouble_retry_ns(worker->trouble) > 0, next_deadline(worker));
	if (job != NULL)
		TAILQ_INSERT_TAIL(&worker->taken, job, link);
	worker_job_beat(worker);
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
		worker_job_flush(worker);
	worker->is_cautious &= !is_last;
}

static void serve(struct worker *worker, struct mailbox_job *job)
{
	if (job->request != NULL) {
		worker_job_run_task(worker, job);
		return;
	}
	bool is_client = job->client != 0;
	if (worker->engine == NULL && !worker_job_recover(worker))
		return;
	if (!is_client && !worker_job_has_space(worker))
		return;
	worker_job_read(worker, job);
	flush_when_due(worker, is_client);
}

static void *work(void *context)
{
	struct worker *worker = context;
	worker_job_recover(worker);
	while (!atomic_load(&worker->stop)) {
		struct mailbox_job *job = take_job(worker);
		int64_t now = clock_monotonic_ns();
		if (job != NULL)
			serve(worker, job);
		else if (trouble_retry_ns(worker->trouble) > 0 && now >= trouble_retry_ns(worker->trouble))
			worker_job_recover(worker);
		else if (worker->flush_ns > 0 && now >= worker->flush_ns)
			worker_job_flush(worker);
		if (now >= worker->housekeeping_ns && trouble_retry_ns(worker->trouble) == 0) {
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
	trouble_close(worker->trouble);
	pthread_cond_destroy(&worker->changed);
	pthread_mutex_destroy(&worker->mutex);
	pthread_mutex_destroy(&worker->state_mutex);
	free(worker);
}

enum result worker_start(struct worker **out, struct app *app, const struct worker_callbacks *callbacks,
                         struct metrics *metrics, struct error *error)
{
	struct worker *worker = calloc(1, sizeof *worker);
	if (worker == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	worker->app = app;
	worker->callbacks = *callbacks;
	worker->metrics = metrics;
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
	if (result == RESULT_OK)
		result = trouble_open(&worker->trouble, error);
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
	    .preview = values->preview,
	    .request = json_deep_copy(values->request),
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
		case MAILBOX_ANSWERED:
			callbacks->answered(callbacks->context, event->client, event->json);
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
		worker_job_beat(worker);
	return atomic_load(&worker->heartbeat);
}

json_t *worker_status(struct worker *worker)
{
	pthread_mutex_lock(&worker->mutex);
	json_t *status =
	    json_pack("{s:I, s:f, s:O?, s:I}", "queue", (json_int_t)mailbox_job_count(worker->mailbox),
	              "oldest_seconds", (double)mailbox_oldest_age_ns(worker->mailbox) / 1e9, "progress",
	              worker->progress, "refused", (json_int_t)refusals_count(worker->refusals));
	pthread_mutex_unlock(&worker->mutex);
	if (status != NULL && !trouble_describe(worker->trouble, status)) {
		json_decref(status);
		status = NULL;
	}
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
