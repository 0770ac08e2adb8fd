"""A part of a page that asks for news by itself until there will be none."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Panel:
    """`mark` names what is shown, so that a poll of `url` (which ends in ? or a parameter) asks for something else only."""

    html: str
    mark: str
    is_waiting: bool
    url: str
    seconds: int
