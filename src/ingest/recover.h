// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_INGEST_RECOVER_H
#define ROWSIEVE_INGEST_RECOVER_H

#include "ingest/engine.h"

/* What a connection to the sink begins with: batches whose outcome is open are settled before anything
 * depends on them. */

/* Connects unless that is done, and settles what is pending. A dataset that cannot be settled is no failure
 * here: it says so when its turn comes. */
enum result recover_connect(struct ingest *ingest, struct error *error) WARN_UNUSED;

/* recover_connect(), then first contact with every dataset that the state knows; one that is stopped is
 * logged where is_loud. */
enum result recover_all(struct ingest *ingest, bool is_loud, struct error *error) WARN_UNUSED;

/* Is a batch of the dataset pending in the state? A state that cannot be read says yes: contact will tell. */
bool recover_has_pending(struct ingest *ingest, const struct dataset *dataset);

#endif
