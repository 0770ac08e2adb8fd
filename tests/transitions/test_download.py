"""How a payload gets to its Update Module, from the storage to the module's own hands; and what modules may answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from pytest_django import Settings

from portal.core.actors import PORTAL
from tests.transitions.played import FolderDevice, carried_out, order
from updates.machine import Outcome
from updates.models import Upgrade
from updates.services.artifacts import upload_update_module
from updates.services.carry_out import Ending

pytestmark = pytest.mark.database

STREAMER = """#!/bin/sh
echo "$1" >>"$FLEETWRIGHT_ROOT/log"
case $1 in
  ProvidePayloadFileSizes) echo {sizes} ;;
  Download*)
    while line=$(cat stream-next) && [ -n "$line" ]; do
      echo "$line" >>"$FLEETWRIGHT_ROOT/lines"
      set -- $line
      cat "$1" >>"$FLEETWRIGHT_ROOT/streamed"
    done ;;
  ArtifactInstall) ls "$2" >"$FLEETWRIGHT_ROOT/tree" ;;
esac
"""
ANSWERING = """#!/bin/sh
echo "$1" >>"$FLEETWRIGHT_ROOT/log"
case $1 in
  {query}) {answers} ;;
esac
"""
PAYLOAD = os.urandom(1_500_000)


def ordered(device: FolderDevice, module: str | None = None, *, payload: bytes = b"new") -> Upgrade:
    """An upgrade, with this Update Module instead of the recorder."""
    upgrade = order(device, {"rollback": "Yes", "reboot": "No"}, payload=payload)
    if module is None:
        return upgrade
    Upgrade.objects.filter(pk=upgrade.pk).update(plan=_with(upgrade, module))
    upgrade.refresh_from_db()
    return upgrade


def _with(upgrade: Upgrade, module: str) -> dict[str, object]:
    brought = upload_update_module(
        name="recorder", file=ContentFile(module.encode(), "recorder"), actor=PORTAL
    )
    file = {"version": brought.version, "sha256": brought.sha256, "file": brought.file.name}
    return {**upgrade.plan, "update_module": file}


def test_an_update_module_that_was_changed_in_the_storage_is_not_brought(
    device: FolderDevice,
) -> None:
    upgrade = ordered(device)
    stored = Path(default_storage.path(upgrade.plan["update_module"]["file"]))
    stored.write_bytes(stored.read_bytes() + b"echo changed\n")

    carried_out(device, upgrade)

    assert (upgrade.outcome, device.log()) == (Outcome.FAILED, [])
    assert "The stored Update Module is not the one that was uploaded" in upgrade.error
    work_root = Path(upgrade.plan["device"]["work_root"])
    assert not list(work_root.glob("modules/*/recorder"))
    assert not (work_root / str(upgrade.pk)).exists(), "the payload came before, for nothing"


def test_a_transfer_ends_at_the_states_time_limit_and_leaves_nothing(
    device: FolderDevice, settings: Settings
) -> None:
    settings.STATE_LIMIT_SECONDS = {**settings.STATE_LIMIT_SECONDS, "downloading": 0}
    upgrade = ordered(device)

    carried_out(device, upgrade)

    assert (upgrade.outcome, device.log()) == (Outcome.FAILED, [])
    assert "The transfer was not over at its time limit" in upgrade.error
    assert not list(Path(upgrade.plan["device"]["work_root"]).glob(f"*{upgrade.pk}*/*"))


@pytest.mark.parametrize(
    ("sizes", "call", "line"),
    [
        ("No", "Download", "streams/payload"),
        ("Yes", "DownloadWithFileSizes", f"streams/payload {len(PAYLOAD)}"),
    ],
)
def test_a_module_streams_its_payload(
    device: FolderDevice, sizes: str, call: str, line: str
) -> None:
    upgrade = ordered(device, STREAMER.format(sizes=sizes), payload=PAYLOAD)

    assert carried_out(device, upgrade) is Ending.FINISHED

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert device.log()[:3] == ["ProvidePayloadFileSizes", call, "ArtifactInstall"]
    assert (device.root / "lines").read_text() == f"{line}\n"
    assert (device.root / "streamed").read_bytes() == PAYLOAD
    left = (device.root / "tree").read_text().split()
    assert not {"files", "streams", "stream-next"} & set(left)


def test_a_transfer_that_is_handed_over_is_begun_again_and_leaves_nothing_half(
    device: FolderDevice,
) -> None:
    upgrade = ordered(device, payload=PAYLOAD)
    work_root = Path(device.row.work_root)

    def half_way() -> bool:
        return bool(list(work_root.glob(".fleetwright-*.part")))

    assert carried_out(device, upgrade, wants_leave=half_way) is Ending.HANDED_OVER
    assert not half_way()
    assert not device.log()

    assert carried_out(device, upgrade) is Ending.FINISHED
    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    assert (device.root / "installed").read_bytes() == PAYLOAD
    assert device.log().count("Download") == 1


def test_an_artifact_that_was_changed_in_the_storage_never_meets_its_module(
    device: FolderDevice,
) -> None:
    upgrade = ordered(device, payload=PAYLOAD)
    path = Path(default_storage.path(upgrade.plan["file"]))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    assert carried_out(device, upgrade) is Ending.FINISHED

    assert (upgrade.outcome, device.log()) == (Outcome.FAILED, [])
    assert not (Path(device.row.work_root) / str(upgrade.pk)).exists()


@pytest.mark.parametrize("query", ["ProvidePayloadFileSizes", "NeedsArtifactReboot"])
@pytest.mark.parametrize(
    "answers", ["echo Maybe", "echo No; echo No", "echo yes", "printf 'No\\n\\n'"]
)
def test_an_answer_that_is_none_fails_the_state(
    device: FolderDevice, query: str, answers: str
) -> None:
    upgrade = ordered(device, ANSWERING.format(query=query, answers=answers))

    carried_out(device, upgrade)

    expected = Outcome.FAILED if query == "ProvidePayloadFileSizes" else Outcome.BROKEN
    assert upgrade.outcome == expected
    assert f"answered {query} with something that is not" in upgrade.error


@pytest.mark.parametrize("answers", ["echo No", "printf No", "true", "echo No; echo why >&2"])
def test_an_answer_may_lack_its_newline_or_be_missing(device: FolderDevice, answers: str) -> None:
    upgrade = ordered(device, ANSWERING.format(query="NeedsArtifactReboot", answers=answers))

    carried_out(device, upgrade)

    assert upgrade.outcome == Outcome.SUCCEEDED, upgrade.error
    said = upgrade.events.filter(kind="output", call__endswith="NeedsArtifactReboot")
    assert [event.text for event in said] == (["why\n"] if "why" in answers else [])


def test_an_answer_counts_however_much_is_said_beside_it(device: FolderDevice) -> None:
    flood = "head -c 200000 /dev/zero | tr '\\0' x >&2; echo end >&2"
    module = ANSWERING.format(query="SupportsRollback", answers=f"echo Yes; {flood}")
    upgrade = ordered(device, module)

    carried_out(device, upgrade)

    assert (upgrade.outcome, upgrade.facts["supports_rollback"]) == (Outcome.SUCCEEDED, True)
    said = upgrade.events.filter(kind="output", call__endswith="SupportsRollback")
    assert "".join(event.text for event in said).endswith("xend\n")
    assert not list(Path(device.row.work_root).glob("*/tree.query-stderr"))


def test_a_query_has_a_time_limit_of_its_own(device: FolderDevice, settings: Settings) -> None:
    settings.QUERY_LIMIT_SECONDS = 1
    module = ANSWERING.format(query="ProvidePayloadFileSizes", answers="sleep 600")
    upgrade = ordered(device, module)

    carried_out(device, upgrade)

    assert (upgrade.outcome, upgrade.error_state) == (Outcome.FAILED, "downloading")
    assert device.log() == ["ProvidePayloadFileSizes", "Cleanup"]


def test_a_call_that_does_not_listen_at_its_limit_is_killed_when_it_had_time_to_end(
    device: FolderDevice, settings: Settings
) -> None:
    settings.STATE_LIMIT_SECONDS = {**settings.STATE_LIMIT_SECONDS, "downloading": 3}
    settings.KILL_AFTER_SECONDS = 1
    deaf = "trap '' TERM; while :; do sleep 600; done"
    upgrade = ordered(device, ANSWERING.format(query="Download", answers=deaf))

    carried_out(device, upgrade)

    assert (upgrade.outcome, upgrade.error_state) == (Outcome.FAILED, "downloading")
    assert device.log() == ["ProvidePayloadFileSizes", "Download", "Cleanup"]
