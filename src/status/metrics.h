// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATUS_METRICS_H
#define ROWSIEVE_STATUS_METRICS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/error.h"
#include "state_delivery.h"

/*
 * Figures for a monitoring system, in Prometheus' text format: counters since the start of the program, and
 * gauges as they are now. Safe from every thread.
 */
struct metrics;

enum result metrics_open(struct metrics **out, struct error *error) WARN_UNUSED;
void metrics_close(struct metrics *metrics); /* NULL is fine */

/* What became of one member of a delivery. */
struct metrics_member {
	const char *dataset; /* NULL: none took it */
	const char *status;  /* "done", "rejected", "failed" */
	struct state_counts counts;
	uint64_t bytes;
	uint64_t bytes_skipped;
	double ended_s; /* seconds since 1970, UTC */
};

/* Without memory for a dataset that is met for the first time nothing is counted. */
void metrics_add_member(struct metrics *metrics, const struct metrics_member *member);

/* What was read of late: averages over about a minute, of the members that ended. */
struct metrics_rates {
	double rows;    /* per second */
	double bytes;
	double skipped; /* of these bytes */
};

struct metrics_rates metrics_rates(struct metrics *metrics);

/* A batch that was stored, from its intent to its confirmed COMMIT. */
void metrics_add_batch(struct metrics *metrics, double seconds);

/* What a failure is counted as: "sink", "space", "state" ...; NULL for what is none. */
const char *metrics_kind(enum result kind);

/* A failure, by its kind. */
void metrics_add_error(struct metrics *metrics, enum result kind);

/* What is true now. */
struct metrics_gauges {
	uint64_t queue;         /* files waiting */
	double oldest_s;        /* age of the oldest of them; 0 without any */
	uint64_t refused;       /* files that stay in the drop directory, with a reason */
	bool is_in_trouble;     /* sink or machine: nothing gets on */
	uint64_t outbox;        /* uploads that are owed */
	double outbox_oldest_s; /* age of the oldest of them */
	uint64_t state_used;    /* bytes */
	uint64_t state_file;
};

/* Prints everything; whether it could be written, the stream knows. */
void metrics_write(struct metrics *metrics, const struct metrics_gauges *gauges, FILE *out);

#endif
