// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_OUTCOME_H
#define ROWSIEVE_INGEST_OUTCOME_H

#include "ingest/engine.h"

/* What follows from the end of a delivery, once the state has it. */

/* Step 5 of the commit order: a file of the drop directory leaves it. False, and logged, when it could not:
 * the file is known, and is moved when it is handed in again. */
bool outcome_retire(const struct ingest *ingest, const struct delivery *delivery);

/* One report for each member, or one for a delivery that never came to a member. */
void outcome_report(const struct ingest *ingest, const struct delivery *delivery, bool is_left);

/* Retires, reports and drops every delivery that was read to its end and whose end is durable. */
void outcome_finish(struct ingest *ingest);

#endif
