"""What an image's labels say; what is malformed restricts nothing and is told."""

from __future__ import annotations

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from updates.formats.module_image import Limits, ModuleLabels

FULL = {
    "images": "  docker.io/library/redis:7   ghcr.io/a/b@sha256:"
    + "0" * 64
    + " \n docker.io/library/redis:7",
    "rootfull": "1",
    "min-from": "1.2.0",
    "min-core": "3.2.0-0",
    "flags": "core_module  no_data_backup",
    "volumes": "data logs",
    "imageroot": "/opt/tree/",
    "tcp-ports-demand": "3",
    "udp-ports-demand": "1",
    "authorizations": "node:fwadm traefik@node:routeadm,certadm",
}


def labels(**given: str) -> dict[str, str]:
    return {f"org.nethserver.{name.replace('_', '-')}": value for name, value in given.items()}


def test_all_labels_are_read() -> None:
    found = ModuleLabels.read(labels(**FULL))
    assert found == ModuleLabels(
        images=("docker.io/library/redis:7", "ghcr.io/a/b@sha256:" + "0" * 64),
        rootfull=True,
        min_from=semver.Version(1, 2, 0),
        min_core=semver.Version(3, 2, 0, prerelease="0"),
        flags=("core_module", "no_data_backup"),
        volumes=("data", "logs"),
        imageroot="opt/tree",
        tcp_ports=3,
        udp_ports=1,
        authorizations=("node:fwadm", "traefik@node:routeadm,certadm"),
    )


def test_an_image_without_labels_asks_for_nothing() -> None:
    assert ModuleLabels.read({"maintainer": "x"}) == ModuleLabels()
    assert ModuleLabels.read(labels(images="  ", rootfull="")) == ModuleLabels()


MALFORMED = {
    "images": ["UPPER/Case:1", "a b$(c)"],
    "rootfull": ["yes", "2"],
    "min-from": ["1.2", "v1.2.0", "latest"],
    "min-core": ["3", "3.2.0-"],
    "flags": ["a/b"],
    "volumes": ["a b;c"],
    "imageroot": ["/", "a/../b", "a//b", "./a"],
    "tcp-ports-demand": ["-1", "many", "999999"],
    "udp-ports-demand": ["1.5"],
    "authorizations": ["node", "*:owner", "mod[1]:x", "cluster:owner"],
}


@pytest.mark.parametrize(("name", "texts"), MALFORMED.items())
def test_a_malformed_label_is_told_and_counts_as_missing(name: str, texts: list[str]) -> None:
    for text in texts:
        found = ModuleLabels.read(labels(**{name: text}))
        assert [finding.label for finding in found.findings] == [f"org.nethserver.{name}"], text
        assert found == ModuleLabels(findings=found.findings)
        assert found.findings[0].hinders == (name in ("images", "imageroot", "rootfull"))
        assert found.findings[0].says.endswith(".")


def test_more_than_the_limits_allow_is_malformed() -> None:
    limits = Limits(service_images=1, label_characters=20)
    for text in ("a/b c/d", "a/" + "b" * 20):
        assert ModuleLabels.read(labels(images=text), limits=limits).findings


@given(st.dictionaries(st.sampled_from(sorted(FULL)), st.text()))
def test_no_label_makes_it_crash(given: dict[str, str]) -> None:
    for finding in ModuleLabels.read(labels(**given)).findings:
        assert finding.says.isprintable()
