"""The seven steps of the hot-patch document, in a browser, with three real Erlang nodes, and the way back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.test_watch import say_why, watched
from tests.environment.erlang import Erlang, ErlangNode
from tests.patches.bay import COUNTER, GREETING, SPARE, Bay, new_bay, zip_of

ANSWER_MILLISECONDS = 60_000
MENU = "priv/menu.txt"


@pytest.fixture
def bay(portal: str, erlang: Erlang, tmp_path: Path) -> Iterator[Bay]:
    """Three nodes of a small OTP application; the last lacks one of its modules."""
    bay = new_bay(erlang)
    nodes = [
        erlang.node(
            f"shop{n}", root=tmp_path / f"root{n}", without=("bay_spare",) if n == 3 else ()
        )
        for n in (1, 2, 3)
    ]
    erlang.start(*nodes)
    for node in nodes:
        bay.join(node)
        node.call("bay_greeting", "answer")
    yield bay
    for node in nodes:
        node.stop()


def bumped(node: ErlangNode) -> tuple[object, object]:
    """The server's process, and its count after one more call."""
    return node.evaluate("pid_to_list(whereis(bay_counter))"), node.call("bay_counter", "bump")


def archive_for(bay: Bay, folder: Path) -> Path:
    """The next version of three modules, and a file that is none."""
    archive = folder / "tea-is-hot.zip"
    files = {
        GREETING: bay.world.compiled("bay_greeting", v=2),
        COUNTER: bay.world.compiled("bay_counter", v=2),
        SPARE: bay.world.compiled("bay_spare", v=2),
        MENU: b"tea\n",
    }
    archive.write_bytes(zip_of(files))
    return archive


def upload(page: Page, archive: Path) -> None:
    """Steps 2 to 4: to the patches, the archive is chosen and uploaded."""
    page.locator("nav a, aside a, #nav-sidebar a", has_text="Patches").first.click()
    page.get_by_role("link", name="Upload patch").first.click()
    page.locator("select[name=module]").select_option(label="bay")
    page.locator("[name=version]").fill("1.0.0")
    page.locator("input[type=file]").set_input_files(archive)
    page.get_by_role("button", name="Upload", exact=True).click()
    expect(page.locator("#patch")).to_be_visible()


def see_composition(page: Page) -> None:
    """Step 4: what is in it, and which nodes know it."""
    row = page.locator(f"tr[data-file='{GREETING}']")
    expect(row).to_contain_text("bay_greeting")
    expect(row).to_contain_text("module")
    expect(page.locator(f"tr[data-file='{MENU}']")).to_contain_text("assembly")
    spare = page.locator(f"tr[data-file='{SPARE}']")
    expect(spare).to_contain_text("shop1.localhost", timeout=ANSWER_MILLISECONDS)
    expect(spare).not_to_contain_text("shop3.localhost")


def check(page: Page, bay: Bay) -> None:
    """Step 5: the integral status, and that of each node."""
    card = page.locator("[data-instance='bay-1']")
    card.get_by_role("button", name="Check", exact=True).click()
    over = card.locator("[data-check=over]")
    expect(over).to_contain_text("ok (6)", timeout=ANSWER_MILLISECONDS)
    for node in bay.nodes:
        expect(card.locator(f"[data-node='{bay.row(node).name}']")).to_contain_text("ok (6)")


def apply(page: Page, bay: Bay) -> None:
    """Step 6: what became of each module on each node."""
    page.locator("[data-instance='bay-1']").get_by_role("link", name="Apply").click()
    say_why(page, "Tea was served cold", button="Apply")
    assert watched(page) == "succeeded"
    for node in bay.nodes:
        result = page.locator(f"#upgrade [data-node='{bay.row(node).name}']")
        expect(result).to_contain_text("ok (6)")
        expect(result).to_contain_text("not loaded (7)")


@pytest.mark.usefixtures("worker")
def test_an_operator_patches_a_running_system_and_takes_it_back(
    as_operator: Page, bay: Bay, tmp_path: Path
) -> None:
    page, restarted = as_operator, bay.nodes[1]
    pids = [bumped(node)[0] for node in bay.nodes]

    upload(page, archive_for(bay, tmp_path))
    see_composition(page)
    check(page, bay)
    assert bay.answers() == [1, 1, 1], "a check loads nothing"
    patch = page.url
    apply(page, bay)
    applied = page.url
    assert bay.answers() == [2, 2, 2]
    assert [bumped(node) for node in bay.nodes] == [(pid, 3) for pid in pids], (
        "1, and 2 by new code"
    )

    # Step 7: so that nobody applies it by accident.
    page.goto(patch)
    page.get_by_role("link", name="Delete archive", exact=True).click()
    say_why(page, "It is in force", button="Delete archive")
    expect(page.locator("body")).to_contain_text("The archive is deleted")
    restarted.restart()
    assert bay.answers() == [2, 2, 2], "a restarted node keeps the patch"

    page.goto(applied)
    page.get_by_role("link", name="Roll back", exact=True).click()
    say_why(page, "Tea burned somebody", button="Roll back")
    assert watched(page) == "succeeded"
    assert bay.answers() == [1, 1, 1]
    assert not (bay.nodes[2].root / SPARE).exists(), "it lacked that module before"
    counts = {node.name: bumped(node)[1] for node in bay.nodes}
    assert counts.pop(restarted.name) == 1
    assert set(counts.values()) == {4}, "what the servers had counted is still there"
