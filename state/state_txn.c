// SPDX-License-Identifier: Apache-2.0
#include <endian.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state_internal.h"

static struct state_txn *begin(struct state *state, bool writable)
{
	struct state_txn *txn = calloc(1, sizeof(*txn));
	if (txn == NULL)
		return NULL;
	txn->state = state;
	txn->writable = writable;
	if (atomic_load(&state->broken)) {
		state_txn_fail(txn, STATE_IO,
		               "an earlier commit to the state in '%s' failed: it must be opened again",
		               state->directory);
		return txn;
	}
	int code = mdb_txn_begin(state->env, NULL, writable ? 0 : MDB_RDONLY, &txn->handle);
	if (code != 0) {
		txn->handle = NULL;
		state_txn_fail(txn, state_error_classify(code),
		               "cannot begin a transaction on the state in '%s': %s", state->directory,
		               mdb_strerror(code));
	}
	return txn;
}

struct state_txn *state_txn_begin_read(struct state *state)
{
	return begin(state, false);
}

struct state_txn *state_txn_begin_write(struct state *state)
{
	return begin(state, true);
}

enum state_result state_txn_commit(struct state_txn *txn, struct state_error *error)
{
	if (txn == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory for a transaction on the state");
	if (state_txn_check(txn) == STATE_OK) {
		int code = mdb_txn_commit(txn->handle);
		txn->handle = NULL; /* freed by the commit even when it failed */
		if (code != 0) {
			atomic_store(&txn->state->broken, true);
			state_txn_fail(txn, state_error_classify(code),
			               "cannot commit to the state in '%s': %s", txn->state->directory,
			               mdb_strerror(code));
		}
	}
	enum state_result result = state_txn_failure(txn, error);
	state_txn_abort(txn);
	return result;
}

void state_txn_abort(struct state_txn *txn)
{
	if (txn == NULL)
		return;
	if (txn->handle != NULL)
		mdb_txn_abort(txn->handle);
	free(txn);
}

enum state_result state_txn_failure(const struct state_txn *txn, struct state_error *error)
{
	if (txn == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory for a transaction on the state");
	if (txn->error.result != STATE_OK && error != NULL)
		*error = txn->error;
	return txn->error.result;
}

struct state *state_txn_state(struct state_txn *txn)
{
	return txn == NULL ? NULL : txn->state;
}

enum state_result state_txn_check(const struct state_txn *txn)
{
	return txn == NULL ? STATE_NO_MEMORY : txn->error.result;
}

enum state_result state_txn_fail(struct state_txn *txn, enum state_result result, const char *format, ...)
{
	if (txn->error.result != STATE_OK)
		return txn->error.result;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(txn->error.text, sizeof(txn->error.text), format, arguments);
	va_end(arguments);
	txn->error.result = result;
	return result;
}

enum state_result state_txn_fail_table(struct state_txn *txn, int code, const char *verb,
                                       enum state_table table)
{
	return state_txn_fail(txn, state_error_classify(code),
	                      "cannot %s table '%s' of the state in '%s': %s", verb, state_table_name(table),
	                      txn->state->directory, mdb_strerror(code));
}

enum state_result state_txn_fail_corrupt(struct state_txn *txn, enum state_table table)
{
	return state_txn_fail(txn, STATE_CORRUPT, "damaged entry in table '%s' of the state in '%s'",
	                      state_table_name(table), txn->state->directory);
}

static MDB_val key_value(const struct state_key *key)
{
	return (MDB_val){.mv_size = key->size, .mv_data = (void *)key->bytes};
}

static enum state_result check_writable(struct state_txn *txn, enum state_table table)
{
	enum state_result result = state_txn_check(txn);
	if (result == STATE_OK && !txn->writable)
		result = state_txn_fail(txn, STATE_MISUSE,
		                        "a read transaction cannot change table '%s' of the state",
		                        state_table_name(table));
	return result;
}

enum state_result state_txn_get(struct state_txn *txn, enum state_table table, const struct state_key *key,
                                MDB_val *value)
{
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	MDB_val wanted = key_value(key);
	int code = mdb_get(txn->handle, txn->state->tables[table], &wanted, value);
	if (code == MDB_NOTFOUND)
		return STATE_NOT_FOUND;
	return code == 0 ? STATE_OK : state_txn_fail_table(txn, code, "read", table);
}

static int put(struct state_txn *txn, enum state_table table, const struct state_key *key, const void *bytes,
               size_t size, unsigned flags)
{
	MDB_val wanted = key_value(key);
	MDB_val value = {.mv_size = size, .mv_data = (void *)bytes};
	return mdb_put(txn->handle, txn->state->tables[table], &wanted, &value, flags);
}

enum state_result state_txn_put(struct state_txn *txn, enum state_table table, const struct state_key *key,
                                const void *bytes, size_t size)
{
	enum state_result result = check_writable(txn, table);
	if (result != STATE_OK)
		return result;
	int code = put(txn, table, key, bytes, size, 0);
	return code == 0 ? STATE_OK : state_txn_fail_table(txn, code, "write", table);
}

enum state_result state_txn_insert(struct state_txn *txn, enum state_table table, const struct state_key *key,
                                   const void *bytes, size_t size)
{
	enum state_result result = check_writable(txn, table);
	if (result != STATE_OK)
		return result;
	int code = put(txn, table, key, bytes, size, MDB_NOOVERWRITE);
	if (code == MDB_KEYEXIST)
		return state_txn_fail_corrupt(txn, table);
	return code == 0 ? STATE_OK : state_txn_fail_table(txn, code, "write", table);
}

enum state_result state_txn_delete(struct state_txn *txn, enum state_table table, const struct state_key *key)
{
	enum state_result result = check_writable(txn, table);
	if (result != STATE_OK)
		return result;
	MDB_val wanted = key_value(key);
	int code = mdb_del(txn->handle, txn->state->tables[table], &wanted, NULL);
	if (code == MDB_NOTFOUND)
		return STATE_NOT_FOUND;
	return code == 0 ? STATE_OK : state_txn_fail_table(txn, code, "delete from", table);
}

enum state_result state_txn_put_record(struct state_txn *txn, enum state_table table,
                                       const struct state_key *key, struct state_encoder *encoder)
{
	enum state_result result = state_txn_check(txn);
	if (result == STATE_OK && encoder->failure != STATE_OK)
		result = state_txn_fail(txn, encoder->failure,
		                        "cannot encode an entry for table '%s' of the state",
		                        state_table_name(table));
	if (result == STATE_OK)
		result = state_txn_put(txn, table, key, encoder->bytes, encoder->size);
	state_codec_free(encoder);
	return result;
}

enum state_result state_txn_take_number(struct state_txn *txn, const char *counter, uint32_t *number)
{
	struct state_key key = {0};
	state_codec_key_bytes(&key, counter, strlen(counter));
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_META, &key, &value);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	uint32_t little;
	if (result == STATE_NOT_FOUND || value.mv_size != sizeof(little))
		return state_txn_fail_corrupt(txn, STATE_TABLE_META);
	memcpy(&little, value.mv_data, sizeof(little));
	*number = le32toh(little);
	if (*number == 0)
		return state_txn_fail_corrupt(txn, STATE_TABLE_META);
	if (*number == UINT32_MAX)
		return state_txn_fail(txn, STATE_NO_SPACE, "the numbers of '%s' in the state are used up",
		                      counter);
	little = htole32(*number + 1);
	return state_txn_put(txn, STATE_TABLE_META, &key, &little, sizeof(little));
}
