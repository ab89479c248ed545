// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <getopt.h>
#include <stdarg.h>
#include <string.h>

#include "cli/options.h"

static struct options options;
static struct error error;

static void clean_up(void)
{
	options_free(&options);
}

TestSuite(options, .fini = clean_up);

/* The words of a command line behind the program's name. */
static enum result parse(const char *first, ...)
{
	static char *argv[16];
	int argc = 0;
	argv[argc++] = (char *)"rowsieve";
	va_list words;
	va_start(words, first);
	for (const char *word = first; word != NULL; word = va_arg(words, const char *))
		argv[argc++] = (char *)word;
	va_end(words);
	argv[argc] = NULL;
	optind = 0; /* begin anew, as getopt wants it */
	return options_parse(&options, argc, argv, &error);
}

Test(options, stand_before_and_behind_the_command)
{
	cr_assert_eq(parse("--data", "d", "ingest", "a.csv", "--json", "b.csv", NULL), RESULT_OK);
	cr_assert_str_eq(options.config.data, "d");
	cr_assert_str_eq(options.command, "ingest");
	cr_assert(options.json);
	cr_assert_eq(options.argument_count, 2);
	cr_assert_str_eq(options.arguments[1], "b.csv");
}

Test(options, overrides_are_kept_in_their_order)
{
	cr_assert_eq(parse("run", "-o", "batch.rows=1", "-o", "batch.rows=2", NULL), RESULT_OK);
	cr_assert_eq(options.config.override_count, 2);
	cr_assert_str_eq(options.config.overrides[0], "batch.rows=1");
	cr_assert_str_eq(options.config.overrides[1], "batch.rows=2");
}

Test(options, unknown_ones_are_wrong_usage_and_named)
{
	cr_assert_eq(parse("ingest", "--jsn", NULL), RESULT_USAGE);
	cr_assert_not_null(strstr(error.message, "'--jsn'"));
}

Test(options, a_missing_value_is_wrong_usage_and_named)
{
	cr_assert_eq(parse("ingest", "--dataset", NULL), RESULT_USAGE);
	cr_assert_not_null(strstr(error.message, "'--dataset'"));
}

Test(options, what_follows_two_dashes_is_a_file)
{
	cr_assert_eq(parse("ingest", "--", "--json", NULL), RESULT_OK);
	cr_assert_not(options.json);
	cr_assert_str_eq(options.arguments[0], "--json");
}

Test(options, no_command_is_no_error_here)
{
	cr_assert_eq(parse("--help", NULL), RESULT_OK);
	cr_assert_null(options.command);
	cr_assert(options.help);
}
