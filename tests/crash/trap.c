// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "calls.h"

/*
 * Runs a command and knows each of its system calls by a place: the call's name and what it is about, such as
 * "fsync rejected/#.rejects.csv", counted over all threads. At one occurrence of one place something happens:
 *
 *   trap --root DIR --log FILE [--at PLACE N kill|short|ERRNO] -- COMMAND...
 *
 * kill    SIGKILL instead of the call
 * short   a read or write of one byte
 * ERRNO   (a number) the call is not made and fails with it
 *
 * Counting begins with the first call that names a path below DIR, so that loading the program does not count. The
 * log gets one line per counted call: its place; the one that was hit follows as "HIT <place>". Ends with the
 * command's status, 128 + its signal, or 125 where ptrace cannot be used. SIGTERM is passed on.
 */

enum { PLACE_MAX = 256, PLACES_MAX = 4096, STATUS_CANNOT = 125 };

struct place {
	char name[PLACE_MAX];
	unsigned count;
};

static struct {
	const char *root;
	FILE *log;
	const char *place; /* NULL: only count */
	unsigned occurrence;
	const char *action;
	bool has_begun;
	bool was_hit;
	struct place places[PLACES_MAX];
	size_t place_count;
} trap;

static volatile pid_t child;

static void pass_on(int number)
{
	kill(child, number);
}

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "trap: %s: %s\n", what, strerror(errno));
	if (child > 0)
		kill(child, SIGKILL);
	exit(STATUS_CANNOT);
}

/* Only the calls of the table stop the program: the others run at full speed. */
static void install_filter(void)
{
	struct sock_filter filter[2 * CALLS_MAX + 2] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	unsigned short length = 1;
	for (size_t i = 0; i < calls_count; i++) {
		filter[length++] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number, 0, 1);
		filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	struct sock_fprog program = {length, filter};
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		give_up("seccomp");
}

static void start(char **command)
{
	int ready[2];
	if (pipe2(ready, O_CLOEXEC) != 0)
		give_up("pipe");
	child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0) {
		char byte;
		close(ready[1]);
		if (read(ready[0], &byte, 1) != 1)
			_exit(STATUS_CANNOT);
		install_filter();
		execvp(command[0], command);
		_exit(127);
	}
	close(ready[0]);
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
	               PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL;
	if (ptrace(PTRACE_SEIZE, child, NULL, options) != 0)
		give_up("ptrace");
	if (write(ready[1], "", 1) != 1)
		give_up("write");
	close(ready[1]);
}

/* Up to size - 1 bytes of the program's memory, as a string. */
static size_t copy_memory(pid_t thread, uint64_t address, char *out, size_t size)
{
	size_t length = 0;
	/* Page by page: what follows a string may not be mapped. */
	while (length + 1 < size) {
		size_t step = 4096 - (size_t)((address + length) % 4096);
		if (step > size - 1 - length)
			step = size - 1 - length;
		struct iovec local = {out + length, step};
		struct iovec remote = {(void *)(uintptr_t)(address + length), step};
		ssize_t got = process_vm_readv(thread, &local, 1, &remote, 1, 0);
		if (got <= 0)
			break;
		length += (size_t)got;
		if (memchr(local.iov_base, '\0', (size_t)got) != NULL)
			break;
	}
	out[length] = '\0';
	return length;
}

/* Names of files as they would be in any run: relative to the root, ids and numbers as "#". */
static void normalise(const char *path, char *out, size_t size)
{
	size_t root = strlen(trap.root);
	if (strncmp(path, trap.root, root) == 0) {
		trap.has_begun = true;
		path += root;
	}
	size_t length = 0;
	while (*path != '\0' && length + 2 < size) {
		size_t digits = strspn(path, "0123456789abcdef");
		size_t decimals = strspn(path, "0123456789");
		size_t skipped = digits >= 16 ? digits : decimals > 4 ? decimals : 0;
		out[length++] = skipped > 0 ? '#' : *path;
		path += skipped > 0 ? skipped : 1;
	}
	out[length] = '\0';
	char *kind = strchr(out, ':');
	if (strncmp(out, "socket:", 7) == 0 || strncmp(out, "pipe:", 5) == 0)
		*kind = '\0';
}

static void describe_fd(pid_t thread, uint64_t fd, char *out, size_t size)
{
	char link[64];
	char path[4096];
	snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)thread, (int)fd);
	ssize_t length = readlink(link, path, sizeof path - 1);
	path[length > 0 ? length : 0] = '\0';
	normalise(path, out, size);
}

static void describe_path(pid_t thread, uint64_t address, char *out, size_t size)
{
	char path[4096];
	copy_memory(thread, address, path, sizeof path);
	normalise(path, out, size);
}

static bool is_commit(pid_t thread, uint64_t address, uint64_t length)
{
	char bytes[64] = "";
	struct iovec local = {bytes, length < sizeof bytes ? length : sizeof bytes};
	struct iovec remote = {(void *)(uintptr_t)address, local.iov_len};
	return process_vm_readv(thread, &local, 1, &remote, 1, 0) > 0 &&
	       memmem(bytes, sizeof bytes, "\3COMMIT", 7) != NULL;
}

static void describe(pid_t thread, const struct call *call, const struct __ptrace_syscall_info *info,
                     char *out)
{
	const __uint64_t *args = info->seccomp.args;
	char about[PLACE_MAX / 2 - 16] = "";
	char second[PLACE_MAX / 2 - 16] = "";
	if (call->fd >= 0)
		describe_fd(thread, args[call->fd], about, sizeof about);
	else if (call->path >= 0)
		describe_path(thread, args[call->path], about, sizeof about);
	if (call->second_path >= 0)
		describe_path(thread, args[call->second_path], second, sizeof second);
	bool commits = strcmp(about, "socket") == 0 && call->is_write && is_commit(thread, args[1], args[2]);
	snprintf(out, PLACE_MAX, "%s%s%s%s%s%s", call->name, about[0] != '\0' ? " " : "", about,
	         second[0] != '\0' ? " > " : "", second, commits ? " COMMIT" : "");
}

static unsigned count(const char *name)
{
	for (size_t i = 0; i < trap.place_count; i++) {
		if (strcmp(trap.places[i].name, name) == 0)
			return ++trap.places[i].count;
	}
	if (trap.place_count == PLACES_MAX)
		give_up("too many places");
	struct place *place = &trap.places[trap.place_count++];
	strcpy(place->name, name);
	return place->count = 1;
}

#ifdef __x86_64__
static void change(pid_t thread, const struct call *call)
{
	struct user_regs_struct registers;
	if (ptrace(PTRACE_GETREGS, thread, NULL, &registers) != 0)
		return;
	if (strcmp(trap.action, "short") == 0) {
		if (call->is_write || call->is_read)
			registers.rdx = registers.rdx > 1 ? 1 : registers.rdx;
	} else {
		registers.orig_rax = (unsigned long long)-1;
		registers.rax = (unsigned long long)-atoi(trap.action);
	}
	ptrace(PTRACE_SETREGS, thread, NULL, &registers);
}
#else
static void change(pid_t thread, const struct call *call)
{
	(void)thread, (void)call;
	errno = ENOSYS;
	give_up("cannot change system calls of this machine");
}
#endif

static void hit(pid_t thread, const struct call *call, const char *place)
{
	trap.was_hit = true;
	fprintf(trap.log, "HIT %s\n", place);
	fflush(trap.log);
	if (strcmp(trap.action, "kill") == 0)
		kill(child, SIGKILL);
	else
		change(thread, call);
}

static void at_call(pid_t thread)
{
	struct __ptrace_syscall_info info;
	if (ptrace(PTRACE_GET_SYSCALL_INFO, thread, sizeof info, &info) <= 0)
		return;
	const struct call *call = calls_find((long)info.seccomp.nr);
	if (call == NULL)
		return;
	char place[PLACE_MAX];
	describe(thread, call, &info, place);
	if (!trap.has_begun)
		return;
	fprintf(trap.log, "%s\n", place);
	unsigned occurrence = count(place);
	if (trap.place != NULL && !trap.was_hit && occurrence == trap.occurrence &&
	    strcmp(place, trap.place) == 0)
		hit(thread, call, place);
}

/* A stop that is no signal's has an event; a signal is passed on. */
static void resume(pid_t thread, int status)
{
	int event = status >> 16;
	int number = event == 0 ? WSTOPSIG(status) : 0;
	if (event == PTRACE_EVENT_SECCOMP)
		at_call(thread);
	ptrace(PTRACE_CONT, thread, NULL, number);
}

static int watch(void)
{
	int status;
	pid_t thread;
	while ((thread = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (thread < 0)
			continue;
		if (WIFSTOPPED(status))
			resume(thread, status);
		else if (thread == child)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
	give_up("wait");
}

int main(int count, char **arguments)
{
	int i = 1;
	for (; i + 1 < count && strcmp(arguments[i], "--") != 0; i += 2) {
		if (strcmp(arguments[i], "--root") == 0)
			trap.root = arguments[i + 1];
		else if (strcmp(arguments[i], "--log") == 0)
			trap.log = fopen(arguments[i + 1], "we");
		else if (strcmp(arguments[i], "--at") == 0 && i + 3 < count) {
			trap.place = arguments[i + 1];
			trap.occurrence = (unsigned)atoi(arguments[i + 2]);
			trap.action = arguments[i + 3];
			i += 2;
		}
	}
	if (trap.root == NULL || trap.log == NULL || i + 1 >= count) {
		fprintf(stderr, "usage: trap --root DIR --log FILE [--at PLACE N ACTION] -- COMMAND...\n");
		return 64;
	}
	signal(SIGTERM, pass_on);
	start(&arguments[i + 1]);
	int status = watch();
	fclose(trap.log);
	return status;
}
