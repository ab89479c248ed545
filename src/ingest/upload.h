// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_UPLOAD_H
#define ROWSIEVE_INGEST_UPLOAD_H

#include <stdatomic.h>

#include "state_outbox.h"
#include "store/store.h"

/*
 * Works off the outbox: what is owed goes to the store, oldest first, and is settled in the state when the
 * store has confirmed it. It may run beside the engine, on a thread of its own: it holds no transaction while
 * it talks to the store, and its write transactions are short.
 *
 * The schema that the rows of a batch need to be read back is stored before them.
 */
struct upload;

/* The state may be closed and opened again by another thread: it is held for each transaction. */
struct upload_state {
	struct state *(*lock)(void *context); /* NULL: not open now; unlock() in any case */
	void (*unlock)(void *context);
	void *context;
};

struct upload_options {
	struct store *store;
	struct upload_state state;
	const char *spool;
	const char *done; /* directories where delivered files go when they leave the drop directory */
	const char *rejected;
};

/* Options are copied, what they point to is borrowed. */
enum result upload_open(struct upload **out, const struct upload_options *options,
                        struct error *error) WARN_UNUSED;
void upload_close(struct upload *upload); /* NULL is fine */

/*
 * Stores what is owed, at most a handful of objects. RESULT_OK: call it again; RESULT_END: nothing is owed;
 * RESULT_REFUSED: only what the store refused is left, and *error says why; other results: the store, or the
 * state, is in trouble. What failed is tried again by the next call but one that returned RESULT_OK.
 */
enum result upload_some(struct upload *upload, struct error *error) WARN_UNUSED;

#endif
