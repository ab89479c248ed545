// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_RUN_H
#define ROWSIEVE_STATE_RUN_H

#include "state_txn.h"

/*
 * The seen-set: every digest a dataset ever committed, as immutable sorted runs. A run is written once, with
 * the batch record that it belongs to (state_batch.h), as packed pieces of 4,095 digests (65,520 bytes, 16
 * pages less LMDB's header) under the key (run, the piece's first digest): the key is the fence, so finding a
 * place touches one piece. Its filter is a split-block Bloom filter, 10 bits a row, whose block is chosen by
 * the digest's high word in rising order, so that sorted probes stream through it.
 *
 * R1  The runs of a dataset that are live or pending are disjoint.
 * R2  A run `building` is seen by no probe; it becomes live in the transaction that removes its inputs.
 * R3  At most one run of a dataset is pending, and its batch record exists.
 */

/* Compared by hi, then lo, as numbers. Uniform: digests are keyed hashes. */
struct state_digest {
	uint64_t hi;
	uint64_t lo;
};

static inline int state_digest_compare(struct state_digest a, struct state_digest b)
{
	if (a.hi != b.hi)
		return a.hi < b.hi ? -1 : 1;
	if (a.lo != b.lo)
		return a.lo < b.lo ? -1 : 1;
	return 0;
}

/*
 * For each of the `count` rising digests sets seen[i] to true where a live or pending run of the dataset
 * holds it, and to false otherwise. Equal neighbours are allowed. Does not write; `txn` may be of either
 * kind.
 */
enum state_result state_run_probe(struct state_txn *txn, uint32_t dataset, const struct state_digest *sorted,
                                  size_t count, bool *seen);

/* What the seen-set of a keyed dataset remembers: a key, and the row it was given last. */
struct state_entry {
	struct state_digest key;
	struct state_digest row;
};

/*
 * The same for a keyed dataset: for each of the `count` rising key digests sets seen[i], and where it is true
 * rows[i] to the row digest of the newest entry, the pending batch included. Equal neighbours are allowed.
 */
enum state_result state_run_probe_keys(struct state_txn *txn, uint32_t dataset,
                                       const struct state_digest *sorted, size_t count, bool *seen,
                                       struct state_digest *rows);

/*
 * Brings the runs of a dataset in order: while STATE_RUN_FANOUT live runs share a size class they become one.
 * Works in transactions of its own of at most 16 MB each; may be interrupted by a kill at any point (R2).
 * Call it with no write transaction open, after a promotion.
 */
enum { STATE_RUN_FANOUT = 8 };
enum state_result state_run_merge(struct state *state, uint32_t dataset, struct state_error *error);

struct state_run_stats {
	uint64_t rows; /* digests in live runs */
	uint64_t runs;
	uint64_t bytes; /* of their values, filters included */
};

enum state_result state_run_stats(struct state_txn *txn, uint32_t dataset, struct state_run_stats *out);

#endif
