// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_WATERMARK_H
#define ROWSIEVE_INGEST_WATERMARK_H

#include "ingest/member.h"

/*
 * `watermark = column`: a row that was never seen is filtered unless its value is newer than the newest stored
 * one, as of when its member was begun. The newest value moves on with each batch (state_batch.h); the one that
 * counts for a member is in its mark, so that a restart goes on with it.
 */

/* The dataset's column, NULL where it has no watermark. */
const struct schema_column *watermark_column(const struct dataset *dataset);

/* Was the member begun when another column was the watermark? Then its value says nothing about this one. */
bool watermark_is_other(const struct dataset *dataset, const struct state_watermark *begun);

/* Before the first row of a member: settles what was read before, and fixes what counts for it. RESULT_CONFIG:
 * the column is not there, or is a text. */
enum result watermark_fix(const struct member_input *input, struct error *error) WARN_UNUSED;

/* Is the row not newer than what counts for the member? A row without a value is not. */
bool watermark_is_old(const struct schema_column *column, const struct delivery_member *member,
                      struct slice row);

/* What the newest value is once the batch is stored; `known` is what the state has before. */
struct state_watermark watermark_after(const struct dataset *dataset, const struct state_watermark *known,
                                       const struct batch *batch);

#endif
