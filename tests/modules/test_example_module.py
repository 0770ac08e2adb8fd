"""The example that authors of modules are shown: what the page says is what is there, and it builds, installs and runs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.environment.docker import DockerEngine
from tests.environment.programs import program
from tests.formats.module_image.build import installed, pieces
from updates.formats.module_image import (
    ModuleLabels,
    action_scripts,
    image_variables,
    read_environment,
    survey,
    update_scripts,
)
from updates.formats.repodata import read_repodata
from updates.recipes.module.tree import AGENT

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "tests" / "environment" / "example_module"
TREE = EXAMPLE / "imageroot"
PAGE = (ROOT / "portal" / "docs" / "module-authors.md").read_text()
WEB = "registry.test/library/nginx:1"


def test_the_page_shows_the_files_as_they_are() -> None:
    shown = dict(re.findall(r"^`([^`\n]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
    assert len(shown) == 5
    assert shown == {path: (EXAMPLE / path).read_text() for path in shown}


def test_the_page_names_every_file() -> None:
    drawn = PAGE.split("```\nDockerfile\n")[1].split("```")[0]
    named = {line.split()[0] for line in drawn.splitlines()} - {"imageroot/"}
    there = {path for path in TREE.rglob("*") if path.is_symlink() or path.is_file()}
    assert named == {path.relative_to(TREE).as_posix() for path in there}


def test_the_page_s_repository_is_a_good_one() -> None:
    (package,) = read_repodata(PAGE.split("```json\n")[1].split("```")[0].encode())
    assert [version.tag for version in package.versions] == ["2.0.0-rc.1", "1.1.0"]


def run_scripts(names: list[str], state: Path, **values: str) -> None:
    """As an update does it: each with the environment as the one before left it."""
    for name in names:
        found = read_environment((state / "environment").read_bytes()).values
        env = {
            **found, **values, "MODULE_ID": "example1", "AGENT_STATE_DIR": str(state),
            "PATH": f"{AGENT}/bin:{os.environ['PATH']}", "PYTHONPATH": str(AGENT),
        }  # fmt: skip
        subprocess.run([TREE / name], cwd=state, env=env, check=True, timeout=60)


def test_its_scripts_may_run_twice_and_keep_what_was_set(tmp_path: Path) -> None:
    (tmp_path / "environment").write_text("TCP_PORT=20000\n")
    scripts = ["update-module.d/10settings", "update-module.d/15page"]
    run_scripts(scripts, tmp_path)
    assert (
        (tmp_path / "page" / "index.html")
        .read_text()
        .endswith("<title>Hello from example1</title>\n")
    )
    (tmp_path / "environment").write_text("PAGE_TITLE=Ours\n")
    run_scripts(scripts, tmp_path)
    run_scripts(scripts, tmp_path)
    assert (tmp_path / "environment").read_text() == "PAGE_TITLE=Ours\n"
    assert "<title>Ours</title>" in (tmp_path / "page" / "index.html").read_text()


def test_its_unit_is_one(tmp_path: Path) -> None:
    program("systemd-analyze", package="systemd")
    unit = shutil.copy(TREE / "systemd" / "user" / "example.service", tmp_path)
    found = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, timeout=60, check=False
    )
    assert "example.service" not in found.stderr.replace("/usr/bin/docker", "")
    assert subprocess.run(
        ["systemd-analyze", "verify", _spoilt(Path(unit))],
        capture_output=True, text=True, timeout=60, check=False,
    ).stderr.count("spoilt.service")  # fmt: skip


def _spoilt(unit: Path) -> Path:
    spoilt = unit.with_name("spoilt.service")
    spoilt.write_text(unit.read_text().replace("[Service]", "[Service]\nSurprise=yes"))
    return spoilt


@pytest.fixture(scope="module")
def image(docker_engine: DockerEngine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The example, built as the page says, with another web server."""
    words = ["build", "--quiet", "--build-arg", f"WEB_IMAGE={WEB}", "--tag", "example:1.1.0"]
    docker_engine.docker(*words, str(EXAMPLE))
    yield "example:1.1.0"
    docker_engine.docker("rmi", "example:1.1.0")


@pytest.mark.e2e
def test_it_builds_into_an_image_that_can_be_installed(
    docker_engine: DockerEngine, image: str
) -> None:
    labels = ModuleLabels.read(
        json.loads(docker_engine.docker("inspect", "--format", "{{json .Config.Labels}}", image))
    )
    assert (labels.images, str(labels.min_from), labels.findings) == ((WEB,), "1.0.0", ())
    variables = image_variables(
        module_url=image, image_id="", digest="", repo_digest="", services=labels.images
    )
    unit = (TREE / "systemd" / "user" / "example.service").read_text()
    assert set(re.findall(r"\$\{(\w+_IMAGE)\}", unit)) == {
        name for name in variables if name.endswith("_IMAGE")
    }

    container = docker_engine.docker("create", image, "/never-started")
    export = docker_engine.attempt("cp", f"{container}:/imageroot", "-").stdout
    docker_engine.docker("rm", container)
    listing = survey(pieces(export))
    assert [script.name for script in update_scripts(listing) if script.runs] == [
        "10settings",
        "15page",
        "20restart",
    ]
    assert action_scripts(listing) == []
    assert installed(export, listing)["update-module.d/15page"] == (
        0o777,
        "../actions/create-module/20page",
    )
