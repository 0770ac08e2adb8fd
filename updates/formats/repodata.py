"""`repodata.json`, in which a repository says what modules there are: an array of packages, each with its versions.

Read strictly where a value is used, with limits; what a later form of the file may add is left alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from devices.drivers.references import parse_reference
from devices.errors import BadReference
from portal.core.quoting import quoted
from portal.core.strict_json import JsonObject, decode_json_text, parse_json
from updates.errors import RepositoryRefused

LARGEST_BYTES: Final = 16 * 2**20

_MOST_PACKAGES: Final = 5_000
_MOST_VERSIONS: Final = 500
_DEPTH: Final = 8
_LONGEST_TEXT: Final = 20_000
_WHERE: Final = "repodata.json"
_NOT_JSON: Final = {"json-syntax", "json-encoding", "json-depth", "json-duplicate-key", "json-text"}
_REQUIRED: Final = (
    "name", "description", "logo", "categories", "authors", "docs", "source", "versions",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Version:
    """One release of a package. `tag` may be no semantic version: then it is never offered."""

    tag: str
    testing: bool
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Package:
    """One module. `source` is its image's reference without tag; `docs` are web addresses by their names in the file."""

    id: str
    name: str
    source: str
    description: Mapping[str, str]
    categories: tuple[str, ...]
    authors: tuple[str, ...]
    docs: Mapping[str, str]
    versions: tuple[Version, ...]


def read_repodata(content: bytes) -> tuple[Package, ...]:
    """The packages of a repository, in the file's order.

    RepositoryRefused with `repodata_is_not_json` or `repodata_is_not_valid_metadata`, and a sentence that names the place.
    """
    if len(content) > LARGEST_BYTES:
        raise _invalid("too-large", f"The index has more than the {LARGEST_BYTES} bytes allowed.")
    text = decode_json_text(content, where=_WHERE, refused=_invalid)
    value = parse_json(text, where=_WHERE, depth=_DEPTH, refused=_invalid)
    return packages_of(value)


def packages_of(value: object) -> tuple[Package, ...]:
    """The packages of an index that was parsed already. RepositoryRefused as `read_repodata`."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise _invalid("type", f"The text of {_WHERE} must be a list of packages.")
    if len(value) > _MOST_PACKAGES:
        raise _invalid("count", f"The index has more than the {_MOST_PACKAGES} packages allowed.")
    packages = tuple(_package(item, number) for number, item in enumerate(value, start=1))
    known: set[str] = set()
    for package in packages:
        if package.source in known:
            raise _invalid("twice", f"The index has {quoted(package.source)} twice.")
        known.add(package.source)
    return packages


def _package(value: dict[str, object], number: int) -> Package:
    named = value.get("name")
    where = f"package {quoted(named)}" if isinstance(named, str) else f"package {number}"
    given = JsonObject(value, where=where, refused=_invalid)
    given.check_open_keys(required=_REQUIRED, optional=())
    versions = given.children("versions")
    if len(versions) > _MOST_VERSIONS:
        raise _invalid("count", f"There are more than {_MOST_VERSIONS} versions in {where}.")
    source = _source(given)
    return Package(
        id=_text(given, "id") if "id" in given else _text(given, "name"),
        name=_text(given, "name"),
        source=source,
        description=_texts_by_key(given.child("description")),
        categories=given.texts("categories"),
        authors=tuple(_text(author, "name") for author in given.children("authors")),
        docs=_addresses(given.child("docs")),
        versions=tuple(_version(version, source) for version in versions),
    )


def _source(given: JsonObject) -> str:
    source = _text(given, "source")
    try:
        reference = parse_reference(source)
    except BadReference as error:
        raise _invalid("source", f"The source of {given.where} is none: {error}") from None
    if reference.tag or reference.digest or not source.startswith(f"{reference.host}/"):
        raise _invalid(
            "source",
            f"The source {quoted(source)} of {given.where} must be an image with its registry, without a tag.",
        )
    return source


def _version(given: JsonObject, source: str) -> Version:
    tag = _text(given, "tag")
    try:
        parse_reference(f"{source}:{tag}")
    except BadReference:
        raise _invalid("tag", f"{quoted(tag)} in {given.where} is no tag of an image.") from None
    testing = given.value("testing") if "testing" in given else False
    if not isinstance(testing, bool):
        raise _invalid("type", f"The value of 'testing' in {given.where} must be true or false.")
    return Version(tag=tag, testing=testing, labels=_texts_by_key(given.child("labels")))


def _addresses(given: JsonObject) -> dict[str, str]:
    """Only what a page may link to: a repository could name a script there."""
    given.check_open_keys(required=("documentation_url", "bug_url", "code_url"), optional=())
    links = {
        key: value
        for key, value in given.items()
        if isinstance(value, str) and value.startswith(("https://", "http://"))
    }
    if "relnotes_url" not in links and links.get("code_url", "").startswith("https://github.com/"):
        links["relnotes_url"] = links["code_url"].rstrip("/") + "/releases"
    return links


def _texts_by_key(given: JsonObject) -> dict[str, str]:
    return {key: _text(given, key) for key, _ in given.items()}


def _text(given: JsonObject, key: str) -> str:
    given.check_open_keys(required=(key,), optional=())
    text = given.text(key)
    if len(text) > _LONGEST_TEXT:
        raise _invalid("too-long", f"The value of {quoted(key)} in {given.where} is too long.")
    return text


def _invalid(rule: str, sentence: str) -> RepositoryRefused:
    """The word that programs get is one of those that repositories' tools know."""
    code = "repodata_is_not_json" if rule in _NOT_JSON else "repodata_is_not_valid_metadata"
    return RepositoryRefused(code, sentence)
