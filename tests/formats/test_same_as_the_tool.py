"""The same words to `manage.py artifact write` and to mender-artifact 3.9.0 give the same artifact, and each reads the other's.

Sampled over the whole space of flags. One difference is meant: 3.9.0 leaves the type in a rootfs-image's type-info empty, which
its own later versions refuse to read; we write it.
"""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tests.cli.conftest import run
from tests.formats.conftest import ToolRun
from tests.formats.refusal import read
from updates.formats.mender_artifact import ArtifactDescription, open_scripts

CONTENTS = {"app.tar": b"payload" * 40_000, "empty": b"", "read-me,v1.2_x.txt": b"hello\n"}
SCRIPTS = {
    "ArtifactInstall_Enter_00_stop": b"#!/bin/sh\nexit 0\n",
    "ArtifactCommit_Leave_99": b"#!/bin/sh\n",
    "ArtifactFailure_Enter_01": b"",
}
META_DATA = {"dest": "/opt", "n": 1.5, "deep": {"a": ["b", None, True]}, "text": "<&>\u00e4"}
COMPRESSIONS = ("none", "gzip", "lzma")
KEYS = ("rsa", "ec")

labels = st.sampled_from(["box", "a b", "qemu-x86_64", "r\u00f6ter <1>", "rootfs-image", "x:y"])
names = st.sampled_from(["r1", "r\u00f6t<1>", "x:y"])  # without blanks, which rootfs-image refuses
values = st.sampled_from(["1", "", "a,b", "1:2", "true", "null", 'q"\\'])
keys = st.sampled_from(["kernel", "app.version", "rootfs-image.version", "rootfs-image.checksum"])
globs = st.sampled_from(["app.*", "rootfs-image.*", "artifact_group", "*"])


def flag(
    name: str, words: st.SearchStrategy[str], *, most: int = 1
) -> st.SearchStrategy[list[str]]:
    """The flag with a word, up to `most` times, or not at all."""
    one = words.map(lambda word: [name, word])
    return st.lists(one, max_size=most).map(lambda many: [word for pair in many for word in pair])


def switch(name: str) -> st.SearchStrategy[list[str]]:
    return st.sampled_from([[], [name]])


pairs = st.tuples(keys, values).map(":".join)
of_all = [
    labels.map(lambda word: ["-t", word]),
    flag("-t", labels, most=2),
    names.map(lambda word: ["-n", word]),
    flag("-N", labels, most=2),
    flag("-G", labels, most=2),
    flag("-g", labels),
    flag("-d", pairs, most=3),
    flag("-p", pairs, most=3),
    flag("--clears-provides", globs, most=3),
    flag("--compression", st.sampled_from(COMPRESSIONS)),
    flag("-k", st.sampled_from([f"{key}.pem" for key in KEYS])),
]
of_software = [
    flag("--software-name", st.sampled_from(["app", "rootfs-image"])),
    flag("--software-version", st.sampled_from(["7", "2024.1 beta"])),
    flag("--software-filesystem", st.sampled_from(["data", "rootfs-image"])),
    switch("--no-default-software-version"),
    switch("--no-default-clears-provides"),
    st.just(["-s", "scripts"])
    | st.sets(st.sampled_from([*SCRIPTS])).map(
        lambda some: [word for name in sorted(some) for word in ("-s", f"scripts/{name}")]
    ),
]
of_modules = [
    st.sampled_from(["directory", "my.module_2-x"]).map(lambda word: ["-T", word]),
    st.sets(st.sampled_from([*CONTENTS])).map(
        lambda some: [word for name in sorted(some) for word in ("-f", name)]
    ),
    flag("-m", st.just("meta.json")),
]
of_images = [
    st.just(["-f", "app.tar"]),
    switch("--no-checksum-provide"),
    switch("--legacy-rootfs-image-checksum"),
]


def words_of(kind: str, *flags: st.SearchStrategy[list[str]]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.tuples(*flags).map(lambda parts: (kind, *(word for part in parts for word in part)))


every_word = st.one_of(
    words_of("module-image", *of_all, *of_software, *of_modules),
    words_of("rootfs-image", *of_all, *of_software, *of_images),
    words_of("bootstrap-artifact", *of_all),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the words name."""
    folder = tmp_path_factory.mktemp("same")
    (folder / "scripts").mkdir()
    for name, content in CONTENTS.items():
        (folder / name).write_bytes(content)
    for name, content in SCRIPTS.items():
        (folder / "scripts" / name).write_bytes(content)
    (folder / "meta.json").write_text(json.dumps(META_DATA))
    pair: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
    }
    for name, key in pair.items():
        private = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (folder / f"{name}.pem").write_bytes(private)
        (folder / f"{name}.pub").write_bytes(public)
    return folder


def sums(description: ArtifactDescription) -> dict[str, str]:
    """Checksums of all that does not depend on how the header was packed."""
    lines = (line.split("  ") for line in description.manifest.decode().splitlines())
    return {name: digest for digest, name in lines if not name.startswith("header.tar")}


def comparable(description: ArtifactDescription) -> dict[str, Any]:
    """Every field, JSON by its meaning; what 3.9.0 leaves empty filled in, what it shuffles in order."""
    fields = description.as_json()
    for name in ("manifest", "signature", "warnings"):
        fields.pop(name)
    type_info = json.loads(description.type_info)
    type_info["type"] = type_info["type"] or description.payload_type or None
    meta_data = json.loads(description.meta_data or "{}")
    return {
        **fields,
        "header_info": json.loads(description.header_info),
        "type_info": type_info,
        "meta_data": meta_data,
        "scripts": sorted(description.scripts),
        "sums": sums(description),
        "is_signed": description.signature is not None,
    }


def within(folder: Path, words: tuple[str, ...]) -> list[str]:
    """The words, with the names of files for a command that runs in another folder."""
    return [
        str(folder / word) if flag in {"-f", "-k", "-m", "-s"} else word
        for flag, word in zip(("", *words), words, strict=False)
    ]


def write_both(words: tuple[str, ...], *, folder: Path, tool: ToolRun) -> None:
    (folder / "tools.mender").unlink(missing_ok=True)  # the tool may fail with status 0
    tool("write", *words, "-o", "tools.mender", folder=folder)
    said = run("artifact", "write", *within(folder, words), "-o", str(folder / "ours.mender"))
    assert said.status == 0, said.error


def check(words: tuple[str, ...], *, folder: Path, tool: ToolRun) -> None:
    write_both(words, folder=folder, tool=tool)
    contents = {name: (folder / f"{name}.mender") for name in ("ours", "tools")}
    ours, tools = (read(path.read_bytes()) for path in contents.values())
    assert comparable(ours) == comparable(tools)
    with contents["ours"].open("rb") as one, contents["tools"].open("rb") as other:
        assert list(open_scripts(one)) == list(open_scripts(other))

    signed_by = [words[at + 1] for at, word in enumerate(words) if word == "-k"]
    keys = ["-k", signed_by[-1].replace(".pem", ".pub")] if signed_by else []
    for name, path in contents.items():
        assert "validated successfully" in tool("validate", *keys, path.name, folder=folder)
        said = run("artifact", "validate", str(path), *within(folder, tuple(keys)))
        assert said.status == 0, (name, said.out)
    assert shown(tool("read", *keys, "ours.mender", folder=folder)) == shown(
        tool("read", *keys, "tools.mender", folder=folder)
    )


def shown(text: str) -> list[str]:
    """What the tool's `read` prints: without the times of files, which mean nothing, and whatever the order of scripts."""
    return sorted(line for line in text.splitlines() if "modified:" not in line)


@settings(max_examples=20, deadline=None, database=None, phases=[Phase.generate])
@given(words=every_word)
def test_the_same_words_give_the_same_artifact(
    words: tuple[str, ...], folder: Path, mender_artifact: ToolRun
) -> None:
    check(words, folder=folder, tool=mender_artifact)


EXAMPLES = [
    "module-image -T directory -t box -t other -n r1 -f app.tar -f empty -m meta.json -s scripts "
    "-N r0 -G beta -g stable -d kernel:5 -p app.version:1:2 --clears-provides app.* -k rsa.pem",
    "module-image -T directory -t box -n r1 --compression lzma -f read-me,v1.2_x.txt -k ec.pem "
    "--software-name app --software-version 7 --software-filesystem data",
    "module-image -T directory -t box -n r1 --compression none --no-default-software-version",
    "module-image -T rootfs-image -t box -n r1 -f app.tar --no-default-clears-provides",
    "rootfs-image -t box -n r1 -f app.tar --clears-provides rootfs-image.* -p rootfs-image.checksum:0",
    "rootfs-image -t box -n r1 -f app.tar --clears-provides artifact_group --clears-provides *",
    "rootfs-image -t box -n r1 -f app.tar --legacy-rootfs-image-checksum --software-filesystem data",
    "rootfs-image -t box -n r1 -f app.tar --no-checksum-provide --compression lzma -k ec.pem",
    "bootstrap-artifact -t box -n r1 -p a:b -d c:d -g g -G h -N o --clears-provides x* -k rsa.pem",
    "bootstrap-artifact -t box -n r1 --compression none",
    "rootfs-image -t box -n r1 -f app.tar --no-default-software-version --software-version 7",
    "module-image -T x -t box -n r1 --no-default-software-version --software-version 7",
    "module-image -T x -t box -n r1 --no-default-software-version --software-name app",
    "module-image -T x -t box -n r1 --no-default-software-version --software-name app "
    "--software-version 7 --software-filesystem data",
    "module-image -T x -t box -n r1 -p rootfs-image.x.version:mine",
    "module-image -T x -t box -n r1 -p rootfs-image.x.version:mine --software-version 7",
    "module-image -T x -t box -n r1 -p rootfs-image.x.version:mine --software-name x",
    "rootfs-image -t box -n r1 -f app.tar -p rootfs-image.version:mine",
    "rootfs-image -t box -n r1 -f app.tar -p rootfs-image.version:mine --software-filesystem rootfs-image",
]


@pytest.mark.parametrize("words", EXAMPLES)
def test_each_kind_with_its_flags_gives_the_same_artifact(
    words: str, folder: Path, mender_artifact: ToolRun
) -> None:
    check(tuple(shlex.split(words)), folder=folder, tool=mender_artifact)


def _signed_by_us(folder: Path, key: str) -> None:
    path = str(folder / "tools.mender")
    assert run("artifact", "sign", path, "-k", str(folder / f"{key}.pem"), "-f").status == 0


@pytest.mark.parametrize("key", KEYS)
def test_an_artifact_of_the_tools_that_we_sign_is_good_for_it(
    key: str, folder: Path, mender_artifact: ToolRun
) -> None:
    words = shlex.split(EXAMPLES[0])
    mender_artifact("write", *words, "-o", "tools.mender", folder=folder)
    before = read((folder / "tools.mender").read_bytes())
    _signed_by_us(folder, key)
    mender_artifact("validate", "-k", f"{key}.pub", "tools.mender", folder=folder)
    assert comparable(read((folder / "tools.mender").read_bytes())) == comparable(before)


@pytest.mark.parametrize("key", KEYS)
def test_an_artifact_of_ours_that_the_tool_signs_is_good_for_us(
    key: str, folder: Path, mender_artifact: ToolRun
) -> None:
    words = [*within(folder, tuple(shlex.split(EXAMPLES[2]))), "-o", str(folder / "ours.mender")]
    assert run("artifact", "write", *words).status == 0
    mender_artifact("sign", "-k", f"{key}.pem", "ours.mender", folder=folder)
    public = str(folder / f"{key}.pub")
    assert run("artifact", "validate", str(folder / "ours.mender"), "-k", public).status == 0


def test_a_long_name_of_a_file_is_read_by_the_tool(folder: Path, mender_artifact: ToolRun) -> None:
    name = "n" * 200
    (folder / name).write_bytes(b"x")
    words = ("module-image", "-T", "directory", "-t", "box", "-n", "r1", "-f", name)
    check(words, folder=folder, tool=mender_artifact)
