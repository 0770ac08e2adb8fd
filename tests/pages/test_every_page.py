"""Every page: who may open it, and that looking changes nothing."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from devices.models import Credential, Device, DeviceGroup
from patches.models import Node, Patch
from portal.core.actors import Actor
from tests.pages.rows import rows
from tests.patches.rows import checked, new_instance, new_node, new_patch
from updates.models import (
    Artifact,
    Deployment,
    Instance,
    Module,
    Release,
    SigningKey,
    TrustedKey,
    UpdateModule,
    Upgrade,
)
from updates.services.deployments import deploy_artifact
from updates.services.keys import Generated, generate_signing_key

pytestmark = pytest.mark.database

FREE = [
    "index",
    "updates_release_changelist",
    "updates_artifact_changelist",
    "updates_updatemodule_changelist",
    "updates_updatemodule_walk_through",
    "updates_trustedkey_changelist",
    "updates_signingkey_changelist",
    "updates_deployment_changelist",
    "updates_upgrade_changelist",
    "updates_upgrade_stuck",
    "updates_upgradeevent_changelist",
    "updates_instance_changelist",
    "updates_module_changelist",
    "patches_patch_changelist",
    "patches_node_changelist",
    "devices_device_changelist",
    "devices_devicegroup_changelist",
    "devices_credential_changelist",
    "core_auditevent_changelist",
    "core_apitoken_changelist",
    "auth_user_changelist",
    "auth_group_changelist",
]
OF_A_VERB = [
    "updates_artifact_upload",
    "updates_updatemodule_upload",
    "updates_trustedkey_new",
    "updates_signingkey_new",
    "updates_deployment_deploy",
    "updates_instance_add",
    "updates_module_add",
    "patches_patch_upload",
    "patches_node_add",
    "devices_device_add",
    "devices_device_import",
    "devices_devicegroup_add",
    "devices_credential_add",
]
OF_ONE = {
    "updates_release_change": Release,
    "updates_artifact_change": Artifact,
    "updates_updatemodule_change": UpdateModule,
    "updates_trustedkey_change": TrustedKey,
    "updates_signingkey_change": SigningKey,
    "updates_deployment_change": Deployment,
    "updates_upgrade_change": Upgrade,
    "updates_instance_change": Instance,
    "updates_module_change": Module,
    "patches_patch_change": Patch,
    "patches_node_change": Node,
    "devices_device_change": Device,
    "devices_device_engine": Device,
    "devices_devicegroup_change": DeviceGroup,
    "devices_credential_change": Credential,
}
OF_ONES_VERB = {
    "updates_release_edit": Release,
    "updates_release_withdraw": Release,
    "updates_release_restore": Release,
    "updates_release_delete_page": Release,
    "updates_artifact_delete_page": Artifact,
    "updates_trustedkey_delete_page": TrustedKey,
    "updates_signingkey_delete_page": SigningKey,
    "updates_deployment_cancel": Deployment,
    "updates_upgrade_cancel": Upgrade,
    "updates_upgrade_retry": Upgrade,
    "updates_upgrade_roll_back": Upgrade,
    "updates_upgrade_recover": Upgrade,
    "updates_upgrade_force_cancel": Upgrade,
    "updates_upgrade_apply": Device,
    "updates_instance_edit": Instance,
    "updates_instance_installed": Instance,
    "patches_patch_delete_page": Patch,
    "patches_node_edit": Node,
    "patches_node_restart": Node,
    "patches_node_delete_page": Node,
    "devices_device_edit": Device,
    "devices_devicegroup_edit": DeviceGroup,
    "devices_devicegroup_members": DeviceGroup,
    "devices_devicegroup_delete": DeviceGroup,
    "devices_device_delete": Device,
    "devices_device_host_key": Device,
    "devices_device_engine_edit": Device,
    "devices_device_engine_forget": Device,
}
FRAGMENTS = {
    "updates_artifact_checks": Artifact,
    "updates_updatemodule_checks": UpdateModule,
    "updates_deployment_counts": Deployment,
    "updates_upgrade_live": Upgrade,
    "updates_upgrade_of_device": Device,
    "patches_patch_composition": Patch,
    "patches_patch_spread": Patch,
    "patches_node_state": Node,
}
ONLY_POST = {
    "updates_artifact_check": Artifact,
    "updates_updatemodule_check": UpdateModule,
    "updates_release_check": Release,
    "devices_device_refresh": Device,
    "devices_device_engine_ask": Device,
    "updates_instance_look": Instance,
    "patches_patch_check": Patch,
    "patches_node_look": Node,
}

PAGES = [*FREE, *OF_A_VERB, *OF_ONE, *OF_ONES_VERB]
MODELS = OF_ONE | OF_ONES_VERB | FRAGMENTS | ONLY_POST


@pytest.fixture
def fleet(
    waiting: Upgrade, artifact: Artifact, update_module: UpdateModule, actor: Actor
) -> Deployment:
    """One of everything that has a page."""
    DeviceGroup.objects.create(name="boxes", kind="dynamic", filter={"device_type": "box"})
    generate_signing_key(name="house", kind=Generated.ECDSA, actor=actor)
    Credential.objects.create(name="key", kind="password", username="root", secret="s3cret-word")
    node = new_node(new_instance(), secret="s3cret-word")
    checked(new_patch(), node.instance)
    return deploy_artifact(
        artifact=artifact, devices=Device.objects.all(), actor=actor, reason="All of them"
    )


def address(name: str) -> str:
    model = MODELS.get(name)
    of = [model._default_manager.values_list("pk", flat=True)[0]] if model else []
    return reverse(f"admin:{name}", args=of)


def test_a_page_opens_for_whoever_may_use_it(
    fleet: Deployment, subtests: pytest.Subtests, operator: Client
) -> None:
    for name in PAGES:
        with subtests.test(name):
            before = rows()
            response = operator.get(address(name))
            assert response.status_code == 200
            assert b"s3cret-word" not in response.content
            assert rows() == before


def test_a_fragment_answers_without_any_effect(
    fleet: Deployment, subtests: pytest.Subtests, operator: Client
) -> None:
    for name in FRAGMENTS:
        with subtests.test(name):
            before = rows()
            assert operator.get(address(name)).status_code in {200, 286}
            assert operator.post(address(name)).status_code == 405
            assert rows() == before


def test_an_effect_without_a_form_refuses_get(
    fleet: Deployment, subtests: pytest.Subtests, operator: Client
) -> None:
    for name in ONLY_POST:
        with subtests.test(name):
            before = rows()
            assert operator.get(address(name)).status_code == 405
            assert rows() == before


def test_whoever_may_only_look_can_look(
    fleet: Deployment, subtests: pytest.Subtests, viewer: Client
) -> None:
    for name in [*FREE, *OF_ONE, *FRAGMENTS]:
        with subtests.test(name):
            assert viewer.get(address(name)).status_code in {200, 286}


def test_whoever_may_only_look_can_do_nothing(
    fleet: Deployment, subtests: pytest.Subtests, viewer: Client
) -> None:
    for name in [*OF_A_VERB, *OF_ONES_VERB, *ONLY_POST]:
        with subtests.test(name):
            before = rows()
            response = viewer.post(address(name), {"reason": "Because", "everything": "on"})
            assert response.status_code == 403
            assert rows() == before


def test_a_stranger_sees_nothing(
    fleet: Deployment, subtests: pytest.Subtests, stranger: Client
) -> None:
    for name in [page for page in PAGES if page != "index"] + [*FRAGMENTS]:
        with subtests.test(name):
            assert stranger.get(address(name)).status_code == 403


def test_nobody_gets_in_without_a_login(fleet: Deployment, subtests: pytest.Subtests) -> None:
    for name in [*PAGES, *ONLY_POST]:
        with subtests.test(name):
            response = Client().get(address(name))
            assert response.status_code == 302
            assert response.headers["Location"].startswith(reverse("admin:login"))


def test_a_poll_after_the_session_has_ended_reloads_the_page(
    fleet: Deployment, subtests: pytest.Subtests
) -> None:
    for name in FRAGMENTS:
        with subtests.test(name):
            response = Client().get(address(name))
            assert response.headers["HX-Refresh"] == "true"
            assert response.content == b""


def test_an_effect_needs_the_forms_token(
    fleet: Deployment, subtests: pytest.Subtests, alice: User
) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(alice)
    for name in [*OF_ONES_VERB, *ONLY_POST]:
        with subtests.test(name):
            before = rows()
            assert strict.post(address(name), {"reason": "Because"}).status_code == 403
            assert rows() == before


@pytest.mark.parametrize("word", ["upgrade", "artifact", "deployment"])
def test_an_address_that_names_nothing_is_not_found(word: str, operator: Client) -> None:
    page = reverse(f"admin:updates_{word}_change", args=["nothing"])
    assert operator.get(page).status_code == 404


@pytest.mark.parametrize("name", ["updates_upgrade", "updates_upgradeevent", "core_auditevent"])
def test_the_record_cannot_be_edited_by_hand(
    name: str, fleet: Deployment, operator: Client
) -> None:
    assert operator.get(reverse(f"admin:{name}_add")).status_code == 403


def test_the_queues_own_dashboard_is_not_there(operator: Client) -> None:
    assert operator.get("/django_rq/dashboard/").status_code == 404
