// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_ENGINE_FIXTURE_H
#define ROWSIEVE_TESTS_ENGINE_FIXTURE_H

#include "ingest/ingest.h"

/* An engine on a state of its own. `chosen` says sink, batch, max_field and who is told; the rest is the same for all: any
 * file makes its dataset, and what is done or rejected goes to that directory. */
void engine_fixture_open(struct ingest **ingest, struct state **state, const char *state_path,
                         const char *rejected, const struct ingest_options *chosen);

#endif
