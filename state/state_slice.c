// SPDX-License-Identifier: Apache-2.0
#include "state_slice.h"

#include <stdlib.h>

#include "state_reader.h"
#include "state_writer.h"

enum { ROUND_ENTRIES = 1024 };

__extension__ typedef unsigned __int128 wide;

static wide to_wide(struct state_digest digest)
{
	return (wide)digest.hi << 64 | digest.lo;
}

/* An input as one slice sees it. */
struct input {
	struct state_reader reader;
	struct state_manifest *run;
	uint64_t moved;
};

struct slice {
	struct input inputs[STATE_SLICE_INPUTS];
	size_t opened;
	wide heads[STATE_SLICE_INPUTS]; /* of the inputs that have an entry below the end, in their order */
	struct input *live[STATE_SLICE_INPUTS];
	size_t count;
	wide end; /* of the slice; 0 when it is the last one */
	wide last;
	bool has_last;
	bool disjoint;
	size_t entry_size;
	uint8_t round[ROUND_ENTRIES * STATE_RUN_ENTRY_MAX];
};

/* Whether the input has an entry left for this slice, and its digest. */
static enum state_result read_head(const struct slice *slice, struct input *input, wide *head, bool *more)
{
	struct state_reader *reader = &input->reader;
	while (reader->at == reader->piece.count) {
		enum state_result result = state_reader_turn(reader);
		if (result != STATE_OK) {
			*more = false;
			return result == STATE_NOT_FOUND ? STATE_OK : result;
		}
	}
	*head = to_wide(state_reader_digest(reader, reader->at));
	*more = slice->end == 0 || *head < slice->end;
	return STATE_OK;
}

static enum state_result open_inputs(struct slice *slice, struct state_txn *source,
                                     struct state_manifest *runs, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct input *input = &slice->inputs[i];
		bool more = false;
		input->run = &runs[i];
		enum state_result result = state_reader_open(&input->reader, source, &runs[i]);
		slice->opened++;
		if (result == STATE_OK && runs[i].entries > 0)
			result = state_reader_seek(&input->reader, (struct state_digest){.hi = runs[i].edge});
		if (result == STATE_OK && runs[i].entries > 0)
			result = read_head(slice, input, &slice->heads[slice->count], &more);
		if (result != STATE_OK)
			return result;
		if (more)
			slice->live[slice->count++] = input;
	}
	return STATE_OK;
}

static void close_inputs(struct slice *slice)
{
	for (size_t i = 0; i < slice->opened; i++)
		state_reader_close(&slice->inputs[i].reader);
}

/* The first of the lowest heads: of equal digests the newest. A scan without branches is fast for a few. */
static size_t lowest(const struct slice *slice)
{
	size_t best = 0;
	wide low = slice->heads[0];
	for (size_t i = 1; i < slice->count; i++) {
		bool below = slice->heads[i] < low;
		low = below ? slice->heads[i] : low;
		best = below ? i : best;
	}
	return best;
}

/* Moves on to the input's next entry, or drops the input. */
static enum state_result advance(struct slice *slice, size_t which)
{
	struct input *input = slice->live[which];
	bool more;
	input->moved++;
	input->reader.at++;
	enum state_result result = read_head(slice, input, &slice->heads[which], &more);
	if (result != STATE_OK || more)
		return result;
	slice->count--;
	for (size_t i = which; i < slice->count; i++) {
		slice->heads[i] = slice->heads[i + 1];
		slice->live[i] = slice->live[i + 1];
	}
	return STATE_OK;
}

/* Fills slice->round. What falls is damage; so is what repeats, in runs that are disjoint (R1). */
static enum state_result merge_round(struct slice *slice, struct state_txn *source, size_t *filled)
{
	*filled = 0;
	while (slice->count > 0 && *filled < ROUND_ENTRIES) {
		size_t which = lowest(slice);
		wide low = slice->heads[which];
		bool repeats = slice->has_last && low == slice->last;
		if (slice->has_last && (low < slice->last || (repeats && slice->disjoint)))
			return state_txn_fail_corrupt(source, STATE_TABLE_DATA);
		const struct state_reader *reader = &slice->live[which]->reader;
		if (!repeats)
			memcpy(slice->round + (*filled)++ * slice->entry_size,
			       state_reader_entry(reader, reader->at), slice->entry_size);
		slice->last = low;
		slice->has_last = true;
		enum state_result result = advance(slice, which);
		if (result != STATE_OK)
			return result;
	}
	return STATE_OK;
}

static enum state_result merge_entries(struct slice *slice, struct state_txn *source,
                                       struct state_txn *target, struct state_writer *writer)
{
	enum state_result result = STATE_OK;
	while (result == STATE_OK && slice->count > 0) {
		size_t filled;
		result = merge_round(slice, source, &filled);
		if (result == STATE_OK)
			result = state_writer_add(writer, target, slice->round, filled);
	}
	return result;
}

/* Removes what the input no longer answers for. */
static enum state_result cut(struct state_txn *target, const struct input *input, uint64_t edge)
{
	const struct state_manifest *run = input->run;
	const struct state_reader *reader = &input->reader;
	struct state_key data = state_reader_key(run->run, reader->piece.first);
	struct state_key filter = state_filter_key(run->run, state_filter_piece(run->blocks, edge));
	bool has_entry = reader->at < reader->piece.count;
	size_t budget = SIZE_MAX;
	enum state_result result = STATE_OK;
	if (run->entries == 0 || has_entry)
		result = state_manifest_remove_values(target, STATE_TABLE_DATA, run->run,
		                                      has_entry ? &data : NULL, &budget);
	if (result == STATE_OK)
		result = state_manifest_remove_values(target, STATE_TABLE_FILTER, run->run, &filter, &budget);
	return result;
}

/* Moves the input's edge up; with the last slice nothing is left of it. */
static enum state_result settle(struct slice *slice, struct state_txn *source, struct state_txn *target,
                                struct input *input)
{
	struct state_manifest *run = input->run;
	bool is_last = slice->end == 0;
	size_t budget = SIZE_MAX;
	if (input->moved > run->entries || (is_last && input->moved < run->entries))
		return state_txn_fail_corrupt(source, STATE_TABLE_DATA);
	run->entries -= input->moved;
	run->edge = (uint64_t)(slice->end >> 64);
	if (is_last)
		return state_manifest_remove(target, run, &budget);
	enum state_result result = cut(target, input, run->edge);
	return result == STATE_OK ? state_manifest_put(target, run) : result;
}

/* The piece of the output's filter before which a slice of at most so many entries ends. */
static uint64_t end_piece(const struct state_manifest *output, uint64_t entries)
{
	size_t entry_size = state_manifest_entry_size(output->kind);
	uint64_t most = STATE_SLICE_BYTES / (STATE_FILTER_PIECE_ENTRIES * entry_size + STATE_PIECE_SIZE);
	uint64_t count = entries / STATE_FILTER_PIECE_ENTRIES;
	count = count > most ? most : count;
	count = count < 1 ? 1 : count;
	uint64_t left =
	    state_filter_pieces(output->blocks) - state_filter_piece(output->blocks, output->edge);
	return state_filter_pieces(output->blocks) - left + (count < left ? count : left);
}

static enum state_result move(struct slice *slice, struct state_txn *source, struct state_txn *target,
                              struct state_writer *writer, uint64_t piece)
{
	enum state_result result = merge_entries(slice, source, target, writer);
	for (size_t i = 0; i < slice->opened && result == STATE_OK; i++)
		result = settle(slice, source, target, &slice->inputs[i]);
	if (slice->end == 0)
		writer->run.state = STATE_RUN_LIVE;
	return result == STATE_OK ? state_writer_finish(writer, target, piece) : result;
}

static void prepare(struct slice *slice, const struct state_manifest *output, uint64_t piece)
{
	if (piece < state_filter_pieces(output->blocks))
		slice->end = (wide)state_filter_edge(output->blocks, piece) << 64;
	slice->disjoint = output->kind == STATE_RUN_ROWS;
	slice->entry_size = state_manifest_entry_size(output->kind);
}

enum state_result state_slice_move(struct state_txn *source, struct state_txn *target,
                                   const struct state_manifest *output, struct state_manifest *inputs,
                                   size_t input_count, uint64_t *cost)
{
	if (input_count > STATE_SLICE_INPUTS)
		return state_txn_fail_corrupt(target, STATE_TABLE_MANIFEST);
	struct slice *slice = calloc(1, sizeof(*slice));
	if (slice == NULL)
		return state_txn_fail(target, STATE_NO_MEMORY, "no memory to merge runs of the state");
	uint64_t piece = end_piece(output, *cost);
	prepare(slice, output, piece);
	qsort(inputs, input_count, sizeof(*inputs), state_manifest_compare_age);
	struct state_writer writer;
	enum state_result result = state_writer_begin(&writer, target, output);
	if (result == STATE_OK)
		result = open_inputs(slice, source, inputs, input_count);
	if (result == STATE_OK)
		result = move(slice, source, target, &writer, piece);
	*cost = 1;
	for (size_t i = 0; i < slice->opened; i++)
		*cost += slice->inputs[i].moved;
	close_inputs(slice);
	state_writer_discard(&writer);
	free(slice);
	return result;
}
