// SPDX-License-Identifier: Apache-2.0
#include "schema/date_memo.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	ENTRY_BITS = 13, /* few of some thousand dates share a place */
	FIELD_MAX = 16,  /* two words; longer dates are rare */
	DATE_SIZE = 10,  /* YYYY-MM-DD */
};

/* What stands in a field, and behind it zeros; its length, for a field may have zeros too. */
struct key {
	uint64_t words[2]; /* see FIELD_MAX */
	size_t length;     /* 0: of no field */
};

struct entry {
	uint64_t words[2];
	char text[DATE_SIZE];
	uint16_t length;
};

/* A field has one place, where it takes the place of an earlier one. */
struct date_memo {
	struct entry entries[1 << ENTRY_BITS];
};

struct date_memo *date_memo_new(void)
{
	return calloc(1, sizeof(struct date_memo));
}

void date_memo_free(struct date_memo *memo)
{
	free(memo);
}

/* Of a field of 1 to FIELD_MAX bytes. */
static struct key key_of(struct slice field)
{
	static const uint8_t wanted[2 * FIELD_MAX] = {[0 ... FIELD_MAX - 1] = 0xff};
	struct key key = {.length = field.length};
	uint64_t mask[2];
	static_assert(sizeof key.words == FIELD_MAX && sizeof mask == FIELD_MAX, "the words hold a field");
	static_assert((int)FIELD_MAX <= (int)SLICE_SLACK, "so many bytes can be read");
	memcpy(key.words, field.data, sizeof key.words);
	memcpy(mask, wanted + FIELD_MAX - field.length, sizeof mask);
	key.words[0] &= mask[0];
	key.words[1] &= mask[1];
	return key;
}

static struct entry *place_of(struct date_memo *memo, const struct key *key)
{
	uint64_t hash =
	    (key->words[0] ^ key->words[1] * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return &memo->entries[hash >> (64 - ENTRY_BITS)];
}

static bool is_of(const struct entry *entry, const struct key *key)
{
	return entry->words[0] == key->words[0] && entry->words[1] == key->words[1] &&
	       entry->length == key->length;
}

size_t date_memo_canonical(struct date_memo *memo, char text[DATE_TEXT_SIZE], struct slice field,
                           const struct type_formats *formats)
{
	if (field.length == 0 || field.length > FIELD_MAX)
		return date_canonical(text, field, formats);
	struct key key = key_of(field);
	struct entry *entry = place_of(memo, &key);
	if (is_of(entry, &key)) {
		memcpy(text, entry->text, DATE_SIZE);
		return DATE_SIZE;
	}
	if (date_canonical(text, field, formats) != DATE_SIZE)
		return 0;
	*entry = (struct entry){.words = {key.words[0], key.words[1]}, .length = (uint16_t)key.length};
	memcpy(entry->text, text, DATE_SIZE);
	return DATE_SIZE;
}
