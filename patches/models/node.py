"""Running processes that patches are loaded into."""

from __future__ import annotations

from django.db import models

from devices.models import ABSOLUTE, NAME, Device
from portal.core.fields import EncryptedTextField
from updates.models import Instance


class Node(models.Model):
    """A running process of an Instance, on any Device. How it is reached, and what it said when it was last asked.

    `address` is "name@host" for an Erlang node, for Python the folder of its agents' sockets, or a port; `host` is where to ask
    for it, empty: where the address says, or this machine. With `tls_authority` (PEM) an Erlang node speaks TLS only.
    `application` is the OTP application whose version is the system's. `root` is the folder of the system on the node's machine:
    paths in patches start there.

    `restart_needed` says what waits for a restart by hand, `restart_paths` in which files; `restart_said` how the last restart by
    its command ended, `restart_wanted_at` when one was ordered that is not over, or begun. `drift` has a row for each module that
    is not what the record says: {"path", "recorded", "loaded"}.
    """

    class Way(models.TextChoices):
        DIRECT = "direct", "Directly"
        DEVICE = "device", "Through its device's shell connection"

    instance = models.ForeignKey(Instance, on_delete=models.PROTECT, related_name="nodes")
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="nodes")
    name = models.CharField(max_length=100, unique=True, validators=[NAME])
    address = models.CharField(max_length=255)
    host = models.CharField(max_length=255, blank=True)
    way = models.CharField(max_length=20, choices=Way, default=Way.DIRECT)
    tls_authority = models.TextField(blank=True)
    tls_certificate = models.TextField(blank=True)
    tls_key = EncryptedTextField(blank=True)
    port_mapper = models.PositiveIntegerField(default=4369)
    secret = EncryptedTextField()
    root = models.CharField(max_length=1000, validators=[ABSOLUTE])
    application = models.CharField(max_length=100, blank=True)
    restart_command = models.CharField(max_length=1000, blank=True)

    is_reachable = models.BooleanField(null=True, editable=False)
    trouble = models.CharField(max_length=300, blank=True, editable=False)
    runtime = models.CharField(max_length=200, blank=True, editable=False)
    version = models.CharField(max_length=100, blank=True, editable=False)
    asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    seen_at = models.DateTimeField(null=True, blank=True, editable=False)
    restart_needed = models.CharField(max_length=300, blank=True, editable=False)
    restart_paths = models.JSONField(default=list, blank=True, editable=False)
    restart_wanted_at = models.DateTimeField(null=True, blank=True, editable=False)
    restart_said = models.TextField(blank=True, editable=False)
    drift = models.JSONField(default=list, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        permissions = [
            ("look_at_node", "Can ask nodes how they are"),
            ("restart_node", "Can restart nodes by their command"),
            ("set_restart_command", "Can say by which command a node is restarted"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def uses_tls(self) -> bool:
        return bool(self.tls_authority)
