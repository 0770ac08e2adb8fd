"""The Compose project that a container belongs to, as the container's labels tell it.

Compose 1 writes the files as they were named on its command line, relative to wherever it was called (docker/compose#8434);
Compose 2 writes absolute paths. Where Compose 1 was called is in no label. But unless it was told another directory, it takes
the first file's for the project's, so from these two it follows. If it does not, it was told one: then we take it to have
been called there. A path that is still ambiguous is refused, not guessed; whether the files are there is for others to see.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from portal.core.quoting import quoted
from updates.errors import ComposeRefused

_PREFIX: Final = "com.docker.compose."
_NAME: Final = re.compile(r"[a-z0-9_][a-z0-9_-]{0,254}", re.ASCII)
_SERVICE: Final = re.compile(r"[a-zA-Z0-9._][a-zA-Z0-9._-]{0,254}", re.ASCII)
_MOST_FILES: Final = 64
_LONGEST_PATH: Final = 4096
_IN_LABELS: Final = "A path in the container's labels"
_UP: Final = ".."


@dataclass(frozen=True, slots=True)
class ComposeProject:
    """One service of a Compose project. Paths are absolute, without `..`; `files` are in the order in which they override.

    `working_dir` is what relative paths in the files mean, for the engine: always a path of its host. `folder` is where the
    same directory is seen by whoever runs Compose: another one in a container that has it mounted elsewhere. `files` and
    `env_files` are as seen there, too. `env_files` is empty when none was named: then it is `.env` in the directory, if there.
    """

    name: str
    service: str
    working_dir: str
    folder: str
    files: tuple[str, ...]
    env_files: tuple[str, ...] = ()
    config_hash: str = ""

    @property
    def own_env_file(self) -> str:
        """The file that Compose reads variables from when none is named, if it is there."""
        return str(PurePosixPath(self.folder) / ".env")

    def seen_at(self, folder: str) -> ComposeProject:
        """The same project for who has its directory at `folder`, an absolute path; each file at its place below it.

        What an earlier call made of the project stays where it is. ComposeRefused for a file that lies elsewhere.
        """
        there = _checked(folder, what="The directory of the Compose project")

        def moved(path: str) -> str:
            if _is_below(path, self.working_dir):
                below = PurePosixPath(path).relative_to(self.working_dir)
                return str(PurePosixPath(there) / below)
            if _is_below(path, there):
                return path
            raise ComposeRefused(
                "outside",
                f"The file {quoted(path)} of the Compose project {self.name} lies outside of its directory "
                f"{quoted(self.working_dir)}, so it is not below {quoted(there)}: "
                "mount the directories of both at their own paths.",
            )

        return replace(
            self,
            folder=there,
            files=tuple(map(moved, self.files)),
            env_files=tuple(map(moved, self.env_files)),
        )


def project_of(labels: Mapping[str, str]) -> ComposeProject | None:
    """The project of a container with these labels; None for one that Compose did not make.

    ComposeRefused for one that Compose cannot make again: run once, from files that are nowhere, or with labels that make
    no sense.
    """
    if f"{_PREFIX}project" not in labels:
        return None
    name = _word(labels, "project", _NAME)
    service = _word(labels, "service", _SERVICE)
    if labels.get(f"{_PREFIX}oneoff", "").casefold() == "true":
        raise ComposeRefused(
            "one-off",
            f"The container was made for one run of the service {service} (`compose run`): Compose would not make it again.",
        )
    folder = _checked(_needed(labels, "project.working_dir"), what="The label project.working_dir")
    named = _listed(_needed(labels, "project.config_files"))
    if "-" in named:
        raise ComposeRefused(
            "stdin",
            f"The project {name} was started from a Compose file on standard input, which is kept nowhere: "
            "start it once from a file.",
        )
    called_in = _called_in(named[0], folder)
    return ComposeProject(
        name=name,
        service=service,
        working_dir=folder,
        folder=folder,
        files=tuple(_resolved(path, called_in) for path in named),
        env_files=tuple(
            _resolved(path, called_in)
            for path in _listed(labels.get(f"{_PREFIX}project.environment_file", ""))
        ),
        config_hash=labels.get(f"{_PREFIX}config-hash", "")[:128],
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Where Compose was called: `folder`, or somewhere so many directories below it."""

    folder: PurePosixPath
    depth: int = 0


def _called_in(first: str, working_dir: str) -> _Place:
    """Where Compose was called, from its first file and the project's directory. See the module's docstring."""
    folder = PurePosixPath(working_dir)
    above = PurePosixPath(first).parent
    if above.is_absolute():
        return _Place(folder)
    depth = sum(part == _UP for part in above.parts)
    down = above.parts[depth:]
    start = folder.parts[: len(folder.parts) - len(down)]
    if start + down == folder.parts:
        return _Place(PurePosixPath(*start), depth)
    return _Place(folder)


def _resolved(path: str, place: _Place) -> str:
    """The path in full. One from fewer directories further up than the first file's is ambiguous."""
    pure = PurePosixPath(path)
    if pure.is_absolute():
        return _checked(path, what=_IN_LABELS)
    depth = sum(part == _UP for part in pure.parts)
    if _UP in pure.parts[depth:]:
        raise _bad_path(path, what=_IN_LABELS)
    start = place.folder.parts
    up = depth - place.depth
    if up < 0 or up >= len(start):
        raise ComposeRefused(
            "path",
            f"The path {quoted(path)} in the container's labels is relative to a directory that they do not name: "
            "start the project once with absolute paths (`-f /…`).",
        )
    return _checked(
        str(PurePosixPath(*start[: len(start) - up], *pure.parts[depth:])),
        what=_IN_LABELS,
    )


def _needed(labels: Mapping[str, str], name: str) -> str:
    found = labels.get(_PREFIX + name, "")
    if not found:
        raise ComposeRefused(
            "label-missing",
            f"The container's label {_PREFIX}{name} is missing, so nobody knows how Compose made it: "
            "start the project once with a Compose of 1.25 or newer.",
        )
    return found


def _word(labels: Mapping[str, str], name: str, pattern: re.Pattern[str]) -> str:
    found = _needed(labels, name)
    if not pattern.fullmatch(found):
        raise ComposeRefused(
            "name", f"{quoted(found)} in the label {_PREFIX}{name} is no name that Compose takes."
        )
    return found


def _listed(text: str) -> list[str]:
    if len(text) > _MOST_FILES * _LONGEST_PATH or text.count(",") >= _MOST_FILES:
        raise ComposeRefused(
            "too-many", f"The container's labels name more than {_MOST_FILES} files."
        )
    found = text.split(",") if text else []
    if not all(found):
        raise _bad_path(text, what="A list of files in the container's labels")
    return found


def _checked(path: str, *, what: str) -> str:
    """The path without needless parts. Refused: relative, `..`, control characters, longer than any."""
    pure = PurePosixPath(path)
    if (
        not pure.is_absolute()
        or _UP in pure.parts
        or not path.isprintable()
        or len(path.encode(errors="replace")) > _LONGEST_PATH
    ):
        raise _bad_path(path, what=what)
    return "/" + "/".join(pure.parts[1:])


def _bad_path(path: str, *, what: str) -> ComposeRefused:
    return ComposeRefused("path", f"{what} is no absolute path without '..': {quoted(path)}.")


def _is_below(path: str, folder: str) -> bool:
    return PurePosixPath(path).is_relative_to(folder)
