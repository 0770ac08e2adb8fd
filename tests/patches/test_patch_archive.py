"""Which zips are patches, and by which rule the others are refused."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patches.errors import PatchRefused
from patches.formats.patch_archive import PatchLimits, read_patch

LIMITS = PatchLimits(packed=200_000, unpacked=4 * 2**20, entries=20, ratio=100)
CODE = b"-module(shop).\n" * 20


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes], packed: bool = True) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as out:
        for name, data in entries:
            out.writestr(name, data)
    return file.getvalue()


def read(data: bytes) -> dict[str, bytes]:
    return {file.path: file.data for file in read_patch(io.BytesIO(data), limits=LIMITS)}


def named(name: str) -> bytes:
    """A zip with an entry of a name that zipfile would not write like this."""
    plain = zipped(("x" * len(name), CODE))
    return plain.replace(b"x" * len(name), name.encode("latin-1"))


def special(mode: int) -> bytes:
    info = zipfile.ZipInfo("lib/shop.beam")
    info.external_attr = mode << 16
    return zipped((info, b"/etc/passwd"))


def with_flag(flag: int) -> bytes:
    data = bytearray(zipped(("a.beam", CODE)))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= flag
    return bytes(data)


def with_method(method: int) -> bytes:
    data = bytearray(zipped(("a.beam", CODE)))
    for mark, at in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        data[data.index(mark) + at] = method
    return bytes(data)


def overlapping() -> bytes:
    """Two entries of the directory that both mean the first file."""
    data = zipped(("a.beam", CODE), ("b.beam", CODE), packed=False)
    second = data.rindex(b"PK\x01\x02")
    return data[: second + 42] + struct.pack("<I", 0) + data[second + 46 :]


def lying_size() -> bytes:
    data = bytearray(zipped(("a.beam", CODE)))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 5)
    return bytes(data)


ODD: list[tuple[str, Callable[[], bytes], str]] = [
    ("no zip", lambda: b"-module(shop)." * 9, "archive-kind"),
    ("nothing", lambda: b"", "archive-kind"),
    ("no entry", lambda: zipped(), "archive-empty"),
    ("a folder alone", lambda: zipped(("lib/", b"")), "archive-empty"),
    ("cut off", lambda: zipped(("a.beam", CODE))[:-30], "archive-kind"),
    ("climbs", lambda: zipped(("../a.beam", CODE)), "archive-name"),
    ("climbs in the middle", lambda: zipped(("lib/../../a.beam", CODE)), "archive-name"),
    ("absolute", lambda: zipped(("/etc/a.beam", CODE)), "archive-name"),
    ("backslash", lambda: named("lib\\..\\a.beam"), "archive-name"),
    ("a drive", lambda: named("a\x01.beam"), "archive-name"),
    ("NUL", lambda: named("a.beam\0.txt"), "archive-name"),
    ("not UTF-8", lambda: named("caf\xe9.beam"), "archive-name"),
    ("twice", lambda: _twice(), "archive-twins"),
    ("twins by case", lambda: zipped(("a.beam", CODE), ("A.beam", CODE)), "archive-twins"),
    ("twins by accents", lambda: zipped(("é", CODE), ("e\u0301", CODE)), "archive-twins"),
    ("file and folder", lambda: zipped(("lib", CODE), ("lib/a", CODE)), "archive-twins"),
    ("symbolic link", lambda: special(stat.S_IFLNK | 0o777), "archive-entry"),
    ("device", lambda: special(stat.S_IFCHR | 0o600), "archive-entry"),
    ("encrypted", lambda: with_flag(1), "archive-packing"),
    ("unusual method", lambda: with_method(9), "archive-packing"),
    ("something before", lambda: b"#!/bin/sh\n" + zipped(("a.beam", CODE)), "archive-prefix"),
    ("overlap", overlapping, "archive-overlap"),
    ("a size that lies", lying_size, "archive-broken"),
    ("too many", lambda: zipped(*((f"m{n}", b"") for n in range(21))), "archive-entries"),
    ("a bomb by ratio", lambda: zipped(("a", bytes(2 * 2**20))), "archive-bomb"),
    ("a bomb by total", lambda: zipped(*((f"m{n}", bytes(2**20)) for n in range(5))), "archive-bomb"),
    ("a whole version", lambda: zipped(("releases/2/shop.rel", CODE)), "whole-version"),
]  # fmt: skip


def _twice() -> bytes:
    return zipped(("a.beam", CODE), ("b.beam", CODE)).replace(b"b.beam", b"a.beam")


@pytest.mark.parametrize(("make", "rule"), [row[1:] for row in ODD], ids=[row[0] for row in ODD])
def test_an_odd_archive_is_refused_by_its_rule(make: Callable[[], bytes], rule: str) -> None:
    with pytest.raises(PatchRefused) as refused:
        read(make())

    assert refused.value.rule == rule


def test_a_plain_archive_is_read_whole() -> None:
    data = zipped(("lib/", b""), ("lib/a.beam", CODE), ("lib/ü.txt", b""), ("b", b"x"))

    assert read(data) == {"lib/a.beam": CODE, "lib/ü.txt": b"", "b": b"x"}


def test_the_limit_is_the_last_size_that_is_taken() -> None:
    data = zipped(("a", b"x" * 1000), packed=False)
    exactly = PatchLimits(packed=len(data))

    assert read_patch(io.BytesIO(data), limits=exactly)
    with pytest.raises(PatchRefused, match="are allowed") as refused:
        read_patch(io.BytesIO(data), limits=PatchLimits(packed=len(data) - 1))
    assert refused.value.rule == "archive-size"


def test_ten_mebibytes_are_the_limit() -> None:
    assert PatchLimits().packed == 10 * 2**20


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_read_as_it_was_meant_or_refused(data: st.DataObject) -> None:
    whole = bytearray(zipped(("lib/a.beam", CODE), ("b", b"x" * 300)))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        files = read(bytes(whole))
    except PatchRefused:
        return
    assert all(".." not in path.split("/") and not path.startswith("/") for path in files)
    assert sum(map(len, files.values())) <= LIMITS.unpacked
