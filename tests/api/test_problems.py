"""Requests that cannot be read, addresses that lead nowhere, and bugs: all in one shape."""

from __future__ import annotations

import json
import logging

import pytest
from django.contrib.auth.models import User
from django.db import connection
from rest_framework.test import APIClient

from portal.problems import problem_response
from tests.api.caller import Caller
from tests.api.problems import assert_problem

pytestmark = pytest.mark.database


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"name": "\\u0000"}',
        b'{"name": "\\ud800"}',
        b'{"\\udfff": 1}',
        b"[]",
        b"NaN",
    ],
    ids=["cut", "not text", "deep", "nul", "surrogate", "odd key", "a list", "not JSON"],
)
def test_a_body_that_cannot_be_read_is_refused(operator: Caller, content: bytes) -> None:
    assert_problem(operator.raw("devices", content), status=400, code="API-400")


def test_a_body_that_is_too_large_is_refused(operator: Caller) -> None:
    content = json.dumps({"name": "x" * 2**20}).encode()

    assert_problem(operator.raw("devices", content), status=413, code="API-413")


def test_another_kind_of_body_is_refused(operator: Caller) -> None:
    answer = operator.raw("devices", b"<device/>", media_type="application/xml")

    assert_problem(answer, status=415, code="API-415")


@pytest.mark.parametrize(
    "path", ["nothing", "artifacts/", "artifacts/17", "devices/x", "upgrades/1/2/3", ""]
)
def test_an_address_that_leads_nowhere_says_so(operator: Caller, path: str) -> None:
    assert_problem(operator.get(path), status=404, code="API-404")


def test_a_verb_that_an_address_does_not_know_is_refused(operator: Caller) -> None:
    assert_problem(operator.post("audit-events"), status=405, code="API-405")


def test_a_number_that_no_row_can_have_is_not_found(operator: Caller) -> None:
    assert_problem(operator.get(f"devices/{10**30}"), status=404, code="API-404")


@pytest.mark.parametrize("word", ["q", "device_type", "installed"])
def test_a_nul_in_a_query_is_refused(operator: Caller, word: str) -> None:
    assert_problem(operator.get("devices", **{word: "\0"}), status=400, code="API-400")


def test_a_browsers_session_needs_its_csrf_token(operator: Caller) -> None:
    assert operator.user is not None
    browser = APIClient(enforce_csrf_checks=True)
    browser.force_login(User.objects.get(pk=operator.user.pk))

    answer = browser.post("/api/v1/device-groups", {"name": "New"}, format="json")

    assert answer.status_code == 403
    assert answer.json()["code"] == "API-403"


def test_a_bug_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = problem_response(ZeroDivisionError("secret details"), {})

    assert response.status_code == 500
    assert response.data["code"] == "API-500"
    assert "secret details" not in str(response.data)
    assert "secret details" in caplog.text


def test_a_lost_database_is_a_problem_too(operator: Caller) -> None:
    """Whatever goes wrong below, the answer has the one shape, and says nothing of what is inside."""
    with connection.execute_wrapper(_broken):
        answer = operator.get("artifacts")

    assert_problem(answer, status=500, code="API-500")


def _broken(*_query: object) -> None:
    raise RuntimeError("the database is on fire")
