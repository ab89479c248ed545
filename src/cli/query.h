// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_QUERY_H
#define ROWSIEVE_CLI_QUERY_H

#include <jansson.h>

#include "cli/options.h"

/* Puts a request (whose reference it takes) to the daemon, or answers it from the state when none runs.
 * *lines is an array of objects. */
enum result query_run(const struct options *options, json_t *request, json_t **lines,
                      struct error *error) WARN_UNUSED;

/* A file as the history has it: whole, and without links on the way to a file that may be gone. Newly
 * allocated; NULL without memory. */
char *query_whole_path(const char *path);

/* One compact object a line on standard output. */
void query_print_json(const json_t *lines);

#endif
