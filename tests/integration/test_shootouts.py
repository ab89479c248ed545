# SPDX-License-Identifier: Apache-2.0
"""Twenty real versions of one data set, in order: exactly the rows that were never seen are new."""

from rowsieve_test import Case, LedgerChecks, MysqlSink, SqliteSink, shared

NEW_ROWS = [156, 235, 37, 1, 3, 3, 7, 37, 19, 51, 3, 12, 86, 1, 1, 23, 78, 85, 56, 26]


class ShootoutTests(LedgerChecks):
    def test_each_version_adds_its_new_rows(self):
        versions = sorted(shared("series", "shootouts").glob("v*.csv"))
        self.assertEqual(len(versions), len(NEW_ROWS))
        found = [self.ingest(version, dataset="shootouts")[0]["new"] for version in versions]
        self.assertEqual(found, NEW_ROWS)
        self.assert_ledger_matches("shootouts", sum(NEW_ROWS))

    def test_one_call_with_all_versions_gives_the_same(self):
        versions = sorted(shared("series", "shootouts").glob("v*.csv"))
        reports = self.ingest(*versions, dataset="shootouts")
        self.assertEqual([report["new"] for report in reports], NEW_ROWS)
        self.assert_ledger_matches("shootouts", sum(NEW_ROWS))


class ShootoutsIntoSqlite(ShootoutTests, SqliteSink, Case):
    pass


class ShootoutsIntoMariaDB(ShootoutTests, MysqlSink, Case):
    pass
