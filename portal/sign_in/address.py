"""Where a request comes from, as far as that can be believed."""

from __future__ import annotations

import ipaddress

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The address of whoever asks. Behind `settings.PROXY_COUNT` proxies of ours: what the outermost of them wrote.

    Each proxy appends the address that it sees to X-Forwarded-For; what stands left of ours was written by the client, and
    is worth nothing. None where there is none, as on a Unix socket.
    """
    nearest: str | None = request.META.get("REMOTE_ADDR") or None
    if settings.PROXY_COUNT < 1:
        return nearest
    passed_on = request.headers.get("X-Forwarded-For", "").split(",")
    if len(passed_on) < settings.PROXY_COUNT:
        return nearest
    told = passed_on[-settings.PROXY_COUNT].strip()
    try:
        return str(ipaddress.ip_address(told))
    except ValueError:
        return nearest
