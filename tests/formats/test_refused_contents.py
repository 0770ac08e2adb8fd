"""What is refused about an artifact's contents: version, header-info, scripts, type-info, meta-data, payload files."""

from __future__ import annotations

import pytest

from tests.formats.build import (
    DEVICE,
    FILES,
    PAYLOADS,
    Change,
    Entry,
    Json,
    append,
    artifact,
    at,
    before,
    encode,
    header_info,
    named,
    swapped,
    twice,
    type_info,
    without,
)
from tests.formats.refusal import read, refusal_of

INFO_TEXT = encode(header_info())
DEEP = b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"

VERSIONS = {
    "not JSON": (b"3", "json-type"),
    "another format": (b'{"format":"other","version":3}', "version-format"),
    "version 1": (b'{"format":"mender","version":1}', "version-unsupported"),
    "version 4": (b'{"format":"mender","version":4}', "version-unsupported"),
    "version as text": (b'{"format":"mender","version":"3"}', "version-unsupported"),
    "version as truth": (b'{"format":"mender","version":true}', "version-unsupported"),
    "version with a fraction": (b'{"format":"mender","version":3.0}', "version-unsupported"),
    "format as number": (b'{"format":3,"version":3}', "json-type"),
    "extra key": (b'{"format":"mender","version":3,"x":1}', "unknown-key"),
    "no format": (b'{"version":3}', "missing-key"),
    "empty": (b"", "json-syntax"),
}

HEADER_INFOS: dict[str, tuple[Json, str]] = {
    "not JSON": (b"nonsense", "json-syntax"),
    "empty": (b"", "json-syntax"),
    "a list": (b"[]", "json-type"),
    "something behind it": (INFO_TEXT + b"{}", "json-syntax"),
    "byte order mark": (b"\xef\xbb\xbf" + INFO_TEXT, "json-syntax"),
    "not UTF-8": (INFO_TEXT.replace(b"release-1", b"\xff"), "json-encoding"),
    "NaN": (INFO_TEXT.replace(b'"release-1"', b"NaN"), "json-syntax"),
    "number beyond a float": (INFO_TEXT.replace(b'"release-1"', b"1e999"), "json-syntax"),
    "number of 5000 digits": (INFO_TEXT.replace(b'"release-1"', b"1" * 5000), "json-syntax"),
    "NUL in a name": (INFO_TEXT.replace(b"release-1", b"a\\u0000b"), "json-text"),
    "half of a surrogate pair": (INFO_TEXT.replace(b"release-1", b"\\ud800"), "json-text"),
    "nested 100 000 deep": (DEEP, "json-depth"),
    "nested 70 deep": (b'{"a":' + b"[" * 70 + b"]" * 70 + b"}", "json-depth"),
    "duplicate key": (INFO_TEXT.replace(b"{", b'{"payloads":[],', 1), "json-duplicate-key"),
    "duplicate key inside": (
        INFO_TEXT.replace(b'"artifact_name"', b'"artifact_name":"x","artifact_name"'),
        "json-duplicate-key",
    ),
    "unknown key": (header_info(extra=1), "unknown-key"),
    "key in another case": (header_info(Payloads=[]), "unknown-key"),
    "unknown key in provides": (
        header_info(artifact_provides={"artifact_name": "a", "x": "y"}),
        "unknown-key",
    ),
    "unknown key in depends": (header_info(artifact_depends={**DEVICE, "x": ["y"]}), "unknown-key"),
    "unknown key in a payload": (
        header_info(payloads=[{"type": "single-file", "x": 1}]),
        "unknown-key",
    ),
    "no payloads key": (header_info(payloads=None), "missing-key"),
    "no payloads": (header_info(payloads=[]), "payload-count"),
    "two payloads": (header_info(payloads=PAYLOADS * 2), "payload-count"),
    "payloads as object": (header_info(payloads={}), "json-type"),
    "payload as text": (header_info(payloads=["single-file"]), "json-type"),
    "empty payload type": (header_info(payloads=[{"type": ""}]), "payload-type"),
    "payload type missing": (header_info(payloads=[{}]), "missing-key"),
    "payload type as number": (header_info(payloads=[{"type": 1}]), "json-type"),
    "payload type as path": (
        header_info(payloads=[{"type": "../../../../tmp/x"}]),
        "payload-type",
    ),
    "payload type of dots": (header_info(payloads=[{"type": ".."}]), "payload-type"),
    "payload type of 101 letters": (header_info(payloads=[{"type": "x" * 101}]), "payload-type"),
    "payload type with line feed": (header_info(payloads=[{"type": "x\n"}]), "payload-type"),
    "no provides": (header_info(artifact_provides=None), "missing-key"),
    "provides as list": (header_info(artifact_provides=[]), "json-type"),
    "no name": (header_info(artifact_provides={}), "missing-key"),
    "name as number": (header_info(artifact_provides={"artifact_name": 1}), "json-type"),
    "empty name": (named(""), "artifact-name"),
    "name with line feed": (named("a\nb"), "artifact-name"),
    "name with a step upwards": (named("../a"), "artifact-name"),
    "name of 5000 letters": (named("a" * 5000), "artifact-name"),
    "name of blanks": (named("  "), "artifact-name"),
    "name that reverses the line": (named("a\u202eb"), "artifact-name"),
    "group with line feed": (
        header_info(artifact_provides={"artifact_name": "a", "artifact_group": "g\n"}),
        "artifact-group",
    ),
    "no depends": (header_info(artifact_depends=None), "missing-key"),
    "no device type": (header_info(artifact_depends={}), "missing-key"),
    "empty list of device types": (
        header_info(artifact_depends={"device_type": []}),
        "device-type",
    ),
    "device type as text": (header_info(artifact_depends={"device_type": "box"}), "json-type"),
    "device type as number": (header_info(artifact_depends={"device_type": [1]}), "json-type"),
    "empty device type": (header_info(artifact_depends={"device_type": [""]}), "device-type"),
    "device type of 101 letters": (
        header_info(artifact_depends={"device_type": ["x" * 101]}),
        "device-type",
    ),
    "depends on null": (
        header_info(artifact_depends={**DEVICE, "artifact_name": [None]}),
        "json-type",
    ),
    "null list": (
        header_info(artifact_depends={**DEVICE, "artifact_name": None}),
        "json-type",
    ),
}

TYPE_INFOS: dict[str, tuple[Json, str]] = {
    "not JSON": (b"nonsense", "json-syntax"),
    "empty": (b"", "json-syntax"),
    "nested 100 000 deep": (DEEP, "json-depth"),
    "no type": (type_info(type=None), "missing-key"),
    "another type than header-info": (type_info(type="directory"), "type-info-mismatch"),
    "null type": (b'{"type":null}', "type-info-mismatch"),
    "type as number": (type_info(type=1), "json-type"),
    "key in another case": (type_info(Type="directory"), "unknown-key"),
    "duplicate key": (b'{"type":"x","type":"single-file"}', "json-duplicate-key"),
    "provides a number": (type_info(artifact_provides={"a": 1}), "json-type"),
    "provides a list": (type_info(artifact_provides={"a": ["b"]}), "json-type"),
    "provides as list": (type_info(artifact_provides=["a"]), "json-type"),
    "provides under an empty key": (type_info(artifact_provides={"": "a"}), "provides"),
    "provides two lines": (type_info(artifact_provides={"a": "b\nc"}), "provides"),
    "provides the artifact's name": (
        type_info(artifact_provides={"artifact_name": "a"}),
        "provides-reserved",
    ),
    "provides the device type": (
        type_info(artifact_provides={"device_type": "a"}),
        "provides-reserved",
    ),
    "depends on a number": (type_info(artifact_depends={"a": 1}), "json-type"),
    "depends on a list of numbers": (type_info(artifact_depends={"a": [1]}), "json-type"),
    "depends on no value": (type_info(artifact_depends={"a": []}), "depends"),
    "depends on two lines": (type_info(artifact_depends={"a": "b\nc"}), "depends"),
    "depends on the device type": (
        type_info(artifact_depends={"device_type": "a"}),
        "depends-reserved",
    ),
    "clears a text": (type_info(clears_artifact_provides="a"), "json-type"),
    "clears numbers": (type_info(clears_artifact_provides=[1]), "json-type"),
    "clears two lines": (type_info(clears_artifact_provides=["a\nb"]), "clears-provides"),
}

META_DATA = {
    "a list": (b"[]", "json-type"),
    "not JSON": (b"nonsense", "json-syntax"),
    "nested 100 000 deep": (DEEP, "json-depth"),
    "duplicate keys": (b'{"a":1,"a":2}', "json-duplicate-key"),
    "invalid UTF-8": (b'{"a":"\xff"}', "json-encoding"),
    "a NUL": (b'{"a":["\\u0000"]}', "json-text"),
    "a NUL in a key": (b'{"a":[{"\\u0000":1}]}', "json-text"),
}

SCRIPTS = {
    "no such state": "ArtifactDance_Enter_00",
    "a state of the root file system": "Download_Enter_00",
    "no number": "ArtifactInstall_Enter",
    "one digit": "ArtifactInstall_Enter_0",
    "no such action": "ArtifactInstall_During_00",
    "text in front": "xArtifactInstall_Enter_00",
    "a blank": "ArtifactInstall_Enter_00_a b",
    "a path": "ArtifactInstall_Enter_00_/../../x",
    "a folder": "sub/ArtifactInstall_Enter_00",
    "no name": "",
}

TYPE_PATH = "headers/0000/type-info"
META_PATH = "headers/0000/meta-data"
SCRIPT = "ArtifactInstall_Enter_00"

HEADERS: dict[str, tuple[Change, str]] = {
    "header-info missing": (without("header-info"), "header-member"),
    "header-info not first": (swapped("header-info", TYPE_PATH), "header-member"),
    "header-info twice": (twice("header-info"), "header-member"),
    "type-info missing": (without(TYPE_PATH), "header-member"),
    "only header-info": (lambda entries: entries[:1], "header-member"),
    "nothing at all": (lambda entries: [], "header-member"),
    "type-info twice": (twice(TYPE_PATH), "header-member"),
    "meta-data before type-info": (swapped(TYPE_PATH, META_PATH), "header-member"),
    "meta-data twice": (twice(META_PATH), "header-member"),
    "unknown file": (append(Entry("notes")), "header-member"),
    "directory entry": (
        before("header-info", Entry("headers/", kind=b"5")),
        "tar-entry-type",
    ),
    "type-info by another path": (
        at(TYPE_PATH, rename="headers/0000/../../type-info"),
        "header-member",
    ),
    "type-info outside": (at(TYPE_PATH, rename="../0000/type-info"), "header-member"),
    "type-info of a second payload": (
        append(Entry("headers/0001/type-info", b'{"type":"x"}')),
        "header-member",
    ),
    "scripts behind type-info": (swapped(f"scripts/{SCRIPT}", TYPE_PATH), "header-member"),
    "script twice": (twice(f"scripts/{SCRIPT}"), "script-twice"),
    "script is a link": (at(f"scripts/{SCRIPT}", kind=b"2"), "tar-entry-type"),
    "folder of scripts": (
        before(f"scripts/{SCRIPT}", Entry("scripts/", kind=b"5")),
        "tar-entry-type",
    ),
}

PAYLOADS_BAD: dict[str, tuple[Change, str]] = {
    "file missing": (without("a.bin"), "payload-file-missing"),
    "all files missing": (lambda entries: [], "payload-file-missing"),
    "file twice": (twice("a.bin"), "payload-file-twice"),
    "file unlisted": (append(Entry("c.bin")), "payload-file-unlisted"),
    "file changed": (at("a.bin", content=b"First\n"), "checksum"),
    "file cut": (at("a.bin", content=b"first"), "checksum"),
    "files exchanged": (
        lambda entries: [
            at("a.bin", rename="b.bin")(entries)[0],
            at("b.bin", rename="a.bin")(entries)[1],
        ],
        "checksum",
    ),
    "name with a folder": (at("a.bin", rename="x/a.bin"), "payload-file-name"),
    "name with ./": (at("a.bin", rename="./a.bin"), "payload-file-name"),
    "name with ../": (at("a.bin", rename="../a.bin"), "payload-file-name"),
    "absolute name": (at("a.bin", rename="/a.bin"), "payload-file-name"),
    "name with a blank": (at("a.bin", rename="a bin"), "payload-file-name"),
    "name with a line feed": (at("a.bin", rename="a.bin\n"), "payload-file-name"),
    "name that is not ASCII": (at("a.bin", rename="ä.bin"), "payload-file-name"),
    "name of dots": (at("a.bin", rename=".."), "payload-file-name"),
    "no name": (at("a.bin", rename=""), "payload-file-name"),
    "hard link": (at("a.bin", kind=b"1"), "tar-entry-type"),
    "directory": (append(Entry("folder", kind=b"5")), "tar-entry-type"),
    "device": (append(Entry("null", kind=b"3")), "tar-entry-type"),
    "sparse file": (at("a.bin", kind=b"S"), "tar-entry-type"),
}


@pytest.mark.parametrize(("content", "rule"), VERSIONS.values(), ids=VERSIONS)
def test_another_version_than_3_is_refused(content: bytes, rule: str) -> None:
    assert refusal_of(artifact(version=content)).rule == rule


@pytest.mark.parametrize(("info", "rule"), HEADER_INFOS.values(), ids=HEADER_INFOS)
def test_a_header_info_that_clients_read_differently_is_refused(info: Json, rule: str) -> None:
    assert refusal_of(artifact(info=info)).rule == rule


@pytest.mark.parametrize(("types", "rule"), TYPE_INFOS.values(), ids=TYPE_INFOS)
def test_a_type_info_that_clients_read_differently_is_refused(types: Json, rule: str) -> None:
    assert refusal_of(artifact(types=types)).rule == rule


@pytest.mark.parametrize(("meta_data", "rule"), META_DATA.values(), ids=META_DATA)
def test_meta_data_that_is_no_clean_object_is_refused(meta_data: bytes, rule: str) -> None:
    assert refusal_of(artifact(meta_data=meta_data)).rule == rule


@pytest.mark.parametrize("name", SCRIPTS.values(), ids=SCRIPTS)
def test_a_state_script_that_no_client_would_run_is_refused(name: str) -> None:
    assert refusal_of(artifact(scripts=[(name, b"#!/bin/sh\n")])).rule == "script-name"


@pytest.mark.parametrize(("change", "rule"), HEADERS.values(), ids=HEADERS)
def test_a_header_out_of_order_is_refused(change: Change, rule: str) -> None:
    content = artifact(scripts=[(SCRIPT, b"")], meta_data=b"{}", change_header=change)
    assert refusal_of(content).rule == rule


@pytest.mark.parametrize(("change", "rule"), PAYLOADS_BAD.values(), ids=PAYLOADS_BAD)
def test_payload_files_other_than_the_manifests_are_refused(change: Change, rule: str) -> None:
    assert refusal_of(artifact(change_data=change)).rule == rule


@pytest.mark.parametrize("kind", [b"2", b"6"], ids=["symbolic link", "named pipe"])
def test_an_entry_without_content_is_refused_though_its_empty_sum_is_right(kind: bytes) -> None:
    content = artifact(files=[("empty", b"")], change_data=at("empty", kind=kind))
    assert refusal_of(content).rule == "tar-entry-type"


def test_a_bootstrap_artifact_with_files_is_refused() -> None:
    info = header_info(payloads=[{"type": None}])
    assert refusal_of(artifact(info=info, types=b'{"type":null}')).rule == "bootstrap-with-data"


@pytest.mark.parametrize("files", [(), FILES], ids=["none", "two"])
def test_a_rootfs_image_that_is_not_one_file_is_refused(
    files: tuple[tuple[str, bytes], ...],
) -> None:
    info = header_info(payloads=[{"type": "rootfs-image"}])
    content = artifact(info=info, types=type_info(type="rootfs-image"), files=files)
    assert refusal_of(content).rule == "rootfs-image-files"


def test_type_info_may_not_give_or_ask_for_what_header_info_does_already() -> None:
    info = header_info(
        artifact_provides={"artifact_name": "a", "artifact_group": "g"},
        artifact_depends={**DEVICE, "artifact_name": ["x"], "artifact_group": ["y"]},
    )
    group = type_info(artifact_provides={"artifact_group": "h"})
    assert refusal_of(artifact(info=info, types=group)).rule == "provides-reserved"
    for key in ("artifact_name", "artifact_group"):
        types = type_info(artifact_depends={key: "z"})
        assert refusal_of(artifact(info=info, types=types)).rule == "depends-reserved"


def test_an_empty_type_in_type_info_is_accepted_with_a_warning() -> None:
    description = read(artifact(types=type_info(type="")))
    assert description.payload_type == "single-file"
    assert "leaves the payload type empty" in description.warnings[0]


def test_a_script_that_never_runs_is_accepted_with_a_warning() -> None:
    description = read(artifact(scripts=[("ArtifactRollback_Error_01", b"")]))
    assert "never runs" in description.warnings[0]


def test_unknown_keys_in_type_info_are_let_through_as_all_clients_do() -> None:
    assert read(artifact(types=type_info(note="x"))).provides


def test_depends_of_one_value_and_of_several_read_the_same_way() -> None:
    types = type_info(artifact_depends={"one": "a", "several": ["b", "c"]})
    assert read(artifact(types=types)).depends == {"one": ["a"], "several": ["b", "c"]}


def test_a_missing_clears_list_differs_from_an_empty_one() -> None:
    assert read(artifact(types=b'{"type":"single-file"}')).clears_provides is None
    types = type_info(clears_artifact_provides=[])
    assert read(artifact(types=types)).clears_provides == ()
