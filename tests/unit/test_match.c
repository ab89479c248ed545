// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <string.h>

#include "ingest/match.h"

static const char *const CARD_FILES[] = {"Credit*card*.csv", "credit*.csv"};
static const char *const WINE_FILES[] = {"wine*.csv", "credit_wine.csv"};
static const struct dataset_options DATASETS[] = {
    {.name = "cards", .table = "cards", .files = CARD_FILES, .file_count = 2},
    {.name = "wine", .table = "wine", .files = WINE_FILES, .file_count = 2},
};
static const struct match_rules HOLD = {DATASETS, 2, false};
static const struct match_rules CREATE = {DATASETS, 2, true};

static char name[SCHEMA_NAME_MAX + 1];
static struct error error;

static enum result match(const struct match_rules *rules, const char *title, bool in_archive)
{
	struct match_member member = {title, in_archive};
	return match_member(rules, &member, name, &error);
}

Test(match, a_pattern_decides)
{
	cr_assert_eq(match(&HOLD, "Credit card transactions.csv", false), RESULT_OK);
	cr_assert_str_eq(name, "cards");
}

Test(match, two_datasets_for_one_member_are_an_error_that_names_both)
{
	cr_assert_eq(match(&HOLD, "credit_wine.csv", false), RESULT_CONFIG);
	cr_assert_not_null(strstr(error.message, "'cards'"));
	cr_assert_not_null(strstr(error.message, "'wine'"));
}

Test(match, what_no_pattern_takes_is_held_or_named_after_the_file)
{
	cr_assert_eq(match(&HOLD, "Beer Reviews.csv", false), RESULT_END);
	cr_assert_eq(match(&CREATE, "Beer Reviews.csv", false), RESULT_OK);
	cr_assert_str_eq(name, "beer_reviews");
}

Test(match, the_patterns_come_before_the_name)
{
	cr_assert_eq(match(&CREATE, "wine 2024.csv", false), RESULT_OK);
	cr_assert_str_eq(name, "wine");
}

Test(match, in_an_archive_only_tables_make_datasets)
{
	cr_assert_eq(match(&CREATE, "README.md", true), RESULT_END);
	cr_assert_eq(match(&CREATE, "picture.png", true), RESULT_END);
	cr_assert_eq(match(&CREATE, "Beer.TSV", true), RESULT_OK);
	cr_assert_str_eq(name, "beer");
}

Test(match, a_wanted_name_must_be_configured_unless_datasets_are_created)
{
	cr_assert_eq(match_name(&HOLD, "wine", name, &error), RESULT_OK);
	cr_assert_eq(match_name(&HOLD, "beer", name, &error), RESULT_END);
	cr_assert_eq(match_name(&CREATE, "beer", name, &error), RESULT_OK);
}
