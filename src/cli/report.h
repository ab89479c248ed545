// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_REPORT_H
#define ROWSIEVE_CLI_REPORT_H

#include <jansson.h>

#include "ingest/ingest.h"

/* What became of a member, as JSON (the line of `ingest --json`) and as a line for people. */

/* "done", "rejected" or "failed". */
const char *report_status_text(enum ingest_status status);

/* New references; NULL without memory. */
json_t *report_json(const struct ingest_report *report);
/* Of a file that nothing was learned of; `dataset`: the one that was asked for, or NULL. */
json_t *report_failure_json(const char *file, const char *dataset, const struct error *error);
json_t *report_progress_json(const struct ingest_progress *progress);

/* "file [member]: done, 3 rows: 2 new, 1 duplicate, …" of a report in the JSON form, into line[size]. */
void report_line(char *line, size_t size, const json_t *report);

/* 0 for done, 1 for rejected, failed, or (strict) rejected rows. */
int report_exit_status(const json_t *report, bool strict);

#endif
