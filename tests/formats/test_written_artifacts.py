"""What we write is what was asked for, and nothing that our own reader would refuse."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.formats.refusal import read
from updates.errors import ArtifactRefused
from updates.formats.mender_artifact import (
    CHECKSUM_KEY,
    ArtifactSpec,
    Limits,
    Packing,
    PayloadSource,
    Software,
    StateScript,
    file_at,
    file_from,
    open_payload,
    read_artifact,
    with_software_version,
    write_artifact,
)
from updates.formats.mender_artifact.tar_archive import MENDER
from updates.formats.tar.header import parse_header
from updates.formats.tar.writer import member_header

CONTENTS = {"app.tar": b"payload" * 100_000, "empty": b"", "a" * 255: b"hello\n"}
SCRIPTS = (
    StateScript("ArtifactInstall_Enter_00_stop", b"#!/bin/sh\nexit 0\n"),
    StateScript("ArtifactCommit_Leave_99", b""),
)
EVERYTHING = ArtifactSpec(
    name="release-1 <ä>",
    device_types=("box", "other box"),
    payload_type="directory",
    files=tuple(file_from(io.BytesIO(text), name=name) for name, text in CONTENTS.items()),
    group="stable",
    depends_names=("release-0", "release-00"),
    depends_groups=("beta",),
    depends={"kernel": ("5",), "arch": ("a", "b")},
    provides={"app.version": "1.2", "z": ""},
    clears_provides=("app.*",),
    meta_data='{"deep": {"a": [1, 2.50]}}',
    scripts=SCRIPTS,
)
PLAIN = ArtifactSpec(name="release-1", device_types=("box",), payload_type="directory")


def written(spec: ArtifactSpec) -> bytes:
    out = io.BytesIO()
    write_artifact(spec, out)
    return out.getvalue()


@pytest.mark.parametrize("packing", Packing)
def test_everything_that_was_asked_for_is_read_again(packing: Packing) -> None:
    content = written(replace(EVERYTHING, packing=packing))
    found = read(content)

    assert (found.name, found.group, found.payload_type) == ("release-1 <ä>", "stable", "directory")
    assert found.device_types == EVERYTHING.device_types
    assert found.depends_names == EVERYTHING.depends_names
    assert found.depends_groups == EVERYTHING.depends_groups
    assert found.depends == {"arch": ["a", "b"], "kernel": ["5"]}
    assert found.provides == EVERYTHING.provides
    assert found.clears_provides == EVERYTHING.clears_provides
    assert found.meta_data == EVERYTHING.meta_data
    assert found.header_compression is found.data_compression is packing.compression
    assert found.signature is None
    assert {f.name: (f.size, f.sha256) for f in found.files} == {
        name: (len(text), hashlib.sha256(text).hexdigest()) for name, text in CONTENTS.items()
    }
    opened = open_payload(io.BytesIO(content))
    assert opened.scripts == SCRIPTS
    assert {f.name: b"".join(f.chunks()) for f in opened.files()} == CONTENTS


@pytest.mark.parametrize("packing", Packing)
def test_the_same_content_gives_the_same_bytes(packing: Packing, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"x" * 300_000)
    spec = replace(PLAIN, files=(file_at(path),), packing=packing)
    first = written(spec)
    path.chmod(0o700)
    path.touch()
    assert written(spec) == first


def test_a_file_may_go_by_another_name_than_on_disk(tmp_path: Path) -> None:
    (tmp_path / "b ad").write_bytes(b"x")
    spec = replace(PLAIN, files=(file_at(tmp_path / "b ad", name="good"),))
    assert [f.name for f in read(written(spec)).files] == ["good"]


def test_an_artifact_may_stand_behind_something_else_in_its_file() -> None:
    out = io.BytesIO(b"before")
    out.seek(0, io.SEEK_END)
    write_artifact(EVERYTHING, out)
    assert out.tell() == len(out.getvalue())
    assert out.getvalue() == b"before" + written(EVERYTHING)


def test_an_artifact_without_files_has_an_empty_payload() -> None:
    found = read(written(PLAIN))
    assert (found.files, found.depends, found.provides, found.clears_provides) == ((), {}, {}, None)
    assert found.meta_data == ""


def test_a_bootstrap_artifact_has_no_payload_type() -> None:
    found = read(written(replace(PLAIN, payload_type=None, provides={"a": "b"})))
    assert found.is_bootstrap
    assert found.provides == {"a": "b"}


def test_a_checksum_is_provided_under_the_key_that_was_asked_for() -> None:
    image = file_from(io.BytesIO(b"image"), name="image.ext4")
    spec = replace(PLAIN, payload_type="rootfs-image", files=(image,), checksum_key=CHECKSUM_KEY)
    found = read(written(spec))
    assert found.provides == {CHECKSUM_KEY: hashlib.sha256(b"image").hexdigest()}
    assert json.loads(found.type_info)["type"] == "rootfs-image"
    assert found.warnings == ()


def test_defaults_come_behind_what_was_given() -> None:
    spec = replace(PLAIN, clears_provides=("x", "rootfs-image.*"), provides={"q": "1"})
    whole = with_software_version(spec, Software(""))
    assert whole.provides == {"rootfs-image.version": "release-1", "q": "1"}
    assert whole.clears_provides == (
        *("x", "rootfs-image.*", "artifact_group", "rootfs_image_checksum"),
    )
    kept = with_software_version(spec, Software("q", filesystem="data"), clears_older=False)
    assert kept.provides == {"data.q.version": "release-1", "q": "1"}
    assert kept.clears_provides == spec.clears_provides
    mine = replace(spec, provides={"rootfs-image.app.version": "mine"})
    software = Software("app", version="7")
    assert with_software_version(mine, software).provides == mine.provides
    overridden = with_software_version(mine, software, overrides=True)
    assert overridden.provides == {"rootfs-image.app.version": "7"}


def one_file(name: str) -> tuple[PayloadSource, ...]:
    return (file_from(io.BytesIO(b"x"), name=name),)


REFUSED = {
    "empty name": (replace(PLAIN, name=""), "artifact-name"),
    "name of two lines": (replace(PLAIN, name="a\nb"), "artifact-name"),
    "half of a surrogate pair": (replace(PLAIN, name="\ud800"), "json-encoding"),
    "surrogate in meta-data": (replace(PLAIN, meta_data='{"a":"\udc80"}'), "json-encoding"),
    "no device type": (replace(PLAIN, device_types=()), "device-type"),
    "empty device type": (replace(PLAIN, device_types=("",)), "device-type"),
    "payload type as path": (replace(PLAIN, payload_type="../x"), "payload-type"),
    "empty payload type": (replace(PLAIN, payload_type=""), "payload-type"),
    "bad group": (replace(PLAIN, group="a\n"), "artifact-group"),
    "provides the name": (replace(PLAIN, provides={"artifact_name": "x"}), "provides-reserved"),
    "provides nothing by a name": (replace(PLAIN, provides={"": "x"}), "provides"),
    "depends on the type": (replace(PLAIN, depends={"device_type": ("x",)}), "depends-reserved"),
    "depends on no value": (replace(PLAIN, depends={"a": ()}), "depends"),
    "clears two lines": (replace(PLAIN, clears_provides=("a\nb",)), "clears-provides"),
    "meta-data is a list": (replace(PLAIN, meta_data="[]"), "json-type"),
    "meta-data is no JSON": (replace(PLAIN, meta_data="{"), "json-syntax"),
    "meta-data twice": (replace(PLAIN, meta_data='{"a":1,"a":2}'), "json-duplicate-key"),
    "script of no state": (
        replace(PLAIN, scripts=(StateScript("Download_Enter_00", b""),)),
        "script-name",
    ),
    "script name that no tar holds": (
        replace(PLAIN, scripts=(StateScript("\ud800", b""),)),
        "script-name",
    ),
    "script twice": (replace(PLAIN, scripts=SCRIPTS * 2), "script-twice"),
    "file name with a blank": (replace(PLAIN, files=one_file("a b")), "payload-file-name"),
    "file name as path": (replace(PLAIN, files=one_file("../a")), "payload-file-name"),
    "file name of 256": (replace(PLAIN, files=one_file("a" * 256)), "payload-file-name"),
    "file twice": (replace(PLAIN, files=one_file("a") * 2), "payload-file-twice"),
    "image without a file": (replace(PLAIN, payload_type="rootfs-image"), "rootfs-image-files"),
    "image of two files": (
        replace(PLAIN, payload_type="rootfs-image", files=one_file("a") + one_file("b")),
        "rootfs-image-files",
    ),
    "bootstrap with a file": (
        replace(PLAIN, payload_type=None, files=one_file("a")),
        "bootstrap-with-data",
    ),
}


@pytest.mark.parametrize(("spec", "rule"), REFUSED.values(), ids=REFUSED)
def test_what_the_reader_would_refuse_is_not_even_begun(spec: ArtifactSpec, rule: str) -> None:
    out = io.BytesIO()
    with pytest.raises(ArtifactRefused) as caught:
        write_artifact(spec, out)
    assert caught.value.rule == rule
    assert str(caught.value)[0].isupper()
    assert out.getvalue() == b""


def test_more_files_than_are_allowed_are_refused() -> None:
    files = tuple(file_from(io.BytesIO(b""), name=f"f{n}") for n in range(3))
    with pytest.raises(ArtifactRefused) as caught:
        write_artifact(replace(PLAIN, files=files), io.BytesIO(), limits=Limits(payload_files=2))
    assert caught.value.rule == "too-many-files"


@pytest.mark.parametrize(
    "second",
    [b"Content", b"content and more", b"cont", b""],
    ids=["same size", "more", "less", "none"],
)
def test_a_file_that_changes_meanwhile_is_noticed(second: bytes) -> None:
    contents = iter([b"content", second])

    @contextmanager
    def changing() -> Iterator[BinaryIO]:
        yield io.BytesIO(next(contents))

    spec = replace(PLAIN, files=(PayloadSource("a", changing),))
    with pytest.raises(ArtifactRefused) as caught:
        write_artifact(spec, io.BytesIO())
    assert caught.value.rule == "payload-changed"


def test_an_error_of_the_source_itself_comes_out_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_artifact(replace(PLAIN, files=(file_at(tmp_path / "gone"),)), io.BytesIO())


@pytest.mark.parametrize("size", [0, 8 * 2**30 - 1, 8 * 2**30, 2**50])
def test_the_header_of_a_part_has_one_length_whatever_its_size(size: int) -> None:
    block = member_header("data/0000.tar.gz", size=size)
    assert len(block) == 512
    header = parse_header(block, where="the block", dialect=MENDER)
    assert (header.name, header.size) == (b"data/0000.tar.gz", size)


def test_reading_gives_the_manifest_in_the_tools_order() -> None:
    found = read_artifact(io.BytesIO(written(EVERYTHING)))
    names = [line[66:] for line in found.manifest.decode().splitlines()]
    assert names == [*(f"data/0000/{name}" for name in CONTENTS), "header.tar.gz", "version"]
