// SPDX-License-Identifier: Apache-2.0
#include "store/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "store/digest.h"

/* Names that end so are objects in the making; no object is named so. */
static const char PART_SUFFIX[] = ".part~";

enum { COPY_SIZE = 1 << 18, PLACES_MAX = 64 };

/* A directory whose own name is durable, or will be with the next flush. */
struct place {
	char *path;
	bool is_changed; /* since it was synced */
};

struct local {
	struct store store;
	char *directory;
	struct place *places; /* above the objects that were put */
	size_t place_count;
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static char *path_of(const struct local *local, const char *name)
{
	return file_join(local->directory, name);
}

static void forget_places(struct local *local)
{
	for (size_t i = 0; i < local->place_count; i++)
		free(local->places[i].path);
	free(local->places);
	local->places = NULL;
	local->place_count = 0;
}

static struct place *find_place(struct local *local, const char *path)
{
	for (size_t i = 0; i < local->place_count; i++) {
		if (strcmp(local->places[i].path, path) == 0)
			return &local->places[i];
	}
	return NULL;
}

static enum result add_place(struct local *local, const char *path, struct error *error)
{
	struct place *grown = realloc(local->places, (local->place_count + 1) * sizeof *grown);
	if (grown == NULL)
		return no_memory(error);
	local->places = grown;
	char *copied = strdup(path);
	if (copied == NULL)
		return no_memory(error);
	local->places[local->place_count++] = (struct place){copied, true};
	return RESULT_OK;
}

/*
 * Makes the directories that lead to the path, and notes which of them the next flush has to sync: each in the one
 * above it too, since what an earlier run made it may not have lived to sync. Those that are known need not be there
 * any more.
 */
static enum result make_parents(struct local *local, const char *path, struct error *error)
{
	CLEANUP_FREE char *above = strdup(path);
	if (above == NULL)
		return no_memory(error);
	*strrchr(above, '/') = '\0';
	size_t count_before = local->place_count;
	bool is_made = access(above, F_OK) != 0;
	enum result result = is_made ? file_make_directory(above, 0755, error) : RESULT_OK;
	size_t top = strlen(local->directory);
	while (result == RESULT_OK) {
		struct place *known = find_place(local, above);
		if (known != NULL)
			known->is_changed = true;
		else
			result = add_place(local, above, error);
		bool is_top = strlen(above) < top || strrchr(above + 1, '/') == NULL;
		if (is_top || (known != NULL && !is_made))
			break;
		*strrchr(above, '/') = '\0';
	}
	while (result != RESULT_OK && local->place_count > count_before)
		free(local->places[--local->place_count].path);
	return result;
}

/* What cannot be synced may be anything: the objects are put again. */
static enum result flush(struct store *store, struct error *error)
{
	struct local *local = (struct local *)store;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < local->place_count; i++) {
		if (local->places[i].is_changed)
			result = file_sync_directory(local->places[i].path, error);
		local->places[i].is_changed = false;
	}
	if (result != RESULT_OK || local->place_count > PLACES_MAX)
		forget_places(local);
	return result;
}

static enum result copy(int from, uint64_t size, int to, const char *path, struct error *error)
{
	CLEANUP_FREE char *piece = malloc(COPY_SIZE);
	if (piece == NULL)
		return no_memory(error);
	for (uint64_t done = 0; done < size;) {
		uint64_t left = size - done;
		ssize_t count = pread(from, piece, left < COPY_SIZE ? (size_t)left : COPY_SIZE, (off_t)done);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, RESULT_IO, "cannot read what is to be stored");
		if (count == 0)
			return error_set(error, RESULT_CHANGED, "the file is shorter than it was");
		enum result result = file_write_all(to, piece, (size_t)count, path, error);
		if (result != RESULT_OK)
			return result;
		done += (uint64_t)count;
	}
	return RESULT_OK;
}

static enum result write_copy(const struct store_put *put, const char *path, struct error *error)
{
	CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (fd < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot write", path);
	enum result result = copy(put->fd, put->size, fd, path, error);
	if (result == RESULT_OK)
		result = file_sync(fd, path, error);
	struct digest_range written = {.fd = fd, .length = put->size};
	uint8_t sha256[STORE_SHA256_SIZE];
	if (result == RESULT_OK)
		result = digest_sha256(sha256, &written, error);
	if (result == RESULT_OK && memcmp(sha256, put->sha256, sizeof sha256) != 0)
		result = error_set(error, RESULT_CHANGED, "'%s' is not what it was said to be", put->name);
	return result;
}

/* A second name for the same bytes, which the caller has synced. */
static bool link_private(const struct store_put *put, const char *path)
{
	char source[32];
	snprintf(source, sizeof source, "/proc/self/fd/%d", put->fd);
	unlink(path);
	return put->is_private && linkat(AT_FDCWD, source, AT_FDCWD, path, AT_SYMLINK_FOLLOW) == 0;
}

static enum result put(struct store *store, const struct store_put *put, struct error *error)
{
	struct local *local = (struct local *)store;
	enum result result = store_check_name(put->name, error);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FREE char *path = path_of(local, put->name);
	CLEANUP_FREE char *part = NULL;
	if (path == NULL || asprintf(&part, "%s%s", path, PART_SUFFIX) < 0)
		return no_memory(error);
	result = make_parents(local, path, error);
	if (result == RESULT_OK && !link_private(put, part))
		result = write_copy(put, part, error);
	if (result == RESULT_OK && rename(part, path) != 0)
		result = error_set_errno(error, RESULT_IO, "'%s': cannot rename", part);
	/* Two names of one file: rename() then leaves both. */
	unlink(part);
	return result;
}

/* Opens an object; RESULT_END: there is none. */
static enum result open_object(const struct local *local, const char *name, int *fd, uint64_t *size,
                               struct error *error)
{
	CLEANUP_FREE char *path = path_of(local, name);
	if (path == NULL)
		return no_memory(error);
	struct stat status;
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (*fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return RESULT_END;
	if (*fd < 0 || fstat(*fd, &status) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	*size = (uint64_t)status.st_size;
	return RESULT_OK;
}

static enum result head(struct store *store, const char *name, struct store_object *object,
                        struct error *error)
{
	CLEANUP_FD int fd = -1;
	*object = (struct store_object){.name = name, .has_sha256 = true};
	enum result result = store_check_name(name, error);
	if (result == RESULT_OK)
		result = open_object((struct local *)store, name, &fd, &object->size, error);
	struct digest_range whole = {.fd = fd, .length = object->size};
	return result == RESULT_OK ? digest_sha256(object->sha256, &whole, error) : result;
}

static enum result get(struct store *store, const char *name, store_write *write, void *context,
                       struct error *error)
{
	CLEANUP_FD int fd = -1;
	uint64_t size;
	enum result result = store_check_name(name, error);
	if (result == RESULT_OK)
		result = open_object((struct local *)store, name, &fd, &size, error);
	CLEANUP_FREE char *piece = malloc(COPY_SIZE);
	if (result == RESULT_OK && piece == NULL)
		result = no_memory(error);
	while (result == RESULT_OK) {
		ssize_t count = read(fd, piece, COPY_SIZE);
		if (count == 0)
			break;
		if (count > 0)
			result = write(context, piece, (size_t)count, error);
		else if (errno != EINTR)
			result = error_set_errno(error, RESULT_IO, "'%s': cannot read", name);
	}
	return result;
}

struct walk {
	const char *prefix;
	store_each *each;
	void *context;
};

/* May something below this directory, or this object, begin with the prefix? */
static bool may_match(const char *name, const char *prefix)
{
	size_t length = strlen(name);
	size_t wanted = strlen(prefix);
	return strncmp(name, prefix, length < wanted ? length : wanted) == 0;
}

static int is_entry(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);
	size_t suffix = sizeof PART_SUFFIX - 1;
	return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
	       !(length > suffix && strcmp(entry->d_name + length - suffix, PART_SUFFIX) == 0);
}

/* Objects are in the order of bytes, in which a directory stands as its name and a '/'. */
static int compare_entries(const struct dirent **left, const struct dirent **right)
{
	char a[NAME_MAX + 2];
	char b[NAME_MAX + 2];
	snprintf(a, sizeof a, "%s%s", (*left)->d_name, (*left)->d_type == DT_DIR ? "/" : "");
	snprintf(b, sizeof b, "%s%s", (*right)->d_name, (*right)->d_type == DT_DIR ? "/" : "");
	return strcmp(a, b);
}

static enum result walk_directory(const struct local *local, const char *name, const struct walk *walk,
                                  struct error *error);

static enum result walk_entry(const struct local *local, const char *directory, const char *entry,
                              const struct walk *walk, struct error *error)
{
	CLEANUP_FREE char *name = directory[0] == '\0' ? strdup(entry) : file_join(directory, entry);
	CLEANUP_FREE char *path = name != NULL ? path_of(local, name) : NULL;
	if (path == NULL)
		return no_memory(error);
	struct stat status;
	if (!may_match(name, walk->prefix) || lstat(path, &status) != 0)
		return RESULT_OK;
	if (S_ISDIR(status.st_mode))
		return walk_directory(local, name, walk, error);
	if (!S_ISREG(status.st_mode) || strlen(name) < strlen(walk->prefix))
		return RESULT_OK;
	struct store_object object = {.name = name, .size = (uint64_t)status.st_size};
	return walk->each(walk->context, &object, error);
}

static enum result walk_directory(const struct local *local, const char *name, const struct walk *walk,
                                  struct error *error)
{
	CLEANUP_FREE char *path = name[0] == '\0' ? strdup(local->directory) : path_of(local, name);
	struct dirent **entries;
	if (path == NULL)
		return no_memory(error);
	int count = scandir(path, &entries, is_entry, compare_entries);
	if (count < 0 && errno == ENOENT)
		return RESULT_OK;
	if (count < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", path);
	enum result result = RESULT_OK;
	for (int i = 0; i < count; i++) {
		if (result == RESULT_OK)
			result = walk_entry(local, name, entries[i]->d_name, walk, error);
		free(entries[i]);
	}
	free(entries);
	return result;
}

static enum result list(struct store *store, const char *prefix, store_each *each, void *context,
                        struct error *error)
{
	struct walk walk = {prefix, each, context};
	return walk_directory((struct local *)store, "", &walk, error);
}

static enum result abandon(struct store *store, const char *name, struct error *error)
{
	CLEANUP_FREE char *part = NULL;
	if (asprintf(&part, "%s/%s%s", ((struct local *)store)->directory, name, PART_SUFFIX) < 0)
		return no_memory(error);
	if (unlink(part) != 0 && errno != ENOENT && errno != ENOTDIR)
		return error_set_errno(error, RESULT_IO, "'%s': cannot remove", part);
	return RESULT_OK;
}

static void close_store(struct store *store)
{
	struct local *local = (struct local *)store;
	if (local == NULL)
		return;
	forget_places(local);
	free(local->directory);
	free(local);
}

static const struct store_interface interface = {
    .kind = "local",
    .put = put,
    .flush = flush,
    .head = head,
    .get = get,
    .list = list,
    .abandon = abandon,
    .close = close_store,
};

enum result local_open(struct store **out, const char *directory, struct error *error)
{
	struct local *local = calloc(1, sizeof *local);
	if (local == NULL || (local->directory = strdup(directory)) == NULL) {
		free(local);
		return no_memory(error);
	}
	local->store.interface = &interface;
	*out = &local->store;
	return RESULT_OK;
}
