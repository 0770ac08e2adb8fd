"""How instances were installed from module images."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from devices.models import ABSOLUTE, NAME
from updates.models.module import Instance


class Installation(models.Model):
    """What an Instance of a module image is made of on its device; `instance.version` is the tag of `image`.

    `image`, `image_id` and `digest` are what is in force (empty before the first install has succeeded). `user` is whose
    service manager runs it, `install_dir` its AGENT_INSTALL_DIR. `probes` are the health gate's. One that is held gets no
    update but by a person who names it; `skipped` are versions that are not offered.
    """

    class Scripts(models.TextChoices):
        ABORT = "abort", "Abort and roll back"
        CONTINUE = "continue", "Go on with the next script"

    instance = models.OneToOneField(Instance, on_delete=models.PROTECT, related_name="installation")
    image = models.CharField(max_length=300, blank=True)
    image_id = models.CharField(max_length=80, blank=True)
    digest = models.CharField(max_length=80, blank=True)
    images = models.JSONField(
        default=list,
        editable=False,
        help_text="References in force: the module's image and its services'.",
    )
    rootfull = models.BooleanField(default=False)
    user = models.CharField(max_length=32, validators=[NAME])
    install_dir = models.CharField(max_length=255, validators=[ABSOLUTE])
    on_failed_script = models.CharField(
        max_length=10,
        choices=Scripts,
        default=Scripts.ABORT,
        help_text="When a script of an update ends with an error.",
    )
    keeps_data = models.BooleanField(
        default=False,
        help_text="State directory and volumes are kept before each update, and put back with a rollback.",
    )
    volumes = models.JSONField(default=list, blank=True)
    probes = models.JSONField(default=list, blank=True)
    first_tcp_port = models.PositiveIntegerField(null=True, blank=True)
    tcp_ports = models.PositiveSmallIntegerField(default=0)
    first_udp_port = models.PositiveIntegerField(null=True, blank=True)
    udp_ports = models.PositiveSmallIntegerField(default=0)
    is_held = models.BooleanField(default=False)
    held_why = models.CharField(max_length=300, blank=True)
    skipped = models.JSONField(default=list, blank=True)
    uninstalled_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["instance__name"]
        default_permissions = ("view", "change")
        constraints = [
            models.CheckConstraint(
                condition=Q(is_held=False) | ~Q(held_why=""),
                name="held_installation_says_why",
                violation_error_message="Say why it is held.",
            ),
        ]

    def __str__(self) -> str:
        return self.instance.name
