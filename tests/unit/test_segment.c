// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "ingest/segment.h"
#include "schema/row.h"
#include "scratch.h"

enum { ROW_COUNT = 40000 }; /* of which the text takes several members */

static struct schema_column columns[] = {
    {.ordinal = 1, .name = "id"}, {.ordinal = 3, .name = "a, b"}, {.ordinal = 4, .name = "c"}};
static const struct schema schema = {.version = 1, .columns = columns, .count = 3};

static char *directory, *rows_path, *gzip_path;
static struct error error;
static struct buffer bytes;
static struct slice rows[ROW_COUNT];

static void setup(void)
{
	directory = scratch_make();
	rows_path = scratch_path(directory, "x.rows");
	gzip_path = scratch_path(directory, "x.csv.gz");
}

static void teardown(void)
{
	buffer_free(&bytes);
	free(rows_path);
	free(gzip_path);
	scratch_remove(directory);
}

TestSuite(segment, .init = setup, .fini = teardown);

/* Rows of all kinds of values, from a number each. */
static void make_rows(size_t count)
{
	static const char *const texts[] = {"",    "plain", "a,b",  "say \"so\"", "two\nlines", "\r",
	                                    " in", "out\t", "\"\"", "\xc3\xa9",   "\\N",        "NULL"};
	enum { TEXTS = sizeof texts / sizeof *texts };
	cr_assert_eq(buffer_reserve(&bytes, count * 64), RESULT_OK);
	for (size_t i = 0; i < count; i++) {
		size_t at = bytes.length;
		char number[32];
		snprintf(number, sizeof number, "%zu", i);
		cr_assert_eq(row_append(&bytes, 1, slice_from_string(number)), RESULT_OK);
		if (i % 7 != 0)
			cr_assert_eq(row_append(&bytes, 3, slice_from_string(texts[i % TEXTS])), RESULT_OK);
		if (i % 5 != 0)
			cr_assert_eq(row_append(&bytes, 4, slice_from_string(texts[i / 7 % TEXTS])),
			             RESULT_OK);
		rows[i] = (struct slice){bytes.data + at, bytes.length - at};
	}
}

static void encode(size_t count)
{
	uint64_t size;
	make_rows(count);
	cr_assert_eq(segment_write(rows_path, rows, count, &size, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(size, bytes.length + 4 * count);
	cr_assert_eq(segment_encode(rows_path, gzip_path, &schema, &error), RESULT_OK, "%s", error.message);
}

/* Reads rows as long as they are those that were written; what ended that. */
static enum result read_back(size_t *count)
{
	struct segment_reader *reader;
	CLEANUP(buffer_free) struct buffer row = {0};
	*count = 0;
	enum result result = segment_open(&reader, gzip_path, &schema, &error);
	if (result != RESULT_OK)
		return result;
	while ((result = segment_next(reader, &row, &error)) == RESULT_OK) {
		cr_assert_lt(*count, ROW_COUNT);
		cr_assert(slice_equal((struct slice){row.data, row.length}, rows[*count]));
		row.length = 0;
		++*count;
	}
	segment_close(reader);
	return result;
}

static size_t size_of(const char *path)
{
	struct stat status;
	cr_assert_eq(stat(path, &status), 0);
	return (size_t)status.st_size;
}

Test(segment, gives_back_the_rows_that_were_written)
{
	size_t count;
	encode(ROW_COUNT);
	cr_assert_eq(read_back(&count), RESULT_END, "%s", error.message);
	cr_assert_eq(count, ROW_COUNT);
}

Test(segment, is_one_csv_for_other_readers)
{
	char text[256];
	encode(4);
	gzFile file = gzopen(gzip_path, "rb");
	int length = gzread(file, text, sizeof text - 1);
	cr_assert_eq(gzclose(file), Z_OK);
	cr_assert_geq(length, 0);
	text[length] = '\0';
	cr_assert_str_eq(text,
	                 "id,\"a, b\",c\n0,,\n1,plain,\"\"\n2,\"a,b\",\"\"\n3,\"say \"\"so\"\"\",\"\"\n");
}

Test(segment, is_the_same_bytes_for_the_same_rows)
{
	encode(ROW_COUNT);
	char *first = scratch_read(gzip_path);
	size_t size = size_of(gzip_path);
	cr_assert_eq(segment_encode(rows_path, gzip_path, &schema, &error), RESULT_OK);
	char *second = scratch_read(gzip_path);
	cr_assert_eq(size_of(gzip_path), size);
	cr_assert_eq(memcmp(first, second, size), 0);
	free(first);
	free(second);
}

static void expect_damage(size_t size)
{
	size_t count;
	cr_assert_eq(truncate(gzip_path, (off_t)size), 0);
	cr_assert_eq(read_back(&count), RESULT_INVALID, "cut to %zu bytes, and %zu rows taken for all", size,
	             count);
}

Test(segment, that_was_cut_off_anywhere_is_damaged)
{
	encode(200);
	for (size_t size = size_of(gzip_path); size-- > 0;)
		expect_damage(size);
}

/* Where a member ends; each begins with these bytes, and one that is found by chance does no harm. */
static size_t find_member_before(const char *data, size_t size)
{
	while (size-- > 1) {
		if (memcmp(data + size, "\x1f\x8b\x08", 3) == 0)
			return size;
	}
	return 0;
}

Test(segment, that_was_cut_off_between_two_members_is_damaged)
{
	encode(ROW_COUNT);
	char *data = scratch_read(gzip_path);
	size_t cuts = 0;
	for (size_t at = size_of(gzip_path) - 2; (at = find_member_before(data, at)) > 0; cuts++)
		expect_damage(at);
	cr_assert_gt(cuts, 2);
	free(data);
}

Test(segment, is_refused_with_a_row_of_another_schema)
{
	uint64_t size;
	make_rows(2);
	cr_assert_eq(row_append(&bytes, 9, SLICE("more")), RESULT_OK);
	rows[1].length = (size_t)(bytes.data + bytes.length - rows[1].data);
	cr_assert_eq(segment_write(rows_path, rows, 2, &size, &error), RESULT_OK);
	cr_assert_eq(segment_encode(rows_path, gzip_path, &schema, &error), RESULT_INVALID);
}

Test(segment, is_refused_where_a_row_was_cut_off)
{
	encode(10);
	size_t whole = size_of(rows_path);
	for (size_t size = whole - 1; size > whole - rows[9].length - sizeof(uint32_t); size--) {
		cr_assert_eq(truncate(rows_path, (off_t)size), 0);
		cr_assert_eq(segment_encode(rows_path, gzip_path, &schema, &error), RESULT_INVALID);
	}
}
