"""A real engine's export of a real image: read as the image was built."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment.docker import DockerEngine
from tests.formats.module_image.build import installed, pieces, rule_of
from updates.formats.module_image import survey, update_scripts

pytestmark = pytest.mark.e2e

DOCKERFILE = 'FROM scratch\nCOPY imageroot /imageroot\nENTRYPOINT ["/"]\n'
LONG = f"{'l' * 120}-ü with spaces"


def imageroot(folder: Path) -> Path:
    """A tree with all that a module may have in it."""
    root = folder / "imageroot"
    (root / "actions" / "create-module").mkdir(parents=True)
    (root / "update-module.d").mkdir()
    (root / "empty").mkdir(mode=0o750)
    expand = root / "actions" / "create-module" / "20expand"
    expand.write_text("#!/bin/sh\n")
    expand.chmod(0o755)
    (root / "update-module.d" / "10expand").symlink_to("../actions/create-module/20expand")
    (root / "update-module.d" / "README").write_text("Not executable.\n")
    os.link(expand, root / "update-module.d" / "30twin")
    (root / LONG).write_bytes(b"\0" * 200_000)
    return root


@pytest.fixture(scope="module")
def exported(
    docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[bytes]:
    folder = tmp_path_factory.mktemp("module")
    imageroot(folder)
    (folder / "Dockerfile").write_text(DOCKERFILE)
    docker_engine.docker("build", "--tag", "export-test", str(folder))
    container = docker_engine.docker("create", "export-test", "/never-started")
    copied = docker_engine.attempt("cp", f"{container}:/imageroot", "-")
    assert copied.returncode == 0, copied.stderr
    yield copied.stdout
    docker_engine.docker("rm", container)
    docker_engine.docker("rmi", "export-test")


def test_a_built_image_is_read_as_it_was_made(exported: bytes) -> None:
    listing = survey(pieces(exported))
    found = installed(exported, listing)
    assert found["empty"] == (0o750, None)
    assert found["actions/create-module/20expand"] == (0o755, b"#!/bin/sh\n")
    assert found["update-module.d/10expand"] == (0o777, "../actions/create-module/20expand")
    assert found["update-module.d/README"] == (0o644, b"Not executable.\n")
    assert found[LONG] == (0o644, b"\0" * 200_000)
    assert [script.name for script in update_scripts(listing) if script.runs] == [
        "10expand",
        "30twin",
    ]


def test_a_hard_link_of_the_image_leads_to_the_same_content(exported: bytes) -> None:
    """An engine may keep it as one or make two files of it; what is executed is the same."""
    listing = survey(pieces(exported))
    resolved = listing.resolved("update-module.d/30twin")
    assert resolved is not None
    assert installed(exported, listing)[resolved[0]] == (0o755, b"#!/bin/sh\n")


def test_it_is_refused_wherever_it_is_cut(exported: bytes) -> None:
    for at in range(0, len(exported) - 512, 4099):
        assert rule_of(pieces(exported[:at])) == "truncated", at
