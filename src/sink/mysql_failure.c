// SPDX-License-Identifier: Apache-2.0
#include "sink/mysql_failure.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stddef.h>
#include <string.h>

/* Numbers that the header of some MySQL or MariaDB lacks. */
enum {
	DISK_FULL = 1021,
	NO_PASSWORD_LOGIN = 1698,
	MUST_CHANGE_PASSWORD = 1820,
	MARIADB_CONNECTION_KILLED = 1927,
	MARIADB_STATEMENT_TIMEOUT = 1969,
	MYSQL_GROUP_BEFORE_COMMIT = 3100, /* group replication refuses or rolls back */
	MYSQL_GROUP_DURING_COMMIT = 3101,
	MYSQL_ACCOUNT_LOCKED = 3118,
	MYSQL_LOCAL_DISABLED = 3948,
	MYSQL_CLIENT_INTERACTION_TIMEOUT = 4031,
	MARIADB_ACCOUNT_LOCKED = 4151,
	MARIADB_LOCAL_DISABLED = 4166,
	LIBRARY_FIRST = 2000, /* errors of the client libraries: 2xxx, Connector/C also 50xx */
	LIBRARY_LAST = 2999,
	CONNECTOR_FIRST = 5000,
	CONNECTOR_LAST = 5099,
};

static const struct {
	unsigned number;
	enum result result;
} known[] = {
    {CR_OUT_OF_MEMORY, RESULT_NO_MEMORY},
    {CR_NET_PACKET_TOO_LARGE, RESULT_REFUSED},
    {CR_AUTH_PLUGIN_CANNOT_LOAD, RESULT_CONFIG},
    /* The server, its disk or its locks: better later. */
    {ER_CHECKREAD, RESULT_UNREACHABLE},
    {DISK_FULL, RESULT_UNREACHABLE},
    {ER_CANT_OPEN_FILE, RESULT_UNREACHABLE},
    {ER_ERROR_ON_WRITE, RESULT_UNREACHABLE},
    {ER_GET_ERRNO, RESULT_UNREACHABLE},
    {ER_OUTOFMEMORY, RESULT_UNREACHABLE},
    {ER_CON_COUNT_ERROR, RESULT_UNREACHABLE},
    {ER_OUT_OF_RESOURCES, RESULT_UNREACHABLE},
    {ER_UNKNOWN_COM_ERROR, RESULT_UNREACHABLE}, /* Galera: this node is not ready */
    {ER_SERVER_SHUTDOWN, RESULT_UNREACHABLE},
    {ER_RECORD_FILE_FULL, RESULT_UNREACHABLE},
    {ER_HOST_IS_BLOCKED, RESULT_UNREACHABLE},
    {ER_CANT_CREATE_THREAD, RESULT_UNREACHABLE},
    {ER_ABORTING_CONNECTION, RESULT_UNREACHABLE},
    {ER_ERROR_DURING_COMMIT, RESULT_UNREACHABLE},
    {ER_NEW_ABORTING_CONNECTION, RESULT_UNREACHABLE},
    {ER_TOO_MANY_USER_CONNECTIONS, RESULT_UNREACHABLE},
    {ER_LOCK_WAIT_TIMEOUT, RESULT_UNREACHABLE},
    {ER_LOCK_TABLE_FULL, RESULT_UNREACHABLE},
    {ER_LOCK_DEADLOCK, RESULT_UNREACHABLE},
    {ER_USER_LIMIT_REACHED, RESULT_UNREACHABLE},
    {ER_OPTION_PREVENTS_STATEMENT, RESULT_UNREACHABLE}, /* --read-only, as after a failover */
    {ER_GET_TEMPORARY_ERRMSG, RESULT_UNREACHABLE},
    {ER_QUERY_INTERRUPTED, RESULT_UNREACHABLE},
    {ER_TABLE_DEF_CHANGED, RESULT_UNREACHABLE},
    {ER_TOO_MANY_CONCURRENT_TRXS, RESULT_UNREACHABLE},
    {ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION, RESULT_UNREACHABLE},
    {ER_READ_ONLY_MODE, RESULT_UNREACHABLE},
    {MARIADB_CONNECTION_KILLED, RESULT_UNREACHABLE},
    {MARIADB_STATEMENT_TIMEOUT, RESULT_UNREACHABLE},
    {MYSQL_GROUP_BEFORE_COMMIT, RESULT_UNREACHABLE},
    {MYSQL_GROUP_DURING_COMMIT, RESULT_UNREACHABLE},
    {MYSQL_CLIENT_INTERACTION_TIMEOUT, RESULT_UNREACHABLE},
    /* Not about these rows: without a person every row would be refused. */
    {ER_NO_DEFAULT_FOR_FIELD, RESULT_CONFIG},
    {ER_NON_INSERTABLE_TABLE, RESULT_CONFIG},
    {ER_UNKNOWN_STORAGE_ENGINE, RESULT_CONFIG},
    {ER_WRONG_VALUE_COUNT_ON_ROW, RESULT_CONFIG},
    {ER_HOST_NOT_PRIVILEGED, RESULT_CONFIG},
    {ER_NOT_SUPPORTED_AUTH_MODE, RESULT_CONFIG},
    {NO_PASSWORD_LOGIN, RESULT_CONFIG},
    {MUST_CHANGE_PASSWORD, RESULT_CONFIG},
    {MYSQL_ACCOUNT_LOCKED, RESULT_CONFIG},
    {MARIADB_ACCOUNT_LOCKED, RESULT_CONFIG},
    {MYSQL_LOCAL_DISABLED, RESULT_CONFIG},
    {MARIADB_LOCAL_DISABLED, RESULT_CONFIG},
    /* About one row, although their class says otherwise. */
    {ER_TOO_BIG_ROWSIZE, RESULT_REFUSED},
    {ER_NET_PACKET_TOO_LARGE, RESULT_REFUSED},
};

/* Classes of SQLSTATE, for whatever the list above does not name. */
static enum result result_of_class(const char *sqlstate)
{
	static const struct {
		char prefix[3];
		enum result result;
	} classes[] = {
	    {"08", RESULT_UNREACHABLE}, /* connection */
	    {"28", RESULT_CONFIG},      /* login */
	    {"3D", RESULT_CONFIG},      /* no database */
	    {"40", RESULT_UNREACHABLE}, /* rolled back */
	    {"42", RESULT_CONFIG},      /* privileges, tables and columns that are not there, syntax */
	    {"70", RESULT_UNREACHABLE}, /* interrupted */
	    {"XA", RESULT_UNREACHABLE}, /* rolled back */
	};
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
		if (strncmp(sqlstate, classes[i].prefix, 2) == 0)
			return classes[i].result;
	}
	return RESULT_REFUSED;
}

enum result mysql_failure_result(unsigned number, const char *sqlstate)
{
	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].number == number)
			return known[i].result;
	}
	if ((number >= LIBRARY_FIRST && number <= LIBRARY_LAST) ||
	    (number >= CONNECTOR_FIRST && number <= CONNECTOR_LAST))
		return RESULT_UNREACHABLE;
	return result_of_class(sqlstate);
}

const char *mysql_failure_hint(unsigned number)
{
	switch (number) {
	case ER_ACCESS_DENIED_ERROR:
	case NO_PASSWORD_LOGIN:
		return "check user and password_file of the mysql section";
	case ER_BAD_DB_ERROR:
		return "make the database, or name another one";
	case ER_DBACCESS_DENIED_ERROR:
	case ER_TABLEACCESS_DENIED_ERROR:
	case ER_COLUMNACCESS_DENIED_ERROR:
		return "GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, CREATE TEMPORARY TABLES on this "
		       "database to the user";
	case CR_SSL_CONNECTION_ERROR:
		return "check tls and ca of the mysql section against the server's certificate and name";
	case ER_HOST_IS_BLOCKED:
		return "the server unblocks this host after FLUSH HOSTS";
	default:
		return NULL;
	}
}

bool mysql_failure_is_local_infile(unsigned number)
{
	return number == ER_NOT_ALLOWED_COMMAND || number == MYSQL_LOCAL_DISABLED ||
	       number == MARIADB_LOCAL_DISABLED;
}
