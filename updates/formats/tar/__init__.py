"""Tars, read forward and strictly: what a format may have in them is its dialect, and its refusals are its own."""

from updates.formats.tar.archive import TarArchive, TarMember
from updates.formats.tar.dialect import PAX_VALUES, Dialect
from updates.formats.tar.header import (
    BLOCK_BYTES,
    DIRECTORY,
    GNU_LONG_LINK,
    GNU_LONG_NAME,
    HARD_LINK,
    PAX_EXTENSION,
    REGULAR,
    SYMBOLIC_LINK,
)

__all__ = [
    "BLOCK_BYTES",
    "DIRECTORY",
    "GNU_LONG_LINK",
    "GNU_LONG_NAME",
    "HARD_LINK",
    "PAX_EXTENSION",
    "PAX_VALUES",
    "REGULAR",
    "SYMBOLIC_LINK",
    "Dialect",
    "TarArchive",
    "TarMember",
]
