"""What a registry says of an image without pulling it: which one a reference means now, for which platform, its labels."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from devices.drivers.engine import Platform, RegistryLogin
from devices.drivers.references import checked_digest, is_tag, parse_reference
from devices.drivers.registry_talk import RegistryTalk
from devices.errors import BadReference, NoSuchPlatform, RegistryError

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_MANIFESTS: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
# All four, always: a registry that has an index says 404 to who asks for manifests alone.
_ACCEPT: Final = ", ".join(_INDEXES + _MANIFESTS)
_MANIFEST_BYTES: Final = 4 << 20
_CONFIG_BYTES: Final = 8 << 20
_ENTRIES: Final = 1000
_TAGS_BYTES: Final = 4 << 20
_TAG_PAGES: Final = 200
_ARM_VARIANTS: Final = ("v5", "v6", "v7", "v8")


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a reference means in its registry.

    `digest` is what the reference names (of an image for many platforms: the index), and what engines keep as the image's
    repository digest. `image_id` is the id that the image has in an engine. `size` is how many bytes a pull fetches, at most.
    """

    digest: str
    image_id: str
    size: int
    labels: dict[str, str]
    platform: Platform


def resolve(
    reference: str, *, platform: Platform, login: RegistryLogin | None, limit_seconds: float = 60
) -> Manifest:
    """What the registry has under that name now, for that platform; nothing is pulled, and every digest was checked.

    `NotInRegistry`; `NoSuchPlatform` if it has the image for several platforms, but not for this. One that is there for a single
    platform is taken as engines take it, whatever that is: `Manifest.platform` says so. `BadReference`, `RegistryRefused`,
    `RegistryUnreachable`, or `RegistryError` if what it says cannot be used.
    """
    wanted = parse_reference(reference).tagged()
    with RegistryTalk(wanted, login=login, limit_seconds=limit_seconds) as talk:
        said = _manifest(talk, wanted.digest or wanted.tag)
        digest = wanted.digest or _digest_of(said)
        document = _document(talk, said)
        if isinstance(document.get("manifests"), list):
            entry = _entry_for(document["manifests"], platform, reference=str(wanted))
            document = _document(talk, _manifest(talk, _digest_in(talk, entry)))
        return _described(talk, document, digest=digest)


def tags(repository: str, *, login: RegistryLogin | None, limit_seconds: float = 60) -> list[str]:
    """All tags that the registry lists for that repository, in no particular order; what is no tag is left out.

    `NotInRegistry` if there is no such repository. The other errors are those of `resolve`.
    """
    wanted = parse_reference(repository)
    found: dict[str, None] = {}
    with RegistryTalk(wanted, login=login, limit_seconds=limit_seconds) as talk:
        for said in talk.pages("tags/list", limit_bytes=_TAGS_BYTES, most=_TAG_PAGES):
            listed = _document(talk, said).get("tags") or []
            if not isinstance(listed, list):
                raise RegistryError(f"The registry {talk.host} lists tags in no way that is read.")
            found.update((one, None) for one in listed if isinstance(one, str) and is_tag(one))
    return list(found)


def _manifest(talk: RegistryTalk, name: str) -> bytes:
    """The manifest by a tag, or by a digest which it then has."""
    said = talk.get(f"manifests/{name}", accept=_ACCEPT, limit_bytes=_MANIFEST_BYTES)
    if ":" in name:
        _demand_digest(talk, said, name)
    return said


def _described(talk: RegistryTalk, document: dict[str, Any], *, digest: str) -> Manifest:
    config, layers = document.get("config"), document.get("layers")
    if not isinstance(config, dict) or not isinstance(layers, list):
        raise RegistryError(f"The registry {talk.host} has this image in a form that is not read.")
    image_id = _digest_in(talk, config)
    said = talk.get(f"blobs/{image_id}", accept="*/*", limit_bytes=_CONFIG_BYTES)
    _demand_digest(talk, said, image_id)
    described = _document(talk, said)
    inner = described.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return Manifest(
        digest=digest,
        image_id=image_id,
        size=sum(_size(part) for part in [config, *layers]),
        labels={str(key): str(value) for key, value in (labels or {}).items()}
        if isinstance(labels, dict)
        else {},
        platform=_platform(described),
    )


def _entry_for(entries: list[Any], platform: Platform, *, reference: str) -> dict[str, Any]:
    """The entry of the index that an engine of that platform would take."""
    offered: list[tuple[Platform, dict[str, Any]]] = []
    for entry in entries[:_ENTRIES]:
        if isinstance(entry, dict) and isinstance(entry.get("platform"), dict):
            offered.append((_platform(entry["platform"]), entry))
    fitting = [
        (_nearness(theirs, platform), number)
        for number, (theirs, _) in enumerate(offered)
        if _nearness(theirs, platform) is not None
    ]
    if not fitting:
        # Build systems put attestations beside images, for a platform that they call unknown.
        there = sorted({str(theirs) for theirs, _ in offered if theirs.os != "unknown"})
        raise NoSuchPlatform(
            f"{reference} is not there for {platform}, but for {', '.join(there) or 'nothing'}.",
            platforms=there,
        )
    return offered[min(fitting)[1]][1]


def _nearness(theirs: Platform, ours: Platform) -> int | None:
    """0 for what fits best; None for what does not run there."""
    if (theirs.os, theirs.architecture) != (ours.os, ours.architecture):
        return None
    if theirs.variant == ours.variant:
        return 0
    if ours.architecture == "arm64":
        return 1 if {theirs.variant, ours.variant} <= {"", "v8"} else None
    if ours.architecture == "arm":
        return _older_by(theirs.variant or "v7", than=ours.variant or "v7")
    return 1 if not theirs.variant or (theirs.variant == "v1" and not ours.variant) else None


def _older_by(variant: str, *, than: str) -> int | None:
    """An ARM runs what was made for an older one."""
    if variant not in _ARM_VARIANTS or than not in _ARM_VARIANTS:
        return None
    steps = _ARM_VARIANTS.index(than) - _ARM_VARIANTS.index(variant)
    return steps + 1 if steps >= 0 else None


def _platform(said: dict[str, Any]) -> Platform:
    return Platform(
        os=str(said.get("os", "")),
        architecture=str(said.get("architecture", "")),
        variant=str(said.get("variant") or ""),
    )


def _document(talk: RegistryTalk, said: bytes) -> dict[str, Any]:
    try:
        document = json.loads(said)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RegistryError(
            f"The registry {talk.host} describes this image in no way that is read."
        )
    return document


def _digest_in(talk: RegistryTalk, part: dict[str, Any]) -> str:
    try:
        return checked_digest(str(part.get("digest", "")))
    except BadReference:
        raise RegistryError(f"The registry {talk.host} names a part by no digest.") from None


def _digest_of(said: bytes) -> str:
    return "sha256:" + hashlib.sha256(said).hexdigest()


def _demand_digest(talk: RegistryTalk, said: bytes, digest: str) -> None:
    kind, _, value = digest.partition(":")
    if hashlib.new(kind, said).hexdigest() != value:
        raise RegistryError(f"The registry {talk.host} gives something else than {digest}.")


def _size(part: object) -> int:
    size = part.get("size") if isinstance(part, dict) else 0
    return size if isinstance(size, int) and size > 0 else 0
