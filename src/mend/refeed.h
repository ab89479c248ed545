// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_REFEED_H
#define ROWSIEVE_MEND_REFEED_H

#include "base/error.h"
#include "state.h"

/* Deliveries of a dataset that were taken from the drop directory, once more: from where they are kept. */

struct refeed_options {
	struct state *state;
	uint32_t dataset;
	const char *drop;
	const char *done;
	/* A file of the drop directory that is to be read again, and the subdirectory it is in (NULL: none), in the
	 * order in which it was delivered. */
	enum result (*each)(void *context, const char *path, const char *subdirectory, struct error *error);
	void *context;
};

/* Archived files go back to where they were dropped, never over another file. Cut off in the middle, what has
 * moved is delivered and the rest still archived. *count says how many. */
enum result refeed_archived(const struct refeed_options *options, size_t *count,
                            struct error *error) WARN_UNUSED;

/* Files that were left in the drop directory when they were done. */
enum result refeed_kept(const struct refeed_options *options, size_t *count, struct error *error) WARN_UNUSED;

#endif
