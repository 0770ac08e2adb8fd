"""Reading bytes as an artifact, in tests that expect it to be refused."""

from __future__ import annotations

import io

import pytest

from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import ArtifactDescription, Limits, read_artifact

_LONGEST_SENTENCE = 400


def read(content: bytes, *, limits: Limits | None = None) -> ArtifactDescription:
    return read_artifact(io.BytesIO(content), limits=limits or Limits())


def refusal_of(content: bytes, *, limits: Limits | None = None) -> ArtifactRefused:
    """The refusal, whose sentence an operator can read: one printable line of bearable length, from a capital to a full stop."""
    with pytest.raises(ArtifactRefused) as caught:
        read(content, limits=limits)
    sentence = str(caught.value)
    assert sentence.isprintable()
    assert sentence[0].isupper()
    assert sentence.endswith(".")
    assert len(sentence) <= _LONGEST_SENTENCE
    return caught.value
