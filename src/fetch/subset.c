// SPDX-License-Identifier: Apache-2.0
#include "fetch/subset.h"

#include <stdlib.h>
#include <string.h>

#include "fetch/zip_bytes.h"

enum { VERSION_ZIP64 = 45 };

/* Members come by offset, so a range is new or goes on from the last one. */
static void add_range(struct subset *subset, const struct zipdir_member *member)
{
	struct subset_range *last = subset->range_count > 0 ? &subset->ranges[subset->range_count - 1] : NULL;
	if (last != NULL && member->offset < last->end)
		return; /* two entries for the same bytes */
	subset->length += member->end - member->offset;
	if (last != NULL && last->end == member->offset)
		last->end = member->end;
	else
		subset->ranges[subset->range_count++] = (struct subset_range){member->offset, member->end};
}

enum result subset_open(struct subset *subset, const struct zipdir *directory,
                        bool (*wants)(const void *context, const struct zipdir_member *member),
                        const void *context)
{
	*subset = (struct subset){.directory = directory};
	subset->is_chosen = calloc(directory->count + 1, sizeof *subset->is_chosen);
	subset->ranges = calloc(directory->count + 1, sizeof *subset->ranges);
	if (subset->is_chosen == NULL || subset->ranges == NULL) {
		subset_free(subset);
		return RESULT_NO_MEMORY;
	}
	for (size_t i = 0; i < directory->count; i++) {
		const struct zipdir_member *member = &directory->members[i];
		subset->is_chosen[i] = zipdir_is_file(member) && wants(context, member);
		if (!subset->is_chosen[i])
			continue;
		subset->chosen++;
		add_range(subset, member);
	}
	return RESULT_OK;
}

void subset_free(struct subset *subset)
{
	free(subset->is_chosen);
	free(subset->ranges);
	*subset = (struct subset){0};
}

bool subset_find(const struct subset *subset, uint64_t done, struct subset_range *rest)
{
	for (size_t i = 0; i < subset->range_count; i++) {
		struct subset_range range = subset->ranges[i];
		if (done < range.end - range.start) {
			*rest = (struct subset_range){range.start + done, range.end};
			return true;
		}
		done -= range.end - range.start;
	}
	return false;
}

/* Where a place of the whole archive went. */
static uint64_t new_offset(const struct subset *subset, uint64_t offset)
{
	uint64_t before = 0;
	for (size_t i = 0; i < subset->range_count && subset->ranges[i].start <= offset; i++) {
		struct subset_range range = subset->ranges[i];
		if (offset < range.end)
			return before + (offset - range.start);
		before += range.end - range.start;
	}
	return before;
}

/* The entry as it was, but for its offset, which only shrinks: it fits where the old one did. */
static enum result add_entry(const struct subset *subset, const struct zipdir_member *member,
                             struct buffer *out)
{
	size_t start = out->length;
	if (buffer_append(out, member->raw, member->raw_length) != RESULT_OK)
		return RESULT_NO_MEMORY;
	unsigned char *entry = (unsigned char *)out->data + start;
	uint64_t offset = new_offset(subset, member->offset);
	unsigned char *narrow = entry + zip_field_at[ZIP_FIELD_OFFSET];
	if (zip_get(narrow, 4) == UINT32_MAX)
		zip_put(entry + zip_wide_field(entry, ZIP_FIELD_OFFSET), 8, offset);
	else
		zip_put(narrow, 4, offset);
	return RESULT_OK;
}

static uint64_t capped(uint64_t value, uint64_t most)
{
	return value < most ? value : most;
}

static enum result add_wide_end(const struct subset *subset, uint64_t length, struct buffer *out)
{
	unsigned char record[ZIP_END64_SIZE + ZIP_LOCATOR64_SIZE] = {0};
	zip_put(record, 4, ZIP_END64_MAGIC);
	zip_put(record + 4, 8, ZIP_END64_SIZE - 12);
	zip_put(record + 12, 2, VERSION_ZIP64);
	zip_put(record + 14, 2, VERSION_ZIP64);
	zip_put(record + 24, 8, subset->chosen);
	zip_put(record + 32, 8, subset->chosen);
	zip_put(record + 40, 8, length);
	zip_put(record + 48, 8, subset->length);
	unsigned char *locator = record + ZIP_END64_SIZE;
	zip_put(locator, 4, ZIP_LOCATOR64_MAGIC);
	zip_put(locator + 8, 8, subset->length + length);
	zip_put(locator + 16, 4, 1);
	return buffer_append(out, record, sizeof record);
}

static enum result add_end(const struct subset *subset, uint64_t length, struct buffer *out)
{
	unsigned char record[ZIP_END_SIZE] = {0};
	zip_put(record, 4, ZIP_END_MAGIC);
	zip_put(record + 8, 2, capped(subset->chosen, UINT16_MAX));
	zip_put(record + 10, 2, capped(subset->chosen, UINT16_MAX));
	zip_put(record + 12, 4, capped(length, UINT32_MAX));
	zip_put(record + 16, 4, capped(subset->length, UINT32_MAX));
	return buffer_append(out, record, sizeof record);
}

enum result subset_trailer(const struct subset *subset, struct buffer *out)
{
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < subset->directory->count; i++)
		if (subset->is_chosen[i])
			result = add_entry(subset, &subset->directory->members[i], out);
	uint64_t length = out->length;
	bool is_wide = subset->chosen >= UINT16_MAX || subset->length >= UINT32_MAX;
	if (result == RESULT_OK && is_wide)
		result = add_wide_end(subset, length, out);
	return result == RESULT_OK ? add_end(subset, length, out) : result;
}
