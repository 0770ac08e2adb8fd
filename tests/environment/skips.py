"""pytest hooks: what was not run is said at the end, in one place, and in CI it is a failure."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable

import pytest
from _pytest.terminal import TerminalReporter


def skips_are_failures() -> bool:
    return os.environ.get("CI") == "true"


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI, a run that skipped a test has failed."""
    if skips_are_failures() and _skipped(session.config) and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    skipped = _skipped(terminalreporter.config)
    if not skipped:
        return
    names = defaultdict(list)
    for report in skipped:
        names[_reason(report)].append(report.nodeid.partition("::")[2] or report.nodeid)
    parts = [f"{reason} ({', '.join(sorted(tests))})" for reason, tests in sorted(names.items())]
    count = f"{len(skipped)} {'test was' if len(skipped) == 1 else 'tests were'} not run"
    verdict = (
        ", which fails this run, since nothing may be skipped in CI" if skips_are_failures() else ""
    )
    terminalreporter.write_line(f"{count}{verdict}: {'; '.join(parts)}", yellow=True, bold=True)


def _skipped(config: pytest.Config) -> list[pytest.TestReport | pytest.CollectReport]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return list(_reports(reporter)) if isinstance(reporter, TerminalReporter) else []


def _reports(reporter: TerminalReporter) -> Iterable[pytest.TestReport | pytest.CollectReport]:
    for report in reporter.stats.get("skipped", []):
        if isinstance(report, pytest.TestReport | pytest.CollectReport):
            yield report


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    place_and_reason = report.longrepr
    if isinstance(place_and_reason, tuple):
        return str(place_and_reason[2]).removeprefix("Skipped: ")
    return str(place_and_reason)
