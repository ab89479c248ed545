// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_PIECE_H
#define ROWSIEVE_INGEST_PIECE_H

#include "ingest/chunks.h"
#include "schema/row.h"
#include "source/content.h"
#include "source/cut.h"

/* A chunk of a member, of either size, and what is known of it. */
struct piece {
	size_t length;
	struct id content;
	struct state_digest digest; /* of content and meaning */
	bool is_known;
	struct state_chunk known;
};

enum { PIECE_COUNT_MAX = 3072 };

/* C3: a chunk is known by its bytes and by what they mean, which is the key. Whether it is, is to be found out. */
void piece_set_meaning(struct piece *piece, const uint8_t key[ROW_KEY_SIZE]);

struct piece_cutting {
	const struct cut_rule *rule;
	const struct cut_size *size;
	struct content *content; /* to digest with */
	const uint8_t *key;
};

/* Cuts all of the bytes into pieces, for which there must be room: one for size->least bytes each, and one more. */
enum result piece_cut(const struct piece_cutting *cutting, struct slice bytes, struct piece *pieces,
                      size_t *count, struct error *error) WARN_UNUSED;

struct piece_look {
	struct chunks *chunks;
	struct state *state;
	uint32_t dataset;
};

/* Which are known: all of them in one look-up, at most PIECE_COUNT_MAX. The more, the less each costs. */
enum result piece_find(const struct piece_look *look, struct piece *pieces, size_t count,
                       struct error *error) WARN_UNUSED;

#endif
