// SPDX-License-Identifier: Apache-2.0
#include "ingest/engine.h"

#include <unistr.h>

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

enum result engine_check_header(const struct record *header, struct error *error)
{
	if (header->fault != RECORD_WHOLE)
		return error_set(error, RESULT_INVALID, "header: %s", record_fault_text(header->fault));
	for (size_t i = 0; i < header->field_count; i++) {
		struct slice name = header->fields[i];
		if (u8_check((const uint8_t *)name.data, name.length) != NULL)
			return error_set(error, RESULT_INVALID, "header: field %zu is not UTF-8", i + 1);
	}
	if (header->field_count == 0)
		return error_set(error, RESULT_INVALID, "header: the first line is blank");
	return RESULT_OK;
}
