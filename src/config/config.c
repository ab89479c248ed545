// SPDX-License-Identifier: Apache-2.0
#include "config/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config/datasets.h"
#include "config/fetches.h"
#include "config/keys.h"
#include "config/reader.h"

static const char default_path[] = "/etc/rowsieve/rowsieve.conf";

enum { OWNED_MAX = 16 };

/* The configuration and what its strings live in. */
struct loaded {
	struct config config; /* first: what callers hold is this */
	cfg_t *tree;
	char *owned[OWNED_MAX];
	size_t owned_count;
};

/* NULL: no file. One that exists but cannot be looked at is taken, so that reading it says why. */
static const char *choose_path(const char *path)
{
	if (path != NULL)
		return path;
	const char *environment = getenv("ROWSIEVE_CONFIG");
	if (environment != NULL && environment[0] != '\0')
		return environment;
	bool is_missing = access(default_path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR);
	return is_missing ? NULL : default_path;
}

/* Takes ownership of `text`, which may be NULL for lack of memory. */
static enum result own(struct loaded *loaded, const char **field, char *text)
{
	if (text == NULL)
		return RESULT_NO_MEMORY;
	loaded->owned[loaded->owned_count++] = text;
	*field = text;
	return RESULT_OK;
}

static enum result store_values(struct config *config, cfg_t *tree, struct error *error)
{
	for (size_t i = 0; i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		if (key->size == 0)
			continue;
		bool is_root = strcmp(key->section, KEYS_ROOT) == 0;
		const char *text = reader_string(is_root ? tree : cfg_getsec(tree, key->section), key->name);
		enum result result = text != NULL ? keys_store(key, text, config, error) : RESULT_OK;
		if (result != RESULT_OK)
			return result;
	}
	return RESULT_OK;
}

static enum result fill_paths(struct loaded *loaded)
{
	struct config *config = &loaded->config;
	const struct {
		const char **field;
		const char *name;
	} paths[] = {
	    {&config->drop, "drop"},           {&config->done, "done"},
	    {&config->rejected, "rejected"},   {&config->state, "state"},
	    {&config->sqlite_path, "rows.db"}, {&config->socket_path, "control.sock"},
	};
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (*paths[i].field == NULL &&
		    own(loaded, paths[i].field, file_join(config->data, paths[i].name)) != RESULT_OK)
			return RESULT_NO_MEMORY;
	if (config->backup.dir == NULL &&
	    own(loaded, &config->backup.dir, file_join(config->data, "backup")) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return own(loaded, &config->spool, file_join(config->state, "spool"));
}

/* The length without '/' at the end. */
static size_t path_length(const char *path)
{
	size_t length = strlen(path);
	while (length > 1 && path[length - 1] == '/')
		length--;
	return length;
}

/* Would the watch of `drop` look into this directory? */
static bool is_watched(const char *drop, const char *directory)
{
	size_t drop_length = path_length(drop);
	size_t length = path_length(directory);
	if (length < drop_length || strncmp(drop, directory, drop_length) != 0)
		return false;
	if (length == drop_length)
		return true;
	return directory[drop_length] == '/' &&
	       memchr(directory + drop_length + 1, '/', length - drop_length - 1) == NULL;
}

/* What has left the drop directory must not be found in it again. */
static enum result check_paths(const struct config *config, struct error *error)
{
	const char *const others[] = {config->done, config->rejected};
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (is_watched(config->drop, others[i]))
			return error_set(error, RESULT_CONFIG, "'%s' lies in the drop directory '%s'",
			                 others[i], config->drop);
	return RESULT_OK;
}

/* What depends on more than one key, or on whether there is a file. */
static enum result complete(struct loaded *loaded, const struct config_source *source, const char *path,
                            struct error *error)
{
	struct config *config = &loaded->config;
	if (path != NULL && own(loaded, &config->path, strdup(path)) != RESULT_OK)
		return RESULT_NO_MEMORY;
	if (source->data != NULL && own(loaded, &config->data, strdup(source->data)) != RESULT_OK)
		return RESULT_NO_MEMORY;
	if (config->data[0] == '\0')
		return error_set(error, RESULT_CONFIG, "--data must name a directory");
	if (path == NULL && cfg_getstr(loaded->tree, "unmatched") == NULL)
		config->unmatched = CONFIG_UNMATCHED_CREATE;
	if (config->sink == CONFIG_SINK_MYSQL && config->mysql.database == NULL) {
		error_set(error, RESULT_CONFIG, "sink = \"mysql\" needs mysql.database");
		return path != NULL && error != NULL ? error_wrap(error, "'%s'", path) : RESULT_CONFIG;
	}
	if (fill_paths(loaded) != RESULT_OK)
		return RESULT_NO_MEMORY;
	return check_paths(config, error);
}

enum result config_load(struct config **out, const struct config_source *source, struct error *error)
{
	const char *path = choose_path(source->path);
	struct loaded *loaded = calloc(1, sizeof *loaded);
	if (loaded == NULL)
		return RESULT_NO_MEMORY;
	struct config *config = &loaded->config;
	struct config_dataset *datasets = NULL;
	struct config_fetch *fetches = NULL;
	enum result result =
	    reader_read(&loaded->tree, path, source->overrides, source->override_count, error);
	if (result == RESULT_OK)
		result = store_values(config, loaded->tree, error);
	if (result == RESULT_OK)
		result = datasets_read(&datasets, &config->dataset_count, loaded->tree, error);
	config->datasets = datasets;
	if (result == RESULT_OK)
		result = fetches_read(&fetches, &config->fetch_count, loaded->tree, error);
	config->fetches = fetches;
	if (result == RESULT_OK)
		result = complete(loaded, source, path, error);
	if (result != RESULT_OK) {
		config_free(config);
		return result;
	}
	*out = config;
	return RESULT_OK;
}

void config_free(struct config *config)
{
	struct loaded *loaded = (struct loaded *)config;
	if (loaded == NULL)
		return;
	datasets_free((struct config_dataset *)config->datasets, config->dataset_count);
	free((void *)config->fetches);
	for (size_t i = 0; i < loaded->owned_count; i++)
		free(loaded->owned[i]);
	if (loaded->tree != NULL)
		cfg_free(loaded->tree);
	free(loaded);
}
