// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_COMMITTER_H
#define ROWSIEVE_INGEST_COMMITTER_H

#include "base/aside.h"
#include "ingest/parcel.h"

/*
 * Stores a parcel beside the engine, which reads on: one at a time. Between committer_give() and committer_await() parcel
 * and sink are that thread's, and so is every write to the state (P1 to P4 in DESIGN), but for what
 * committer_leaves_time() says. Zero is a committer at rest.
 */
struct committer {
	struct parcel *parcel; /* that is away; NULL: none is */
	struct aside aside;
};

/* Nothing may be away. False: no thread is to be had, and the parcel stays the caller's to store. */
bool committer_give(struct committer *committer, struct parcel *parcel);

bool committer_is_away(const struct committer *committer);

/* Waits until whatever is away is recorded as pending. True: it is being stored, and a whole batch may be judged meanwhile,
 * in the room for judging (P7). */
bool committer_leaves_time(struct committer *committer);

/* Waits for the parcel that is away: what parcel_store() said. RESULT_END: none is. */
enum result committer_await(struct committer *committer, struct error *error) WARN_UNUSED;

#endif
