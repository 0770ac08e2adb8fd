"""A container's places in networks, as another container in its stead needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address
from typing import Any, Final

from devices.drivers.engine_containers import ContainerDetails

SHARES: Final = "container:"
"""How the network mode begins of a container that has no network but another's. The other's name or id follows."""

_SHORT_ID: Final = 12
_DEFAULT: Final = "bridge"
# Besides these, an engine tells what it gave the container itself.
_CHOSEN: Final = ("IPAMConfig", "Links", "DriverOpts", "GwPriority")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A place in the network of that name, with the engine's `EndpointSettings`."""

    network: str
    settings: dict[str, Any]


def endpoints_of(container: ContainerDetails) -> tuple[Endpoint | None, list[Endpoint]]:
    """The place that the container is made with, None if it has none, and those that it is connected to afterwards.

    The first is the one that it was made with, if it still is in that network.
    """
    networks: Mapping[str, Any] = (container.raw.get("NetworkSettings") or {}).get("Networks") or {}
    mode = _DEFAULT if container.network_mode in ("", "default") else container.network_mode
    names = sorted(
        networks, key=lambda name: (mode not in (name, networks[name].get("NetworkID")), name)
    )
    found = [Endpoint(name, _settings(networks[name], container.id)) for name in names]
    return (found[0], found[1:]) if found else (None, [])


def _settings(endpoint: Mapping[str, Any], container_id: str) -> dict[str, Any]:
    chosen = {key: endpoint[key] for key in _CHOSEN if endpoint.get(key)}
    # Engines before 25 add the container's own id to what it is called there.
    aliases = [one for one in endpoint.get("Aliases") or [] if one != container_id[:_SHORT_ID]]
    if aliases:
        chosen["Aliases"] = aliases
    mac = str(endpoint.get("MacAddress") or "")
    if mac and mac.lower() != _derived(str(endpoint.get("IPAddress") or "")):
        chosen["MacAddress"] = mac
    return chosen


def _derived(address: str) -> str:
    """The hardware address that engines make of an IPv4 address, where nobody has chosen one."""
    try:
        octets = IPv4Address(address).packed
    except AddressValueError:
        return ""
    return ":".join(f"{octet:02x}" for octet in b"\x02\x42" + octets)
