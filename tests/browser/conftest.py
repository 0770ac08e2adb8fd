"""People before a real browser, which meets the portal as it runs in earnest. A page with a complaint fails its test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Page, Response, expect

from portal.roles import ROLES
from tests.browser import axe
from tests.browser.fleet import Fleet
from tests.browser.processes import WebServer, Worker
from tests.environment.chromium import open_page
from tests.environment.redis import RedisServer
from tests.environment.waiting import wait_until

PASSWORD = "a password of these tests"
WAIT_MILLISECONDS = 60_000
"""Nothing that goes well takes as long: how long a busy machine may take for it."""
ITERATIONS = 1000
"""A hash as the portal's own processes want it, but a quick one."""
PEOPLE = {"viewer": "Viktor", "operator": "Olga", "approver": "Anna", "administrator": "Adam"}
PARTS = {"script", "stylesheet", "image", "font"}
"""What a page is put together from. Pages and scripts' questions may be refused; none of these may be missing."""

OTHERS_ASK = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend' AND state <> 'idle'
"""
SignIn = Callable[[str], Page]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def _web_server(django_db_setup: None) -> Iterator[WebServer]:
    server = WebServer()
    yield server
    server.stop()


@pytest.fixture
def web_server(_web_server: WebServer) -> Iterator[WebServer]:
    """The portal's web server, which a test may stop and start."""
    yield _web_server
    if not _web_server.is_running:
        _web_server.start()


@pytest.fixture
def fresh_web_server(transactional_db: None, web_server: WebServer) -> None:
    """It met no earlier test: the admin's own log wants the numbers that content types have in this one's database."""
    web_server.stop()
    web_server.start()


@pytest.fixture
def portal(
    transactional_db: None, redis_server: RedisServer, _web_server: WebServer
) -> Iterator[str]:
    """The address of a portal that holds nothing but the four roles."""
    permissions = {
        f"{permission.content_type.app_label}.{permission.codename}": permission
        for permission in Permission.objects.select_related("content_type")
    }
    for role, names in ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(permissions[name] for name in names)
    yield _web_server.url
    if connection.vendor == "postgresql":
        # Emptying the tables would meet half way what a page that is closed by now has asked for.
        with suppress(TimeoutError):
            wait_until(_nobody_else_asks, seconds=20, what="the answers to what pages have asked")


def _nobody_else_asks() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(OTHERS_ASK)
        return bool(cursor.fetchone() == (0,))


@pytest.fixture
def complaints() -> list[str]:
    """What the page's console shows as an error, the content security policy's refusals too."""
    return []


@pytest.fixture
def page(
    portal: str, chromium: Browser, complaints: list[str], _web_server: WebServer
) -> Iterator[Page]:
    """A fresh visitor's page. The test fails if a script fails, something is refused, or the server does."""

    def hear(message: ConsoleMessage) -> None:
        # Chromium also complains of each answer that is not 2xx; the portal's refusals are such answers.
        if message.type == "error" and not message.text.startswith("Failed to load resource"):
            place = "" if message.page is None else message.page.url
            complaints.append(f"{place}, {message.location['url']}: {message.text}")

    def look(response: Response) -> None:
        is_part = response.request.resource_type in PARTS
        if response.status >= 500 or (response.status >= 400 and is_part):
            complaints.append(f"{response.status} for {response.url}")

    expect.set_options(timeout=WAIT_MILLISECONDS)  # the page's own limit does not count for it
    with open_page(chromium) as opened:
        opened.set_default_timeout(WAIT_MILLISECONDS)
        opened.on("console", hear)
        opened.on("response", look)
        axe.bring(opened)
        yield opened
    assert not complaints, "\n".join([*complaints, _web_server.tail()])


@pytest.fixture
def sign_in(page: Page, portal: str) -> SignIn:
    """Somebody with this role has logged in: `sign_in("operator")`. The login page has tests of its own."""

    def come_in(role: str) -> Page:
        user = person(role)
        client = Client()
        client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
        cookie = client.cookies[settings.SESSION_COOKIE_NAME]
        page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": portal}])
        page.goto(portal)
        return page

    return come_in


def person(role: str) -> User:
    """Somebody who is on record with this role and `PASSWORD`."""
    name = PEOPLE[role]
    user = User.objects.create(
        username=name.lower(),
        first_name=name,
        password=PBKDF2PasswordHasher().encode(PASSWORD, "salt-of-these-tests", ITERATIONS),
        is_staff=True,
    )
    user.groups.add(Group.objects.get(name=role))
    return user


@pytest.fixture
def as_operator(sign_in: SignIn) -> Page:
    return sign_in("operator")


@pytest.fixture
def as_viewer(sign_in: SignIn) -> Page:
    return sign_in("viewer")


@pytest.fixture
def as_approver(sign_in: SignIn) -> Page:
    return sign_in("approver")


@pytest.fixture
def as_administrator(sign_in: SignIn) -> Page:
    return sign_in("administrator")


@pytest.fixture
def fleet(portal: str, tmp_path: Path) -> Fleet:
    """Devices, artifacts and upgrades, as a test asks for them."""
    return Fleet(tmp_path / "fleet")


@pytest.fixture
def start_worker(portal: str) -> Iterator[Callable[[], None]]:
    """From the call on a worker carries out what is ordered."""
    workers: list[Worker] = []
    yield lambda: workers.append(Worker())
    for worker in workers:
        worker.stop()


@pytest.fixture
def worker(start_worker: Callable[[], None]) -> None:
    """A worker carries out what is ordered."""
    start_worker()
