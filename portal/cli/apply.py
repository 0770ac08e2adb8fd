"""`manage.py apply ARTIFACT DEVICE --reason WHY`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final

from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from updates.models import Release
from updates.services.upgrades import apply_artifact, apply_release


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
    what, device = find.orderable(call.words["artifact"]), find.device(call.words["device"])
    why, force = call.words["reason"], call.words["force"]
    if isinstance(what, Release):
        upgrade = apply_release(
            device=device, release=what, actor=call.actor, reason=why, force=force
        )
    else:
        upgrade = apply_artifact(
            device=device, artifact=what, actor=call.actor, reason=why, force=force
        )
    tell_new(upgrade, call=call)


VERB: Final = Verb("apply an artifact to one device, now", arguments, run)
