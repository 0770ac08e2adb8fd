"""A web server of the portal where devices reach it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.request import urlopen

from tests.e2e.portal_process import PortalProcess
from tests.environment.waiting import wait_until

START_SECONDS: Final = 240


@dataclass
class Portal:
    """It runs at `url`; `start` starts it there once more."""

    host: str
    port: int
    start: Callable[[], PortalProcess]
    web: PortalProcess

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def restart(self) -> None:
        """It was killed, and answers again: a device asks a few times only before it takes back what it has installed."""
        self.web.kill_with_children()
        self.web = self.start()
        wait_until(self._answers, seconds=START_SECONDS, what="the portal's web server")

    def _answers(self) -> bool:
        try:
            with urlopen(f"{self.url}/livez", timeout=5) as answer:  # noqa: S310 - our own server's
                return bool(answer.status == HTTPStatus.OK)
        except OSError:
            return False
