// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_INPUT_H
#define ROWSIEVE_CLI_INPUT_H

#include "base/error.h"

/* Opens a file that was named on the command line, for reading. RESULT_INVALID: it is no regular file. *fd is -1
 * after a failure. */
enum result input_open(const char *path, int *fd, struct error *error) WARN_UNUSED;

#endif
