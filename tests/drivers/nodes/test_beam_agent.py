"""The module that is pushed into Erlang nodes, as it lies in the tree."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from devices.drivers.beam.agent import BEAM
from tests.environment.erlang import compile_agent
from tests.environment.programs import program

COMPILED_WITH = "25"


def test_the_compiled_module_is_that_of_its_source(tmp_path: Path) -> None:
    """If not: `python -m tests.environment.erlang`."""
    erl = program("erl", package="erlang-base")
    say = "io:put_chars(erlang:system_info(otp_release)), halt()."
    release = subprocess.run(
        [erl, "-noinput", "-eval", say], capture_output=True, text=True, check=True
    ).stdout
    if release != COMPILED_WITH:
        pytest.skip(f"compiled with Erlang/OTP {COMPILED_WITH}, and {release} compiles otherwise")
    assert compile_agent(tmp_path) == BEAM.read_bytes()
