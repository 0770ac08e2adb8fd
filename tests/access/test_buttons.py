"""What somebody may not do is not hidden: the page says which permission is missing."""

from __future__ import annotations

import pytest
from django.urls import reverse

from devices.models import Credential, DeviceGroup
from tests.access.conftest import MakePerson, browser_of

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    ("page", "who", "missing"),
    [
        ("devices_devicegroup_changelist", "viewer", "devices.add_devicegroup"),
        ("devices_credential_changelist", "operator", "devices.add_credential"),
        ("devices_device_changelist", "viewer", "devices.add_device"),
        ("updates_artifact_changelist", "viewer", "updates.upload_artifact"),
        ("updates_updatemodule_changelist", "viewer", "updates.upload_updatemodule"),
        ("updates_deployment_changelist", "approver", "updates.deploy_artifact"),
        ("index", "viewer", "updates.upload_artifact"),
    ],
)
def test_a_list_says_why_nothing_can_be_added(
    page: str, who: str, missing: str, make_person: MakePerson
) -> None:
    says = f"You lack the permission {missing}."
    address = reverse(f"admin:{page}")
    assert says in browser_of(make_person(who)).get(address).content.decode()
    assert says not in browser_of(make_person("administrator")).get(address).content.decode()


@pytest.mark.parametrize("page", ["core_auditevent", "core_apitoken", "axes_accessattempt"])
def test_a_list_to_which_nobody_adds_says_nothing(page: str, make_person: MakePerson) -> None:
    browser = browser_of(make_person("administrator"))
    shown = browser.get(reverse(f"admin:{page}_changelist")).content.decode()
    assert "You lack the permission" not in shown


def test_a_form_that_can_only_be_looked_at_says_why(make_person: MakePerson) -> None:
    group = DeviceGroup.objects.create(name="Boxes")
    key = Credential.objects.create(name="key", kind="password", username="root", secret="open")
    viewer, operator = browser_of(make_person("viewer")), browser_of(make_person("operator"))
    group_page = reverse("admin:devices_devicegroup_change", args=[group.pk])
    key_page = reverse("admin:devices_credential_change", args=[key.pk])
    says_group = "You lack the permission devices.change_devicegroup."
    assert says_group in viewer.get(group_page).content.decode()
    assert says_group not in operator.get(group_page).content.decode()
    assert (
        "You lack the permission devices.change_credential."
        in operator.get(key_page).content.decode()
    )
