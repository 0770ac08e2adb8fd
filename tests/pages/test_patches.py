"""The pages of patches: the seven steps, in the browser's words, without nodes that run."""

from __future__ import annotations

import html
import io
import zipfile

import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from patches.models import Application, Patch, PatchCheck
from patches.services.patches import delete_patch
from portal.core.actors import PORTAL
from tests.pages.rows import rows
from tests.pages.shown import mark_in
from tests.patches.rows import (
    NOTE,
    PATHS,
    applied,
    broke,
    checked,
    new_instance,
    new_module,
    new_node,
    new_patch,
    ordered,
)
from updates.models import Instance, Upgrade

pytestmark = pytest.mark.database


@pytest.fixture
def instance(db: None) -> Instance:
    """Three nodes of one system."""
    found = new_instance("bay-1")
    for number in (1, 2, 3):
        new_node(found, f"bay-node-{number}")
    return found


@pytest.fixture
def patch(db: None) -> Patch:
    return new_patch()


def page_of(patch: Patch, verb: str = "change") -> str:
    return reverse(f"admin:patches_patch_{verb}", args=[patch.pk])


def on(patch: Patch, instance: Instance, verb: str = "on") -> str:
    return reverse(f"admin:patches_patch_{verb}", args=[patch.pk, instance.pk])


def text(client: Client, address: str) -> str:
    return html.unescape(client.get(address).content.decode())


def zip_of(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as out:
        for name, data in files.items():
            out.writestr(f"pkg/{name}.py", data)
    return packed.getvalue()


def upload(client: Client, content: bytes, **headers: str) -> object:
    module = new_module("shop", runtime="python")
    return client.post(
        reverse("admin:patches_patch_upload"),
        {
            "module": module.pk,
            "version": "2.0",
            "notes": "For the queue",
            "file": SimpleUploadedFile("fix-queue.zip", content),
        },
        headers=headers or None,
    )


def test_an_uploaded_archive_shows_its_composition_at_once(operator: Client) -> None:
    response = upload(operator, zip_of(queue=b"LIMIT = 2\n"))
    patch = Patch.objects.get()
    assert response.status_code == 302  # type: ignore[attr-defined]
    shown = text(operator, response.url)  # type: ignore[attr-defined]
    assert response.url == page_of(patch)  # type: ignore[attr-defined]
    assert (patch.name, patch.version, patch.uploaded_by_name) == ("fix-queue", "2.0", "alice")
    assert "pkg/queue.py" in shown
    assert "1 module." in shown
    assert "not asked yet" in shown
    assert "For the queue" in shown


def test_a_script_gets_the_address_or_the_refusal_as_json(operator: Client) -> None:
    good = upload(operator, zip_of(queue=b"LIMIT = 2\n"), accept="application/json")
    assert good.status_code == 201  # type: ignore[attr-defined]
    assert good.json()["url"] == page_of(Patch.objects.get())  # type: ignore[attr-defined]
    bad = upload(operator, b"no zip", accept="application/json")
    assert bad.status_code == 422  # type: ignore[attr-defined]
    assert bad.json()["code"].startswith("archive-")  # type: ignore[attr-defined]
    without = operator.post(
        reverse("admin:patches_patch_upload"), headers={"accept": "application/json"}
    )
    assert "Module: This field is required." in without.json()["sentence"]


def test_a_refused_archive_leaves_nothing_and_says_which_rule(operator: Client) -> None:
    response = upload(operator, zip_of())
    assert response.status_code == 422  # type: ignore[attr-defined]
    assert "archive-empty" in response.content.decode()  # type: ignore[attr-defined]
    assert not Patch.objects.exists()


def test_the_versions_of_the_modules_instances_are_offered(
    operator: Client, instance: Instance
) -> None:
    new_instance("other", module="shop", version="9.9.9")
    address = reverse("admin:patches_patch_versions")
    shown = text(operator, f"{address}?module={instance.module_id}")
    assert 'value="1.0.0"' in shown
    assert "9.9.9" not in shown
    assert operator.get(f"{address}?module=nothing").status_code == 200


def test_the_composition_waits_until_nodes_have_said_what_they_know(
    operator: Client, patch: Patch
) -> None:
    shown = operator.get(page_of(patch)).content
    mark = mark_in(shown)
    address = f"{page_of(patch, 'composition')}?mark={mark}"
    assert operator.get(address).status_code == 204
    Patch.objects.update(known_to={PATHS[0]: ["bay-node-1"], PATHS[1]: []})
    told = operator.get(address)
    assert told.status_code == 286
    assert "bay-node-1" in told.content.decode()
    assert "no node" in told.content.decode()


def test_apply_is_off_and_says_why_until_a_check_allows_it(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    assert "Check it on bay-1 first." in text(operator, page_of(patch))
    check = checked(patch, instance)
    assert f'href="{on(patch, instance, "apply")}"' in text(operator, page_of(patch))
    PatchCheck.objects.update(checked_at="2020-01-01T00:00:00Z")
    shown = text(operator, page_of(patch))
    assert "Check it again. It is older than" in shown
    assert "Stale: It is older than" in shown
    check.refresh_from_db()
    new_node(instance)
    assert "The instance has other nodes by now." in text(operator, page_of(patch))


def test_check_asks_the_nodes_of_one_instance_or_of_all_of_that_version(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    second, other = new_instance("bay-2"), new_instance("bay-3", version="2.0.0")
    new_node(second)
    new_node(other)
    response = operator.post(page_of(patch, "check"), {"instance": instance.pk})
    assert response.status_code == 302
    assert [row.instance for row in PatchCheck.objects.all()] == [instance]
    operator.post(page_of(patch, "check"), {"instance": ""})
    assert {row.instance for row in PatchCheck.objects.all()} == {instance, second}


def test_the_answers_come_in_one_by_one_and_end_with_the_integral_status(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    check = checked(patch, instance, over=False)
    shown = operator.get(page_of(patch)).content.decode()
    assert "1 of 3 nodes answered" in shown
    fragment = operator.get(page_of(patch, "spread"))
    assert fragment.status_code == 200
    check.delete()
    checked(patch, instance, worst=3)
    told = operator.get(page_of(patch, "spread"))
    assert told.status_code == 286
    assert "wrong path (3)" in told.content.decode()
    assert "The check says wrong_path (3) on bay-node-1." not in told.content.decode()


def test_the_page_of_the_patch_on_an_instance_has_every_file_of_every_node(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    checked(patch, instance, worst=4)
    shown = text(operator, on(patch, instance))
    for word in (*PATHS, NOTE, "bay-node-1", "bay-node-3", "not updated (4)", "ok (6)", "assembly"):
        assert word in shown
    assert operator.get(on(patch, instance, "answers")).status_code == 286


def test_the_apply_page_says_where_it_goes_which_version_and_who_says_so(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    checked(patch, instance)
    shown = text(operator, on(patch, instance, "apply"))
    assert "3 nodes get it" in shown
    assert "bay-node-1, bay-node-2, bay-node-3" in shown
    assert "for version 1.0.0; bay-1 runs version 1.0.0, by what its nodes report." in shown
    assert "override" not in shown


def test_apply_orders_an_upgrade_and_leads_to_it(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    checked(patch, instance)
    response = operator.post(on(patch, instance, "apply"), {"reason": "It is urgent"})
    upgrade = Upgrade.objects.get()
    assert response.headers["Location"] == reverse(
        "admin:updates_upgrade_change", args=[upgrade.pk]
    )
    assert (upgrade.instance, upgrade.to_version) == (instance, "1.0.0 + fix")
    assert f'href="{on(patch, instance)}"' in text(operator, response.headers["Location"])
    assert "See how it is being applied" in text(operator, page_of(patch))


def test_a_stale_check_is_refused_at_the_form_too(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    response = operator.post(on(patch, instance, "apply"), {"reason": "It is urgent"})
    assert response.status_code == 422
    assert "Check it on bay-1 first." in response.content.decode()
    assert not Upgrade.objects.exists()


def test_what_the_check_refuses_is_left_out_only_by_those_who_may(
    patch: Patch, instance: Instance, alice: User, operator: Client
) -> None:
    checked(patch, instance, worst=2)
    alice.user_permissions.remove(Permission.objects.get(codename="override_patch"))
    shown = text(operator, page_of(patch))
    assert "The check says not_beam (2) on bay-node-1." in shown
    form = text(operator, on(patch, instance, "apply"))
    assert "Leaving them out takes the permission patches.override_patch." in form
    assert 'name="override"' not in form
    words = {"reason": "Needed", "override": "on"}
    assert operator.post(on(patch, instance, "apply"), words).status_code == 422
    alice.user_permissions.add(Permission.objects.get(codename="override_patch"))
    assert 'name="override"' in text(operator, on(patch, instance, "apply"))
    assert operator.post(on(patch, instance, "apply"), {"reason": "Needed"}).status_code == 422
    assert operator.post(on(patch, instance, "apply"), words).status_code == 302


def test_a_patch_in_force_can_be_reverted_from_its_page_and_is_in_the_history(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    upgrade = applied(patch, instance)
    shown = text(operator, page_of(patch))
    assert "In force since" in shown
    back = reverse("admin:updates_upgrade_roll_back", args=[upgrade.pk])
    assert f'href="{back}"' in shown
    assert operator.post(back, {"reason": "It was wrong"}).status_code == 302
    undo = Upgrade.objects.get(undoes=upgrade)
    assert str(undo.pk) in text(operator, page_of(patch))


def test_a_deleted_archive_says_by_whom_and_cannot_be_applied_but_reverted(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    applied(patch, instance)
    second = new_instance("bay-2")
    new_node(second)
    checked(patch, second)
    assert operator.post(page_of(patch, "delete_page"), {}).status_code == 422
    assert operator.post(page_of(patch, "delete_page"), {"reason": "Done"}).status_code == 302
    shown = text(operator, page_of(patch))
    assert "The archive is deleted, by alice" in shown.replace("</strong>", "").replace(
        "<strong>", ""
    )
    assert "Its archive was deleted by alice." in shown
    assert "Revert</a>" in shown
    assert operator.post(page_of(patch, "delete_page"), {"reason": "Again"}).status_code == 422
    again = operator.post(page_of(patch, "check"), {"instance": second.pk}, follow=True)
    assert "The archive was deleted by alice." in again.content.decode()


def test_an_archive_that_is_being_applied_is_not_deleted(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    ordered(patch, instance)
    response = operator.post(page_of(patch, "delete_page"), {"reason": "Done"})
    assert response.status_code == 422
    assert "It is being applied just now" in response.content.decode()


def test_a_broken_patch_leads_to_the_last_resort(
    operator: Client, viewer: Client, patch: Patch, instance: Instance
) -> None:
    upgrade = broke(patch, instance)
    address = reverse("admin:updates_upgrade_change", args=[upgrade.pk])
    shown = text(operator, address)
    assert "install version 1.0.0 of bay-1 anew from its image" in shown
    installed = reverse("admin:updates_instance_installed", args=[instance.pk])
    assert f'href="{installed}"' in shown
    assert "Apply another artifact" not in shown
    assert "You lack the permission updates.change_instance." in text(viewer, address)
    response = operator.post(installed, {"version": "1.0.0", "reason": "Installed anew"})
    assert response.status_code == 302
    assert Application.objects.get().standing == Application.Standing.ELIMINATED
    assert "can't be applied again" in text(operator, page_of(patch))


def test_the_list_leads_to_each_patch_and_filters_by_archive(
    operator: Client, patch: Patch, instance: Instance
) -> None:
    applied(patch, instance)
    gone = new_patch("old-fix")
    delete_patch(patch=gone, actor=PORTAL, reason="Old")
    address = reverse("admin:patches_patch_changelist")
    shown = text(operator, address)
    assert page_of(patch) in shown
    assert "1 instance" in shown
    assert page_of(gone) not in text(operator, f"{address}?archive=there")
    assert page_of(patch) not in text(operator, f"{address}?archive=deleted")


def test_who_may_only_look_is_told_why(viewer: Client, patch: Patch, instance: Instance) -> None:
    checked(patch, instance)
    shown = text(viewer, page_of(patch))
    for permission in ("patches.check_patch", "patches.apply_patch", "patches.delete_patch"):
        assert f"You lack the permission {permission}." in shown
    before = rows()
    for address in (
        on(patch, instance, "apply"),
        page_of(patch, "delete_page"),
        page_of(patch, "check"),
        reverse("admin:patches_patch_upload"),
    ):
        assert viewer.post(address, {"reason": "Because"}).status_code == 403
    assert rows() == before


def test_a_patch_on_an_instance_of_another_module_is_not_found(
    operator: Client, patch: Patch
) -> None:
    other = new_instance("shop-1", module="shop")
    assert operator.get(on(patch, other)).status_code == 404
    assert operator.get(on(patch, other, "apply")).status_code == 404
