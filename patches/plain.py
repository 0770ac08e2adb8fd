"""What nodes say, as text that every database can store. Pure."""

from __future__ import annotations

from dataclasses import replace

from devices.drivers.nodes import FileResult, Loaded, NodeReport

LONGEST = 2000


def plain_report(report: NodeReport) -> NodeReport:
    """The same report; of what is no text in it (NUL, half a surrogate pair) only a mark is left, and long texts end."""
    return replace(
        report,
        detail=_plain(report.detail),
        runtime=_plain(report.runtime),
        version=_plain(report.version),
        loaded=[_plain_loaded(row) for row in report.loaded],
        results=[_plain_result(row) for row in report.results],
    )


def _plain_loaded(row: Loaded) -> Loaded:
    return replace(
        row,
        path=_plain(row.path),
        name=_plain(row.name),
        version=_plain(row.version),
        disk_version=_plain(row.disk_version),
    )


def _plain_result(row: FileResult) -> FileResult:
    return replace(
        row,
        path=_plain(row.path),
        name=_plain(row.name),
        reason=_plain(row.reason),
        detail=_plain(row.detail),
        before=_plain(row.before),
        after=_plain(row.after),
    )


def _plain(text: str) -> str:
    return text[:LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
