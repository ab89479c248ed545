// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_INTERNAL_H
#define ROWSIEVE_STATE_INTERNAL_H

#include <lmdb.h>
#include <stdatomic.h>

#include "state_codec.h"
#include "state_txn.h"

/* What the files of the library share: the environment, the transaction and checked access to the tables. */

enum state_table {
	STATE_TABLE_META,
	STATE_TABLE_DATASET,
	STATE_TABLE_SCHEMA,
	STATE_TABLE_MANIFEST,
	STATE_TABLE_DATA,
	STATE_TABLE_FILTER,
	STATE_TABLE_PENDING,
	STATE_TABLE_DELIVERY,
	STATE_TABLE_MEMBER,
	STATE_TABLE_HISTORY,
	STATE_TABLE_FILE,
	STATE_TABLE_CONTENT,
	STATE_TABLE_OUTBOX,
	STATE_TABLE_OBJECT,
	STATE_TABLE_COUNT,
};

struct state {
	MDB_env *env;
	MDB_dbi tables[STATE_TABLE_COUNT];
	int lock; /* holds the open-file-description lock */
	char *directory;
	atomic_bool broken; /* a commit failed: nothing more may be begun (I10) */
	uint8_t id[STATE_ID_SIZE];
	uint8_t secret[STATE_SECRET_SIZE];
};

struct state_txn {
	struct state *state;
	MDB_txn *handle; /* NULL when it could not be begun */
	bool writable;
	struct state_error error; /* the failure that stuck */
};

#define STATE_PRINTF(text, first) __attribute__((format(printf, text, first)))

const char *state_table_name(enum state_table table);

/* Fills *error, which may be NULL, and returns result. */
enum state_result state_error_set(struct state_error *error, enum state_result result, const char *format,
                                  ...) STATE_PRINTF(3, 4);

/* What an LMDB code or errno means for the caller. */
enum state_result state_error_classify(int code);

/* The failure that stuck, or STATE_OK; STATE_NO_MEMORY for NULL. */
enum state_result state_txn_check(const struct state_txn *txn);

/* Makes a failure stick, unless one did already, and returns the one that sticks. */
enum state_result state_txn_fail(struct state_txn *txn, enum state_result result, const char *format, ...)
    STATE_PRINTF(3, 4);

/* The same for an LMDB code met while doing something (a verb) to a table. */
enum state_result state_txn_fail_table(struct state_txn *txn, int code, const char *verb,
                                       enum state_table table);

/* The same for a value that cannot be what this program wrote. */
enum state_result state_txn_fail_corrupt(struct state_txn *txn, enum state_table table);

/* Access to single entries. get: STATE_NOT_FOUND does not stick, and *value points into the map until the
 * next write in this transaction. insert: an entry that exists is STATE_CORRUPT, for keys that are never
 * given twice. */
enum state_result state_txn_get(struct state_txn *txn, enum state_table table, const struct state_key *key,
                                MDB_val *value);
enum state_result state_txn_put(struct state_txn *txn, enum state_table table, const struct state_key *key,
                                const void *bytes, size_t size);
enum state_result state_txn_insert(struct state_txn *txn, enum state_table table, const struct state_key *key,
                                   const void *bytes, size_t size);
enum state_result state_txn_delete(struct state_txn *txn, enum state_table table,
                                   const struct state_key *key);

/* Puts what was encoded and frees the encoder, whatever the outcome. */
enum state_result state_txn_put_record(struct state_txn *txn, enum state_table table,
                                       const struct state_key *key, struct state_encoder *encoder);

/* Takes the next number of a counter in `meta`, from 1; none is given twice. */
enum state_result state_txn_take_number(struct state_txn *txn, const char *counter, uint32_t *number);

#endif
