"""How names and paths are written in these tables."""

from __future__ import annotations

from typing import Final

from django.core.validators import RegexValidator

NAME = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Letters, digits, dots, dashes and underscores; starts with one.",
)
ABSOLUTE = RegexValidator(r"^/[^\0\n]*\Z", "An absolute path on the device.")
LONGEST_INSTALLED: Final = 300
"""So many characters: an artifact's name has 256 at most, and INCONSISTENT may stand behind it. Whatever the characters are,
it fits into what PostgreSQL can index (2,704 bytes)."""
INCONSISTENT: Final = "_INCONSISTENT"
"""What Mender's clients append to the artifact's name when an update left the device in between."""
UNPRINTABLE: Final = "\ufffd"


def installed_name(said: str) -> str:
    """The name of what is installed as it is kept: as the device says it, if any artifact could have that name.

    Another one is kept printable and cut, with … where it was cut, so that it is never taken for a name that fits; it says that
    an update broke off if it did before. The device is updated all the same.
    """
    name = "".join(letter if letter.isprintable() else UNPRINTABLE for letter in said)
    if len(name) <= LONGEST_INSTALLED:
        return name
    ending = f"…{INCONSISTENT if name.endswith(INCONSISTENT) else ''}"
    return name[: LONGEST_INSTALLED - len(ending)] + ending
