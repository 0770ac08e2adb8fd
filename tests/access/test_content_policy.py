"""No page needs more than the content security policy allows, and the policy allows no inline script or style."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer
from unfold.settings import CONFIG_DEFAULTS

from devices.models import Device
from portal.headers import UNUSED
from tests.access.conftest import MakePerson
from tests.environment.redis import RedisServer

pytestmark = pytest.mark.database(transaction=True)

LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) => {
  const place = `${event.sourceFile}:${event.lineNumber}`;
  window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${place} ${event.sample}`);
});
"""

PAGES = [
    "admin:index",
    "admin:devices_device_changelist",
    "admin:devices_device_add",
    "admin:devices_devicegroup_changelist",
    "admin:devices_devicegroup_add",
    "admin:devices_credential_changelist",
    "admin:devices_credential_add",
    "admin:updates_artifact_changelist",
    "admin:updates_artifact_upload",
    "admin:updates_updatemodule_changelist",
    "admin:updates_updatemodule_upload",
    "admin:updates_deployment_changelist",
    "admin:updates_deployment_deploy",
    "admin:updates_upgrade_changelist",
    "admin:updates_upgradeevent_changelist",
    "admin:core_auditevent_changelist",
    "admin:core_apitoken_changelist",
    "admin:auth_user_changelist",
    "admin:auth_user_add",
    "admin:auth_group_changelist",
    "admin:auth_group_add",
    "admin:axes_accessattempt_changelist",
    "admin:second_factor_authenticator_changelist",
    "admin:password_change",
    "second_factor:home",
    "django_rq:home",
]


@pytest.fixture
def administrator(make_person: MakePerson) -> User:
    return make_person("administrator")


@pytest.fixture
def browser(
    administrator: User, live_server: LiveServer, page: Page, redis_server: RedisServer
) -> Page:
    """A real browser in which the administrator is logged in; it notes what the policy forbids."""
    client = Client()
    client.force_login(administrator)
    name = settings.SESSION_COOKIE_NAME
    page.context.add_cookies(
        [{"name": name, "value": client.cookies[name].value, "url": live_server.url}]
    )
    page.add_init_script(LISTEN)
    return page


def violations(page: Page) -> list[str]:
    page.wait_for_load_state("networkidle")
    return [f"{page.url}: {text}" for text in page.evaluate("window.violations")]


def test_no_page_does_what_the_policy_forbids(
    browser: Page, live_server: LiveServer, tmp_path: Path
) -> None:
    device = Device.objects.create(
        name="box", device_type="box", driver="local", root=str(tmp_path), host_key="ssh-ed25519 AA"
    )
    found: list[str] = []
    addresses = [reverse(name) for name in PAGES]
    addresses += [
        reverse(f"admin:devices_device_{word}", args=[device.pk])
        for word in ("change", "edit", "host_key")
    ]
    for address in addresses:
        answer = browser.goto(live_server.url + address)
        assert answer is not None and answer.status == 200, address
        found += violations(browser)
    assert found == []


def test_the_forms_widgets_work_under_the_policy(browser: Page, live_server: LiveServer) -> None:
    Device.objects.create(name="box-7", device_type="box", driver="local", root="/tmp/none")
    browser.goto(live_server.url + reverse("admin:devices_devicegroup_add"))
    browser.locator(".select2-selection").first.click()
    browser.get_by_role("option", name="box-7").click()
    assert violations(browser) == []


def test_the_pages_before_the_login_obey_it_too(
    page: Page, live_server: LiveServer, roles: None
) -> None:
    page.add_init_script(LISTEN)
    page.goto(live_server.url + "/")
    assert page.url.startswith(f"{live_server.url}/login/")
    assert violations(page) == []


def test_a_script_that_got_into_a_page_does_not_run(browser: Page, live_server: LiveServer) -> None:
    browser.goto(live_server.url + "/")
    browser.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.stolen = true";
          document.body.append(script);
        }"""
    )
    assert browser.evaluate("window.stolen") is None
    assert any("script-src" in text for text in violations(browser))


def policy_of(address: str, client: Client) -> dict[str, list[str]]:
    header = client.get(address).headers["Content-Security-Policy"]
    return {name: words for name, *words in (part.split() for part in header.split(";"))}


@pytest.mark.parametrize("address", ["/", "/login/", "/livez", "/api/v1/devices", "/no-such-page"])
def test_every_answer_has_its_headers(address: str, administrator: User) -> None:
    client = Client()
    client.force_login(administrator)
    answer = client.get(address)
    policy = policy_of(address, client)
    assert policy["default-src"] == ["'none'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == ["'none'"]
    assert "'unsafe-inline'" not in policy["script-src"] + policy["style-src"]
    assert answer.headers["Referrer-Policy"] == "same-origin"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    for feature in UNUSED:
        assert f"{feature}=()" in answer.headers["Permissions-Policy"]


def test_our_file_of_colours_has_every_one_that_the_theme_knows() -> None:
    ours = (Path(__file__).parents[2] / "static/fleetwright/theme.css").read_text()
    wanted = {
        f"--color-{name}-{weight}:"
        for name, weights in CONFIG_DEFAULTS["COLORS"].items()
        for weight in weights
    }
    assert {colour for colour in wanted if colour not in ours} == set()


def templates_of_ours() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "templates").rglob("*.html"))


@pytest.mark.parametrize(
    "forbidden",
    [
        "<style",
        "<script>",
        ' style="',
        "onclick=",
        "onsubmit=",
        "onchange=",
        "hx-on",
        "javascript:",
    ],
)
def test_no_template_of_ours_has_anything_inline(forbidden: str) -> None:
    assert [path.name for path in templates_of_ours() if forbidden in path.read_text()] == []
