// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_WORKER_JOB_H
#define ROWSIEVE_CLI_WORKER_JOB_H

#include <pthread.h>

#include "cli/mailbox.h"
#include "cli/refusals.h"
#include "cli/trouble.h"
#include "cli/worker.h"

/* What the worker's thread does with one job, and what follows from its failure. Everything here is called on
 * that thread. */

struct worker {
	struct app *app;
	struct worker_callbacks callbacks;
	pthread_t thread;
	struct metrics *metrics;
	struct mailbox *mailbox;
	atomic_bool stop;
	atomic_uint_fast64_t heartbeat;

	/* What the event loop may look at, and whether the thread has left. */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	bool has_left;
	json_t *progress;
	struct refusals *refusals;

	struct trouble *trouble;

	/* Held while the state is used by readers, or replaced. */
	pthread_mutex_t state_mutex;

	/* The thread's own. */
	struct ingest *engine;
	uint64_t onlooker;         /* client of the preview that is being made */
	struct mailbox_jobs taken; /* read, or being read, and not reported yet */
	int64_t flush_ns;          /* what was read is flushed by then */
	int64_t housekeeping_ns;
	bool is_cautious; /* a group of files failed together: one at a time, until the culprit is known */
};

/* The thread gets on. */
void worker_job_beat(struct worker *worker);

/* Tries whether work can go on; false: it is in trouble (again). */
bool worker_job_recover(struct worker *worker);

/* Reads the job's file. The job stands in `taken`; it may have ended when this returns. */
void worker_job_read(struct worker *worker, struct mailbox_job *job);

/* Does the job's task; the job stands in `taken`, and has ended when this returns. */
void worker_job_run_task(struct worker *worker, struct mailbox_job *job);

/* Makes durable what was read. */
void worker_job_flush(struct worker *worker);

/* Files of the drop directory wait while the disk is short; what was read before is made durable first. */
bool worker_job_has_space(struct worker *worker);

/* The sink or this machine is in trouble, whatever the file: wait, longer each time. */
void worker_job_enter_trouble(struct worker *worker, const struct error *error);

#endif
