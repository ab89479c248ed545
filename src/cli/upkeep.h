// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_UPKEEP_H
#define ROWSIEVE_CLI_UPKEEP_H

#include "cli/app.h"

/* So that no folder grows for ever and no disk runs full. */

/* RESULT_NO_SPACE when less is free than keep.min_free wants. */
enum result upkeep_check_space(const struct config *config, struct error *error) WARN_UNUSED;

/* Removes what is older than `keep` says: files in done/ and rejected/, deliveries and known content in the
 * state. RESULT_STATE: the state must be opened again. */
enum result upkeep_expire(const struct app *app, struct error *error) WARN_UNUSED;

#endif
