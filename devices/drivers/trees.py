"""Trees of files to and from a device, as one tar stream each way.

Names from either side are not trusted: none may be absolute or climb, and none may lead through a link of the same tree.
"""

from __future__ import annotations

import io
import secrets
import tarfile
from collections.abc import Iterable, Iterator
from typing import Final

from devices.drivers import commands
from devices.drivers.far_side import FLUSH
from devices.drivers.files import discard, get_file
from devices.drivers.link import Link
from devices.drivers.shell import TreeFile
from devices.drivers.words import absolute, relative, shell_text
from devices.errors import CommandFailed, UnsafeName

_BLOCK = tarfile.BLOCKSIZE
_PIECE_BYTES = 65536

# The last entry is a seal: a stream cut short between two entries looks whole to tar, but has no seal.
_UNPACK = (
    FLUSH
    + r"""
target=$1 stage=$2 seal=$3
merge() {
  for e in "$1"/* "$1"/.[!.]* "$1"/..?*; do
    [ -e "$e" ] || [ -L "$e" ] || continue
    t=$2/${e##*/}
    if [ -d "$t" ] && [ ! -L "$t" ]; then
      if [ ! -d "$e" ] || [ -L "$e" ]; then echo "$t is a directory"; return 1; fi
      ( merge "$e" "$t" ) && chmod "$(stat -c %a "$e")" "$t" || return 1
    else
      rm -f -- "$t" && mv -f -- "$e" "$t" || return 1
    fi
  done
}
place() {
  if [ -e "$target" ] || [ -L "$target" ]; then
    [ -d "$target" ] && merge "$stage" "$target" && rm -rf -- "$stage"
  else
    mv -- "$stage" "$target"
  fi
}
umask 022
mkdir -p -- "${target%/*}/" && mkdir -- "$stage" &&
  tar -x -p -o -f - -C "$stage" && [ -f "$stage/$seal" ] && rm -f -- "$stage/$seal" &&
  { sync -f "$stage" 2>/dev/null || sync; } && place && flush "${target%/*}/" && exit 0
rm -rf -- "$stage"
echo "the tree was not received whole"
exit 1
"""
)


def put_tree(link: Link, path: str, entries: Iterable[TreeFile]) -> int:
    """See `Shell.put_tree`. What is at `path` already stays, unless an entry replaces it; a directory is never replaced.

    Nothing appears before everything has come whole. The owner is the login's user.
    """
    path = absolute(path)
    folder, _, name = path.rpartition("/")
    if not name:
        raise UnsafeName("The root directory cannot be written as a tree.")
    stage = f"{folder}/.fleetwright-{secrets.token_hex(8)}.part"
    packed = _Packed(entries, seal=f".fleetwright-{secrets.token_hex(8)}.seal")
    words = ["sh", "-c", _UNPACK, "sh", path, stage, packed.seal]
    try:
        commands.ask(link, words, input_=packed)
    except BaseException:
        discard(link, stage)
        raise
    return packed.size


class _Packed:
    """The entries as a tar stream (GNU format: every tar reads its long names), with the seal at its end."""

    def __init__(self, entries: Iterable[TreeFile], *, seal: str) -> None:
        self._entries = entries
        self.seal: Final = seal
        self.size = 0
        self._not_directories: set[str] = set()

    def __iter__(self) -> Iterator[bytes]:
        for entry in self._entries:
            name = self._checked(entry)
            yield self._header(name, entry)
            if entry.chunks is not None:
                yield from self._content(name, entry)
        yield self._header(self.seal, TreeFile(path=self.seal, mode=0o600, chunks=()))
        yield bytes(2 * _BLOCK)

    def _checked(self, entry: TreeFile) -> str:
        name = relative(entry.path)
        parts = name.split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts) + 1)}
        if above & self._not_directories:
            raise UnsafeName(
                f"{name!r} comes twice, or leads through a file or link of its own tree."
            )
        if entry.link is not None or entry.chunks is not None:
            self._not_directories.add(name)
        return name

    def _header(self, name: str, entry: TreeFile) -> bytes:
        info = tarfile.TarInfo(name)
        info.mode = entry.mode & 0o7777
        if entry.link is not None:
            if not entry.link or "\0" in entry.link:
                raise UnsafeName(f"The link {name!r} leads nowhere.")
            info.type, info.linkname = tarfile.SYMTYPE, entry.link
        elif entry.chunks is None:
            info.type = tarfile.DIRTYPE
        else:
            info.size = entry.size
        return info.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape")

    def _content(self, name: str, entry: TreeFile) -> Iterator[bytes]:
        came = 0
        for chunk in entry.chunks or ():
            came += len(chunk)
            if came > entry.size:
                break
            yield chunk
        if came != entry.size:
            raise ValueError(
                f"The tree's entry {name!r} does not have the {entry.size} bytes it announced."
            )
        self.size += came
        yield bytes(-came % _BLOCK)


def get_tree(link: Link, path: str) -> Iterator[TreeFile]:
    """See `Shell.get_tree`. Sockets, pipes and device files are left out; a hard link comes as a file of its own."""
    path = absolute(path)
    text = shell_text(["tar", "-c", "-f", "-", "-C", path, "."], env={"LC_ALL": "C"})
    pieces = commands.read(link, text)
    source = _Source(pieces)
    try:
        with tarfile.open(
            fileobj=source, mode="r|", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            while (info := archive.next()) is not None:
                archive.members = []  # type: ignore[attr-defined] # tarfile would keep them all
                entry = _entry(link, path, archive=archive, info=info)
                if entry is not None:
                    yield entry
        source.drain()
    except tarfile.TarError:
        source.drain()  # tar's own complaint comes out of here, and says more
        raise CommandFailed(f"The device's tar of {path} cannot be read.", status=0) from None
    finally:
        pieces.close()


def _entry(
    link: Link, path: str, *, archive: tarfile.TarFile, info: tarfile.TarInfo
) -> TreeFile | None:
    if info.name.strip("/") in ("", "."):
        return None
    name = relative(info.name)
    mode = info.mode & 0o7777
    if info.issym():
        return TreeFile(path=name, mode=mode, link=info.linkname)
    if info.isdir():
        return TreeFile(path=name, mode=mode)
    if info.islnk():
        first = f"{path}/{relative(info.linkname)}"
        size = int(commands.ask(link, ["stat", "-c", "%s", "--", first]))
        return TreeFile(path=name, mode=mode, chunks=get_file(link, first), size=size)
    if info.isfile():
        return TreeFile(path=name, mode=mode, chunks=_chunks(archive, info), size=info.size)
    return None


def _chunks(archive: tarfile.TarFile, info: tarfile.TarInfo) -> Iterator[bytes]:
    content = archive.extractfile(info)
    while content is not None and (piece := content.read(_PIECE_BYTES)):
        yield piece


class _Source(io.RawIOBase):
    """Pieces as the file that tarfile reads from."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        super().__init__()
        self._pieces = pieces
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while len(self._rest) == 0:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = memoryview(piece)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return bytes(taken)

    def drain(self) -> None:
        """Reads to the end, where the far end's exit status is checked."""
        for _ in self._pieces:
            pass
