"""Pages about the images that engines have, and about removing them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from django.test import Client
from django.urls import reverse

from devices.models import Device, EngineAccess, EngineLook
from devices.services.bulk import MEANT_ABOVE
from portal.core import clock
from tests.journal.rows import new_device
from updates.models import (
    ImageRemoval,
    ImageRemovalPart,
    Installation,
    Instance,
    Module,
)
from updates.recipes.engine_images import KEEP

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Shown

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("redis_server")]

SHOP = {
    "id": "sha256:" + "1" * 64,
    "tags": ["shop:1"],
    "digests": [],
    "size": 5 << 20,
    "created": "2026-01-01T00:00:00+00:00",
}
NAMELESS = SHOP | {"id": "sha256:" + "2" * 64, "tags": []}
FULL = "docker.io/library/shop:1"


def looked_at(name: str, *images: dict[str, object]) -> Device:
    """A device whose engine had these images; a container runs the shop, if that is one of them."""
    device = new_device(name)
    EngineAccess.objects.create(device=device, way=EngineAccess.Way.UNIX)
    now = clock.now()
    EngineLook.objects.create(
        device=device,
        asked_at=now,
        answered_at=now,
        images=list(images),
        containers=[{"name": "keeper", "image_id": SHOP["id"], "state": "running"}],
    )
    return device


@pytest.fixture
def device() -> Device:
    """The shop is installed there, too."""
    device = looked_at("far", SHOP, NAMELESS)
    module = Module.objects.create(name="shop")
    instance = Instance.objects.create(name="shop1", module=module, device=device, version="1")
    Installation.objects.create(
        instance=instance,
        image=FULL,
        images=[FULL],
        user="root",
        install_dir="/var/lib/shop1",
    )
    return device


def place(device: Device, rest: str = "") -> str:
    return f"/updates/imageremoval/on/{device.pk}/{rest}"


def text(answer: Shown) -> str:
    return " ".join(answer.content.decode().split())


def test_each_image_is_listed_with_who_uses_it_and_how_old_the_answer_is(
    operator: Client, device: Device
) -> None:
    shown = text(operator.get(place(device)))
    for words in ("shop:1", str(NAMELESS["id"]), "5.0 MB", "2026-01-01", "keeper", "shop1"):
        assert words in shown
    assert "0 minutes ago" in shown
    assert "Ask now" in shown
    for page in ("devices_device_engine", "devices_device_change"):
        answer = operator.get(reverse(f"admin:{page}", args=[device.pk]))
        assert f'href="{place(device)}"' in text(answer)


def test_an_engine_that_has_said_nothing_has_nothing_to_choose(operator: Client) -> None:
    shown = text(operator.get(place(new_device("mute"))))
    assert "has not said anything yet" in shown
    assert "Nobody has said how it is reached." in shown
    assert "Remove chosen" not in shown


def test_a_name_older_than_the_rules_for_names_cannot_be_chosen_and_says_why(
    operator: Client,
) -> None:
    shown = text(operator.get(place(looked_at("old", SHOP | {"tags": ["Shop:1"]}))))
    assert "upper case" in shown
    assert 'aria-label="Choose Shop:1" disabled' in shown


def test_what_a_way_back_holds_cannot_be_chosen_and_says_whose_it_is(operator: Client) -> None:
    kept = SHOP | {"tags": ["shop:1", f"{KEEP}:mail7-0"]}
    device = looked_at("far", kept)
    shown = text(operator.get(place(device)))
    assert shown.count("Kept for a way back of mail7; it goes with that.</p>") == 2
    assert 'aria-label="Choose shop:1" disabled' in shown
    asked = text(operator.get(place(device, "remove/?image=shop:1")))
    assert "kept for a way back of mail7, so it will be refused" in asked
    order = {"where": "here", "reason": "Room"}
    refused = operator.post(place(device, f"remove/?image={KEEP}:mail7-0"), order)
    assert refused.status_code == 422
    assert "the portal&#x27;s own: a way back holds it" in text(refused)
    assert not ImageRemoval.objects.exists()


def test_the_page_that_asks_says_beforehand_what_will_be_refused_and_what_comes_again(
    operator: Client, device: Device
) -> None:
    looked_at("other", SHOP)
    looked_at("without")
    shown = text(operator.get(place(device, "remove/?image=shop:1&image=gone:1")))
    assert "Remove 2 images" in shown
    assert "in use by keeper, so it will be refused; shop1 will pull it again" in shown
    assert '<code class="fw-hash">gone:1</code>: it was not there' in shown
    assert "never asked: 2, on 2 of them a container uses one." in shown
    assert "on all devices that have them (2)" in shown
    assert not ImageRemoval.objects.exists()


def test_without_an_image_there_is_nothing_to_ask_about(operator: Client, device: Device) -> None:
    answer = operator.get(place(device, "remove/"))
    assert (answer.status_code, answer["Location"]) == (302, place(device))
    refused = operator.post(place(device, "remove/"), {"where": "here", "reason": "Room"})
    assert refused.status_code == 422
    assert "Name between 1 and 100 images." in text(refused)
    wrong = operator.get(place(device, "remove/?image=Shop"))
    assert "upper case" in text(wrong)


@pytest.mark.parametrize(("where", "asked"), [("here", ["far"]), ("everywhere", ["far", "other"])])
def test_they_are_removed_on_this_device_or_on_all_that_have_them(
    operator: Client, device: Device, where: str, asked: list[str]
) -> None:
    looked_at("other", SHOP)
    looked_at("without")
    at = place(device, "remove/?image=shop:1")
    assert operator.post(at, {"where": where, "reason": ""}).status_code == 422
    answer = operator.post(at, {"where": where, "reason": "Room"})
    removal = ImageRemoval.objects.get()
    assert answer["Location"] == reverse("admin:updates_imageremoval_change", args=[removal.pk])
    assert (removal.references, removal.reason) == ([FULL], "Room")
    names = removal.parts.values_list("device__name", flat=True)
    assert sorted(names) == asked


def test_for_many_devices_their_number_has_to_be_typed(operator: Client, device: Device) -> None:
    for number in range(MEANT_ABOVE):
        looked_at(f"box-{number}", SHOP)
    at = place(device, "remove/?image=shop:1")
    assert "Type 101 if you mean all devices." in text(operator.get(at))
    for said, says in (("", "It would be 101 devices"), ("100", "You said 100")):
        order = {"where": "everywhere", "reason": "Room", "number": said}
        refused = operator.post(at, order)
        assert refused.status_code == 422
        assert says in text(refused)
    assert not ImageRemoval.objects.exists()
    operator.post(at, {"where": "everywhere", "reason": "Room", "number": "101"})
    assert ImageRemovalPart.objects.count() == 101


def test_the_page_of_a_removal_fills_in_until_it_is_over(operator: Client, device: Device) -> None:
    away = looked_at("other", SHOP)
    at = place(device, "remove/?image=shop:1&image=gone:1&image=free:1")
    page = operator.post(at, {"where": "everywhere", "reason": "Room"})["Location"]
    shown = text(operator.get(page))
    assert "<strong>0 of 2</strong>" in shown
    assert "Waiting" in shown
    live = f"{page.removesuffix('change/')}live/?page=1"
    assert f'hx-get="{live}&amp;mark=' in shown
    mark = shown.split("mark=")[1].split('"')[0]
    assert operator.get(f"{live}&mark={mark}").status_code == 204
    outcomes = [
        [FULL, "in_use", "It is used by keeper."],
        ["docker.io/library/gone:1", "absent", ""],
        ["docker.io/library/free:1", "removed", ""],
    ]
    now = clock.now()
    ImageRemovalPart.objects.filter(device=device).update(outcomes=outcomes, finished_at=now)
    some = operator.get(f"{live}&mark={mark}")
    assert some.status_code == 200
    for words in ("In use", "It is used by keeper.", "Was not there", "Removed", "Waiting"):
        assert words in text(some)
    ImageRemovalPart.objects.filter(device=away).update(error="It is away.", finished_at=now)
    over = operator.get(live)
    assert over.status_code == 286
    for words in ("<strong>2 of 2</strong> devices done, 1 of them without", "It is away."):
        assert words in text(over)
    assert "Waiting" not in text(over)
    assert "hx-get" not in text(over)


def test_who_may_only_look_is_told_why_not(viewer: Client, device: Device) -> None:
    shown = text(viewer.get(place(device)))
    assert "You lack the permission updates.remove_image." in shown
    at = place(device, "remove/?image=shop:1")
    assert viewer.get(at).status_code == 403
    assert viewer.post(at, {"where": "here", "reason": "x"}).status_code == 403
    assert not ImageRemoval.objects.exists()


def test_who_may_not_look_sees_nothing(stranger: Client, device: Device) -> None:
    assert stranger.get(place(device)).status_code == 403
