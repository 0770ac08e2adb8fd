"""The tree of files of a module, as an engine exports it from the image: a tar whose members all stand below one root.

The stream is read twice. `survey` reads all of it, refuses what must not be installed and says what there is: before
anything is changed on the device. `entries` hands the same files on, and refuses a stream that differs from the survey, so
that what arrives is the whole tree or none. Twice because a tag that says "only a cache" may come behind what it is about.

What happens to entries that are not plain files and directories:

  * A symbolic link is kept as it is, if it leads to somewhere below the root from where it stands. `..` may only stand at
    its beginning: behind a name, where it leads depends on other links.
  * A hard link to a file before it becomes a relative symbolic link to that file; another is refused.
  * Devices, pipes and sockets are refused.
  * Owners, set-user-id bits, times and extended attributes are not taken over: the tree gets those of the instance.
  * Files named `.gitignore` and all but the tag in directories with a `CACHEDIR.TAG` are left out.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from typing import Final

from devices.drivers.shell import TreeFile
from portal.core.quoting import quoted
from updates.errors import ModuleRefused
from updates.formats.byte_source import CHUNK_BYTES, ChunkSource, take
from updates.formats.module_image.limits import Limits
from updates.formats.module_image.listing import Kind, Listed, Listing
from updates.formats.module_image.places import Places
from updates.formats.tar import (
    DIRECTORY,
    GNU_LONG_LINK,
    GNU_LONG_NAME,
    HARD_LINK,
    PAX_EXTENSION,
    PAX_VALUES,
    REGULAR,
    SYMBOLIC_LINK,
    Dialect,
    TarArchive,
    TarMember,
)

DEFAULT_ROOT: Final = "imageroot"

_WHERE: Final = "the image's export"
_LEFT_OUT: Final = ".gitignore"
_CACHE_TAG: Final = "CACHEDIR.TAG"
_CACHE_SIGNATURE: Final = (
    b"Signature: 8a477f597d28d172789f06886806bc55"  # as the tag's specification has it
)

_EXPORT: Final = Dialect(
    refused=ModuleRefused,
    writer="an engine",
    members=frozenset({REGULAR, HARD_LINK, SYMBOLIC_LINK, DIRECTORY}),
    members_are="files, directories and links",
    extensions=frozenset({PAX_EXTENSION, GNU_LONG_NAME, GNU_LONG_LINK}),
    extensions_per_member=2,
    extension_bytes=64 * 1024,
    end_mark_needed=True,
    pax_values={**PAX_VALUES, b"linkpath": PAX_VALUES[b"path"]},
    pax_ignored=(b"SCHILY.xattr.", b"LIBARCHIVE.xattr.", b"LIBARCHIVE.creationtime"),
)


def survey(
    chunks: Iterable[bytes], *, root: str = DEFAULT_ROOT, limits: Limits | None = None
) -> Listing:
    """What is below `root` in the export: all of it can be installed. The stream was whole, and is read to its end.

    `root` is the last part of the exported path. Raises ModuleRefused for what cannot be installed, for a stream that
    ends too early, and where nothing is below the root.
    """
    places = Places(root=root, limits=limits or Limits())
    found: dict[str, Listed] = {}
    caches: set[str] = set()
    for path, listed, member in _members(chunks, places):
        found[path] = listed
        folder, name = posixpath.split(path)
        if name == _CACHE_TAG and take(member, len(_CACHE_SIGNATURE)) == _CACHE_SIGNATURE:
            caches.add(folder)
    kept = {path: listed for path, listed in found.items() if not _is_cached(path, caches)}
    for path in kept.keys() & places.twins.keys():
        if places.twins[path] not in kept:
            raise ModuleRefused(
                "hard-link", f"The hard link {quoted(path)} leads to a file that is left out."
            )
    if not any(listed.kind is not Kind.DIRECTORY for listed in kept.values()):
        raise ModuleRefused(
            "no-imageroot", f"The image has no files in its directory {quoted(root)}."
        )
    return Listing.of(kept)


def entries(
    chunks: Iterable[bytes],
    listing: Listing,
    *,
    root: str = DEFAULT_ROOT,
    limits: Limits | None = None,
) -> Iterator[TreeFile]:
    """The entries that `listing` has, in the order of the stream. Read each entry's chunks before the next.

    At the end all of them have come. Raises ModuleRefused as `survey` does, and when the stream is another one.
    """
    missing = dict(listing.entries)
    places = Places(root=root, limits=limits or Limits())
    for path, listed, member in _members(chunks, places):
        if path in listing.entries:
            if missing.pop(path, None) != listed:
                raise _changed(path)
            yield _tree_file(path, listed, member)
    for path in missing:
        raise _changed(path)


def _members(chunks: Iterable[bytes], places: Places) -> Iterator[tuple[str, Listed, TarMember]]:
    """Path, entry and content of each member that can be installed; the root itself is not among them."""
    archive = TarArchive(ChunkSource(chunks), where=_WHERE, dialect=_EXPORT)
    while (member := archive.next_member()) is not None:
        path = places.path_of(member.name)
        listed = _listed(member, path, places)
        places.take(path, listed)
        if path and (posixpath.basename(path) != _LEFT_OUT or listed.kind is Kind.DIRECTORY):
            yield path, listed, member


def _listed(member: TarMember, path: str, places: Places) -> Listed:
    if member.kind == REGULAR:
        return Listed(Kind.FILE, member.mode & 0o777, size=member.size)
    if member.size:
        raise ModuleRefused("entry-content", f"The link or directory {quoted(path)} has content.")
    if member.kind == DIRECTORY:
        return Listed(Kind.DIRECTORY, member.mode & 0o777)
    if member.kind == SYMBOLIC_LINK:
        return Listed(Kind.LINK, 0o777, link=places.checked_link(path, member.link))
    return Listed(Kind.LINK, 0o777, link=places.link_to_twin(path, member.link))


def _is_cached(path: str, caches: set[str]) -> bool:
    folder, name = posixpath.split(path)
    if folder in caches:
        return name != _CACHE_TAG or _is_cached(folder, caches)
    return bool(folder) and _is_cached(folder, caches)


def _tree_file(path: str, listed: Listed, member: TarMember) -> TreeFile:
    if listed.kind is Kind.DIRECTORY:
        return TreeFile(path=path, mode=listed.mode)
    if listed.kind is Kind.LINK:
        return TreeFile(path=path, mode=listed.mode, link=listed.link)
    return TreeFile(path=path, mode=listed.mode, chunks=_pieces(member), size=listed.size)


def _pieces(member: TarMember) -> Iterator[bytes]:
    while piece := member.read(CHUNK_BYTES):
        yield piece


def _changed(path: str) -> ModuleRefused:
    return ModuleRefused(
        "changed", f"The image's export changed at {quoted(path)} while it was read twice."
    )
