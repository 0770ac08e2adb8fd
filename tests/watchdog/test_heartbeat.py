"""How the portal knows whether its watchdog lives."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.environment.waiting import wait_until
from tests.watchdog.records import new_folder
from updates.watchdog.environment import Environment
from updates.watchdog.heartbeat import Heart, read_heartbeat


def test_it_beats_while_it_lives(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    assert read_heartbeat(folder) is None
    with Heart(folder, interval=0.1, version="2") as heart:
        heart.upgrade = "an-id"
        wait_until(lambda: _upgrade(tmp_path) == "an-id", seconds=10, what="a beat")

    last = read_heartbeat(folder)
    assert last is not None
    assert last.is_alive(now=last.at + 0.29)
    assert not last.is_alive(now=last.at + 0.31)
    assert not last.is_alive(now=last.at - 1), "a clock that was set back is no sign of life"


def test_one_from_before_the_machine_started_is_not_alive(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    with Heart(folder, interval=60, version="2"):
        pass
    beat = json.loads(folder.heartbeat.read_text())
    folder.heartbeat.write_text(json.dumps(beat | {"boot_id": "another"}))

    last = read_heartbeat(folder)
    assert last is not None
    assert not last.is_alive(now=time.time())


def test_one_that_hangs_does_not_beat(tmp_path: Path) -> None:
    folder = new_folder(tmp_path)
    with Heart(folder, interval=0.05, version="2") as heart:
        heart.is_hung = lambda: True
        time.sleep(0.2)
        before = read_heartbeat(folder)
        time.sleep(0.3)
        assert read_heartbeat(folder) == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"at": 1}', '{"at": null}'])
def test_what_cannot_be_read_is_no_sign_of_life(tmp_path: Path, content: str) -> None:
    folder = new_folder(tmp_path)
    folder.heartbeat.write_text(content)

    assert read_heartbeat(folder) is None


@pytest.mark.parametrize(
    ("image", "says"),
    [
        ("ghcr.io/a/portal", ""),
        ("127.0.0.1:5000/portal", ""),
        ("ghcr.io/a/portal:2", "without a tag"),
        ("ghcr.io/a/portal@sha256:" + "0" * 64, "without a tag"),
        ("", "does not say"),
        ("Not An Image", "cannot be"),
    ],
)
def test_a_tag_inside_the_images_name_is_refused(tmp_path: Path, image: str, says: str) -> None:
    trouble = Environment.read(
        {"IMAGE_NAME": image, "CONTAINER_NAME": "portal", "WATCHDOG_DIR": str(tmp_path)}
    ).trouble

    assert says in trouble if says else not trouble


def _upgrade(place: Path) -> str:
    beat = read_heartbeat(new_folder(place))
    return beat.upgrade if beat else ""
