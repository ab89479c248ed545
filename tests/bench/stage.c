// SPDX-License-Identifier: Apache-2.0
#include <csv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "schema/infer.h"
#include "schema/row_digests.h"
#include "schema/schema_map.h"
#include "source/record.h"

/*
 * The stages between a file's bytes and its rows' digests, one at a time and in memory, beside the same
 * through libcsv. Prints "name seconds", and fails when two ways do not come to the same rows.
 * usage: stage FILE RUNS
 */

enum { BLOCK = 256 * 1024, DIGESTED_AT_ONCE = 256 };

static const struct record_options options = {
    .delimiter = ',', .quote = '"', .max_field = 1 << 24, .max_columns = 4096, .max_lines = 1000};
static const uint8_t key[ROW_KEY_SIZE] = {1, 2, 3};

struct input {
	char *bytes;
	size_t length;
	size_t at;
};

/* The table as it was inferred, and what came of the rows. */
struct stage {
	struct input *input;
	struct schema *schema;
	struct schema_map map;
	struct buffer rows; /* that are not digested yet */
	size_t offsets[DIGESTED_AT_ONCE];
	size_t waiting;
	struct buffer text; /* of a record's fields by libcsv */
	struct slice *fields;
	size_t field_count;
	uint64_t count;
	uint64_t sum; /* of the digests */
};

static void die(const char *what)
{
	fprintf(stderr, "stage: %s\n", what);
	exit(1);
}

static void require(bool is_fine, const char *what)
{
	if (!is_fine)
		die(what);
}

static void load(struct input *input, const char *path)
{
	FILE *file = fopen(path, "re");
	require(file != NULL && fseek(file, 0, SEEK_END) == 0, "cannot read the file");
	input->length = (size_t)ftell(file);
	rewind(file);
	input->bytes = malloc(input->length + 1);
	require(input->bytes != NULL && fread(input->bytes, 1, input->length, file) == input->length,
	        "cannot read the file");
	fclose(file);
}

static enum result read_input(void *context, void *bytes, size_t size, size_t *count, struct error *error)
{
	(void)error;
	struct input *input = context;
	size_t left = input->length - input->at;
	*count = left < size ? left : size;
	memcpy(bytes, input->bytes + input->at, *count);
	input->at += *count;
	return RESULT_OK;
}

static struct record_reader *open_reader(struct input *input)
{
	struct record_reader *reader;
	input->at = 0;
	require(record_open(&reader, &options, read_input, input, NULL) == RESULT_OK, "out of memory");
	return reader;
}

static const struct schema_spec none;

/* For the types that the schema has now. */
static void map_header(struct stage *stage)
{
	struct record_reader *reader = open_reader(stage->input);
	struct record record;
	size_t added;
	require(record_next(reader, &record, NULL) == RESULT_OK, "no header");
	require(schema_extend(stage->schema, &none, record.fields, record.field_count, &added, NULL) ==
	            RESULT_OK,
	        "no schema");
	schema_map_free(&stage->map);
	require(schema_map_header(&stage->map, stage->schema, &none, record.fields, record.field_count,
	                          NULL) == RESULT_OK,
	        "no map");
	record_close(reader);
}

static void learn(struct stage *stage)
{
	stage->schema = schema_new();
	stage->fields = calloc(options.max_columns, sizeof(*stage->fields));
	require(stage->schema != NULL && stage->fields != NULL, "out of memory");
	map_header(stage);
	struct record_reader *reader = open_reader(stage->input);
	struct infer *infer = infer_new(stage->schema, &none, 0);
	struct record record;
	require(infer != NULL && record_next(reader, &record, NULL) == RESULT_OK, "no header");
	while (record_next(reader, &record, NULL) == RESULT_OK)
		infer_record(infer, &stage->map, record.fields, record.field_count);
	infer_finish(infer, stage->schema);
	infer_free(infer);
	record_close(reader);
	map_header(stage);
}

static void infer_again(struct stage *stage)
{
	struct record_reader *reader = open_reader(stage->input);
	struct infer *infer = infer_new(stage->schema, &none, 0);
	struct record record;
	require(infer != NULL, "out of memory");
	while (record_next(reader, &record, NULL) == RESULT_OK)
		infer_record(infer, &stage->map, record.fields, record.field_count);
	infer_free(infer);
	record_close(reader);
}

/* As a batch does it. */
static void digest_rows(struct stage *stage)
{
	struct slice rows[DIGESTED_AT_ONCE];
	struct row_digest digests[DIGESTED_AT_ONCE];
	size_t end = stage->rows.length;
	for (size_t i = stage->waiting; i-- > 0; end = stage->offsets[i])
		rows[i] = (struct slice){stage->rows.data + stage->offsets[i], end - stage->offsets[i]};
	row_digests(rows, stage->waiting, key, digests);
	for (size_t i = 0; i < stage->waiting; i++)
		stage->sum += digests[i].hi;
	stage->waiting = 0;
	stage->rows.length = 0;
}

static void take_row(struct stage *stage, const struct slice *fields, size_t count)
{
	struct schema_fault fault;
	size_t offset = stage->rows.length;
	if (schema_map_row(&stage->map, fields, count, &stage->rows, &fault) == RESULT_OK)
		stage->offsets[stage->waiting++] = offset;
	if (stage->waiting == DIGESTED_AT_ONCE)
		digest_rows(stage);
	stage->count++;
}

static void read_records(struct stage *stage, bool with_rows)
{
	struct record_reader *reader = open_reader(stage->input);
	struct record record;
	require(record_next(reader, &record, NULL) == RESULT_OK, "no header");
	while (record_next(reader, &record, NULL) == RESULT_OK) {
		if (with_rows)
			take_row(stage, record.fields, record.field_count);
		else
			stage->count++;
	}
	record_close(reader);
}

static void records(struct stage *stage)
{
	read_records(stage, false);
}

static void rows(struct stage *stage)
{
	read_records(stage, true);
}

static int never_space(unsigned char byte)
{
	(void)byte;
	return 0;
}

static void parse(struct stage *stage, void (*on_field)(void *, size_t, void *), void (*on_row)(int, void *))
{
	struct csv_parser parser;
	require(csv_init(&parser, 0) == 0, "out of memory");
	csv_set_space_func(&parser, never_space);
	struct input *input = stage->input;
	char block[BLOCK];
	input->at = 0;
	for (;;) {
		size_t count = 0;
		require(read_input(input, block, sizeof(block), &count, NULL) == RESULT_OK, "cannot read");
		if (count == 0)
			break;
		require(csv_parse(&parser, block, count, on_field, on_row, stage) == count, "libcsv failed");
	}
	csv_fini(&parser, on_field, on_row, stage);
	csv_free(&parser);
}

static void nothing_field(void *field, size_t length, void *context)
{
	(void)field;
	(void)length;
	(void)context;
}

static void nothing_row(int end, void *context)
{
	(void)end;
	(void)context;
}

static void libcsv_empty(struct stage *stage)
{
	parse(stage, nothing_field, nothing_row);
}

static void keep_field(void *field, size_t length, void *context)
{
	struct stage *stage = context;
	require(buffer_append(&stage->text, field, length) == RESULT_OK, "out of memory");
	stage->fields[stage->field_count++].length = length;
}

static void keep_row(int end, void *context)
{
	(void)end;
	struct stage *stage = context;
	const char *data = stage->text.data;
	for (size_t i = 0; i < stage->field_count; i++) {
		stage->fields[i].data = data;
		data += stage->fields[i].length;
	}
	bool is_header = stage->count == 0 && stage->rows.capacity == 0;
	if (is_header)
		require(buffer_reserve(&stage->rows, 1) == RESULT_OK, "out of memory");
	else
		take_row(stage, stage->fields, stage->field_count);
	stage->text.length = 0;
	stage->field_count = 0;
}

static void libcsv_rows(struct stage *stage)
{
	buffer_free(&stage->rows);
	parse(stage, keep_field, keep_row);
}

static void measure(const char *name, void (*run)(struct stage *), struct stage *stage, int runs)
{
	for (int i = 0; i < runs; i++) {
		stage->count = 0;
		stage->sum = 0;
		int64_t began = clock_monotonic_ns();
		run(stage);
		digest_rows(stage);
		printf("%s %.6f\n", name, (double)(clock_monotonic_ns() - began) / 1e9);
	}
}

int main(int argc, char **argv)
{
	require(argc == 3, "usage: stage FILE RUNS");
	struct input input = {0};
	struct stage stage = {.input = &input};
	int runs = atoi(argv[2]);
	load(&input, argv[1]);
	learn(&stage);
	measure("libcsv-empty", libcsv_empty, &stage, runs);
	measure("libcsv-rows", libcsv_rows, &stage, runs);
	uint64_t count = stage.count;
	uint64_t sum = stage.sum;
	measure("records", records, &stage, runs);
	require(stage.count == count, "the record reader and libcsv differ");
	measure("rows", rows, &stage, runs);
	require(stage.count == count && stage.sum == sum, "rows differ from libcsv's");
	measure("infer", infer_again, &stage, runs);
	printf("count %lu\n", (unsigned long)count);
	return 0;
}
