"""A program logs in with a name and a password, under the same brake as everybody, and goes on with a token."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from portal.core.models import ApiToken, AuditEvent
from portal.second_factor.models import Authenticator
from portal.second_factor.services import begin
from portal.sign_in.programs import TOKEN_NAME
from tests.mender_management.caller import ARTIFACTS, LOGIN, Script, log_in

pytestmark = pytest.mark.database

PASSWORD = "correct horse battery"


@pytest.fixture
def alice(db: None) -> User:
    return User.objects.create_superuser("alice", password=PASSWORD)


def test_the_answer_is_a_token_and_nothing_else(alice: User) -> None:
    answer = log_in("alice", PASSWORD)
    token = answer.content.decode()
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert token == token.strip()
    assert Script(token).get(ARTIFACTS).status_code == 200


def test_the_token_is_short_lived_and_on_record(alice: User) -> None:
    log_in("alice", PASSWORD)
    kept = ApiToken.objects.get(user=alice)
    assert kept.expires_at is not None
    assert timedelta(0) < kept.expires_at - timezone.now() <= timedelta(days=1)
    assert AuditEvent.objects.filter(action="token.create", actor="alice").exists()


def test_tokens_of_earlier_logins_go_when_they_have_expired_and_no_others(alice: User) -> None:
    log_in("alice", PASSWORD)
    past = timezone.now() - timedelta(seconds=1)
    ApiToken.objects.update(expires_at=past)
    own = ApiToken.objects.create(user=alice, name="nightly", digest="x", expires_at=past)
    log_in("alice", PASSWORD)
    log_in("alice", PASSWORD)
    assert ApiToken.objects.filter(name=TOKEN_NAME).count() == 2
    assert ApiToken.objects.filter(pk=own.pk).exists()


@pytest.mark.parametrize(
    "words",
    [
        ("alice", "wrong"),
        ("nobody", PASSWORD),
        ("", ""),
        ("al\0ice", PASSWORD),
        ("a" * 100_000, PASSWORD),
        ("alice", "\0"),
    ],
)
def test_a_wrong_login_is_a_401_that_says_no_more(alice: User, words: tuple[str, str]) -> None:
    answer = log_in(*words)
    assert answer.status_code == 401
    assert answer.json()["error"] == "This user name and password let nobody in."
    assert not ApiToken.objects.exists()


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic ???", "Basic " + base64.b64encode(b"alice").decode(), "Bearer x"]
)
def test_what_is_no_login_is_a_401(alice: User, header: str) -> None:
    answer = Client().post(LOGIN, headers={"Authorization": header})
    assert answer.status_code == 401
    assert "Basic" in answer.headers["WWW-Authenticate"]


def test_somebody_who_may_not_use_the_pages_does_not_log_in_here_either(alice: User) -> None:
    User.objects.update(is_staff=False)
    assert log_in("alice", PASSWORD).status_code == 401


def test_the_tenth_wrong_password_locks_out_here_and_on_the_login_page(alice: User) -> None:
    statuses = [log_in("alice", "wrong").status_code for _ in range(10)]
    assert statuses == [401] * 9 + [429]
    locked = log_in("alice", PASSWORD)
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "900")
    assert "15 minutes" in locked.json()["error"]
    words = {"username": "alice", "password": PASSWORD}
    assert Client().post("/login/", words, REMOTE_ADDR="192.0.2.1").status_code == 429
    assert log_in("alice", PASSWORD, address="192.0.2.2").status_code == 200


def test_a_login_that_works_forgives_the_ones_before(alice: User) -> None:
    for _ in range(9):
        log_in("alice", "wrong")
    assert log_in("alice", PASSWORD).status_code == 200
    assert not AccessAttempt.objects.exists()


def test_whoever_has_a_second_factor_cannot_log_in_so_and_is_told_what_to_do(alice: User) -> None:
    begin(user=alice)
    Authenticator.objects.update(confirmed=True)
    answer = log_in("alice", PASSWORD)
    assert answer.status_code == 401
    assert "token create" in answer.json()["error"]
    assert not ApiToken.objects.exists()


def test_neither_does_whoever_has_to_have_one(alice: User, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = ["administrator"]
    assert log_in("alice", PASSWORD).status_code == 401


def test_looking_at_the_address_logs_nobody_in(alice: User) -> None:
    answer = Client().get(LOGIN)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")
