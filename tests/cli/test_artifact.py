"""`manage.py artifact`."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connections

from devices.models import Device
from portal.core.models import AuditEvent
from tests.cli.conftest import new_box, run
from tests.environment.waiting import wait_until
from tests.formats import build
from tests.journal.rows import new_upgrade
from updates.models import Artifact, Check
from updates.services.checks import carry_out_check

pytestmark = pytest.mark.database


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "release-1.mender"
    path.write_bytes(build.artifact())
    return path


@contextmanager
def _checker(orders: int) -> Iterator[None]:
    """Carries out as many checks as are asked for inside the block."""

    def work() -> None:
        waiting = Check.objects.filter(verdict=Check.Verdict.WAITING)
        try:
            wait_until(lambda: waiting.count() == orders, seconds=20, what="the checks")
            for check in waiting.select_related("artifact", "device__credential"):
                carry_out_check(check)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(work)
        yield
        done.result(timeout=30)


def test_an_uploaded_file_is_shown_with_what_is_in_it(file: Path) -> None:
    said = run("artifact", "upload", str(file), "--notes", "From CI")

    artifact = Artifact.objects.get()
    assert said.status == 0, said.error
    assert said.facts["id"] == f"{artifact.pk}"
    assert said.facts["name"] == "release-1"
    assert said.facts["files"] == "a.bin (6 bytes)"
    assert said.facts["notes"] == "From CI"
    assert AuditEvent.objects.get(action="artifact.upload").actor.startswith("cli:")


def test_a_program_gets_what_the_api_answers(file: Path) -> None:
    uploaded = run("artifact", "upload", str(file), "--json").json
    shown = run("artifact", "show", "release-1", "--json").json
    (listed,) = run("artifact", "list", "--json").json

    assert uploaded == shown == listed
    assert uploaded["sha256"] == Artifact.objects.get().sha256


def test_a_broken_file_is_refused_with_its_code(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mender"
    broken.write_bytes(b"no artifact")

    said = run("artifact", "upload", str(broken))

    assert said.status == 1
    assert said.error.endswith("[UPD-100]")
    assert not Artifact.objects.exists()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "missing.mender"

    said = run("artifact", "upload", str(missing))

    assert (said.status, said.error) == (
        1,
        f"{missing} cannot be read: No such file or directory.",
    )


def test_artifacts_are_listed_in_columns(artifact: Artifact) -> None:
    head, row = run("artifact", "list").lines

    assert head.split() == ["ID", "NAME", "TYPE", "DEVICE", "TYPES", "BYTES", "SIGNED", "UPLOADED"]
    assert row.split()[:6] == [artifact.pk.hex[:8], "app-2", "recorder", "box", "1", "no"]
    assert head.index("NAME") == row.index("app-2")


def test_an_artifact_is_found_by_name_or_by_the_beginning_of_its_id(artifact: Artifact) -> None:
    whole = str(artifact.pk)
    for word in ("app-2", whole, whole[:4], whole[:10].upper()):
        assert run("artifact", "show", word, "--json").json["id"] == whole, word
    assert run("artifact", "show", "app-3").error == "There is no artifact 'app-3'."


def test_two_artifacts_of_one_name_are_told_apart_by_id(artifact: Artifact) -> None:
    twin = Artifact.objects.get()
    twin.pk, twin.sha256 = None, "2" * 64
    twin.save(force_insert=True)

    said = run("artifact", "show", "app-2")

    assert said.error == "More than one artifact answers to 'app-2': give more of the id."


def test_an_artifact_that_no_device_got_is_deleted(artifact: Artifact, device: Device) -> None:
    said = run("artifact", "delete", "app-2", "--reason", "Tidy")

    assert said.out == "app-2 is gone.\n"
    assert AuditEvent.objects.get(action="artifact.delete").reason == "Tidy"


def test_an_artifact_of_the_history_stays(artifact: Artifact, device: Device) -> None:
    new_upgrade(device, artifact)

    said = run("artifact", "delete", "app-2", "--reason", "Tidy")

    assert (said.status, Artifact.objects.count()) == (1, 1)
    assert said.error.endswith("[FW-100]")


def test_a_check_is_asked_for_and_waits(artifact: Artifact, device: Device) -> None:
    said = run("artifact", "check", "app-2", "--device", "box-1")

    assert said.status == 0
    assert said.lines[1].split() == ["box-1", "Waiting"]


@pytest.mark.database(transaction=True)
def test_a_check_that_is_waited_for_says_whom_the_artifact_does_not_fit(artifact: Artifact) -> None:
    new_box("box-1")
    new_box("box-2")
    Device.objects.filter(name="box-2").update(device_type="teapot")

    with _checker(2):
        said = run("artifact", "check", "app-2", "--all", "--wait")

    assert said.status == 1
    assert said.error == "It does not fit 2 of 2 devices."
    assert "teapot" in said.lines[2]


@pytest.mark.parametrize("words", [[], ["--device", "box-9"], ["--group", "gone"]])
def test_a_check_of_nobody_is_refused(artifact: Artifact, words: list[str]) -> None:
    said = run("artifact", "check", "app-2", *words)

    assert said.status == 1
    assert not Check.objects.exists()
