# SPDX-License-Identifier: Apache-2.0
"""The daemon's figures, as a monitoring system reads them."""

import re

from rowsieve_test import EXIT_STATE
from test_run import RunCase


class Metrics(RunCase):
    def figures(self):
        """{series: value} of `status --metrics`."""
        page = self.rowsieve("status", "--metrics").stdout
        return {name: float(value) for name, value in re.findall(r"^([a-z].*) (\S+)$", page, re.MULTILINE)}

    def test_rows_are_counted_by_outcome_and_dataset(self):
        self.daemon()
        self.wait_taken(self.deliver("x.csv", "a,b\n1,2\n1,2\n3\n"))
        self.wait_taken(self.deliver("y.csv", "a\n1\n"))
        figures = self.figures()
        for outcome, count in {"new": 1, "duplicate": 1, "rejected": 1, "updated": 0, "filtered": 0}.items():
            self.assertEqual(figures[f'rowsieve_rows_total{{dataset="x",outcome="{outcome}"}}'], count, outcome)
        self.assertEqual(figures['rowsieve_rows_total{dataset="y",outcome="new"}'], 1)
        self.assertEqual(figures['rowsieve_bytes_total{dataset="x"}'], len("a,b\n1,2\n1,2\n3\n"))
        self.assertEqual(figures["rowsieve_batch_duration_seconds_count"], 2)
        self.assertEqual(figures["rowsieve_queue_files"], 0)
        self.assertEqual(figures["rowsieve_in_trouble"], 0)

    def test_a_dry_run_counts_for_nothing(self):
        self.daemon()
        self.ingest(self.write("x.csv", "a\n1\n"), dataset="x", options=["--dry-run"])
        self.assertNotIn('rowsieve_rows_total{dataset="x",outcome="new"}', self.figures())

    def test_trouble_shows(self):
        self.daemon("-o", "keep.min_free=1000T")
        self.deliver("x.csv", "a\n1\n")
        self.running.wait_until(lambda: self.figures()["rowsieve_queue_files"] == 1, "the file waited")
        figures = self.figures()
        self.assertEqual(figures["rowsieve_in_trouble"], 1)
        self.assertGreater(figures['rowsieve_errors_total{kind="space"}'], 0)
        self.assertGreater(figures["rowsieve_oldest_waiting_seconds"], 0)

    def test_the_configured_file_is_written_and_replaced_whole(self):
        path = self.directory / "rowsieve.prom"
        self.daemon("-o", f"metrics={path}")
        self.running.wait_until(path.exists, "the file was written")
        self.assertIn("rowsieve_build_info", path.read_text())
        self.assertFalse(path.with_suffix(".prom.tmp").exists())

    def test_without_a_daemon_there_are_none(self):
        done = self.rowsieve("status", "--metrics", status=EXIT_STATE)
        self.assert_one_line(done.stderr, "only while the daemon runs")
