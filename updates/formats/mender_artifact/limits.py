"""How much an artifact may ask of us before it is refused. The clients have hardly any such limits; a server needs them."""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are bytes, after unpacking unless the name says otherwise. What goes beyond one of them is refused."""

    json_bytes: int = 1 * MIB
    """Each of version, header-info, type-info and meta-data."""
    json_depth: int = 64
    """Lists and objects within each other."""
    manifest_bytes: int = 5 * MIB
    signature_bytes: int = 8 * KIB
    name_characters: int = 256
    """Names of artifacts and groups, keys of provides and depends."""
    device_type_characters: int = 100
    """What the portal keeps of a device: a longer one would never meet a device of its type."""
    value_characters: int = 4096
    """Values of provides and depends, globs of what is cleared."""

    scripts: int = 128
    script_bytes: int = 1 * MIB
    scripts_total_bytes: int = 8 * MIB
    """All state scripts together: they are kept in memory."""

    payload_files: int = 4096
    header_unpacked_bytes: int = 16 * MIB
    payload_unpacked_bytes: int = 64 * GIB
    """The whole data tar, its headers and padding included."""

    compression_ratio: int = 2000
    """Unpacked : compressed. gzip cannot exceed 1032; what xz makes of a mostly empty disk image stays below as well."""
    ratio_free_bytes: int = 512 * MIB
    """So many unpacked bytes are let through before the ratio is judged: small files of zeros are harmless."""
    xz_memory_bytes: int = 128 * MIB
    """What one xz decoder may take; `xz -9` asks for 65 MiB, a hostile stream for up to 4 GiB."""
    zstd_window_bytes: int = 128 * MIB
    """A power of two: how far back a zstd stream may refer, which is what its decoder takes. The clients' own limit."""
