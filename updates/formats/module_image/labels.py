"""What a module's image says about itself in its labels, all of which begin with `org.nethserver.`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

import semver

from devices.drivers.references import parse_reference
from devices.errors import BadReference
from portal.core.quoting import quoted
from updates.formats.module_image.imageroot import DEFAULT_ROOT
from updates.formats.module_image.limits import Limits

PREFIX: Final = "org.nethserver."

_NEEDED: Final = ("images", "imageroot", "rootfull")

_PORTS: Final = re.compile(r"[0-9]{1,5}")
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]+")
_AUTHORIZATION: Final = re.compile(r"[^\s:*\[?]+:[^\s:*\[?]+")

Value = TypeVar("Value")


class _Malformed(Exception):
    """Says what a label's value is not."""


@dataclass(frozen=True, slots=True)
class LabelFinding:
    """A label whose value is not what it should be, and is treated as if it were not there.

    `hinders`: without it nobody knows what to install, so nothing should be. Other labels only restrict or ask.
    """

    label: str
    says: str
    hinders: bool


@dataclass(frozen=True, slots=True)
class ModuleLabels:
    """The labels that we use or show. What is missing or malformed has its default: no restriction, nothing asked for."""

    images: tuple[str, ...] = ()
    """References of service images, each once."""
    rootfull: bool = False
    min_from: semver.Version | None = None
    """The lowest installed version that may be updated to this one."""
    min_core: semver.Version | None = None
    flags: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    imageroot: str = DEFAULT_ROOT
    """A path inside the image, without slashes around it."""
    tcp_ports: int = 0
    udp_ports: int = 0
    authorizations: tuple[str, ...] = ()
    findings: tuple[LabelFinding, ...] = ()

    @classmethod
    def read(cls, labels: Mapping[str, str], *, limits: Limits | None = None) -> ModuleLabels:
        """What `labels` say. Nothing is raised: what is malformed is in `findings`."""
        reader = _Reader(labels, limits=limits or Limits())
        return cls(
            images=reader.value("images", reader.references, default=()),
            rootfull=reader.value("rootfull", _switch, default=False),
            min_from=reader.value("min-from", _version, default=None),
            min_core=reader.value("min-core", _version, default=None),
            flags=reader.value("flags", _words, default=()),
            volumes=reader.value("volumes", _words, default=()),
            imageroot=reader.value("imageroot", _directory, default=DEFAULT_ROOT),
            tcp_ports=reader.value("tcp-ports-demand", _ports, default=0),
            udp_ports=reader.value("udp-ports-demand", _ports, default=0),
            authorizations=reader.value("authorizations", _authorizations, default=()),
            findings=tuple(reader.findings),
        )


class _Reader:
    def __init__(self, labels: Mapping[str, str], *, limits: Limits) -> None:
        self._labels = labels
        self._limits = limits
        self.findings: list[LabelFinding] = []

    def value(self, name: str, read: Callable[[str], Value], *, default: Value) -> Value:
        """What `read` makes of the label; the default if it is missing or empty, or malformed: then with a finding."""
        text = self._labels.get(PREFIX + name, "").strip()
        if not text:
            return default
        try:
            if len(text) > self._limits.label_characters:
                raise _Malformed("is too long")
            return read(text)
        except _Malformed as malformed:
            says = f"The label {PREFIX}{name} {malformed}: {quoted(text)}."
            self.findings.append(LabelFinding(PREFIX + name, says, hinders=name in _NEEDED))
            return default

    def references(self, text: str) -> tuple[str, ...]:
        images = tuple(dict.fromkeys(text.split()))
        if len(images) > self._limits.service_images:
            raise _Malformed(f"names more than {self._limits.service_images} images")
        for image in images:
            try:
                parse_reference(image)
            except BadReference:
                raise _Malformed(f"names {quoted(image)}, which is no image's name") from None
        return images


def _switch(text: str) -> bool:
    if text not in ("0", "1"):
        raise _Malformed("is neither 0 nor 1")
    return text == "1"


def _version(text: str) -> semver.Version | None:
    try:
        return semver.Version.parse(text)
    except ValueError:
        raise _Malformed("is not a semantic version") from None


def _words(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.split()))
    if not all(_WORD.fullmatch(word) for word in words):
        raise _Malformed("is not a list of words")
    return words


def _directory(text: str) -> str:
    path = text.strip("/")
    if (
        not path
        or any(part in ("", ".", "..") for part in path.split("/"))
        or not path.isprintable()
    ):
        raise _Malformed("is not a directory of the image")
    return path


def _ports(text: str) -> int:
    if not _PORTS.fullmatch(text):
        raise _Malformed("is not a number of ports")
    return int(text)


def _authorizations(text: str) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(text.split()))
    if not all(_AUTHORIZATION.fullmatch(word) and word != "cluster:owner" for word in words):
        raise _Malformed("asks for something that no module is granted")
    return words
