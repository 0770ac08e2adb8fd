"""Reading an artifact to install it: the head first, then file after file, and nothing bad is ever taken for good."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

import pytest

from tests.formats.build import FILES, Entry, append, artifact, at
from tests.formats.refusal import read
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import (
    Compression,
    open_payload,
    open_scripts,
    read_artifact,
)


class ForwardStream:
    """Can do nothing but `read`, gives at most `most` bytes at once, and breaks after `breaks_after` bytes."""

    def __init__(
        self, content: bytes, *, most: int = 2**20, breaks_after: int | None = None
    ) -> None:
        self._stream = io.BytesIO(content)
        self._most = most
        self._breaks_after = breaks_after

    def read(self, size: int = -1, /) -> bytes:
        if self._breaks_after is not None and self.taken > self._breaks_after:
            raise ConnectionResetError("the stream broke")
        return self._stream.read(min(size, self._most) if size >= 0 else self._most)

    @property
    def taken(self) -> int:
        return self._stream.tell()

    def as_file(self) -> BinaryIO:
        return cast(BinaryIO, self)


@pytest.mark.parametrize("most", [1, 7, 511, 513, 100_000])
def test_a_stream_that_only_goes_forward_in_short_pieces_is_enough(most: int) -> None:
    content = artifact(header_suffix=".xz", data_suffix="")
    description = read_artifact(ForwardStream(content, most=most).as_file())
    assert description == read(content)
    assert description.header_compression is Compression.XZ
    assert description.data_compression is Compression.NONE


def test_the_head_is_there_before_the_payload_is_read() -> None:
    script = ("ArtifactInstall_Enter_00", b"#!/bin/sh\n")
    content = artifact(files=[("big", bytes(2**20))], data_suffix="", scripts=[script])
    stream = ForwardStream(content)
    opened = open_payload(stream.as_file())
    assert opened.head.name == "release-1"
    assert opened.head.files == ()
    assert [(s.name, s.content) for s in opened.scripts] == [script]
    assert opened.head.scripts == (script[0],)
    assert stream.taken < 8 * 1024


def test_files_come_in_their_order_with_their_contents() -> None:
    opened = open_payload(io.BytesIO(artifact()))
    found = [(file.name, file.size, b"".join(file.chunks())) for file in opened.files()]
    assert found == [(name, len(content), content) for name, content in FILES]
    assert opened.finish() == read(artifact())


def test_chunks_are_of_bounded_size() -> None:
    opened = open_payload(io.BytesIO(artifact(files=[("big", bytes(2**20))])))
    sizes = [len(chunk) for file in opened.files() for chunk in file.chunks()]
    assert sum(sizes) == 2**20
    assert max(sizes) <= 128 * 1024


def test_an_empty_payload_has_no_files() -> None:
    opened = open_payload(io.BytesIO(artifact(files=[])))
    assert list(opened.files()) == []
    assert opened.finish().files == ()


def test_a_file_that_nobody_looked_at_is_verified_all_the_same() -> None:
    opened = open_payload(io.BytesIO(artifact(change_data=at("a.bin", content=b"First\n"))))
    files = opened.files()
    next(files)
    with pytest.raises(ArtifactRefused) as caught:
        next(files)
    assert caught.value.rule == "checksum"


def test_a_wrong_file_is_refused_behind_its_last_chunk() -> None:
    opened = open_payload(io.BytesIO(artifact(change_data=at("a.bin", content=b"First\n"))))
    taken = []
    with pytest.raises(ArtifactRefused) as caught:
        for chunk in next(opened.files()).chunks():
            taken.append(chunk)
    assert taken == [b"First\n"]
    assert caught.value.rule == "checksum"


def test_a_refusal_that_was_swallowed_comes_again() -> None:
    opened = open_payload(io.BytesIO(artifact(change_data=at("a.bin", content=b"First\n"))))
    incoming = next(opened.files())
    for _ in range(2):
        with pytest.raises(ArtifactRefused):
            list(incoming.chunks())
    with pytest.raises(ArtifactRefused):
        opened.finish()


def test_what_was_refused_cannot_be_finished() -> None:
    opened = open_payload(io.BytesIO(artifact(change=append(Entry("more")))))
    with pytest.raises(ArtifactRefused):
        list(opened.files())
    with pytest.raises(RuntimeError):
        opened.finish()


def test_finishing_in_the_middle_of_a_file_reads_the_rest() -> None:
    content = artifact(files=[("big", bytes(2**20)), ("small", b"x")])
    opened = open_payload(io.BytesIO(content))
    next(next(opened.files()).chunks())
    assert opened.finish() == read(content)


def test_the_end_of_the_artifact_is_verified_behind_the_last_file() -> None:
    opened = open_payload(io.BytesIO(artifact(end=b"garbage" * 200)))
    names = []
    with pytest.raises(ArtifactRefused):
        for file in opened.files():
            names.append(file.name)
    assert names == ["a.bin", "b.bin"]


@pytest.mark.parametrize("breaks_after", [100, 3000, 5000])
def test_an_error_of_the_stream_itself_is_no_refusal(breaks_after: int) -> None:
    stream = ForwardStream(artifact(data_suffix=""), most=100, breaks_after=breaks_after)
    with pytest.raises(ConnectionResetError):
        read_artifact(stream.as_file())


def test_state_scripts_are_read_without_the_payload_in_the_order_in_which_they_run() -> None:
    scripts = [("ArtifactInstall_Leave_00", b"second\n"), ("ArtifactInstall_Enter_00", b"first\n")]
    stream = ForwardStream(artifact(files=[("big", bytes(2**20))], data_suffix="", scripts=scripts))
    assert list(open_scripts(stream.as_file())) == sorted(scripts)
    assert stream.taken < 8 * 1024


def test_scripts_that_the_manifest_does_not_cover_are_not_handed_out() -> None:
    def change(raw: bytes) -> bytes:
        return b"".join(
            b"0" * 64 + line[64:] if b"header" in line else line for line in raw.splitlines(True)
        )

    content = artifact(scripts=[("ArtifactInstall_Enter_00", b"")], change_manifest=change)
    with pytest.raises(ArtifactRefused) as caught:
        open_scripts(io.BytesIO(content))
    assert caught.value.rule == "checksum"
