// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/mailbox.h"

/* The mailbox between busy threads, for the thread sanitizer: every job is taken once, every event arrives. A plain
 * program, because Criterion does not run under that sanitizer. */

enum { JOBS = 20000, EVENTS = JOBS };

static struct mailbox *mailbox;
static atomic_bool is_over;

static void demand(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static struct mailbox_job *take(void)
{
	return mailbox_take_job(mailbox, false, clock_monotonic_ns() + INT64_C(100000000));
}

/* Gives some back once, answers each. */
static void *work(void *context)
{
	(void)context;
	for (size_t taken = 0; taken < JOBS;) {
		struct mailbox_job *job = take();
		if (job == NULL)
			continue;
		if (job->exit_status == 0 && job->ticket % 7 == 0) {
			struct mailbox_jobs jobs = TAILQ_HEAD_INITIALIZER(jobs);
			job->exit_status = 1;
			TAILQ_INSERT_TAIL(&jobs, job, link);
			mailbox_return_jobs(mailbox, &jobs);
			continue;
		}
		mailbox_post(mailbox, (struct mailbox_event){.kind = MAILBOX_ENDED, .client = job->client},
		             job->path);
		free(job->path);
		free(job);
		taken++;
	}
	return NULL;
}

/* What the event loop and the control socket ask meanwhile. */
static void *look(void *context)
{
	(void)context;
	while (!atomic_load(&is_over)) {
		demand(mailbox_job_count(mailbox) <= JOBS, "more jobs than were put");
		demand(mailbox_oldest_age_ns(mailbox) >= 0, "an age below zero");
		(void)mailbox_is_waited_at(mailbox);
	}
	return NULL;
}

static size_t receive(void)
{
	size_t count = 0;
	struct mailbox_event *event;
	while ((event = mailbox_next_event(mailbox)) != NULL) {
		demand(event->kind == MAILBOX_ENDED && event->path != NULL, "not the event that was posted");
		mailbox_free_event(event);
		count++;
	}
	return count;
}

int main(void)
{
	pthread_t worker;
	pthread_t observer;
	printf("TAP version 13\n1..1\n");
	demand(mailbox_open(&mailbox, NULL) == RESULT_OK, "no mailbox");
	demand(pthread_create(&worker, NULL, work, NULL) == 0, "no thread");
	demand(pthread_create(&observer, NULL, look, NULL) == 0, "no thread");
	size_t events = 0;
	for (size_t i = 0; i < JOBS; i++) {
		struct mailbox_job *job = calloc(1, sizeof *job);
		demand(job != NULL && (job->path = strdup("x.csv")) != NULL, "no memory");
		job->fd = -1;
		job->client = i % 3;
		mailbox_put_job(mailbox, job);
		events += receive();
	}
	while (events < EVENTS)
		events += receive();
	pthread_join(worker, NULL);
	atomic_store(&is_over, true);
	pthread_join(observer, NULL);
	demand(mailbox_next_event(mailbox) == NULL && mailbox_job_count(mailbox) == 0, "something is left");
	mailbox_close(mailbox);
	printf("ok 1 - %d jobs between three threads\n", JOBS);
	return 0;
}
