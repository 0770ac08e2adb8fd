"""`manage.py update_module`: uploaded, listed, and looked at on devices."""

from __future__ import annotations

from pathlib import Path

import pytest

from portal.core.models import AuditEvent
from tests.cli.conftest import new_box, run
from updates.models import ModuleCheck, UpdateModule

pytestmark = pytest.mark.database


@pytest.fixture
def program(tmp_path: Path) -> str:
    file = tmp_path / "notices"
    file.write_text("#!/bin/sh\nexit 0\n")
    return str(file)


def test_an_update_module_is_uploaded_and_listed(program: str) -> None:
    said = run("update_module", "upload", "notices", program, "--notes", "The first")
    assert said.lines == ["notices v1 is the one that upgrades will use."]
    assert UpdateModule.objects.get().notes == "The first"
    assert [row["name"] for row in run("update_module", "list", "--json").json] == ["notices"]
    said = run("update_module", "upload", "notices", f"{program}-missing")
    assert (said.status, said.error.endswith("No such file or directory.")) == (1, True)


def test_an_update_module_is_looked_at_on_devices(program: str) -> None:
    new_box("box-1")
    run("update_module", "upload", "notices", program)
    said = run("update_module", "check", "notices", "--device", "box-1", "--json")
    assert [(row["device"]["name"], row["verdict"]) for row in said.json] == [("box-1", "waiting")]
    assert ModuleCheck.objects.get().module.version == 1
    assert AuditEvent.objects.filter(action="update_module.check").exists()
    said = run("update_module", "check", "notices", "--version", "2", "--all")
    assert said.error == "There is no Update Module 'notices'."
