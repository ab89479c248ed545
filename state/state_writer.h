// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_WRITER_H
#define ROWSIEVE_STATE_WRITER_H

#include "state_filter.h"
#include "state_manifest.h"

/*
 * Writes a run, or the next slice of one, from rising entries. A slice ends between two pieces of the filter,
 * and then nothing of it is in memory only.
 */
struct state_writer {
	struct state_manifest run; /* `entries` counts what was added, `edge` moves on */
	struct state_filter_builder filter;
	size_t entry_size;
	uint8_t *piece;
	size_t filled; /* entries in `piece` */
};

/* A whole run, its fields but for number and filter the caller's; entries is what will be added. */
enum state_result state_writer_write(struct state_txn *txn, struct state_manifest *run, const void *entries);

/* The next slice of a building run, from its edge on. Discard it in any case. */
enum state_result state_writer_begin(struct state_writer *writer, struct state_txn *txn,
                                     const struct state_manifest *run);
/* Where the next entries go, of which `room` fit; and that so many were put there. */
uint8_t *state_writer_next(struct state_writer *writer, size_t *room);
enum state_result state_writer_take(struct state_writer *writer, struct state_txn *txn, size_t count);
/* Stores what is left of the slice, which ends before that piece of the filter, and the run's new entry. */
enum state_result state_writer_finish(struct state_writer *writer, struct state_txn *txn, uint64_t piece);
void state_writer_discard(struct state_writer *writer);

#endif
