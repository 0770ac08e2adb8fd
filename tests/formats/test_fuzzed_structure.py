"""Artifacts whose parts were shuffled on every level: refused, or read as they were meant, in bounded memory and time.

Cut, doubled, renamed and exchanged members, of another kind or size, in all three tars, with checksums that fit again or do not.
The mutations of bytes are in `test_fuzzed_artifacts`.
"""

from __future__ import annotations

import hashlib
import io
import time
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.formats.build import (
    END,
    FILES,
    VERSION,
    Entries,
    Entry,
    artifact,
    encode,
    header_info,
    manifest,
    pack,
    pax,
    pax_record,
    tar,
    type_info,
)
from tests.formats.refusal import read
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription, Limits, read_artifact

SUFFIXES = ("", ".gz", ".xz", ".zst")
SCRIPT = Entry("scripts/ArtifactInstall_Enter_00", b"#!/bin/sh\n")
SMALL = Limits(
    payload_unpacked_bytes=2**20, header_unpacked_bytes=2**20, ratio_free_bytes=2**16, scripts=8
)
MOST_BYTES = 12 * 2**20
LONGEST_SECONDS = 5.0

names = st.sampled_from(
    [
        *("version", "manifest", "manifest.sig", "header.tar.gz", "data/0000.tar.gz", "a.bin"),
        *("header-info", "headers/0000/type-info", "headers/0000/meta-data", "b.bin", "empty"),
        *("../a.bin", "/etc/passwd", "./version", "scripts/", "a" * 99, "manifest-augment", ""),
    ]
)
contents = st.sampled_from([b"", b"{}", b"x" * 513, b"\0" * 1024, END, VERSION, b"[" * 9000])
entries = st.builds(
    Entry, names, contents, st.sampled_from([b"0", b"\0", b"1", b"2", b"5", b"6", b"L", b"x", b"S"])
)
extensions = st.sampled_from(
    [
        pax(pax_record("path", "version")),
        pax(pax_record("size", "9" * 15)),
        Entry("L", b"a.bin\0", kind=b"L"),
    ]
)
places = st.integers(0, 9)
changes = st.one_of(
    st.tuples(st.just("drop"), places, places),
    st.tuples(st.just("double"), places, places),
    st.tuples(st.just("swap"), places, places),
    st.tuples(st.just("insert"), places, entries | extensions),
    st.tuples(st.just("rename"), places, names),
    st.tuples(st.just("kind"), places, st.sampled_from([b"1", b"2", b"3", b"5", b"6", b"g"])),
    st.tuples(st.just("content"), places, contents),
    st.tuples(st.just("padding"), places, st.sampled_from([b"", b"x" * 512, bytes(1024)])),
)
some_changes = st.lists(changes, max_size=2)
ends = st.sampled_from([END, b"", bytes(512), END + b"x", bytes(2**16)])


def changed(members: Entries, made: list[tuple[str, int, object]]) -> Entries:
    """The members after each of the changes."""
    members = list(members)
    for what, place, how in made:
        at = place % max(len(members), 1)
        if what == "insert" or not members:
            assert isinstance(how, Entry | int | str | bytes)
            members.insert(at, how if isinstance(how, Entry) else Entry("alone"))
        elif what == "drop":
            del members[at]
        elif what == "double":
            members.insert(at, members[at])
        elif what == "swap":
            assert isinstance(how, int)
            other = how % len(members)
            members[at], members[other] = members[other], members[at]
        else:
            field = "name" if what == "rename" else what
            members[at] = replace(members[at], **{field: how})  # type: ignore[arg-type]
    return members


class Content(bytes):
    """Bytes that a failing test does not print by the page."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@st.composite
def artifacts(draw: st.DrawFn) -> Content:
    """An artifact with changes on each level; the manifest mostly tells the truth about what came out."""
    suffix, data_suffix = draw(st.sampled_from(SUFFIXES)), draw(st.sampled_from(SUFFIXES))
    header_members = [
        Entry("header-info", encode(header_info())),
        SCRIPT,
        Entry("headers/0000/type-info", encode(type_info())),
        Entry("headers/0000/meta-data", b'{"a":1}'),
    ]
    header_tar = tar(changed(header_members, draw(some_changes)), end=draw(ends))
    header = pack(header_tar, suffix)
    data_members = [Entry(name, content) for name, content in FILES]
    data = pack(tar(changed(data_members, draw(some_changes)), end=draw(ends)), data_suffix)
    header_name = f"header.tar{suffix}"
    covered = [(f"data/0000/{name}", content) for name, content in FILES]
    covered += [(header_name, header), ("version", VERSION)]
    lines = manifest(covered)
    if draw(st.integers(0, 9)) == 0:
        lines = lines.replace(hashlib.sha256(header).hexdigest().encode(), b"0" * 64)
    members = [
        Entry("version", VERSION),
        Entry("manifest", lines),
        Entry(header_name, header),
        Entry(f"data/0000.tar{data_suffix}", data),
    ]
    return Content(tar(changed(members, draw(some_changes)), end=draw(ends)))


def meant(found: ArtifactDescription) -> bool:
    """Whether what was read is what the checksums cover: the files, in any order. A header is as good as its own sum."""
    expected = {name: hashlib.sha256(content).hexdigest() for name, content in FILES}
    return (
        {file.name: file.sha256 for file in found.files} == expected
        and (found.name, found.payload_type) == ("release-1", "single-file")
        and found.scripts in ((), ("ArtifactInstall_Enter_00",))
    )


@pytest.fixture(scope="module")
def traced() -> object:
    """Memory is counted while these tests run."""
    tracemalloc.start()
    yield
    tracemalloc.stop()


@settings(max_examples=300, deadline=None, database=None, phases=[Phase.generate])
@given(content=artifacts())
def test_shuffled_parts_are_refused_or_read_as_they_were_meant(
    traced: object, content: bytes
) -> None:
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    begun = time.monotonic()
    try:
        found = read_artifact(io.BytesIO(content), limits=SMALL)
    except ArtifactRefused as refused:
        assert str(refused)[0].isupper()
    else:
        assert meant(found)
    assert time.monotonic() - begun < LONGEST_SECONDS
    _, peak = tracemalloc.get_traced_memory()
    assert peak - before < MOST_BYTES


def test_the_shuffle_with_no_change_is_a_good_artifact() -> None:
    """Else nothing above would prove that good artifacts pass."""
    assert meant(read(artifact(meta_data=b'{"a":1}', scripts=[("ArtifactInstall_Enter_00", b"")])))
