"""Who asks, in tests of the verbs."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User

from portal.core.actors import Actor, actor_of

PERMISSIONS = (
    "apply_artifact",
    "cancel_upgrade",
    "check_artifact",
    "delete_artifact",
    "deploy_artifact",
    "retry_upgrade",
    "roll_back_upgrade",
    "upload_artifact",
    "upload_updatemodule",
)


def somebody(name: str, *permissions: str, app: str = "updates") -> Actor:
    """A logged-in person with these permissions of `app`, and no others."""
    user = User.objects.create_user(name)
    user.user_permissions.set(
        Permission.objects.filter(content_type__app_label=app, codename__in=permissions)
    )
    return actor_of(User.objects.get(pk=user.pk))


def operator() -> Actor:
    """Somebody who may do everything with updates."""
    return somebody("olga", *PERMISSIONS)
