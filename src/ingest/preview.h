// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_PREVIEW_H
#define ROWSIEVE_INGEST_PREVIEW_H

#include "ingest/member.h"
#include "source/delimited.h"

/* What a preview shows of a member: kept while it is read, told at its end. */

enum { PREVIEW_ROWS = 10 };

struct preview {
	struct buffer rows; /* the first ones, one behind the other */
	size_t ends[PREVIEW_ROWS];
	size_t count;
};

/* Takes a row that would be judged, as long as there is room. RESULT_NO_MEMORY otherwise. */
enum result preview_take(struct preview *preview, struct slice row) WARN_UNUSED;

/* Tells whoever wants to know. */
void preview_tell(const struct preview *preview, const struct member_input *input,
                  const struct dialect *dialect);

void preview_free(struct preview *preview);

#endif
