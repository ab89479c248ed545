// SPDX-License-Identifier: Apache-2.0
#include "ingest/match.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *const ENDINGS[] = {".csv", ".tsv", ".txt"};

const struct dataset_options *match_find(const struct match_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->count; i++) {
		if (strcmp(rules->datasets[i].name, name) == 0)
			return &rules->datasets[i];
	}
	return NULL;
}

static bool takes(const struct dataset_options *dataset, const char *title)
{
	for (size_t i = 0; i < dataset->file_count; i++) {
		if (fnmatch(dataset->files[i], title, 0) == 0)
			return true;
	}
	return false;
}

/* The length of the title without its ending; `is_csv` when the ending is one of ours. */
static size_t stem_length(const char *title, bool *is_csv)
{
	const char *dot = strrchr(title, '.');
	*is_csv = false;
	if (dot == NULL || dot == title)
		return strlen(title);
	for (size_t i = 0; i < sizeof ENDINGS / sizeof *ENDINGS; i++)
		*is_csv |= strcasecmp(dot, ENDINGS[i]) == 0;
	return (size_t)(dot - title);
}

bool match_is_table(const char *title)
{
	const char *dot = strrchr(title, '.');
	return dot != NULL && (strcasecmp(dot, ".csv") == 0 || strcasecmp(dot, ".tsv") == 0);
}

static enum result name_after(const struct match_member *member, char name[SCHEMA_NAME_MAX + 1],
                              struct error *error)
{
	bool is_csv;
	size_t length = stem_length(member->title, &is_csv);
	if (member->in_archive && !is_csv)
		return RESULT_END;
	if (schema_name(name, (struct slice){member->title, length}))
		return RESULT_OK;
	error_set(error, RESULT_CONFIG, "'%s' makes no table name of 1 to %d characters", member->title,
	          SCHEMA_NAME_MAX);
	error_hint(error, "name the dataset: --dataset NAME, or a dataset section with files = { ... }");
	return RESULT_CONFIG;
}

enum result match_member(const struct match_rules *rules, const struct match_member *member,
                         char name[SCHEMA_NAME_MAX + 1], struct error *error)
{
	const struct dataset_options *found = NULL;
	for (size_t i = 0; i < rules->count; i++) {
		if (!takes(&rules->datasets[i], member->title))
			continue;
		if (found != NULL)
			return error_set(error, RESULT_CONFIG, "'%s' matches two datasets, '%s' and '%s'",
			                 member->title, found->name, rules->datasets[i].name);
		found = &rules->datasets[i];
	}
	if (found != NULL) {
		snprintf(name, SCHEMA_NAME_MAX + 1, "%s", found->name);
		return RESULT_OK;
	}
	return rules->create_unmatched ? name_after(member, name, error) : RESULT_END;
}

enum result match_name(const struct match_rules *rules, const char *wanted, char name[SCHEMA_NAME_MAX + 1],
                       struct error *error)
{
	if (match_find(rules, wanted) == NULL && !rules->create_unmatched)
		return RESULT_END;
	if (!schema_name(name, slice_from_string(wanted)))
		return error_set(error, RESULT_CONFIG, "'%s' is no dataset name of 1 to %d characters",
		                 wanted, SCHEMA_NAME_MAX);
	return RESULT_OK;
}
