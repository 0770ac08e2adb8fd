"""Packing a part while it is written: no more than a chunk at a time, and the same bytes for the same content."""

from __future__ import annotations

import lzma
import sys
import zlib
from enum import StrEnum
from typing import Protocol

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from updates.formats.mender_artifact.description import Compression

_GZIP_WBITS = 16 + zlib.MAX_WBITS
_GZIP_LEVEL = 6
_XZ_PRESET = 4  # takes 48 MiB; the next one takes 94 for a file that is hardly smaller


class Packing(StrEnum):
    """How tightly an artifact's parts are packed, in mender-artifact's words for `--compression`."""

    NONE = "none"
    GZIP = "gzip"
    LZMA = "lzma"
    ZSTD_FASTEST = "zstd_fastest"
    ZSTD_FAST = "zstd_fast"
    ZSTD_BETTER = "zstd_better"
    ZSTD_BEST = "zstd_best"

    @property
    def compression(self) -> Compression:
        return _COMPRESSIONS.get(self, Compression.ZSTD)


class Packer(Protocol):
    """Takes content in, gives packed bytes out when it has some."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self) -> bytes:
        """The last bytes. Nothing can be packed afterwards."""


class _Unpacked:
    """Packs nothing."""

    def compress(self, data: bytes, /) -> bytes:
        return data

    def flush(self) -> bytes:
        return b""


def packer(packing: Packing) -> Packer:
    """A new packer for one part."""
    match packing.compression:
        case Compression.NONE:
            return _Unpacked()
        case Compression.GZIP:
            return zlib.compressobj(_GZIP_LEVEL, wbits=_GZIP_WBITS)
        case Compression.XZ:
            return lzma.LZMACompressor(preset=_XZ_PRESET, check=lzma.CHECK_CRC64)
        case Compression.ZSTD:
            options: dict[int, int] = {
                zstd.CompressionParameter.compression_level: _ZSTD_LEVELS[packing],
                zstd.CompressionParameter.checksum_flag: 1,
            }
            return zstd.ZstdCompressor(options=options)


_COMPRESSIONS = {
    Packing.NONE: Compression.NONE,
    Packing.GZIP: Compression.GZIP,
    Packing.LZMA: Compression.XZ,
}
_ZSTD_LEVELS = {
    Packing.ZSTD_FASTEST: 1,
    Packing.ZSTD_FAST: 3,
    Packing.ZSTD_BETTER: 7,
    Packing.ZSTD_BEST: 11,
}
