"""Which version of a watched container is the newest: asked of its registry by jobs, kept with its age."""

from __future__ import annotations

import platform
from datetime import timedelta
from typing import Any, Final

import structlog
from django.conf import settings
from django.db.models import F

from devices.drivers.engine import Platform
from devices.drivers.references import Reference, parse_reference
from devices.drivers.registry import Manifest, resolve, tags
from devices.errors import DeviceError, NoSuchPlatform, NotInRegistry
from devices.models import EngineLook
from devices.services.engines import opened_engine, registry_login
from portal.core import audit, clock
from portal.core.actors import Actor
from portal.core.errors import Refused
from updates import dispatch
from updates.formats.image_versions import is_older, newer_versions, notes_url, read_version
from updates.machine import Outcome
from updates.models import Upgrade, WatchedContainer
from updates.services.watching import changing, require_watched

log = structlog.get_logger(__name__)

JOB: Final = "updates.jobs.run_version_check"
ASK: Final = "updates.upgrade_container"
AT_ONCE: Final = 200
TRIED: Final = 5
"""So many of the newest versions are looked at until one is there for the platform."""
LONGEST: Final = 100
MOST_SKIPPED: Final = 50
LONGEST_SNOOZE_DAYS: Final = 365
OFF: Final = "Looking for newer versions is turned off (VERSION_CHECK_DISABLED)."
_MACHINES: Final = {
    "x86_64": Platform("linux", "amd64"),
    "aarch64": Platform("linux", "arm64"),
    "armv7l": Platform("linux", "arm", "v7"),
    "armv6l": Platform("linux", "arm", "v6"),
}


def request_version_check(*, watched: WatchedContainer, actor: Actor) -> None:
    """A worker will ask the registry. Refused where that is turned off."""
    actor.require(ASK)
    require_watched(watched)
    if settings.VERSION_CHECK_DISABLED:
        raise Refused(OFF)
    audit.record(actor=actor, action="container.check_version", subject=watched.instance)
    _ask(watched)


def carry_out_version_check(watched: WatchedContainer) -> str:
    """What is newest is on record, and nothing is returned; or the last good answer stays, with the sentence why."""
    rows = WatchedContainer.objects.filter(pk=watched.pk)
    try:
        found = _newest(watched)
    except DeviceError as error:
        log.warning("registry does not say", container=str(watched), error=str(error))
        rows.update(error=str(error)[:500])
        return str(error)
    rows.update(**found, error="", answered_at=clock.now())
    return ""


def recover_version_checks(known: set[str]) -> None:
    """What was asked for has a job unless its id is among `known`; what is due is asked for.

    Due is what was not asked for `settings.VERSION_CHECK_SECONDS`. Nobody is asked where that is turned off.
    """
    if settings.VERSION_CHECK_DISABLED:
        return
    limit = clock.now() - timedelta(seconds=settings.VERSION_CHECK_SECONDS)
    rows = WatchedContainer.objects.filter(unwatched_at=None).select_related("instance")
    for watched in rows.order_by(F("asked_at").asc(nulls_first=True))[:AT_ONCE]:
        if is_being_asked(watched):
            if job_id(watched) not in known:
                _start(watched)
        elif watched.asked_at is None or watched.asked_at < limit:
            _ask(watched)


def is_being_asked(watched: WatchedContainer) -> bool:
    """Whether its registry was asked, and has neither answered nor failed to since."""
    asked, answered = watched.asked_at, watched.answered_at
    return asked is not None and not watched.error and (answered is None or answered < asked)


def job_id(watched: WatchedContainer) -> str:
    """The id of the job that asks; another one for each time it is asked for."""
    asked = watched.asked_at.timestamp() if watched.asked_at else 0
    return f"version-{watched.pk}-{asked:.0f}"


def skip_version(
    *, watched: WatchedContainer, version: str, actor: Actor, reason: str = ""
) -> None:
    """The version is not offered there any more; the next best is looked for.

    Of a tag that floats it is the image that it means now: the next one is offered again.
    """
    version = version.strip()
    data = {"version": version}
    with changing(watched, actor, "container.skip", reason=reason, data=data) as row:
        if not 0 < len(version) <= LONGEST:
            raise Refused("Say which version is to be skipped.")
        is_newest, floats = row.newest == version, _image_under(version, row.newest_digest)
        said = floats if is_newest and floats and read_version(version) is None else version
        row.skipped = [*(one for one in row.skipped if one != said), said][-MOST_SKIPPED:]
        if is_newest:
            row.newest, row.asked_at = "", None  # due at once


def offer_version(*, watched: WatchedContainer, version: str, actor: Actor) -> None:
    """The version is offered there again."""
    with changing(watched, actor, "container.offer", data={"version": version}) as row:
        if version not in row.skipped:
            raise Refused(f"Version {version} is not skipped there.")
        row.skipped = [one for one in row.skipped if one != version]
        row.asked_at = None


def snooze(*, watched: WatchedContainer, days: int, actor: Actor, reason: str = "") -> None:
    """Nobody is told of newer versions of it for so many days; 0: from now on they are told again."""
    if not 0 <= days <= LONGEST_SNOOZE_DAYS:
        raise Refused(f"0 to {LONGEST_SNOOZE_DAYS} days.")
    with changing(watched, actor, "container.snooze", reason=reason, data={"days": days}) as row:
        row.snoozed_until = clock.now() + timedelta(days=days) if days else None


def look_anew(upgrade: Upgrade) -> None:
    """Called when an upgrade is over: what is newest is asked anew where it is not newer than what runs now."""
    if upgrade.instance_id is None or upgrade.outcome != Outcome.SUCCEEDED:
        return
    watched = (
        WatchedContainer.objects.filter(instance=upgrade.instance_id)
        .select_related("instance")
        .first()
    )
    if watched is None or is_older(watched.instance.version, than=watched.newest):
        return
    WatchedContainer.objects.filter(pk=watched.pk).update(newest="", asked_at=None)


def in_registry(image: str, watched: WatchedContainer) -> Manifest:
    """What its registry has under that name for its platform. DeviceError when it has it not, or does not answer."""
    return resolve(
        image, platform=_platform(watched), login=registry_login(image),
        limit_seconds=settings.REGISTRY_LIMIT_SECONDS,
    )  # fmt: skip


def _newest(watched: WatchedContainer) -> dict[str, Any]:
    """The fields that say what is newest. DeviceError when nobody says it."""
    reference = parse_reference(watched.image).tagged()
    runs = _platform(watched)
    nothing = {"newest": reference.tag, "newest_digest": watched.digest, "notes_url": ""}
    if read_version(reference.tag) is None:
        found = _there(reference, runs)
        if found is None:
            raise NotInRegistry(f"{watched.image} is not in its registry for {runs}.")
        is_same = watched.image_id == found.image_id or watched.digest == found.digest
        is_skipped = _image_under(reference.tag, found.digest) in watched.skipped
        return nothing if is_same or is_skipped else _fields(watched, reference.tag, found)
    login = registry_login(watched.image)
    listed = tags(reference.repository, login=login, limit_seconds=settings.REGISTRY_LIMIT_SECONDS)
    newer = newer_versions(
        (tag for tag in listed if len(tag) <= LONGEST), running=reference.tag, skipped=watched.skipped,
        candidates=watched.track == WatchedContainer.Track.CANDIDATE,
    )  # fmt: skip
    for tag in newer[:TRIED]:
        found = _there(Reference(reference.host, reference.path, tag), runs)
        if found is not None:
            return _fields(watched, tag, found)
    return nothing


def _image_under(tag: str, digest: str) -> str:
    """What is skipped where a tag floats; empty where nobody knows what it means."""
    return f"{tag}@{digest}" if digest else ""


def _there(reference: Reference, runs: Platform) -> Manifest | None:
    """What the registry has for the platform; None: it has that not, whatever its list says."""
    text = str(reference)
    try:
        found = resolve(
            text, platform=runs, login=registry_login(text),
            limit_seconds=settings.REGISTRY_LIMIT_SECONDS,
        )  # fmt: skip
    except (NoSuchPlatform, NotInRegistry):
        return None
    theirs = found.platform.architecture
    return found if theirs in ("", runs.architecture) else None


def _fields(watched: WatchedContainer, tag: str, found: Manifest) -> dict[str, Any]:
    return {
        "newest": tag,
        "newest_digest": found.digest,
        "notes_url": notes_url(tag, found.labels, template=watched.notes_template),
    }


def _platform(watched: WatchedContainer) -> Platform:
    """What its engine runs, as it said when it was asked last. The portal runs on this machine."""
    device = watched.instance.device
    look = EngineLook.objects.filter(device=device).only("platform").first()
    if look is not None and look.platform:
        system, architecture, *variant = look.platform.split("/")
        return Platform(system, architecture, "".join(variant))
    if watched.is_portal:
        return _MACHINES.get(platform.machine(), Platform("linux", platform.machine()))
    with opened_engine(device) as engine:
        return engine.platform()


def _ask(watched: WatchedContainer) -> None:
    watched.asked_at, watched.error = clock.now(), ""
    watched.save(update_fields=["asked_at", "error"])
    _start(watched)


def _start(watched: WatchedContainer) -> None:
    dispatch.start_job(JOB, argument=str(watched.pk), job=job_id(watched))
