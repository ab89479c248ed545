// SPDX-License-Identifier: Apache-2.0
#include "watch/watch.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/cleanup.h"
#include "watch/candidates.h"
#include "watch/settle.h"

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->is_listed = false)
#include <uthash.h>

enum {
	EVENTS_SIZE = 64 * 1024,
	READS_MAX = 64, /* per watch_advance(), so that a flood of events cannot hold it for ever */
};

static const uint32_t event_mask =
    IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;

struct directory {
	int wd;
	bool is_listed;
	uint64_t scan; /* the last one that saw it */
	UT_hash_handle hh;
	char name[]; /* "" is the drop directory itself */
};

struct watch {
	int fd;
	char *path;
	int64_t rescan_ns;
	int64_t next_scan_ns;
	bool is_scan_due;
	bool is_scan_whole; /* no directory was left out of the running scan */
	uint64_t scan;
	struct directory *directories; /* by wd */
	struct candidates *candidates;
};

/* Keeps the first failure of a sequence that goes on, and its text. */
static void keep_first(enum result *kept, enum result result)
{
	if (*kept == RESULT_OK)
		*kept = result;
}

static struct error *unless_failed(enum result kept, struct error *error)
{
	return kept == RESULT_OK ? error : NULL;
}

static char *path_of(const struct watch *watch, const char *subdirectory, const char *name)
{
	char *path;
	const char *slash = subdirectory[0] != '\0' ? "/" : "";
	return asprintf(&path, "%s/%s%s%s", watch->path, subdirectory, slash, name) < 0 ? NULL : path;
}

static enum result set_inotify_error(struct error *error, const char *path)
{
	int number = errno;
	error_set(error, RESULT_IO, "cannot watch '%s': %s", path, strerrordesc_np(number));
	if (number == ENOSPC)
		error_hint(error, "this user watches as many directories as the kernel allows: "
		                  "sysctl fs.inotify.max_user_watches=524288");
	else if (number == EMFILE)
		error_hint(error,
		           "this user has as many inotify instances, or this process as many open files, "
		           "as the kernel allows: sysctl fs.inotify.max_user_instances=512");
	return RESULT_IO;
}

static void forget_directory(struct watch *watch, struct directory *directory)
{
	HASH_DEL(watch->directories, directory);
	free(directory);
}

static struct directory *find_directory(const struct watch *watch, int wd)
{
	struct directory *directory;
	HASH_FIND_INT(watch->directories, &wd, directory);
	return directory;
}

static enum result add_directory(struct watch *watch, int wd, const char *name)
{
	struct directory *directory = calloc(1, sizeof *directory + strlen(name) + 1);
	if (directory == NULL)
		return RESULT_NO_MEMORY;
	directory->wd = wd;
	directory->scan = watch->scan;
	memcpy(directory->name, name, strlen(name) + 1);
	directory->is_listed = true;
	HASH_ADD_INT(watch->directories, wd, directory);
	if (directory->is_listed)
		return RESULT_OK;
	free(directory);
	return RESULT_NO_MEMORY;
}

/* Has the kernel tell about a directory. One that was renamed keeps its wd and gets its new name. */
static enum result observe(struct watch *watch, const char *name, const char *path, struct error *error)
{
	uint32_t mask = event_mask | (name[0] != '\0' ? IN_DONT_FOLLOW : 0);
	int wd = inotify_add_watch(watch->fd, path, mask);
	if (wd < 0 && name[0] != '\0' && (errno == ENOENT || errno == ENOTDIR))
		return RESULT_OK; /* gone meanwhile */
	if (wd < 0)
		return set_inotify_error(error, path);

	struct directory *directory = find_directory(watch, wd);
	if (directory != NULL && strcmp(directory->name, name) == 0) {
		directory->scan = watch->scan;
		return RESULT_OK;
	}
	if (directory != NULL)
		forget_directory(watch, directory);
	return add_directory(watch, wd, name);
}

static enum result scan_directory(struct watch *watch, const char *subdirectory, int64_t now_ns,
                                  struct error *error);

static enum result scan_entry(struct watch *watch, const char *subdirectory, int directory_fd,
                              const struct dirent *entry, int64_t now_ns, struct error *error)
{
	struct stat status;
	if (entry->d_name[0] == '.')
		return RESULT_OK;
	if (entry->d_type != DT_REG && entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
		return RESULT_OK;
	if (fstatat(directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0)
		return RESULT_OK; /* gone meanwhile */
	if (S_ISDIR(status.st_mode))
		return subdirectory[0] == '\0' ? scan_directory(watch, entry->d_name, now_ns, error)
		                               : RESULT_OK;
	if (settle_ignores(entry->d_name))
		return RESULT_OK;
	CLEANUP_FREE char *path = path_of(watch, subdirectory, entry->d_name);
	if (path == NULL)
		return RESULT_NO_MEMORY;
	return candidates_take(watch->candidates, path, subdirectory, &status, now_ns);
}

static enum result scan_entries(struct watch *watch, const char *subdirectory, DIR *stream, int64_t now_ns,
                                struct error *error)
{
	enum result kept = RESULT_OK;
	for (;;) {
		errno = 0;
		const struct dirent *entry = readdir(stream);
		if (entry == NULL)
			break;
		keep_first(&kept, scan_entry(watch, subdirectory, dirfd(stream), entry, now_ns,
		                             unless_failed(kept, error)));
	}
	if (errno != 0) {
		watch->is_scan_whole = false;
		keep_first(&kept, error_set_errno(unless_failed(kept, error), RESULT_IO,
		                                  "cannot read '%s/%s'", watch->path, subdirectory));
	}
	return kept;
}

static DIR *open_directory(const char *path, int more_flags)
{
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | more_flags);
	DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
	if (stream != NULL)
		fd = -1;
	return stream;
}

/* The watch stands before the directory is read: what comes in between is seen twice rather than not at all.
 */
static enum result scan_directory(struct watch *watch, const char *subdirectory, int64_t now_ns,
                                  struct error *error)
{
	bool is_sub = subdirectory[0] != '\0';
	CLEANUP_FREE char *path = is_sub ? file_join(watch->path, subdirectory) : strdup(watch->path);
	if (path == NULL)
		return RESULT_NO_MEMORY;

	enum result kept = observe(watch, subdirectory, path, error);
	DIR *stream = open_directory(path, is_sub ? O_NOFOLLOW : 0);
	if (stream == NULL) {
		if (is_sub && (errno == ENOENT || errno == ENOTDIR))
			return kept; /* gone meanwhile */
		watch->is_scan_whole = false;
		return error_set_errno(error, RESULT_IO, "cannot read '%s'", path);
	}
	keep_first(&kept, scan_entries(watch, subdirectory, stream, now_ns, unless_failed(kept, error)));
	closedir(stream);
	return kept;
}

static void end_scan(struct watch *watch)
{
	candidates_end_scan(watch->candidates);
	struct directory *directory, *next;
	HASH_ITER (hh, watch->directories, directory, next) {
		if (directory->scan == watch->scan)
			continue;
		inotify_rm_watch(watch->fd, directory->wd); /* fails when the kernel dropped it already */
		forget_directory(watch, directory);
	}
}

static enum result scan_all(struct watch *watch, int64_t now_ns, struct error *error)
{
	watch->is_scan_due = false;
	watch->is_scan_whole = true;
	watch->next_scan_ns = now_ns + watch->rescan_ns;
	watch->scan++;
	candidates_begin_scan(watch->candidates);
	enum result result = scan_directory(watch, "", now_ns, error);
	/* What could not be looked at is not gone: forgetting it would hand it out a second time. */
	if (result != RESULT_NO_MEMORY && watch->is_scan_whole)
		end_scan(watch);
	return result;
}

static enum result take_name(struct watch *watch, const char *subdirectory, const char *name, int64_t now_ns)
{
	struct stat status;
	if (settle_ignores(name))
		return RESULT_OK;
	CLEANUP_FREE char *path = path_of(watch, subdirectory, name);
	if (path == NULL)
		return RESULT_NO_MEMORY;
	if (lstat(path, &status) != 0)
		return RESULT_OK; /* gone already; where the directory is closed to us, the scan says so */
	return candidates_take(watch->candidates, path, subdirectory, &status, now_ns);
}

static enum result take_event(struct watch *watch, const struct inotify_event *event, int64_t now_ns,
                              struct error *error)
{
	if (event->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) {
		watch->is_scan_due = true;
		return RESULT_OK;
	}
	struct directory *directory = find_directory(watch, event->wd);
	if (directory == NULL)
		return RESULT_OK;
	if (event->mask & IN_IGNORED) {
		forget_directory(watch, directory);
		return RESULT_OK;
	}
	if (event->len == 0 || event->name[0] == '.' || watch->is_scan_due)
		return RESULT_OK;
	if ((event->mask & IN_ISDIR) == 0)
		return take_name(watch, directory->name, event->name, now_ns);
	return directory->name[0] == '\0' ? scan_directory(watch, event->name, now_ns, error) : RESULT_OK;
}

static enum result take_events(struct watch *watch, int64_t now_ns, struct error *error)
{
	_Alignas(struct inotify_event) char events[EVENTS_SIZE];
	enum result kept = RESULT_OK;
	for (int reads = 0; reads < READS_MAX; reads++) {
		ssize_t length = read(watch->fd, events, sizeof events);
		if (length < 0 && errno == EINTR)
			continue;
		if (length < 0 && errno != EAGAIN)
			keep_first(&kept, error_set_errno(unless_failed(kept, error), RESULT_IO,
			                                  "cannot read the events of '%s'", watch->path));
		if (length <= 0)
			break;
		for (ssize_t at = 0; at < length;) {
			const struct inotify_event *event = (const void *)(events + at);
			keep_first(&kept, take_event(watch, event, now_ns, unless_failed(kept, error)));
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
	return kept;
}

/* See the header: SIGIO's default action is to end the process. */
static enum result ignore_sigio(struct error *error)
{
	struct sigaction action;
	if (sigaction(SIGIO, NULL, &action) != 0)
		return error_set_errno(error, RESULT_IO, "cannot ask for the action of SIGIO");
	if (action.sa_handler != SIG_DFL)
		return RESULT_OK;
	action = (struct sigaction){.sa_handler = SIG_IGN};
	if (sigaction(SIGIO, &action, NULL) != 0)
		return error_set_errno(error, RESULT_IO, "cannot ignore SIGIO");
	return RESULT_OK;
}

static char *copy_without_last_slashes(const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	return strndup(path, length);
}

enum result watch_open(struct watch **out, const struct watch_options *options, struct error *error)
{
	enum result result = ignore_sigio(error);
	if (result != RESULT_OK)
		return result;
	struct watch *watch = calloc(1, sizeof *watch);
	if (watch == NULL)
		return RESULT_NO_MEMORY;
	watch->rescan_ns = options->rescan_ns;
	watch->is_scan_due = true;
	watch->path = copy_without_last_slashes(options->directory);
	watch->candidates = candidates_new(options->settle_ns);
	watch->fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (watch->path == NULL || watch->candidates == NULL)
		result = RESULT_NO_MEMORY;
	else if (watch->fd < 0)
		result = set_inotify_error(error, watch->path);
	else
		result = observe(watch, "", watch->path, error);
	if (result != RESULT_OK) {
		watch_close(watch);
		return result;
	}
	*out = watch;
	return RESULT_OK;
}

void watch_close(struct watch *watch)
{
	if (watch == NULL)
		return;
	struct directory *directory, *next;
	HASH_ITER (hh, watch->directories, directory, next) {
		forget_directory(watch, directory);
	}
	candidates_free(watch->candidates);
	if (watch->fd >= 0)
		close(watch->fd);
	free(watch->path);
	free(watch);
}

int watch_fd(const struct watch *watch)
{
	return watch->fd;
}

int64_t watch_deadline(const struct watch *watch)
{
	if (watch->is_scan_due)
		return 0;
	int64_t settles_ns = candidates_deadline(watch->candidates);
	return settles_ns < watch->next_scan_ns ? settles_ns : watch->next_scan_ns;
}

enum result watch_advance(struct watch *watch, int64_t now_ns, struct error *error)
{
	enum result kept = take_events(watch, now_ns, error);
	if (watch->is_scan_due || now_ns >= watch->next_scan_ns)
		keep_first(&kept, scan_all(watch, now_ns, unless_failed(kept, error)));
	candidates_judge_due(watch->candidates, now_ns);
	return kept;
}

bool watch_next(struct watch *watch, struct watch_file *file)
{
	return candidates_next(watch->candidates, file);
}

void watch_release(struct watch *watch, const char *path, int64_t not_before_ns)
{
	candidates_release(watch->candidates, path, not_before_ns);
}

void watch_rescan(struct watch *watch)
{
	watch->is_scan_due = true;
}

enum watch_verdict watch_judge(const char *path, int64_t settle_ns, int64_t wall_now_ns)
{
	struct file_identity identity = {0};
	if (settle_ignores(file_base_name(path)))
		return WATCH_IGNORED_NAME;
	enum watch_verdict verdict = settle_probe(path, &identity);
	if (verdict != WATCH_SETTLED)
		return verdict;
	int64_t changed_ns = identity.ctime_ns;
	if (identity.mtime_ns > changed_ns && identity.mtime_ns <= wall_now_ns)
		changed_ns = identity.mtime_ns;
	return wall_now_ns - changed_ns < settle_ns ? WATCH_SETTLING : WATCH_SETTLED;
}

const char *watch_verdict_text(enum watch_verdict verdict)
{
	switch (verdict) {
	case WATCH_SETTLED:
		return "settled";
	case WATCH_IGNORED_NAME:
		return "names that begin with '.' or end in .part, .tmp or .crdownload are never taken";
	case WATCH_NOT_REGULAR:
		return "not a regular file";
	case WATCH_UNREADABLE:
		return "cannot be read";
	case WATCH_BEING_WRITTEN:
		return "open for writing";
	case WATCH_SETTLING:
		return "changed a moment ago";
	case WATCH_GONE:
		return "no such file";
	}
	return "unknown";
}
