// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_FETCH_SUBSET_H
#define ROWSIEVE_FETCH_SUBSET_H

#include "base/buffer.h"
#include "fetch/zipdir.h"

/*
 * An archive that holds some members of another, made without unpacking anything: the stretches that hold
 * them are copied one behind the other, as they are, and a central directory is put behind.
 */
struct subset_range {
	uint64_t start, end; /* in the whole archive */
};

struct subset {
	const struct zipdir *directory; /* borrowed */
	bool *is_chosen;                /* by member */
	struct subset_range *ranges;    /* rising, none touches the next */
	size_t range_count;
	uint64_t length; /* of all ranges */
	size_t chosen;
};

/* Chooses the files for which `wants` says so. */
enum result subset_open(struct subset *subset, const struct zipdir *directory,
                        bool (*wants)(const void *context, const struct zipdir_member *member),
                        const void *context) WARN_UNUSED;
void subset_free(struct subset *subset);

/* Where the first `done` bytes of the new archive end in the whole one: the range, and the place in it.
 * False: all ranges are done. */
bool subset_find(const struct subset *subset, uint64_t done, struct subset_range *rest);

/* What comes behind the ranges. */
enum result subset_trailer(const struct subset *subset, struct buffer *out) WARN_UNUSED;

#endif
