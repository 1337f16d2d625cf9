"""A test runner for Django's own test suite that writes down the outcome of each test.

``OUTCOMES`` names the file: a JSON object of test to outcome.
"""

import json
import os
import unittest
from pathlib import Path
from typing import ClassVar

from django.test.runner import DiscoverRunner


class Result(unittest.TextTestResult):
    """Keeps what became of each test."""

    outcomes: ClassVar[dict[str, str]] = {}

    def addSuccess(self, test):
        super().addSuccess(test)
        self.outcomes.setdefault(test.id(), "ok")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.outcomes[test.id()] = f"failure: {err[0].__name__}"

    def addError(self, test, err):
        super().addError(test, err)
        self.outcomes[test.id()] = f"error: {err[0].__name__}"

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.outcomes[test.id()] = "skipped"

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.outcomes[test.id()] = "expected failure"

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.outcomes[test.id()] = "unexpected success"

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.outcomes[test.id()] = f"failure of a subtest: {err[0].__name__}"


class Runner(DiscoverRunner):
    """Django's runner with that result."""

    def get_resultclass(self):
        return Result

    def run_suite(self, suite, **kwargs):
        result = super().run_suite(suite, **kwargs)
        Path(os.environ["OUTCOMES"]).write_text(json.dumps(Result.outcomes, indent=0, sort_keys=True))
        return result
