// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_CHECKS_H
#define ROWSIEVE_CLI_CHECKS_H

#include <jansson.h>

#include "base/error.h"
#include "config/config.h"

/* What `check` has found. */
struct checks {
	json_t *lines; /* {"check", "ok", "message", "hint"} */
	enum result worst;
};

/* One line: `message` when result is RESULT_OK, else the error's. */
void checks_add(struct checks *checks, const char *name, enum result result, const struct error *error,
                const char *message);

/* A line that somebody else has found. Takes the reference. */
void checks_take(struct checks *checks, json_t *line);

/* Does this user have what it needs on disk? */
void checks_directories(struct checks *checks, const struct config *config);

/* The daemon's own lines about disk, machine and identity, and where wanted how it gets on with sink and store. The
 * descriptor is closed. */
void checks_ask(struct checks *checks, int fd, bool with_sinks);

/* The machine: its clock, and what it allows a process. */
void checks_machine(struct checks *checks, const struct config *config);

#endif
