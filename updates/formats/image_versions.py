"""Versions of images by their tags: which is newer, and where to read what is new in it.

A tag is a version if it is a semantic one, with or without a `v` before it. What stands behind its dash is a pre-release if it
begins like one (`2.0.0-rc.1`); otherwise it is a flavour (`1.25.3-alpine`), and each flavour has versions of its own.
Any other tag (`latest`, `1.25`) names a version that its registry may replace at any time: it floats.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

import semver

_PRE_RELEASES: Final = frozenset(
    {
        "a", "alpha", "b", "beta", "c", "canary", "dev", "devel", "ea", "edge", "m", "milestone", "next", "nightly", "pre",
        "prerelease", "preview", "rc", "snapshot", "test", "testing", "unstable",
    }
)  # fmt: skip
_WORD: Final = re.compile(r"[A-Za-z]*", re.ASCII)
_LONGEST: Final = 128
_LONGEST_URL: Final = 400
_SOURCE: Final = "org.opencontainers.image.source"
_PAGE: Final = "org.opencontainers.image.url"
_VERSION: Final = "org.opencontainers.image.version"


@dataclass(frozen=True, slots=True)
class ImageVersion:
    """What a tag says. `number` has no flavour in it; `prefix` is `v` or empty."""

    tag: str
    number: semver.Version
    prefix: str
    flavour: str

    @property
    def is_pre_release(self) -> bool:
        """Whether it comes before a release of the same number."""
        return self.number.prerelease is not None


def read_version(tag: str) -> ImageVersion | None:
    """The version that the tag names; None: it names none, so it floats."""
    prefix = "v" if tag.startswith("v") else ""
    try:
        found = semver.Version.parse(tag[len(prefix) :]) if len(tag) <= _LONGEST else None
    except ValueError:
        return None
    if found is None or found.build is not None:
        return None
    before, flavour = _split(found.prerelease or "")
    return ImageVersion(tag, found.replace(prerelease=before or None), prefix, flavour)


def newer_versions(
    tags: Iterable[str], *, running: str, candidates: bool, skipped: Collection[str] = ()
) -> list[str]:
    """Those of the tags that are newer than the one that runs, of its flavour, the newest first; none where that one floats.

    Pre-releases only if they are wanted (`candidates`). Of two tags of one version, the one that is written as the running one.
    """
    now = read_version(running)
    if now is None:
        return []
    unwanted = {one.number for tag in skipped if (one := read_version(tag))}
    found: dict[semver.Version, ImageVersion] = {}
    for tag in tags:
        one = read_version(tag)
        if one is None or one.flavour != now.flavour or one.number <= now.number:
            continue
        if one.number in unwanted or (one.is_pre_release and not candidates):
            continue
        if one.number not in found or one.prefix == now.prefix:
            found[one.number] = one
    return [found[number].tag for number in sorted(found, reverse=True)]


def written_as(running: str, tag: str) -> str:
    """The version that `tag` means, with or without a `v` as the running one has it; what is no version stays as it is."""
    now, wanted = read_version(running), read_version(tag)
    if now is None or wanted is None:
        return tag
    return now.prefix + tag.removeprefix(wanted.prefix)


def is_older(tag: str, *, than: str) -> bool:
    """Whether both are versions, and the first is older."""
    one, other = read_version(tag), read_version(than)
    return one is not None and other is not None and one.number < other.number


def notes_url(tag: str, labels: Mapping[str, str], *, template: str) -> str:
    """Where to read what is new in the version: by the image's own labels, else by the template; empty where neither says it.

    Only an address of the web, with a host, is one.
    """
    source, page = labels.get(_SOURCE, ""), labels.get(_PAGE, "")
    version = labels.get(_VERSION, "") or tag
    for place in (source, page):
        if _host(place) == "github.com":
            # Its releases may be called with a `v` or without: both are found so.
            return f"{_bare(place)}/releases?q={quote(version, safe='')}&expanded=true"
    for place in (page, _bare(source), template.replace("{version}", quote(tag, safe=""))):
        if _host(place):
            return place
    return ""


def _host(url: str) -> str:
    """The host of an address of the web; empty where it is none that we show."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and parts.username is None
        host = parts.hostname if is_one and len(url) <= _LONGEST_URL else None
    except ValueError:
        return ""
    return host if host and url.isprintable() and " " not in url else ""


def _bare(url: str) -> str:
    """The address of a repository's page, where it is given as one to clone from."""
    return url.partition("#")[0].partition("?")[0].rstrip("/").removesuffix(".git")


def _split(text: str) -> tuple[str, str]:
    """What stands behind the dash, as pre-release and flavour: `rc1-alpine` is both, `alpine` the latter alone."""
    parts = text.split("-") if text else []
    count = 0
    for part in parts:
        word = _WORD.match(part)
        if word is None or (word[0].lower() not in _PRE_RELEASES and word[0]):
            break
        count += 1
    return "-".join(parts[:count]), "-".join(parts[count:])
