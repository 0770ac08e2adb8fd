"""A real Mender client asks, and is let in by somebody in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from devices.models import AuthSet
from tests.browser.processes import WebServer
from tests.environment.device_container import DeviceContainer
from tests.environment.docker import DockerEngine
from tests.environment.mender_device import MenderDevice
from tests.environment.waiting import wait_until

PATIENCE_SECONDS = 240


@pytest.fixture
def client(
    portal: str, docker_engine: DockerEngine, device_container: Callable[..., DeviceContainer]
) -> Iterator[MenderDevice]:
    """It asks a web server of the same portal: the browser's listens where no container gets."""
    server = WebServer(host=docker_engine.machine_address)
    client = MenderDevice(device_container(), server=server.url)
    client.start_client()
    yield client
    server.stop()


def test_it_is_accepted_and_the_page_says_what_it_reports(
    as_operator: Page, portal: str, client: MenderDevice
) -> None:
    page = as_operator
    asks = AuthSet.objects.filter(status=AuthSet.Status.PENDING)
    wait_until(asks.exists, seconds=PATIENCE_SECONDS, what="the client's question")
    mac = client.container.exec("cat", "/sys/class/net/eth0/address")
    page.goto(f"{portal}/devices/authset/")
    page.get_by_role("link", name=f"Accept mac={mac}").click()
    page.get_by_role("button", name="Accept it").click()
    expect(page.locator("[data-status=accepted]")).to_be_visible()

    def has_reported() -> bool:
        page.reload()
        return page.get_by_role("cell", name="Leipzig").count() == 1

    wait_until(has_reported, seconds=PATIENCE_SECONDS, what="the device's inventory on its page")
    expect(page.get_by_role("listitem").filter(has_text="original").first).to_be_visible()
