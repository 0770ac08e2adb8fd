"""Asking Mender's management API as a script does."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from django.test import Client

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Answer

BASE: Final = "/api/management/"
ARTIFACTS: Final = f"{BASE}v1/deployments/artifacts"
LOGIN: Final = f"{BASE}v1/useradm/auth/login"
BOUNDARY: Final = "-----fleetwright"


@dataclass(frozen=True)
class Script:
    """A program with a token, or with none."""

    token: str = ""

    def get(self, address: str, **words: str) -> Answer:
        return Client().get(address, words, headers=self._headers())

    def delete(self, address: str) -> Answer:
        return Client().delete(address, headers=self._headers())

    def upload(self, content: bytes, *, chunked: bool = False, **words: str) -> Answer:
        """As mender-cli does it: its words first, then the file."""
        return self.send(form(content, **words), chunked=chunked)

    def send(self, body: bytes, *, chunked: bool = False) -> Answer:
        extra: dict[str, Any] = {}
        if chunked:
            extra = {
                "CONTENT_LENGTH": "",
                "HTTP_TRANSFER_ENCODING": "chunked",
                "wsgi.input_terminated": True,
                "wsgi.input": io.BytesIO(body),
            }
        return Client().post(
            ARTIFACTS,
            data=body,
            content_type=f"multipart/form-data; boundary={BOUNDARY}",
            headers=self._headers(),
            **extra,
        )

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def form(content: bytes, **words: str) -> bytes:
    """multipart/form-data with these words and, after them, the file `artifact`."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in words.items()
    ]
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="artifact"; filename="a.mender"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return b"".join([*parts, head.encode(), content, f"\r\n--{BOUNDARY}--\r\n".encode()])


def log_in(username: str, password: str, *, address: str = "192.0.2.1") -> Answer:
    coded = base64.b64encode(f"{username}:{password}".encode()).decode()
    return Client().post(LOGIN, headers={"Authorization": f"Basic {coded}"}, REMOTE_ADDR=address)
