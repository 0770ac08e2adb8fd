"""People in each role, as the migrations made the roles."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q
from django.test import Client

from portal.roles import ROLES

PASSWORD = "correct horse battery"
MakePerson = Callable[..., User]


@pytest.fixture
def roles(db: None) -> None:
    """The four groups. A test that empties the database takes the migrations' rows with it: then they are made again."""
    for role, names in ROLES.items():
        group, is_new = Group.objects.get_or_create(name=role)
        if is_new:
            wanted = Q(pk=None)
            for name in names:
                app, codename = name.split(".")
                wanted |= Q(content_type__app_label=app, codename=codename)
            group.permissions.set(Permission.objects.filter(wanted))


@pytest.fixture
def make_person(roles: None) -> MakePerson:
    """Somebody who may log in: `make_person("viewer")` has that role, and its name."""

    def make(*names: str, username: str = "") -> User:
        person = User.objects.create_user(
            username or "-".join(names) or "nobody", password=PASSWORD, is_staff=True
        )
        person.groups.set(Group.objects.filter(name__in=names))
        return person

    return make


def browser_of(person: User | None) -> Client:
    """A browser in which `person` is logged in; nobody when it is None."""
    client = Client()
    if person is not None:
        client.force_login(person)
    return client
