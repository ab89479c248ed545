// SPDX-License-Identifier: Apache-2.0
#include "state_writer.h"

#include <stdlib.h>

#include "state_reader.h"

enum state_result state_writer_begin(struct state_writer *writer, struct state_txn *txn,
                                     const struct state_manifest *run)
{
	*writer = (struct state_writer){.run = *run, .entry_size = state_manifest_entry_size(run->kind)};
	uint64_t piece = state_filter_piece(run->blocks, run->edge);
	enum state_result result = state_filter_begin(&writer->filter, txn, run->run, run->blocks, piece);
	if (result != STATE_OK)
		return result;
	writer->piece = malloc(STATE_PIECE_SIZE);
	if (writer->piece == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory for a run of the state");
	return STATE_OK;
}

void state_writer_discard(struct state_writer *writer)
{
	state_filter_discard(&writer->filter);
	free(writer->piece);
	writer->piece = NULL;
}

static size_t full_piece(const struct state_writer *writer)
{
	return STATE_PIECE_SIZE / writer->entry_size;
}

/* MDB_APPEND is not used: a run created while this one is built has a higher number, and would make it
 * illegal. */
static enum state_result store_piece(struct state_writer *writer, struct state_txn *txn,
                                     const uint8_t *entries, size_t count)
{
	struct state_key key = state_reader_piece_key(writer->run.run, entries, count);
	return state_txn_insert(txn, STATE_TABLE_DATA, &key, entries, count * writer->entry_size);
}

uint8_t *state_writer_next(struct state_writer *writer, size_t *room)
{
	*room = full_piece(writer) - writer->filled;
	return writer->piece + writer->filled * writer->entry_size;
}

enum state_result state_writer_take(struct state_writer *writer, struct state_txn *txn, size_t count)
{
	size_t room;
	const uint8_t *entries = state_writer_next(writer, &room);
	enum state_result result = state_filter_add(&writer->filter, txn, entries, writer->entry_size, count);
	writer->run.entries += count;
	writer->filled += count;
	if (result != STATE_OK || count < room)
		return result;
	writer->filled = 0;
	return store_piece(writer, txn, writer->piece, full_piece(writer));
}

/* Of a whole run the pieces lie in the caller's memory already. */
static enum state_result add_all(struct state_writer *writer, struct state_txn *txn, const uint8_t *entries,
                                 size_t count)
{
	size_t size = writer->entry_size;
	enum state_result result = state_filter_add(&writer->filter, txn, entries, size, count);
	writer->run.entries += count;
	while (result == STATE_OK && count > 0) {
		size_t part = count < full_piece(writer) ? count : full_piece(writer);
		result = store_piece(writer, txn, entries, part);
		entries += part * size;
		count -= part;
	}
	return result;
}

enum state_result state_writer_finish(struct state_writer *writer, struct state_txn *txn, uint64_t piece)
{
	enum state_result result = state_filter_finish(&writer->filter, txn, piece);
	if (result == STATE_OK && writer->filled > 0)
		result = store_piece(writer, txn, writer->piece, writer->filled);
	bool is_whole = piece == state_filter_pieces(writer->run.blocks);
	writer->run.edge = is_whole ? 0 : state_filter_edge(writer->run.blocks, piece);
	return result == STATE_OK ? state_manifest_put(txn, &writer->run) : result;
}

enum state_result state_writer_write(struct state_txn *txn, struct state_manifest *run, const void *entries)
{
	uint64_t count = run->entries;
	struct state_writer writer = {0};
	run->blocks = state_filter_blocks(count);
	enum state_result result = state_manifest_create(txn, run);
	struct state_manifest empty = *run;
	empty.entries = 0;
	if (result == STATE_OK)
		result = state_writer_begin(&writer, txn, &empty);
	if (result == STATE_OK)
		result = add_all(&writer, txn, entries, count);
	if (result == STATE_OK)
		result = state_writer_finish(&writer, txn, state_filter_pieces(run->blocks));
	state_writer_discard(&writer);
	return result;
}
