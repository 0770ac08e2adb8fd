"""What a file of compiled Erlang says, beside what Erlang says of it."""

from __future__ import annotations

import gzip
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patches.formats.beam_file import NotBeam, read_beam

SOURCE = """
-module(shop).
-export([price/1, later/0]).
price(N) -> F = fun(X) -> X * N end, F(19).
later() -> [<<"tea">>, {milk, 3.5}, fun lists:sum/1].
"""
ASK = """
[begin
    {ok, Data} = file:read_file(Path),
    io:format("~s ~s~n", [filename:basename(Path, ".beam"), binary:encode_hex(code:module_md5(Data))])
 end || Path <- filelib:wildcard(Folder ++ "/*.beam")]
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "shop.erl").write_text(SOURCE)
    subprocess.run(["erlc", "shop.erl"], cwd=folder, check=True)
    return (folder / "shop.beam").read_bytes()


def asked(folder: str) -> dict[str, str]:
    """Erlang's own answer for each file in the folder."""
    text = ASK.replace("Folder", f'"{folder}"').replace("\n", " ")
    done = subprocess.run(
        ["erl", "-noinput", "-boot", "start_clean", "-eval", f"{text}, halt()."],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(line.split() for line in done.stdout.splitlines())


def test_names_and_versions_are_those_that_erlang_gives() -> None:
    found = subprocess.run(
        ["erl", "-noinput", "-eval", 'io:format("~s", [code:lib_dir(stdlib, ebin)]), halt().'],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    folder = Path(found.stdout)

    ours = {path.stem: read_beam(path.read_bytes()) for path in folder.glob("*.beam")}

    assert len(ours) > 50
    assert {stem: beam.version.upper() for stem, beam in ours.items()} == asked(str(folder))
    assert all(beam.name == stem for stem, beam in ours.items())


def test_packed_or_not_it_is_the_same(shop: bytes) -> None:
    assert read_beam(gzip.compress(shop)) == read_beam(shop)


@pytest.mark.parametrize("end", [0, 3, 11, 40, 200])
def test_a_file_that_is_cut_off_is_none(shop: bytes, end: int) -> None:
    with pytest.raises(NotBeam):
        read_beam(shop[:end])
    with pytest.raises(NotBeam):
        read_beam(gzip.compress(shop)[:end])


def test_text_is_no_code() -> None:
    with pytest.raises(NotBeam):
        read_beam(SOURCE.encode())


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(shop: bytes, data: st.DataObject) -> None:
    damaged = bytearray(shop)
    for _ in range(data.draw(st.integers(1, 5))):
        damaged[data.draw(st.integers(0, len(shop) - 1))] = data.draw(st.integers(0, 255))
    with suppress(NotBeam):
        read_beam(bytes(damaged))
