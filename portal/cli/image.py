"""`manage.py image VERB`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from django.core.management.base import CommandError

from devices.models import EngineLook
from devices.services.bulk import require_meant
from portal.cli import find, image_check
from portal.cli.choice import HOW_TO_MEAN, choice_arguments, chosen, count_argument
from portal.cli.reason import reason_argument
from portal.cli.verb import Call, Verb
from updates.api.image_removals import ImageRemovalDetailSerializer
from updates.models import ImageRemoval, ImageRemovalPart
from updates.services.local_images import local_images, reach_of, request_removal

MIB: Final = 1 << 20


def _list_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("device", help="the device's name")


def _list(call: Call) -> None:
    call.actor.require("devices.view_engineaccess")
    device = find.device(call.words["device"])
    look = EngineLook.objects.filter(device=device, answered_at__isnull=False).first()
    if look is None:
        raise CommandError(
            f"The engine of {device} has not said anything yet: engine ask {device}."
        )
    rows = local_images(look)
    if call.out.as_json:
        call.out.document(
            {"answered_at": look.answered_at, "images": [asdict(row) for row in rows]}
        )
        return
    call.out.aside(f"As it was at {look.answered_at:%Y-%m-%d %H:%M:%S}.")
    call.out.table(
        ("IMAGE", "ID", "MIB", "MADE", "CONTAINERS", "INSTANCES", "KEPT FOR"),
        (
            (
                row.name, row.id.removeprefix("sha256:")[:12], row.size // MIB, row.created,
                ", ".join(row.containers) or "-", ", ".join(row.instances) or "-",
                ", ".join(row.kept_for) or "-",
            )
            for row in rows
        ),
    )  # fmt: skip


def _remove_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("image", nargs="+", help="a reference, or an id (sha256:...)")
    choice_arguments(parser)
    count_argument(parser)
    reason_argument(parser)


def _remove(call: Call) -> None:
    devices = chosen(call)
    count = len(reach_of(call.words["image"], devices).devices)
    require_meant(count=count, said=call.words["count"], how=HOW_TO_MEAN)
    removal = request_removal(
        references=call.words["image"],
        devices=devices,
        actor=call.actor,
        reason=call.words["reason"],
    )
    count = removal.parts.count()
    if call.out.as_json:
        call.out.document(ImageRemovalDetailSerializer(removal).data)
        return
    call.out.text(f"{removal.pk} is on its way to {count} {'engine' if count == 1 else 'engines'}.")


def _show_arguments(parser: ArgumentParser) -> None:
    parser.add_argument("removal", nargs="?", help="its id; the newest one unless told")


def _show(call: Call) -> None:
    call.actor.require("updates.view_imageremoval")
    word = call.words["removal"]
    removal = find.image_removal(word) if word else ImageRemoval.objects.first()
    if removal is None:
        raise CommandError("No images were ever removed.")
    if call.out.as_json:
        call.out.document(ImageRemovalDetailSerializer(removal).data)
        return
    parts = removal.parts.select_related("device").order_by("device__name")
    call.out.table(
        ("DEVICE", "IMAGE", "OUTCOME", "SAYS"),
        ((part.device, *row) for part in parts for row in _rows(part)),
    )


def _rows(part: ImageRemovalPart) -> list[list[str]]:
    """What became of each image on the device, and what is to be said besides."""
    besides = [["-", "error", part.error]] if part.error else []
    waits = [["-", "waits", ""]] if part.finished_at is None else []
    return [*part.outcomes, *besides, *waits]


VERBS: Final[Mapping[str, Verb]] = {
    "list": Verb("what a device's engine had when it was asked last", _list_arguments, _list),
    "remove": Verb("remove images from engines, never by force", _remove_arguments, _remove),
    "check": image_check.VERB,
    "show": Verb("what became of a removal", _show_arguments, _show),
}
