"""The member `manifest`: the checksum of everything that counts, and what a signature is made over."""

from __future__ import annotations

import re
from dataclasses import dataclass

from portal.core.quoting import quoted
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.limits import Limits
from updates.formats.mender_artifact.names import is_file_name

VERSION = "version"
PAYLOAD_FOLDER = "data/0000/"
_LINE = re.compile(rb"([0-9a-f]{64})  ([!-~]+)")
_HEADER = re.compile(r"header\.tar(\.[a-z0-9]+)?")
_LINES_BESIDE_FILES = 2


@dataclass(frozen=True, slots=True)
class Manifest:
    """`raw` byte for byte; SHA-256 in lower-case hex of version, of the one header as packed, of each payload file."""

    raw: bytes
    version_sha256: str
    header_name: str
    header_sha256: str
    files: dict[str, str]


def parse_manifest(raw: bytes, *, limits: Limits) -> Manifest:
    """Parse lines of 64 hex digits, two blanks and a name. The version and one header are covered afterwards.

    Raises ArtifactRefused for a line of any other form, a name that has no place in an artifact or comes twice.
    """
    sums = _sums(raw, limits=limits)
    files = {
        name.removeprefix(PAYLOAD_FOLDER): digest
        for name, digest in sums.items()
        if name.startswith(PAYLOAD_FOLDER)
    }
    headers = [name for name in sums if _HEADER.fullmatch(name)]
    for name in sums:
        is_payload = name.startswith(PAYLOAD_FOLDER) and is_file_name(name[len(PAYLOAD_FOLDER) :])
        if name != VERSION and name not in headers and not is_payload:
            raise ArtifactRefused(
                "manifest-name",
                f"The manifest lists {quoted(name)}, which is neither the version, a header nor a usable "
                "name of a file in data/0000.",
            )
    if VERSION not in sums:
        raise ArtifactRefused("manifest-missing-line", "The manifest has no line for version.")
    if len(headers) != 1:
        raise ArtifactRefused(
            "manifest-missing-line",
            f"The manifest must have a line for exactly one header; it has {len(headers)}.",
        )
    header = headers[0]
    return Manifest(
        raw=raw,
        version_sha256=sums[VERSION],
        header_name=header,
        header_sha256=sums[header],
        files=files,
    )


def _sums(raw: bytes, *, limits: Limits) -> dict[str, str]:
    sums: dict[str, str] = {}
    at = 0
    while at < len(raw):
        end = raw.find(b"\n", at)
        line = _LINE.fullmatch(raw, at, end) if end >= 0 else None
        if line is None:
            raise ArtifactRefused(
                "manifest-line",
                f"Line {len(sums) + 1} of the manifest is {quoted(raw[at : at + 100])}; expected 64 lower-case "
                "hex digits, two blanks, a name and a line feed.",
            )
        name = line[2].decode("ascii")
        if name in sums:
            raise ArtifactRefused("manifest-duplicate", f"The manifest lists {quoted(name)} twice.")
        if len(sums) >= limits.payload_files + _LINES_BESIDE_FILES:
            raise ArtifactRefused(
                "too-many-files",
                f"The manifest lists more than the {limits.payload_files} files that are allowed.",
            )
        sums[name] = line[1].decode("ascii")
        at = end + 1
    return sums
