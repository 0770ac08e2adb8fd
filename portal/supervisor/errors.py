"""Why the portal cannot be started here."""

from __future__ import annotations

from portal.core.errors import Refused


class CannotStart(Refused):
    """Something is missing on this machine; the sentence says what, and what to do about it."""

    code = "RUN-100"
