// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "scratch.h"
#include "status/control.h"

static char *directory;
static char *path;
static sd_event *event;
static struct control *control;
static int passed_fd;

/* Echoes the request's "say", as often as "times", and reads one byte through a passed descriptor. */
static void on_request(void *context, uint64_t client, const json_t *request, int fd)
{
	(void)context;
	char byte[2] = "";
	if (fd >= 0 && read(fd, byte, 1) == 1)
		passed_fd = fd;
	json_int_t times = json_integer_value(json_object_get(request, "times"));
	for (json_int_t i = 0; i < times; i++)
		control_send(control, client,
		             json_pack("{s:O, s:s}", "said", json_object_get(request, "say"), "byte", byte));
	control_finish(control, client);
	if (fd >= 0)
		close(fd);
}

static void *serve(void *context)
{
	(void)context;
	sd_event_loop(event);
	return NULL;
}

static int on_exit_byte(sd_event_source *source, int fd, uint32_t events, void *context)
{
	(void)source;
	(void)fd;
	(void)events;
	(void)context;
	return sd_event_exit(event, 0);
}

static pthread_t server;
static int exit_pipe[2];

static void setup(void)
{
	directory = scratch_make();
	char deep[300];
	memset(deep, 'd', 150);
	deep[150] = '\0';
	char *parent = scratch_path(directory, deep);
	cr_assert_eq(mkdir(parent, 0755), 0);
	path = scratch_path(parent, "control.sock");
	free(parent);
	struct error error;
	cr_assert_geq(sd_event_new(&event), 0);
	cr_assert_eq(control_open(&control, event, path, on_request, NULL, &error), RESULT_OK, "%s",
	             error.message);
	cr_assert_eq(pipe(exit_pipe), 0);
	cr_assert_geq(sd_event_add_io(event, NULL, exit_pipe[0], 1, on_exit_byte, NULL), 0);
	cr_assert_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

static void teardown(void)
{
	cr_assert_eq(write(exit_pipe[1], "x", 1), 1);
	pthread_join(server, NULL);
	control_close(control);
	sd_event_unref(event);
	close(exit_pipe[0]);
	close(exit_pipe[1]);
	free(path);
	scratch_remove(directory);
}

TestSuite(control, .init = setup, .fini = teardown);

/* Answers to one request; -1 when the server hung up without any. */
static int ask(json_t *request, int fd, json_t **last)
{
	struct error error;
	struct control_reader reader = {.fd = -1};
	cr_assert_eq(control_connect(path, &reader.fd, &error), RESULT_OK, "%s", error.message);
	cr_assert_eq(control_ask(reader.fd, request, fd, &error), RESULT_OK);
	json_decref(request);
	int count = 0;
	json_t *line;
	while (control_receive(&reader, &line, &error) == RESULT_OK) {
		json_decref(*last);
		*last = line;
		count++;
	}
	control_reader_close(&reader);
	return count;
}

Test(control, a_request_is_answered_line_by_line_over_a_long_path)
{
	json_t *last = NULL;
	cr_assert_eq(ask(json_pack("{s:s, s:i}", "say", "hello", "times", 3), -1, &last), 3);
	cr_assert_str_eq(json_string_value(json_object_get(last, "said")), "hello");
	json_decref(last);
}

Test(control, a_descriptor_travels_with_the_request)
{
	char *file = scratch_path(directory, "file");
	scratch_write(file, "Q");
	int fd = open(file, O_RDONLY);
	json_t *last = NULL;
	cr_assert_eq(ask(json_pack("{s:s, s:i}", "say", "", "times", 1), fd, &last), 1);
	cr_assert_str_eq(json_string_value(json_object_get(last, "byte")), "Q");
	json_decref(last);
	close(fd);
	free(file);
}

static void send_two_descriptors(int socket_fd, int first, int second)
{
	const int descriptors[] = {first, second};
	char request[] = "{\"say\": \"\", \"times\": 1}\n";
	char control_bytes[CMSG_SPACE(sizeof descriptors)] = {0};
	struct iovec part = {request, strlen(request)};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control_bytes,
	                         .msg_controllen = sizeof control_bytes};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof descriptors);
	memcpy(CMSG_DATA(header), descriptors, sizeof descriptors);
	cr_assert_eq(sendmsg(socket_fd, &message, MSG_NOSIGNAL), (ssize_t)strlen(request));
}

Test(control, of_two_descriptors_none_is_taken_and_none_stays_open)
{
	struct error error;
	struct control_reader reader = {.fd = -1};
	int ends[2];
	cr_assert_eq(pipe(ends), 0);
	cr_assert_eq(control_connect(path, &reader.fd, &error), RESULT_OK, "%s", error.message);
	send_two_descriptors(reader.fd, ends[1], ends[1]);
	close(ends[1]);
	json_t *answer;
	cr_assert_eq(control_receive(&reader, &answer, &error), RESULT_OK);
	cr_assert_str_eq(json_string_value(json_object_get(answer, "byte")), "");
	json_decref(answer);
	control_reader_close(&reader);
	/* The last writer's end is what makes the pipe hang up. */
	struct pollfd hang_up = {.fd = ends[0]};
	cr_assert_eq(poll(&hang_up, 1, 10000), 1);
	close(ends[0]);
}

Test(control, answers_larger_than_the_socket_buffer_arrive_whole)
{
	char text[4001];
	memset(text, 't', 4000);
	text[4000] = '\0';
	json_t *last = NULL;
	cr_assert_eq(ask(json_pack("{s:s, s:i}", "say", text, "times", 2000), -1, &last), 2000);
	json_decref(last);
}

Test(control, a_request_that_is_no_object_gets_an_error)
{
	json_t *last = NULL;
	cr_assert_eq(ask(json_pack("[i]", 1), -1, &last), 1);
	cr_assert_not_null(json_object_get(last, "error"));
	json_decref(last);
}

Test(control, a_client_that_leaves_does_not_end_the_server)
{
	struct error error;
	int fd;
	cr_assert_eq(control_connect(path, &fd, &error), RESULT_OK);
	json_t *request = json_pack("{s:s, s:i}", "say", "unread", "times", 100000);
	cr_assert_eq(control_ask(fd, request, -1, &error), RESULT_OK);
	json_decref(request);
	close(fd);
	json_t *last = NULL;
	cr_assert_eq(ask(json_pack("{s:s, s:i}", "say", "still", "times", 1), -1, &last), 1);
	json_decref(last);
}

Test(control, the_socket_is_for_owner_and_group_only)
{
	struct stat status;
	cr_assert_eq(stat(path, &status), 0);
	cr_assert_eq(status.st_mode & 0777, 0660);
}

Test(control, nobody_listening_is_told_from_other_failures)
{
	struct error error;
	int fd;
	char *missing = scratch_path(directory, "missing.sock");
	cr_assert_eq(control_connect(missing, &fd, &error), RESULT_END);
	free(missing);
}
