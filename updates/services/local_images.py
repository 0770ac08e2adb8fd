"""Images that the engines of devices have: who uses them, and removing those that are in nobody's way any more."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from devices.drivers.engine import Engine
from devices.drivers.references import checked_image
from devices.errors import BadReference, DeviceError, DeviceUnreachable, ImageInUse
from devices.models import Device, EngineLook
from devices.services.engine_looks import look_again
from devices.services.engines import opened_engine
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.models import ImageRemoval, ImageRemovalPart, Installation, Upgrade
from updates.recipes.engine_images import keepers
from updates.services.image_checks import note_removed
from updates.services.reasons import given_reason

JOB: Final = "updates.jobs.run_image_removal"
REMOVE: Final = "updates.remove_image"
MOST: Final = 100
"""Images of one order."""


@dataclass(frozen=True, slots=True)
class LocalImage:
    """An image that an engine had when it was asked last. `name` is a tag, or its id where it has none.

    `kept_for` are the Instances that have a way back which holds the image; an upgrade's id where nobody knows that any more.
    """

    name: str
    id: str
    size: int
    created: str
    containers: list[str]
    instances: list[str]
    kept_for: list[str]


def local_images(look: EngineLook) -> list[LocalImage]:
    """What the engine had, one row for each name; containers that use it, and Instances that name it or may go back to it."""
    containers: dict[str, list[str]] = defaultdict(list)
    for container in look.containers:
        containers[container["image_id"]].append(container["name"])
    instances = _instances_by_image(look.device)
    kept_for = _kept_for(look)
    return sorted(
        (
            LocalImage(
                name=name,
                id=image["id"],
                size=image["size"],
                created=image["created"],
                containers=sorted(containers[image["id"]]),
                instances=sorted(instances[_full(name)]),
                kept_for=sorted({kept_for[one] for one in keepers(image["tags"])}),
            )
            for image in look.images
            for name in image["tags"] or [image["id"]]
        ),
        key=lambda row: row.name,
    )


@dataclass(frozen=True, slots=True)
class Reach:
    """What a removal would come to: the devices it would ask, and on how many of them a container used one of the images."""

    devices: list[int]
    in_use: int


def reach_of(references: Iterable[str], devices: QuerySet[Device]) -> Reach:
    """Devices with an engine that had one of these images when it was asked last, or that was never asked.

    Refused when a name is none or one of the portal's own, and when there are none or too many.
    """
    wanted = set(_checked(references))
    reached = devices.filter(engine_access__isnull=False).order_by("pk")
    looks = EngineLook.objects.filter(device__in=reached, answered_at__isnull=False)
    without, in_use = set(), 0
    for pk, images, containers in looks.values_list("device_id", "images", "containers").iterator():
        ids = {image["id"] for image in images if not _names_of(image).isdisjoint(wanted)}
        if not ids:
            without.add(pk)
        in_use += any(container["image_id"] in ids for container in containers)
    there = reached.values_list("pk", flat=True)
    return Reach([pk for pk in there if pk not in without], in_use)


def request_removal(
    *, references: Sequence[str], devices: QuerySet[Device], actor: Actor, reason: str
) -> ImageRemoval:
    """A worker will remove these images, on each of the devices whose engine had one of them, or was never asked.

    Refused as `reach_of`, and when that is none. An Instance that needs an image pulls it again with its next update.
    """
    actor.require(REMOVE)
    why, wanted = given_reason(reason), _checked(references)
    ids = reach_of(wanted, devices).devices
    if not ids:
        raise Refused("None of these engines had any of these images when it was asked last.")
    with transaction.atomic():
        removal = ImageRemoval.objects.create(
            references=wanted,
            reason=why,
            requested_by_name=actor.name,
            created_at=clock.now(),
        )
        parts = ImageRemovalPart.objects.bulk_create(
            ImageRemovalPart(removal=removal, device_id=pk) for pk in ids
        )
        data = {"references": wanted, "devices": len(ids)}
        audit.record(actor=actor, action="image.remove", subject=removal, reason=why, data=data)
        for part in parts:
            _start(part)
    return removal


def carry_out_removal(pk: int | str) -> ImageRemovalPart:
    """Each image has its outcome on that device, or the error says why not; its engine was asked anew what it has."""
    part = ImageRemovalPart.objects.select_related("removal", "device__credential").get(pk=pk)
    if part.finished_at is not None:
        return part
    try:
        with opened_engine(part.device) as engine:
            for reference in part.removal.references[len(part.outcomes) :]:
                word, says = _removed(engine, reference)
                if word == "removed":
                    note_removed(reference, device=part.device)
                part.outcomes = [*part.outcomes, [reference, word, says]]
                part.save(update_fields=["outcomes"])
    except DeviceUnreachable as error:
        part.error = str(error)[:500]
    part.finished_at = clock.now()
    part.save(update_fields=["error", "finished_at"])
    look_again(part.device)
    return part


def recover_removals(known: set[str]) -> None:
    """Parts that nobody has finished, and whose job is not among `known`, have a job again."""
    for part in ImageRemovalPart.objects.filter(finished_at=None).only("pk"):
        if job_id(part) not in known:
            _start(part)


def job_id(part: ImageRemovalPart) -> str:
    """The id of the job that carries the part out: twice enqueued it is still one job."""
    return f"image-removal-{part.pk}"


def _removed(engine: Engine, reference: str) -> tuple[str, str]:
    """The outcome's word, and a sentence where there is more to say."""
    try:
        image = engine.image(reference)
        if image is None:
            return "absent", ""
        if keepers(image.tags):
            return (
                "in_use",
                f"{reference} is not removed: a way back holds it, and it goes with that.",
            )
        engine.remove_image(reference)
    except DeviceUnreachable:
        raise
    except ImageInUse as error:
        return "in_use", str(error)[:500]
    except DeviceError as error:
        return "failed", str(error)[:500]
    return "removed", ""


def _start(part: ImageRemovalPart) -> None:
    dispatch.start_job(JOB, argument=str(part.pk), job=job_id(part))


def _checked(references: Iterable[str]) -> list[str]:
    try:
        wanted = list(dict.fromkeys(checked_image(text.strip()) for text in references))
    except BadReference as error:
        raise Refused(str(error)) from None
    if ours := [name for name in wanted if keepers([name])]:
        raise Refused(f"{ours[0]} is the portal's own: a way back holds it, and it goes with that.")
    if not 0 < len(wanted) <= MOST:
        raise Refused(f"Name between 1 and {MOST} images.")
    return wanted


def _names_of(image: dict[str, Any]) -> set[str]:
    return {image["id"], *map(_full, image["tags"]), *map(_full, image["digests"])}


def _full(name: str) -> str:
    """The name as orders have it. What an engine lists may be older than today's rules for names."""
    try:
        return checked_image(name)
    except BadReference:
        return name


def _instances_by_image(device: Device) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    rows = Installation.objects.filter(instance__device=device, uninstalled_at=None)
    for name, images in rows.values_list("instance__name", "images"):
        for reference in images:
            found[_full(reference)].append(name)
    return found


def _kept_for(look: EngineLook) -> dict[str, str]:
    """Whose way back it is, for each upgrade that holds an image there: the Instance's name, else the upgrade's id."""
    names = {one: one for image in look.images for one in keepers(image["tags"])}
    known = []
    for one in names:
        with contextlib.suppress(ValueError):  # of who else uses our tags we know nothing
            known.append(UUID(one))
    rows = Upgrade.objects.filter(pk__in=known, instance__isnull=False)
    return names | {str(pk): name for pk, name in rows.values_list("pk", "instance__name")}
