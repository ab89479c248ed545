// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_READER_H
#define ROWSIEVE_STATE_READER_H

#include <string.h>

#include "state_cursor.h"
#include "state_probe.h"

/*
 * A forward walk over the entries of one run. Pieces lie under (run, first digest, entries): hence the
 * greatest key that is not above a digest names the only piece that can hold it, and a digest below the next
 * key needs no search in LMDB.
 */

enum { STATE_PIECE_SIZE = 65520 }; /* bytes at most: 16 pages less LMDB's header */

struct state_piece {
	const uint8_t *entries; /* packed; NULL before the first piece */
	size_t count;
	struct state_digest first;
	double scale; /* entries per step of hi */
};

struct state_reader {
	struct state_cursor cursor; /* on the following piece, if there is one */
	uint32_t run;
	size_t entry_size;
	struct state_piece piece;
	struct state_piece next; /* the following one */
	bool has_next;
	bool placed; /* a piece was sought */
	size_t at;   /* in the piece */
};

/* Close it in any case. */
enum state_result state_reader_open(struct state_reader *reader, struct state_txn *txn,
                                    const struct state_manifest *run);
void state_reader_close(struct state_reader *reader);

/*
 * Moves to the first digest of a piece that is not below this one; there may be none when the digest would
 * lie between two pieces. Costs least when digests rise from call to call.
 */
enum state_result state_reader_seek(struct state_reader *reader, struct state_digest digest);

/* Looks up the digests at `count` rising places of a stretch, and marks as seen those that the run holds; the
 * probe's payload gets theirs. *found counts them. */
enum state_result state_reader_find(struct state_reader *reader, const struct state_probe *probe,
                                    const uint16_t *places, size_t count, size_t *found);

/* To the next piece when this one is used up. STATE_NOT_FOUND: it was the last. */
enum state_result state_reader_turn(struct state_reader *reader);

/* The key of a piece of so many entries; the key below all pieces that begin at the digest or above. */
struct state_key state_reader_piece_key(uint32_t run, const uint8_t *entries, size_t count);
struct state_key state_reader_key(uint32_t run, struct state_digest digest);

static inline const uint8_t *state_reader_entry(const struct state_reader *reader, size_t index)
{
	return reader->piece.entries + index * reader->entry_size;
}

/* A small piece lies unaligned among others on its page, hence the copy. */
static inline struct state_digest state_reader_digest(const struct state_reader *reader, size_t index)
{
	struct state_digest digest;
	memcpy(&digest, state_reader_entry(reader, index), sizeof(digest));
	return digest;
}

#endif
