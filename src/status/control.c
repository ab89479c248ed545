// SPDX-License-Identifier: Apache-2.0
#include "status/control.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"

enum {
	REQUEST_MAX = 65536,
	CLIENTS_MAX = 64,
	BACKLOG_MAX = 64 << 20, /* unread answer bytes after which a client is dropped */
	ANSWER_MAX = 16 << 20,  /* one line, on the client's side */
	PATIENCE_S = 10,        /* for the greeting */
};

struct client {
	struct client *next;
	struct control *control;
	uint64_t id;
	int fd;
	int passed_fd;
	sd_event_source *source;
	struct buffer in;
	struct buffer out;
	bool is_asked;
	bool is_finished;
};

struct control {
	sd_event *event;
	sd_event_source *source;
	int fd;
	char *path;
	control_request_fn *request;
	void *context;
	struct client *clients;
	size_t client_count;
	uint64_t last_id;
};

/*
 * A socket address holds 107 bytes, a data directory may be longer: the directory is opened and the name
 * looked up in it. The caller closes *directory after bind() or connect().
 */
static enum result address_of(const char *path, struct sockaddr_un *address, int *directory,
                              struct error *error)
{
	const char *name = file_base_name(path);
	CLEANUP_FREE char *parent = name == path ? strdup(".") : strndup(path, (size_t)(name - path));
	if (parent == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	*directory = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*directory < 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot open", parent);
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	int length =
	    snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s", *directory, name);
	if (length < 0 || (size_t)length >= sizeof address->sun_path) {
		close(*directory);
		return error_set(error, RESULT_CONFIG, "'%s': the socket's name is too long", path);
	}
	return RESULT_OK;
}

static void drop(struct client *client)
{
	struct control *control = client->control;
	struct client **link = &control->clients;
	while (*link != client)
		link = &(*link)->next;
	*link = client->next;
	control->client_count--;
	sd_event_source_disable_unref(client->source);
	close(client->fd);
	if (client->passed_fd >= 0)
		close(client->passed_fd);
	buffer_free(&client->in);
	buffer_free(&client->out);
	free(client);
}

/* False: the client is gone. */
static bool write_out(struct client *client)
{
	while (client->out.length > 0) {
		ssize_t count =
		    send(client->fd, client->out.data, client->out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0 && errno == EAGAIN)
			break;
		if (count < 0)
			return false;
		buffer_consume(&client->out, (size_t)count);
	}
	if (client->out.length == 0 && client->is_finished)
		return false;
	uint32_t wanted = client->is_asked ? 0 : EPOLLIN;
	if (client->out.length > 0)
		wanted |= EPOLLOUT;
	return sd_event_source_set_io_events(client->source, wanted) >= 0;
}

/* One descriptor is the request's; of several none can be, and all are closed. */
static void take_descriptors(struct client *client, struct msghdr *message)
{
	bool is_one = (message->msg_flags & MSG_CTRUNC) == 0;
	struct cmsghdr *header = CMSG_FIRSTHDR(message);
	if (header == NULL || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return;
	size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	for (size_t i = 0; i < count; i++) {
		int fd;
		memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
		if (is_one && count == 1 && client->passed_fd < 0)
			client->passed_fd = fd;
		else
			close(fd);
	}
}

static ssize_t receive(struct client *client)
{
	char control_bytes[CMSG_SPACE(2 * sizeof(int))]; /* what does not fit is closed by the kernel */
	struct iovec part = {client->in.data + client->in.length, client->in.capacity - client->in.length};
	struct msghdr message = {.msg_iov = &part,
	                         .msg_iovlen = 1,
	                         .msg_control = control_bytes,
	                         .msg_controllen = sizeof control_bytes};
	ssize_t count = recvmsg(client->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (count < 0)
		return count;
	client->in.length += (size_t)count;
	take_descriptors(client, &message);
	return count;
}

static void handle_line(struct client *client, size_t length)
{
	struct control *control = client->control;
	uint64_t id = client->id;
	client->is_asked = true;
	json_t *request = json_loadb(client->in.data, length, JSON_REJECT_DUPLICATES, NULL);
	int fd = cleanup_steal_fd(&client->passed_fd);
	if (!json_is_object(request)) {
		json_decref(request);
		if (fd >= 0)
			close(fd);
		control_send(control, id, json_pack("{s:s}", "error", "the request is not a JSON object"));
		control_finish(control, id);
		return;
	}
	control->request(control->context, id, request, fd);
	json_decref(request);
}

/* False: the client is gone or breaks the protocol. */
static bool read_in(struct client *client)
{
	if (client->is_asked || buffer_reserve(&client->in, 4096) != RESULT_OK)
		return !client->is_asked ? false : true;
	ssize_t count = receive(client);
	if (count < 0)
		return errno == EAGAIN || errno == EINTR;
	if (count == 0 || client->in.length > REQUEST_MAX)
		return false;
	const char *end = memchr(client->in.data, '\n', client->in.length);
	if (end == NULL)
		return true;
	if (sd_event_source_set_io_events(client->source, 0) < 0)
		return false;
	handle_line(client, (size_t)(end - client->in.data));
	return true;
}

static struct client *find(const struct control *control, uint64_t id)
{
	struct client *client = control->clients;
	while (client != NULL && client->id != id)
		client = client->next;
	return client;
}

static int on_client(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct client *client = context;
	struct control *control = client->control;
	uint64_t id = client->id;
	(void)source;
	(void)fd;
	bool is_alive = (events & EPOLLIN) == 0 || read_in(client);
	/* Handling a request may already have finished, and dropped, the client. */
	client = find(control, id);
	if (client == NULL)
		return 0;
	if (is_alive && (events & EPOLLOUT) != 0)
		is_alive = write_out(client);
	if (!is_alive || (events & (EPOLLHUP | EPOLLERR)) != 0)
		drop(client);
	return 0;
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *context)
{
	struct control *control = context;
	(void)source;
	(void)events;
	int accepted = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (accepted < 0)
		return 0;
	struct client *client = control->client_count < CLIENTS_MAX ? calloc(1, sizeof *client) : NULL;
	if (client == NULL) {
		close(accepted);
		return 0;
	}
	client->control = control;
	client->id = ++control->last_id;
	client->fd = accepted;
	client->passed_fd = -1;
	client->next = control->clients;
	control->clients = client;
	control->client_count++;
	if (sd_event_add_io(control->event, &client->source, accepted, EPOLLIN, on_client, client) < 0 ||
	    buffer_append(&client->out, "\n", 1) != RESULT_OK || !write_out(client))
		drop(client);
	return 0;
}

static enum result listen_at(struct control *control, struct error *error)
{
	struct sockaddr_un address;
	CLEANUP_FD int directory = -1;
	enum result result = address_of(control->path, &address, &directory, error);
	if (result != RESULT_OK)
		return result;
	control->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (control->fd < 0)
		return error_set_errno(error, RESULT_IO, "cannot make a socket");
	if (unlink(control->path) != 0 && errno != ENOENT)
		return error_set_errno(error, RESULT_IO, "'%s': cannot replace", control->path);
	/* Never open to more than it will be. umask() is no way to that: other threads make files too. */
	if (fchmod(control->fd, 0600) != 0 ||
	    bind(control->fd, (const struct sockaddr *)&address, sizeof address) != 0 ||
	    chmod(control->path, 0660) != 0 || listen(control->fd, CLIENTS_MAX) != 0)
		return error_set_errno(error, RESULT_IO, "'%s': cannot listen", control->path);
	if (sd_event_add_io(control->event, &control->source, control->fd, EPOLLIN, on_connection, control) <
	    0)
		return error_set(error, RESULT_IO, "'%s': cannot watch the socket", control->path);
	return RESULT_OK;
}

enum result control_open(struct control **out, sd_event *event, const char *path, control_request_fn *request,
                         void *context, struct error *error)
{
	struct control *control = calloc(1, sizeof *control);
	if (control == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	control->event = event;
	control->fd = -1;
	control->request = request;
	control->context = context;
	control->path = strdup(path);
	enum result result = control->path == NULL ? error_set(error, RESULT_NO_MEMORY, "out of memory")
	                                           : listen_at(control, error);
	if (result != RESULT_OK) {
		control_close(control);
		return result;
	}
	*out = control;
	return RESULT_OK;
}

void control_close(struct control *control)
{
	if (control == NULL)
		return;
	while (control->clients != NULL)
		drop(control->clients);
	sd_event_source_disable_unref(control->source);
	if (control->fd >= 0) {
		unlink(control->path);
		close(control->fd);
	}
	free(control->path);
	free(control);
}

void control_send(struct control *control, uint64_t id, json_t *line)
{
	struct client *client = find(control, id);
	CLEANUP_FREE char *text = line != NULL ? json_dumps(line, JSON_COMPACT) : NULL;
	json_decref(line);
	if (client == NULL)
		return;
	if (text == NULL || buffer_append_string(&client->out, text) != RESULT_OK ||
	    buffer_append(&client->out, "\n", 1) != RESULT_OK || client->out.length > BACKLOG_MAX ||
	    !write_out(client))
		drop(client);
}

void control_finish(struct control *control, uint64_t id)
{
	struct client *client = find(control, id);
	if (client == NULL)
		return;
	client->is_finished = true;
	if (!write_out(client))
		drop(client);
}

static enum result fail_unanswered(struct error *error)
{
	error_set(error, RESULT_HELD, "the running rowsieve does not answer");
	error_hint(error, "does it hang, or is it stopped? then end it and start it again");
	return RESULT_HELD;
}

/* RESULT_END: the server has hung up. */
static enum result await_greeting(int fd, struct error *error)
{
	struct pollfd server = {.fd = fd, .events = POLLIN};
	char greeting;
	if (poll(&server, 1, PATIENCE_S * 1000) <= 0)
		return fail_unanswered(error);
	return read(fd, &greeting, 1) == 1 ? RESULT_OK : RESULT_END;
}

enum result control_connect(const char *path, int *fd, struct error *error)
{
	struct sockaddr_un address;
	CLEANUP_FD int directory = -1;
	if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
		return RESULT_END;
	enum result result = address_of(path, &address, &directory, error);
	if (result != RESULT_OK)
		return result;
	CLEANUP_FD int opened = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (opened < 0)
		return error_set_errno(error, RESULT_IO, "cannot make a socket");
	/* A server that stands still lets its queue fill up. */
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	setsockopt(opened, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(opened, (const struct sockaddr *)&address, sizeof address) != 0) {
		if (errno == ECONNREFUSED || errno == ENOENT)
			return RESULT_END;
		return errno == EAGAIN ? fail_unanswered(error)
		                       : error_set_errno(error, RESULT_HELD, "'%s': cannot connect", path);
	}
	result = await_greeting(opened, error);
	if (result == RESULT_OK)
		*fd = cleanup_steal_fd(&opened);
	return result;
}

enum result control_ask(int fd, const json_t *request, int passed_fd, struct error *error)
{
	CLEANUP_FREE char *text = json_dumps(request, JSON_COMPACT);
	char *line;
	if (text == NULL || asprintf(&line, "%s\n", text) < 0)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	char control_bytes[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec part = {line, strlen(line)};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	if (passed_fd >= 0) {
		message.msg_control = control_bytes;
		message.msg_controllen = sizeof control_bytes;
		struct cmsghdr *header = CMSG_FIRSTHDR(&message);
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(header), &passed_fd, sizeof passed_fd);
	}
	ssize_t sent = sendmsg(fd, &message, MSG_NOSIGNAL);
	bool is_whole = sent == (ssize_t)strlen(line);
	free(line);
	return is_whole
	           ? RESULT_OK
	           : error_set_errno(error, RESULT_HELD, "the running rowsieve does not take the request");
}

static enum result take_line(struct control_reader *reader, size_t length, json_t **line, struct error *error)
{
	*line = json_loadb(reader->line, length, 0, NULL);
	reader->length -= length + 1;
	memmove(reader->line, reader->line + length + 1, reader->length);
	if (*line == NULL)
		return error_set(error, RESULT_HELD, "the running rowsieve gives an answer that is not JSON");
	return RESULT_OK;
}

enum result control_receive(struct control_reader *reader, json_t **line, struct error *error)
{
	for (;;) {
		const char *end = reader->length > 0 ? memchr(reader->line, '\n', reader->length) : NULL;
		if (end != NULL)
			return take_line(reader, (size_t)(end - reader->line), line, error);
		if (reader->length == reader->capacity) {
			size_t capacity = reader->capacity == 0 ? 4096 : 2 * reader->capacity;
			char *grown = capacity <= ANSWER_MAX ? realloc(reader->line, capacity) : NULL;
			if (grown == NULL)
				return error_set(error, RESULT_NO_MEMORY, "the answer is too long");
			reader->line = grown;
			reader->capacity = capacity;
		}
		ssize_t count =
		    read(reader->fd, reader->line + reader->length, reader->capacity - reader->length);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return error_set_errno(error, RESULT_HELD, "the running rowsieve does not answer");
		if (count == 0)
			return RESULT_END;
		reader->length += (size_t)count;
	}
}

void control_reader_close(struct control_reader *reader)
{
	free(reader->line);
	if (reader->fd >= 0)
		close(reader->fd);
	*reader = (struct control_reader){.fd = -1};
}
