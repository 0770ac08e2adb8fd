"""What a device that pulls reports of itself: names and values, as Mender's clients send them. Pure."""

from __future__ import annotations

from typing import Final

from devices.errors import Unreadable
from portal.core.quoting import quoted
from portal.core.strict_json import decode_json_text, parse_json

BODY_LIMIT_BYTES: Final = 256 * 1024
MOST_ATTRIBUTES: Final = 500
LONGEST_NAME: Final = 1024
LONGEST_VALUE: Final = 8 * 1024
KEPT_OF_LONGER: Final = LONGEST_VALUE - 32
MOST_LISTED: Final = 200
LARGEST_NUMBER: Final = 2**53
"""What any reader of JSON still knows exactly."""

Plain = str | int | float
Value = Plain | list[str] | list[int | float]
Inventory = dict[str, Value]


def read_inventory(body: bytes) -> Inventory:
    """The attributes of a report: [{"name": …, "value": …}, …]. Of a name that comes twice, the last value counts.

    A value that is too long is cut, and says so at its end: the rest counts all the same. Unreadable for anything else, for a
    name without a letter, and for more than anybody needs.
    """
    text = decode_json_text(body, where="the inventory", refused=_unreadable)
    said = parse_json(text, where="the inventory", depth=4, refused=_unreadable)
    if not isinstance(said, list):
        raise Unreadable("The inventory is not a list of names and values.")
    check_count(len(said))
    return dict(_attribute(entry) for entry in said)


def check_count(count: int) -> None:
    """Nothing, or Unreadable when one device would have so many attributes."""
    if count > MOST_ATTRIBUTES:
        raise Unreadable(
            f"The inventory has {count} attributes; a device may have {MOST_ATTRIBUTES}."
        )


def _attribute(entry: object) -> tuple[str, Value]:
    if not isinstance(entry, dict):
        raise Unreadable("An attribute in the inventory is not an object.")
    name = entry.get("name")
    if not isinstance(name, str) or not name.strip():
        raise Unreadable("An attribute in the inventory has no name.")
    if len(name) > LONGEST_NAME:
        raise Unreadable(f"An attribute's name is longer than {LONGEST_NAME} characters.")
    if "value" not in entry:
        raise Unreadable(f"The attribute {quoted(name)} has no value.")
    return name, _value(name, entry["value"])


def _value(name: str, value: object) -> Value:
    if not isinstance(value, list):
        return _plain(name, value)
    listed = [_plain(name, item) for item in value]
    texts = [item for item in listed if isinstance(item, str)]
    numbers = [item for item in listed if not isinstance(item, str)]
    if texts and numbers:
        raise Unreadable(f"The attribute {quoted(name)} lists values of more than one kind.")
    if len(listed) > MOST_LISTED:
        return [*map(str, listed[: MOST_LISTED - 1]), _cut(len(listed))]
    return numbers or texts


def _plain(name: str, value: object) -> Plain:
    if isinstance(value, str):
        if len(value) > LONGEST_VALUE:
            return f"{value[:KEPT_OF_LONGER]} {_cut(len(value))}"
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        if abs(value) > LARGEST_NUMBER:
            raise Unreadable(f"The attribute {quoted(name)} is too large a number.")
        return value
    raise Unreadable(
        f"The attribute {quoted(name)} is neither a text, nor a number, nor a list of those."
    )


def _cut(length: int) -> str:
    """What stands at the end of a value that had so many characters, or so many values."""
    return f"… (cut: it has {length:,})"


def _unreadable(_rule: str, sentence: str) -> Unreadable:
    return Unreadable(sentence)
