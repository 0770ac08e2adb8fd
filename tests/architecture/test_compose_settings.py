"""What can be set in `.env` reaches the containers: compose.yaml knows every setting."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.environment.portal_images import ROOT
from tests.environment.programs import program

IN_THE_IMAGE: Final = {"FLEETWRIGHT_VAR", "FLEETWRIGHT_VERSION", "DATA_DIR"}
OVERLAY: Final = {"AUTO_UPGRADE_ENABLED"}
NOT_IN_PRODUCTION: Final = {"DEBUG"}
SECRETS: Final = {"SECRET_KEY": "s", "FIELD_KEYS": "f", "POSTGRES_PASSWORD": "p"}
PORTAL: Final = ("web", "worker", "scheduler")


def read_by_the_settings() -> set[str]:
    """The names of the variables that the settings ask `env` for."""
    return {name for path in (ROOT / "portal" / "settings").glob("*.py") for name in _read(path)}


def _read(path: Path) -> Iterator[str]:
    for call in ast.walk(ast.parse(path.read_text())):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        asked = call.func.value if isinstance(call.func, ast.Attribute) else call.func
        name = call.args[0]
        if isinstance(asked, ast.Name) and asked.id == "env" and isinstance(name, ast.Constant):
            yield str(name.value)


def documented() -> set[str]:
    """What README.md has in its table of settings, and the keys of a bucket."""
    table = (ROOT / "README.md").read_text().partition("## Settings")[2].partition("For the")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    bucket = (ROOT / "portal" / "docs" / "storage.md").read_text()
    return set(re.findall(r"`([A-Z_]+)`", "".join(rows))) | set(re.findall(r"AWS_[A-Z_]+", bucket))


def environment(service: str) -> dict[str, str | None]:
    services: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    found: dict[str, str | None] = services[service]["environment"]
    return found


@pytest.mark.parametrize("service", PORTAL)
def test_every_setting_reaches_the_containers(service: str) -> None:
    known = set(environment(service)) | IN_THE_IMAGE
    assert read_by_the_settings() - known - OVERLAY - NOT_IN_PRODUCTION == set()
    assert documented() - known == set()


def test_what_the_image_says_is_not_taken_back() -> None:
    """Compose would remove what it is only told the name of."""
    assert not IN_THE_IMAGE & set(environment("web"))


def test_compose_passes_on_what_is_in_the_file_and_nothing_else(tmp_path: Path) -> None:
    shutil.copy(ROOT / "compose.yaml", tmp_path)
    said = {**SECRETS, "WEB_PROCESSES": "3", "STORAGE_URL": "s3://fleet", "LOGIN_TRIES": ""}
    (tmp_path / ".env").write_text("".join(f"{name}={text}\n" for name, text in said.items()))
    shown = subprocess.run(
        [program("docker-compose", package="docker-compose"), "config"],
        cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for service in PORTAL:
        passed: dict[str, str | None] = yaml.safe_load(shown)["services"][service]["environment"]
        assert {name: passed[name] for name in said if name != "POSTGRES_PASSWORD"} == {
            name: text for name, text in said.items() if name != "POSTGRES_PASSWORD"
        }
        assert passed["PENDING_DEVICES_LIMIT"] is None


def test_an_empty_variable_is_one_that_is_not_set(tmp_path: Path) -> None:
    names = sorted(read_by_the_settings() - IN_THE_IMAGE)
    script = (
        "import json; from portal import settings; "
        f"print(json.dumps({{name: repr(getattr(settings, name, None)) for name in {names}}}))"
    )

    def told(**more: str) -> dict[str, str]:
        env = {"PATH": os.environ["PATH"], "FLEETWRIGHT_VAR": str(tmp_path), **more}
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=ROOT, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
        found: dict[str, str] = json.loads(done.stdout)
        return found

    assert told(**dict.fromkeys(names, "")) == told()
