"""The environment file of an instance: `environment` in its state directory, a `KEY=value` a line, values raw.

Whoever changes it holds the lock `.environment.lock` beside it, puts a whole new file in its place and has that on the disk
before going on. Lines without a `=` go when the file is written; bytes that are no UTF-8 come through unchanged.
"""

import contextlib
import fcntl
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Dict, Iterator, Mapping, Optional

FILE = "environment"
LOCK = ".environment.lock"


def read_envfile(file_path: str) -> Dict[str, str]:
    """The variables that a file sets; of one that comes twice, the last. A line that sets none is told on stderr."""
    values = {}
    text = Path(file_path).read_bytes().decode("utf-8", "surrogateescape")
    for number, line in enumerate(text.split("\n"), start=1):
        key, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if equals and key:
            values[key] = value
        else:
            print(f"{file_path}: line {number} sets no variable", file=sys.stderr)
    return values


def write_envfile(file_path: str, env: Mapping[str, str]) -> None:
    """The file sets these variables, sorted, and no others. It keeps its mode; a new one is its owner's only."""
    for key, value in env.items():
        _check(key, str(value))
    lines = (f"{key}={env[key]}\n" for key in sorted(env))
    content = "".join(lines).encode("utf-8", "surrogateescape")
    path = Path(file_path)
    descriptor, named = tempfile.mkstemp(prefix=".environment.", dir=str(path.parent))
    draft = Path(named)
    try:
        with os.fdopen(descriptor, "wb") as file:
            with contextlib.suppress(FileNotFoundError):
                os.fchmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        draft.unlink()
        raise
    _sync(path.parent)


def set_env(name: str, value: object) -> None:
    """The instance's environment has the variable. This process's own is as before, as are those of running services."""
    mset_env({name: value})


def mset_env(env: Mapping[str, object]) -> None:
    """The instance's environment has all of these variables, or none of them if one is refused."""
    _change({name: str(value) for name, value in env.items()})


def unset_env(name: str) -> None:
    """The instance's environment does not have the variable."""
    _change({name: None})


def _change(changes: Mapping[str, Optional[str]]) -> None:
    for name, value in changes.items():
        _check(name, value or "")
    folder = Path(os.environ.get("AGENT_STATE_DIR") or Path.cwd())
    path = folder / FILE
    with _locked(folder):
        try:
            values = read_envfile(str(path))
        except FileNotFoundError:
            values = {}
        for name, value in changes.items():
            if value is None:
                values.pop(name, None)
            else:
                values[name] = value
        write_envfile(str(path), values)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _check(name: str, value: str) -> None:
    """The value may be a secret: no message holds it."""
    if not name or name.startswith("#") or set(name) & {"=", "\n", "\0"}:
        raise ValueError(f"{name!r} cannot be the name of a variable")
    if "\n" in value or "\0" in value:
        raise ValueError(f"the value of {name} has a line break or a NUL in it")


def _sync(folder: Path) -> None:
    descriptor = os.open(str(folder), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
