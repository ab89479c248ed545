// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_MYSQL_FAILURE_H
#define ROWSIEVE_SINK_MYSQL_FAILURE_H

#include <stdbool.h>

#include "base/error.h"

/* What an error of the server or of the client library means for the batch at hand. */
enum result mysql_failure_result(unsigned number, const char *sqlstate);

/* What the operator can do about it, or NULL. */
const char *mysql_failure_hint(unsigned number);

/* The server (or the library) does not take LOAD DATA LOCAL INFILE at all. */
bool mysql_failure_is_local_infile(unsigned number);

#endif
