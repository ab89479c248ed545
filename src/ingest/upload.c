// SPDX-License-Identifier: Apache-2.0
#include "ingest/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "ingest/manifest.h"
#include "ingest/retire.h"
#include "ingest/segment.h"
#include "ingest/spool.h"
#include "state_batch.h"
#include "store/digest.h"

/* Small objects are settled together: a transaction costs a sync. */
enum { GROUP_MAX = 32 };
static const int64_t GROUP_NS = 250000000;
/* Within this a file gets from the drop directory to where it goes. */
static const int64_t FRESH_NS = 10000000000;

struct done {
	struct state_outbox entry;
	struct state_stored stored;
};

struct upload {
	struct upload_options options;
	uint32_t cursor;        /* entries up to it were tried in this round */
	struct error complaint; /* what the store refused in this round; RESULT_OK: nothing */
	struct done *done;      /* stored, and not settled yet; GROUP_MAX entries */
	size_t done_count;
	/* whose schema is known to be stored */
	uint32_t schema_dataset;
	uint32_t schema_version;
	uint8_t ahead[STATE_ID_SIZE]; /* the last batch that was encoded before it was owed */
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

enum result upload_open(struct upload **out, const struct upload_options *options, struct error *error)
{
	struct upload *upload = calloc(1, sizeof *upload);
	if (upload == NULL || (upload->done = calloc(GROUP_MAX, sizeof *upload->done)) == NULL) {
		free(upload);
		return no_memory(error);
	}
	upload->options = *options;
	*out = upload;
	return RESULT_OK;
}

void upload_close(struct upload *upload)
{
	if (upload == NULL)
		return;
	free(upload->done);
	free(upload);
}

/* A read transaction, or NULL when the state is not open; end_read() in any case. */
static struct state_txn *begin_read(struct upload *upload)
{
	const struct upload_state *access = &upload->options.state;
	struct state *state = access->lock(access->context);
	return state != NULL ? state_txn_begin_read(state) : NULL;
}

static void end_read(struct upload *upload, struct state_txn *txn)
{
	state_txn_abort(txn);
	upload->options.state.unlock(upload->options.state.context);
}

static enum result state_failure(struct state_txn *txn, struct error *error)
{
	struct state_error failure;
	if (txn == NULL)
		return error_set(error, RESULT_STATE, "the state is not open now");
	if (state_txn_failure(txn, &failure) == STATE_OK)
		return error_set(error, RESULT_STATE, "the outbox names what the state does not have");
	return dataset_state_error(error, &failure, "cannot read the outbox");
}

static enum result next_entry(struct upload *upload, struct state_outbox *entry, struct error *error)
{
	struct state_txn *txn = begin_read(upload);
	enum state_result found = txn != NULL ? state_outbox_next(txn, upload->cursor, entry) : STATE_IO;
	enum result result = RESULT_OK;
	if (found == STATE_NOT_FOUND)
		result = RESULT_END;
	else if (found != STATE_OK)
		result = state_failure(txn, error);
	end_read(upload, txn);
	return result;
}

/* Stores a file that is known to be durable, or bytes in memory. */
static enum result put_fd(struct upload *upload, const char *name, int fd, bool is_private,
                          struct state_stored *stored, struct error *error)
{
	struct store *store = upload->options.store;
	struct stat status;
	if (fstat(fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", name);
	struct digest_range whole = {.fd = fd, .length = (uint64_t)status.st_size};
	stored->size = whole.length;
	enum result result = digest_sha256(stored->sha256, &whole, error);
	struct store_put put = {name, fd, stored->size, stored->sha256, is_private};
	return result == RESULT_OK ? store->interface->put(store, &put, error) : result;
}

static enum result put_bytes(struct upload *upload, const char *name, const void *bytes, size_t count,
                             struct error *error)
{
	CLEANUP_FD int fd = memfd_create("object", MFD_CLOEXEC);
	if (fd < 0)
		return error_set_errno(error, RESULT_NO_MEMORY, "'%s'", name);
	struct state_stored ignored;
	enum result result = file_write_all(fd, bytes, count, name, error);
	return result == RESULT_OK ? put_fd(upload, name, fd, false, &ignored, error) : result;
}

/* A dataset's name and one of its frozen schemas, in its stored form. */
struct frozen {
	struct state_dataset dataset;
	struct buffer text;
};

static enum result read_frozen(struct upload *upload, const struct state_outbox *entry, struct frozen *out,
                               struct error *error)
{
	const void *bytes;
	size_t count;
	struct state_txn *txn = begin_read(upload);
	enum result result = RESULT_OK;
	if (txn == NULL || state_dataset_find(txn, entry->dataset, &out->dataset) != STATE_OK ||
	    state_dataset_get_schema(txn, entry->dataset, entry->schema_version, &bytes, &count) != STATE_OK)
		result = state_failure(txn, error);
	else if (buffer_append(&out->text, bytes, count) != RESULT_OK)
		result = no_memory(error);
	end_read(upload, txn);
	return result;
}

static enum result store_schema(struct upload *upload, const struct state_outbox *entry,
                                const struct frozen *frozen, struct error *error)
{
	if (upload->schema_dataset == entry->dataset && upload->schema_version == entry->schema_version)
		return RESULT_OK;
	CLEANUP_FREE char *name = manifest_schema_object(frozen->dataset.name, entry->schema_version);
	if (name == NULL)
		return no_memory(error);
	enum result result = put_bytes(upload, name, frozen->text.data, frozen->text.length, error);
	if (result == RESULT_OK) {
		upload->schema_dataset = entry->dataset;
		upload->schema_version = entry->schema_version;
	}
	return result;
}

/* The rows as they will be stored, which take the place of the rows as they were committed. */
static enum result encode_segment(struct upload *upload, const struct state_outbox *entry,
                                  const struct frozen *frozen, const char *path, struct error *error)
{
	const char *spool = upload->options.spool;
	CLEANUP_FREE char *rows = spool_path(spool, entry->subject, SPOOL_ROWS);
	CLEANUP_FREE char *part = spool_path(spool, entry->subject, SPOOL_PART);
	if (rows == NULL || part == NULL)
		return no_memory(error);
	struct schema *schema;
	enum result result = schema_decode(&schema, frozen->text.data, frozen->text.length, error);
	if (result != RESULT_OK)
		return result;
	result = segment_encode(rows, part, schema, error);
	schema_free(schema);
	if (result == RESULT_OK && rename(part, path) != 0)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot rename", part);
	if (result == RESULT_OK)
		result = file_sync_directory(spool, error);
	unlink(result == RESULT_OK ? rows : part);
	return result;
}

static enum result upload_segment(struct upload *upload, const struct state_outbox *entry,
                                  struct state_stored *stored, struct error *error)
{
	CLEANUP_FREE char *path = spool_path(upload->options.spool, entry->subject, SPOOL_OBJECT);
	if (path == NULL)
		return no_memory(error);
	struct frozen frozen = {0};
	enum result result = read_frozen(upload, entry, &frozen, error);
	if (result == RESULT_OK && access(path, F_OK) != 0)
		result = encode_segment(upload, entry, &frozen, path, error);
	if (result == RESULT_OK)
		result = store_schema(upload, entry, &frozen, error);
	buffer_free(&frozen.text);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	return put_fd(upload, entry->object, fd, true, stored, error);
}

static enum result read_delivery(struct upload *upload, const struct state_outbox *entry,
                                 struct state_delivery *delivery, struct error *error)
{
	struct state_txn *txn = begin_read(upload);
	enum result result = RESULT_OK;
	if (txn == NULL || state_delivery_get(txn, entry->subject, delivery) != STATE_OK)
		result = state_failure(txn, error);
	end_read(upload, txn);
	return result;
}

/* Where a delivered file lies: in the spool; or, when it could not be brought there, where it was put or left.
 * *fd is -1 where it is nowhere. */
static enum result open_raw(struct upload *upload, const struct state_outbox *entry,
                            const struct state_delivery *delivery, int *fd, struct error *error)
{
	const struct state_file *known = &delivery->file;
	struct retire_file file = {
	    delivery->path,
	    {known->device, known->inode, known->size, known->mtime_ns, known->ctime_ns},
	    {{0}}};
	memcpy(file.delivery.bytes, entry->subject, sizeof file.delivery.bytes);
	CLEANUP_FREE char *held = spool_path(upload->options.spool, entry->subject, SPOOL_RAW);
	CLEANUP_FREE char *drop =
	    strndup(delivery->path, (size_t)(file_base_name(delivery->path) - delivery->path));
	if (held == NULL || drop == NULL)
		return no_memory(error);
	*fd = open(held, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	bool is_fresh = clock_wall_ns() - delivery->finished_ns < FRESH_NS;
	const char *const places[] = {upload->options.done, upload->options.rejected, drop};
	for (size_t i = 0; *fd < 0 && !is_fresh && i < sizeof places / sizeof *places; i++) {
		CLEANUP_FREE char *path = retire_find(&file, places[i]);
		if (path != NULL)
			*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	}
	if (*fd >= 0)
		return RESULT_OK;
	if (is_fresh)
		return RESULT_END;
	return error_set(error, RESULT_CHANGED, "'%s' is gone, and was not stored yet", delivery->path);
}

/* The file as it was delivered: whoever writes to a file that was taken has changed the only copy. */
static enum result check_raw(const struct state_outbox *entry, const struct state_delivery *delivery, int fd,
                             struct error *error)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s'", entry->object);
	struct file_identity now = file_identity_of(&status);
	bool is_copy = now.inode != delivery->file.inode || now.device != delivery->file.device;
	if (now.size == entry->bytes && (is_copy || now.mtime_ns == delivery->file.mtime_ns))
		return RESULT_OK;
	return error_set(error, RESULT_CHANGED, "'%s' was written to after it was taken", delivery->path);
}

static enum result upload_raw(struct upload *upload, const struct state_outbox *entry,
                              struct state_stored *stored, struct error *error)
{
	CLEANUP_FD int fd = -1;
	struct state_delivery delivery;
	enum result result = read_delivery(upload, entry, &delivery, error);
	if (result == RESULT_OK)
		result = open_raw(upload, entry, &delivery, &fd, error);
	if (result != RESULT_OK)
		return result;
	result = check_raw(entry, &delivery, fd, error);
	if (result == RESULT_OK)
		result = put_fd(upload, entry->object, fd, false, stored, error);
	if (result == RESULT_OK)
		result = check_raw(entry, &delivery, fd, error);
	struct error ignored = {0};
	if (result == RESULT_CHANGED)
		(void)!upload->options.store->interface->abandon(upload->options.store, entry->object,
		                                                 &ignored);
	return result;
}

static enum result settle(struct upload *upload, struct error *error);

static enum result upload_manifest(struct upload *upload, const struct state_outbox *entry,
                                   struct error *error)
{
	/* What it names must be settled first. */
	enum result result = settle(upload, error);
	if (result != RESULT_OK)
		return result;
	struct manifests manifests = {0};
	struct state_txn *txn = begin_read(upload);
	result =
	    txn != NULL ? manifest_make(&manifests, txn, entry->subject, error) : state_failure(txn, error);
	end_read(upload, txn);
	for (size_t i = 0; result == RESULT_OK && i < manifests.count; i++)
		result = put_bytes(upload, manifests.list[i].name, manifests.list[i].text.data,
		                   manifests.list[i].text.length, error);
	manifest_free(&manifests);
	return result;
}

static enum result upload_entry(struct upload *upload, const struct state_outbox *entry,
                                struct state_stored *stored, struct error *error)
{
	*stored = (struct state_stored){0};
	switch (entry->kind) {
	case STATE_OUTBOX_SEGMENT:
		return upload_segment(upload, entry, stored, error);
	case STATE_OUTBOX_RAW:
		return upload_raw(upload, entry, stored, error);
	default:
		return upload_manifest(upload, entry, error);
	}
}

/* The files of an entry that is settled. */
static void remove_files(struct upload *upload, const struct state_outbox *entry)
{
	const char *suffixes[] = {SPOOL_ROWS, SPOOL_OBJECT, SPOOL_RAW};
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		bool is_raw = i == 2;
		if (is_raw != (entry->kind == STATE_OUTBOX_RAW))
			continue;
		CLEANUP_FREE char *path = spool_path(upload->options.spool, entry->subject, suffixes[i]);
		if (path != NULL)
			unlink(path);
	}
}

/* Makes what was put durable. Without that all of it is tried again, schemas too. */
static enum result flush(struct upload *upload, struct error *error)
{
	struct store *store = upload->options.store;
	if (store->interface->flush == NULL)
		return RESULT_OK;
	enum result result = store->interface->flush(store, error);
	if (result != RESULT_OK) {
		upload->schema_dataset = 0;
		upload->done_count = 0;
	}
	return result;
}

/* What the store has confirmed is owed no more. Files go after the transaction: swept when that is cut off. */
static enum result settle(struct upload *upload, struct error *error)
{
	if (upload->done_count == 0)
		return RESULT_OK;
	enum result flushed = flush(upload, error);
	if (flushed != RESULT_OK)
		return flushed;
	const struct upload_state *access = &upload->options.state;
	struct state *state = access->lock(access->context);
	struct state_error failure = {.result = STATE_IO, .text = "the state is not open now"};
	enum state_result settled = STATE_IO;
	if (state != NULL) {
		struct state_txn *txn = state_txn_begin_write(state);
		for (size_t i = 0; i < upload->done_count; i++)
			state_outbox_confirm(txn, upload->done[i].entry.id, &upload->done[i].stored);
		settled = state_txn_commit(txn, &failure);
	}
	access->unlock(access->context);
	for (size_t i = 0; settled == STATE_OK && i < upload->done_count; i++)
		remove_files(upload, &upload->done[i].entry);
	upload->done_count = 0;
	return settled == STATE_OK ? RESULT_OK
	                           : dataset_state_error(error, &failure, "cannot settle the outbox");
}

/* Is this one object's matter, so that the others can go on? */
static bool is_own_matter(enum result result)
{
	return result == RESULT_REFUSED || result == RESULT_CHANGED || result == RESULT_INVALID ||
	       result == RESULT_IO;
}

/* A batch that is on its way to the table. False: there is none, or it was seen before. */
static bool find_pending(struct upload *upload, struct state_outbox *entry)
{
	struct state_pending pending = {0};
	struct state_txn *txn = begin_read(upload);
	uint32_t dataset = 0;
	bool is_new = false;
	while (txn != NULL && !is_new &&
	       state_batch_next_pending(txn, dataset, &dataset, &pending) == STATE_OK)
		is_new = memcmp(pending.batch_id, upload->ahead, sizeof upload->ahead) != 0;
	end_read(upload, txn);
	entry->dataset = dataset;
	entry->schema_version = pending.schema_version;
	memcpy(entry->subject, pending.batch_id, sizeof entry->subject);
	return is_new;
}

/*
 * Where nothing is owed, the next to be is made ready: its rows lie in the spool since before it was pending. What
 * fails here fails again, and is told, when it is owed; what is discarded is swept.
 */
static void encode_ahead(struct upload *upload)
{
	struct state_outbox entry;
	struct error ignored;
	if (!find_pending(upload, &entry))
		return;
	memcpy(upload->ahead, entry.subject, sizeof upload->ahead);
	CLEANUP_FREE char *rows = spool_path(upload->options.spool, entry.subject, SPOOL_ROWS);
	CLEANUP_FREE char *path = spool_path(upload->options.spool, entry.subject, SPOOL_OBJECT);
	if (rows == NULL || path == NULL || access(rows, F_OK) != 0 || access(path, F_OK) == 0)
		return;
	struct frozen frozen = {0};
	if (read_frozen(upload, &entry, &frozen, &ignored) == RESULT_OK)
		(void)!encode_segment(upload, &entry, &frozen, path, &ignored);
	buffer_free(&frozen.text);
}

static enum result end_round(struct upload *upload, struct error *error)
{
	upload->cursor = 0;
	if (upload->complaint.result == RESULT_OK)
		return RESULT_END;
	*error = upload->complaint;
	upload->complaint = (struct error){0};
	return error->result = RESULT_REFUSED;
}

/* The next entry, stored or put aside. RESULT_END: there is none. */
static enum result upload_next(struct upload *upload, struct error *error)
{
	struct done *done = &upload->done[upload->done_count];
	enum result result = next_entry(upload, &done->entry, error);
	if (result != RESULT_OK)
		return result;
	struct state_outbox entry = done->entry;
	struct state_stored stored;
	struct error failure = {0};
	result = upload_entry(upload, &entry, &stored, &failure);
	bool is_waiting = result == RESULT_END;
	if (result == RESULT_OK)
		upload->done[upload->done_count++] = (struct done){entry, stored};
	else if (is_own_matter(result))
		upload->complaint = failure;
	else if (!is_waiting) {
		*error = failure;
		return result;
	}
	upload->cursor = entry.id;
	return RESULT_OK;
}

enum result upload_some(struct upload *upload, struct error *error)
{
	int64_t began = clock_monotonic_ns();
	enum result result = RESULT_OK;
	while (result == RESULT_OK && upload->done_count < GROUP_MAX &&
	       clock_monotonic_ns() - began < GROUP_NS)
		result = upload_next(upload, error);
	struct error failure = {0};
	enum result settled = settle(upload, &failure);
	if (settled != RESULT_OK) {
		*error = failure;
		result = settled;
	}
	if (result == RESULT_END) {
		encode_ahead(upload);
		return end_round(upload, error);
	}
	if (result != RESULT_OK)
		upload->cursor = 0;
	return result;
}
