// SPDX-License-Identifier: Apache-2.0
#include "ingest/piece.h"

#include "state_sort.h"

void piece_set_meaning(struct piece *piece, const uint8_t key[ROW_KEY_SIZE])
{
	struct slice content = {(const char *)piece->content.bytes, sizeof piece->content.bytes};
	struct row_digest keyed = row_digest(content, key);
	piece->digest = (struct state_digest){keyed.hi, keyed.lo};
	piece->is_known = false;
}

static enum result digest(const struct piece_cutting *cutting, const char *bytes, struct piece *piece,
                          struct error *error)
{
	content_reset(cutting->content);
	enum result result = content_update(cutting->content, bytes, piece->length, error);
	if (result == RESULT_OK)
		result = content_finish(cutting->content, &piece->content, error);
	if (result == RESULT_OK)
		piece_set_meaning(piece, cutting->key);
	return result;
}

enum result piece_cut(const struct piece_cutting *cutting, struct slice bytes, struct piece *pieces,
                      size_t *count, struct error *error)
{
	*count = 0;
	while (bytes.length > 0) {
		struct piece *piece = &pieces[(*count)++];
		*piece = (struct piece){.length = cut_find(cutting->rule, cutting->size, bytes, true)};
		enum result result = digest(cutting, bytes.data, piece, error);
		if (result != RESULT_OK)
			return result;
		bytes.data += piece->length;
		bytes.length -= piece->length;
	}
	return RESULT_OK;
}

enum result piece_find(const struct piece_look *look, struct piece *pieces, size_t count, struct error *error)
{
	struct state_sort_item items[PIECE_COUNT_MAX];
	struct state_sort_item scratch[PIECE_COUNT_MAX];
	struct state_digest digests[PIECE_COUNT_MAX];
	struct state_chunk found[PIECE_COUNT_MAX];
	bool seen[PIECE_COUNT_MAX];
	for (size_t i = 0; i < count; i++)
		items[i] = (struct state_sort_item){pieces[i].digest, i};
	state_sort_items(items, scratch, count);
	for (size_t i = 0; i < count; i++)
		digests[i] = items[i].digest;
	enum result result =
	    chunks_find(look->chunks, look->state, look->dataset, digests, count, seen, found, error);
	for (size_t i = 0; result == RESULT_OK && i < count; i++) {
		pieces[items[i].tag].is_known = seen[i];
		pieces[items[i].tag].known = found[i];
	}
	return result;
}
