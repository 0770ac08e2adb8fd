"""The table of roles, the database, and the permissions that there are: all three say the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.contrib.auth.management import _get_all_permissions  # type: ignore[attr-defined]
from django.contrib.auth.models import User

from portal.roles import DECIDED, ROLES
from tests.access.conftest import MakePerson

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("core", "devices", "updates", "patches", "second_factor", "portal", "django_rq")
GROUPS = """
import json
from django.contrib.auth.models import Group
print(json.dumps({
    group.name: sorted(".".join(key) for key in group.permissions.values_list("content_type__app_label", "codename"))
    for group in Group.objects.all()
}))
"""


def test_a_fresh_database_has_the_roles_as_the_table_says(tmp_path: Path) -> None:
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "FLEETWRIGHT_VAR": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'fresh.sqlite3'}",
    }

    def manage(*words: str) -> str:
        command = [sys.executable, "manage.py", *words]
        run = subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True)
        return run.stdout

    manage("migrate", "--verbosity=0")
    groups = json.loads(manage("shell", "--no-imports", "--command", GROUPS))
    assert groups == {role: sorted(names) for role, names in ROLES.items()}


def test_every_permission_of_ours_is_decided_in_the_table() -> None:
    ours = {
        f"{label}.{codename}"
        for label in OURS
        for model in apps.get_app_config(label).get_models()
        for codename, _ in _get_all_permissions(model._meta)
    }
    assert ours - DECIDED == set()


def test_the_table_names_no_permission_that_does_not_exist() -> None:
    existing = {
        f"{config.label}.{codename}"
        for config in apps.get_app_configs()
        for model in config.get_models()
        for codename, _ in _get_all_permissions(model._meta)
    }
    assert DECIDED - existing == set()


def test_whoever_may_do_something_may_also_look_at_it() -> None:
    for role, names in ROLES.items():
        assert ROLES["viewer"] <= names, role


def test_nobody_below_an_administrator_changes_who_may_do_what() -> None:
    for role in ("viewer", "operator", "approver"):
        assert not [
            name for name in ROLES[role] if name.split(".")[0] in ("auth", "axes", "second_factor")
        ]


@pytest.mark.database
def test_two_roles_add_up(make_person: MakePerson) -> None:
    both = User.objects.get(pk=make_person("operator", "approver").pk)
    assert both.get_all_permissions() == ROLES["operator"] | ROLES["approver"]
