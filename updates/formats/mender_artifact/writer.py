"""Writing an artifact: a first pass over the payload for its checksums, a second one that packs it.

The manifest stands before the payload, and covers it; so each file is read twice, a chunk at a time. The size of the packed
payload stands before it too, and is only known behind it: therefore the output has to be one that can be wound back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from updates.errors import ArtifactRefused
from updates.formats.byte_source import CHUNK_BYTES
from updates.formats.mender_artifact.description import PayloadFile
from updates.formats.mender_artifact.header_writer import write_header
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.manifest import PAYLOAD_FOLDER, VERSION, parse_manifest
from updates.formats.mender_artifact.names import check_file_name
from updates.formats.mender_artifact.packing import Packer, packer
from updates.formats.mender_artifact.payload_rules import check_payload
from updates.formats.mender_artifact.signature import encode_signature
from updates.formats.mender_artifact.signing_key import SigningKey
from updates.formats.mender_artifact.spec import ArtifactSpec, PayloadSource
from updates.formats.mender_artifact.version import VERSION_CONTENT
from updates.formats.tar.writer import END_MARK, member_header, padding

_DEFAULT_LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class _Measured:
    source: PayloadSource
    file: PayloadFile


def write_artifact(
    spec: ArtifactSpec,
    out: BinaryIO,
    *,
    key: SigningKey | None = None,
    limits: Limits = _DEFAULT_LIMITS,
) -> None:
    """An artifact that `read_artifact` takes stands in `out`, from where `out` was; signed, if there is a key.

    `out` must be able to seek. Raises ArtifactRefused before anything is written for whatever the reader would refuse, and while
    writing if a file changed meanwhile: what was written is then to be thrown away. Memory does not grow with the payload.
    """
    measured = tuple(_measure(spec.files))
    checksum = measured[0].file.sha256 if spec.checksum_key and measured else ""
    header, packed_header = write_header(spec, checksum=checksum, limits=limits)
    suffix = spec.packing.compression.suffix
    header_name = f"header.tar{suffix}"
    sums = [(f"{PAYLOAD_FOLDER}{found.file.name}", found.file.sha256) for found in measured]
    sums.append((header_name, hashlib.sha256(packed_header).hexdigest()))
    sums.append((VERSION, hashlib.sha256(VERSION_CONTENT).hexdigest()))
    raw = "".join(f"{digest}  {name}\n" for name, digest in sums).encode()
    check_payload(header, parse_manifest(raw, limits=limits))

    members = [(VERSION, VERSION_CONTENT), ("manifest", raw)]
    if key is not None:
        members.append(("manifest.sig", encode_signature(key.sign(raw))))
    for name, content in (*members, (header_name, packed_header)):
        out.write(member_header(name, size=len(content)) + content + padding(len(content)))
    _write_data(measured, out, name=f"data/0000.tar{suffix}", packing=packer(spec.packing))
    out.write(END_MARK)


def _measure(sources: Iterable[PayloadSource]) -> Iterator[_Measured]:
    known: set[str] = set()
    for source in sources:
        check_file_name(source.name)
        if source.name in known:
            raise ArtifactRefused(
                "payload-file-twice", f"Two files of the payload are named {source.name}."
            )
        known.add(source.name)
        digest, size = hashlib.sha256(), 0
        with source.open() as stream:
            while chunk := stream.read(CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
        yield _Measured(source, PayloadFile(source.name, size=size, sha256=digest.hexdigest()))


def _write_data(
    measured: Iterable[_Measured], out: BinaryIO, *, name: str, packing: Packer
) -> None:
    start = out.tell()
    out.write(member_header(name, size=0))
    size = 0
    for piece in _data_tar(measured):
        size += out.write(packing.compress(piece))
    size += out.write(packing.flush())
    out.write(padding(size))
    end = out.tell()
    out.seek(start)
    out.write(member_header(name, size=size))
    out.seek(end)


def _data_tar(measured: Iterable[_Measured]) -> Iterator[bytes]:
    for found in measured:
        yield member_header(found.file.name, size=found.file.size)
        digest, left = hashlib.sha256(), found.file.size
        with found.source.open() as stream:
            while chunk := stream.read(min(CHUNK_BYTES, max(left, 1))):
                digest.update(chunk)
                left -= len(chunk)
                if left < 0:
                    break
                yield chunk
        if left or digest.hexdigest() != found.file.sha256:
            raise ArtifactRefused(
                "payload-changed",
                f"The file {found.file.name} changed while the artifact was being written.",
            )
        yield padding(found.file.size)
    yield END_MARK
