// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_EVOLVE_H
#define ROWSIEVE_INGEST_EVOLVE_H

#include "ingest/heading.h"
#include "ingest/member.h"

/* The frozen schema of a dataset changes: a member has columns that it has not, or values that its columns
 * would hold if they were wider. Batches so far are committed before the table changes. A dry run changes the
 * schema in memory only. */

/* Freezes what the heading has and the schema has not. *has_rows false: there is nothing to learn from, nor to
 * store. */
enum result evolve_columns(const struct member_input *input, const struct heading *heading, bool *has_rows,
                           struct error *error) WARN_UNUSED;

/* Widens inferred numbers to what this delivery holds. *has_changed false: none can be wider. */
enum result evolve_types(const struct member_input *input, bool *has_changed,
                         struct error *error) WARN_UNUSED;

#endif
