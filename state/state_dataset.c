// SPDX-License-Identifier: Apache-2.0
#include "state_dataset.h"

#include <string.h>

#include "state_cursor.h"
#include "state_record.h"

static enum state_result name_key(struct state_txn *txn, const char *name, struct state_key *key)
{
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	size_t length = strnlen(name, STATE_NAME_MAX + 1);
	if (length == 0 || length > STATE_NAME_MAX)
		return state_txn_fail(txn, STATE_MISUSE, "the name of a dataset has 1 to %d bytes",
		                      STATE_NAME_MAX);
	*key = (struct state_key){0};
	state_codec_key_bytes(key, name, length);
	return STATE_OK;
}

static enum state_result decode(struct state_txn *txn, MDB_val key, MDB_val value, struct state_dataset *out)
{
	*out = (struct state_dataset){0};
	if (key.mv_size > STATE_NAME_MAX)
		return state_txn_fail_corrupt(txn, STATE_TABLE_DATASET);
	memcpy(out->name, key.mv_data, key.mv_size);
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	state_record_get_dataset(&decoder, out);
	return state_codec_end(&decoder) ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_DATASET);
}

enum state_result state_dataset_get(struct state_txn *txn, const char *name, struct state_dataset *out)
{
	struct state_key key;
	MDB_val value;
	enum state_result result = name_key(txn, name, &key);
	if (result == STATE_OK)
		result = state_txn_get(txn, STATE_TABLE_DATASET, &key, &value);
	if (result != STATE_OK)
		return result;
	return decode(txn, (MDB_val){.mv_size = key.size, .mv_data = key.bytes}, value, out);
}

enum state_result state_dataset_put(struct state_txn *txn, struct state_dataset *dataset)
{
	struct state_key key;
	struct state_dataset old;
	enum state_result result = name_key(txn, dataset->name, &key);
	if (result == STATE_OK)
		result = state_dataset_get(txn, dataset->name, &old);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	uint32_t known = result == STATE_OK ? old.id : 0;
	if (dataset->id != known)
		return state_txn_fail(txn, STATE_MISUSE,
		                      "dataset '%s' of the state has the number %u, not %u", dataset->name,
		                      known, dataset->id);
	if (known == 0) {
		result = state_txn_take_number(txn, "next_dataset", &dataset->id);
		if (result != STATE_OK)
			return result;
	}
	struct state_encoder encoder = state_codec_encode();
	state_record_put_dataset(&encoder, dataset);
	return state_txn_put_record(txn, STATE_TABLE_DATASET, &key, &encoder);
}

enum state_result state_dataset_each(struct state_txn *txn,
                                     bool (*each)(void *context, const struct state_dataset *), void *context)
{
	struct state_cursor cursor;
	struct state_dataset dataset;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_DATASET);
	if (result == STATE_OK)
		result = state_cursor_move(&cursor, MDB_FIRST);
	while (result == STATE_OK) {
		result = decode(txn, cursor.key, cursor.value, &dataset);
		if (result != STATE_OK || !each(context, &dataset))
			break;
		result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

struct search {
	uint32_t id;
	bool found;
	struct state_dataset *out;
};

static bool match_id(void *context, const struct state_dataset *dataset)
{
	struct search *search = context;
	if (dataset->id != search->id)
		return true;
	search->found = true;
	*search->out = *dataset;
	return false;
}

enum state_result state_dataset_find(struct state_txn *txn, uint32_t id, struct state_dataset *out)
{
	struct search search = {.id = id, .out = out};
	enum state_result result = state_dataset_each(txn, match_id, &search);
	return result == STATE_OK && !search.found ? STATE_NOT_FOUND : result;
}

static struct state_key schema_key(uint32_t dataset, uint32_t version)
{
	struct state_key key = {0};
	state_codec_key_u32(&key, dataset);
	state_codec_key_u32(&key, version);
	return key;
}

enum state_result state_dataset_put_schema(struct state_txn *txn, uint32_t dataset, uint32_t version,
                                           const void *bytes, size_t count)
{
	const void *old;
	size_t old_count;
	enum state_result result = state_dataset_get_schema(txn, dataset, version, &old, &old_count);
	if (result == STATE_OK)
		return state_txn_fail(txn, STATE_MISUSE, "schema %u of dataset %u is frozen", version,
		                      dataset);
	if (result != STATE_NOT_FOUND)
		return result;
	struct state_key key = schema_key(dataset, version);
	return state_txn_put(txn, STATE_TABLE_SCHEMA, &key, bytes, count);
}

enum state_result state_dataset_get_schema(struct state_txn *txn, uint32_t dataset, uint32_t version,
                                           const void **bytes, size_t *count)
{
	struct state_key key = schema_key(dataset, version);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_SCHEMA, &key, &value);
	if (result != STATE_OK)
		return result;
	*bytes = value.mv_data;
	*count = value.mv_size;
	return STATE_OK;
}
