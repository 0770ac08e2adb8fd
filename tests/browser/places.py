"""Every page that people look at, with something on it. A test compares it with the URL configuration."""

from __future__ import annotations

from urllib.parse import urlencode

from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.urls import reverse

from devices.models import (
    AuthSet,
    BulkOrder,
    Credential,
    Device,
    DeviceGroup,
    EngineAccess,
    EngineLook,
    InstalledRecord,
    RegistryLogin,
)
from devices.services.bulk import order_bulk
from devices.services.enrolment import accept
from devices.services.imports import store_import
from devices.services.selections import store_selection
from portal.core import clock
from portal.core.actors import PORTAL, actor_of
from portal.core.models import ApiToken, AuditEvent
from portal.core.tokens import create_token
from portal.second_factor.services import begin
from tests.browser.fleet import OLD, Fleet
from tests.browser.systems import with_systems
from tests.environment.index_server import package
from tests.journal.rows import new_device
from tests.pulled.rows import asking_device
from tests.watching.rows import backed_up, watched
from updates.models import (
    Backup,
    Deployment,
    ImageRemoval,
    Repository,
    SigningKey,
    TrustedKey,
    UpdateModule,
    UpgradeEvent,
)
from updates.services.keys import Generated, generate_signing_key
from updates.services.local_images import request_removal
from updates.services.releases import withdraw_release

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
    "updates_instance_changelist",
    "updates_installation_changelist",
    "updates_installation_available",
    "updates_moduleorder_changelist",
    "updates_imagecheck_changelist",
    "updates_backup_changelist",
    "updates_imageremoval_changelist",
    "updates_watchedcontainer_changelist",
    "updates_watchedcontainer_portal",
    "updates_module_changelist",
    "updates_repository_changelist",
    "patches_patch_changelist",
    "patches_node_changelist",
    "devices_device_changelist",
    "devices_authset_changelist",
    "devices_device_bulk_orders",
    "devices_devicegroup_changelist",
    "devices_credential_changelist",
    "devices_registrylogin_changelist",
    "core_auditevent_changelist",
    "core_apitoken_changelist",
    "auth_user_changelist",
    "auth_group_changelist",
    "second_factor_authenticator_changelist",
    "axes_accessattempt_changelist",
)
FORMS = (
    "updates_artifact_upload",
    "updates_updatemodule_upload",
    "updates_trustedkey_new",
    "updates_signingkey_new",
    "updates_deployment_deploy",
    "updates_instance_add",
    "updates_moduleorder_update",
    "updates_imagecheck_check",
    "updates_installation_update_all",
    "updates_module_add",
    "updates_repository_new",
    "patches_patch_upload",
    "patches_node_add",
    "devices_device_add",
    "devices_device_import",
    "devices_authset_preauthorise",
    "devices_authset_preauthorise_file",
    "devices_devicegroup_add",
    "devices_credential_add",
    "devices_registrylogin_add",
    "auth_user_add",
    "auth_group_add",
    "password_change",
    "password_change_done",
)
KINDS = ("single-file", "directory", "script", "deb", "any")

CSV_FILE = b'name,device_type\nkiosk-01,showcase\nkiosk-99,kiosk\n"",kiosk\n'
IMAGE = "ghcr.io/example/shop:1.0.0"
OLDEST = "kiosk-app-2.0"
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0o1Jk3m3k8nS0cP3oZ5qJm0n8Wq1hJvJc1o5n0k1aB"


def everywhere(fleet: Fleet, visitor: User) -> dict[str, str]:
    """The address of each page that this person may see, by a name to tell it by; the fleet has everything afterwards."""
    upgrades = fleet.with_everything()
    systems = with_systems()
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
    with_engine(box)
    removal = with_removal(box)
    backup = with_backups()
    registry_login = RegistryLogin.objects.create(
        registry="ghcr.io", username="us", secret="s3cret"
    )
    key, kiosk_that_pulls = with_keys()
    generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    kiosk = fleet.device("kiosk-01")
    group = DeviceGroup.objects.get(name="Pilot")
    withdrawn = fleet.artifact(OLDEST).release
    withdraw_release(release=withdrawn, actor=PORTAL, reason="It forgets its settings")
    order = order_bulk(
        verb=BulkOrder.Verb.DELETE,
        devices=Device.objects.filter(device_type="kiosk"),
        actor=actor,
        reason="Scrapped",
    )
    create_token(user=visitor, name="nightly", actor=PORTAL)
    other = User.objects.create_user("somebody", is_staff=True)
    begin(user=other)
    attempt = AccessAttempt.objects.create(
        username="somebody", ip_address="192.0.2.1", failures_since_start=1, path_info="/login/"
    )
    repository = Repository.objects.create(
        name="own",
        url="https://modules.example.org",
        index=[package("shop", "1.0.0", "1.1.0-rc.1")],
        packages=1,
        fetched_at=clock.now(),
        added_at=clock.now(),
        error="The repository at https://modules.example.org cannot be used: it cannot be reached.",
        error_at=clock.now(),
    )
    of_one = {
        "updates_trustedkey_change": TrustedKey.objects.all()[0],
        "updates_trustedkey_delete_page": TrustedKey.objects.all()[0],
        "updates_signingkey_change": SigningKey.objects.all()[0],
        "updates_signingkey_delete_page": SigningKey.objects.all()[0],
        "updates_repository_change": repository,
        "updates_repository_edit": repository,
        "updates_repository_delete_page": repository,
        "updates_release_change": fleet.artifact().release,
        "updates_release_edit": fleet.artifact().release,
        "updates_release_withdraw": fleet.artifact().release,
        "updates_release_restore": withdrawn,
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
        "devices_device_decommission": kiosk_that_pulls,
        "devices_authset_change": key,
        "devices_authset_reject": key,
        "devices_authset_dismiss": key,
        "devices_device_delete": kiosk,
        "devices_device_host_key": box,
        "devices_device_bulk_order": order,
        "devices_devicegroup_change": group,
        "devices_devicegroup_edit": group,
        "devices_devicegroup_members": group,
        "devices_devicegroup_delete": group,
        "devices_device_engine": box,
        "devices_device_engine_edit": box,
        "devices_device_engine_forget": box,
        "devices_registrylogin_change": registry_login,
        "devices_registrylogin_history": registry_login,
        "devices_registrylogin_delete": registry_login,
        "devices_credential_change": credential,
        "devices_credential_history": credential,
        "devices_credential_delete": credential,
        "core_apitoken_change": ApiToken.objects.get(),
        "auth_user_change": other,
        "auth_user_password_change": other,
        "auth_group_change": Group.objects.get(name="viewer"),
        "auth_group_delete": Group.objects.get(name="viewer"),
        "second_factor_authenticator_change": other.authenticator_set.get(),
        "second_factor_authenticator_delete": other.authenticator_set.get(),
        "axes_accessattempt_change": attempt,
        "axes_accessattempt_delete": attempt,
        "updates_upgradeevent_change": UpgradeEvent.objects.exclude(data={})[0],
        "core_auditevent_change": AuditEvent.objects.all()[0],
        "updates_instance_change": systems.instance,
        "updates_instance_edit": systems.instance,
        "updates_instance_installed": systems.instance,
        "updates_module_change": systems.patch.module,
        **{f"updates_backup_{verb}": backup.watched for verb in ("of", "now")},
        **{f"updates_backup_{verb}": backup for verb in ("change", "restore", "remove")},
        "updates_imageremoval_of_device": box,
        "updates_imageremoval_change": removal,
        "updates_moduleorder_change": systems.module_order,
        "updates_imagecheck_change": systems.installed.image_checks.get(),
        "updates_moduleorder_cancel": systems.module_order,
        **{
            f"updates_installation_{verb}": systems.installed.installation
            for verb in ("reinstall", "uninstall", "hold", "release", "skip", "settings")
        },
        **{
            f"updates_watchedcontainer_{verb}": systems.watched
            for verb in ("change", "upgrade", "settings", "unwatch", "skip", "snooze")
        },
        "updates_watchedcontainer_on": systems.watched.instance.device,
        "updates_installation_install": box,
        "updates_installation_adopt": systems.instance,
        "patches_patch_change": systems.patch,
        "patches_patch_delete_page": systems.patch,
        "patches_node_change": systems.node,
        "patches_node_edit": systems.node,
        "patches_node_restart": systems.node,
        "patches_node_delete_page": systems.node,
    }
    on_instance = [systems.next_patch.pk, systems.instance.pk]
    return {
        "second factor": reverse("second_factor:home"),
        **{
            f"build, {kind}": reverse("admin:updates_artifact_build", args=[kind]) for kind in KINDS
        },
        "all of an app": reverse("admin:app_list", args=["updates"]),
        "the queue": "/queue/",
        "many devices": reverse("admin:devices_device_bulk", args=["refresh"])
        + f"?selection={picked.pk}",
        "reject keys": f"{reverse('admin:devices_authset_reject_many')}?everything=on",
        "forget keys": f"{reverse('admin:devices_authset_dismiss_many')}?everything=on",
        "accept keys": f"{reverse('admin:devices_authset_accept')}?everything=on",
        "accepted keys": f"{reverse('admin:devices_authset_changelist')}?status=accepted",
        "a device that pulls": reverse("admin:devices_device_change", args=[kiosk_that_pulls.pk]),
        "an import": reverse("admin:devices_device_import_preview", args=[brought.pk]),
        "remove images": reverse("admin:updates_imageremoval_remove", args=[box.pk])
        + f"?{urlencode({'image': IMAGE})}",
        "watch containers": reverse(
            "admin:updates_watchedcontainer_watch", args=[systems.watched.instance.device_id]
        )
        + "?container=cache",
        "a patch on an instance": reverse("admin:patches_patch_on", args=on_instance),
        "an instance of a module image": reverse(
            "admin:updates_instance_change", args=[systems.installed.pk]
        ),
        "apply a patch": reverse("admin:patches_patch_apply", args=on_instance),
        **{name: reverse(f"admin:{name}") for name in (*LISTS, *FORMS)},
        **{name: reverse(f"admin:{name}", args=[row.pk]) for name, row in of_one.items()},
        **{
            f"upgrade, {what}": reverse("admin:updates_upgrade_change", args=[upgrade.pk])
            for what, upgrade in (upgrades | systems.upgrades).items()
        },
    }


def with_keys() -> tuple[AuthSet, Device]:
    """Keys of each kind; a pending one, and a device that pulls, which has two and reports much."""
    key = asking_device("52:54:00:00:00:01")
    asking_device("52:54:00:00:00:02", status=AuthSet.Status.REJECTED)
    asking_device("52:54:00:00:00:03", status=AuthSet.Status.PREAUTHORIZED, has_asked=False)
    device = accept(auth_set=asking_device("52:54:00:00:00:04"), actor=PORTAL)
    asking_device("52:54:00:00:00:04")
    numbers = {f"sensor_{number}": str(number) for number in range(30)}
    device.reported |= {"kernel": "6.1.0-18-armmp-lpae", "rooms": ["hall", "lift"], **numbers}
    device.last_seen = clock.now()
    device.save()
    InstalledRecord.objects.create(device=device, artifact_name="release-1", at=clock.now())
    return key, device


def with_backups() -> Backup:
    """Backups of a watched container, each with something else to show; one of those that are there."""
    books = watched("books", device=new_device("host-of-books", device_type="box"))
    backed_up(books, 1, is_live=True, requested_by_name="olga", reason="Before the audit")
    backed_up(books, 2, sha256="", version="")
    backed_up(books, 3, delete_requested_at=clock.now())
    backed_up(books, 4, deleted_at=clock.now())
    no_room = "/var/backups needs 812 MiB for a backup and its way back, and has 40 MiB free."
    Backup.objects.create(watched=books, created_at=clock.now(), error=no_room, reason="Weekly")
    return backed_up(books)


def with_removal(device: Device) -> ImageRemoval:
    """Images that are to go from the device's engine, each with another outcome; one waits for its turn."""
    names = [f"docker.io/library/shop:{number}" for number in range(4)]
    removal = request_removal(
        references=[*names, IMAGE],
        devices=Device.objects.filter(pk=device.pk),
        actor=PORTAL,
        reason="Room for the next version",
    )
    words = {"removed": "", "absent": "", "in_use": "It is used by shop.", "failed": "It said no."}
    outcomes = [[name, *row] for name, row in zip(names, words.items(), strict=True)]
    removal.parts.update(outcomes=outcomes)
    return removal


def with_engine(device: Device) -> None:
    """The device's engine has answered once, and not the last time."""
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.SSH)
    EngineLook.objects.create(
        device=device,
        asked_at=clock.now(),
        answered_at=clock.now(),
        error="The Docker Engine has not answered in time.",
        error_at=clock.now(),
        version="Docker Engine 28.2.2, API 1.45",
        platform="linux/arm64",
        root_dir="/var/lib/docker",
        free_bytes=12 << 30,
        images=[
            {
                "id": "sha256:" + "1" * 64,
                "tags": [IMAGE],
                "digests": [],
                "size": 5 << 20,
                "created": "2026-01-01T00:00:00+00:00",
            }
        ],
        containers=[{"name": "shop", "image_id": "sha256:" + "1" * 64, "state": "running"}],
    )
