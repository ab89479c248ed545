// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_MAILBOX_H
#define ROWSIEVE_CLI_MAILBOX_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/error.h"

/* Between the event loop and the worker thread: jobs go one way, events the other. Safe from both threads. */
struct mailbox;

/* One file to read, or one task to do. Whoever holds the job owns it. */
struct mailbox_job {
	TAILQ_ENTRY(mailbox_job) link;
	uint64_t ticket;
	int64_t put_ns; /* clock_monotonic_ns() when it came */
	char *path;
	char *dataset;   /* NULL: by the member's name */
	uint64_t client; /* of the control socket; 0: a file of the drop directory */
	int fd;          /* closed with the job; -1: not opened yet */
	bool dry_run;
	bool preview;    /* of a dry run: what it found out is told, too */
	json_t *request; /* of a task; NULL: a file */
	int exit_status; /* what a client will be told */
};

TAILQ_HEAD(mailbox_jobs, mailbox_job);

enum mailbox_event_kind {
	MAILBOX_REPORTED,
	MAILBOX_PROGRESSED,
	MAILBOX_ANSWERED,
	MAILBOX_ENDED,
	MAILBOX_RELEASED,
};

struct mailbox_event {
	TAILQ_ENTRY(mailbox_event) link;
	enum mailbox_event_kind kind;
	uint64_t client;
	json_t *json; /* owned */
	char *path;   /* owned */
	int exit_status;
	int64_t delay_ns;
};

enum result mailbox_open(struct mailbox **out, struct error *error) WARN_UNUSED;
void mailbox_close(struct mailbox *mailbox); /* NULL is fine */

/* Takes over the job and gives it its ticket. */
void mailbox_put_job(struct mailbox *mailbox, struct mailbox_job *job);

/* Puts jobs back in front, in their order, and leaves the list empty. */
void mailbox_return_jobs(struct mailbox *mailbox, struct mailbox_jobs *jobs);

/* Waits for a job until the deadline (clock_monotonic_ns()) or mailbox_wake(); NULL then. only_clients: files
 * of the drop directory stay in the queue. */
struct mailbox_job *mailbox_take_job(struct mailbox *mailbox, bool only_clients, int64_t deadline_ns);

/* mailbox_take_job() returns at once from now on, whether there is a job or not. */
void mailbox_wake(struct mailbox *mailbox);

size_t mailbox_job_count(struct mailbox *mailbox);
/* Age of the job of the drop directory that has waited longest; 0 without any. */
int64_t mailbox_oldest_age_ns(struct mailbox *mailbox);
bool mailbox_is_waited_at(struct mailbox *mailbox); /* the worker has nothing to do */

/* Queues an event with a copy of `path` (which may be NULL); takes over event.json. An event that finds no
 * memory is lost to the listener, never to the data. */
void mailbox_post(struct mailbox *mailbox, struct mailbox_event event, const char *path);

/* Readable when there are events. */
int mailbox_fd(const struct mailbox *mailbox);

/* The next event, or NULL; mailbox_free_event() afterwards. */
struct mailbox_event *mailbox_next_event(struct mailbox *mailbox);
void mailbox_free_event(struct mailbox_event *event);
void mailbox_free_job(struct mailbox_job *job);

#endif
