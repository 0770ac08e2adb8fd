"""Stored checks of module images: what makes them unreliable, and what is not written over."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

import pytest
from pytest_django import DjangoCaptureOnCommitCallbacks

from devices.models import EngineAccess
from portal.core.actors import PORTAL
from portal.core.errors import Refused
from portal.core.models import AuditEvent
from tests.journal.rows import new_device
from tests.modules.rows import (
    NEW,
    NEW_DIGEST,
    OLD_DIGEST,
    image_checked,
    new_instance,
    order,
    succeeded,
    upgrade_of,
)
from tests.services.people import somebody
from updates.jobs import run_image_check
from updates.models import Check, ImageCheck
from updates.services.image_checks import (
    MOST,
    carry_out_image_check,
    note_image,
    note_removed,
    recover_image_checks,
    request_image_checks,
)

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]


def replaced() -> set[str]:
    """The instances whose checks are not to be relied on, for their image is another one."""
    found = ImageCheck.objects.filter(is_replaced=True)
    return set(found.values_list("instance__name", flat=True))


def test_a_request_is_on_record_and_names_the_image_in_full() -> None:
    instance = new_instance()
    actor = somebody("olga", "check_image")
    [check] = request_image_checks(image=f" {NEW} ", instances=[instance], actor=actor)
    assert (check.image, check.installed) == (NEW, instance.installation.image)
    record = AuditEvent.objects.get(action="module.check")
    assert (record.actor, record.data) == ("olga", {"image": NEW, "instances": ["mymodule1"]})


def test_what_makes_no_sense_is_refused() -> None:
    instance = new_instance()
    with pytest.raises(Refused, match="between 1 and"):
        request_image_checks(image=NEW, instances=[], actor=PORTAL)
    with pytest.raises(Refused, match="between 1 and"):
        request_image_checks(image=NEW, instances=[instance] * (MOST + 1), actor=PORTAL)
    with pytest.raises(Refused):
        request_image_checks(image="Not An Image", instances=[instance], actor=PORTAL)


def test_another_image_in_the_registry_makes_checks_of_the_registry_unreliable() -> None:
    one, two, three = (new_instance(f"mymodule{number}") for number in (1, 2, 3))
    image_checked(one, digest=OLD_DIGEST)
    image_checked(two, digest=OLD_DIGEST, is_local=True)
    image_checked(three, digest=NEW_DIGEST)
    note_image(NEW, digest=NEW_DIGEST, device=three.device, is_local=False)
    assert replaced() == {"mymodule1"}, "the second engine has its own, and uses that"


def test_another_image_on_an_engine_makes_only_checks_of_that_engine_unreliable() -> None:
    shared = new_device("shared")
    one, two = new_instance("mymodule1", device=shared), new_instance("mymodule2", device=shared)
    elsewhere = new_instance("mymodule3")
    for instance in (one, two, elsewhere):
        image_checked(instance, digest=OLD_DIGEST)
    note_image(NEW, digest=NEW_DIGEST, device=shared, is_local=True)
    assert replaced() == {"mymodule1", "mymodule2"}


def test_an_update_that_brought_another_image_makes_checks_on_its_device_unreliable() -> None:
    shared = new_device("shared")
    one, two = new_instance("mymodule1", device=shared), new_instance("mymodule2", device=shared)
    image_checked(two, digest=OLD_DIGEST)
    order(one)
    succeeded(upgrade_of(one))
    assert replaced() == {"mymodule2"}


def test_an_image_that_was_removed_makes_checks_that_found_it_there_unreliable() -> None:
    one, two = new_instance("mymodule1"), new_instance("mymodule2")
    image_checked(one, is_local=True)
    image_checked(two, is_local=True)
    note_removed(NEW, device=two.device)
    assert replaced() == {"mymodule2"}


def test_a_device_whose_engine_does_not_answer_is_not_unreachable_itself() -> None:
    instance = new_instance(device=new_device("here", driver="local", root="/"))
    [check] = request_image_checks(image=NEW, instances=[instance], actor=PORTAL)
    assert run_image_check(str(check.pk)) == Check.Verdict.UNREACHABLE
    check.refresh_from_db()
    assert "is not known: say it on its page" in check.findings[-1]["says"]
    instance.device.refresh_from_db()
    assert instance.device.unreachable_reason == ""


def test_a_look_that_comes_late_is_not_written_over_a_newer_request() -> None:
    instance = new_instance(device=new_device("here", driver="local", root="/"))
    [late] = request_image_checks(image=NEW, instances=[instance], actor=PORTAL)
    [newer] = request_image_checks(image=NEW, instances=[instance], actor=PORTAL)
    assert newer.pk == late.pk
    assert carry_out_image_check(late).verdict == Check.Verdict.UNREACHABLE
    newer.refresh_from_db()
    assert (newer.verdict, newer.findings) == (Check.Verdict.WAITING, [])


def test_a_check_whose_job_is_lost_is_put_back(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    request_image_checks(image=NEW, instances=[new_instance()], actor=PORTAL)
    with django_capture_on_commit_callbacks() as calls:
        recover_image_checks(set())
    assert len(calls) == 1


def test_a_check_is_over_whatever_the_device_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemctl = tmp_path / "systemctl"
    systemctl.write_text("#!/bin/sh\nprintf 'Not\\0now.'\nexit 1\n")
    systemctl.chmod(0o755)
    (tmp_path / "state").mkdir()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    device = new_device("here", driver="local", root="/")
    socket = str(tmp_path / "docker.sock")
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX, socket_path=socket)
    instance = new_instance(device=device, user=getpass.getuser(), install_dir=str(tmp_path))
    [check] = request_image_checks(image=NEW, instances=[instance], actor=PORTAL)

    assert run_image_check(str(check.pk)) == Check.Verdict.UNREACHABLE

    check.refresh_from_db()
    says = next(row["says"] for row in check.findings if row["what"] == "user")
    assert says.endswith("does not answer: Not\ufffdnow.")
