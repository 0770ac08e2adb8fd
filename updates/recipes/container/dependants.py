"""Containers that have no network but another's: they lose it when that one is made again."""

from __future__ import annotations

from collections.abc import Sequence

from devices.drivers.engine_containers import Container, ContainerDetails
from updates.recipes.container.endpoints import SHARES


def dependants(
    of: Container | ContainerDetails, containers: Sequence[Container]
) -> list[Container]:
    """Those of the containers that share the network of `of`, also through each other, in the order to make them again in."""
    found: list[Container] = []
    shared: list[Container | ContainerDetails] = [of]
    while shared:
        other = shared.pop(0)
        modes = {f"{SHARES}{other.id}", f"{SHARES}{other.name}"}
        new = [one for one in containers if one.network_mode in modes and one not in found]
        found += new
        shared += new
    return found
