// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_LOG_H
#define ROWSIEVE_BASE_LOG_H

#include <stdbool.h>

#include "base/error.h"

/*
 * One line per event on standard error. Under systemd each line carries the priority prefix that the journal
 * understands; on a terminal it stands alone. Control bytes are shown as \xNN. Safe from every thread.
 */

void log_open(bool quiet); /* quiet: warnings and errors only */
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);

/* The message, and the hint in brackets behind it. */
void log_error(const struct error *error);

#endif
