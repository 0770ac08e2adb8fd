"""Devices, their groups, and what opens them."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.db.models.fields.json import KT

from portal.core.fields import EncryptedTextField

NAME = RegexValidator(
    r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z",
    "Letters, digits, dots, dashes and underscores; starts with one.",
)
ABSOLUTE = RegexValidator(r"^/[^\0\n]*\Z", "An absolute path on the device.")


class Credential(models.Model):
    """What a driver logs in with. Secrets are encrypted at rest, and never shown again once saved."""

    class Kind(models.TextChoices):
        SSH_KEY = "ssh_key", "SSH key"
        PASSWORD = "password", "Password"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind)
    username = models.CharField(max_length=100)
    secret = EncryptedTextField()
    passphrase = EncryptedTextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Device(models.Model):
    """Something we update: a host, an embedded device.

    `provides` is what is installed, as Mender means it (artifact_name, rootfs-image.*.version, ...): what the last committed
    upgrade left, or what the device itself reported. `attributes` is its inventory.
    """

    class Driver(models.TextChoices):
        LOCAL = "local", "Local shell"
        SSH = "ssh", "SSH"

    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    device_type = models.CharField(max_length=100, validators=[NAME])
    driver = models.CharField(max_length=20, choices=Driver)
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(default=22)
    credential = models.ForeignKey(
        Credential, null=True, blank=True, on_delete=models.PROTECT, related_name="devices"
    )
    host_key = models.TextField(blank=True, help_text="Confirmed by an operator, then pinned.")
    offered_host_key = models.TextField(blank=True, editable=False)
    root = models.CharField(max_length=255, default="/", validators=[ABSOLUTE])
    attributes = models.JSONField(default=dict, blank=True)
    provides = models.JSONField(default=dict, blank=True)
    last_seen = models.DateTimeField(null=True, blank=True, editable=False)
    unreachable_reason = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("confirm_host_key", "Can confirm a device's host key"),
            ("refresh_device", "Can ask a device what it is and has"),
            ("use_local_driver", "Can have the portal's own host be a device"),
        ]
        indexes = [
            models.Index(fields=["device_type", "name"], name="device_by_type"),
            models.Index(fields=["last_seen"], name="device_by_last_seen"),
            models.Index(KT("provides__artifact_name"), name="device_by_installed"),
            models.Index(
                fields=["name"],
                condition=Q(provides__artifact_name__endswith="_INCONSISTENT"),
                name="device_inconsistent",
            ),
            models.Index(
                fields=["name"], condition=~Q(unreachable_reason=""), name="device_unreachable"
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=~Q(driver="ssh") | (~Q(host="") & Q(credential__isnull=False)),
                name="device_ssh_has_host_and_credential",
                violation_error_message="A device reached by SSH needs a host and a credential.",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def artifact_name(self) -> str:
        """The name of what is installed; empty when nobody knows."""
        return str(self.provides.get("artifact_name", ""))

    @property
    def work_root(self) -> str:
        """The folder on the device that is ours: file trees, step records, fences."""
        return f"{self.root.rstrip('/')}/var/lib/fleetwright"

    @property
    def modules_dir(self) -> str:
        """Where the device's own Update Modules are (Mender's place for them)."""
        return f"{self.root.rstrip('/')}/usr/share/mender/modules/v3"


class EngineAccess(models.Model):
    """How a device's Docker Engine is reached. PEM texts are for TCP; the key is encrypted at rest, and never shown."""

    class Way(models.TextChoices):
        UNIX = "unix", "Socket of the portal's own machine"
        TCP = "tcp", "TCP with TLS"
        SSH = "ssh", "The device's SSH connection"

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="engine_access")
    way = models.CharField(max_length=10, choices=Way)
    socket_path = models.CharField(
        max_length=255,
        blank=True,
        validators=[ABSOLUTE],
        help_text="Empty: /var/run/docker.sock, or with SSH the one that the login's Docker client finds.",
    )
    host = models.CharField(max_length=255, blank=True)
    port = models.PositiveIntegerField(default=2376)
    authority = models.TextField(blank=True)
    certificate = models.TextField(blank=True)
    key = EncryptedTextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["device__name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(way="tcp") | ~Q(host=""),
                name="engine_by_tcp_has_host",
                violation_error_message="An engine reached by TCP needs a host.",
            ),
        ]

    def __str__(self) -> str:
        return f"Engine of {self.device}"


class EngineLook(models.Model):
    """What a device's engine said when it was last asked; pages show this, and never ask an engine themselves.

    `images` and `containers` are as `devices.services.engine_looks` writes them. `error` is why the last question had no
    answer; the rest is then from the last one that had. `free_bytes` is the room where the engine keeps its images; None:
    only the engine could be asked, and engines do not know.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="engine_look")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)
    error = models.CharField(max_length=500, blank=True)
    error_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=200, blank=True)
    platform = models.CharField(max_length=100, blank=True)
    root_dir = models.CharField(max_length=500, blank=True)
    free_bytes = models.BigIntegerField(null=True)
    images = models.JSONField(default=list)
    containers = models.JSONField(default=list)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"Look at the engine of {self.device}"

    @property
    def is_being_taken(self) -> bool:
        """Whether it was asked for, and neither answer nor error has come since."""
        heard = [when for when in (self.answered_at, self.error_at) if when is not None]
        return not heard or max(heard) < self.asked_at


class RegistryLogin(models.Model):
    """Who the portal is to one registry, for itself and for engines that pull. The secret is encrypted at rest."""

    registry = models.CharField(
        max_length=255, unique=True, help_text="Its host, and its port if it has one: ghcr.io"
    )
    username = models.CharField(max_length=255)
    secret = EncryptedTextField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["registry"]

    def __str__(self) -> str:
        return self.registry


class DeviceGroup(models.Model):
    """Many devices under one name: listed one by one (static), or all that a saved filter finds, whenever asked (dynamic).

    `filter` holds the words of a device list's query, e.g. {"device_type": "raspberrypi4"}; an empty one finds all devices.
    """

    class Kind(models.TextChoices):
        STATIC = "static", "Static: listed devices"
        DYNAMIC = "dynamic", "Dynamic: a saved filter"

    name = models.CharField(max_length=100, unique=True)
    kind = models.CharField(max_length=20, choices=Kind, default=Kind.STATIC)
    description = models.TextField(blank=True)
    members = models.ManyToManyField(Device, blank=True, related_name="static_groups")
    filter = models.JSONField(default=dict, blank=True)
    signed_only = models.BooleanField(
        default=False,
        help_text="Its devices take only artifacts that a trusted key has signed.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("guard_devicegroup", "Can change groups that take signed artifacts only"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="dynamic") | Q(filter={}),
                name="static_group_has_no_filter",
                violation_error_message="A static group has members, not a filter.",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class StoredSelection(models.Model):
    """Devices that somebody picked in a list, on the way to the page of a verb: listed one by one, or all that words find.

    Good for its owner and for a day; what it means is asked again each time, through what the owner may touch by then.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    ids = models.JSONField(default=list, help_text="Of the picked devices; none: `words` tell.")
    words = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{len(self.ids)} devices" if self.ids else f"devices with {self.words}"


class StoredImport(models.Model):
    """A file of devices that somebody uploaded, between its preview and the word to carry it out. Good for a day."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=255)
    content = models.BinaryField()
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name


class BulkOrder(models.Model):
    """One verb for many devices: `ids` is frozen, the first `done` of them are dealt with, some of which failed."""

    class Verb(models.TextChoices):
        REFRESH = "refresh", "Refresh"
        ADD_TO_GROUP = "add_to_group", "Add to a group"
        REMOVE_FROM_GROUP = "remove_from_group", "Remove from a group"
        DELETE = "delete", "Delete"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    verb = models.CharField(max_length=20, choices=Verb)
    group = models.ForeignKey(
        DeviceGroup, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    ids = models.JSONField(default=list)
    total = models.PositiveIntegerField()
    done = models.PositiveIntegerField(default=0)
    failed = models.PositiveIntegerField(default=0)
    failures = models.JSONField(default=list, help_text="Device and reason, for the first of them.")
    reason = models.TextField()
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]
        default_permissions = ()
        indexes = [
            models.Index(
                fields=["created_at"], condition=Q(finished_at=None), name="bulk_order_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verb_display()}: {self.total} devices"
