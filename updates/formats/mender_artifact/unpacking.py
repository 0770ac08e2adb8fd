"""Compressed parts, unpacked while they are read: never more than a chunk at a time, never beyond the limits."""

from __future__ import annotations

import lzma
import sys
import zlib
from collections.abc import Iterator

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from updates.errors import ArtifactRefused
from updates.formats.byte_source import CHUNK_BYTES, ByteSource
from updates.formats.mender_artifact.description import Compression
from updates.formats.mender_artifact.limits import Limits
from updates.formats.tar import TarMember

_GZIP_WBITS = 16 + zlib.MAX_WBITS
_INPUT_BYTES = 16 * 1024


class UnpackedSource:
    """What `packed`, read through `source`, holds once unpacked. At its end, the packed member was used up too.

    `source` is the member itself or something that reads it. More than `limit_bytes` of output are refused.
    """

    def __init__(
        self,
        packed: TarMember,
        *,
        source: ByteSource,
        compression: Compression,
        limit_bytes: int,
        limits: Limits,
    ) -> None:
        self._packed = packed
        self._chunks = _unpack(source, packed.name, compression=compression, limits=limits)
        self._limits = limits
        self._limit_bytes = limit_bytes
        self._total = 0
        self._buffer = memoryview(b"")

    def read(self, size: int, /) -> bytes:
        if not self._buffer:
            self._buffer = memoryview(next(self._chunks, b""))
            self._total += len(self._buffer)
            self._judge()
        chunk = bytes(self._buffer[:size])
        self._buffer = self._buffer[size:]
        return chunk

    def _judge(self) -> None:
        name = self._packed.name
        if self._total > self._limit_bytes:
            raise ArtifactRefused(
                "unpacked-too-large",
                f"The member {name} unpacks to more than the {self._limit_bytes} bytes that are allowed.",
            )
        ratio_limit = self._packed.taken * self._limits.compression_ratio
        if self._total > max(self._limits.ratio_free_bytes, ratio_limit):
            raise ArtifactRefused(
                "compression-ratio",
                f"The member {name} unpacks to more than {self._limits.compression_ratio} times its size.",
            )


def _unpack(
    source: ByteSource, name: str, *, compression: Compression, limits: Limits
) -> Iterator[bytes]:
    match compression:
        case Compression.GZIP:
            return _gunzip(source, name)
        case Compression.XZ:
            return _unxz(source, name, memory_bytes=limits.xz_memory_bytes)
        case Compression.ZSTD:
            return _unzstd(source, name, window_bytes=limits.zstd_window_bytes)
        case Compression.NONE:
            return iter(lambda: source.read(CHUNK_BYTES), b"")


def _gunzip(source: ByteSource, name: str) -> Iterator[bytes]:
    inflater = zlib.decompressobj(wbits=_GZIP_WBITS)
    while not inflater.eof:
        packed = inflater.unconsumed_tail or source.read(_INPUT_BYTES)
        if not packed:
            raise _cut(name, Compression.GZIP)
        try:
            chunk = inflater.decompress(packed, CHUNK_BYTES)
        except zlib.error as error:
            raise _broken(name, Compression.GZIP) from error
        if chunk:
            yield chunk
    _check_used_up(source, name, unused=inflater.unused_data)


def _unxz(source: ByteSource, name: str, *, memory_bytes: int) -> Iterator[bytes]:
    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=memory_bytes)
    try:
        yield from _decode(source, name, decoder=decoder, compression=Compression.XZ)
    except lzma.LZMAError as error:
        if "memory" in str(error).lower():
            raise _too_much_memory(name, memory_bytes) from error
        raise _broken(name, Compression.XZ) from error


def _unzstd(source: ByteSource, name: str, *, window_bytes: int) -> Iterator[bytes]:
    window_log = window_bytes.bit_length() - 1
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: window_log}
    decoder = zstd.ZstdDecompressor(options=options)
    try:
        yield from _decode(source, name, decoder=decoder, compression=Compression.ZSTD)
    except zstd.ZstdError as error:
        if "memory" in str(error).lower():
            raise _too_much_memory(name, window_bytes) from error
        raise _broken(name, Compression.ZSTD) from error


def _decode(
    source: ByteSource,
    name: str,
    *,
    decoder: lzma.LZMADecompressor | zstd.ZstdDecompressor,
    compression: Compression,
) -> Iterator[bytes]:
    while not decoder.eof:
        packed = source.read(_INPUT_BYTES) if decoder.needs_input else b""
        if decoder.needs_input and not packed:
            raise _cut(name, compression)
        chunk = decoder.decompress(packed, CHUNK_BYTES)
        if chunk:
            yield chunk
    _check_used_up(source, name, unused=decoder.unused_data)


def _too_much_memory(name: str, limit_bytes: int) -> ArtifactRefused:
    return ArtifactRefused(
        "compression-memory",
        f"The member {name} asks for more than {limit_bytes} bytes of memory to be unpacked.",
    )


def _check_used_up(source: ByteSource, name: str, *, unused: bytes) -> None:
    if unused or source.read(1):
        raise ArtifactRefused(
            "compression-trailing",
            f"The member {name} goes on behind the end of its compressed data.",
        )


def _cut(name: str, compression: Compression) -> ArtifactRefused:
    return ArtifactRefused(
        "compression-broken", f"The member {name} ends before its {compression} data does."
    )


def _broken(name: str, compression: Compression) -> ArtifactRefused:
    return ArtifactRefused(
        "compression-broken", f"The member {name} is not {compression} data, or is damaged."
    )
