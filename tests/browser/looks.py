"""A page in both themes, wide and on a phone: what keeps people from reading or using it, and sideways scrolling.

A page is opened once, and turned from one theme to the other by the class that its style sheets ask for.
"""

from __future__ import annotations

from typing import Final

from playwright.sync_api import Page

from tests.browser import axe

WIDE: Final = 1280
PHONE: Final = 390
HEIGHT: Final = 900
NARROW: Final = (
    *axe.COLOURS,
    "aria-hidden-focus",
    "button-name",
    "label",
    "link-name",
    "scrollable-region-focusable",
    "target-size",
)
"""The rules that another width can break."""
TURN: Final = "dark => document.documentElement.classList.toggle('dark', dark)"
OVER: Final = "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"


def prefer_light(page: Page) -> None:
    """From now on this tab shows pages in the light theme, and nothing moves in them."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")


def faults(page: Page, *, is_quick: bool = False) -> dict[str, str]:
    """What is wrong with the page in the browser, and how it is looked at then. A quick look leaves the phone out."""
    page.wait_for_function("!document.querySelector('.htmx-request')")
    found: dict[str, str] = {}
    for width, rules in ((WIDE, axe.RULES), (PHONE, NARROW)):
        if is_quick and width == PHONE:
            break
        page.set_viewport_size({"width": width, "height": HEIGHT})
        for theme in ("light", "dark"):
            page.evaluate(TURN, theme == "dark")
            for fault in axe.serious_faults(page, rules if theme == "light" else axe.COLOURS):
                found.setdefault(fault, f"{theme} {width}")
        if (over := page.evaluate(OVER)) > 0:
            found[f"it scrolls sideways by {over} px"] = f"{width}"
    page.evaluate(TURN, False)
    return found


def is_fine(page: Page) -> None:
    """Nothing is wrong with the page in the browser."""
    found = faults(page)
    assert not found, "\n".join(f"{where}: {fault}" for fault, where in found.items())
