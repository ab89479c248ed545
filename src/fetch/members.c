// SPDX-License-Identifier: Apache-2.0
#include "fetch/members.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "base/cleanup.h"
#include "source/source.h"

enum { PIECE = 128 * 1024, KEY_MAX = 4 * MEMBERS_NAME_MAX + 1 };

/* False: too long, or with a byte in it that ends a C string. */
static bool key_of(char key[KEY_MAX], const struct zipdir_member *member)
{
	char name[MEMBERS_NAME_MAX + 1];
	if (member->name_length > MEMBERS_NAME_MAX || memchr(member->name, '\0', member->name_length) != NULL)
		return false;
	memcpy(name, member->name, member->name_length);
	name[member->name_length] = '\0';
	error_quote(key, KEY_MAX, name);
	return true;
}

size_t members_count(const struct zipdir *directory)
{
	size_t count = 0;
	for (size_t i = 0; i < directory->count; i++)
		count += zipdir_is_file(&directory->members[i]);
	return count;
}

json_t *members_of(const struct zipdir *directory)
{
	char key[KEY_MAX];
	json_t *members = json_object();
	if (members_count(directory) > MEMBERS_MAX)
		return members;
	for (size_t i = 0; members != NULL && i < directory->count; i++) {
		const struct zipdir_member *member = &directory->members[i];
		if (!zipdir_is_file(member) || member->size > INT64_MAX || !key_of(key, member))
			continue;
		json_object_set_new(members, key,
		                    json_pack("[I, I]", (json_int_t)member->size, (json_int_t)member->crc));
	}
	return members;
}

bool members_have(const json_t *members, const struct zipdir_member *member)
{
	char key[KEY_MAX];
	const json_t *known = key_of(key, member) ? json_object_get(members, key) : NULL;
	return known != NULL && (uint64_t)json_integer_value(json_array_get(known, 0)) == member->size &&
	       json_integer_value(json_array_get(known, 1)) == member->crc;
}

/* What the current member is in fact. */
static enum result sum_up(struct source *source, char *piece, uint64_t *size, uint32_t *crc,
                          struct error *error)
{
	size_t count = 1;
	*size = 0;
	*crc = 0;
	while (count > 0) {
		enum result result = source_read(source, piece, PIECE, &count, error);
		if (result != RESULT_OK)
			return result;
		*size += count;
		*crc = (uint32_t)crc32(*crc, (const unsigned char *)piece, (unsigned)count);
	}
	return RESULT_OK;
}

/* The next chosen one, from *index on; NULL: no more. Both directories are read in the order of offsets. */
static const struct zipdir_member *next_chosen(const struct subset *subset, size_t *index)
{
	while (*index < subset->directory->count) {
		size_t i = (*index)++;
		if (subset->is_chosen[i])
			return &subset->directory->members[i];
	}
	return NULL;
}

static enum result verify_each(struct source *source, char *piece, const struct subset *subset,
                               struct error *error)
{
	struct source_member member;
	const struct zipdir_member *expected = NULL;
	size_t index = 0;
	enum result result;
	while ((result = source_next(source, &member, error)) == RESULT_OK) {
		uint64_t size;
		uint32_t crc;
		result = sum_up(source, piece, &size, &crc, error);
		if (result != RESULT_OK)
			return result;
		if (subset == NULL)
			continue;
		expected = next_chosen(subset, &index);
		if (expected == NULL || expected->size != size || expected->crc != crc)
			return error_set(error, RESULT_INVALID,
			                 "'%s' is not what the archive's directory says", member.title);
	}
	if (result == RESULT_END && subset != NULL && next_chosen(subset, &index) != NULL)
		return error_set(error, RESULT_INVALID, "not all members arrived");
	return result == RESULT_END ? RESULT_OK : result;
}

enum result members_verify(int fd, const char *name, const struct subset *subset, struct error *error)
{
	/* What an archive may hold is for the one who stores it to say. */
	static const struct source_limits limits = {.max_members = UINT32_MAX, .max_ratio = UINT32_MAX};
	CLEANUP_FREE char *piece = malloc(PIECE);
	struct source *source;
	if (piece == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = source_open(&source, fd, name, &limits, error);
	if (result != RESULT_OK)
		return result;
	result = verify_each(source, piece, subset, error);
	source_close(source);
	return result;
}
