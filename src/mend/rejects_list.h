// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_REJECTS_LIST_H
#define ROWSIEVE_MEND_REJECTS_LIST_H

#include "ingest/rejects.h"

/* The way back from a reject file. Strings of an entry live for the call; what was NULL in the row is "". */
struct rejects_entry {
	const char *member;
	uint64_t line;
	const char *column;
	const char *reason;
	struct slice record;
	struct slice header;
};

/* Calls each() for every row in the order of the file; anything but RESULT_OK ends it with that result.
 * RESULT_INVALID for a file that rejects_add() cannot have written. */
enum result rejects_list_read(const char *path,
                              enum result (*each)(void *context, const struct rejects_entry *entry,
                                                  struct error *error),
                              void *context, struct error *error) WARN_UNUSED;

#endif
