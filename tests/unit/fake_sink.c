// SPDX-License-Identifier: Apache-2.0
#include "fake_sink.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct rows {
	struct slice *rows;
	size_t count;
};

/* A transaction whose COMMIT is on its way while the client has stopped listening. */
struct late_commit {
	bool is_waiting;
	struct sink_head expected;
	struct id batch_id;
	struct rows rows;
};

struct fake_sink {
	struct sink base;
	struct fake_sink_odds odds;
	unsigned seed;
	struct sink_presence presence;
	struct rows table;
	struct late_commit late;
	size_t fenced;
};

static struct fake_sink *fake_of(struct sink *sink)
{
	return (struct fake_sink *)sink;
}

static bool happens(struct fake_sink *fake, int percent)
{
	return rand_r(&fake->seed) % 100 < percent;
}

static void append_rows(struct rows *rows, const struct slice *more, size_t count)
{
	rows->rows = realloc(rows->rows, (rows->count + count + 1) * sizeof *rows->rows);
	cr_assert_not_null(rows->rows);
	for (size_t i = 0; i < count; i++) {
		char *copy = malloc(more[i].length + 1);
		cr_assert_not_null(copy);
		memcpy(copy, more[i].data, more[i].length);
		rows->rows[rows->count++] = (struct slice){copy, more[i].length};
	}
}

static void free_rows(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free((void *)rows->rows[i].data);
	free(rows->rows);
	*rows = (struct rows){0};
}

/* The transaction as the server runs it. */
static bool commit(struct fake_sink *fake, const struct sink_head *expected, struct id batch_id,
                   const struct slice *rows, size_t count)
{
	struct sink_head *head = &fake->presence.head;
	if (!fake->presence.has_head || !id_equal(head->sink_id, expected->sink_id) ||
	    !id_equal(head->state_id, expected->state_id) || head->epoch != expected->epoch ||
	    head->seq != expected->seq || !id_equal(head->batch_id, expected->batch_id))
		return false;
	head->seq++;
	head->batch_id = batch_id;
	append_rows(&fake->table, rows, count);
	fake->presence.has_rows = fake->table.count > 0;
	return true;
}

static void deliver_late_commit(struct fake_sink *fake)
{
	struct late_commit *late = &fake->late;
	if (!late->is_waiting)
		return;
	if (!commit(fake, &late->expected, late->batch_id, late->rows.rows, late->rows.count))
		fake->fenced++;
	free_rows(&late->rows);
	late->is_waiting = false;
}

static enum result fake_connect(struct sink *sink, struct error *error)
{
	struct fake_sink *fake = fake_of(sink);
	if (happens(fake, fake->odds.unreachable))
		return error_set(error, RESULT_UNREACHABLE, "fake: not now");
	return RESULT_OK;
}

static enum result fake_inspect(struct sink *sink, const char *table, struct sink_presence *presence,
                                struct error *error)
{
	(void)table;
	*presence = fake_of(sink)->presence;
	return fake_connect(sink, error);
}

static enum result fake_create(struct sink *sink, const char *table, const struct schema *schema,
                               const struct sink_head *head, struct error *error)
{
	struct fake_sink *fake = fake_of(sink);
	(void)table;
	(void)schema;
	(void)error;
	cr_assert_not(fake->presence.has_head, "a head is never made over another");
	fake->presence = (struct sink_presence){.has_head = true, .head = *head, .has_table = true};
	return RESULT_OK;
}

static enum result fake_add_columns(struct sink *sink, const char *table, const struct schema *schema,
                                    struct error *error)
{
	(void)sink;
	(void)table;
	(void)schema;
	(void)error;
	return RESULT_OK;
}

static enum result fake_judge(struct sink *sink, const char *table, struct id sink_id, struct id state_id,
                              struct sink_head *head, struct error *error)
{
	struct fake_sink *fake = fake_of(sink);
	(void)table;
	(void)sink_id;
	(void)state_id;
	if (happens(fake, fake->odds.unreachable))
		return error_set(error, RESULT_UNREACHABLE, "fake: not now");
	/* A COMMIT that holds the head's lock is waited for; one that has not arrived yet is not. */
	if (happens(fake, 50))
		deliver_late_commit(fake);
	fake->presence.head.epoch++;
	*head = fake->presence.head;
	if (happens(fake, 50))
		deliver_late_commit(fake);
	return RESULT_OK;
}

static enum result fake_store(struct sink *sink, const struct sink_batch *batch, struct error *error)
{
	struct fake_sink *fake = fake_of(sink);
	deliver_late_commit(fake);
	if (happens(fake, fake->odds.lost_before_commit))
		return error_set(error, RESULT_UNREACHABLE, "fake: lost before COMMIT");
	if (happens(fake, fake->odds.head_moved))
		fake->presence.head.epoch++;
	enum result allowed = batch->may_commit == NULL ? RESULT_OK : batch->may_commit(batch->context, error);
	if (allowed != RESULT_OK)
		return allowed;
	if (happens(fake, fake->odds.late_commit)) {
		fake->late.is_waiting = true;
		fake->late.expected = *batch->head;
		fake->late.batch_id = batch->batch_id;
		append_rows(&fake->late.rows, batch->rows, batch->row_count);
		return error_set(error, RESULT_UNKNOWN, "fake: no answer yet");
	}
	if (!commit(fake, batch->head, batch->batch_id, batch->rows, batch->row_count))
		return error_set(error, RESULT_DISAGREES, "fake: the head is another one");
	if (happens(fake, fake->odds.answer_lost))
		return error_set(error, RESULT_UNKNOWN, "fake: the answer was lost");
	return RESULT_OK;
}

static enum result fake_sift(struct sink *sink, const struct sink_sifting *sifting, struct error *error)
{
	(void)sifting;
	return fake_connect(sink, error);
}

static enum result fake_fence(struct sink *sink, const char *table, struct sink_presence *presence,
                              struct error *error)
{
	struct fake_sink *fake = fake_of(sink);
	if (happens(fake, 50))
		deliver_late_commit(fake);
	fake->presence.head.epoch++;
	return fake_inspect(sink, table, presence, error);
}

static enum result fake_ledger(struct sink *sink, const char *table, struct sink_ledger *ledger,
                               struct error *error)
{
	const struct fake_sink *fake = fake_of(sink);
	(void)table;
	(void)error;
	*ledger = (struct sink_ledger){fake->presence.head.seq, fake->presence.head.seq,
	                               (int64_t)fake->table.count};
	return RESULT_OK;
}

static enum result fake_adopt(struct sink *sink, const struct sink_adoption *adoption, struct error *error)
{
	struct fake_sink *fake = fake_of(sink);
	(void)error;
	fake->presence.has_head = true;
	fake->presence.head = *adoption->after;
	return RESULT_OK;
}

static enum result fake_describe(struct sink *sink, const char *table, struct schema **schema,
                                 struct error *error)
{
	(void)sink;
	(void)table;
	*schema = schema_new();
	return *schema != NULL ? RESULT_OK : error_set(error, RESULT_NO_MEMORY, "out of memory");
}

static enum result fake_scan(struct sink *sink, const struct sink_scan *scan, struct error *error)
{
	(void)sink;
	(void)scan;
	return error_set(error, RESULT_UNREACHABLE, "fake: nothing to read");
}

static void fake_close(struct sink *sink)
{
	if (sink == NULL)
		return;
	free_rows(&fake_of(sink)->table);
	free_rows(&fake_of(sink)->late.rows);
	free(sink);
}

static const struct sink_interface FAKE = {
    .kind = "fake",
    .connect = fake_connect,
    .inspect = fake_inspect,
    .create = fake_create,
    .add_columns = fake_add_columns,
    .judge = fake_judge,
    .store = fake_store,
    .sift = fake_sift,
    .fence = fake_fence,
    .ledger = fake_ledger,
    .adopt = fake_adopt,
    .describe = fake_describe,
    .scan = fake_scan,
    .close = fake_close,
};

struct sink *fake_sink_open(struct fake_sink_odds odds, unsigned seed)
{
	struct fake_sink *fake = calloc(1, sizeof *fake);
	cr_assert_not_null(fake);
	fake->base.interface = &FAKE;
	fake->odds = odds;
	fake->seed = seed;
	return &fake->base;
}

size_t fake_sink_row_count(const struct sink *sink)
{
	return ((const struct fake_sink *)sink)->table.count;
}

struct slice fake_sink_row(const struct sink *sink, size_t index)
{
	return ((const struct fake_sink *)sink)->table.rows[index];
}

size_t fake_sink_fenced(const struct sink *sink)
{
	return ((const struct fake_sink *)sink)->fenced;
}

uint64_t fake_sink_batches(const struct sink *sink)
{
	return ((const struct fake_sink *)sink)->presence.head.seq;
}
