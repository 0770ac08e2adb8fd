"""All that stands of a set of containers, so that two of them can be compared: exactly the old, or exactly the new."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

OURS: Final = "io.fleetwright."
COMPOSES: Final = "com.docker.compose."
KEPT_OF_COMPOSE: Final = (f"{COMPOSES}project", f"{COMPOSES}service", f"{COMPOSES}oneoff")
"""Of what Compose writes on a container, that which says whose it is. The rest is its bookkeeping."""
AFFINITY: Final = "affinity:container=="
"""Compose 1 tells Swarm so, in the environment of what it makes anew, where to put it."""
UNNAMED: Final = re.compile(r"[0-9a-f]{64}")
# What is compared by itself, in words that do not depend on how somebody said it.
_APART: Final = ("Binds", "Mounts", "NetworkMode", "ContainerIDFile", "Links")
_SHORT_ID: Final = 12


@dataclass(frozen=True, slots=True)
class Standing:
    """Containers by name, their volumes' files, what is answered, what else there is on the engine and the device.

    `others` are the ids of all containers that nobody asked to touch, and whether they run unless that hangs on another one.
    `left` is what upgrades have left that may not keep anything.
    """

    containers: Mapping[str, Any]
    data: Mapping[str, str]
    answers: Mapping[str, str]
    others: Mapping[str, str]
    left: list[str]

    def differs(self, other: Standing, *, but: Iterable[str] = ()) -> list[str]:
        """Where they are not the same, a line each: `other`'s first."""
        found: list[str] = []
        for one in fields(self):
            if one.name not in but:
                mine, theirs = _flat(getattr(self, one.name)), _flat(getattr(other, one.name))
                found += [
                    f"{one.name}{place}: {theirs.get(place)} -> {mine.get(place)}"
                    for place in sorted({*mine, *theirs})
                    if mine.get(place) != theirs.get(place)
                ]
        return found


def described(raw: Mapping[str, Any], name_of: Callable[[str], str]) -> dict[str, Any]:
    """What an engine tells of a container, but for what is another each time: ids, times, addresses that it chose itself."""
    config, host, state = raw["Config"], raw["HostConfig"], raw["State"]
    mode, _, other = host["NetworkMode"].partition(":")
    own_name = raw["Id"][:_SHORT_ID]
    said = {key: value for key, value in config.items() if key not in ("Labels", "Env", "Hostname")}
    return {
        "image": raw["Image"],
        "runs": state["Status"],
        "health": (state.get("Health") or {}).get("Status", ""),
        "environment": sorted(one for one in config["Env"] or [] if not one.startswith(AFFINITY)),
        "labels": {key: one for key, one in (config["Labels"] or {}).items() if _is_said(key)},
        "hostname": "" if config["Hostname"] == own_name or other else config["Hostname"],
        "network mode": f"{mode}:{name_of(other)}" if other else mode,
        "networks": {
            name: _endpoint(one, own_name, raw["Name"].lstrip("/"))
            for name, one in raw["NetworkSettings"]["Networks"].items()
        },
        "mounts": {
            one["Destination"]: [
                one["Type"],
                UNNAMED.sub("", one.get("Name", one["Source"])),
                one["RW"],
            ]
            for one in raw["Mounts"]
        },
        "config": {key: value for key, value in said.items() if value},
        "host": {key: value for key, value in host.items() if value and key not in _APART},
    }


def files_below(folder: Path, *, with_places: bool = False) -> dict[str, str]:
    """Each path below the folder: what it is, its mode and owner, and the checksum of what it holds; where on the disk, too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        said = f"{status.st_mode:o} {status.st_uid}:{status.st_gid}"
        if path.is_symlink():
            said += f" -> {path.readlink()}"
        elif path.is_file():
            said += f" {hashlib.sha256(path.read_bytes()).hexdigest()}"
        found[str(path.relative_to(folder))] = said + (f" {status.st_ino}" if with_places else "")
    return found


def _is_said(label: str) -> bool:
    return not label.startswith((OURS, COMPOSES)) or label in KEPT_OF_COMPOSE


def _endpoint(one: Mapping[str, Any], own_name: str, name: str) -> dict[str, Any]:
    """Compose gives the container's own name as an alias, which it has anyway."""
    return {
        "aliases": sorted({*(one["Aliases"] or [])} - {own_name, name}),
        "address": (one["IPAMConfig"] or {}).get("IPv4Address", ""),
        "links": sorted(one["Links"] or []),
    }


def _flat(value: object, place: str = "") -> dict[str, str]:
    if isinstance(value, Mapping) and value:
        return {
            inner: said
            for key, one in value.items()
            for inner, said in _flat(one, f"{place} {key}").items()
        }
    return {place: json.dumps(value, sort_keys=True)}
