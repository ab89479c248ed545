// SPDX-License-Identifier: Apache-2.0
#include "state_merge.h"

#include <stdlib.h>

#include "state_reader.h"
#include "state_writer.h"

/* A slice ends before the transaction reaches 16 MB: a round adds one piece and a few of the filter. */
enum { SLICE_BYTES = 15 << 20, ROUND_DIGESTS = STATE_PIECE_DIGESTS };

__extension__ typedef unsigned __int128 wide;

static wide to_wide(struct state_digest digest)
{
	return (wide)digest.hi << 64 | digest.lo;
}

static struct state_digest from_wide(wide value)
{
	return (struct state_digest){.hi = (uint64_t)(value >> 64), .lo = (uint64_t)value};
}

/* The inputs as one slice sees them. Used-up ones leave the front of the arrays. */
struct sources {
	struct state_reader readers[STATE_RUN_FANOUT];
	size_t opened;
	wide heads[STATE_RUN_FANOUT];
	struct state_reader *live[STATE_RUN_FANOUT]; /* whose head it is */
	size_t count;
};

struct merge {
	const struct state_manifest *inputs;
	size_t input_count;
	uint64_t rows; /* of all inputs */
	struct state_writer writer;
	bool begun;
	wide next; /* below it everything is written: where the next slice begins */
	struct state_digest round[ROUND_DIGESTS];
};

/* Sets *more to whether the source has a digest left, and the digest. */
static enum state_result read_head(struct state_reader *reader, wide *head, bool *more)
{
	while (reader->at == reader->count) {
		enum state_result result = state_reader_turn(reader);
		if (result != STATE_OK) {
			*more = false;
			return result == STATE_NOT_FOUND ? STATE_OK : result;
		}
	}
	*head = to_wide(state_reader_digest(reader, reader->at));
	*more = true;
	return STATE_OK;
}

static enum state_result open_sources(struct sources *sources, struct state_txn *txn,
                                      const struct merge *merge)
{
	sources->opened = 0;
	sources->count = 0;
	for (size_t i = 0; i < merge->input_count; i++) {
		struct state_reader *reader = &sources->readers[i];
		bool more = false;
		enum state_result result = state_reader_open(reader, txn, merge->inputs[i].run);
		sources->opened++;
		if (result == STATE_OK)
			result = state_reader_seek(reader, from_wide(merge->next));
		if (result == STATE_OK)
			result = read_head(reader, &sources->heads[sources->count], &more);
		if (result != STATE_OK)
			return result;
		if (more)
			sources->live[sources->count++] = reader;
	}
	return STATE_OK;
}

static void close_sources(struct sources *sources)
{
	for (size_t i = 0; i < sources->opened; i++)
		state_reader_close(&sources->readers[i]);
}

/* A scan of at most eight numbers without branches is as fast as a tree of losers, and simpler. */
static size_t lowest(const struct sources *sources)
{
	size_t best = 0;
	wide low = sources->heads[0];
	for (size_t i = 1; i < sources->count; i++) {
		bool below = sources->heads[i] < low;
		low = below ? sources->heads[i] : low;
		best = below ? i : best;
	}
	return best;
}

/* Moves on to the source's next digest, or drops the source. */
static enum state_result advance(struct sources *sources, size_t which)
{
	struct state_reader *reader = sources->live[which];
	reader->at++;
	if (reader->at < reader->count) {
		sources->heads[which] = to_wide(state_reader_digest(reader, reader->at));
		return STATE_OK;
	}
	bool more;
	enum state_result result = read_head(reader, &sources->heads[which], &more);
	if (result == STATE_OK && !more) {
		sources->count--;
		sources->heads[which] = sources->heads[sources->count];
		sources->live[which] = sources->live[sources->count];
	}
	return result;
}

/* Fills merge->round. Digests that do not rise are damage: runs are sorted, and disjoint (R1). */
static enum state_result merge_round(struct merge *merge, struct sources *sources, struct state_txn *txn,
                                     size_t *filled)
{
	*filled = 0;
	while (sources->count > 0 && *filled < ROUND_DIGESTS) {
		size_t which = lowest(sources);
		wide low = sources->heads[which];
		if (low < merge->next)
			return state_txn_fail_corrupt(txn, STATE_TABLE_DATA);
		merge->next = low + 1;
		merge->round[(*filled)++] = from_wide(low);
		enum state_result result = advance(sources, which);
		if (result != STATE_OK)
			return result;
	}
	return STATE_OK;
}

/* Reads from a snapshot of its own: what is read in a write transaction may move when that one writes. */
static enum state_result merge_slice(struct merge *merge, struct state_txn *source, struct state_txn *target,
                                     bool *finished)
{
	struct sources sources;
	uint64_t limit = state_writer_stored(&merge->writer) + SLICE_BYTES;
	enum state_result result = open_sources(&sources, source, merge);
	while (result == STATE_OK && sources.count > 0 && state_writer_stored(&merge->writer) < limit) {
		size_t filled;
		result = merge_round(merge, &sources, source, &filled);
		if (result == STATE_OK)
			result = state_writer_add(&merge->writer, target, merge->round, filled);
	}
	*finished = result == STATE_OK && sources.count == 0;
	close_sources(&sources);
	return result;
}

/* The output becomes live as the inputs die: no reader ever sees both, or neither (R2). */
static enum state_result flip(struct merge *merge, struct state_txn *txn)
{
	enum state_result result = state_writer_finish(&merge->writer, txn);
	if (result == STATE_OK)
		result = state_manifest_set_state(txn, &merge->writer.run, STATE_RUN_LIVE);
	for (size_t i = 0; i < merge->input_count && result == STATE_OK; i++)
		result = state_manifest_set_state(txn, &merge->inputs[i], STATE_RUN_DEAD);
	return result;
}

static enum state_result write_slice(struct merge *merge, struct state_txn *source, struct state_txn *target,
                                     bool *finished)
{
	enum state_result result = STATE_OK;
	if (!merge->begun) {
		merge->begun = true;
		result = state_writer_begin(&merge->writer, target, merge->inputs[0].dataset,
		                            STATE_RUN_BUILDING, merge->rows);
	}
	if (result == STATE_OK)
		result = merge_slice(merge, source, target, finished);
	if (result == STATE_OK && *finished)
		result = flip(merge, target);
	return result;
}

static enum state_result run_slice(struct merge *merge, struct state *state, bool *finished,
                                   struct state_error *error)
{
	struct state_txn *target = state_txn_begin_write(state);
	struct state_txn *source = state_txn_begin_read(state);
	enum state_result result = write_slice(merge, source, target, finished);
	if (result != STATE_OK && state_txn_failure(source, error) != STATE_OK)
		state_txn_abort(target);
	else
		result = state_txn_commit(target, error);
	state_txn_abort(source);
	return result;
}

enum state_result state_merge_runs(struct state *state, const struct state_manifest *inputs, size_t count,
                                   struct state_error *error)
{
	struct merge *merge = calloc(1, sizeof(*merge));
	if (merge == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory to merge runs of the state");
	merge->inputs = inputs;
	merge->input_count = count;
	for (size_t i = 0; i < count; i++)
		merge->rows += inputs[i].rows;
	bool finished = false;
	enum state_result result = STATE_OK;
	while (result == STATE_OK && !finished)
		result = run_slice(merge, state, &finished, error);
	state_writer_discard(&merge->writer);
	free(merge);
	return result == STATE_OK ? state_manifest_sweep(state, error) : result;
}
