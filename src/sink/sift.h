// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_SINK_SIFT_H
#define ROWSIEVE_SINK_SIFT_H

#include "sink/sink.h"

/* How a database does what sifting needs, within a transaction that is open and will be rolled back. */
struct sift_steps {
	enum result (*mark)(void *database, struct error *error); /* a savepoint */
	enum result (*insert)(void *database, const struct sink_batch *part, struct error *error);
	enum result (*undo)(void *database, struct error *error); /* back to the last mark */
};

/* The interface's sift(): the rows are inserted in halves, quarters and so on of what is refused. Those that
 * are taken stay beside the next, so that rows which exclude each other are told apart too. */
enum result sift_rows(const struct sift_steps *steps, void *database, const struct sink_sifting *sifting,
                      struct error *error) WARN_UNUSED;

#endif
