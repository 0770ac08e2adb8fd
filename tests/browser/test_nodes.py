"""A node in the browser: asked again, and restarted by its command."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from patches.models import Node
from tests.browser.test_watch import say_why
from tests.environment.erlang import Erlang
from tests.patches.bay import new_bay

NODES_MILLISECONDS = 30_000


@pytest.fixture
def node(portal: str, erlang: Erlang, tmp_path: Path) -> Iterator[Node]:
    """An Erlang node that runs and was never asked."""
    running = erlang.node("restarted", root=tmp_path / "root")
    erlang.start(running)
    yield new_bay(erlang).join(running)
    running.stop()


@pytest.mark.usefixtures("worker")
def test_a_node_is_looked_at_and_restarted_by_its_command(
    as_operator: Page, portal: str, node: Node, tmp_path: Path
) -> None:
    page, note = as_operator, tmp_path / "note"
    Node.objects.update(restart_command=f"echo again > {note}; echo Started")
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
