"""Artifacts made by hand, byte by byte: a good one by default, and every part of it can be made wrong.

Checksums follow what is built, unless a test puts its hands on the manifest: so each hostile file is wrong in one place.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

BLOCK = 512
END = bytes(2 * BLOCK)
VERSION = b'{"format":"mender","version":3}'
DEVICE = {"device_type": ["box"]}
PAYLOADS = [{"type": "single-file"}]
HEADER_INFO: dict[str, object] = {
    "payloads": PAYLOADS,
    "artifact_provides": {"artifact_name": "release-1"},
    "artifact_depends": DEVICE,
}
TYPE_INFO: dict[str, object] = {
    "type": "single-file",
    "artifact_provides": {"rootfs-image.single-file.version": "release-1"},
    "clears_artifact_provides": ["rootfs-image.single-file.*"],
}
FILES = (("a.bin", b"first\n"), ("b.bin", b"second\n"))

Json = dict[str, object] | bytes


@dataclass(frozen=True)
class Entry:
    """One member of a tar. `raw` stands for the whole entry, header and padding, as it is."""

    name: str | bytes
    content: bytes = b""
    kind: bytes = b"0"
    padding: bytes | None = None
    raw: bytes | None = None

    def encode(self) -> bytes:
        if self.raw is not None:
            return self.raw
        name = self.name.encode() if isinstance(self.name, str) else self.name
        gap = bytes(-len(self.content) % BLOCK) if self.padding is None else self.padding
        return tar_header(name, len(self.content), kind=self.kind) + self.content + gap


Entries = list[Entry]
Change = Callable[[Entries], Entries]


def same(entries: Entries) -> Entries:
    return entries


def unchanged(content: bytes) -> bytes:
    return content


def tar_header(
    name: bytes, size: int, *, kind: bytes = b"0", patch: Sequence[tuple[int, bytes]] = ()
) -> bytes:
    """A ustar header with a right checksum; `patch` overwrites bytes before the checksum is made."""
    block = bytearray(BLOCK)
    block[0 : len(name)] = name
    block[100:108] = b"0000600\0"
    block[108:116] = block[116:124] = b"0000000\0"
    block[124:136] = b"%011o\0" % size
    block[136:148] = b"%011o\0" % 0
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    for at, value in patch:
        block[at : at + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def tar(entries: Entries, *, end: bytes = END) -> bytes:
    return b"".join(entry.encode() for entry in entries) + end


def pax_record(key: str, value: str) -> bytes:
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


def pax(records: bytes) -> Entry:
    return Entry("PaxHeaders.0/x", records, kind=b"x")


def pack(content: bytes, suffix: str) -> bytes:
    match suffix:
        case ".gz":
            return gzip.compress(content, mtime=0)
        case ".xz":
            return lzma.compress(content)
        case ".zst":
            return zstd.compress(content)
        case _:
            return content


def encode(value: Json) -> bytes:
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def header_info(**changes: object) -> dict[str, object]:
    """The good header-info with keys replaced; a key set to None is left out."""
    return _changed(HEADER_INFO, changes)


def type_info(**changes: object) -> dict[str, object]:
    return _changed(TYPE_INFO, changes)


def _changed(values: dict[str, object], changes: dict[str, object]) -> dict[str, object]:
    return {key: value for key, value in {**values, **changes}.items() if value is not None}


def named(name: str) -> dict[str, object]:
    return header_info(artifact_provides={"artifact_name": name})


def artifact(
    *,
    version: bytes = VERSION,
    info: Json = HEADER_INFO,
    types: Json = TYPE_INFO,
    meta_data: bytes | None = None,
    scripts: Sequence[tuple[str, bytes]] = (),
    files: Sequence[tuple[str, bytes]] = FILES,
    header_suffix: str = ".gz",
    data_suffix: str = ".gz",
    change_header: Change = same,
    change_data: Change = same,
    header_end: bytes = END,
    data_end: bytes = END,
    change_packed_header: Callable[[bytes], bytes] = unchanged,
    change_packed_data: Callable[[bytes], bytes] = unchanged,
    change_manifest: Callable[[bytes], bytes] = unchanged,
    signature: bytes | None = None,
    change: Change = same,
    end: bytes = END,
) -> bytes:
    """An artifact; without arguments one that every client takes."""
    header_entries = [Entry("header-info", encode(info))]
    header_entries += [Entry(f"scripts/{name}", content) for name, content in scripts]
    header_entries.append(Entry("headers/0000/type-info", encode(types)))
    if meta_data is not None:
        header_entries.append(Entry("headers/0000/meta-data", meta_data))
    header = pack(tar(change_header(header_entries), end=header_end), header_suffix)
    header = change_packed_header(header)
    data_entries = change_data([Entry(name, content) for name, content in files])
    data = change_packed_data(pack(tar(data_entries, end=data_end), data_suffix))
    header_name = f"header.tar{header_suffix}"
    covered = [(f"data/0000/{name}", content) for name, content in files]
    covered += [(header_name, header), ("version", version)]
    entries = [Entry("version", version), Entry("manifest", change_manifest(manifest(covered)))]
    if signature is not None:
        entries.append(Entry("manifest.sig", signature))
    entries += [Entry(header_name, header), Entry(f"data/0000.tar{data_suffix}", data)]
    return tar(change(entries), end=end)


def manifest(covered: Sequence[tuple[str, bytes]]) -> bytes:
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in covered]
    return "".join(lines).encode()


def at(
    entry: str,
    *,
    rename: str | bytes | None = None,
    content: bytes | None = None,
    kind: bytes | None = None,
    padding: bytes | None = None,
    raw: bytes | None = None,
) -> Change:
    """Replaces what is given in the first entry of this name."""
    given = {"name": rename, "content": content, "kind": kind, "padding": padding, "raw": raw}
    changes = {field: value for field, value in given.items() if value is not None}

    def apply(entries: Entries) -> Entries:
        index = _index(entries, entry)
        values = {**asdict(entries[index]), **changes}
        return [*entries[:index], Entry(**values), *entries[index + 1 :]]

    return apply


def without(name: str) -> Change:
    def apply(entries: Entries) -> Entries:
        index = _index(entries, name)
        return entries[:index] + entries[index + 1 :]

    return apply


def before(name: str, *added: Entry) -> Change:
    def apply(entries: Entries) -> Entries:
        index = _index(entries, name)
        return [*entries[:index], *added, *entries[index:]]

    return apply


def append(*added: Entry) -> Change:
    return lambda entries: [*entries, *added]


def twice(name: str) -> Change:
    def apply(entries: Entries) -> Entries:
        index = _index(entries, name)
        return [*entries[: index + 1], *entries[index:]]

    return apply


def swapped(first: str, second: str) -> Change:
    def apply(entries: Entries) -> Entries:
        a, b = _index(entries, first), _index(entries, second)
        result = list(entries)
        result[a], result[b] = entries[b], entries[a]
        return result

    return apply


def _index(entries: Entries, name: str) -> int:
    return next(i for i, entry in enumerate(entries) if entry.name == name)
