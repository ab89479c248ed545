// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_TXN_H
#define ROWSIEVE_STATE_TXN_H

#include "state.h"

/*
 * A transaction with a sticky error: after the first failure every further call on it does nothing and
 * returns that failure, and state_txn_commit() aborts and returns it. So a caller may run straight through
 * and check once, at the commit. STATE_NOT_FOUND is an answer, not a failure: it does not stick.
 */
struct state_txn;

/* NULL only without memory; any other failure to begin sticks in the transaction. */
struct state_txn *state_txn_begin_read(struct state *state);
struct state_txn *state_txn_begin_write(struct state *state);

/* Ends the transaction and frees it, whatever the outcome. NULL: STATE_NO_MEMORY. */
enum state_result state_txn_commit(struct state_txn *txn, struct state_error *error);

/* Ends it without effect and frees it. NULL is fine. */
void state_txn_abort(struct state_txn *txn);

/* The failure that stuck, or STATE_OK; error may be NULL. */
enum state_result state_txn_failure(const struct state_txn *txn, struct state_error *error);

struct state *state_txn_state(struct state_txn *txn);

#endif
