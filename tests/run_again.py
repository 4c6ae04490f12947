"""Runs a failed test once more: if the tests' Temporal server is broken, and in CI, which reports it.

CI runs thousands of tests of real programs on busy processors, and one chance failure should not make a change wait for
a second run. A test that passes the second time is counted as flaky, and the summary shows how it failed first, so that
it gets fixed.
"""

from __future__ import annotations

import sys
from contextlib import suppress

import pytest
from _pytest.runner import runtestprotocol

from tests.temporal_servers import SERVERS
from tests.whole import IS_WHOLE

# Files that try one thing in many ways, looking for what must never happen: there even one failure counts.
NEVER_AGAIN = ("test_kill", "test_races", "test_outages")


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and run it once more, with all its servers made anew, if it failed and the cause may lie elsewhere.

    An interrupted write to SQLite, such as by a caller that disconnects, can leave Temporal's development server inside
    a transaction: from then on it answers "shard status unknown", and what it has done since is lost.
    """
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    failed = next((one for one in reports if one.failed), None)
    if failed and (why := _why_again(item)):
        with item.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print(f"\n{why}, so it runs again: {item.nodeid}", file=sys.stderr)
        with suppress(Exception, pytest.fail.Exception):
            item.session._setupstate.teardown_exact(None)
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        for one in reports:
            vars(one)["failed_before"] = failed.longreprtext
    for one in reports:
        item.ihook.pytest_runtest_logreport(report=one)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _why_again(item: pytest.Item) -> str:
    if not all(server.works() for server in [*SERVERS.values()]):
        return "Temporal's server was broken"
    return "It failed" if IS_WHOLE and not item.path.name.startswith(NEVER_AGAIN) else ""


def pytest_report_teststatus(report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
    """Count a test that passed the second time as flaky."""
    is_flaky = report.when == "call" and report.passed and "failed_before" in vars(report)
    return ("flaky", "f", "FLAKY") if is_flaky else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show how each flaky test failed first."""
    for report in terminalreporter.getreports("flaky"):
        terminalreporter.section(f"flaky: {report.nodeid}")
        terminalreporter.line(vars(report)["failed_before"])
