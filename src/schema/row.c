// SPDX-License-Identifier: Apache-2.0
#include "schema/row.h"

#include <assert.h>
#include <endian.h>
#include <sodium.h>
#include <string.h>

static_assert(ROW_KEY_SIZE == crypto_shorthash_siphashx24_KEYBYTES, "the row key is a SipHash key");

enum { NUMBER_SIZE_MAX = 10 }; /* bytes of a 64-bit LEB128 */

static char *put_number(char *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (char)(number | 0x80);
	*at++ = (char)number;
	return at;
}

/* Takes the shortest form only: a row has one representation. */
static bool take_number(struct slice row, size_t *position, uint64_t *number)
{
	*number = 0;
	for (unsigned shift = 0; *position < row.length && shift < 64; shift += 7) {
		uint64_t byte = (unsigned char)row.data[(*position)++];
		uint64_t bits = byte & 0x7f;
		if (bits << shift >> shift != bits)
			return false;
		*number |= bits << shift;
		if (byte < 0x80)
			return byte != 0 || shift == 0;
	}
	return false;
}

enum result row_append(struct buffer *row, uint32_t ordinal, struct slice text)
{
	if (buffer_reserve(row, 2 * NUMBER_SIZE_MAX + text.length) != RESULT_OK)
		return RESULT_NO_MEMORY;
	char *at = put_number(row->data + row->length, ordinal);
	at = put_number(at, text.length);
	if (text.length > 0)
		memcpy(at, text.data, text.length);
	row->length = (size_t)(at - row->data) + text.length;
	return RESULT_OK;
}

bool row_next(struct slice row, size_t *position, struct row_cell *cell)
{
	size_t at = *position;
	uint64_t ordinal, length;
	if (!take_number(row, &at, &ordinal) || ordinal == 0 || ordinal > UINT32_MAX ||
	    !take_number(row, &at, &length) || length > row.length - at)
		return false;
	cell->ordinal = (uint32_t)ordinal;
	cell->text = (struct slice){row.data + at, (size_t)length};
	*position = at + (size_t)length;
	return true;
}

void row_derive_key(uint8_t key[ROW_KEY_SIZE], const uint8_t secret[32], const char *dataset)
{
	static const char label[] = "rowsieve row"; /* with its NUL, so that no name runs into it */
	crypto_generichash_state state;
	crypto_generichash_init(&state, secret, 32, ROW_KEY_SIZE);
	crypto_generichash_update(&state, (const unsigned char *)label, sizeof label);
	crypto_generichash_update(&state, (const unsigned char *)dataset, strlen(dataset));
	crypto_generichash_final(&state, key, ROW_KEY_SIZE);
	sodium_memzero(&state, sizeof state);
}

struct row_digest row_digest(struct slice row, const uint8_t key[ROW_KEY_SIZE])
{
	uint64_t words[2];
	static_assert(sizeof words == crypto_shorthash_siphashx24_BYTES, "a digest is 128 bits");
	crypto_shorthash_siphashx24((unsigned char *)words, (const unsigned char *)row.data, row.length, key);
	return (struct row_digest){.hi = le64toh(words[0]), .lo = le64toh(words[1])};
}
