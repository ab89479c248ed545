// SPDX-License-Identifier: Apache-2.0
#include "fetch/zipdir.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fetch/zip_bytes.h"

enum {
	COMMENT_MAX = 65535,
	TAIL_MAX = ZIP_LOCATOR64_SIZE + ZIP_END_SIZE + COMMENT_MAX,
};

/* The archive's last bytes: with any luck the whole directory is among them. */
struct tail {
	unsigned char *bytes;
	size_t length;
	uint64_t offset;
	size_t end_record; /* in bytes */
};

static enum result damaged(struct error *error, const char *what)
{
	return error_set(error, RESULT_INVALID, "damaged or truncated zip archive: %s", what);
}

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

/* The last one whose comment ends with the archive. */
static bool find_end_record(struct tail *tail)
{
	if (tail->length < ZIP_END_SIZE)
		return false;
	for (size_t at = tail->length - ZIP_END_SIZE + 1; at-- > 0;) {
		const unsigned char *record = tail->bytes + at;
		if (zip_get(record, 4) != ZIP_END_MAGIC ||
		    at + ZIP_END_SIZE + zip_get(record + 20, 2) != tail->length)
			continue;
		tail->end_record = at;
		return true;
	}
	return false;
}

static enum result read_tail(struct tail *tail, const struct zipdir_source *source, struct error *error)
{
	tail->length = source->size < TAIL_MAX ? (size_t)source->size : TAIL_MAX;
	tail->offset = source->size - tail->length;
	tail->bytes = malloc(tail->length + 1);
	if (tail->bytes == NULL)
		return no_memory(error);
	enum result result = source->read(source->context, tail->offset, tail->bytes, tail->length, error);
	if (result != RESULT_OK)
		return result;
	return find_end_record(tail) ? RESULT_OK : damaged(error, "no directory at its end");
}

/* Out of the tail where it has them, else from the source. */
static enum result read_at(const struct tail *tail, const struct zipdir_source *source, uint64_t offset,
                           unsigned char *bytes, size_t count, struct error *error)
{
	size_t far = 0;
	if (offset > source->size || count > source->size - offset)
		return damaged(error, "its directory lies outside of it");
	if (offset < tail->offset)
		far = tail->offset - offset < count ? (size_t)(tail->offset - offset) : count;
	enum result result = far > 0 ? source->read(source->context, offset, bytes, far, error) : RESULT_OK;
	if (result == RESULT_OK && far < count)
		memcpy(bytes + far, tail->bytes + (offset + far - tail->offset), count - far);
	return result;
}

struct extent {
	uint64_t count;
	uint64_t length;
	uint64_t offset;
};

/* What the end record says, or the zip64 one that a locator before it points to. */
static enum result find_directory(struct extent *extent, const struct tail *tail,
                                  const struct zipdir_source *source, struct error *error)
{
	const unsigned char *record = tail->bytes + tail->end_record;
	unsigned char wide[ZIP_END64_SIZE];
	*extent = (struct extent){.count = zip_get(record + 10, 2),
	                          .length = zip_get(record + 12, 4),
	                          .offset = zip_get(record + 16, 4)};
	if (zip_get(record + 4, 2) != zip_get(record + 6, 2))
		return damaged(error, "it spans several files");
	if (tail->end_record < ZIP_LOCATOR64_SIZE ||
	    zip_get(record - ZIP_LOCATOR64_SIZE, 4) != ZIP_LOCATOR64_MAGIC)
		return RESULT_OK;
	uint64_t at = zip_get(record - ZIP_LOCATOR64_SIZE + 8, 8);
	enum result result = read_at(tail, source, at, wide, sizeof wide, error);
	if (result != RESULT_OK)
		return result;
	if (zip_get(wide, 4) != ZIP_END64_MAGIC)
		return damaged(error, "its zip64 record is not where it should be");
	*extent = (struct extent){
	    .count = zip_get(wide + 32, 8), .length = zip_get(wide + 40, 8), .offset = zip_get(wide + 48, 8)};
	return RESULT_OK;
}

/* Reads a field, in its wide form where there is one. */
static bool read_field(uint64_t *value, const unsigned char *entry, int field)
{
	*value = zip_get(entry + zip_field_at[field], 4);
	if (*value != UINT32_MAX)
		return true;
	size_t at = zip_wide_field(entry, field);
	if (at != 0)
		*value = zip_get(entry + at, 8);
	return at != 0;
}

/* The entry at `at`; its length, or 0 where there is no whole one. */
static size_t read_member(struct zipdir_member *member, const struct zipdir *directory, size_t at)
{
	const unsigned char *entry = directory->raw + at;
	size_t left = directory->raw_length - at;
	if (left < ZIP_ENTRY_SIZE || zip_get(entry, 4) != ZIP_ENTRY_MAGIC)
		return 0;
	size_t name_length = (size_t)zip_get(entry + 28, 2);
	size_t length =
	    ZIP_ENTRY_SIZE + name_length + (size_t)zip_get(entry + 30, 2) + (size_t)zip_get(entry + 32, 2);
	*member = (struct zipdir_member){.name = (const char *)entry + ZIP_ENTRY_SIZE,
	                                 .name_length = name_length,
	                                 .crc = (uint32_t)zip_get(entry + 16, 4),
	                                 .raw = entry,
	                                 .raw_length = length};
	bool is_whole = length <= left && read_field(&member->size, entry, ZIP_FIELD_SIZE) &&
	                read_field(&member->offset, entry, ZIP_FIELD_OFFSET) &&
	                member->offset < directory->offset;
	return is_whole ? length : 0;
}

static int by_offset(const void *a, const void *b)
{
	const struct zipdir_member *left = a, *right = b;
	return (left->offset > right->offset) - (left->offset < right->offset);
}

/* A member ends where the next one begins, or the directory. */
static void find_ends(struct zipdir *directory)
{
	uint64_t next = directory->offset;
	qsort(directory->members, directory->count, sizeof *directory->members, by_offset);
	for (size_t i = directory->count; i-- > 0;) {
		struct zipdir_member *member = &directory->members[i];
		bool is_shared =
		    i + 1 < directory->count && directory->members[i + 1].offset == member->offset;
		member->end = is_shared ? directory->members[i + 1].end : next;
		next = member->offset;
	}
}

static enum result read_members(struct zipdir *directory, uint64_t count, struct error *error)
{
	if (count > directory->raw_length / ZIP_ENTRY_SIZE)
		return damaged(error, "its directory is too short");
	directory->members = calloc((size_t)count + 1, sizeof *directory->members);
	if (directory->members == NULL)
		return no_memory(error);
	size_t at = 0;
	for (; directory->count < count; directory->count++) {
		size_t length = read_member(&directory->members[directory->count], directory, at);
		if (length == 0)
			return damaged(error, "an entry of its directory makes no sense");
		at += length;
	}
	find_ends(directory);
	return RESULT_OK;
}

static enum result read_directory(struct zipdir *directory, const struct tail *tail,
                                  const struct zipdir_source *source, struct error *error)
{
	struct extent extent;
	enum result result = find_directory(&extent, tail, source, error);
	if (result != RESULT_OK)
		return result;
	if (extent.length > ZIPDIR_MAX)
		return RESULT_END;
	directory->offset = extent.offset;
	directory->raw_length = (size_t)extent.length;
	directory->raw = malloc(directory->raw_length + 1);
	if (directory->raw == NULL)
		return no_memory(error);
	result = read_at(tail, source, extent.offset, directory->raw, directory->raw_length, error);
	return result == RESULT_OK ? read_members(directory, extent.count, error) : result;
}

enum result zipdir_read(struct zipdir *directory, const struct zipdir_source *source, struct error *error)
{
	struct tail tail = {0};
	*directory = (struct zipdir){0};
	enum result result = read_tail(&tail, source, error);
	if (result == RESULT_OK)
		result = read_directory(directory, &tail, source, error);
	free(tail.bytes);
	if (result != RESULT_OK)
		zipdir_free(directory);
	return result;
}

void zipdir_free(struct zipdir *directory)
{
	free(directory->members);
	free(directory->raw);
	*directory = (struct zipdir){0};
}

bool zipdir_is_file(const struct zipdir_member *member)
{
	return member->name_length > 0 && member->name[member->name_length - 1] != '/';
}
