"""The health gate of an instance: its probes, as its settings and plans hold them, asked on its device."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from devices.drivers.dial import Dial
from devices.drivers.engine import Engine
from devices.drivers.probes import (
    CommandProbe,
    ContainerHttpProbe,
    ContainerProbe,
    HttpProbe,
    Probe,
    TcpProbe,
    gate,
)
from devices.drivers.shell import Shell
from updates.runner import Context

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    "http": ("url", "statuses"),
    "tcp": ("host", "port"),
    "command": ("command",),
    "container": ("container",),
    "container_http": ("container", "port", "path"),
}
"""What a probe of each kind says besides its `kind`: `url` as seen from the device, `statuses` (200 and 204 if not given);
`port` and `path` of a container as it listens itself."""

_PATH: Final = re.compile(r"/[!-~]*", re.ASCII)
MOST: Final = 100
LONGEST: Final = 500


HURRIED_SECONDS: Final = 10.0
"""How long is waited where only what was known already is looked at once more."""

Gate = Callable[[Sequence[Mapping[str, Any]], Context, float], None]
"""All of these probes pass, for as often as is asked for, within so many seconds. HealthFailed with what they said last."""


@dataclass(frozen=True, slots=True)
class HealthGate:
    """Asks through the device itself. Well is who passes all probes so often in a row, with pauses between."""

    shell: Shell
    engine: Engine
    dial: Dial
    passes_in_a_row: int
    pause_seconds: float

    def __call__(
        self, rows: Sequence[Mapping[str, Any]], context: Context, limit_seconds: float
    ) -> None:
        """All of them pass. HealthFailed, with what each said last, when they did not within the limit."""
        if not rows:
            return
        gate(
            [self._probe(row) for row in rows],
            passes_in_a_row=self.passes_in_a_row,
            limit_seconds=min(limit_seconds, max(0.0, context.journal.seconds_left())),
            pause_seconds=self.pause_seconds,
            tick=context.tick,
        )

    def _probe(self, row: Mapping[str, Any]) -> Probe:
        require_probe(row)
        match row["kind"]:
            case "http":
                return HttpProbe(self.dial, row["url"], tuple(row.get("statuses") or (200, 204)))
            case "tcp":
                return TcpProbe(self.dial, row["host"], row["port"])
            case "container":
                return ContainerProbe(self.engine, row["container"])
            case "container_http":
                return ContainerHttpProbe(
                    self.engine, self.dial, row["container"], row["port"], row["path"]
                )
            case _:
                return CommandProbe(self.shell, tuple(row["command"]))


def require_probe(row: Mapping[str, Any]) -> None:
    """Nothing, or ValueError with a sentence that says what is wrong with the probe."""
    kind = row.get("kind")
    if kind not in FIELDS:
        raise ValueError(f"A probe's kind is one of {', '.join(FIELDS)}, not {kind!r}.")
    if unknown := set(row) - {"kind", *FIELDS[kind]}:
        raise ValueError(
            f"A probe of the kind {kind} says {', '.join(FIELDS[kind])}, not {min(unknown)}."
        )
    for name in FIELDS[kind]:
        if not _SOUND.get(name, _is_text)(row.get(name)):
            raise ValueError(f"{name} of a probe of the kind {kind} cannot be {row.get(name)!r}.")


def _is_port(value: object) -> bool:
    return isinstance(value, int) and 0 < value < 65536


def _are_statuses(value: object) -> bool:
    return value is None or (
        isinstance(value, list)
        and len(value) <= MOST
        and all(isinstance(one, int) for one in value)
    )


def _is_command(value: object) -> bool:
    return (
        isinstance(value, list)
        and 0 < len(value) <= MOST
        and all(isinstance(word, str) and "\0" not in word for word in value)
    )


def _is_path(value: object) -> bool:
    return isinstance(value, str) and len(value) <= LONGEST and bool(_PATH.fullmatch(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= LONGEST and value.isprintable()


_SOUND: Final[Mapping[str, Callable[[object], bool]]] = {
    "port": _is_port,
    "statuses": _are_statuses,
    "command": _is_command,
    "path": _is_path,
}
