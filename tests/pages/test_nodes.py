"""The pages of nodes, instances and modules."""

from __future__ import annotations

import html

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from patches.models import Application, Node
from patches.services.nodes import request_restart
from portal.core import clock
from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from tests.journal.rows import new_device
from tests.pages.rows import rows
from tests.patches.rows import (
    applied,
    broke,
    new_instance,
    new_module,
    new_node,
    new_patch,
    ordered,
)
from updates.models import Instance, Module, Upgrade

pytestmark = pytest.mark.database

DRIFT = [{"path": "lib/bay/ebin/bay_greeting.beam", "recorded": "b" * 32, "loaded": "c" * 32}]


@pytest.fixture
def node(db: None) -> Node:
    return new_node(new_instance("bay-1"), "bay-node-1")


def page_of(row: Node | Instance | Module, verb: str = "change") -> str:
    name = f"{row._meta.app_label}_{row._meta.model_name}"
    return reverse(f"admin:{name}_{verb}", args=[row.pk])


def text(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


def form_for(instance: Instance, **words: str) -> dict[str, object]:
    return {
        "name": "bay-node-9", "instance": instance.pk, "device": instance.device_id,
        "address": "bay9@rack-1", "way": "direct", "port_mapper": "4369", "root": "/opt/bay",
        "application": "bay", "new_secret": "another-cookie", "restart_command": "",
        "tls_authority": "", "tls_certificate": "", "new_tls_key": "", "host": "",
    } | words  # fmt: skip


def test_a_node_is_added_and_its_secret_is_never_shown(operator: Client) -> None:
    instance = new_instance("bay-1")
    response = operator.post(reverse("admin:patches_node_add"), form_for(instance))
    node = Node.objects.get()
    assert response.headers["Location"] == page_of(node)
    assert (node.secret, node.instance) == ("another-cookie", instance)
    for verb in ("change", "edit"):
        assert "another-cookie" not in text(operator, page_of(node, verb))
    assert "another-cookie" not in str(AuditEvent.objects.filter(action="node.add").values())


def test_an_empty_secret_keeps_the_one_that_is_set(operator: Client, node: Node) -> None:
    words = form_for(node.instance, new_secret="", name="renamed")
    assert operator.post(page_of(node, "edit"), words).status_code == 302
    node.refresh_from_db()
    assert (node.name, node.secret) == ("renamed", "s3cret-cookie")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ({"new_secret": ""}, "A node needs a secret."),
        ({"address": "bay9"}, "An Erlang node is called name@host."),
        ({"root": "opt/bay"}, "absolute"),
        ({"tls_authority": "-----BEGIN"}, "TLS needs a certificate of ours"),
    ],
)
def test_a_node_that_could_not_be_reached_is_refused_at_its_field(
    operator: Client, words: dict[str, str], says: str
) -> None:
    instance = new_instance("bay-1")
    response = operator.post(reverse("admin:patches_node_add"), form_for(instance, **words))
    assert response.status_code == 200
    assert says in html.unescape(response.content.decode())
    assert "another-cookie" not in response.content.decode()
    assert not Node.objects.exists()


def test_the_restart_command_is_set_only_by_those_who_may(
    operator: Client, alice: User, node: Node
) -> None:
    alice.user_permissions.remove(Permission.objects.get(codename="set_restart_command"))
    words = form_for(node.instance, new_secret="", restart_command="reboot")
    assert operator.post(page_of(node, "edit"), words).status_code == 302
    node.refresh_from_db()
    assert node.restart_command == ""
    alice.user_permissions.add(Permission.objects.get(codename="set_restart_command"))
    assert operator.post(page_of(node, "edit"), words).status_code == 302
    node.refresh_from_db()
    assert node.restart_command == "reboot"


def test_a_restart_command_does_not_move_to_another_device_by_itself(
    operator: Client, alice: User, node: Node
) -> None:
    Node.objects.update(restart_command="reboot")
    other, before = new_device("rack-9"), node.device
    words = form_for(node.instance, new_secret="", restart_command="reboot")
    words["device"] = other.pk
    alice.user_permissions.remove(Permission.objects.get(codename="set_restart_command"))
    assert operator.post(page_of(node, "edit"), words).status_code == 302
    node.refresh_from_db()
    assert node.device == before
    alice.user_permissions.add(Permission.objects.get(codename="set_restart_command"))
    alice.user_permissions.remove(Permission.objects.get(codename="use_local_driver"))
    assert other.driver == "local"
    assert operator.post(page_of(node, "edit"), words).status_code == 403
    node.refresh_from_db()
    assert node.device == before


def test_looking_again_asks_and_waits_for_an_answer(operator: Client, node: Node) -> None:
    response = operator.post(page_of(node, "look"))
    there = response.headers["Location"]
    assert AuditEvent.objects.filter(action="node.look").exists()
    assert "Being asked" in text(operator, there)
    asked = there.partition("?")[2]
    assert operator.get(f"{page_of(node, 'state')}?{asked}").status_code == 200
    Node.objects.update(asked_at=clock.now(), is_reachable=False, trouble="Nobody answers.")
    told = operator.get(f"{page_of(node, 'state')}?{asked}")
    assert told.status_code == 286
    assert "Nobody answers." in told.content.decode()
    assert operator.get(f"{page_of(node, 'state')}?asked=nonsense").status_code == 286


def test_a_restart_says_which_command_and_asks_why(operator: Client, node: Node) -> None:
    assert "Nobody has said by which command it is restarted" in text(operator, page_of(node))
    assert operator.post(page_of(node, "restart"), {"reason": "Stuck"}).status_code == 422
    Node.objects.update(restart_command="systemctl restart bay")
    assert "this command is run: systemctl restart bay" in text(operator, page_of(node, "restart"))
    assert operator.post(page_of(node, "restart"), {"reason": ""}).status_code == 422
    assert operator.post(page_of(node, "restart"), {"reason": "Stuck"}).status_code == 302
    assert "Being restarted" in text(operator, page_of(node))
    assert operator.get(page_of(node, "state")).status_code == 200


def test_a_node_shows_what_is_patched_what_drifted_and_what_waits_for_a_restart(
    operator: Client, node: Node
) -> None:
    upgrade = applied(new_patch("fix"), node.instance)
    Node.objects.update(drift=DRIFT, restart_needed="bay_counter could not be loaded.")
    shown = text(operator, page_of(node))
    for word in ("fix", "Restart needed.", "bay_counter could not be loaded.", "Drift.", "c" * 12):
        assert word in shown
    assert reverse("admin:updates_upgrade_change", args=[upgrade.pk]) in shown


def test_nodes_are_found_by_what_they_need(operator: Client, node: Node) -> None:
    well = new_node(node.instance, "well-node")
    Node.objects.filter(pk=node.pk).update(drift=DRIFT, restart_needed="x", is_reachable=False)
    for word in ("restart", "drift", "unreachable"):
        shown = text(operator, reverse("admin:patches_node_changelist") + f"?attention={word}")
        assert page_of(node) in shown
        assert page_of(well) not in shown
    assert page_of(well) in text(operator, reverse("admin:patches_node_changelist"))


def test_the_front_page_counts_what_waits_and_leads_there(operator: Client, node: Node) -> None:
    Node.objects.filter(pk=node.pk).update(drift=DRIFT, restart_needed="x")
    other = new_instance("bay-2")
    new_node(other)
    upgrade = broke(new_patch("bad-fix"), other)
    cache.clear()
    shown = text(operator, reverse("systems"))
    for count, word in (
        (1, "Nodes to restart"),
        (1, "Nodes with drift"),
        (1, "Systems with a broken patch"),
    ):
        assert f"<strong>{count}</strong> <span>{word}</span>" in shown
    found = text(operator, reverse("admin:updates_instance_changelist") + "?patched=broken")
    assert page_of(other) in found
    assert page_of(node.instance) not in found
    assert str(upgrade.pk) in text(operator, reverse("admin:index"))


def test_a_node_with_a_patch_in_force_is_not_deleted(operator: Client, node: Node) -> None:
    patch = new_patch()
    applied(patch, node.instance)
    response = operator.post(page_of(node, "delete_page"), {"reason": "Gone"})
    assert response.status_code == 422
    assert "without the node it could not be taken back" in response.content.decode()
    Application.objects.update(standing=Application.Standing.REVERTED)
    assert operator.post(page_of(node, "delete_page"), {"reason": "Gone"}).status_code == 302
    assert not Node.objects.exists()


def test_an_instance_shows_its_nodes_its_patches_and_its_history(
    operator: Client, node: Node
) -> None:
    upgrade = applied(new_patch("fix"), node.instance)
    shown = text(operator, page_of(node.instance))
    assert page_of(node) in shown
    assert "In force" in shown
    assert reverse("admin:updates_upgrade_roll_back", args=[upgrade.pk]) in shown
    assert reverse("admin:updates_upgrade_change", args=[upgrade.pk]) in shown
    assert f"instance={node.instance.name}" in shown


def test_the_history_is_filtered_by_instance_and_leads_back_to_it(
    operator: Client, node: Node
) -> None:
    one = applied(new_patch("fix"), node.instance)
    other = new_instance("bay-2")
    new_node(other)
    two = applied(new_patch("fix-2"), other)
    address = reverse("admin:updates_upgrade_changelist") + "?days=all&instance=bay-1"
    shown = text(operator, address)
    assert str(one.pk) in shown
    assert str(two.pk) not in shown
    assert page_of(node.instance) in shown
    upgrade_page = text(operator, reverse("admin:updates_upgrade_change", args=[one.pk]))
    assert page_of(node.instance) in upgrade_page


def test_recording_an_installation_says_what_it_eliminates(operator: Client, node: Node) -> None:
    applied(new_patch("fix"), node.instance)
    address = page_of(node.instance, "installed")
    assert "Eliminated is what was patched before: fix." in text(operator, address)
    words = {"version": "1.1.0", "reason": "Nightly upgrade"}
    assert operator.post(address, words).status_code == 302
    node.instance.refresh_from_db()
    assert node.instance.version == "1.1.0"
    assert Application.objects.get().standing == Application.Standing.ELIMINATED
    assert "None: it runs what was installed." in text(operator, page_of(node.instance))


def test_an_installation_is_not_recorded_while_an_upgrade_is_under_way(
    operator: Client, node: Node
) -> None:
    upgrade = ordered(new_patch("fix"), node.instance)
    words = {"version": "1.1.0", "reason": "Nightly upgrade"}
    response = operator.post(page_of(node.instance, "installed"), words)
    assert response.status_code == 422
    assert str(upgrade.pk) in response.content.decode()


def test_an_instance_is_added_and_renamed_but_stays_what_and_where_it_is(
    operator: Client, node: Node
) -> None:
    words = {
        "name": "bay-9", "module": node.instance.module_id, "device": node.device_id,
        "version": "1.0.0",
    }  # fmt: skip
    response = operator.post(reverse("admin:updates_instance_add"), words)
    added = Instance.objects.get(name="bay-9")
    assert response.headers["Location"] == page_of(added)
    other = new_module("shop", runtime="python")
    words |= {"name": "bay-10", "module": other.pk, "version": "3.0"}
    assert operator.post(page_of(added, "edit"), words).status_code == 302
    added.refresh_from_db()
    assert (added.name, added.module.name, added.version) == ("bay-10", "bay", "1.0.0")


def test_a_module_is_added_and_keeps_its_runtime_once_it_has_instances(operator: Client) -> None:
    words = {"name": "shop", "runtime": "python", "notes": ""}
    assert operator.post(reverse("admin:updates_module_add"), words).status_code == 302
    shop = Module.objects.get()
    words["runtime"] = "beam"
    assert operator.post(page_of(shop), words).status_code == 302
    shop.refresh_from_db()
    assert shop.runtime == "beam"
    new_instance("shop-1", module="shop")
    words["runtime"] = "python"
    assert operator.post(page_of(shop), words).status_code == 302
    shop.refresh_from_db()
    assert shop.runtime == "beam"
    assert f"module__id__exact={shop.pk}" in text(operator, page_of(shop))


def test_lists_of_a_module_open(operator: Client, node: Node) -> None:
    other = new_instance("shop-1", module="shop")
    words = f"?module__id__exact={node.instance.module_id}"
    shown = text(operator, reverse("admin:updates_instance_changelist") + words)
    assert page_of(node.instance) in shown
    assert page_of(other) not in shown
    assert operator.get(reverse("admin:patches_patch_changelist") + words).status_code == 200


def test_who_may_only_look_is_told_why(viewer: Client, node: Node) -> None:
    Node.objects.update(restart_command="systemctl restart bay")
    shown = text(viewer, page_of(node)) + text(viewer, page_of(node.instance))
    for permission in (
        "patches.look_at_node", "patches.restart_node", "patches.change_node",
        "patches.delete_node", "updates.change_instance", "patches.upload_patch",
        "patches.add_node",
    ):  # fmt: skip
        assert f"You lack the permission {permission}." in shown
    before = rows()
    for address in (
        page_of(node, "restart"), page_of(node, "look"), page_of(node, "delete_page"),
        page_of(node.instance, "installed"), page_of(node.instance, "look"),
    ):  # fmt: skip
        assert viewer.post(address, {"reason": "Because", "version": "2"}).status_code == 403
    assert rows() == before


def test_the_palette_finds_patches_nodes_and_instances(operator: Client, node: Node) -> None:
    patch = new_patch("rounding")
    search = reverse("admin:search")
    for words, address in (
        ("bay-node", page_of(node)),
        ("bay-1", page_of(node.instance)),
        ("round", reverse("admin:patches_patch_change", args=[patch.pk])),
        ("upload patch", reverse("admin:patches_patch_upload")),
    ):
        shown = operator.get(search, {"extended": "1", "s": words}).content.decode()
        assert f'href="{address}"' in shown


def test_a_restart_needs_its_permission_and_a_command(node: Node) -> None:
    Node.objects.update(restart_command="true")
    node.refresh_from_db()
    request_restart(node=node, actor=PORTAL, reason="Stuck")
    assert AuditEvent.objects.filter(action="node.restart", reason="Stuck").exists()
    assert not Upgrade.objects.exists()
