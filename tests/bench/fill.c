// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "state_rebuild.h"

/*
 * Puts digests of rows that never come into the seen-set of a dataset, in the place of what it holds: a history for
 * scripts/bench. usage: fill STATE DATASET ROWS
 */

enum { PORTION = 1000000 };

static void die(const char *what)
{
	fprintf(stderr, "fill: %s\n", what);
	exit(1);
}

static int compare(const void *left, const void *right)
{
	return state_digest_compare(*(const struct state_digest *)left, *(const struct state_digest *)right);
}

static uint64_t next_random(uint64_t *seed)
{
	uint64_t mixed = *seed += UINT64_C(0x9e3779b97f4a7c15);
	mixed = (mixed ^ mixed >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	mixed = (mixed ^ mixed >> 27) * UINT64_C(0x94d049bb133111eb);
	return mixed ^ mixed >> 31;
}

static void add_all(struct state_rebuild *rebuild, uint64_t rows)
{
	struct state_digest *digests = calloc(PORTION, sizeof *digests);
	struct state_error failure;
	uint64_t seed = 1;
	if (digests == NULL)
		die("out of memory");
	for (uint64_t left = rows; left > 0;) {
		size_t count = left < PORTION ? (size_t)left : PORTION;
		for (size_t i = 0; i < count; i++)
			digests[i] = (struct state_digest){next_random(&seed), next_random(&seed)};
		qsort(digests, count, sizeof *digests, compare);
		if (state_rebuild_add(rebuild, digests, count, &failure) != STATE_OK)
			die(failure.text);
		left -= count;
	}
	free(digests);
}

int main(int argc, char **argv)
{
	if (argc != 4)
		die("usage: fill STATE DATASET ROWS");
	struct state *state;
	struct state_error failure;
	struct state_rebuild *rebuild;
	struct state_options options = {.directory = argv[1], .must_exist = true};
	if (state_open(&state, &options, &failure) != STATE_OK ||
	    state_rebuild_begin(&rebuild, state, &failure) != STATE_OK)
		die(failure.text);
	add_all(rebuild, strtoull(argv[3], NULL, 10));
	struct state_txn *txn = state_txn_begin_write(state);
	struct state_dataset dataset;
	if (state_dataset_get(txn, argv[2], &dataset) != STATE_OK)
		die("there is no such dataset");
	state_rebuild_install(rebuild, txn, &dataset);
	if (state_txn_commit(txn, &failure) != STATE_OK ||
	    state_rebuild_discard(rebuild, &failure) != STATE_OK)
		die(failure.text);
	state_close(state);
	return 0;
}
