// SPDX-License-Identifier: Apache-2.0
#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>

static bool log_is_quiet;
static bool log_has_priorities;

void log_open(bool quiet)
{
	log_is_quiet = quiet;
	log_has_priorities = getenv("JOURNAL_STREAM") != NULL;
}

/* One write per line: lines of several threads do not mix. */
static void log_line(const char *priority, const char *format, va_list arguments)
{
	char plain[2 * ERROR_MESSAGE_MAX];
	char line[2 * ERROR_MESSAGE_MAX];
	vsnprintf(plain, sizeof plain, format, arguments);
	error_quote(line, sizeof line, plain);
	fprintf(stderr, "%srowsieve: %s\n", log_has_priorities ? priority : "", line);
}

void log_info(const char *format, ...)
{
	if (log_is_quiet)
		return;
	va_list arguments;
	va_start(arguments, format);
	log_line(SD_INFO, format, arguments);
	va_end(arguments);
}

void log_warning(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_line(SD_WARNING, format, arguments);
	va_end(arguments);
}

static void PRINTF_LIKE(1, 2) log_failure(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	log_line(SD_ERR, format, arguments);
	va_end(arguments);
}

void log_error(const struct error *error)
{
	if (error->hint[0] != '\0')
		log_failure("%s (%s)", error->message, error->hint);
	else
		log_failure("%s", error->message);
}
