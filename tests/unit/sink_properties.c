// SPDX-License-Identifier: Apache-2.0
#include "sink_properties.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "schema/row.h"

enum { MANY_ROWS = 50000 };

#define BATCH_TEXT "bb000000000000000000000000000000"
#define NO_ID_TEXT "00000000000000000000000000000000"

const struct id sink_properties_batch = {{0xbb}};

static struct schema_column id_and_name[] = {
    {.ordinal = 1, .name = "id", .type = {.kind = TYPE_INTEGER}},
    {.ordinal = 2, .name = "name", .type = {.kind = TYPE_TEXT}},
};
const struct schema sink_properties_schema = {.version = 1, .columns = id_and_name, .count = 2};
static const struct schema *const plain = &sink_properties_schema;

struct slice sink_properties_row(const struct schema *schema, const char *const *values)
{
	struct buffer row = {0};
	for (size_t i = 0; i < schema->count; i++) {
		if (values[i] != NULL)
			cr_assert_eq(
			    row_append(&row, schema->columns[i].ordinal, slice_from_string(values[i])),
			    RESULT_OK);
	}
	return (struct slice){row.data, row.length};
}

void sink_properties_free_rows(struct slice *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free((char *)rows[i].data);
}

static struct sink_head new_head(void)
{
	return (struct sink_head){
	    .dataset = "cards",
	    .sink_id = {{1}},
	    .state_id = {{2}},
	    .secret_check = {{3}},
	    .fingerprint = {{4}},
	};
}

static void connect_sink(struct sink_fixture *fixture)
{
	struct error error = {0};
	cr_assert_eq(fixture->sink->interface->connect(fixture->sink, &error), RESULT_OK, "%s",
	             error.message);
}

static enum result create_table(struct sink_fixture *fixture, const char *table, const struct schema *schema,
                                const struct sink_head *head, struct error *error)
{
	*error = (struct error){0};
	return fixture->sink->interface->create(fixture->sink, table, schema, head, error);
}

static struct sink_presence inspect_table(struct sink_fixture *fixture, const char *table)
{
	struct error error = {0};
	struct sink_presence presence;
	cr_assert_eq(fixture->sink->interface->inspect(fixture->sink, table, &presence, &error), RESULT_OK,
	             "%s", error.message);
	return presence;
}

static struct sink_head judge_table(struct sink_fixture *fixture, const char *table)
{
	struct error error = {0};
	struct sink_head mine = new_head();
	struct sink_head judged;
	cr_assert_eq(fixture->sink->interface->judge(fixture->sink, table, mine.sink_id, mine.state_id,
	                                             &judged, &error),
	             RESULT_OK, "%s", error.message);
	return judged;
}

void sink_properties_begin(struct sink_fixture *fixture, const char *table, const struct schema *schema,
                           struct sink_head *head)
{
	struct error error;
	connect_sink(fixture);
	*head = new_head();
	cr_assert_eq(create_table(fixture, table, schema, head, &error), RESULT_OK, "%s", error.message);
	*head = judge_table(fixture, table);
}

enum result sink_properties_store(struct sink_fixture *fixture, const char *table,
                                  const struct schema *schema, const struct sink_head *head,
                                  const struct slice *rows, size_t count, struct error *error)
{
	const struct sink_batch batch = {
	    .table = table,
	    .schema = schema,
	    .head = head,
	    .batch_id = sink_properties_batch,
	    .rows = rows,
	    .row_count = count,
	};
	*error = (struct error){0};
	return fixture->sink->interface->store(fixture->sink, &batch, error);
}

/* Stores rows of `schema` given by their values, one array of schema->count after the other. */
static enum result store_values(struct sink_fixture *fixture, const char *table, const struct schema *schema,
                                const struct sink_head *head, const char *const *values, size_t count,
                                struct error *error)
{
	struct slice *rows = calloc(count, sizeof *rows);
	for (size_t i = 0; i < count; i++)
		rows[i] = sink_properties_row(schema, values + i * schema->count);
	enum result result = sink_properties_store(fixture, table, schema, head, rows, count, error);
	sink_properties_free_rows(rows, count);
	free(rows);
	return result;
}

void sink_properties_expect(struct sink_fixture *fixture, const char *sql, const char *rows)
{
	char *text = fixture->query(fixture->reader, sql);
	cr_assert_str_eq(text, rows, "%s\ngives: %s\nnot:   %s", sql, text, rows);
	free(text);
}

static void run(struct sink_fixture *fixture, const char *sql)
{
	free(fixture->query(fixture->reader, sql));
}

static const char *const one_row[] = {"1", "one"};

void sink_properties_create_makes_table_and_head_once(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head = new_head();
	connect_sink(fixture);
	struct sink_presence presence = inspect_table(fixture, "t");
	cr_assert(!presence.has_head && !presence.has_table && !presence.has_rows);
	for (int time = 0; time < 2; time++) {
		connect_sink(fixture);
		cr_assert_eq(create_table(fixture, "t", plain, &head, &error), RESULT_OK, "%s",
		             error.message);
		presence = inspect_table(fixture, "t");
		cr_assert(presence.has_head && presence.has_table && !presence.has_rows);
		cr_assert(id_equal(presence.head.sink_id, head.sink_id));
		cr_assert(id_equal(presence.head.state_id, head.state_id));
		cr_assert(id_equal(presence.head.secret_check, head.secret_check));
		cr_assert(id_equal(presence.head.fingerprint, head.fingerprint));
		cr_assert_str_eq(presence.head.dataset, "cards");
		cr_assert(presence.head.epoch == 0 && presence.head.seq == 0);
		cr_assert(id_is_none(presence.head.batch_id));
	}
}

void sink_properties_create_leaves_another_head_alone(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	struct sink_head others[5] = {new_head(), new_head(), new_head(), new_head(), new_head()};
	others[0].sink_id.bytes[15] = 1;
	others[1].state_id.bytes[15] = 1;
	others[2].secret_check.bytes[15] = 1;
	others[3].fingerprint.bytes[15] = 1;
	strcpy(others[4].dataset, "cards2");
	for (int i = 0; i < 5; i++)
		cr_assert_eq(create_table(fixture, "t", plain, &others[i], &error), RESULT_DISAGREES,
		             "head %d", i);
	struct sink_presence presence = inspect_table(fixture, "t");
	cr_assert(id_equal(presence.head.sink_id, head.sink_id));
	cr_assert_str_eq(presence.head.dataset, "cards");
	cr_assert_eq(presence.head.epoch, 1);
}

void sink_properties_create_refuses_our_own_table_names(struct sink_fixture *fixture)
{
	static const char *const names[] = {"rowsieve_head", "ROWSIEVE_LEDGER", ""};
	struct error error;
	struct sink_head head = new_head();
	connect_sink(fixture);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(create_table(fixture, names[i], plain, &head, &error), RESULT_CONFIG);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM rowsieve_head", "0\n");
}

void sink_properties_names_are_quoted(struct sink_fixture *fixture)
{
	static const char *const name = "o`d\"d ta'b\\le; DROP TABLE t --";
	struct schema_column column = {.ordinal = 7, .name = "co`l\"u'm\\n, x", .type = {.kind = TYPE_TEXT}};
	const struct schema schema = {.version = 1, .columns = &column, .count = 1};
	const char *const value = "v";
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, name, &schema, &head);
	cr_assert_eq(store_values(fixture, name, &schema, &head, &value, 1, &error), RESULT_OK, "%s",
	             error.message);
	cr_assert(inspect_table(fixture, name).has_rows);
	cr_assert_eq(judge_table(fixture, name).seq, 1);
	cr_assert(!inspect_table(fixture, "t").has_head);
}

void sink_properties_a_batch_moves_head_and_ledger(struct sink_fixture *fixture)
{
	static const char *const values[] = {"1", "one", "2", "two"};
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	cr_assert_eq(store_values(fixture, "t", plain, &head, values, 2, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT id, name FROM t ORDER BY id", "1|one\n2|two\n");
	sink_properties_expect(fixture, "SELECT epoch, seq, batch_id FROM rowsieve_head",
	                       "1|1|" BATCH_TEXT "\n");
	sink_properties_expect(fixture,
	                       "SELECT table_name, seq, batch_id, dataset, row_count FROM rowsieve_ledger",
	                       "t|1|" BATCH_TEXT "|cards|2\n");
	head = judge_table(fixture, "t");
	cr_assert(head.seq == 1 && head.epoch == 2 && id_equal(head.batch_id, sink_properties_batch));
	cr_assert_eq(store_values(fixture, "t", plain, &head, values, 0, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT seq, row_count FROM rowsieve_ledger ORDER BY seq",
	                       "1|2\n2|0\n");
}

struct permission {
	struct sink_fixture *fixture;
	enum result answer;
	unsigned asked;
};

static enum result may_commit(void *context, struct error *error)
{
	struct permission *permission = context;
	permission->asked++;
	sink_properties_expect(permission->fixture, "SELECT COUNT(*) FROM t", "0\n");
	return permission->answer == RESULT_OK ? RESULT_OK : error_set(error, permission->answer, "not now");
}

void sink_properties_a_batch_is_committed_only_when_it_may_be(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	struct slice row = sink_properties_row(plain, one_row);
	struct permission permission = {fixture, RESULT_STATE, 0};
	const struct sink_batch batch = {
	    .table = "t",
	    .schema = plain,
	    .head = &head,
	    .batch_id = sink_properties_batch,
	    .rows = &row,
	    .row_count = 1,
	    .may_commit = may_commit,
	    .context = &permission,
	};
	cr_assert_eq(fixture->sink->interface->store(fixture->sink, &batch, &error), RESULT_STATE);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t", "0\n");
	sink_properties_expect(fixture, "SELECT seq FROM rowsieve_head", "0\n");
	permission.answer = RESULT_OK;
	cr_assert_eq(fixture->sink->interface->store(fixture->sink, &batch, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t", "1\n");
	cr_assert_eq(permission.asked, 2);
	free((void *)row.data);
}

void sink_properties_a_batch_on_another_head_leaves_nothing(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	struct sink_head others[] = {head, head, head, head, head, head};
	others[0].sink_id.bytes[15] = 1;
	others[1].state_id.bytes[15] = 1;
	others[2].batch_id.bytes[15] = 1;
	others[3].seq++;
	others[4].epoch++;
	others[5].epoch--;
	for (int i = 0; i < 6; i++)
		cr_assert_eq(store_values(fixture, "t", plain, &others[i], one_row, 1, &error),
		             RESULT_DISAGREES, "head %d", i);
	cr_assert_eq(store_values(fixture, "T2", plain, &head, one_row, 1, &error), RESULT_DISAGREES);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t", "0\n");
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM rowsieve_ledger", "0\n");
	sink_properties_expect(fixture, "SELECT seq, batch_id FROM rowsieve_head", "0|" NO_ID_TEXT "\n");
	cr_assert_eq(store_values(fixture, "t", plain, &head, one_row, 1, &error), RESULT_OK, "%s",
	             error.message);
}

void sink_properties_judging_shuts_out_the_old_epoch(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	struct sink_head judged = judge_table(fixture, "t");
	cr_assert_eq(judged.epoch, head.epoch + 1);
	cr_assert_eq(store_values(fixture, "t", plain, &head, one_row, 1, &error), RESULT_DISAGREES);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(store_values(fixture, "t", plain, &judged, one_row, 1, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t", "1\n");
}

void sink_properties_judging_without_our_head_disagrees(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	struct sink_head judged;
	sink_properties_begin(fixture, "t", plain, &head);
	const struct sink_interface *interface = fixture->sink->interface;
	const struct id other = {{9}};
	cr_assert_eq(interface->judge(fixture->sink, "t", other, head.state_id, &judged, &error),
	             RESULT_DISAGREES);
	cr_assert_eq(interface->judge(fixture->sink, "t", head.sink_id, other, &judged, &error),
	             RESULT_DISAGREES);
	cr_assert_eq(interface->judge(fixture->sink, "T", head.sink_id, head.state_id, &judged, &error),
	             RESULT_DISAGREES);
	sink_properties_expect(fixture, "SELECT epoch FROM rowsieve_head", "1\n");
}

static void append_hex(char *out, const char *text)
{
	if (text == NULL) {
		strcpy(out, "(null)");
		return;
	}
	*out = '\0';
	for (; *text != '\0'; text++)
		out += sprintf(out, "%02X", (unsigned char)*text);
}

void sink_properties_texts_come_back_exactly(struct sink_fixture *fixture)
{
	static const char *const texts[] = {"tab\there",
	                                    "two\nlines\r\n",
	                                    "back\\slash\\",
	                                    "\\",
	                                    "\\N",
	                                    "\\n",
	                                    "N",
	                                    "NULL",
	                                    "",
	                                    NULL,
	                                    "'single' \"double\" `grave`",
	                                    "'); DROP TABLE t; --",
	                                    "na\xc3\xafve \xf0\x9f\x98\x80",
	                                    "blank at the end ",
	                                    " ",
	                                    "\t",
	                                    "\n",
	                                    "\x1a%_\x01\x7f",
	                                    "-7",
	                                    "007",
	                                    "1e5"};
	enum { COUNT = sizeof texts / sizeof texts[0] };
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	const char *values[2 * COUNT];
	char numbers[COUNT][16];
	char expected[COUNT * 64] = "";
	for (int i = 0; i < COUNT; i++) {
		snprintf(numbers[i], sizeof numbers[i], "%d", i);
		values[2 * i] = numbers[i];
		values[2 * i + 1] = texts[i];
		append_hex(expected + strlen(expected), texts[i]);
		strcat(expected, "\n");
	}
	cr_assert_eq(store_values(fixture, "t", plain, &head, values, COUNT, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(
	    fixture, "SELECT CASE WHEN name IS NULL THEN '(null)' ELSE HEX(name) END FROM t ORDER BY id",
	    expected);
	sink_properties_expect(fixture, "SELECT COUNT(DISTINCT name) FROM t", "20\n");
}

void sink_properties_typed_values_come_back_exactly(struct sink_fixture *fixture)
{
	static struct schema_column columns[] = {
	    {.ordinal = 1, .name = "id", .type = {.kind = TYPE_INTEGER}},
	    {.ordinal = 2, .name = "amount", .type = {.kind = TYPE_DECIMAL, .precision = 12, .scale = 2}},
	    {.ordinal = 3, .name = "huge", .type = {.kind = TYPE_DECIMAL}},
	    {.ordinal = 5, .name = "day", .type = {.kind = TYPE_DATE}},
	    {.ordinal = 9, .name = "moment", .type = {.kind = TYPE_DATETIME}},
	    {.ordinal = 200, .name = "code", .type = {.kind = TYPE_TEXT, .length = 3}},
	};
	const struct schema schema = {.version = 1, .columns = columns, .count = 6};
	static const char *const values[] = {
	    "-9223372036854775808",
	    "-9999999999.99",
	    "-99999999999999999999999999999999999999",
	    "1000-01-01",
	    "1000-01-01 00:00:00.000001",
	    "\xf0\x9f\x98\x80\xc3\xa9x",
	    "-7",
	    "-7.25",
	    "0",
	    "2015-05-05",
	    "2016-02-29 23:59:59.999999",
	    "a",
	    "0",
	    NULL,
	    NULL,
	    NULL,
	    NULL,
	    NULL,
	    "9223372036854775807",
	    "0.01",
	    "99999999999999999999999999999999999999",
	    "9999-12-31",
	    "9999-12-31 23:59:59.999999",
	    "",
	};
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", &schema, &head);
	cr_assert_eq(store_values(fixture, "t", &schema, &head, values, 4, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(
	    fixture, "SELECT id, amount, huge, day, moment, code FROM t ORDER BY id",
	    "-9223372036854775808|-9999999999.99|-99999999999999999999999999999999999999|1000-01-01|"
	    "1000-01-01 00:00:00.000001|\xf0\x9f\x98\x80\xc3\xa9x\n"
	    "-7|-7.25|0|2015-05-05|2016-02-29 23:59:59.999999|a\n"
	    "0|(null)|(null)|(null)|(null)|(null)\n"
	    "9223372036854775807|0.01|99999999999999999999999999999999999999|9999-12-31|"
	    "9999-12-31 23:59:59.999999|\n");
}

void sink_properties_a_table_of_one_text_column_keeps_empty_and_null(struct sink_fixture *fixture)
{
	static struct schema_column column = {.ordinal = 1, .name = "name", .type = {.kind = TYPE_TEXT}};
	const struct schema schema = {.version = 1, .columns = &column, .count = 1};
	static const char *const values[] = {"", NULL, "", "x"};
	struct error error;
	struct sink_head head;
	sink_properties_begin(fixture, "t", &schema, &head);
	cr_assert_eq(store_values(fixture, "t", &schema, &head, values, 4, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT name, COUNT(*) FROM t GROUP BY name ORDER BY name",
	                       "(null)|1\n|2\nx|1\n");
}

void sink_properties_columns_are_added_once(struct sink_fixture *fixture)
{
	static struct schema_column columns[] = {
	    {.ordinal = 1, .name = "id", .type = {.kind = TYPE_INTEGER}},
	    {.ordinal = 2, .name = "name", .type = {.kind = TYPE_TEXT}},
	    {.ordinal = 3, .name = "price", .type = {.kind = TYPE_DECIMAL, .scale = 2}},
	    {.ordinal = 4, .name = "note", .type = {.kind = TYPE_TEXT, .length = 20}},
	};
	const struct schema wider = {.version = 2, .columns = columns, .count = 4};
	static const char *const wide_row[] = {"2", "two", "0.25", "\xe2\x82\xac"};
	struct error error = {0};
	struct sink_head head;
	sink_properties_begin(fixture, "t", plain, &head);
	cr_assert_eq(store_values(fixture, "t", plain, &head, one_row, 1, &error), RESULT_OK, "%s",
	             error.message);
	for (int time = 0; time < 2; time++)
		cr_assert_eq(fixture->sink->interface->add_columns(fixture->sink, "t", &wider, &error),
		             RESULT_OK, "%s", error.message);
	head = judge_table(fixture, "t");
	cr_assert_eq(store_values(fixture, "t", &wider, &head, wide_row, 1, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT id, name, price, note FROM t ORDER BY id",
	                       "1|one|(null)|(null)\n2|two|0.25|\xe2\x82\xac\n");
}

void sink_properties_rows_without_a_head_are_reported(struct sink_fixture *fixture)
{
	connect_sink(fixture);
	run(fixture, "CREATE TABLE theirs (id INTEGER)");
	struct sink_presence presence = inspect_table(fixture, "theirs");
	cr_assert(presence.has_table && !presence.has_rows && !presence.has_head);
	run(fixture, "INSERT INTO theirs VALUES (1)");
	presence = inspect_table(fixture, "theirs");
	cr_assert(presence.has_table && presence.has_rows && !presence.has_head);
}

void sink_properties_an_existing_table_must_have_the_columns(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head = new_head();
	connect_sink(fixture);
	run(fixture, "CREATE TABLE lacking (ID INTEGER, other INTEGER)");
	cr_assert_eq(create_table(fixture, "lacking", plain, &head, &error), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "no column 'name'"), "%s", error.message);
	cr_assert(!inspect_table(fixture, "lacking").has_head);
	run(fixture, "CREATE TABLE fitting (NAME VARCHAR(20), extra INTEGER DEFAULT 5, Id INTEGER)");
	cr_assert_eq(create_table(fixture, "fitting", plain, &head, &error), RESULT_OK, "%s", error.message);
	head = judge_table(fixture, "fitting");
	cr_assert_eq(store_values(fixture, "fitting", plain, &head, one_row, 1, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT * FROM fitting", "one|5|1\n");
	run(fixture, "CREATE VIEW seen AS SELECT * FROM fitting");
	cr_assert_eq(create_table(fixture, "seen", plain, &head, &error), RESULT_CONFIG);
}

void sink_properties_a_refused_row_takes_its_batch_along(struct sink_fixture *fixture)
{
	static const char *const values[] = {"1", "one", "2", "two", "1", "another one"};
	struct error error;
	struct sink_head head = new_head();
	connect_sink(fixture);
	run(fixture, "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20))");
	run(fixture, "INSERT INTO t VALUES (3, 'three')");
	cr_assert_eq(create_table(fixture, "t", plain, &head, &error), RESULT_OK, "%s", error.message);
	head = judge_table(fixture, "t");
	cr_assert_eq(store_values(fixture, "t", plain, &head, values, 3, &error), RESULT_REFUSED);
	cr_assert_not_null(strstr(error.message, "table 't'"), "%s", error.message);
	sink_properties_expect(fixture, "SELECT id, name FROM t", "3|three\n");
	sink_properties_expect(fixture, "SELECT epoch, seq FROM rowsieve_head", "1|0\n");
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM rowsieve_ledger", "0\n");
	connect_sink(fixture);
	cr_assert_eq(store_values(fixture, "t", plain, &head, values, 2, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT id, name FROM t ORDER BY id", "1|one\n2|two\n3|three\n");
}

void sink_properties_a_row_of_another_schema_is_refused(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	const struct slice rows[] = {SLICE("\1\0011"), SLICE("\1\0012\3\1x")}; /* the second has ordinal 3 */
	const struct slice cut = SLICE("\1\0011\2\5abc");
	sink_properties_begin(fixture, "t", plain, &head);
	cr_assert_eq(sink_properties_store(fixture, "t", plain, &head, rows, 2, &error), RESULT_REFUSED);
	connect_sink(fixture);
	cr_assert_eq(sink_properties_store(fixture, "t", plain, &head, &cut, 1, &error), RESULT_REFUSED);
	connect_sink(fixture);
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(sink_properties_store(fixture, "t", plain, &head, rows, 1, &error), RESULT_OK, "%s",
	             error.message);
	sink_properties_expect(fixture, "SELECT id, name FROM t", "1|(null)\n");
}

void sink_properties_fifty_thousand_rows_arrive(struct sink_fixture *fixture)
{
	struct error error;
	struct sink_head head;
	struct slice *rows = calloc(MANY_ROWS, sizeof *rows);
	for (int i = 0; i < MANY_ROWS; i++) {
		char id[16];
		char name[96];
		snprintf(id, sizeof id, "%d", i + 1);
		snprintf(name, sizeof name, "%d\tof\n%d\\%.*s", i + 1, MANY_ROWS, i % 60,
		         "0123456789012345678901234567890123456789012345678901234567890123456789");
		const char *const values[] = {id, name};
		rows[i] = sink_properties_row(plain, values);
	}
	sink_properties_begin(fixture, "t", plain, &head);
	cr_assert_eq(sink_properties_store(fixture, "t", plain, &head, rows, MANY_ROWS, &error), RESULT_OK,
	             "%s", error.message);
	sink_properties_free_rows(rows, MANY_ROWS);
	free(rows);
	sink_properties_expect(fixture, "SELECT COUNT(*), SUM(id), MIN(id), MAX(id) FROM t",
	                       "50000|1250025000|1|50000\n");
	sink_properties_expect(fixture, "SELECT SUM(LENGTH(name)) FROM t WHERE name LIKE '%\tof\n50000%'",
	                       "2213494\n");
	sink_properties_expect(fixture, "SELECT COUNT(*) FROM t WHERE INSTR(name, id) = 1", "50000\n");
	sink_properties_expect(fixture, "SELECT row_count FROM rowsieve_ledger", "50000\n");
}
