"""A container once more, with another image: what somebody chose for it stays, what its old image gave it does not.

An engine tells of a container what it runs with, whoever said so. What equals the old image's own configuration is taken to be
inherited: kept, it would shadow what the new image says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devices.drivers.engine_containers import ContainerDetails
from updates.recipes.container.endpoints import SHARES, Endpoint, endpoints_of

UPGRADE_LABEL: Final = "io.fleetwright.upgrade"
"""Whose value is the id of the upgrade that made the container."""

Config = Mapping[str, Any]
Body = dict[str, Any]

_CHOSEN: Final = (
    "AttachStderr",
    "AttachStdin",
    "AttachStdout",
    "Domainname",
    "NetworkDisabled",
    "OpenStdin",
    "StdinOnce",
    "StopTimeout",
    "Tty",
)
_SINGLE: Final = ("User", "WorkingDir", "StopSignal")
_SHORT_ID: Final = 12
_SPACES: Final = ("NetworkMode", "IpcMode", "PidMode")
# What a container that shares another's network cannot have of its own.
_NOT_SHARED: Final = ("Hostname", "Domainname", "MacAddress", "ExposedPorts")


@dataclass(frozen=True, slots=True)
class Clone:
    """`body` makes the container, in one network at most; it is to be connected to `others` before it starts."""

    body: Body
    others: list[Endpoint]


def clone(
    container: ContainerDetails,
    *,
    old_image: Config,
    image: str,
    upgrade: str,
    names: Mapping[str, str],
) -> Clone:
    """What makes `container` again with the image of that reference, marked as the upgrade's.

    `old_image` is the configuration of the image that it has now. `names` are those of containers that are made again too, by
    the ids that they had: whoever shares what was theirs, a network, shares that of the new one.
    """
    config, host = container.raw.get("Config") or {}, dict(container.raw.get("HostConfig") or {})
    host |= {space: _by_name(host[space], names) for space in _SPACES if host.get(space)}
    host["Links"] = [_link(link) for link in host.get("Links") or []]
    host["Binds"], host["Mounts"] = _data(container, host)
    host.pop("ContainerIDFile", None)
    body = _config(config, old_image, host) | {"Image": image, "HostConfig": host}
    body["Labels"] = _kept(config.get("Labels"), old_image.get("Labels")) | {UPGRADE_LABEL: upgrade}
    if config.get("Hostname") != container.id[:_SHORT_ID] and host.get("UTSMode") != "host":
        body["Hostname"] = config.get("Hostname", "")
    if str(host.get("NetworkMode", "")).startswith(SHARES):
        return Clone({key: body[key] for key in body if key not in _NOT_SHARED}, [])
    first, others = endpoints_of(container)
    if first is not None:
        host["NetworkMode"] = first.network
    if first is not None and first.settings:
        body["NetworkingConfig"] = {"EndpointsConfig": {first.network: first.settings}}
    return Clone(body, others)


def _config(config: Config, old_image: Config, host: Config) -> Body:
    """What the body says besides image, labels, host name and networks."""
    body = {key: config[key] for key in _CHOSEN if config.get(key) is not None}
    if config.get("MacAddress"):  # engines before API 1.44 have it here
        body["MacAddress"] = config["MacAddress"]
    body |= {key: config[key] for key in _SINGLE if config.get(key) != old_image.get(key)}
    body |= _command(config, old_image)
    body["Env"] = [
        one for one in config.get("Env") or [] if one not in (old_image.get("Env") or [])
    ]
    body["Volumes"] = _kept(config.get("Volumes"), old_image.get("Volumes"))
    published = host.get("PortBindings") or {}
    inherited = {port for port in old_image.get("ExposedPorts") or {} if port not in published}
    body["ExposedPorts"] = _without(config.get("ExposedPorts"), inherited)
    if health := _kept(config.get("Healthcheck"), old_image.get("Healthcheck")):
        body["Healthcheck"] = health  # the engine takes from the image what is not said here
    return {key: value for key, value in body.items() if value not in (None, "", {}, [])}


def _command(config: Config, old_image: Config) -> Body:
    """Entrypoint and command. An image's own command goes with its own entrypoint alone."""
    entrypoint, command = list(config.get("Entrypoint") or []), list(config.get("Cmd") or [])
    if entrypoint != list(old_image.get("Entrypoint") or []):
        return {
            "Entrypoint": entrypoint or [""],
            "Cmd": command,
        }  # [""]: none, whatever the image says
    return {} if command == list(old_image.get("Cmd") or []) else {"Cmd": command}


def _data(container: ContainerDetails, host: Config) -> tuple[list[str], list[Body]]:
    """Binds and mounts, with the volumes that the engine named itself by these names: the data stays."""
    binds = [bind for bind in host.get("Binds") or [] if ":" in bind]
    mounts = [mount for mount in host.get("Mounts") or [] if not _is_anonymous(mount)]
    placed = {bind.split(":")[1] for bind in binds} | {mount.get("Target") for mount in mounts}
    unnamed = {
        mount.get("Target"): mount for mount in host.get("Mounts") or [] if _is_anonymous(mount)
    }
    for mount in container.mounts:
        if mount.kind == "volume" and mount.target not in placed:
            of_it = {"Type": "volume", "Target": mount.target, "ReadOnly": not mount.writable}
            mounts.append({**unnamed.get(mount.target, of_it), "Source": mount.volume})
    return binds, mounts


def _is_anonymous(mount: Config) -> bool:
    return mount.get("Type") == "volume" and not mount.get("Source")


def _by_name(mode: str, names: Mapping[str, str]) -> str:
    other = mode.removeprefix(SHARES)
    return f"{SHARES}{names[other]}" if mode.startswith(SHARES) and other in names else mode


def _link(link: str) -> str:
    """`/other:/this/alias`, as engines tell it, in the form in which they want to be told."""
    other, _, alias = link.partition(":")
    return f"{other.removeprefix('/')}:{alias.rsplit('/', 1)[-1]}"


def _kept(values: object, inherited: object) -> dict[str, Any]:
    ours = values if isinstance(values, dict) else {}
    theirs = inherited if isinstance(inherited, dict) else {}
    return {key: value for key, value in ours.items() if theirs.get(key, _NOTHING) != value}


def _without(values: object, keys: Iterable[str]) -> dict[str, Any]:
    ours = values if isinstance(values, dict) else {}
    return {key: value for key, value in ours.items() if key not in keys}


_NOTHING: Final = object()
