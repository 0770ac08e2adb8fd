"""How a watched container is upgraded, and which versions it is offered: what people set."""

from __future__ import annotations

import json
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.db import transaction

from devices.drivers.words import absolute
from devices.errors import UnsafeName
from portal.core import audit
from portal.core.actors import Actor
from portal.core.edits import changes_of
from updates.models import WatchedContainer
from updates.recipes.container.data_places import folders_of_data, is_folder, why_no_data
from updates.services.installations import require_probes, require_volumes
from updates.services.watching import CHANGE, require_watched
from updates.watchdog.admission import NO_PROBE, PROBES

SETTINGS: Final = (
    "containers", "project_dir", "backup_dir", "keeps_backups", "volumes", "hook", "dumps", "probes", "health_seconds",
    "stop_seconds", "track", "notes_template",
)  # fmt: skip
MOST: Final = 20
LONGEST: Final = 1000
LONGEST_WAIT: Final = 4 * 3600
DUMP: Final = ("container", "command", "file", "restore")


def save_watched(*, watched: WatchedContainer, actor: Actor) -> WatchedContainer:
    """The settings are as given, for the next upgrade. Django's ValidationError, by field, when that cannot be.

    Which containers they are stays; only the order in which they stop is a setting.
    """
    actor.require(CHANGE)
    require_watched(watched)
    watched.full_clean()
    require_volumes(watched.volumes)
    _require_folders(watched.volumes)
    require_probes(watched.probes)
    if watched.is_portal:
        _require_own_probes(watched.probes)
    _require_places(watched)
    _require_waits(watched)
    if watched.hook:
        _require_words("hook", watched.hook)
    _require_dumps(watched.dumps)
    before = WatchedContainer.objects.get(pk=watched.pk)
    if sorted(map(str, watched.containers)) != sorted(before.containers):
        raise ValidationError({"containers": "These are others: stop watching, and watch those."})
    changes = changes_of(watched, fields=SETTINGS)
    with transaction.atomic():
        watched.save(update_fields=SETTINGS)
        audit.record(
            actor=actor, action="container.change", subject=watched.instance,
            data={"changes": changes},
        )  # fmt: skip
    return watched


def _require_own_probes(probes: list[dict[str, Any]]) -> None:
    for probe in probes:
        if probe["kind"] not in PROBES:
            raise ValidationError({"probes": NO_PROBE.format(kind=probe["kind"])})


def _require_places(watched: WatchedContainer) -> None:
    for field in ("backup_dir", "project_dir"):
        place = getattr(watched, field)
        try:
            if place and absolute(place) in ("", "/"):
                raise ValidationError({field: "That is the whole device: choose a folder in it."})
        except UnsafeName as error:
            raise ValidationError({field: str(error)}) from None


def _require_folders(volumes: list[str]) -> None:
    for path in filter(is_folder, volumes):
        try:
            why_not = why_no_data(path) or (
                "" if absolute(path) == path else f"Write {absolute(path)}."
            )
        except UnsafeName as error:
            why_not = str(error)
        if why_not:
            raise ValidationError({"volumes": why_not})
    lone = folders_of_data(filter(is_folder, volumes))
    if inner := next((one for one in volumes if is_folder(one) and one not in lone), None):
        raise ValidationError({"volumes": f"{inner} is in another one of these folders already."})


def _require_waits(watched: WatchedContainer) -> None:
    for field in ("health_seconds", "stop_seconds"):
        if not 0 < getattr(watched, field) <= LONGEST_WAIT:
            raise ValidationError({field: f"1 to {LONGEST_WAIT} seconds."})


def _require_words(field: str, words: object) -> None:
    """A command as a list of words, so that no shell reads it unless it names one."""
    is_list = isinstance(words, list) and 0 < len(words) <= MOST
    if not is_list or not all(_is_word(word) for word in list(words)):  # type: ignore[call-overload]
        raise ValidationError({field: f"A command as a list of words, {MOST} at most."})


def _is_word(word: object) -> bool:
    return isinstance(word, str) and len(word) <= LONGEST and "\0" not in word


def _require_dumps(dumps: object) -> None:
    rows: list[Any] = dumps if isinstance(dumps, list) else [None]
    if len(rows) > MOST or not all(isinstance(row, dict) and set(row) == {*DUMP} for row in rows):
        raise ValidationError({"dumps": f"Each dump says {', '.join(DUMP)}; {MOST} at most."})
    for row in rows:
        _require_words("dumps", row["command"])
        _require_words("dumps", row["restore"])
        if not _is_word(row["container"]) or not row["container"]:
            raise ValidationError({"dumps": "A dump's container is the name of one."})
        try:
            absolute(str(row["file"]))
        except UnsafeName as error:
            raise ValidationError({"dumps": str(error)}) from None
    if len(json.dumps(rows)) > LONGEST * MOST:
        raise ValidationError({"dumps": "They are too long."})
