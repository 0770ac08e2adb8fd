"""Reading what a page shows."""

from __future__ import annotations

import re


def mark_in(content: bytes) -> str:
    """The word with which the page's panel asks for news."""
    found = re.search(rb"mark=([0-9a-f]+)", content)
    assert found, "nothing on this page asks for news"
    return found[1].decode()
