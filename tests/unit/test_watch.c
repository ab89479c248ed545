// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "watch/watch.h"

/* Time is what these tests say it is; only the kernel's events are waited for. */
#define SECOND INT64_C(1000000000)
#define SETTLE (2 * SECOND)
#define RESCAN (60 * SECOND)
#define START (1000 * SECOND)

enum { EVENT_DEADLINE_MS = 10000, NOBODY = 65534, MANY = 20000 };

static char root[PATH_MAX];
static char drop[PATH_MAX];
static struct watch *watch;

static void make_root(void)
{
	const char *base = getenv("TMPDIR");
	snprintf(root, sizeof root - 16, "%s/watch-XXXXXX", base != NULL ? base : "/tmp");
	cr_assert_not_null(mkdtemp(root));
	cr_assert(chmod(root, 0755) == 0);
	snprintf(drop, sizeof drop, "%.*s/drop", (int)sizeof drop - 16, root);
	cr_assert(mkdir(drop, 0755) == 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *where)
{
	(void)status;
	(void)type;
	(void)where;
	return remove(path);
}

static void become_root(void)
{
	if (getuid() == 0)
		cr_assert(seteuid(0) == 0);
}

static void remove_root(void)
{
	become_root();
	watch_close(watch);
	nftw(root, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

TestSuite(watch, .init = make_root, .fini = remove_root);

static const char *in_drop(const char *name)
{
	static char path[2][PATH_MAX + 256];
	static int turn;
	turn = !turn;
	snprintf(path[turn], sizeof path[turn], "%s/%s", drop, name);
	return path[turn];
}

static int create(const char *name)
{
	int fd = open(in_drop(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	cr_assert(fd >= 0, "%s", name);
	return fd;
}

static void put(const char *name, const char *content)
{
	int fd = create(name);
	cr_assert(write(fd, content, strlen(content)) == (ssize_t)strlen(content));
	close(fd);
}

static void set_mtime(const char *name, time_t seconds)
{
	struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
	cr_assert(utimensat(AT_FDCWD, in_drop(name), times, 0) == 0);
}

static void open_watch(void)
{
	struct error error = {0};
	struct watch_options options = {.directory = drop, .settle_ns = SETTLE, .rescan_ns = RESCAN};
	cr_assert(watch_open(&watch, &options, &error) == RESULT_OK, "%s", error.message);
}

static void advance(int64_t now_ns)
{
	struct error error = {0};
	cr_assert(watch_advance(watch, now_ns, &error) == RESULT_OK, "%s", error.message);
}

static void await_event(void)
{
	struct pollfd descriptor = {.fd = watch_fd(watch), .events = POLLIN};
	cr_assert(poll(&descriptor, 1, EVENT_DEADLINE_MS) == 1, "no event came");
}

static void expect_next(const char *name)
{
	struct watch_file file;
	cr_assert(watch_next(watch, &file), "'%s' is not handed out", name);
	cr_assert_str_eq(file.path, in_drop(name));
	cr_assert(file.verdict == WATCH_SETTLED);
}

static void expect_none(void)
{
	struct watch_file file;
	cr_assert_not(watch_next(watch, &file), "'%s' is handed out", file.path);
}

/* What is in the drop directory at `now_ns` is taken in and settled when this returns. */
static void settle_from(int64_t now_ns)
{
	advance(now_ns);
	advance(now_ns + SETTLE);
}

Test(watch, a_missing_directory_is_an_error_that_names_it)
{
	struct error error = {0};
	struct watch_options options = {.directory = "/nonexistent/drop"};
	cr_assert(watch_open(&watch, &options, &error) == RESULT_IO);
	cr_assert_not_null(strstr(error.message, "/nonexistent/drop"));
}

Test(watch, too_few_inotify_instances_are_explained_with_the_sysctl_to_raise)
{
	struct error error = {0};
	struct watch_options options = {.directory = drop};
	struct rlimit limit;
	cr_assert(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 0;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_assert(watch_open(&watch, &options, &error) == RESULT_IO);
	limit.rlim_cur = limit.rlim_max;
	cr_assert(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	cr_assert_not_null(strstr(error.hint, "fs.inotify.max_user_instances"));
}

Test(watch, a_file_that_is_there_at_start_is_handed_out_once_after_the_settle_time)
{
	put("a.csv", "x\n");
	open_watch();
	cr_assert(watch_deadline(watch) <= START);
	advance(START);
	expect_none();
	cr_assert(watch_deadline(watch) == START + SETTLE);
	advance(START + SETTLE - 1);
	expect_none();
	advance(START + SETTLE);
	expect_next("a.csv");
	expect_none();
	advance(START + RESCAN + SETTLE);
	advance(START + RESCAN + 2 * SETTLE);
	expect_none();
}

Test(watch, an_event_makes_a_new_file_known_before_the_next_scan)
{
	open_watch();
	advance(START);
	put("a.csv", "x\n");
	await_event();
	settle_from(START + SECOND);
	expect_next("a.csv");
}

Test(watch, a_scan_finds_a_file_whose_events_were_lost)
{
	char events[4096];
	open_watch();
	advance(START);
	put("a.csv", "x\n");
	await_event();
	cr_assert(read(watch_fd(watch), events, sizeof events) > 0);
	settle_from(START + SECOND);
	expect_none();
	cr_assert(watch_deadline(watch) == START + RESCAN);
	settle_from(START + RESCAN);
	expect_next("a.csv");
}

Test(watch, rescan_is_due_at_once)
{
	char events[4096];
	open_watch();
	advance(START);
	put("a.csv", "x\n");
	await_event();
	cr_assert(read(watch_fd(watch), events, sizeof events) > 0);
	watch_rescan(watch);
	cr_assert(watch_deadline(watch) <= START + 1);
	settle_from(START + 1);
	expect_next("a.csv");
}

Test(watch, a_file_is_not_handed_out_while_somebody_has_it_open_for_writing)
{
	open_watch();
	int fd = create("a.csv");
	advance(START);
	for (int64_t now = START; now < START + 10 * SETTLE; now += SECOND)
		advance(now);
	expect_none();
	cr_assert(watch_deadline(watch) < START + 12 * SETTLE, "must look again without an event");
	close(fd);
	settle_from(START + 20 * SETTLE);
	expect_next("a.csv");
}

Test(watch, a_reader_does_not_keep_a_file_back)
{
	put("a.csv", "x\n");
	int fd = open(in_drop("a.csv"), O_RDONLY | O_CLOEXEC);
	open_watch();
	settle_from(START);
	expect_next("a.csv");
	close(fd);
}

Test(watch, a_change_starts_the_settle_time_again)
{
	open_watch();
	put("a.csv", "x\n");
	advance(START);
	put("a.csv", "xyz\n");
	await_event();
	advance(START + SETTLE - 1);
	advance(START + SETTLE);
	expect_none();
	advance(START + 2 * SETTLE - 1);
	expect_next("a.csv");
}

Test(watch, a_change_without_an_event_is_seen_when_the_settle_time_is_over)
{
	char events[4096];
	open_watch();
	put("a.csv", "x\n");
	advance(START);
	put("a.csv", "xyz\n");
	cr_assert(read(watch_fd(watch), events, sizeof events) > 0);
	advance(START + SETTLE);
	expect_none();
	advance(START + 2 * SETTLE);
	expect_next("a.csv");
}

Test(watch, a_part_file_is_taken_once_under_the_name_it_gets)
{
	open_watch();
	put("a.csv.part", "x\n");
	settle_from(START);
	expect_none();
	cr_assert(rename(in_drop("a.csv.part"), in_drop("a.csv")) == 0);
	await_event();
	settle_from(START + 2 * SETTLE);
	expect_next("a.csv");
	settle_from(START + RESCAN);
	expect_none();
}

Test(watch, unfinished_and_hidden_names_symlinks_and_fifos_are_never_taken)
{
	static const char *const names[] = {".hidden.csv", "a.part", "b.tmp", "c.crdownload", "d.PART"};
	open_watch();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put(names[i], "x\n");
	cr_assert(symlink("/etc/passwd", in_drop("link.csv")) == 0);
	cr_assert(mkfifo(in_drop("pipe.csv"), 0644) == 0);
	settle_from(START);
	expect_none();
	settle_from(START + RESCAN);
	expect_none();
}

Test(watch, files_come_in_the_order_of_mtime_then_path)
{
	static const char *const names[] = {"c.csv", "a.csv", "d.csv", "b.csv"};
	open_watch();
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		put(names[i], "x\n");
	set_mtime("d.csv", 100);
	set_mtime("a.csv", 300);
	set_mtime("c.csv", 200);
	set_mtime("b.csv", 200);
	settle_from(START);
	expect_next("d.csv");
	expect_next("b.csv");
	expect_next("c.csv");
	expect_next("a.csv");
	expect_none();
}

Test(watch, a_file_that_changed_after_it_was_handed_out_is_handed_out_again)
{
	struct watch_file file;
	put("a.csv", "x\n");
	open_watch();
	settle_from(START);
	cr_assert(watch_next(watch, &file));
	struct file_identity before = file.identity;
	put("a.csv", "xyz\n");
	await_event();
	settle_from(START + 2 * SETTLE);
	cr_assert(watch_next(watch, &file));
	cr_assert_not(file_identity_equal(&before, &file.identity));
	cr_assert(file.identity.size == 4);
	expect_none();
}

Test(watch, a_settled_file_that_a_scan_does_not_find_is_not_handed_out)
{
	put("a.csv", "x\n");
	put("b.csv", "x\n");
	open_watch();
	settle_from(START);
	cr_assert(unlink(in_drop("a.csv")) == 0);
	advance(START + RESCAN);
	expect_next("b.csv");
	expect_none();
}

Test(watch, a_name_that_is_dropped_again_is_another_file)
{
	put("a.csv", "x\n");
	open_watch();
	settle_from(START);
	expect_next("a.csv");
	cr_assert(unlink(in_drop("a.csv")) == 0);
	advance(START + RESCAN + SETTLE);
	put("a.csv", "x\n");
	settle_from(START + RESCAN + 2 * SETTLE);
	expect_next("a.csv");
}

Test(watch, a_released_file_comes_back_at_its_time_and_not_before)
{
	put("a.csv", "x\n");
	open_watch();
	settle_from(START);
	expect_next("a.csv");
	watch_release(watch, in_drop("a.csv"), START + 10 * SECOND);
	cr_assert(watch_deadline(watch) == START + 10 * SECOND);
	advance(START + 10 * SECOND - 1);
	expect_none();
	advance(START + 10 * SECOND);
	expect_next("a.csv");
}

Test(watch, a_released_file_that_is_gone_is_forgotten)
{
	put("a.csv", "x\n");
	open_watch();
	settle_from(START);
	expect_next("a.csv");
	watch_release(watch, in_drop("a.csv"), START + 10 * SECOND);
	cr_assert(unlink(in_drop("a.csv")) == 0);
	advance(START + 10 * SECOND);
	expect_none();
	cr_assert(watch_deadline(watch) == START + RESCAN);
}

Test(watch, a_directory_that_is_moved_in_brings_its_files_and_is_watched)
{
	struct watch_file file;
	char outside[PATH_MAX + 16];
	open_watch();
	advance(START);
	snprintf(outside, sizeof outside, "%s/outside", root);
	cr_assert(mkdir(outside, 0755) == 0);
	cr_assert(rename(outside, in_drop("cards")) == 0);
	put("cards/early.csv", "x\n");
	await_event();
	settle_from(START + SECOND);
	cr_assert(watch_next(watch, &file));
	cr_assert_str_eq(file.path, in_drop("cards/early.csv"));
	cr_assert_str_eq(file.subdirectory, "cards");

	put("cards/late.csv", "x\n");
	await_event();
	settle_from(START + 10 * SECOND);
	expect_next("cards/late.csv");
	expect_none();
}

Test(watch, a_file_directly_in_the_drop_directory_has_no_subdirectory)
{
	struct watch_file file;
	put("a.csv", "x\n");
	open_watch();
	settle_from(START);
	cr_assert(watch_next(watch, &file));
	cr_assert_null(file.subdirectory);
}

Test(watch, a_renamed_directory_is_watched_under_its_new_name)
{
	open_watch();
	cr_assert(mkdir(in_drop("old"), 0755) == 0);
	advance(START);
	cr_assert(rename(in_drop("old"), in_drop("new")) == 0);
	await_event();
	advance(START + SECOND);
	put("new/a.csv", "x\n");
	await_event();
	settle_from(START + 2 * SECOND);
	expect_next("new/a.csv");
	expect_none();
}

Test(watch, hidden_and_deeper_directories_are_left_alone)
{
	open_watch();
	cr_assert(mkdir(in_drop(".hidden"), 0755) == 0);
	cr_assert(mkdir(in_drop("cards"), 0755) == 0);
	cr_assert(mkdir(in_drop("cards/deeper"), 0755) == 0);
	put(".hidden/a.csv", "x\n");
	put("cards/deeper/a.csv", "x\n");
	settle_from(START);
	settle_from(START + RESCAN);
	expect_none();
}

Test(watch, a_hard_link_is_taken_like_a_file)
{
	char outside[PATH_MAX + 16];
	open_watch();
	put("a.part", "x\n");
	snprintf(outside, sizeof outside, "%s/outside", root);
	cr_assert(rename(in_drop("a.part"), outside) == 0);
	advance(START);
	cr_assert(link(outside, in_drop("a.csv")) == 0);
	await_event();
	settle_from(START + SECOND);
	expect_next("a.csv");
}

Test(watch, a_drop_directory_that_is_made_again_is_taken_up)
{
	struct error error = {0};
	open_watch();
	advance(START);
	cr_assert(rmdir(drop) == 0);
	await_event();
	cr_assert(watch_advance(watch, START + SECOND, &error) == RESULT_IO);
	cr_assert_not_null(strstr(error.message, drop));
	cr_assert(watch_deadline(watch) == START + SECOND + RESCAN);

	cr_assert(mkdir(drop, 0755) == 0);
	advance(START + SECOND + RESCAN);
	put("a.csv", "x\n");
	await_event();
	settle_from(START + 2 * SECOND + RESCAN);
	expect_next("a.csv");
}

Test(watch, files_of_a_drop_directory_that_was_away_are_not_handed_out_twice)
{
	struct error error = {0};
	char away[PATH_MAX + 16];
	put("a.csv", "x\n");
	open_watch();
	settle_from(START);
	expect_next("a.csv");
	snprintf(away, sizeof away, "%s/away", root);
	cr_assert(rename(drop, away) == 0);
	cr_assert(watch_advance(watch, START + RESCAN, &error) == RESULT_IO);
	cr_assert(rename(away, drop) == 0);
	settle_from(START + 2 * RESCAN);
	expect_none();
}

/* Root reads everything, so a root that runs the tests looks at the file as somebody else. */
static void become_nobody(void)
{
	if (geteuid() != 0)
		return;
	cr_assert(seteuid(NOBODY) == 0);
	if (access(drop, R_OK | X_OK) != 0)
		cr_skip_test("the temporary directory is closed to other users");
}

Test(watch, an_unreadable_file_is_reported_once_and_taken_when_it_becomes_readable)
{
	struct watch_file file;
	put("a.csv", "x\n");
	cr_assert(chmod(in_drop("a.csv"), 0) == 0);
	open_watch();
	become_nobody();
	settle_from(START);
	cr_assert(watch_next(watch, &file));
	cr_assert(file.verdict == WATCH_UNREADABLE);
	cr_assert_str_eq(file.path, in_drop("a.csv"));
	settle_from(START + RESCAN);
	settle_from(START + 2 * RESCAN);
	expect_none();

	become_root();
	cr_assert(chmod(in_drop("a.csv"), 0644) == 0);
	become_nobody();
	settle_from(START + 3 * RESCAN);
	expect_next("a.csv");
	become_root();
}

Test(watch, the_settle_time_alone_decides_about_a_file_of_somebody_else)
{
	if (geteuid() != 0)
		cr_skip_test("only root can make a file of somebody else");
	open_watch();
	int fd = create("a.csv");
	become_nobody();
	settle_from(START);
	expect_next("a.csv");
	become_root();
	close(fd);
}

Test(watch, an_overflow_of_the_event_queue_loses_nothing_and_many_files_are_cheap)
{
	char name[32];
	struct watch_file file;
	open_watch();
	advance(START);
	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof name, "%05d.csv", MANY - i);
		close(create(name));
	}
	settle_from(START + SECOND);
	int64_t previous = 0;
	for (int i = 0; i < MANY; i++) {
		cr_assert(watch_next(watch, &file), "%d of %d", i, MANY);
		cr_assert(file.identity.mtime_ns >= previous);
		previous = file.identity.mtime_ns;
	}
	expect_none();
}

Test(watch, open_takes_the_sting_out_of_sigio)
{
	open_watch();
	cr_assert(raise(SIGIO) == 0);
}

static void on_signal(int number)
{
	(void)number;
}

Test(watch, open_leaves_a_handler_of_sigio_alone)
{
	struct sigaction action;
	signal(SIGIO, on_signal);
	open_watch();
	cr_assert(sigaction(SIGIO, NULL, &action) == 0);
	cr_assert(action.sa_handler == on_signal);
}

Test(watch, judge_tells_each_reason)
{
	int64_t now = clock_wall_ns();
	int64_t later = now + 3600 * SECOND;
	put("a.csv", "x\n");
	put("a.part", "x\n");
	cr_assert(watch_judge(in_drop("a.csv"), SETTLE, later) == WATCH_SETTLED);
	cr_assert(watch_judge(in_drop("a.csv"), 3600 * SECOND, now) == WATCH_SETTLING);
	cr_assert(watch_judge(in_drop("a.part"), SETTLE, later) == WATCH_IGNORED_NAME);
	cr_assert(watch_judge(in_drop("none.csv"), SETTLE, later) == WATCH_GONE);
	cr_assert(watch_judge(drop, SETTLE, later) == WATCH_NOT_REGULAR);
	cr_assert(symlink("a.csv", in_drop("link.csv")) == 0);
	cr_assert(watch_judge(in_drop("link.csv"), SETTLE, later) == WATCH_NOT_REGULAR);
	int fd = create("b.csv");
	cr_assert(watch_judge(in_drop("b.csv"), SETTLE, later) == WATCH_BEING_WRITTEN);
	close(fd);
}

Test(watch, judge_does_not_wait_for_an_mtime_in_the_future)
{
	int64_t later = clock_wall_ns() + 3600 * SECOND;
	put("a.csv", "x\n");
	set_mtime("a.csv", (time_t)(later / SECOND) + 3600);
	cr_assert(watch_judge(in_drop("a.csv"), SETTLE, later) == WATCH_SETTLED);
}
