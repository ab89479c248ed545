// SPDX-License-Identifier: Apache-2.0
#include "engine_fixture.h"

#include <criterion/criterion.h>

void engine_fixture_open(struct ingest **ingest, struct state **state, const char *state_path,
                         const char *rejected, const struct ingest_options *chosen)
{
	struct state_options state_options = {.directory = state_path};
	struct state_error failure;
	cr_assert_eq(state_open(state, &state_options, &failure), STATE_OK, "%s", failure.text);
	struct ingest_options options = *chosen;
	options.state = *state;
	options.create_unmatched = true;
	options.done = options.rejected = rejected;
	options.max_columns = 100;
	options.limits.max_members = 10;
	options.limits.max_ratio = 100;
	struct error error;
	cr_assert_eq(ingest_open(ingest, &options, &error), RESULT_OK, "%s", error.message);
}
