"""`manage.py patch`, `node`, `module` and `instance`."""

from __future__ import annotations

import io
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User

from patches.models import Node, Patch, PatchCheck
from portal.core.models import AuditEvent
from tests.cli.conftest import run
from tests.journal.rows import new_device
from tests.patches.rows import applied, checked, new_instance, new_module, new_node, new_patch
from updates.models import Instance, Module, Upgrade

pytestmark = pytest.mark.database


@pytest.fixture
def instance(db: None) -> Instance:
    found = new_instance("bay-1", device=new_device("rack-1"))
    new_node(found, "bay-node-1")
    new_node(found, "bay-node-2")
    return found


@pytest.fixture
def patch(db: None) -> Patch:
    return new_patch("fix")


def zip_at(path: Path, **files: bytes) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for name, data in files.items():
            out.writestr(f"pkg/{name}.py", data)
    return path


def test_a_patch_is_uploaded_listed_and_shown(tmp_path: Path) -> None:
    new_module("shop", runtime="python")
    file = zip_at(tmp_path / "queue-fix.zip", queue=b"LIMIT = 2\n")
    said = run("patch", "upload", str(file), "--module", "shop", "--version", "2.0")
    assert (said.status, said.facts["name"], said.facts["version"]) == (0, "queue-fix", "2.0")
    listed = run("patch", "list", "--module", "shop")
    assert listed.lines[1].split()[1:5] == ["queue-fix", "shop", "2.0", "1"]
    assert run("patch", "list", "--version", "3.0", "--json").json == []
    shown = run("patch", "show", "queue-fix", "--json").json
    assert [row["path"] for row in shown["composition"]] == ["pkg/queue.py"]
    assert run("patch", "show", Patch.objects.get().pk.hex[:8]).facts["module"] == "shop"


def test_a_refused_archive_is_a_sentence_with_its_code(tmp_path: Path) -> None:
    new_module("shop", runtime="python")
    file = tmp_path / "bad.zip"
    file.write_bytes(b"no zip")
    said = run("patch", "upload", str(file), "--module", "shop", "--version", "2.0")
    assert (said.status, said.error[-9:]) == (1, "[PAT-100]")
    gone = run("patch", "upload", str(tmp_path / "no.zip"), "--module", "shop", "--version", "1")
    assert gone.error.endswith("cannot be read: No such file or directory.")
    assert run("patch", "show", "fix").error == "There is no patch 'fix'."


def test_a_check_is_ordered_for_all_of_the_version_or_those_named(
    patch: Patch, instance: Instance
) -> None:
    new_node(new_instance("bay-old", version="0.9"))
    said = run("patch", "check", "fix")
    assert (said.status, said.lines) == (0, ["bay-1: on its way"])
    assert run("patch", "check", "fix", "--instance", "bay-old").status == 0
    assert PatchCheck.objects.count() == 2


def test_a_check_that_is_waited_for_ends_with_what_it_says(
    patch: Patch, instance: Instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answered(**_words: Any) -> list[PatchCheck]:  # noqa: ANN401
        PatchCheck.objects.all().delete()
        return [checked(patch, instance, worst=3)]

    monkeypatch.setattr("portal.cli.patch.request_patch_checks", answered)
    said = run("patch", "check", "fix", "--wait")
    assert said.status == 1
    assert said.error == "bay-1: The check says wrong_path (3) on bay-node-1."
    assert said.lines == [
        "bay-1: wrong_path (3)",
        "  bay-node-1: wrong_path (3)",
        "  bay-node-2: ok (6)",
    ]


def test_a_patch_is_applied_reverted_and_its_archive_deleted(
    patch: Patch, instance: Instance
) -> None:
    refused = run("patch", "apply", "fix", "bay-1", "--reason", "Urgent")
    assert (refused.status, refused.error) == (1, "Check it on bay-1 first. [PAT-101]")
    checked(patch, instance)
    said = run("patch", "apply", "fix", "bay-1", "--reason", "Urgent")
    assert (said.status, said.facts["to"]) == (0, "1.0.0 + fix")
    assert said.facts["instance"] == "bay-1"
    busy = run("patch", "delete", "fix", "--reason", "Done")
    assert busy.status == 1
    assert Upgrade.objects.get().reason == "Urgent"


def test_a_patch_in_force_is_shown_so_and_reverted(patch: Patch, instance: Instance) -> None:
    applied(patch, instance)
    assert run("patch", "show", "fix").facts["in force on"] == "bay-1"
    assert run("instance", "show", "bay-1").facts["patches"] == "fix (in force)"
    said = run("patch", "revert", "fix", "bay-1", "--reason", "It was wrong", "--json")
    assert (said.status, said.json["undoes"] is not None) == (0, True)
    again = run("patch", "revert", "fix", "bay-1", "--reason", "It was wrong")
    assert again.error.endswith("[UPD-104]")


def test_a_deleted_archive_says_by_whom(patch: Patch) -> None:
    said = run("patch", "delete", "fix", "--reason", "Done")
    assert (said.status, said.facts["archive"][:11]) == (0, "deleted by ")


def test_commands_ask_for_the_permission_of_whom_they_act_as(
    patch: Patch, instance: Instance
) -> None:
    User.objects.create_user("bob")
    checked(patch, instance)
    for words in (
        ("patch", "apply", "fix", "bay-1", "--reason", "So"),
        ("patch", "check", "fix"),
        ("node", "look", "bay-node-1"),
        ("node", "restart", "bay-node-1", "--reason", "So"),
        ("instance", "installed", "bay-1", "2.0", "--reason", "So"),
        ("module", "add", "shop", "--runtime", "python"),
        ("patch", "list"),
        ("node", "list"),
    ):
        said = run(*words, "--as", "bob")
        assert (said.status, said.error[-8:]) == (1, "[FW-102]"), words


def test_modules_and_instances_are_added_and_listed() -> None:
    new_device("rack-1")
    assert run("module", "add", "bay", "--runtime", "beam", "--notes", "Billing").status == 0
    words = ("--module", "bay", "--device", "rack-1", "--version", "1.0.0")
    assert run("instance", "add", "bay-1", *words).facts["device"] == "rack-1"
    assert run("instance", "list", "--module", "bay").lines[1].split() == [
        "bay-1", "bay", "1.0.0", "rack-1",
    ]  # fmt: skip
    assert run("module", "list", "--json").json[0]["runtime"] == "beam"
    assert Module.objects.get().notes == "Billing"
    said = run("instance", "installed", "bay-1", "1.1.0", "--reason", "Nightly")
    assert said.facts["version"] == "1.1.0"
    assert run("instance", "look", "bay-1").status == 0


def test_a_node_is_added_with_its_secret_from_a_file_or_from_standard_input(
    instance: Instance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = tmp_path / "cookie"
    cookie.write_text("cookie-from-a-file\n")
    words = ("--instance", "bay-1", "--root", "/opt/bay", "--address", "bay9@rack-1")
    said = run("node", "add", "bay-node-9", *words, "--secret-file", str(cookie))
    assert said.status == 0, said.error
    assert Node.objects.get(name="bay-node-9").secret == "cookie-from-a-file"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"cookie-from-a-pipe")))
    said = run("node", "add", "bay-node-10", *words, "--secret-file", "-", "--json")
    assert Node.objects.get(name="bay-node-10").secret == "cookie-from-a-pipe"
    assert "cookie-from" not in said.out + str(list(AuditEvent.objects.values_list("data")))
    missing = run("node", "add", "x", *words, "--secret-file", str(tmp_path / "none"))
    assert (missing.status, "cannot be used" in missing.error) == (1, True)


def test_nodes_are_listed_by_what_they_need_and_shown(instance: Instance) -> None:
    Node.objects.filter(name="bay-node-1").update(
        restart_needed="bay_counter could not be loaded.", is_reachable=False, trouble="Gone.",
        drift=[{"path": "ebin/a.beam", "recorded": "b" * 32, "loaded": "c" * 32}],
    )  # fmt: skip
    for word in ("--restart-needed", "--drift", "--unreachable"):
        said = run("node", "list", word, "--instance", "bay-1")
        assert [line.split()[0] for line in said.lines[1:]] == ["bay-node-1"]
    facts = run("node", "show", "bay-node-1").facts
    assert (facts["restart needed"], facts["trouble"]) == (
        "bay_counter could not be loaded.",
        "Gone.",
    )
    assert facts["drift"].startswith("ebin/a.beam: cccc")


def test_a_node_is_restarted_by_its_command_and_forgotten(instance: Instance) -> None:
    said = run("node", "restart", "bay-node-1", "--reason", "Stuck")
    assert (said.status, said.error[-8:]) == (1, "[FW-100]")
    Node.objects.update(restart_command="systemctl restart bay")
    said = run("node", "restart", "bay-node-1", "--reason", "Stuck")
    assert (said.status, said.facts["last restart"]) == (0, "It is to be restarted.")
    assert run("node", "look", "bay-node-1").status == 0
    assert (
        run("node", "delete", "bay-node-1", "--reason", "Gone").out.strip() == "bay-node-1 is gone."
    )
