"""Containers that the portal looks after: what they are made of, which version is the newest, their backups."""

from __future__ import annotations

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q

from devices.models import ABSOLUTE
from updates.models.module import Instance
from updates.models.upgrade import Upgrade


class WatchedContainer(models.Model):
    """An Instance that is a set of containers of one image on its device's engine; `instance.version` is the tag of `image`.

    `image`, `image_id` and `digest` are what runs, by the portal's record. `containers` are names on the engine, which stop in
    that order. The portal itself `is_portal`: its upgrades are the watchdog's. `newest` is the newest version that the
    registry was seen to have, of those that are not `skipped`, at `answered_at`: what runs, where there is nothing newer.
    `error` is why a later question, at `asked_at`, had no answer. One that was `unwatched_at` some time is watched no longer.
    """

    class Track(models.TextChoices):
        STABLE = "stable", "Releases"
        CANDIDATE = "candidate", "Releases and pre-releases"

    instance = models.OneToOneField(Instance, on_delete=models.PROTECT, related_name="watched")
    image = models.CharField(max_length=300)
    image_id = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=80, blank=True)
    containers = models.JSONField(default=list)
    project_dir = models.CharField(max_length=255, blank=True, validators=[ABSOLUTE])
    is_portal = models.BooleanField(default=False, editable=False)

    backup_dir = models.CharField(
        max_length=255,
        validators=[ABSOLUTE],
        help_text="On the device. Backups hold all of the data: best on an encrypted volume.",
    )
    keeps_backups = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    volumes = models.JSONField(default=list, blank=True)
    hook = models.JSONField(default=list, blank=True)
    dumps = models.JSONField(default=list, blank=True)
    probes = models.JSONField(default=list, blank=True)
    health_seconds = models.PositiveIntegerField(default=120)
    stop_seconds = models.PositiveIntegerField(default=30)

    track = models.CharField(max_length=20, choices=Track, default=Track.STABLE)
    newest = models.CharField(max_length=100, blank=True, editable=False)
    newest_digest = models.CharField(max_length=80, blank=True, editable=False)
    notes_url = models.CharField(max_length=500, blank=True, editable=False)
    notes_template = models.CharField(
        max_length=500,
        blank=True,
        help_text="Where a version's release notes are if its image does not say; {version} stands for it.",
    )
    asked_at = models.DateTimeField(null=True, blank=True, editable=False)
    answered_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.CharField(max_length=500, blank=True, editable=False)
    skipped = models.JSONField(default=list, blank=True)
    snoozed_until = models.DateTimeField(null=True, blank=True)
    unwatched_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["instance__name"]
        default_permissions = ("view", "add", "change")
        permissions = [
            ("upgrade_container", "Can upgrade a container"),
            ("force_container", "Can upgrade a container by force, or without a backup"),
            ("upgrade_portal", "Can upgrade the portal itself"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["is_portal"], condition=Q(is_portal=True), name="one_portal"
            ),
            models.CheckConstraint(
                condition=Q(keeps_backups__gte=1),
                name="container_keeps_a_backup",
                violation_error_message="At least one backup is kept.",
            ),
        ]

    def __str__(self) -> str:
        return self.instance.name


class Backup(models.Model):
    """A copy of the data of a watched container, in one file on its device. `size` is in bytes; the row outlives the file.

    `upgrade` made it; None: a person asked for it, or has put it there (`requested_by_name` is empty). One that `is_live` was
    taken while the container ran. `error` is why there is none, or why it could not be deleted. `facts` are what the worker
    that makes it remembers.
    """

    watched = models.ForeignKey(WatchedContainer, on_delete=models.PROTECT, related_name="backups")
    upgrade = models.ForeignKey(
        Upgrade, null=True, blank=True, on_delete=models.PROTECT, related_name="backups"
    )
    path = models.CharField(max_length=500, blank=True)
    size = models.BigIntegerField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    version = models.CharField(max_length=100, blank=True)
    is_live = models.BooleanField(default=False)
    error = models.CharField(max_length=500, blank=True)
    reason = models.TextField(blank=True)
    requested_by_name = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    taken_at = models.DateTimeField(null=True, blank=True)
    delete_requested_at = models.DateTimeField(null=True, blank=True)
    deleted_at = models.DateTimeField(null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True, editable=False)

    class Meta:
        ordering = ["-created_at", "-id"]
        default_permissions = ("view", "add", "delete")
        permissions = [("restore_backup", "Can put a backup back")]
        indexes = [models.Index(fields=["watched", "-created_at"], name="backup_of_container")]

    def __str__(self) -> str:
        return self.path.rpartition("/")[2] or f"Backup of {self.watched}"

    @property
    def is_waiting(self) -> bool:
        """Whether a worker is to make it, or makes it."""
        return self.taken_at is None and not self.error

    @property
    def is_there(self) -> bool:
        """Whether the file is on the device, by the portal's record."""
        return self.taken_at is not None and self.deleted_at is None
