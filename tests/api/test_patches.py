"""Hot patches, nodes, instances and modules over the API."""

from __future__ import annotations

import io
import zipfile

import pytest

from patches.models import Application, Node, Patch, PatchCheck
from portal.core.models import AuditEvent
from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.patches.rows import applied, checked, new_instance, new_module, new_node, new_patch
from updates.models import Instance, Module, Upgrade

pytestmark = pytest.mark.database


@pytest.fixture
def instance(db: None) -> Instance:
    found = new_instance("bay-1")
    new_node(found, "bay-node-1")
    new_node(found, "bay-node-2")
    return found


@pytest.fixture
def patch(db: None) -> Patch:
    return new_patch()


def zip_of(text: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        out.writestr("pkg/queue.py", text)
    return packed.getvalue()


def test_a_patch_is_uploaded_and_says_what_it_is_made_of(operator: Caller) -> None:
    new_module("shop", runtime="python")
    words = {"module": "shop", "version": "2.0", "name": "queue-fix"}
    answer = operator.upload("patches", zip_of(b"LIMIT = 2\n"), **words)
    assert answer.status == 201, answer.body
    assert answer.headers["Location"].endswith(f"/patches/{Patch.objects.get().pk}")
    (file,) = answer.body["composition"]
    assert (file["path"], file["name"], file["is_code"]) == ("pkg/queue.py", "queue", True)
    assert (answer.body["module"], answer.body["known_to"]) == ("shop", None)


def test_a_bad_archive_is_refused_with_its_rule(operator: Caller) -> None:
    new_module("shop", runtime="python")
    answer = operator.upload("patches", b"no zip", module="shop", version="2.0")
    assert_problem(answer, status=422, code="PAT-100")
    assert answer.body["rule"].startswith("archive-")
    assert not Patch.objects.exists()


def test_an_upload_that_is_sent_twice_is_one_patch(operator: Caller) -> None:
    new_module("shop", runtime="python")
    caller, content = operator.with_key("upload-1"), zip_of(b"LIMIT = 2\n")
    first = caller.upload("patches", content, module="shop", version="2.0")
    second = caller.upload("patches", content, module="shop", version="2.0")
    assert (first.status, second.status) == (201, 201)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert first.body == second.body


def test_checks_are_ordered_and_read_with_every_nodes_answer(
    operator: Caller, patch: Patch, instance: Instance
) -> None:
    answer = operator.post(f"patches/{patch.pk}/checks", instances=[instance.pk])
    assert (answer.status, answer.body) == (202, {"requested": 1})
    PatchCheck.objects.all().delete()
    check = checked(patch, instance, worst=3)
    (row,) = operator.get(f"patches/{patch.pk}/checks").body["results"]
    assert (row["integral"], row["instance"]["name"], row["nodes"]) == (3, "bay-1", 2)
    found = operator.get(f"patches/{patch.pk}/checks/{check.pk}").body
    assert [result["status"] for result in found["results"]] == [3, 6]
    assert found["why_not_applicable"] == "The check says wrong_path (3) on bay-node-1."
    assert found["stale"] == ""


def test_without_names_all_instances_of_its_version_are_checked(
    operator: Caller, patch: Patch, instance: Instance
) -> None:
    new_node(new_instance("bay-old", version="0.9"))
    assert operator.post(f"patches/{patch.pk}/checks").body == {"requested": 1}
    assert PatchCheck.objects.get().instance == instance


def test_apply_without_a_check_is_refused_and_with_one_is_an_upgrade(
    operator: Caller, patch: Patch, instance: Instance
) -> None:
    order = {"instance": instance.pk, "reason": "It is urgent"}
    assert_problem(operator.post(f"patches/{patch.pk}/apply", **order), status=422, code="PAT-101")
    checked(patch, instance)
    caller = operator.with_key("apply-1")
    answer = caller.post(f"patches/{patch.pk}/apply", **order)
    assert answer.status == 201, answer.body
    upgrade = Upgrade.objects.get()
    assert answer.headers["Location"].endswith(f"/upgrades/{upgrade.pk}")
    assert answer.body["instance"] == {"id": instance.pk, "name": "bay-1"}
    assert caller.post(f"patches/{patch.pk}/apply", **order).body == answer.body
    assert Upgrade.objects.count() == 1
    busy = operator.post(f"patches/{new_patch('b').pk}/apply", **order)
    assert_problem(busy, status=409, code="UPD-104")
    assert busy.body["holder"] == str(upgrade.pk)


def test_override_takes_its_own_permission(
    patch: Patch, instance: Instance, viewer: Caller
) -> None:
    checked(patch, instance, worst=2)
    order = {"instance": instance.pk, "reason": "Needed", "override": True}
    assert_problem(viewer.post(f"patches/{patch.pk}/apply", **order), status=403, code="FW-102")


def test_a_patch_in_force_is_reverted(operator: Caller, patch: Patch, instance: Instance) -> None:
    order = {"instance": instance.pk, "reason": "It was wrong"}
    assert_problem(operator.post(f"patches/{patch.pk}/revert", **order), status=409, code="UPD-103")
    upgrade = applied(patch, instance)
    answer = operator.post(f"patches/{patch.pk}/revert", **order)
    assert (answer.status, answer.body["undoes"]) == (201, str(upgrade.pk))
    found = operator.get("upgrades", instance="bay-1").body["results"]
    assert {row["id"] for row in found} == {str(upgrade.pk), answer.body["id"]}


def test_an_archive_is_deleted_and_the_patch_stays(operator: Caller, patch: Patch) -> None:
    assert operator.delete(f"patches/{patch.pk}").status == 400
    assert operator.delete(f"patches/{patch.pk}?reason=Done").status == 204
    assert operator.get(f"patches/{patch.pk}").body["deleted_by"] == "alice"


def test_a_node_is_added_and_its_secrets_never_come_out(
    operator: Caller, instance: Instance
) -> None:
    words = {
        "name": "bay-node-9", "instance": instance.pk, "device": instance.device_id,
        "address": "bay9@rack-1", "root": "/opt/bay", "secret": "very-secret-cookie",
    }  # fmt: skip
    answer = operator.post("nodes", **words)
    assert answer.status == 201, answer.body
    node = Node.objects.get(name="bay-node-9")
    assert node.secret == "very-secret-cookie"
    seen = [answer.body, operator.get(f"nodes/{node.pk}").body, operator.get("audit-events").body]
    assert "very-secret-cookie" not in str(seen)
    assert_problem(
        operator.post("nodes", **(words | {"name": "other", "address": "bay9"})),
        status=400,
        code="API-400",
    )
    assert operator.patch(f"nodes/{node.pk}", name="renamed").body["name"] == "renamed"
    node.refresh_from_db()
    assert node.secret == "very-secret-cookie"


def test_nodes_are_found_by_what_they_need(operator: Caller, instance: Instance) -> None:
    Node.objects.filter(name="bay-node-1").update(restart_needed="x", is_reachable=False)
    for words in ({"restart_needed": "true"}, {"is_reachable": "false"}, {"drift": "false"}):
        found = [row["name"] for row in operator.get("nodes", **words).body["results"]]
        assert "bay-node-1" in found
    assert operator.get("nodes", drift="true").body["results"] == []


def test_a_node_is_looked_at_and_restarted(operator: Caller, instance: Instance) -> None:
    node = instance.nodes.get(name="bay-node-1")
    assert operator.post(f"nodes/{node.pk}/look").status == 202
    refused = operator.post(f"nodes/{node.pk}/restart", reason="Stuck")
    assert_problem(refused, status=422, code="FW-100")
    Node.objects.update(restart_command="systemctl restart bay")
    answer = operator.post(f"nodes/{node.pk}/restart", reason="Stuck")
    assert (answer.status, answer.body["restart_said"]) == (202, "It is to be restarted.")
    acts = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"node.look", "node.restart"} <= acts


def test_an_instance_says_which_patches_are_in_force_until_it_is_installed_anew(
    operator: Caller, patch: Patch, instance: Instance
) -> None:
    applied(patch, instance)
    (row,) = operator.get(f"instances/{instance.pk}").body["patches"]
    assert (row["name"], row["standing"]) == ("fix", "active")
    words = {"version": "1.1.0", "reason": "Nightly"}
    answer = operator.post(f"instances/{instance.pk}/installed", **words)
    assert (answer.body["version"], answer.body["patches"]) == ("1.1.0", [])
    assert Application.objects.get().standing == Application.Standing.ELIMINATED


def test_what_an_instance_is_stays(operator: Caller, instance: Instance) -> None:
    answer = operator.patch(f"instances/{instance.pk}", version="3.0")
    assert_problem(answer, status=400, code="API-400")
    assert operator.patch(f"instances/{instance.pk}", name="bay-one").body["name"] == "bay-one"
    assert operator.post(f"instances/{instance.pk}/look").status == 202


def test_a_module_is_added_and_keeps_its_runtime(operator: Caller, instance: Instance) -> None:
    assert operator.post("modules", name="shop", runtime="python").status == 201
    bay = Module.objects.get(name="bay")
    assert_problem(
        operator.patch(f"modules/{bay.pk}", runtime="python"), status=400, code="API-400"
    )


@pytest.mark.parametrize("path", ["modules", "instances", "nodes", "patches"])
def test_a_stranger_sees_nothing_of_them(path: str, stranger: Caller) -> None:
    assert stranger.get(path).status == 403
