// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_PREVIEW_H
#define ROWSIEVE_CLI_PREVIEW_H

#include <jansson.h>
#include <stdio.h>

#include "ingest/ingest.h"

/* A preview of a member as JSON (the line of `preview --json`, but for its counts), and as lines for people. */

/* A new reference; NULL without memory. The sink says which SQL would run, as far as it can be reached. */
json_t *preview_json(const struct ingest_preview *preview, struct sink *sink);

/* A preview in the JSON form, joined with its report. */
void preview_print(FILE *out, const json_t *preview);

#endif
