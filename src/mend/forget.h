// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_FORGET_H
#define ROWSIEVE_MEND_FORGET_H

#include "base/error.h"
#include "state.h"

/* "Please read this again": caches and the identities of files are void. The seen-set stays: what was stored
 * is a duplicate when it is read again. */

struct forget_report {
	size_t dataset_count; /* whose caches are void now */
};

enum result forget_dataset(struct state *state, uint32_t dataset, struct forget_report *report,
                           struct error *error) WARN_UNUSED;

/* Whatever is known of this file, and with it of all files of the datasets that it fed: what was read of them
 * is not kept apart. RESULT_INVALID: nothing is known of it. */
enum result forget_file(struct state *state, const char *path, struct forget_report *report,
                        struct error *error) WARN_UNUSED;

#endif
