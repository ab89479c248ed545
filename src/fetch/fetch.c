// SPDX-License-Identifier: Apache-2.0
#include "fetch/fetch.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "fetch/download.h"
#include "fetch/logbook.h"
#include "fetch/nursery.h"
#include "fetch/patience.h"

#define SECOND INT64_C(1000000000)

/* One call under way. */
struct run {
	const struct fetch_options *options;
	const struct fetch_source *source;
	struct fetch_report *report;
	struct logbook *logbook;
	struct nursery nursery;
	struct kaggle_dataset dataset;
	struct kaggle_trouble trouble;
	int64_t now_ns;
};

const char *fetch_outcome_text(enum fetch_outcome outcome)
{
	static const char *const texts[] = {
	    [FETCH_NOT_DUE] = "not due",     [FETCH_CURRENT] = "current", [FETCH_UNCHANGED] = "unchanged",
	    [FETCH_ANNOUNCED] = "announced", [FETCH_PARKED] = "waiting",  [FETCH_WOULD] = "newer",
	    [FETCH_FETCHED] = "fetched",     [FETCH_FAILED] = "failed",
	};
	return texts[outcome];
}

static bool ends_with(const char *text, const char *ending)
{
	size_t length = strlen(text), tail = strlen(ending);
	return length >= tail && strcasecmp(text + length - tail, ending) == 0;
}

/* Archives have names of their own, version by version: their members' names decide where rows go. A single
 * file keeps its name, because that decides; whether it came zipped, its bytes say. */
static void name_drop(char name[HANDLE_FILE_MAX + 1], const struct run *run, const struct download *download)
{
	const struct handle *handle = &run->source->handle;
	if (handle->file[0] == '\0') {
		snprintf(name, HANDLE_FILE_MAX + 1, "%s.v%" PRIu64 ".zip", handle->slug, download->version);
		return;
	}
	const char *base = file_base_name(handle->file);
	bool needs_ending = download->is_zip && !ends_with(base, ".zip");
	snprintf(name, HANDLE_FILE_MAX + 1, "%.*s%s", HANDLE_FILE_MAX - 4, base, needs_ending ? ".zip" : "");
}

/* "x.csv" and version 3 make "x.v3.csv". */
static void name_version(char out[HANDLE_FILE_MAX + 1], const char *name, int64_t version)
{
	const char *dot = strchr(name, '.');
	size_t stem = dot != NULL && dot != name ? (size_t)(dot - name) : strlen(name);
	snprintf(out, HANDLE_FILE_MAX + 1, "%.*s.v%" PRId64 "%s", (int)stem, name, version, name + stem);
}

/* What the intent says becomes what was fetched last. */
static enum result conclude(struct run *run, const char *name, struct error *error)
{
	static const char *const keys[] = {"id", "version", "bytes", "members"};
	json_t *root = logbook_root(run->logbook);
	json_t *intent = json_object_get(root, "intent");
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		json_t *value = json_object_get(intent, keys[i]);
		if (value != NULL)
			json_object_set(root, keys[i], value);
		else
			json_object_del(root, keys[i]);
	}
	logbook_set_text(run->logbook, "dropped", name);
	logbook_set_number(run->logbook, "fetched", clock_wall_ns() / SECOND);
	logbook_set_number(run->logbook, "failures", 0);
	logbook_set_text(run->logbook, "outcome", fetch_outcome_text(FETCH_FETCHED));
	logbook_set_text(run->logbook, "message", NULL);
	json_object_del(root, "intent");
	json_object_del(root, "part");
	return logbook_save(run->logbook, error);
}

/* Makes the finished download visible. RESULT_END: its name is taken, it waits. */
static enum result carry_out_intent(struct run *run, struct error *error)
{
	json_t *intent = json_object_get(logbook_root(run->logbook), "intent");
	const char *wanted = json_string_value(json_object_get(intent, "name"));
	char name[HANDLE_FILE_MAX + 1];
	snprintf(name, sizeof name, "%s", wanted != NULL ? wanted : "");
	bool has_part;
	enum result result = nursery_look(&run->nursery, &has_part, error);
	if (result == RESULT_OK && has_part)
		result = nursery_drop(&run->nursery, name, error);
	if (result == RESULT_END && run->options->keeps_files) {
		name_version(name, wanted, json_integer_value(json_object_get(intent, "version")));
		result = nursery_drop(&run->nursery, name, error);
	}
	if (result == RESULT_END) {
		error_set(error, RESULT_END, "version %lld waits until '%s' has left the drop directory",
		          (long long)json_integer_value(json_object_get(intent, "version")), name);
		return RESULT_END;
	}
	if (result == RESULT_OK)
		result = nursery_confirm(&run->nursery, error);
	if (result != RESULT_OK)
		return result;
	snprintf(run->report->file, sizeof run->report->file, "%s", name);
	return conclude(run, name, error);
}

static enum result announce_intent(struct run *run, const struct download *download, struct error *error)
{
	char name[HANDLE_FILE_MAX + 1];
	char quoted[4 * HANDLE_FILE_MAX];
	name_drop(name, run, download);
	json_t *intent = json_pack("{s:I, s:I, s:I, s:O?}", "id", (json_int_t)run->dataset.id, "version",
	                           (json_int_t)download->version, "bytes", (json_int_t)download->received,
	                           "members", download->members);
	if (intent == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	json_t *text = json_string(name);
	if (text == NULL) { /* not UTF-8 */
		error_quote(quoted, sizeof quoted, name);
		text = json_string(quoted);
	}
	json_object_set_new(intent, "name", text);
	json_object_set_new(logbook_root(run->logbook), "intent", intent);
	return logbook_save(run->logbook, error);
}

/* Nothing to drop: the version is the former one as far as rows go. */
static enum result skip_version(struct run *run, const struct download *download, struct error *error)
{
	json_t *root = logbook_root(run->logbook);
	logbook_set_number(run->logbook, "id", run->dataset.id);
	logbook_set_number(run->logbook, "version", (int64_t)download->version);
	logbook_set_number(run->logbook, "fetched", clock_wall_ns() / SECOND);
	logbook_set_number(run->logbook, "bytes", (int64_t)download->received);
	logbook_set_number(run->logbook, "failures", 0);
	json_object_set(root, "members", download->members);
	json_object_del(root, "part");
	run->report->outcome = FETCH_UNCHANGED;
	return logbook_save(run->logbook, error);
}

/* A version that is there but cannot be had: of what could be had before, or of a whole data set that is not
 * found although its description is, that passes. */
static bool is_announced(const struct run *run, const struct refusal *refusal)
{
	bool was_there = run->report->former > 0;
	if (refusal->is_storage)
		return false;
	return (refusal->code == 404 && (was_there || run->source->handle.file[0] == '\0')) ||
	       (refusal->code == 403 && was_there);
}

static enum result wait_for_version(struct run *run, uint64_t version, const char *why, struct error *error)
{
	error_set(&run->report->error, RESULT_END,
	          "version %" PRIu64 " is announced and cannot be downloaded yet (%s)", version, why);
	run->report->outcome = FETCH_ANNOUNCED;
	return error->result = RESULT_OK;
}

static void fill_report(struct run *run, const struct download *download)
{
	struct fetch_report *report = run->report;
	report->received = download->received;
	report->wanted = download->wanted;
	report->total = download->total;
	report->members = download->count;
	report->changed = download->changed;
	run->trouble = download->trouble;
}

static enum result after_download(struct run *run, const struct download *download, enum result result,
                                  struct error *error)
{
	const struct refusal *refusal = &download->trouble.refusal;
	fill_report(run, download);
	if (result == RESULT_INVALID && is_announced(run, refusal))
		return wait_for_version(run, download->version, refusal->text, error);
	if (result == RESULT_END && !run->options->dry_run)
		return skip_version(run, download, error);
	if (run->options->dry_run && (result == RESULT_OK || result == RESULT_END)) {
		run->report->outcome = result == RESULT_END ? FETCH_UNCHANGED : FETCH_WOULD;
		return RESULT_OK;
	}
	if (result == RESULT_OK)
		result = announce_intent(run, download, error);
	if (result == RESULT_OK)
		result = carry_out_intent(run, error);
	if (result == RESULT_OK)
		run->report->outcome = FETCH_FETCHED;
	return result;
}

static enum result get_version(struct run *run, uint64_t version, struct error *error)
{
	struct download download = {
	    .kaggle = run->options->kaggle,
	    .logbook = run->logbook,
	    .nursery = &run->nursery,
	    .handle = &run->source->handle,
	    .version = version,
	    .progress = run->options->progress,
	    .context = run->options->context,
	    .total = -1,
	};
	enum result result =
	    run->options->dry_run ? download_look(&download, error) : download_run(&download, error);
	result = after_download(run, &download, result, error);
	download_close(&download);
	return result;
}

/* Another id: the data set was made anew under the old name, and counts its versions anew. */
static bool is_newer(const struct run *run, uint64_t version)
{
	uint64_t former = run->report->former;
	bool is_pinned = run->source->handle.version != 0;
	int64_t id = logbook_number(run->logbook, "id");
	bool is_other = id != 0 && run->dataset.id != 0 && run->dataset.id != id;
	return former == 0 || (is_pinned ? version != former : version > former || is_other);
}

static enum result ask(struct run *run, struct error *error)
{
	uint64_t version = run->source->handle.version;
	bool is_ready = true;
	if (version == 0) {
		enum result result = kaggle_view(run->options->kaggle, &run->source->handle, &run->dataset,
		                                 &run->trouble, error);
		if (result != RESULT_OK)
			return result;
		version = run->dataset.version;
		is_ready = run->dataset.is_ready;
	}
	run->report->version = version;
	run->report->outcome = FETCH_CURRENT;
	if (!is_newer(run, version))
		return RESULT_OK;
	if (!is_ready)
		return wait_for_version(run, version, "it is being processed", error);
	return get_version(run, version, error);
}

/* Is this time, which can lie `most` ahead, still to come? One that lies further ahead was noted by a clock
 * that was wrong. */
static bool is_to_come(const struct run *run, int64_t time_ns, int64_t most)
{
	return time_ns > run->now_ns && time_ns - run->now_ns <= most + SECOND;
}

/* RESULT_END: not now. */
static enum result may_ask(struct run *run, struct error *error)
{
	char text[CLOCK_TEXT_MAX];
	int64_t not_before = logbook_number(run->logbook, "not_before") * SECOND;
	int64_t next = logbook_number(run->logbook, "next") * SECOND;
	int64_t every = run->source->every_ns;
	bool must_wait = is_to_come(run, not_before, PATIENCE_MOST_NS);
	bool is_early = is_to_come(run, next, every > PATIENCE_MOST_NS ? every : PATIENCE_MOST_NS);
	if (run->options->only_due && (is_early || must_wait))
		return RESULT_END;
	if (!must_wait)
		return RESULT_OK;
	clock_text(text, not_before);
	return error_set(error, RESULT_UNREACHABLE, "it is not asked before %s, as the server wants", text);
}

/* An unfinished end of the last call comes first. */
static enum result settle_former(struct run *run, struct error *error)
{
	bool has_intent = json_object_get(logbook_root(run->logbook), "intent") != NULL;
	return has_intent && !run->options->dry_run ? carry_out_intent(run, error) : RESULT_OK;
}

/* The server's wish counts for everybody; a failure of ours keeps only timers from trying again at once. */
static void note_failure(struct run *run, const struct error *error)
{
	unsigned failures = (unsigned)logbook_number(run->logbook, "failures") + 1;
	int64_t wait = patience_after(run->trouble.retry_after, failures, run->now_ns);
	int64_t until = (run->now_ns + wait + SECOND - 1) / SECOND;
	logbook_set_number(run->logbook, "failures", failures);
	logbook_set_number(run->logbook, "next", until);
	if (run->trouble.refusal.code != 0 && error->result == RESULT_UNREACHABLE)
		logbook_set_number(run->logbook, "not_before", until);
}

static void note(struct run *run, enum result result, const struct error *error)
{
	struct fetch_report *report = run->report;
	struct error unsaved = {0};
	if (run->options->dry_run && result == RESULT_OK)
		return;
	logbook_set_number(run->logbook, "asked", run->now_ns / SECOND);
	logbook_set_number(run->logbook, "not_before", 0);
	logbook_set_number(run->logbook, "next", (run->now_ns + run->source->every_ns) / SECOND);
	if (result == RESULT_OK)
		logbook_set_number(run->logbook, "failures", 0);
	else if (result != RESULT_END)
		note_failure(run, error);
	logbook_set_text(run->logbook, "outcome", fetch_outcome_text(report->outcome));
	logbook_set_text(run->logbook, "message",
	                 report->error.message[0] != '\0' ? report->error.message : NULL);
	if (logbook_save(run->logbook, &unsaved) != RESULT_OK && report->outcome != FETCH_FAILED) {
		report->outcome = FETCH_FAILED;
		report->error = unsaved;
	}
}

static void judge(struct run *run, enum result result, const struct error *error)
{
	if (result == RESULT_OK)
		return;
	run->report->outcome = result == RESULT_END ? FETCH_PARKED : FETCH_FAILED;
	run->report->error = *error;
}

/* Asks, if that is allowed now. */
static void ask_and_note(struct run *run, struct error *error)
{
	enum result result = may_ask(run, error);
	if (result != RESULT_OK) {
		run->report->outcome = result == RESULT_END ? FETCH_NOT_DUE : FETCH_FAILED;
		run->report->error = *error;
		return;
	}
	result = ask(run, error);
	judge(run, result, error);
	note(run, result, error);
}

static void work(struct run *run, struct error *error)
{
	struct fetch_report *report = run->report;
	enum result result = settle_former(run, error);
	report->version = report->former = (uint64_t)logbook_number(run->logbook, "version");
	judge(run, result, error);
	if (result != RESULT_OK)
		return;
	bool was_settled = report->file[0] != '\0';
	ask_and_note(run, error);
	if (was_settled && (report->outcome == FETCH_CURRENT || report->outcome == FETCH_NOT_DUE))
		report->outcome = FETCH_FETCHED;
}

void fetch_run(const struct fetch_options *options, const struct fetch_source *source,
               struct fetch_report *report)
{
	struct error error = {0};
	struct run run = {.options = options, .source = source, .report = report, .now_ns = clock_wall_ns()};
	*report = (struct fetch_report){.outcome = FETCH_FAILED, .total = -1};
	enum result result = logbook_open(&run.logbook, options->logbooks, &source->handle, &error);
	if (result == RESULT_OK)
		result = nursery_open(&run.nursery, options->drop, &source->handle, &error);
	if (result == RESULT_OK)
		work(&run, &error);
	else
		report->error = error;
	if (result == RESULT_HELD && options->only_due)
		report->outcome = FETCH_NOT_DUE;
	nursery_close(&run.nursery);
	logbook_close(run.logbook);
}
