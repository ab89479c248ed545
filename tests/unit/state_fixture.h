// SPDX-License-Identifier: Apache-2.0
#ifndef ROWSIEVE_STATE_FIXTURE_H
#define ROWSIEVE_STATE_FIXTURE_H

#include <criterion/criterion.h>
#include <dirent.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "state_batch.h"
#include "state_merge.h"

/* What the tests of the state share: a state in a directory of its own, and a view of its tables behind its
 * back. */

struct fixture {
	char directory[256];
	struct state *state;
};

static inline void fixture_start(struct fixture *fixture)
{
	struct state_options options = {.directory = fixture->directory};
	struct state_error error = {0};
	cr_assert_eq(state_open(&fixture->state, &options, &error), STATE_OK, "%s", error.text);
}

static inline void fixture_stop(struct fixture *fixture)
{
	state_close(fixture->state);
	fixture->state = NULL;
}

static inline void fixture_restart(struct fixture *fixture)
{
	fixture_stop(fixture);
	fixture_start(fixture);
}

static inline void fixture_make_directory(struct fixture *fixture)
{
	const char *base = getenv("TMPDIR");
	snprintf(fixture->directory, sizeof(fixture->directory), "%s/test_state_XXXXXX",
	         base ? base : "/tmp");
	cr_assert_not_null(mkdtemp(fixture->directory));
}

static inline void fixture_remove(struct fixture *fixture)
{
	fixture_stop(fixture);
	DIR *directory = opendir(fixture->directory);
	cr_assert_not_null(directory);
	for (struct dirent *entry; (entry = readdir(directory)) != NULL;)
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(directory), entry->d_name, 0);
	closedir(directory);
	cr_assert_eq(rmdir(fixture->directory), 0);
}

static inline void fixture_commit(struct state_txn *txn)
{
	struct state_error error = {0};
	cr_assert_eq(state_txn_commit(txn, &error), STATE_OK, "%s", error.text);
}

static inline uint32_t fixture_dataset(struct fixture *fixture, const char *name)
{
	struct state_dataset dataset = {0};
	snprintf(dataset.name, sizeof(dataset.name), "%s", name);
	struct state_txn *txn = state_txn_begin_write(fixture->state);
	state_dataset_put(txn, &dataset);
	fixture_commit(txn);
	return dataset.id;
}

static inline struct state_dataset fixture_find(struct fixture *fixture, uint32_t id)
{
	struct state_dataset dataset = {0};
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	cr_assert_eq(state_dataset_find(txn, id, &dataset), STATE_OK);
	state_txn_abort(txn);
	return dataset;
}

/* splitmix64: a seed that a failing test can name. */
static inline uint64_t fixture_random(uint64_t *seed)
{
	uint64_t z = (*seed += UINT64_C(0x9e3779b97f4a7c15));
	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return z ^ (z >> 31);
}

static inline int fixture_compare(const void *left, const void *right)
{
	return state_digest_compare(*(const struct state_digest *)left, *(const struct state_digest *)right);
}

static inline void fixture_sort(struct state_digest *digests, size_t count)
{
	qsort(digests, count, sizeof(*digests), fixture_compare);
}

/* Sorted random digests; free() them. */
static inline struct state_digest *fixture_digests(uint64_t seed, size_t count)
{
	struct state_digest *digests = calloc(count + 1, sizeof(*digests));
	cr_assert_not_null(digests);
	for (size_t i = 0; i < count; i++) {
		digests[i].hi = fixture_random(&seed);
		digests[i].lo = fixture_random(&seed);
	}
	fixture_sort(digests, count);
	return digests;
}

/* The next batch of the dataset, as pending. */
static inline struct state_batch fixture_batch(struct fixture *fixture, uint32_t dataset,
                                               const struct state_digest *digests, size_t count)
{
	struct state_batch batch = {.dataset = dataset, .digests = digests, .digest_count = count};
	batch.seq = fixture_find(fixture, dataset).seq + 1;
	memset(batch.batch_id, (int)batch.seq, sizeof(batch.batch_id));
	return batch;
}

static inline void fixture_put(struct fixture *fixture, uint32_t dataset, const struct state_digest *digests,
                               size_t count)
{
	struct state_batch batch = fixture_batch(fixture, dataset, digests, count);
	struct state_txn *txn = state_txn_begin_write(fixture->state);
	state_batch_put(txn, &batch);
	fixture_commit(txn);
}

static inline void fixture_promote(struct fixture *fixture, uint32_t dataset)
{
	struct state_txn *txn = state_txn_begin_write(fixture->state);
	cr_assert_eq(state_batch_promote(txn, dataset), STATE_OK);
	fixture_commit(txn);
}

static inline void fixture_merge(struct fixture *fixture, uint32_t dataset)
{
	struct state_error error = {0};
	cr_assert_eq(state_merge_step(fixture->state, dataset, UINT64_MAX, &error), STATE_OK, "%s", error.text);
}

static inline struct state_run_stats fixture_stats(struct fixture *fixture, uint32_t dataset)
{
	struct state_run_stats stats;
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	cr_assert_eq(state_run_stats(txn, dataset, &stats), STATE_OK);
	state_txn_abort(txn);
	return stats;
}

/* How many of the sorted digests are seen. */
static inline size_t fixture_seen(struct fixture *fixture, uint32_t dataset,
                                  const struct state_digest *digests, size_t count)
{
	bool *seen = calloc(count + 1, sizeof(*seen));
	cr_assert_not_null(seen);
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	enum state_result result = state_run_probe(txn, dataset, digests, count, seen);
	struct state_error error = {0};
	state_txn_failure(txn, &error);
	cr_assert_eq(result, STATE_OK, "%s", error.text);
	state_txn_abort(txn);
	size_t found = 0;
	for (size_t i = 0; i < count; i++)
		found += seen[i];
	free(seen);
	return found;
}

static inline void fixture_add_live(struct fixture *fixture, uint32_t dataset,
                                    const struct state_digest *digests, size_t count)
{
	struct state_batch batch = fixture_batch(fixture, dataset, digests, count);
	struct state_txn *txn = state_txn_begin_write(fixture->state);
	state_batch_put(txn, &batch);
	state_batch_promote(txn, dataset);
	fixture_commit(txn);
}

/* Deals the digests to `runs` live runs in turn, so that the runs interleave. */
static inline void fixture_add_interleaved(struct fixture *fixture, uint32_t dataset,
                                           const struct state_digest *digests, size_t count, size_t runs)
{
	struct state_digest *part = calloc(count / runs + 1, sizeof(*part));
	cr_assert_not_null(part);
	for (size_t run = 0; run < runs; run++) {
		size_t filled = 0;
		for (size_t i = run; i < count; i += runs)
			part[filled++] = digests[i];
		fixture_add_live(fixture, dataset, part, filled);
	}
	free(part);
}

/* The digests one above and one below each: absent, but in the same places. */
static inline struct state_digest *fixture_neighbours(const struct state_digest *digests, size_t count)
{
	struct state_digest *absent = calloc(2 * count, sizeof(*absent));
	cr_assert_not_null(absent);
	for (size_t i = 0; i < count; i++) {
		absent[2 * i] = (struct state_digest){digests[i].hi, digests[i].lo - 1};
		absent[2 * i + 1] = (struct state_digest){digests[i].hi, digests[i].lo + 1};
	}
	fixture_sort(absent, 2 * count);
	return absent;
}

/* Asserts that the digests are seen and their neighbours are not. */
static inline void fixture_expect(struct fixture *fixture, uint32_t dataset,
                                  const struct state_digest *digests, size_t count)
{
	struct state_digest *absent = fixture_neighbours(digests, count);
	cr_assert_eq(fixture_seen(fixture, dataset, digests, count), count);
	cr_assert_eq(fixture_seen(fixture, dataset, absent, 2 * count), 0);
	for (size_t i = 0; i < count; i += 1 + count / 50) {
		cr_assert_eq(fixture_seen(fixture, dataset, &digests[i], 1), 1);
		cr_assert_eq(fixture_seen(fixture, dataset, &absent[2 * i], 1), 0);
	}
	free(absent);
}

/* Behind its back: LMDB itself, on a state that is stopped. */
struct raw {
	MDB_env *env;
	MDB_txn *txn;
	MDB_dbi table;
};

static inline struct raw raw_open(const struct fixture *fixture, const char *table)
{
	struct raw raw;
	cr_assert_null(fixture->state);
	cr_assert_eq(mdb_env_create(&raw.env), 0);
	cr_assert_eq(mdb_env_set_maxdbs(raw.env, 16), 0);
	cr_assert_eq(mdb_env_set_mapsize(raw.env, (size_t)1 << 30), 0);
	cr_assert_eq(mdb_env_open(raw.env, fixture->directory, 0, 0600), 0);
	cr_assert_eq(mdb_txn_begin(raw.env, NULL, 0, &raw.txn), 0);
	cr_assert_eq(mdb_dbi_open(raw.txn, table, MDB_CREATE, &raw.table), 0);
	return raw;
}

static inline void raw_close(struct raw *raw)
{
	cr_assert_eq(mdb_txn_commit(raw->txn), 0);
	mdb_env_close(raw->env);
}

static inline size_t raw_count(const struct fixture *fixture, const char *table)
{
	MDB_stat stat;
	struct raw raw = raw_open(fixture, table);
	cr_assert_eq(mdb_stat(raw.txn, raw.table, &stat), 0);
	raw_close(&raw);
	return stat.ms_entries;
}

static inline void raw_put(const struct fixture *fixture, const char *table, const void *key, size_t key_size,
                           const void *value, size_t size)
{
	struct raw raw = raw_open(fixture, table);
	MDB_val k = {.mv_size = key_size, .mv_data = (void *)key};
	MDB_val v = {.mv_size = size, .mv_data = (void *)value};
	cr_assert_eq(mdb_put(raw.txn, raw.table, &k, &v, 0), 0);
	raw_close(&raw);
}

/* A copy of one entry of a table. */
struct raw_entry {
	uint8_t key[64];
	size_t key_size;
	uint8_t *value;
	size_t size;
};

static inline struct raw_entry raw_first(const struct fixture *fixture, const char *table)
{
	struct raw raw = raw_open(fixture, table);
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	cr_assert_eq(mdb_cursor_open(raw.txn, raw.table, &cursor), 0);
	cr_assert_eq(mdb_cursor_get(cursor, &key, &value, MDB_FIRST), 0);
	struct raw_entry entry = {.key_size = key.mv_size, .size = value.mv_size};
	cr_assert_leq(key.mv_size, sizeof(entry.key));
	memcpy(entry.key, key.mv_data, key.mv_size);
	entry.value = malloc(value.mv_size + 1);
	cr_assert_not_null(entry.value);
	memcpy(entry.value, value.mv_data, value.mv_size);
	mdb_cursor_close(cursor);
	raw_close(&raw);
	return entry;
}

/*
 * Damages the first entry of a table in every way that a length check must notice: cut at each length (up to
 * 300 and near its end), one byte too many, another version. Each time restarts the state and expects
 * STATE_CORRUPT.
 */
static inline void raw_expect_corrupt(struct fixture *fixture, const char *table,
                                      enum state_result (*read)(struct fixture *fixture))
{
	fixture_stop(fixture);
	struct raw_entry entry = raw_first(fixture, table);
	for (size_t size = 0; size <= entry.size + 1; size++) {
		if (size > 300 && size + 8 < entry.size)
			continue;
		uint8_t *damaged = calloc(1, entry.size + 1);
		cr_assert_not_null(damaged);
		memcpy(damaged, entry.value, entry.size);
		damaged[0] = (uint8_t)(damaged[0] + (size == entry.size));
		raw_put(fixture, table, entry.key, entry.key_size, damaged, size);
		free(damaged);
		fixture_start(fixture);
		cr_assert_eq(read(fixture), STATE_CORRUPT, "'%s' cut at %zu of %zu", table, size, entry.size);
		fixture_stop(fixture);
	}
	raw_put(fixture, table, entry.key, entry.key_size, entry.value, entry.size);
	free(entry.value);
	fixture_start(fixture);
	cr_assert_eq(read(fixture), STATE_OK);
}

/* Damages the first entry of a table: a value of that size under a key of that size (0: the entry is
 * deleted). */
static inline void raw_damage_first(struct fixture *fixture, const char *table, size_t key_size, size_t size)
{
	fixture_stop(fixture);
	struct raw_entry entry = raw_first(fixture, table);
	struct raw raw = raw_open(fixture, table);
	MDB_val key = {.mv_size = entry.key_size, .mv_data = entry.key};
	cr_assert_eq(mdb_del(raw.txn, raw.table, &key, NULL), 0);
	raw_close(&raw);
	if (key_size > 0)
		raw_put(fixture, table, entry.key, key_size, entry.value, size);
	free(entry.value);
	fixture_start(fixture);
}

#endif
