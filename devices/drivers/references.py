"""Names of images, read as a Docker Engine reads them: registry host, path, tag, digest. The one place that checks them.

    [host[:port]/]path[:tag][@digest]

The first part is a host only if it holds a dot or a colon, or is `localhost`; without a host it is `docker.io`, where a
path of one part means `library/path`. A host may be an IPv6 address in brackets. A text of 64 hexadecimal characters is
refused as a name, for engines read it as an image's id.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, replace
from typing import Final

from devices.errors import BadReference

DEFAULT_HOST: Final = "docker.io"
DEFAULT_TAG: Final = "latest"

_TEXT_CHARACTERS = 1024
_PATH_CHARACTERS = 255

_LABEL = r"[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?"
_HOST = re.compile(rf"({_LABEL}(?:\.{_LABEL})*|\[[0-9a-fA-F:.]+\])(?::([0-9]{{1,5}}))?", re.ASCII)
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_PART}(?:/{_PART})*", re.ASCII)
_TAG = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", re.ASCII)
_IDENTIFIER = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """An image's name in full. `tag` and `digest` are empty where the text had none; `host` is never empty."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """Host and path: what the digests of one image are told apart by, `docker.io/library/busybox`."""
        return f"{self.host}/{self.path}"

    @property
    def familiar_repository(self) -> str:
        """The repository as an engine lists it: what it would add by itself is left out."""
        if self.host != DEFAULT_HOST or _names_host(self.path):
            return self.repository
        official = self.path.removeprefix("library/")
        return self.path if "/" in official or _IDENTIFIER.fullmatch(official) else official

    @property
    def familiar(self) -> str:
        """The whole reference as an engine lists it."""
        return self.familiar_repository + self._ending

    @property
    def _ending(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def tagged(self) -> Reference:
        """The reference that is meant: one with neither tag nor digest means the tag `latest`."""
        return self if self.tag or self.digest else replace(self, tag=DEFAULT_TAG)

    def pinned(self, digest: str) -> Reference:
        """Exactly the image with this digest in this repository, without a tag. `BadReference` if it is no digest."""
        return Reference(self.host, self.path, digest=checked_digest(digest))

    def __str__(self) -> str:
        return self.repository + self._ending


def parse_reference(text: str) -> Reference:
    """The reference that `text` is. `BadReference` with what is wrong if it is none."""
    if len(text) > _TEXT_CHARACTERS:
        raise BadReference("The name of an image is longer than any image's name can be.")
    rest, at, digest = text.partition("@")
    name, tag = _split_tag(rest)
    if at:
        checked_digest(digest)
    if tag is not None and not _TAG.fullmatch(tag):
        raise BadReference(f"The tag of {text!r} is not one: letters, digits, '_', '.' and '-'.")
    if _IDENTIFIER.fullmatch(name):
        raise BadReference(f"{text!r} is an image's id, not its name.")
    host, path = _split_host(name)
    _check_path(path, text=text)
    return Reference(host, path, tag or "", digest)


def checked_image(text: str) -> str:
    """What an engine takes to find this image: its id, or its reference in full, by digest if it has one. `BadReference`."""
    if _DIGEST.fullmatch(text):
        return text
    reference = parse_reference(text).tagged()
    return str(reference.pinned(reference.digest) if reference.digest else reference)


def checked_digest(text: str) -> str:
    """The digest, unchanged. `BadReference` if it is not `sha256:` with 64 (`sha512:` with 128) hexadecimal characters."""
    if not _DIGEST.fullmatch(text):
        raise BadReference(
            f"{text[:160]!r} is not a digest: sha256: and 64 hexadecimal characters in lower case."
        )
    return text


def is_tag(text: str) -> bool:
    """Whether an image can have this tag."""
    return _TAG.fullmatch(text) is not None


def checked_host(text: str) -> str:
    """A registry's `host[:port]`, as references name it: `index.docker.io` is `docker.io`. `BadReference` if it is none."""
    matched = _HOST.fullmatch(text)
    if matched is None or len(text) > _PATH_CHARACTERS:
        raise BadReference(f"{text[:160]!r} is not a registry: a host name, and perhaps a port.")
    name, port = matched.groups()
    if port is not None and not 0 < int(port) < 65536:
        raise BadReference(f"The port of the registry {text!r} is not one: 1 to 65535.")
    if name.startswith("["):
        _check_address(name, text=text)
    return DEFAULT_HOST if text == "index.docker.io" else text


def _check_address(name: str, *, text: str) -> None:
    try:
        ipaddress.IPv6Address(name[1:-1])
    except ValueError:
        raise BadReference(f"{text!r} holds no IPv6 address in its brackets.") from None


def _split_tag(text: str) -> tuple[str, str | None]:
    """A colon is a tag's only after the last slash: before it, it is a port's."""
    head, slash, last = text.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, tag if colon else None


def _names_host(name: str) -> bool:
    first, slash, _ = name.partition("/")
    return bool(slash) and (first == "localhost" or "." in first or ":" in first)


def _split_host(name: str) -> tuple[str, str]:
    first, _, rest = name.partition("/")
    host, path = (checked_host(first), rest) if _names_host(name) else (DEFAULT_HOST, name)
    if host == DEFAULT_HOST and "/" not in path:
        path = f"library/{path}"
    return host, path


def _check_path(path: str, *, text: str) -> None:
    if len(path) > _PATH_CHARACTERS:
        raise BadReference("The name of an image is longer than 255 characters.")
    if _PATH.fullmatch(path):
        return
    if _PATH.fullmatch(path.lower()):
        raise BadReference(f"{text!r} has letters in upper case; an image's name has none.")
    raise BadReference(
        f"{text!r} is not the name of an image: lower case letters and digits, between them '.', '_' or '-'."
    )
