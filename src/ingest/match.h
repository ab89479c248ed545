// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_MATCH_H
#define ROWSIEVE_INGEST_MATCH_H

#include <stdbool.h>

#include "ingest/dataset.h"

/* Which dataset takes a member. */
struct match_rules {
	const struct dataset_options *datasets;
	size_t count;
	bool create_unmatched; /* a member that no pattern takes becomes a dataset named after it */
};

struct match_member {
	const char *title;
	bool in_archive; /* in an archive only .csv, .tsv and .txt make a dataset of their own */
};

/* By patterns. RESULT_END: none takes it; RESULT_CONFIG: two do. */
enum result match_member(const struct match_rules *rules, const struct match_member *member,
                         char name[SCHEMA_NAME_MAX + 1], struct error *error) WARN_UNUSED;

/* Does the title say that it is a table, .csv or .tsv? */
bool match_is_table(const char *title);

/* By name (a subdirectory of the drop directory, --dataset). RESULT_END: there is no such dataset and none is
 * made. */
enum result match_name(const struct match_rules *rules, const char *wanted, char name[SCHEMA_NAME_MAX + 1],
                       struct error *error) WARN_UNUSED;

/* The configured dataset of that name, or NULL. */
const struct dataset_options *match_find(const struct match_rules *rules, const char *name);

#endif
