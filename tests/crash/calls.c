// SPDX-License-Identifier: Apache-2.0
#include "calls.h"

#include <sys/syscall.h>

#define FD(name, fd)                                                                                         \
	{                                                                                                    \
#name, SYS_##name, fd, -1, -1, false, false                                                  \
	}
#define READ(name)                                                                                           \
	{                                                                                                    \
#name, SYS_##name, 0, -1, -1, true, false                                                    \
	}
#define WRITE(name)                                                                                          \
	{                                                                                                    \
#name, SYS_##name, 0, -1, -1, false, true                                                    \
	}
#define PATH(name, path)                                                                                     \
	{                                                                                                    \
#name, SYS_##name, -1, path, -1, false, false                                                \
	}
#define TWO_PATHS(name, path, second)                                                                        \
	{                                                                                                    \
#name, SYS_##name, -1, path, second, false, false                                            \
	}
#define PLAIN(name)                                                                                          \
	{                                                                                                    \
#name, SYS_##name, -1, -1, -1, false, false                                                  \
	}

const struct call calls[] = {
    READ(read),
    READ(pread64),
    READ(recvfrom),
    FD(readv, 0),
    FD(recvmsg, 0),
    FD(getdents64, 0),
    WRITE(write),
    WRITE(pwrite64),
    WRITE(sendto),
    FD(writev, 0),
    FD(pwritev, 0),
    FD(sendmsg, 0),
    FD(copy_file_range, 0),
    FD(fsync, 0),
    FD(fdatasync, 0),
    FD(ftruncate, 0),
    FD(fallocate, 0),
    FD(fchown, 0),
    FD(fchmod, 0),
    FD(fcntl, 0),
    FD(fstatfs, 0),
    FD(close, 0),
    FD(mmap, 4),
    FD(connect, 0),
    FD(accept4, 0),
    FD(bind, 0),
    FD(epoll_ctl, 2),
    PLAIN(socket),
    PLAIN(msync),
    PLAIN(getrandom),
    PLAIN(memfd_create),
    PATH(openat, 1),
    PATH(mkdirat, 1),
    PATH(unlinkat, 1),
    PATH(newfstatat, 1),
    PATH(faccessat, 1),
    PATH(inotify_add_watch, 1),
    PATH(statfs, 0),
    TWO_PATHS(renameat, 1, 3),
    TWO_PATHS(renameat2, 1, 3),
    TWO_PATHS(linkat, 1, 3),
#ifdef SYS_open
    PATH(open, 0),
    PATH(access, 0),
    PATH(mkdir, 0),
    PATH(unlink, 0),
    TWO_PATHS(rename, 0, 1),
    TWO_PATHS(link, 0, 1),
#endif
};

const size_t calls_count = sizeof calls / sizeof calls[0];

const struct call *calls_find(long number)
{
	for (size_t i = 0; i < calls_count; i++) {
		if (calls[i].number == number)
			return &calls[i];
	}
	return NULL;
}
