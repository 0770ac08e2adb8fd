"""What an address names."""

from __future__ import annotations

from uuid import UUID

from django.http import Http404


def uuid_or_404(text: str) -> UUID:
    """The id that an address names; 404 when it cannot be one."""
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None


def number_or_404(text: str) -> int:
    """The number that an address names; 404 when it cannot be one."""
    if not (text.isascii() and text.isdigit() and len(text) < 18):
        raise Http404
    return int(text)
