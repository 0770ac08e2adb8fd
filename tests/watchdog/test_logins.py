"""The watchdog's logins at registries: Docker's own file, as the real `docker login` writes it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from devices.drivers.engine import RegistryLogin
from updates.errors import StepFailed
from updates.watchdog.logins import HUB, Logins

FLEET = RegistryLogin("fleet", "it's:secret")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    auth = base64.b64encode(b"fleet:it's:secret").decode()
    kept = {"registry.example:5000": {"auth": auth}, HUB: {"auth": auth}, "kept.example": {}}
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": kept}))
    return path


@pytest.mark.parametrize(
    ("reference", "login"),
    [
        ("registry.example:5000/a/b:1", FLEET),
        ("fleetwright:2.0.0", FLEET),
        ("registry.example/a/b:1", None),
        ("kept.example/a:1", None),
    ],
)
def test_each_registry_has_its_own(file: Path, reference: str, login: RegistryLogin | None) -> None:
    assert Logins(file)(reference) == login


@pytest.mark.parametrize("path", [Path("/dev/null"), Path("/nowhere/config.json")])
def test_without_a_file_we_are_nobody(path: Path) -> None:
    assert Logins(path)("fleetwright:2.0.0") is None


@pytest.mark.parametrize(
    "content",
    [
        '{"auths": {"registry.example": {"auth": "c2VjcmV0"}}}',
        '{"auths": {"registry.example": {"auth": "not base64"}}}',
        '{"auths": {"registry.example": {"auth": 5}}}',
        '{"auths": ["registry.example"]}',
        '{"credsStore": "desktop"}',
        "[]",
        "secret",
    ],
)
def test_what_cannot_be_read_is_said_without_repeating_it(tmp_path: Path, content: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(content)
    with pytest.raises(StepFailed, match=r"The login for registry.example cannot be read") as told:
        Logins(path)("registry.example/a:1")
    assert "secret" not in str(told.value)
