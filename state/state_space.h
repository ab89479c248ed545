// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_SPACE_H
#define ROWSIEVE_STATE_SPACE_H

#include "state_internal.h"

/* What the state takes, and how far it may grow. */
struct state_space {
	uint64_t used; /* bytes in tables; free pages, which LMDB will use again, are not counted */
	uint64_t file;
	uint64_t left_in_map;  /* until max_size is reached */
	uint64_t left_on_disk; /* free pages of the file included */
};

enum state_result state_space_measure(struct state_txn *txn, struct state_space *out);

/* Whether `bytes` of values can be written, and then what a promotion needs. STATE_NO_SPACE does not stick.
 * */
enum state_result state_space_check(struct state_txn *txn, uint64_t bytes);

/* The same; STATE_NO_SPACE sticks, with a message that names what there is no room for. */
enum state_result state_space_require(struct state_txn *txn, uint64_t bytes, const char *what);

#endif
