"""Engines and logins to registries over the API."""

from __future__ import annotations

import pytest

from devices.models import Device, EngineAccess, EngineLook, RegistryLogin
from tests.api.caller import Caller
from tests.api.problems import assert_problem
from tests.environment.certificates import certified
from tests.journal.rows import new_device

pytestmark = pytest.mark.database


@pytest.fixture
def device() -> Device:
    return new_device("far")


@pytest.mark.usefixtures("redis_server")
def test_the_way_to_an_engine_is_said_asked_changed_and_forgotten(
    operator: Caller, device: Device
) -> None:
    texts = certified("engine.example")
    answer = operator.post(
        "engines",
        device=device.pk,
        way="tcp",
        host="engine.example",
        authority=texts.authority,
        certificate=texts.certificate,
        key=texts.key,
    )
    assert (answer.status, answer.body["way"], answer.body["look"]) == (201, "tcp", None)
    assert "key" not in answer.body
    place = f"engines/{answer.body['id']}"
    asked = operator.post(f"{place}/ask")
    assert (asked.status, asked.body["is_being_taken"]) == (202, True)
    assert operator.get(place).body["look"]["answered_at"] is None
    changed = operator.patch(place, host="other.example")
    assert changed.body["host"] == "other.example"
    assert EngineAccess.objects.get().key == texts.key
    assert [row["device"] for row in operator.get("engines").body["results"]] == [device.pk]
    assert operator.delete(f"{place}?reason=Sold").status == 204
    assert not EngineLook.objects.exists()


def test_what_could_never_work_is_a_problem(operator: Caller, device: Device) -> None:
    half = operator.post("engines", device=device.pk, way="tcp", host="engine.example")
    assert_problem(half, status=422, code="FW-100")
    assert "TCP needs all three" in half.body["detail"]
    nowhere = operator.post("engines", device=device.pk, way="tcp")
    assert nowhere.status in (400, 422)
    assert not EngineAccess.objects.exists()


def test_a_login_is_kept_changed_and_deleted(operator: Caller) -> None:
    answer = operator.post("registry-logins", registry="ghcr.io", username="us", secret="geheim")
    assert (answer.status, answer.body["registry"]) == (201, "ghcr.io")
    assert "secret" not in answer.body
    place = f"registry-logins/{answer.body['id']}"
    assert operator.patch(place, username="they").body["username"] == "they"
    assert RegistryLogin.objects.get().secret == "geheim"
    wrong = operator.post("registry-logins", registry="https://x", username="a", secret="b")
    assert_problem(wrong, status=422, code="FW-100")
    assert "is not a registry" in wrong.body["detail"]
    assert operator.delete(f"{place}?reason=Gone").status == 204
    assert not RegistryLogin.objects.exists()
