"""Whether the image that a Compose file names would bring the old version back after an upgrade.

An upgrade gives the new image the tag that the file names, so that the file itself need not change. That is honest for a tag
that moves (`latest`, `stable`, `4`, `4.2` for 4.2.9), and a lie for one that means another version: whoever calls
`docker compose pull` next would be back where he was.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from devices.drivers.references import Reference, parse_reference
from devices.errors import BadReference
from portal.core.quoting import quoted

_VERSION: Final = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)((?:[-+_.].*)?)", re.ASCII)
_FULL: Final = 3


@dataclass(frozen=True, slots=True)
class _Version:
    """A tag that begins with numbers. `rest` is what comes after them: a variant, a pre-release."""

    numbers: tuple[str, ...]
    rest: str

    @classmethod
    def of(cls, tag: str) -> _Version | None:
        matched = _VERSION.fullmatch(tag)
        if matched is None:
            return None
        return cls(tuple(number.lstrip("0") for number in matched[1].split(".")), matched[2])

    def means(self, other: _Version) -> bool:
        """Whether a tag like this may stand for that version: it is the same, or a less exact one of the same variant."""
        if self.rest != other.rest and not (self.rest == "" and len(self.numbers) < _FULL):
            return False
        if len(self.numbers) >= _FULL:
            return self.numbers == other.numbers
        return other.numbers[: len(self.numbers)] == self.numbers


def pinned(image: str, target: str, *, service: str, files: Sequence[str]) -> str:
    """A sentence about why the service's `image`, as Compose resolves it, is not for `target` to be put under; or empty.

    Both are references; `files` are the Compose files, which the sentence names. BadReference if `target` is none.
    """
    wanted = parse_reference(target).tagged()
    where = f"the service {service} in {_named(files)}"
    if not image:
        return f"{_capital(where)} names no image: give it `image: {wanted.familiar_repository}`."
    try:
        named = parse_reference(image).tagged()
    except BadReference:
        return (
            f"{_capital(where)} names {quoted(image)}, which is no image's name: write another one."
        )
    if named.repository != wanted.repository:
        return (
            f"{_capital(where)} runs {named.familiar}, which is another image than {wanted.familiar_repository}: "
            "name the image that it is to run in one of the two places."
        )
    if named.digest:
        return (
            f"{_capital(where)} pins the image by digest ({quoted(image)}): "
            f"write a tag that moves there, such as {_moving(wanted)}."
        )
    return _of_tag(named, wanted, where=where)


def _of_tag(named: Reference, wanted: Reference, *, where: str) -> str:
    version = _Version.of(named.tag)
    if version is None or named.tag == wanted.tag:
        return ""
    asked = _Version.of(wanted.tag)
    if asked is not None and version.means(asked):
        return ""
    return (
        f"{_capital(where)}, or a variable that it uses, pins the tag {named.tag}, which is not {wanted.tag or wanted.digest}: "
        f"the next `up` would bring it back. Write a tag that moves there, such as {_moving(wanted)}."
    )


def _moving(wanted: Reference) -> str:
    return f"`{wanted.familiar_repository}:latest`"


def _named(files: Sequence[str]) -> str:
    return ", ".join(files) if files else "the Compose file"


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
