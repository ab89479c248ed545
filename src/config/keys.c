// SPDX-License-Identifier: Apache-2.0
#include "config/keys.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistr.h>

#include "config/config.h"
#include "config/unit.h"
#include "schema/filter.h"

#define STORED(field) .offset = offsetof(struct config, field), .size = sizeof(((struct config *)NULL)->field)
#define RANGE(from, to) .least = (from), .most = (to)

static const char *const sink_words[] = {"sqlite", "mysql", NULL};
static const char *const unmatched_words[] = {"hold", "create", NULL};
static const char *const on_done_words[] = {"archive", "keep", "delete", NULL};
static const char *const addressing_words[] = {"virtual", "path", NULL};
static const char *const signature_words[] = {"v4", "v2", NULL};
static const char *const on_change_words[] = {"update", "ignore", "reject", NULL};
static const char *const duplicates_words[] = {"drop", "keep", NULL};
static const char *const delimiter_words[] = {"auto", "comma", "semicolon", "tab", "pipe", NULL};
static const char *const quote_words[] = {"double", "single", "none", NULL};
static const char *const escape_words[] = {"none", "backslash", NULL};
static const char *const decimal_words[] = {".", ",", NULL};
static const char *const columns_words[] = {"all", "declared", NULL};
static const char *const drift_words[] = {"add", "freeze", "rescue", NULL};
static const char *const missing_words[] = {"null", "reject", NULL};
static const char *const bad_value_words[] = {"reject", "null", "rescue", NULL};
static const char *const ragged_words[] = {"reject", "pad", "rescue", NULL};
static const char *const no_words[] = {NULL};
static const char *const flag_words[] = {"false", "true", NULL};

const struct key keys_table[] = {
    {KEYS_ROOT, "data", KEY_STRING, "directory of everything that is not named itself; --data wins",
     .initial = "./rowsieve-data", STORED(data)},
    {KEYS_ROOT, "drop", KEY_STRING, "the watched directory; data/drop unless set", STORED(drop)},
    {KEYS_ROOT, "done", KEY_STRING, "archive of the files that were taken; data/done unless set",
     STORED(done)},
    {KEYS_ROOT, "rejected", KEY_STRING, "rejected rows and files; data/rejected unless set",
     STORED(rejected)},
    {KEYS_ROOT, "state", KEY_STRING, "what was seen, and where each delivery stands; data/state unless set",
     STORED(state)},
    {KEYS_ROOT, "rows", KEY_STRING, "the SQLite file of the rows; data/rows.db unless set",
     STORED(sqlite_path)},
    {KEYS_ROOT, "sink", KEY_WORD, "where rows go", .initial = "sqlite", .words = sink_words, STORED(sink)},
    {KEYS_ROOT, "unmatched", KEY_WORD,
     "a member that no dataset claims waits, or makes a dataset of its own; hold, without a configuration "
     "file create",
     .words = unmatched_words, STORED(unmatched)},
    {KEYS_ROOT, "on_done", KEY_WORD, "what becomes of a file that was taken", .initial = "archive",
     .words = on_done_words, STORED(on_done)},
    {KEYS_ROOT, "metrics", KEY_STRING,
     "file that the daemon's figures are written to, for Prometheus' textfile collector", STORED(metrics)},
    {KEYS_ROOT, "settle", KEY_DURATION, "how long a file must be unchanged before it is taken",
     .initial = "2s", RANGE("0", "1d"), STORED(settle_ns)},
    {KEYS_ROOT, "rescan", KEY_DURATION, "how often the watched directory is read whatever the kernel told",
     .initial = "60s", RANGE("100ms", "1d"), STORED(rescan_ns)},
    {KEYS_ROOT, "memory", KEY_SIZE, "resident memory beyond the mapped state", .initial = "256M",
     RANGE("64M", "1024T"), STORED(memory)},

    {"batch", "rows", KEY_COUNT, "rows of one transaction, at most", .initial = "100000",
     RANGE("1", "10000000"), STORED(batch.rows)},
    {"batch", "bytes", KEY_SIZE, "bytes of one transaction's rows, at most", .initial = "64M",
     RANGE("64K", "4G"), STORED(batch.bytes)},
    {"batch", "wait", KEY_DURATION, "how long a batch waits for more small files", .initial = "1s",
     RANGE("0", "1h"), STORED(batch.wait_ns)},

    {"keep", "done", KEY_DURATION, "age at which archived files go", .initial = "30d", RANGE("0", "100y"),
     STORED(keep.done_ns)},
    {"keep", "rejected", KEY_DURATION, "age at which rejects go", .initial = "90d", RANGE("0", "100y"),
     STORED(keep.rejected_ns)},
    {"keep", "history", KEY_DURATION, "age at which deliveries leave the history", .initial = "1y",
     RANGE("0", "100y"), STORED(keep.history_ns)},
    {"keep", "min_free", KEY_SIZE, "free space below which no delivery is begun", .initial = "2G",
     RANGE("0", "1024T"), STORED(keep.min_free)},

    {"limits", "max_field", KEY_SIZE, "bytes of one field", .initial = "16M", RANGE("16", "1G"),
     STORED(limits.max_field)},
    {"limits", "max_columns", KEY_COUNT, "columns of one table", .initial = "4096", RANGE("1", "32767"),
     STORED(limits.max_columns)},
    {"limits", "max_ratio", KEY_COUNT, "times that a member may be larger than its packed form",
     .initial = "200", RANGE("2", "1000000"), STORED(limits.max_ratio)},
    {"limits", "max_members", KEY_COUNT, "members of one archive", .initial = "10000", RANGE("1", "10000000"),
     STORED(limits.max_members)},

    {"mysql", "host", KEY_STRING, "the option file's unless set, else localhost", STORED(mysql.host)},
    {"mysql", "port", KEY_COUNT, "the option file's unless set, else 3306", RANGE("1", "65535"),
     STORED(mysql.port)},
    {"mysql", "socket", KEY_STRING, "local socket, instead of host and port", STORED(mysql.socket)},
    {"mysql", "user", KEY_STRING, "the option file's unless set, else the login name", STORED(mysql.user)},
    {"mysql", "password_file", KEY_STRING, "its first line is the password; closed to other users",
     STORED(mysql.password_file)},
    {"mysql", "defaults_file", KEY_STRING, "a my.cnf option file", STORED(mysql.defaults_file)},
    {"mysql", "defaults_group", KEY_STRING, "group of the option file; client unless set",
     STORED(mysql.defaults_group)},
    {"mysql", "database", KEY_STRING, "where the tables are; required with sink = mysql",
     STORED(mysql.database)},
    {"mysql", "tls", KEY_FLAG, "require TLS, and verify the server's certificate and name",
     .initial = "false", STORED(mysql.tls)},
    {"mysql", "ca", KEY_STRING, "PEM file of the authorities; the system's unless set", STORED(mysql.ca)},

    {"s3", "endpoint", KEY_STRING, "URL of the store; Amazon's for the region unless set",
     STORED(s3.endpoint)},
    {"s3", "region", KEY_STRING, "the environment's or the profile's unless set, else us-east-1",
     STORED(s3.region)},
    {"s3", "bucket", KEY_STRING, "where objects go; without one they go to backup.dir", STORED(s3.bucket)},
    {"s3", "prefix", KEY_STRING, "path within the bucket", STORED(s3.prefix)},
    {"s3", "addressing", KEY_WORD, "is the bucket part of the host's name or of the path",
     .initial = "virtual", .words = addressing_words, STORED(s3.addressing)},
    {"s3", "signature", KEY_WORD, "v2 only for stores that know nothing newer; needs rowsieve-store-libs3",
     .initial = "v4", .words = signature_words, STORED(s3.signature)},
    {"s3", "profile", KEY_STRING, "of ~/.aws/credentials and config; $AWS_PROFILE unless set",
     STORED(s3.profile)},
    {"s3", "ca", KEY_STRING, "PEM file of the authorities; the system's unless set", STORED(s3.ca)},
    {"s3", "storage_class", KEY_STRING, "such as STANDARD_IA; the bucket's own unless set",
     STORED(s3.storage_class)},
    {"s3", "sse", KEY_STRING, "server-side encryption, AES256 or aws:kms", STORED(s3.sse)},
    {"s3", "raw", KEY_FLAG, "store files as they were delivered", .initial = "true", STORED(s3.raw)},
    {"s3", "rows", KEY_FLAG, "store the new and updated rows of each batch", .initial = "true",
     STORED(s3.rows)},

    {"backup", "dir", KEY_STRING, "where objects go without s3.bucket; data/backup unless set",
     STORED(backup.dir)},
    {"backup", "raw", KEY_FLAG, "keep files as they were delivered", .initial = "false", STORED(backup.raw)},
    {"backup", "rows", KEY_FLAG, "keep the new and updated rows of each batch", .initial = "true",
     STORED(backup.rows)},

    {"kaggle", "endpoint", KEY_STRING, "where Kaggle is; https, or http on loopback",
     .initial = "https://www.kaggle.com", STORED(kaggle.endpoint)},
    {"kaggle", "ca", KEY_STRING, "PEM file of the authorities; the system's unless set", STORED(kaggle.ca)},

    {"fetch", "source", KEY_STRING,
     "what is fetched, as kaggle:owner/slug; kaggle:owner/slug/3 stays at version 3", .size = 0},
    {"fetch", "file", KEY_STRING, "one file of the data set; all of it, as an archive, unless set",
     .size = 0},
    {"fetch", "every", KEY_DURATION, "how often fetch --due asks for a newer version", .initial = "6h",
     RANGE("1m", "1y"), .size = 0},

    {"dataset", "files", KEY_STRINGS, "patterns for the base names of its members", .size = 0},
    {"dataset", "table", KEY_NAME, "the dataset's name unless set", .size = 0},
    {"dataset", "stale_after", KEY_DURATION,
     "how long it may be without a delivery before status --check complains; never unless set",
     RANGE("1ms", "100y"), .size = 0},
    {"dataset", "key", KEY_STRINGS,
     "columns that name a row, as in the header or in the table: one row of each key, the last one delivered",
     .size = 0},
    {"dataset", "on_change", KEY_WORD,
     "what a row does whose key is stored with other values: change the row in the table, nothing (it counts "
     "as "
     "filtered), or become a reject",
     .initial = "update", .words = on_change_words, .size = 0},
    {"dataset", "duplicates", KEY_WORD,
     "of equal rows one is stored, or as many as the member has that has most of them", .initial = "drop",
     .words = duplicates_words, .size = 0},
    {"dataset", "provenance", KEY_FLAG,
     "columns _delivery, _line and _loaded_at say where each row came from; they are not compared",
     .initial = "false", .size = 0},
    {"dataset", "watermark", KEY_STRING,
     "column whose newest stored value a row must exceed to be new: rows that come late are filtered",
     .size = 0},
    {"dataset", "ignore_in_identity", KEY_STRINGS, "columns that are stored, but not compared", .size = 0},
    {"dataset", "delimiter", KEY_MARK,
     "what stands between fields: auto (that of , ; tab | under which most records have the header's "
     "fields), "
     "comma, semicolon, tab, pipe, or one character",
     .initial = "auto", .words = delimiter_words, .size = 0},
    {"dataset", "quote", KEY_WORD, "what fields stand in that hold delimiters or line ends",
     .initial = "double", .words = quote_words, .size = 0},
    {"dataset", "escape", KEY_WORD, "the character behind it stands for itself", .initial = "none",
     .words = escape_words, .size = 0},
    {"dataset", "header", KEY_FLAG,
     "the first record names the columns; without, they are the declared ones, in their order",
     .initial = "true", .size = 0},
    {"dataset", "skip_lines", KEY_COUNT, "lines in front of the header that are passed over", .initial = "0",
     RANGE("0", "1000000"), .size = 0},
    {"dataset", "comment", KEY_MARK, "lines that begin with it are passed over", .initial = "",
     .words = no_words, .size = 0},
    {"dataset", "encoding", KEY_STRING,
     "auto (UTF-8, or UTF-16 with a byte order mark), or a name that iconv -l lists", .initial = "auto",
     .size = 0},
    {"dataset", "null", KEY_TEXTS,
     "what a missing value looks like: for texts instead of the empty field, for other types beside it and "
     "NA, "
     "N/A, NULL, NaN, null and None",
     .size = 0},
    {"dataset", "trim", KEY_FLAG, "blanks around values are none of them", .initial = "false", .size = 0},
    {"dataset", "thousands", KEY_MARK, "what stands between groups of digits", .initial = "",
     .words = no_words, .size = 0},
    {"dataset", "decimal", KEY_WORD, "the decimal point", .initial = ".", .words = decimal_words, .size = 0},
    {"dataset", "columns", KEY_WORD,
     "which columns go to the table; those of key and watermark do in any case", .initial = "all",
     .words = columns_words, .size = 0},
    {"dataset", "where", KEY_WHERE,
     "which rows are wanted: COLUMN = VALUE (!= < <= > >=), COLUMN [not] in (VALUE, ...), COLUMN is [not] "
     "null; all must hold",
     .size = 0},
    {"dataset", "drift", KEY_WORD,
     "a column that the table lacks is added to it, rejects the file, or goes into the column _rescued",
     .initial = "add", .words = drift_words, .size = 0},
    {"dataset", "missing", KEY_WORD, "a column that the file lacks is null, or rejects the file",
     .initial = "null", .words = missing_words, .size = 0},
    {"dataset", "bad_value", KEY_WORD,
     "a value that is none of its column rejects its row, is null, or is null and goes into the column "
     "_rescued",
     .initial = "reject", .words = bad_value_words, .size = 0},
    {"dataset", "ragged", KEY_WORD,
     "a record of too few or too many fields is rejected; or missing fields are null and too many, if they "
     "are empty, none (pad); or too many go into the column _rescued",
     .initial = "reject", .words = ragged_words, .size = 0},
    {"column", "as", KEY_NAME, "name in the table", .size = 0},
    {"column", "alias", KEY_STRINGS, "other names that it has in headers", .size = 0},
    {"column", "type", KEY_TYPE,
     "integer, decimal(p,s), real, boolean, date, datetime, text or text(n); inferred from the first "
     "delivery "
     "unless set",
     .size = 0},
    {"column", "format", KEY_STRINGS, "strptime formats of a date or datetime, tried in order", .size = 0},
    {"column", "zone", KEY_STRING,
     "time zone of a datetime without one, which is then stored in UTC: UTC, an offset like +05:30, or a "
     "name "
     "like Asia/Kolkata",
     .size = 0},
    {"column", "default", KEY_TEXT, "instead of a missing value, written as in a file", .size = 0},
};

const size_t keys_count = sizeof keys_table / sizeof *keys_table;

const struct key *keys_find(const char *section, const char *name)
{
	for (size_t i = 0; i < keys_count; i++)
		if (strcmp(keys_table[i].section, section) == 0 && strcmp(keys_table[i].name, name) == 0)
			return &keys_table[i];
	return NULL;
}

static bool read_word(uint64_t *value, const char *const *words, const char *text)
{
	for (size_t i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) != 0)
			continue;
		*value = i;
		return true;
	}
	return false;
}

bool keys_is_list(const struct key *key)
{
	return key->kind == KEY_STRINGS || key->kind == KEY_TEXTS || key->kind == KEY_WHERE;
}

size_t keys_word(const struct key *key, const char *text)
{
	uint64_t value = 0;
	read_word(&value, key->words, text);
	return value;
}

static bool read_flag(uint64_t *value, const char *text)
{
	return read_word(value, flag_words, text) ||
	       read_word(value, (const char *const[]){"no", "yes", NULL}, text) ||
	       read_word(value, (const char *const[]){"off", "on", NULL}, text);
}

bool keys_flag(const char *text)
{
	uint64_t value = 0;
	return read_flag(&value, text) && value != 0;
}

static bool read_unit(uint64_t *value, enum key_kind kind, const char *text)
{
	switch (kind) {
	case KEY_COUNT:
		return unit_count(value, text);
	case KEY_SIZE:
		return unit_size(value, text);
	case KEY_DURATION:
		return unit_duration(value, text);
	default:
		return false;
	}
}

static bool read_number(uint64_t *value, const struct key *key, const char *text)
{
	uint64_t least, most;
	if (key->kind == KEY_WORD)
		return read_word(value, key->words, text);
	if (key->kind == KEY_FLAG)
		return read_flag(value, text);
	return read_unit(value, key->kind, text) && read_unit(&least, key->kind, key->least) &&
	       read_unit(&most, key->kind, key->most) && *value >= least && *value <= most;
}

/* State and sinks keep 64 bytes of a name. */
static bool is_name(const char *text)
{
	size_t length = strlen(text);
	if (length == 0 || length > SCHEMA_NAME_MAX || u8_check((const uint8_t *)text, length) != NULL)
		return false;
	for (size_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
			return false;
	return true;
}

/* Letters and digits are data, whatever the file. */
static bool is_mark(const struct key *key, const char *text)
{
	uint64_t word;
	if (text[0] == '\0')
		return key->initial[0] == '\0';
	if (read_word(&word, key->words, text))
		return true;
	return text[1] == '\0' && (ispunct((unsigned char)text[0]) || text[0] == ' ' || text[0] == '\t');
}

static void describe_words(char *out, size_t size, const char *const *words)
{
	size_t used = 0;
	*out = '\0';
	for (size_t i = 0; words[i] != NULL && used < size; i++) {
		const char *separator = i == 0 ? "" : words[i + 1] == NULL ? " or " : ", ";
		used += (size_t)snprintf(out + used, size - used, "%s%s", separator, words[i]);
	}
}

static void describe(char *out, size_t size, const struct key *key)
{
	switch (key->kind) {
	case KEY_STRING:
	case KEY_STRINGS:
	case KEY_TEXT:
	case KEY_TEXTS:
	case KEY_WHERE:
	case KEY_TYPE:
		snprintf(out, size, "something");
		break;
	case KEY_MARK:
		describe_words(out, size, key->words);
		strncat(out, key->words[0] != NULL ? " or one character" : "one character",
		        size - strlen(out) - 1);
		break;
	case KEY_NAME:
		snprintf(out, size, "1 to %d bytes of printable UTF-8", SCHEMA_NAME_MAX);
		break;
	case KEY_WORD:
		describe_words(out, size, key->words);
		break;
	case KEY_FLAG:
		describe_words(out, size, flag_words);
		break;
	case KEY_COUNT:
		snprintf(out, size, "a number from %s to %s", key->least, key->most);
		break;
	case KEY_SIZE:
		snprintf(out, size, "a size from %s to %s, in K, M, G or T", key->least, key->most);
		break;
	case KEY_DURATION:
		snprintf(out, size, "a duration from %s to %s, in ms, s, m, h, d, w or y", key->least,
		         key->most);
		break;
	}
}

static enum result refuse(const struct key *key, const char *text, struct error *error)
{
	char wanted[128];
	bool is_plain = key->size == 0 || strcmp(key->section, KEYS_ROOT) == 0;
	describe(wanted, sizeof wanted, key);
	return error_set(error, RESULT_CONFIG, "%s%s%s must be %s, not '%s'", is_plain ? "" : key->section,
	                 is_plain ? "" : ".", key->name, wanted, text);
}

enum result keys_check(const struct key *key, const char *text, struct error *error)
{
	uint64_t value;
	struct type type;
	switch (key->kind) {
	case KEY_STRING:
		return text[0] != '\0' || key->initial == NULL ? RESULT_OK : refuse(key, text, error);
	case KEY_STRINGS:
		return text[0] != '\0' ? RESULT_OK : refuse(key, text, error);
	case KEY_TEXT:
	case KEY_TEXTS:
		return RESULT_OK;
	case KEY_MARK:
		return is_mark(key, text) ? RESULT_OK : refuse(key, text, error);
	case KEY_WHERE:
		return filter_check(text, error);
	case KEY_NAME:
		return is_name(text) ? RESULT_OK : refuse(key, text, error);
	case KEY_TYPE:
		return type_parse(&type, text, error);
	default:
		return read_number(&value, key, text) ? RESULT_OK : refuse(key, text, error);
	}
}

/* Ranges and words keep the value within what the field holds. */
static void store_number(void *field, size_t size, uint64_t value)
{
	switch (size) {
	case sizeof(uint8_t):
		*(bool *)field = value != 0;
		break;
	case sizeof(uint16_t):
		*(uint16_t *)field = (uint16_t)value;
		break;
	case sizeof(uint32_t):
		*(uint32_t *)field = (uint32_t)value;
		break;
	default:
		*(uint64_t *)field = value;
		break;
	}
}

enum result keys_store(const struct key *key, const char *text, void *base, struct error *error)
{
	void *field = (char *)base + key->offset;
	uint64_t value;
	enum result result = keys_check(key, text, error);
	if (result != RESULT_OK)
		return result;
	if (key->kind == KEY_STRING)
		*(const char **)field = text;
	else if (read_number(&value, key, text))
		store_number(field, key->size, value);
	return RESULT_OK;
}
