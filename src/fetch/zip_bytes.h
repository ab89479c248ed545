// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_ZIP_BYTES_H
#define ROWSIEVE_FETCH_ZIP_BYTES_H

#include <stddef.h>
#include <stdint.h>

/* Numbers as zip writes them, little-endian, and the records of which a central directory is made. */
enum {
	ZIP_ENTRY_SIZE = 46, /* without name, extra fields and comment */
	ZIP_END_SIZE = 22,   /* without comment */
	ZIP_END64_SIZE = 56,
	ZIP_LOCATOR64_SIZE = 20,
	ZIP_EXTRA64 = 1,
};

#define ZIP_ENTRY_MAGIC UINT32_C(0x02014b50)
#define ZIP_END_MAGIC UINT32_C(0x06054b50)
#define ZIP_END64_MAGIC UINT32_C(0x06064b50)
#define ZIP_LOCATOR64_MAGIC UINT32_C(0x07064b50)

static inline uint64_t zip_get(const unsigned char *bytes, unsigned size)
{
	uint64_t value = 0;
	for (unsigned i = size; i-- > 0;)
		value = value << 8 | bytes[i];
	return value;
}

static inline void zip_put(unsigned char *bytes, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++, value >>= 8)
		bytes[i] = (unsigned char)value;
}

/* The three fields of an entry that its zip64 extra field holds where they are all ones, in this order. */
enum { ZIP_FIELD_SIZE, ZIP_FIELD_PACKED, ZIP_FIELD_OFFSET, ZIP_FIELDS };
static const unsigned char zip_field_at[ZIP_FIELDS] = {24, 20, 42};

/* Where an entry's 8-byte form of a field is, from the entry's beginning; 0: it has none. The entry is whole.
 */
static inline size_t zip_wide_field(const unsigned char *entry, int field)
{
	size_t at = ZIP_ENTRY_SIZE + (size_t)zip_get(entry + 28, 2);
	size_t end = at + (size_t)zip_get(entry + 30, 2);
	while (end - at >= 4) {
		size_t length = (size_t)zip_get(entry + at + 2, 2);
		if (length > end - at - 4)
			return 0;
		if (zip_get(entry + at, 2) == ZIP_EXTRA64) {
			size_t before = 0;
			for (int i = 0; i < field; i++)
				before += zip_get(entry + zip_field_at[i], 4) == UINT32_MAX ? 8 : 0;
			return before + 8 <= length ? at + 4 + before : 0;
		}
		at += 4 + length;
	}
	return 0;
}

#endif
