// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "state_fixture.h"

static struct fixture f;

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
}

static void teardown(void)
{
	fixture_remove(&f);
}

TestSuite(state, .init = setup, .fini = teardown);

static enum state_result try_open(const struct state_options *options, struct state_error *error)
{
	struct state *state;
	enum state_result result = state_open(&state, options, error);
	cr_assert((state != NULL) == (result == STATE_OK));
	state_close(state);
	return result;
}

static enum state_result try_start(struct state_error *error)
{
	return try_open(&(struct state_options){.directory = f.directory}, error);
}

static mode_t mode_of(const char *name)
{
	char path[300];
	struct stat status;
	snprintf(path, sizeof(path), "%s/%s", f.directory, name);
	cr_assert_eq(stat(path, &status), 0, "%s", path);
	return status.st_mode & 0777;
}

static bool has_file(const char *name)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", f.directory, name);
	return access(path, F_OK) == 0;
}

static void write_file(const char *name, const char *text)
{
	char path[300];
	snprintf(path, sizeof(path), "%s/%s", f.directory, name);
	FILE *file = fopen(path, "w");
	cr_assert_not_null(file);
	fputs(text, file);
	fclose(file);
}

static void remove_files(void)
{
	fixture_remove(&f);
	cr_assert_eq(mkdir(f.directory, 0700), 0);
}

Test(state, id_and_secret_survive_reopening)
{
	uint8_t id[STATE_ID_SIZE];
	uint8_t secret[STATE_SECRET_SIZE];
	memcpy(id, state_id(f.state), sizeof(id));
	memcpy(secret, state_secret(f.state), sizeof(secret));
	fixture_restart(&f);
	cr_assert_arr_eq(state_id(f.state), id, sizeof(id));
	cr_assert_arr_eq(state_secret(f.state), secret, sizeof(secret));
}

Test(state, two_states_share_neither_id_nor_secret)
{
	uint8_t id[STATE_ID_SIZE];
	uint8_t secret[STATE_SECRET_SIZE];
	memcpy(id, state_id(f.state), sizeof(id));
	memcpy(secret, state_secret(f.state), sizeof(secret));
	remove_files();
	fixture_start(&f);
	cr_assert_arr_neq(state_id(f.state), id, sizeof(id));
	cr_assert_arr_neq(state_secret(f.state), secret, sizeof(secret));
}

Test(state, nobody_else_can_read_what_is_made)
{
	remove_files();
	cr_assert_eq(rmdir(f.directory), 0);
	umask(0);
	fixture_start(&f);
	cr_assert_eq(mode_of("."), 0700);
	cr_assert_eq(mode_of("data.mdb"), 0600);
	cr_assert_eq(mode_of("lock"), 0600);
	cr_assert_eq(mode_of("lock.mdb"), 0600);
}

Test(state, a_state_that_must_exist_is_not_made)
{
	struct state_options options = {.directory = f.directory, .must_exist = true};
	struct state_error error;
	remove_files();
	cr_assert_eq(try_open(&options, &error), STATE_NOT_FOUND);
	cr_assert_eq(rmdir(f.directory), 0, "nothing may be left in it");
	cr_assert_eq(try_open(&options, &error), STATE_NOT_FOUND);
	cr_assert_neq(access(f.directory, F_OK), 0);
	fixture_start(&f);
	fixture_stop(&f);
	cr_assert_eq(try_open(&options, &error), STATE_OK);
}

Test(state, a_directory_that_cannot_be_made_is_an_io_error_that_names_it)
{
	struct state_error error;
	struct state_options options = {.directory = "/nonexistent/state"};
	cr_assert_neq(try_open(&options, &error), STATE_OK);
	cr_assert_not_null(strstr(error.text, "'/nonexistent/state'"), "%s", error.text);
}

/* A process that holds the state until it is killed. */
static pid_t hold_in_child(void)
{
	int ready[2];
	cr_assert_eq(pipe(ready), 0);
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		struct state *state;
		struct state_options options = {.directory = f.directory};
		char answer = state_open(&state, &options, NULL) == STATE_OK ? 'y' : 'n';
		if (write(ready[1], &answer, 1) == 1)
			pause();
		_exit(1);
	}
	char answer = 'n';
	cr_assert_eq(read(ready[0], &answer, 1), 1);
	cr_assert_eq(answer, 'y');
	close(ready[0]);
	close(ready[1]);
	return child;
}

Test(state, a_held_state_names_its_holder_until_that_dies)
{
	struct state_error error;
	char pid[32];
	fixture_stop(&f);
	pid_t child = hold_in_child();
	snprintf(pid, sizeof(pid), "process %ld", (long)child);
	cr_assert_eq(try_start(&error), STATE_HELD);
	cr_assert_eq(error.result, STATE_HELD);
	cr_assert_not_null(strstr(error.text, pid), "%s", error.text);
	kill(child, SIGKILL);
	cr_assert_eq(waitpid(child, NULL, 0), child);
	cr_assert_eq(try_start(&error), STATE_OK, "%s", error.text);
}

Test(state, the_same_process_cannot_open_it_twice)
{
	struct state_error error;
	cr_assert_eq(try_start(&error), STATE_HELD);
}

Test(state, a_newer_format_is_refused_and_left_alone)
{
	struct state_error error;
	fixture_stop(&f);
	raw_put(&f, "meta", "format", 6, "\2\0\0\0", 4);
	cr_assert_eq(try_start(&error), STATE_FORMAT);
	cr_assert_not_null(strstr(error.text, "newer"), "%s", error.text);
	struct raw_entry entry = raw_first(&f, "meta");
	cr_assert_eq(entry.value[0], 2);
	free(entry.value);
}

Test(state, a_file_that_is_not_lmdb_is_refused)
{
	struct state_error error;
	char text[8193];
	remove_files();
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	write_file("data.mdb", text);
	cr_assert_eq(try_start(&error), STATE_FORMAT, "%s", error.text);
}

Test(state, the_lmdb_of_another_program_is_refused)
{
	struct state_error error;
	remove_files();
	raw_put(&f, "theirs", "key", 3, "value", 5);
	cr_assert_eq(try_start(&error), STATE_FORMAT, "%s", error.text);
	raw_put(&f, "meta", "key", 3, "value", 5);
	cr_assert_eq(try_start(&error), STATE_FORMAT, "%s", error.text);
}

Test(state, a_creation_that_was_cut_off_is_done_again)
{
	MDB_env *env;
	remove_files();
	cr_assert_eq(mdb_env_create(&env), 0);
	cr_assert_eq(mdb_env_open(env, f.directory, 0, 0600), 0);
	mdb_env_close(env);
	struct state_options options = {.directory = f.directory, .must_exist = true};
	cr_assert_eq(try_open(&options, NULL), STATE_NOT_FOUND);
	fixture_start(&f);
	cr_assert_eq(fixture_dataset(&f, "a"), 1);
}

Test(state, a_creation_that_found_no_room_is_done_again)
{
	struct state_error error;
	struct rlimit all;
	remove_files();
	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(getrlimit(RLIMIT_FSIZE, &all), 0);
	struct rlimit one_page = {.rlim_cur = 4096, .rlim_max = all.rlim_max};
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &one_page), 0);
	enum state_result result = try_start(&error);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &all), 0);
	cr_assert_neq(result, STATE_OK);
	cr_assert(has_file("data.mdb.new"), "it was not stopped in the middle: %s", error.text);
	cr_assert_not(has_file("data.mdb"));
	fixture_start(&f);
	cr_assert_not(has_file("data.mdb.new"));
}

Test(state, damaged_meta_is_corrupt)
{
	static const char *const names[] = {"format", "state_id", "secret"};
	struct state_error error;
	for (size_t i = 0; i < 3; i++) {
		remove_files();
		fixture_start(&f);
		fixture_stop(&f);
		raw_put(&f, "meta", names[i], strlen(names[i]), "123", 3);
		cr_assert_eq(try_start(&error), STATE_CORRUPT, "%s", names[i]);
	}
}

Test(state, a_missing_table_is_corrupt)
{
	struct state_error error;
	fixture_stop(&f);
	struct raw raw = raw_open(&f, "manifest");
	cr_assert_eq(mdb_drop(raw.txn, raw.table, 1), 0);
	raw_close(&raw);
	cr_assert_eq(try_start(&error), STATE_CORRUPT);
	cr_assert_not_null(strstr(error.text, "'manifest'"), "%s", error.text);
}

Test(state, damaged_counters_are_corrupt)
{
	struct state_dataset dataset = {.name = "a"};
	fixture_stop(&f);
	raw_put(&f, "meta", "next_dataset", 12, "\0\0\0\0", 4);
	fixture_start(&f);
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_put(txn, &dataset), STATE_CORRUPT);
	cr_assert_eq(state_txn_commit(txn, NULL), STATE_CORRUPT);
}

Test(state, a_failure_sticks_and_nothing_is_committed)
{
	struct state_dataset good = {.name = "good"};
	struct state_dataset bad = {.name = ""};
	struct state_dataset found;
	struct state_error error;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_put(txn, &good), STATE_OK);
	cr_assert_eq(state_dataset_get(txn, "none", &found), STATE_NOT_FOUND);
	cr_assert_eq(state_txn_failure(txn, NULL), STATE_OK, "an answer is no failure");
	cr_assert_eq(state_dataset_put(txn, &bad), STATE_MISUSE);
	cr_assert_eq(state_dataset_get(txn, "good", &found), STATE_MISUSE);
	cr_assert_eq(state_delivery_expire(txn, 0, 1, &(size_t){0}), STATE_MISUSE);
	cr_assert_eq(state_txn_commit(txn, &error), STATE_MISUSE);
	cr_assert_eq(error.result, STATE_MISUSE);
	txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_dataset_get(txn, "good", &found), STATE_NOT_FOUND);
	state_txn_abort(txn);
}

Test(state, a_read_transaction_cannot_write)
{
	struct state_dataset dataset = {.name = "a"};
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_dataset_put(txn, &dataset), STATE_MISUSE);
	state_txn_abort(txn);
}

Test(state, no_transaction_is_no_memory)
{
	struct state_dataset dataset = {.name = "a"};
	cr_assert_eq(state_dataset_put(NULL, &dataset), STATE_NO_MEMORY);
	cr_assert_eq(state_batch_promote(NULL, 1), STATE_NO_MEMORY);
	cr_assert_eq(state_txn_commit(NULL, NULL), STATE_NO_MEMORY);
	state_txn_abort(NULL);
	state_close(NULL);
}

Test(state, a_full_map_is_no_space_and_loses_nothing)
{
	fixture_stop(&f);
	struct state_options options = {.directory = f.directory, .max_size = 1 << 20};
	cr_assert_eq(state_open(&f.state, &options, NULL), STATE_OK);
	uint32_t id = fixture_dataset(&f, "a");
	static char bytes[600000];
	struct state_error error;
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_dataset_put_schema(txn, id, 1, bytes, sizeof(bytes));
	state_dataset_put_schema(txn, id, 2, bytes, sizeof(bytes));
	cr_assert_eq(state_txn_commit(txn, &error), STATE_NO_SPACE, "%s", error.text);
	fixture_restart(&f);
	cr_assert_eq(fixture_find(&f, id).id, id);
}

struct snapshot {
	pthread_barrier_t barrier;
	size_t before;
	size_t after;
	size_t fresh;
};

static size_t count_datasets(struct state_txn *txn);

static void *read_while_written(void *context)
{
	struct snapshot *snapshot = context;
	struct state_txn *txn = state_txn_begin_read(f.state);
	snapshot->before = count_datasets(txn);
	pthread_barrier_wait(&snapshot->barrier);
	pthread_barrier_wait(&snapshot->barrier);
	snapshot->after = count_datasets(txn);
	state_txn_abort(txn);
	txn = state_txn_begin_read(f.state);
	snapshot->fresh = count_datasets(txn);
	state_txn_abort(txn);
	return NULL;
}

static bool count_one(void *context, const struct state_dataset *dataset)
{
	(void)dataset;
	++*(size_t *)context;
	return true;
}

static size_t count_datasets(struct state_txn *txn)
{
	size_t count = 0;
	return state_dataset_each(txn, count_one, &count) == STATE_OK ? count : SIZE_MAX;
}

Test(state, a_read_transaction_of_another_thread_keeps_its_snapshot)
{
	struct snapshot snapshot = {0};
	pthread_t thread;
	fixture_dataset(&f, "old");
	pthread_barrier_init(&snapshot.barrier, NULL, 2);
	cr_assert_eq(pthread_create(&thread, NULL, read_while_written, &snapshot), 0);
	pthread_barrier_wait(&snapshot.barrier);
	fixture_dataset(&f, "new");
	pthread_barrier_wait(&snapshot.barrier);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&snapshot.barrier);
	cr_assert_eq(snapshot.before, 1);
	cr_assert_eq(snapshot.after, 1);
	cr_assert_eq(snapshot.fresh, 2);
}

Test(state, size_counts_what_is_stored)
{
	uint64_t used[2];
	uint64_t file;
	static char bytes[100000];
	uint32_t id = fixture_dataset(&f, "a");
	cr_assert_eq(state_size(f.state, &used[0], &file, NULL), STATE_OK);
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_dataset_put_schema(txn, id, 1, bytes, sizeof(bytes));
	fixture_commit(txn);
	cr_assert_eq(state_size(f.state, &used[1], &file, NULL), STATE_OK);
	cr_assert_geq(used[1], used[0] + sizeof(bytes));
	cr_assert_leq(used[1], used[0] + sizeof(bytes) + 65536);
	cr_assert_geq(file, used[1]);
}

Test(state, a_dataset_is_read_back_as_written)
{
	struct state_dataset dataset = {.name = "credit_card",
	                                .table = "cards",
	                                .sink_kind = "sqlite",
	                                .cache_epoch = 7,
	                                .schema_version = 3,
	                                .seq = UINT64_MAX - 1,
	                                .rows = 26052};
	memset(dataset.sink_id, 1, sizeof(dataset.sink_id));
	memset(dataset.fingerprint, 2, sizeof(dataset.fingerprint));
	memset(dataset.batch_id, 3, sizeof(dataset.batch_id));
	struct state_txn *txn = state_txn_begin_write(f.state);
	state_dataset_put(txn, &dataset);
	fixture_commit(txn);
	cr_assert_eq(dataset.id, 1);
	fixture_restart(&f);
	struct state_dataset found;
	txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_dataset_get(txn, "credit_card", &found), STATE_OK);
	cr_assert_eq(found.id, dataset.id);
	cr_assert_str_eq(found.name, dataset.name);
	cr_assert_str_eq(found.table, dataset.table);
	cr_assert_str_eq(found.sink_kind, dataset.sink_kind);
	cr_assert_arr_eq(found.sink_id, dataset.sink_id, sizeof(found.sink_id));
	cr_assert_arr_eq(found.fingerprint, dataset.fingerprint, sizeof(found.fingerprint));
	cr_assert_eq(found.cache_epoch, dataset.cache_epoch);
	cr_assert_eq(found.schema_version, dataset.schema_version);
	cr_assert_eq(found.seq, dataset.seq);
	cr_assert_arr_eq(found.batch_id, dataset.batch_id, sizeof(found.batch_id));
	cr_assert_eq(found.rows, dataset.rows);
	state_txn_abort(txn);
}

Test(state, dataset_ids_are_given_once_and_kept)
{
	cr_assert_eq(fixture_dataset(&f, "b"), 1);
	cr_assert_eq(fixture_dataset(&f, "a"), 2);
	fixture_restart(&f);
	cr_assert_eq(fixture_dataset(&f, "c"), 3);
	struct state_dataset dataset = fixture_find(&f, 2);
	cr_assert_str_eq(dataset.name, "a");
	dataset.rows = 5;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_put(txn, &dataset), STATE_OK);
	fixture_commit(txn);
	cr_assert_eq(fixture_find(&f, 2).rows, 5);
}

Test(state, an_id_under_another_name_is_misuse)
{
	struct state_dataset dataset = {.name = "b"};
	dataset.id = fixture_dataset(&f, "a");
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_put(txn, &dataset), STATE_MISUSE);
	state_txn_abort(txn);
	dataset = (struct state_dataset){.name = "a"};
	txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_put(txn, &dataset), STATE_MISUSE,
	             "a new dataset under a name that is taken");
	state_txn_abort(txn);
}

static bool join_names(void *context, const struct state_dataset *dataset)
{
	char *text = context;
	strcat(text, dataset->name);
	return strcmp(dataset->name, "m") != 0;
}

Test(state, datasets_come_in_the_order_of_names_until_told_to_stop)
{
	char text[64] = "";
	fixture_dataset(&f, "z");
	fixture_dataset(&f, "m");
	fixture_dataset(&f, "a");
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_dataset_each(txn, join_names, text), STATE_OK);
	state_txn_abort(txn);
	cr_assert_str_eq(text, "am");
}

static enum state_result read_dataset(struct fixture *fixture)
{
	struct state_dataset dataset;
	struct state_txn *txn = state_txn_begin_read(fixture->state);
	enum state_result result = state_dataset_get(txn, "a", &dataset);
	cr_assert_eq(state_txn_failure(txn, NULL), result);
	state_txn_abort(txn);
	return result;
}

Test(state, a_damaged_dataset_is_corrupt)
{
	fixture_dataset(&f, "a");
	raw_expect_corrupt(&f, "dataset", read_dataset);
}

Test(state, a_schema_is_frozen_once_written)
{
	const void *bytes;
	size_t count;
	struct state_txn *txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_get_schema(txn, 1, 1, &bytes, &count), STATE_NOT_FOUND);
	state_dataset_put_schema(txn, 1, 1, "one", 3);
	state_dataset_put_schema(txn, 1, 2, "", 0);
	fixture_commit(txn);
	txn = state_txn_begin_write(f.state);
	cr_assert_eq(state_dataset_get_schema(txn, 1, 1, &bytes, &count), STATE_OK);
	cr_assert_eq(count, 3);
	cr_assert_arr_eq(bytes, "one", 3);
	cr_assert_eq(state_dataset_get_schema(txn, 1, 2, &bytes, &count), STATE_OK);
	cr_assert_eq(count, 0);
	cr_assert_eq(state_dataset_put_schema(txn, 1, 1, "two", 3), STATE_MISUSE);
	state_txn_abort(txn);
}

/* What is not seen need not be absent: here the disk that holds it is away. */
Test(state, that_cannot_be_looked_at_is_not_made_anew)
{
	struct state_error error;
	char path[300], link[300];
	struct stat status;
	fixture_stop(&f);
	snprintf(path, sizeof(path), "%s/data.mdb", f.directory);
	snprintf(link, sizeof(link), "%s/away/data.mdb", f.directory);
	cr_assert_eq(remove(path), 0);
	cr_assert_eq(symlink(link, path), 0);
	cr_expect_neq(try_start(&error), STATE_OK, "a new state was made");
	cr_assert_eq(lstat(path, &status), 0);
	cr_assert(S_ISLNK(status.st_mode), "the way to the old state is gone");
}
