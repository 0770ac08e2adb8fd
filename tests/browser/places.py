"""Every page that people look at, with something on it."""

from __future__ import annotations

from django.contrib.auth.models import User
from django.urls import reverse

from devices.models import Credential, Device, DeviceGroup
from devices.services.imports import store_import
from devices.services.selections import store_selection
from portal.core.actors import PORTAL, actor_of
from portal.core.models import AuditEvent
from tests.browser.fleet import OLD, Fleet
from updates.models import Deployment, SigningKey, TrustedKey, UpdateModule, UpgradeEvent
from updates.services.keys import Generated, generate_signing_key

LISTS = (
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
    "devices_device_changelist",
    "devices_devicegroup_changelist",
    "devices_credential_changelist",
    "core_auditevent_changelist",
    "core_apitoken_changelist",
    "auth_user_changelist",
    "auth_group_changelist",
    "axes_accessattempt_changelist",
)
FORMS = (
    "updates_artifact_upload",
    "updates_updatemodule_upload",
    "updates_trustedkey_new",
    "updates_signingkey_new",
    "updates_deployment_deploy",
    "devices_device_add",
    "devices_device_import",
    "devices_devicegroup_add",
    "devices_credential_add",
    "auth_user_add",
    "password_change",
)

CSV_FILE = b'name,device_type\nkiosk-01,showcase\nkiosk-99,kiosk\n"",kiosk\n'
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0o1Jk3m3k8nS0cP3oZ5qJm0n8Wq1hJvJc1o5n0k1aB"


def everywhere(fleet: Fleet, visitor: User) -> dict[str, str]:
    """The address of each page that this person may see, by a name to tell it by; the fleet has everything afterwards."""
    upgrades = fleet.with_everything()
    actor = actor_of(visitor)
    picked = store_selection(ids=Device.objects.values_list("pk", flat=True), words={}, actor=actor)
    brought = store_import(name="fleet.csv", content=CSV_FILE, actor=actor)
    credential = Credential.objects.create(
        name="key", kind=Credential.Kind.PASSWORD, username="root", secret="s3cret"
    )
    box = Device.objects.create(
        name="box-1",
        device_type="box",
        driver=Device.Driver.SSH,
        host="127.0.0.1",
        credential=credential,
        offered_host_key=HOST_KEY,
    )
    generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    kiosk = fleet.device("kiosk-01")
    of_one = {
        "updates_trustedkey_change": TrustedKey.objects.all()[0],
        "updates_signingkey_change": SigningKey.objects.all()[0],
        "updates_signingkey_delete_page": SigningKey.objects.all()[0],
        "updates_release_change": fleet.artifact().release,
        "updates_release_edit": fleet.artifact().release,
        "updates_release_withdraw": fleet.artifact().release,
        "updates_release_delete_page": fleet.artifact().release,
        "updates_artifact_change": fleet.artifact(),
        "updates_artifact_delete_page": fleet.artifact(OLD),
        "updates_updatemodule_change": UpdateModule.objects.all()[0],
        "updates_deployment_change": Deployment.objects.all()[0],
        "updates_deployment_cancel": Deployment.objects.all()[0],
        "updates_upgrade_cancel": upgrades["waiting"],
        "updates_upgrade_commit": upgrades["waiting"],
        "updates_upgrade_retry": upgrades["broken"],
        "updates_upgrade_roll_back": upgrades["succeeded"],
        "updates_upgrade_recover": upgrades["stuck"],
        "updates_upgrade_force_cancel": upgrades["stuck"],
        "updates_upgrade_apply": kiosk,
        "devices_device_change": kiosk,
        "devices_device_edit": kiosk,
        "devices_device_host_key": box,
        "devices_devicegroup_change": DeviceGroup.objects.all()[0],
        "devices_credential_change": credential,
        "updates_upgradeevent_change": UpgradeEvent.objects.exclude(data={})[0],
        "core_auditevent_change": AuditEvent.objects.all()[0],
    }
    return {
        "second factor": reverse("second_factor:home"),
        "build a file": reverse("admin:updates_artifact_build", args=["single-file"]),
        "build any": reverse("admin:updates_artifact_build", args=["any"]),
        "the queue": "/queue/",
        "many devices": reverse("admin:devices_device_bulk", args=["refresh"])
        + f"?selection={picked.pk}",
        "an import": reverse("admin:devices_device_import_preview", args=[brought.pk]),
        **{name: reverse(f"admin:{name}") for name in (*LISTS, *FORMS)},
        **{name: reverse(f"admin:{name}", args=[row.pk]) for name, row in of_one.items()},
        **{
            f"upgrade, {what}": reverse("admin:updates_upgrade_change", args=[upgrade.pk])
            for what, upgrade in upgrades.items()
        },
    }
