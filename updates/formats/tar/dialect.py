"""What one kind of tar may hold, and how the rest is refused."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from portal.core.errors import Refused

# What Go's, GNU's, BSD's and Python's writers put there. Anything else could change what a member is (sparse maps,
# character sets) and is read differently by different tar libraries.
PAX_VALUES: Mapping[bytes, re.Pattern[bytes]] = {
    b"path": re.compile(rb".+", re.DOTALL),
    b"size": re.compile(rb"[0-9]{1,19}"),
    b"uid": re.compile(rb"[0-9]{1,19}"),
    b"gid": re.compile(rb"[0-9]{1,19}"),
    b"uname": re.compile(rb"[^\0]*"),
    b"gname": re.compile(rb"[^\0]*"),
    b"mtime": re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?"),
    b"atime": re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?"),
    b"ctime": re.compile(rb"-?[0-9]{1,19}(\.[0-9]*)?"),
    b"comment": re.compile(rb".*", re.DOTALL),
}


@dataclass(frozen=True, slots=True)
class Dialect:
    """`members` and `extensions` are type flags. `refused` makes the error of a stable rule and a sentence."""

    refused: Callable[[str, str], Refused]
    writer: str
    """Who writes such tars, for sentences."""
    members: frozenset[bytes]
    members_are: str
    """`members` in words, for sentences."""
    extensions: frozenset[bytes]
    extensions_per_member: int
    extension_bytes: int
    end_mark_needed: bool
    pax_values: Mapping[bytes, re.Pattern[bytes]] = field(default_factory=lambda: PAX_VALUES)
    pax_ignored: tuple[bytes, ...] = ()
    """Keys that begin so may have any value, which is not looked at."""

    def allows(self, key: bytes, value: bytes) -> bool:
        """Whether a PAX record may say this."""
        if self.pax_ignored and key.startswith(self.pax_ignored):
            return True
        pattern = self.pax_values.get(key)
        return pattern is not None and pattern.fullmatch(value) is not None
