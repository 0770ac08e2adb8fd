"""Which version an instance can be updated to, of those that repositories publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import semver

from updates.formats.module_image import ModuleLabels
from updates.formats.repodata import Package, Version

_UNKNOWN_CORE: Final = semver.Version(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Index:
    """What a repository published. A testing one offers pre-releases like any other version."""

    repository: str
    testing: bool
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True)
class Published:
    """A package with the repository that it is taken from."""

    package: Package
    repository: str
    testing: bool


@dataclass(frozen=True, slots=True)
class Available:
    """The tags to update to, or None. `testing_update` is the newest pre-release, for who asks for one.

    `skipped` are newer versions that are not offered, each with a sentence about why. `says` is a sentence if nothing could
    be looked for at all.
    """

    update: str | None = None
    testing_update: str | None = None
    skipped: tuple[tuple[str, str], ...] = ()
    says: str = ""


def published(indexes: Iterable[Index]) -> dict[str, Published]:
    """Each source with its package. Of several repositories that have it, the one whose name comes last in the order of
    bytes is listened to, and only it: so an operator decides by a repository's name."""
    found: dict[str, Published] = {}
    for index in sorted(indexes, key=lambda index: index.repository.encode(), reverse=True):
        for package in index.packages:
            entry = Published(package, index.repository, index.testing)
            found.setdefault(package.source, entry)
    return found


def updates_for(
    source: str, installed: str, packages: Mapping[str, Published], *, core_version: str
) -> Available:
    """What the instance of `source` with the tag `installed` can be updated to in one step.

    A version that asks for a newer one to come from is not offered; so a long way is gone in steps. `core_version` is what
    `min-core` is compared with: unknown if empty, a development build that takes everything if no semantic version.
    """
    offer = packages.get(source)
    if offer is None:
        return Available(says=f"No repository publishes {source}.")
    now = _version(installed)
    if now is None:
        return Available(says=f"{installed} is no semantic version: a development build.")
    core = _version(core_version) if core_version else _UNKNOWN_CORE
    candidates, skipped = _candidates(offer.package, now=now, core=core)
    stable = [version for version in candidates if offer.testing or not _is_testing(version)]
    unstable = [version for version in candidates if _is_testing(version)]
    held = {version.tag for version in unstable} - {version.tag for version in stable}
    skipped += [(tag, f"{tag} is a pre-release.") for tag in sorted(held)]
    return Available(
        update=stable[0].tag if stable else None,
        testing_update=unstable[0].tag if unstable else None,
        skipped=tuple(skipped),
    )


def _candidates(
    package: Package, *, now: semver.Version, core: semver.Version | None
) -> tuple[list[Version], list[tuple[str, str]]]:
    """The versions that the instance may move to, the newest first; and the newer ones that it may not."""
    known = [(found, version) for version in package.versions if (found := _version(version.tag))]
    candidates: list[Version] = []
    skipped = [
        (version.tag, f"{version.tag} is no semantic version.")
        for version in package.versions
        if _version(version.tag) is None
    ]
    for found, version in sorted(known, key=lambda pair: pair[0], reverse=True):
        if found <= now:
            break
        reason = _reason_to_skip(version, now=now, core=core)
        if reason:
            skipped.append((version.tag, reason))
        else:
            candidates.append(version)
    return candidates, skipped


def _reason_to_skip(version: Version, *, now: semver.Version, core: semver.Version | None) -> str:
    """A sentence, or empty. A malformed label restricts nothing."""
    labels = ModuleLabels.read(version.labels)
    if labels.min_from is not None and labels.min_from > now:
        return f"{version.tag} can be installed over {labels.min_from} or newer only."
    if labels.min_core is not None and core is not None and labels.min_core > core:
        return f"{version.tag} needs the core's version {labels.min_core}, which is {core}."
    return ""


def _is_testing(version: Version) -> bool:
    found = _version(version.tag)
    return version.testing or (found is not None and found.prerelease is not None)


def _version(tag: str) -> semver.Version | None:
    try:
        return semver.Version.parse(tag)
    except ValueError:
        return None
