// SPDX-License-Identifier: Apache-2.0
#include "cli/journal.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "cli/report.h"

/* Up to so many files a group is told file by file. */
enum { GROUP_MIN = 8, LINE_SIZE = 2 * ERROR_MESSAGE_MAX };

static long long number_of(const json_t *report, const char *key)
{
	return (long long)json_integer_value(json_object_get(report, key));
}

/* Something in it is for a person to look at. */
static bool is_bad(const json_t *report)
{
	return report_exit_status(report, true) != 0;
}

static void log_report(const json_t *report)
{
	char line[LINE_SIZE];
	struct log_fields fields = {
	    .delivery = json_string_value(json_object_get(report, "delivery")),
	    .dataset = json_string_value(json_object_get(report, "dataset")),
	};
	report_line(line, sizeof line, report);
	log_event(is_bad(report), &fields, "%s", line);
}

static bool grow(struct journal *journal)
{
	if (journal->count < journal->capacity)
		return true;
	size_t capacity = journal->capacity == 0 ? 64 : 2 * journal->capacity;
	json_t **reports = realloc((void *)journal->reports, capacity * sizeof *reports);
	if (reports == NULL)
		return false;
	journal->reports = reports;
	journal->capacity = capacity;
	return true;
}

void journal_add(struct journal *journal, const json_t *report)
{
	if (is_bad(report) || !grow(journal))
		log_report(report);
	else
		journal->reports[journal->count++] = json_incref((json_t *)report);
}

static void sum_up(const struct journal *journal, char *line, size_t size)
{
	long long rows = 0;
	long long new = 0;
	long long updated = 0;
	for (size_t i = 0; i < journal->count; i++) {
		rows += number_of(journal->reports[i], "rows");
		new += number_of(journal->reports[i], "new");
		updated += number_of(journal->reports[i], "updated");
	}
	snprintf(line, size, "%zu files: done, %lld rows: %lld new, %lld updated", journal->count, rows, new,
	         updated);
}

bool journal_flush(struct journal *journal, char *line, size_t size)
{
	if (journal->count == 0)
		return false;
	bool is_group = journal->count > GROUP_MIN;
	if (is_group) {
		sum_up(journal, line, size);
		log_info("%s", line);
	} else {
		report_line(line, size, journal->reports[journal->count - 1]);
	}
	for (size_t i = 0; i < journal->count; i++) {
		if (!is_group)
			log_report(journal->reports[i]);
		json_decref(journal->reports[i]);
	}
	journal->count = 0;
	return true;
}

void journal_free(struct journal *journal)
{
	for (size_t i = 0; i < journal->count; i++)
		json_decref(journal->reports[i]);
	free((void *)journal->reports);
	*journal = (struct journal){0};
}
