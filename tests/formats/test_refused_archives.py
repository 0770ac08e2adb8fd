"""What is refused about an artifact's outer form: the tars, the order of members, the manifest, the packing.

Each row is a file that is wrong in one place. Sources: Mender's Artifact format v3, and how its three readers
(mender-artifact 3.9.0, mender-client 3.4, mender-update 5.1) took the same files.
"""

from __future__ import annotations

import gzip
import lzma
import sys

import pytest

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


from tests.formats.build import (
    END,
    FILES,
    Entry,
    append,
    artifact,
    at,
    before,
    pack,
    pax,
    pax_record,
    swapped,
    tar_header,
    twice,
    without,
)
from tests.formats.refusal import read, refusal_of

GOOD = artifact()
SUM = b"0" * 64
SIGNATURE = b"QUJD" * 30
SKIPPABLE = b"\x50\x2a\x4d\x18" + b"\x04\x00\x00\x00" + b"skip"
FIRST, SECOND = (content for _, content in FILES)


def test_the_artifact_that_all_others_are_made_from_is_accepted() -> None:
    description = read(GOOD)
    assert [(f.name, f.size) for f in description.files] == [("a.bin", 6), ("b.bin", 7)]
    assert description.warnings == ()


ARCHIVES = {
    "empty": (b"", "member-order"),
    "text": (b"Not an artifact.\n" * 100, "tar-header"),
    "cut in a header": (GOOD[:700], "truncated"),
    "cut in the manifest": (GOOD[: 3 * 512 + 10], "truncated"),
    "cut behind the manifest": (GOOD[: 4 * 512], "member-order"),
    "only an end mark": (END, "member-order"),
    "wrong header checksum": (b"W" + GOOD[1:], "tar-header"),
    "garbage behind the end": (artifact(end=END + b"x"), "trailing-garbage"),
    "garbage behind half an end": (artifact(end=bytes(512) + b"x" * 512), "trailing-garbage"),
    "garbage in the padding": (
        artifact(change=at("version", padding=b"x" + bytes(480))),
        "tar-padding",
    ),
    "member behind the data": (artifact(change=append(Entry("more"))), "member-order"),
    "old tar format": (
        artifact(change=at("version", raw=tar_header(b"version", 0, patch=[(257, bytes(8))]))),
        "tar-header",
    ),
    "size is no number": (
        artifact(change=at("version", raw=tar_header(b"version", 0, patch=[(124, b"12x4")]))),
        "tar-header",
    ),
    "negative size": (
        artifact(change=at("version", raw=tar_header(b"version", 0, patch=[(124, b"\xff" * 12)]))),
        "tar-header",
    ),
    "enormous size": (
        artifact(
            change=at(
                "version", raw=tar_header(b"version", 0, patch=[(124, b"\x80" + b"\x7f" * 11)])
            )
        ),
        "tar-header",
    ),
    "size of exabytes in a cut file": (
        artifact(
            change=at(
                "data/0000.tar.gz",
                raw=tar_header(
                    b"data/0000.tar", 0, patch=[(124, b"\x80" + bytes(4) + b"\x10" + bytes(6))]
                ),
            )
        ),
        "truncated",
    ),
    "name that is not UTF-8": (artifact(change=at("version", rename=b"v\xff")), "tar-header"),
    "extension of a megabyte": (
        artifact(change=before("version", Entry("L", b"v" * 2**20, kind=b"L"))),
        "tar-extension",
    ),
    "extension behind an extension": (
        artifact(change=before("version", *[pax(pax_record("path", "version"))] * 2)),
        "tar-entry-type",
    ),
    "extension at the end": (
        artifact(change=append(pax(pax_record("path", "x"))), end=b""),
        "truncated",
    ),
    "sparse file by extension": (
        artifact(change=before("version", pax(pax_record("GNU.sparse.size", "9")))),
        "tar-extension",
    ),
    "malformed extension": (
        artifact(change=before("version", pax(b"99 path=x\n"))),
        "tar-extension",
    ),
    "extension record of no length": (
        artifact(change=before("version", pax(b"0 path=x\n"))),
        "tar-extension",
    ),
    "the same extension record twice": (
        artifact(change=before("version", pax(pax_record("path", "version") * 2))),
        "tar-extension",
    ),
    "size by extension beyond all measure": (
        artifact(change=before("version", pax(pax_record("size", "9" * 19)))),
        "tar-extension",
    ),
    "long name with a NUL inside": (
        artifact(change=before("version", Entry("L", b"ver\0sion\0", kind=b"L"))),
        "tar-extension",
    ),
    "global extension": (
        artifact(change=before("version", Entry("g", b"", kind=b"g"))),
        "tar-entry-type",
    ),
}

ORDER = {
    "first member is not version": (artifact(change=without("version")), "member-order"),
    "./version": (artifact(change=at("version", rename="./version")), "member-order"),
    "versionX": (artifact(change=at("version", rename="versionX")), "member-order"),
    "version is a link": (artifact(change=at("version", kind=b"2")), "tar-entry-type"),
    "manifest missing": (artifact(change=without("manifest")), "member-order"),
    "manifest behind the header": (
        artifact(change=swapped("manifest", "header.tar.gz")),
        "member-order",
    ),
    "manifest twice": (artifact(change=twice("manifest")), "member-order"),
    "signature before the manifest": (
        artifact(signature=SIGNATURE, change=swapped("manifest", "manifest.sig")),
        "member-order",
    ),
    "signature behind the header": (
        artifact(signature=SIGNATURE, change=swapped("manifest.sig", "header.tar.gz")),
        "member-order",
    ),
    "signature twice": (
        artifact(signature=SIGNATURE, change=twice("manifest.sig")),
        "member-order",
    ),
    "header missing": (artifact(change=without("header.tar.gz")), "member-order"),
    "header behind the data": (
        artifact(change=swapped("header.tar.gz", "data/0000.tar.gz")),
        "member-order",
    ),
    "header twice": (artifact(change=twice("header.tar.gz")), "member-order"),
    "header of another name": (
        artifact(change=at("header.tar.gz", rename="headers.tar.gz")),
        "member-order",
    ),
    "header with another suffix than the manifest's": (
        artifact(change=at("header.tar.gz", rename="header.tar")),
        "manifest-missing-line",
    ),
    "data missing": (artifact(change=without("data/0000.tar.gz")), "member-order"),
    "data twice": (artifact(change=twice("data/0000.tar.gz")), "member-order"),
    "data/0001 besides": (
        artifact(change=append(Entry("data/0001.tar.gz", pack(END, ".gz")))),
        "member-order",
    ),
    "data/0001 only": (
        artifact(change=at("data/0000.tar.gz", rename="data/0001.tar.gz")),
        "member-order",
    ),
    "data in another folder": (
        artifact(change=at("data/0000.tar.gz", rename="payload/0000.tar.gz")),
        "member-order",
    ),
    "data with five digits": (
        artifact(change=at("data/0000.tar.gz", rename="data/00000.tar.gz")),
        "member-order",
    ),
    "unknown member": (artifact(change=before("manifest", Entry("notes"))), "member-order"),
    "augmented manifest alone": (
        artifact(change=before("header.tar.gz", Entry("manifest-augment"))),
        "augment-unsupported",
    ),
    "augmented header alone": (
        artifact(change=before("data/0000.tar.gz", Entry("header-augment.tar.gz"))),
        "augment-unsupported",
    ),
}


def line(name: str) -> bytes:
    return SUM + b"  " + name.encode() + b"\n"


MANIFESTS = {
    "empty": (lambda raw: b"", "manifest-missing-line"),
    "single blank": (lambda raw: raw.replace(b"  ", b" "), "manifest-line"),
    "line ends of DOS": (lambda raw: raw.replace(b"\n", b"\r\n"), "manifest-line"),
    "upper-case digits": (
        lambda raw: b"".join(
            part[:64].upper() + part[64:] for part in raw.splitlines(keepends=True)
        ),
        "manifest-line",
    ),
    "short sum": (lambda raw: raw[1:], "manifest-line"),
    "empty line": (lambda raw: b"\n" + raw, "manifest-line"),
    "blank in a name": (lambda raw: raw + line("data/0000/a b"), "manifest-line"),
    "name that is not ASCII": (lambda raw: raw + line("data/0000/ä"), "manifest-line"),
    "no final newline": (lambda raw: raw[:-1], "manifest-line"),
    "duplicate line": (lambda raw: raw + line("version"), "manifest-duplicate"),
    "absent file": (lambda raw: raw + line("data/0000/absent"), "payload-file-missing"),
    "data/0001": (lambda raw: raw + line("data/0001/a.bin"), "manifest-name"),
    "itself": (lambda raw: raw + line("manifest"), "manifest-name"),
    "path in a payload name": (lambda raw: raw + line("data/0000/../x"), "manifest-name"),
    "dots as payload name": (lambda raw: raw + line("data/0000/.."), "manifest-name"),
    "two headers": (lambda raw: raw + line("header.tar"), "manifest-missing-line"),
    "no version": (
        lambda raw: raw.replace(b"  version\n", b"  data/0000/v\n"),
        "manifest-missing-line",
    ),
    "no header": (
        lambda raw: raw.replace(b"  header.tar.gz\n", b"  data/0000/h\n"),
        "manifest-missing-line",
    ),
    "no payload line": (
        lambda raw: b"".join(
            part for part in raw.splitlines(keepends=True) if b"a.bin" not in part
        ),
        "payload-file-unlisted",
    ),
    "wrong sum of version": (
        lambda raw: raw.replace(raw.splitlines()[3][:64], SUM),
        "checksum",
    ),
    "wrong sum of header": (lambda raw: raw.replace(raw.splitlines()[2][:64], SUM), "checksum"),
    "wrong sum of a file": (lambda raw: raw.replace(raw.splitlines()[0][:64], SUM), "checksum"),
    "wrong sum of the last file": (
        lambda raw: raw.replace(raw.splitlines()[1][:64], SUM),
        "checksum",
    ),
}

SIGNATURES = {
    "not base64": b"This is no signature!" * 8,
    "with a line feed": SIGNATURE + b"\n",
    "empty": b"",
    "too short": b"QUJD",
    "too long": b"QUJD" * 1000,
}


def in_zstd(packed: bytes, *, dictionary: bool = False) -> bytes:
    """The same content again, with a checksum at the end or with a dictionary that nobody else has."""
    content = zstd.decompress(packed)
    if dictionary:
        return zstd.compress(content, zstd_dict=zstd.ZstdDict(content, is_raw=True))
    return zstd.compress(content, options={zstd.CompressionParameter.checksum_flag: 1})


PACKING = {
    "unknown suffix": (artifact(data_suffix=".bz2"), "compression-unsupported"),
    "suffix of two": (artifact(data_suffix=".gz.gz"), "compression-unsupported"),
    "header named .gz is a plain tar": (
        artifact(change_packed_header=gzip.decompress),
        "compression-broken",
    ),
    "data named .gz is a plain tar": (
        artifact(change_packed_data=gzip.decompress),
        "compression-broken",
    ),
    "data named .xz is gzip": (
        artifact(data_suffix=".xz", change_packed_data=lambda x: gzip.compress(lzma.decompress(x))),
        "compression-broken",
    ),
    "data named .xz is old lzma": (
        artifact(
            data_suffix=".xz",
            change_packed_data=lambda x: lzma.compress(
                lzma.decompress(x), format=lzma.FORMAT_ALONE
            ),
        ),
        "compression-broken",
    ),
    "data without a suffix is gzip": (
        artifact(data_suffix="", change_packed_data=lambda x: gzip.compress(x, 0)),
        "tar-header",
    ),
    "gzip cut short": (artifact(change_packed_data=lambda x: x[:-4]), "compression-broken"),
    "gzip with a wrong checksum": (
        artifact(change_packed_data=lambda x: x[:-8] + b"1234" + x[-4:]),
        "compression-broken",
    ),
    "xz cut short": (
        artifact(data_suffix=".xz", change_packed_data=lambda x: x[:-4]),
        "compression-broken",
    ),
    "empty gzip part": (artifact(change_packed_data=lambda x: b""), "compression-broken"),
    "bytes behind gzip": (artifact(change_packed_data=lambda x: x + b"x"), "compression-trailing"),
    "second gzip member": (artifact(change_packed_data=lambda x: x + x), "compression-trailing"),
    "bytes behind a packed header": (
        artifact(change_packed_header=lambda x: x + b"x"),
        "compression-trailing",
    ),
    "data named .zst is gzip": (
        artifact(data_suffix=".zst", change_packed_data=lambda x: gzip.compress(x)),
        "compression-broken",
    ),
    "data named .zst needs a dictionary": (
        artifact(data_suffix=".zst", change_packed_data=lambda x: in_zstd(x, dictionary=True)),
        "compression-broken",
    ),
    "zstd cut short": (
        artifact(data_suffix=".zst", change_packed_data=lambda x: x[:-4]),
        "compression-broken",
    ),
    "zstd with a wrong checksum": (
        artifact(data_suffix=".zst", change_packed_data=lambda x: in_zstd(x)[:-4] + b"1234"),
        "compression-broken",
    ),
    "second zstd frame": (
        artifact(data_suffix=".zst", change_packed_data=lambda x: x + x),
        "compression-trailing",
    ),
    "zstd's skippable frame": (
        artifact(data_suffix=".zst", change_packed_data=lambda x: SKIPPABLE + x),
        "compression-trailing",
    ),
    "bytes behind zstd": (
        artifact(data_suffix=".zst", change_packed_header=lambda x: x + bytes(4)),
        "compression-trailing",
    ),
    "bytes behind xz": (
        artifact(data_suffix=".xz", change_packed_data=lambda x: x + bytes(4)),
        "compression-trailing",
    ),
}


@pytest.mark.parametrize(("content", "rule"), ARCHIVES.values(), ids=ARCHIVES)
def test_a_file_that_is_no_clean_tar_is_refused(content: bytes, rule: str) -> None:
    assert refusal_of(content).rule == rule


@pytest.mark.parametrize(("content", "rule"), ORDER.values(), ids=ORDER)
def test_members_too_many_too_few_or_out_of_order_are_refused(content: bytes, rule: str) -> None:
    assert refusal_of(content).rule == rule


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_manifest_that_does_not_cover_the_artifact_is_refused(name: str) -> None:
    change, rule = MANIFESTS[name]
    assert refusal_of(artifact(change_manifest=change)).rule == rule


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
def test_a_signature_that_nobody_could_verify_is_refused(signature: bytes) -> None:
    assert refusal_of(artifact(signature=signature)).rule == "signature"


@pytest.mark.parametrize(("content", "rule"), PACKING.values(), ids=PACKING)
def test_a_part_that_is_not_packed_as_its_name_says_is_refused(content: bytes, rule: str) -> None:
    assert refusal_of(content).rule == rule


@pytest.mark.parametrize("end", [b"", bytes(512), bytes(700), END + bytes(10_240)])
def test_an_end_mark_that_is_missing_or_padded_is_tolerated(end: bytes) -> None:
    assert read(artifact(end=end, header_end=end, data_end=end)).files == read(GOOD).files


@pytest.mark.parametrize(
    "extension",
    [
        pax(pax_record("path", "version") + pax_record("mtime", "12.5") + pax_record("uid", "9")),
        Entry("././@LongLink", b"version\0", kind=b"L"),
    ],
    ids=["pax", "gnu"],
)
def test_a_name_in_an_extension_counts_instead_of_the_headers_own(extension: Entry) -> None:
    def change(entries: list[Entry]) -> list[Entry]:
        return before("other", extension)(at("version", rename="other")(entries))

    assert read(artifact(change=change)) == read(GOOD)


def test_a_size_in_an_extension_counts_instead_of_the_headers_own() -> None:
    content = FIRST + bytes(-len(FIRST) % 512)
    entry = Entry("a.bin", raw=tar_header(b"a.bin", 0) + content)
    extension = pax(pax_record("size", str(len(FIRST))))
    changed = artifact(
        change_data=lambda entries: [extension, *at("a.bin", raw=entry.raw)(entries)]
    )
    assert read(changed).files == read(GOOD).files
