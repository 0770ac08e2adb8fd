"""`manage.py artifact read|validate|write|sign`: files alone, in mender-artifact's words. None of these tests has a database."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from tests.cli.conftest import Said, run
from tests.formats.build import artifact


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands run: with files for a payload, a script and two pairs of keys."""
    monkeypatch.chdir(tmp_path)
    for name, content in {
        "app.bin": b"app",
        "more.bin": b"more",
        "meta.json": b'{"dest": "/opt"}',
        "ArtifactInstall_Enter_00": b"#!/bin/sh\n",
        "broken.mender": b"no artifact",
    }.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    for name in ("mine", "other"):
        key = ec.generate_private_key(ec.SECP256R1())
        (tmp_path / f"{name}.key").write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
        (tmp_path / f"{name}.pub").write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )
    return tmp_path


def write(*words: str) -> Said:
    return run("artifact", "write", *words)


def module_image(*words: str) -> Said:
    return write("module-image", "-t", "box", "-T", "directory", "-n", "release-1", *words)


def test_an_artifact_is_written_and_shown(folder: Path) -> None:
    said = module_image(
        *("-f", "app.bin", "-f", "more.bin", "-m", "meta.json", "-s", "ArtifactInstall_Enter_00"),
        *("-d", "kernel:5", "-p", "app:1:2", "-g", "stable", "-o", "out.mender"),
    )
    assert (said.status, said.lines[0]) == (0, "out.mender:")
    assert said.facts["name"] == "release-1"
    assert said.facts["depends"] == "kernel = 5"
    assert said.facts["provides"] == "app = 1:2"
    assert "rootfs-image.directory.version = release-1" in said.out
    assert said.facts["scripts"] == "ArtifactInstall_Enter_00"
    assert said.facts["signature"] == "none"
    assert run("artifact", "read", "out.mender").out == said.out


def test_a_program_gets_the_same_from_writing_and_from_reading() -> None:
    written = module_image("-f", "app.bin", "--json").json
    (found,) = run("artifact", "read", "artifact.mender", "--json").json
    assert found == written
    assert found["path"] == "artifact.mender"
    assert [file["name"] for file in found["files"]] == ["app.bin"]


def test_a_folder_of_scripts_is_taken_whole(folder: Path) -> None:
    scripts = folder / "scripts"
    scripts.mkdir()
    for name in ("ArtifactInstall_Leave_00", "ArtifactCommit_Enter_00"):
        (scripts / name).write_text("#!/bin/sh\n")
    said = module_image("-s", "scripts", "--json")
    assert said.json["scripts"] == ["ArtifactCommit_Enter_00", "ArtifactInstall_Leave_00"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["-f", "gone.bin"], "gone.bin cannot be used: No such file or directory."),
        (["-f", "folder"], "folder cannot be used: Is a directory."),
        (["-m", "app.bin"], "[UPD-100]"),
        (["-s", "app.bin"], "no state script"),
        (["-k", "mine.pub"], "[UPD-110]"),
        (["-k", "gone.key"], "gone.key cannot be used: No such file or directory."),
        (["-f", "app.bin", "-f", "app.bin"], "Two files of the payload are named app.bin."),
        (["-p", "artifact_name:x"], "[UPD-100]"),
        (["-p", "no-colon"], "no colon"),
        (["--compression", "bzip2"], "invalid choice"),
    ],
)
def test_what_cannot_be_written_is_said_and_leaves_what_was_there(
    folder: Path, words: list[str], says: str
) -> None:
    (folder / "out.mender").write_text("before")
    before = sorted(folder.iterdir())
    said = module_image("-o", "out.mender", *words)
    assert said.status == 1
    assert says in said.error
    assert (folder / "out.mender").read_text() == "before"
    assert sorted(folder.iterdir()) == before


def test_an_artifact_is_written_over_an_older_one(folder: Path) -> None:
    module_image("-o", "out.mender")
    assert write("bootstrap-artifact", "-t", "box", "-n", "first", "-o", "out.mender").status == 0
    assert run("artifact", "read", "out.mender").facts["name"] == "first"


def test_a_signed_artifact_is_good_with_its_key_alone() -> None:
    assert module_image("-f", "app.bin", "-k", "mine.key").facts["signature"].startswith("good, by")

    def validate(*words: str) -> tuple[int, str]:
        said = run("artifact", "validate", "artifact.mender", *words)
        return said.status, said.out.rstrip()

    assert validate("-k", "mine.pub") == (0, "artifact.mender: good")
    assert validate("-k", "other.pub", "-k", "mine.pub") == (0, "artifact.mender: good")
    for words, rule in (((), "key-missing"), (("-k", "other.pub"), "signed-by-unknown-key")):
        status, text = validate(*words)
        assert status == 1
        assert text.endswith(f"[{rule}]")


def test_reading_says_whose_signature_it_is() -> None:
    module_image("-k", "mine.key")

    def signature(*words: str) -> str:
        said = run("artifact", "read", "artifact.mender", *words)
        assert said.status == 0
        return said.facts["signature"]

    assert signature().startswith("signed; give a public key")
    assert signature("-k", "mine.pub").startswith("good, by the key ")
    assert signature("-k", "other.pub").startswith("signed, but not verified: ")


def test_several_files_have_a_verdict_each(folder: Path) -> None:
    (folder / "good.mender").write_bytes(artifact())
    said = run("artifact", "validate", "good.mender", "broken.mender", "--json")
    assert said.status == 1
    assert said.error == "1 of 2 files must be refused."
    assert [(row["path"], row["is_valid"], row["rule"]) for row in said.json] == [
        ("good.mender", True, ""),
        ("broken.mender", False, "truncated"),
    ]
    assert run("artifact", "validate", "good.mender").status == 0


@pytest.mark.parametrize("name", ["broken.mender", "gone.mender", "."])
def test_what_is_no_artifact_cannot_be_read(name: str) -> None:
    said = run("artifact", "read", name)
    assert (said.status, said.out) == (1, "")
    assert name in said.error


def test_signing_in_place_wants_to_be_forced_the_second_time(folder: Path) -> None:
    (folder / "a.mender").write_bytes(artifact())
    assert run("artifact", "sign", "a.mender", "-k", "mine.key").status == 0
    once = (folder / "a.mender").read_bytes()

    refused = run("artifact", "sign", "a.mender", "-k", "other.key")
    assert (refused.status, "--force" in refused.error) == (1, True)
    assert (folder / "a.mender").read_bytes() == once

    assert run("artifact", "sign", "a.mender", "-k", "other.key", "--force").status == 0
    assert run("artifact", "validate", "a.mender", "-k", "other.pub").status == 0


def test_signing_into_another_file_keeps_the_first(folder: Path) -> None:
    (folder / "a.mender").write_bytes(artifact())
    said = run("artifact", "sign", "a.mender", "-k", "mine.key", "-o", "b.mender", "--json")
    assert json.loads(said.out)["path"] == "b.mender"
    assert (folder / "a.mender").read_bytes() == artifact()
    assert run("artifact", "validate", "b.mender", "-k", "mine.pub").status == 0


def test_a_broken_file_is_not_signed(folder: Path) -> None:
    said = run("artifact", "sign", "broken.mender", "-k", "mine.key")
    assert said.status == 1
    assert (folder / "broken.mender").read_bytes() == b"no artifact"
