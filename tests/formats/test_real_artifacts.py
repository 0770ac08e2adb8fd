"""What mender-artifact 3.9.0 writes, over its flags, is read as it was meant, and as the tool itself reads it."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from tests.formats.build import artifact
from tests.formats.conftest import ToolRun
from tests.formats.refusal import read
from updates.formats.mender_artifact import ArtifactDescription, Compression

FILE_CONTENTS = {"app.tar": b"payload" * 40_000, "empty": b"", "read-me,v1.2_x.txt": b"hello\n"}
SCRIPT_CONTENTS = {
    "ArtifactInstall_Enter_00_stop": b"#!/bin/sh\nexit 0\n",
    "ArtifactCommit_Leave_99": b"#!/bin/sh\n",
    "ArtifactFailure_Enter_01": b"",
}


@dataclass(frozen=True)
class Written:
    """Words for `mender-artifact write`, and what has to be read from the file."""

    words: tuple[str, ...]
    expected: dict[str, object] = field(default_factory=dict)
    files: tuple[str, ...] = ()


def module_image(*words: str, files: tuple[str, ...] = (), **expected: object) -> Written:
    flags = [word for name in files for word in ("-f", name)]
    return Written(
        ("module-image", "-T", "directory", "-n", "release-1", *words, *flags), expected, files
    )


EVERYTHING = (
    *("-t", "box", "-t", "other box", "-N", "release-0", "-N", "release-00", "-G", "beta"),
    *("-g", "stable", "-d", "kernel:5", "-p", "app.version:1.2", "--clears-provides", "app.*"),
    *("-m", "meta.json", "--software-name", "app", "--software-filesystem", "data"),
    *(word for name in SCRIPT_CONTENTS for word in ("-s", name)),
)

WRITTEN = {
    "uncompressed": module_image(
        *("-t", "box", "--compression", "none"),
        files=("app.tar",),
        header_compression=Compression.NONE,
        data_compression=Compression.NONE,
    ),
    "gzip": module_image(
        *("-t", "box", "--compression", "gzip"),
        files=("app.tar",),
        header_compression=Compression.GZIP,
        data_compression=Compression.GZIP,
    ),
    "lzma": module_image(
        *("-t", "box", "--compression", "lzma"),
        files=("app.tar",),
        header_compression=Compression.XZ,
        data_compression=Compression.XZ,
    ),
    "several files": module_image("-t", "box", files=tuple(FILE_CONTENTS)),
    "no files": module_image("-t", "box", files=(), clears_provides=("rootfs-image.directory.*",)),
    "everything": module_image(
        *EVERYTHING,
        files=("app.tar", "empty"),
        group="stable",
        device_types=("box", "other box"),
        depends_names=("release-0", "release-00"),
        depends_groups=("beta",),
        depends={"kernel": ["5"]},
        provides={"app.version": "1.2", "data.app.version": "release-1"},
        clears_provides=("app.*", "data.app.*"),
        scripts=tuple(sorted(SCRIPT_CONTENTS)),
    ),
    "no defaults": module_image(
        *("-t", "box", "--no-default-software-version", "--no-default-clears-provides"),
        provides={},
        clears_provides=None,
        meta_data="",
    ),
    "meta-data": module_image("-t", "box", "-m", "meta.json"),
    "rootfs-image": Written(
        ("rootfs-image", "-t", "box", "-n", "release-1", "-f", "app.tar"),
        {
            "payload_type": "rootfs-image",
            "clears_provides": ("artifact_group", "rootfs_image_checksum", "rootfs-image.*"),
            "meta_data": "",
            "type_info": re.compile('^{"type":""'),
        },
        ("app.tar",),
    ),
    "bootstrap": Written(
        ("bootstrap-artifact", "-t", "box", "-n", "release-1", "-p", "a:b"),
        {"payload_type": "", "is_bootstrap": True, "provides": {"a": "b"}},
    ),
    "signed with RSA": module_image("-t", "box", "-k", "rsa.pem", files=("app.tar",)),
    "signed with ECDSA": module_image("-t", "box", "-k", "ec.pem", files=("app.tar",)),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the words of a Written name."""
    folder = tmp_path_factory.mktemp("parts")
    for name, content in {**FILE_CONTENTS, **SCRIPT_CONTENTS}.items():
        (folder / name).write_bytes(content)
    (folder / "meta.json").write_text(json.dumps({"dest": "/opt", "n": 1, "deep": {"a": ["b"]}}))
    keys: dict[str, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey] = {
        "rsa.pem": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec.pem": ec.generate_private_key(ec.SECP256R1()),
    }
    for name, key in keys.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        (folder / name).write_bytes(pem)
    return folder


@pytest.mark.parametrize("name", WRITTEN)
def test_what_the_tool_writes_is_read_as_it_was_meant(
    name: str, folder: Path, mender_artifact: ToolRun
) -> None:
    written = WRITTEN[name]
    description = write(written, folder=folder, mender_artifact=mender_artifact)
    assert description.name == "release-1"
    for attribute, expected in written.expected.items():
        found = getattr(description, attribute)
        if isinstance(expected, re.Pattern):
            assert expected.search(found)
        elif attribute == "scripts":
            assert sorted(found) == list(expected)  # type: ignore[call-overload]
        else:
            assert found == expected, attribute
    assert {f.name: (f.size, f.sha256) for f in description.files} == {
        file: (len(FILE_CONTENTS[file]), hashlib.sha256(FILE_CONTENTS[file]).hexdigest())
        for file in written.files
    }
    assert json.loads(json.dumps(description.as_json()))["name"] == "release-1"


@pytest.mark.parametrize("name", WRITTEN)
def test_we_read_what_the_tool_reads(name: str, folder: Path, mender_artifact: ToolRun) -> None:
    description = write(WRITTEN[name], folder=folder, mender_artifact=mender_artifact)
    shown = mender_artifact("read", "out.mender", folder=folder)
    assert re.findall(r"^  Name: (.*)$", shown, re.M) == [description.name]
    devices = f"'[{' '.join(description.device_types)}]'"
    assert re.findall(r"^  Compatible devices: (.*)$", shown, re.M) == [devices]
    assert re.findall(r"^  Provides group: (.*)$", shown, re.M) == [description.group or ""]
    names = f"[{', '.join(description.depends_names)}]"
    assert re.findall(r"^  Depends on one of artifact\(s\): (.*)$", shown, re.M) == [names]
    payload_type = description.payload_type or "Empty type"
    assert re.findall(r"^    Type:   (.*)$", shown, re.M) == [payload_type]
    files = re.findall(r"name: +(\S+)\n +size: +(\d+)\n.*\n +checksum: +(\S+)$", shown, re.M)
    assert files == [(f.name, str(f.size), f.sha256) for f in description.files]
    assert ("no signature" in shown) == (description.signature is None)
    for key, value in description.provides.items():
        assert f"\t{key}: {value}\n" in shown
    for script in description.scripts:
        assert f"    {script}\n" in shown


def test_meta_data_is_kept_as_it_was_written(folder: Path, mender_artifact: ToolRun) -> None:
    description = write(WRITTEN["meta-data"], folder=folder, mender_artifact=mender_artifact)
    assert json.loads(description.meta_data) == json.loads((folder / "meta.json").read_text())


@pytest.mark.parametrize("key_file", ["rsa.pem", "ec.pem"])
def test_a_signature_is_handed_out_so_that_it_can_be_verified(
    key_file: str, folder: Path, mender_artifact: ToolRun
) -> None:
    written = module_image("-t", "box", "-k", key_file, files=("empty",))
    description = write(written, folder=folder, mender_artifact=mender_artifact)
    signature = description.signature
    assert signature is not None
    key = load_pem_private_key((folder / key_file).read_bytes(), password=None)
    if isinstance(key, rsa.RSAPrivateKey):
        key.public_key().verify(signature, description.manifest, padding.PKCS1v15(), SHA256())
    else:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        numbers = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
        public_key = key.public_key()
        public_key.verify(encode_dss_signature(*numbers), description.manifest, ec.ECDSA(SHA256()))


def test_an_artifact_packed_again_by_gnu_tar_reads_the_same(
    folder: Path, mender_artifact: ToolRun
) -> None:
    description = write(WRITTEN["everything"], folder=folder, mender_artifact=mender_artifact)
    names = ("version", "manifest", "header.tar.gz", "data/0000.tar.gz")
    for form in ("gnu", "ustar", "pax"):
        subprocess.run(["tar", "-xf", "out.mender"], cwd=folder, check=True)
        packing = ["tar", f"--format={form}", "-cf", "again.mender", *names]
        subprocess.run(packing, cwd=folder, check=True)
        assert read((folder / "again.mender").read_bytes()) == description


def test_the_tool_reads_what_is_made_by_hand(tmp_path: Path, mender_artifact: ToolRun) -> None:
    """Else the hostile files, each of which differs from this one in one place, would prove nothing."""
    for suffix in ("", ".gz", ".xz"):
        content = artifact(header_suffix=suffix, data_suffix=suffix, meta_data=b"{}")
        (tmp_path / "hand.mender").write_bytes(content)
        assert "Name: release-1" in mender_artifact("read", "hand.mender", folder=tmp_path)
        assert "validated" in mender_artifact("validate", "hand.mender", folder=tmp_path)


def write(written: Written, *, folder: Path, mender_artifact: ToolRun) -> ArtifactDescription:
    mender_artifact("write", *written.words, "-o", "out.mender", folder=folder)
    return read((folder / "out.mender").read_bytes())
