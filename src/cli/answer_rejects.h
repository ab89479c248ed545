// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_ANSWER_REJECTS_H
#define ROWSIEVE_CLI_ANSWER_REJECTS_H

#include <jansson.h>

#include "state.h"

/*
 * An object for each delivery, member, column and reason with rejected rows that were not replayed: {"delivery",
 * "file", "member", "dataset", "column", "reason", "rows", "first_line", "rejects": path of the reject file}; and one
 * with rows 0 and rejects null for each file that could not be taken at all. `filter` is a dataset; NULL: all.
 * An array, or NULL without memory; {"error": text} in it when something cannot be read.
 */
json_t *answer_rejects(struct state *state, const char *directory, const char *filter);

#endif
