// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_SURVEY_H
#define ROWSIEVE_INGEST_SURVEY_H

#include <stdbool.h>

#include "ingest/engine.h"

/*
 * A look at a delivery beside the reader that feeds the batch, through a source of its own: is this member
 * one that was delivered before, and what are the types of columns that were never seen?
 */
struct survey {
	struct ingest *ingest;
	const struct delivery *delivery;
	int fd;
	uint32_t index; /* of the member in question */
	const struct dataset *dataset;
	struct schema_spec spec; /* the dataset's, and what is known of its table */
};

/* Does it still say what the member would be judged to be? */
bool survey_is_in_force(const struct state_content *content, const struct dataset *dataset);

/*
 * Was exactly this content taken by this dataset before, under what is in force now (I9)? *found says so, and
 * *content what it held then. `head` is the digest of the member's first CONTENT_HEAD_SIZE bytes; the rest is
 * read only when some content of the dataset begins so.
 */
enum result survey_recognise(const struct survey *survey, struct id head, bool *found,
                             struct state_content *content, struct error *error) WARN_UNUSED;

/*
 * Extends `schema` by the columns that the member, and the members of the same dataset behind it, have and it
 * has not, with types from every value of this delivery. *has_rows: there was a row to learn from.
 */
enum result survey_infer(const struct survey *survey, struct schema *schema, bool *has_rows,
                         struct error *error) WARN_UNUSED;

/* Widens inferred integers and decimals of `schema` to what the values of these members need. *has_changed
 * says whether any became wider. */
enum result survey_widen(const struct survey *survey, struct schema *schema, bool *has_changed,
                         struct error *error) WARN_UNUSED;

#endif
