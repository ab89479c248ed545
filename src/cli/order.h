// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_ORDER_H
#define ROWSIEVE_CLI_ORDER_H

#include <jansson.h>

#include "cli/options.h"

/*
 * Has a task (cli/task.h) done: by the daemon when one runs, else here. Takes the request's reference. Each
 * line of the answer is printed as JSON where the options say so, else by print(); a progress bar is drawn on a
 * terminal.
 */
enum result order_run(const struct options *options, json_t *request, void (*print)(const json_t *line),
                      int *exit_status, struct error *error) WARN_UNUSED;

/* As the subject of a request: a file by its whole path, anything else as it is. Newly allocated. */
char *order_subject(const char *argument);

#endif
