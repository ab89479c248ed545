// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_CLI_JOURNAL_H
#define ROWSIEVE_CLI_JOURNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * What the daemon logs of deliveries: a line for each, with the fields DELIVERY and DATASET; but one line for
 * a whole group of small files that came together and of which nothing else is to be said. Zero-initialised
 * is empty.
 */
struct journal {
	json_t **reports; /* of the group, ours */
	size_t count;
	size_t capacity;
};

/* Logs a report (cli/report.h), now or with its group. */
void journal_add(struct journal *journal, const json_t *report);

/* The group is whole. Leaves a line that sums it up in line[size]; false, and nothing there, when there was
 * none. */
bool journal_flush(struct journal *journal, char *line, size_t size);

void journal_free(struct journal *journal);

#endif
