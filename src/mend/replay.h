// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_MEND_REPLAY_H
#define ROWSIEVE_MEND_REPLAY_H

#include "base/error.h"
#include "base/id.h"
#include "state.h"
#include "state_delivery.h"

/*
 * Rejected rows once more, after the configuration was mended. Each member's rejects become a file of its own,
 * <delivery>.<member>.replay.csv beside the reject file, which is a delivery like any other: what still fails
 * is in that delivery's rejects. Only when it is done does the reject file become <delivery>.replayed.csv; so a
 * replay that is cut off goes on where it was, and one that is run again finds nothing twice.
 */
struct replay_options {
	struct state *state;
	const char *rejected; /* directory */
	uint32_t dataset;     /* of whose deliveries; 0: of the one below */
	struct id delivery;
	/* Lines that the dataset passes over before the first record. */
	uint64_t (*lines_to_skip)(void *context, const char *dataset);
	/* Reads the file, as what it holds would have been read when it was rejected of that member, and makes it
	 * durable. RESULT_INVALID: it cannot be taken; what it holds stays rejected. */
	enum result (*feed)(void *context, const char *path, const char *dataset,
	                    const struct state_member *member, struct error *error);
	void *context;
};

/* In the order of their deliveries. *count says of how many the rejects were replayed. An archive's members are replayed together,
 * whatever datasets they feed. */
enum result replay_run(const struct replay_options *options, size_t *count, struct error *error) WARN_UNUSED;

#endif
