"""What an engine answers, as our own words for it. Whatever is missing in an answer is empty here."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from devices.drivers.engine import Image, Platform, Published, Volume
from devices.drivers.engine_containers import Container, ContainerDetails, Mount
from devices.drivers.references import checked_digest
from devices.errors import EngineUnreachable, NoSuchPlatform

Answer = Mapping[str, Any]

_HEALTH = re.compile(r"\((?:health: )?(starting|healthy|unhealthy)\)")
_NONE = "<none>"
_VARIANTS = {"armv5l": "v5", "armv6l": "v6", "armv7l": "v7"}


def mapping(answer: object) -> dict[str, Any]:
    """The answer, which is a JSON object: `EngineUnreachable` where it is something else."""
    if not isinstance(answer, dict):
        raise EngineUnreachable("What answers there is no Docker Engine.")
    return answer


def image_of(answer: Answer) -> Image:
    """An image as `GET /images/NAME/json` describes it."""
    config = answer.get("Config") or {}
    return Image(
        id=str(answer.get("Id", "")),
        tags=_named(answer.get("RepoTags")),
        digests=_named(answer.get("RepoDigests")),
        labels=_texts(config.get("Labels")),
        size=_int(answer.get("Size")),
        created=_utc(str(answer.get("Created", ""))),
        platform=Platform(
            os=str(answer.get("Os", "")),
            architecture=str(answer.get("Architecture", "")),
            variant=str(answer.get("Variant") or ""),
        ),
    )


def says_not_there(words: str) -> bool:
    """Whether a registry's refusal, as an engine passes it on, means that it does not have the image."""
    return any(word in words.lower() for word in ("manifest unknown", "not found", "name unknown"))


def published_of(answer: Answer, platform: Platform, *, reference: str) -> Published:
    """What `GET /distribution/NAME/json` says. `NoSuchPlatform` if it is for other platforms alone."""
    digest = checked_digest(str(mapping(answer.get("Descriptor")).get("digest", "")))
    offered = [mapping(one) for one in answer.get("Platforms") or []]
    found = {(str(one.get("os", "")), str(one.get("architecture", ""))) for one in offered}
    if found and (platform.os, platform.architecture) not in found:
        there = sorted("/".join(pair) for pair in found)
        says = f"{reference} is there for {', '.join(there)}, not for {platform}."
        raise NoSuchPlatform(says, platforms=there)
    return Published(digest=digest, platform=platform)


def container_of(answer: Answer) -> Container:
    """A container as `GET /containers/json` lists it; its health is a word in its status there."""
    names = answer.get("Names") or [""]
    health = _HEALTH.search(str(answer.get("Status", "")))
    mounts = answer.get("Mounts") or []
    bound = [one for one in map(_mount_of, mounts) if one.kind == "bind" and one.writable]
    return Container(
        id=str(answer.get("Id", "")),
        name=str(names[0]).removeprefix("/"),
        image_id=str(answer.get("ImageID", "")),
        image=str(answer.get("Image", "")),
        state=str(answer.get("State", "")),
        health=health.group(1) if health else "",
        labels=_texts(answer.get("Labels")),
        volumes=sorted(str(mount["Name"]) for mount in mounts if mount.get("Name")),
        network_mode=str((answer.get("HostConfig") or {}).get("NetworkMode", "")),
        written_paths=sorted({one.source for one in bound}),
    )


def details_of(answer: Answer) -> ContainerDetails:
    """A container as `GET /containers/NAME/json` describes it."""
    config, state = answer.get("Config") or {}, answer.get("State") or {}
    host = answer.get("HostConfig") or {}
    networks = (answer.get("NetworkSettings") or {}).get("Networks") or {}
    health = str((state.get("Health") or {}).get("Status", ""))
    return ContainerDetails(
        id=str(answer.get("Id", "")),
        name=str(answer.get("Name", "")).removeprefix("/"),
        image_id=str(answer.get("Image", "")),
        image=str(config.get("Image", "")),
        state=str(state.get("Status", "")),
        exit_code=_int(state.get("ExitCode")),
        health="" if health == "none" else health,
        restart_count=_int(answer.get("RestartCount")),
        started_at=_utc(str(state.get("StartedAt", "")), to="microseconds"),
        finished_at=_utc(str(state.get("FinishedAt", "")), to="microseconds"),
        labels=_texts(config.get("Labels")),
        mounts=[_mount_of(mount) for mount in answer.get("Mounts") or []],
        networks={name: _address_of(one) for name, one in networks.items()},
        restart_policy=str((host.get("RestartPolicy") or {}).get("Name") or "no"),
        auto_remove=host.get("AutoRemove") is True,
        network_mode=str(host.get("NetworkMode", "")),
        raw=answer,
    )


def _mount_of(answer: Answer) -> Mount:
    return Mount(
        kind=str(answer.get("Type", "")),
        volume=str(answer.get("Name", "")),
        source=str(answer.get("Source", "")),
        target=str(answer.get("Destination", "")),
        writable=answer.get("RW") is True,
    )


def _address_of(endpoint: Answer) -> str:
    return str(endpoint.get("IPAddress") or endpoint.get("GlobalIPv6Address") or "")


def volume_of(answer: Answer) -> Volume:
    """A volume as `GET /volumes/NAME` describes it."""
    return Volume(
        name=str(answer.get("Name", "")),
        driver=str(answer.get("Driver", "")),
        mountpoint=str(answer.get("Mountpoint", "")),
        labels=_texts(answer.get("Labels")),
        options=_texts(answer.get("Options")),
    )


def platform_of(version: Answer, info: Answer) -> Platform:
    """The engine's own platform: the variant of an ARM is the kernel's business, and only `info` tells it."""
    return Platform(
        os=str(version.get("Os", "")),
        architecture=str(version.get("Arch", "")),
        variant=_VARIANTS.get(str(info.get("Architecture", "")), ""),
    )


def _named(values: object) -> list[str]:
    names = values if isinstance(values, list) else []
    return sorted(str(name) for name in names if not str(name).startswith(_NONE))


def _texts(values: object) -> dict[str, str]:
    pairs = values if isinstance(values, dict) else {}
    return {str(key): str(value) for key, value in pairs.items()}


def time_of(text: str) -> datetime.datetime | None:
    """The moment that an engine means: it says nanoseconds, and whatever offset it runs with. None: that is no time."""
    try:
        when = datetime.datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
    except ValueError:
        return None
    return when.astimezone(datetime.UTC)


def _utc(text: str, *, to: str = "seconds") -> str:
    when = time_of(text)
    # Year 1 is how an engine says that it has not happened yet.
    return when.isoformat(timespec=to) if when and when.year > 1 else ""


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0
