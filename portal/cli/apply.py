"""`manage.py apply ARTIFACT DEVICE --reason WHY`."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Final, TypedDict

from devices.models import Device
from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.ordering import force_argument, hold_argument
from portal.cli.reason import reason_argument
from portal.cli.upgrade import tell_new, wait_argument
from portal.cli.verb import Call, Verb
from portal.core.actors import Actor
from updates.models import Release
from updates.services.upgrades import apply_artifact, apply_release


class Words(TypedDict):
    device: Device
    actor: Actor
    reason: str
    force: bool
    holds: bool


def arguments(parser: ArgumentParser) -> None:
    """What goes where, why, and whether to wait for it."""
    artifact_argument(parser)
    parser.add_argument("device", help="its name")
    reason_argument(parser)
    force_argument(parser)
    hold_argument(parser)
    wait_argument(parser)


def run(call: Call) -> None:
    """The upgrade of the device is ordered; with --wait: over."""
    what, device = find.orderable(call.words["artifact"]), find.device(call.words["device"])
    words: Words = {
        "device": device,
        "actor": call.actor,
        "reason": call.words["reason"],
        "force": call.words["force"],
        "holds": call.words["hold"],
    }
    upgrade = (
        apply_release(release=what, **words)
        if isinstance(what, Release)
        else apply_artifact(artifact=what, **words)
    )
    tell_new(upgrade, call=call)


VERB: Final = Verb("apply an artifact to one device, now", arguments, run)
