// SPDX-License-Identifier: Apache-2.0
#include "state_batch.h"

#include <stdlib.h>
#include <string.h>

#include "state_internal.h"
#include "state_manifest.h"
#include "state_record.h"
#include "state_space.h"
#include "state_writer.h"

/* A run of the batch; number 0 when there is nothing for it. */
struct record_run {
	uint32_t number;
	uint64_t entries;
};

/* The pending record: these fields, then the marks. */
struct record {
	struct state_pending pending;
	uint64_t new_count;
	struct record_run run;
	struct record_run chunk_run;
	struct state_watermark watermark;
	bool has_segment;
	struct state_segment segment;
	uint32_t mark_count;
};

static struct state_key pending_key(uint32_t dataset)
{
	struct state_key key = {0};
	state_codec_key_u32(&key, dataset);
	return key;
}

static void encode_mark(struct state_encoder *encoder, const struct state_mark *mark)
{
	state_codec_put_bytes(encoder, mark->member.delivery, STATE_ID_SIZE);
	state_codec_put_u32(encoder, mark->member.index);
	state_record_put_member(encoder, &mark->member);
	state_codec_put_u64(encoder, mark->rejects_length);
	state_codec_put_u8(encoder, mark->has_content);
	if (!mark->has_content)
		return;
	state_codec_put_bytes(encoder, mark->content.head, sizeof(mark->content.head));
	state_codec_put_bytes(encoder, mark->content.whole, sizeof(mark->content.whole));
	state_record_put_content(encoder, &mark->content);
}

static void decode_mark(struct state_decoder *decoder, uint32_t dataset, struct state_mark *mark)
{
	state_codec_get_bytes(decoder, mark->member.delivery, STATE_ID_SIZE);
	mark->member.index = state_codec_get_u32(decoder);
	state_record_get_member(decoder, &mark->member);
	mark->rejects_length = state_codec_get_u64(decoder);
	mark->has_content = state_codec_get_choice(decoder, false, true) != 0;
	if (!mark->has_content)
		return;
	mark->content.dataset = dataset;
	state_codec_get_bytes(decoder, mark->content.head, sizeof(mark->content.head));
	state_codec_get_bytes(decoder, mark->content.whole, sizeof(mark->content.whole));
	state_record_get_content(decoder, &mark->content);
}

static void encode_run(struct state_encoder *encoder, const struct record_run *run)
{
	state_codec_put_u32(encoder, run->number);
	state_codec_put_u64(encoder, run->entries);
}

static struct record_run decode_run(struct state_decoder *decoder)
{
	struct record_run run;
	run.number = state_codec_get_u32(decoder);
	run.entries = state_codec_get_u64(decoder);
	if ((run.number == 0) != (run.entries == 0))
		decoder->damaged = true;
	return run;
}

static struct record decode_record(struct state_decoder *decoder)
{
	struct record record;
	record.pending.seq = state_codec_get_u64(decoder);
	state_codec_get_bytes(decoder, record.pending.batch_id, sizeof(record.pending.batch_id));
	record.pending.schema_version = state_codec_get_u32(decoder);
	record.new_count = state_codec_get_u64(decoder);
	record.run = decode_run(decoder);
	record.chunk_run = decode_run(decoder);
	record.pending.entry_count = record.run.entries;
	state_record_get_watermark(decoder, &record.watermark);
	record.has_segment = state_codec_get_choice(decoder, false, true) != 0;
	if (record.has_segment)
		state_outbox_decode_segment(decoder, &record.segment);
	record.mark_count = state_codec_get_u32(decoder);
	if (record.new_count > record.run.entries)
		decoder->damaged = true;
	return record;
}

static enum state_result no_pending(struct state_txn *txn, uint32_t dataset)
{
	struct state_key key = pending_key(dataset);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_PENDING, &key, &value);
	if (result == STATE_OK)
		return state_txn_fail(txn, STATE_MISUSE,
		                      "dataset %u of the state has a batch pending already", dataset);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

/* What promotion will need, so that it cannot fail over it: the delivery exists, the content is the
 * dataset's. */
static enum state_result check_marks(struct state_txn *txn, uint32_t dataset, const struct state_mark *marks,
                                     size_t count)
{
	if (count > UINT32_MAX)
		return state_txn_fail(txn, STATE_MISUSE, "a batch has too many marks");
	for (size_t i = 0; i < count; i++) {
		struct state_delivery delivery;
		enum state_result result = state_delivery_get(txn, marks[i].member.delivery, &delivery);
		if (result == STATE_NOT_FOUND)
			return state_txn_fail(txn, STATE_MISUSE,
			                      "a mark names a delivery that the state does not know");
		if (result != STATE_OK)
			return result;
		if (marks[i].has_content && marks[i].content.dataset != dataset)
			return state_txn_fail(txn, STATE_MISUSE,
			                      "a mark's content is of dataset %u, its batch of %u",
			                      marks[i].content.dataset, dataset);
	}
	return STATE_OK;
}

/* Digests, or entries that begin with theirs. */
static bool rises(const void *entries, size_t count, size_t size)
{
	struct state_digest last;
	for (size_t i = 0; i < count; i++) {
		struct state_digest digest;
		memcpy(&digest, (const uint8_t *)entries + i * size, sizeof(digest));
		if (i > 0 && state_digest_compare(last, digest) >= 0)
			return false;
		last = digest;
	}
	return true;
}

static enum state_result check_entries(struct state_txn *txn, const struct state_batch *batch)
{
	if (batch->digest_count > 0 && batch->entry_count > 0)
		return state_txn_fail(txn, STATE_MISUSE, "a batch has rows both with and without a key");
	if (batch->new_count > batch->entry_count)
		return state_txn_fail(txn, STATE_MISUSE, "a batch has more new keys than keys");
	if (!rises(batch->digests, batch->digest_count, sizeof(*batch->digests)) ||
	    !rises(batch->entries, batch->entry_count, sizeof(*batch->entries)))
		return state_txn_fail(txn, STATE_MISUSE, "the digests of a batch do not rise");
	return STATE_OK;
}

static enum state_result check_batch(struct state_txn *txn, const struct state_batch *batch,
                                     struct state_dataset *dataset)
{
	enum state_result result = state_dataset_find(txn, batch->dataset, dataset);
	if (result == STATE_NOT_FOUND)
		return state_txn_fail(txn, STATE_MISUSE, "the state has no dataset %u", batch->dataset);
	if (result == STATE_OK)
		result = no_pending(txn, batch->dataset);
	if (result != STATE_OK)
		return result;
	if (batch->seq != dataset->seq + 1)
		return state_txn_fail(
		    txn, STATE_MISUSE, "batch %llu of dataset '%s' does not follow batch %llu",
		    (unsigned long long)batch->seq, dataset->name, (unsigned long long)dataset->seq);
	result = check_entries(txn, batch);
	return result == STATE_OK ? check_marks(txn, batch->dataset, batch->marks, batch->mark_count)
	                          : result;
}

/* Writes the run of the batch's digests or entries. */
static enum state_result write_run(struct state_txn *txn, const struct state_batch *batch, uint32_t epoch,
                                   struct record_run *written)
{
	bool is_keyed = batch->entry_count > 0;
	struct state_manifest run = {
	    .dataset = batch->dataset,
	    .kind = is_keyed ? STATE_RUN_KEYS : STATE_RUN_ROWS,
	    .state = STATE_RUN_PENDING,
	    .epoch = epoch,
	    .entries = is_keyed ? batch->entry_count : batch->digest_count,
	    .first_seq = batch->seq,
	    .last_seq = batch->seq,
	};
	enum state_result result = STATE_OK;
	if (is_keyed)
		result = state_writer_write(txn, &run, batch->entries);
	else if (run.entries > 0)
		result = state_writer_write(txn, &run, batch->digests);
	*written = (struct record_run){run.run, run.entries};
	return result;
}

/* What its runs take, filters included. */
static uint64_t batch_bytes(const struct state_batch *batch)
{
	uint64_t count = batch->digest_count + batch->entry_count + batch->chunk_count;
	return batch->digest_count * sizeof(*batch->digests) + batch->entry_count * sizeof(*batch->entries) +
	       batch->chunk_count * sizeof(*batch->chunks) + state_filter_bytes(state_filter_blocks(count));
}

enum state_result state_batch_put(struct state_txn *txn, const struct state_batch *batch)
{
	struct state_dataset dataset;
	struct record_run run;
	struct record_run chunk_run = {.entries = batch->chunk_count};
	enum state_result result = check_batch(txn, batch, &dataset);
	if (result == STATE_OK)
		result = state_space_require(txn, batch_bytes(batch), "a batch");
	if (result == STATE_OK)
		result = write_run(txn, batch, dataset.cache_epoch, &run);
	if (result == STATE_OK)
		result = state_chunk_write(txn, &dataset, batch->seq, batch->chunks, batch->chunk_count,
		                           &chunk_run.number);
	if (result != STATE_OK)
		return result;
	struct state_key key = pending_key(batch->dataset);
	struct state_encoder encoder = state_codec_encode();
	state_codec_put_u64(&encoder, batch->seq);
	state_codec_put_bytes(&encoder, batch->batch_id, sizeof(batch->batch_id));
	state_codec_put_u32(&encoder, batch->schema_version);
	state_codec_put_u64(&encoder, batch->entry_count > 0 ? batch->new_count : batch->digest_count);
	encode_run(&encoder, &run);
	encode_run(&encoder, &chunk_run);
	state_record_put_watermark(&encoder, &batch->watermark);
	state_codec_put_u8(&encoder, batch->segment != NULL);
	if (batch->segment != NULL)
		state_outbox_encode_segment(&encoder, batch->segment);
	state_codec_put_u32(&encoder, (uint32_t)batch->mark_count);
	for (size_t i = 0; i < batch->mark_count; i++)
		encode_mark(&encoder, &batch->marks[i]);
	return state_txn_put_record(txn, STATE_TABLE_PENDING, &key, &encoder);
}

static enum state_result decode_pending(struct state_txn *txn, MDB_val value, struct state_pending *out)
{
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	*out = decode_record(&decoder).pending;
	return decoder.damaged ? state_txn_fail_corrupt(txn, STATE_TABLE_PENDING) : STATE_OK;
}

enum state_result state_batch_pending(struct state_txn *txn, uint32_t dataset, struct state_pending *out)
{
	struct state_key key = pending_key(dataset);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_PENDING, &key, &value);
	return result == STATE_OK ? decode_pending(txn, value, out) : result;
}

enum state_result state_batch_next_pending(struct state_txn *txn, uint32_t after, uint32_t *dataset,
                                           struct state_pending *out)
{
	if (after == UINT32_MAX)
		return STATE_NOT_FOUND;
	struct state_key key = pending_key(after + 1);
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_PENDING);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &key);
	if (result == STATE_OK && cursor.key.mv_size != sizeof(uint32_t))
		result = state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
	if (result == STATE_OK)
		result = decode_pending(txn, cursor.value, out);
	if (result == STATE_OK)
		*dataset = state_codec_read_key_u32(cursor.key.mv_data);
	state_cursor_close(&cursor);
	return result;
}

/*
 * The reject file belongs to the delivery, whose members may feed several datasets with batches of their own:
 * the longest length that any of them made live holds.
 */
static enum state_result apply_mark(struct state_txn *txn, const struct state_mark *mark)
{
	struct state_delivery delivery;
	enum state_result result = state_delivery_get(txn, mark->member.delivery, &delivery);
	if (result == STATE_NOT_FOUND)
		return state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
	if (result == STATE_OK && mark->rejects_length > delivery.rejects_length) {
		delivery.rejects_length = mark->rejects_length;
		result = state_delivery_put(txn, &delivery);
	}
	if (result == STATE_OK)
		result = state_delivery_put_member(txn, &mark->member);
	if (result == STATE_OK && mark->has_content)
		result = state_delivery_put_content(txn, &mark->content);
	return result;
}

enum state_result state_batch_apply_marks(struct state_txn *txn, uint32_t dataset,
                                          const struct state_mark *marks, size_t count)
{
	enum state_result result = no_pending(txn, dataset);
	if (result == STATE_OK)
		result = check_marks(txn, dataset, marks, count);
	for (size_t i = 0; i < count && result == STATE_OK; i++)
		result = apply_mark(txn, &marks[i]);
	return result;
}

/* A copy of the pending record: what is read in a write transaction may move when that one writes.
 * free(*bytes). */
static enum state_result copy_record(struct state_txn *txn, uint32_t dataset, uint8_t **bytes, size_t *size)
{
	struct state_key key = pending_key(dataset);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_PENDING, &key, &value);
	if (result != STATE_OK)
		return result;
	*size = value.mv_size;
	*bytes = malloc(value.mv_size + 1);
	if (*bytes == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory for a batch record of the state");
	memcpy(*bytes, value.mv_data, value.mv_size);
	return STATE_OK;
}

/* A run that the record names, which must be as the record's put left it. */
static enum state_result pending_run(struct state_txn *txn, uint32_t dataset, const struct record_run *named,
                                     struct state_manifest *run)
{
	enum state_result result = state_manifest_get(txn, dataset, named->number, run);
	if (result == STATE_NOT_FOUND ||
	    (result == STATE_OK && (run->state != STATE_RUN_PENDING || run->entries != named->entries)))
		return state_txn_fail_corrupt(txn, STATE_TABLE_MANIFEST);
	return result;
}

static enum state_result delete_record(struct state_txn *txn, uint32_t dataset)
{
	struct state_key key = pending_key(dataset);
	return state_txn_delete(txn, STATE_TABLE_PENDING, &key);
}

static enum state_result promote_run(struct state_txn *txn, uint32_t dataset, const struct record_run *named)
{
	struct state_manifest run;
	if (named->number == 0)
		return STATE_OK;
	enum state_result result = pending_run(txn, dataset, named, &run);
	return result == STATE_OK ? state_manifest_set_state(txn, &run, STATE_RUN_LIVE) : result;
}

static enum state_result discard_run(struct state_txn *txn, uint32_t dataset, const struct record_run *named)
{
	struct state_manifest run;
	size_t budget = SIZE_MAX;
	if (named->number == 0)
		return STATE_OK;
	enum state_result result = pending_run(txn, dataset, named, &run);
	return result == STATE_OK ? state_manifest_remove(txn, &run, &budget) : result;
}

static enum state_result promote_dataset(struct state_txn *txn, uint32_t id, const struct record *record)
{
	struct state_dataset dataset;
	enum state_result result = state_dataset_find(txn, id, &dataset);
	if (result == STATE_NOT_FOUND || (result == STATE_OK && record->pending.seq != dataset.seq + 1))
		return state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
	if (result != STATE_OK)
		return result;
	dataset.seq = record->pending.seq;
	memcpy(dataset.batch_id, record->pending.batch_id, sizeof(dataset.batch_id));
	dataset.rows += record->new_count;
	if (record->run.entries > record->new_count)
		dataset.updated_seq = dataset.seq;
	if (record->watermark.column[0] != '\0')
		dataset.watermark = record->watermark;
	return state_dataset_put(txn, &dataset);
}

/* The deliveries of a batch, each once; marks of one delivery stand together. */
struct deliveries {
	uint8_t (*ids)[STATE_ID_SIZE];
	size_t count;
};

static void add_delivery(struct deliveries *deliveries, const uint8_t id[STATE_ID_SIZE])
{
	size_t count = deliveries->count;
	if (count > 0 && memcmp(deliveries->ids[count - 1], id, STATE_ID_SIZE) == 0)
		return;
	memcpy(deliveries->ids[deliveries->count++], id, STATE_ID_SIZE);
}

static enum state_result owe_segment(struct state_txn *txn, uint32_t dataset, const struct record *record,
                                     const struct deliveries *deliveries)
{
	if (!record->has_segment)
		return STATE_OK;
	struct state_outbox entry = {
	    .kind = STATE_OUTBOX_SEGMENT,
	    .dataset = dataset,
	    .schema_version = record->pending.schema_version,
	    .seq = record->pending.seq,
	    .bytes = record->segment.bytes,
	    .made_ns = record->segment.made_ns,
	};
	memcpy(entry.subject, record->pending.batch_id, sizeof(entry.subject));
	memcpy(entry.object, record->segment.object, sizeof(entry.object));
	return state_outbox_put(txn, &entry, (const uint8_t(*)[STATE_ID_SIZE])deliveries->ids,
	                        deliveries->count);
}

static enum state_result promote_marks(struct state_txn *txn, uint32_t dataset, struct state_decoder *decoder,
                                       uint32_t count, struct deliveries *deliveries)
{
	for (uint32_t i = 0; i < count; i++) {
		struct state_mark mark;
		decode_mark(decoder, dataset, &mark);
		if (decoder->damaged)
			break;
		add_delivery(deliveries, mark.member.delivery);
		enum state_result result = apply_mark(txn, &mark);
		if (result != STATE_OK)
			return result;
	}
	return state_codec_end(decoder) ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
}

static enum state_result promote_record(struct state_txn *txn, uint32_t dataset, const struct record *record,
                                        struct state_decoder *decoder)
{
	if (record->mark_count > decoder->left)
		return state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
	struct deliveries deliveries = {.ids = malloc((size_t)record->mark_count * STATE_ID_SIZE + 1)};
	if (deliveries.ids == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory for a batch record of the state");
	enum state_result result = promote_run(txn, dataset, &record->run);
	if (result == STATE_OK)
		result = promote_run(txn, dataset, &record->chunk_run);
	if (result == STATE_OK)
		result = promote_dataset(txn, dataset, record);
	if (result == STATE_OK)
		result = promote_marks(txn, dataset, decoder, record->mark_count, &deliveries);
	if (result == STATE_OK)
		result = owe_segment(txn, dataset, record, &deliveries);
	free(deliveries.ids);
	return result;
}

enum state_result state_batch_promote(struct state_txn *txn, uint32_t dataset)
{
	uint8_t *bytes = NULL;
	size_t size;
	enum state_result result = copy_record(txn, dataset, &bytes, &size);
	if (result != STATE_OK)
		return result;
	struct state_decoder decoder = state_codec_decode(bytes, size);
	struct record record = decode_record(&decoder);
	if (decoder.damaged)
		result = state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
	if (result == STATE_OK)
		result = promote_record(txn, dataset, &record, &decoder);
	free(bytes);
	return result == STATE_OK ? delete_record(txn, dataset) : result;
}

enum state_result state_batch_discard(struct state_txn *txn, uint32_t dataset)
{
	struct state_key key = pending_key(dataset);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_PENDING, &key, &value);
	if (result != STATE_OK)
		return result;
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	struct record record = decode_record(&decoder);
	if (decoder.damaged)
		return state_txn_fail_corrupt(txn, STATE_TABLE_PENDING);
	result = discard_run(txn, dataset, &record.run);
	if (result == STATE_OK)
		result = discard_run(txn, dataset, &record.chunk_run);
	return result == STATE_OK ? delete_record(txn, dataset) : result;
}
