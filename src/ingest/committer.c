// SPDX-License-Identifier: Apache-2.0
#include "ingest/committer.h"

static enum result store(void *parcel, struct error *error)
{
	return parcel_store(parcel, error);
}

bool committer_give(struct committer *committer, struct parcel *parcel)
{
	bool is_given = aside_start(&committer->aside, store, parcel);
	committer->parcel = is_given ? parcel : NULL;
	return is_given;
}

bool committer_is_away(const struct committer *committer)
{
	return committer->parcel != NULL;
}

bool committer_leaves_time(struct committer *committer)
{
	if (!committer_is_away(committer))
		return false;
	latch_await(&committer->parcel->recorded);
	return committer->parcel->leaves_time;
}

enum result committer_await(struct committer *committer, struct error *error)
{
	if (!committer_is_away(committer))
		return RESULT_END;
	committer->parcel = NULL;
	return aside_await(&committer->aside, error);
}
