"""What must never be shown of the portal: the secrets in the environment of its containers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from devices.drivers.engine import Engine
from devices.errors import DeviceError, DeviceUnreachable

WORDS: Final = ("KEY", "PASSWORD", "SECRET", "TOKEN")


class Secrets:
    """The values that are secrets by their variables' names, and passwords in addresses, of these containers.

    They are asked for each time that words are about to be kept: an engine that is starting again, or a container that is being
    made anew, has nothing to say of them yet. What was known once is never forgotten.
    """

    def __init__(self, engine: Engine, names: Iterable[str]) -> None:
        self._engine = engine
        self._names = tuple(names)
        self._found: dict[str, None] = {}

    def __call__(self) -> tuple[str, ...]:
        for name in self._names:
            try:
                here = self._engine.containers.named(name)
            except DeviceUnreachable:
                break
            except DeviceError:
                continue
            config: dict[str, Any] = (here.raw.get("Config") or {}) if here else {}
            for line in config.get("Env") or []:
                self._found |= dict.fromkeys(_secrets(str(line)))
        return tuple(self._found)


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
