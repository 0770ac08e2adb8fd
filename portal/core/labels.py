"""Labels: what people and machines call a thing, on one line."""

from __future__ import annotations


def is_label(text: str) -> bool:
    """Whether it is printable and not empty, without blanks at its ends and without a step upwards in a path."""
    return (
        bool(text) and text.isprintable() and text == text.strip() and ".." not in text.split("/")
    )
