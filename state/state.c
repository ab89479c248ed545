// SPDX-License-Identifier: Apache-2.0
#include "state.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "state_internal.h"
#include "state_manifest.h"
#include "state_rebuild.h"
#include "state_space.h"

enum { FORMAT = 1, MAX_READERS = 256, MAP_UNIT = 1 << 20 };

static const uint64_t default_max_size = UINT64_C(256) << 30;

static const char *const table_names[STATE_TABLE_COUNT] = {
    [STATE_TABLE_META] = "meta",       [STATE_TABLE_DATASET] = "dataset",
    [STATE_TABLE_SCHEMA] = "schema",   [STATE_TABLE_MANIFEST] = "manifest",
    [STATE_TABLE_DATA] = "data",       [STATE_TABLE_FILTER] = "filter",
    [STATE_TABLE_PENDING] = "pending", [STATE_TABLE_DELIVERY] = "delivery",
    [STATE_TABLE_MEMBER] = "member",   [STATE_TABLE_HISTORY] = "history",
    [STATE_TABLE_FILE] = "file",       [STATE_TABLE_CONTENT] = "content",
    [STATE_TABLE_OUTBOX] = "outbox",   [STATE_TABLE_OBJECT] = "object",
};

const char *state_table_name(enum state_table table)
{
	return table_names[table];
}

static enum state_result fail_errno(struct state_error *error, const char *what, const char *directory)
{
	int code = errno;
	return state_error_set(error, state_error_classify(code), "cannot %s the state in '%s': %s", what,
	                       directory, strerror(code));
}

/* Opens the directory, made when it is missing and may be. */
static enum state_result open_directory(const struct state_options *options, int *directory,
                                        struct state_error *error)
{
	if (!options->must_exist && mkdir(options->directory, 0700) != 0 && errno != EEXIST)
		return fail_errno(error, "make", options->directory);
	*directory = open(options->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*directory >= 0)
		return STATE_OK;
	if (errno == ENOENT)
		return state_error_set(error, STATE_NOT_FOUND, "there is no state in '%s'",
		                       options->directory);
	return fail_errno(error, "open", options->directory);
}

/* What cannot be looked at is there: nothing must ever take the place of a state. */
static enum state_result look_for_environment(int directory, const char *path, bool *is_there,
                                              struct state_error *error)
{
	struct stat status;
	*is_there = fstatat(directory, "data.mdb", &status, AT_SYMLINK_NOFOLLOW) == 0;
	return *is_there || errno == ENOENT ? STATE_OK : fail_errno(error, "open", path);
}

static enum state_result check_directory(int directory, const struct state_options *options,
                                         struct state_error *error)
{
	struct statfs filesystem;
	if (fstatfs(directory, &filesystem) != 0)
		return fail_errno(error, "examine", options->directory);
	if (filesystem.f_type == NFS_SUPER_MAGIC)
		return state_error_set(
		    error, STATE_IO,
		    "the state in '%s' is on NFS, where neither locks nor shared memory can be relied on",
		    options->directory);
	bool is_there;
	enum state_result result = look_for_environment(directory, options->directory, &is_there, error);
	if (result == STATE_OK && options->must_exist && !is_there)
		return state_error_set(error, STATE_NOT_FOUND, "there is no state in '%s'",
		                       options->directory);
	return result;
}

static enum state_result report_holder(int lock, const char *directory, struct state_error *error)
{
	char text[32] = "";
	if (pread(lock, text, sizeof(text) - 1, 0) < 0)
		text[0] = '\0';
	long pid = strtol(text, NULL, 10);
	if (pid <= 0)
		return state_error_set(error, STATE_HELD, "the state in '%s' is held by another process",
		                       directory);
	return state_error_set(error, STATE_HELD, "the state in '%s' is held by process %ld", directory, pid);
}

static enum state_result take_lock(struct state *state, int directory, struct state_error *error)
{
	state->lock = openat(directory, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (state->lock < 0)
		return fail_errno(error, "lock", state->directory);
	struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(state->lock, F_OFD_SETLK, &whole) != 0) {
		if (errno == EAGAIN || errno == EACCES)
			return report_holder(state->lock, state->directory, error);
		return fail_errno(error, "lock", state->directory);
	}
	if (ftruncate(state->lock, 0) != 0 || dprintf(state->lock, "%ld\n", (long)getpid()) < 0)
		return fail_errno(error, "lock", state->directory);
	return STATE_OK;
}

static enum state_result fail_environment(struct state *state, int code, struct state_error *error)
{
	if (code == MDB_INVALID || code == MDB_VERSION_MISMATCH)
		return state_error_set(error, STATE_FORMAT, "'%s' holds a 'data.mdb' that is not a state: %s",
		                       state->directory, mdb_strerror(code));
	return state_error_set(error, state_error_classify(code), "cannot open the state in '%s': %s",
	                       state->directory, mdb_strerror(code));
}

/* Makes the environment aside: where the disk is full LMDB leaves a beginning of it, which it never opens again. */
static enum state_result make_environment(struct state *state, int directory, struct state_error *error)
{
	static const char name[] = "data.mdb.new";
	bool is_there;
	enum state_result result = look_for_environment(directory, state->directory, &is_there, error);
	if (result != STATE_OK || is_there)
		return result;
	char *path = NULL;
	MDB_env *env = NULL;
	int code = unlinkat(directory, name, 0) == 0 || errno == ENOENT ? mdb_env_create(&env) : errno;
	if (code == 0 && asprintf(&path, "%s/%s", state->directory, name) < 0)
		code = ENOMEM;
	if (code == 0)
		code = mdb_env_open(env, path, MDB_NOSUBDIR | MDB_NOLOCK, 0600);
	if (code == 0)
		code = mdb_env_sync(env, 1);
	if (env != NULL)
		mdb_env_close(env);
	if (code == 0 && renameat2(directory, name, directory, "data.mdb", RENAME_NOREPLACE) != 0)
		code = errno;
	free(path);
	return code == 0 ? STATE_OK : fail_environment(state, code, error);
}

static enum state_result open_environment(struct state *state, uint64_t max_size, struct state_error *error)
{
	uint64_t size = max_size == 0 ? default_max_size : max_size;
	size = (size + MAP_UNIT - 1) / MAP_UNIT * MAP_UNIT;
	int code = mdb_env_create(&state->env);
	if (code != 0)
		return fail_environment(state, code, error);
	code = mdb_env_set_mapsize(state->env, size);
	if (code == 0)
		code = mdb_env_set_maxdbs(state->env, STATE_TABLE_COUNT);
	if (code == 0)
		code = mdb_env_set_maxreaders(state->env, MAX_READERS);
	/* MDB_NOTLS: a thread may hold several read transactions; the merge reads one while it writes another
	 */
	if (code == 0)
		code = mdb_env_open(state->env, state->directory, MDB_NOTLS, 0600);
	int stale;
	if (code == 0)
		code = mdb_reader_check(state->env, &stale);
	return code == 0 ? STATE_OK : fail_environment(state, code, error);
}

static struct state_key meta_key(const char *name)
{
	struct state_key key = {0};
	state_codec_key_bytes(&key, name, strlen(name));
	return key;
}

static void put_number(struct state_txn *txn, const char *name, uint32_t number)
{
	struct state_key key = meta_key(name);
	uint32_t little = htole32(number);
	state_txn_put(txn, STATE_TABLE_META, &key, &little, sizeof(little));
}

static enum state_result make_tables(struct state *state, struct state_txn *txn)
{
	for (enum state_table table = 0; table < STATE_TABLE_COUNT; table++) {
		int code = mdb_dbi_open(txn->handle, table_names[table], MDB_CREATE, &state->tables[table]);
		if (code != 0)
			return state_txn_fail_table(txn, code, "make", table);
	}
	if (getrandom(state->id, sizeof(state->id), 0) != sizeof(state->id) ||
	    getrandom(state->secret, sizeof(state->secret), 0) != sizeof(state->secret))
		return state_txn_fail(txn, STATE_IO, "cannot get random bytes for the state in '%s': %s",
		                      state->directory, strerror(errno));
	put_number(txn, "format", FORMAT);
	put_number(txn, "next_dataset", 1);
	put_number(txn, "next_run", 1);
	put_number(txn, "next_outbox", 1);
	struct state_key key = meta_key("state_id");
	state_txn_put(txn, STATE_TABLE_META, &key, state->id, sizeof(state->id));
	key = meta_key("secret");
	return state_txn_put(txn, STATE_TABLE_META, &key, state->secret, sizeof(state->secret));
}

static enum state_result read_meta(struct state_txn *txn, const char *name, void *out, size_t size)
{
	struct state_key key = meta_key(name);
	MDB_val value;
	enum state_result result = state_txn_get(txn, STATE_TABLE_META, &key, &value);
	if (result == STATE_NOT_FOUND || (result == STATE_OK && value.mv_size != size))
		return state_txn_fail_corrupt(txn, STATE_TABLE_META);
	if (result == STATE_OK)
		memcpy(out, value.mv_data, size);
	return result;
}

static enum state_result fail_foreign(struct state_txn *txn)
{
	return state_txn_fail(txn, STATE_FORMAT, "'%s' holds a 'data.mdb' that is not a state",
	                      txn->state->directory);
}

static enum state_result check_format(struct state_txn *txn)
{
	struct state_key key = meta_key("format");
	MDB_val value;
	uint32_t little;
	enum state_result result = state_txn_get(txn, STATE_TABLE_META, &key, &value);
	if (result == STATE_NOT_FOUND)
		return fail_foreign(txn);
	if (result != STATE_OK)
		return result;
	result = read_meta(txn, "format", &little, sizeof(little));
	if (result != STATE_OK)
		return result;
	uint32_t format = le32toh(little);
	if (format > FORMAT)
		return state_txn_fail(
		    txn, STATE_FORMAT,
		    "the state in '%s' has format %u, written by a newer program; this one knows %d",
		    txn->state->directory, format, FORMAT);
	return format == FORMAT ? STATE_OK : state_txn_fail_corrupt(txn, STATE_TABLE_META);
}

static enum state_result read_tables(struct state *state, struct state_txn *txn)
{
	int code =
	    mdb_dbi_open(txn->handle, table_names[STATE_TABLE_META], 0, &state->tables[STATE_TABLE_META]);
	if (code == MDB_NOTFOUND || code == MDB_INCOMPATIBLE)
		return fail_foreign(txn);
	if (code != 0)
		return state_txn_fail_table(txn, code, "open", STATE_TABLE_META);
	enum state_result result = check_format(txn);
	if (result != STATE_OK)
		return result;
	for (enum state_table table = STATE_TABLE_META + 1; table < STATE_TABLE_COUNT; table++) {
		code = mdb_dbi_open(txn->handle, table_names[table], 0, &state->tables[table]);
		if (code == MDB_NOTFOUND)
			return state_txn_fail(txn, STATE_CORRUPT,
			                      "table '%s' is missing in the state in '%s'",
			                      table_names[table], state->directory);
		if (code != 0)
			return state_txn_fail_table(txn, code, "open", table);
	}
	read_meta(txn, "state_id", state->id, sizeof(state->id));
	return read_meta(txn, "secret", state->secret, sizeof(state->secret));
}

/* An environment without any entry is new, or its making was cut off. */
static enum state_result is_empty(struct state_txn *txn, bool *empty)
{
	MDB_dbi root;
	MDB_stat stat;
	enum state_result result = state_txn_check(txn);
	if (result != STATE_OK)
		return result;
	int code = mdb_dbi_open(txn->handle, NULL, 0, &root);
	if (code == 0)
		code = mdb_stat(txn->handle, root, &stat);
	if (code != 0)
		return state_txn_fail(txn, state_error_classify(code), "cannot read the state in '%s': %s",
		                      txn->state->directory, mdb_strerror(code));
	*empty = stat.ms_entries == 0;
	return STATE_OK;
}

/* LMDB syncs the file, but not the names that lead to it. */
static enum state_result sync_names(int directory, const char *path, struct state_error *error)
{
	int parent = openat(directory, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return fail_errno(error, "make", path);
	enum state_result result = STATE_OK;
	if (fsync(directory) != 0 || fsync(parent) != 0)
		result = fail_errno(error, "make", path);
	close(parent);
	return result;
}

static enum state_result open_tables(struct state *state, bool must_exist, int directory,
                                     struct state_error *error)
{
	bool empty = false;
	struct state_txn *txn = state_txn_begin_write(state);
	enum state_result result = is_empty(txn, &empty);
	if (result == STATE_OK && empty && must_exist) {
		state_txn_abort(txn);
		return state_error_set(error, STATE_NOT_FOUND, "there is no state in '%s'", state->directory);
	}
	if (result == STATE_OK)
		result = empty ? make_tables(state, txn) : read_tables(state, txn);
	/* Before it is more than empty, so that whoever is cut off here finds it empty and does this again. */
	if (result == STATE_OK && empty) {
		result = sync_names(directory, state->directory, error);
		if (result != STATE_OK) {
			state_txn_abort(txn);
			return result;
		}
	}
	return state_txn_commit(txn, error);
}

/* What a crash has left half done: outputs of merges, inputs not removed yet, rebuilds. */
static enum state_result sweep(struct state *state, struct state_error *error)
{
	struct state_txn *txn = state_txn_begin_write(state);
	state_rebuild_kill_orphans(txn);
	enum state_result result = state_txn_commit(txn, error);
	return result == STATE_OK ? state_manifest_sweep(state, error) : result;
}

static enum state_result open_state(struct state *state, const struct state_options *options, int directory,
                                    struct state_error *error)
{
	enum state_result result = check_directory(directory, options, error);
	if (result == STATE_OK)
		result = take_lock(state, directory, error);
	if (result == STATE_OK)
		result = make_environment(state, directory, error);
	if (result == STATE_OK)
		result = open_environment(state, options->max_size, error);
	if (result == STATE_OK)
		result = open_tables(state, options->must_exist, directory, error);
	if (result == STATE_OK)
		result = sweep(state, error);
	return result;
}

enum state_result state_open(struct state **out, const struct state_options *options,
                             struct state_error *error)
{
	*out = NULL;
	struct state *state = calloc(1, sizeof(*state));
	if (state == NULL)
		return state_error_set(error, STATE_NO_MEMORY, "no memory to open the state");
	state->lock = -1;
	state->directory = strdup(options->directory);
	int directory = -1;
	enum state_result result;
	if (state->directory == NULL)
		result = state_error_set(error, STATE_NO_MEMORY, "no memory to open the state");
	else
		result = open_directory(options, &directory, error);
	if (result == STATE_OK) {
		result = open_state(state, options, directory, error);
		close(directory);
	}
	if (result == STATE_OK)
		*out = state;
	else
		state_close(state);
	return result;
}

void state_close(struct state *state)
{
	if (state == NULL)
		return;
	if (state->env != NULL)
		mdb_env_close(state->env);
	if (state->lock >= 0)
		close(state->lock);
	explicit_bzero(state->secret, sizeof(state->secret));
	free(state->directory);
	free(state);
}

const uint8_t *state_id(const struct state *state)
{
	return state->id;
}

const uint8_t *state_secret(const struct state *state)
{
	return state->secret;
}

enum state_result state_size(struct state *state, uint64_t *used, uint64_t *file, struct state_error *error)
{
	struct state_space space;
	struct state_txn *txn = state_txn_begin_read(state);
	enum state_result result = state_space_measure(txn, &space);
	state_txn_failure(txn, error);
	state_txn_abort(txn);
	*used = space.used;
	*file = space.file;
	return result;
}
