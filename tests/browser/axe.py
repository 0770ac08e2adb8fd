"""axe-core: what keeps people from reading or using a page, found by looking at it in the browser."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page, expect

from tests.environment.npm import installed

IMPACTS = ("serious", "critical")
RULES = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
COLOURS = ("color-contrast", "link-in-text-block")
"""The rules that another theme can break."""
UNDER_WAY = ".htmx-request, .htmx-swapping, .htmx-settling"
SHOWN_NODES = 3


def bring(page: Page) -> None:
    """Every page that this tab opens from now on has axe in it, whatever its content security policy says."""
    page.add_init_script(path=installed("axe-core/axe.min.js"))


def serious_faults(page: Page, rules: Sequence[str] = RULES) -> list[str]:
    """One line for each rule that the page breaks seriously: rule, what it means, the first elements."""
    # What is replaced while it is looked at is neither there nor gone.
    expect(page.locator(UNDER_WAY)).to_have_count(0)
    found: list[dict[str, Any]] = page.evaluate(
        "rules => axe.run({runOnly: rules, resultTypes: ['violations']}).then(r => r.violations)",
        list(rules),
    )
    return [_line(fault) for fault in found if fault["impact"] in IMPACTS]


def _line(fault: dict[str, Any]) -> str:
    nodes = fault["nodes"]
    places = "; ".join(_place(node) for node in nodes[:SHOWN_NODES])
    return f"{fault['id']} ({fault['impact']}, {len(nodes)}x): {places}"


def _place(node: dict[str, Any]) -> str:
    says = node["any"][0]["message"] if node["any"] else ""
    return f"{' '.join(node['target'])} {says}"
