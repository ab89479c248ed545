// SPDX-License-Identifier: Apache-2.0
#include "sink/sift.h"

struct work {
	const struct sift_steps *steps;
	void *database;
	const struct sink_sifting *sifting;
};

static enum result try_part(const struct work *work, size_t first, size_t count, struct error *error)
{
	struct sink_batch part = *work->sifting->batch;
	part.rows += first;
	part.row_count = count;
	size_t new_count = work->sifting->batch->row_count - work->sifting->batch->update_count;
	size_t end = first + count;
	part.update_count = end <= new_count ? 0 : end - (first > new_count ? first : new_count);
	enum result result = work->steps->mark(work->database, error);
	if (result == RESULT_OK)
		result = work->steps->insert(work->database, &part, error);
	if (result != RESULT_REFUSED)
		return result;
	struct error failure;
	enum result undone = work->steps->undo(work->database, &failure);
	if (undone == RESULT_OK)
		return RESULT_REFUSED;
	*error = failure;
	return undone;
}

static enum result sift_part(const struct work *work, size_t first, size_t count, struct error *error)
{
	enum result result = try_part(work, first, count, error);
	if (result != RESULT_REFUSED)
		return result;
	if (count == 1) {
		work->sifting->refused(work->sifting->context, first, error->message);
		return RESULT_OK;
	}
	result = sift_part(work, first, count / 2, error);
	return result == RESULT_OK ? sift_part(work, first + count / 2, count - count / 2, error) : result;
}

enum result sift_rows(const struct sift_steps *steps, void *database, const struct sink_sifting *sifting,
                      struct error *error)
{
	struct work work = {steps, database, sifting};
	return sifting->batch->row_count == 0 ? RESULT_OK
	                                      : sift_part(&work, 0, sifting->batch->row_count, error);
}
