"""`manage.py upgrades`: the history; `manage.py stuck`: what of it does not move."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, Final

from django.core.management.base import CommandError
from django.db.models import Model

from portal.cli import find
from portal.cli.find import short
from portal.cli.limit import limit_argument, shown
from portal.cli.verb import Call, Verb
from updates.api.stuck import StuckSerializer
from updates.api.upgrades import UpgradeSerializer
from updates.machine import Outcome, State
from updates.plan import Kind
from updates.queries import Standstill, explained, history, stuck_upgrades
from updates.services.reports import history_csv, history_json_lines
from updates.upgrade_filter import UpgradeFilter

PLAIN: Final = (
    "device", "instance", "module", "release", "payload_type", "kind", "requested_by", "since", "until",
    "ended_since", "q",
)  # fmt: skip

FOUND: Final[tuple[tuple[str, Callable[[str], Model]], ...]] = (
    ("group", find.group), ("artifact", find.artifact), ("patch", find.patch),
    ("deployment", find.deployment),
)  # fmt: skip
"""Words of the filter that are ids, and how each is found by what people call it."""


def arguments(parser: ArgumentParser) -> None:
    """The words of the history's filter."""
    parser.add_argument("--active", action="store_true", help="only those that run")
    parser.add_argument("--device", metavar="NAME")
    parser.add_argument("--instance", metavar="NAME")
    parser.add_argument("--module", metavar="NAME", help="of its instances")
    parser.add_argument("--group", metavar="NAME", help="of its devices")
    parser.add_argument("--kind", choices=[word.value for word in Kind])
    parser.add_argument("--release", metavar="NAME")
    parser.add_argument("--artifact", metavar="NAME|ID")
    parser.add_argument("--patch", metavar="NAME|ID", help="applied it, or took it back")
    parser.add_argument("--payload-type", metavar="TYPE", help="installed by this Update Module")
    parser.add_argument("--deployment", metavar="ID")
    parser.add_argument("--state", action="append", choices=[word.value for word in State])
    parser.add_argument("--outcome", action="append", choices=[word.value for word in Outcome])
    parser.add_argument("--by", dest="requested_by", metavar="WHO", help="who asked for it")
    parser.add_argument("--since", metavar="TIME", help="ISO 8601, for example 2026-01-31T18:00Z")
    parser.add_argument("--until", metavar="TIME")
    parser.add_argument("--ended-since", metavar="TIME")
    parser.add_argument("--search", dest="q", metavar="WORDS", help="in names, reasons and errors")
    limit_argument(parser)
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--csv", action="store_true", help="write all that is found as CSV")
    files.add_argument("--jsonl", action="store_true", help="write all that is found as JSON lines")


def run(call: Call) -> None:
    """The upgrades are listed, newest first."""
    call.actor.require("updates.view_upgrade")
    wanted = UpgradeFilter(_words(call), queryset=history())
    if not wanted.is_valid():
        field, problems = next(iter(wanted.errors.items()))
        raise CommandError(f"--{field}: {problems[0]}")
    if call.words["csv"] or call.words["jsonl"]:
        for line in history_csv(wanted.qs) if call.words["csv"] else history_json_lines(wanted.qs):
            call.out.raw(line)
        return
    rows = shown(wanted.qs, call)
    if call.out.as_json:
        call.out.document(UpgradeSerializer(rows, many=True).data)
        return
    call.out.table(
        ("ID", "DEVICE", "FROM", "TO", "STATE", "%", "OUTCOME", "ASKED", "BY"),
        (
            (
                short(row),
                row.device,
                row.from_version,
                row.to_version,
                row.get_state_display(),
                row.progress,
                row.get_outcome_display() if row.outcome else "",
                row.created_at,
                row.requested_by_name,
            )
            for row in rows
        ),
    )


def stuck_arguments(parser: ArgumentParser) -> None:
    """Why it does not move, and how many to show."""
    parser.add_argument("--kind", choices=[word.value for word in Standstill], help="only these")
    limit_argument(parser)


def run_stuck(call: Call) -> None:
    """What does not move is listed with the reason, oldest first."""
    call.actor.require("updates.view_upgrade")
    kinds = [Standstill(call.words["kind"])] if call.words["kind"] else []
    rows = explained(shown(stuck_upgrades(*kinds).order_by("created_at", "id"), call))
    if call.out.as_json:
        call.out.document(StuckSerializer(rows, many=True).data)
        return
    call.out.table(
        ("ID", "DEVICE", "TO", "STATE", "RECOVER", "WHY"),
        (
            (
                short(row.upgrade),
                row.upgrade.device,
                row.upgrade.to_version,
                row.upgrade.get_state_display(),
                "helps" if row.can_recover else "",
                row.why,
            )
            for row in rows
        ),
    )


def _words(call: Call) -> dict[str, Any]:
    words: dict[str, Any] = {
        name: call.words[name] for name in (*PLAIN, "state", "outcome") if call.words[name]
    }
    if call.words["active"]:
        words["active"] = True
    for name, found in FOUND:
        if call.words[name]:
            words[name] = found(call.words[name]).pk
    return words


VERB: Final = Verb("list upgrades, newest first", arguments, run)
STUCK: Final = Verb("list upgrades that do not move, and why", stuck_arguments, run_stuck)
