"""What an artifact says about itself, once it was read and every checksum in it was found right."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from enum import StrEnum


class Compression(StrEnum):
    """How a part is packed. The word is what an operator reads; the suffix is in the part's name."""

    NONE = "none"
    GZIP = "gzip"
    XZ = "xz"
    ZSTD = "zstd"

    @property
    def suffix(self) -> str:
        """What follows `.tar` in the name of a part that is packed like this."""
        return _SUFFIXES[self]


_SUFFIXES = {
    Compression.NONE: "",
    Compression.GZIP: ".gz",
    Compression.XZ: ".xz",
    Compression.ZSTD: ".zst",
}


@dataclass(frozen=True, slots=True)
class PayloadFile:
    """One file of the payload. `size` is bytes as installed, `sha256` 64 lower-case hex digits over the same bytes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class StateScript:
    """One state script of the artifact: its checked name, such as ArtifactInstall_Enter_00_stop, and what is in it."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ArtifactDescription:
    """All that stands in an artifact but the contents of its files.

    `payload_type` is that of header-info ("" for a bootstrap artifact, which has none). `clears_provides` is None where
    the artifact has no such list: on commit a client then drops all it had stored. `depends` maps each key to the
    values of which one must be met. `header_info`, `type_info` and `meta_data` are the members' own JSON text, unchanged
    (`meta_data` is "" where it is missing or empty). `manifest` is what a signature covers, byte for byte; `signature`
    is decoded from base64 and has not been verified. `warnings` are sentences for an operator.
    """

    name: str
    group: str | None
    payload_type: str
    device_types: tuple[str, ...]
    depends_names: tuple[str, ...]
    depends_groups: tuple[str, ...]
    depends: dict[str, list[str]]
    provides: dict[str, str]
    clears_provides: tuple[str, ...] | None
    header_info: str
    type_info: str
    meta_data: str
    scripts: tuple[str, ...]
    files: tuple[PayloadFile, ...]
    header_compression: Compression
    data_compression: Compression
    manifest: bytes
    signature: bytes | None
    warnings: tuple[str, ...]

    @property
    def is_bootstrap(self) -> bool:
        """Whether this artifact only sets a device's first name and provides, and installs nothing."""
        return not self.payload_type

    def as_json(self) -> dict[str, object]:
        """The same in types that JSON has: the manifest as its text, the signature in base64, tuples as lists."""
        files = [{"name": f.name, "size": f.size, "sha256": f.sha256} for f in self.files]
        clears = None if self.clears_provides is None else list(self.clears_provides)
        signature = None if self.signature is None else base64.b64encode(self.signature).decode()
        return {
            "name": self.name,
            "group": self.group,
            "payload_type": self.payload_type,
            "is_bootstrap": self.is_bootstrap,
            "device_types": list(self.device_types),
            "depends_names": list(self.depends_names),
            "depends_groups": list(self.depends_groups),
            "depends": self.depends,
            "provides": self.provides,
            "clears_provides": clears,
            "header_info": self.header_info,
            "type_info": self.type_info,
            "meta_data": self.meta_data,
            "scripts": list(self.scripts),
            "files": files,
            "header_compression": self.header_compression.value,
            "data_compression": self.data_compression.value,
            "manifest": self.manifest.decode("ascii"),
            "signature": signature,
            "warnings": list(self.warnings),
        }
