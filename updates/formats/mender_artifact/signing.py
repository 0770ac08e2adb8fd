"""Signing an artifact that exists: everything but its signature stays, byte for byte."""

from __future__ import annotations

from typing import BinaryIO

from updates.errors import ArtifactRefused
from updates.formats.byte_source import CHUNK_BYTES
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.reader import read_artifact
from updates.formats.mender_artifact.signature import encode_signature
from updates.formats.mender_artifact.signing_key import SigningKey
from updates.formats.mender_artifact.tar_archive import tar_archive
from updates.formats.tar import TarMember
from updates.formats.tar.writer import END_MARK, member_header, padding

_MANIFEST = "manifest"
_SIGNATURE = "manifest.sig"
_DEFAULT_LIMITS = Limits()


def sign_artifact(
    source: BinaryIO, key: SigningKey, out: BinaryIO, *, limits: Limits = _DEFAULT_LIMITS
) -> None:
    """The artifact in `source` stands in `out`, signed by `key`, in place of the signature that it had, if any.

    `source` must be able to seek: it is read whole before a byte is written, so that nothing is signed that is not in order.
    Raises ArtifactRefused as `read_artifact` does, and if `source` changed in between. Memory does not grow with the payload.
    """
    start = source.tell()
    manifest = read_artifact(source, limits=limits).manifest
    source.seek(start)
    archive = tar_archive(source, where="the artifact")
    while (member := archive.next_member()) is not None:
        if member.name == _MANIFEST:
            if member.read_all(limit=limits.manifest_bytes) != manifest:
                raise ArtifactRefused(
                    "payload-changed", "The artifact changed while it was being signed."
                )
            _write(out, name=_MANIFEST, content=manifest)
            _write(out, name=_SIGNATURE, content=encode_signature(key.sign(manifest)))
        elif member.name != _SIGNATURE:
            _copy(member, out)
    out.write(END_MARK)


def _write(out: BinaryIO, *, name: str, content: bytes) -> None:
    out.write(member_header(name, size=len(content)) + content + padding(len(content)))


def _copy(member: TarMember, out: BinaryIO) -> None:
    out.write(member_header(member.name, size=member.size))
    while chunk := member.read(CHUNK_BYTES):
        out.write(chunk)
    out.write(padding(member.size))
