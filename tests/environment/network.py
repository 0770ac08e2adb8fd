"""A network of its own, joined to the machine by one link: what runs in it cannot touch the machine's network."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.environment.programs import need_root, program
from tests.environment.workdir import owner_is_dead

NAMESPACES = Path("/run/netns")
PREFIX = "fwtest-"

_numbers = count(1)


@dataclass(frozen=True)
class PrivateNetwork:
    """A network namespace. `inside` is its address as seen from the machine, `outside` the machine's as seen from it.

    The addresses are of 198.18.0.0/15, which RFC 2544 keeps for test networks: nobody's real network has them.
    Nothing is forwarded further: what is inside reaches this machine, and no other.
    """

    name: str
    inside: str
    outside: str

    def command(self, *command: str) -> list[str]:
        """The command line that runs `command` inside."""
        return ["nsenter", f"--net={NAMESPACES / self.name}", "--", *command]

    def ip(self, *arguments: str) -> str:
        """The answer of `ip ARGUMENTS`, run inside."""
        return _ip("-n", self.name, *arguments)

    def remove(self) -> None:
        """The namespace and the link are gone, as soon as nothing runs inside any more."""
        _ip("netns", "delete", self.name)


def private_network() -> PrivateNetwork:
    """A new network. Skips the test where namespaces are not to be had."""
    need_root("a private network")
    program("ip", package="iproute2")
    for entry in NAMESPACES.glob(f"{PREFIX}*"):
        if owner_is_dead(entry.name):
            with suppress(RuntimeError):  # another test process may have been quicker
                _ip("netns", "delete", entry.name)
    name = f"{PREFIX}{os.getpid()}-{next(_numbers)}"
    _ip("netns", "add", name)
    try:
        number = _link(name)
    except BaseException:
        _ip("netns", "delete", name)
        raise
    network = PrivateNetwork(name=name, inside=_address(number, 2), outside=_address(number, 1))
    _ip("address", "add", f"{network.outside}/30", "dev", f"fwtest{number}")
    _ip("link", "set", f"fwtest{number}", "up")
    network.ip("address", "add", f"{network.inside}/30", "dev", "uplink")
    network.ip("link", "set", "uplink", "up")
    network.ip("link", "set", "lo", "up")
    network.ip("route", "add", "default", "via", network.outside)
    return network


def _link(namespace: str) -> int:
    """The number of a link that no other test process has; the kernel refuses a name that is taken."""
    for number in range(256):
        device = f"fwtest{number}"
        if Path("/sys/class/net", device).exists():
            continue
        try:
            _ip("link", "add", device, "type", "veth", "peer", "name", "uplink", "netns", namespace)
        except RuntimeError:
            if Path("/sys/class/net", device).exists():
                continue
            raise
        return number
    raise RuntimeError("256 test networks exist already")


def _address(number: int, host: int) -> str:
    return f"198.18.{number}.{host}"


def _ip(*arguments: str) -> str:
    finished = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise RuntimeError(f"ip {' '.join(arguments)}: {finished.stderr.strip()}")
    return finished.stdout
