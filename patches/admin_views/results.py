"""What the nodes said, as a part of pages: of a check, and of an upgrade."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from devices.drivers.nodes import Status, integral
from patches.models import NodeResult
from patches.services.restarts import waiting_in, why_not_written, why_restart
from portal.core.pages import Button, why_not_permitted
from updates.machine import Outcome
from updates.models import Upgrade
from updates.plan import Kind

WORDS: Final = {
    Status.ERROR: ("error", "failed"),
    Status.NOT_BEAM: ("not code", "failed"),
    Status.WRONG_PATH: ("wrong path", "failed"),
    Status.NOT_UPDATED: ("not updated", "waiting"),
    Status.NOT_CHANGED: ("not changed", "cancelled"),
    Status.OK: ("ok", "succeeded"),
    Status.NOT_LOADED: ("not loaded", "cancelled"),
}
"""Each status with its words for people, and the badge that looks like what it means."""

RESTART: Final = "Restart by hand"
NOT_LOADED: Final = "Not loaded"


@dataclass(frozen=True, slots=True)
class Shown:
    """A status as it is shown: its code is kept, since the order of the codes is part of the promise."""

    code: int
    text: str
    badge: str


def shown(status: int | None) -> Shown | None:
    """None for what has no status: an assembly, or a patch of nothing else."""
    if status is None:
        return None
    text, badge = WORDS[Status(status)]
    return Shown(status, f"{text} ({status})", badge)


@dataclass(frozen=True, slots=True)
class Row:
    """One node's answer; `files` are those worth a word."""

    result: NodeResult
    status: Shown | None
    files: list[dict[str, Any]]
    needs_restart: bool


def rows_of(results: Iterable[NodeResult], *, waiting: Collection[str] | None = None) -> list[Row]:
    """Each answer with every file's status in words. Of an upgrade, `waiting` are the nodes that need a restart at its end."""
    return [
        Row(
            result,
            shown(result.status),
            [file | {"shown": shown(file["status"])} for file in result.files],
            result.needs_restart if waiting is None else result.node_name in waiting,
        )
        for result in results
    ]


def integral_of(results: Iterable[NodeResult]) -> Shown | None:
    """The smallest code of all."""
    found = integral(Status(row.status) if row.status else None for row in results)
    return shown(found.value if found else None)


def results_of(request: HttpRequest, upgrade: Upgrade) -> str:
    """The part of an upgrade's page that lists its nodes with what became of each module there; see `settings.UPGRADE_PANELS`."""
    results = list(NodeResult.objects.filter(upgrade=upgrade).order_by("step", "node_name"))
    for row in results:
        row.upgrade = upgrade
    applied = [row for row in results if row.step == NodeResult.Step.APPLY]
    back = [row for row in results if row.step == NodeResult.Step.BACK]
    left_over = _left_over(results)
    waiting = {name for (word, _), names in left_over.items() if word == RESTART for name in names}
    return render_to_string(
        "patches/upgrade_results.html",
        {
            "upgrade": upgrade,
            "patched": upgrade.plan if upgrade.kind == Kind.PATCH else None,
            "applied": rows_of(applied, waiting=waiting),
            "integral": integral_of(applied),
            "back": rows_of(back, waiting=waiting),
            "left_over": [(word, names, why) for (word, why), names in left_over.items()],
            "buttons": _last_resort(request, upgrade),
        },
    )


def _left_over(results: list[NodeResult]) -> dict[tuple[str, str], list[str]]:
    """What a person has to do, and why, with the names of the nodes where that is so. Of each node its newest answers count."""
    answers: dict[str, list[NodeResult]] = {}
    for row in sorted(results, key=lambda row: (row.node_name, row.at)):
        answers.setdefault(row.node_name, []).append(row)
    found: dict[tuple[str, str], list[str]] = {}
    for name, rows in answers.items():
        if why := why_restart(waiting_in(rows).values()):
            found.setdefault((RESTART, why), []).append(name)
        if why := why_not_written(rows[-1]):
            found.setdefault((NOT_LOADED, why), []).append(name)
    return found


def _last_resort(request: HttpRequest, upgrade: Upgrade) -> list[Button]:
    """The way to the record of an installation, where a patch may have left something behind."""
    if upgrade.finished_at is None or upgrade.instance_id is None:
        return []
    if upgrade.outcome not in (Outcome.BROKEN, Outcome.ROLLED_BACK):
        return []
    return [
        Button(
            "Record an installation",
            reverse("admin:updates_instance_installed", args=[upgrade.instance_id]),
            why_not=why_not_permitted(request, "updates.change_instance"),
        )
    ]
