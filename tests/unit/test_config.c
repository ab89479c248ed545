// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/config.h"
#include "config/keys.h"
#include "config/unit.h"

#define SECOND INT64_C(1000000000)
#define DAY (86400 * SECOND)

static char root[PATH_MAX];
static struct config *config;
static struct error error;

static void make_root(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(root, sizeof root, "%s/config-XXXXXX", base != NULL ? base : "/tmp");
	cr_assert_not_null(mkdtemp(root));
	unsetenv("ROWSIEVE_CONFIG");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static void remove_root(void)
{
	config_free(config);
	nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(config, .init = make_root, .fini = remove_root);

static const char *in_root(const char *name)
{
	static char path[2 * PATH_MAX];
	snprintf(path, sizeof path, "%s/%s", root, name);
	return path;
}

static void write_file(const char *name, const char *text)
{
	FILE *file = fopen(in_root(name), "w");
	cr_assert_not_null(file);
	cr_assert(fputs(text, file) >= 0);
	cr_assert(fclose(file) == 0);
}

static enum result load_file(const char *name, const char *const *overrides, size_t count)
{
	struct config_source source = {
	    .path = in_root(name), .overrides = overrides, .override_count = count};
	config_free(config);
	config = NULL;
	error = (struct error){0};
	return config_load(&config, &source, &error);
}

static enum result load(const char *text)
{
	write_file("x.conf", text);
	return load_file("x.conf", NULL, 0);
}

static void expect_loaded(const char *text)
{
	cr_assert(load(text) == RESULT_OK, "%s", error.message);
}

/* `what` stands behind "'path' line N: ". */
static void expect_fault(const char *text, unsigned line, const char *what)
{
	char start[2 * PATH_MAX + 64];
	cr_assert(load(text) == RESULT_CONFIG, "loaded: %s", text);
	snprintf(start, sizeof start, "'%s' line %u: ", in_root("x.conf"), line);
	cr_assert(strncmp(error.message, start, strlen(start)) == 0, "%s", error.message);
	cr_assert_not_null(strstr(error.message + strlen(start), what), "%s", error.message);
}

static void expect_overridden(const char *text, const char *override)
{
	write_file("x.conf", text);
	cr_assert(load_file("x.conf", &override, 1) == RESULT_OK, "%s", error.message);
}

static void expect_override_fault(const char *text, const char *override, const char *what)
{
	char start[256];
	write_file("x.conf", text);
	cr_assert(load_file("x.conf", &override, 1) == RESULT_CONFIG, "loaded: %s", override);
	snprintf(start, sizeof start, "-o %s: ", override);
	cr_assert(strncmp(error.message, start, strlen(start)) == 0, "%s", error.message);
	cr_assert_not_null(strstr(error.message + strlen(start), what), "%s", error.message);
}

Test(config, defaults_are_the_manual_s)
{
	expect_loaded("");
	cr_assert_str_eq(config->path, in_root("x.conf"));
	cr_assert_str_eq(config->data, "./rowsieve-data");
	cr_assert_str_eq(config->drop, "./rowsieve-data/drop");
	cr_assert_str_eq(config->done, "./rowsieve-data/done");
	cr_assert_str_eq(config->rejected, "./rowsieve-data/rejected");
	cr_assert_str_eq(config->state, "./rowsieve-data/state");
	cr_assert_str_eq(config->sqlite_path, "./rowsieve-data/rows.db");
	cr_assert_str_eq(config->socket_path, "./rowsieve-data/control.sock");
	cr_assert(config->sink == CONFIG_SINK_SQLITE);
	cr_assert(config->unmatched == CONFIG_UNMATCHED_HOLD);
	cr_assert(config->on_done == CONFIG_ON_DONE_ARCHIVE);
	cr_assert(config->settle_ns == 2 * SECOND);
	cr_assert(config->rescan_ns == 60 * SECOND);
	cr_assert(config->memory == 256 << 20);
	cr_assert(config->batch.rows == 100000);
	cr_assert(config->batch.bytes == 64 << 20);
	cr_assert(config->batch.wait_ns == SECOND);
	cr_assert(config->keep.done_ns == 30 * DAY);
	cr_assert(config->keep.rejected_ns == 90 * DAY);
	cr_assert(config->keep.history_ns == 365 * DAY);
	cr_assert(config->keep.min_free == UINT64_C(2) << 30);
	cr_assert(config->limits.max_field == 16 << 20);
	cr_assert(config->limits.max_columns == 4096);
	cr_assert(config->limits.max_ratio == 200);
	cr_assert(config->limits.max_members == 10000);
	cr_assert_null(config->mysql.host);
	cr_assert(config->mysql.port == 0);
	cr_assert_not(config->mysql.tls);
	cr_assert(config->dataset_count == 0);
}

Test(config, without_a_file_members_make_datasets)
{
	if (access("/etc/rowsieve/rowsieve.conf", F_OK) == 0)
		cr_skip_test("this machine has /etc/rowsieve/rowsieve.conf");
	struct config_source source = {.data = "elsewhere"};
	cr_assert(config_load(&config, &source, &error) == RESULT_OK);
	cr_assert_null(config->path);
	cr_assert(config->unmatched == CONFIG_UNMATCHED_CREATE);
	cr_assert_str_eq(config->drop, "elsewhere/drop");
}

Test(config, without_a_file_unmatched_may_still_be_set)
{
	if (access("/etc/rowsieve/rowsieve.conf", F_OK) == 0)
		cr_skip_test("this machine has /etc/rowsieve/rowsieve.conf");
	const char *override = "unmatched=hold";
	struct config_source source = {.overrides = &override, .override_count = 1};
	cr_assert(config_load(&config, &source, &error) == RESULT_OK);
	cr_assert(config->unmatched == CONFIG_UNMATCHED_HOLD);
}

Test(config, the_environment_names_the_file)
{
	write_file("env.conf", "settle = 5s\n");
	cr_assert(setenv("ROWSIEVE_CONFIG", in_root("env.conf"), 1) == 0);
	struct config_source source = {0};
	cr_assert(config_load(&config, &source, &error) == RESULT_OK, "%s", error.message);
	cr_assert(config->settle_ns == 5 * SECOND);
}

Test(config, a_file_that_is_named_must_be_there)
{
	cr_assert(load_file("none.conf", NULL, 0) == RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "none.conf"));
	cr_assert(setenv("ROWSIEVE_CONFIG", in_root("none.conf"), 1) == 0);
	struct config_source source = {0};
	cr_assert(config_load(&config, &source, &error) == RESULT_CONFIG);
}

Test(config, done_and_rejected_must_not_lie_in_the_drop_directory)
{
	cr_assert(load("drop = \"/a/drop\"\ndone = \"/a/drop/\"\n") == RESULT_CONFIG);
	cr_assert(load("drop = \"/a/drop/\"\nrejected = \"/a/drop/rejected\"\n") == RESULT_CONFIG);
	expect_loaded("drop = \"/a/drop\"\ndone = \"/a/dropped\"\nrejected = \"/a\"\n");
}

Test(config, a_file_over_a_mebibyte_is_refused)
{
	char *text = malloc((1 << 20) + 2);
	cr_assert_not_null(text);
	memset(text, '\n', (1 << 20) + 1);
	text[(1 << 20) + 1] = '\0';
	cr_assert(load(text) == RESULT_CONFIG);
	free(text);
}

Test(config, data_of_the_command_line_wins_over_all)
{
	const char *override = "data=overridden";
	write_file("x.conf", "data = file\ndone = named\n");
	struct config_source source = {
	    .path = in_root("x.conf"), .data = "line", .overrides = &override, .override_count = 1};
	cr_assert(config_load(&config, &source, &error) == RESULT_OK);
	cr_assert_str_eq(config->state, "line/state");
	cr_assert_str_eq(config->done, "named");
}

Test(config, everything_can_be_said_in_one_file)
{
	expect_loaded("data = \"/srv/rowsieve\"\n"
	              "sink = mysql\n"
	              "mysql { host = db  port = 3307  database = rows  tls = yes }\n"
	              "dataset \"credit_card\" {\n"
	              "  files = { \"Credit*card*.csv\", \"credit*.csv\" }\n"
	              "  table = \"Cards of 2015\"\n"
	              "  column \"Date\" { type = \"date\"  format = { \"%d-%b-%y\", \"%Y-%m-%d\" } }\n"
	              "  column \"Card Type\" { as = \"kind\"  type = \"text(32)\" }\n"
	              "}\n"
	              "dataset \"plain\" { }\n");
	cr_assert(config->sink == CONFIG_SINK_MYSQL);
	cr_assert_str_eq(config->mysql.host, "db");
	cr_assert(config->mysql.port == 3307);
	cr_assert(config->mysql.tls);
	cr_assert(config->dataset_count == 2);

	const struct config_dataset *dataset = &config->datasets[0];
	cr_assert_str_eq(dataset->name, "credit_card");
	cr_assert_str_eq(dataset->table, "Cards of 2015");
	cr_assert(dataset->file_count == 2);
	cr_assert_str_eq(dataset->files[0], "Credit*card*.csv");
	cr_assert_str_eq(dataset->files[1], "credit*.csv");
	cr_assert(dataset->schema.count == 2);

	const struct schema_declared *columns = dataset->schema.columns;
	cr_assert_str_eq(columns[0].source, "Date");
	cr_assert_null(columns[0].name);
	cr_assert(columns[0].has_type);
	cr_assert(columns[0].type.kind == TYPE_DATE);
	cr_assert(columns[0].formats.count == 2);
	cr_assert_str_eq(columns[0].formats.formats[1], "%Y-%m-%d");
	cr_assert_str_eq(columns[1].source, "Card Type");
	cr_assert_str_eq(columns[1].name, "kind");
	cr_assert(columns[1].type.kind == TYPE_TEXT);
	cr_assert(columns[1].type.length == 32);

	cr_assert_str_eq(config->datasets[1].table, "plain");
	cr_assert(config->datasets[1].file_count == 0);
	cr_assert(config->datasets[1].schema.count == 0);
}

Test(config, an_empty_string_is_no_value)
{
	expect_loaded("metrics = \"\"\n"
	              "mysql { host = \"\"  socket = \"\"  password_file = \"\" }\n"
	              "s3 { endpoint = \"\"  bucket = \"\" }\n"
	              "dataset \"d\" { watermark = \"\"  column \"Date\" { zone = \"\" } }\n"
	              "fetch \"f\" { source = \"kaggle:o/s\"  file = \"\" }\n");
	cr_assert_null(config->metrics);
	cr_assert_null(config->mysql.host);
	cr_assert_null(config->mysql.socket);
	cr_assert_null(config->mysql.password_file);
	cr_assert_null(config->s3.endpoint);
	cr_assert_null(config->datasets[0].schema.watermark);
	cr_assert_null(config->datasets[0].schema.columns[0].zone_name);
	cr_assert_null(config->fetches[0].file);
	expect_fault("fetch \"f\" { source = \"\" }\n", 1, "has no source");
	expect_overridden("dataset \"d\" { watermark = \"Date\" }\n", "dataset.d.watermark=");
	cr_assert_null(config->datasets[0].schema.watermark);
}

Test(config, key_and_watermark_count_as_declared)
{
	expect_loaded("dataset \"d\" { columns = \"declared\"  key = { \"index\", \"Card Type\" }  watermark "
	              "= \"Date\"\n"
	              "  column \"Card Type\" { as = \"kind\" } }\n");
	const struct schema_spec *spec = &config->datasets[0].schema;
	cr_assert(spec->count == 3);
	cr_assert_str_eq(spec->columns[1].source, "index");
	cr_assert_str_eq(spec->columns[2].source, "Date");
	expect_loaded("dataset \"d\" { key = { \"index\" }  column \"Card Type\" { } }\n");
	cr_assert(config->datasets[0].schema.count == 1);
}

Test(config, an_unknown_encoding_is_an_error)
{
	expect_fault("dataset \"d\" {\n encoding = \"klingon\" }\n", 2, "encoding 'klingon' is unknown");
}

Test(config, how_files_are_written_has_defaults)
{
	expect_loaded("dataset \"plain\" { }\n");
	const struct config_dialect *dialect = &config->datasets[0].dialect;
	cr_assert(dialect->delimiter == '\0' && dialect->quote == '"' && dialect->escape == '\0');
	cr_assert(dialect->comment == '\0' && dialect->has_header && dialect->skip_lines == 0);
	cr_assert_null(dialect->encoding);
	const struct schema_spec *spec = &config->datasets[0].schema;
	cr_assert(!spec->only_declared && !spec->trim && !spec->has_nulls && spec->where_count == 0);
	cr_assert(spec->thousands == '\0' && spec->decimal == '.');
	cr_assert(spec->drift == SCHEMA_DRIFT_ADD && spec->missing == SCHEMA_MISSING_NULL);
	cr_assert(spec->bad_value == SCHEMA_BAD_VALUE_REJECT && spec->ragged == SCHEMA_RAGGED_REJECT);
}

Test(config, a_dialect_and_rules_can_be_set)
{
	expect_loaded("dataset d {\n"
	              "  delimiter = \"~\"  quote = single  escape = backslash  header = no  skip_lines = 3\n"
	              "  comment = \"#\"  encoding = \"windows-1252\"  null = { \"\", \"-\" }  trim = on\n"
	              "  thousands = \".\"  decimal = \",\"  columns = declared\n"
	              "  where = { \"a > 0\", \"b in ('x', 'y')\" }\n"
	              "  drift = freeze  missing = reject  bad_value = rescue  ragged = pad\n"
	              "  column a { type = integer  alias = { \"A1\", \"A2\" }  default = \"0\" }\n"
	              "  column b { type = datetime  zone = \"Asia/Kolkata\" }\n"
	              "  column c { default = \"\" }\n"
	              "}\n");
	const struct config_dialect *dialect = &config->datasets[0].dialect;
	cr_assert(dialect->delimiter == '~' && dialect->quote == '\'' && dialect->escape == '\\');
	cr_assert(dialect->comment == '#' && !dialect->has_header && dialect->skip_lines == 3);
	cr_assert_str_eq(dialect->encoding, "windows-1252");
	const struct schema_spec *spec = &config->datasets[0].schema;
	cr_assert(spec->only_declared && spec->trim && spec->has_nulls && spec->null_count == 2);
	cr_assert_str_eq(spec->nulls[0], "");
	cr_assert(spec->thousands == '.' && spec->decimal == ',');
	cr_assert(spec->where_count == 2);
	cr_assert_str_eq(spec->where[1], "b in ('x', 'y')");
	cr_assert(spec->drift == SCHEMA_DRIFT_FREEZE && spec->missing == SCHEMA_MISSING_REJECT);
	cr_assert(spec->bad_value == SCHEMA_BAD_VALUE_RESCUE && spec->ragged == SCHEMA_RAGGED_PAD);
	cr_assert(spec->columns[0].alias_count == 2);
	cr_assert_str_eq(spec->columns[0].aliases[1], "A2");
	cr_assert_str_eq(spec->columns[0].fallback, "0");
	cr_assert_not_null(spec->columns[1].zone);
	cr_assert_str_eq(spec->columns[2].fallback, "");
}

Test(config, every_word_for_a_delimiter_is_its_character)
{
	static const struct {
		const char *word;
		char delimiter;
	} words[] = {{"auto", '\0'}, {"comma", ','}, {"semicolon", ';'},
	             {"tab", '\t'},  {"pipe", '|'},  {";", ';'}};
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		char text[64];
		snprintf(text, sizeof text, "dataset d { delimiter = \"%s\" }", words[i].word);
		expect_loaded(text);
		cr_assert(config->datasets[0].dialect.delimiter == words[i].delimiter, "%s", words[i].word);
	}
}

/* A value that differs from the default. */
static const char *sample(const struct key *key)
{
	const char *last = NULL;
	switch (key->kind) {
	case KEY_WORD:
		for (size_t i = 0; key->words[i] != NULL; i++)
			last = key->words[i];
		return last;
	case KEY_FLAG:
		return "true";
	case KEY_COUNT:
	case KEY_SIZE:
	case KEY_DURATION:
		return key->least;
	case KEY_TYPE:
		return "date";
	default:
		return "%Y";
	}
}

static uint64_t sample_number(const struct key *key)
{
	uint64_t number = 0;
	if (key->kind == KEY_WORD)
		while (key->words[number + 1] != NULL)
			number++;
	else if (key->kind == KEY_FLAG)
		number = 1;
	else if (key->kind == KEY_COUNT)
		cr_assert(unit_count(&number, key->least));
	else if (key->kind == KEY_SIZE)
		cr_assert(unit_size(&number, key->least));
	else
		cr_assert(unit_duration(&number, key->least));
	return number;
}

static void expect_sample(const struct key *key)
{
	const char *field = (const char *)config + key->offset;
	if (key->kind == KEY_STRING) {
		cr_assert_str_eq(*(const char *const *)field, sample(key), "%s", key->name);
		return;
	}
	uint64_t number = 0; /* this machine's: little endian */
	memcpy(&number, field, key->size);
	cr_assert(number == sample_number(key), "%s.%s", key->section, key->name);
}

Test(config, every_plain_key_can_be_set_in_a_file_and_by_an_override)
{
	char text[256], override[256];
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		if (key->size == 0)
			continue;
		bool is_root = strcmp(key->section, KEYS_ROOT) == 0;
		snprintf(text, sizeof text,
		         is_root ? "%s%s = \"%s\" mysql { database = \"%%Y\" }" : "%s { %s = \"%s\" }",
		         is_root ? "" : key->section, key->name, sample(key));
		expect_loaded(text);
		expect_sample(key);
		snprintf(override, sizeof override, "%s%s%s=%s", is_root ? "" : key->section,
		         is_root ? "" : ".", key->name, sample(key));
		expect_overridden("mysql { database = d }", override);
		expect_sample(key);
	}
}

Test(config, every_key_is_documented_and_its_default_is_valid)
{
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		cr_assert(strlen(key->help) > 0);
		cr_assert(keys_find(key->section, key->name) == key, "%s is there twice", key->name);
		if (key->initial != NULL)
			cr_assert(keys_check(key, key->initial, &error) == RESULT_OK, "%s", error.message);
	}
}

Test(config, an_unknown_key_is_an_error_with_its_line_below_comments_of_all_kinds)
{
	expect_fault("# one\n// two\n/* three\n four */\nsettle = 2s # five\n\nfoo = 3\n", 7,
	             "no such option 'foo'");
}

Test(config, an_unknown_key_in_a_section_has_its_line)
{
	expect_fault("# one\nbatch {\n  rows = 5\n  # four\n  foo = 3\n}\n", 5, "no such option 'foo'");
	expect_fault("dataset \"a\" {\n  # two\n  drifts = \"add\"\n}\n", 3, "no such option 'drifts'");
}

Test(config, an_error_behind_a_section_and_strings_of_lines_has_its_line)
{
	expect_fault("dataset \"a\" {\n files = { \"x\",\n\n \"y\" }\n}\nfoo = 1\n", 6,
	             "no such option 'foo'");
}

Test(config, comment_signs_in_strings_are_text)
{
	expect_loaded("data = \"a # b // c /* d */ \\\" # e\"\n"
	              "drop = 'f # \\' /* g'\n"
	              "mysql { host = http://h//i # comment\n }\n");
	cr_assert_str_eq(config->data, "a # b // c /* d */ \" # e");
	cr_assert_str_eq(config->drop, "f # ' /* g");
	cr_assert_str_eq(config->mysql.host, "http://h//i");
}

Test(config, comments_may_hold_quotes)
{
	expect_loaded("# don't\n// \"\n/* it's \" */ settle = 3s /* a */ rescan = 4s // ' end");
	cr_assert(config->settle_ns == 3 * SECOND);
	cr_assert(config->rescan_ns == 4 * SECOND);
}

Test(config, variables_are_replaced_and_may_hold_comment_signs)
{
	cr_assert(setenv("ROWSIEVE_TEST", "value", 1) == 0);
	expect_loaded("data = \"${ROWSIEVE_TEST}/x\"\ndrop = ${ROWSIEVE_NONE:-a#b}\n");
	cr_assert_str_eq(config->data, "value/x");
	cr_assert_str_eq(config->drop, "a#b");
}

Test(config, what_is_not_closed_is_an_error_where_it_began)
{
	expect_fault("settle = 2s\ndata = \"abc\nrescan = 3s\n", 2, "string is not closed");
	expect_fault("settle = 2s\ndata = 'abc\n", 2, "string is not closed");
	expect_fault("settle = 2s\n\n/* abc\n\n", 3, "comment is not closed");
	expect_fault("\nbatch {\n rows = 5\n", 2, "'{' is not closed");
	expect_fault("settle =", 1, "premature end of file");
}

Test(config, characters_that_would_vanish_are_errors)
{
	expect_fault("dataset \"a\" {\n files = { *.csv }\n}\n", 2, "'*'");
	expect_fault("batch { rows = +5 }\n", 1, "'+'");
	expect_fault("batch|rows = 5\n", 1, "'|'");
	expect_fault("data = /srv/*\n/* comment */\n", 1, "'*'");
	expect_fault("\"batch|wait\" = 5s\n", 1, "no such option");
}

Test(config, wrong_values_say_what_they_must_be)
{
	expect_fault("settle = 2\n", 1,
	             "settle must be a duration from 0 to 1d, in ms, s, m, h, d, w or y, not '2'");
	expect_fault("\nsettle = 2S\n", 2, "not '2S'");
	expect_fault("settle = 2d\n", 1, "from 0 to 1d");
	expect_fault("rescan = 1ms\n", 1, "from 100ms");
	expect_fault("memory = 64MB\n", 1, "memory must be a size from 64M");
	expect_fault("memory = 63M\n", 1, "not '63M'");
	expect_fault("memory = 99999999999999999999\n", 1, "memory must be");
	expect_fault("memory = 18446744073709551615T\n", 1, "memory must be");
	expect_fault("sink = oracle\n", 1, "sink must be sqlite or mysql, not 'oracle'");
	expect_fault("on_done = x\n", 1, "on_done must be archive, keep or delete, not 'x'");
	expect_fault("batch { rows = 0 }\n", 1, "batch.rows must be a number from 1 to 10000000, not '0'");
	expect_fault("batch { rows = 10000001 }\n", 1, "batch.rows");
	expect_fault("batch { bytes = 63K }\n", 1, "batch.bytes");
	expect_fault("batch { bytes = 5G }\n", 1, "batch.bytes");
	expect_fault("mysql { port = 65536 }\n", 1, "mysql.port");
	expect_fault("mysql { tls = maybe }\n", 1, "mysql.tls must be false or true, not 'maybe'");
	expect_fault("data = \"\"\n", 1, "data must be something");
}

Test(config, datasets_must_not_contradict_each_other)
{
	expect_fault("dataset \"a\" { table = \"t\" }\ndataset \"b\" {\n table = \"t\"\n}\n", 4,
	             "datasets 'a' and 'b' have the same table 't'");
	expect_fault("dataset \"a\" { }\ndataset \"b\" { table = \"A\" }\n", 2, "have the same table");
	expect_fault(
	    "dataset \"a\" { files = { \"x\", \"y\" } }\ndataset \"b\" { files = { \"z\", \"y\" } }\n", 2,
	    "datasets 'a' and 'b' have the same 'y' in files");
	expect_fault("dataset \"a\" { files = { \"x\", \"x\" } }\n", 1, "'x' in files twice");
	expect_fault("dataset \"a\" { }\ndataset \"a\" { }\n", 2, "duplicate title 'a'");
}

Test(config, names_of_datasets_and_tables_are_checked)
{
	expect_fault("dataset \"Credit Card\" { }\n", 1, "dataset 'Credit Card' must have a name");
	expect_fault("dataset \"\" { }\n", 1, "must have a name");
	expect_fault("dataset \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" { }\n", 1,
	             "1 to 64");
	expect_fault("dataset \"a\" { table = \"\" }\n", 1, "table must be");
	expect_fault("dataset \"a\" {\n"
	             " table = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" }\n",
	             2, "table must be 1 to 64");
	expect_fault("dataset \"a\" { table = \"Rowsieve_Head\" }\n", 1, "reserved");
	expect_fault("dataset \"a\" { table = \"b\\x01\" }\n", 1, "printable");
}

Test(config, columns_are_checked)
{
	expect_fault("dataset \"a\" {\n column \"x\" {\n type = \"money\"\n }\n}\n", 3, "type 'money'");
	expect_fault("dataset \"a\" {\n column \"x\" {\n format = \"%Y\"\n }\n}\n", 4,
	             "must be date or datetime");
	expect_fault("dataset \"a\" {\n column \"x\" { type = text format = \"%Y\" }\n}\n", 2,
	             "must be date or datetime");
	expect_fault("dataset \"a\" {\n column \"x\" { type = date format = \"%Q\" }\n}\n", 2, "column 'x'");
	expect_fault("dataset \"a\" {\n column \"x y\" { }\n column \"X-Y\" { }\n}\n", 3,
	             "have the same name");
	expect_fault("dataset \"a\" {\n column \"x\" { as = y }\n column \"y\" { }\n}\n", 3,
	             "have the same name");
	expect_fault("dataset \"a\" {\n column \"\" { }\n}\n", 2, "a column needs");
	expect_fault(
	    "dataset \"a\" { column \"x\" { type = date format = { \"%Y-%m-%d\", \"%d.%m.%Y\", \"%d/%m/%Y\","
	    "\"%m/%d/%Y\", \"%d %b %Y\", \"%d-%b-%y\", \"%b %d %Y\", \"%Y/%m/%d\", \"%Y.%m.%d\" } } }\n",
	    1, "more than 8 formats");
}

Test(config, dialects_and_rules_are_checked)
{
	expect_fault("dataset d { delimiter = \"\" }", 1, "delimiter must be auto, comma");
	expect_fault("dataset d { delimiter = \"xy\" }", 1, "or one character, not 'xy'");
	expect_fault("dataset d { delimiter = \"a\" }", 1, "or one character, not 'a'");
	expect_fault("dataset d { delimiter = \"'\" quote = single }", 1, "delimiter and quote are both '''");
	expect_fault("dataset d { delimiter = \"#\" comment = \"#\" }", 1,
	             "delimiter and comment are both '#'");
	expect_fault("dataset d { thousands = \".\" }", 1, "thousands and decimal are both '.'");
	expect_fault("dataset d { columns = declared }", 1, "none is");
	expect_fault("dataset d { where = { \"a >> 1\" } }", 1, "where 'a >> 1' is none of");
	expect_fault("dataset d { column a { zone = \"UTC\" } }", 1, "its type must be datetime");
	expect_fault("dataset d { column a { type = datetime zone = \"Mars/Base\" } }", 1,
	             "time zone 'Mars/Base'");
}

Test(config, mysql_needs_a_database)
{
	cr_assert(load("sink = mysql\n") == RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "mysql.database"));
	cr_assert_not_null(strstr(error.message, in_root("x.conf")));
	expect_overridden("sink = mysql\n", "mysql.database=d");
}

Test(config, includes_are_relative_sorted_and_follow_the_file)
{
	cr_assert(mkdir(in_root("d"), 0755) == 0);
	write_file("d/20.conf", "settle = 20s\ndataset \"b\" { }\n");
	write_file("d/10.conf", "settle = 10s\nrescan = 10s\ndataset \"a\" { }\ninclude(\"more/*.conf\")\n");
	write_file("d/30.txt", "settle = 30s\n");
	cr_assert(mkdir(in_root("d/more"), 0755) == 0);
	write_file("d/more/x.conf", "rescan = 15s\ndataset \"c\" { }\n");
	expect_loaded("include(\"d/*.conf\")\nsettle = 1s\ndataset \"z\" { }\n");
	cr_assert(config->settle_ns == 20 * SECOND);
	cr_assert(config->rescan_ns == 15 * SECOND);
	static const char *const names[] = {"z", "a", "c", "b"};
	cr_assert(config->dataset_count == 4);
	for (size_t i = 0; i < 4; i++)
		cr_assert_str_eq(config->datasets[i].name, names[i]);
}

Test(config, an_error_in_an_included_file_names_that_file_and_its_line)
{
	write_file("y.conf", "# one\nfoo = 1\n");
	cr_assert(load("include(\"y.conf\")\n\n\n") == RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "y.conf' line 2: no such option 'foo'"), "%s",
	                   error.message);
	write_file("y.conf", "\ndataset \"b\" {\n table = a }\n");
	cr_assert(load("include(\"y.conf\")\n dataset \"a\" { }\n\n") == RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "y.conf' line 3: datasets"), "%s", error.message);
}

Test(config, a_pattern_may_match_nothing_but_a_name_must_be_there)
{
	expect_loaded("include(\"none.d/*.conf\")\n");
	cr_assert(load("include(\"none.conf\")\n") == RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "none.conf"));
	expect_fault("\ninclude()\n", 2, "include() needs a file");
	expect_fault("batch {\ninclude(\"x\") }\n", 2, "no such option 'include'");
}

Test(config, a_file_that_includes_itself_is_an_error)
{
	expect_fault("include(\"x.conf\")\n", 1, "more than 8 deep");
}

Test(config, overrides_win_over_files_and_later_ones_over_earlier)
{
	static const char *const overrides[] = {"settle=7s", "batch.rows=5", "settle=8s"};
	write_file("x.conf", "settle = 1s\nrescan = 9s\nbatch { rows = 3 bytes = 1M }\n");
	cr_assert(load_file("x.conf", overrides, 3) == RESULT_OK, "%s", error.message);
	cr_assert(config->settle_ns == 8 * SECOND);
	cr_assert(config->rescan_ns == 9 * SECOND);
	cr_assert(config->batch.rows == 5);
	cr_assert(config->batch.bytes == 1 << 20);
}

Test(config, overrides_reach_datasets_and_columns_and_make_them)
{
	static const char *const overrides[] = {"dataset.a.table=t",
	                                        "dataset.a.files=x*.csv, \"y,z.csv\" ,w",
	                                        "dataset.b.files={\"{1}\", \"2\"}",
	                                        "dataset.a.column.v1.2.type=decimal(9,2)",
	                                        "dataset.a.column.Date.type=date",
	                                        "dataset.a.column.Date.format=%d.%m.%Y"};
	write_file("x.conf", "dataset \"a\" { files = { \"old\" } column \"Date\" { as = day } }\n");
	cr_assert(load_file("x.conf", overrides, 6) == RESULT_OK, "%s", error.message);
	const struct config_dataset *a = &config->datasets[0];
	cr_assert_str_eq(a->table, "t");
	cr_assert(a->file_count == 3);
	cr_assert_str_eq(a->files[0], "x*.csv");
	cr_assert_str_eq(a->files[1], "y,z.csv");
	cr_assert_str_eq(a->files[2], "w");
	cr_assert(a->schema.count == 2);
	cr_assert_str_eq(a->schema.columns[0].name, "day");
	cr_assert(a->schema.columns[0].type.kind == TYPE_DATE);
	cr_assert_str_eq(a->schema.columns[0].formats.formats[0], "%d.%m.%Y");
	cr_assert_str_eq(a->schema.columns[1].source, "v1.2");
	cr_assert(a->schema.columns[1].type.scale == 2);
	cr_assert(config->dataset_count == 2);
	cr_assert_str_eq(config->datasets[1].name, "b");
	cr_assert_str_eq(config->datasets[1].files[0], "{1}");
}

Test(config, an_override_may_empty_a_list)
{
	expect_overridden("dataset \"a\" { files = { \"old\" } }\n", "dataset.a.files=");
	cr_assert(config->datasets[0].file_count == 0);
}

Test(config, a_wrong_override_is_named)
{
	static const char *const unknown[] = {"foo=1",
	                                      "batch.foo=1",
	                                      "foo.rows=1",
	                                      "root.settle=1s",
	                                      "dataset=x",
	                                      "dataset.a=x",
	                                      "dataset.a.foo=x",
	                                      "dataset.table=x",
	                                      "column.as=x",
	                                      "include=x",
	                                      "batch=x",
	                                      "batch|rows=5",
	                                      "dataset.a.column.x=y",
	                                      "dataset.a.column.x.foo=y"};
	for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
		expect_override_fault("", unknown[i], "no such key");
	expect_override_fault("", "settle", "key=value");
	expect_override_fault("", "batch.rows=x", "batch.rows must be a number");
	expect_override_fault("", "dataset.a.files={\"x\"", "brace is not closed");
	expect_override_fault("", "dataset.a.files=\"x", "quote is not closed");
	expect_override_fault("", "dataset.A-B.table=x", "must have a name");
	expect_override_fault("dataset \"a\" { table = t }\n", "dataset.b.table=t", "have the same table");
	expect_override_fault("dataset \"a\" { column \"x\" { } }\n", "dataset.a.column.x.format=%Y",
	                      "must be date or datetime");
}

Test(config, syntax_errors_leave_nothing_behind_for_the_next_load)
{
	static const char *const broken[] = {"}",
	                                     "batch { rows = }",
	                                     "dataset { }",
	                                     "dataset \"a\" {",
	                                     "settle 2s",
	                                     "settle = {",
	                                     "dataset \"a\" { files = { \"x\"",
	                                     "settle = \"\\777\"",
	                                     "=",
	                                     "batch { rows = 5 } }",
	                                     "include(",
	                                     "\"${X"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		cr_assert(load(broken[i]) == RESULT_CONFIG, "loaded: %s", broken[i]);
		expect_loaded("settle = 3s\n");
		cr_assert(config->settle_ns == 3 * SECOND);
	}
}

Test(config, what_makes_rows_the_same_is_checked_against_itself)
{
	expect_loaded("dataset \"a\" { column \"Card No\" { as = \"card\" } key = { \"card\", \"Day\" } "
	              "on_change = \"reject\" ignore_in_identity = { \"n\" } }\n");
	const struct config_dataset *dataset = &config->datasets[0];
	cr_assert(dataset->on_change == CONFIG_ON_CHANGE_REJECT && dataset->schema.key_count == 2 &&
	          dataset->schema.ignored_count == 1 && !dataset->schema.keeps_duplicates);
	expect_loaded("dataset \"a\" { duplicates = \"keep\" }\n");
	cr_assert(config->datasets[0].schema.keeps_duplicates);
	cr_assert(config->datasets[0].on_change == CONFIG_ON_CHANGE_UPDATE);
	expect_override_fault("dataset \"a\" { key = { \"x\" } }\n", "dataset.a.duplicates=keep",
	                      "cannot keep duplicates");
	expect_override_fault("dataset \"a\" { column \"X\" { as = \"y\" } key = { \"X\" } }\n",
	                      "dataset.a.ignore_in_identity=y", "in key and in ignore_in_identity");
	expect_override_fault("", "dataset.a.key=\" \"", "no column's name");
	expect_override_fault("", "dataset.a.on_change=skip", "update, ignore or reject");
}

Test(config, a_nul_byte_is_an_error)
{
	FILE *file = fopen(in_root("x.conf"), "w");
	cr_assert_not_null(file);
	cr_assert(fwrite("settle = 2s\n\0\n", 1, 14, file) == 14);
	cr_assert(fclose(file) == 0);
	cr_assert(load_file("x.conf", NULL, 0) == RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "line 2: a NUL byte"), "%s", error.message);
}

Test(unit, sizes_are_powers_of_1024)
{
	uint64_t bytes;
	cr_assert(unit_size(&bytes, "7") && bytes == 7);
	cr_assert(unit_size(&bytes, "7K") && bytes == 7 << 10);
	cr_assert(unit_size(&bytes, "7m") && bytes == 7 << 20);
	cr_assert(unit_size(&bytes, "3G") && bytes == UINT64_C(3) << 30);
	cr_assert(unit_size(&bytes, "2T") && bytes == UINT64_C(2) << 40);
	cr_assert_not(unit_size(&bytes, "7KB"));
	cr_assert_not(unit_size(&bytes, "7 K"));
	cr_assert_not(unit_size(&bytes, "K"));
	cr_assert_not(unit_size(&bytes, ""));
	cr_assert_not(unit_size(&bytes, "-7"));
	cr_assert_not(unit_size(&bytes, "16777216T"));
}

Test(unit, durations_have_a_unit)
{
	uint64_t ns;
	cr_assert(unit_duration(&ns, "250ms") && ns == 250000000);
	cr_assert(unit_duration(&ns, "2s") && ns == 2 * SECOND);
	cr_assert(unit_duration(&ns, "3m") && ns == 180 * SECOND);
	cr_assert(unit_duration(&ns, "6h") && ns == 21600 * SECOND);
	cr_assert(unit_duration(&ns, "1w") && ns == 7 * DAY);
	cr_assert(unit_duration(&ns, "1y") && ns == 365 * DAY);
	cr_assert(unit_duration(&ns, "0") && ns == 0);
	cr_assert_not(unit_duration(&ns, "2"));
	cr_assert_not(unit_duration(&ns, "2sec"));
	cr_assert_not(unit_duration(&ns, "1000y"));
}
