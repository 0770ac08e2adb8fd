"""What happened, happens or is to happen to one device. `Upgrade.state` is written by `updates.journal` alone."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from devices.models import Device
from updates.machine import ACTIVE, Outcome, State
from updates.models.artifact import Artifact
from updates.models.deployment import Deployment
from updates.models.module import Instance
from updates.models.module_order import ModuleOrder
from updates.plan import Kind
from updates.recipes.hold import HELD

LONGEST_VERSION = 300
"""An artifact's name has up to 256 characters; what an upgrade left in between is called by that and `_INCONSISTENT`."""


def choices(words: type[State] | type[Outcome] | type[Kind]) -> list[tuple[str, str]]:
    """An enumeration of the pure core as a field's choices."""
    return [(word.value, word.value.replace("_", " ").capitalize()) for word in words]


class Upgrade(models.Model):
    """One target and one order: a row of the upgrade history, never deleted. The target is `instance`, else `device`.

    `fence` counts the holders it has had; a holder with a lower one can write nothing any more. The state's time limit counts
    from `limit_from`, or from `state_entered_at` where that is empty: time in which nobody held the upgrade, or in which it
    waited for somebody's commit, is no step's fault. `outcome` is decided on the way and final once the state is `finished`.
    `error` is the first failure: the reason for everything after it.
    """

    class Executor(models.TextChoices):
        WORKER = "worker", "Worker"
        DEVICE = "device", "Device"
        WATCHDOG = "watchdog", "Watchdog"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=20, choices=choices(Kind))
    executor = models.CharField(max_length=20, choices=Executor, default=Executor.WORKER)
    device = models.ForeignKey(Device, on_delete=models.PROTECT, related_name="upgrades")
    deployment = models.ForeignKey(
        Deployment, null=True, blank=True, on_delete=models.PROTECT, related_name="upgrades"
    )
    artifact = models.ForeignKey(
        Artifact, null=True, blank=True, on_delete=models.PROTECT, related_name="upgrades"
    )
    instance = models.ForeignKey(
        Instance, null=True, blank=True, on_delete=models.PROTECT, related_name="upgrades"
    )
    module_order = models.ForeignKey(
        ModuleOrder, null=True, blank=True, on_delete=models.PROTECT, related_name="upgrades"
    )
    undoes = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="undone_by"
    )
    retries = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="retried_by"
    )
    plan = models.JSONField()
    from_version = models.CharField(max_length=LONGEST_VERSION, blank=True)
    to_version = models.CharField(max_length=LONGEST_VERSION, blank=True)

    state = models.CharField(max_length=30, choices=choices(State), default=State.PENDING)
    outcome = models.CharField(max_length=20, choices=choices(Outcome), null=True, blank=True)  # noqa: DJ001
    unchanged = models.BooleanField(default=False)
    progress = models.PositiveSmallIntegerField(default=0)
    error = models.TextField(blank=True)
    error_code = models.CharField(max_length=20, blank=True)
    error_state = models.CharField(max_length=30, blank=True)
    warning = models.TextField(blank=True)
    facts = models.JSONField(default=dict)

    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    unheld_since = models.DateTimeField(null=True, blank=True, editable=False)
    limit_from = models.DateTimeField(null=True, blank=True, editable=False)
    repeats = models.PositiveSmallIntegerField(default=0)
    last_seq = models.PositiveIntegerField(default=0)
    state_seq = models.PositiveIntegerField(default=0)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_by = models.CharField(max_length=150, blank=True)

    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    requested_by_name = models.CharField(max_length=150)
    reason = models.TextField()
    created_at = models.DateTimeField()
    state_entered_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ("view",)
        permissions = [
            ("cancel_upgrade", "Can cancel an upgrade"),
            ("retry_upgrade", "Can retry an upgrade"),
            ("roll_back_upgrade", "Can roll an upgrade back"),
            ("force_cancel_upgrade", "Can end an upgrade by force"),
            ("recover_upgrade", "Can put an upgrade back on the queue"),
        ]
        indexes = [
            models.Index(fields=["-created_at", "-id"]),
            models.Index(fields=["device", "-created_at"]),
            models.Index(fields=["deployment", "state", "outcome"]),
            models.Index(fields=["deployment", "created_at", "id"], name="upgrade_of_deployment"),
            models.Index(fields=["artifact", "-created_at", "-id"], name="upgrade_of_artifact"),
            models.Index(fields=["instance", "-created_at", "-id"], name="upgrade_of_instance"),
            models.Index(fields=["outcome", "-created_at", "-id"], name="upgrade_by_outcome"),
            models.Index(
                fields=["requested_by_name", "-created_at", "-id"], name="upgrade_by_person"
            ),
            models.Index(fields=["finished_at", "outcome"], name="upgrade_by_end"),
            models.Index(
                fields=["-created_at", "-id"],
                condition=~Q(state="finished"),
                name="upgrade_open",
            ),
            models.Index(
                fields=["device", "created_at", "id"],
                condition=Q(state="pending"),
                name="upgrade_waiting",
            ),
            models.Index(
                fields=["module_order", "created_at", "id"],
                condition=Q(module_order__isnull=False),
                name="upgrade_of_module_order",
            ),
            models.Index(
                # Every device that pulls asks for its own, again and again.
                fields=["device", "created_at", "id"],
                condition=~Q(state="finished"),
                name="upgrade_open_of_device",
            ),
            models.Index(
                fields=["state", "lease_until"],
                condition=~Q(state="finished"),
                name="upgrade_unfinished",
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["device"],
                condition=Q(state__in=sorted(ACTIVE)),
                name="one_active_upgrade_per_device",
            ),
            models.CheckConstraint(
                condition=~Q(state=State.FINISHED)
                | (Q(outcome__isnull=False) & Q(finished_at__isnull=False)),
                name="finished_upgrade_has_outcome",
            ),
            models.CheckConstraint(
                condition=Q(state__in=[state.value for state in State]), name="upgrade_state_known"
            ),
            models.CheckConstraint(condition=Q(progress__lte=100), name="upgrade_progress_percent"),
        ]

    def __str__(self) -> str:
        return f"{self.to_version} on {self.instance or self.device}"

    @property
    def is_held(self) -> bool:
        """It is installed, and waits for somebody who commits it."""
        is_under_way = self.state in ACTIVE and self.cancel_requested_at is None
        return is_under_way and bool(self.facts.get(HELD))


class UpgradeEvent(models.Model):
    """One change of an Upgrade, numbered without a hole; append-only (the database refuses changes).

    `arrow`: `event` took it from `from_state` to `to_state`. `output`: a piece of what a call said, at most 4 KiB; `call` names
    the call, `data["end"]` is how many bytes of it are stored so far. `note`: anything else worth keeping, said in `text`.
    """

    class Kind(models.TextChoices):
        ARROW = "arrow", "Arrow"
        OUTPUT = "output", "Output"
        NOTE = "note", "Note"

    id = models.BigAutoField(primary_key=True)
    upgrade = models.ForeignKey(Upgrade, on_delete=models.PROTECT, related_name="events")
    seq = models.PositiveIntegerField()
    at = models.DateTimeField()
    kind = models.CharField(max_length=10, choices=Kind)
    from_state = models.CharField(max_length=30, blank=True)
    event = models.CharField(max_length=30, blank=True)
    to_state = models.CharField(max_length=30, blank=True)
    call = models.CharField(max_length=100, blank=True)
    text = models.TextField(blank=True)
    data = models.JSONField(default=dict)

    class Meta:
        ordering = ["upgrade", "seq"]
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(fields=["upgrade", "seq"], name="upgrade_event_seq"),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.to_state or self.call or self.text}"
