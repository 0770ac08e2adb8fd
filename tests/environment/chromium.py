"""A real browser: the system's Chromium, without a window and without the internet."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, Request, sync_playwright

from tests.environment.programs import program

ASYNC_VARIABLE = "DJANGO_ALLOW_ASYNC_UNSAFE"
UNMOVED = Path(__file__).with_name("unmoved_browser.py")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE 198.18.*",
)


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """A browser that reaches loopback and the tests' private networks only. Skips the test where there is none."""
    executable = program("chromium", package="chromium")
    # While a browser runs, playwright marks the test's thread as one with an event loop, and Django would refuse every
    # query in it. Nothing is asynchronous there: the loop runs only inside playwright's own calls.
    before = os.environ.get(ASYNC_VARIABLE)
    os.environ[ASYNC_VARIABLE] = "true"
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=UNMOVED,
                args=list(FLAGS),
                env={**os.environ, "UNMOVED_BROWSER": executable},
            )
            try:
                yield browser
            finally:
                browser.close()
    finally:
        if before is None:
            del os.environ[ASYNC_VARIABLE]
        else:
            os.environ[ASYNC_VARIABLE] = before


@contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """A page with cookies of its own; the test fails at the end if a script on the page had failed."""
    failures: list[Error] = []
    missing: list[str] = []

    def keep(failure: Error) -> None:
        failures.append(failure)

    def miss(request: Request) -> None:
        missing.append(f"{request.url}: {request.failure}")

    context = browser.new_context()
    try:
        page = context.new_page()
        page.on("pageerror", keep)
        page.on("requestfailed", miss)
        yield page
        # What a script misses because the page goes in the middle of its coming is no failure.
        page.remove_listener("pageerror", keep)
    finally:
        context.close()
    if failures:
        pytest.fail("\n".join([f"a script on the page failed: {failures[0]}", *missing]))
