// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_ANSWER_H
#define ROWSIEVE_CLI_ANSWER_H

#include <jansson.h>

#include "cli/app.h"
#include "cli/uploader.h"
#include "cli/worker.h"

/*
 * Answers to the commands that only look: given by the daemon over its control socket, or by the command
 * itself when no daemon runs. Requests are {"command": "status" | "metrics" | "history" | "explain" | …,
 * "filter", "file"}.
 */
struct answer_source {
	const struct config *config;
	const struct match_rules *rules;
	struct state *state;       /* NULL: there is none yet */
	struct worker *worker;     /* NULL: no daemon */
	struct metrics *metrics;   /* NULL: no daemon */
	struct uploader *uploader; /* NULL: no daemon, or nothing is kept for a store */
};

/* An array of objects, one for each line of the answer; {"error": text} for a request that makes no sense.
 * NULL without memory. */
json_t *answer_request(const struct answer_source *source, const json_t *request);

#endif
