// SPDX-License-Identifier: Apache-2.0
#include "state_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "state_cursor.h"

enum { KEY_SIZE = 8, SWEEP_VALUES = 256 }; /* 16 MB of full pieces */

static struct state_key manifest_key(uint32_t dataset, uint32_t run)
{
	struct state_key key = {0};
	state_codec_key_u32(&key, dataset);
	state_codec_key_u32(&key, run);
	return key;
}

size_t state_manifest_entry_size(enum state_run_kind kind)
{
	return kind == STATE_RUN_ROWS ? STATE_RUN_DIGEST_SIZE : STATE_RUN_ENTRY_MAX;
}

enum state_result state_manifest_put(struct state_txn *txn, const struct state_manifest *manifest)
{
	struct state_key key = manifest_key(manifest->dataset, manifest->run);
	struct state_encoder encoder = state_codec_encode();
	state_codec_put_u8(&encoder, (uint8_t)manifest->kind);
	state_codec_put_u8(&encoder, (uint8_t)manifest->state);
	state_codec_put_u32(&encoder, manifest->epoch);
	state_codec_put_u32(&encoder, manifest->into);
	state_codec_put_u64(&encoder, manifest->entries);
	state_codec_put_u64(&encoder, manifest->blocks);
	state_codec_put_u64(&encoder, manifest->first_seq);
	state_codec_put_u64(&encoder, manifest->last_seq);
	state_codec_put_u64(&encoder, manifest->edge);
	return state_txn_put_record(txn, STATE_TABLE_MANIFEST, &key, &encoder);
}

/* Whether its fields can stand together. */
static bool is_sound(const struct state_manifest *run)
{
	bool is_input = run->into != 0;
	bool is_moving = is_input || run->state == STATE_RUN_BUILDING;
	if (run->run == 0 || run->run == UINT32_MAX || run->blocks == 0 || run->first_seq > run->last_seq)
		return false;
	if (is_input && run->state != STATE_RUN_LIVE)
		return run->state == STATE_RUN_DEAD;
	return is_moving || run->state == STATE_RUN_DEAD || (run->entries > 0 && run->edge == 0);
}

static enum state_result decode(struct state_txn *txn, MDB_val key, MDB_val value, struct state_manifest *out)
{
	if (key.mv_size != KEY_SIZE)
		return state_txn_fail_corrupt(txn, STATE_TABLE_MANIFEST);
	struct state_decoder decoder = state_codec_decode(value.mv_data, value.mv_size);
	const uint8_t *numbers = key.mv_data;
	out->dataset = state_codec_read_key_u32(numbers);
	out->run = state_codec_read_key_u32(numbers + 4);
	out->kind = state_codec_get_choice(&decoder, STATE_RUN_ROWS, STATE_RUN_CHUNKS);
	out->state = state_codec_get_choice(&decoder, STATE_RUN_BUILDING, STATE_RUN_DEAD);
	out->epoch = state_codec_get_u32(&decoder);
	out->into = state_codec_get_u32(&decoder);
	out->entries = state_codec_get_u64(&decoder);
	out->blocks = state_codec_get_u64(&decoder);
	out->first_seq = state_codec_get_u64(&decoder);
	out->last_seq = state_codec_get_u64(&decoder);
	out->edge = state_codec_get_u64(&decoder);
	if (!state_codec_end(&decoder) || !is_sound(out))
		return state_txn_fail_corrupt(txn, STATE_TABLE_MANIFEST);
	return STATE_OK;
}

enum state_result state_manifest_create(struct state_txn *txn, struct state_manifest *manifest)
{
	enum state_result result = state_txn_take_number(txn, "next_run", &manifest->run);
	return result == STATE_OK ? state_manifest_put(txn, manifest) : result;
}

enum state_result state_manifest_get(struct state_txn *txn, uint32_t dataset, uint32_t run,
                                     struct state_manifest *out)
{
	struct state_key key = manifest_key(dataset, run);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_MANIFEST, &key, &value);
	if (result != STATE_OK)
		return result;
	return decode(txn, (MDB_val){.mv_size = key.size, .mv_data = key.bytes}, value, out);
}

int state_manifest_compare_age(const void *left, const void *right)
{
	const struct state_manifest *a = left;
	const struct state_manifest *b = right;
	if (a->last_seq != b->last_seq)
		return a->last_seq > b->last_seq ? -1 : 1;
	if (a->first_seq != b->first_seq)
		return a->first_seq > b->first_seq ? -1 : 1;
	return (a->run < b->run) - (a->run > b->run);
}

enum state_result state_manifest_set_state(struct state_txn *txn, const struct state_manifest *manifest,
                                           enum state_run_state state)
{
	struct state_manifest changed = *manifest;
	changed.state = state;
	return state_manifest_put(txn, &changed);
}

enum state_result state_manifest_give(struct state_txn *txn, const struct state_manifest *manifest,
                                      uint32_t dataset)
{
	struct state_key key = manifest_key(manifest->dataset, manifest->run);
	struct state_manifest given = *manifest;
	given.dataset = dataset;
	enum state_result result = state_txn_delete(txn, STATE_TABLE_MANIFEST, &key);
	return result == STATE_OK ? state_manifest_put(txn, &given) : result;
}

struct list {
	struct state_manifest *items;
	size_t count;
	size_t capacity;
};

static bool append(struct list *list, const struct state_manifest *item)
{
	if (list->count == list->capacity) {
		size_t capacity = 2 * list->capacity + 32;
		struct state_manifest *items = realloc(list->items, capacity * sizeof(*items));
		if (items == NULL)
			return false;
		list->items = items;
		list->capacity = capacity;
	}
	list->items[list->count++] = *item;
	return true;
}

/* Appends every run whose key begins with the prefix. */
static enum state_result collect(struct state_txn *txn, const struct state_key *prefix, struct list *list)
{
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, STATE_TABLE_MANIFEST);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, prefix);
	while (result == STATE_OK && state_cursor_has_prefix(&cursor, prefix)) {
		struct state_manifest item;
		result = decode(txn, cursor.key, cursor.value, &item);
		if (result == STATE_OK && !append(list, &item))
			result = state_txn_fail(txn, STATE_NO_MEMORY, "no memory for the list of runs");
		if (result == STATE_OK)
			result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

enum state_result state_manifest_list(struct state_txn *txn, uint32_t dataset, struct state_manifest **out,
                                      size_t *count)
{
	struct list list = {0};
	struct state_key prefix = {0};
	state_codec_key_u32(&prefix, dataset);
	enum state_result result = collect(txn, &prefix, &list);
	*out = list.items;
	*count = list.count;
	return result;
}

enum state_result state_manifest_list_all(struct state_txn *txn, struct state_manifest **out, size_t *count)
{
	static const struct state_key everything = {0};
	struct list list = {0};
	enum state_result result = collect(txn, &everything, &list);
	*out = list.items;
	*count = list.count;
	return result;
}

static bool is_below(const struct state_cursor *cursor, const struct state_key *end)
{
	MDB_val key = cursor->key;
	size_t common = key.mv_size < end->size ? key.mv_size : end->size;
	int order = memcmp(key.mv_data, end->bytes, common);
	return order < 0 || (order == 0 && key.mv_size < end->size);
}

enum state_result state_manifest_remove_values(struct state_txn *txn, enum state_table table, uint32_t run,
                                               const struct state_key *end, size_t *budget)
{
	struct state_key prefix = {0};
	state_codec_key_u32(&prefix, run);
	struct state_cursor cursor;
	enum state_result result = state_cursor_open(&cursor, txn, table);
	if (result == STATE_OK)
		result = state_cursor_seek(&cursor, &prefix);
	while (result == STATE_OK && *budget > 0 && state_cursor_has_prefix(&cursor, &prefix) &&
	       (end == NULL || is_below(&cursor, end))) {
		result = state_cursor_delete(&cursor);
		--*budget;
		if (result == STATE_OK)
			result = state_cursor_move(&cursor, MDB_NEXT);
	}
	state_cursor_close(&cursor);
	return result == STATE_NOT_FOUND ? STATE_OK : result;
}

enum state_result state_manifest_remove(struct state_txn *txn, const struct state_manifest *manifest,
                                        size_t *budget)
{
	enum state_result result =
	    state_manifest_remove_values(txn, STATE_TABLE_DATA, manifest->run, NULL, budget);
	if (result == STATE_OK)
		result = state_manifest_remove_values(txn, STATE_TABLE_FILTER, manifest->run, NULL, budget);
	if (result != STATE_OK || *budget == 0)
		return result;
	struct state_key key = manifest_key(manifest->dataset, manifest->run);
	return state_txn_delete(txn, STATE_TABLE_MANIFEST, &key);
}

/* One transaction of the sweep; *swept says that nothing is left. */
static enum state_result sweep_slice(struct state_txn *txn, bool *swept)
{
	static const struct state_key everything = {0};
	struct list list = {0};
	size_t budget = SWEEP_VALUES;
	*swept = true;
	enum state_result result = collect(txn, &everything, &list);
	for (size_t i = 0; i < list.count && result == STATE_OK && budget > 0; i++) {
		const struct state_manifest *run = &list.items[i];
		if (run->state != STATE_RUN_DEAD)
			continue;
		*swept = false;
		result = state_manifest_remove(txn, run, &budget);
	}
	free(list.items);
	return result;
}

enum state_result state_manifest_sweep(struct state *state, struct state_error *error)
{
	for (;;) {
		struct state_txn *txn = state_txn_begin_write(state);
		bool swept;
		enum state_result result = sweep_slice(txn, &swept);
		if (result == STATE_OK && swept) {
			state_txn_abort(txn);
			return STATE_OK;
		}
		result = state_txn_commit(txn, error);
		if (result != STATE_OK)
			return result;
	}
}
