// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_UPLOADER_H
#define ROWSIEVE_CLI_UPLOADER_H

#include <jansson.h>

#include "cli/app.h"
#include "ingest/upload.h"

/*
 * The thread that works off the outbox beside the daemon's worker. A store that is in trouble is asked again
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

/* For a command that ends: works off what it can, once, on this thread. What stays owed is logged. */
void uploader_run_once(const struct app *app, const atomic_bool *stop);

#endif
