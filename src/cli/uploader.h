// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_UPLOADER_H
#define ROWSIEVE_CLI_UPLOADER_H

#include <jansson.h>

#include "cli/app.h"
#include "ingest/upload.h"

/*
 * The thread that works off the outbox beside the daemon's worker, or a command that reads files. A store that is in trouble is asked again
 * after a while that grows; rows never wait for it.
 */
struct uploader;

/* Starts the thread; *out is NULL where the configuration has no store. Both are borrowed. */
enum result uploader_start(struct uploader **out, const struct config *config,
                           const struct upload_state *state, struct error *error) WARN_UNUSED;

/* Something may be owed now. NULL is fine. */
void uploader_poke(struct uploader *uploader);

/* Breaks off what is under way. NULL is fine. */
void uploader_stop(struct uploader *uploader);

/* Waits for the thread, which was asked to stop, and frees it. NULL is fine. */
void uploader_free(struct uploader *uploader);

/* Why the store does not take what is owed; false: nothing is wrong. */
bool uploader_trouble(struct uploader *uploader, char text[ERROR_MESSAGE_MAX]);

/*
 * The same for a command that ends: the thread works beside it from now on. NULL where there is no store, or it
 * cannot be opened, which is logged: rows do not depend on it. `stop`, when it is set, breaks off what is under
 * way. App and flag are borrowed; the app's state stays open until uploader_finish().
 */
struct uploader *uploader_begin(const struct app *app, const atomic_bool *stop);

/* Waits until everything that is owed now was tried, and frees it. What stays owed is logged. NULL is fine. */
void uploader_finish(struct uploader *uploader);

#endif
