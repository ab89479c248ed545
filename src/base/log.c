// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION /* where in the program tells an operator nothing */
#include <systemd/sd-journal.h>

#include "base/clock.h"

enum { FIELD_SIZE = LOG_LINE_SIZE + 32, FIELDS_MAX = 6 };

static bool log_is_quiet;
static bool log_is_journal;

static pthread_mutex_t recent_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct log_record recent[LOG_RECENT_MAX];
static size_t recent_count; /* ever: the next one takes the place of the oldest */

/* The variable alone does not say it: standard error may lead elsewhere by now. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat status;
	char name[64];
	if (stream == NULL || fstat(STDERR_FILENO, &status) != 0)
		return false;
	snprintf(name, sizeof name, "%ju:%ju", (uintmax_t)status.st_dev, (uintmax_t)status.st_ino);
	return strcmp(name, stream) == 0;
}

void log_open(bool quiet)
{
	log_is_quiet = quiet;
	log_is_journal = is_journal();
}

/* The fields of one entry, each "NAME=value". */
struct entry {
	char text[FIELDS_MAX][FIELD_SIZE];
	struct iovec fields[FIELDS_MAX];
	int count;
};

static void PRINTF_LIKE(2, 3) add_field(struct entry *entry, const char *format, ...)
{
	char *text = entry->text[entry->count];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(text, FIELD_SIZE, format, arguments);
	va_end(arguments);
	entry->fields[entry->count++] = (struct iovec){text, strlen(text)};
}

static bool send_to_journal(int priority, const struct log_fields *fields, const char *line)
{
	struct entry entry = {.count = 0};
	add_field(&entry, "MESSAGE=%s", line);
	add_field(&entry, "PRIORITY=%d", priority);
	add_field(&entry, "SYSLOG_IDENTIFIER=rowsieve");
	if (fields->delivery != NULL)
		add_field(&entry, "DELIVERY=%s", fields->delivery);
	if (fields->dataset != NULL)
		add_field(&entry, "DATASET=%s", fields->dataset);
	if (fields->batch != NULL)
		add_field(&entry, "BATCH=%s", fields->batch);
	return sd_journal_sendv(entry.fields, entry.count) >= 0;
}

static void remember(const char *line)
{
	pthread_mutex_lock(&recent_mutex);
	struct log_record *record = &recent[recent_count++ % LOG_RECENT_MAX];
	record->wall_ns = clock_wall_ns();
	memcpy(record->line, line, strlen(line) + 1);
	pthread_mutex_unlock(&recent_mutex);
}

size_t log_recent(struct log_record out[LOG_RECENT_MAX])
{
	pthread_mutex_lock(&recent_mutex);
	size_t count = recent_count < LOG_RECENT_MAX ? recent_count : LOG_RECENT_MAX;
	for (size_t i = 0; i < count; i++)
		out[i] = recent[(recent_count - count + i) % LOG_RECENT_MAX];
	pthread_mutex_unlock(&recent_mutex);
	return count;
}

/* One write per line: lines of several threads do not mix. */
static void log_line(int priority, const struct log_fields *fields, const char *format, va_list arguments)
{
	char plain[LOG_LINE_SIZE];
	char line[LOG_LINE_SIZE];
	vsnprintf(plain, sizeof plain, format, arguments);
	error_quote(line, sizeof line, plain);
	if (priority <= LOG_WARNING)
		remember(line);
	if (!log_is_journal || !send_to_journal(priority, fields, line))
		fprintf(stderr, "rowsieve: %s\n", line);
}

static const struct log_fields no_fields;

void log_info(const char *format, ...)
{
	if (log_is_quiet)
		return;
	va_list arguments;
	va_start(arguments, format);
	log_line(LOG_INFO, &no_fields, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_line(LOG_WARNING, &no_fields, format, arguments);
	va_end(arguments);
}

void log_event(bool is_bad, const struct log_fields *fields, const char *format, ...)
{
	if (log_is_quiet && !is_bad)
		return;
	va_list arguments;
	va_start(arguments, format);
	log_line(is_bad ? LOG_WARNING : LOG_INFO, fields, format, arguments);
	va_end(arguments);
}

static void PRINTF_LIKE(1, 2) log_failure(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_line(LOG_ERR, &no_fields, format, arguments);
	va_end(arguments);
}

void log_error(const struct error *error)
{
	if (error->hint[0] != '\0')
		log_failure("%s (%s)", error->message, error->hint);
	else
		log_failure("%s", error->message);
}
