"""A tar stream is given out whole, or is an error: never a short one."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devices.drivers.whole_tar import whole_tar
from devices.errors import BrokenTar

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}


def archive(form: int, *, files: int = 3) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as tar:
        tar.addfile(_entry("folder", tarfile.DIRTYPE))
        link = _entry("folder/link", tarfile.SYMTYPE)
        link.linkname = "0"
        tar.addfile(link)
        for number in range(files):
            name = f"folder/{number}"
            if form != tarfile.USTAR_FORMAT:
                name += "-é" * 90  # too long for one header
            entry = _entry(name, tarfile.REGTYPE)
            entry.size = 700 * number
            tar.addfile(entry, io.BytesIO(b"x" * entry.size))
    return stream.getvalue()


def _entry(name: str, kind: bytes) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    return entry


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS.keys())
@pytest.mark.parametrize("size", [1, 511, 512, 513, 65536])
def test_a_whole_one_passes_unchanged(form: int, size: int) -> None:
    data = archive(form)
    assert b"".join(whole_tar(pieces(data, size))) == data


def test_an_empty_one_is_whole_and_nothing_is_not() -> None:
    assert b"".join(whole_tar([bytes(1024)])) == bytes(1024)
    with pytest.raises(BrokenTar):
        list(whole_tar([]))


@pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS.keys())
def test_one_that_ends_anywhere_before_its_end_mark_is_an_error(form: int) -> None:
    data = archive(form)
    end = len(data.rstrip(b"\0"))
    whole = -(-end // 512) * 512 + 1024
    for length in range(0, whole, 128):
        with pytest.raises(BrokenTar):
            list(whole_tar([data[:length]]))
    assert list(whole_tar([data[:whole]]))


def test_an_engines_complaint_in_its_place_is_an_error() -> None:
    complaint = b'{"message":"Error processing tar file(exit status 1): no space left"}\n'
    data = archive(tarfile.PAX_FORMAT)
    entry_end = 512 * 2
    for text in (complaint, complaint + bytes(512 - len(complaint)) + bytes(1024)):
        with pytest.raises(BrokenTar):
            list(whole_tar([data[:entry_end] + text]))
        with pytest.raises(BrokenTar):
            list(whole_tar([data + text]))


def test_a_size_beyond_eight_gibibytes_counts_in_both_ways_to_write_it() -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        entry = _entry("large", tarfile.REGTYPE)
        entry.size = 9 << 30
        header = entry.tobuf(format=form)
        with pytest.raises(BrokenTar):
            list(whole_tar([header, bytes(4096)]))


@given(st.binary(max_size=3000))
def test_any_bytes_are_a_tar_stream_or_an_error(data: bytes) -> None:
    try:
        list(whole_tar([data]))
    except BrokenTar:
        return
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
        tar.getnames()
