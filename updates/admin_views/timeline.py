"""An upgrade's events in words, and its output to the letter."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from updates.admin_views.state_map import label_of
from updates.machine import Event
from updates.models import UpgradeEvent

BAD = frozenset({Event.FAILED, Event.INTERRUPTED})


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the timeline. `to` is the state that an arrow led to, `what` the event before it, in words."""

    seq: int
    at: datetime
    what: str
    to: str
    call: str
    says: str
    is_bad: bool


def lines_of(events: Iterable[UpgradeEvent]) -> list[Line]:
    """Arrows and notes, as lines."""
    return [_line(event) for event in events if event.kind != UpgradeEvent.Kind.OUTPUT]


def output_of(events: Iterable[UpgradeEvent], *, call: str) -> SafeString:
    """The pieces of output to the letter, with a heading where another than `call` begins.

    Not made by a template: that would put line ends between the pieces.
    """
    pieces: list[SafeString] = []
    for event in events:
        if event.kind == UpgradeEvent.Kind.OUTPUT:
            if event.call != call:
                pieces.append(format_html('<b class="fw-call">{}</b>', name_of(event.call)))
            pieces.append(format_html("<span>{}</span>", event.text))
            call = event.call
    return SafeString("".join(pieces))


def name_of(call: str) -> str:
    """A call without the number that tells repeats of it apart: 0006-ArtifactInstall is ArtifactInstall."""
    number, _, name = call.partition("-")
    return name if name and number.isdigit() else call


def _line(event: UpgradeEvent) -> Line:
    came_from = f"{label_of(event.from_state)}: " if event.from_state else ""
    return Line(
        seq=event.seq,
        at=event.at,
        what=f"{came_from}{event.event.replace('_', ' ')}" if event.event else "",
        to=label_of(event.to_state) if event.to_state else "",
        call=name_of(event.call),
        says=event.text,
        is_bad=event.event in BAD,
    )
