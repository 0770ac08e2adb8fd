"""Checks as the commands wait for them and tell them."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Final, TypeVar

from django.core.management.base import CommandError
from django.db.models import QuerySet

from portal.cli.verb import Call
from portal.cli.watching import LOOK_SECONDS
from updates.models import Check, ImageCheck

FITS: Final = (Check.Verdict.COMPATIBLE, Check.Verdict.UNCHANGED)

AnyCheck = TypeVar("AnyCheck", Check, ImageCheck)


def wait_argument(parser: ArgumentParser) -> None:
    """Whether to wait for the verdicts."""
    parser.add_argument("--wait", action="store_true", help="until every verdict is in")


def awaited(checks: QuerySet[AnyCheck], *, call: Call) -> list[AnyCheck]:
    """The checks as they are now; with --wait: when every verdict is in."""
    while call.words["wait"] and checks.filter(verdict=Check.Verdict.WAITING).exists():
        time.sleep(LOOK_SECONDS)
    return list(checks)


def why(check: Check | ImageCheck) -> str:
    """What was found that speaks against it."""
    return " ".join(finding["says"] for finding in check.findings if not finding["ok"])


def require_fits(checks: Sequence[Check | ImageCheck], *, call: Call, targets: str) -> None:
    """CommandError, where the verdicts were waited for and one of them is bad. `targets` is what was checked, in the plural."""
    misfits = sum(check.verdict not in FITS for check in checks)
    if call.words["wait"] and misfits:
        raise CommandError(f"It does not fit {misfits} of {len(checks)} {targets}.")
