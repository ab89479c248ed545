// SPDX-License-Identifier: Apache-2.0
#include "ingest/engine.h"

#include "ingest/match.h"

/* Physical lines that one record may span; beyond them its quote counts as never closed. */
enum { MAX_LINES = 1000 };

struct record_options engine_record_options(const struct ingest *ingest)
{
	return (struct record_options){
	    .delimiter = ',',
	    .quote = '"',
	    .max_field = ingest->options.max_field,
	    .max_columns = ingest->options.max_columns,
	    .max_lines = MAX_LINES,
	};
}

enum result engine_dataset_name(const struct ingest *ingest, const struct delivery *delivery,
                                const struct source *source, const struct source_member *member,
                                char name[SCHEMA_NAME_MAX + 1], struct error *error)
{
	struct match_rules rules = {ingest->options.datasets, ingest->options.dataset_count,
	                            ingest->options.create_unmatched};
	if (delivery->dataset[0] != '\0')
		return match_name(&rules, delivery->dataset, name, error);
	struct match_member wanted = {member->title, source_is_archive(source)};
	return match_member(&rules, &wanted, name, error);
}
