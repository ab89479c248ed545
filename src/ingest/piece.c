// SPDX-License-Identifier: Apache-2.0
#include "ingest/piece.h"

#include <stdlib.h>

void piece_set_meaning(struct piece *piece, const uint8_t key[ROW_KEY_SIZE])
{
	struct slice content = {(const char *)piece->content.bytes, sizeof piece->content.bytes};
	struct row_digest keyed = row_digest(content, key);
	piece->digest = (struct state_digest){keyed.hi, keyed.lo};
	piece->is_known = false;
}

enum result piece_digest(struct piece *piece, const char *bytes, struct content *content,
                         const uint8_t key[ROW_KEY_SIZE], struct error *error)
{
	content_reset(content);
	enum result result = content_update(content, bytes, piece->length, error);
	if (result == RESULT_OK)
		result = content_finish(content, &piece->content, error);
	if (result == RESULT_OK)
		piece_set_meaning(piece, key);
	return result;
}

static int compare_pieces(const void *left, const void *right)
{
	const struct piece *const *a = left;
	const struct piece *const *b = right;
	return state_digest_compare((*a)->digest, (*b)->digest);
}

enum result piece_find(const struct piece_look *look, struct piece *pieces, size_t count, struct error *error)
{
	struct piece *order[PIECE_COUNT_MAX];
	struct state_digest digests[PIECE_COUNT_MAX];
	struct state_chunk found[PIECE_COUNT_MAX];
	bool seen[PIECE_COUNT_MAX];
	for (size_t i = 0; i < count; i++)
		order[i] = &pieces[i];
	qsort(order, count, sizeof *order, compare_pieces);
	for (size_t i = 0; i < count; i++)
		digests[i] = order[i]->digest;
	enum result result =
	    chunks_find(look->chunks, look->state, look->dataset, digests, count, seen, found, error);
	for (size_t i = 0; result == RESULT_OK && i < count; i++) {
		order[i]->is_known = seen[i];
		order[i]->known = found[i];
	}
	return result;
}
