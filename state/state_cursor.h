// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_CURSOR_H
#define ROWSIEVE_STATE_CURSOR_H

#include "state_internal.h"

/* A walk over the entries of one table. Failures stick in its transaction; STATE_NOT_FOUND is an answer. */
struct state_cursor {
	struct state_txn *txn;
	enum state_table table;
	MDB_cursor *handle; /* NULL when it could not be opened: every call then returns the failure */
	MDB_val key;        /* of the entry it stands on; into the map, until the next write */
	MDB_val value;
};

/* Close it in any case, and before its transaction ends. */
enum state_result state_cursor_open(struct state_cursor *cursor, struct state_txn *txn,
                                    enum state_table table);
void state_cursor_close(struct state_cursor *cursor);

/* To the first entry whose key is not below; the empty key is below all. */
enum state_result state_cursor_seek(struct state_cursor *cursor, const struct state_key *key);

/* MDB_FIRST, MDB_LAST, MDB_NEXT or MDB_PREV; the last two from an entry it stands on. */
enum state_result state_cursor_move(struct state_cursor *cursor, MDB_cursor_op operation);

/* Deletes the entry it stands on; MDB_NEXT then goes to the one behind it. */
enum state_result state_cursor_delete(struct state_cursor *cursor);

bool state_cursor_has_prefix(const struct state_cursor *cursor, const struct state_key *prefix);

#endif
