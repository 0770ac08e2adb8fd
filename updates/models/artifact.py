"""What can be installed."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from updates.models.release import Release
from updates.models.trusted_key import TrustedKey


class Artifact(models.Model):
    """An uploaded, immutable Mender Artifact: verified when it came in, described so that nobody has to open it again.

    `manifest` and `signature` (base64) are kept of a signed one; `signed_by` is the key of those trusted now that made it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=256, db_index=True)
    release = models.ForeignKey(Release, on_delete=models.PROTECT, related_name="artifacts")
    group = models.CharField(max_length=256, blank=True)
    payload_type = models.CharField(max_length=100, db_index=True)
    device_types = models.JSONField()
    depends_names = models.JSONField(default=list)
    depends_groups = models.JSONField(default=list)
    depends = models.JSONField(default=dict)
    provides = models.JSONField(default=dict)
    clears_provides = models.JSONField(null=True)
    header_info = models.TextField()
    type_info = models.TextField()
    meta_data = models.TextField(blank=True)
    scripts = models.JSONField(default=list)
    files = models.JSONField(
        default=list, help_text="Name, size in bytes and SHA-256 of each payload file."
    )
    warnings = models.JSONField(default=list)
    is_signed = models.BooleanField(default=False)
    manifest = models.TextField(blank=True)
    signature = models.TextField(blank=True)
    signed_by = models.ForeignKey(
        TrustedKey, null=True, blank=True, on_delete=models.SET_NULL, related_name="artifacts"
    )
    size = models.PositiveBigIntegerField(help_text="Bytes of the stored file.")
    unpacked_size = models.PositiveBigIntegerField(help_text="Bytes of all payload files.")
    sha256 = models.CharField(max_length=64, unique=True)
    file = models.FileField(upload_to="artifacts", max_length=255)
    notes = models.TextField(blank=True)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    uploaded_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-uploaded_at"]
        default_permissions = ("view", "delete")
        permissions = [
            ("upload_artifact", "Can upload artifacts"),
            ("check_artifact", "Can check an artifact against devices"),
            ("deploy_artifact", "Can deploy an artifact to many devices"),
            ("apply_artifact", "Can apply an artifact to one device"),
        ]

    def __str__(self) -> str:
        return self.name
