"""Whatever the bytes: an artifact is refused, or it says what it said before. Nothing else ever comes out."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.build import FILES, Entry, artifact, header_info, pack, tar, type_info
from tests.formats.conftest import COMPRESSIONS
from tests.formats.refusal import read
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription

MODERATE = settings(max_examples=250, deadline=None, database=None)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)
header_info_values = st.fixed_dictionaries(
    {},
    optional={
        "payloads": json_values | st.just([{"type": "single-file"}]) | st.just([{"type": None}]),
        "artifact_provides": json_values | st.fixed_dictionaries({"artifact_name": json_values}),
        "artifact_depends": json_values | st.fixed_dictionaries({"device_type": json_values}),
    },
)
type_info_values = st.fixed_dictionaries(
    {"type": st.just("single-file") | json_values},
    optional={
        "artifact_provides": json_values,
        "artifact_depends": json_values,
        "clears_artifact_provides": json_values,
    },
)


def outcome(content: bytes) -> ArtifactDescription | None:
    """The description, None for a refusal; any other exception fails the test."""
    try:
        return read(content)
    except ArtifactRefused:
        return None


def covered(description: ArtifactDescription) -> ArtifactDescription:
    """All that the manifest covers: a signature is judged by who knows the key."""
    return replace(description, signature=None)


@MODERATE
@given(st.binary(max_size=2048))
def test_random_bytes_are_refused(content: bytes) -> None:
    assert outcome(content) is None


@pytest.mark.parametrize("compression", COMPRESSIONS)
@MODERATE
@given(st.data())
def test_a_truncated_artifact_is_refused_unless_only_the_end_mark_is_gone(
    compression: str, real_artifacts: dict[str, bytes], data: st.DataObject
) -> None:
    content = real_artifacts[compression]
    kept = data.draw(st.integers(0, len(content) - 1))
    found = outcome(content[:kept])
    assert found in (None, read(content))
    assert found is None or not content[kept:].strip(b"\0")


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_every_block_is_missed(compression: str, real_artifacts: dict[str, bytes]) -> None:
    content = real_artifacts[compression].rstrip(b"\0")
    for at in range(0, len(content), 512):
        assert outcome(content[:at] + content[at + 512 :]) is None
        assert outcome(content[: at + 1]) is None


@pytest.mark.parametrize("compression", COMPRESSIONS)
@MODERATE
@given(st.data())
def test_a_flipped_byte_never_changes_what_is_read(
    compression: str, real_artifacts: dict[str, bytes], data: st.DataObject
) -> None:
    content = real_artifacts[compression]
    changed = bytearray(content)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] ^= data.draw(st.integers(1, 255))
    found = outcome(bytes(changed))
    assert found is None or covered(found) == covered(read(content))


@MODERATE
@given(st.data())
def test_an_inserted_or_repeated_piece_never_changes_what_is_read(
    real_artifacts: dict[str, bytes], data: st.DataObject
) -> None:
    content = real_artifacts["none"]
    at, start = data.draw(st.integers(0, len(content))), data.draw(st.integers(0, len(content)))
    piece = data.draw(st.binary(max_size=600)) or content[start : start + 1024]
    found = outcome(content[:at] + piece + content[at:])
    assert found is None or covered(found) == covered(read(content))


@MODERATE
@given(header_info_values, type_info_values, st.none() | json_values)
def test_any_json_is_read_or_refused(info: object, types: object, meta: object) -> None:
    content = artifact(
        info=json.dumps(info).encode(),
        types=json.dumps(types).encode(),
        meta_data=json.dumps(meta).encode(),
    )
    found = outcome(content)
    if found is not None:
        assert json.dumps(found.as_json(), ensure_ascii=False).encode()


@MODERATE
@given(st.binary(max_size=64), st.sampled_from(["info", "types", "meta_data", "version"]))
def test_any_bytes_for_a_json_member_are_read_or_refused(member: bytes, which: str) -> None:
    parts = {"info": json.dumps(header_info()).encode(), "types": json.dumps(type_info()).encode()}
    outcome(artifact(**{**parts, which: member}))  # type: ignore[arg-type]


@MODERATE
@given(st.data(), st.sampled_from([".gz", ".xz", ".zst", ""]))
def test_any_packed_data_is_refused_or_is_the_data(data: st.DataObject, suffix: str) -> None:
    """The packed data is covered by no sum of its own, so that here the reader really meets what was changed."""

    def change(packed: bytes) -> bytes:
        kind = data.draw(st.sampled_from(["random", "cut", "flipped"]))
        if kind == "random":
            return data.draw(st.binary(max_size=600))
        at = data.draw(st.integers(0, len(packed) - 1))
        if kind == "cut":
            return packed[:at]
        return packed[:at] + bytes([packed[at] ^ data.draw(st.integers(1, 255))]) + packed[at + 1 :]

    found = outcome(artifact(data_suffix=suffix, change_packed_data=change))
    expected = [(name, hashlib.sha256(content).hexdigest()) for name, content in FILES]
    assert found is None or [(f.name, f.sha256) for f in found.files] == expected


@MODERATE
@given(st.binary(max_size=200), st.sampled_from([b"x", b"L", b"g", b"K", b"5", b"\0", b"7"]))
def test_any_header_extension_is_read_or_refused(content: bytes, kind: bytes) -> None:
    found = outcome(
        artifact(change=lambda entries: [Entry("extension", content, kind=kind), *entries])
    )
    assert found is None or covered(found) == read(artifact())


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".zst"])
@MODERATE
@given(st.binary(max_size=100))
def test_any_header_info_behind_a_right_checksum_is_refused(suffix: str, noise: bytes) -> None:
    header = pack(tar([Entry("header-info", noise)]) + noise, suffix)
    content = artifact(header_suffix=suffix, change_packed_header=lambda _: header)
    assert outcome(content) is None
