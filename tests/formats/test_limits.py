"""No file decides how much memory, room or time reading it takes."""

from __future__ import annotations

import hashlib
import io
import lzma
import sys
import tracemalloc
import zlib

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

from tests.formats.build import (
    END,
    VERSION,
    Entry,
    artifact,
    encode,
    header_info,
    manifest,
    pack,
    tar,
    tar_header,
    type_info,
)
from tests.formats.refusal import read, refusal_of
from updates.formats.mender_artifact import Limits, read_artifact

MIB = 1024 * 1024
SCRIPT = "ArtifactInstall_Enter_{:02}"
HEADER = (
    Entry("header-info", encode(header_info())),
    Entry("headers/0000/type-info", encode(type_info())),
)

TOO_MUCH = {
    "version": (artifact(version=VERSION + b" " * MIB), Limits(), "member-too-large"),
    "header-info of blanks": (
        artifact(info=encode(header_info()) + b" " * MIB),
        Limits(),
        "member-too-large",
    ),
    "type-info of blanks": (
        artifact(types=encode(type_info()) + b" " * MIB),
        Limits(),
        "member-too-large",
    ),
    "meta-data": (artifact(meta_data=b"{" + b" " * MIB + b"}"), Limits(), "member-too-large"),
    "manifest of newlines": (
        artifact(change_manifest=lambda raw: b"\n" * 5 * MIB),
        Limits(),
        "manifest-line",
    ),
    "manifest beyond the limit": (
        artifact(change_manifest=lambda raw: raw + b"\n" * 8 * MIB),
        Limits(),
        "member-too-large",
    ),
    "signature": (artifact(signature=b"QUJD" * 4096), Limits(), "member-too-large"),
    "payload files": (
        artifact(files=[(f"f{n}", b"") for n in range(20)]),
        Limits(payload_files=19),
        "too-many-files",
    ),
    "scripts": (
        artifact(scripts=[(SCRIPT.format(n), b"") for n in range(20)]),
        Limits(scripts=19),
        "too-many-scripts",
    ),
    "one script": (
        artifact(scripts=[(SCRIPT.format(0), b"x" * 101)]),
        Limits(script_bytes=100),
        "member-too-large",
    ),
    "all scripts together": (
        artifact(scripts=[(SCRIPT.format(n), b"x" * 50) for n in range(3)]),
        Limits(scripts_total_bytes=149),
        "member-too-large",
    ),
    "unpacked header": (
        artifact(header_end=bytes(17 * MIB)),
        Limits(),
        "unpacked-too-large",
    ),
    "unpacked payload": (
        artifact(files=[("zeros", bytes(2 * MIB))]),
        Limits(payload_unpacked_bytes=MIB),
        "unpacked-too-large",
    ),
    "uncompressed payload": (
        artifact(files=[("zeros", bytes(2 * MIB))], data_suffix=""),
        Limits(payload_unpacked_bytes=MIB),
        "unpacked-too-large",
    ),
    "zeros behind the payload": (
        artifact(data_end=bytes(2 * MIB)),
        Limits(payload_unpacked_bytes=MIB),
        "unpacked-too-large",
    ),
    "compression ratio": (
        artifact(files=[("zeros", bytes(16 * MIB))], data_suffix=".xz"),
        Limits(ratio_free_bytes=MIB),
        "compression-ratio",
    ),
    "memory of xz": (
        artifact(
            data_suffix=".xz",
            change_packed_data=lambda packed: lzma.compress(lzma.decompress(packed), preset=9),
        ),
        Limits(xz_memory_bytes=32 * MIB),
        "compression-memory",
    ),
    "window of zstd": (
        artifact(
            data_suffix=".zst",
            change_packed_data=lambda packed: zstd.compress(
                zstd.decompress(packed) + bytes(MIB),
                options={zstd.CompressionParameter.window_log: 20},
            ),
        ),
        Limits(zstd_window_bytes=MIB // 2),
        "compression-memory",
    ),
    "ratio of zstd": (
        artifact(files=[("zeros", bytes(16 * MIB))], data_suffix=".zst"),
        Limits(ratio_free_bytes=MIB),
        "compression-ratio",
    ),
    "a long value": (
        artifact(types=type_info(artifact_provides={"a": "b" * 4097})),
        Limits(),
        "provides",
    ),
    "a long file name": (artifact(files=[("f" * 256, b"")]), Limits(), "manifest-name"),
}


@pytest.mark.parametrize(("content", "limits", "rule"), TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_is_beyond_a_limit_is_refused(content: bytes, limits: Limits, rule: str) -> None:
    assert refusal_of(content, limits=limits).rule == rule


def test_what_is_at_a_limit_is_accepted() -> None:
    content = artifact(
        files=[(f"f{n}", b"") for n in range(20)],
        scripts=[(SCRIPT.format(n), b"x" * 50) for n in range(3)],
    )
    limits = Limits(payload_files=20, scripts=3, script_bytes=50, scripts_total_bytes=150)
    assert len(read(content, limits=limits).files) == 20


def test_256_mib_of_zeros_in_a_small_gzip_stream_through_a_few_mib_of_memory() -> None:
    size = 256 * MIB
    content = _artifact_of_zeros(size)
    assert len(content) < MIB
    stream = io.BytesIO(content)
    tracemalloc.start()
    try:
        description = read_artifact(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert description.files[0].size == size
    assert peak < 4 * MIB


def _artifact_of_zeros(size: int) -> bytes:
    """Built in pieces, so that the test itself stays small too."""
    zeros = bytes(MIB)
    sum_of_zeros = hashlib.sha256()
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(tar_header(b"zeros", size))
    for _ in range(size // MIB):
        sum_of_zeros.update(zeros)
        data += packer.compress(zeros)
    data += packer.compress(END) + packer.flush()
    header = pack(tar(list(HEADER)), ".gz")
    lines = f"{sum_of_zeros.hexdigest()}  data/0000/zeros\n".encode()
    lines += manifest([("header.tar.gz", header), ("version", VERSION)])
    names = ("version", "manifest", "header.tar.gz", "data/0000.tar.gz")
    contents = (VERSION, lines, header, data)
    return tar([Entry(name, content) for name, content in zip(names, contents, strict=True)])
