// SPDX-License-Identifier: Apache-2.0
#include "cli/app.h"

#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "ingest/batch.h"
#include "sink/mysql_sink.h"
#include "sink/sqlite_sink.h"
#include "store/local.h"
#include "store/module.h"

/* A daemon that reloads, or a command that only looks, lets go of the state within this. */
static const int64_t HELD_PATIENCE_NS = 2000000000;
static const struct timespec HELD_STEP = {.tv_nsec = 20000000};

static enum result make_directories(const struct config *config, struct error *error)
{
	const char *const directories[] = {config->data, config->drop, config->done, config->rejected};
	for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
		enum result result = file_make_directory(directories[i], 0755, error);
		if (result != RESULT_OK)
			return error->result = RESULT_STATE;
	}
	return RESULT_OK;
}

enum result app_become_owner(const char *state, struct error *error)
{
	struct stat status;
	if (geteuid() != 0 || stat(state, &status) != 0 || status.st_uid == 0)
		return RESULT_OK;
	const struct passwd *owner = getpwuid(status.st_uid);
	bool has_groups =
	    owner != NULL ? initgroups(owner->pw_name, status.st_gid) == 0 : setgroups(0, NULL) == 0;
	if (!has_groups || setresgid(status.st_gid, status.st_gid, status.st_gid) != 0 ||
	    setresuid(status.st_uid, status.st_uid, status.st_uid) != 0)
		return error_set_errno(error, RESULT_STATE, "'%s': cannot become its owner", state);
	return RESULT_OK;
}

static enum result open_state(struct app *app, bool must_exist, struct error *error)
{
	struct state_options options = {.directory = app->config->state, .must_exist = must_exist};
	struct state_error failure;
	int64_t deadline = clock_monotonic_ns() + HELD_PATIENCE_NS;
	enum state_result opened;
	while ((opened = state_open(&app->state, &options, &failure)) == STATE_HELD &&
	       clock_monotonic_ns() < deadline)
		nanosleep(&HELD_STEP, NULL);
	if (opened == STATE_OK)
		return RESULT_OK;
	if (opened == STATE_NOT_FOUND)
		return RESULT_END;
	return dataset_state_error(error, &failure, "cannot open the state");
}

static struct dialect dialect_of(const struct config_dialect *config)
{
	enum dialect_quote quote = config->quote == '"'    ? DIALECT_QUOTE_DOUBLE
	                           : config->quote == '\'' ? DIALECT_QUOTE_SINGLE
	                                                   : DIALECT_QUOTE_NONE;
	return (struct dialect){
	    .delimiter = config->delimiter,
	    .quote = quote,
	    .escape = config->escape,
	    .comment = config->comment,
	    .is_headerless = !config->has_header,
	    .skip_lines = config->skip_lines,
	    .encoding = config->encoding,
	};
}

enum result app_make_datasets(struct app *app, struct error *error)
{
	static const enum batch_on_change on_change[] = {
	    [CONFIG_ON_CHANGE_UPDATE] = BATCH_CHANGE_UPDATES,
	    [CONFIG_ON_CHANGE_IGNORE] = BATCH_CHANGE_IGNORED,
	    [CONFIG_ON_CHANGE_REJECT] = BATCH_CHANGE_REJECTED,
	};
	size_t count = app->config->dataset_count;
	app->datasets = calloc(count + 1, sizeof *app->datasets);
	if (app->datasets == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < count; i++) {
		const struct config_dataset *dataset = &app->config->datasets[i];
		app->datasets[i] = (struct dataset_options){
		    .name = dataset->name,
		    .table = dataset->table,
		    .files = dataset->files,
		    .file_count = dataset->file_count,
		    .dialect = dialect_of(&dataset->dialect),
		    .spec = dataset->schema,
		    .on_change = on_change[dataset->on_change],
		};
	}
	return RESULT_OK;
}

enum result app_make_sink(struct app *app, struct error *error)
{
	const struct config *config = app->config;
	if (config->sink == CONFIG_SINK_SQLITE)
		return sqlite_sink_open(&app->sink, config->sqlite_path, error);
	struct mysql_sink_options options = {
	    .host = config->mysql.host,
	    .port = config->mysql.port,
	    .socket = config->mysql.socket,
	    .user = config->mysql.user,
	    .password_file = config->mysql.password_file,
	    .defaults_file = config->mysql.defaults_file,
	    .defaults_group = config->mysql.defaults_group,
	    .database = config->mysql.database,
	    .tls = config->mysql.tls,
	    .ca = config->mysql.ca,
	};
	return mysql_sink_open(&app->sink, &options, error);
}

enum result app_check_store(const struct config *config, struct error *error)
{
	if (config->s3.bucket == NULL &&
	    (config->s3.endpoint != NULL || config->s3.prefix != NULL || config->s3.profile != NULL))
		return error_set(error, RESULT_CONFIG, "s3.bucket must be set where s3 is used");
	return RESULT_OK;
}

enum result app_open(struct app *app, const struct config *config, struct error *error)
{
	*app = (struct app){.config = config};
	enum result result = app_check_store(config, error);
	if (result == RESULT_OK)
		result = app_become_owner(config->state, error);
	if (result == RESULT_OK)
		result = app_make_datasets(app, error);
	if (result == RESULT_OK)
		result = app_open_stores(app, error);
	if (result != RESULT_OK)
		app_close(app);
	return result;
}

enum result app_open_stores(struct app *app, struct error *error)
{
	enum result result = make_directories(app->config, error);
	if (result == RESULT_OK)
		result = open_state(app, false, error);
	if (result == RESULT_OK)
		result = app_make_sink(app, error);
	if (result != RESULT_OK)
		app_close_stores(app);
	return result;
}

void app_close_sink(struct app *app)
{
	if (app->sink != NULL)
		app->sink->interface->close(app->sink);
	app->sink = NULL;
}

void app_close_stores(struct app *app)
{
	app_close_sink(app);
	state_close(app->state);
	app->state = NULL;
}

enum result app_open_state(struct app *app, const struct config *config, struct error *error)
{
	*app = (struct app){.config = config};
	enum result result = app_become_owner(config->state, error);
	if (result == RESULT_OK)
		result = app_make_datasets(app, error);
	if (result == RESULT_OK)
		result = open_state(app, true, error);
	if (result != RESULT_OK && result != RESULT_END)
		app_close(app);
	return result;
}

char *app_logbooks(const struct config *config)
{
	return file_join(config->state, "fetch");
}

void app_close(struct app *app)
{
	app_close_stores(app);
	free(app->datasets);
	*app = (struct app){0};
}

struct spool_options app_spool_options(const struct config *config)
{
	bool has_s3 = config->s3.bucket != NULL;
	struct spool_options options = {
	    .directory = config->spool,
	    .rows = has_s3 ? config->s3.rows : config->backup.rows,
	    .raw = has_s3 ? config->s3.raw : config->backup.raw,
	};
	return options.rows || options.raw ? options : (struct spool_options){0};
}

enum result app_make_store(const struct config *config, const atomic_bool *stop, struct store **out,
                           struct error *error)
{
	if (config->s3.bucket == NULL)
		return local_open(out, config->backup.dir, error);
	struct s3_options options = {
	    .endpoint = config->s3.endpoint,
	    .region = config->s3.region,
	    .bucket = config->s3.bucket,
	    .prefix = config->s3.prefix,
	    .is_path_addressed = config->s3.addressing == CONFIG_ADDRESSING_PATH,
	    .profile = config->s3.profile,
	    .ca = config->s3.ca,
	    .storage_class = config->s3.storage_class,
	    .sse = config->s3.sse,
	    .stop = stop,
	};
	bool is_v2 = config->s3.signature == CONFIG_SIGNATURE_V2;
	return is_v2 ? module_open_v2(out, &options, error) : s3_open(out, &options, error);
}

static uint64_t lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

struct ingest_options app_ingest_options(const struct app *app)
{
	static const enum ingest_on_done on_done[] = {
	    [CONFIG_ON_DONE_ARCHIVE] = INGEST_ARCHIVE,
	    [CONFIG_ON_DONE_KEEP] = INGEST_KEEP,
	    [CONFIG_ON_DONE_DELETE] = INGEST_DELETE,
	};
	const struct config *config = app->config;
	/* Half of the memory is for two batches, one on its way and one that is filled: a quarter for their rows, a
	 * quarter for what is known of these. The other half holds a record in the making and what libraries need. */
	uint64_t share = config->memory / 4;
	uint64_t rows = lesser(config->batch.rows, share / BATCH_DIGESTED_ROW_COST);
	uint64_t bytes = lesser(config->batch.bytes, share / 2);
	return (struct ingest_options){
	    .state = app->state,
	    .sink = app->sink,
	    .datasets = app->datasets,
	    .dataset_count = config->dataset_count,
	    .create_unmatched = config->unmatched == CONFIG_UNMATCHED_CREATE,
	    .on_done = on_done[config->on_done],
	    .done = config->done,
	    .rejected = config->rejected,
	    .spool = app_spool_options(config),
	    .batch = {.rows = rows,
	              .bytes = bytes,
	              .all_rows = lesser(share / BATCH_ROW_COST, BATCH_PARTS_MAX * rows),
	              .all_bytes = lesser(share / 2, BATCH_PARTS_MAX * bytes)},
	    .max_field = config->limits.max_field,
	    .max_columns = config->limits.max_columns,
	    .limits = {.max_members = config->limits.max_members, .max_ratio = config->limits.max_ratio},
	};
}

struct match_rules app_match_rules(const struct app *app)
{
	return (struct match_rules){
	    .datasets = app->datasets,
	    .count = app->config->dataset_count,
	    .create_unmatched = app->config->unmatched == CONFIG_UNMATCHED_CREATE,
	};
}
