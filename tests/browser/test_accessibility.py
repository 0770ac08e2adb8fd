"""Every page, in both themes, wide and on a phone: nothing that keeps people from reading or using it, no sideways scrolling."""

from __future__ import annotations

from typing import Literal

from django.contrib.auth.models import User
from playwright.sync_api import Page

from tests.browser import axe
from tests.browser.fleet import Fleet
from tests.browser.places import everywhere

THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
WIDE, PHONE = 1280, 390
HEIGHT = 900


def look_at(page: Page, theme: str, width: int) -> list[str]:
    """What is wrong with the page in the browser, which shows this theme, at this width."""
    page.set_viewport_size({"width": width, "height": HEIGHT})
    found = axe.serious_faults(page, axe.RULES if theme == "light" else axe.COLOURS)
    over = page.evaluate(
        "document.scrollingElement.scrollWidth - document.scrollingElement.clientWidth"
    )
    return found + ([f"it scrolls sideways by {over} px"] if over > 0 else [])


def test_every_page_can_be_read_and_used_by_everybody(
    as_administrator: Page, portal: str, fleet: Fleet
) -> None:
    visitor = as_administrator  # who gets to see every page
    faults: dict[str, list[str]] = {}
    for name, address in everywhere(fleet, User.objects.get(username="adam")).items():
        for theme in THEMES:
            visitor.emulate_media(color_scheme=theme, reduced_motion="reduce")
            answer = visitor.goto(portal + address)
            assert answer is not None
            visitor.wait_for_function("!document.querySelector('.htmx-request')")
            refused = [] if answer.ok else [f"it answers {answer.status}"]
            for width in (WIDE, PHONE):
                for fault in refused or look_at(visitor, theme, width):
                    faults.setdefault(fault, []).append(f"{name} {theme} {width}")
    assert not faults, "\n".join(
        f"{fault}\n    on {len(places)}: {', '.join(places[:4])}"
        for fault, places in faults.items()
    )
