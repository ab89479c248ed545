// SPDX-License-Identifier: Apache-2.0
#include "watch/settle.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <strings.h>
#include <sys/statfs.h>

#include "base/cleanup.h"

bool settle_ignores(const char *name)
{
	static const char *const endings[] = {".part", ".tmp", ".crdownload"};

	if (name[0] == '.')
		return true;
	size_t length = strlen(name);
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		size_t ending = strlen(endings[i]);
		if (length >= ending && strcasecmp(name + length - ending, endings[i]) == 0)
			return true;
	}
	return false;
}

/* On these a lease is the server's to give: EAGAIN says that it did not, nothing about writers. */
static bool is_remote(int fd)
{
	struct statfs filesystem;
	if (fstatfs(fd, &filesystem) != 0)
		return false;
	switch ((unsigned long)filesystem.f_type) {
	case NFS_SUPER_MAGIC:
	case SMB_SUPER_MAGIC:
	case SMB2_SUPER_MAGIC:
	case CIFS_SUPER_MAGIC:
		return true;
	default:
		return false;
	}
}

/* The kernel refuses a read lease while anybody has the file open for writing. Where it refuses for another
 * reason (not our file, a filesystem without leases) it has said nothing. */
static bool has_writer(int fd)
{
	if (fcntl(fd, F_SETLEASE, F_RDLCK) == 0) {
		fcntl(fd, F_SETLEASE, F_UNLCK);
		return false;
	}
	return errno == EAGAIN && !is_remote(fd);
}

static enum watch_verdict verdict_of_open_failure(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return WATCH_GONE;
	case ELOOP:
	case ENXIO:
	case EISDIR:
		return WATCH_NOT_REGULAR;
	case EWOULDBLOCK: /* under another process's lease */
		return WATCH_BEING_WRITTEN;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EINTR:
		return WATCH_SETTLING;
	default:
		return WATCH_UNREADABLE;
	}
}

enum watch_verdict settle_probe(const char *path, struct file_identity *identity)
{
	struct stat status;
	if (lstat(path, &status) != 0)
		return errno == ENOENT || errno == ENOTDIR ? WATCH_GONE : WATCH_UNREADABLE;
	*identity = file_identity_of(&status);
	if (!S_ISREG(status.st_mode))
		return WATCH_NOT_REGULAR;

	CLEANUP_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return verdict_of_open_failure(errno);
	if (fstat(fd, &status) != 0)
		return WATCH_UNREADABLE;
	*identity = file_identity_of(&status);
	if (!S_ISREG(status.st_mode))
		return WATCH_NOT_REGULAR;
	return has_writer(fd) ? WATCH_BEING_WRITTEN : WATCH_SETTLED;
}
