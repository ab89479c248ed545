// SPDX-License-Identifier: Apache-2.0
#include "config/override.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "config/keys.h"

/* What the left side of an override names. The titles are NULL outside of these sections. */
struct target {
	const char *fetch;
	const char *dataset;
	const char *column;
	const struct key *key;
};

/* The text behind the prefix, or NULL. */
static char *behind(char *text, const char *prefix)
{
	size_t length = strlen(prefix);
	return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

/* Ends the text at the dot and returns what stands behind it, or NULL without a dot. */
static char *cut(char *dot)
{
	if (dot == NULL)
		return NULL;
	*dot = '\0';
	return dot + 1;
}

/* Takes `path` to pieces; the target points into it. */
static bool find_target(struct target *target, char *path)
{
	*target = (struct target){0};
	char *rest = behind(path, "fetch.");
	if (rest != NULL) {
		char *name = cut(strrchr(rest, '.'));
		target->fetch = rest;
		target->key = name != NULL ? keys_find("fetch", name) : NULL;
		return target->key != NULL;
	}
	rest = behind(path, "dataset.");
	if (rest == NULL) {
		char *name = cut(strchr(path, '.'));
		target->key = name != NULL ? keys_find(path, name) : keys_find(KEYS_ROOT, path);
		return target->key != NULL && target->key->size > 0 &&
		       (name == NULL || strcmp(path, KEYS_ROOT) != 0);
	}
	target->dataset = rest;
	char *name = cut(strchr(rest, '.'));
	if (name == NULL)
		return false;
	rest = behind(name, "column.");
	if (rest == NULL) {
		target->key = keys_find("dataset", name);
		return target->key != NULL;
	}
	target->column = rest;
	name = cut(strrchr(rest, '.')); /* a column's name may hold dots */
	target->key = name != NULL ? keys_find("column", name) : NULL;
	return target->key != NULL;
}

static cfg_t *titled_section(cfg_t *parent, const char *name, const char *title)
{
	cfg_t *section = cfg_gettsec(parent, name, title);
	return section != NULL ? section : cfg_addtsec(parent, name, title);
}

/* NULL without memory. */
static cfg_t *section_of(cfg_t *root, const struct target *target)
{
	if (target->fetch != NULL)
		return titled_section(root, "fetch", target->fetch);
	if (target->dataset == NULL)
		return strcmp(target->key->section, KEYS_ROOT) == 0 ? root
		                                                    : cfg_getsec(root, target->key->section);
	cfg_t *dataset = titled_section(root, "dataset", target->dataset);
	if (dataset == NULL || target->column == NULL)
		return dataset;
	return titled_section(dataset, "column", target->column);
}

/* Cuts the next element off the list: in double quotes, or up to the comma. RESULT_END: there is none. */
static enum result next_element(char **list, char **element, struct error *error)
{
	char *at = *list + strspn(*list, " \t,");
	if (*at == '\0')
		return RESULT_END;
	if (*at == '"') {
		char *end = strchr(at + 1, '"');
		if (end == NULL)
			return error_set(error, RESULT_CONFIG, "a quote is not closed");
		*element = at + 1;
		*end = '\0';
		*list = end + 1;
		return RESULT_OK;
	}
	size_t length = strcspn(at, ",");
	*list = at + length + (at[length] == ',');
	while (length > 0 && (at[length - 1] == ' ' || at[length - 1] == '\t'))
		length--;
	at[length] = '\0';
	*element = at;
	return RESULT_OK;
}

static enum result set_scalar(cfg_t *section, const struct key *key, const char *value, struct error *error)
{
	enum result result = keys_check(key, value, error);
	if (result != RESULT_OK)
		return result;
	bool is_set = cfg_setopt(section, cfg_getopt(section, key->name), value) != NULL;
	return is_set ? RESULT_OK : RESULT_NO_MEMORY;
}

static enum result set_list(cfg_t *section, const struct key *key, char *value, struct error *error)
{
	size_t length = strlen(value);
	char *element = NULL;
	enum result result;
	if (value[0] == '{') {
		if (value[length - 1] != '}')
			return error_set(error, RESULT_CONFIG, "a brace is not closed");
		value[length - 1] = '\0';
		value++;
	}
	cfg_free_value(cfg_getopt(section, key->name));
	while ((result = next_element(&value, &element, error)) == RESULT_OK) {
		result = set_scalar(section, key, element, error);
		if (result != RESULT_OK)
			return result;
	}
	return result == RESULT_END ? RESULT_OK : result;
}

/* So that what is wrong with the section as a whole is said about the override. */
static enum result mark(cfg_t *section, const char *text)
{
	char *copy = strdup(text);
	if (copy == NULL)
		return RESULT_NO_MEMORY;
	free(section->filename);
	section->filename = copy;
	section->line = OVERRIDE_LINE;
	return RESULT_OK;
}

enum result override_apply(cfg_t *root, const char *text, struct error *error)
{
	struct target target;
	const char *equals = strchr(text, '=');
	if (equals == NULL)
		return error_set(error, RESULT_CONFIG, "-o %s: not of the form key=value", text);
	CLEANUP_FREE char *path = strndup(text, (size_t)(equals - text));
	CLEANUP_FREE char *value = strdup(equals + 1);
	if (path == NULL || value == NULL)
		return RESULT_NO_MEMORY;
	if (!find_target(&target, path))
		return error_set(error, RESULT_CONFIG, "-o %s: no such key", text);
	cfg_t *section = section_of(root, &target);
	if (section == NULL)
		return RESULT_NO_MEMORY;
	enum result result = keys_is_list(target.key) ? set_list(section, target.key, value, error)
	                                              : set_scalar(section, target.key, value, error);
	if (result == RESULT_CONFIG && error != NULL)
		return error_wrap(error, "-o %s", text);
	return result == RESULT_OK ? mark(section, text) : result;
}
