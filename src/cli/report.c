// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status/history.h"

/* File names may hold any byte; JSON may not. */
static json_t *quoted(const char *text)
{
	if (text == NULL)
		return json_null();
	size_t size = 4 * strlen(text) + 1;
	char *out = malloc(size);
	if (out == NULL)
		return NULL;
	error_quote(out, size, text);
	json_t *string = json_string(out);
	free(out);
	return string;
}

const char *report_status_text(enum ingest_status status)
{
	static const char *const texts[] = {
	    [INGEST_DONE] = "done", [INGEST_REJECTED] = "rejected", [INGEST_FAILED] = "failed"};
	return texts[status];
}

json_t *report_json(const struct ingest_report *report)
{
	char id[ID_TEXT_MAX];
	id_text(id, report->delivery);
	json_t *object =
	    json_pack("{s:s, s:o, s:o, s:s?, s:s?, s:s, s:I, s:I}", "delivery", id, "file",
	              quoted(report->file), "member", quoted(report->member), "dataset", report->dataset,
	              "table", report->table, "status", report_status_text(report->status), "bytes",
	              (json_int_t)report->bytes, "bytes_skipped", (json_int_t)report->bytes_skipped);
	if (object == NULL || !history_add_counts(object, &report->counts) ||
	    json_object_set_new(object, "seconds", json_real(report->seconds)) != 0 ||
	    json_object_set_new(object, "reason", quoted(report->reason)) != 0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

json_t *report_failure_json(const char *file, const char *dataset, const struct error *error)
{
	char reason[ERROR_MESSAGE_MAX + ERROR_HINT_MAX + 4];
	if (error->hint[0] != '\0')
		snprintf(reason, sizeof reason, "%s (%s)", error->message, error->hint);
	else
		snprintf(reason, sizeof reason, "%s", error->message);
	struct ingest_report report = {
	    .file = file, .dataset = dataset, .status = INGEST_FAILED, .reason = reason};
	return report_json(&report);
}

json_t *report_progress_json(const struct ingest_progress *progress)
{
	return json_pack("{s:o, s:I, s:I, s:I, s:I, s:I}", "file", quoted(progress->file), "position",
	                 (json_int_t)progress->position, "size", (json_int_t)progress->size, "rows",
	                 (json_int_t)progress->counts.rows, "new", (json_int_t)progress->counts.new,
	                 "duplicate", (json_int_t)progress->counts.duplicate);
}

static const char *text_of(const json_t *report, const char *key)
{
	const char *text = json_string_value(json_object_get(report, key));
	return text != NULL ? text : "";
}

static long long number_of(const json_t *report, const char *key)
{
	return (long long)json_integer_value(json_object_get(report, key));
}

/* The reason alone, where it begins with the file that the line names anyway. */
static const char *reason_of(const json_t *report)
{
	const char *reason = text_of(report, "reason");
	const char *file = text_of(report, "file");
	size_t length = strlen(file);
	bool repeats = reason[0] == '\'' && strncmp(reason + 1, file, length) == 0 &&
	               strncmp(reason + 1 + length, "': ", 3) == 0;
	return repeats ? reason + length + 4 : reason;
}

void report_line(char *line, size_t size, const json_t *report)
{
	const char *member = text_of(report, "member");
	const char *reason = reason_of(report);
	int length =
	    snprintf(line, size, "'%s'%s%s%s: %s", text_of(report, "file"), member[0] != '\0' ? " [" : "",
	             member, member[0] != '\0' ? "]" : "", text_of(report, "status"));
	if (length < 0 || (size_t)length >= size)
		return;
	line += length;
	size -= (size_t)length;
	if (strcmp(text_of(report, "status"), "done") != 0 && number_of(report, "rows") == 0) {
		snprintf(line, size, ": %s", reason);
		return;
	}
	snprintf(line, size,
	         ", %lld rows: %lld new, %lld updated, %lld duplicate, %lld filtered, %lld rejected%s%s",
	         number_of(report, "rows"), number_of(report, "new"), number_of(report, "updated"),
	         number_of(report, "duplicate"), number_of(report, "filtered"), number_of(report, "rejected"),
	         reason[0] != '\0' ? ": " : "", reason);
}

int report_exit_status(const json_t *report, bool strict)
{
	if (strcmp(text_of(report, "status"), "done") != 0)
		return 1;
	return strict && number_of(report, "rejected") > 0 ? 1 : 0;
}
