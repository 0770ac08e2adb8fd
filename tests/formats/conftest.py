"""The real mender-artifact, which writes and reads what these tests compare with."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.environment.programs import program

ToolRun = Callable[..., str]

COMPRESSIONS = ("none", "gzip", "lzma")


@pytest.fixture(scope="session")
def mender_artifact() -> ToolRun:
    """Runs mender-artifact with words, in a folder; returns what it printed, and fails the test if it fails."""
    path = program("mender-artifact", package="mender-artifact")

    def run(*words: str, folder: Path) -> str:
        done = subprocess.run(
            [path, *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"mender-artifact {' '.join(words)}: {done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="session")
def real_artifacts(
    mender_artifact: ToolRun, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """A signed artifact with all kinds of members, as the tool writes it, for each of COMPRESSIONS."""
    folder = tmp_path_factory.mktemp("real")
    (folder / "a.bin").write_bytes(b"payload" * 100)
    (folder / "empty").write_bytes(b"")
    (folder / "meta.json").write_text('{"a":{"b":[1]}}')
    (folder / "ArtifactInstall_Enter_00").write_text("#!/bin/sh\n")
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    (folder / "key.pem").write_bytes(pem)
    words = "write module-image -T directory -n release-1 -t box -f a.bin -f empty -m meta.json"
    words += " -s ArtifactInstall_Enter_00 -k key.pem -o out.mender --compression"
    contents = {}
    for compression in COMPRESSIONS:
        mender_artifact(*words.split(), compression, folder=folder)
        contents[compression] = (folder / "out.mender").read_bytes()
    return contents
