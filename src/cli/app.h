// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_APP_H
#define ROWSIEVE_CLI_APP_H

#include "config/config.h"
#include "ingest/ingest.h"
#include "ingest/match.h"
#include "state.h"
#include "store/store.h"

/* The configuration turned into objects: this is the only place where the parts below meet it. */
struct app {
	const struct config *config;
	struct state *state;
	struct sink *sink;
	struct dataset_options *datasets;
};

/* Root leaves no files of root's behind in somebody else's state: it becomes that somebody, for good. */
enum result app_become_owner(const char *state, struct error *error) WARN_UNUSED;

/* Makes the directories, opens and locks the state, and makes the (unconnected) sink. The configuration is
 * borrowed. */
enum result app_open(struct app *app, const struct config *config, struct error *error) WARN_UNUSED;

/* State and sink of an open app: closed, and opened again after a failure. Configuration and datasets stay
 * what and where they are. */
enum result app_open_stores(struct app *app, struct error *error) WARN_UNUSED;
void app_close_stores(struct app *app);

/* The sink alone, where nothing goes to the table any more. */
void app_close_sink(struct app *app);

/* Where it is remembered what was fetched; newly allocated, NULL without memory. */
char *app_logbooks(const struct config *config);

/* The state alone, for a look at it. RESULT_END: there is none yet; the app is open all the same. */
enum result app_open_state(struct app *app, const struct config *config, struct error *error) WARN_UNUSED;
void app_close(struct app *app);

/* The datasets alone, or the sink, for `check`. */
enum result app_make_datasets(struct app *app, struct error *error) WARN_UNUSED;
enum result app_make_sink(struct app *app, struct error *error) WARN_UNUSED;

/* What is kept for the object store. */
struct spool_options app_spool_options(const struct config *config);

/* RESULT_CONFIG: s3 without a bucket. Everything would go to backup.dir, which cannot be what was meant. */
enum result app_check_store(const struct config *config, struct error *error) WARN_UNUSED;

/* The object store, not yet asked anything; `stop` breaks off what it does. */
enum result app_make_store(const struct config *config, const atomic_bool *stop, struct store **out,
                           struct error *error) WARN_UNUSED;

/* Options of an engine over what the app holds; stop, callbacks and dry_run are the caller's to set. */
struct ingest_options app_ingest_options(const struct app *app);
struct match_rules app_match_rules(const struct app *app);

#endif
