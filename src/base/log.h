// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_BASE_LOG_H
#define ROWSIEVE_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/*
 * One line per event: to the journal, with fields, where standard error is connected to it; else on standard
 * error. Control bytes are shown as \xNN. Safe from every thread.
 */

/* What an event is about, as the journal's fields DELIVERY, DATASET and BATCH. NULL: nothing of the kind. */
struct log_fields {
	const char *delivery;
	const char *dataset;
	const char *batch;
};

void log_open(bool quiet); /* quiet: warnings and errors only */
void log_info(const char *format, ...) PRINTF_LIKE(1, 2);
void log_warning(const char *format, ...) PRINTF_LIKE(1, 2);

/* The message, and the hint in brackets behind it. */
void log_error(const struct error *error);

/* As log_info(), or log_warning() where is_bad, with fields. */
void log_event(bool is_bad, const struct log_fields *fields, const char *format, ...) PRINTF_LIKE(3, 4);

enum { LOG_RECENT_MAX = 8, LOG_LINE_SIZE = 2 * ERROR_MESSAGE_MAX };

struct log_record {
	int64_t wall_ns;
	char line[LOG_LINE_SIZE];
};

/* The last warnings and errors of this program, oldest first; how many. */
size_t log_recent(struct log_record out[LOG_RECENT_MAX]);

#endif
