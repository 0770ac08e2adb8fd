"""What nodes say, as text that every database can store. Pure."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, TypeVar

from devices.drivers.nodes import FileResult, Loaded, NodeReport

LONGEST = 2000

Row = TypeVar("Row", Loaded, FileResult)


def plain_report(report: NodeReport) -> NodeReport:
    """The same report; of what is no text in it (NUL, half a surrogate pair) only a mark is left, and long texts end."""
    return replace(
        report,
        detail=_plain(report.detail),
        runtime=_plain(report.runtime),
        version=_plain(report.version),
        loaded=[_plain_row(row) for row in report.loaded],
        results=[_plain_row(row) for row in report.results],
    )


def _plain_row(row: Row) -> Row:
    words: dict[str, Any] = {field.name: getattr(row, field.name) for field in fields(row)}
    plain: dict[str, Any] = {
        name: _plain(word) if isinstance(word, str) else word for name, word in words.items()
    }
    return replace(row, **plain)


def _plain(text: str) -> str:
    return text[:LONGEST].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
