"""Ports of a device that its instances are given when they are installed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from portal.core.errors import Refused

FIRST: Final = 20000
LAST: Final = 45000
LISTED: Final = 8
"""As many are listed one by one, as NethServer does; of more only the range is given."""

Block = tuple[int, int]
"""The first port, and how many they are."""


def free_block(taken: Iterable[Block], count: int) -> int:
    """The first of `count` ports in a row that none of `taken` has. Refused when the device has no such room."""
    first = FIRST
    for start, size in sorted(taken):
        if start - first >= count:
            break
        first = max(first, start + size)
    if first + count - 1 > LAST:
        raise Refused(f"The device has no {count} ports in a row left between {FIRST} and {LAST}.")
    return first


def port_variables(protocol: str, first: int | None, count: int) -> dict[str, str]:
    """What the instance's environment says of them: `TCP_PORT`, `TCP_PORTS`, `TCP_PORTS_RANGE`; nothing of none."""
    if first is None or count == 0:
        return {}
    ports = range(first, first + count)
    said = {f"{protocol}_PORT": str(first)}
    if count <= LISTED:
        said[f"{protocol}_PORTS"] = ",".join(map(str, ports))
    if count > 1:
        said[f"{protocol}_PORTS_RANGE"] = f"{first}-{ports[-1]}"
    return said
