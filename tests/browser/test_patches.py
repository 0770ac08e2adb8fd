"""A hot patch from the upload to the last step, in the browser, into three Erlang nodes that run."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from patches.models import Application, Node
from tests.browser.test_watch import say_why, watched
from tests.environment.erlang import Erlang
from tests.patches.bay import GREETING, NOTE, SPARE, Bay, new_bay, zip_of

NODES_MILLISECONDS = 30_000

_numbers = count(1)


@pytest.fixture
def bay(portal: str, erlang: Erlang, tmp_path: Path) -> Iterator[Bay]:
    """A system of three nodes, one of which lacks one of the modules."""
    system = new_bay(erlang)
    lacks: tuple[tuple[str, ...], ...] = ((), (), ("bay_spare",))
    nodes = [
        erlang.node(f"watched{(n := next(_numbers))}", root=tmp_path / f"root{n}", without=without)
        for without in lacks
    ]
    erlang.start(*nodes)
    for node in nodes:
        node.call("bay_greeting", "answer")
        system.join(node)
    yield system
    for node in nodes:
        node.stop()


def archive(bay: Bay, folder: Path) -> Path:
    """What an operator has packed: a module that runs everywhere, one that a node lacks, and a note."""
    names = {GREETING: "bay_greeting", SPARE: "bay_spare"}
    files = {path: bay.world.compiled(name, v=2) for path, name in names.items()}
    file = folder / "greeting-fix.zip"
    file.write_bytes(zip_of(files | {NOTE: b"two\n"}))
    return file


def counters(bay: Bay) -> list[object]:
    """The processes that count on each node."""
    return [node.evaluate("pid_to_list(whereis(bay_counter))") for node in bay.nodes]


def upload(page: Page, portal: str, file: Path) -> None:
    """Steps 1 to 4, from the front page on."""
    page.goto(portal)
    page.locator(f"a[href='{reverse('admin:patches_patch_changelist')}']").first.click()
    page.get_by_role("link", name="Upload patch").click()
    page.locator("[name=version]").fill("1.0.0")
    page.locator("#id_file").set_input_files(file)
    page.get_by_role("button", name="Upload", exact=True).click()
    for word in (GREETING, SPARE, "bay_greeting", "assembly"):
        expect(page.locator("#patch")).to_contain_text(word)


def check(page: Page, names: list[str]) -> None:
    """Step 5: the answers of the nodes come in by themselves."""
    card = page.locator("[data-instance='bay-1']")
    expect(card.get_by_text("Check it on bay-1 first.")).to_be_visible()
    card.get_by_role("button", name="Check", exact=True).click()
    expect(card.locator("[data-check=over]")).to_contain_text("ok (6)", timeout=NODES_MILLISECONDS)
    for name in names:
        expect(card.locator(f"[data-node='{name}']")).to_contain_text("ok (6)")


def apply(page: Page, names: list[str]) -> None:
    """Step 6."""
    page.locator("[data-instance='bay-1']").get_by_role("link", name="Apply", exact=True).click()
    expect(page.locator("body")).to_contain_text("3 nodes get it")
    say_why(page, "Greetings are wrong", button="Apply")
    assert watched(page) == "succeeded"
    for name in names:
        expect(page.locator(f".fw-results [data-node='{name}']")).to_contain_text("ok (6)")


def revert(page: Page, portal: str, bay: Bay) -> None:
    page.goto(portal + reverse("admin:updates_instance_change", args=[bay.instance.pk]))
    page.get_by_role("link", name="Revert", exact=True).click()
    say_why(page, "The old one was better", button="Roll back")
    assert watched(page) == "succeeded"


@pytest.mark.usefixtures("worker")
def test_the_seven_steps_and_the_way_back(
    as_operator: Page, portal: str, bay: Bay, tmp_path: Path
) -> None:
    page, before = as_operator, counters(bay)
    names = [bay.row(node).name for node in bay.nodes]
    bay.nodes[1].call("bay_counter", "bump")

    upload(page, portal, archive(bay, tmp_path))
    known = "[data-file='{}'] [data-label='Known to']"
    expect(page.locator(known.format(GREETING))).to_have_text(
        ", ".join(sorted(names)), timeout=NODES_MILLISECONDS
    )
    expect(page.locator(known.format(SPARE))).not_to_contain_text(names[2])

    check(page, names)
    assert bay.answers() == [1, 1, 1], "a check touches nothing that runs"
    apply(page, names)
    assert bay.answers() == [2, 2, 2]
    assert counters(bay) == before, "processes are alive"
    assert bay.nodes[1].call("bay_counter", "count") == 1, "and their state"
    bay.nodes[0].restart()
    assert bay.nodes[0].call("bay_greeting", "answer") == 2, "a restart keeps it"

    revert(page, portal, bay)
    assert bay.answers() == [1, 1, 1]
    assert Application.objects.get().standing == Application.Standing.REVERTED

    page.goto(portal + reverse("admin:patches_patch_changelist"))
    page.get_by_role("link", name="greeting-fix").click()
    page.get_by_role("link", name="Delete archive").click()
    say_why(page, "Not again", button="Delete archive")
    expect(page.locator("#patch")).to_contain_text("The archive is deleted, by olga")
    expect(page.get_by_role("button", name="Apply", exact=True)).to_be_disabled()


@pytest.mark.usefixtures("worker")
def test_a_node_is_looked_at_and_restarted_by_its_command(
    as_operator: Page, portal: str, bay: Bay, tmp_path: Path
) -> None:
    page, node = as_operator, bay.row(bay.nodes[0])
    note = tmp_path / "restarted"
    Node.objects.filter(pk=node.pk).update(restart_command=f"echo again > {note}; echo Started")
    page.goto(portal + reverse("admin:patches_node_change", args=[node.pk]))
    page.get_by_role("button", name="Look again").click()
    expect(page.locator("[data-reach=yes]")).to_be_visible(timeout=NODES_MILLISECONDS)
    expect(page.locator("#node")).to_contain_text("Erlang/OTP")
    page.get_by_role("link", name="Restart", exact=True).click()
    expect(page.locator("body")).to_contain_text("echo Started")
    say_why(page, "It is slow", button="Restart")
    expect(page.locator("#node")).to_contain_text(
        "Its command ended with status 0.", timeout=NODES_MILLISECONDS
    )
    assert note.read_text() == "again\n"
