"""Who works with the demo fleet. Nobody can log in as them: they have no password."""

from __future__ import annotations

from django.contrib.auth.models import Permission, User

from portal.core.actors import Actor, actor_of

PEOPLE = {"maria": "Maria", "jonas": "Jonas"}
APPS = ("devices", "updates")


def make_people() -> None:
    """The operators exist, and may do all that operators do."""
    permissions = Permission.objects.filter(content_type__app_label__in=APPS)
    for username, first_name in PEOPLE.items():
        user, is_new = User.objects.get_or_create(
            username=username, defaults={"first_name": first_name}
        )
        if is_new:
            user.set_unusable_password()
            user.save()
        user.user_permissions.set(permissions)


def person(username: str) -> Actor:
    return actor_of(User.objects.get(username=username))
