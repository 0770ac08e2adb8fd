"""A password alone opens nothing, for whoever has a second factor or must have one."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django_otp.oath import TOTP
from pytest_django.fixtures import Settings

from portal.core.actors import PORTAL
from portal.core.models import AuditEvent
from portal.core.tokens import create_token
from portal.second_factor.models import Authenticator
from tests.access.conftest import PASSWORD, MakePerson, browser_of

pytestmark = pytest.mark.database

ASK = "/second-factor/ask/"
ENROL = "/second-factor/enrol/"


@pytest.fixture
def alice(make_person: MakePerson) -> User:
    return make_person("operator", username="alice")


def code_of(person: User, *, steps: int = 0) -> str:
    """What the person's app shows now, or will show in so many steps of 30 seconds."""
    totp = TOTP(bytes.fromhex(Authenticator.objects.get(user=person).key))
    totp.time = time.time() + 30 * steps
    return f"{totp.token():06}"


def set_up(person: User) -> tuple[Client, list[str]]:
    """A browser in which the person has just set a second factor up, and the recovery codes that it showed."""
    browser = browser_of(person)
    browser.post("/second-factor/start/")
    shown = browser.post(ENROL, {"code": code_of(person)}).content.decode()
    return browser, re.findall(r"<code>([a-z2-7-]{19})</code>", shown)


def with_password(person: User) -> Client:
    """A browser in which the password was right, and nothing more was asked yet."""
    browser = Client()
    words = {"username": person.username, "password": PASSWORD, "next": "/devices/device/"}
    assert browser.post("/login/", words).status_code == 302
    return browser


def may_forget_the_last_wrong_code(person: User) -> None:
    """As if the wait after a wrong code were over."""
    Authenticator.objects.filter(user=person).update(
        throttling_failure_timestamp=timezone.now() - timedelta(days=1)
    )


def test_the_app_is_set_up_with_a_picture_and_a_first_code(alice: User) -> None:
    browser = browser_of(alice)
    assert "Set it up" in browser.get("/second-factor/").content.decode()
    shown = browser.post("/second-factor/start/", follow=True).content.decode()
    assert '<svg width="' in shown
    assert "Recovery codes" in browser.post(ENROL, {"code": code_of(alice)}).content.decode()
    assert Authenticator.objects.get(user=alice).confirmed
    assert AuditEvent.objects.filter(action="second_factor.confirm", actor="alice").exists()


def test_a_wrong_first_code_confirms_nothing(alice: User) -> None:
    browser = browser_of(alice)
    browser.post("/second-factor/start/")
    response = browser.post(ENROL, {"code": "12345"})
    assert response.status_code == 422
    assert 'data-code="SIGN-100"' in response.content.decode()
    assert browser.get("/").status_code == 200
    assert not Authenticator.objects.get(user=alice).confirmed


def test_setting_it_up_is_a_post(alice: User) -> None:
    assert browser_of(alice).get("/second-factor/start/").status_code == 405
    assert not Authenticator.objects.exists()


@pytest.mark.parametrize("page", ["/", "/devices/device/", "/second-factor/", "/queue/", "/users"])
def test_the_password_alone_leads_to_the_question_and_nowhere_else(alice: User, page: str) -> None:
    set_up(alice)
    response = with_password(alice).get(page)
    assert response.status_code == 302
    assert response.headers["Location"].startswith(ASK)


def test_the_password_alone_opens_no_api_and_changes_nothing(alice: User) -> None:
    set_up(alice)
    browser = with_password(alice)
    response = browser.get("/api/v1/devices")
    assert (response.status_code, response.json()["code"]) == (403, "SIGN-102")
    for page in (
        "/second-factor/start/",
        "/second-factor/remove/",
        reverse("admin:devices_device_add"),
    ):
        assert browser.post(page, {"code": ""}).status_code == 302
    assert Authenticator.objects.get(user=alice).confirmed


def test_a_poll_with_the_password_alone_reloads_the_page(alice: User) -> None:
    set_up(alice)
    response = with_password(alice).get("/devices/device/", headers={"HX-Request": "true"})
    assert response.headers["HX-Refresh"] == "true"


def test_a_session_from_before_is_asked_too(alice: User) -> None:
    earlier = browser_of(alice)
    assert earlier.get("/").status_code == 200
    set_up(alice)
    assert earlier.get("/").headers["Location"].startswith(ASK)


def test_the_right_code_opens_the_page_that_was_wanted(alice: User) -> None:
    set_up(alice)
    browser = with_password(alice)
    asked = browser.get("/devices/device/").headers["Location"]
    assert 'name="next" value="/devices/device/"' in browser.get(asked).content.decode()
    answer = browser.post(asked, {"code": code_of(alice, steps=1), "next": "/devices/device/"})
    assert answer.headers["Location"] == "/devices/device/"
    assert browser.get("/devices/device/").status_code == 200


@pytest.mark.parametrize(
    "elsewhere", ["https://example.org/", "//example.org", "javascript:alert(1)"]
)
def test_the_way_on_never_leads_out_of_the_portal(alice: User, elsewhere: str) -> None:
    set_up(alice)
    words = {"code": code_of(alice, steps=1), "next": elsewhere}
    assert with_password(alice).post(ASK, words).headers["Location"] == "/"


def test_a_code_works_once(alice: User) -> None:
    set_up(alice)
    code = code_of(alice, steps=1)
    assert with_password(alice).post(ASK, {"code": code}).status_code == 302
    assert with_password(alice).post(ASK, {"code": code}).status_code == 422


def test_wrong_codes_make_one_wait(alice: User) -> None:
    set_up(alice)
    browser = with_password(alice)
    assert browser.post(ASK, {"code": "000"}).status_code == 422
    response = browser.post(ASK, {"code": code_of(alice, steps=1)})
    assert response.status_code == 429
    assert "wait" in response.content.decode()
    may_forget_the_last_wrong_code(alice)
    assert browser.post(ASK, {"code": code_of(alice, steps=1)}).status_code == 302


def test_a_recovery_code_opens_once(alice: User) -> None:
    _, codes = set_up(alice)
    assert len(set(codes)) == 10
    assert with_password(alice).post(ASK, {"code": codes[0].upper()}).status_code == 302
    assert with_password(alice).post(ASK, {"code": codes[0]}).status_code == 422
    may_forget_the_last_wrong_code(alice)
    assert with_password(alice).post(ASK, {"code": codes[1]}).status_code == 302


def test_new_recovery_codes_end_the_old_ones(alice: User) -> None:
    browser, codes = set_up(alice)
    shown = browser.post("/second-factor/recovery-codes/", {"code": codes[0]}).content.decode()
    new = re.findall(r"<code>([a-z2-7-]{19})</code>", shown)
    assert len(new) == 10
    assert with_password(alice).post(ASK, {"code": codes[1]}).status_code == 422
    may_forget_the_last_wrong_code(alice)
    assert with_password(alice).post(ASK, {"code": new[0]}).status_code == 302


def test_it_is_removed_with_a_code(alice: User) -> None:
    browser, codes = set_up(alice)
    assert browser.post("/second-factor/remove/", {"code": "wrong"}).status_code == 422
    may_forget_the_last_wrong_code(alice)
    assert browser.post("/second-factor/remove/", {"code": codes[0]}).status_code == 302
    assert with_password(alice).get("/").status_code == 200
    assert AuditEvent.objects.filter(action="second_factor.remove", actor="alice").exists()


def test_neither_key_nor_recovery_codes_can_be_read_from_the_database(alice: User) -> None:
    _, codes = set_up(alice)
    key = Authenticator.objects.get(user=alice).key
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM second_factor_authenticator")
        stored = str(cursor.fetchall())
    assert key not in stored
    for code in codes:
        assert code not in stored
        assert code.replace("-", "") not in stored


def test_an_administrator_removes_it_for_who_has_lost_everything(
    alice: User, make_person: MakePerson
) -> None:
    set_up(alice)
    found = Authenticator.objects.get(user=alice)
    page = reverse("admin:second_factor_authenticator_change", args=[found.pk])
    delete = reverse("admin:second_factor_authenticator_delete", args=[found.pk])
    administrator = browser_of(make_person("administrator"))
    assert found.key not in administrator.get(page).content.decode()
    assert browser_of(make_person("approver")).post(delete, {"post": "yes"}).status_code == 403
    assert administrator.post(delete, {"post": "yes"}).status_code == 302
    assert with_password(alice).get("/").status_code == 200
    removed = AuditEvent.objects.get(action="second_factor.remove")
    assert (removed.actor, "alice" in removed.subject) == ("administrator", True)


def test_whoever_has_a_shell_removes_it_when_nobody_can_log_in(alice: User) -> None:
    set_up(alice)
    said = StringIO()
    call_command("second_factor", "list", stdout=said)
    assert said.getvalue().startswith("alice\tlast used")
    call_command("second_factor", "remove", "alice", stdout=said)
    assert with_password(alice).get("/").status_code == 200
    with pytest.raises(CommandError, match="'alice' has no second factor"):
        call_command("second_factor", "remove", "alice")


def test_a_role_can_be_made_to_have_one(
    alice: User, make_person: MakePerson, settings: Settings
) -> None:
    settings.REQUIRE_SECOND_FACTOR = ["operator"]
    viewer = browser_of(make_person("viewer"))
    assert viewer.get("/").status_code == 200
    browser = browser_of(alice)
    assert browser.get("/").headers["Location"].startswith("/second-factor/")
    assert browser.get("/api/v1/devices").status_code == 403
    assert "Your role asks for a second factor" in browser.get("/second-factor/").content.decode()
    browser.post("/second-factor/start/")
    browser.post(ENROL, {"code": code_of(alice)})
    assert browser.get("/").status_code == 200


def test_a_superuser_counts_as_an_administrator(roles: None, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = ["administrator"]
    browser = browser_of(User.objects.create_superuser("root"))
    assert browser.get("/").headers["Location"].startswith("/second-factor/")


def test_a_program_with_a_token_is_not_asked(alice: User, settings: Settings) -> None:
    settings.REQUIRE_SECOND_FACTOR = ["operator"]
    set_up(alice)
    token = create_token(user=alice, name="tests", actor=PORTAL)
    headers = {"Authorization": f"Bearer {token}"}
    assert Client().get("/api/v1/devices", headers=headers).status_code == 200


def test_whoever_cannot_give_the_code_can_log_out(alice: User) -> None:
    set_up(alice)
    browser = with_password(alice)
    browser.post("/logout/")
    assert browser.get("/").headers["Location"].startswith("/login/")


@pytest.mark.parametrize("page", ["", "ask/", "enrol/", "recovery-codes/", "remove/"])
def test_nobody_is_asked_who_has_not_given_a_password(roles: None, page: str) -> None:
    response = Client().get(f"/second-factor/{page}")
    assert response.headers["Location"].startswith("/login/")
