// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_CHECKS_TABLES_H
#define ROWSIEVE_CLI_CHECKS_TABLES_H

#include "cli/checks.h"
#include "sink/sink.h"

/* Tables that are there, whoever made them: a line for each dataset of the configuration that has one, which says
 * what of its declared columns the table does not hold. The sink is connected. */
void checks_tables(struct checks *checks, const struct config *config, struct sink *sink);

#endif
