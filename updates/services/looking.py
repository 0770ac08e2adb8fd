"""Looks at devices, which change nothing there: what is found, and that a look is over in any case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from django.utils.timesince import timesince

from devices import services as devices
from devices.drivers.shell import Shell
from devices.errors import DeviceError, DeviceUnreachable, EngineUnreachable
from devices.models import Device
from portal.core import clock
from portal.core.errors import StorageUnavailable
from updates.recipes.finding import BUG, Finding

Look = Callable[[Shell], Iterable[Finding]]
Keep = Callable[[list[Finding]], object]


@dataclass(slots=True)
class Seen:
    """What was found, up to where it went wrong; `is_reached`: by then the device had answered."""

    findings: list[Finding] = field(default_factory=list)
    is_reached: bool = True

    @property
    def is_good(self) -> bool:
        return all(finding.ok for finding in self.findings)


def seen_on(device: Device, look: Look) -> Seen:
    """What `look` finds on the device. That it could not go on is a finding, too; that nobody answered is noted."""
    seen = Seen()
    try:
        with devices.opened(device) as shell:
            for finding in look(shell):
                seen.findings.append(finding)
    except EngineUnreachable as error:
        seen.findings.append(Finding("engine", ok=False, says=str(error)))
        seen.is_reached = False
    except DeviceUnreachable as error:
        devices.note_unreachable(device, error)
        seen.findings.append(Finding("connection", ok=False, says=str(error)))
        seen.is_reached = False
    except (DeviceError, StorageUnavailable) as error:
        seen.findings.append(Finding("device", ok=False, says=str(error)))
    return seen


def said_by(device: Device, findings: Iterable[Finding]) -> Seen:
    """What follows from the device's own last words, where nothing connects to it; and how old these are."""
    if device.last_seen is None:
        says = "Nothing connects to it, and it has not said anything yet."
        return Seen([Finding("connection", ok=False, says=says)], is_reached=False)
    ago = timesince(device.last_seen, clock.now())
    says = f"Nothing connects to it: this is decided from what it last said, {ago} ago."
    return Seen([Finding("connection", ok=True, says=says), *findings])


@contextmanager
def over_in_any_case(refuse: Keep) -> Iterator[None]:
    """After a bug of ours the look is over all the same, refused, or it would be taken up again for ever. The bug comes out."""
    try:
        yield
    except Exception:
        refuse([BUG])
        raise
