"""Looking at engines: a job asks, and what they say is kept for pages, commands and the API."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db.models import F, Q
from django.utils.module_loading import import_string

from devices.drivers.commands import demand_success
from devices.drivers.engine import Engine, Image
from devices.drivers.engine_containers import Container
from devices.drivers.shell import Shell
from devices.errors import DeviceError
from devices.models import Device, EngineAccess, EngineLook
from devices.services.engines import opened_engine
from devices.services.reach import opened, require_way_in
from portal.core import clock
from portal.core.actors import Actor
from portal.core.errors import Refused

JOB: Final = "devices.jobs.look_at_engine"
MOST_IMAGES: Final = 2000
"""Of one engine that more is said of by nobody: what is beyond is not kept."""
MOST_VOLUMES: Final = 50
AT_ONCE: Final = 200
SHORT_SECONDS: Final = 30.0
# Says the number of each of the paths that is a directory: a path may hold anything.
_ARE_FOLDERS: Final = 'n=0; for path; do [ ! -d "$path" ] || echo "$n"; n=$((n + 1)); done'
PROJECT: Final = "com.docker.compose.project"
"""The label that says which Compose project a container belongs to."""


def request_look(*, device: Device, actor: Actor) -> EngineLook:
    """A worker will ask the device's engine; nothing new if one is about to. Refused where nobody said how it is reached."""
    actor.require("devices.refresh_device")
    require_way_in(device)
    if not EngineAccess.objects.filter(device=device).exists():
        raise Refused(f"How the Docker Engine of {device} is reached is not known: say it first.")
    look = EngineLook.objects.filter(device=device).first()
    if look is not None and look.is_being_taken:
        return look
    look, _ = EngineLook.objects.update_or_create(device=device, defaults={"asked_at": clock.now()})
    _start(look)
    return look


def take_look(pk: int | str) -> EngineLook:
    """The engine was asked: what it said is kept, or the reason why it said nothing."""
    look = EngineLook.objects.select_related("device__credential").get(pk=pk)
    rows = EngineLook.objects.filter(pk=look.pk)
    try:
        with opened_engine(look.device) as engine:
            said = _said(engine)
    except DeviceError as error:
        rows.update(error=str(error)[:500], error_at=clock.now())
    else:
        said |= {"free_bytes": None} | _seen_by_shell(look.device, said)
        rows.update(**said, error="", error_at=None, answered_at=clock.now())
    look.refresh_from_db()
    return look


def look_again(device: Device) -> EngineLook:
    """The engine was asked right now, by a job that has changed what it has."""
    look, _ = EngineLook.objects.update_or_create(device=device, defaults={"asked_at": clock.now()})
    return take_look(look.pk)


def recover_looks(known: set[str]) -> None:
    """Looks that were asked for, and whose job is not among `known`, have a job again."""
    heard = Q(answered_at__gte=F("asked_at")) | Q(error_at__gte=F("asked_at"))
    for look in EngineLook.objects.exclude(heard).only("asked_at"):
        if job_id(look) not in known:
            _start(look)


def job_id(look: EngineLook) -> str:
    """The id of the job that looks; another one for each time it is asked for."""
    return f"engine-{look.pk}-{look.asked_at.timestamp():.0f}"


def _start(look: EngineLook) -> None:
    enqueue: Callable[..., None] = import_string(settings.START_JOB)
    enqueue(JOB, argument=str(look.pk), job=job_id(look))


def _said(engine: Engine) -> dict[str, Any]:
    return {
        "version": engine.version()[:200],
        "platform": str(engine.platform())[:100],
        "root_dir": engine.root_dir()[:500],
        "images": [_image(image) for image in engine.images()[:MOST_IMAGES]],
        "containers": [
            _container(container) for container in engine.containers.all()[:MOST_IMAGES]
        ],
    }


def _image(image: Image) -> dict[str, Any]:
    return {
        "id": image.id,
        "tags": image.tags,
        "digests": image.digests,
        "size": image.size,
        "created": image.created,
    }


def _container(container: Container) -> dict[str, Any]:
    """What pages tell of it. The environment is not among it: that holds secrets."""
    return {
        "name": container.name,
        "image_id": container.image_id,
        "image": container.image[:500],
        "state": container.state,
        "project": container.labels.get(PROJECT, "")[:200],
        "volumes": container.volumes[:MOST_VOLUMES],
        "written_paths": container.written_paths[:MOST_VOLUMES],
        "folders": [],
    }


def _seen_by_shell(device: Device, said: dict[str, Any]) -> dict[str, Any]:
    """The room that the engine has, and which of the paths that containers write to are folders. Nothing without a shell."""
    seen: dict[str, Any] = {}
    with contextlib.suppress(DeviceError), opened(device) as shell:
        with contextlib.suppress(DeviceError):
            seen["free_bytes"] = shell.free_bytes(said["root_dir"])
        rows = said["containers"]
        folders = _folders(shell, sorted({path for row in rows for path in row["written_paths"]}))
        seen["containers"] = [
            {**row, "folders": [path for path in row["written_paths"] if path in folders]}
            for row in rows
        ]
    return seen


def _folders(shell: Shell, paths: list[str]) -> set[str]:
    found: set[str] = set()
    for at in range(0, len(paths), AT_ONCE):
        command = ["sh", "-c", _ARE_FOLDERS, "sh", *paths[at : at + AT_ONCE]]
        result = shell.run(command, limit_seconds=SHORT_SECONDS)
        numbers = demand_success(result).split()
        found |= {paths[at + int(number)] for number in numbers}
    return found
