// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_TESTS_FAKE_SINK_H
#define ROWSIEVE_TESTS_FAKE_SINK_H

#include "sink/sink.h"

/*
 * A sink in memory that does, at will, what a real server cannot be made to do on demand: lose the answer of
 * a COMMIT that happened, lose one that did not, commit late, move the head under a batch. It keeps the
 * interface's promises otherwise: compare-and-swap of the head, and judging as a fence.
 */
struct fake_sink;

/* Percentages of how store() ends; the rest succeeds. */
struct fake_sink_odds {
	int lost_before_commit; /* RESULT_UNREACHABLE, nothing stored */
	int answer_lost;        /* RESULT_UNKNOWN, stored */
	int late_commit;        /* RESULT_UNKNOWN; the COMMIT arrives before, at, or after the judgement */
	int head_moved;         /* somebody judged in between: RESULT_DISAGREES, nothing stored */
	int unreachable;        /* of connect(), inspect() and judge(): RESULT_UNREACHABLE */
};

struct sink *fake_sink_open(struct fake_sink_odds odds, unsigned seed);

size_t fake_sink_row_count(const struct sink *sink);
/* The row at that place, in canonical form. */
struct slice fake_sink_row(const struct sink *sink, size_t index);
/* COMMITs that came after their judgement and were shut out. */
size_t fake_sink_fenced(const struct sink *sink);
uint64_t fake_sink_batches(const struct sink *sink); /* the head's seq */

#endif
