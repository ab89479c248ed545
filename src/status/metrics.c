// SPDX-License-Identifier: Apache-2.0
#include "status/metrics.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static const double RATE_SECONDS = 60;

/* Upper bounds of the histogram of batch durations, in seconds. */
static const double BUCKETS[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30};

enum { BUCKET_COUNT = sizeof BUCKETS / sizeof *BUCKETS };

static const char *const STATUSES[] = {"done", "rejected", "failed"};

enum { STATUS_COUNT = sizeof STATUSES / sizeof *STATUSES };

/* Kinds of failures as label values; several results may be one kind. */
static const char *const KINDS[] = {
    [RESULT_USAGE] = "internal",
    [RESULT_CONFIG] = "configuration",
    [RESULT_INVALID] = "input",
    [RESULT_CHANGED] = "input",
    [RESULT_IO] = "files",
    [RESULT_NO_SPACE] = "space",
    [RESULT_NO_MEMORY] = "memory",
    [RESULT_STATE] = "state",
    [RESULT_HELD] = "state",
    [RESULT_UNREACHABLE] = "sink",
    [RESULT_UNKNOWN] = "sink",
    [RESULT_REFUSED] = "refused",
    [RESULT_AGAIN] = "again",
    [RESULT_DISAGREES] = "disagreement",
};

enum { KIND_COUNT = sizeof KINDS / sizeof *KINDS };

struct series {
	struct series *next;
	struct state_counts counts;
	uint64_t members[STATUS_COUNT];
	uint64_t bytes;
	uint64_t bytes_skipped;
	double ended_s;
	char dataset[]; /* as a label value, escaped */
};

struct metrics {
	pthread_mutex_t mutex;
	struct series *series; /* by dataset, in the order they were met */
	uint64_t errors[KIND_COUNT];
	uint64_t buckets[BUCKET_COUNT + 1]; /* the last: above all bounds */
	double batch_seconds;
	struct metrics_rates rates; /* as of then */
	int64_t rates_ns;
};

enum result metrics_open(struct metrics **out, struct error *error)
{
	struct metrics *metrics = calloc(1, sizeof *metrics);
	if (metrics == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	pthread_mutex_init(&metrics->mutex, NULL);
	*out = metrics;
	return RESULT_OK;
}

void metrics_close(struct metrics *metrics)
{
	if (metrics == NULL)
		return;
	for (struct series *series = metrics->series; series != NULL;) {
		struct series *next = series->next;
		free(series);
		series = next;
	}
	pthread_mutex_destroy(&metrics->mutex);
	free(metrics);
}

/* A label value knows three escapes; out holds twice the text. */
static void escape(char *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || *text == '"' || *text == '\n')
			*out++ = '\\';
		*out++ = *text == '\n' ? 'n' : *text;
	}
	*out = '\0';
}

static struct series *find_series(struct metrics *metrics, const char *dataset)
{
	struct series *made = calloc(1, sizeof *made + 2 * strlen(dataset) + 1);
	if (made == NULL)
		return NULL;
	escape(made->dataset, dataset);
	struct series **link = &metrics->series;
	while (*link != NULL && strcmp((*link)->dataset, made->dataset) != 0)
		link = &(*link)->next;
	if (*link != NULL)
		free(made);
	else
		*link = made;
	return *link;
}

static void add_member(struct series *series, const struct metrics_member *member)
{
	series->counts.rows += member->counts.rows;
	series->counts.new += member->counts.new;
	series->counts.updated += member->counts.updated;
	series->counts.duplicate += member->counts.duplicate;
	series->counts.filtered += member->counts.filtered;
	series->counts.rejected += member->counts.rejected;
	series->bytes += member->bytes;
	series->bytes_skipped += member->bytes_skipped;
	series->ended_s = member->ended_s;
	for (size_t i = 0; i < STATUS_COUNT; i++) {
		if (strcmp(STATUSES[i], member->status) == 0)
			series->members[i]++;
	}
}

/* What is old counts less and less. */
static void age_rates(struct metrics *metrics)
{
	int64_t now = clock_monotonic_ns();
	double left = exp(-(double)(now - metrics->rates_ns) / 1e9 / RATE_SECONDS);
	metrics->rates.rows *= left;
	metrics->rates.bytes *= left;
	metrics->rates.skipped *= left;
	metrics->rates_ns = now;
}

static void add_to_rates(struct metrics *metrics, const struct metrics_member *member)
{
	age_rates(metrics);
	metrics->rates.rows += (double)member->counts.rows / RATE_SECONDS;
	metrics->rates.bytes += (double)member->bytes / RATE_SECONDS;
	metrics->rates.skipped += (double)member->bytes_skipped / RATE_SECONDS;
}

struct metrics_rates metrics_rates(struct metrics *metrics)
{
	pthread_mutex_lock(&metrics->mutex);
	age_rates(metrics);
	struct metrics_rates rates = metrics->rates;
	pthread_mutex_unlock(&metrics->mutex);
	return rates;
}

void metrics_add_member(struct metrics *metrics, const struct metrics_member *member)
{
	pthread_mutex_lock(&metrics->mutex);
	struct series *series = find_series(metrics, member->dataset != NULL ? member->dataset : "");
	if (series != NULL)
		add_member(series, member);
	add_to_rates(metrics, member);
	pthread_mutex_unlock(&metrics->mutex);
}

void metrics_add_batch(struct metrics *metrics, double seconds)
{
	size_t bucket = 0;
	while (bucket < BUCKET_COUNT && seconds > BUCKETS[bucket])
		bucket++;
	pthread_mutex_lock(&metrics->mutex);
	metrics->buckets[bucket]++;
	metrics->batch_seconds += seconds;
	pthread_mutex_unlock(&metrics->mutex);
}

const char *metrics_kind(enum result kind)
{
	return (size_t)kind < KIND_COUNT ? KINDS[kind] : NULL;
}

void metrics_add_error(struct metrics *metrics, enum result kind)
{
	if ((size_t)kind >= KIND_COUNT)
		return;
	pthread_mutex_lock(&metrics->mutex);
	metrics->errors[kind]++;
	pthread_mutex_unlock(&metrics->mutex);
}

static void write_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP rowsieve_%s %s\n# TYPE rowsieve_%s %s\n", name, help, name, type);
}

static void write_rows(const struct metrics *metrics, FILE *out)
{
	write_head(out, "rows_total", "counter", "Rows read, by what became of them.");
	for (const struct series *series = metrics->series; series != NULL; series = series->next) {
		const struct state_counts *counts = &series->counts;
		const struct {
			const char *outcome;
			uint64_t count;
		} outcomes[] = {
		    {"new", counts->new},
		    {"updated", counts->updated},
		    {"duplicate", counts->duplicate},
		    {"filtered", counts->filtered},
		    {"rejected", counts->rejected},
		};
		for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
			fprintf(out, "rowsieve_rows_total{dataset=\"%s\",outcome=\"%s\"} %llu\n",
			        series->dataset, outcomes[i].outcome, (unsigned long long)outcomes[i].count);
	}
}

static void write_members(const struct metrics *metrics, FILE *out)
{
	write_head(out, "members_total", "counter",
	           "CSV files read, members of archives included, by status.");
	for (const struct series *series = metrics->series; series != NULL; series = series->next) {
		for (size_t i = 0; i < STATUS_COUNT; i++)
			fprintf(out, "rowsieve_members_total{dataset=\"%s\",status=\"%s\"} %llu\n",
			        series->dataset, STATUSES[i], (unsigned long long)series->members[i]);
	}
	write_head(out, "bytes_total", "counter", "Plain bytes read.");
	for (const struct series *series = metrics->series; series != NULL; series = series->next)
		fprintf(out, "rowsieve_bytes_total{dataset=\"%s\"} %llu\n", series->dataset,
		        (unsigned long long)series->bytes);
	write_head(out, "bytes_skipped_total", "counter",
	           "Plain bytes that were recognised without parsing.");
	for (const struct series *series = metrics->series; series != NULL; series = series->next)
		fprintf(out, "rowsieve_bytes_skipped_total{dataset=\"%s\"} %llu\n", series->dataset,
		        (unsigned long long)series->bytes_skipped);
	write_head(out, "last_delivery_timestamp_seconds", "gauge", "When a file of the dataset last ended.");
	for (const struct series *series = metrics->series; series != NULL; series = series->next)
		fprintf(out, "rowsieve_last_delivery_timestamp_seconds{dataset=\"%s\"} %.3f\n",
		        series->dataset, series->ended_s);
}

static void write_batches(const struct metrics *metrics, FILE *out)
{
	uint64_t count = 0;
	write_head(out, "batch_duration_seconds", "histogram", "From the intent to the confirmed COMMIT.");
	for (size_t i = 0; i < BUCKET_COUNT; i++) {
		count += metrics->buckets[i];
		fprintf(out, "rowsieve_batch_duration_seconds_bucket{le=\"%g\"} %llu\n", BUCKETS[i],
		        (unsigned long long)count);
	}
	count += metrics->buckets[BUCKET_COUNT];
	fprintf(out,
	        "rowsieve_batch_duration_seconds_bucket{le=\"+Inf\"} %llu\n"
	        "rowsieve_batch_duration_seconds_sum %.6f\n"
	        "rowsieve_batch_duration_seconds_count %llu\n",
	        (unsigned long long)count, metrics->batch_seconds, (unsigned long long)count);
}

/* A kind that several results share is one line, at the first of them. */
static void write_errors(const struct metrics *metrics, FILE *out)
{
	write_head(out, "errors_total", "counter", "Failures, by what failed.");
	for (size_t i = 0; i < KIND_COUNT; i++) {
		uint64_t count = 0;
		bool is_first = KINDS[i] != NULL;
		for (size_t j = 0; is_first && j < KIND_COUNT; j++) {
			if (KINDS[j] == NULL || strcmp(KINDS[i], KINDS[j]) != 0)
				continue;
			is_first = j >= i;
			count += metrics->errors[j];
		}
		if (is_first)
			fprintf(out, "rowsieve_errors_total{kind=\"%s\"} %llu\n", KINDS[i],
			        (unsigned long long)count);
	}
}

static void write_gauge(FILE *out, const char *name, const char *help, double value)
{
	write_head(out, name, "gauge", help);
	fprintf(out, "rowsieve_%s %.17g\n", name, value);
}

static void write_gauges(const struct metrics_gauges *gauges, FILE *out)
{
	write_gauge(out, "queue_files", "Files waiting in the drop directory.", (double)gauges->queue);
	write_gauge(out, "oldest_waiting_seconds", "Age of the oldest file waiting.", gauges->oldest_s);
	write_gauge(out, "refused_files", "Files that stay in the drop directory, with a reason.",
	            (double)gauges->refused);
	write_gauge(out, "in_trouble", "1 while the sink or this machine keeps rowsieve from its work.",
	            gauges->is_in_trouble);
	write_gauge(out, "outbox_objects", "Uploads that are owed to the object store.",
	            (double)gauges->outbox);
	write_gauge(out, "outbox_oldest_seconds", "Age of the oldest upload that is owed.",
	            gauges->outbox_oldest_s);
	write_gauge(out, "state_used_bytes", "Bytes of the state in use.", (double)gauges->state_used);
	write_gauge(out, "state_file_bytes", "Bytes of the state's file.", (double)gauges->state_file);
	write_head(out, "build_info", "gauge", "1, with the version.");
	fprintf(out, "rowsieve_build_info{version=\"" ROWSIEVE_VERSION "\"} 1\n");
}

void metrics_write(struct metrics *metrics, const struct metrics_gauges *gauges, FILE *out)
{
	pthread_mutex_lock(&metrics->mutex);
	write_rows(metrics, out);
	write_members(metrics, out);
	write_batches(metrics, out);
	write_errors(metrics, out);
	pthread_mutex_unlock(&metrics->mutex);
	write_gauges(gauges, out);
}
