// SPDX-License-Identifier: Apache-2.0
#include "fetch/changed.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fetch/members.h"
#include "fetch/subset.h"

enum { PROBE = 4 };

static const char MODE[] = "changed";

/* The archive on the server, and what is wanted of it. */
struct archive {
	struct download *download;
	struct remote *remote;
	struct zipdir directory;
	struct subset subset;
	uint64_t done; /* bytes of the subset */
	int fd;
};

static enum result append_to_buffer(void *context, struct slice bytes, struct error *error)
{
	return buffer_append(context, bytes.data, bytes.length) == RESULT_OK
	           ? RESULT_OK
	           : error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result read_remote(void *context, uint64_t offset, void *bytes, size_t count, struct error *error)
{
	struct archive *archive = context;
	CLEANUP(buffer_free) struct buffer buffer = {0};
	struct remote_sink sink = {.append = append_to_buffer, .context = &buffer};
	uint64_t position = offset;
	enum result result = remote_read(archive->remote, &position, offset + count, &sink, error);
	if (result == RESULT_OK)
		memcpy(bytes, buffer.data, count);
	return result;
}

static bool is_wanted(const void *context, const struct zipdir_member *member)
{
	return !members_have(context, member);
}

static void close_archive(struct archive *archive)
{
	if (archive->remote != NULL) {
		archive->download->received += remote_received(archive->remote);
		archive->download->trouble = *remote_trouble(archive->remote);
	}
	subset_free(&archive->subset);
	zipdir_free(&archive->directory);
	remote_close(archive->remote);
	if (archive->fd >= 0)
		close(archive->fd);
}

/* What a server refuses is final; anything else that is wrong with the archive is not, of the whole one. */
static enum result or_whole(const struct archive *archive, enum result result, struct error *error)
{
	bool is_refusal = remote_trouble(archive->remote)->refusal.code != 0;
	if (is_refusal || (result != RESULT_INVALID && result != RESULT_CHANGED))
		return result;
	return error->result = RESULT_REFUSED;
}

/* Learns the archive's size, by its first bytes. */
static enum result probe(struct archive *archive, struct error *error)
{
	char magic[PROBE];
	enum result result = read_remote(archive, 0, magic, sizeof magic, error);
	const struct remote_identity *identity = remote_identity(archive->remote);
	if (result == RESULT_OK && identity->total < 0)
		return error_set(error, RESULT_REFUSED, "the server does not say how large it is");
	return result;
}

static enum result choose(struct archive *archive, struct error *error)
{
	struct download *download = archive->download;
	const json_t *known = json_object_get(logbook_root(download->logbook), "members");
	struct zipdir_source source = {.read = read_remote,
	                               .context = archive,
	                               .size = (uint64_t)remote_identity(archive->remote)->total};
	enum result result = zipdir_read(&archive->directory, &source, error);
	if (result == RESULT_END)
		return error_set(error, RESULT_REFUSED, "too many members");
	if (result != RESULT_OK)
		return result;
	if (subset_open(&archive->subset, &archive->directory, is_wanted, known) != RESULT_OK ||
	    (download->members = members_of(&archive->directory)) == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	download->is_zip = true;
	download->total = remote_identity(archive->remote)->total;
	download->count = members_count(&archive->directory);
	download->changed = archive->subset.chosen;
	download->wanted = archive->subset.length;
	if (download->changed == 0)
		return RESULT_END;
	return download->changed < download->count ? RESULT_OK
	                                           : error_set(error, RESULT_REFUSED, "everything changed");
}

static enum result open_archive(struct archive *archive, struct download *download, const char *url,
                                struct error *error)
{
	*archive = (struct archive){.download = download, .fd = -1};
	json_decref(download->members);
	download->members = NULL;
	enum result result = remote_open(&archive->remote, download->kaggle, url, NULL, error);
	if (result != RESULT_OK)
		return result;
	result = probe(archive, error);
	if (result == RESULT_OK)
		result = choose(archive, error);
	return or_whole(archive, result, error);
}

static bool is_same_object(const struct remote_identity *a, const struct remote_identity *b)
{
	return a->total == b->total && strcmp(a->etag, b->etag) == 0 &&
	       strcmp(a->modified, b->modified) == 0 && strcmp(a->md5, b->md5) == 0 &&
	       strcmp(a->crc32c, b->crc32c) == 0;
}

/* What an earlier run got of the same object is the beginning of the same subset: the members that are known
 * have not changed since. Its CRCs are checked in the end. */
static enum result open_part(struct archive *archive, struct error *error)
{
	struct download *download = archive->download;
	const struct remote_identity *identity = remote_identity(archive->remote);
	struct remote_identity kept;
	struct stat status;
	bool keeps = logbook_part(download->logbook, download->version, MODE, &kept) &&
	             is_same_object(&kept, identity);
	enum result result = nursery_grow(download->nursery, keeps, &archive->fd, error);
	if (result != RESULT_OK)
		return result;
	if (fstat(archive->fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", download->nursery->part);
	archive->done = (uint64_t)status.st_size;
	if (archive->done > archive->subset.length)
		archive->done = archive->subset.length;
	if (ftruncate(archive->fd, (off_t)archive->done) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot cut", download->nursery->part);
	return logbook_begin_part(download->logbook, download->version, MODE, identity, error);
}

static enum result append_to_part(void *context, struct slice bytes, struct error *error)
{
	struct archive *archive = context;
	struct download *download = archive->download;
	enum result result =
	    file_write_all(archive->fd, bytes.data, bytes.length, download->nursery->part, error);
	archive->done += bytes.length;
	if (download->progress != NULL)
		download->progress(download->context, archive->done, (int64_t)archive->subset.length);
	return result;
}

static enum result append_trailer(struct archive *archive, struct error *error)
{
	CLEANUP(buffer_free) struct buffer trailer = {0};
	const char *part = archive->download->nursery->part;
	if (subset_trailer(&archive->subset, &trailer) != RESULT_OK)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = file_write_all(archive->fd, trailer.data, trailer.length, part, error);
	if (result == RESULT_OK)
		result =
		    members_verify(archive->fd, archive->download->handle->slug, &archive->subset, error);
	return result == RESULT_OK ? nursery_settle(archive->download->nursery, archive->fd, error) : result;
}

static enum result fill_part(struct archive *archive, struct error *error)
{
	struct subset_range rest;
	struct remote_sink sink = {.append = append_to_part, .context = archive};
	enum result result = open_part(archive, error);
	while (result == RESULT_OK && subset_find(&archive->subset, archive->done, &rest)) {
		uint64_t position = rest.start;
		result = remote_read(archive->remote, &position, rest.end, &sink, error);
	}
	return result == RESULT_OK ? append_trailer(archive, error) : result;
}

enum result changed_run(struct download *download, const char *url, struct error *error)
{
	CLEANUP(close_archive) struct archive archive;
	enum result result = open_archive(&archive, download, url, error);
	if (result != RESULT_OK)
		return result;
	result = or_whole(&archive, fill_part(&archive, error), error);
	if (result == RESULT_REFUSED)
		nursery_clear(download->nursery);
	download->is_incomplete = result == RESULT_OK;
	return result;
}

enum result changed_look(struct download *download, const char *url, struct error *error)
{
	CLEANUP(close_archive) struct archive archive;
	return open_archive(&archive, download, url, error);
}
