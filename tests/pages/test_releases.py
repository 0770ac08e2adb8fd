"""The pages of releases and of keys, as an operator and as a viewer sees them."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device, DeviceGroup
from devices.services.bulk import mark_of_these
from portal.core.actors import PORTAL
from tests.journal.rows import new_device
from tests.services.uploads import uploaded
from updates.models import Check, Deployment, Release, SigningKey, TrustedKey, Upgrade
from updates.services.keys import Generated, generate_signing_key, open_signing_key
from updates.services.releases import edit_release, withdraw_release

pytestmark = pytest.mark.database


def page_of(release: Release, verb: str = "change") -> str:
    return reverse(f"admin:updates_release_{verb}", args=[release.pk])


def text_of(client: Client, address: str) -> str:
    return " ".join(client.get(address).content.decode().split())


@pytest.fixture
def release(db: None) -> Release:
    """For boxes and crates."""
    uploaded("kiosk-2", device_types=["crate"])
    return uploaded("kiosk-2", device_types=["box"]).release


def test_the_list_says_for_which_devices_a_release_is_and_on_how_many(
    operator: Client, release: Release
) -> None:
    new_device(provides={"artifact_name": "kiosk-2"})
    uploaded("other")
    edit_release(release=release, notes="", tags=["stable"], actor=PORTAL)
    address = reverse("admin:updates_release_changelist")
    shown = text_of(operator, address)
    assert "box, crate" in shown
    row = re.search(r"<tr.*?kiosk-2.*?</tr>", shown)
    assert row is not None
    tagged = text_of(operator, f"{address}?tag=stable")
    assert ">kiosk-2</a>" in tagged
    assert ">other</a>" not in tagged
    assert ">other</a>" not in text_of(operator, f"{address}?q=crate")
    withdraw_release(release=release, actor=PORTAL, reason="It eats the disk")
    assert ">other</a>" not in text_of(operator, f"{address}?state=withdrawn")


def test_the_page_of_a_release_shows_each_artifact_and_where_it_is(
    operator: Client, release: Release
) -> None:
    new_device(provides={"artifact_name": "kiosk-2"})
    shown = text_of(operator, page_of(release))
    assert 'data-installed="1"' in shown
    for artifact in release.artifacts.all():
        assert reverse("admin:updates_artifact_change", args=[artifact.pk]) in shown
    assert shown.count("not signed") == 2


def test_a_release_is_deployed_by_the_page_and_each_device_gets_its_own(
    operator: Client, release: Release
) -> None:
    new_device("a-box")
    new_device("b-crate", device_type="crate")
    address = reverse("admin:updates_deployment_deploy")
    assert "kiosk-2" in text_of(operator, f"{address}?release={release.pk}")
    order = {"release": str(release.pk), "everything": "on", "reason": "Friday"}
    preview = operator.post(address, order).content.decode()
    assert 'data-takes="2"' in preview
    assert "Which artifact" in preview
    operator.post(
        address,
        order
        | {
            "expected": mark_of_these(Device.objects.values_list("pk", flat=True)),
            "confirm": "yes",
        },
    )
    deployment = Deployment.objects.get()
    assert deployment.release == release
    assert deployment.upgrades.values("artifact").distinct().count() == 2
    page = text_of(operator, reverse("admin:updates_deployment_change", args=[deployment.pk]))
    assert page_of(release) in page


def test_a_release_is_applied_to_one_device_after_a_look(
    operator: Client, release: Release
) -> None:
    crate = new_device(device_type="crate")
    address = reverse("admin:updates_upgrade_apply", args=[crate.pk])
    order = {"release": str(release.pk), "reason": "Try it"}
    assert (
        "device type is crate"
        in operator.post(address, order | {"preview": "yes"}).content.decode()
    )
    operator.post(address, order)
    upgrade = Upgrade.objects.get()
    assert upgrade.artifact is not None
    assert upgrade.artifact.device_types == ["crate"]


def test_an_order_for_nothing_asks_for_a_release(operator: Client, release: Release) -> None:
    address = reverse("admin:updates_deployment_deploy")
    answer = operator.post(address, {"everything": "on", "reason": "Friday"})
    assert answer.status_code == 422
    assert "Choose a release." in answer.content.decode()


def test_a_check_of_the_release_goes_to_every_chosen_device(
    operator: Client, release: Release
) -> None:
    new_device()
    new_device(device_type="crate")
    operator.post(page_of(release, "check"), {"everything": "on"})
    assert Check.objects.values("artifact").distinct().count() == 2


@pytest.mark.parametrize("page", ["updates_deployment_deploy", "updates_upgrade_apply"])
def test_what_was_withdrawn_is_not_found_where_it_is_ordered(
    operator: Client, release: Release, page: str
) -> None:
    kept = uploaded("kiosk-1").release
    withdraw_release(release=release, actor=PORTAL, reason="It eats the disk")
    of_device = [new_device().pk] if page == "updates_upgrade_apply" else []

    form = operator.get(reverse(f"admin:{page}", args=of_device)).content.decode()
    (address,) = re.findall(r'data-ajax--url="([^"]+)"[^>]*data-field-name="release"', form)

    for name in ("release", "artifact"):
        asked = {"app_label": "updates", "model_name": "deployment", "field_name": name}
        answer = operator.get(f"{address}&{urlencode(asked)}&term=kiosk")
        assert [row["text"] for row in answer.json()["results"]] == [kept.name]


def test_the_lists_filter_still_finds_what_was_withdrawn(
    operator: Client, release: Release
) -> None:
    withdraw_release(release=release, actor=PORTAL, reason="It eats the disk")
    asked = {"app_label": "updates", "model_name": "deployment", "field_name": "release"}
    answer = operator.get(reverse("admin:autocomplete"), {**asked, "term": "kiosk"})
    assert [row["text"] for row in answer.json()["results"]] == ["kiosk-2"]


def test_notes_tags_and_a_withdrawal_stand_on_the_page(operator: Client, release: Release) -> None:
    operator.post(page_of(release, "edit"), {"notes": "Mind <the> gap", "tags": "stable, kiosk"})
    operator.post(page_of(release, "withdraw"), {"reason": "It eats the disk"})
    shown = text_of(operator, page_of(release))
    assert "Mind &lt;the&gt; gap" in shown
    assert "tag=stable" in shown
    assert "Withdrawn</strong> by alice" in shown
    assert "It is withdrawn." in shown
    artifact = release.artifacts.all()[0]
    assert "It eats the disk" in text_of(
        operator, reverse("admin:updates_artifact_change", args=[artifact.pk])
    )
    operator.post(page_of(release, "restore"), {"reason": "It was the disk"})
    assert "Withdrawn</strong> by alice" not in text_of(operator, page_of(release))


def test_a_release_that_nobody_got_is_deleted(operator: Client, release: Release) -> None:
    operator.post(page_of(release, "delete_page"), {"reason": "A slip"})
    assert not Release.objects.exists()


def test_a_viewer_is_told_why_not(viewer: Client, release: Release) -> None:
    shown = text_of(viewer, page_of(release))
    for word in ("deploy_artifact", "change_release", "withdraw_release", "check_artifact"):
        assert f"You lack the permission updates.{word}." in shown


def test_a_key_is_pasted_in_and_never_shown_again(operator: Client) -> None:
    own = generate_signing_key(name="own", kind=Generated.ECDSA, actor=PORTAL)
    pem = own.private_pem
    own.delete()
    TrustedKey.objects.all().delete()
    address = reverse("admin:updates_signingkey_new")
    bad = operator.post(address, {"name": "<x>", "how": "pasted", "pem": pem})
    assert bad.status_code == 422
    assert "PRIVATE KEY" not in bad.content.decode()
    operator.post(address, {"name": "ci", "how": "pasted", "pem": pem})
    key = SigningKey.objects.get()
    shown = text_of(operator, reverse("admin:updates_signingkey_change", args=[key.pk]))
    assert "PUBLIC KEY" in shown
    assert "PRIVATE KEY" not in shown


@pytest.mark.parametrize("how", list(Generated))
def test_the_portal_makes_a_key(operator: Client, how: Generated) -> None:
    operator.post(reverse("admin:updates_signingkey_new"), {"name": "house", "how": how})
    assert SigningKey.objects.get().name == TrustedKey.objects.get().name == "house"


def test_an_artifact_names_the_key_that_signed_it(operator: Client) -> None:
    key = generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    artifact = uploaded(key=open_signing_key(key=key, actor=PORTAL))
    page = reverse("admin:updates_artifact_change", args=[artifact.pk])
    trusted = reverse("admin:updates_trustedkey_change", args=[TrustedKey.objects.get().pk])
    assert f'signed by <a href="{trusted}">house</a>' in text_of(operator, page)
    assert page in text_of(operator, trusted)
    operator.post(
        reverse("admin:updates_trustedkey_delete_page", args=[TrustedKey.objects.get().pk]),
        {"reason": "It leaked"},
    )
    assert "signed by a key that nobody here trusts" in text_of(operator, page)


def test_a_group_takes_signed_ones_only_when_its_form_says_so(operator: Client) -> None:
    operator.post(
        reverse("admin:devices_devicegroup_add"),
        {"name": "Vault", "kind": "dynamic", "device_type": "box", "signed_only": "on"},
    )
    group = DeviceGroup.objects.get()
    assert group.signed_only
    page = reverse("admin:devices_devicegroup_change", args=[group.pk])
    assert "only artifacts that a" in text_of(operator, page)
    new_device("box-1")
    order = {"artifact": str(uploaded().pk), "everything": "on", "reason": "Friday"}
    shown = operator.post(reverse("admin:updates_deployment_deploy"), order).content.decode()
    assert "The group Vault takes signed artifacts only, and this one is not signed." in shown
    assert Device.objects.count() == 1
