// SPDX-License-Identifier: Apache-2.0
#include "state_slice.h"

#include <stdlib.h>
#include <string.h>

#include "state_reader.h"
#include "state_sort.h"
#include "state_writer.h"

__extension__ typedef unsigned __int128 wide;

static wide to_wide(struct state_digest digest)
{
	return (wide)digest.hi << 64 | digest.lo;
}

/* What is merged at a time stays in the processor's cache. */
enum { ROUND = 4096 };

/* An input as one slice sees it. */
struct input {
	struct state_reader reader;
	struct state_manifest *run;
	size_t share; /* of a round, in entries, at most */
	size_t reach; /* the same, as far as its piece goes */
	uint64_t moved;
};

struct slice {
	struct input inputs[STATE_SLICE_INPUTS]; /* from new to old */
	size_t opened;
	struct input *live[STATE_SLICE_INPUTS]; /* those that have an entry below the end */
	size_t count;
	wide end; /* of the slice; 0 when it is the last one */
	wide last;
	bool has_last;
	bool disjoint;
	size_t entry_size;
	struct state_sort_item
	    items[ROUND + STATE_SLICE_INPUTS]; /* of a round; a tag is a place in entries[] */
	struct state_sort_item scratch[ROUND + STATE_SLICE_INPUTS];
	uint8_t entries[(ROUND + STATE_SLICE_INPUTS) * STATE_RUN_ENTRY_MAX];
};

/* Whether the input has an entry left for this slice. */
static enum state_result read_on(const struct slice *slice, struct input *input, bool *more)
{
	struct state_reader *reader = &input->reader;
	*more = false;
	while (reader->at == reader->piece.count) {
		enum state_result result = state_reader_turn(reader);
		if (result != STATE_OK)
			return result == STATE_NOT_FOUND ? STATE_OK : result;
	}
	*more = slice->end == 0 || to_wide(state_reader_digest(reader, reader->at)) < slice->end;
	return STATE_OK;
}

static enum state_result open_inputs(struct slice *slice, struct state_txn *source,
                                     struct state_manifest *runs, size_t count)
{
	uint64_t entries = 0;
	for (size_t i = 0; i < count; i++)
		entries += runs[i].entries;
	for (size_t i = 0; i < count; i++) {
		struct input *input = &slice->inputs[i];
		bool more = false;
		input->run = &runs[i];
		input->share = 1 + (size_t)((wide)ROUND * runs[i].entries / (entries + 1));
		enum state_result result = state_reader_open(&input->reader, source, &runs[i]);
		slice->opened++;
		if (result == STATE_OK && runs[i].entries > 0)
			result = state_reader_seek(&input->reader, (struct state_digest){.hi = runs[i].edge});
		if (result == STATE_OK && runs[i].entries > 0)
			result = read_on(slice, input, &more);
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

/*
 * The digest that a round ends with: no input has one up to it beyond what it has within its reach. So a
 * round is as even as digests are, and bounded whatever they are.
 */
static wide choose_last(struct slice *slice)
{
	wide last = slice->end - 1;
	for (size_t i = 0; i < slice->count; i++) {
		struct input *input = slice->live[i];
		const struct state_reader *reader = &input->reader;
		size_t left = reader->piece.count - reader->at;
		input->reach = left < input->share ? left : input->share;
		if (input->reach == left && !reader->has_next)
			continue;
		wide furthest = to_wide(state_reader_digest(reader, reader->at + input->reach - 1));
		last = furthest < last ? furthest : last;
	}
	return last;
}

/* How many of the entries within its reach the input gives to the round. */
static size_t count_given(const struct input *input, wide last)
{
	size_t low = 0;
	for (size_t high = input->reach; low < high;) {
		size_t middle = low + (high - low) / 2;
		if (to_wide(state_reader_digest(&input->reader, input->reader.at + middle)) <= last)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Takes the next entries of all inputs, up to the same digest, and sorts them: of equal ones the newest
 * first. */
static size_t take_round(struct slice *slice)
{
	wide last = choose_last(slice);
	size_t taken = 0;
	for (size_t i = 0; i < slice->count; i++) {
		struct input *input = slice->live[i];
		struct state_reader *reader = &input->reader;
		size_t given = count_given(input, last);
		memcpy(slice->entries + taken * slice->entry_size, state_reader_entry(reader, reader->at),
		       given * slice->entry_size);
		for (size_t j = 0; j < given; j++, taken++)
			slice->items[taken] =
			    (struct state_sort_item){state_reader_digest(reader, reader->at + j), taken};
		reader->at += given;
		input->moved += given;
	}
	state_sort_items(slice->items, slice->scratch, taken);
	return taken;
}

/* Leaves the items to store. What falls is damage; so is what repeats, in runs that are disjoint (R1). */
static enum state_result drop_repeated(struct slice *slice, struct state_txn *source, size_t *count)
{
	size_t kept = 0;
	for (size_t i = 0; i < *count; i++) {
		wide digest = to_wide(slice->items[i].digest);
		bool repeats = slice->has_last && digest == slice->last;
		if (slice->has_last && (digest < slice->last || (repeats && slice->disjoint)))
			return state_txn_fail_corrupt(source, STATE_TABLE_DATA);
		slice->items[kept] = slice->items[i];
		kept += !repeats;
		slice->last = digest;
		slice->has_last = true;
	}
	*count = kept;
	return STATE_OK;
}

/* A copy of a size that is known costs no call. */
static void copy_entry(uint8_t *to, const uint8_t *from, size_t size)
{
	memcpy(to, from, STATE_RUN_DIGEST_SIZE);
	if (size == STATE_RUN_ENTRY_MAX)
		memcpy(to + STATE_RUN_DIGEST_SIZE, from + STATE_RUN_DIGEST_SIZE,
		       STATE_RUN_ENTRY_MAX - STATE_RUN_DIGEST_SIZE);
}

static enum state_result write_round(const struct slice *slice, struct state_txn *target,
                                     struct state_writer *writer, size_t count)
{
	const size_t size = slice->entry_size;
	enum state_result result = STATE_OK;
	for (size_t from = 0, part; from < count && result == STATE_OK; from += part) {
		size_t room;
		uint8_t *entries = state_writer_next(writer, &room);
		part = count - from < room ? count - from : room;
		for (size_t i = 0; i < part; i++)
			copy_entry(entries + i * size, slice->entries + slice->items[from + i].tag * size,
			           size);
		result = state_writer_take(writer, target, part);
	}
	return result;
}

/* Drops the inputs that have nothing left for this slice. */
static enum state_result drop_ended(struct slice *slice)
{
	size_t kept = 0;
	for (size_t i = 0; i < slice->count; i++) {
		bool more;
		enum state_result result = read_on(slice, slice->live[i], &more);
		if (result != STATE_OK)
			return result;
		slice->live[kept] = slice->live[i];
		kept += more;
	}
	slice->count = kept;
	return STATE_OK;
}

static enum state_result merge_entries(struct slice *slice, struct state_txn *source,
                                       struct state_txn *target, struct state_writer *writer)
{
	enum state_result result = STATE_OK;
	while (result == STATE_OK && slice->count > 0) {
		size_t count = take_round(slice);
		if (count == 0) /* an input that is not sorted */
			return state_txn_fail_corrupt(source, STATE_TABLE_DATA);
		result = drop_repeated(slice, source, &count);
		if (result == STATE_OK)
			result = write_round(slice, target, writer, count);
		if (result == STATE_OK)
			result = drop_ended(slice);
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
