// SPDX-License-Identifier: Apache-2.0
#include "fetch/download.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "fetch/changed.h"
#include "fetch/checksum.h"
#include "fetch/members.h"
#include "fetch/zipdir.h"

enum { REPLACED_MAX = 3 };

static const char MODE[] = "whole";

/* The whole object on its way into the part. */
struct whole {
	struct download *download;
	struct remote *remote;
	int fd;
	uint64_t position;
	bool is_noted; /* the logbook knows what the part is of */
	bool was_kept; /* some of it is from an earlier run */
};

static enum result empty_part(struct whole *whole, struct error *error)
{
	whole->position = 0;
	whole->is_noted = whole->was_kept = false;
	if (ftruncate(whole->fd, 0) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot cut", whole->download->nursery->part);
	return RESULT_OK;
}

static enum result restart(void *context, struct error *error)
{
	return empty_part(context, error);
}

static enum result append(void *context, struct slice bytes, struct error *error)
{
	struct whole *whole = context;
	struct download *download = whole->download;
	enum result result = RESULT_OK;
	if (!whole->is_noted)
		result = logbook_begin_part(download->logbook, download->version, MODE,
		                            remote_identity(whole->remote), error);
	whole->is_noted = true;
	return result == RESULT_OK
	           ? file_write_all(whole->fd, bytes.data, bytes.length, download->nursery->part, error)
	           : result;
}

/* Only bytes that a checksum will be compared with are gone on from: a power cut may have left others. */
static enum result open_whole(struct whole *whole, struct download *download, const char *url,
                              struct error *error)
{
	struct remote_identity known;
	struct stat status;
	*whole = (struct whole){.download = download, .fd = -1};
	bool keeps =
	    logbook_part(download->logbook, download->version, MODE, &known) && checksum_is_known(&known);
	enum result result = nursery_grow(download->nursery, keeps, &whole->fd, error);
	if (result != RESULT_OK)
		return result;
	if (fstat(whole->fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", download->nursery->part);
	whole->position = (uint64_t)status.st_size;
	whole->is_noted = whole->was_kept = whole->position > 0;
	result = remote_open(&whole->remote, download->kaggle, url, whole->was_kept ? &known : NULL, error);
	if (result == RESULT_OK)
		remote_watch(whole->remote, download->progress, download->context);
	return result;
}

static void close_whole(struct whole *whole)
{
	if (whole->remote != NULL) {
		whole->download->received += remote_received(whole->remote);
		whole->download->trouble = *remote_trouble(whole->remote);
	}
	remote_close(whole->remote);
	if (whole->fd >= 0)
		close(whole->fd);
}

/* All bytes of one object, whatever is replaced meanwhile. */
static enum result transfer(struct whole *whole, struct error *error)
{
	struct remote_sink sink = {.append = append, .restart = restart, .context = whole};
	enum result result = RESULT_CHANGED;
	for (int i = 0; result == RESULT_CHANGED && i < REPLACED_MAX; i++) {
		result = remote_read(whole->remote, &whole->position, UINT64_MAX, &sink, error);
		if (result != RESULT_CHANGED)
			break;
		remote_forget(whole->remote);
		if (empty_part(whole, error) != RESULT_OK)
			return error->result;
	}
	return result;
}

static enum result transfer_verified(struct whole *whole, struct error *error)
{
	const char *part = whole->download->nursery->part;
	enum result result = transfer(whole, error);
	if (result == RESULT_OK)
		result = checksum_verify(whole->fd, part, remote_identity(whole->remote), error);
	if (result != RESULT_CHANGED || !whole->was_kept)
		return result;
	result = empty_part(whole, error);
	if (result == RESULT_OK)
		result = transfer(whole, error);
	return result == RESULT_OK ? checksum_verify(whole->fd, part, remote_identity(whole->remote), error)
	                           : result;
}

static enum result read_part(void *context, uint64_t offset, void *bytes, size_t count, struct error *error)
{
	const struct whole *whole = context;
	ssize_t got = pread(whole->fd, bytes, count, (off_t)offset);
	if (got < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot read", whole->download->nursery->part);
	if ((size_t)got != count)
		return error_set(error, RESULT_INVALID, "the archive is shorter than it says");
	return RESULT_OK;
}

static bool is_zip(int fd)
{
	char magic[4];
	return pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
	       (memcmp(magic, "PK\3\4", 4) == 0 || memcmp(magic, "PK\5\6", 4) == 0);
}

/* What will be compared with the next version. An archive that we cannot take to pieces, but the reader of
 * archives can, is remembered without its members. */
static enum result inspect(struct whole *whole, struct error *error)
{
	struct download *download = whole->download;
	struct zipdir directory;
	struct zipdir_source source = {.read = read_part, .context = whole, .size = whole->position};
	bool is_whole_dataset = download->handle->file[0] == '\0';
	download->is_zip = is_zip(whole->fd);
	if (!download->is_zip)
		return is_whole_dataset ? error_set(error, RESULT_INVALID, "what arrived is no zip archive")
		                        : RESULT_OK;
	enum result parsed = zipdir_read(&directory, &source, error);
	if (parsed != RESULT_OK && parsed != RESULT_END && parsed != RESULT_INVALID)
		return parsed;
	bool is_sure = parsed == RESULT_OK && checksum_is_known(remote_identity(whole->remote));
	enum result result =
	    is_sure ? RESULT_OK : members_verify(whole->fd, download->handle->slug, NULL, error);
	if (result == RESULT_OK && parsed == RESULT_OK) {
		download->members = members_of(&directory);
		download->count = download->changed = members_count(&directory);
	}
	zipdir_free(&directory);
	return result;
}

static enum result run_whole(struct download *download, const char *url, struct error *error)
{
	CLEANUP(close_whole) struct whole whole;
	json_decref(download->members);
	download->members = NULL;
	download->count = download->changed = 0;
	enum result result = open_whole(&whole, download, url, error);
	if (result == RESULT_OK)
		result = transfer_verified(&whole, error);
	if (result == RESULT_OK)
		result = inspect(&whole, error);
	if (result == RESULT_OK) {
		download->total = (int64_t)whole.position;
		download->wanted = whole.position;
		return nursery_settle(download->nursery, whole.fd, error);
	}
	/* What is wrong with it will not become right by going on. */
	bool is_refused = whole.remote != NULL && remote_trouble(whole.remote)->refusal.code != 0;
	if (result == RESULT_CHANGED || (result == RESULT_INVALID && !is_refused))
		nursery_clear(download->nursery);
	return result == RESULT_CHANGED ? (error->result = RESULT_INVALID) : result;
}

static bool has_former(const struct download *download)
{
	return download->handle->file[0] == '\0' &&
	       json_object_size(json_object_get(logbook_root(download->logbook), "members")) > 0;
}

enum result download_run(struct download *download, struct error *error)
{
	CLEANUP_FREE char *url = kaggle_download_url(download->kaggle, download->handle, download->version);
	if (url == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = has_former(download) ? changed_run(download, url, error) : RESULT_REFUSED;
	return result == RESULT_REFUSED ? run_whole(download, url, error) : result;
}

static enum result drop_bytes(void *context, struct slice bytes, struct error *error)
{
	(void)context, (void)bytes, (void)error;
	return RESULT_OK; /* the headers say it all */
}

/* Only the length of the whole. */
static enum result look_whole(struct download *download, const char *url, struct error *error)
{
	struct remote *remote;
	struct remote_sink sink = {.append = drop_bytes};
	uint64_t position = 0;
	enum result result = remote_open(&remote, download->kaggle, url, NULL, error);
	if (result != RESULT_OK)
		return result;
	result = remote_read(remote, &position, 1, &sink, error);
	download->total = remote_identity(remote)->total;
	download->wanted = download->total > 0 ? (uint64_t)download->total : 0;
	download->received += remote_received(remote);
	download->trouble = *remote_trouble(remote);
	remote_close(remote);
	return result == RESULT_REFUSED ? RESULT_OK : result;
}

enum result download_look(struct download *download, struct error *error)
{
	CLEANUP_FREE char *url = kaggle_download_url(download->kaggle, download->handle, download->version);
	if (url == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	enum result result = has_former(download) ? changed_look(download, url, error) : RESULT_REFUSED;
	return result == RESULT_REFUSED ? look_whole(download, url, error) : result;
}

void download_close(struct download *download)
{
	json_decref(download->members);
	download->members = NULL;
}
