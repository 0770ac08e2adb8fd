"""How names and paths are written in these tables."""

from __future__ import annotations

from django.core.validators import RegexValidator

NAME = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Letters, digits, dots, dashes and underscores; starts with one.",
)
ABSOLUTE = RegexValidator(r"^/[^\0\n]*\Z", "An absolute path on the device.")
