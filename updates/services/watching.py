"""Containers that are looked after: what on an engine could be, which are, and how."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from django.db import transaction

from devices.drivers.references import Reference, parse_reference
from devices.errors import BadReference
from devices.models import Device, EngineLook
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates.models import Instance, Module, WatchedContainer
from updates.recipes.container.data_places import all_called, folders_of_data, is_folder, not_held
from updates.services.installing import refuse_busy
from updates.services.module_choice import image_of, name_of, why_not_image
from updates.services.reasons import given_reason

ADD: Final = "updates.add_watchedcontainer"
CHANGE: Final = "updates.change_watchedcontainer"
MOST: Final = 20
"""Containers of one set."""
ID: Final = "sha256:"
"""How an engine's name for an image begins that has no other any more."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Containers of one image on an engine, of one Compose project or a single one, as the engine was seen last.

    `image` is empty where they were made from one without a name; `watched` says who looks after them already. `volumes` are all
    that a backup should hold: volumes, and folders of the device; `written` is whatever the containers may write to.
    """

    image: str
    image_id: str
    digest: str
    containers: tuple[str, ...]
    project: str
    volumes: tuple[str, ...]
    written: tuple[str, ...]
    state: str
    watched: WatchedContainer | None = None

    @property
    def data(self) -> str:
        """What people are told of where its data is."""
        return all_called(self.volumes)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewWatch:
    """What is to be watched. `image` and `name` are as they are found, and called, unless somebody says it."""

    device: Device
    containers: Collection[str]
    image: str = ""
    name: str = ""


def standing_on(look: EngineLook) -> list[Standing]:
    """What the engine had, by name; containers of one image in one Compose project stand together."""
    sets: dict[tuple[str, str, str], list[dict[str, Any]]] = {}
    for row in look.containers:
        project = row.get("project", "")
        sets.setdefault((row["image_id"], project, "" if project else row["name"]), []).append(row)
    names = {image["id"]: image for image in look.images}
    taken = _watched_on(look.device)
    found = [_standing(rows, names.get(rows[0]["image_id"], {}), taken) for rows in sets.values()]
    return sorted(found, key=lambda one: (one.project, one.containers))


def watch(new: NewWatch, *, actor: Actor, reason: str) -> WatchedContainer:
    """The containers are looked after from now on, as an instance of their image's module. Nothing is done to them.

    What was watched under that name on that device before is taken up again, with its history. Refused with what is wrong.
    """
    actor.require(ADD)
    why = given_reason(reason)
    with transaction.atomic():
        device = Device.objects.select_for_update().get(pk=new.device.pk)
        seen = _seen(device, new.containers)
        image = _image(new.image.strip() or seen.image)
        name = new.name.strip() or _free_name(seen.containers[0], device)
        watched = _taken_up(device, name, image) or _made(device, name, image)
        watched.image, watched.image_id = image.familiar, seen.image_id
        watched.digest, watched.containers = seen.digest, list(new.containers)
        watched.volumes = watched.volumes or list(seen.volumes)
        watched.unwatched_at, watched.newest, watched.asked_at = None, "", None
        watched.full_clean()
        watched.save()
        data = {"image": watched.image, "containers": watched.containers}
        audit.record(
            actor=actor, action="container.watch", subject=watched.instance, reason=why, data=data
        )
    return watched


def not_backed_up(watched: WatchedContainer) -> list[str]:
    """What of the containers' data no backup holds, as the engine was seen last: volumes, and paths on the device.

    Nothing of the portal itself: its watchdog finds its data.
    """
    if watched.is_portal:
        return []
    look = EngineLook.objects.filter(device=watched.instance.device_id).first()
    if look is None:
        return []
    rows = [row for row in look.containers if row["name"] in watched.containers]
    written = [
        name for row in rows for name in (*row.get("volumes", []), *row.get("written_paths", []))
    ]
    return not_held(written, watched.volumes)


def unwatch(*, watched: WatchedContainer, actor: Actor, reason: str) -> None:
    """It is looked after no longer; its history and its backups stay. TargetBusy while an upgrade of it is not over."""
    why = given_reason(reason)
    with changing(watched, actor, "container.unwatch", reason=why) as row:
        if row.is_portal:
            raise Refused("That is the portal itself, which always looks after itself.")
        refuse_busy(row.instance)
        row.unwatched_at = clock.now()


@contextmanager
def changing(
    watched: WatchedContainer,
    actor: Actor,
    action: str,
    *,
    reason: str = "",
    data: dict[str, Any] | None = None,
) -> Iterator[WatchedContainer]:
    """The row, locked, to be changed in the block; saved and audited after it. Refused when it is watched no longer."""
    actor.require(CHANGE)
    with transaction.atomic():
        row = WatchedContainer.objects.select_for_update(of=["self"]).get(pk=watched.pk)
        require_watched(row)
        yield row
        row.save()
        audit.record(
            actor=actor, action=action, subject=row.instance, reason=reason, data=data or {}
        )


def require_watched(watched: WatchedContainer) -> None:
    """Nothing, or Refused: it is watched no longer."""
    if watched.unwatched_at is not None:
        raise Refused(f"{watched} is watched no longer.")


def _seen(device: Device, containers: Collection[str]) -> Standing:
    look = EngineLook.objects.filter(device=device, answered_at__isnull=False).first()
    if look is None:
        raise Refused(f"The engine of {device} has not said yet what runs there: ask it first.")
    wanted = list(dict.fromkeys(containers))
    if not 0 < len(wanted) <= MOST or len(wanted) != len(containers):
        raise Refused(f"Choose containers, {MOST} at most, and each once.")
    there = {name: one for one in standing_on(look) for name in one.containers}
    if missing := [name for name in wanted if name not in there]:
        raise Refused(f"The engine of {device} was not seen to have {missing[0]}: ask it again.")
    if taken := next((there[name].watched for name in wanted if there[name].watched), None):
        raise Refused(f"{taken} looks after one of them already.")
    first = there[wanted[0]]
    if other := next((one for one in wanted if there[one].image_id != first.image_id), None):
        raise Refused(f"{other} is made from another image than {wanted[0]}.")
    volumes = {volume for name in wanted for volume in there[name].volumes}
    folders = folders_of_data(filter(is_folder, volumes))
    named = sorted(volume for volume in volumes if not is_folder(volume))
    return replace(first, containers=tuple(wanted), volumes=(*named, *folders))


def _image(text: str) -> Reference:
    if not text or text.startswith(ID):
        raise Refused(
            "They are made from an image that has no name any more: say which one it was."
        )
    image = image_of(text)
    if not image.tag:
        raise Refused(
            f"{text} is pinned to a digest, which has no newer version: name its tag instead."
        )
    return replace(image, digest="")


def _free_name(container: str, device: Device) -> str:
    """What an instance is called by itself: as its container is, and after its device where another is called so."""
    taken = Instance.objects.filter(name=container).exclude(device=device).exists()
    return f"{device.name}-{container}"[:100] if taken else container


def _taken_up(device: Device, name: str, image: Reference) -> WatchedContainer | None:
    rows = WatchedContainer.objects.select_related("instance__module")
    row = rows.filter(instance__name=name, instance__device=device).first()
    if row is None or row.unwatched_at is None:
        return None
    if row.instance.module.source != image.repository:
        raise Refused(f"{name} was watched before, as {row.instance.module.source}.")
    row.instance.version = image.tag
    row.instance.save(update_fields=["version"])
    return row


def _made(device: Device, name: str, image: Reference) -> WatchedContainer:
    module = _module(image)
    instance = Instance(module=module, device=device, name=name, version=image.tag)
    instance.full_clean()
    instance.save()
    return WatchedContainer(
        instance=instance, backup_dir=f"{device.work_root}/backups/{instance.name}"
    )


def _module(image: Reference) -> Module:
    """The module of that source, or a new one called after it."""
    known = Module.objects.filter(source=image.repository).first()
    if known is not None:
        return known
    name = name_of(image)
    if Module.objects.filter(name=name).exists():
        name = image.repository.replace("/", "-").replace(":", "-")[-100:].lstrip(".-_")
    module = Module(name=name, source=image.repository)
    module.full_clean()
    module.save()
    return module


def _watched_on(device: Device) -> dict[str, WatchedContainer]:
    rows = WatchedContainer.objects.filter(instance__device=device, unwatched_at=None)
    return {name: row for row in rows.select_related("instance") for name in row.containers}


def _standing(
    rows: list[dict[str, Any]], image: dict[str, Any], taken: dict[str, WatchedContainer]
) -> Standing:
    names = sorted(row["name"] for row in rows)
    reference = _named(rows[0].get("image", ""), image.get("tags", []))
    states = sorted({row["state"] for row in rows})
    volumes = sorted({volume for row in rows for volume in row.get("volumes", [])})
    folders = folders_of_data(path for row in rows for path in row.get("folders", []))
    written = {path for row in rows for path in row.get("written_paths", [])}
    return Standing(
        image=reference,
        image_id=rows[0]["image_id"],
        digest=_digest(reference, image.get("digests", [])),
        containers=tuple(names),
        project=rows[0].get("project", ""),
        volumes=(*volumes, *folders),
        written=(*volumes, *sorted(written)),
        state=", ".join(states),
        watched=next((taken[name] for name in names if name in taken), None),
    )


def _named(text: str, tags: list[str]) -> str:
    """What the containers were made from, or what their image is called by now; empty when it has no name."""
    for name in (text, *tags):
        if not name.startswith(ID) and not why_not_image(name):
            return name
    return ""


def _digest(reference: str, digests: list[str]) -> str:
    """The digest that the image has in its own repository; empty for one that was built there."""
    if not reference:
        return ""
    repository = parse_reference(reference).repository
    for one in digests:
        name, _, digest = one.partition("@")
        try:
            if parse_reference(name).repository == repository:
                return digest
        except BadReference:
            continue
    return ""
