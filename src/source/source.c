// SPDX-License-Identifier: Apache-2.0
#include "source/source.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/file.h"

/*
 * What a file is, is settled here by its first bytes, and libarchive is told: were it left to guess, a CSV
 * could look like one of its text formats. Zip is read by its central directory only, so that a truncated
 * archive is refused as a whole rather than taken up to the cut. gzip goes through zlib, because
 * libarchive 3.6 does not verify its checksum.
 */

enum {
	PACKED_BUFFER_SIZE = 128 * 1024,
	RATIO_FREE_BYTES = 64 * 1024 * 1024,
	ZIP_END_SIZE = 22, /* the end-of-directory record, all there is in an empty zip */
};

enum kind { KIND_PLAIN, KIND_GZIP, KIND_ZSTD, KIND_ZIP, KIND_ZIP_EMPTY };

struct source {
	int fd;
	enum kind kind;
	char *name;
	char *title;       /* of the current member */
	char *member_name; /* NULL unless in an archive */
	struct source_limits limits;
	uint64_t size;     /* of the file */
	uint64_t position; /* in the file, where the next pread(2) goes */
	uint64_t plain;    /* bytes handed out of all members */
	uint32_t members;  /* begun so far */
	bool has_entries;  /* the archive named something, if only a directory */
	int read_errno;    /* of a pread(2) that failed inside libarchive */
	struct archive *archive;
	locale_t utf8; /* libarchive converts names to the locale's charset */
	z_stream inflater;
	bool inflating; /* inside a gzip stream: the input must not end here */
	unsigned char packed[PACKED_BUFFER_SIZE];
};

static enum result no_memory(const struct source *source, struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "no memory to read '%s'", source->name);
}

/* pread(2) at the source's own position, whatever the offset of the descriptor that the caller shares. */
static ssize_t read_packed(struct source *source, void *bytes, size_t size)
{
	ssize_t count;
	do {
		count = pread(source->fd, bytes, size, (off_t)source->position);
	} while (count < 0 && errno == EINTR);
	if (count > 0)
		source->position += (uint64_t)count;
	return count;
}

static la_ssize_t on_archive_read(struct archive *archive, void *context, const void **bytes)
{
	struct source *source = context;
	ssize_t count = read_packed(source, source->packed, sizeof(source->packed));
	*bytes = source->packed;
	if (count < 0) {
		source->read_errno = errno;
		archive_set_error(archive, errno, "cannot be read");
		return ARCHIVE_FATAL;
	}
	return count;
}

static la_int64_t on_archive_seek(struct archive *archive, void *context, la_int64_t offset, int whence)
{
	struct source *source = context;
	int64_t base = 0;
	if (whence == SEEK_CUR)
		base = (int64_t)source->position;
	else if (whence == SEEK_END)
		base = (int64_t)source->size;
	int64_t target;
	if (__builtin_add_overflow(base, offset, &target) || target < 0) {
		archive_set_error(archive, EINVAL, "points outside the file");
		return ARCHIVE_FATAL;
	}
	source->position = (uint64_t)target;
	return target;
}

/* What libarchive has against the file or its current member. */
static enum result archive_failure(const struct source *source, struct error *error)
{
	if (source->read_errno != 0) {
		errno = source->read_errno;
		return error_set_errno(error, RESULT_IO, "cannot read '%s'", source->name);
	}
	if (archive_errno(source->archive) == ENOMEM)
		return no_memory(source, error);
	const char *reason = archive_error_string(source->archive);
	if (reason == NULL)
		reason = "unknown error";
	if (source->member_name != NULL)
		return error_set(error, RESULT_INVALID, "member '%s' of '%s' is damaged or truncated: %s",
		                 source->member_name, source->name, reason);
	return error_set(error, RESULT_INVALID, "'%s' is damaged or truncated: %s", source->name, reason);
}

static enum result open_archive(struct source *source, struct error *error)
{
	struct archive *archive = source->archive = archive_read_new();
	if (archive == NULL)
		return no_memory(source, error);
	int status;
	if (source->kind == KIND_ZIP) {
		source->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
		status = archive_read_support_format_zip_seekable(archive);
	} else {
		status = archive_read_set_format(archive, ARCHIVE_FORMAT_RAW);
		if (status == ARCHIVE_OK)
			status = archive_read_append_filter(archive, ARCHIVE_FILTER_ZSTD);
	}
	if (status == ARCHIVE_OK)
		status = archive_read_set_read_callback(archive, on_archive_read);
	if (status == ARCHIVE_OK)
		status = archive_read_set_seek_callback(archive, on_archive_seek);
	if (status == ARCHIVE_OK)
		status = archive_read_set_callback_data(archive, source);
	if (status == ARCHIVE_OK)
		status = archive_read_open1(archive);
	if (status == ARCHIVE_OK)
		return RESULT_OK;
	if (source->kind == KIND_ZIP && source->read_errno == 0)
		return error_set(error, RESULT_INVALID,
		                 "'%s' is a truncated or damaged zip: no directory at its end", source->name);
	return archive_failure(source, error);
}

/* An end-of-directory record that says "no members", and nothing behind its comment. */
static bool is_whole_empty_zip(const struct source *source, const unsigned char *first, size_t count)
{
	if (count < ZIP_END_SIZE || first[10] != 0 || first[11] != 0)
		return false;
	return source->size == ZIP_END_SIZE + first[20] + 256U * first[21];
}

static bool begins_with(const unsigned char *first, size_t count, const char *magic, size_t length)
{
	return count >= length && memcmp(first, magic, length) == 0;
}

static enum result recognise(struct source *source, struct error *error)
{
	unsigned char first[ZIP_END_SIZE];
	ssize_t got = read_packed(source, first, sizeof(first));
	if (got < 0)
		return error_set_errno(error, RESULT_IO, "cannot read '%s'", source->name);
	size_t count = (size_t)got;
	source->position = 0;
	if (begins_with(first, count, "PK\3\4", 4)) {
		source->kind = KIND_ZIP;
	} else if (begins_with(first, count, "PK\5\6", 4)) {
		if (!is_whole_empty_zip(source, first, count))
			return error_set(error, RESULT_INVALID, "'%s' is a truncated or damaged zip",
			                 source->name);
		source->kind = KIND_ZIP_EMPTY;
	} else if (begins_with(first, count, "\x1f\x8b\x08", 3)) {
		source->kind = KIND_GZIP;
	} else if (begins_with(first, count, "\x28\xb5\x2f\xfd", 4)) {
		source->kind = KIND_ZSTD;
	}
	return RESULT_OK;
}

static enum result prepare(struct source *source, struct error *error)
{
	struct stat status;
	if (fstat(source->fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "cannot look at '%s'", source->name);
	if (!S_ISREG(status.st_mode))
		return error_set(error, RESULT_INVALID, "'%s' is not a regular file", source->name);
	source->size = (uint64_t)status.st_size;
	enum result result = recognise(source, error);
	if (result != RESULT_OK)
		return result;
	/* 15: the largest window; + 16: gzip only */
	if (source->kind == KIND_GZIP && inflateInit2(&source->inflater, 15 + 16) != Z_OK)
		return no_memory(source, error);
	if (source->kind == KIND_ZIP || source->kind == KIND_ZSTD)
		return open_archive(source, error);
	return RESULT_OK;
}

enum result source_open(struct source **out, int fd, const char *name, const struct source_limits *limits,
                        struct error *error)
{
	struct source *source = calloc(1, sizeof(*source));
	if (source == NULL)
		return error_set(error, RESULT_NO_MEMORY, "no memory to read '%s'", name);
	source->limits = *limits;
	enum result result = RESULT_OK;
	source->name = strdup(name);
	source->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (source->fd < 0)
		result = error_set_errno(error, RESULT_IO, "cannot open '%s'", name);
	else if (source->name == NULL)
		result = error_set(error, RESULT_NO_MEMORY, "no memory to read '%s'", name);
	else
		result = prepare(source, error);
	if (result != RESULT_OK) {
		source_close(source);
		return result;
	}
	*out = source;
	return RESULT_OK;
}

/* Cuts one of the endings that name this compression. */
static void cut_ending(char *title, enum kind kind)
{
	static const struct {
		enum kind kind;
		const char *text;
	} endings[] = {{KIND_GZIP, ".gz"}, {KIND_GZIP, ".gzip"}, {KIND_ZSTD, ".zst"}, {KIND_ZSTD, ".zstd"}};
	size_t length = strlen(title);
	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		size_t ending = strlen(endings[i].text);
		if (endings[i].kind == kind && length > ending &&
		    strcasecmp(title + length - ending, endings[i].text) == 0) {
			title[length - ending] = '\0';
			return;
		}
	}
}

/* The part behind the last separator of either kind; the whole where nothing stands behind it. */
static const char *member_base_name(const char *name)
{
	const char *base = name;
	for (const char *at = name; *at != '\0'; at++) {
		if ((*at == '/' || *at == '\\') && at[1] != '\0')
			base = at + 1;
	}
	return base;
}

static void forget_member(struct source *source)
{
	free(source->title);
	free(source->member_name);
	source->title = NULL;
	source->member_name = NULL;
}

static enum result next_file(struct source *source, struct source_member *member, struct error *error)
{
	if (source->members > 0)
		return RESULT_END;
	source->title = strdup(file_base_name(source->name));
	if (source->title == NULL)
		return no_memory(source, error);
	cut_ending(source->title, source->kind);
	struct archive_entry *entry;
	if (source->kind == KIND_ZSTD && archive_read_next_header(source->archive, &entry) != ARCHIVE_OK)
		return archive_failure(source, error);
	*member = (struct source_member){
	    .title = source->title,
	    .size = source->kind == KIND_PLAIN ? source->size : 0,
	};
	source->members = 1;
	return RESULT_OK;
}

/* As archive_read_next_header(), in a locale that can hold any name; keeps the entry's name. */
static int next_entry(struct source *source, struct archive_entry **entry)
{
	locale_t before = (locale_t)0;
	if (source->utf8 != (locale_t)0)
		before = uselocale(source->utf8);
	int status = archive_read_next_header(source->archive, entry);
	if (status == ARCHIVE_OK || status == ARCHIVE_WARN) {
		const char *name = archive_entry_pathname_utf8(*entry);
		if (name == NULL)
			name = archive_entry_pathname(*entry);
		source->member_name = strdup(name != NULL && *name != '\0' ? name : "unnamed");
	}
	if (before != (locale_t)0)
		uselocale(before);
	return status;
}

static enum result take_entry(struct source *source, struct archive_entry *entry,
                              struct source_member *member, struct error *error)
{
	if (source->members >= source->limits.max_members)
		return error_set(error, RESULT_INVALID, "'%s' holds more than %u files", source->name,
		                 source->limits.max_members);
	uint32_t index = source->members++;
	if (archive_entry_is_encrypted(entry))
		return error_set(error, RESULT_INVALID, "member '%s' of '%s' is encrypted",
		                 source->member_name, source->name);
	source->title = strdup(member_base_name(source->member_name));
	if (source->title == NULL)
		return no_memory(source, error);
	int64_t size = archive_entry_size_is_set(entry) ? archive_entry_size(entry) : 0;
	*member = (struct source_member){
	    .index = index,
	    .name = source->member_name,
	    .title = source->title,
	    .size = size > 0 ? (uint64_t)size : 0,
	};
	return RESULT_OK;
}

/* Directories, links and the like are passed over. */
static enum result next_in_archive(struct source *source, struct source_member *member, struct error *error)
{
	for (;;) {
		struct archive_entry *entry;
		int status = next_entry(source, &entry);
		/* A zip that does not begin with its end has an entry: libarchive looked in the wrong place.
		 */
		if (status == ARCHIVE_EOF && !source->has_entries)
			return error_set(error, RESULT_INVALID, "'%s' is damaged: its directory is not found",
			                 source->name);
		if (status == ARCHIVE_EOF)
			return RESULT_END;
		/* A warning is about a name that could not be converted. */
		if (status != ARCHIVE_OK && status != ARCHIVE_WARN)
			return archive_failure(source, error);
		if (source->member_name == NULL)
			return no_memory(source, error);
		source->has_entries = true;
		if (archive_entry_filetype(entry) == AE_IFREG)
			return take_entry(source, entry, member, error);
		forget_member(source);
	}
}

enum result source_next(struct source *source, struct source_member *member, struct error *error)
{
	forget_member(source);
	switch (source->kind) {
	case KIND_ZIP:
		return next_in_archive(source, member, error);
	case KIND_ZIP_EMPTY:
		return RESULT_END;
	default:
		return next_file(source, member, error);
	}
}

static enum result read_plain(struct source *source, void *bytes, size_t size, size_t *count,
                              struct error *error)
{
	ssize_t got = read_packed(source, bytes, size);
	if (got < 0)
		return error_set_errno(error, RESULT_IO, "cannot read '%s'", source->name);
	*count = (size_t)got;
	return RESULT_OK;
}

static enum result read_archive(struct source *source, void *bytes, size_t size, size_t *count,
                                struct error *error)
{
	la_ssize_t got = archive_read_data(source->archive, bytes, size);
	if (got < 0)
		return archive_failure(source, error);
	*count = (size_t)got;
	return RESULT_OK;
}

/* Makes input available unless the file ends. Between streams zeros are skipped, as gzip(1) does for tapes.
 */
static enum result fill_inflater(struct source *source, struct error *error)
{
	z_stream *inflater = &source->inflater;
	for (;;) {
		while (!source->inflating && inflater->avail_in > 0 && *inflater->next_in == 0) {
			inflater->next_in++;
			inflater->avail_in--;
		}
		if (inflater->avail_in > 0)
			return RESULT_OK;
		ssize_t got = read_packed(source, source->packed, sizeof(source->packed));
		if (got < 0)
			return error_set_errno(error, RESULT_IO, "cannot read '%s'", source->name);
		inflater->next_in = source->packed;
		inflater->avail_in = (uInt)got;
		if (got == 0)
			return RESULT_OK;
	}
}

static enum result inflate_some(struct source *source, struct error *error)
{
	z_stream *inflater = &source->inflater;
	if (!source->inflating && inflateReset(inflater) != Z_OK)
		return error_set(error, RESULT_INVALID, "'%s' is damaged", source->name);
	int status = inflate(inflater, Z_NO_FLUSH);
	source->inflating = status != Z_STREAM_END;
	if (status == Z_OK || status == Z_STREAM_END || status == Z_BUF_ERROR)
		return RESULT_OK;
	if (status == Z_MEM_ERROR)
		return no_memory(source, error);
	return error_set(error, RESULT_INVALID, "'%s' is damaged: %s", source->name,
	                 inflater->msg != NULL ? inflater->msg : "not gzip data");
}

static enum result read_gzip(struct source *source, void *bytes, size_t size, size_t *count,
                             struct error *error)
{
	z_stream *inflater = &source->inflater;
	uInt room = size < UINT_MAX ? (uInt)size : UINT_MAX;
	inflater->next_out = bytes;
	inflater->avail_out = room;
	while (inflater->avail_out == room) {
		enum result result = fill_inflater(source, error);
		if (result != RESULT_OK)
			return result;
		if (inflater->avail_in == 0) {
			if (source->inflating)
				return error_set(error, RESULT_INVALID,
				                 "'%s' is truncated: its gzip data do not end", source->name);
			break;
		}
		result = inflate_some(source, error);
		if (result != RESULT_OK)
			return result;
	}
	*count = room - inflater->avail_out;
	return RESULT_OK;
}

/* The whole file's size is what counts: of overlapping members no byte is consumed twice. */
static bool breaks_ratio(const struct source *source)
{
	return source->kind != KIND_PLAIN && source->plain > RATIO_FREE_BYTES &&
	       (double)source->plain > (double)source->limits.max_ratio * (double)source->size;
}

enum result source_read(struct source *source, void *bytes, size_t size, size_t *count, struct error *error)
{
	*count = 0;
	if (source->title == NULL || size == 0)
		return RESULT_OK;
	enum result result;
	if (source->kind == KIND_PLAIN)
		result = read_plain(source, bytes, size, count, error);
	else if (source->kind == KIND_GZIP)
		result = read_gzip(source, bytes, size, count, error);
	else
		result = read_archive(source, bytes, size, count, error);
	if (result != RESULT_OK)
		return result;
	source->plain += *count;
	if (breaks_ratio(source))
		return error_set(error, RESULT_INVALID, "'%s' unpacks to more than %u times its size",
		                 source->name, source->limits.max_ratio);
	return RESULT_OK;
}

uint64_t source_position(const struct source *source)
{
	if (source->kind == KIND_GZIP)
		return source->position - source->inflater.avail_in;
	if (source->archive != NULL)
		return (uint64_t)archive_filter_bytes(source->archive, -1);
	return source->position;
}

bool source_is_archive(const struct source *source)
{
	return source->kind == KIND_ZIP || source->kind == KIND_ZIP_EMPTY;
}

void source_close(struct source *source)
{
	if (source == NULL)
		return;
	forget_member(source);
	archive_read_free(source->archive);
	if (source->utf8 != (locale_t)0)
		freelocale(source->utf8);
	inflateEnd(&source->inflater);
	if (source->fd >= 0)
		close(source->fd);
	free(source->name);
	free(source);
}
