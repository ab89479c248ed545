// SPDX-License-Identifier: Apache-2.0
#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "fetch/subset.h"
#include "fetch/zip_bytes.h"
#include "fetch/zipdir.h"

static struct error error;

/* An archive of which only some stretches are there: the last `tail` bytes are `bytes`. */
struct image {
	unsigned char *bytes;
	size_t length;
	uint64_t size;
};

static enum result read_image(void *context, uint64_t offset, void *bytes, size_t count,
                              struct error *failure)
{
	const struct image *image = context;
	uint64_t start = image->size - image->length;
	cr_assert_leq(offset + count, image->size, "reads outside of the archive");
	if (offset < start)
		return error_set(failure, RESULT_IO, "not there");
	memcpy(bytes, image->bytes + (offset - start), count);
	return RESULT_OK;
}

static enum result read_directory(struct zipdir *directory, struct image *image)
{
	struct zipdir_source source = {.read = read_image, .context = image, .size = image->size};
	return zipdir_read(directory, &source, &error);
}

static struct image make_archive(const char *options, int count)
{
	enum { ROOM = 1 << 20 };
	struct image image = {.bytes = malloc(ROOM)};
	struct archive *archive = archive_write_new();
	archive_write_set_format_zip(archive);
	cr_assert_eq(archive_write_set_options(archive, options), ARCHIVE_OK);
	archive_write_set_bytes_per_block(archive, 0);
	archive_write_open_memory(archive, image.bytes, ROOM, &image.length);
	for (int i = 0; i < count; i++) {
		struct archive_entry *entry = archive_entry_new();
		char name[32], text[200];
		snprintf(name, sizeof name, i == 1 ? "folder/" : "folder/m%d.csv", i);
		snprintf(text, sizeof text, "a,b\n%d,%0*d\n", i, 10 * i + 1, i);
		archive_entry_set_pathname(entry, name);
		archive_entry_set_filetype(entry, i == 1 ? AE_IFDIR : AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		archive_entry_set_size(entry, i == 1 ? 0 : (la_int64_t)strlen(text));
		archive_write_header(archive, entry);
		if (i != 1)
			archive_write_data(archive, text, strlen(text));
		archive_entry_free(entry);
	}
	archive_write_close(archive);
	archive_write_free(archive);
	image.size = image.length;
	return image;
}

static bool is_even(const void *context, const struct zipdir_member *member)
{
	(void)context;
	return (member->name[member->name_length - 5] - '0') % 2 == 0;
}

static bool is_any(const void *context, const struct zipdir_member *member)
{
	(void)context, (void)member;
	return true;
}

/* The new archive, as download does it. */
static struct buffer cut_out(const struct subset *subset, const struct image *image)
{
	struct buffer out = {0};
	struct subset_range rest;
	while (subset_find(subset, out.length, &rest))
		cr_assert_eq(buffer_append(&out, image->bytes + rest.start, (size_t)(rest.end - rest.start)),
		             RESULT_OK);
	cr_assert_eq(out.length, subset->length);
	struct buffer trailer = {0};
	cr_assert_eq(subset_trailer(subset, &trailer), RESULT_OK);
	cr_assert_eq(buffer_append(&out, trailer.data, trailer.length), RESULT_OK);
	buffer_free(&trailer);
	return out;
}

Test(zipdir, subset_is_an_archive_of_the_chosen_members_as_they_are)
{
	static const char *const options[] = {"compression=store", "compression=deflate",
	                                      "compression=store,zip64", "compression=deflate,zip64"};
	for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
		struct image image = make_archive(options[i], 9);
		struct zipdir directory, again;
		struct subset subset;
		cr_assert_eq(read_directory(&directory, &image), RESULT_OK, "%s: %s", options[i],
		             error.message);
		cr_assert_eq(directory.count, 9);
		cr_assert_eq(subset_open(&subset, &directory, is_even, NULL), RESULT_OK);
		cr_assert_eq(subset.chosen, 5); /* 0, 2, 4, 6, 8; the folder is none */
		struct buffer out = cut_out(&subset, &image);
		struct image small = {(unsigned char *)out.data, out.length, out.length};
		cr_assert_eq(read_directory(&again, &small), RESULT_OK, "%s", error.message);
		cr_assert_eq(again.count, subset.chosen);
		for (size_t j = 0, k = 0; j < directory.count; j++) {
			if (!subset.is_chosen[j])
				continue;
			const struct zipdir_member *a = &directory.members[j], *b = &again.members[k++];
			cr_assert_eq(a->crc, b->crc);
			cr_assert_eq(a->size, b->size);
			cr_assert_eq(a->name_length, b->name_length);
			cr_assert_eq(memcmp(a->name, b->name, a->name_length), 0);
			cr_assert_eq(a->end - a->offset, b->end - b->offset);
			cr_assert_eq(
			    memcmp(image.bytes + a->offset, out.data + b->offset, a->end - a->offset), 0);
		}
		zipdir_free(&again);
		buffer_free(&out);
		subset_free(&subset);
		zipdir_free(&directory);
		free(image.bytes);
	}
}

Test(zipdir, members_that_touch_are_one_range)
{
	struct image image = make_archive("compression=store", 9);
	struct zipdir directory;
	struct subset subset;
	cr_assert_eq(read_directory(&directory, &image), RESULT_OK);
	cr_assert_eq(subset_open(&subset, &directory, is_any, NULL), RESULT_OK);
	cr_assert_eq(subset.range_count, 2, "one on each side of the folder");
	subset_free(&subset);
	zipdir_free(&directory);
	free(image.bytes);
}

Test(zipdir, every_cut_and_every_changed_byte_is_refused_or_read_within_bounds)
{
	struct image image = make_archive("compression=deflate,zip64", 5);
	unsigned char *copy = malloc(image.length);
	struct zipdir directory;
	struct subset subset;
	for (size_t cut = 0; cut < image.length; cut++) {
		memcpy(copy, image.bytes, cut);
		struct image part = {copy, cut, cut};
		cr_assert_neq(read_directory(&directory, &part), RESULT_OK, "cut at %zu", cut);
	}
	for (size_t at = 0; at < image.length; at++) {
		for (int bit = 0; bit < 8; bit++) {
			memcpy(copy, image.bytes, image.length);
			copy[at] ^= (unsigned char)(1 << bit);
			struct image changed = {copy, image.length, image.length};
			if (read_directory(&directory, &changed) != RESULT_OK)
				continue;
			cr_assert_eq(subset_open(&subset, &directory, is_any, NULL), RESULT_OK);
			for (size_t i = 0; i < subset.range_count; i++) {
				cr_assert_lt(subset.ranges[i].start, subset.ranges[i].end);
				cr_assert_leq(subset.ranges[i].end, image.length);
			}
			struct buffer out = {0};
			cr_assert_eq(subset_trailer(&subset, &out), RESULT_OK);
			buffer_free(&out);
			subset_free(&subset);
			zipdir_free(&directory);
		}
	}
	free(copy);
	free(image.bytes);
}

/* An entry of a member that is larger than 4 GiB, behind 4 GiB of others. */
static size_t put_wide_entry(unsigned char *at, const char *name, uint64_t size, uint64_t offset)
{
	size_t length = strlen(name);
	memset(at, 0, ZIP_ENTRY_SIZE);
	zip_put(at, 4, ZIP_ENTRY_MAGIC);
	zip_put(at + 20, 4, UINT32_MAX);
	zip_put(at + 24, 4, UINT32_MAX);
	zip_put(at + 28, 2, length);
	zip_put(at + 30, 2, 28);
	zip_put(at + 42, 4, UINT32_MAX);
	memcpy(at + ZIP_ENTRY_SIZE, name, length);
	unsigned char *extra = at + ZIP_ENTRY_SIZE + length;
	zip_put(extra, 2, ZIP_EXTRA64);
	zip_put(extra + 2, 2, 24);
	zip_put(extra + 4, 8, size);
	zip_put(extra + 12, 8, size);
	zip_put(extra + 20, 8, offset);
	return ZIP_ENTRY_SIZE + length + 28;
}

static struct image make_huge(uint64_t member)
{
	struct image image = {.bytes = calloc(1, 4096)};
	size_t used = 0;
	for (int i = 0; i < 3; i++) {
		char name[] = {'f', '/', 'm', (char)('0' + i), '.', 'c', 's', 'v', '\0'};
		used += put_wide_entry(image.bytes + used, name, member - 100, (uint64_t)i * member);
	}
	unsigned char *end = image.bytes + used;
	zip_put(end, 4, ZIP_END64_MAGIC);
	zip_put(end + 32, 8, 3);
	zip_put(end + 40, 8, used);
	zip_put(end + 48, 8, 3 * member);
	zip_put(end + ZIP_END64_SIZE, 4, ZIP_LOCATOR64_MAGIC);
	zip_put(end + ZIP_END64_SIZE + 8, 8, 3 * member + used);
	zip_put(end + ZIP_END64_SIZE + ZIP_LOCATOR64_SIZE, 4, ZIP_END_MAGIC);
	image.length = used + ZIP_END64_SIZE + ZIP_LOCATOR64_SIZE + ZIP_END_SIZE;
	/* The tail that is read begins in the last member. */
	unsigned char *bytes = calloc(1, image.length + 70000);
	memcpy(bytes + 70000, image.bytes, image.length);
	free(image.bytes);
	image.bytes = bytes;
	image.length += 70000;
	image.size = 3 * member + image.length - 70000;
	return image;
}

Test(zipdir, beyond_four_gigabytes_offsets_stay_right)
{
	const uint64_t member = UINT64_C(5) << 30;
	struct image image = make_huge(member);
	struct zipdir directory, again;
	struct subset subset;
	cr_assert_eq(read_directory(&directory, &image), RESULT_OK, "%s", error.message);
	cr_assert_eq(directory.members[2].offset, 2 * member);
	cr_assert_eq(directory.members[2].size, member - 100);
	cr_assert_eq(subset_open(&subset, &directory, is_even, NULL), RESULT_OK);
	cr_assert_eq(subset.length, 2 * member);
	struct subset_range rest;
	cr_assert(subset_find(&subset, member + 7, &rest));
	cr_assert_eq(rest.start, 2 * member + 7);
	cr_assert_eq(rest.end, 3 * member);
	cr_assert_not(subset_find(&subset, 2 * member, &rest));

	struct buffer trailer = {0};
	cr_assert_eq(subset_trailer(&subset, &trailer), RESULT_OK);
	struct image small = {.length = trailer.length + 70000, .size = 2 * member + trailer.length};
	small.bytes = calloc(1, small.length);
	memcpy(small.bytes + 70000, trailer.data, trailer.length);
	cr_assert_eq(read_directory(&again, &small), RESULT_OK, "%s", error.message);
	cr_assert_eq(again.count, 2);
	cr_assert_eq(again.members[1].offset, member);
	cr_assert_eq(again.members[1].end, 2 * member);
	zipdir_free(&again);
	free(small.bytes);
	buffer_free(&trailer);
	subset_free(&subset);
	zipdir_free(&directory);
	free(image.bytes);
}
