// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "state_fixture.h"

/*
 * Random operations in a process that is killed again and again, against a plain set. What happened to the
 * operation that the kill met is read from the state: it happened whole or not at all.
 */

enum { UNIVERSE = 300000, OPERATIONS = 90 };

static struct fixture f;
static uint32_t dataset;
static struct state_digest *universe;
static uint32_t *done; /* operations that came to their end; shared with the child */

/* LMDB's call: kills the child in a chosen commit, between its data pages and its meta page. */
static int syncs_left = -1;

int fdatasync(int fd)
{
	if (syncs_left > 0 && --syncs_left == 0)
		kill(getpid(), SIGKILL);
	return (int)syscall(SYS_fdatasync, fd);
}

static void setup(void)
{
	fixture_make_directory(&f);
	fixture_start(&f);
	dataset = fixture_dataset(&f, "a");
	universe = fixture_digests(1, UNIVERSE);
	done = mmap(NULL, sizeof(*done), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	cr_assert_neq(done, MAP_FAILED);
}

static void teardown(void)
{
	munmap(done, sizeof(*done));
	free(universe);
	fixture_remove(&f);
}

TestSuite(state_kill, .init = setup, .fini = teardown);

/* Whether operation `number`, when it puts a batch, offers this digest. */
static bool offers(uint32_t number, size_t digest)
{
	uint64_t seed = (uint64_t)number << 32 | digest;
	return fixture_random(&seed) % 12 == 0;
}

/* Whether operation `number`, when it meets a pending batch, discards it. */
static bool discards(uint32_t number)
{
	uint64_t seed = number;
	return fixture_random(&seed) % 4 == 0;
}

static bool has_pending(struct state *state)
{
	struct state_pending pending;
	struct state_txn *txn = state_txn_begin_read(state);
	enum state_result result = state_batch_pending(txn, dataset, &pending);
	state_txn_abort(txn);
	return result == STATE_OK;
}

/* As the program does it: what is offered and was never seen. */
static void put_unseen(struct state_txn *txn, uint32_t number)
{
	static struct state_digest batch_digests[UNIVERSE];
	static bool seen[UNIVERSE];
	size_t count = 0;
	size_t unseen = 0;
	for (size_t i = 0; i < UNIVERSE; i++)
		if (offers(number, i))
			batch_digests[count++] = universe[i];
	state_run_probe(txn, dataset, batch_digests, count, seen);
	for (size_t i = 0; i < count; i++)
		if (!seen[i])
			batch_digests[unseen++] = batch_digests[i];
	struct state_dataset record;
	state_dataset_find(txn, dataset, &record);
	struct state_batch batch = {
	    .dataset = dataset, .seq = record.seq + 1, .digests = batch_digests, .digest_count = unseen};
	state_batch_put(txn, &batch);
}

static bool operate(struct state *state, uint32_t number)
{
	bool is_put = !has_pending(state);
	struct state_txn *txn = state_txn_begin_write(state);
	if (is_put)
		put_unseen(txn, number);
	else if (discards(number))
		state_batch_discard(txn, dataset);
	else
		state_batch_promote(txn, dataset);
	return state_txn_commit(txn, NULL) == STATE_OK;
}

/* Goes on with the operations until it is killed; true when it came to the end of them. */
static bool run_child(int kill_at_sync, useconds_t kill_after)
{
	pid_t child = fork();
	cr_assert_geq(child, 0);
	if (child == 0) {
		struct state_options options = {.directory = f.directory};
		struct state *state;
		if (state_open(&state, &options, NULL) != STATE_OK)
			_exit(1);
		for (syncs_left = kill_at_sync; *done < OPERATIONS; ++*done)
			if (!operate(state, *done) || state_merge_step(state, dataset, 0, NULL) != STATE_OK)
				_exit(1);
		_exit(0);
	}
	if (kill_after > 0) {
		usleep(kill_after);
		kill(child, SIGKILL);
	}
	int status;
	cr_assert_eq(waitpid(child, &status, 0), child);
	cr_assert(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFEXITED(status);
}

enum place { ABSENT, PENDING, LIVE };

struct model {
	enum place places[UNIVERSE];
	bool pending;
	uint32_t done;
};

static void model_operate(struct model *model)
{
	uint32_t number = model->done++;
	for (size_t i = 0; i < UNIVERSE; i++) {
		if (!model->pending && model->places[i] == ABSENT && offers(number, i))
			model->places[i] = PENDING;
		else if (model->pending && model->places[i] == PENDING)
			model->places[i] = discards(number) ? ABSENT : LIVE;
	}
	model->pending = !model->pending;
}

static void check(const struct model *model)
{
	static bool seen[UNIVERSE];
	uint64_t live = 0;
	struct state_txn *txn = state_txn_begin_read(f.state);
	cr_assert_eq(state_run_probe(txn, dataset, universe, UNIVERSE, seen), STATE_OK);
	state_txn_abort(txn);
	for (size_t i = 0; i < UNIVERSE; i++) {
		cr_assert_eq(seen[i], model->places[i] != ABSENT);
		live += model->places[i] == LIVE;
	}
	cr_assert_eq(fixture_find(&f, dataset).rows, live);
	cr_assert_eq(fixture_stats(&f, dataset).rows, live);
}

Test(state_kill, killed_at_random_a_set_is_what_a_plain_set_would_be)
{
	static struct model model;
	uint64_t seed = (uint64_t)getpid();
	bool ended = false;
	fixture_stop(&f);
	while (!ended) {
		bool at_sync = fixture_random(&seed) % 2 == 0;
		ended = run_child(at_sync ? (int)(1 + fixture_random(&seed) % 25) : -1,
		                  at_sync ? 0 : (useconds_t)(1 + fixture_random(&seed) % 150000));
		while (model.done < *done)
			model_operate(&model);
		fixture_start(&f);
		if (has_pending(f.state) != model.pending) {
			model_operate(&model);
			*done = model.done;
		}
		check(&model);
		fixture_stop(&f);
	}
	cr_assert_eq(model.done, OPERATIONS);
	fixture_start(&f);
	cr_assert_gt(fixture_find(&f, dataset).rows, UNIVERSE / 2);
	fixture_merge(&f, dataset);
	check(&model);
}
