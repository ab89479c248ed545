// SPDX-License-Identifier: Apache-2.0
#include "cli/options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum {
	LONG_DATA = 256,
	LONG_DATASET,
	LONG_JSON,
	LONG_DRY_RUN,
	LONG_STRICT,
	LONG_CHECK,
	LONG_DUE,
	LONG_STORE,
	LONG_METRICS,
	LONG_REFEED,
	LONG_HELP,
	LONG_VERSION
};

static const struct option LONG_OPTIONS[] = {
    {"data", required_argument, NULL, LONG_DATA},
    {"dataset", required_argument, NULL, LONG_DATASET},
    {"json", no_argument, NULL, LONG_JSON},
    {"dry-run", no_argument, NULL, LONG_DRY_RUN},
    {"strict", no_argument, NULL, LONG_STRICT},
    {"check", no_argument, NULL, LONG_CHECK},
    {"due", no_argument, NULL, LONG_DUE},
    {"store", no_argument, NULL, LONG_STORE},
    {"metrics", no_argument, NULL, LONG_METRICS},
    {"refeed", no_argument, NULL, LONG_REFEED},
    {"help", no_argument, NULL, LONG_HELP},
    {"version", no_argument, NULL, LONG_VERSION},
    {0},
};

static enum result add_override(struct options *options, const char *text, struct error *error)
{
	size_t count = options->config.override_count;
	const char **grown = realloc((void *)options->config.overrides, (count + 1) * sizeof *grown);
	if (grown == NULL)
		return error_set(error, RESULT_NO_MEMORY, "out of memory");
	grown[count] = text;
	options->config.overrides = grown;
	options->config.override_count = count + 1;
	return RESULT_OK;
}

/* Flags without a value. `bit` is 0 for those that every command takes. */
static const struct {
	int letter;
	unsigned bit;
	size_t flag; /* offset of the bool in struct options */
} FLAGS[] = {
    {LONG_JSON, OPTIONS_JSON, offsetof(struct options, json)},
    {LONG_DRY_RUN, OPTIONS_DRY_RUN, offsetof(struct options, dry_run)},
    {LONG_STRICT, OPTIONS_STRICT, offsetof(struct options, strict)},
    {LONG_CHECK, OPTIONS_CHECK, offsetof(struct options, check)},
    {LONG_REFEED, OPTIONS_REFEED, offsetof(struct options, refeed)},
    {LONG_DUE, OPTIONS_DUE, offsetof(struct options, due)},
    {LONG_STORE, OPTIONS_STORE, offsetof(struct options, store)},
    {LONG_METRICS, OPTIONS_METRICS, offsetof(struct options, metrics)},
    {LONG_HELP, 0, offsetof(struct options, help)},
    {LONG_VERSION, 0, offsetof(struct options, version)},
};

static enum result take_flag(struct options *options, int letter)
{
	for (size_t i = 0; i < sizeof FLAGS / sizeof *FLAGS; i++) {
		if (FLAGS[i].letter != letter)
			continue;
		*(bool *)((char *)options + FLAGS[i].flag) = true;
		options->given |= FLAGS[i].bit;
		return RESULT_OK;
	}
	return RESULT_USAGE;
}

static enum result take(struct options *options, int letter, struct error *error)
{
	switch (letter) {
	case 'c':
		options->config.path = optarg;
		return RESULT_OK;
	case 'o':
		return add_override(options, optarg, error);
	case LONG_DATA:
		options->config.data = optarg;
		return RESULT_OK;
	case LONG_DATASET:
		options->dataset = optarg;
		options->given |= OPTIONS_DATASET;
		return RESULT_OK;
	default:
		return take_flag(options, letter);
	}
}

static enum result usage_error(int letter, char **argv, struct error *error)
{
	const char *culprit = argv[optind - 1];
	if (letter == ':')
		error_set(error, RESULT_USAGE, "option '%s' needs a value", culprit);
	else
		error_set(error, RESULT_USAGE, "unknown option '%s'", culprit);
	error_hint(error, "see: rowsieve --help");
	return RESULT_USAGE;
}

enum result options_parse(struct options *options, int argc, char **argv, struct error *error)
{
	*options = (struct options){0};
	opterr = 0;
	int letter;
	while ((letter = getopt_long(argc, argv, ":c:o:", LONG_OPTIONS, NULL)) != -1) {
		if (letter == '?' || letter == ':')
			return usage_error(letter, argv, error);
		enum result result = take(options, letter, error);
		if (result != RESULT_OK)
			return result;
	}
	if (optind < argc)
		options->command = argv[optind++];
	options->arguments = argv + optind;
	options->argument_count = argc - optind;
	return RESULT_OK;
}

void options_free(struct options *options)
{
	free((void *)options->config.overrides);
	*options = (struct options){0};
}
