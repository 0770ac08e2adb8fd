"""The root of the error tree. What an operator can act on derives from here; a bug does not.

    FleetwrightError                    code, a sentence, retryable
     |- Refused                         the order cannot be taken as it is; nothing was changed
     |   |- Conflict                    ... because of what is going on right now; may be asked again later
     |   |- NotPermitted                ... because of who asks
     |   |- PortalBusy                  ... because of how much the portal does already; may be asked again later
     |   |- StorageUnavailable          ... because files cannot be put away or fetched; may be asked again later
     |   |- TooLarge                    ... because more was sent than anybody reads
     |- devices.errors.DeviceError      see there
     |- updates.errors.*                see there

Only the edges (pages, API, commands) know HTTP or exit codes. A code never changes its meaning; the sentence may.
"""

from __future__ import annotations

from typing import ClassVar


class FleetwrightError(Exception):
    """An expected failure. `code` is stable, `str(error)` is a whole sentence for an operator."""

    code: ClassVar[str] = "FW-000"
    retryable: ClassVar[bool] = False


class Refused(FleetwrightError):
    """The order cannot be taken; nothing was changed."""

    code = "FW-100"


class Conflict(Refused):
    """The order collides with something that is going on; it may be taken later."""

    code = "FW-101"
    retryable = True


class NotPermitted(Refused):
    """The actor lacks the permission that this effect asks for."""

    code = "FW-102"


class StorageUnavailable(Refused):
    """The storage of files does not take one, or does not give it."""

    code = "FW-103"
    retryable = True


class PortalBusy(Refused):
    """The portal does as much of this already as it can."""

    code = "FW-104"
    retryable = True


class TooLarge(Refused):
    """More was sent than is ever read here."""

    code = "FW-105"
