// SPDX-License-Identifier: Apache-2.0
#include "cli/mailbox.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

struct mailbox {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct mailbox_jobs jobs;
	size_t job_count;
	uint64_t last_ticket;
	bool is_waited_at;
	bool is_woken;
	TAILQ_HEAD(, mailbox_event) events;
	int event_fd;
};

enum result mailbox_open(struct mailbox **out, struct error *error)
{
	struct mailbox *mailbox = calloc(1, sizeof *mailbox);
	if (mailbox == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	mailbox->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (mailbox->event_fd < 0) {
		free(mailbox);
		return error_set_errno(error, RESULT_IO, "cannot make an event descriptor");
	}
	TAILQ_INIT(&mailbox->jobs);
	TAILQ_INIT(&mailbox->events);
	pthread_mutex_init(&mailbox->mutex, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&mailbox->changed, &attributes);
	pthread_condattr_destroy(&attributes);
	*out = mailbox;
	return RESULT_OK;
}

void mailbox_close(struct mailbox *mailbox)
{
	if (mailbox == NULL)
		return;
	for (struct mailbox_job *job; (job = TAILQ_FIRST(&mailbox->jobs)) != NULL;) {
		TAILQ_REMOVE(&mailbox->jobs, job, link);
		mailbox_free_job(job);
	}
	for (struct mailbox_event *event; (event = mailbox_next_event(mailbox)) != NULL;)
		mailbox_free_event(event);
	pthread_cond_destroy(&mailbox->changed);
	pthread_mutex_destroy(&mailbox->mutex);
	close(mailbox->event_fd);
	free(mailbox);
}

void mailbox_free_job(struct mailbox_job *job)
{
	if (job == NULL)
		return;
	if (job->fd >= 0)
		close(job->fd);
	free(job->path);
	free(job->dataset);
	json_decref(job->request);
	free(job);
}

void mailbox_free_event(struct mailbox_event *event)
{
	if (event == NULL)
		return;
	json_decref(event->json);
	free(event->path);
	free(event);
}

void mailbox_put_job(struct mailbox *mailbox, struct mailbox_job *job)
{
	pthread_mutex_lock(&mailbox->mutex);
	job->ticket = ++mailbox->last_ticket;
	job->put_ns = clock_monotonic_ns();
	TAILQ_INSERT_TAIL(&mailbox->jobs, job, link);
	mailbox->job_count++;
	pthread_cond_signal(&mailbox->changed);
	pthread_mutex_unlock(&mailbox->mutex);
}

void mailbox_return_jobs(struct mailbox *mailbox, struct mailbox_jobs *jobs)
{
	pthread_mutex_lock(&mailbox->mutex);
	for (struct mailbox_job *job; (job = TAILQ_LAST(jobs, mailbox_jobs)) != NULL;) {
		TAILQ_REMOVE(jobs, job, link);
		TAILQ_INSERT_HEAD(&mailbox->jobs, job, link);
		mailbox->job_count++;
	}
	pthread_mutex_unlock(&mailbox->mutex);
}

static struct mailbox_job *first_job(struct mailbox *mailbox, bool only_clients)
{
	struct mailbox_job *job = TAILQ_FIRST(&mailbox->jobs);
	while (job != NULL && only_clients && job->client == 0)
		job = TAILQ_NEXT(job, link);
	return job;
}

static void wait_until(struct mailbox *mailbox, int64_t deadline_ns)
{
	struct timespec until = {.tv_sec = deadline_ns / 1000000000, .tv_nsec = deadline_ns % 1000000000};
	mailbox->is_waited_at = true;
	pthread_cond_timedwait(&mailbox->changed, &mailbox->mutex, &until);
	mailbox->is_waited_at = false;
}

struct mailbox_job *mailbox_take_job(struct mailbox *mailbox, bool only_clients, int64_t deadline_ns)
{
	pthread_mutex_lock(&mailbox->mutex);
	struct mailbox_job *job;
	while ((job = first_job(mailbox, only_clients)) == NULL && !mailbox->is_woken &&
	       clock_monotonic_ns() < deadline_ns)
		wait_until(mailbox, deadline_ns);
	if (job != NULL) {
		TAILQ_REMOVE(&mailbox->jobs, job, link);
		mailbox->job_count--;
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return job;
}

void mailbox_wake(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	mailbox->is_woken = true;
	pthread_cond_broadcast(&mailbox->changed);
	pthread_mutex_unlock(&mailbox->mutex);
}

size_t mailbox_job_count(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	size_t count = mailbox->job_count;
	pthread_mutex_unlock(&mailbox->mutex);
	return count;
}

int64_t mailbox_oldest_age_ns(struct mailbox *mailbox)
{
	int64_t oldest_ns = INT64_MAX;
	struct mailbox_job *job;
	pthread_mutex_lock(&mailbox->mutex);
	TAILQ_FOREACH (job, &mailbox->jobs, link) {
		if (job->client == 0 && job->put_ns < oldest_ns)
			oldest_ns = job->put_ns;
	}
	pthread_mutex_unlock(&mailbox->mutex);
	return oldest_ns == INT64_MAX ? 0 : clock_monotonic_ns() - oldest_ns;
}

bool mailbox_is_waited_at(struct mailbox *mailbox)
{
	pthread_mutex_lock(&mailbox->mutex);
	bool is_waited_at = mailbox->is_waited_at;
	pthread_mutex_unlock(&mailbox->mutex);
	return is_waited_at;
}

void mailbox_post(struct mailbox *mailbox, struct mailbox_event values, const char *path)
{
	struct mailbox_event *event = malloc(sizeof *event);
	char *copy = path != NULL ? strdup(path) : NULL;
	if (event == NULL || (path != NULL && copy == NULL)) {
		json_decref(values.json);
		free(event);
		free(copy);
		return;
	}
	*event = values;
	event->path = copy;
	pthread_mutex_lock(&mailbox->mutex);
	TAILQ_INSERT_TAIL(&mailbox->events, event, link);
	pthread_mutex_unlock(&mailbox->mutex);
	eventfd_write(mailbox->event_fd, 1);
}

int mailbox_fd(const struct mailbox *mailbox)
{
	return mailbox->event_fd;
}

struct mailbox_event *mailbox_next_event(struct mailbox *mailbox)
{
	eventfd_t ignored;
	pthread_mutex_lock(&mailbox->mutex);
	struct mailbox_event *event = TAILQ_FIRST(&mailbox->events);
	if (event != NULL)
		TAILQ_REMOVE(&mailbox->events, event, link);
	else
		eventfd_read(mailbox->event_fd, &ignored);
	pthread_mutex_unlock(&mailbox->mutex);
	return event;
}
