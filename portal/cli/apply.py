"""`manage.py apply ARTIFACT DEVICE --reason WHY`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from updates.services.upgrades import apply_artifact


def arguments(parser: ArgumentParser) -> None:
    """What goes where, why, and whether to wait for it."""
    artifact_argument(parser)
    parser.add_argument("device", help="its name")
    reason_argument(parser)
    force_argument(parser)
    wait_argument(parser)


def force_argument(parser: ArgumentParser) -> None:
    """--force."""
    parser.add_argument(
        "--force", action="store_true", help="install even what is installed already"
    )


def run(call: Call) -> None:
    """The upgrade of the device is ordered; with --wait: over."""
    upgrade = apply_artifact(
        device=find.device(call.words["device"]),
        artifact=find.artifact(call.words["artifact"]),
        actor=call.actor,
        reason=call.words["reason"],
        force=call.words["force"],
    )
    tell_new(upgrade, call=call)


VERB: Final = Verb("apply an artifact to one device, now", arguments, run)
