// SPDX-License-Identifier: Apache-2.0
#include "state_reader.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digests are read where they lie in the map, as little-endian numbers"
#endif

_Static_assert(sizeof(struct state_digest) == STATE_RUN_DIGEST_SIZE,
               "a digest is stored as it lies in memory");

enum { KEY_SIZE = 4 + STATE_RUN_DIGEST_SIZE + 2 };

struct state_key state_reader_key(uint32_t run, struct state_digest digest)
{
	struct state_key key = {0};
	state_codec_key_u32(&key, run);
	state_codec_key_u64(&key, digest.hi);
	state_codec_key_u64(&key, digest.lo);
	return key;
}

struct state_key state_reader_piece_key(uint32_t run, const uint8_t *entries, size_t count)
{
	struct state_digest first;
	memcpy(&first, entries, sizeof(first));
	struct state_key key = state_reader_key(run, first);
	uint8_t big_endian[] = {(uint8_t)(count >> 8), (uint8_t)count};
	state_codec_key_bytes(&key, big_endian, sizeof(big_endian));
	return key;
}

enum state_result state_reader_open(struct state_reader *reader, struct state_txn *txn,
                                    const struct state_manifest *run)
{
	*reader = (struct state_reader){.run = run->run, .entry_size = state_manifest_entry_size(run->kind)};
	return state_cursor_open(&reader->cursor, txn, STATE_TABLE_DATA);
}

void state_reader_close(struct state_reader *reader)
{
	state_cursor_close(&reader->cursor);
}

/* The smallest key above every piece that begins at the digest or below. */
static struct state_key key_after(uint32_t run, struct state_digest digest)
{
	digest.lo++;
	if (digest.lo == 0)
		digest.hi++;
	if (digest.lo == 0 && digest.hi == 0)
		run++; /* run numbers end below UINT32_MAX */
	return state_reader_key(run, digest);
}

/* Whether the cursor's entry belongs to the run; if so its first digest. */
static enum state_result fence(struct state_reader *reader, struct state_digest *first, bool *ours)
{
	const uint8_t *bytes = reader->cursor.key.mv_data;
	*ours = false;
	if (reader->cursor.key.mv_size != KEY_SIZE)
		return state_txn_fail_corrupt(reader->cursor.txn, STATE_TABLE_DATA);
	*ours = state_codec_read_key_u32(bytes) == reader->run;
	if (*ours) {
		first->hi = state_codec_read_key_u64(bytes + 4);
		first->lo = state_codec_read_key_u64(bytes + 12);
	}
	return STATE_OK;
}

static enum state_result use_piece(struct state_reader *reader)
{
	MDB_val value = reader->cursor.value;
	const uint8_t *key_end = (const uint8_t *)reader->cursor.key.mv_data + KEY_SIZE;
	size_t count = (size_t)key_end[-2] << 8 | key_end[-1];
	if (count == 0 || value.mv_size != count * reader->entry_size)
		return state_txn_fail_corrupt(reader->cursor.txn, STATE_TABLE_DATA);
	reader->piece = value.mv_data;
	reader->count = count;
	uint64_t end = reader->has_next ? reader->next.hi : UINT64_MAX;
	reader->scale = (double)count / ((double)(end - reader->first.hi) + 1);
	return STATE_OK;
}

/* Finds the piece that can hold the digest: the one before the first piece that begins above it. */
static enum state_result load(struct state_reader *reader, struct state_digest digest)
{
	struct state_key above = key_after(reader->run, digest);
	reader->piece = NULL;
	reader->count = 0;
	reader->at = 0;
	reader->has_next = false;
	enum state_result found = state_cursor_seek(&reader->cursor, &above);
	enum state_result result =
	    found == STATE_OK ? fence(reader, &reader->next, &reader->has_next) : found;
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	bool ours = false;
	result = state_cursor_move(&reader->cursor, found == STATE_OK ? MDB_PREV : MDB_LAST);
	if (result == STATE_OK)
		result = fence(reader, &reader->first, &ours);
	if (result != STATE_OK && result != STATE_NOT_FOUND)
		return result;
	if (ours)
		return use_piece(reader);
	if (!reader->has_next) /* a run without any piece */
		return state_txn_fail_corrupt(reader->cursor.txn, STATE_TABLE_DATA);
	return STATE_OK;
}

/* Where a digest with this high word should be, counted from `from`, which lies at hi. The piece is not
 * empty. */
static size_t guess(const struct state_reader *reader, size_t from, uint64_t hi, uint64_t wanted)
{
	double steps =
	    wanted >= hi ? (double)(wanted - hi) * reader->scale : -((double)(hi - wanted) * reader->scale);
	double place = (double)from + steps;
	if (place <= 0)
		return 0;
	if (place >= (double)(reader->count - 1))
		return reader->count - 1;
	return (size_t)place;
}

static size_t first_guess(const struct state_reader *reader, uint64_t wanted)
{
	return guess(reader, 0, reader->first.hi, wanted);
}

/* Digests are uniform: the second interpolation lands a few places off. */
static size_t second_guess(const struct state_reader *reader, size_t place, uint64_t wanted)
{
	return guess(reader, place, state_reader_digest(reader, place).hi, wanted);
}

/*
 * The first place from reader->at on that is not below the digest, sought from `place` on: doubling steps and
 * halving bound the work whatever the distribution.
 */
static size_t search(const struct state_reader *reader, size_t place, struct state_digest digest)
{
	size_t low = reader->at;     /* everything before it is below the digest */
	size_t high = reader->count; /* nothing from it on is */
	if (place < low)
		place = low;
	for (size_t step = 1; low < high; step *= 2) {
		bool below = state_digest_compare(state_reader_digest(reader, place), digest) < 0;
		if (below)
			low = place + 1;
		else
			high = place;
		if (high - low <= step)
			break;
		place = below ? place + step : place - step;
	}
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (state_digest_compare(state_reader_digest(reader, middle), digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether the piece is the only one that can hold the digest. */
static bool is_here(const struct state_reader *reader, struct state_digest digest)
{
	if (!reader->placed || (reader->has_next && state_digest_compare(digest, reader->next) >= 0))
		return false;
	return reader->piece != NULL && state_digest_compare(digest, reader->first) >= 0;
}

/* Makes the piece that can hold the digest the reader's. */
static enum state_result enter(struct state_reader *reader, struct state_digest digest)
{
	if (is_here(reader, digest))
		return STATE_OK;
	enum state_result result = load(reader, digest);
	reader->placed = result == STATE_OK;
	return result;
}

enum state_result state_reader_seek(struct state_reader *reader, struct state_digest digest)
{
	enum state_result result = enter(reader, digest);
	if (result != STATE_OK || reader->at == reader->count)
		return result;
	size_t place = second_guess(reader, first_guess(reader, digest.hi), digest.hi);
	reader->at = search(reader, place, digest);
	return STATE_OK;
}

/* Looks up group->indexes[from] to [to - 1], all of which lie in the piece. Three rounds over all of them
 * instead of three steps for each, so that the cache misses overlap. */
static void find_in_piece(struct state_reader *reader, const struct state_probe *probe,
                          const struct state_probe_group *group, size_t from, size_t to)
{
	size_t places[STATE_PROBE_GROUP];
	for (size_t i = from; i < to; i++) {
		places[i] = first_guess(reader, probe->sorted[group->indexes[i]].hi);
		__builtin_prefetch(state_reader_entry(reader, places[i]));
	}
	for (size_t i = from; i < to; i++) {
		places[i] = second_guess(reader, places[i], probe->sorted[group->indexes[i]].hi);
		__builtin_prefetch(state_reader_entry(reader, places[i]));
	}
	for (size_t i = from; i < to && reader->at < reader->count; i++) {
		struct state_digest digest = probe->sorted[group->indexes[i]];
		reader->at = search(reader, places[i], digest);
		if (reader->at == reader->count ||
		    state_digest_compare(state_reader_digest(reader, reader->at), digest) != 0)
			continue;
		probe->seen[group->indexes[i]] = true;
		if (probe->payload != NULL)
			memcpy(&probe->payload[group->indexes[i]],
			       state_reader_entry(reader, reader->at) + STATE_RUN_DIGEST_SIZE,
			       sizeof(struct state_digest));
	}
}

enum state_result state_reader_find(struct state_reader *reader, const struct state_probe *probe,
                                    const struct state_probe_group *group)
{
	for (size_t from = 0, to; from < group->count; from = to) {
		enum state_result result = enter(reader, probe->sorted[group->indexes[from]]);
		if (result != STATE_OK)
			return result;
		to = from + 1;
		while (to < group->count && is_here(reader, probe->sorted[group->indexes[to]]))
			to++;
		if (reader->count > 0)
			find_in_piece(reader, probe, group, from, to);
	}
	return STATE_OK;
}

enum state_result state_reader_turn(struct state_reader *reader)
{
	return reader->has_next ? state_reader_seek(reader, reader->next) : STATE_NOT_FOUND;
}
