# SPDX-License-Identifier: Apache-2.0
"""Runs the integration tests and reports in TAP: one line per test.

usage: run.py [MODULE | MODULE.CLASS | MODULE.CLASS.TEST]...   everything when none is named
"""

import pathlib
import sys
import time
import traceback
import unittest

HERE = pathlib.Path(__file__).resolve().parent


class TapResult(unittest.TestResult):
    """Prints a TAP line as each test ends; failures with their traceback as diagnostics."""

    def __init__(self):
        super().__init__()
        self.count = 0
        self.began = 0.0
        self.complaints = []

    def startTest(self, test):
        super().startTest(test)
        self.began = time.monotonic()
        self.complaints = []
        self.skip_reason = None

    def stopTest(self, test):
        super().stopTest(test)
        self._print(name_of(test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.skip_reason = reason
        if not isinstance(test, unittest.TestCase):
            # A whole class or module: no startTest() or stopTest() surrounds it.
            self.complaints = []
            self._print(str(test))

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._complain(test, err)

    addError = addFailure

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._complain(subtest, err)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.complaints.append("unexpected success")

    def _complain(self, test, err):
        text = f"{test}\n" + "".join(traceback.format_exception(*err))
        self.complaints.append(text)
        if not isinstance(test, unittest.TestCase):
            # A failed setUpClass or setUpModule: no startTest() or stopTest() surrounds it.
            self._print(str(test))

    def _print(self, name):
        self.count += 1
        seconds = time.monotonic() - self.began if self.began else 0.0
        if self.complaints:
            print(f"not ok {self.count} - {name}  ({seconds:.2f}s)")
            for line in "\n".join(self.complaints).splitlines():
                print(f"# {line}")
        elif self.skip_reason is not None:
            print(f"ok {self.count} - {name}  # SKIP {self.skip_reason}")
        else:
            print(f"ok {self.count} - {name}  ({seconds:.2f}s)")
        sys.stdout.flush()


def name_of(test):
    return test.id()


def load(names):
    loader = unittest.TestLoader()
    if names:
        return loader.loadTestsFromNames(names)
    return loader.discover(str(HERE), pattern="test_*.py")


def main(names):
    sys.path.insert(0, str(HERE))
    result = TapResult()
    print("TAP version 13")
    load(names).run(result)
    print(f"1..{result.count}")
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
