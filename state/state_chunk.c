// SPDX-License-Identifier: Apache-2.0
#include "state_chunk.h"

#include <stdlib.h>
#include <string.h>

#include "state_batch.h"
#include "state_probe.h"
#include "state_writer.h"

struct state_chunk_reader {
	struct state_txn *txn;
	struct state_probe_set set;
	struct state_digest *payload; /* scratch of a look-up */
	size_t capacity;
};

/* What an entry keeps beside its digest. */
struct payload {
	uint32_t rows;
	uint32_t filtered;
	uint64_t seq;
};
_Static_assert(sizeof(struct payload) == sizeof(struct state_digest), "an entry has 32 bytes");

enum state_result state_chunk_open(struct state_chunk_reader **out, struct state_txn *txn, uint32_t dataset)
{
	*out = NULL;
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	struct state_chunk_reader *reader = calloc(1, sizeof(*reader));
	if (reader == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory to look up chunks");
	reader->txn = txn;
	result = state_probe_open(&reader->set, txn, dataset, STATE_RUN_CHUNKS);
	if (result == STATE_OK)
		*out = reader;
	else
		state_chunk_close(reader);
	return result;
}

void state_chunk_close(struct state_chunk_reader *reader)
{
	if (reader == NULL)
		return;
	state_probe_close(&reader->set);
	free(reader->payload);
	free(reader);
}

static bool reserve(struct state_chunk_reader *reader, size_t count)
{
	if (count <= reader->capacity)
		return true;
	struct state_digest *payload = reallocarray(reader->payload, count, sizeof(*payload));
	if (payload == NULL)
		return false;
	reader->payload = payload;
	reader->capacity = count;
	return true;
}

enum state_result state_chunk_find(struct state_chunk_reader *reader, const struct state_digest *sorted,
                                   size_t count, bool *seen, struct state_chunk *chunks)
{
	if (!reserve(reader, count))
		return state_txn_fail(reader->txn, STATE_NO_MEMORY, "no memory to look up chunks");
	struct state_probe probe = {
	    .sorted = sorted, .count = count, .seen = seen, .payload = reader->payload};
	enum state_result result = state_probe_find(&reader->set, reader->txn, &probe);
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		struct payload payload;
		if (!seen[i])
			continue;
		memcpy(&payload, &reader->payload[i], sizeof(payload));
		chunks[i] = (struct state_chunk){sorted[i], payload.rows, payload.filtered, payload.seq};
	}
	return result;
}

static enum state_result check_chunks(struct state_txn *txn, const struct state_chunk *chunks, size_t count)
{
	for (size_t i = 1; i < count; i++)
		if (state_digest_compare(chunks[i - 1].digest, chunks[i].digest) >= 0)
			return state_txn_fail(txn, STATE_MISUSE, "the digests of chunks do not rise");
	return STATE_OK;
}

static enum state_result write_run(struct state_txn *txn, struct state_manifest *run,
                                   const struct state_chunk *chunks)
{
	size_t count = run->entries;
	enum state_result result = check_chunks(txn, chunks, count);
	if (result != STATE_OK || count == 0)
		return result;
	struct state_chunk *confirmed = calloc(count, sizeof(*confirmed));
	if (confirmed == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory for records of chunks");
	for (size_t i = 0; i < count; i++) {
		confirmed[i] = chunks[i];
		confirmed[i].seq = run->last_seq;
	}
	result = state_writer_write(txn, run, confirmed);
	free(confirmed);
	return result;
}

static struct state_manifest new_run(const struct state_dataset *dataset, uint64_t seq, size_t count)
{
	return (struct state_manifest){
	    .dataset = dataset->id,
	    .kind = STATE_RUN_CHUNKS,
	    .epoch = dataset->cache_epoch,
	    .entries = count,
	    .first_seq = seq,
	    .last_seq = seq,
	};
}

enum state_result state_chunk_write(struct state_txn *txn, const struct state_dataset *dataset, uint64_t seq,
                                    const struct state_chunk *chunks, size_t count, uint32_t *run)
{
	struct state_manifest written = new_run(dataset, seq, count);
	written.state = STATE_RUN_PENDING;
	enum state_result result = write_run(txn, &written, chunks);
	*run = written.run;
	return result;
}

enum state_result state_chunk_put(struct state_txn *txn, uint32_t dataset, const struct state_chunk *chunks,
                                  size_t count)
{
	struct state_dataset record;
	struct state_pending pending;
	enum state_result result = state_batch_pending(txn, dataset, &pending);
	if (result == STATE_OK)
		return state_txn_fail(txn, STATE_MISUSE,
		                      "chunks cannot be confirmed while a batch is pending");
	if (result == STATE_NOT_FOUND)
		result = state_dataset_find(txn, dataset, &record);
	if (result == STATE_NOT_FOUND)
		return state_txn_fail(txn, STATE_MISUSE, "the state has no dataset %u", dataset);
	if (result != STATE_OK)
		return result;
	struct state_manifest run = new_run(&record, record.seq, count);
	run.state = STATE_RUN_LIVE;
	return write_run(txn, &run, chunks);
}

enum state_result state_chunk_expire(struct state_txn *txn, uint32_t dataset, uint64_t seq)
{
	struct state_manifest *runs = NULL;
	size_t count = 0;
	enum state_result result = state_manifest_list(txn, dataset, &runs, &count);
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		bool is_free = runs[i].state == STATE_RUN_LIVE && runs[i].into == 0;
		if (runs[i].kind != STATE_RUN_CHUNKS || !is_free || runs[i].last_seq >= seq)
			continue;
		result = state_manifest_set_state(txn, &runs[i], STATE_RUN_DEAD);
	}
	free(runs);
	return result;
}
