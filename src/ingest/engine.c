// SPDX-License-Identifier: Apache-2.0
#include "ingest/engine.h"

#include <stdlib.h>
#include <string.h>

#include "ingest/match.h"

/* Physical lines that one record may span; beyond them its quote counts as never closed. */
enum { MAX_LINES = 1000 };

struct record_options engine_record_limits(const struct ingest *ingest)
{
	return (struct record_options){
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

enum result engine_open_dataset(struct ingest *ingest, const char *name, struct dataset **out,
                                struct error *error)
{
	for (size_t i = 0; i < ingest->dataset_count; i++) {
		if (strcmp(ingest->datasets[i]->record.name, name) == 0) {
			*out = ingest->datasets[i];
			return RESULT_OK;
		}
	}
	struct match_rules rules = {.datasets = ingest->options.datasets,
	                            .count = ingest->options.dataset_count};
	const struct dataset_options *configured = match_find(&rules, name);
	struct dataset_options made = {.name = name, .table = name};
	struct dataset **datasets = realloc(ingest->datasets, (ingest->dataset_count + 1) * sizeof *datasets);
	if (datasets == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	ingest->datasets = datasets;
	struct dataset *dataset;
	enum result result =
	    dataset_open(&dataset, ingest->options.state, configured != NULL ? configured : &made, error);
	if (result != RESULT_OK)
		return result;
	if (configured == NULL)
		dataset->options.table = dataset->record.table;
	ingest->datasets[ingest->dataset_count++] = dataset;
	*out = dataset;
	return RESULT_OK;
}
