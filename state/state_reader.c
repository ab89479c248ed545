// SPDX-License-Identifier: Apache-2.0
#include "state_reader.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "digests are read where they lie in the map, as little-endian numbers"
#endif

_Static_assert(sizeof(struct state_digest) == STATE_RUN_DIGEST_SIZE,
               "a digest is stored as it lies in memory");

enum {
	KEY_SIZE = 4 + STATE_RUN_DIGEST_SIZE + 2,
	STEPS = 4,  /* before a piece is sought in LMDB */
	GROUP = 64, /* look-ups under way together */
	OFF = 3,    /* places that the second guess is off, most times */

	CLOSE = 16,   /* look-ups in one piece that are worth walking through it */
	BLOCK = 4,    /* entries passed over at once */
	AHEAD = 8192, /* bytes: two pages, so that the processor has looked for the page as well */
};

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

/* Reads the entry that the cursor stands on; *ours says whether it is a piece of the run. */
static enum state_result read_piece(struct state_reader *reader, struct state_piece *piece, bool *ours)
{
	const uint8_t *key = reader->cursor.key.mv_data;
	MDB_val value = reader->cursor.value;
	*ours = false;
	if (reader->cursor.key.mv_size != KEY_SIZE)
		return state_txn_fail_corrupt(reader->cursor.txn, STATE_TABLE_DATA);
	if (state_codec_read_key_u32(key) != reader->run)
		return STATE_OK;
	size_t count = (size_t)key[KEY_SIZE - 2] << 8 | key[KEY_SIZE - 1];
	if (count == 0 || value.mv_size != count * reader->entry_size)
		return state_txn_fail_corrupt(reader->cursor.txn, STATE_TABLE_DATA);
	*ours = true;
	*piece = (struct state_piece){
	    .entries = value.mv_data,
	    .count = count,
	    .first = {state_codec_read_key_u64(key + 4), state_codec_read_key_u64(key + 12)},
	};
	return STATE_OK;
}

/* Moves the cursor, and reads what it stands on then; *ours is false where there is nothing. */
static enum state_result move(struct state_reader *reader, MDB_cursor_op operation, struct state_piece *piece,
                              bool *ours)
{
	*ours = false;
	enum state_result result = state_cursor_move(&reader->cursor, operation);
	if (result == STATE_NOT_FOUND)
		return STATE_OK;
	return result == STATE_OK ? read_piece(reader, piece, ours) : result;
}

static void begin_piece(struct state_reader *reader)
{
	uint64_t end = reader->has_next ? reader->next.first.hi : UINT64_MAX;
	reader->piece.scale = (double)reader->piece.count / ((double)(end - reader->piece.first.hi) + 1);
	reader->at = 0;
}

/* Finds the piece that can hold the digest: the one before the first piece that begins above it. */
static enum state_result load(struct state_reader *reader, struct state_digest digest)
{
	struct state_key above = key_after(reader->run, digest);
	bool ours = false;
	reader->piece = (struct state_piece){0};
	reader->has_next = false;
	enum state_result found = state_cursor_seek(&reader->cursor, &above);
	enum state_result result =
	    found == STATE_OK ? read_piece(reader, &reader->next, &reader->has_next) : found;
	if (result == STATE_OK || result == STATE_NOT_FOUND)
		result = move(reader, found == STATE_OK ? MDB_PREV : MDB_LAST, &reader->piece, &ours);
	if (result != STATE_OK)
		return result;
	if (!ours && !reader->has_next) /* a run without any piece */
		return state_txn_fail_corrupt(reader->cursor.txn, STATE_TABLE_DATA);
	if (reader->has_next)
		result = ours ? state_cursor_move(&reader->cursor, MDB_NEXT)
		              : state_cursor_seek(&reader->cursor, &above);
	begin_piece(reader);
	return result;
}

/* To the following piece; there must be one. */
static enum state_result step(struct state_reader *reader)
{
	reader->piece = reader->next;
	enum state_result result = move(reader, MDB_NEXT, &reader->next, &reader->has_next);
	begin_piece(reader);
	return result;
}

/* Where a digest with this high word should be, counted from `from`, which lies at hi. The piece is not
 * empty. */
static size_t guess(const struct state_piece *piece, size_t from, uint64_t hi, uint64_t wanted)
{
	double steps =
	    wanted >= hi ? (double)(wanted - hi) * piece->scale : -((double)(hi - wanted) * piece->scale);
	double place = (double)from + steps;
	if (place <= 0)
		return 0;
	if (place >= (double)(piece->count - 1))
		return piece->count - 1;
	return (size_t)place;
}

static struct state_digest digest_at(const uint8_t *entry)
{
	struct state_digest digest;
	memcpy(&digest, entry, sizeof(digest));
	return digest;
}

static size_t first_guess(const struct state_piece *piece, uint64_t wanted)
{
	return guess(piece, 0, piece->first.hi, wanted);
}

/* Digests are uniform: the second interpolation lands a few places off. */
static size_t second_guess(const struct state_piece *piece, size_t size, size_t place, uint64_t wanted)
{
	return guess(piece, place, digest_at(piece->entries + place * size).hi, wanted);
}

/*
 * The first place that is not below the digest, sought from `place` on: doubling steps and halving bound the
 * work whatever the distribution.
 */
static size_t search(const struct state_piece *piece, size_t size, size_t place, struct state_digest digest)
{
	size_t low = 0;             /* everything before it is below the digest */
	size_t high = piece->count; /* nothing from it on is */
	for (size_t step = 1; low < high; step *= 2) {
		bool below = state_digest_compare(digest_at(piece->entries + place * size), digest) < 0;
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
		if (state_digest_compare(digest_at(piece->entries + middle * size), digest) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Whether no other piece can hold the digest. */
static bool is_here(const struct state_reader *reader, struct state_digest digest)
{
	if (reader->has_next && state_digest_compare(digest, reader->next.first) >= 0)
		return false;
	return reader->placed &&
	       (reader->piece.count == 0 || state_digest_compare(digest, reader->piece.first) >= 0);
}

/* Makes the piece that can hold the digest the reader's. A step costs a tenth of a search in LMDB. */
static enum state_result enter(struct state_reader *reader, struct state_digest digest)
{
	bool rises =
	    reader->placed && reader->has_next && state_digest_compare(digest, reader->next.first) >= 0;
	for (size_t steps = 0; rises && steps < STEPS; steps++) {
		enum state_result result = step(reader);
		if (result != STATE_OK)
			return result;
		rises = reader->has_next && state_digest_compare(digest, reader->next.first) >= 0;
	}
	if (is_here(reader, digest))
		return STATE_OK;
	enum state_result result = load(reader, digest);
	reader->placed = result == STATE_OK;
	return result;
}

enum state_result state_reader_seek(struct state_reader *reader, struct state_digest digest)
{
	const struct state_piece *piece = &reader->piece;
	enum state_result result = enter(reader, digest);
	if (result != STATE_OK || piece->count == 0)
		return result;
	size_t place = second_guess(piece, reader->entry_size, first_guess(piece, digest.hi), digest.hi);
	reader->at = search(piece, reader->entry_size, place, digest);
	return STATE_OK;
}

/* A digest on its way through a piece. */
struct lookup {
	struct state_piece piece;
	size_t place;
	uint16_t index; /* in the stretch */
};

/* Finds its piece, and about where it lies there. False: before the first piece, or a failure. */
static bool begin_lookup(struct state_reader *reader, const struct state_probe *probe, struct lookup *lookup,
                         enum state_result *result)
{
	struct state_digest digest = probe->sorted[lookup->index];
	*result = is_here(reader, digest) ? STATE_OK : enter(reader, digest);
	if (*result != STATE_OK || reader->piece.count == 0)
		return false;
	lookup->piece = reader->piece;
	lookup->place = first_guess(&lookup->piece, digest.hi);
	__builtin_prefetch(lookup->piece.entries + lookup->place * reader->entry_size);
	return true;
}

static void approach(struct lookup *lookup, const struct state_probe *probe, size_t size)
{
	size_t place = second_guess(&lookup->piece, size, lookup->place, probe->sorted[lookup->index].hi);
	size_t end = place + OFF < lookup->piece.count ? place + OFF : lookup->piece.count - 1;
	lookup->place = place;
	__builtin_prefetch(lookup->piece.entries + (place < OFF ? 0 : place - OFF) * size);
	__builtin_prefetch(lookup->piece.entries + end * size);
}

/* What there is to tell of an entry that was looked for: whether it is the one. */
static bool compare_entry(const struct state_probe *probe, uint16_t index, const uint8_t *entry)
{
	if (state_digest_compare(digest_at(entry), probe->sorted[index]) != 0)
		return false;
	probe->seen[index] = true;
	if (probe->payload != NULL)
		memcpy(&probe->payload[index], entry + STATE_RUN_DIGEST_SIZE, sizeof(*probe->payload));
	return true;
}

/* Whether it is there. */
static bool end_lookup(const struct lookup *lookup, const struct state_probe *probe, size_t size)
{
	struct state_digest digest = probe->sorted[lookup->index];
	size_t place = search(&lookup->piece, size, lookup->place, digest);
	return place < lookup->piece.count &&
	       compare_entry(probe, lookup->index, lookup->piece.entries + place * size);
}

/* Three rounds over all of them, not three steps for each, so that cache misses overlap. */
static enum state_result find_apart(struct state_reader *reader, const struct state_probe *probe,
                                    const uint16_t *places, size_t count, size_t *found)
{
	struct lookup lookups[GROUP];
	enum state_result result = STATE_OK;
	size_t begun = 0;
	for (size_t i = 0; i < count && result == STATE_OK; i++) {
		lookups[begun].index = places[i];
		begun += begin_lookup(reader, probe, &lookups[begun], &result);
	}
	for (size_t i = 0; i < begun; i++)
		approach(&lookups[i], probe, reader->entry_size);
	for (size_t i = 0; i < begun; i++)
		*found += end_lookup(&lookups[i], probe, reader->entry_size);
	return result;
}

/* Moves on to the first entry that is not below the digest, or to the end. */
static const uint8_t *pass_below(const uint8_t *entry, const uint8_t *end, size_t size,
                                 struct state_digest digest)
{
	const size_t last = (BLOCK - 1) * size;
	size_t below = 0;
	while ((size_t)(end - entry) > last && digest_at(entry + last).hi < digest.hi) {
		__builtin_prefetch(entry + AHEAD);
		entry += BLOCK * size;
	}
	/* Counted, because a branch on each would be guessed wrong. */
	for (size_t i = 0; (size_t)(end - entry) > last && i < BLOCK - 1; i++)
		below += digest_at(entry + i * size).hi < digest.hi;
	entry += below * size;
	while (entry < end && state_digest_compare(digest_at(entry), digest) < 0)
		entry += size;
	return entry;
}

/*
 * Entry by entry through the piece that the first place is in: where look-ups lie close together, most of its
 * memory is read anyhow, and read as a stream it comes several times as fast. Returns how many places it had.
 */
static size_t walk(const struct state_reader *reader, const struct state_probe *probe, const uint16_t *places,
                   size_t count, size_t *found)
{
	const struct state_piece *piece = &reader->piece;
	const uint8_t *entry = piece->entries;
	const uint8_t *end = entry + piece->count * reader->entry_size;
	size_t taken = 0;
	do {
		entry = pass_below(entry, end, reader->entry_size, probe->sorted[places[taken]]);
		*found += entry < end && compare_entry(probe, places[taken], entry);
		taken++;
	} while (taken < count && is_here(reader, probe->sorted[places[taken]]));
	return taken;
}

enum state_result state_reader_find(struct state_reader *reader, const struct state_probe *probe,
                                    const uint16_t *places, size_t count, size_t *found)
{
	enum state_result result = STATE_OK;
	for (size_t i = 0, taken; i < count && result == STATE_OK; i += taken) {
		size_t left = count - i;
		result = enter(reader, probe->sorted[places[i]]);
		bool are_close = left >= CLOSE && reader->piece.count > 0 &&
		                 is_here(reader, probe->sorted[places[i + CLOSE - 1]]);
		if (result == STATE_OK && are_close) {
			taken = walk(reader, probe, places + i, left, found);
			continue;
		}
		taken = left < GROUP ? left : GROUP;
		if (result == STATE_OK)
			result = find_apart(reader, probe, places + i, taken, found);
	}
	return result;
}

enum state_result state_reader_turn(struct state_reader *reader)
{
	return reader->has_next ? step(reader) : STATE_NOT_FOUND;
}
