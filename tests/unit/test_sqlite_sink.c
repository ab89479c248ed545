// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <ftw.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink/sqlite_sink.h"
#include "sink_properties.h"

enum { PATH_SIZE = 512 };

static char directory[PATH_SIZE - 32];
static char path[PATH_SIZE];
static struct sink *sink;

static void make_directory(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(directory, sizeof directory, "%s/rowsieve-sqlite-XXXXXX", base == NULL ? "/tmp" : base);
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof path, "%s/rows.db", directory);
	struct error error;
	cr_assert_eq(sqlite_sink_open(&sink, path, &error), RESULT_OK);
}

static int remove_entry(const char *name, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(name);
}

static void remove_directory(void)
{
	sink->interface->close(sink);
	nftw(directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static char *query(void *reader, const char *sql)
{
	(void)reader;
	sqlite3 *database;
	sqlite3_stmt *statement;
	struct buffer text = {0};
	cr_assert_eq(sqlite3_open(path, &database), SQLITE_OK);
	cr_assert_eq(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK, "%s: %s", sql,
	             sqlite3_errmsg(database));
	int code;
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		for (int i = 0; i < sqlite3_column_count(statement); i++) {
			const char *value = (const char *)sqlite3_column_text(statement, i);
			cr_assert_eq(
			    buffer_printf(&text, "%s%s", i == 0 ? "" : "|", value == NULL ? "(null)" : value),
			    RESULT_OK);
		}
		cr_assert_eq(buffer_append(&text, "\n", 1), RESULT_OK);
	}
	cr_assert_eq(code, SQLITE_DONE, "%s: %s", sql, sqlite3_errmsg(database));
	cr_assert_eq(buffer_append(&text, "", 1), RESULT_OK);
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return text.data;
}

static struct sink_fixture fixture_of_sink(void)
{
	return (struct sink_fixture){.sink = sink, .query = query};
}

TestSuite(sqlite_sink, .init = make_directory, .fini = remove_directory);

#define PROPERTY(property)                                                                                   \
	Test(sqlite_sink, property)                                                                          \
	{                                                                                                    \
		struct sink_fixture fixture = fixture_of_sink();                                             \
		sink_properties_##property(&fixture);                                                        \
	}
SINK_PROPERTIES(PROPERTY)

static const char *const values[] = {"1", "one"};

Test(sqlite_sink, a_new_database_is_in_wal_mode_and_closed_to_others)
{
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct stat status;
	umask(0);
	sink_properties_begin(&fixture, "t", &sink_properties_schema, &head);
	sink_properties_expect(&fixture, "PRAGMA journal_mode", "wal\n");
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0640);
	strcat(path, "-wal");
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 07777, 0640);
}

Test(sqlite_sink, numbers_are_integers_and_all_else_is_text)
{
	static struct schema_column columns[] = {
	    {.ordinal = 1, .name = "n", .type = {.kind = TYPE_INTEGER}},
	    {.ordinal = 2, .name = "price", .type = {.kind = TYPE_DECIMAL, .scale = 2}},
	    {.ordinal = 3, .name = "day", .type = {.kind = TYPE_DATE}},
	};
	const struct schema schema = {.version = 1, .columns = columns, .count = 3};
	static const char *const typed[] = {"5", "0.1", "2015-05-05"};
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct error error;
	sink_properties_begin(&fixture, "t", &schema, &head);
	struct slice row = sink_properties_row(&schema, typed);
	cr_assert_eq(sink_properties_store(&fixture, "t", &schema, &head, &row, 1, &error), RESULT_OK);
	sink_properties_free_rows(&row, 1);
	sink_properties_expect(&fixture, "SELECT typeof(n), typeof(price), typeof(day) FROM t",
	                       "integer|text|text\n");
}

Test(sqlite_sink, a_file_that_is_no_database_is_a_configuration_error)
{
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 200; i++)
		fputs("this is no database\n", file);
	fclose(file);
	struct error error;
	cr_assert_eq(sink->interface->connect(sink, &error), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, path), "%s", error.message);
	cr_assert_not_null(strstr(error.message, "not a database"), "%s", error.message);
	cr_assert_str_neq(error.hint, "");
}

Test(sqlite_sink, a_missing_directory_is_a_configuration_error)
{
	struct sink *elsewhere;
	struct error error;
	cr_assert_eq(sqlite_sink_open(&elsewhere, "/nonexistent/rows.db", &error), RESULT_OK);
	cr_assert_eq(elsewhere->interface->connect(elsewhere, &error), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "/nonexistent/rows.db"), "%s", error.message);
	elsewhere->interface->close(elsewhere);
}

Test(sqlite_sink, another_writer_is_waited_for_and_then_unreachable)
{
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct error error;
	sqlite3 *other;
	sink_properties_begin(&fixture, "t", &sink_properties_schema, &head);
	struct slice row = sink_properties_row(&sink_properties_schema, values);
	cr_assert_eq(sqlite3_open(path, &other), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	cr_assert_eq(sink_properties_store(&fixture, "t", &sink_properties_schema, &head, &row, 1, &error),
	             RESULT_UNREACHABLE);
	cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	cr_assert_eq(sink_properties_store(&fixture, "t", &sink_properties_schema, &head, &row, 1, &error),
	             RESULT_OK, "%s", error.message);
	sink_properties_free_rows(&row, 1);
}

Test(sqlite_sink, a_file_that_was_moved_away_takes_no_rows)
{
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct error error;
	struct sink_presence presence;
	sink_properties_begin(&fixture, "t", &sink_properties_schema, &head);
	struct slice row = sink_properties_row(&sink_properties_schema, values);
	cr_assert_eq(unlink(path), 0);
	cr_assert_eq(sink_properties_store(&fixture, "t", &sink_properties_schema, &head, &row, 1, &error),
	             RESULT_UNREACHABLE);
	cr_assert_eq(sink->interface->connect(sink, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(sink->interface->inspect(sink, "t", &presence, &error), RESULT_OK);
	cr_assert(!presence.has_head && !presence.has_table);
	sink_properties_free_rows(&row, 1);
}

static void limit_files(rlim_t size)
{
	struct rlimit limit;
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
	limit.rlim_cur = size < limit.rlim_max ? size : limit.rlim_max;
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static rlim_t size_of_wal(void)
{
	char wal[PATH_SIZE + 8];
	struct stat status;
	snprintf(wal, sizeof wal, "%s-wal", path);
	cr_assert_eq(stat(wal, &status), 0);
	return (rlim_t)status.st_size;
}

Test(sqlite_sink, a_write_error_at_commit_is_unknown_until_it_is_judged)
{
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct sink_head judged;
	struct error error;
	signal(SIGXFSZ, SIG_IGN);
	sink_properties_begin(&fixture, "t", &sink_properties_schema, &head);
	struct slice row = sink_properties_row(&sink_properties_schema, values);
	limit_files(size_of_wal());
	cr_assert_eq(sink_properties_store(&fixture, "t", &sink_properties_schema, &head, &row, 1, &error),
	             RESULT_UNKNOWN);
	cr_assert_eq(error.result, RESULT_UNKNOWN);
	cr_assert_eq(sink->interface->judge(sink, "t", head.sink_id, head.state_id, &judged, &error),
	             RESULT_UNREACHABLE, "%s", error.message);
	limit_files(RLIM_INFINITY);
	cr_assert_eq(sink->interface->judge(sink, "t", head.sink_id, head.state_id, &judged, &error),
	             RESULT_OK, "%s", error.message);
	cr_assert(judged.seq == 0 && judged.epoch == head.epoch + 1);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(sink_properties_store(&fixture, "t", &sink_properties_schema, &judged, &row, 1, &error),
	             RESULT_OK, "%s", error.message);
	sink_properties_free_rows(&row, 1);
}

Test(sqlite_sink, a_write_error_before_commit_leaves_nothing)
{
	enum { COUNT = 4000 };
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct error error;
	char *text = malloc(4096);
	memset(text, 'x', 4095);
	text[4095] = '\0';
	const char *const big[] = {"1", text};
	signal(SIGXFSZ, SIG_IGN);
	sink_properties_begin(&fixture, "t", &sink_properties_schema, &head);
	struct slice row = sink_properties_row(&sink_properties_schema, big);
	struct slice *rows = calloc(COUNT, sizeof *rows);
	for (int i = 0; i < COUNT; i++)
		rows[i] = row;
	limit_files(size_of_wal() + 1000000);
	cr_assert_eq(
	    sink_properties_store(&fixture, "t", &sink_properties_schema, &head, rows, COUNT, &error),
	    RESULT_UNREACHABLE, "%s", error.message);
	limit_files(RLIM_INFINITY);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(
	    sink_properties_store(&fixture, "t", &sink_properties_schema, &head, rows, COUNT, &error),
	    RESULT_OK, "%s", error.message);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "4000\n");
	sink_properties_free_rows(&row, 1);
	free(rows);
	free(text);
}

Test(sqlite_sink, a_trigger_that_drops_a_row_refuses_the_batch)
{
	struct sink_fixture fixture = fixture_of_sink();
	struct sink_head head;
	struct error error;
	sink_properties_begin(&fixture, "t", &sink_properties_schema, &head);
	free(query(NULL, "CREATE TRIGGER dropping BEFORE INSERT ON t BEGIN SELECT RAISE(IGNORE); END"));
	struct slice row = sink_properties_row(&sink_properties_schema, values);
	cr_assert_eq(sink_properties_store(&fixture, "t", &sink_properties_schema, &head, &row, 1, &error),
	             RESULT_REFUSED);
	sink_properties_expect(&fixture, "SELECT seq FROM rowsieve_head", "0\n");
	sink_properties_free_rows(&row, 1);
}
