"""Who the watchdog is to registries: the file that `docker login` writes, which an operator gives its container to read.

The portal keeps its own logins encrypted in its database, where the watchdog does not look.
"""

from __future__ import annotations

import base64
import binascii
import json
from pathlib import Path
from typing import Final

from devices.drivers.engine import RegistryLogin
from devices.drivers.references import DEFAULT_HOST, parse_reference
from updates.errors import StepFailed

MOST_BYTES: Final = 1 << 20
HUB: Final = "https://index.docker.io/v1/"
"""What Docker calls its own registry there, wherever that has moved since."""


class Logins:
    """The logins of one such file, as it is when they are asked for. No file, no login: most registries want none."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self, reference: str) -> RegistryLogin | None:
        """Who we are to the registry of that image; StepFailed when the file does not say so in a way that can be read."""
        host = parse_reference(reference).host
        try:
            content = self._content()
            kept = json.loads(content)["auths"] if content else {}
            entry = kept.get(HUB if host == DEFAULT_HOST else host) or {}
            return _login(entry["auth"]) if "auth" in entry else None
        except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error):
            # What was read is not repeated: it is secret.
            raise StepFailed(
                f"The login for {host} cannot be read: {self._path} has to be as `docker login` writes it."
            ) from None

    def _content(self) -> bytes:
        """Empty where there is no file, or /dev/null in its place."""
        try:
            with self._path.open("rb") as file:
                return file.read(MOST_BYTES)
        except FileNotFoundError:
            return b""


def _login(auth: str) -> RegistryLogin:
    name, separator, secret = base64.b64decode(auth, validate=True).decode().partition(":")
    if not separator:
        raise ValueError("no password")
    return RegistryLogin(name, secret)
