"""What must never be shown of the portal: the secrets in the environment of its containers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from devices.drivers.engine import Engine
from devices.errors import DeviceError

WORDS: Final = ("KEY", "PASSWORD", "SECRET", "TOKEN")


def secrets_of(engine: Engine, names: Iterable[str]) -> tuple[str, ...]:
    """The values that are secrets by their variables' names, and passwords in addresses. Who is not there has none."""
    found: dict[str, None] = {}
    for name in names:
        try:
            here = engine.containers.named(name)
        except DeviceError:
            continue
        config: dict[str, Any] = (here.raw.get("Config") or {}) if here else {}
        for line in config.get("Env") or []:
            found |= dict.fromkeys(_secrets(str(line)))
    return tuple(found)


def _secrets(line: str) -> list[str]:
    name, _, value = line.partition("=")
    found = value.split(",") if any(word in name.upper() for word in WORDS) else []
    if "://" in value:
        try:
            password = urlsplit(value).password or ""
        except ValueError:
            return [*found, value]
        found += [password, unquote(password)]
    return [one for one in found if one]
