// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mariadb_server.h"
#include "sink/mysql_session.h"
#include "sink/mysql_sink.h"
#include "sink_properties.h"

static struct mariadb_server *server;
static struct sink_fixture fixture;
static struct sink_head head;
static struct error error;
static const struct schema *const plain = &sink_properties_schema;
static const char *const values[] = {"1", "one"};

static char *query(void *reader, const char *sql)
{
	if (strncmp(sql, "SELECT", 6) == 0)
		return mariadb_server_query(reader, sql);
	mariadb_server_execute(reader, sql);
	return NULL;
}

static struct mysql_sink_options options_of_server(void)
{
	return (struct mysql_sink_options){.socket = server->socket, .user = "root", .database = "test"};
}

static void open_sink(const struct mysql_sink_options *options)
{
	cr_assert_eq(mysql_sink_open(&fixture.sink, options, &error), RESULT_OK, "%s", error.message);
	fixture.query = query;
	fixture.reader = server;
}

static void start(const char *const *server_options)
{
	server = mariadb_server_start(server_options);
	const struct mysql_sink_options options = options_of_server();
	open_sink(&options);
}

static void start_with_local_infile(void)
{
	start(NULL);
}

static void start_without_local_infile(void)
{
	static const char *const options[] = {"--local-infile=0", "--max-allowed-packet=1M", NULL};
	start(options);
}

static void stop(void)
{
	if (fixture.sink != NULL)
		fixture.sink->interface->close(fixture.sink);
	if (server != NULL)
		mariadb_server_stop(server);
}

TestSuite(mysql_sink, .init = start_with_local_infile, .fini = stop);
TestSuite(mysql_sink_by_insert, .init = start_without_local_infile, .fini = stop);

#define PROPERTY(property)                                                                                   \
	Test(mysql_sink, property)                                                                           \
	{                                                                                                    \
		sink_properties_##property(&fixture);                                                        \
	}                                                                                                    \
	Test(mysql_sink_by_insert, property)                                                                 \
	{                                                                                                    \
		sink_properties_##property(&fixture);                                                        \
	}
SINK_PROPERTIES(PROPERTY)

static enum result connect_sink(void)
{
	error = (struct error){0};
	return fixture.sink->interface->connect(fixture.sink, &error);
}

static enum result store_rows(const struct schema *schema, const char *const *row_values, size_t count)
{
	struct slice rows[8];
	for (size_t i = 0; i < count; i++)
		rows[i] = sink_properties_row(schema, row_values + i * schema->count);
	enum result result = sink_properties_store(&fixture, "t", schema, &head, rows, count, &error);
	sink_properties_free_rows(rows, count);
	return result;
}

/* What the server has been asked to do since it started, of one kind. */
static void expect_status(const char *name, const char *count)
{
	char sql[128];
	char expected[32];
	snprintf(sql, sizeof sql,
	         "SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME='%s'",
	         name);
	snprintf(expected, sizeof expected, "%s\n", count);
	sink_properties_expect(&fixture, sql, expected);
}

Test(mysql_sink, rows_go_by_load_data)
{
	sink_properties_begin(&fixture, "t", plain, &head);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_OK, "%s", error.message);
	expect_status("COM_LOAD", "2"); /* one is the probe's */
	sink_properties_expect(&fixture, "SELECT id, name FROM t", "1|one\n");
}

Test(mysql_sink_by_insert, rows_go_by_insert)
{
	sink_properties_begin(&fixture, "t", plain, &head);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_OK, "%s", error.message);
	expect_status("COM_INSERT", "3"); /* head, rows, ledger */
	sink_properties_expect(&fixture, "SELECT id, name FROM t", "1|one\n");
}

Test(mysql_sink, local_infile_turned_off_later_is_fallen_back_from)
{
	sink_properties_begin(&fixture, "t", plain, &head);
	mariadb_server_execute(server, "SET GLOBAL local_infile=0");
	cr_assert_eq(store_rows(plain, values, 1), RESULT_UNREACHABLE);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_OK, "%s", error.message);
	sink_properties_expect(&fixture, "SELECT id, name FROM t", "1|one\n");
}

Test(mysql_sink_by_insert, a_row_beyond_max_allowed_packet_is_refused_and_one_below_is_not)
{
	char *text = malloc(1200000);
	const char *const big[] = {"2", text};
	memset(text, 'x', 1200000);
	sink_properties_begin(&fixture, "t", plain, &head);
	text[1100000] = '\0';
	cr_assert_eq(store_rows(plain, big, 1), RESULT_REFUSED);
	cr_assert_not_null(strstr(error.message, "max_allowed_packet"), "%s", error.message);
	text[1040000] = '\0';
	cr_assert_eq(store_rows(plain, big, 1), RESULT_OK, "%s", error.message);
	sink_properties_expect(&fixture, "SELECT id, LENGTH(name) FROM t", "2|1040000\n");
	free(text);
}

static void refuse_a_text_too_long(void)
{
	static struct schema_column columns[] = {
	    {.ordinal = 1, .name = "id", .type = {.kind = TYPE_INTEGER}},
	    {.ordinal = 2, .name = "name", .type = {.kind = TYPE_TEXT, .length = 4}},
	};
	const struct schema schema = {.version = 1, .columns = columns, .count = 2};
	static const char *const rows[] = {"1", "four", "2", "fives"};
	sink_properties_begin(&fixture, "t", &schema, &head);
	cr_assert_eq(store_rows(&schema, rows, 2), RESULT_REFUSED);
	cr_assert_not_null(strstr(error.message, "Data too long for column 'name'"), "%s", error.message);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "0\n");
	sink_properties_expect(&fixture, "SELECT seq FROM rowsieve_head", "0\n");
	cr_assert_eq(store_rows(&schema, rows, 1), RESULT_OK, "%s", error.message);
}

Test(mysql_sink, a_text_too_long_is_refused)
{
	refuse_a_text_too_long();
}

Test(mysql_sink_by_insert, a_text_too_long_is_refused)
{
	refuse_a_text_too_long();
}

/* The server only notes this; a note is enough to refuse. */
static void refuse_a_rounded_decimal(void)
{
	static struct schema_column columns[] = {
	    {.ordinal = 1, .name = "price", .type = {.kind = TYPE_DECIMAL, .precision = 10, .scale = 3}},
	};
	const struct schema schema = {.version = 1, .columns = columns, .count = 1};
	static const char *const rows[] = {"1.25", "1.255"};
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
	mariadb_server_execute(server, "CREATE TABLE t (price DECIMAL(10,2)) ENGINE=InnoDB");
	sink_properties_begin(&fixture, "t", &schema, &head);
	cr_assert_eq(store_rows(&schema, rows, 2), RESULT_REFUSED);
	cr_assert_not_null(strstr(error.message, "Data truncated for column 'price'"), "%s", error.message);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(store_rows(&schema, rows, 1), RESULT_OK, "%s", error.message);
}

Test(mysql_sink, a_decimal_that_would_be_rounded_is_refused)
{
	refuse_a_rounded_decimal();
}

Test(mysql_sink_by_insert, a_decimal_that_would_be_rounded_is_refused)
{
	refuse_a_rounded_decimal();
}

Test(mysql_sink, columns_have_the_promised_types)
{
	static struct schema_column columns[] = {
	    {.ordinal = 1, .name = "i", .type = {.kind = TYPE_INTEGER}},
	    {.ordinal = 2, .name = "d", .type = {.kind = TYPE_DECIMAL, .precision = 12, .scale = 2}},
	    {.ordinal = 3, .name = "h", .type = {.kind = TYPE_DECIMAL, .scale = 4}},
	    {.ordinal = 4, .name = "day", .type = {.kind = TYPE_DATE}},
	    {.ordinal = 5, .name = "moment", .type = {.kind = TYPE_DATETIME}},
	    {.ordinal = 6, .name = "v", .type = {.kind = TYPE_TEXT, .length = 32}},
	    {.ordinal = 7, .name = "t", .type = {.kind = TYPE_TEXT}},
	    {.ordinal = 8, .name = "l", .type = {.kind = TYPE_TEXT, .length = 20000}},
	};
	const struct schema schema = {.version = 1, .columns = columns, .count = 8};
	sink_properties_begin(&fixture, "t", &schema, &head);
	sink_properties_expect(
	    &fixture,
	    "SELECT COLUMN_NAME, COLUMN_TYPE, COLLATION_NAME FROM information_schema.COLUMNS "
	    "WHERE TABLE_NAME='t' AND TABLE_SCHEMA='test' ORDER BY ORDINAL_POSITION",
	    "i|bigint(20)|(null)\nd|decimal(12,2)|(null)\nh|decimal(38,4)|(null)\n"
	    "day|date|(null)\nmoment|datetime(6)|(null)\nv|varchar(32)|utf8mb4_nopad_bin\n"
	    "t|longtext|utf8mb4_nopad_bin\nl|longtext|utf8mb4_nopad_bin\n");
	sink_properties_expect(
	    &fixture,
	    "SELECT ENGINE FROM information_schema.TABLES WHERE TABLE_SCHEMA='test' AND TABLE_NAME IN "
	    "('t', 'rowsieve_head', 'rowsieve_ledger')",
	    "InnoDB\nInnoDB\nInnoDB\n");
}

Test(mysql_sink, a_table_without_transactions_is_a_configuration_error)
{
	struct sink_presence presence;
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
	mariadb_server_execute(server, "CREATE TABLE t (id BIGINT, name TEXT) ENGINE=MyISAM");
	cr_assert_eq(fixture.sink->interface->inspect(fixture.sink, "t", &presence, &error), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "MyISAM"), "%s", error.message);
	const struct sink_head mine = {.dataset = "cards"};
	cr_assert_eq(fixture.sink->interface->create(fixture.sink, "t", plain, &mine, &error), RESULT_CONFIG);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM rowsieve_head", "0\n");
}

Test(mysql_sink, an_unknown_database_is_a_configuration_error)
{
	fixture.sink->interface->close(fixture.sink);
	struct mysql_sink_options options = options_of_server();
	options.database = "nowhere";
	open_sink(&options);
	cr_assert_eq(connect_sink(), RESULT_CONFIG, "%s", error.message);
	cr_assert_not_null(strstr(error.message, "nowhere"), "%s", error.message);
	cr_assert_not_null(strstr(error.message, server->socket), "%s", error.message);
}

Test(mysql_sink, a_password_file_open_to_others_is_a_configuration_error)
{
	char path[128];
	snprintf(path, sizeof path, "%s/password", server->directory);
	FILE *file = fopen(path, "w");
	fputs("s3cret-word\n", file);
	fclose(file);
	fixture.sink->interface->close(fixture.sink);
	struct mysql_sink_options options = options_of_server();
	options.password_file = path;
	open_sink(&options);
	cr_assert_eq(chmod(path, 0644), 0);
	cr_assert_eq(connect_sink(), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, path), "%s", error.message);
	cr_assert_not_null(strstr(error.hint, "chmod"), "%s", error.hint);
	cr_assert_eq(chmod(path, 0640), 0);
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
}

Test(mysql_sink, an_option_file_says_where_the_server_is)
{
	char path[128];
	snprintf(path, sizeof path, "%s/my.cnf", server->directory);
	FILE *file = fopen(path, "w");
	fprintf(file, "[client]\nsocket=/nowhere\n[loader]\nsocket=%s\nlocal-infile=0\n", server->socket);
	fclose(file);
	fixture.sink->interface->close(fixture.sink);
	struct mysql_sink_options options = {
	    .user = "root", .database = "test", .defaults_file = path, .defaults_group = "loader"};
	open_sink(&options);
	sink_properties_begin(&fixture, "t", plain, &head);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_OK, "%s", error.message);
	cr_assert_eq(unlink(path), 0);
	fixture.sink->interface->close(fixture.sink);
	open_sink(&options);
	cr_assert_eq(connect_sink(), RESULT_CONFIG);
}

Test(mysql_sink, a_file_that_the_server_asks_for_is_refused)
{
	struct mysql_session session;
	const struct mysql_sink_options options = options_of_server();
	cr_assert_eq(mysql_session_init(&session, &options, &error), RESULT_OK);
	cr_assert_eq(mysql_session_connect(&session, &error), RESULT_OK, "%s", error.message);
	mariadb_server_execute(server, "CREATE TABLE stolen (line TEXT)");
	cr_assert_neq(mysql_session_run(
			  &session, SLICE("LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE stolen (line)"),
			  NULL, &error),
	              RESULT_OK);
	cr_assert_not_null(strstr(error.message, "the server asked for a file"), "%s", error.message);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM stolen", "0\n");
	mysql_session_free(&session);
}

Test(mysql_sink, a_server_that_has_gone_is_unreachable)
{
	struct sink_presence presence;
	struct sink_head judged;
	const struct sink_interface *interface = fixture.sink->interface;
	sink_properties_begin(&fixture, "t", plain, &head);
	mariadb_server_kill(server);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_UNREACHABLE, "%s", error.message);
	cr_assert_not_null(strstr(error.message, server->socket), "%s", error.message);
	cr_assert_eq(connect_sink(), RESULT_UNREACHABLE);
	cr_assert_eq(interface->inspect(fixture.sink, "t", &presence, &error), RESULT_UNREACHABLE);
	cr_assert_eq(interface->create(fixture.sink, "t", plain, &head, &error), RESULT_UNREACHABLE);
	cr_assert_eq(interface->add_columns(fixture.sink, "t", plain, &error), RESULT_UNREACHABLE);
	cr_assert_eq(interface->judge(fixture.sink, "t", head.sink_id, head.state_id, &judged, &error),
	             RESULT_UNREACHABLE);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_UNREACHABLE);
}

Test(mysql_sink, connecting_again_survives_a_killed_connection)
{
	sink_properties_begin(&fixture, "t", plain, &head);
	char *others = mariadb_server_query(
	    server,
	    "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND DB='test'");
	char sql[64];
	snprintf(sql, sizeof sql, "KILL %d", atoi(others));
	free(others);
	mariadb_server_execute(server, sql);
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
	cr_assert_eq(store_rows(plain, values, 1), RESULT_OK, "%s", error.message);
}

/* Makes a certificate for `name`, which is its own authority, and a server that shows it. */
static void start_with_certificate(const char *name)
{
	static const char *const options[] = {"--ssl-cert=%s/cert.pem", "--ssl-key=%s/key.pem", NULL};
	char command[512];
	server = mariadb_server_prepare();
	snprintf(command, sizeof command,
	         "umask 022 && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
	         "-keyout %s/key.pem -out %s/cert.pem -subj '/CN=%s' -addext 'subjectAltName=DNS:%s' "
	         "2>/dev/null && "
	         "chmod 644 %s/key.pem",
	         server->directory, server->directory, name, name, server->directory);
	if (system(command) != 0) {
		mariadb_server_stop(server);
		cr_skip("openssl makes no certificate");
	}
	mariadb_server_run(server, options);
}

static enum result connect_with_tls(const char *ca)
{
	struct mysql_sink_options options = options_of_server();
	options.host = "localhost";
	options.tls = true;
	options.ca = ca;
	open_sink(&options);
	return connect_sink();
}

TestSuite(mysql_sink_tls, .fini = stop);

Test(mysql_sink_tls, a_certificate_of_the_named_authority_is_accepted)
{
	char ca[128];
	start_with_certificate("localhost");
	snprintf(ca, sizeof ca, "%s/cert.pem", server->directory);
	cr_assert_eq(connect_with_tls(ca), RESULT_OK, "%s", error.message);
}

Test(mysql_sink_tls, a_certificate_of_nobody_is_refused)
{
	start_with_certificate("localhost");
	cr_assert_eq(connect_with_tls(NULL), RESULT_UNREACHABLE, "%s", error.message);
	cr_assert_not_null(strstr(error.hint, "certificate"), "%s", error.hint);
}

Test(mysql_sink_tls, a_certificate_for_another_name_is_refused)
{
	char ca[128];
	start_with_certificate("elsewhere.example");
	snprintf(ca, sizeof ca, "%s/cert.pem", server->directory);
	cr_assert_eq(connect_with_tls(ca), RESULT_UNREACHABLE, "%s", error.message);
}

Test(mysql_sink_tls, a_server_without_tls_is_refused)
{
	server = mariadb_server_start(NULL);
	cr_assert_neq(connect_with_tls(NULL), RESULT_OK);
	cr_assert_not_null(strstr(error.hint, "tls"), "%s", error.message);
}

static void *store_in_thread(void *result)
{
	*(enum result *)result = store_rows(plain, values, 1);
	mysql_thread_end();
	return NULL;
}

/* Waits until another connection is held up in a statement like this, and gives its number. */
static int wait_for(const char *statement, const char *state)
{
	char sql[256];
	snprintf(
	    sql, sizeof sql,
	    "SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND INFO LIKE '%s%%' "
	    "AND STATE LIKE '%s%%'",
	    statement, state);
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	time_t deadline = time(NULL) + 30;
	char *id = NULL;
	while (id == NULL || *id == '\0') {
		cr_assert_lt(time(NULL), deadline, "the sink never came to '%s'", statement);
		nanosleep(&pause, NULL);
		free(id);
		id = mariadb_server_query(server, sql);
	}
	int number = atoi(id);
	free(id);
	return number;
}

static void kill_during(const char *statement)
{
	char sql[32];
	snprintf(sql, sizeof sql, "KILL %d", wait_for(statement, "Waiting"));
	mariadb_server_execute(server, sql);
}

Test(mysql_sink, a_connection_lost_before_commit_leaves_nothing)
{
	pthread_t thread;
	enum result result;
	sink_properties_begin(&fixture, "t", plain, &head);
	mariadb_server_execute(server, "LOCK TABLES rowsieve_ledger WRITE");
	cr_assert_eq(pthread_create(&thread, NULL, store_in_thread, &result), 0);
	kill_during("INSERT INTO rowsieve_ledger");
	pthread_join(thread, NULL);
	mariadb_server_execute(server, "UNLOCK TABLES");
	cr_assert_eq(result, RESULT_UNREACHABLE, "%s", error.message);
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
	cr_assert_eq(
	    fixture.sink->interface->judge(fixture.sink, "t", head.sink_id, head.state_id, &head, &error),
	    RESULT_OK, "%s", error.message);
	cr_assert_eq(head.seq, 0);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", "0\n");
	cr_assert_eq(store_rows(plain, values, 1), RESULT_OK, "%s", error.message);
}

Test(mysql_sink, a_connection_lost_during_commit_is_unknown_until_it_is_judged)
{
	pthread_t thread;
	enum result result;
	struct sink_head before;
	sink_properties_begin(&fixture, "t", plain, &head);
	before = head;
	mariadb_server_execute(server, "BACKUP STAGE START");
	mariadb_server_execute(server, "BACKUP STAGE BLOCK_COMMIT");
	cr_assert_eq(pthread_create(&thread, NULL, store_in_thread, &result), 0);
	kill_during("COMMIT");
	pthread_join(thread, NULL);
	mariadb_server_execute(server, "BACKUP STAGE END");
	cr_assert_eq(result, RESULT_UNKNOWN, "%s", error.message);
	cr_assert_eq(error.result, RESULT_UNKNOWN);
	cr_assert_eq(connect_sink(), RESULT_OK, "%s", error.message);
	cr_assert_eq(
	    fixture.sink->interface->judge(fixture.sink, "t", head.sink_id, head.state_id, &head, &error),
	    RESULT_OK, "%s", error.message);
	cr_assert_eq(head.epoch, before.epoch + 1);
	sink_properties_expect(&fixture, "SELECT COUNT(*) FROM t", head.seq == 0 ? "0\n" : "1\n");
}

static void *judge_in_thread(void *judged)
{
	const struct mysql_sink_options options = options_of_server();
	struct sink *sink = NULL;
	struct sink_head mine = head;
	enum result result = mysql_sink_open(&sink, &options, NULL);
	if (result == RESULT_OK)
		result = sink->interface->connect(sink, NULL);
	if (result == RESULT_OK)
		result = sink->interface->judge(sink, "t", mine.sink_id, mine.state_id, judged, NULL);
	sink->interface->close(sink);
	mysql_thread_end();
	return result == RESULT_OK ? judged : NULL;
}

Test(mysql_sink, judging_waits_for_a_commit_that_still_runs)
{
	pthread_t storing;
	pthread_t judging;
	enum result result;
	struct sink_head judged;
	void *has_judged;
	sink_properties_begin(&fixture, "t", plain, &head);
	mariadb_server_execute(server, "BACKUP STAGE START");
	mariadb_server_execute(server, "BACKUP STAGE BLOCK_COMMIT");
	cr_assert_eq(pthread_create(&storing, NULL, store_in_thread, &result), 0);
	wait_for("COMMIT", "Waiting");
	cr_assert_eq(pthread_create(&judging, NULL, judge_in_thread, &judged), 0);
	wait_for("UPDATE rowsieve_head SET epoch", "Updating");
	mariadb_server_execute(server, "BACKUP STAGE END");
	pthread_join(storing, NULL);
	pthread_join(judging, &has_judged);
	cr_assert_eq(result, RESULT_OK, "%s", error.message);
	cr_assert_not_null(has_judged);
	cr_assert(judged.seq == 1 && judged.epoch == head.epoch + 1);
}
