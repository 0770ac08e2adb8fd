"""What goes wrong for a pretend device. It tries again later, as a client in the field does; the tally keeps count."""

from __future__ import annotations


class Trouble(Exception):
    """The device cannot go on now. The text is short and names no device, so that equal ones can be counted together."""


class Unreachable(Trouble):
    """Nobody answers at the server's address, or not to the end."""


class NotLetIn(Trouble):
    """The server knows the device, or not, and does not let it in: it may have to be accepted first."""


class Unexpected(Trouble):
    """An answer that a client in the field would not understand, or would take for a failure."""


class NotSent(Unexpected):
    """The server does not begin to send the file that it has offered: the update has failed."""
