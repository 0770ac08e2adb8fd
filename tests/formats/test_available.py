"""Which version is offered. The first table is what a real index offered to real installations."""

from __future__ import annotations

import pytest

from updates.formats.available import Available, Index, published, updates_for
from updates.formats.repodata import Package, Version


def package(name: str, *versions: Version) -> Package:
    return Package(name, name, f"ghcr.io/nethserver/{name}", {}, (), (), {}, versions)


def version(tag: str, **labels: str) -> Version:
    given = {f"org.nethserver.{key.replace('_', '-')}": value for key, value in labels.items()}
    return Version(tag, "-" in tag, given)


PACKAGES = (
    package(
        "nextcloud",
        version("1.3.0", min_from="1.2.0"),
        version("1.2.1"),
    ),
    package(
        "mail",
        version("1.5.4", min_core="3.3.0"),
        version("1.4.10", min_core="3.0.0"),
    ),
    package("ldapproxy", version("1.1.0", min_core="3.2.2")),
    package("loki", version("1.2.2", min_core="3.2.0-0")),
    package("imapsync", version("1.0.5")),
    package("traefik", version("3.0.0-testing.1"), version("2.2.5")),
    package("odd", version("latest"), version("1.10.0", min_from="soon"), version("1.9.0")),
)
OFFERED = [
    ("nextcloud", "1.1.8", "3.5.0", "1.2.1", None),
    ("nextcloud", "1.2.1", "3.5.0", "1.3.0", None),
    ("nextcloud", "1.3.0", "3.5.0", None, None),
    ("mail", "1.4.9", "3.2.0", "1.4.10", None),
    ("mail", "1.4.9", "3.3.0", "1.5.4", None),
    ("ldapproxy", "1.0.0", "3.2.1", None, None),
    ("ldapproxy", "1.0.0", "3.2.2", "1.1.0", None),
    ("loki", "1.2.1", "3.2.0-testing.1", "1.2.2", None),
    ("imapsync", "1.0.6-dev.1", "3.5.0", None, None),
    ("traefik", "2.2.5", "3.5.0", None, "3.0.0-testing.1"),
    ("traefik", "3.0.0-dev.1", "3.5.0", None, "3.0.0-testing.1"),
    ("ldapproxy", "1.0.0", "", None, None),
    ("ldapproxy", "1.0.0", "main", "1.1.0", None),
    ("odd", "1.2.0", "3.5.0", "1.10.0", None),
]


def offered(name: str, installed: str, core: str = "3.5.0", *, testing: bool = False) -> Available:
    packages = published([Index("default", testing, PACKAGES)])
    return updates_for(f"ghcr.io/nethserver/{name}", installed, packages, core_version=core)


@pytest.mark.parametrize(("name", "installed", "core", "update", "testing"), OFFERED)
def test_what_is_offered(
    name: str, installed: str, core: str, update: str | None, testing: str | None
) -> None:
    found = offered(name, installed, core)
    assert (found.update, found.testing_update) == (update, testing)


def test_a_testing_repository_offers_pre_releases_like_the_others() -> None:
    found = offered("traefik", "2.2.5", testing=True)
    assert (found.update, found.testing_update) == ("3.0.0-testing.1", "3.0.0-testing.1")


def test_newer_versions_that_are_not_offered_are_said_with_why() -> None:
    assert offered("nextcloud", "1.1.8").skipped == (
        ("1.3.0", "1.3.0 can be installed over 1.2.0 or newer only."),
    )
    assert offered("ldapproxy", "1.0.0", "3.2.1").skipped == (
        ("1.1.0", "1.1.0 needs the core's version 3.2.2, which is 3.2.1."),
    )
    assert offered("traefik", "2.2.5").skipped == (
        ("3.0.0-testing.1", "3.0.0-testing.1 is a pre-release."),
    )
    assert offered("odd", "1.9.0").skipped == (("latest", "latest is no semantic version."),)


def test_nothing_to_look_for_is_said() -> None:
    assert offered("unknown", "1.0.0") == Available(
        says="No repository publishes ghcr.io/nethserver/unknown."
    )
    assert offered("mail", "latest") == Available(
        says="latest is no semantic version: a development build."
    )


def test_of_two_repositories_the_one_whose_name_comes_last_is_listened_to() -> None:
    older, newer = package("a", version("1.1.0")), package("a", version("1.2.0"))
    other = package("b", version("2.0.0"))
    indexes = [Index("default", False, (newer, other)), Index("own", True, (older,))]
    for order in (indexes, indexes[::-1]):
        found = published(order)
        assert updates_for(older.source, "1.0.0", found, core_version="3.0.0").update == "1.1.0"
        assert found[older.source].repository == "own"
        assert found[older.source].testing
        assert found[other.source].repository == "default"
