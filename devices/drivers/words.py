"""Words, environments and paths on their way into a shell text: quoted, or refused."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from devices.errors import UnsafeName

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)


def shell_text(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None
) -> str:
    """A text that turns the shell reading it into `command`, with each word exactly as given.

    A directory that is not there ends it with status 127, like a program that is not there.
    """
    if not command or command[0].startswith("-"):
        raise UnsafeName("A command needs a program's name as its first word.")
    lines = []
    if cwd is not None:
        lines.append(f"cd {quoted(absolute(cwd))} || exit 127")
    for name, value in (env or {}).items():
        if not _VARIABLE.fullmatch(name):
            raise UnsafeName(f"{name!r} cannot be the name of an environment variable.")
        lines.append(f"export {name}={quoted(value)}")
    lines.append("exec " + " ".join(quoted(word) for word in command))
    return "\n".join(lines) + "\n"


def quoted(word: str) -> str:
    """The word as a POSIX shell reads it back."""
    if "\0" in word:
        raise UnsafeName("A word for a command line holds a NUL character.")
    return shlex.quote(word)


def absolute(path: str) -> str:
    """The path without needless parts. Refused: relative paths, `..`, NUL."""
    pure = PurePosixPath(path)
    if not pure.is_absolute() or ".." in pure.parts or "\0" in path:
        raise UnsafeName(f"{path!r} is not an absolute path without '..'.")
    return "/" + "/".join(pure.parts[1:])


def relative(name: str) -> str:
    """The name of a tree's entry, without needless parts. Refused: absolute, `..`, empty, NUL."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or not pure.parts or "\0" in name:
        raise UnsafeName(f"{name!r} cannot be the name of an entry below a directory.")
    return "/".join(pure.parts)
