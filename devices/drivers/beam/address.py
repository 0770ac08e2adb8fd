"""Where an Erlang node is."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portal.core.errors import FleetwrightError

EPMD_PORT = 4369
_NODE = re.compile(r"[A-Za-z0-9_-]{1,100}@[A-Za-z0-9._-]{1,150}")
_APPLICATION = re.compile(r"[a-z][A-Za-z0-9_@]{0,99}|")


class AddressRefused(FleetwrightError):
    """A word of a node's address is none: the sentence says which."""


@dataclass(frozen=True, slots=True)
class BeamAddress:
    """A node by its name, and what of it is patched.

    `host` is dialled; empty, it is the host of the name. `root` is the folder of the system that runs there, `application`
    the OTP application whose version is the system's; empty, the node cannot tell its version.
    """

    node: str
    host: str = ""
    epmd_port: int = EPMD_PORT
    root: str = "/"
    application: str = ""

    def __post_init__(self) -> None:
        if not _NODE.fullmatch(self.node):
            raise AddressRefused("The node's name must be of the form name@host.")
        if not self.root.startswith("/") or "\0" in self.root:
            raise AddressRefused("The root must be an absolute path.")
        if not _APPLICATION.fullmatch(self.application):
            raise AddressRefused("The application must be the name of an OTP application.")

    @property
    def name(self) -> str:
        """The part of the node's name that epmd knows it by."""
        return self.node.partition("@")[0]

    @property
    def dialled(self) -> str:
        return self.host or self.node.partition("@")[2]
