// SPDX-License-Identifier: Apache-2.0
#include "ingest/manifest.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "ingest/spool.h"
#include "store/digest.h"

/* What of the state goes into the manifests of one delivery. */
struct collected {
	struct state_txn *txn;
	struct state_delivery delivery;
	uint32_t *datasets; /* each once */
	size_t dataset_count;
	json_t *members; /* of all datasets, each with its number under "dataset" */
	json_t *objects;
	bool is_confirmed; /* every object is */
	bool is_complete;  /* there was memory for all of it */
};

static const char *status_text(enum state_status status)
{
	static const char *const texts[] = {
	    [STATE_STATUS_OPEN] = "open",
	    [STATE_STATUS_DONE] = "done",
	    [STATE_STATUS_REJECTED] = "rejected",
	    [STATE_STATUS_FAILED] = "failed",
	};
	return texts[status];
}

static json_t *id_json(const uint8_t id[STATE_ID_SIZE])
{
	struct id copy;
	char text[ID_TEXT_MAX];
	memcpy(copy.bytes, id, sizeof copy.bytes);
	id_text(text, copy);
	return json_string(text);
}

static json_t *text_json(const char *text)
{
	char quoted[4 * STATE_TEXT_MAX];
	error_quote(quoted, sizeof quoted, text);
	return json_string(quoted);
}

static json_t *time_json(int64_t wall_ns)
{
	char text[CLOCK_TEXT_MAX];
	clock_text(text, wall_ns);
	return json_string(text);
}

static bool add_dataset(struct collected *collected, uint32_t dataset)
{
	for (size_t i = 0; i < collected->dataset_count; i++) {
		if (collected->datasets[i] == dataset)
			return true;
	}
	uint32_t *grown =
	    realloc(collected->datasets, (collected->dataset_count + 1) * sizeof *collected->datasets);
	if (grown == NULL)
		return false;
	collected->datasets = grown;
	grown[collected->dataset_count++] = dataset;
	return true;
}

static bool add_member(void *context, const struct state_member *member)
{
	struct collected *collected = context;
	if (member->dataset == 0)
		return true;
	const struct state_counts *counts = &member->counts;
	json_t *json = json_pack(
	    "{s:I, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "dataset", (json_int_t)member->dataset,
	    "member", member->name[0] != '\0' ? text_json(member->name) : json_null(), "status",
	    status_text(member->status), "bytes", (json_int_t)member->bytes, "rows", (json_int_t)counts->rows,
	    "new", (json_int_t)counts->new, "updated", (json_int_t)counts->updated, "duplicate",
	    (json_int_t)counts->duplicate, "filtered", (json_int_t)counts->filtered, "rejected",
	    (json_int_t)counts->rejected, "reason",
	    member->reason[0] != '\0' ? text_json(member->reason) : json_null());
	collected->is_complete = json_array_append_new(collected->members, json) == 0 &&
	                         add_dataset(collected, member->dataset);
	return collected->is_complete;
}

static bool add_object(void *context, const struct state_object *object)
{
	struct collected *collected = context;
	if (object->kind == STATE_OUTBOX_MANIFEST)
		return true;
	if (!object->is_confirmed) {
		collected->is_confirmed = false;
		return false;
	}
	char sha256[DIGEST_HEX_MAX];
	digest_hex(sha256, object->stored.sha256, sizeof object->stored.sha256);
	bool is_rows = object->kind == STATE_OUTBOX_SEGMENT;
	json_t *json = json_pack("{s:I, s:s, s:s, s:I, s:s}", "dataset", (json_int_t)object->dataset, "kind",
	                         is_rows ? "rows" : "raw", "object", object->object, "bytes",
	                         (json_int_t)object->stored.size, "sha256", sha256);
	if (json != NULL && is_rows)
		collected->is_complete =
		    json_object_set_new(json, "seq", json_integer((json_int_t)object->seq)) == 0 &&
		    json_object_set_new(json, "batch_id", id_json(object->subject)) == 0;
	collected->is_complete &= json_array_append_new(collected->objects, json) == 0;
	return collected->is_complete;
}

/* Those of one dataset, without its number; the delivered file is every dataset's. */
static json_t *select_entries(const json_t *entries, uint32_t dataset)
{
	json_t *selected = json_array();
	size_t index;
	json_t *entry;
	json_array_foreach(entries, index, entry)
	{
		const char *kind = json_string_value(json_object_get(entry, "kind"));
		bool is_shared = kind != NULL && strcmp(kind, "raw") == 0;
		if (!is_shared && json_integer_value(json_object_get(entry, "dataset")) != dataset)
			continue;
		json_t *copy = json_copy(entry);
		json_object_del(copy, "dataset");
		json_array_append_new(selected, copy);
	}
	return selected;
}

/* The dataset's newest schema, in its frozen form; JSON null when it has none. */
static json_t *schema_json(struct state_txn *txn, const struct state_dataset *dataset)
{
	const void *bytes;
	size_t count;
	if (dataset->schema_version == 0 || state_dataset_get_schema(txn, dataset->id, dataset->schema_version,
	                                                             &bytes, &count) != STATE_OK)
		return json_null();
	return json_loadb(bytes, count, 0, NULL);
}

static enum result write_manifest(struct manifest *out, const struct collected *collected,
                                  const struct state_dataset *dataset)
{
	const struct state_delivery *delivery = &collected->delivery;
	json_auto_t *json = json_pack(
	    "{s:o, s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:I, s:o, s:o, s:o}", "delivery", id_json(delivery->id),
	    "file", text_json(file_base_name(delivery->path)), "dataset", dataset->name, "table",
	    dataset->table, "status", status_text(delivery->status), "started",
	    time_json(delivery->started_ns), "finished", time_json(delivery->finished_ns), "reason",
	    delivery->reason[0] != '\0' ? text_json(delivery->reason) : json_null(), "bytes",
	    (json_int_t)delivery->file.size, "members", select_entries(collected->members, dataset->id),
	    "objects", select_entries(collected->objects, dataset->id), "schema",
	    schema_json(collected->txn, dataset));
	CLEANUP_FREE char *text = json != NULL ? json_dumps(json, JSON_INDENT(1)) : NULL;
	CLEANUP_FREE char *prefix = spool_prefix(dataset->name);
	char id[ID_TEXT_MAX];
	struct id copy;
	memcpy(copy.bytes, delivery->id, sizeof copy.bytes);
	id_text(id, copy);
	if (text == NULL || prefix == NULL || asprintf(&out->name, "%smanifest/%s.json", prefix, id) < 0)
		return RESULT_NO_MEMORY;
	return buffer_printf(&out->text, "%s\n", text);
}

static enum result write_manifests(struct manifests *out, const struct collected *collected)
{
	out->list = calloc(collected->dataset_count + 1, sizeof *out->list);
	if (out->list == NULL || !collected->is_complete)
		return RESULT_NO_MEMORY;
	for (size_t i = 0; i < collected->dataset_count; i++) {
		struct state_dataset dataset;
		enum state_result found =
		    state_dataset_find(collected->txn, collected->datasets[i], &dataset);
		if (found == STATE_NOT_FOUND)
			continue; /* of a member that ended before its dataset was ever written */
		if (found != STATE_OK)
			return RESULT_STATE;
		if (write_manifest(&out->list[out->count++], collected, &dataset) != RESULT_OK)
			return RESULT_NO_MEMORY;
	}
	return RESULT_OK;
}

enum result manifest_make(struct manifests *out, struct state_txn *txn, const uint8_t delivery[STATE_ID_SIZE],
                          struct error *error)
{
	*out = (struct manifests){0};
	json_auto_t *members = json_array();
	json_auto_t *objects = json_array();
	struct collected collected = {
	    .txn = txn, .members = members, .objects = objects, .is_confirmed = true, .is_complete = true};
	enum state_result found = state_delivery_get(txn, delivery, &collected.delivery);
	if (found == STATE_OK)
		found = state_outbox_each_object(txn, delivery, add_object, &collected);
	if (found == STATE_OK && !collected.is_confirmed)
		return RESULT_END;
	if (found == STATE_OK)
		found = state_delivery_each_member(txn, delivery, add_member, &collected);
	enum result result = found == STATE_OK || found == STATE_NOT_FOUND ? write_manifests(out, &collected)
	                                                                   : RESULT_STATE;
	free(collected.datasets);
	struct state_error failure;
	if (result == RESULT_STATE && state_txn_failure(txn, &failure) != STATE_OK)
		dataset_state_error(error, &failure, "cannot read what a manifest names");
	else if (result != RESULT_OK)
		error_set(error, result, "out of memory for a manifest");
	if (result != RESULT_OK)
		manifest_free(out);
	return result;
}

void manifest_free(struct manifests *manifests)
{
	for (size_t i = 0; i < manifests->count; i++) {
		free(manifests->list[i].name);
		buffer_free(&manifests->list[i].text);
	}
	free(manifests->list);
	*manifests = (struct manifests){0};
}

char *manifest_schema_object(const char *dataset, uint32_t version)
{
	CLEANUP_FREE char *prefix = spool_prefix(dataset);
	char *name;
	return prefix == NULL || asprintf(&name, "%sschema/%u.json", prefix, version) < 0 ? NULL : name;
}
