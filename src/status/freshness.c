// SPDX-License-Identifier: Apache-2.0
#include "status/freshness.h"

#include <stdlib.h>

#include "state_dataset.h"
#include "state_delivery.h"

struct search {
	uint32_t dataset; /* 0: never written */
	int64_t since_ns; /* what ended before is no fresh delivery */
	bool is_met;
};

struct walk {
	struct state_txn *txn;
	struct search *searches;
	size_t count;
	int64_t earliest_ns; /* of all since_ns */
	int64_t finished_ns; /* of the delivery being looked at */
};

static bool look_at_member(void *context, const struct state_member *member)
{
	struct walk *walk = context;
	for (size_t i = 0; i < walk->count; i++) {
		struct search *search = &walk->searches[i];
		search->is_met |= member->dataset != 0 && search->dataset == member->dataset &&
		                  member->status == STATE_STATUS_DONE &&
		                  walk->finished_ns >= search->since_ns;
	}
	return true;
}

static bool is_over(const struct walk *walk)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (!walk->searches[i].is_met)
			return false;
	}
	return true;
}

/* From the newest delivery on. They stand in the order of their beginning: behind one that ended too early there may
 * be one that took longer, but not one that is fresh in any useful sense. */
static bool look_at_delivery(void *context, const struct state_delivery *delivery)
{
	struct walk *walk = context;
	if (delivery->finished_ns == 0)
		return true;
	walk->finished_ns = delivery->finished_ns;
	if (walk->finished_ns >= walk->earliest_ns)
		state_delivery_each_member(walk->txn, delivery->id, look_at_member, walk);
	return walk->finished_ns >= walk->earliest_ns && !is_over(walk);
}

static bool begin(struct walk *walk, const struct freshness_wish *wishes, int64_t wall_now_ns)
{
	walk->searches = calloc(walk->count > 0 ? walk->count : 1, sizeof *walk->searches);
	if (walk->searches == NULL)
		return false;
	walk->earliest_ns = INT64_MAX;
	for (size_t i = 0; i < walk->count; i++) {
		struct search *search = &walk->searches[i];
		struct state_dataset record = {0};
		search->is_met = wishes[i].stale_after_ns == 0;
		if (search->is_met)
			continue;
		if (state_dataset_get(walk->txn, wishes[i].dataset, &record) == STATE_OK)
			search->dataset = record.id;
		search->since_ns = wall_now_ns - wishes[i].stale_after_ns;
		if (search->since_ns < walk->earliest_ns)
			walk->earliest_ns = search->since_ns;
	}
	return true;
}

json_t *freshness_overdue(struct state_txn *txn, const struct freshness_wish *wishes, size_t count,
                          int64_t wall_now_ns)
{
	struct walk walk = {.txn = txn, .count = count};
	json_t *overdue = json_array();
	if (overdue == NULL || !begin(&walk, wishes, wall_now_ns)) {
		json_decref(overdue);
		return NULL;
	}
	if (!is_over(&walk))
		state_delivery_each(txn, look_at_delivery, &walk);
	for (size_t i = 0; i < count; i++) {
		if (!walk.searches[i].is_met)
			json_array_append_new(overdue, json_pack("{s:s, s:f}", "dataset", wishes[i].dataset,
			                                         "stale_after_seconds",
			                                         (double)wishes[i].stale_after_ns / 1e9));
	}
	free(walk.searches);
	return overdue;
}
