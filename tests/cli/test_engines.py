"""`manage.py engine` and `manage.py registry_login`."""

from __future__ import annotations

from pathlib import Path

import pytest

from devices.models import EngineAccess, RegistryLogin
from tests.cli.conftest import run
from tests.environment.certificates import certified
from tests.journal.rows import new_device

pytestmark = pytest.mark.database


@pytest.mark.usefixtures("redis_server")
def test_the_way_to_an_engine_is_said_shown_asked_and_forgotten(tmp_path: Path) -> None:
    new_device("far")
    texts = certified("engine.example")
    for name in ("authority", "certificate", "key"):
        (tmp_path / name).write_text(getattr(texts, name))
    files = [f"--{name}-file={tmp_path / name}" for name in ("authority", "certificate", "key")]
    said = run("engine", "set", "far", "--way=tcp", "--host=engine.example", *files)
    assert said.out == "The engine of far is reached so from now on.\n"
    assert EngineAccess.objects.get().key.strip() == texts.key.strip()
    assert "engine.example:2376" in run("engine", "show", "far").out
    assert run("engine", "ask", "far").out == "The engine of far is being asked.\n"
    (row,) = run("engine", "list", "--json").json
    assert (row["way"], row["look"]["is_being_taken"], "key" in row) == ("tcp", True, False)
    assert "far" in run("engine", "list").out
    assert run("engine", "set", "far", "--way=unix", "--socket=/run/docker.sock").status == 0
    assert run("engine", "forget", "far", "--reason", "Sold").status == 0
    assert "Nobody has said" in run("engine", "show", "far").error
    assert "TCP needs all three" in run("engine", "set", "far", "--way=tcp", "--host=a").error


def test_a_login_is_kept_changed_and_deleted(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("geheim\n")
    file = f"--secret-file={tmp_path / 'secret'}"
    assert run("registry_login", "add", "ghcr.io", "--username=us", file).status == 0
    assert RegistryLogin.objects.get().secret == "geheim"
    assert run("registry_login", "edit", "ghcr.io", "--username=they").status == 0
    (row,) = run("registry_login", "list", "--json").json
    assert (row["username"], "secret" in row) == ("they", False)
    assert "ghcr.io" in run("registry_login", "list").out
    assert "no login" in run("registry_login", "edit", "quay.io").error
    assert run("registry_login", "delete", "ghcr.io", "--reason", "Gone").status == 0
    assert not RegistryLogin.objects.exists()
