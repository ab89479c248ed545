// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cli/mailbox.h"

static struct mailbox *mailbox;

static void setup(void)
{
	struct error error;
	cr_assert_eq(mailbox_open(&mailbox, &error), RESULT_OK);
}

static void teardown(void)
{
	mailbox_close(mailbox);
}

TestSuite(mailbox, .init = setup, .fini = teardown);

static void put(const char *path, uint64_t client)
{
	struct mailbox_job *job = calloc(1, sizeof *job);
	cr_assert_not_null(job);
	job->path = strdup(path);
	job->client = client;
	job->fd = -1;
	mailbox_put_job(mailbox, job);
}

static void expect_job(bool only_clients, const char *path)
{
	struct mailbox_job *job = mailbox_take_job(mailbox, only_clients, clock_monotonic_ns());
	if (path == NULL) {
		cr_assert_null(job);
		return;
	}
	cr_assert_not_null(job);
	cr_assert_str_eq(job->path, path);
	mailbox_free_job(job);
}

Test(mailbox, jobs_come_out_in_the_order_they_went_in)
{
	put("a", 0);
	put("b", 7);
	cr_assert_eq(mailbox_job_count(mailbox), 2);
	expect_job(false, "a");
	expect_job(false, "b");
	expect_job(false, NULL);
}

Test(mailbox, in_trouble_only_clients_are_taken)
{
	put("file", 0);
	put("client", 7);
	expect_job(true, "client");
	expect_job(true, NULL);
	expect_job(false, "file");
}

Test(mailbox, returned_jobs_stand_in_front_in_their_order)
{
	struct mailbox_jobs taken = TAILQ_HEAD_INITIALIZER(taken);
	put("a", 0);
	put("b", 0);
	put("c", 0);
	for (int i = 0; i < 2; i++) {
		struct mailbox_job *job = mailbox_take_job(mailbox, false, 0);
		TAILQ_INSERT_TAIL(&taken, job, link);
	}
	mailbox_return_jobs(mailbox, &taken);
	cr_assert(TAILQ_EMPTY(&taken));
	expect_job(false, "a");
	expect_job(false, "b");
	expect_job(false, "c");
}

static void *put_one(void *context)
{
	while (!mailbox_is_waited_at(mailbox))
		;
	put(context, 0);
	return NULL;
}

Test(mailbox, a_waiting_taker_gets_what_is_put)
{
	pthread_t thread;
	char path[] = "late";
	cr_assert_eq(pthread_create(&thread, NULL, put_one, path), 0);
	struct mailbox_job *job = mailbox_take_job(mailbox, false, clock_monotonic_ns() + 60000000000);
	cr_assert_not_null(job);
	mailbox_free_job(job);
	pthread_join(thread, NULL);
}

Test(mailbox, a_woken_taker_does_not_wait)
{
	mailbox_wake(mailbox);
	int64_t begin = clock_monotonic_ns();
	cr_assert_null(mailbox_take_job(mailbox, false, begin + 60000000000));
	cr_assert_lt(clock_monotonic_ns() - begin, 30000000000);
}

static bool is_readable(void)
{
	struct pollfd entry = {.fd = mailbox_fd(mailbox), .events = POLLIN};
	return poll(&entry, 1, 0) == 1;
}

Test(mailbox, events_arrive_and_the_descriptor_says_so)
{
	cr_assert_not(is_readable());
	struct mailbox_event event = {.kind = MAILBOX_ENDED, .client = 3, .exit_status = 69};
	mailbox_post(mailbox, event, "x.csv");
	cr_assert(is_readable());
	struct mailbox_event *arrived = mailbox_next_event(mailbox);
	cr_assert_not_null(arrived);
	cr_assert_str_eq(arrived->path, "x.csv");
	cr_assert_eq(arrived->exit_status, 69);
	mailbox_free_event(arrived);
	cr_assert_null(mailbox_next_event(mailbox));
	cr_assert_not(is_readable());
}
