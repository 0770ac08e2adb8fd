"""Devices that do not keep to the protocol: they get a clear refusal, and change nothing that is not theirs."""

from __future__ import annotations

import json
import tracemalloc
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from portal.core.transfers import transfers
from tests.journal.rows import new_device, new_upgrade
from tests.pulled.pulling import NEXT_V1, NEXT_V2, Pulling, ending, fresh
from updates.machine import State
from updates.models import Upgrade, UpgradeEvent
from updates.reported import Report

pytestmark = pytest.mark.database


def test_the_deployment_of_another_device_does_not_exist() -> None:
    owner, stranger = Pulling(), Pulling()
    upgrade = owner.ordered()
    owner.offered()
    for answer in (
        stranger.says(upgrade, "success"),
        stranger.send_log(upgrade, b"mine now"),
        stranger.control_map(upgrade).status_code,
    ):
        assert answer == 404
    assert ending(upgrade) == (State.CHECKING, None)
    assert not upgrade.events.filter(kind="output").exists()


def test_what_was_not_offered_yet_or_is_a_worker_s_does_not_exist_either() -> None:
    device = Pulling()
    waits = device.ordered()
    assert device.says(waits, "success") == 404
    pushed = new_upgrade(new_device())
    assert device.says(pushed, "success") == 404
    assert device.says(Upgrade(id=uuid.uuid4()), "success") == 404
    assert ending(waits) == (State.PENDING, None)


def test_without_a_token_nothing_is_told() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.token = "guessed"
    for code in (
        device.ask().status_code,
        device.says(upgrade, "success"),
        device.send_log(upgrade, b""),
        device.control_map(upgrade).status_code,
    ):
        assert code == 401


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"status":null}',
        b'{"status":"aborted"}',
        b'{"status":"pending"}',
        b'{"status":["success"]}',
        b'{"status":"success","substate":{}}',
        b'{"status":"success","status":"failure"}',
        b'{"status":"\\u0000"}',
        b"\xff\xfe",
        b"[" * 5000,
    ],
)
def test_a_broken_status_is_refused_and_changes_nothing(body: bytes) -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    address = f"/api/devices/v1/deployments/device/deployments/{upgrade.pk}/status"
    answer = device.send("PUT", address, body)
    assert answer.status_code == 400
    assert set(json.loads(answer.content)) == {"error", "request_id"}
    assert ending(upgrade) == (State.CHECKING, None)


@pytest.mark.parametrize(
    "provides",
    [
        None,
        [],
        {"artifact_name": 1},
        {"artifact_name": "a\0b"},
        {"artifact_name": "x" * 3000},
        {"k" * 400: "v"},
        {"": "v"},
        {f"key-{number}": "v" for number in range(300)},
    ],
)
def test_a_broken_poll_is_refused_and_changes_nothing(provides: object) -> None:
    device = Pulling()
    upgrade = device.ordered()
    assert device.send("POST", NEXT_V2, {"device_provides": provides}).status_code == 400
    assert device.send("POST", NEXT_V1, provides).status_code == 400
    assert ending(upgrade) == (State.PENDING, None)
    device.row.refresh_from_db()
    assert device.row.artifact_name == "old"


def test_too_much_is_refused_by_its_size() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "failure")
    assert device.says(upgrade, "x" * 10_000) == 413
    assert device.send("POST", NEXT_V2, b" " * 100_000).status_code == 413
    assert device.send_log(upgrade, b"x" * (11 * 2**20)) == 413
    assert not upgrade.events.filter(kind="output").exists()


def test_endless_substates_do_not_fill_the_history() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    for number in range(60):
        assert device.says(upgrade, "downloading", substate=f"step {number}\n{'x' * 500}") == 204
    notes = upgrade.events.filter(kind="note")
    assert notes.count() == 50
    assert max(len(note.text) for note in notes) < 300


def test_methods_and_slashes_that_clients_do_not_use_are_no_way_in() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    status = f"/api/devices/v1/deployments/device/deployments/{upgrade.pk}/status"
    assert device.send("POST", status, {"status": "success"}).status_code == 405
    assert device.send("GET", NEXT_V2).status_code == 405
    for address in (f"{status}/", f"{NEXT_V2}/", "/api/devices/v1/deployments/device/deployments"):
        assert device.send("PUT", address, {"status": "success"}).status_code == 404
    assert ending(upgrade) == (State.CHECKING, None)


WORDS = st.one_of(
    st.sampled_from([report.value for report in Report]),
    st.sampled_from(["ask", "ask new", "ask new_INCONSISTENT", "log", "cancel"]),
)


class AnySequence(TestCase):
    @given(st.lists(WORDS, max_size=12))
    @settings(max_examples=40)
    def test_no_sequence_of_requests_is_answered_with_a_fault_or_tears_the_history(
        self, words: list[str]
    ) -> None:
        transfers._promises.clear()  # none keeps places from the next
        device = Pulling()
        upgrade = device.ordered()
        device.offered()
        decided: str | None = None
        for word in words:
            assert _code(device, upgrade, word) in (200, 204, 409)
            row = fresh(upgrade)
            assert decided is None or row.outcome == decided
            decided = row.outcome
        row = fresh(upgrade)
        seqs = (
            UpgradeEvent.objects.filter(upgrade=row).order_by("seq").values_list("seq", flat=True)
        )
        assert list(seqs) == list(range(1, row.last_seq + 1))
        assert (row.finished_at is not None) == (row.state == State.FINISHED)


def _code(device: Pulling, upgrade: Upgrade, word: str) -> int:
    if word == "cancel":
        Upgrade.objects.filter(pk=upgrade.pk).update(cancel_requested_at=upgrade.created_at)
        return 204
    if word == "log":
        return device.send_log(upgrade, b"what happened")
    if word.startswith("ask"):
        device.installed = word.removeprefix("ask").strip() or "old"
        return device.ask().status_code
    return device.says(upgrade, word)


def test_a_log_that_is_made_to_be_dear_to_read_is_kept_as_it_came() -> None:
    device = Pulling()
    upgrade = device.ordered()
    device.offered()
    device.says(upgrade, "failure")
    dear = b'{"messages":[' + b"{}," * 2**20 + b"{}]}"
    tracemalloc.start()
    try:
        assert device.send_log(upgrade, dear) == 204
        assert tracemalloc.get_traced_memory()[1] < 10 * len(dear)
    finally:
        tracemalloc.stop()
    first = upgrade.events.filter(kind="output").order_by("seq").first()
    assert first is not None and first.text.startswith('{"messages":[{},{},')
