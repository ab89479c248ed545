// SPDX-License-Identifier: Apache-2.0
#include "state_space.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

/* A promotion copies a few pages of each table that it touches. */
enum { META_PAGES = 2, PROMOTION = 256 << 10 };

/* Pages of all tables. */
static enum state_result count_pages(struct state_txn *txn, uint64_t *bytes)
{
	MDB_stat stat;
	uint64_t pages = META_PAGES;
	enum state_result result = state_txn_check(txn);
	for (enum state_table table = 0; table < STATE_TABLE_COUNT && result == STATE_OK; table++) {
		int code = mdb_stat(txn->handle, txn->state->tables[table], &stat);
		if (code != 0)
			result = state_txn_fail_table(txn, code, "examine", table);
		else
			pages += (uint64_t)stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
	}
	if (result == STATE_OK)
		*bytes = pages * stat.ms_psize;
	return result;
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

enum state_result state_space_measure(struct state_txn *txn, struct state_space *out)
{
	int fd = -1;
	struct stat status;
	struct statvfs disk;
	MDB_envinfo info;
	*out = (struct state_space){0};
	enum state_result result = count_pages(txn, &out->used);
	if (result != STATE_OK)
		return result;
	mdb_env_get_fd(txn->state->env, &fd);
	mdb_env_info(txn->state->env, &info);
	if (fstat(fd, &status) != 0 || fstatvfs(fd, &disk) != 0)
		return state_txn_fail(txn, STATE_IO, "cannot examine the state in '%s': %s",
		                      txn->state->directory, strerror(errno));
	out->file = (uint64_t)status.st_size;
	out->left_in_map = less(info.me_mapsize, out->used);
	out->left_on_disk = less(out->file, out->used) + (uint64_t)disk.f_bavail * disk.f_frsize;
	return STATE_OK;
}

/* A quarter more than the values: pages of the trees, and free ones that are too short for a piece. */
static uint64_t need(uint64_t bytes)
{
	return bytes + bytes / 4 + PROMOTION;
}

enum state_result state_space_check(struct state_txn *txn, uint64_t bytes)
{
	struct state_space space;
	enum state_result result = state_space_measure(txn, &space);
	if (result != STATE_OK)
		return result;
	bool fits = need(bytes) <= space.left_in_map && need(bytes) <= space.left_on_disk;
	return fits ? STATE_OK : STATE_NO_SPACE;
}

enum state_result state_space_require(struct state_txn *txn, uint64_t bytes, const char *what)
{
	struct state_space space;
	enum state_result result = state_space_check(txn, bytes);
	if (result != STATE_NO_SPACE || state_space_measure(txn, &space) != STATE_OK)
		return result;
	bool is_map = space.left_in_map < space.left_on_disk;
	return state_txn_fail(txn, STATE_NO_SPACE, "no room for %s of %.1f MB in '%s': %.1f MB are left %s",
	                      what, (double)need(bytes) / 1e6, txn->state->directory,
	                      (double)(is_map ? space.left_in_map : space.left_on_disk) / 1e6,
	                      is_map ? "until the state is as large as it may get" : "on its disk");
}
