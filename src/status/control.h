// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATUS_CONTROL_H
#define ROWSIEVE_STATUS_CONTROL_H

#include <jansson.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "base/error.h"

/*
 * The control socket: one request per connection, a JSON object on one line, with at most one file descriptor
 * beside it; the answer is JSON objects, one a line, until the connection closes. Passing the descriptor
 * instead of a path means that the daemon reads only what its caller may read.
 *
 * The server greets with an empty line as soon as it has the connection, however long the answer takes: who is
 * not greeted within ten seconds has a server that hangs or stands still.
 *
 * The socket is mode 0660: the file system decides who may ask. The server lives in the program's event loop
 * and never waits for a client; answers wait in memory until the client takes them.
 */

struct control;

/* A request that came in. fd is -1 or now the callee's. Answer by control_send(client, ...), now or later,
 * and end with control_finish(). */
typedef void control_request_fn(void *context, uint64_t client, const json_t *request, int fd);

/* Replaces a stale socket: only the holder of the state's lock may call it. The control must be closed before
 * `event`. */
enum result control_open(struct control **out, sd_event *event, const char *path, control_request_fn *request,
                         void *context, struct error *error) WARN_UNUSED;
void control_close(struct control *control); /* removes the socket; NULL is fine */

/* Queues one line; takes over the reference. A client that is gone, or falls too far behind, is dropped. */
void control_send(struct control *control, uint64_t client, json_t *line);

/* No more lines will come. */
void control_finish(struct control *control, uint64_t client);

/* Client side. RESULT_END: nobody listens there; RESULT_HELD: somebody does, and does not answer. */
enum result control_connect(const char *path, int *fd, struct error *error) WARN_UNUSED;
enum result control_ask(int fd, const json_t *request, int passed_fd, struct error *error) WARN_UNUSED;

/* Reads answers line by line; RESULT_END when the server has finished. */
struct control_reader {
	int fd;
	char *line;
	size_t length;
	size_t capacity;
};

enum result control_receive(struct control_reader *reader, json_t **line, struct error *error) WARN_UNUSED;
void control_reader_close(struct control_reader *reader); /* closes the descriptor too */

#endif
