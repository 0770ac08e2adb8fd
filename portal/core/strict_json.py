"""JSON of others, read so strictly that every parser in the field would read the same.

Go matches keys whatever their case, takes the last of two equal keys and replaces what is not Unicode; C++ refuses or
crashes; PostgreSQL takes no NUL. Where they differ, we refuse: each format with an error of its own.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, Self

from portal.core.errors import FleetwrightError
from portal.core.quoting import quoted

Refusal = Callable[[str, str], FleetwrightError]
"""Makes the error of a stable rule and a sentence."""

_MAX_DIGITS = 300  # longer ones are no float64, which is what Go makes of every number
_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}


class JsonObject:
    """One JSON object, with getters that refuse what has the wrong type. `where` names it in sentences."""

    def __init__(self, values: Mapping[str, object], *, where: str, refused: Refusal) -> None:
        self._values = values
        self.where = where
        self._refused = refused

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def items(self) -> Iterable[tuple[str, object]]:
        return self._values.items()

    def check_keys(self, *, required: Iterable[str], optional: Iterable[str] = ()) -> Self:
        """Every required key is there, and no key that is neither required nor optional."""
        required = tuple(required)
        self._check_required(required)
        known = {*required, *optional}
        for key in self._values:
            if key not in known:
                raise self._refused(
                    "unknown-key",
                    f"The key {quoted(key)} in {self.where} is not one of the format.",
                )
        return self

    def check_open_keys(self, *, required: Iterable[str], optional: Iterable[str]) -> Self:
        """Every required key is there; others may be, but none that only case tells from a known one.

        Go's decoder takes such a key for the known one, the C++ client does not.
        """
        required = tuple(required)
        self._check_required(required)
        known = {*required, *optional}
        for key in self._values:
            if key not in known and key.casefold() in known:
                raise self._refused(
                    "unknown-key",
                    f"The key {quoted(key)} in {self.where} differs only in case from one of the format.",
                )
        return self

    def _check_required(self, required: Iterable[str]) -> None:
        for key in required:
            if key not in self._values:
                raise self._refused("missing-key", f"The key {key} is missing in {self.where}.")

    def value(self, key: str) -> object:
        return self._values[key]

    def text(self, key: str) -> str:
        value = self._values[key]
        return value if isinstance(value, str) else self._refuse_type(key, "a string")

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of strings under `key`; empty where the key is missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list):
            self._refuse_type(key, "a list of strings")
        texts = tuple(item for item in value if isinstance(item, str))
        return texts if len(texts) == len(value) else self._refuse_type(key, "a list of strings")

    def child(self, key: str) -> JsonObject:
        """The object under `key`; an empty one where the key is missing."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            self._refuse_type(key, "an object")
        return self._inner(value, key)

    def children(self, key: str) -> tuple[JsonObject, ...]:
        """The list of objects under `key`; empty where the key is missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._refuse_type(key, "a list of objects")
        return tuple(self._inner(item, key) for item in value)

    def _inner(self, values: Mapping[str, object], key: str) -> JsonObject:
        return JsonObject(values, where=f"{key} in {self.where}", refused=self._refused)

    def _refuse_type(self, key: str, expected: str) -> NoReturn:
        found = _NAMES.get(type(self._values[key]), "something else")
        raise self._refused(
            "json-type",
            f"The value of {quoted(key)} in {self.where} must be {expected}, but is {found}.",
        )


def decode_json_text(content: bytes, *, where: str, refused: Refusal) -> str:
    """Return the content as text. Raises `refused` if it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise refused(
            "json-encoding",
            f"The text of {where} is not UTF-8: the byte at {error.start} is out of place.",
        ) from error


def parse_json(text: str, *, where: str, depth: int, refused: Refusal) -> object:
    """Parse JSON text: RFC 8259, no duplicate keys, no NUL, no half of a surrogate pair, at most `depth` levels.

    Raises `refused` for anything else, however deeply nested or oddly written.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise refused("json-duplicate-key", f"An object in {where} has the same key twice.")
        return values

    too_deep = refused(
        "json-depth", f"Lists or objects in {where} are nested more than {depth} deep."
    )
    try:
        value: object = json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except RecursionError:
        raise too_deep from None
    except ValueError as error:
        raise refused("json-syntax", f"The text of {where} is not JSON: {error}.") from error
    if _depth(value, where=where, refused=refused, limit=depth) > depth:
        raise too_deep
    return value


def json_object(text: str, *, where: str, depth: int, refused: Refusal) -> JsonObject:
    """As `parse_json`, of a text that must be one JSON object."""
    value = parse_json(text, where=where, depth=depth, refused=refused)
    if not isinstance(value, dict):
        raise refused("json-type", f"The text of {where} must be a JSON object.")
    return JsonObject(value, where=where, refused=refused)


def _depth(root: object, *, where: str, refused: Refusal, limit: int) -> int:
    """How many lists and objects stand within each other, or one more than `limit`; every text was looked at."""
    level: list[object] = [root]
    depth = 0
    while level:
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value, where=where, refused=refused)
            elif isinstance(value, dict | list):
                below += value
                below += value.values() if isinstance(value, dict) else ()
                if depth >= limit:
                    return limit + 1
        level = below
        depth += 1
    return depth


def _check_text(text: str, *, where: str, refused: Refusal) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise refused(
            "json-text",
            f"A text in {where} has a NUL or half of a surrogate pair in it: {quoted(text)}.",
        )


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not a JSON value")


def _integer(digits: str) -> int:
    if len(digits) > _MAX_DIGITS:
        raise ValueError("a number is too large")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
