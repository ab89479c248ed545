// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <lmdb.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"
#include "state_batch.h"
#include "state_dataset.h"
#include "state_delivery.h"
#include "state_merge.h"
#include "state_outbox.h"
#include "state_run.h"

/*
 * A state of which one record is damaged: every call gives an answer or an error. The input says which record of
 * which table (two bytes), and what becomes of it: the third byte odd, it is the rest of the input; even, pairs of
 * place and byte are written into what was there.
 */

enum { DIGESTS = 40, KEY_MAX = 511 };

static char directory[256];
static char *pristine;
static size_t pristine_size;

static void commit(struct state_txn *txn)
{
	struct state_error error = {0};
	FUZZ_ASSERT(state_txn_commit(txn, &error) == STATE_OK);
}

static struct state *open_state(void)
{
	struct state_options options = {.directory = directory, .max_size = 64 << 20};
	struct state *state = NULL;
	struct state_error error = {0};
	if (state_open(&state, &options, &error) == STATE_OK)
		return state;
	FUZZ_ASSERT(error.text[0] != '\0');
	return NULL;
}

static void put_batch(struct state_txn *txn, uint32_t dataset, uint64_t seq)
{
	struct state_digest digests[DIGESTS];
	for (uint64_t i = 0; i < DIGESTS; i++)
		digests[i] = (struct state_digest){i * 1000 + seq, i};
	struct state_mark mark = {
	    .member = {.delivery = {1},
	               .dataset = dataset,
	               .name = "member.csv",
	               .status = STATE_STATUS_OPEN},
	    .has_content = true,
	    .content = {.dataset = dataset, .head = {2}, .whole = {3}, .cache_epoch = 1},
	};
	struct state_batch batch = {
	    .dataset = dataset,
	    .seq = seq,
	    .batch_id = {(uint8_t)seq},
	    .schema_version = 1,
	    .digests = digests,
	    .digest_count = DIGESTS,
	    .marks = &mark,
	    .mark_count = 1,
	};
	state_batch_put(txn, &batch);
}

static void fill(void)
{
	struct state *state = open_state();
	FUZZ_ASSERT(state != NULL);
	struct state_txn *txn = state_txn_begin_write(state);
	struct state_dataset dataset = {
	    .name = "k", .table = "k", .sink_kind = "sqlite", .schema_version = 1};
	state_dataset_put(txn, &dataset);
	state_dataset_put_schema(txn, dataset.id, 1, "{}", 2);
	struct state_delivery delivery = {
	    .id = {1}, .file = {.device = 1, .inode = 2}, .path = "/drop/x.csv", .status = STATE_STATUS_OPEN};
	state_delivery_put(txn, &delivery);
	for (uint64_t seq = 1; seq <= 3; seq++) {
		put_batch(txn, dataset.id, seq);
		state_batch_promote(txn, dataset.id);
	}
	put_batch(txn, dataset.id, 4);
	commit(txn);
	state_close(state);
}

static void remove_directory(void)
{
	static const char *const names[] = {"data.mdb", "lock.mdb", "lock"};
	int fd = open(directory, O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < 3; i++)
		unlinkat(fd, names[i], 0);
	unlinkat(fd, "spool", AT_REMOVEDIR);
	close(fd);
	rmdir(directory);
}

static void prepare(void)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : getenv("TMPDIR");
	snprintf(directory, sizeof directory, "%s/fuzz_state_XXXXXX", base != NULL ? base : "/tmp");
	FUZZ_ASSERT(mkdtemp(directory) != NULL);
	atexit(remove_directory);
	fill();
	char path[300];
	snprintf(path, sizeof path, "%s/data.mdb", directory);
	FILE *file = fopen(path, "rbe");
	struct stat status;
	FUZZ_ASSERT(file != NULL && fstat(fileno(file), &status) == 0);
	pristine_size = (size_t)status.st_size;
	pristine = malloc(pristine_size);
	FUZZ_ASSERT(pristine != NULL && fread(pristine, 1, pristine_size, file) == pristine_size);
	fclose(file);
}

static void restore(void)
{
	char path[300];
	snprintf(path, sizeof path, "%s/data.mdb", directory);
	FILE *file = fopen(path, "wbe");
	FUZZ_ASSERT(file != NULL && fwrite(pristine, 1, pristine_size, file) == pristine_size);
	fclose(file);
}

/* The name of a table: the main database's n-th key. */
static MDB_dbi open_table(MDB_txn *txn, unsigned number)
{
	MDB_dbi names;
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	MDB_stat stat;
	FUZZ_ASSERT(mdb_dbi_open(txn, NULL, 0, &names) == 0 && mdb_stat(txn, names, &stat) == 0);
	FUZZ_ASSERT(mdb_cursor_open(txn, names, &cursor) == 0);
	FUZZ_ASSERT(mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0);
	for (unsigned i = 0; i < number % stat.ms_entries; i++)
		FUZZ_ASSERT(mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0);
	char name[64] = "";
	FUZZ_ASSERT(key.mv_size < sizeof name);
	memcpy(name, key.mv_data, key.mv_size);
	mdb_cursor_close(cursor);
	MDB_dbi table;
	FUZZ_ASSERT(mdb_dbi_open(txn, name, 0, &table) == 0);
	return table;
}

static void damage_record(MDB_txn *txn, MDB_dbi table, unsigned number, const uint8_t *data, size_t size)
{
	MDB_stat stat;
	MDB_cursor *cursor;
	MDB_val key;
	MDB_val value;
	FUZZ_ASSERT(mdb_stat(txn, table, &stat) == 0);
	if (stat.ms_entries == 0 || size == 0)
		return;
	FUZZ_ASSERT(mdb_cursor_open(txn, table, &cursor) == 0);
	FUZZ_ASSERT(mdb_cursor_get(cursor, &key, &value, MDB_FIRST) == 0);
	for (unsigned i = 0; i < number % stat.ms_entries; i++)
		FUZZ_ASSERT(mdb_cursor_get(cursor, &key, &value, MDB_NEXT) == 0);
	uint8_t key_bytes[KEY_MAX];
	memcpy(key_bytes, key.mv_data, key.mv_size);
	key.mv_data = key_bytes;
	struct MDB_val changed = {size - 1, (void *)(uintptr_t)(data + 1)};
	uint8_t *copy = malloc(value.mv_size + 1);
	FUZZ_ASSERT(copy != NULL);
	if (data[0] % 2 == 0) {
		memcpy(copy, value.mv_data, value.mv_size);
		for (size_t i = 1; i + 1 < size && value.mv_size > 0; i += 2)
			copy[data[i] % value.mv_size] = data[i + 1];
		changed = (struct MDB_val){value.mv_size, copy};
	}
	mdb_cursor_close(cursor);
	FUZZ_ASSERT(mdb_put(txn, table, &key, &changed, 0) == 0);
	free(copy);
}

static void damage(const uint8_t *data, size_t size)
{
	MDB_env *env;
	MDB_txn *txn;
	FUZZ_ASSERT(mdb_env_create(&env) == 0 && mdb_env_set_maxdbs(env, 32) == 0);
	FUZZ_ASSERT(mdb_env_set_mapsize(env, 64 << 20) == 0);
	FUZZ_ASSERT(mdb_env_open(env, directory, MDB_NOSYNC | MDB_NOTLS, 0600) == 0);
	FUZZ_ASSERT(mdb_txn_begin(env, NULL, 0, &txn) == 0);
	damage_record(txn, open_table(txn, data[0]), data[1], data + 2, size - 2);
	FUZZ_ASSERT(mdb_txn_commit(txn) == 0);
	mdb_env_close(env);
}

static bool take_dataset(void *context, const struct state_dataset *dataset)
{
	(void)context;
	FUZZ_ASSERT(memchr(dataset->name, '\0', sizeof dataset->name) != NULL);
	FUZZ_ASSERT(memchr(dataset->table, '\0', sizeof dataset->table) != NULL);
	return true;
}

static bool take_member(void *context, const struct state_member *member)
{
	(void)context;
	FUZZ_ASSERT(memchr(member->name, '\0', sizeof member->name) != NULL);
	return true;
}

static bool take_delivery(void *context, const struct state_delivery *delivery)
{
	FUZZ_ASSERT(memchr(delivery->path, '\0', sizeof delivery->path) != NULL);
	state_delivery_each_member(context, delivery->id, take_member, NULL);
	return true;
}

/* Each in a transaction of its own: a failure sticks. */
static void read_state(struct state *state, unsigned step)
{
	struct state_txn *txn = state_txn_begin_read(state);
	FUZZ_ASSERT(txn != NULL);
	struct state_digest sorted[DIGESTS];
	bool seen[DIGESTS];
	for (uint64_t i = 0; i < DIGESTS; i++)
		sorted[i] = (struct state_digest){i * 1000 + 2, i};
	struct state_pending pending;
	struct state_run_stats stats;
	struct state_delivery delivery;
	struct state_content content;
	struct state_outbox entry;
	const uint8_t head[16] = {2};
	const uint8_t whole[16] = {3};
	const void *bytes;
	size_t count;
	switch (step) {
	case 0:
		state_dataset_each(txn, take_dataset, NULL);
		break;
	case 1:
		state_dataset_get_schema(txn, 1, 1, &bytes, &count);
		break;
	case 2:
		state_run_probe(txn, 1, sorted, DIGESTS, seen);
		break;
	case 3:
		state_run_stats(txn, 1, &stats);
		break;
	case 4:
		state_batch_pending(txn, 1, &pending);
		break;
	case 5:
		state_delivery_each(txn, take_delivery, txn);
		break;
	case 6:
		state_delivery_of_file(txn, 1, 2, &delivery);
		break;
	case 7:
		state_delivery_get_content(txn, 1, head, whole, &content);
		break;
	default:
		state_outbox_next(txn, 0, &entry);
		break;
	}
	state_txn_abort(txn);
}

static void write_state(struct state *state, unsigned step)
{
	struct state_txn *txn = state_txn_begin_write(state);
	FUZZ_ASSERT(txn != NULL);
	size_t removed;
	switch (step) {
	case 0:
		state_batch_promote(txn, 1);
		break;
	case 1:
		state_batch_discard(txn, 1);
		break;
	default:
		state_delivery_expire(txn, INT64_MAX, 10, &removed);
		break;
	}
	state_txn_abort(txn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	if (pristine == NULL)
		prepare();
	restore();
	damage(data, size);
	struct state *state = open_state();
	if (state == NULL)
		return 0;
	for (unsigned step = 0; step < 9; step++)
		read_state(state, step);
	for (unsigned step = 0; step < 3; step++)
		write_state(state, step);
	struct state_error error = {0};
	FUZZ_ASSERT(state_merge_step(state, 1, UINT64_MAX, &error) == STATE_OK || error.text[0] != '\0');
	state_close(state);
	return 0;
}
