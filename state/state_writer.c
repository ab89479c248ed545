// SPDX-License-Identifier: Apache-2.0
#include "state_writer.h"

#include <stdlib.h>
#include <string.h>

#include "state_reader.h"

enum { PIECE_SIZE = STATE_PIECE_DIGESTS * STATE_DIGEST_SIZE };

enum state_result state_writer_begin(struct state_writer *writer, struct state_txn *txn, uint32_t dataset,
                                     enum state_run_state state, uint64_t rows)
{
	*writer = (struct state_writer){
	    .run = {.dataset = dataset, .kind = STATE_RUN_ROWS, .state = state, .rows = rows}};
	enum state_result result = state_manifest_create(txn, &writer->run);
	if (result == STATE_OK)
		result = state_filter_begin(&writer->filter, txn, writer->run.run, writer->run.blocks);
	if (result != STATE_OK)
		return result;
	writer->piece = malloc(PIECE_SIZE);
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

/* MDB_APPEND is not used: a run created while this one is built has a higher number, and would make it
 * illegal. */
static enum state_result store_piece(struct state_writer *writer, struct state_txn *txn)
{
	struct state_key key = state_reader_piece_key(writer->run.run, writer->first);
	size_t size = writer->filled * STATE_DIGEST_SIZE;
	enum state_result result = state_txn_insert(txn, STATE_TABLE_DATA, &key, writer->piece, size);
	if (result != STATE_OK)
		return result;
	writer->stored += size;
	writer->filled = 0;
	return STATE_OK;
}

enum state_result state_writer_add(struct state_writer *writer, struct state_txn *txn,
                                   const struct state_digest *sorted, size_t count)
{
	enum state_result result = state_filter_add(&writer->filter, txn, sorted, count);
	while (result == STATE_OK && count > 0) {
		if (writer->filled == 0)
			writer->first = sorted[0];
		size_t room = STATE_PIECE_DIGESTS - writer->filled;
		size_t part = count < room ? count : room;
		memcpy(writer->piece + writer->filled * STATE_DIGEST_SIZE, sorted, part * STATE_DIGEST_SIZE);
		writer->filled += part;
		writer->written += part;
		sorted += part;
		count -= part;
		if (writer->filled == STATE_PIECE_DIGESTS)
			result = store_piece(writer, txn);
	}
	return result;
}

enum state_result state_writer_finish(struct state_writer *writer, struct state_txn *txn)
{
	if (writer->written != writer->run.rows)
		return state_txn_fail(txn, STATE_CORRUPT, "run %u of the state has %llu digests, not %llu",
		                      writer->run.run, (unsigned long long)writer->written,
		                      (unsigned long long)writer->run.rows);
	enum state_result result = state_filter_finish(&writer->filter, txn);
	if (result == STATE_OK && writer->filled > 0)
		result = store_piece(writer, txn);
	return result;
}

uint64_t state_writer_stored(const struct state_writer *writer)
{
	return writer->stored + writer->filter.stored;
}
