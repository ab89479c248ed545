// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_DAEMON_REQUEST_H
#define ROWSIEVE_CLI_DAEMON_REQUEST_H

#include "cli/daemon.h"

/* What clients of the control socket ask of the daemon: a file to ingest, a task, or an answer. `context` is the
 * struct daemon; see control_request_fn. */
void daemon_request_take(void *context, uint64_t client, const json_t *request, int fd);

/* The answer of answer_request() on behalf of the daemon. */
json_t *daemon_request_answer(struct daemon *daemon, const json_t *request);

#endif
