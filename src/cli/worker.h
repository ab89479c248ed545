// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_WORKER_H
#define ROWSIEVE_CLI_WORKER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "cli/app.h"
#include "status/metrics.h"

/*
 * The thread that does the daemon's work: one engine, fed from a queue. Files of the drop directory stay
 * queued while the sink or the disk is in trouble and are taken up when it is over; files of clients are
 * answered at once.
 *
 * All functions are called on the event loop's thread; so are the callbacks, from worker_dispatch().
 */
struct worker;

struct worker_job {
	const char *path;
	const char *dataset; /* NULL: by the member's name */
	uint64_t client;     /* of the control socket; 0: a file of the drop directory */
	int fd;              /* of a client's file; the worker closes it. -1: it opens the path */
	bool dry_run;
	bool preview; /* of a dry run: its client is answered with {"preview": ...} for each member */
	const json_t *request; /* a task (cli/task.h) instead of a file; path is then what it is about */
};

struct worker_callbacks {
	/* What became of one member. The reference is borrowed. */
	void (*reported)(void *context, uint64_t client, const json_t *report);
	/* A client's file is being read. */
	void (*progressed)(void *context, uint64_t client, const json_t *progress);
	/* A line of a task's answer. The reference is borrowed. */
	void (*answered)(void *context, uint64_t client, const json_t *line);
	/* Nothing more will be said of this job. */
	void (*ended)(void *context, uint64_t client, const char *path, int exit_status);
	/* The file stays in the drop directory; it may be handed in again after the delay. */
	void (*released)(void *context, const char *path, int64_t delay_ns);
	void *context;
};

/* Starts the thread over an open app, which is the worker's until worker_free(). It counts into `metrics`, which
 * must outlive it. */
enum result worker_start(struct worker **out, struct app *app, const struct worker_callbacks *callbacks,
                         struct metrics *metrics, struct error *error) WARN_UNUSED;

enum result worker_submit(struct worker *worker, const struct worker_job *job) WARN_UNUSED;

/* Readable when there is something to dispatch. */
int worker_fd(const struct worker *worker);
void worker_dispatch(struct worker *worker);

/* Asks the thread to leave at the next record, then waits that long for it; false: it is still busy. */
bool worker_stop(struct worker *worker, int64_t patience_ns);
void worker_free(struct worker *worker); /* only after worker_stop() said true; NULL is fine */

/* Grows whenever the thread gets on with something, or has nothing to do. */
uint64_t worker_heartbeat(struct worker *worker);

/* What it is doing, for `status`: {"queue", "oldest_seconds", "progress" or null, "refused": how many files were not taken and
 * stay, and what trouble_describe() adds}. */
json_t *worker_status(struct worker *worker);

/* Was this file of the drop directory, named as it was submitted, refused? Then why. */
bool worker_refusal(struct worker *worker, const char *path, char reason[ERROR_MESSAGE_MAX]);

/* The state may be closed and opened again by the thread: readers hold it meanwhile. NULL: it is not open
 * now. */
struct state *worker_lock_state(struct worker *worker);
void worker_unlock_state(struct worker *worker);

#endif
