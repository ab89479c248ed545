// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_H
#define ROWSIEVE_STATE_H

/*
 * librowsieve-state: everything rowsieve must remember, in one LMDB environment. LMDB and libc only; nothing
 * of the program is included here.
 *
 * Tables (all integers in values little-endian, in keys big-endian so that keys sort by number):
 *
 *   meta      "format" -> u32; "state_id" -> 16 bytes; "secret" -> 32 bytes;
 *             "next_dataset", "next_run", "next_outbox" -> u32
 *   dataset   name -> struct state_dataset
 *   schema    dataset u32, version u32 -> bytes of the program
 *   manifest  dataset u32, run u32 -> kind, state, range, size, edge (state_manifest.h)
 *   data      run u32, first digest's high word u64, low word u64, count u16 -> packed sorted entries
 *   filter    run u32, piece u32 -> split-block Bloom filter
 *   pending   dataset u32 -> the one batch whose COMMIT is not known to have happened (state_batch.h)
 *   delivery  id 16 bytes -> struct state_delivery
 *   member    delivery id 16 bytes, index u32 -> struct state_member
 *   history   started i64, delivery id -> nothing; the deliveries in order of time
 *   file      device u64, inode u64 -> the newest delivery of that file
 *   content   dataset u32, digest of the head 16 bytes, digest of all 16 bytes -> struct state_content
 *   outbox    id u32 -> an object that is owed to the object store (state_outbox.h)
 *   object    delivery id 16 bytes, id u32 -> an object that the delivery's manifest will name
 *
 * Values begin with a version byte, but for those of meta, schema, data and filter. A decoder checks every
 * length: a damaged value is STATE_CORRUPT, never a crash.
 *
 * Durability: a write transaction is durable when state_txn_commit() returns STATE_OK (LMDB's default,
 * fsync). When it returns anything else the outcome is unknown: close the state, open it again, recover
 * (I10).
 *
 * Threads: any thread may write, and LMDB lets one at a time: state_txn_begin_write() waits for the other's
 * end. A write transaction stays with its thread, is short, and waits for nothing else. Any thread reads in a
 * read transaction of its own, which does not outlive a batch, or pages are not reused.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum state_result {
	STATE_OK = 0,
	STATE_NOT_FOUND,
	STATE_HELD,     /* another process has the state open */
	STATE_FORMAT,   /* written by a newer program, or not a state at all */
	STATE_CORRUPT,  /* a value cannot be what this program wrote */
	STATE_NO_SPACE, /* disk or map full */
	STATE_IO,       /* system call failed */
	STATE_NO_MEMORY,
	STATE_MISUSE, /* the caller broke the contract: a bug */
};

enum { STATE_ID_SIZE = 16, STATE_SECRET_SIZE = 32, STATE_ERROR_MAX = 512 };

struct state_error {
	enum state_result result;
	char text[STATE_ERROR_MAX]; /* lower case, without a stop, paths in '' */
};

struct state;

struct state_options {
	const char *directory; /* made with mode 0700 when it is missing */
	uint64_t max_size; /* bytes the file may grow to; 0 = 256 GiB. The map is sparse: it costs nothing */
	bool must_exist;   /* a missing state is STATE_NOT_FOUND instead of a new one */
};

/*
 * Opens or makes the state and takes its lock (an open-file-description lock on 'lock'; the holder's pid
 * stands in it). A new state gets a random id and secret. A merge that was cut
 * off goes on with the next slice; stale readers are cleared. STATE_HELD names the holder's pid in the error.
 * A state on NFS is refused.
 */
enum state_result state_open(struct state **out, const struct state_options *options,
                             struct state_error *error);
void state_close(struct state *state); /* NULL is fine; no transaction may be open */

const uint8_t *state_id(const struct state *state); /* STATE_ID_SIZE bytes */
const uint8_t *
state_secret(const struct state *state); /* STATE_SECRET_SIZE bytes; never log, print or store elsewhere */

/* Bytes of the environment that are in use, and of the file. */
enum state_result state_size(struct state *state, uint64_t *used, uint64_t *file, struct state_error *error);

#endif
