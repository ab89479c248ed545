// SPDX-License-Identifier: Apache-2.0
#include "state_outbox.h"

#include <stdlib.h>
#include <string.h>

#include "state_cursor.h"

enum { OBJECT_KEY_SIZE = STATE_ID_SIZE + 4 };

/* An entry with the deliveries that wait for its object. */
struct entry {
	struct state_outbox values;
	uint32_t delivery_count;
	const uint8_t *deliveries; /* packed ids, in the bytes that were decoded */
};

static struct state_key entry_key(uint32_t id)
{
	struct state_key key = {0};
	state_codec_key_u32(&key, id);
	return key;
}

static struct state_key delivery_key(const uint8_t delivery[STATE_ID_SIZE])
{
	struct state_key key = {0};
	state_codec_key_bytes(&key, delivery, STATE_ID_SIZE);
	return key;
}

static struct state_key object_key(const uint8_t delivery[STATE_ID_SIZE], uint32_t id)
{
	struct state_key key = delivery_key(delivery);
	state_codec_key_u32(&key, id);
	return key;
}

void state_outbox_encode_segment(struct state_encoder *encoder, const struct state_segment *segment)
{
	state_codec_put_u64(encoder, segment->bytes);
	state_codec_put_i64(encoder, segment->made_ns);
	state_codec_put_text(encoder, segment->object, STATE_OBJECT_MAX);
}

void state_outbox_decode_segment(struct state_decoder *decoder, struct state_segment *segment)
{
	segment->bytes = state_codec_get_u64(decoder);
	segment->made_ns = state_codec_get_i64(decoder);
	state_codec_get_text(decoder, segment->object, STATE_OBJECT_MAX);
}

static enum state_result write_entry(struct state_txn *txn, const struct state_outbox *entry,
                                     const uint8_t (*deliveries)[STATE_ID_SIZE], size_t delivery_count)
{
	struct state_key key = entry_key(entry->id);
	struct state_encoder encoder = state_codec_encode();
	state_codec_put_u8(&encoder, (uint8_t)entry->kind);
	state_codec_put_u32(&encoder, entry->dataset);
	state_codec_put_u32(&encoder, entry->schema_version);
	state_codec_put_u64(&encoder, entry->seq);
	state_codec_put_bytes(&encoder, entry->subject, sizeof(entry->subject));
	state_codec_put_u64(&encoder, entry->bytes);
	state_codec_put_i64(&encoder, entry->made_ns);
	state_codec_put_text(&encoder, entry->object, STATE_OBJECT_MAX);
	state_codec_put_u32(&encoder, (uint32_t)delivery_count);
	state_codec_put_bytes(&encoder, deliveries, delivery_count * STATE_ID_SIZE);
	return state_txn_put_record(txn, STATE_TABLE_OUTBOX, &key, &encoder);
}

static enum state_outbox_kind get_kind(struct state_decoder *decoder)
{
	return (enum state_outbox_kind)state_codec_get_choice(decoder, STATE_OUTBOX_SEGMENT,
	                                                      STATE_OUTBOX_MANIFEST);
}

static enum state_result decode_entry(struct state_txn *txn, uint32_t id, MDB_val value, struct entry *out)
{
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	struct state_outbox *entry = &out->values;
	entry->id = id;
	entry->kind = get_kind(&decoder);
	entry->dataset = state_codec_get_u32(&decoder);
	entry->schema_version = state_codec_get_u32(&decoder);
	entry->seq = state_codec_get_u64(&decoder);
	state_codec_get_bytes(&decoder, entry->subject, sizeof(entry->subject));
	entry->bytes = state_codec_get_u64(&decoder);
	entry->made_ns = state_codec_get_i64(&decoder);
	state_codec_get_text(&decoder, entry->object, STATE_OBJECT_MAX);
	out->delivery_count = state_codec_get_u32(&decoder);
	out->deliveries = decoder.at;
	if (decoder.damaged || decoder.left != (size_t)out->delivery_count * STATE_ID_SIZE)
		return state_txn_fail_corrupt(txn, STATE_TABLE_OUTBOX);
	return STATE_OK;
}

static enum state_result write_object(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                      const struct state_outbox *entry, const struct state_stored *stored)
{
	struct state_key key = object_key(delivery, entry->id);
	struct state_encoder encoder = state_codec_encode();
	state_codec_put_u8(&encoder, (uint8_t)entry->kind);
	state_codec_put_u32(&encoder, entry->dataset);
	state_codec_put_u64(&encoder, entry->seq);
	state_codec_put_bytes(&encoder, entry->subject, sizeof(entry->subject));
	state_codec_put_text(&encoder, entry->object, STATE_OBJECT_MAX);
	state_codec_put_u8(&encoder, stored != NULL);
	if (stored != NULL) {
		state_codec_put_u64(&encoder, stored->size);
		state_codec_put_bytes(&encoder, stored->sha256, sizeof(stored->sha256));
	}
	return state_txn_put_record(txn, STATE_TABLE_OBJECT, &key, &encoder);
}

enum state_result state_outbox_put(struct state_txn *txn, struct state_outbox *entry,
                                   const uint8_t (*deliveries)[STATE_ID_SIZE], size_t delivery_count)
{
	enum state_result result = state_txn_take_number(txn, "next_outbox", &entry->id);
	if (result == STATE_OK && delivery_count > UINT32_MAX)
		result = state_txn_fail(txn, STATE_MISUSE, "an object has too many deliveries");
	if (result == STATE_OK)
		result = write_entry(txn, entry, deliveries, delivery_count);
	for (size_t i = 0; result == STATE_OK && i < delivery_count; i++)
		result = write_object(txn, deliveries[i], entry, NULL);
	return result;
}

enum state_result state_outbox_next(struct state_txn *txn, uint32_t after, struct state_outbox *out)
{
	if (after == UINT32_MAX)
		return STATE_NOT_FOUND;
	struct state_key key = entry_key(after + 1);
	struct state_cursor cursor;
	struct entry entry;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_OUTBOX);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &key);
	if (result == STATE_OK && cursor.key.mv_size != sizeof(uint32_t))
		result = state_txn_fail_corrupt(txn, STATE_TABLE_OUTBOX);
	if (result == STATE_OK)
		result =
		    decode_entry(txn, state_codec_read_key_u32(cursor.key.mv_data), cursor.value, &entry);
	if (result == STATE_OK)
		*out = entry.values;
	state_cursor_close(&cursor);
	return result;
}

static enum state_result forget_objects(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE])
{
	struct state_key prefix = delivery_key(delivery);
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_OBJECT);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &prefix);
	while (result == STATE_OK && state_cursor_has_prefix(&cursor, &prefix)) {
		result = state_cursor_delete(&cursor);
		if (result == STATE_OK)
			result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

/* The ids are copied: what is read in a write transaction may move when that one writes. */
static enum state_result remember_objects(struct state_txn *txn, const struct entry *entry,
                                          const struct state_stored *stored)
{
	size_t size = (size_t)entry->delivery_count * STATE_ID_SIZE;
	uint8_t *deliveries = malloc(size + 1);
	if (deliveries == NULL)
		return state_txn_fail(txn, STATE_NO_MEMORY, "no memory for an outbox entry of the state");
	memcpy(deliveries, entry->deliveries, size);
	enum state_result result = STATE_OK;
	for (size_t i = 0; result == STATE_OK && i < entry->delivery_count; i++)
		result = write_object(txn, deliveries + i * STATE_ID_SIZE, &entry->values, stored);
	free(deliveries);
	return result;
}

enum state_result state_outbox_confirm(struct state_txn *txn, uint32_t id, const struct state_stored *stored)
{
	struct state_key key = entry_key(id);
	MDB_val value;
	struct entry entry;
	enum state_result result = state_txn_get(txn, STATE_TABLE_OUTBOX, &key, &value);
	if (result == STATE_OK)
		result = decode_entry(txn, id, value, &entry);
	if (result != STATE_OK)
		return result;
	if (entry.values.kind == STATE_OUTBOX_MANIFEST)
		result = forget_objects(txn, entry.values.subject);
	else
		result = remember_objects(txn, &entry, stored);
	return result == STATE_OK ? state_txn_delete(txn, STATE_TABLE_OUTBOX, &key) : result;
}

static enum state_result decode_object(struct state_cursor *cursor, struct state_object *object)
{
	if (cursor->key.mv_size != OBJECT_KEY_SIZE)
		return state_txn_fail_corrupt(cursor->txn, STATE_TABLE_OBJECT);
	const uint8_t *key = cursor->key.mv_data;
	struct state_decoder decoder = state_codec_decode(cursor->value.mv_data, cursor->value.mv_size);
	*object = (struct state_object){.id = state_codec_read_key_u32(key + STATE_ID_SIZE)};
	object->kind = get_kind(&decoder);
	object->dataset = state_codec_get_u32(&decoder);
	object->seq = state_codec_get_u64(&decoder);
	state_codec_get_bytes(&decoder, object->subject, sizeof(object->subject));
	state_codec_get_text(&decoder, object->object, STATE_OBJECT_MAX);
	object->is_confirmed = state_codec_get_choice(&decoder, false, true) != 0;
	if (object->is_confirmed) {
		object->stored.size = state_codec_get_u64(&decoder);
		state_codec_get_bytes(&decoder, object->stored.sha256, sizeof(object->stored.sha256));
	}
	return state_codec_end(&decoder) ? STATE_OK : state_txn_fail_corrupt(cursor->txn, STATE_TABLE_OBJECT);
}

enum state_result state_outbox_each_object(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                           bool (*each)(void *context, const struct state_object *),
                                           void *context)
{
	struct state_key prefix = delivery_key(delivery);
	struct state_cursor cursor;
	struct state_object object;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_OBJECT);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &prefix);
	while (result == STATE_OK && state_cursor_has_prefix(&cursor, &prefix)) {
		result = decode_object(&cursor, &object);
		if (result != STATE_OK || !each(context, &object))
			break;
		result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

enum state_result state_outbox_owes(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE])
{
	struct state_key prefix = delivery_key(delivery);
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_OBJECT);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &prefix);
	if (result == STATE_OK && !state_cursor_has_prefix(&cursor, &prefix))
		result = STATE_NOT_FOUND;
	state_cursor_close(&cursor);
	return result;
}

enum state_result state_outbox_summary(struct state_txn *txn, struct state_outbox_summary *out)
{
	*out = (struct state_outbox_summary){0};
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	MDB_stat stat;
	int code = mdb_stat(txn->handle, txn->state->tables[STATE_TABLE_OUTBOX], &stat);
	if (code != 0)
		return state_txn_fail_table(txn, code, "examine", STATE_TABLE_OUTBOX);
	struct state_outbox oldest;
	result = state_outbox_next(txn, 0, &oldest);
	if (result == STATE_OK)
		*out = (struct state_outbox_summary){stat.ms_entries, oldest.made_ns};
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}
