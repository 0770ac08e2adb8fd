"""`manage.py deploy ARTIFACT --all --reason WHY`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterable
from itertools import islice
from typing import Final

from django.core.management.base import CommandError

from devices.models import Device
from devices.services.bulk import MEANT_ABOVE, require_meant
from portal.cli import find
from portal.cli.artifact.show import artifact_argument
from portal.cli.choice import HOW_TO_MEAN, choice_arguments, chosen, count_argument, selection
from portal.cli.deployment import tell, wait_for_all
from portal.cli.ordering import force_argument
from portal.cli.upgrade import wait_argument
from portal.cli.verb import Call, Verb
from updates.api.deployments import preview_as_json
from updates.models import Artifact, Deployment, Release
from updates.services.deployments import (
    Preview,
    deploy_artifact,
    deploy_release,
    preview_deployment,
    preview_release,
)

NAMED: Final = 20
"""Devices that a preview names for each of its parts."""


def arguments(parser: ArgumentParser) -> None:
    """What goes where, why, and whether to look first or to wait for the end."""
    artifact_argument(parser)
    choice_arguments(parser)
    parser.add_argument("--reason", metavar="WHY", help="kept in the history; required to deploy")
    parser.add_argument("--name", default="", help="the artifact's name unless told")
    parser.add_argument("--preview", action="store_true", help="only say what would happen")
    count_argument(parser)
    force_argument(parser)
    wait_argument(parser)


def run(call: Call) -> None:
    """Every chosen device that the artifact fits has an upgrade; with --wait: they are over. With --preview: nothing."""
    what = find.orderable(call.words["artifact"])
    if call.words["preview"]:
        _preview(what, call)
        return
    if not call.words["reason"]:
        raise CommandError("Say why with --reason: it is kept in the history.")
    _require_meant(what, call)
    deployment = _deploy(what, call)
    if call.words["wait"]:
        wait_for_all(deployment, out=call.out)
    else:
        tell(deployment, out=call.out)


def _deploy(what: Artifact | Release, call: Call) -> Deployment:
    words, devices = call.words, chosen(call)
    why, name, force = words["reason"], words["name"], words["force"]
    if isinstance(what, Release):
        return deploy_release(
            release=what, devices=devices, actor=call.actor, reason=why, name=name,
            selection=selection(call), force=force,
        )  # fmt: skip
    return deploy_artifact(
        artifact=what, devices=devices, actor=call.actor, reason=why, name=name,
        selection=selection(call), force=force,
    )  # fmt: skip


def _require_meant(what: Artifact | Release, call: Call) -> None:
    """Nothing, or Refused: many devices would get it, and --count is not their number."""
    if chosen(call).count() > MEANT_ABOVE:
        call.actor.require("updates.deploy_artifact")
        count = len(_previewed(what, call).takes)
        require_meant(count=count, said=call.words["count"], how=HOW_TO_MEAN)


def _previewed(what: Artifact | Release, call: Call) -> Preview:
    devices, force = chosen(call).order_by("name"), call.words["force"]
    if isinstance(what, Release):
        return preview_release(release=what, devices=devices, force=force)
    return preview_deployment(artifact=what, devices=devices, force=force)


def _preview(what: Artifact | Release, call: Call) -> None:
    call.actor.require("updates.deploy_artifact")
    preview = _previewed(what, call)
    if call.out.as_json:
        call.out.document(preview_as_json(preview))
        return
    call.out.table(
        ("DEVICES", "WHAT HAPPENS", "WHICH"),
        (
            (len(preview.takes), "get it", _names(preview.takes)),
            (len(preview.unchanged), "have it already", _names(preview.unchanged)),
            (
                len(preview.left_out),
                "are left out",
                _names(device for device, _ in preview.left_out),
            ),
        ),
    )
    _say_why(preview, call)


def _names(devices: Iterable[Device]) -> str:
    return ", ".join(device.name for device in islice(devices, NAMED))


def _say_why(preview: Preview, call: Call) -> None:
    for device, reason in preview.left_out[:NAMED]:
        call.out.text(f"{device}: {reason}")
    if len(preview.left_out) > NAMED:
        call.out.text(f"... and {len(preview.left_out) - NAMED} more.")


VERB: Final = Verb("deploy an artifact to many devices", arguments, run)
