"""Archives that people upload become plain tars, or are refused: nothing in them is trusted."""

from __future__ import annotations

import errno
import io
import stat
import tarfile
import warnings
import zipfile
from collections.abc import Callable

import pytest

from updates.errors import ArtifactRefused
from updates.formats.payloads import ArchiveLimits, Tree, write_tree

MIB = 2**20
PAGE = b"<h1>Hello</h1>"


def zipped(
    *members: tuple[str, bytes], change: Callable[[zipfile.ZipInfo], None] | None = None
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6))
            info.compress_type = zipfile.ZIP_DEFLATED
            if change is not None:
                change(info)
            archive.writestr(info, content)
    return out.getvalue()


def tarred(
    *members: tuple[str, bytes], mode: str = "w", permissions: int = 0o640, **fields: object
) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), permissions, 1_700_000_000
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def made_of(archive: bytes, **limits: int) -> tuple[Tree, dict[str, tuple[bytes | None, int]]]:
    """What the new tar holds: content (None: a folder) and permissions by path."""
    out = io.BytesIO()
    tree = write_tree(io.BytesIO(archive), out, limits=ArchiveLimits(**limits))
    out.seek(0)
    found: dict[str, tuple[bytes | None, int]] = {}
    with tarfile.open(fileobj=out) as tar:
        for info in tar:
            file = tar.extractfile(info)
            found[info.name] = (file.read() if file else None, info.mode)
            assert (info.uid, info.gid, info.uname) == (0, 0, "")
    return tree, found


def rule_of(archive: bytes, **limits: int) -> str:
    with pytest.raises(ArtifactRefused) as refusal:
        made_of(archive, **limits)
    assert str(refusal.value)[0].isupper() and str(refusal.value).endswith(".")
    return refusal.value.rule


@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_a_tar_comes_out_with_its_files_folders_and_permissions(mode: str) -> None:
    tree, found = made_of(tarred(("./site/index.html", PAGE), ("./site/a b.txt", b""), mode=mode))
    assert tree == Tree(files=2, size=len(PAGE))
    assert found == {"site/index.html": (PAGE, 0o640), "site/a b.txt": (b"", 0o640)}


def test_a_zip_comes_out_likewise() -> None:
    tree, found = made_of(zipped(("site/", b""), ("site/index.html", PAGE)))
    assert tree.files == 1
    assert found == {"site": (None, 0o700), "site/index.html": (PAGE, 0o600)}


def test_the_whole_folder_itself_may_be_an_entry() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        folder = tarfile.TarInfo("./")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o755
        archive.addfile(folder)
        info = tarfile.TarInfo("./one")
        archive.addfile(info)
    assert set(made_of(out.getvalue())[1]) == {".", "one"}


def test_setuid_does_not_come_along() -> None:
    _, found = made_of(tarred(("su", b"x"), permissions=0o4755))
    assert found["su"][1] == 0o755


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../up",
        "a/../../up",
        "a//b",
        "a\\b",
        "a\nb",
        "x" * 300,
        "a/" * 600 + "b",
        "./.",
    ],
)
@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_name_that_leads_elsewhere_is_refused(make: Callable[..., bytes], name: str) -> None:
    assert rule_of(make((name, PAGE))) == "archive-name"


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.CONTTYPE, b"Z"],
)
def test_what_is_neither_file_nor_folder_is_refused(kind: bytes) -> None:
    archive = tarred(("one", b""), type=kind, linkname="/etc/passwd")
    assert rule_of(archive) == "archive-entry"


def test_a_link_in_a_zip_is_refused() -> None:
    def link(info: zipfile.ZipInfo) -> None:
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    assert rule_of(zipped(("one", b"/etc/passwd"), change=link)) == "archive-entry"


def test_an_encrypted_zip_is_refused() -> None:
    content = bytearray(zipped(("one", PAGE)))
    place = content.index(b"PK\x01\x02") + 8
    content[place] |= 1
    assert rule_of(bytes(content)) == "archive-packing"


@pytest.mark.parametrize("make", [zipped, tarred])
def test_a_name_twice_or_inside_of_a_file_is_refused(make: Callable[..., bytes]) -> None:
    with warnings.catch_warnings(action="ignore"):  # Python's own, about such a zip
        twice = make(("one", PAGE), ("one", PAGE))
    assert rule_of(twice) == "archive-twice"
    assert rule_of(make(("one", PAGE), ("one/two", PAGE))) == "archive-twice"


@pytest.mark.parametrize("make", [zipped, tarred])
def test_limits_hold(make: Callable[..., bytes]) -> None:
    archive = make(("one", bytes(MIB)), ("two", b""))
    assert rule_of(archive, bytes=MIB - 1) == "archive-size"
    assert rule_of(archive, entries=1) == "archive-entries"


@pytest.mark.parametrize(
    "archive",
    [
        b"",
        b"no archive at all",
        zipped(("one", PAGE))[:-30],
        zipped(("one", PAGE))[: len(PAGE)],
        tarred(("one", bytes(MIB)))[: MIB // 2],
        tarred(("one", bytes(MIB)), mode="w:gz")[:-200],
        tarred(("one", PAGE))[:1024] + b"damaged header" * 200,
        b"\x1f\x8b" + bytes(100),
    ],
)
def test_a_damaged_archive_is_refused_and_not_taken_for_a_shorter_one(archive: bytes) -> None:
    assert rule_of(archive) in ("archive-broken", "archive-empty")


def test_a_tar_that_is_no_gzip_behind_its_first_stream_is_refused() -> None:
    archive = tarred(("one", bytes(MIB)), mode="w:gz")
    assert rule_of(archive + b"not a gzip stream") == "archive-broken"


def test_a_file_in_a_zip_that_is_shorter_than_said_is_refused() -> None:
    archive = bytearray(zipped(("one", PAGE)))
    for mark, place in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        at = archive.index(mark) + place
        archive[at : at + 4] = (len(PAGE) + 100).to_bytes(4, "little")
    assert rule_of(bytes(archive)) == "archive-broken"


def test_a_disk_that_is_full_is_not_the_archives_fault() -> None:
    class Full(io.BytesIO):
        def write(self, _data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        write_tree(io.BytesIO(tarred(("one", PAGE))), Full())


def test_a_zip_that_says_a_lot_about_few_files_is_not_read_into_memory() -> None:
    def comment(info: zipfile.ZipInfo) -> None:
        info.comment = b"x" * 60_000

    members = [(f"file-{number}", b"") for number in range(40)]
    assert rule_of(zipped(*members, change=comment)) == "archive-entries"


def test_content_that_was_changed_is_refused() -> None:
    archive = bytearray(zipped(("one", bytes(range(200)))))
    archive[60] ^= 0xFF
    assert rule_of(bytes(archive)) == "archive-broken"


def test_an_archive_without_files_is_refused() -> None:
    assert rule_of(zipped(("folder/", b""))) == "archive-empty"
    assert rule_of(tarred()) == "archive-empty"


def test_a_header_extension_of_any_size_is_not_read_into_memory() -> None:
    big = tarred(("one", PAGE), pax_headers={"comment": "x" * MIB})
    assert rule_of(big) == "archive-name"
