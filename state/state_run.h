// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_RUN_H
#define ROWSIEVE_STATE_RUN_H

#include "state_txn.h"

/*
 * The seen-set: every digest a dataset ever committed, as sorted runs. A run is written with the batch record
 * that it belongs to (state_batch.h), as packed pieces of 65,520 bytes (16 pages less LMDB's header) under
 * the key (run, the piece's first digest): the key is the fence, so finding a place touches one piece. Its
 * filter is a split-block Bloom filter, 14 bits an entry, whose block is chosen by the digest's high word in
 * rising order, so that sorted probes stream through it. The runs of a dataset without a key hold digests of
 * rows, those of a keyed dataset key digests with row digests.
 *
 * R1  The live and pending runs of a dataset without a key are disjoint.
 * R2  What a run holds is changed by merging only, which keeps the set: each slice moves an `edge` up, in one
 *     transaction. Below it the `building` run answers, from it on the runs that move into it.
 * R3  At most one run of rows or keys of a dataset is pending, and its batch record exists.
 * R4  A run of keys or chunks covers a range of batches. Ranges of keys never overlap, only neighbours are
 *     merged, and of equal digests the one of the newest range counts: order follows ranges, never the
 *     numbers of runs.
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

struct state_run_stats {
	uint64_t
	    rows; /* live entries; of a keyed dataset more than keys, while old ones are not merged away */
	uint64_t runs;
	uint64_t bytes; /* of their values, filters included */
	uint64_t chunks;
	uint64_t chunk_bytes;
};

enum state_result state_run_stats(struct state_txn *txn, uint32_t dataset, struct state_run_stats *out);

#endif
