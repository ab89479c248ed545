// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "fuzz.h"
#include "source/record.h"

/* CSV bytes: the records are the same in whatever pieces they come, in order, and within the input. The first byte
 * chooses the dialect. */
struct pieces {
	const uint8_t *data;
	size_t size, at, piece;
};

static enum result read_piece(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	(void)error;
	struct pieces *pieces = context;
	size_t left = pieces->size - pieces->at;
	*count = left < pieces->piece ? left : pieces->piece;
	if (*count > size)
		*count = size;
	memcpy(bytes, pieces->data + pieces->at, *count);
	pieces->at += *count;
	return RESULT_OK;
}

static struct record_options options_of(uint8_t choice)
{
	return (struct record_options){
	    .delimiter = ",;\t|"[choice & 3],
	    .quote = (choice & 4) != 0 ? '\'' : '"',
	    .escape = (choice & 8) != 0 ? '\\' : '\0',
	    .comment = (choice & 16) != 0 ? '#' : '\0',
	    .skip_lines = (choice & 32) != 0 ? 2 : 0,
	    .max_field = (choice & 64) != 0 ? 16 : 1 << 16,
	    .max_columns = 8,
	    .max_lines = 4,
	};
}

static void append_record(struct buffer *out, const struct record *record)
{
	FUZZ_ASSERT(buffer_printf(out, "\n%d %zu %llu %llu ", (int)record->fault, record->field_count,
	                          (unsigned long long)record->line,
	                          (unsigned long long)record->end) == RESULT_OK);
	FUZZ_ASSERT(buffer_append(out, record->raw.data, record->raw.length) == RESULT_OK);
	for (size_t i = 0; i < record->field_count; i++) {
		FUZZ_ASSERT(buffer_append(out, "|", 1) == RESULT_OK);
		FUZZ_ASSERT(buffer_append(out, record->fields[i].data, record->fields[i].length) ==
		            RESULT_OK);
	}
}

static void read_all(struct pieces pieces, const struct record_options *options, struct buffer *out)
{
	struct record_reader *reader;
	FUZZ_ASSERT(record_open(&reader, options, read_piece, &pieces, NULL) == RESULT_OK);
	struct record record;
	uint64_t end = 0;
	while (record_next(reader, &record, NULL) == RESULT_OK) {
		FUZZ_ASSERT(record.end > end && record.end <= pieces.size);
		FUZZ_ASSERT(record.fault == RECORD_WHOLE || record.fields == NULL);
		FUZZ_ASSERT(record.field_count <= options->max_columns);
		if (end == 0 && record.fault == RECORD_WHOLE)
			record_expect_fields(reader, record.field_count);
		end = record.end;
		append_record(out, &record);
	}
	record_close(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	struct record_options options = options_of(data[0]);
	struct buffer whole = {0};
	struct buffer cut = {0};
	read_all((struct pieces){data + 1, size - 1, 0, size}, &options, &whole);
	read_all((struct pieces){data + 1, size - 1, 0, 1 + data[0] % 7}, &options, &cut);
	FUZZ_ASSERT(whole.length == cut.length);
	FUZZ_ASSERT(whole.length == 0 || memcmp(whole.data, cut.data, whole.length) == 0);
	buffer_free(&whole);
	buffer_free(&cut);
	return 0;
}
