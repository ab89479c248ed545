// SPDX-License-Identifier: Apache-2.0
#include "ingest/preview.h"

enum result preview_take(struct preview *preview, struct slice row)
{
	if (preview->count == PREVIEW_ROWS)
		return RESULT_OK;
	if (buffer_append(&preview->rows, row.data, row.length) != RESULT_OK)
		return RESULT_NO_MEMORY;
	preview->ends[preview->count++] = preview->rows.length;
	return RESULT_OK;
}

void preview_tell(const struct preview *preview, const struct member_input *input,
                  const struct dialect *dialect)
{
	const struct ingest_options *options = &input->ingest->options;
	const struct dataset *dataset = input->member->dataset;
	const char *name = input->member->mark.member.name;
	struct slice rows[PREVIEW_ROWS];
	for (size_t i = 0, begin = 0; i < preview->count; begin = preview->ends[i++])
		rows[i] = (struct slice){preview->rows.data + begin, preview->ends[i] - begin};
	struct ingest_preview told = {
	    .member = name[0] != '\0' ? name : NULL,
	    .dataset = dataset->record.name,
	    .table = dataset->options.table,
	    .dialect = dialect,
	    .schema = dataset->schema,
	    .frozen_version = dataset->record.schema_version,
	    .rows = rows,
	    .row_count = preview->count,
	};
	options->preview(options->context, &told);
}

void preview_free(struct preview *preview)
{
	buffer_free(&preview->rows);
}
