// SPDX-License-Identifier: Apache-2.0
#include "source/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct source_limits wide = {.max_members = 100, .max_ratio = 200};

static struct error error;

struct bytes {
	char *data;
	size_t length;
};

/* An unnamed file in the temporary directory; its offset stands at its end. */
static int temporary_file(const void *data, size_t length)
{
	const char *directory = getenv("TMPDIR");
	int fd = open(directory != NULL ? directory : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	cr_assert_geq(fd, 0);
	cr_assert_eq(write(fd, data, length), (ssize_t)length);
	return fd;
}

static struct source *open_source(int fd, const char *name, const struct source_limits *limits)
{
	struct source *source = NULL;
	cr_assert_eq(source_open(&source, fd, name, limits, &error), RESULT_OK, "%s", error.message);
	return source;
}

static struct source *open_bytes(struct bytes bytes, const char *name)
{
	int fd = temporary_file(bytes.data, bytes.length);
	struct source *source = open_source(fd, name, &wide);
	close(fd);
	return source;
}

/* Reads the current member in steps of `step`; RESULT_OK at its end. The data are the caller's to free. */
static enum result read_member(struct source *source, size_t step, struct bytes *out)
{
	size_t capacity = 0;
	*out = (struct bytes){0};
	for (;;) {
		if (capacity - out->length < step) {
			capacity = 2 * capacity + step;
			out->data = realloc(out->data, capacity);
			cr_assert_not_null(out->data);
		}
		size_t count = 0;
		enum result result = source_read(source, out->data + out->length, step, &count, &error);
		if (result != RESULT_OK || count == 0)
			return result;
		out->length += count;
	}
}

static void expect_member(struct source *source, const char *content)
{
	struct bytes got;
	cr_assert_eq(read_member(source, 1000, &got), RESULT_OK, "%s", error.message);
	cr_assert_eq(got.length, strlen(content));
	cr_assert_eq(memcmp(got.data, content, got.length), 0);
	free(got.data);
}

static void expect_next(struct source *source, const char *name, const char *title)
{
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_OK, "%s", error.message);
	if (name == NULL)
		cr_assert_null(member.name);
	else
		cr_assert_str_eq(member.name, name);
	cr_assert_str_eq(member.title, title);
}

static void expect_end(struct source *source)
{
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_END);
}

/* The message is one line that names the file and says `word`. */
static void expect_message(const char *file, const char *word)
{
	cr_assert_not_null(strstr(error.message, file), "'%s' lacks '%s'", error.message, file);
	cr_assert_not_null(strstr(error.message, word), "'%s' lacks '%s'", error.message, word);
	cr_assert_null(strchr(error.message, '\n'));
}

static void expect_refused(const void *data, size_t length, const char *name, const char *word)
{
	int fd = temporary_file(data, length);
	struct source *source = NULL;
	cr_assert_eq(source_open(&source, fd, name, &wide, &error), RESULT_INVALID);
	expect_message(name, word);
	close(fd);
}

/* The first member cannot be read to its end. */
static void expect_unreadable(struct bytes file, const char *name, const char *word)
{
	struct source *source = open_bytes(file, name);
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_OK, "%s", error.message);
	struct bytes got;
	cr_assert_eq(read_member(source, 4096, &got), RESULT_INVALID);
	expect_message(name, word);
	free(got.data);
	source_close(source);
}

/* CSV lines that do not compress to nothing. */
static struct bytes sample(size_t lines)
{
	struct bytes bytes = {.data = malloc(lines * 32)};
	cr_assert_not_null(bytes.data);
	uint64_t random = 1;
	for (size_t i = 0; i < lines; i++) {
		random = random * 6364136223846793005U + 1442695040888963407U;
		bytes.length +=
		    (size_t)sprintf(bytes.data + bytes.length, "%zu,%08x\n", i, (unsigned)(random >> 32));
	}
	return bytes;
}

struct packer {
	struct archive *archive;
	char *data;
	size_t capacity;
	size_t length;
};

static struct packer begin_packing(int format, int filter, const char *options, size_t capacity)
{
	struct packer packer = {
	    .archive = archive_write_new(), .data = malloc(capacity), .capacity = capacity};
	cr_assert_eq(archive_write_set_format(packer.archive, format), ARCHIVE_OK);
	cr_assert_eq(archive_write_add_filter(packer.archive, filter), ARCHIVE_OK);
	cr_assert_eq(archive_write_set_bytes_in_last_block(packer.archive, 1), ARCHIVE_OK);
	cr_assert_eq(archive_write_set_options(packer.archive, options), ARCHIVE_OK, "%s",
	             archive_error_string(packer.archive));
	return packer;
}

static void pack_header(struct packer *packer, const char *name, mode_t type, size_t size)
{
	struct archive_entry *entry = archive_entry_new();
	archive_entry_set_pathname(entry, name);
	archive_entry_set_filetype(entry, type);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_size(entry, (la_int64_t)size);
	if (type == AE_IFLNK)
		archive_entry_set_symlink(entry, "/etc/passwd");
	cr_assert_eq(archive_write_header(packer->archive, entry), ARCHIVE_OK, "%s",
	             archive_error_string(packer->archive));
	archive_entry_free(entry);
}

static void pack_data(struct packer *packer, const void *data, size_t length)
{
	cr_assert_eq(archive_write_data(packer->archive, data, length), (la_ssize_t)length);
}

static void pack_member(struct packer *packer, const char *name, const char *content)
{
	pack_header(packer, name, AE_IFREG, strlen(content));
	pack_data(packer, content, strlen(content));
}

static struct bytes end_packing(struct packer *packer)
{
	cr_assert_eq(archive_write_free(packer->archive), ARCHIVE_OK);
	return (struct bytes){packer->data, packer->length};
}

static struct packer begin_zip(const char *options)
{
	enum { CAPACITY = 1 << 22 };
	return begin_packing(ARCHIVE_FORMAT_ZIP, ARCHIVE_FILTER_NONE, options, CAPACITY);
}

static void open_packer(struct packer *packer)
{
	cr_assert_eq(
	    archive_write_open_memory(packer->archive, packer->data, packer->capacity, &packer->length),
	    ARCHIVE_OK);
}

static struct bytes compressed(int filter, struct bytes plain)
{
	struct packer packer = begin_packing(ARCHIVE_FORMAT_RAW, filter, NULL, plain.length + 4096);
	open_packer(&packer);
	pack_header(&packer, "data", AE_IFREG, plain.length);
	pack_data(&packer, plain.data, plain.length);
	return end_packing(&packer);
}

static struct bytes zip_of_one(const char *name, struct bytes plain)
{
	struct packer packer = begin_zip(NULL);
	open_packer(&packer);
	pack_header(&packer, name, AE_IFREG, plain.length);
	pack_data(&packer, plain.data, plain.length);
	return end_packing(&packer);
}

/* Puts `to` for each `from` of the same length. */
static void replace_all(struct bytes bytes, const char *from, const char *to)
{
	size_t length = strlen(from);
	char *at = bytes.data;
	while ((at = memmem(at, bytes.length - (size_t)(at - bytes.data), from, length)) != NULL)
		memcpy(at, to, length);
}

Test(source, reads_a_plain_file_from_its_beginning_and_leaves_the_offset)
{
	struct bytes plain = sample(20000);
	static const size_t steps[] = {1, 7, 4096, 1 << 20};
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		int fd = temporary_file(plain.data, plain.length);
		cr_assert_eq(lseek(fd, 5, SEEK_SET), 5);
		struct source *source = open_source(fd, "/drop/a.csv", &wide);
		struct source_member member;
		cr_assert_eq(source_next(source, &member, &error), RESULT_OK);
		cr_assert_eq(member.size, plain.length);
		cr_assert_eq(member.index, 0);
		struct bytes got;
		cr_assert_eq(read_member(source, steps[i], &got), RESULT_OK);
		cr_assert_eq(got.length, plain.length);
		cr_assert_eq(memcmp(got.data, plain.data, got.length), 0);
		cr_assert_eq(source_position(source), plain.length);
		cr_assert_not(source_is_archive(source));
		expect_end(source);
		source_close(source);
		cr_assert_eq(lseek(fd, 0, SEEK_CUR), 5);
		close(fd);
		free(got.data);
	}
	free(plain.data);
}

Test(source, takes_an_empty_file_as_one_empty_member)
{
	struct source *source = open_bytes((struct bytes){"", 0}, "empty.csv");
	expect_next(source, NULL, "empty.csv");
	expect_member(source, "");
	expect_end(source);
	source_close(source);
}

Test(source, lets_no_text_pass_for_an_archive)
{
	/* Each is a format or a filter that libarchive would recognise. */
	static const char *const texts[] = {"#mtree\n/set type=file\n",
	                                    "begin 644 a\n#0V%T\n`\nend\n",
	                                    "070707000000",
	                                    "!<arch>\n",
	                                    "WARC/1.0\r\n",
	                                    "PK,1\n",
	                                    "\x1f\x8b,1\n"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct source *source =
		    open_bytes((struct bytes){(char *)texts[i], strlen(texts[i])}, "a.csv");
		expect_next(source, NULL, "a.csv");
		expect_member(source, texts[i]);
		source_close(source);
	}
}

Test(source, refuses_what_is_not_a_regular_file)
{
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	struct source *source = NULL;
	cr_assert_eq(source_open(&source, ends[0], "pipe.csv", &wide, &error), RESULT_INVALID);
	expect_message("pipe.csv", "regular");
	close(ends[0]);
	close(ends[1]);
}

Test(source, reads_gzip_and_zstd_whatever_the_name)
{
	struct bytes plain = sample(50000);
	static const struct {
		int filter;
		const char *name;
		const char *title;
	} cases[] = {
	    {ARCHIVE_FILTER_GZIP, "a.csv.gz", "a.csv"},   {ARCHIVE_FILTER_GZIP, "/x/A.CSV.GZ", "A.CSV"},
	    {ARCHIVE_FILTER_GZIP, "a.csv.gzip", "a.csv"}, {ARCHIVE_FILTER_GZIP, "a.csv", "a.csv"},
	    {ARCHIVE_FILTER_GZIP, "a.zst", "a.zst"},      {ARCHIVE_FILTER_GZIP, ".gz", ".gz"},
	    {ARCHIVE_FILTER_ZSTD, "a.csv.zst", "a.csv"},  {ARCHIVE_FILTER_ZSTD, "a.csv.zstd", "a.csv"},
	    {ARCHIVE_FILTER_ZSTD, "a.gz", "a.gz"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bytes packed = compressed(cases[i].filter, plain);
		struct source *source = open_bytes(packed, cases[i].name);
		expect_next(source, NULL, cases[i].title);
		struct bytes got;
		cr_assert_eq(read_member(source, 10000, &got), RESULT_OK, "%s", error.message);
		cr_assert_eq(got.length, plain.length);
		cr_assert_eq(memcmp(got.data, plain.data, got.length), 0);
		cr_assert_eq(source_position(source), packed.length);
		expect_end(source);
		source_close(source);
		free(got.data);
		free(packed.data);
	}
	free(plain.data);
}

Test(source, keeps_a_compression_ending_that_the_content_denies)
{
	struct source *source = open_bytes((struct bytes){"a\n", 2}, "a.csv.gz");
	expect_next(source, NULL, "a.csv.gz");
	expect_member(source, "a\n");
	source_close(source);
}

Test(source, joins_the_streams_of_a_gzip_and_skips_padding)
{
	struct bytes one = compressed(ARCHIVE_FILTER_GZIP, (struct bytes){"a,b\n", 4});
	struct bytes none = compressed(ARCHIVE_FILTER_GZIP, (struct bytes){"", 0});
	char file[1024] = {0};
	size_t length = 0;
	const struct bytes parts[] = {one, none, one};
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		memcpy(file + length, parts[i].data, parts[i].length);
		length += parts[i].length;
	}
	struct source *source = open_bytes((struct bytes){file, length + 100}, "a.csv.gz");
	expect_next(source, NULL, "a.csv");
	expect_member(source, "a,b\na,b\n");
	source_close(source);

	memcpy(file + length, "rubbish", 7);
	expect_unreadable((struct bytes){file, length + 7}, "a.csv.gz", "damaged");
	free(one.data);
	free(none.data);
}

Test(source, refuses_a_truncated_gzip_wherever_it_is_cut)
{
	struct bytes plain = sample(100);
	struct bytes packed = compressed(ARCHIVE_FILTER_GZIP, plain);
	for (size_t length = 3; length < packed.length; length++)
		expect_unreadable((struct bytes){packed.data, length}, "a.csv.gz", "truncated");
	free(packed.data);
	free(plain.data);
}

Test(source, refuses_a_gzip_whose_checksum_or_length_is_wrong)
{
	struct bytes plain = sample(100);
	struct bytes packed = compressed(ARCHIVE_FILTER_GZIP, plain);
	for (size_t i = packed.length - 8; i < packed.length; i++) {
		packed.data[i] ^= 1;
		expect_unreadable(packed, "a.csv.gz", "damaged");
		packed.data[i] ^= 1;
	}
	free(packed.data);
	free(plain.data);
}

Test(source, refuses_a_truncated_zstd)
{
	struct bytes plain = sample(1000);
	struct bytes packed = compressed(ARCHIVE_FILTER_ZSTD, plain);
	for (size_t length = 4; length < packed.length; length += 100)
		expect_unreadable((struct bytes){packed.data, length}, "a.csv.zst", "truncated");
	packed.length--;
	expect_unreadable(packed, "a.csv.zst", "truncated");
	free(packed.data);
	free(plain.data);
}

Test(source, names_the_files_of_a_zip_and_passes_over_the_rest)
{
	struct packer packer = begin_zip(NULL);
	open_packer(&packer);
	pack_header(&packer, "data/", AE_IFDIR, 0);
	pack_member(&packer, "data/a.csv", "a\n");
	pack_header(&packer, "data/link.csv", AE_IFLNK, 0);
	pack_member(&packer, "data/empty.csv", "");
	pack_member(&packer, "../../up.csv", "u\n");
	pack_member(&packer, "/etc/abs.csv", "b\n");
	pack_member(&packer, "plain", "p\n");
	pack_member(&packer, "a.csv.gz", "not gzip\n");
	struct bytes zip = end_packing(&packer);
	struct source *source = open_bytes(zip, "archive.csv");
	cr_assert(source_is_archive(source));
	expect_next(source, "data/a.csv", "a.csv");
	expect_member(source, "a\n");
	expect_next(source, "data/empty.csv", "empty.csv");
	expect_member(source, "");
	expect_next(source, "../../up.csv", "up.csv");
	expect_next(source, "/etc/abs.csv", "abs.csv");
	expect_member(source, "b\n");
	expect_next(source, "plain", "plain");
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_OK);
	cr_assert_eq(member.index, 5);
	cr_assert_eq(member.size, 9);
	cr_assert_str_eq(member.title, "a.csv.gz");
	expect_member(source, "not gzip\n");
	cr_assert_leq(source_position(source), zip.length);
	expect_end(source);
	source_close(source);
	free(zip.data);
}

Test(source, takes_the_base_name_behind_a_backslash)
{
	struct bytes zip = zip_of_one("data|a/b.csv", (struct bytes){"a\n", 2});
	replace_all(zip, "data|a/b.csv", "data/a\\b.csv");
	struct source *source = open_bytes(zip, "a.zip");
	expect_next(source, "data/a\\b.csv", "b.csv");
	source_close(source);
	free(zip.data);
}

/* Sets the flag "this name is UTF-8" in both headers of the one member. */
static void flag_utf8(struct bytes zip)
{
	char *local = memmem(zip.data, zip.length, "PK\3\4", 4);
	char *central = memmem(zip.data, zip.length, "PK\1\2", 4);
	local[7] = (char)(local[7] | 8);
	central[9] = (char)(central[9] | 8);
}

Test(source, keeps_a_name_beyond_ascii_in_the_c_locale)
{
	struct bytes zip = zip_of_one("caf##.csv", (struct bytes){"a\n", 2});
	replace_all(zip, "caf##.csv", "caf\xc3\xa9.csv");
	for (int flagged = 0; flagged < 2; flagged++) {
		struct source *source = open_bytes(zip, "a.zip");
		expect_next(source, "caf\xc3\xa9.csv", "caf\xc3\xa9.csv");
		expect_member(source, "a\n");
		source_close(source);
		flag_utf8(zip);
	}
	free(zip.data);
}

Test(source, keeps_the_bytes_of_a_name_that_is_not_utf8)
{
	struct bytes zip = zip_of_one("caf#.csv", (struct bytes){"a\n", 2});
	replace_all(zip, "caf#.csv", "caf\xe9.csv");
	struct source *source = open_bytes(zip, "a.zip");
	expect_next(source, "caf\xe9.csv", "caf\xe9.csv");
	expect_member(source, "a\n");
	source_close(source);
	flag_utf8(zip);
	source = open_bytes(zip, "a.zip");
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_OK);
	expect_member(source, "a\n");
	source_close(source);
	free(zip.data);
}

Test(source, finds_no_member_in_an_empty_zip)
{
	char end[22] = "PK\5\6";
	struct source *source = open_bytes((struct bytes){end, sizeof(end)}, "a.zip");
	cr_assert(source_is_archive(source));
	expect_end(source);
	source_close(source);
	expect_refused(end, sizeof(end) - 1, "a.zip", "truncated");
}

Test(source, refuses_a_truncated_zip_wherever_it_is_cut)
{
	struct bytes plain = sample(100);
	struct bytes zip = zip_of_one("a.csv", plain);
	for (size_t length = 4; length < zip.length; length++)
		expect_refused(zip.data, length, "a.zip", "truncated");
	free(zip.data);
	free(plain.data);
}

Test(source, refuses_a_zip_whose_directory_has_a_wrong_size)
{
	struct bytes zip = zip_of_one("a.csv", (struct bytes){"a\n", 2});
	char *end = memmem(zip.data, zip.length, "PK\5\6", 4);
	memset(end + 12, 0, 4);
	struct source *source = open_bytes(zip, "a.zip");
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_INVALID);
	expect_message("a.zip", "damaged");
	source_close(source);
	free(zip.data);
}

Test(source, refuses_a_zip_member_that_fails_its_checksum_and_names_it)
{
	struct packer packer = begin_zip("zip:compression=store");
	open_packer(&packer);
	pack_member(&packer, "good.csv", "a,b\n");
	pack_member(&packer, "data/bad.csv", "precious,1\n");
	pack_member(&packer, "after.csv", "c\n");
	struct bytes zip = end_packing(&packer);
	replace_all(zip, "precious", "PRECIOUS");
	struct source *source = open_bytes(zip, "a.zip");
	expect_next(source, "good.csv", "good.csv");
	expect_member(source, "a,b\n");
	expect_next(source, "data/bad.csv", "bad.csv");
	struct bytes got;
	cr_assert_eq(read_member(source, 4096, &got), RESULT_INVALID);
	expect_message("a.zip", "member 'data/bad.csv'");
	expect_next(source, "after.csv", "after.csv");
	expect_member(source, "c\n");
	expect_end(source);
	source_close(source);
	free(got.data);
	free(zip.data);
}

Test(source, refuses_an_encrypted_member_and_names_it)
{
	struct packer packer = begin_zip("zip:encryption=zipcrypt");
	cr_assert_eq(archive_write_set_passphrase(packer.archive, "secret"), ARCHIVE_OK);
	open_packer(&packer);
	pack_member(&packer, "a.csv", "a\n");
	struct bytes zip = end_packing(&packer);
	struct source *source = open_bytes(zip, "a.zip");
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_INVALID);
	expect_message("a.zip", "member 'a.csv'");
	expect_message("a.zip", "encrypted");
	source_close(source);
	free(zip.data);
}

Test(source, stops_at_max_members)
{
	struct packer packer = begin_zip(NULL);
	open_packer(&packer);
	pack_header(&packer, "d/", AE_IFDIR, 0);
	for (int i = 0; i < 3; i++)
		pack_member(&packer, "d/a.csv", "a\n");
	struct bytes zip = end_packing(&packer);
	int fd = temporary_file(zip.data, zip.length);
	for (uint32_t limit = 2; limit <= 3; limit++) {
		struct source *source =
		    open_source(fd, "a.zip", &(struct source_limits){.max_members = limit, .max_ratio = 200});
		for (uint32_t i = 0; i < limit; i++)
			expect_next(source, "d/a.csv", "a.csv");
		struct source_member member;
		enum result result = source_next(source, &member, &error);
		cr_assert_eq(result, limit == 2 ? RESULT_INVALID : RESULT_END);
		if (result == RESULT_INVALID)
			expect_message("a.zip", "more than 2 files");
		source_close(source);
	}
	close(fd);
	free(zip.data);
}

/* Reads all of the first member and returns how it ended. */
static enum result unpack(struct bytes packed, const char *name, uint32_t ratio, uint64_t *total)
{
	enum { STEP = 1 << 20 };
	int fd = temporary_file(packed.data, packed.length);
	struct source *source =
	    open_source(fd, name, &(struct source_limits){.max_members = 9, .max_ratio = ratio});
	close(fd);
	struct source_member member;
	cr_assert_eq(source_next(source, &member, &error), RESULT_OK);
	char *bytes = malloc(STEP);
	enum result result;
	size_t count = 0;
	*total = 0;
	do {
		result = source_read(source, bytes, STEP, &count, &error);
		*total += count;
	} while (result == RESULT_OK && count > 0);
	free(bytes);
	source_close(source);
	return result;
}

Test(source, stops_a_compression_bomb_beyond_64_mib)
{
	enum { MIB = 1 << 20 };
	struct bytes zeros = {calloc(80, MIB), 80 * (size_t)MIB};
	static const int filters[] = {ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_ZSTD};
	for (size_t i = 0; i < 2; i++) {
		uint64_t total;
		struct bytes bomb = compressed(filters[i], zeros);
		cr_assert_eq(unpack(bomb, "bomb.gz", 200, &total), RESULT_INVALID);
		expect_message("bomb.gz", "more than 200 times");
		cr_assert_leq(total, 66 * MIB);
		cr_assert_eq(unpack(bomb, "bomb.gz", 1000000, &total), RESULT_OK, "%s", error.message);
		cr_assert_eq(total, zeros.length);
		free(bomb.data);

		struct bytes small = compressed(filters[i], (struct bytes){zeros.data, 64 * (size_t)MIB});
		cr_assert_eq(unpack(small, "small.gz", 200, &total), RESULT_OK, "%s", error.message);
		free(small.data);
	}
	struct bytes zip = zip_of_one("zeros.csv", zeros);
	uint64_t total;
	cr_assert_eq(unpack(zip, "bomb.zip", 200, &total), RESULT_INVALID);
	expect_message("bomb.zip", "more than 200 times");
	free(zip.data);
	free(zeros.data);
}
