"""The environment file of a module's instance: `state/environment`, a `KEY=value` a line.

Values are raw: nothing quotes or escapes, the first `=` is the one that counts. Bytes that are not UTF-8 come through
unchanged, for the file belongs to the module, and an update writes back what it did not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from portal.core.quoting import quoted
from updates.errors import ModuleRefused
from updates.formats.module_image.limits import Limits


@dataclass(frozen=True, slots=True)
class Environment:
    """What a file says. `warnings` is a sentence for each line that says nothing; it goes when the file is written."""

    values: dict[str, str]
    warnings: tuple[str, ...] = ()


def read_environment(content: bytes, *, limits: Limits | None = None) -> Environment:
    """The variables of a file; of one that comes twice, the last. Comments and empty lines are skipped.

    Raises ModuleRefused for a file with a NUL, as a crash leaves it behind, and for one beyond the limits.
    """
    limits = limits or Limits()
    lines = content.split(b"\n")
    if len(content) > limits.environment_bytes or len(lines) > limits.environment_lines:
        raise ModuleRefused(
            "environment-too-large",
            f"The environment file has {len(content)} bytes in {len(lines)} lines, more than it can be meant to have.",
        )
    if b"\0" in content:
        raise ModuleRefused(
            "environment-nul", "The environment file is damaged: it holds a NUL character."
        )
    values: dict[str, str] = {}
    warnings: list[str] = []
    for number, raw in enumerate(lines, start=1):
        line = raw.decode(errors="surrogateescape")
        key, equals, value = line.partition("=")
        if not line or line.startswith("#"):
            continue
        if equals and key:
            values[key] = value
        else:
            # The line itself may be the rest of a secret of several lines.
            warnings.append(f"Line {number} of the environment file sets no variable.")
    return Environment(values, tuple(warnings))


def write_environment(values: Mapping[str, str], *, limits: Limits | None = None) -> bytes:
    """The file with these variables, sorted by key. `read_environment` gives the same ones back.

    Raises ModuleRefused for a key or value that a line cannot carry. Its sentence never holds the value.
    """
    limit = (limits or Limits()).environment_bytes
    for key, value in values.items():
        if not key or key.startswith("#") or set(key) & {"=", "\n", "\0"}:
            raise ModuleRefused("environment-key", f"{quoted(key)} is no name of a variable.")
        if "\n" in value or "\0" in value:
            raise ModuleRefused(
                "environment-value",
                f"The value of {quoted(key)} has a line break or a NUL, which an environment file cannot carry.",
            )
    content = b"".join(_line(key, values[key]) for key in sorted(values))
    if len(content) > limit:
        raise ModuleRefused(
            "environment-too-large",
            f"The environment would have {len(content)} bytes, more than the {limit} that are allowed.",
        )
    return content


def _line(key: str, value: str) -> bytes:
    try:
        return f"{key}={value}\n".encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ModuleRefused(
            "environment-value", f"The value of {quoted(key)} is no text."
        ) from None


def patched(values: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """The variables with what `patch` sets, and without those that it sets to None."""
    merged = {**values, **patch}
    return {key: value for key, value in merged.items() if value is not None}
