"""How much a module's image may ask of us before it is refused."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """What goes beyond one of them is refused."""

    entries: int = 50_000
    """Files, directories and links of an imageroot."""
    path_bytes: int = 2048
    """A path below the imageroot; the place where it is installed comes before it, and a device takes 4096 in all."""
    name_bytes: int = 255
    """Each part of a path: what file systems take."""
    tree_bytes: int = 2 * GIB
    """The content of all files of an imageroot."""

    list_bytes: int = 64 * MIB
    """A list of installed files as read from a device."""

    environment_bytes: int = 1 * MIB
    """An instance's environment file."""
    environment_lines: int = 10_000

    label_characters: int = 16 * KIB
    """The value of one label."""
    service_images: int = 64
