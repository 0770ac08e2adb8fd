"""Two streams in one, cut into pieces wherever a network likes to cut."""

from __future__ import annotations

import struct

import pytest

from devices.drivers.engine_streams import frames
from devices.errors import EngineRefused, EngineUnreachable


def frame(stream: int, data: bytes) -> bytes:
    return struct.pack(">BxxxL", stream, len(data)) + data


WHOLE = frame(1, b"out") + frame(2, b"err") + frame(1, b"") + frame(1, bytes(range(256)))


@pytest.mark.parametrize("length", [1, 3, 8, 11, 4096])
def test_both_streams_come_out_as_they_went_in(length: int) -> None:
    pieces = [WHOLE[at : at + length] for at in range(0, len(WHOLE), length)]
    said = {1: b"", 2: b""}
    for stream, data in frames(pieces):
        said[stream] += data
    assert said == {1: b"out" + bytes(range(256)), 2: b"err"}


@pytest.mark.parametrize("missing", [1, 255, 256, 263])
def test_an_end_in_the_middle_of_a_frame_is_a_broken_connection(missing: int) -> None:
    with pytest.raises(EngineUnreachable, match="broke"):
        list(frames([WHOLE[:-missing]]))


def test_what_is_no_such_stream_is_none() -> None:
    with pytest.raises(EngineUnreachable, match="is none"):
        list(frames([b"HTTP/1.1 200 OK\r\n\r\n"]))


def test_what_the_engine_itself_says_in_a_stream_is_its_refusal() -> None:
    with pytest.raises(EngineRefused, match="refuses: no more of this") as refused:
        list(frames([frame(1, b"out"), frame(3, b"no more of this.\n")]))
    assert refused.value.said == "no more of this"
