// SPDX-License-Identifier: Apache-2.0
#include "state_delivery.h"

#include <string.h>

#include "state_cursor.h"
#include "state_outbox.h"
#include "state_record.h"

enum {
	HISTORY_KEY_SIZE = 8 + STATE_ID_SIZE,
	MEMBER_KEY_SIZE = STATE_ID_SIZE + 4,
	CONTENT_KEY_SIZE = 4 + 16 + 16,
};

static struct state_key id_key(const uint8_t id[STATE_ID_SIZE])
{
	struct state_key key = {0};
	state_codec_key_bytes(&key, id, STATE_ID_SIZE);
	return key;
}

static struct state_key history_key(const struct state_delivery *delivery)
{
	struct state_key key = {0};
	state_codec_key_i64(&key, delivery->started_ns);
	state_codec_key_bytes(&key, delivery->id, STATE_ID_SIZE);
	return key;
}

static struct state_key file_key(uint64_t device, uint64_t inode)
{
	struct state_key key = {0};
	state_codec_key_u64(&key, device);
	state_codec_key_u64(&key, inode);
	return key;
}

static struct state_key member_key(const uint8_t delivery[STATE_ID_SIZE], uint32_t index)
{
	struct state_key key = id_key(delivery);
	state_codec_key_u32(&key, index);
	return key;
}

static struct state_key head_key(uint32_t dataset, const uint8_t head[16])
{
	struct state_key key = {0};
	state_codec_key_u32(&key, dataset);
	state_codec_key_bytes(&key, head, 16);
	return key;
}

static struct state_key content_key(uint32_t dataset, const uint8_t head[16], const uint8_t whole[16])
{
	struct state_key key = head_key(dataset, head);
	state_codec_key_bytes(&key, whole, 16);
	return key;
}

enum state_result state_delivery_get(struct state_txn *txn, const uint8_t id[STATE_ID_SIZE],
                                     struct state_delivery *out)
{
	struct state_key key = id_key(id);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_DELIVERY, &key, &value);
	if (result != STATE_OK)
		return result;
	memcpy(out->id, id, sizeof(out->id));
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	state_record_get_delivery(&decoder, out);
	return state_codec_end(&decoder) ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_DELIVERY);
}

/* The id under the file's entry. */
static enum state_result get_file(struct state_txn *txn, uint64_t device, uint64_t inode,
                                  uint8_t id[STATE_ID_SIZE])
{
	struct state_key key = file_key(device, inode);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_FILE, &key, &value);
	if (result != STATE_OK)
		return result;
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	state_codec_get_bytes(&decoder, id, STATE_ID_SIZE);
	return state_codec_end(&decoder) ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_FILE);
}

/* An entry of an index that names a delivery which does not exist is damage. */
static enum state_result get_indexed(struct state_txn *txn, const uint8_t id[STATE_ID_SIZE],
                                     enum state_table index, struct state_delivery *out)
{
	enum state_result result = state_delivery_get(txn, id, out);
	return result == STATE_NOT_FOUND ? state_txn_fail_corrupt(txn, index) : result;
}

enum state_result state_delivery_of_file(struct state_txn *txn, uint64_t device, uint64_t inode,
                                         struct state_delivery *out)
{
	uint8_t id[STATE_ID_SIZE];
	enum state_result result = get_file(txn, device, inode, id);
	return result == STATE_OK ? get_indexed(txn, id, STATE_TABLE_FILE, out) : result;
}

enum state_result state_delivery_forget_file(struct state_txn *txn, uint64_t device, uint64_t inode)
{
	struct state_key key = file_key(device, inode);
	enum state_result result = state_txn_delete(txn, STATE_TABLE_FILE, &key);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

/* Deletes the file's entry if it names this delivery, and not a newer one of the same file. */
static enum state_result forget_file(struct state_txn *txn, const struct state_delivery *delivery)
{
	uint8_t id[STATE_ID_SIZE];
	enum state_result result = get_file(txn, delivery->file.device, delivery->file.inode, id);
	if (result == STATE_OK && memcmp(id, delivery->id, sizeof(id)) == 0) {
		struct state_key key = file_key(delivery->file.device, delivery->file.inode);
		result = state_txn_delete(txn, STATE_TABLE_FILE, &key);
	}
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

/* Makes the file's entry name this delivery, unless it names a newer one. */
static enum state_result remember_file(struct state_txn *txn, const struct state_delivery *delivery)
{
	struct state_delivery newest;
	enum state_result result =
	    state_delivery_of_file(txn, delivery->file.device, delivery->file.inode, &newest);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	if (result == STATE_OK && newest.started_ns > delivery->started_ns)
		return STATE_OK;
	struct state_key key = file_key(delivery->file.device, delivery->file.inode);
	struct state_encoder encoder = state_codec_encode();
	state_codec_put_bytes(&encoder, delivery->id, sizeof(delivery->id));
	return state_txn_put_record(txn, STATE_TABLE_FILE, &key, &encoder);
}

/* Deletes the entries in both indexes. */
static enum state_result forget_indexes(struct state_txn *txn, const struct state_delivery *delivery)
{
	struct state_key key = history_key(delivery);
	enum state_result result = state_txn_delete(txn, STATE_TABLE_HISTORY, &key);
	if (result == STATE_NOT_FOUND)
		return state_txn_fail_corrupt(txn, STATE_TABLE_HISTORY);
	return result == STATE_OK ? forget_file(txn, delivery) : result;
}

enum state_result state_delivery_put(struct state_txn *txn, const struct state_delivery *delivery)
{
	struct state_delivery old;
	enum state_result result = state_delivery_get(txn, delivery->id, &old);
	if (result == STATE_OK)
		result = forget_indexes(txn, &old);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	struct state_key key = id_key(delivery->id);
	struct state_encoder encoder = state_codec_encode();
	state_record_put_delivery(&encoder, delivery);
	result = state_txn_put_record(txn, STATE_TABLE_DELIVERY, &key, &encoder);
	if (result != STATE_OK)
		return result;
	key = history_key(delivery);
	result = state_txn_put(txn, STATE_TABLE_HISTORY, &key, NULL, 0);
	return result == STATE_OK ? remember_file(txn, delivery) : result;
}

enum state_result state_delivery_put_member(struct state_txn *txn, const struct state_member *member)
{
	struct state_key key = member_key(member->delivery, member->index);
	struct state_encoder encoder = state_codec_encode();
	state_record_put_member(&encoder, member);
	return state_txn_put_record(txn, STATE_TABLE_MEMBER, &key, &encoder);
}

static enum state_result decode_member(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                       uint32_t index, MDB_val value, struct state_member *out)
{
	memcpy(out->delivery, delivery, sizeof(out->delivery));
	out->index = index;
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	state_record_get_member(&decoder, out);
	return state_codec_end(&decoder) ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_MEMBER);
}

enum state_result state_delivery_get_member(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                            uint32_t index, struct state_member *out)
{
	struct state_key key = member_key(delivery, index);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_MEMBER, &key, &value);
	return result == STATE_OK ? decode_member(txn, delivery, index, value, out) : result;
}

/* The delivery that the cursor's entry in history names. */
static enum state_result read_history(struct state_cursor *cursor, struct state_delivery *out)
{
	if (cursor->key.mv_size != HISTORY_KEY_SIZE)
		return state_txn_fail_corrupt(cursor->txn, STATE_TABLE_HISTORY);
	const uint8_t *bytes = cursor->key.mv_data;
	return get_indexed(cursor->txn, bytes + 8, STATE_TABLE_HISTORY, out);
}

enum state_result state_delivery_each(struct state_txn *txn,
                                      bool (*each)(void *context, const struct state_delivery *),
                                      void *context)
{
	struct state_cursor cursor;
	struct state_delivery delivery;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_HISTORY);
	if (result == STATE_OK)
		result = state_cursor_move(&cursor, MDB_LAST);
	while (result == STATE_OK) {
		result = read_history(&cursor, &delivery);
		if (result != STATE_OK || !each(context, &delivery))
			break;
		result = state_cursor_move(&cursor, MDB_PREV);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

enum state_result state_delivery_each_member(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                                             bool (*each)(void *context, const struct state_member *),
                                             void *context)
{
	struct state_key prefix = id_key(delivery);
	struct state_cursor cursor;
	struct state_member member;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_MEMBER);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &prefix);
	while (result == STATE_OK && state_cursor_has_prefix(&cursor, &prefix)) {
		if (cursor.key.mv_size != MEMBER_KEY_SIZE) {
			result = state_txn_fail_corrupt(txn, STATE_TABLE_MEMBER);
			break;
		}
		const uint8_t *bytes = cursor.key.mv_data;
		uint32_t index = state_codec_read_key_u32(bytes + STATE_ID_SIZE);
		result = decode_member(txn, delivery, index, cursor.value, &member);
		if (result != STATE_OK || !each(context, &member))
			break;
		result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

static enum state_result delete_members(struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE])
{
	struct state_key prefix = id_key(delivery);
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_MEMBER);
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

/* Deletes everything of a delivery but its entry in history. */
static enum state_result delete_delivery(struct state_txn *txn, const struct state_delivery *delivery)
{
	struct state_key key = id_key(delivery->id);
	enum state_result result = forget_file(txn, delivery);
	if (result == STATE_OK)
		result = delete_members(txn, delivery->id);
	return result == STATE_OK ? state_txn_delete(txn, STATE_TABLE_DELIVERY, &key) : result;
}

enum state_result state_delivery_expire(struct state_txn *txn, int64_t before_ns, size_t limit,
                                        size_t *expired)
{
	*expired = 0;
	struct state_cursor cursor;
	struct state_delivery delivery;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_HISTORY);
	if (result == STATE_OK)
		result = state_cursor_move(&cursor, MDB_FIRST);
	while (result == STATE_OK && *expired < limit) {
		result = read_history(&cursor, &delivery);
		if (result != STATE_OK || delivery.started_ns >= before_ns)
			break;
		bool is_owed = state_outbox_owes(txn, delivery.id) != STATE_NOT_FOUND;
		if (delivery.status != STATE_STATUS_OPEN && !is_owed) {
			result = delete_delivery(txn, &delivery);
			if (result == STATE_OK)
				result = state_cursor_delete(&cursor);
			if (result != STATE_OK)
				break;
			++*expired;
		}
		result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

static enum state_result decode_content(struct state_txn *txn, MDB_val value, struct state_content *out)
{
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	state_record_get_content(&decoder, out);
	return state_codec_end(&decoder) ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_CONTENT);
}

enum state_result state_delivery_put_content(struct state_txn *txn, const struct state_content *content)
{
	struct state_key key = content_key(content->dataset, content->head, content->whole);
	struct state_encoder encoder = state_codec_encode();
	state_record_put_content(&encoder, content);
	return state_txn_put_record(txn, STATE_TABLE_CONTENT, &key, &encoder);
}

enum state_result state_delivery_get_content(struct state_txn *txn, uint32_t dataset, const uint8_t head[16],
                                             const uint8_t whole[16], struct state_content *out)
{
	struct state_key key = content_key(dataset, head, whole);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_CONTENT, &key, &value);
	if (result != STATE_OK)
		return result;
	out->dataset = dataset;
	memcpy(out->head, head, sizeof(out->head));
	memcpy(out->whole, whole, sizeof(out->whole));
	return decode_content(txn, value, out);
}

enum state_result state_delivery_has_head(struct state_txn *txn, uint32_t dataset, const uint8_t head[16])
{
	struct state_key prefix = head_key(dataset, head);
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_CONTENT);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &prefix);
	if (result == STATE_OK && !state_cursor_has_prefix(&cursor, &prefix))
		result = STATE_NOT_FOUND;
	state_cursor_close(&cursor);
	return result;
}

enum state_result state_delivery_expire_content(struct state_txn *txn, int64_t before_ns, size_t limit,
                                                size_t *expired)
{
	*expired = 0;
	struct state_cursor cursor;
	struct state_content content;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_CONTENT);
	if (result == STATE_OK)
		result = state_cursor_move(&cursor, MDB_FIRST);
	while (result == STATE_OK && *expired < limit) {
		result = decode_content(txn, cursor.value, &content);
		if (result == STATE_OK && content.seen_ns < before_ns) {
			result = state_cursor_delete(&cursor);
			++*expired;
		}
		if (result == STATE_OK)
			result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}
