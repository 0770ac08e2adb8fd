"""One of everything that an address can name."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from axes.models import AccessAttempt
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django_rq import get_connection
from rq import Queue

from devices.models import (
    AuthSet,
    BulkOrder,
    Credential,
    Device,
    DeviceGroup,
    EngineAccess,
    RegistryLogin,
    StoredImport,
    StoredSelection,
)
from devices.services.bulk import order_bulk
from patches.models import Node, Patch
from portal.core import clock
from portal.core.actors import PORTAL, actor_of
from portal.core.models import ApiToken, AuditEvent, SavedFilter
from portal.core.tokens import create_token
from portal.second_factor.services import begin
from tests.journal.rows import new_artifact, new_device, new_upgrade
from tests.modules.rows import NEW
from tests.modules.rows import new_instance as new_installed
from tests.modules.rows import order as order_module
from tests.patches.rows import checked, new_instance, new_node, new_patch
from tests.pulled.rows import asking_device
from tests.watching.rows import backed_up, container, seen, watched
from updates.models import (
    Artifact,
    Backup,
    Deployment,
    ImageCheck,
    ImageRemoval,
    Instance,
    ModuleOrder,
    Repository,
    SigningKey,
    TrustedKey,
    UpdateModule,
    Upgrade,
    WatchedContainer,
)
from updates.services.artifacts import upload_update_module
from updates.services.checks import request_checks
from updates.services.container_desk import order_upgrade
from updates.services.deployments import deploy_artifact
from updates.services.image_checks import request_image_checks
from updates.services.keys import Generated, generate_signing_key
from updates.services.local_images import request_removal

OFFERED = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
PUBLIC_KEY = (
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEBjxumfZE0RJ72PiEDsjLzs0IT4ZR\n"
    "mMRPu0jMW+AHK/e2c0UroxjGbHTlwitwAxhPagRmM262GqoPinljScKeXA==\n"
    "-----END PUBLIC KEY-----\n"
)
CLOSED_PORT = 1
NEXT_CONTAINER = "next"
PLACE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


@dataclass(frozen=True)
class World:
    artifact: Artifact
    unused_artifact: Artifact
    module: UpdateModule
    device: Device
    spare_device: Device
    group: DeviceGroup
    credential: Credential
    deployment: Deployment
    upgrade: Upgrade
    patch: Patch
    node: Node
    installed: Instance
    module_order: ModuleOrder
    watched: WatchedContainer
    container_upgrade: Upgrade
    backup: Backup
    _names: dict[int, list[tuple[str, object]]] = field(default_factory=dict)

    def address(self, route: str, *, by: User) -> str:
        """An address of the URL configuration's `route`, with a name of something of ours, or of `by`'s own, in each place."""
        filled = PLACE.sub(lambda place: self._fill(route, place[1] or place[2], by=by), route)
        return "/" + re.sub(r"[\^$]|\\(?=\.)", "", filled) + self._query(route, by=by)

    def _query(self, route: str, *, by: User) -> str:
        """What the address makes no sense without."""
        if route == "autocomplete/":
            return "?app_label=devices&model_name=devicegroup&field_name=members"
        if route == "devices/device/bulk/<slug:verb>/":
            return f"?selection={StoredSelection.objects.get(owner=by).pk}"
        if re.fullmatch(r"devices/authset/(accept|reject-many|dismiss-many)/", route):
            return f"?key={AuthSet.objects.get().pk}"
        if route == "updates/imageremoval/on/<int:device>/remove/":
            return "?image=shop:1"
        return ""

    def _fill(self, route: str, place: str, *, by: User) -> str:
        fixed = {
            "form": "csv",
            "app_label": "devices",
            "url": "no-such-page",
            "queue_index": "0",
            "connection_index": "0",
            "scheduler_name": "none",
            "cron_job_name": "none",
            "key": "rq:worker:none",
            "result_id": "none",
            "content_type_id": str(ContentType.objects.get_for_model(Device).pk),
            "device": str(self.device.pk),
            "verb": "refresh",
            "instance": str(self.node.instance_id),
            "patch": str(self.patch.pk),
            "kind": "any",
            "word": "none",
        }
        if place in fixed:
            return fixed[place]
        if place == "job_id":
            return _job()
        if by.pk not in self._names:
            self._names[by.pk] = self._named(by)
        return str(next(pk for start, pk in self._names[by.pk] if route.startswith(start)))

    def _named(self, by: User) -> list[tuple[str, object]]:
        return [
            ("api/v1/device-keys", AuthSet.objects.get().pk),
            ("devices/authset/", AuthSet.objects.get().pk),
            *(
                (route, Device.objects.get(driver="pull").pk)
                for route in (
                    "devices/device/<int:pk>/decommission/",
                    "api/v1/devices/<int:pk>/decommission",
                )
            ),
            ("devices/device/import/", StoredImport.objects.get(owner=by).pk),
            ("devices/device/bulk/", BulkOrder.objects.values_list("pk", flat=True)[0]),
            ("devices/device/filters/", SavedFilter.objects.get(owner=by).pk),
            ("api/management/", self.unused_artifact.pk),
            ("patches/patch/", self.patch.pk),
            ("patches/node/", self.node.pk),
            ("updates/instance/", self.node.instance_id),
            ("updates/installation/", self.installed.installation.pk),
            ("api/v1/installations", self.installed.installation.pk),
            ("updates/moduleorder/", self.module_order.pk),
            ("api/v1/module-orders", self.module_order.pk),
            ("updates/imagecheck/", ImageCheck.objects.values_list("pk", flat=True)[0]),
            ("api/v1/image-checks", ImageCheck.objects.values_list("pk", flat=True)[0]),
            ("updates/backup/of/", self.backup.watched_id),
            ("updates/backup/", self.backup.pk),
            ("api/v1/backups", self.backup.pk),
            ("updates/imageremoval/", ImageRemoval.objects.values_list("pk", flat=True)[0]),
            ("api/v1/image-removals", ImageRemoval.objects.values_list("pk", flat=True)[0]),
            ("updates/watchedcontainer/", self.watched.pk),
            ("api/upgrade/", self.container_upgrade.pk),
            ("api/v1/watched-containers", self.watched.pk),
            ("updates/module/", self.patch.module_id),
            ("api/v1/patches/<uuid:patch>", self.patch.checks.values_list("pk", flat=True)[0]),
            ("api/v1/patches", self.patch.pk),
            ("api/v1/nodes", self.node.pk),
            ("api/v1/instances", self.node.instance_id),
            ("api/v1/modules", self.patch.module_id),
            ("api/v1/releases", self.artifact.release_id),
            ("updates/release/", self.artifact.release_id),
            ("api/v1/trusted-keys", TrustedKey.objects.values_list("pk", flat=True)[0]),
            ("updates/trustedkey/", TrustedKey.objects.values_list("pk", flat=True)[0]),
            ("api/v1/signing-keys", SigningKey.objects.values_list("pk", flat=True)[0]),
            ("updates/signingkey/", SigningKey.objects.values_list("pk", flat=True)[0]),
            ("api/v1/repositories", Repository.objects.values_list("pk", flat=True)[0]),
            ("updates/repository/", Repository.objects.values_list("pk", flat=True)[0]),
            ("api/v1/artifacts", self.artifact.pk),
            ("updates/artifact/", self.artifact.pk),
            ("api/v1/update-modules", self.module.pk),
            ("updates/updatemodule/", self.module.pk),
            ("api/v1/deployments", self.deployment.pk),
            ("updates/deployment/", self.deployment.pk),
            ("api/v1/upgrades", self.upgrade.pk),
            ("api/devices/", self.upgrade.pk),
            ("updates/upgrade/", self.upgrade.pk),
            ("updates/upgradeevent/", self.upgrade.events.values_list("pk", flat=True)[0]),
            ("api/v1/devices", self.device.pk),
            ("devices/device/", self.device.pk),
            ("api/v1/bulk-orders", BulkOrder.objects.values_list("pk", flat=True)[0]),
            ("api/v1/device-groups", self.group.pk),
            ("devices/devicegroup/", self.group.pk),
            ("api/v1/engines", self.device.engine_access.pk),
            ("api/v1/registry-logins", RegistryLogin.objects.values_list("pk", flat=True)[0]),
            ("devices/registrylogin/", RegistryLogin.objects.values_list("pk", flat=True)[0]),
            ("api/v1/credentials", self.credential.pk),
            ("devices/credential/", self.credential.pk),
            ("api/v1/audit-events", AuditEvent.objects.values_list("pk", flat=True)[0]),
            ("core/auditevent/", AuditEvent.objects.values_list("pk", flat=True)[0]),
            ("core/apitoken/", ApiToken.objects.values_list("pk", flat=True)[0]),
            ("auth/user/", User.objects.get(username="somebody").pk),
            ("auth/group/", Group.objects.get(name="viewer").pk),
            ("second_factor/authenticator/", _authenticator()),
            ("axes/accessattempt/", AccessAttempt.objects.values_list("pk", flat=True)[0]),
            ("r/", self.device.pk),
        ]

    def body(self, route: str) -> dict[str, object]:
        """An order that the API takes; without one it would refuse it before asking who orders."""
        artifact = str(self.artifact.pk)
        everybody: dict[str, object] = {"all": True}
        why = {"reason": "Because"}
        device = {"name": "new", "device_type": "box", "driver": "ssh", "host": "192.0.2.1"}
        secret = {"name": "new", "kind": "password", "username": "root", "secret": "open"}
        on = {"module": self.patch.module_id, "device": self.spare_device.pk}
        bodies: dict[str, dict[str, object]] = {
            "artifacts/<uuid:artifact>/checks": everybody,
            "releases/<int:pk>": {"notes": "New", "tags": ["stable"]},
            "releases/<int:pk>/check": everybody,
            "update-modules/<int:module>/checks": everybody,
            "trusted-keys": {"name": "new", "pem": PUBLIC_KEY},
            "signing-keys": {"name": "new", "generate": "ecdsa-p256"},
            "devices": {**device, "credential": self.credential.pk},
            "devices/<int:pk>": {**device, "credential": self.credential.pk},
            "devices/<int:pk>/confirm-host-key": {"key": OFFERED},
            "device-keys": {"identity": {"mac": "01"}, "public_key": PUBLIC_KEY, **why},
            "device-keys/reject-many": dict(why),
            "device-keys/forget-many": dict(why),
            "device-groups": {"name": "New"},
            "device-groups/<int:pk>": {"name": "New"},
            "device-groups/<int:pk>/change-members": {"add": [self.device.pk]},
            "bulk-orders": {"verb": "refresh", **everybody, **why},
            "credentials": dict(secret),
            "credentials/<int:pk>": dict(secret),
            "engines": {"device": self.spare_device.pk, "way": "unix"},
            "engines/<int:pk>": {"socket_path": "/run/docker.sock"},
            "registry-logins": {"registry": "quay.io", "username": "new", "secret": "open"},
            "registry-logins/<int:pk>": {"username": "new"},
            "modules": {"name": "new", "runtime": "beam"},
            "repositories": {"name": "new", "url": "http://127.0.0.1:1"},
            "instances": {**on, "name": "new", "version": "1"},
            "instances/<int:pk>/installed": {"version": "2", **why},
            "installations": {"image": NEW, "device": self.spare_device.pk, **why},
            "installations/adopt": {"image": NEW, "instance": self.node.instance_id, **why},
            "installations/<int:pk>": {"keeps_data": True},
            "installations/<int:pk>/skip": {"version": "1.1.0"},
            "installations/<int:pk>/offer": {"version": "1.1.0"},
            "watched-containers": {
                "device": self.watched.instance.device_id,
                "containers": [NEXT_CONTAINER],
                **why,
            },
            "watched-containers/<int:pk>": {"keeps_backups": 2},
            "watched-containers/<int:pk>/upgrade": {"version": "1.1.0", **why},
            "watched-containers/<int:pk>/skip": {"version": "1.1.0"},
            "watched-containers/<int:pk>/offer": {"version": "1.1.0"},
            "watched-containers/<int:pk>/snooze": {"days": 7},
            "watched-containers/<int:pk>/check": {},
            "watched-containers/<int:pk>/ask": {},
            "module-orders/available": {},
            "module-orders": {"module_url": NEW, "instances": [self.installed.name]},
            "image-checks": {"image": NEW, "instances": [self.installed.name]},
            "backups": {"container": self.backup.watched.instance.name, **why},
            "image-removals": {"references": ["shop:1"], **everybody, **why},
            "nodes": {
                "name": "new",
                "instance": self.node.instance_id,
                "device": self.device.pk,
                "address": "new@host",
                "root": "/opt",
                "secret": "cookie",
            },
            "patches/<uuid:patch>/checks": {"instances": [self.node.instance_id]},
            "patches/<uuid:pk>/apply": {"instance": self.node.instance_id, **why},
            "patches/<uuid:pk>/revert": {"instance": self.node.instance_id, **why},
            "deployments": {"artifact": artifact, **everybody, **why},
            "deployments/preview": {"artifact": artifact, **everybody},
            "upgrades": {"artifact": artifact, "device": self.spare_device.pk, **why},
        }
        return bodies.get(route.removeprefix("api/v1/"), dict(why))


def give(person: User, device: Device) -> None:
    """What only its owner sees, each in a version of this person's."""
    now = clock.now()
    StoredImport.objects.create(
        owner=person, name="fleet.csv", content=b"name,device_type\n", created_at=now
    )
    StoredSelection.objects.create(owner=person, ids=[device.pk], created_at=now)
    SavedFilter.objects.create(
        owner=person, place=SavedFilter.Place.DEVICES, name="Boxes", query="device_type=box"
    )


def make_world(folder: Path) -> World:
    """A waiting upgrade, a deployment of it to others, and whatever has a page."""
    somebody = User.objects.create_user("somebody", is_staff=True)
    create_token(user=somebody, name="tests", actor=PORTAL)
    begin(user=somebody)
    AccessAttempt.objects.create(
        username="somebody", ip_address="192.0.2.1", failures_since_start=1, path_info="/login/"
    )
    credential = Credential.objects.create(
        name="key", kind="password", username="root", secret="s3cret-word"
    )
    device = new_device(
        "far",
        driver=Device.Driver.SSH,
        host="127.0.0.1",
        port=CLOSED_PORT,
        credential=credential,
        offered_host_key=OFFERED,
        root=str(folder),
    )
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.SSH)
    RegistryLogin.objects.create(registry="ghcr.io", username="us", secret="s3cret-word")
    stored = default_storage.save("artifacts/release-1.mender", ContentFile(b"1"))
    artifact = new_artifact("release-1", file=stored)
    upgrade = new_upgrade(device, artifact)
    spare = new_device("spare")
    deployment = deploy_artifact(
        artifact=artifact, devices=Device.objects.all(), actor=PORTAL, reason="All of them"
    )
    request_checks(artifact=artifact, devices=[device], actor=PORTAL)
    order_bulk(
        verb=BulkOrder.Verb.REFRESH,
        devices=Device.objects.filter(pk=device.pk),
        actor=actor_of(User.objects.create_superuser("root")),
        reason="Ask it",
    )
    asking_device("52:54:00:00:00:01")
    new_device("kiosk", driver=Device.Driver.PULL)
    generate_signing_key(name="house", kind=Generated.ECDSA, actor=PORTAL)
    Repository.objects.create(name="own", url="https://modules.example", added_at=clock.now())
    request_removal(
        references=["shop:1"],
        devices=Device.objects.filter(pk=device.pk),
        actor=PORTAL,
        reason="Room",
    )
    group = DeviceGroup.objects.create(name="Boxes")
    group.members.add(device)
    patch, node = new_patch(), new_node(new_instance())
    checked(patch, node.instance)
    installed = new_installed("mymodule1")
    request_image_checks(image=NEW, instances=[installed], actor=PORTAL)
    return World(
        artifact=artifact,
        unused_artifact=new_artifact("release-2"),
        module=upload_update_module(
            name="web-file", file=ContentFile(b"#!/bin/sh\n"), actor=PORTAL
        ),
        device=device,
        spare_device=spare,
        group=group,
        credential=credential,
        deployment=deployment,
        upgrade=upgrade,
        patch=patch,
        node=node,
        installed=installed,
        module_order=order_module(installed, actor=PORTAL),
        watched=_watched(),
        backup=_backup(),
        container_upgrade=order_upgrade(
            watched=watched("cart"), version="1.1.0", actor=PORTAL, reason="It is time"
        ),
    )


def _watched() -> WatchedContainer:
    """One container that is watched, on an engine with another one that is not."""
    row = watched("shop")
    seen(row.instance.device, container("shop"), container(NEXT_CONTAINER))
    return row


def _backup() -> Backup:
    """One of two."""
    books = watched("books")
    backed_up(books, 1)
    return backed_up(books)


def _authenticator() -> int:
    return int(
        User.objects.get(username="somebody").authenticator_set.values_list("pk", flat=True)[0]
    )


def _job() -> str:
    """A job that waits on the queue, whoever emptied it before."""
    queue = Queue("updates", connection=get_connection("updates"))
    return str(queue.enqueue("portal.core.clock.now").id)
