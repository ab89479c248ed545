// SPDX-License-Identifier: Apache-2.0
#include "mend/audit.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/cleanup.h"
#include "ingest/spool.h"
#include "store/digest.h"

struct listed {
	char *name;
	bool is_named; /* by a manifest */
};

/* Objects of one kind, in the order of their names. */
struct list {
	struct listed *objects;
	size_t count;
	size_t capacity;
};

struct audit {
	const struct audit_options *options;
	struct audit_report *report;
	struct list manifests;
	struct list kept; /* rows and files */
};

static enum result no_memory(struct error *error)
{
	return error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result add(void *context, const struct store_object *object, struct error *error)
{
	struct list *list = context;
	if (list->count == list->capacity) {
		size_t capacity = list->capacity == 0 ? 256 : 2 * list->capacity;
		struct listed *grown = realloc(list->objects, capacity * sizeof *grown);
		if (grown == NULL)
			return no_memory(error);
		list->objects = grown;
		list->capacity = capacity;
	}
	char *name = strdup(object->name);
	if (name == NULL)
		return no_memory(error);
	list->objects[list->count++] = (struct listed){name, false};
	return RESULT_OK;
}

static enum result list_kind(struct audit *audit, const char *kind, struct list *list, struct error *error)
{
	struct store *store = audit->options->store;
	CLEANUP_FREE char *dataset = spool_prefix(audit->options->dataset);
	CLEANUP_FREE char *prefix = NULL;
	if (dataset == NULL || asprintf(&prefix, "%s%s/", dataset, kind) < 0)
		return no_memory(error);
	return store->interface->list(store, prefix, add, list, error);
}

static void free_list(struct list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->objects[i].name);
	free(list->objects);
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(((const struct listed *)left)->name, ((const struct listed *)right)->name);
}

static struct listed *find(const struct list *list, const char *name)
{
	struct listed wanted = {(char *)name, false};
	return list->count == 0 ? NULL
	                        : bsearch(&wanted, list->objects, list->count, sizeof wanted, compare_names);
}

static void note(struct audit *audit, const char *name, const char *what)
{
	if (audit->report->problem[0] == '\0')
		snprintf(audit->report->problem, sizeof audit->report->problem, "'%s' %s", name, what);
}

/* One object that a manifest names. */
static enum result check_object(struct audit *audit, const json_t *entry, struct error *error)
{
	struct store *store = audit->options->store;
	struct audit_report *report = audit->report;
	const char *name = json_string_value(json_object_get(entry, "object"));
	const char *hex = json_string_value(json_object_get(entry, "sha256"));
	uint64_t bytes = (uint64_t)json_integer_value(json_object_get(entry, "bytes"));
	uint8_t sha256[STORE_SHA256_SIZE];
	struct store_object object;
	if (name == NULL || hex == NULL || !digest_parse_hex(sha256, sizeof sha256, hex))
		return error_set(error, RESULT_INVALID, "not a manifest");
	struct listed *listed = find(&audit->kept, name);
	if (listed != NULL)
		listed->is_named = true;
	report->objects++;
	report->bytes += bytes;
	enum result result = store->interface->head(store, name, &object, error);
	if (result == RESULT_END) {
		report->missing++;
		note(audit, name, "is missing");
		return RESULT_OK;
	}
	if (result != RESULT_OK)
		return result;
	bool is_same =
	    object.size == bytes && (!object.has_sha256 || memcmp(object.sha256, sha256, sizeof sha256) == 0);
	if (!is_same) {
		report->different++;
		note(audit, name, "is not what was stored");
	}
	return RESULT_OK;
}

static enum result append(void *context, const void *bytes, size_t count, struct error *error)
{
	enum { MANIFEST_MAX = 256 << 20 };
	struct buffer *text = context;
	if (text->length + count > MANIFEST_MAX || buffer_append(text, bytes, count) != RESULT_OK)
		return no_memory(error);
	return RESULT_OK;
}

static enum result check_manifest(struct audit *audit, const char *name, struct error *error)
{
	struct store *store = audit->options->store;
	CLEANUP(buffer_free) struct buffer text = {0};
	enum result result = store->interface->get(store, name, append, &text, error);
	if (result != RESULT_OK)
		return result == RESULT_END ? RESULT_OK : result;
	json_auto_t *manifest = json_loadb(text.data != NULL ? text.data : "", text.length, 0, NULL);
	const json_t *objects = json_object_get(manifest, "objects");
	size_t index;
	json_t *entry;
	if (!json_is_array(objects)) {
		audit->report->different++;
		note(audit, name, "is no manifest");
		return RESULT_OK;
	}
	json_array_foreach(objects, index, entry)
	{
		result = check_object(audit, entry, error);
		if (result != RESULT_OK)
			return error_wrap(error, "'%s'", name);
	}
	audit->report->manifests++;
	return RESULT_OK;
}

static enum result check_manifests(struct audit *audit, struct error *error)
{
	const struct audit_options *options = audit->options;
	enum result result = RESULT_OK;
	for (size_t i = 0; result == RESULT_OK && i < audit->manifests.count; i++) {
		if (atomic_load(options->stop))
			return error_set(error, RESULT_STOPPED, "stopped");
		result = check_manifest(audit, audit->manifests.objects[i].name, error);
		if (options->progress != NULL)
			options->progress(options->context, i + 1, audit->manifests.count);
	}
	for (size_t i = 0; i < audit->kept.count; i++)
		audit->report->unnamed += !audit->kept.objects[i].is_named;
	return result;
}

enum result audit_run(const struct audit_options *options, struct audit_report *report, struct error *error)
{
	struct audit audit = {.options = options, .report = report};
	*report = (struct audit_report){0};
	enum result result = list_kind(&audit, "manifest", &audit.manifests, error);
	if (result == RESULT_OK)
		result = list_kind(&audit, "raw", &audit.kept, error);
	if (result == RESULT_OK)
		result = list_kind(&audit, "rows", &audit.kept, error);
	if (audit.kept.count > 0)
		qsort(audit.kept.objects, audit.kept.count, sizeof *audit.kept.objects, compare_names);
	if (result == RESULT_OK)
		result = check_manifests(&audit, error);
	free_list(&audit.manifests);
	free_list(&audit.kept);
	return result;
}
