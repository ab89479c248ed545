# SPDX-License-Identifier: Apache-2.0
"""`rowsieve check`: what would keep rowsieve from its work, before it does, with what to do about it."""

import os
import resource
import time

from rowsieve_test import EXIT_CONFIG, EXIT_DELIVERY, EXIT_OK, Case, SqliteSink, parse_objects


class Checks(SqliteSink, Case):
    def check(self, status=EXIT_OK):
        """The lines of the report, by name."""
        return {line["check"]: line for line in parse_objects(self.rowsieve("check", "--json", status=status).stdout)}

    def assert_failed(self, line, message, hint):
        self.assertFalse(line["ok"], line)
        self.assertIn(message, line["message"])
        self.assertIn(hint, line["hint"])

    def test_everything_is_fine_before_the_first_start_and_after(self):
        self.assertTrue(all(line["ok"] for line in self.check().values()))
        self.ingest(self.write("x.csv", "a\n1\n"))
        self.assertTrue(all(line["ok"] for line in self.check().values()))

    def configured(self, type_of_a):
        path = self.write("rowsieve.conf", f'dataset "x" {{\n\tcolumn "a" {{ type = "{type_of_a}" }}\n}}\n')
        self.options = ["-c", str(path)]

    def assert_stopped(self, line):
        self.assert_failed(line, "2 rows look new", "rowsieve rebuild x")

    def test_an_edit_that_makes_stored_rows_look_new_is_told_with_their_number(self):
        self.configured("integer")
        self.ingest(self.write("x.csv", "a\n1\n2\n"), dataset="x")
        self.assertTrue(self.check()["identity"]["ok"])
        self.configured("text")
        self.assert_stopped(self.check(status=EXIT_DELIVERY)["identity"])

    def test_the_running_daemon_tells_it_before_a_reload(self):
        self.configured("integer")
        self.ingest(self.write("x.csv", "a\n1\n2\n"), dataset="x")
        self.daemon()
        self.assertTrue(self.check()["identity"]["ok"])
        self.configured("text")
        self.assert_stopped(self.check(status=EXIT_DELIVERY)["identity"])

    def test_a_clock_that_was_set_back_is_noticed(self):
        self.ingest(self.write("x.csv", "a\n1\n"))
        tomorrow = time.time() + 86400
        os.utime(self.data / "state" / "data.mdb", (tomorrow, tomorrow))
        self.assert_failed(self.check(status=EXIT_DELIVERY)["clock"], "earlier than the last change", "set-ntp")

    def test_too_few_open_files_are_noticed(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.assert_failed(self.check(status=EXIT_DELIVERY)["limits"], "200 files", "ulimit -n")

    def test_a_store_without_a_bucket_is_noticed(self):
        self.options += ["-o", "s3.endpoint=https://s3.example.org"]
        store = self.check(status=EXIT_CONFIG)["store"]
        self.assertFalse(store["ok"])
        self.assertIn("s3.bucket", store["message"])
