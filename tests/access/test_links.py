"""No page leads to where its visitor may not go: what somebody may not use says so, or is not there."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client

from tests.access.addresses import API, SEED_API, expected
from tests.access.conftest import MakePerson, browser_of
from tests.access.world import World, give, make_world
from tests.environment.redis import RedisServer
from tests.journal.rows import new_artifact, new_device

pytestmark = pytest.mark.database

LINK = re.compile(r'<a\b[^>]*?\shref="([^"#]+)|\shx-get="([^"]+)"')


@pytest.fixture
def world(roles: None, redis_server: RedisServer, tmp_path: Path) -> World:
    """One of everything, and a device that could have something newer."""
    cache.clear()
    made = make_world(tmp_path)
    for name in ("one", "two"):
        new_device(f"has-{name}", provides={"artifact_name": new_artifact(name).name})
    return made


def pages(world: World, person: User, *, who: str) -> list[str]:
    """The address of everything that such a visitor may look at in a browser."""
    return [
        world.address(question.route, by=person)
        for question, row in expected().items()
        if question.method == "GET"
        and row[who] == "200"
        and not question.route.startswith((API, SEED_API))
    ]


def looked_at(browser: Client, url: str) -> tuple[int, list[str]]:
    """The status, and where the page leads to and what it loads by itself, within the portal."""
    answer: Any = browser.get(url)
    if answer.streaming:
        b"".join(answer)
    elif "text/html" in answer.headers.get("Content-Type", ""):
        found = LINK.findall(answer.content.decode())
        links = [urljoin(url, unescape(link or part)) for link, part in found]
        return answer.status_code, [link for link in links if link.startswith("/")]
    return answer.status_code, []


@pytest.mark.parametrize("who", ["viewer", "operator", "approver", "administrator"])
def test_no_link_ends_in_a_refusal(world: World, make_person: MakePerson, who: str) -> None:
    person = make_person(who)
    give(person, world.device)
    browser = browser_of(person)
    statuses: dict[str, int] = {}
    links: dict[str, tuple[str, str]] = {}
    for page in pages(world, person, who=who):
        statuses[urlsplit(page).path], found = looked_at(browser, page)
        links |= {urlsplit(url).path: (url, page) for url in found}
    for path, (url, _) in links.items():
        if path not in statuses:
            statuses[path], _ = looked_at(browser, url)
    assert len(links) > 50
    assert [
        f"{page} leads to {path}" for path, (_, page) in links.items() if statuses[path] == 403
    ] == []
