"""Pages about checks of module images."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from portal.core import clock
from tests.modules.rows import NEW, image_checked, new_instance
from updates.models import Check, ImageCheck, Installation

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Shown

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

LIST = "/updates/imagecheck/"


def text(answer: Shown) -> str:
    return " ".join(answer.content.decode().split())


def place(check: ImageCheck, rest: str = "change/") -> str:
    return f"{LIST}{check.pk}/{rest}"


def test_a_check_is_asked_for_from_the_instances_page_and_is_on_its_way(operator: Client) -> None:
    instance = new_instance()
    page = text(operator.get(reverse("admin:updates_instance_change", args=[instance.pk])))
    asked = f"{LIST}check/?instance={instance.pk}"
    assert f'href="{asked}"' in page
    assert f'<option value="{instance.pk}" selected>' in text(operator.get(asked))
    assert not ImageCheck.objects.exists()
    given = {"image": NEW, "instances": [instance.pk]}
    shown = text(operator.post(f"{LIST}check/", given, follow=True))
    check = ImageCheck.objects.get()
    assert check.verdict == Check.Verdict.WAITING
    assert "on its way, asked by" in shown
    assert f'hx-get="{place(check, "now/")}' in shown
    assert "It is being checked." in shown


def test_all_instances_of_a_module_are_checked_at_once_and_listed(operator: Client) -> None:
    first, _ = new_instance("mymodule1"), new_instance("mymodule2")
    given = {"image": NEW, "module": first.module_id}
    shown = text(operator.post(f"{LIST}check/", given, follow=True))
    assert "2 instances are being checked." in shown
    assert ImageCheck.objects.count() == 2
    assert {"mymodule1", "mymodule2"} <= set(shown.replace("<", " ").replace(">", " ").split())


def test_what_was_found_is_shown_with_its_age_and_what_can_be_done(operator: Client) -> None:
    check = image_checked(new_instance())
    shown = text(operator.get(place(check)))
    for words in ("Not compatible", "It has what we need.", "It wants core 4.0.0", "for olga"):
        assert words in shown
    assert "Stale" not in shown
    assert f"image={NEW.replace(':', '%3A').replace('/', '%2F')}" in shown
    assert operator.get(place(check, "now/")).status_code == 286


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"image": f"{NEW}-rc"}, f"In force was {NEW.replace('1.1.0', '1.0.0')} then, and is {NEW}-rc now."),
        ({"image_id": "sha256:other"}, "Another ghcr.io/nethserver/mymodule:1.0.0 is in force by now."),
        ({"uninstalled_at": clock.now()}, "The instance is uninstalled by now."),
    ],
)  # fmt: skip
def test_a_check_is_stale_once_its_instance_has_changed(
    operator: Client, changed: dict[str, object], says: str
) -> None:
    check = image_checked(new_instance())
    Installation.objects.update(**changed)
    assert f"Stale: {says}" in text(operator.get(place(check)))


def test_a_check_is_stale_once_it_is_old_or_its_image_is_another_one(operator: Client) -> None:
    check = image_checked(new_instance())
    limit = timedelta(seconds=settings.CHECK_STALE_SECONDS)
    ImageCheck.objects.update(checked_at=clock.now() - limit - timedelta(seconds=5))
    assert "Stale: It is older than 1\xa0day." in operator.get(place(check)).content.decode()
    ImageCheck.objects.update(checked_at=clock.now(), is_replaced=True)
    assert "Its name stands for another image by now." in text(operator.get(place(check)))


def test_it_is_checked_again_by_a_post_and_by_no_get(operator: Client) -> None:
    check = image_checked(new_instance())
    assert operator.get(place(check, "again/")).status_code == 405
    shown = text(operator.post(place(check, "again/"), follow=True))
    assert "on its way" in shown
    check.refresh_from_db()
    assert (check.verdict, check.findings, check.digest) == (Check.Verdict.WAITING, [], "")


def test_a_viewer_reads_it_and_is_told_why_she_cannot_check(viewer: Client) -> None:
    check = image_checked(new_instance())
    shown = text(viewer.get(place(check)))
    assert "Not compatible" in shown
    assert "You lack the permission updates.check_image." in shown
    assert "You lack the permission updates.check_image." in text(viewer.get(LIST))
    for address in (f"{LIST}check/", place(check, "again/")):
        assert viewer.post(address, {"image": NEW}).status_code == 403


def test_what_cannot_be_checked_is_refused_at_the_form(operator: Client) -> None:
    gone = new_instance(uninstalled_at=clock.now())
    given = {"image": NEW, "instances": [gone.pk]}
    answer = operator.post(f"{LIST}check/", given)
    assert (answer.status_code, "mymodule1: It is uninstalled." in text(answer)) == (422, True)
    assert not ImageCheck.objects.exists()
