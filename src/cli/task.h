// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_TASK_H
#define ROWSIEVE_CLI_TASK_H

#include <jansson.h>

#include "cli/app.h"

/*
 * The commands that compare or mend what is stored. They need state and sink for themselves: the command does
 * them itself when no daemon runs, else the daemon's worker does, between two files. Requests:
 *
 *   {"command": "rebuild", "subject": dataset, "refeed": bool}
 *   {"command": "verify", "subject": dataset, "store": bool}
 *   {"command": "restore", "subject": dataset}
 *   {"command": "forget", "subject": dataset or whole path of a file}
 *   {"command": "replay", "subject": dataset or delivery}
 */

struct task {
	struct app *app; /* with open stores */
	const atomic_bool *stop;
	bool has_daemon; /* files that are put into the drop directory will be taken from there */
	/* The answer, an object for each line; takes over the reference. */
	void (*line)(void *context, json_t *line);
	/* How far it is, in the form of report_progress_json(); takes over the reference. */
	void (*progress)(void *context, json_t *progress);
	/* This file of the drop directory is to be looked at again. */
	void (*release)(void *context, const char *path);
	void *context;
};

bool task_is_one(const json_t *request);

/* Its "subject", "" when it has none. */
const char *task_subject(const json_t *request);

/* No engine may be at work on the app's state. *exit_status is set where the result is RESULT_OK. */
enum result task_run(const struct task *task, const json_t *request, int *exit_status,
                     struct error *error) WARN_UNUSED;

/* {"error", "hint", "exit_status"}: the last line of a task that failed. */
json_t *task_failure(const struct error *error);

#endif
