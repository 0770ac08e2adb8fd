"""What asks the watchdog for an upgrade: taken once, refused with a sentence, never a reason to crash."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.watchdog.records import new_folder
from updates.watchdog.durable import write_whole
from updates.watchdog.folder import Folder
from updates.watchdog.orders import ordered
from updates.watchdog.trigger import BY_HAND, BadTrigger, Inbox, Trigger

ID = str(uuid4())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return new_folder(tmp_path)


def by_hand(folder: Folder, content: str) -> None:
    folder.trigger.write_text(content)


def refusal(folder: Folder) -> str:
    return str(json.loads(folder.refused.read_text())["says"])


def test_what_the_portal_writes_is_what_the_watchdog_reads(folder: Folder) -> None:
    asked = Trigger(
        upgrade=ID, version="2.14.0", backup=False, force=True, sequence=3, requested_by="ann",
        reason="a new one", from_version="2.13.4", plan={"upgrade": ID},
    )  # fmt: skip
    write_whole(folder.trigger, asked.as_bytes())

    assert Inbox(folder).take() == asked


def test_what_was_taken_is_given_again_until_it_is_done(folder: Folder) -> None:
    by_hand(folder, '{"version":"latest"}\n')
    taken = Inbox(folder).take()

    assert taken is not None
    assert not folder.trigger.exists()
    assert Inbox(folder).take() == taken, "another id would be another upgrade"
    Inbox(folder).done()
    assert Inbox(folder).take() is None


def test_a_bare_one_gets_an_id_and_all_that_it_does_not_say(folder: Folder) -> None:
    by_hand(folder, '{"version":"2.14.0"}')
    taken = Inbox(folder).take()

    assert taken is not None
    assert (taken.version, taken.backup, taken.force) == ("2.14.0", True, False)
    assert (taken.plan, taken.sequence, taken.requested_by) == (None, 0, BY_HAND)


def test_two_by_hand_are_two(folder: Folder) -> None:
    ids = set()
    for _ in range(2):
        by_hand(folder, "{}")
        taken = Inbox(folder).take()
        assert taken is not None
        ids.add(taken.upgrade)
        Inbox(folder).done()

    assert len(ids) == 2


def test_one_that_is_still_being_written_is_waited_for(folder: Folder) -> None:
    by_hand(folder, '{"version":"lat')
    assert Inbox(folder).take() is None
    assert not folder.refused.exists()

    by_hand(folder, '{"version":"latest"}')
    assert Inbox(folder).take() is not None


def test_half_of_one_that_stays_half_is_refused(folder: Folder) -> None:
    by_hand(folder, '{"version":"lat')
    old = time.time() - 31
    os.utime(folder.trigger, (old, old))

    assert Inbox(folder).take() is None
    assert not folder.trigger.exists()
    assert "is not JSON" in refusal(folder)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "is not an object"),
        ('{"version": "../etc"}', "not a tag"),
        ('{"version": "2.0;rm -rf /"}', "not a tag"),
        ('{"version": 2}', "not a tag"),
        ('{"upgradeId": "7"}', "not a UUID"),
        ('{"backup": "no"}', "neither true nor false"),
        ('{"plan": []}', "not an object"),
        ('{"plan": {"a": 1}}', "not a number from 1 on"),
        ('{"sequence": true}', "not a number"),
        ('{"sequence": -1}', "not a number"),
        ('{"reason": "a\\u0000b"}', "not a text"),
        ('{"requestedBy": "' + "x" * 151 + '"}', "not a text"),
        ('{"version": "latest", "x": "' + "x" * 300_000 + '"}', "larger than"),
    ],
)
def test_what_is_none_is_refused_with_a_sentence(folder: Folder, content: str, says: str) -> None:
    by_hand(folder, content)

    assert Inbox(folder).take() is None
    assert says in refusal(folder)
    assert not folder.trigger.exists()
    assert not folder.taken.exists()


def test_a_link_is_not_followed(folder: Folder, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_text('{"version":"latest"}')
    folder.trigger.symlink_to(tmp_path / "elsewhere")

    assert Inbox(folder).take() is None
    assert folder.refused.exists()
    assert (tmp_path / "elsewhere").exists()


def test_a_pipe_is_not_waited_for(folder: Folder) -> None:
    os.mkfifo(folder.trigger)

    assert Inbox(folder).take() is None
    assert "is no file" in refusal(folder)


def test_a_folder_is_put_aside(folder: Folder) -> None:
    folder.trigger.mkdir()

    assert Inbox(folder).take() is None
    assert "is a folder" in refusal(folder)
    assert not folder.trigger.exists()


@given(st.binary(max_size=300))
def test_whatever_stands_there_is_a_trigger_or_none(content: bytes) -> None:
    try:
        Trigger.read(content, otherwise=ID)
    except BadTrigger as error:
        assert str(error).endswith(".")


def test_what_ran_before_one_by_hand_is_what_its_image_says_of_itself() -> None:
    bare = Trigger(upgrade=ID, version="latest", requested_by=BY_HAND, reason="")
    image = "ghcr.io/example/portal:latest"

    def said(trigger: Trigger, **installed: str) -> str:
        return ordered(trigger, plan={"installed": installed}).from_version

    assert said(bare, image=image, version="2.13.4") == "ghcr.io/example/portal:2.13.4"
    assert said(bare, image=image, version="") == image
    assert said(replace(bare, from_version="portal:1"), image=image, version="2") == "portal:1"
