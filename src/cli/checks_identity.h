// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_CHECKS_IDENTITY_H
#define ROWSIEVE_CLI_CHECKS_IDENTITY_H

#include "cli/checks.h"
#include "state.h"

/* Does the configuration still mean the rows that are stored? Each dataset that it would stop, with the number of rows
 * and the command. */
void checks_identity(struct checks *checks, const struct config *config, struct state *state);

#endif
