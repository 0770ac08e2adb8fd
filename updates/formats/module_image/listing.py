"""What an imageroot consists of, and the list of it that stays on the device: what an update compares with the one before.

The list's form is that of `.imageroot.lst`: a path a line, `./` in front, `/` behind a directory, in the order of bytes.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from portal.core.quoting import quoted
from updates.errors import ModuleRefused
from updates.formats.module_image.limits import Limits

_HISTORIC_PREFIX: Final = "imageroot"
_MOST_LINKS: Final = 40  # as Linux follows


class Kind(StrEnum):
    FILE = "file"
    DIRECTORY = "directory"
    LINK = "link"


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry. `size` is the bytes of a file, `link` what a symbolic link holds."""

    kind: Kind
    mode: int
    size: int = 0
    link: str = ""

    @property
    def executable(self) -> bool:
        """Whether the owner may execute this file."""
        return self.kind is Kind.FILE and bool(self.mode & 0o100)


@dataclass(frozen=True, slots=True)
class Listing:
    """The entries of an imageroot by their paths, relative and without `./`, in the order of bytes."""

    entries: Mapping[str, Listed]

    @classmethod
    def of(cls, entries: Mapping[str, Listed]) -> Listing:
        """The listing of these entries, in order."""
        return cls(MappingProxyType({path: entries[path] for path in sorted(entries, key=_bytes)}))

    @property
    def count(self) -> int:
        return len(self.entries)

    @property
    def size_bytes(self) -> int:
        """The content of all files together."""
        return sum(listed.size for listed in self.entries.values())

    @property
    def paths(self) -> list[str]:
        """The lines of the list."""
        lines = (
            f"./{path}/" if listed.kind is Kind.DIRECTORY else f"./{path}"
            for path, listed in self.entries.items()
        )
        return sorted(lines, key=_bytes)

    def text(self) -> bytes:
        """The whole list, as it is kept on the device."""
        return "".join(f"{line}\n" for line in self.paths).encode()

    def below(self, directory: str) -> Iterator[tuple[str, Listed]]:
        """Name and entry of everything that stands right in `directory`, in the order of bytes."""
        for path, listed in self.entries.items():
            folder, _, name = path.rpartition("/")
            if folder == directory:
                yield name, listed

    def resolved(self, path: str) -> tuple[str, Listed] | None:
        """What `path` is after following links, with its own path; None if they lead to nothing that is listed."""
        for _ in range(_MOST_LINKS):
            path, followed = self._one_link_less(path)
            if not followed:
                listed = self.entries.get(path)
                return None if listed is None else (path, listed)
        return None

    def _one_link_less(self, path: str) -> tuple[str, bool]:
        """The path with the first link on it replaced by what it holds, and whether there was one."""
        parts = path.split("/")
        for depth in range(1, len(parts) + 1):
            at = "/".join(parts[:depth])
            listed = self.entries.get(at)
            if listed is not None and listed.kind is Kind.LINK:
                target = posixpath.join(posixpath.dirname(at), listed.link, *parts[depth:])
                return posixpath.normpath(target), True
        return path, False


def read_list(content: bytes, *, limits: Limits | None = None) -> tuple[list[str], list[str]]:
    """The lines of a list that was kept on a device, and a warning for each line that cannot be trusted and was left out.

    Lists that were written with an `imageroot/` in front of every path are read without it. Raises ModuleRefused when the
    list is too long to be one.
    """
    limit = (limits or Limits()).list_bytes
    if len(content) > limit:
        raise ModuleRefused(
            "list-too-long", f"The list of installed files has more than {limit} bytes."
        )
    lines: list[str] = []
    warnings: list[str] = []
    for raw in content.split(b"\n"):
        line = _trusted(raw)
        if line is not None:
            lines.append(line)
        elif raw.strip():
            warnings.append(f"The list of installed files holds {quoted(raw)}, which is no path.")
    lines = [line for line in _without_historic_prefix(lines) if line != "./"]
    return sorted(set(lines), key=_bytes), warnings


def no_longer_required(old: Iterable[str], new: Iterable[str]) -> list[str]:
    """What to remove once `new` is installed over `old`: files first, then directories, the deepest first.

    A directory goes only if it is empty by then: whoever removes it does not insist. Left out is what `new` has under
    the same path as another kind of entry, and what would be reached through such an entry: a link there may lead to
    files that nobody meant.
    """
    kept = set(new)
    kept_files = {line for line in kept if not line.endswith("/")}
    gone = [
        line
        for line in old
        if line not in kept
        and line.removesuffix("/") not in kept_files
        and f"{line}/" not in kept
        and not any(above in kept_files for above in _above(line))
    ]
    files = sorted((line for line in gone if not line.endswith("/")), key=_bytes)
    folders = [line for line in gone if line.endswith("/")]
    return files + sorted(folders, key=lambda line: (-line.count("/"), _bytes(line)))


def _trusted(raw: bytes) -> str | None:
    """The line in today's form, or None. What is not a path below the directory would be removed from elsewhere."""
    try:
        line = raw.decode()
    except UnicodeDecodeError:
        return None
    parts = [part for part in line.split("/") if part not in ("", ".")]
    if line.startswith("/") or not line or "\0" in line or ".." in parts:
        return None
    ending = "/" if parts and line.endswith(("/", "/.")) else ""
    return "./" + "/".join(parts) + ending


def _without_historic_prefix(lines: list[str]) -> list[str]:
    """Only when every line has it: a module may well have a directory of that name."""
    prefix = f"./{_HISTORIC_PREFIX}/"
    below = [line for line in lines if line != "./"]
    if not below or not all(line.startswith(prefix) for line in below):
        return lines
    return ["./" + line.removeprefix(prefix) for line in below]


def _above(line: str) -> Iterator[str]:
    """The paths that lead to `line`, written as files."""
    parts = line.removesuffix("/").split("/")
    for depth in range(2, len(parts)):
        yield "/".join(parts[:depth])


def _bytes(path: str) -> bytes:
    return path.encode()
