"""Settings that would fail in the middle of an upgrade are found before the portal starts."""

from __future__ import annotations

import pytest
from django.core.checks import run_checks
from pytest_django import Settings


def _ids() -> list[str | None]:
    return [message.id for message in run_checks() if str(message.id).startswith("portal.")]


def test_the_settings_that_we_ship_pass() -> None:
    assert _ids() == []


def test_an_update_module_has_everywhere_the_time_that_menders_client_gives_it(
    settings: Settings,
) -> None:
    short = {state for state, limit in settings.STATE_LIMIT_SECONDS.items() if limit < 4 * 3600}
    assert short == {"checking", "backing_up"}, "where no Update Module is called"
    assert settings.KILL_AFTER_SECONDS >= 60


OTHERS = {
    "module": "updates.jobs.run_module",
    "container": "updates.jobs.run_container",
    "patch": "patches.jobs.run_patch",
}


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("KINDS", OTHERS | {"artifact": "updates.jobs.run_artefact"}, ["portal.E001"]),
        ("KINDS", OTHERS | {"artifact": "updates.jobs.log.nowhere"}, ["portal.E001"]),
        ("KINDS", OTHERS | {"artifact": "updates.machine.REPEAT_LIMIT"}, ["portal.E001"]),
        ("UPGRADE_FINISHED", ["updates.services.installed.forget"], ["portal.E001"]),
        ("UPGRADE_PANELS", {"patch": "patches.admin_views.results.of"}, ["portal.E001"]),
        ("ADVICE", {"patch": "patches.advice.OUTCOMES"}, ["portal.E001"]),
        ("RECOVERED", ["patches.services.patch_checks.nowhere"], ["portal.E001"]),
        ("KINDS", OTHERS, ["portal.E002"]),
        (
            "KINDS",
            OTHERS | {"artifact": "updates.jobs.run_artifact", "wish": "updates.jobs.run_artifact"},
            ["portal.E002"],
        ),
        ("STATE_LIMIT_SECONDS", {"cleaning": None}, ["portal.E003"]),
        ("STATE_LIMIT_SECONDS", {"cleaning": 0}, ["portal.E003"]),
        ("STATE_LIMIT_SECONDS", {"dreaming": 60}, ["portal.E003"]),
        ("FIELD_KEYS", [], ["portal.E004"]),
        ("FIELD_KEYS", ["a word"], ["portal.E004"]),
        ("LEASE_SECONDS", 15, ["portal.E005"]),
        ("HEARTBEAT_SECONDS", 0, ["portal.E005"]),
    ],
)
def test_a_setting_that_cannot_work_is_an_error(
    settings: Settings, name: str, value: object, found: list[str]
) -> None:
    if name == "STATE_LIMIT_SECONDS":
        assert isinstance(value, dict)
        limits = {**settings.STATE_LIMIT_SECONDS, **value}
        value = {state: seconds for state, seconds in limits.items() if seconds is not None}
    setattr(settings, name, value)
    assert _ids() == found
