"""Memory does not grow with an artifact: 256 MiB here, what FLEETWRIGHT_LARGE_MIB says in `make soak`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.formats.resources import MIB, measure
from updates.formats.mender_artifact import Packing

LARGE_MIB = int(os.environ.get("FLEETWRIGHT_LARGE_MIB", "256"))
MOST_BYTES = 64 * MIB


def test_a_large_artifact_is_written_read_and_signed_in_little_memory(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    taken = measure(LARGE_MIB, folder=tmp_path)
    with capsys.disabled():
        print(f"\n{LARGE_MIB} MiB, gzip: {taken}")  # noqa: T201 - the figures are what the test is for
    assert 0 < max(size for name, size in taken.items() if name.endswith("_bytes")) < MOST_BYTES


@pytest.mark.parametrize("packing", [Packing.NONE, Packing.LZMA, Packing.ZSTD_BEST])
def test_no_packing_takes_much_memory(packing: Packing, tmp_path: Path) -> None:
    taken = measure(32, folder=tmp_path, packing=packing)
    assert max(size for name, size in taken.items() if name.endswith("_bytes")) < MOST_BYTES
