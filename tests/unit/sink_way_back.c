// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/row.h"
#include "schema/stored.h"
#include "sink_properties.h"

/* What a rebuild needs of every sink: the rows as they were stored, and the table taken over. */

enum { ROWS_MAX = 64, COLUMNS = 8 };

static struct schema_column columns[COLUMNS] = {
    {.ordinal = 1, .name = "id", .type = {.kind = TYPE_INTEGER}},
    {.ordinal = 2, .name = "amount", .type = {.kind = TYPE_DECIMAL, .precision = 12, .scale = 2}},
    {.ordinal = 3, .name = "huge", .type = {.kind = TYPE_DECIMAL}},
    {.ordinal = 5, .name = "day", .type = {.kind = TYPE_DATE}},
    {.ordinal = 9, .name = "moment", .type = {.kind = TYPE_DATETIME}},
    {.ordinal = 10, .name = "ratio", .type = {.kind = TYPE_REAL}},
    {.ordinal = 11, .name = "flag", .type = {.kind = TYPE_BOOLEAN}},
    {.ordinal = 200, .name = "note", .type = {.kind = TYPE_TEXT}},
};
static const struct schema schema = {.version = 1, .columns = columns, .count = COLUMNS};

/* Canonical texts, each with what may go wrong on the way to a table and back. */
static const char *const texts[COLUMNS][20] = {
    {"0", "-9223372036854775808", "9223372036854775807", "-7"},
    {"0", "7", "7.5", "-7.25", "0.01", "-0.1", "9999999999.99"},
    {"0", "-99999999999999999999999999999999999999", "10000000000000000000000000000000000000"},
    {"0001-01-01", "2016-02-29", "9999-12-31"},
    {"1000-01-01 00:00:00", "2016-02-29 23:59:59.999999", "2015-05-05 12:30:00.5",
     "2015-05-05 12:30:00.000001"},
    {"0", "0.1", "-2.5", "1e+22", "123456789.12345679", "1.7976931348623157e+308", "2.2250738585072014e-308",
     "0.30000000000000004", "1e-07"},
    {"0", "1"},
    {"", " ", "blank at the end ", "\t", "two\nlines\r\n", "\\", "\\N", "N", "NULL", "007", "7.50", "1e5",
     "'single' \"double\" `grave`", "na\xc3\xafve \xf0\x9f\x98\x80", "\x1a%_\x01\x7f", "2014-10-29"},
};

static size_t count_texts(size_t column)
{
	size_t count = 0;
	while (texts[column][count] != NULL)
		count++;
	return count;
}

/* Rows that combine them, so that each text and each missing value occurs beside others. */
static size_t make_rows(struct slice rows[ROWS_MAX])
{
	for (size_t i = 0; i < ROWS_MAX; i++) {
		const char *values[COLUMNS];
		for (size_t column = 0; column < COLUMNS; column++) {
			size_t choice = (i * (column + 3) + column) % (count_texts(column) + 1);
			values[column] = texts[column][choice];
		}
		rows[i] = sink_properties_row(&schema, values);
	}
	return ROWS_MAX;
}

struct collected {
	const struct schema *schema;
	struct slice rows[ROWS_MAX];
	size_t count;
	size_t limit; /* 0: none */
};

static enum result collect(void *context, const struct slice *cells, struct error *error)
{
	struct collected *collected = context;
	struct buffer row = {0};
	struct schema_fault fault;
	if (collected->limit > 0 && collected->count == collected->limit)
		return error_set(error, RESULT_STOPPED, "enough");
	cr_assert_lt(collected->count, ROWS_MAX);
	cr_assert_eq(stored_row(collected->schema, cells, &row, &fault), RESULT_OK, "%s: %s", fault.column,
	             fault.reason);
	collected->rows[collected->count++] = (struct slice){row.data, row.length};
	return RESULT_OK;
}

static enum result scan(struct sink_fixture *fixture, struct collected *collected, struct error *error)
{
	struct sink_scan what = {"t", collected->schema, collect, collected};
	*error = (struct error){0};
	return fixture->sink->interface->scan(fixture->sink, &what, error);
}

static int compare_rows(const void *left, const void *right)
{
	const struct slice *a = left;
	const struct slice *b = right;
	size_t shorter = a->length < b->length ? a->length : b->length;
	int order = shorter == 0 ? 0 : memcmp(a->data, b->data, shorter);
	return order != 0 ? order : (a->length > b->length) - (a->length < b->length);
}

static void expect_same_rows(struct slice *rows, size_t count, struct collected *collected)
{
	cr_assert_eq(collected->count, count);
	qsort(rows, count, sizeof *rows, compare_rows);
	qsort(collected->rows, count, sizeof *rows, compare_rows);
	for (size_t i = 0; i < count; i++)
		cr_assert_eq(compare_rows(&rows[i], &collected->rows[i]), 0, "row %zu is another one", i);
}

/* A table of all these rows. */
static size_t fill(struct sink_fixture *fixture, struct slice rows[ROWS_MAX], struct sink_head *head)
{
	struct error error;
	size_t count = make_rows(rows);
	sink_properties_begin(fixture, "t", &schema, head);
	cr_assert_eq(sink_properties_store(fixture, "t", &schema, head, rows, count, &error), RESULT_OK, "%s",
	             error.message);
	return count;
}

void sink_properties_scanned_rows_are_the_rows_that_were_stored(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	struct slice rows[ROWS_MAX];
	size_t count = fill(fixture, rows, &head);
	for (int time = 0; time < 2; time++) {
		struct collected collected = {.schema = &schema};
		cr_assert_eq(scan(fixture, &collected, &error), RESULT_OK, "%s", error.message);
		expect_same_rows(rows, count, &collected);
		sink_properties_free_rows(collected.rows, collected.count);
	}
	sink_properties_free_rows(rows, count);
}

void sink_properties_a_scan_ends_with_what_its_reader_says(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	struct slice rows[ROWS_MAX];
	size_t count = fill(fixture, rows, &head);
	struct collected collected = {.schema = &schema, .limit = 3};
	cr_assert_eq(scan(fixture, &collected, &error), RESULT_STOPPED);
	cr_assert_eq(collected.count, 3);
	sink_properties_free_rows(collected.rows, collected.count);
	cr_assert_eq(fixture->sink->interface->connect(fixture->sink, &error), RESULT_OK, "%s",
	             error.message);
	collected = (struct collected){.schema = &schema};
	cr_assert_eq(scan(fixture, &collected, &error), RESULT_OK, "%s", error.message);
	expect_same_rows(rows, count, &collected);
	sink_properties_free_rows(collected.rows, collected.count);
	sink_properties_free_rows(rows, count);
}

/* What a state that lost everything learns of the table gives the same values. Ordinals begin anew. */
void sink_properties_a_described_table_reads_as_it_was_stored(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	struct slice rows[ROWS_MAX];
	struct schema *described;
	size_t count = fill(fixture, rows, &head);
	cr_assert_eq(fixture->sink->interface->describe(fixture->sink, "t", &described, &error), RESULT_OK,
	             "%s", error.message);
	cr_assert_eq(described->count, COLUMNS);
	for (size_t i = 0; i < COLUMNS; i++) {
		cr_assert_str_eq(described->columns[i].name, columns[i].name);
		described->columns[i].ordinal = columns[i].ordinal;
	}
	struct collected collected = {.schema = described};
	cr_assert_eq(scan(fixture, &collected, &error), RESULT_OK, "%s", error.message);
	expect_same_rows(rows, count, &collected);
	sink_properties_free_rows(collected.rows, collected.count);
	sink_properties_free_rows(rows, count);
	schema_free(described);
	cr_assert_eq(fixture->sink->interface->describe(fixture->sink, "none", &described, &error),
	             RESULT_CONFIG);
}

static struct sink_head fenced(struct sink_fixture *fixture)
{
	struct error error = {0};
	struct sink_presence presence;
	cr_assert_eq(fixture->sink->interface->fence(fixture->sink, "t", &presence, &error), RESULT_OK, "%s",
	             error.message);
	cr_assert(presence.has_head && presence.has_table);
	return presence.head;
}

void sink_properties_a_fence_shuts_out_whoever_feeds_the_table(struct sink_fixture *fixture)
{
	struct error error = {0};
	struct sink_head head;
	struct sink_presence presence;
	const struct slice row = SLICE("\1\0011");
	sink_properties_begin(fixture, "t", &schema, &head);
	struct sink_head found = fenced(fixture);
	cr_assert_eq(found.epoch, head.epoch + 1);
	cr_assert(id_equal(found.state_id, head.state_id));
	cr_assert_eq(sink_properties_store(fixture, "t", &schema, &head, &row, 1, &error), RESULT_DISAGREES);
	cr_assert_eq(fixture->sink->interface->fence(fixture->sink, "none", &presence, &error), RESULT_OK,
	             "%s", error.message);
	cr_assert(!presence.has_head && !presence.has_table);
}

static enum result adopt(struct sink_fixture *fixture, const struct sink_head *before,
                         const struct sink_head *after, int64_t change)
{
	struct error error = {0};
	struct sink_adoption adoption = {"t", before, after, change};
	return fixture->sink->interface->adopt(fixture->sink, &adoption, &error);
}

static void expect_ledger(struct sink_fixture *fixture, uint64_t batches, uint64_t last_seq, int64_t rows)
{
	struct error error = {0};
	struct sink_ledger ledger;
	cr_assert_eq(fixture->sink->interface->ledger(fixture->sink, "t", &ledger, &error), RESULT_OK, "%s",
	             error.message);
	cr_assert_eq(ledger.batches, batches);
	cr_assert_eq(ledger.last_seq, last_seq);
	cr_assert_eq(ledger.rows, rows);
}

void sink_properties_an_adopted_table_has_a_new_head_and_a_true_ledger(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	struct slice rows[ROWS_MAX];
	size_t count = fill(fixture, rows, &head);
	expect_ledger(fixture, 1, 1, ROWS_MAX);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM rowsieve_head WHERE seq=1", "1\n");
	struct sink_head before = fenced(fixture);
	struct sink_head after = {.dataset = "other",
	                          .sink_id = {{11}},
	                          .state_id = {{12}},
	                          .secret_check = {{13}},
	                          .fingerprint = {{14}},
	                          .epoch = before.epoch + 1,
	                          .seq = 2,
	                          .batch_id = {{15}}};
	cr_assert_eq(adopt(fixture, &before, &after, -60), RESULT_OK);
	expect_ledger(fixture, 2, 2, ROWS_MAX - 60);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM rowsieve_head", "1\n");
	/* The old feeder is out, the new one is in. */
	cr_assert_eq(sink_properties_store(fixture, "t", &schema, &before, rows, 1, &error),
	             RESULT_DISAGREES);
	cr_assert_eq(sink_properties_store(fixture, "t", &schema, &after, rows, 1, &error), RESULT_OK, "%s",
	             error.message);
	expect_ledger(fixture, 3, 3, ROWS_MAX - 59);
	sink_properties_free_rows(rows, count);
}

void sink_properties_a_head_that_moved_is_not_adopted(struct sink_fixture *fixture)
{
	struct sink_head head;
	sink_properties_begin(fixture, "t", &schema, &head);
	struct sink_head before = fenced(fixture);
	struct sink_head after = before;
	after.seq = 7;
	after.batch_id = (struct id){{15}};
	fenced(fixture);
	cr_assert_eq(adopt(fixture, &before, &after, 0), RESULT_DISAGREES);
	cr_assert_eq(adopt(fixture, NULL, &after, 0), RESULT_DISAGREES);
	expect_ledger(fixture, 0, 0, 0);
	before = fenced(fixture);
	cr_assert_eq(adopt(fixture, &before, &after, 0), RESULT_OK);
}

struct column_texts {
	const struct schema *schema;
	size_t column;
	char texts[8][64];
	size_t count;
};

static enum result collect_text(void *context, const struct slice *cells, struct error *error)
{
	struct column_texts *collected = context;
	struct buffer row = {0};
	struct schema_fault fault;
	struct slice alone[8] = {{NULL, 0}};
	(void)error;
	alone[collected->column] = cells[collected->column];
	cr_assert_eq(stored_row(collected->schema, alone, &row, &fault), RESULT_OK);
	size_t position = 0;
	struct row_cell cell;
	if (row_next((struct slice){row.data, row.length}, &position, &cell))
		snprintf(collected->texts[collected->count++], 64, "%.*s", (int)cell.text.length,
		         cell.text.data);
	buffer_free(&row);
	return RESULT_OK;
}

static int compare_texts(const void *left, const void *right)
{
	return strcmp(left, right);
}

/* The canonical texts of a column, sorted, without the missing ones. */
static void expect_column(struct sink_fixture *fixture, const struct schema *of, size_t column,
                          const char *const wanted[3])
{
	struct error error = {0};
	struct column_texts collected = {.schema = of, .column = column};
	struct sink_scan scan = {"t", of, collect_text, &collected};
	cr_assert_eq(fixture->sink->interface->scan(fixture->sink, &scan, &error), RESULT_OK, "%s",
	             error.message);
	qsort(collected.texts, collected.count, sizeof collected.texts[0], compare_texts);
	for (size_t i = 0; i < collected.count; i++)
		cr_assert_str_eq(collected.texts[i], wanted[i]);
	cr_assert(collected.count == 3 || wanted[collected.count] == NULL);
}

static enum result store_texts(struct sink_fixture *fixture, const struct schema *of,
                               const struct sink_head *head, const char *const *values, size_t count,
                               struct error *error)
{
	struct slice rows[4];
	for (size_t i = 0; i < count; i++)
		rows[i] = sink_properties_row(of, values + i * of->count);
	enum result result = sink_properties_store(fixture, "t", of, head, rows, count, error);
	sink_properties_free_rows(rows, count);
	return result;
}

/* What was stored under the narrow type is what it was, and the wide values are exact. */
void sink_properties_columns_become_wider_and_keep_their_values(struct sink_fixture *fixture)
{
	static struct schema_column narrow_columns[] = {
	    {.ordinal = 1, .name = "id", .type = {.kind = TYPE_INTEGER}},
	    {.ordinal = 2, .name = "na me", .type = {.kind = TYPE_TEXT, .length = 3}},
	    {.ordinal = 3, .name = "price", .type = {.kind = TYPE_DECIMAL, .precision = 5, .scale = 2}},
	};
	const struct schema narrow = {.version = 1, .columns = narrow_columns, .count = 3};
	static const char *const first[] = {"9223372036854775807", "abc", "123.45", "-7", NULL, NULL};
	static const char *const second[] = {"12345678901234567890.000000000000000000000000000001", "abcdef",
	                                     "1234567.123456"};
	struct error error = {0};
	struct sink_head head;
	sink_properties_begin(fixture, "t", &narrow, &head);
	cr_assert_eq(store_texts(fixture, &narrow, &head, first, 2, &error), RESULT_OK, "%s", error.message);
	struct schema_column wider_columns[] = {narrow_columns[0], narrow_columns[1], narrow_columns[2]};
	const struct schema wider = {.version = 2, .columns = wider_columns, .count = 3};
	cr_assert(type_widen(&wider_columns[0].type,
	                     &(struct type){.kind = TYPE_DECIMAL, .precision = 50, .scale = 30}));
	cr_assert(type_widen(&wider_columns[1].type, &(struct type){.kind = TYPE_TEXT, .length = 6}));
	cr_assert(type_widen(&wider_columns[2].type,
	                     &(struct type){.kind = TYPE_DECIMAL, .precision = 15, .scale = 6}));
	for (int time = 0; time < 2; time++)
		cr_assert_eq(fixture->sink->interface->add_columns(fixture->sink, "t", &wider, &error),
		             RESULT_OK, "%s", error.message);
	cr_assert_eq(
	    fixture->sink->interface->judge(fixture->sink, "t", head.sink_id, head.state_id, &head, &error),
	    RESULT_OK, "%s", error.message);
	cr_assert_eq(store_texts(fixture, &wider, &head, second, 1, &error), RESULT_OK, "%s", error.message);
	for (size_t i = 0; i < 3; i++) {
		static const char *const wanted[3][3] = {
		    {"-7", "12345678901234567890.000000000000000000000000000001", "9223372036854775807"},
		    {"abc", "abcdef", NULL},
		    {"123.45", "1234567.123456", NULL},
		};
		expect_column(fixture, &wider, i, wanted[i]);
	}
}
