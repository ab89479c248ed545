// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_READER_H
#define ROWSIEVE_STATE_READER_H

#include <string.h>

#include "state_cursor.h"
#include "state_probe.h"

/*
 * A forward walk over the digests of one run. Pieces lie under (run, first digest): hence the greatest key
 * that is not above a digest names the only piece that can hold it, and a digest below the next key needs no
 * search in LMDB.
 */

enum { STATE_PIECE_DIGESTS = 4095, STATE_DIGEST_SIZE = 16 };

struct state_reader {
	struct state_cursor cursor;
	uint32_t run;
	const uint8_t *piece; /* packed digests; NULL before the first piece */
	size_t count;
	size_t at;
	struct state_digest first; /* of the piece */
	struct state_digest next;  /* of the following one */
	bool has_next;
	bool placed;  /* a piece was sought */
	double scale; /* digests per step of hi */
};

/* Close it in any case. */
enum state_result state_reader_open(struct state_reader *reader, struct state_txn *txn, uint32_t run);
void state_reader_close(struct state_reader *reader);

/*
 * Moves to the first digest of a piece that is not below this one; there may be none when the digest would
 * lie between two pieces. Digests must not fall from call to call.
 */
enum state_result state_reader_seek(struct state_reader *reader, struct state_digest digest);

/* Looks up a group of digests, rising as for seek, and marks as seen those that the run holds. */
enum state_result state_reader_find(struct state_reader *reader, const struct state_probe *probe,
                                    const struct state_probe_group *group);

/* To the next piece when this one is used up. STATE_NOT_FOUND: it was the last. */
enum state_result state_reader_turn(struct state_reader *reader);

struct state_key state_reader_piece_key(uint32_t run, struct state_digest first);

/* A small piece lies unaligned among others on its page, hence the copy. */
static inline struct state_digest state_reader_digest(const struct state_reader *reader, size_t index)
{
	struct state_digest digest;
	memcpy(&digest, reader->piece + index * STATE_DIGEST_SIZE, sizeof(digest));
	return digest;
}

#endif
