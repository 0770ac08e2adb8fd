"""One pass over an artifact: version, manifest, signature, header, then the payload's files, then nothing.

There is one parser. `read_artifact` is what `open_payload` does, with nobody looking at the files. The order of the
members is the format's, so that everything known about a file is known, and checked against the manifest, before its
first byte is handed on; the file's own checksum is only known when it ends.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.byte_source import CHUNK_BYTES, HashedSource
from updates.formats.mender_artifact.description import (
    ArtifactDescription,
    Compression,
    PayloadFile,
    StateScript,
)
from updates.formats.mender_artifact.header import Header, read_header
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.manifest import Manifest, parse_manifest
from updates.formats.mender_artifact.names import check_file_name
from updates.formats.mender_artifact.payload_rules import check_payload
from updates.formats.mender_artifact.signature import decode_signature
from updates.formats.mender_artifact.tar_archive import tar_archive
from updates.formats.mender_artifact.unpacking import UnpackedSource
from updates.formats.mender_artifact.version import check_version
from updates.formats.tar import TarArchive, TarMember

_VERSION = "version"
_MANIFEST = "manifest"
_SIGNATURE = "manifest.sig"
_HEADER = "header.tar"
_DATA = "data/0000.tar"
_AUGMENTS = ("manifest-augment", "header-augment.")
_COMPRESSIONS = {compression.suffix: compression for compression in Compression}
_DEFAULT_LIMITS = Limits()


def read_artifact(stream: BinaryIO, *, limits: Limits = _DEFAULT_LIMITS) -> ArtifactDescription:
    """Return what the artifact says, after all of the stream was read, forward only, and every checksum was right.

    Raises ArtifactRefused, and nothing else, for whatever the stream holds. What `stream.read` itself raises comes out
    unchanged. Memory does not grow with the payload.
    """
    return open_payload(stream, limits=limits).finish()


def open_payload(stream: BinaryIO, *, limits: Limits = _DEFAULT_LIMITS) -> OpenedArtifact:
    """Read up to the payload: version, manifest, signature and header are checked when this returns.

    Raises ArtifactRefused as `read_artifact` does, here and while the files are read.
    """
    archive = tar_archive(stream, where="the artifact")
    version = _expect(archive.next_member(), _VERSION).read_all(limit=limits.json_bytes)
    check_version(version, limits=limits)
    raw = _expect(archive.next_member(), _MANIFEST).read_all(limit=limits.manifest_bytes)
    manifest = parse_manifest(raw, limits=limits)
    _check_sum(hashlib.sha256(version).hexdigest(), manifest.version_sha256, name=_VERSION)

    signature = None
    member = archive.next_member()
    if member is not None and member.name == _SIGNATURE:
        signature = decode_signature(member.read_all(limit=limits.signature_bytes))
        member = archive.next_member()
    member = _expect(member, _HEADER)
    header_compression = _compression(member, _HEADER)
    header = _read_header(member, header_compression, manifest=manifest, limits=limits)
    check_payload(header, manifest)

    data = _expect(archive.next_member(), _DATA)
    head = _describe(
        header,
        manifest=manifest,
        signature=signature,
        header_compression=header_compression,
        data_compression=_compression(data, _DATA),
    )
    return OpenedArtifact(
        head, header.scripts, archive=archive, data=data, manifest=manifest, limits=limits
    )


def open_scripts(
    stream: BinaryIO, *, limits: Limits = _DEFAULT_LIMITS
) -> Iterator[tuple[str, bytes]]:
    """Return the state scripts in their order of name: each name, and what is in it, covered by the manifest.

    Reads `stream` up to the payload. Raises ArtifactRefused as `read_artifact` does, before anything is handed out.
    """
    scripts = open_payload(stream, limits=limits).scripts
    return iter(sorted((script.name, script.content) for script in scripts))


class OpenedArtifact:
    """An artifact read up to its payload, whose files are read as they are asked for.

    `head` describes it as far as it was read: everything but `files`, which is empty. `scripts` holds the state scripts
    with their contents.
    """

    def __init__(
        self,
        head: ArtifactDescription,
        scripts: tuple[StateScript, ...],
        *,
        archive: TarArchive,
        data: TarMember,
        manifest: Manifest,
        limits: Limits,
    ) -> None:
        self.head = head
        self.scripts = scripts
        self._archive = archive
        self._manifest = manifest
        unpacked = UnpackedSource(
            data,
            source=data,
            compression=head.data_compression,
            limit_bytes=limits.payload_unpacked_bytes,
            limits=limits,
        )
        self._payload = tar_archive(unpacked, where=data.name)
        self._done: dict[str, PayloadFile] = {}
        self._is_complete = False
        self._walk = self._read_files()

    def files(self) -> Iterator[IncomingFile]:
        """The payload's files in their order, each valid until the next is asked for; always the same iterator.

        When it is used up, every file of the manifest was there with the right content, and so was the artifact's end.
        Until then nothing that was handed out may be taken for good.
        """
        return self._walk

    def finish(self) -> ArtifactDescription:
        """Read whatever is left of the artifact, and return its full description.

        Not to be called after reading has failed: that is a bug, and a RuntimeError where it can be told.
        """
        for _ in self._walk:
            pass
        if not self._is_complete:
            raise RuntimeError("finish() was called after reading this artifact had already failed")
        return replace(self.head, files=tuple(self._done.values()))

    def _read_files(self) -> Iterator[IncomingFile]:
        while (member := self._payload.next_member()) is not None:
            incoming = IncomingFile(member, sha256=self._expected_sum(member))
            yield incoming
            for _ in incoming.chunks():
                pass
            self._done[member.name] = incoming.verified()
        for name in self._manifest.files:
            if name not in self._done:
                raise ArtifactRefused(
                    "payload-file-missing",
                    f"The manifest lists {quoted(name)}, but the payload lacks it.",
                )
        extra = self._archive.next_member()
        if extra is not None:
            raise ArtifactRefused(
                "member-order",
                f"The artifact has {quoted(extra.name)} behind its payload, where it should end.",
            )
        self._is_complete = True

    def _expected_sum(self, member: TarMember) -> str:
        name = check_file_name(member.name)
        if name in self._done:
            raise ArtifactRefused("payload-file-twice", f"The payload has the file {name} twice.")
        if name not in self._manifest.files:
            raise ArtifactRefused(
                "payload-file-unlisted",
                f"The payload has the file {name}, which no checksum covers.",
            )
        return self._manifest.files[name]


class IncomingFile:
    """One payload file on its way. `sha256` is what the manifest promises; whether it is true shows at the end."""

    def __init__(self, member: TarMember, *, sha256: str) -> None:
        self.name = member.name
        self.size = member.size
        self.sha256 = sha256
        self._member = member
        self._hash = hashlib.sha256()

    def chunks(self) -> Iterator[bytes]:
        """What is still unread of the file, in pieces of at most 128 KiB.

        Raises ArtifactRefused behind the last piece if the file is not the one that the manifest promises.
        """
        while chunk := self._member.read(CHUNK_BYTES):
            self._hash.update(chunk)
            yield chunk
        self.verified()

    def verified(self) -> PayloadFile:
        """The file's description, once it was read to its end. Raises ArtifactRefused if its content is not right."""
        _check_sum(self._hash.hexdigest(), self.sha256, name=f"the payload file {self.name}")
        return PayloadFile(name=self.name, size=self.size, sha256=self.sha256)


def _read_header(
    member: TarMember, compression: Compression, *, manifest: Manifest, limits: Limits
) -> Header:
    if member.name != manifest.header_name:
        raise ArtifactRefused(
            "manifest-missing-line",
            f"The manifest has no line for {member.name}, only for {quoted(manifest.header_name)}.",
        )
    hashed = HashedSource(member)
    unpacked = UnpackedSource(
        member,
        source=hashed,
        compression=compression,
        limit_bytes=limits.header_unpacked_bytes,
        limits=limits,
    )
    header = read_header(tar_archive(unpacked, where=member.name), limits=limits)
    _check_sum(hashed.hexdigest, manifest.header_sha256, name=member.name)
    return header


def _expect(member: TarMember | None, name: str) -> TarMember:
    """The member is there and is `name`, or `name` with a suffix of compression where it is that of a tar."""
    if member is None:
        raise ArtifactRefused("member-order", f"The artifact ends where {name} was expected.")
    if member.name.startswith(_AUGMENTS):
        raise ArtifactRefused(
            "augment-unsupported",
            f"The artifact has {quoted(member.name)}: no client takes augmented artifacts.",
        )
    is_packed = name.endswith(".tar") and member.name.startswith(f"{name}.")
    if member.name != name and not is_packed:
        raise ArtifactRefused(
            "member-order", f"The artifact has {quoted(member.name)} where {name} was expected."
        )
    return member


def _compression(member: TarMember, name: str) -> Compression:
    suffix = member.name.removeprefix(name)
    if suffix not in _COMPRESSIONS:
        raise ArtifactRefused(
            "compression-unsupported",
            f"The member {quoted(member.name)} is packed in a way that cannot be read: write the artifact with "
            "gzip, lzma (xz), zstd or no compression.",
        )
    return _COMPRESSIONS[suffix]


def _check_sum(found: str, expected: str, *, name: str) -> None:
    if found != expected:
        raise ArtifactRefused(
            "checksum", f"The SHA-256 of {name} is {found}, but the manifest says {expected}."
        )


def _describe(
    header: Header,
    *,
    manifest: Manifest,
    signature: bytes | None,
    header_compression: Compression,
    data_compression: Compression,
) -> ArtifactDescription:
    warnings = header.warnings
    if Compression.ZSTD in (header_compression, data_compression):
        warnings += ("It is packed with zstd, which clients before 4.0 do not know.",)
    return ArtifactDescription(
        name=header.info.name,
        group=header.info.group,
        payload_type=header.info.payload_type or "",
        device_types=header.info.device_types,
        depends_names=header.info.depends_names,
        depends_groups=header.info.depends_groups,
        depends=header.type_info.depends,
        provides=header.type_info.provides,
        clears_provides=header.type_info.clears_provides,
        header_info=header.info.text,
        type_info=header.type_info.text,
        meta_data=header.meta_data,
        scripts=tuple(script.name for script in header.scripts),
        files=(),
        header_compression=header_compression,
        data_compression=data_compression,
        manifest=manifest.raw,
        signature=signature,
        warnings=warnings,
    )
