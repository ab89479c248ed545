// SPDX-License-Identifier: Apache-2.0
#include "mariadb_server.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"

enum { START_DEADLINE_S = 60, OPTIONS_MAX = 64, OPTION_SIZE = 160 };

static const char *find_binary(void)
{
	static const char *const places[] = {"/usr/sbin/mariadbd", "/usr/bin/mariadbd",
	                                     "/usr/libexec/mariadbd", "/usr/local/bin/mariadbd"};
	for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
		if (access(places[i], X_OK) == 0)
			return places[i];
	}
	return NULL;
}

struct mariadb_server *mariadb_server_prepare(void)
{
	if (find_binary() == NULL)
		cr_skip("mariadbd is not installed");
	struct mariadb_server *server = calloc(1, sizeof *server);
	cr_assert_not_null(server);
	/* Not under TMPDIR: a socket's path must be short. */
	strcpy(server->directory, "/tmp/rowsieve-mariadb-XXXXXX");
	cr_assert_not_null(mkdtemp(server->directory));
	snprintf(server->socket, sizeof server->socket, "%s/socket", server->directory);
	return server;
}

/* In the child. The server refuses to run as root, and a change of user would undo the death signal. */
static void become_nobody(const struct passwd *nobody)
{
	if (nobody != NULL &&
	    (setgroups(0, NULL) != 0 || setgid(nobody->pw_gid) != 0 || setuid(nobody->pw_uid) != 0))
		_exit(126);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void execute_server(const struct mariadb_server *server, const char *const *options)
{
	static const char *const standard[] = {"--no-defaults",
	                                       "--datadir=%s/data",
	                                       "--tmpdir=%s",
	                                       "--socket=%s/socket",
	                                       "--pid-file=%s/pid",
	                                       "--log-error=%s/log",
	                                       "--skip-networking",
	                                       "--skip-grant-tables",
	                                       "--skip-log-bin",
	                                       "--performance-schema=0",
	                                       "--innodb-flush-method=nosync",
	                                       "--innodb-doublewrite=0",
	                                       "--innodb-flush-log-at-trx-commit=0",
	                                       "--innodb-log-file-size=16M",
	                                       "--innodb-buffer-pool-size=64M",
	                                       "--innodb-buffer-pool-load-at-startup=0",
	                                       "--innodb-undo-tablespaces=0",
	                                       "--character-set-server=latin1",
	                                       "--local-infile=1",
	                                       NULL};
	static char texts[OPTIONS_MAX][OPTION_SIZE];
	char *arguments[OPTIONS_MAX + 1] = {(char *)find_binary()};
	const char *const *lists[] = {standard, options};
	int count = 1;
	for (int list = 0; list < 2; list++) {
		for (const char *const *option = lists[list]; option != NULL && *option != NULL; option++) {
			snprintf(texts[count], OPTION_SIZE, *option, server->directory);
			arguments[count] = texts[count];
			count++;
		}
	}
	execv(arguments[0], arguments);
	_exit(127);
}

static MYSQL *try_to_connect(const struct mariadb_server *server)
{
	MYSQL *handle = mysql_init(NULL);
	cr_assert_not_null(handle);
	if (mysql_real_connect(handle, NULL, "root", NULL, NULL, 0, server->socket, 0) != NULL)
		return handle;
	mysql_close(handle);
	return NULL;
}

static void wait_until_ready(struct mariadb_server *server)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};
	time_t deadline = time(NULL) + START_DEADLINE_S;
	while ((server->control = try_to_connect(server)) == NULL) {
		cr_assert_eq(waitpid(server->pid, NULL, WNOHANG), 0, "mariadbd ended, see %s/log",
		             server->directory);
		cr_assert_lt(time(NULL), deadline, "mariadbd does not answer, see %s/log", server->directory);
		nanosleep(&pause, NULL);
	}
}

void mariadb_server_run(struct mariadb_server *server, const char *const *options)
{
	char data[80];
	snprintf(data, sizeof data, "%s/data", server->directory);
	cr_assert_eq(mkdir(data, 0755), 0);
	const struct passwd *nobody = geteuid() == 0 ? getpwnam("nobody") : NULL;
	if (nobody != NULL) {
		cr_assert_eq(chown(server->directory, nobody->pw_uid, nobody->pw_gid), 0);
		cr_assert_eq(chown(data, nobody->pw_uid, nobody->pw_gid), 0);
	}
	server->pid = fork();
	cr_assert_geq(server->pid, 0);
	if (server->pid == 0) {
		int null = open("/dev/null", O_RDWR);
		dup2(null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		become_nobody(nobody);
		execute_server(server, options);
	}
	wait_until_ready(server);
	mysql_set_character_set(server->control, "utf8mb4");
	mariadb_server_execute(server, "CREATE DATABASE test");
	mariadb_server_execute(server, "USE test");
}

struct mariadb_server *mariadb_server_start(const char *const *options)
{
	struct mariadb_server *server = mariadb_server_prepare();
	mariadb_server_run(server, options);
	return server;
}

void mariadb_server_kill(struct mariadb_server *server)
{
	if (server->pid == 0)
		return;
	mysql_close(server->control);
	kill(server->pid, SIGKILL);
	waitpid(server->pid, NULL, 0);
	server->pid = 0;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

void mariadb_server_stop(struct mariadb_server *server)
{
	mariadb_server_kill(server);
	nftw(server->directory, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(server);
}

void mariadb_server_execute(struct mariadb_server *server, const char *sql)
{
	cr_assert_eq(mysql_query(server->control, sql), 0, "%s: %s", sql, mysql_error(server->control));
}

char *mariadb_server_query(struct mariadb_server *server, const char *sql)
{
	mariadb_server_execute(server, sql);
	MYSQL_RES *rows = mysql_store_result(server->control);
	cr_assert_not_null(rows);
	struct buffer text = {0};
	for (MYSQL_ROW row = mysql_fetch_row(rows); row != NULL; row = mysql_fetch_row(rows)) {
		for (unsigned i = 0; i < mysql_num_fields(rows); i++)
			cr_assert_eq(buffer_printf(&text, "%s%s", i == 0 ? "" : "|",
			                           row[i] == NULL ? "(null)" : row[i]),
			             RESULT_OK);
		cr_assert_eq(buffer_append(&text, "\n", 1), RESULT_OK);
	}
	cr_assert_eq(buffer_append(&text, "", 1), RESULT_OK);
	mysql_free_result(rows);
	return text.data;
}
