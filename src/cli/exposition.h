// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_EXPOSITION_H
#define ROWSIEVE_CLI_EXPOSITION_H

#include <jansson.h>

#include "status/metrics.h"

/* The figures of a running daemon (status/metrics.h), with what its answer to `status` says of now. */

/* The page as text, newly allocated; NULL without memory. */
char *exposition_page(struct metrics *metrics, const json_t *status);

/* The same into a file, which is replaced whole: whoever reads it meets one page or the other. */
enum result exposition_write(struct metrics *metrics, const json_t *status, const char *path,
                             struct error *error) WARN_UNUSED;

#endif
