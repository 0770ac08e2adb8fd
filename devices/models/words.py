"""How names, types and paths are written in these tables."""

from __future__ import annotations

from typing import Final

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

from portal.core.labels import is_label

NAME = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Letters, digits, dots, dashes and underscores; starts with one.",
)
ABSOLUTE = RegexValidator(r"^/[^\0\n]*\Z", "An absolute path on the device.")
LONGEST_TYPE: Final = 100
"""So many characters, in an artifact too: see `Limits.device_type_characters`."""
LONGEST_INSTALLED: Final = 300
"""So many characters: an artifact's name has 256 at most, and INCONSISTENT may stand behind it. Whatever the characters are,
it fits into what PostgreSQL can index (2,704 bytes)."""
INCONSISTENT: Final = "_INCONSISTENT"
"""What Mender's clients append to the artifact's name when an update left the device in between."""
UNPRINTABLE: Final = "\ufffd"


def is_device_type(text: str) -> bool:
    """Whether a device can be of this type: whatever an artifact can be for."""
    return is_label(text) and len(text) <= LONGEST_TYPE


def check_device_type(text: str) -> None:
    """Nothing, or ValidationError when no artifact can be for such a type."""
    if not is_device_type(text):
        raise ValidationError(
            "Printable, without blanks at its ends and without '..' as a part of a path."
        )


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
