"""The small commands."""

from __future__ import annotations

from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from portal.core.models import ApiToken, AuditEvent
from portal.core.tokens import find_token
from portal.management import first_start

pytestmark = pytest.mark.database


def _run(*words: str) -> str:
    said = StringIO()
    call_command(*words, stdout=said)
    return said.getvalue().strip()


@pytest.fixture
def user() -> User:
    return User.objects.create_user("robot")


def test_a_token_is_shown_once_and_opens_the_api_for_its_user(user: User) -> None:
    plain = _run("token", "create", "robot", "--name", "ci", "--days", "7")
    token = find_token(plain)
    assert token is not None
    assert (token.user, token.name) == (user, "ci")
    assert token.expires_at is not None
    assert plain not in _run("token", "list")


def test_the_list_says_whose_token_it_is_and_whether_it_lives(user: User) -> None:
    plain = _run("token", "create", "robot", "--name", "ci")
    token = ApiToken.objects.get()
    assert _run("token", "list") == f"{token.pk}\trobot\tci\texpires never\tnever used"
    _run("token", "revoke", str(token.pk))
    assert "revoked" in _run("token", "list")
    assert find_token(plain) is None
    acts = AuditEvent.objects.order_by("at").values_list("action", flat=True)
    assert list(acts) == ["token.create", "token.revoke"]


@pytest.mark.parametrize(
    "words", [["create", "nobody"], ["create", "robot", "--days", "0"], ["revoke", "4711"]]
)
def test_what_cannot_be_done_is_said_and_not_done(user: User, words: list[str]) -> None:
    with pytest.raises(CommandError):
        _run("token", *words)
    assert not ApiToken.objects.exists()


def test_recover_says_how_much_it_put_back() -> None:
    assert _run("recover") == "0 upgrades were put back on the queue."


def test_an_admin_is_made_once_and_can_log_in() -> None:
    password = first_start.make_admin()
    assert password is not None
    assert first_start.make_admin() is None
    answer = Client().post("/login/", {"username": "admin", "password": password, "next": "/"})
    assert answer.status_code == 302


def test_no_admin_is_made_where_there_is_a_superuser() -> None:
    User.objects.create_superuser("root")
    assert first_start.make_admin() is None
    assert not User.objects.filter(username="admin").exists()


def test_the_process_lives_whatever_is_missing_but_is_not_ready_without_redis() -> None:
    assert Client().get("/livez").json() == {"status": "alive"}
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"]["database"] == "ok"
    assert Client().post("/livez").status_code == 405
