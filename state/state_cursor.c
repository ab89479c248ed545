// SPDX-License-Identifier: Apache-2.0
#include "state_cursor.h"

#include <string.h>

enum state_result state_cursor_open(struct state_cursor *cursor, struct state_txn *txn,
                                    enum state_table table)
{
	*cursor = (struct state_cursor){.txn = txn, .table = table};
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	int code = mdb_cursor_open(txn->handle, txn->state->tables[table], &cursor->handle);
	if (code == 0)
		return STATE_OK;
	cursor->handle = NULL;
	return state_txn_fail_table(txn, code, "read", table);
}

void state_cursor_close(struct state_cursor *cursor)
{
	if (cursor->handle != NULL)
		mdb_cursor_close(cursor->handle);
	cursor->handle = NULL;
}

enum state_result state_cursor_move(struct state_cursor *cursor, MDB_cursor_op operation)
{
	enum state_result result = state_txn_check(cursor->txn);
	if (result != STATE_OK)
		return result;
	int code = mdb_cursor_get(cursor->handle, &cursor->key, &cursor->value, operation);
	if (code == MDB_NOTFOUND)
		return STATE_NOT_FOUND;
	return code == 0 ? STATE_OK : state_txn_fail_table(cursor->txn, code, "read", cursor->table);
}

enum state_result state_cursor_seek(struct state_cursor *cursor, const struct state_key *key)
{
	if (key->size == 0)
		return state_cursor_move(cursor, MDB_FIRST);
	cursor->key = (MDB_val){.mv_size = key->size, .mv_data = (void *)key->bytes};
	return state_cursor_move(cursor, MDB_SET_RANGE);
}

enum state_result state_cursor_delete(struct state_cursor *cursor)
{
	enum state_result result = state_txn_check(cursor->txn);
	if (result != STATE_OK)
		return result;
	if (!cursor->txn->writable)
		return state_txn_fail(cursor->txn, STATE_MISUSE,
		                      "a read transaction cannot change table '%s' of the state",
		                      state_table_name(cursor->table));
	int code = mdb_cursor_del(cursor->handle, 0);
	return code == 0 ? STATE_OK : state_txn_fail_table(cursor->txn, code, "delete from", cursor->table);
}

bool state_cursor_has_prefix(const struct state_cursor *cursor, const struct state_key *prefix)
{
	return cursor->key.mv_size >= prefix->size &&
	       memcmp(cursor->key.mv_data, prefix->bytes, prefix->size) == 0;
}
