"""Logins that fail too often are not taken any more, for a while."""

from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from portal.core.tokens import create_token
from portal.sign_in.address import client_address
from tests.access.conftest import PASSWORD, MakePerson, browser_of

pytestmark = pytest.mark.database

LOGIN = "/login/"


@pytest.fixture
def alice(make_person: MakePerson) -> User:
    return make_person("viewer", username="alice")


def log_in(password: str, *, address: str = "192.0.2.1", username: str = "alice") -> int:
    words = {"username": username, "password": password, "next": "/"}
    return Client().post(LOGIN, words, REMOTE_ADDR=address).status_code


def fail(times: int) -> list[int]:
    return [log_in("wrong") for _ in range(times)]


def test_the_tenth_wrong_password_locks_out(alice: User) -> None:
    assert fail(10) == [200] * 9 + [429]
    assert log_in(PASSWORD) == 429


def test_nine_wrong_passwords_do_not(alice: User) -> None:
    fail(9)
    assert log_in(PASSWORD) == 302
    assert not AccessAttempt.objects.exists()


def test_somebody_elsewhere_is_not_locked_out_with_them(alice: User) -> None:
    fail(10)
    assert log_in(PASSWORD, address="192.0.2.2") == 302


def test_a_colleague_at_the_same_address_is_not_locked_out_either(
    alice: User, make_person: MakePerson
) -> None:
    make_person("viewer", username="bob")
    fail(10)
    assert log_in(PASSWORD, username="bob") == 302


def test_it_is_over_after_a_quarter_of_an_hour(alice: User) -> None:
    fail(10)
    AccessAttempt.objects.update(attempt_time=timezone.now() - timedelta(minutes=15, seconds=1))
    assert log_in(PASSWORD) == 302


def test_more_tries_do_not_make_it_longer(alice: User) -> None:
    fail(10)
    since = AccessAttempt.objects.get().attempt_time
    fail(2)
    assert AccessAttempt.objects.get().attempt_time == since


def test_the_page_says_what_happened_and_for_how_long(alice: User) -> None:
    fail(9)
    words = {"username": "alice", "password": "wrong"}
    response = Client().post(LOGIN, words, REMOTE_ADDR="192.0.2.1")
    assert response.headers["Retry-After"] == "900"
    assert "for 15 minutes" in response.content.decode()
    assert "<style" not in response.content.decode()


def test_a_user_who_does_not_exist_is_locked_out_just_the_same(roles: None) -> None:
    assert [log_in("wrong", username="nobody") for _ in range(10)][-1] == 429


def test_a_user_name_longer_than_any_is_locked_out_too(roles: None) -> None:
    assert [log_in("wrong", username="n" * 100_000) for _ in range(10)] == [200] * 9 + [429]


def test_a_token_opens_the_api_all_the_same(alice: User) -> None:
    token = create_token(user=alice, name="tests", actor=PORTAL)
    fail(10)
    response = Client().get(
        "/api/v1/devices", REMOTE_ADDR="192.0.2.1", headers={"Authorization": f"Bearer {token}"}
    )
    assert response.status_code == 200


def test_no_password_is_kept_with_a_failed_login(alice: User) -> None:
    log_in("nearly my password")
    kept = AccessAttempt.objects.values().get()
    assert "nearly" not in str(kept)


def test_an_administrator_lets_somebody_try_again(alice: User, make_person: MakePerson) -> None:
    fail(10)
    address = reverse("admin:axes_accessattempt_delete", args=[AccessAttempt.objects.get().pk])
    assert browser_of(make_person("approver")).post(address, {"post": "yes"}).status_code == 403
    browser_of(make_person("administrator")).post(address, {"post": "yes"})
    assert log_in(PASSWORD) == 302
    assert AuditEvent.objects.filter(action="login.unlock", actor="administrator").exists()


@pytest.mark.parametrize(
    ("proxies", "passed_on", "believed"),
    [
        (0, "198.51.100.7", "192.0.2.1"),
        (1, "198.51.100.7", "198.51.100.7"),
        (1, "203.0.113.9, 198.51.100.7", "198.51.100.7"),
        (2, "203.0.113.9, 198.51.100.7, 192.0.2.3", "198.51.100.7"),
        (2, "198.51.100.7", "192.0.2.1"),
        (1, "somewhere", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8::7", "2001:db8::7"),
    ],
)
def test_an_address_is_believed_as_far_as_our_own_proxies_wrote_it(
    proxies: int, passed_on: str, believed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "PROXY_COUNT", proxies)
    headers = {"X-Forwarded-For": passed_on} if passed_on else {}
    request = RequestFactory().get("/", REMOTE_ADDR="192.0.2.1", headers=headers)
    assert client_address(request) == believed
