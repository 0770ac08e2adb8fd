"""Who may log in, and what they may do, is in the audit trail whenever somebody changes it."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from portal.core.models import AuditEvent
from tests.access.conftest import MakePerson, browser_of

pytestmark = pytest.mark.database

SECRET = "correct horse battery staple"


@pytest.fixture
def ada(make_person: MakePerson) -> Client:
    """The browser of an administrator."""
    return browser_of(make_person("administrator", username="ada"))


@pytest.fixture
def bob(make_person: MakePerson) -> User:
    return make_person("viewer", username="bob")


def entry(action: str) -> AuditEvent:
    found = AuditEvent.objects.get(action=action)
    assert found.actor == "ada"
    assert SECRET not in str(vars(found))
    return found


def form_of(user: User, **changed: object) -> dict[str, Any]:
    """What the page of the user sends back."""
    stays = {
        "username": user.username, "email": user.email, "is_active": "on", "is_staff": "on",
        "first_name": "", "last_name": "", "date_joined_0": f"{user.date_joined:%Y-%m-%d}",
        "date_joined_1": f"{user.date_joined:%H:%M:%S}",
        "groups": [group.pk for group in user.groups.all()],
    }  # fmt: skip
    return stays | changed


def test_a_new_person_is_on_record_without_the_password(ada: Client) -> None:
    words = {
        "username": "carl",
        "usable_password": "true",
        "password1": SECRET,
        "password2": SECRET,
    }
    assert ada.post(reverse("admin:auth_user_add"), words).status_code == 302
    found = entry("user.create")
    assert (found.subject, found.subject_id) == ("carl", str(User.objects.get(username="carl").pk))
    assert found.data["username"][1] == "carl"
    assert not [word for word in found.data if "password" in word]


def test_roles_that_are_given_and_taken_are_named(ada: Client, bob: User) -> None:
    page = reverse("admin:auth_user_change", args=[bob.pk])
    role = Group.objects.get(name="administrator")
    answer = ada.post(page, form_of(bob, groups=[role.pk], email="bob@fleet.example"))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    found = entry("user.change")
    assert found.data["groups"] == {"added": ["administrator"], "removed": ["viewer"]}
    assert found.data["email"] == ["", "bob@fleet.example"]


def test_another_password_is_on_record_and_one_that_is_refused_is_not(
    ada: Client, bob: User
) -> None:
    page = reverse("admin:auth_user_password_change", args=[bob.pk])
    words = {"usable_password": "true", "password1": SECRET, "password2": SECRET}
    assert ada.post(page, words | {"password2": "another"}).status_code == 200
    assert not AuditEvent.objects.filter(action="user.change_password").exists()
    assert ada.post(page, words).status_code == 302
    found = entry("user.change_password")
    assert (found.subject, found.data) == ("bob", {"can_log_in_by_it": True})


def test_what_a_role_may_do_is_on_record_and_so_is_its_end(ada: Client) -> None:
    first, second = Permission.objects.order_by("pk")[:2]
    add = {"name": "night watch", "permissions": [first.pk]}
    assert ada.post(reverse("admin:auth_group_add"), add).status_code == 302
    role = Group.objects.get(name="night watch")
    assert entry("user_group.create").data["permissions"]["added"] == [str(first)]
    page = reverse("admin:auth_group_change", args=[role.pk])
    assert ada.post(page, add | {"permissions": [second.pk]}).status_code == 302
    changed = entry("user_group.change").data
    assert changed == {"permissions": {"added": [str(second)], "removed": [str(first)]}}
    assert ada.post(page, add | {"permissions": [second.pk]}).status_code == 302
    assert entry("user_group.change"), "nothing was changed, so there is nothing to say"
    gone = reverse("admin:auth_group_delete", args=[role.pk])
    assert ada.post(gone, {"post": "yes"}).status_code == 302
    assert entry("user_group.delete").subject == "night watch"


def test_a_persons_own_new_password_is_on_record(ada: Client) -> None:
    person = User.objects.get(username="ada")
    person.set_password("an old one of ada's")
    person.save()
    ada.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[-1])
    typed = {"old_password": "another", "new_password1": SECRET, "new_password2": SECRET}
    assert ada.post("/password_change/", typed).status_code == 200
    assert not AuditEvent.objects.filter(action="user.change_password").exists()
    typed["old_password"] = "an old one of ada's"
    assert ada.post("/password_change/", typed).status_code == 302
    found = entry("user.change_password")
    assert (found.subject, found.data) == ("ada", {"can_log_in_by_it": True})
    assert ada.get("/").status_code == 200, "and who has changed it stays logged in"
