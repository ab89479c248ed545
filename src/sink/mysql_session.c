// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_session.h"

#include <errmsg.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sink/mysql_failure.h"
#include "sink/sql.h"

enum { CONNECT_TIMEOUT_S = 10, ANSWER_TIMEOUT_S = 600, PASSWORD_MAX = 1024, PACKET_LIMIT_MIN = 1024 };

static enum result copy_strings(struct mysql_session *session)
{
	struct mysql_sink_options *options = &session->options;
	const char **members[] = {
	    &options->host,          &options->socket,         &options->user,     &options->password_file,
	    &options->defaults_file, &options->defaults_group, &options->database, &options->ca};
	size_t size = 1;
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		size += *members[i] == NULL ? 0 : strlen(*members[i]) + 1;
	session->strings = malloc(size);
	if (session->strings == NULL)
		return RESULT_NO_MEMORY;
	char *out = session->strings;
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
		if (*members[i] == NULL)
			continue;
		char *end = stpcpy(out, *members[i]);
		*members[i] = out;
		out = end + 1;
	}
	return RESULT_OK;
}

static char *describe_place(const struct mysql_sink_options *options)
{
	char *place = NULL;
	int length;
	if (options->socket != NULL && (options->host == NULL || strcmp(options->host, "localhost") == 0))
		length = asprintf(&place, "database '%s' at '%s'", options->database, options->socket);
	else if (options->host == NULL && options->defaults_file != NULL)
		length = asprintf(&place, "database '%s' at the server of '%s'", options->database,
		                  options->defaults_file);
	else
		length = asprintf(&place, "database '%s' at '%s:%u'", options->database,
		                  options->host == NULL ? "localhost" : options->host,
		                  options->port == 0 ? 3306U : options->port);
	return length < 0 ? NULL : place;
}

enum result mysql_session_init(struct mysql_session *session, const struct mysql_sink_options *options,
                               struct error *error)
{
	*session = (struct mysql_session){.options = *options};
	if (options->database == NULL)
		return error_set(error, RESULT_CONFIG, "the mysql sink needs a database");
	if (copy_strings(session) != RESULT_OK)
		return sql_no_memory(error);
	session->place = describe_place(&session->options);
	return session->place == NULL ? sql_no_memory(error) : RESULT_OK;
}

void mysql_session_free(struct mysql_session *session)
{
	mysql_session_close(session);
	free(session->strings);
	free(session->place);
}

static enum result open_password_file(int *fd, const char *path, struct error *error)
{
	struct stat status;
	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &status) != 0)
		return error_set_errno(error, RESULT_CONFIG, "cannot open password file '%s'", path);
	if ((status.st_mode & S_IRWXO) == 0)
		return RESULT_OK;
	error_set(error, RESULT_CONFIG, "password file '%s' is open to every user of this machine", path);
	error_hint(error, "chmod o= '%s'", path);
	return RESULT_CONFIG;
}

/* The first line, without its end. */
static enum result read_password(char password[PASSWORD_MAX], const char *path, struct error *error)
{
	CLEANUP_FD int fd = -1;
	enum result result = open_password_file(&fd, path, error);
	if (result != RESULT_OK)
		return result;
	ssize_t length = read(fd, password, PASSWORD_MAX - 1);
	if (length < 0)
		return error_set_errno(error, RESULT_CONFIG, "cannot read password file '%s'", path);
	password[length] = '\0';
	password[strcspn(password, "\r\n")] = '\0';
	return RESULT_OK;
}

/* A server may ask for any file of this machine at any time; only a load that is under way answers
 * (mysql_load.c). */
static int refuse_file(void **stream, const char *name, void *context)
{
	(void)name;
	(void)context;
	*stream = NULL;
	return 1;
}

static int refuse_read(void *stream, char *out, unsigned size)
{
	(void)stream;
	(void)out;
	(void)size;
	return -1;
}

static void refuse_end(void *stream)
{
	(void)stream;
}

static int refuse_reason(void *stream, char *out, unsigned size)
{
	(void)stream;
	snprintf(out, size, "the server asked for a file");
	return CR_UNKNOWN_ERROR;
}

void mysql_session_refuse_files(struct mysql_session *session)
{
	mysql_set_local_infile_handler(session->handle, refuse_file, refuse_read, refuse_end, refuse_reason,
	                               NULL);
}

static bool set_tls(MYSQL *handle, const char *ca)
{
#ifdef MARIADB_BASE_VERSION
	const my_bool on = 1;
	return mysql_options(handle, MYSQL_OPT_SSL_ENFORCE, &on) == 0 &&
	       mysql_options(handle, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &on) == 0 &&
	       (ca == NULL || mysql_options(handle, MYSQL_OPT_SSL_CA, ca) == 0);
#else
	/* This library does not look where the system keeps its certificates. */
	const unsigned mode = SSL_MODE_VERIFY_IDENTITY;
	return mysql_options(handle, MYSQL_OPT_SSL_MODE, &mode) == 0 &&
	       (ca == NULL ? mysql_options(handle, MYSQL_OPT_SSL_CAPATH, "/etc/ssl/certs")
	                   : mysql_options(handle, MYSQL_OPT_SSL_CA, ca)) == 0;
#endif
}

static bool set_options(MYSQL *handle, const struct mysql_sink_options *options)
{
	const unsigned connect_timeout = CONNECT_TIMEOUT_S;
	const unsigned answer_timeout = ANSWER_TIMEOUT_S;
	const unsigned on = 1;
	const char *group = options->defaults_group == NULL ? "client" : options->defaults_group;
	if (options->defaults_file != NULL &&
	    (mysql_options(handle, MYSQL_READ_DEFAULT_FILE, options->defaults_file) != 0 ||
	     mysql_options(handle, MYSQL_READ_DEFAULT_GROUP, group) != 0))
		return false;
	if (options->tls && !set_tls(handle, options->ca))
		return false;
	return mysql_options(handle, MYSQL_OPT_CONNECT_TIMEOUT, &connect_timeout) == 0 &&
	       mysql_options(handle, MYSQL_OPT_READ_TIMEOUT, &answer_timeout) == 0 &&
	       mysql_options(handle, MYSQL_OPT_WRITE_TIMEOUT, &answer_timeout) == 0 &&
	       mysql_options(handle, MYSQL_OPT_LOCAL_INFILE, &on) == 0 &&
	       mysql_options(handle, MYSQL_SET_CHARSET_NAME, "utf8mb4") == 0;
}

static enum result log_in(struct mysql_session *session, struct error *error)
{
	const struct mysql_sink_options *options = &session->options;
	char password[PASSWORD_MAX];
	if (options->password_file != NULL) {
		enum result result = read_password(password, options->password_file, error);
		if (result != RESULT_OK)
			return result;
	}
	MYSQL *connected = mysql_real_connect(session->handle, options->host, options->user,
	                                      options->password_file == NULL ? NULL : password,
	                                      options->database, options->port, options->socket, 0);
	explicit_bzero(password, sizeof password);
	if (connected == NULL)
		return mysql_session_fail(session, error);
	return RESULT_OK;
}

static enum result read_packet_limit(struct mysql_session *session, struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	enum result result = mysql_session_query(session, SLICE("SELECT @@max_allowed_packet"), &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_fetch_row(rows);
	session->packet_limit = row == NULL || row[0] == NULL ? 0 : strtoul(row[0], NULL, 10);
	if (session->packet_limit < PACKET_LIMIT_MIN)
		session->packet_limit = PACKET_LIMIT_MIN;
	return RESULT_OK;
}

static enum result set_session(struct mysql_session *session, struct error *error)
{
	if (session->options.tls && mysql_get_ssl_cipher(session->handle) == NULL) {
		error_set(error, RESULT_CONFIG, "%s: the connection is not encrypted", session->place);
		error_hint(error, "configure tls on the server");
		return RESULT_CONFIG;
	}
	/* An option file may have chosen otherwise. */
	const char off = 0;
	mysql_options(session->handle, MYSQL_OPT_RECONNECT, &off);
	mysql_session_refuse_files(session);
	if (mysql_set_character_set(session->handle, "utf8mb4") != 0)
		return mysql_session_fail(session, error);
	enum result result = mysql_session_run(session,
	                                       SLICE("SET SESSION autocommit=1, time_zone='+00:00', "
	                                             "sql_mode='TRADITIONAL,NO_ENGINE_SUBSTITUTION', "
	                                             "lock_wait_timeout=60, net_write_timeout=600"),
	                                       NULL, error);
	if (result == RESULT_OK)
		result = read_packet_limit(session, error);
	return result;
}

enum result mysql_session_connect(struct mysql_session *session, struct error *error)
{
	const char *defaults_file = session->options.defaults_file;
	/* The library passes over an option file that it cannot read. */
	if (defaults_file != NULL && access(defaults_file, R_OK) != 0)
		return error_set_errno(error, RESULT_CONFIG, "cannot read option file '%s'", defaults_file);
	session->handle = mysql_init(NULL);
	if (session->handle == NULL)
		return sql_no_memory(error);
	mysql_session_refuse_files(session);
	enum result result = RESULT_OK;
	if (!set_options(session->handle, &session->options))
		result = error_set(error, RESULT_CONFIG, "%s: the client library does not take its options",
		                   session->place);
	if (result == RESULT_OK)
		result = log_in(session, error);
	if (result == RESULT_OK)
		result = set_session(session, error);
	if (result != RESULT_OK)
		mysql_session_close(session);
	return result;
}

void mysql_session_close(struct mysql_session *session)
{
	if (session->handle != NULL)
		mysql_close(session->handle);
	session->handle = NULL;
}

enum result mysql_session_fail(struct mysql_session *session, struct error *error)
{
	unsigned number = mysql_errno(session->handle);
	enum result result = mysql_failure_result(number, mysql_sqlstate(session->handle));
	error_set(error, result, "%s: %s (error %u)", session->place, mysql_error(session->handle), number);
	const char *hint = mysql_failure_hint(number);
	if (hint != NULL)
		error_hint(error, "%s", hint);
	if (result == RESULT_UNREACHABLE || result == RESULT_NO_MEMORY)
		mysql_session_close(session);
	return result;
}

enum result mysql_session_run(struct mysql_session *session, struct slice sql, uint64_t *affected,
                              struct error *error)
{
	if (session->handle == NULL)
		return error_set(error, RESULT_UNREACHABLE, "%s: not connected", session->place);
	if (mysql_real_query(session->handle, sql.data, sql.length) != 0)
		return mysql_session_fail(session, error);
	if (affected != NULL)
		*affected = mysql_affected_rows(session->handle);
	return RESULT_OK;
}

enum result mysql_session_query(struct mysql_session *session, struct slice sql, MYSQL_RES **rows,
                                struct error *error)
{
	enum result result = mysql_session_run(session, sql, NULL, error);
	if (result != RESULT_OK)
		return result;
	*rows = mysql_store_result(session->handle);
	return *rows == NULL ? mysql_session_fail(session, error) : RESULT_OK;
}

enum result mysql_session_refuse_warnings(struct mysql_session *session, const char *where,
                                          struct error *error)
{
	CLEANUP_ROWS MYSQL_RES *rows = NULL;
	CLEANUP_FREE char *context = strdup(where); /* may be the library's, of the last statement */
	if (context == NULL)
		return sql_no_memory(error);
	enum result result = mysql_session_query(session, SLICE("SHOW WARNINGS LIMIT 1"), &rows, error);
	if (result != RESULT_OK)
		return result;
	MYSQL_ROW row = mysql_num_fields(rows) < 3 ? NULL : mysql_fetch_row(rows);
	return error_set(error, RESULT_REFUSED, "%s: %s (%s)", session->place,
	                 row == NULL || row[2] == NULL ? "not every row was stored as a new one" : row[2],
	                 context);
}

void mysql_session_rollback(struct mysql_session *session)
{
	if (session->handle != NULL && mysql_query(session->handle, "ROLLBACK") != 0)
		mysql_session_close(session);
}

enum result mysql_session_append_text(struct mysql_session *session, struct buffer *sql, struct slice text)
{
	if (text.length > SIZE_MAX / 4 || buffer_reserve(sql, 2 * text.length + 3) != RESULT_OK)
		return RESULT_NO_MEMORY;
	char *out = sql->data + sql->length;
	*out++ = '\'';
	out += mysql_real_escape_string(session->handle, out, text.data, text.length);
	*out++ = '\'';
	sql->length = (size_t)(out - sql->data);
	return RESULT_OK;
}

void mysql_session_free_rows(MYSQL_RES **rows)
{
	if (*rows != NULL)
		mysql_free_result(*rows);
}
