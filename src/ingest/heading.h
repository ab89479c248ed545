// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_HEADING_H
#define ROWSIEVE_INGEST_HEADING_H

#include "ingest/dataset.h"
#include "source/delimited.h"

/* What the fields of a member are called: by its first record, or, where that is a row, as they are declared,
 * in their order; further ones have no name. */
struct heading {
	struct slice *fields; /* copies */
	size_t count;
	bool is_row;         /* the first record is one of the rows */
	struct record first; /* it lives until the next record is read */
	struct buffer text;
};

/* Reads the first record. RESULT_END: there is none. RESULT_INVALID: it cannot be a header. */
enum result heading_read(struct heading *heading, struct delimited *delimited, const struct schema_spec *spec,
                         struct error *error) WARN_UNUSED;
void heading_free(struct heading *heading);

#endif
