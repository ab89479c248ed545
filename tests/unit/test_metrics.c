// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "status/metrics.h"

static struct metrics *metrics;
static char *page;

static void open_metrics(void)
{
	cr_assert_eq(metrics_open(&metrics, NULL), RESULT_OK);
}

static void close_metrics(void)
{
	metrics_close(metrics);
	free(page);
}

TestSuite(metrics, .init = open_metrics, .fini = close_metrics);

static void write_page(const struct metrics_gauges *gauges)
{
	size_t size;
	FILE *out = open_memstream(&page, &size);
	metrics_write(metrics, gauges, out);
	cr_assert_eq(fclose(out), 0);
}

static void has_line(const char *line)
{
	char whole[512];
	snprintf(whole, sizeof whole, "\n%s\n", line);
	cr_assert_not_null(strstr(page, whole), "there is no line '%s' in\n%s", line, page);
}

Test(metrics, members_of_a_dataset_add_up)
{
	struct metrics_member member = {
	    .dataset = "cards",
	    .status = "done",
	    .counts = {.rows = 10, .new = 4, .updated = 3, .duplicate = 2, .rejected = 1},
	    .bytes = 1000,
	    .bytes_skipped = 600,
	    .ended_s = 1792.5,
	};
	metrics_add_member(metrics, &member);
	member.status = "rejected";
	metrics_add_member(metrics, &member);
	member.dataset = "other";
	metrics_add_member(metrics, &member);
	write_page(&(struct metrics_gauges){0});
	has_line("rowsieve_rows_total{dataset=\"cards\",outcome=\"new\"} 8");
	has_line("rowsieve_rows_total{dataset=\"cards\",outcome=\"rejected\"} 2");
	has_line("rowsieve_rows_total{dataset=\"other\",outcome=\"duplicate\"} 2");
	has_line("rowsieve_members_total{dataset=\"cards\",status=\"done\"} 1");
	has_line("rowsieve_members_total{dataset=\"cards\",status=\"rejected\"} 1");
	has_line("rowsieve_bytes_total{dataset=\"cards\"} 2000");
	has_line("rowsieve_bytes_skipped_total{dataset=\"cards\"} 1200");
	has_line("rowsieve_last_delivery_timestamp_seconds{dataset=\"cards\"} 1792.500");
}

Test(metrics, a_histogram_is_cumulative)
{
	metrics_add_batch(metrics, 0.01);
	metrics_add_batch(metrics, 0.02);
	metrics_add_batch(metrics, 99);
	write_page(&(struct metrics_gauges){0});
	has_line("rowsieve_batch_duration_seconds_bucket{le=\"0.01\"} 1");
	has_line("rowsieve_batch_duration_seconds_bucket{le=\"0.025\"} 2");
	has_line("rowsieve_batch_duration_seconds_bucket{le=\"30\"} 2");
	has_line("rowsieve_batch_duration_seconds_bucket{le=\"+Inf\"} 3");
	has_line("rowsieve_batch_duration_seconds_count 3");
}

Test(metrics, errors_of_one_kind_are_one_series)
{
	metrics_add_error(metrics, RESULT_UNREACHABLE);
	metrics_add_error(metrics, RESULT_UNKNOWN);
	metrics_add_error(metrics, RESULT_DISAGREES);
	metrics_add_error(metrics, RESULT_STOPPED);
	write_page(&(struct metrics_gauges){0});
	has_line("rowsieve_errors_total{kind=\"sink\"} 2");
	has_line("rowsieve_errors_total{kind=\"disagreement\"} 1");
	has_line("rowsieve_errors_total{kind=\"input\"} 0");
	const char *first = strstr(page, "kind=\"sink\"");
	cr_assert_null(strstr(first + 1, "kind=\"sink\""), "a series stands twice in\n%s", page);
}

Test(metrics, a_name_cannot_break_its_line)
{
	struct metrics_member member = {.dataset = "a\"b\\c\nd", .status = "done"};
	metrics_add_member(metrics, &member);
	write_page(&(struct metrics_gauges){0});
	has_line("rowsieve_bytes_total{dataset=\"a\\\"b\\\\c\\nd\"} 0");
}

Test(metrics, gauges_are_as_given)
{
	write_page(&(struct metrics_gauges){.queue = 3, .oldest_s = 1.5, .is_in_trouble = true, .outbox = 7});
	has_line("rowsieve_queue_files 3");
	has_line("rowsieve_oldest_waiting_seconds 1.5");
	has_line("rowsieve_in_trouble 1");
	has_line("rowsieve_outbox_objects 7");
}
