// SPDX-License-Identifier: Apache-2.0
#include "config/reader.h"

#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "config/keys.h"
#include "config/override.h"
#include "config/syntax.h"

enum {
	FILE_SIZE_MAX = 1024 * 1024,
	INCLUDE_DEPTH_MAX = 8,
};

/* The include() of one file, in order; they are followed when the whole of that file has been read. */
struct include {
	char *pattern;
	int line;
};

struct includes {
	struct include *items;
	size_t count;
};

struct reading {
	cfg_t *root;
	const char *path; /* of the file that is being parsed */
	struct includes *includes;
	struct error *error;
	bool has_failed;
};

/* libconfuse hands no pointer of ours to its callbacks. */
static struct reading *current;

/* As libconfuse's error function; the first error counts. */
static void take_error(cfg_t *section, const char *format, va_list arguments)
{
	char text[ERROR_MESSAGE_MAX];
	if (current->has_failed)
		return;
	current->has_failed = true;
	vsnprintf(text, sizeof text, format, arguments);
	/* It repeats what it does not know, line ends and all. */
	char shown[ERROR_MESSAGE_MAX];
	error_quote(shown, sizeof shown, text);
	error_set(current->error, RESULT_CONFIG, "'%s' line %d: %s", current->path, section->line, shown);
}

static int check_value(cfg_t *section, cfg_opt_t *option, const char *value, void *result)
{
	struct error error;
	const struct key *key = keys_find(section->name, option->name);
	if (key == NULL) { /* libconfuse takes batch|rows for rows in batch */
		cfg_error(section, "no such option '%s'", option->name);
		return -1;
	}
	if (keys_check(key, value, &error) != RESULT_OK) {
		cfg_error(section, "%s", error.message);
		return -1;
	}
	*(const char **)result = value;
	return 0;
}

static char *beside(const char *path, const char *name)
{
	const char *slash = strrchr(path, '/');
	if (name[0] == '/' || slash == NULL)
		return strdup(name);
	char *joined;
	return asprintf(&joined, "%.*s/%s", (int)(slash - path), path, name) < 0 ? NULL : joined;
}

static int take_include(cfg_t *root, cfg_opt_t *option, int count, const char **patterns)
{
	struct includes *includes = current->includes;
	(void)option;
	if (count == 0) {
		cfg_error(root, "include() needs a file or a pattern");
		return -1;
	}
	for (int i = 0; i < count; i++) {
		struct include *items = reallocarray(includes->items, includes->count + 1, sizeof *items);
		if (items == NULL)
			return -1;
		includes->items = items;
		items[includes->count] =
		    (struct include){.pattern = beside(current->path, patterns[i]), .line = root->line};
		if (items[includes->count].pattern == NULL)
			return -1;
		includes->count++;
	}
	return 0;
}

static void free_includes(struct includes *includes)
{
	for (size_t i = 0; i < includes->count; i++)
		free(includes->items[i].pattern);
	free(includes->items);
}

static void add_option(cfg_opt_t *options, cfg_opt_t option)
{
	while (options->name != NULL)
		options++;
	*options = option;
}

/* The keys of a section, with room for the sections in it. */
static cfg_opt_t *options_of(const char *section)
{
	enum { ROOM = 16 };
	cfg_opt_t *options = calloc(keys_count + ROOM, sizeof *options);
	for (size_t i = 0; options != NULL && i < keys_count; i++) {
		const struct key *key = &keys_table[i];
		if (strcmp(key->section, section) != 0)
			continue;
		if (keys_is_list(key))
			add_option(options,
			           (cfg_opt_t)CFG_STR_LIST_CB(key->name, NULL, CFGF_NONE, check_value));
		else
			add_option(options,
			           (cfg_opt_t)CFG_STR_CB(key->name, key->initial, CFGF_NONE, check_value));
	}
	return options;
}

static cfg_t *tree_new(void)
{
	const cfg_flag_t many = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES;
	CLEANUP_FREE cfg_opt_t *root = options_of(KEYS_ROOT);
	CLEANUP_FREE cfg_opt_t *batch = options_of("batch");
	CLEANUP_FREE cfg_opt_t *keep = options_of("keep");
	CLEANUP_FREE cfg_opt_t *limits = options_of("limits");
	CLEANUP_FREE cfg_opt_t *mysql = options_of("mysql");
	CLEANUP_FREE cfg_opt_t *s3 = options_of("s3");
	CLEANUP_FREE cfg_opt_t *backup = options_of("backup");
	CLEANUP_FREE cfg_opt_t *kaggle = options_of("kaggle");
	CLEANUP_FREE cfg_opt_t *fetch = options_of("fetch");
	CLEANUP_FREE cfg_opt_t *dataset = options_of("dataset");
	CLEANUP_FREE cfg_opt_t *column = options_of("column");
	if (!root || !batch || !keep || !limits || !mysql || !s3 || !backup || !kaggle || !fetch ||
	    !dataset || !column)
		return NULL;
	add_option(dataset, (cfg_opt_t)CFG_SEC("column", column, many));
	add_option(root, (cfg_opt_t)CFG_SEC("batch", batch, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("keep", keep, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("limits", limits, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("mysql", mysql, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("s3", s3, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("backup", backup, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("kaggle", kaggle, CFGF_NONE));
	add_option(root, (cfg_opt_t)CFG_SEC("fetch", fetch, many));
	add_option(root, (cfg_opt_t)CFG_SEC("dataset", dataset, many));
	add_option(root, (cfg_opt_t)CFG_FUNC("include", take_include));
	return cfg_init(root, CFGF_NONE);
}

static enum result load_text(struct buffer *text, const char *path, struct error *error)
{
	struct syntax_fault fault;
	enum result result = file_read(path, FILE_SIZE_MAX, text, error);
	if (result == RESULT_OK && !syntax_prepare(text->data, text->length, &fault))
		result = error_set(error, RESULT_CONFIG, "'%s' line %u: %s", path, fault.line, fault.reason);
	if (result == RESULT_OK || result == RESULT_NO_MEMORY)
		return result;
	if (error != NULL)
		error->result = RESULT_CONFIG;
	return RESULT_CONFIG;
}

static enum result parse_text(struct reading *reading, const char *path, struct buffer *text,
                              struct includes *includes)
{
	CLEANUP_FILE FILE *stream = fmemopen(text->data, text->length, "r");
	char *name = strdup(path);
	if (name == NULL || stream == NULL) {
		free(name);
		return RESULT_NO_MEMORY;
	}
	free(reading->root->filename);
	reading->root->filename = name;
	reading->path = path;
	reading->includes = includes;
	current = reading;
	bool is_parsed = cfg_parse_fp(reading->root, stream) == CFG_SUCCESS;
	current = NULL;
	if (reading->has_failed)
		return RESULT_CONFIG;
	/* libconfuse says nothing about some of what it cannot parse. */
	return is_parsed ? RESULT_OK
	                 : error_set(reading->error, RESULT_CONFIG, "'%s' line %d: cannot be understood", path,
	                             reading->root->line);
}

static enum result read_file(struct reading *reading, const char *path, int depth);

static int is_glob_error_fatal(const char *path, int number)
{
	(void)path;
	return number != ENOENT && number != ENOTDIR;
}

/* A name without a wildcard must be there; a pattern may match nothing. */
static enum result follow(struct reading *reading, const char *path, const struct include *include, int depth)
{
	glob_t matches;
	if (depth == INCLUDE_DEPTH_MAX)
		return error_set(reading->error, RESULT_CONFIG,
		                 "'%s' line %d: includes are nested more than %d deep", path, include->line,
		                 INCLUDE_DEPTH_MAX);
	int status = glob(include->pattern, GLOB_NOMAGIC, is_glob_error_fatal, &matches);
	if (status == GLOB_NOMATCH)
		return RESULT_OK;
	if (status == GLOB_ABORTED)
		return error_set_errno(reading->error, RESULT_CONFIG, "'%s' line %d: cannot look for '%s'",
		                       path, include->line, include->pattern);
	if (status != 0)
		return RESULT_NO_MEMORY;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < matches.gl_pathc; i++)
		result = read_file(reading, matches.gl_pathv[i], depth + 1);
	globfree(&matches);
	return result;
}

static enum result read_file(struct reading *reading, const char *path, int depth)
{
	CLEANUP(buffer_free) struct buffer text = {0};
	CLEANUP(free_includes) struct includes includes = {0};
	enum result result = load_text(&text, path, reading->error);
	if (result == RESULT_OK)
		result = parse_text(reading, path, &text, &includes);
	for (size_t i = 0; result == RESULT_OK && i < includes.count; i++)
		result = follow(reading, path, &includes.items[i], depth);
	return result;
}

enum result reader_read(cfg_t **out, const char *path, const char *const *overrides, size_t count,
                        struct error *error)
{
	struct reading reading = {.root = tree_new(), .error = error};
	if (reading.root == NULL)
		return RESULT_NO_MEMORY;
	cfg_set_error_function(reading.root, take_error);
	enum result result = path != NULL ? read_file(&reading, path, 0) : RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < count; i++)
		result = override_apply(reading.root, overrides[i], error);
	if (result != RESULT_OK) {
		cfg_free(reading.root);
		return result;
	}
	*out = reading.root;
	return RESULT_OK;
}

const char *reader_string(cfg_t *section, const char *name)
{
	const char *text = cfg_getstr(section, name);
	return text != NULL && text[0] != '\0' ? text : NULL;
}

enum result reader_fault(const cfg_t *section, struct error *error, const char *format, ...)
{
	char text[ERROR_MESSAGE_MAX];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, sizeof text, format, arguments);
	va_end(arguments);
	if (section->line == OVERRIDE_LINE)
		return error_set(error, RESULT_CONFIG, "-o %s: %s", section->filename, text);
	return error_set(error, RESULT_CONFIG, "'%s' line %d: %s", section->filename, section->line, text);
}
