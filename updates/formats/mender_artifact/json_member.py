"""JSON as the artifact's members hold it, read so strictly that every parser in the field would read the same.

Go matches keys whatever their case, takes the last of two equal keys and replaces what is not Unicode; the C++ client
refuses or crashes. Where they differ, we refuse.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import NoReturn, Self

from updates.errors import ArtifactRefused
from updates.formats.mender_artifact.limits import Limits
from updates.formats.quoting import quoted

_MAX_DIGITS = 300  # longer ones are no float64, which is what Go makes of every number
_NAMES = {dict: "an object", list: "a list", str: "a string", int: "a number", float: "a number"}


class JsonObject:
    """One JSON object, with getters that refuse what has the wrong type. `where` names it in sentences."""

    def __init__(self, values: Mapping[str, object], *, where: str) -> None:
        self._values = values
        self.where = where

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
                raise ArtifactRefused(
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
                raise ArtifactRefused(
                    "unknown-key",
                    f"The key {quoted(key)} in {self.where} differs only in case from one of the format.",
                )
        return self

    def _check_required(self, required: Iterable[str]) -> None:
        for key in required:
            if key not in self._values:
                raise ArtifactRefused("missing-key", f"The key {key} is missing in {self.where}.")

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
        return JsonObject(value, where=f"{key} in {self.where}")

    def children(self, key: str) -> tuple[JsonObject, ...]:
        """The list of objects under `key`; empty where the key is missing."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self._refuse_type(key, "a list of objects")
        return tuple(JsonObject(item, where=f"{key} in {self.where}") for item in value)

    def _refuse_type(self, key: str, expected: str) -> NoReturn:
        found = _NAMES.get(type(self._values[key]), "something else")
        raise ArtifactRefused(
            "json-type",
            f"The value of {quoted(key)} in {self.where} must be {expected}, but is {found}.",
        )


def decode_json_text(content: bytes, *, where: str) -> str:
    """Return the content as text. Raises ArtifactRefused if it is not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ArtifactRefused(
            "json-encoding",
            f"The text of {where} is not UTF-8: the byte at {error.start} is out of place.",
        ) from error


def parse_json_object(text: str, *, where: str, limits: Limits) -> JsonObject:
    """Parse text that must be one JSON object: RFC 8259, no duplicate keys, no NUL, no half of a surrogate pair.

    Raises ArtifactRefused for anything else, however deeply nested or oddly written.
    """

    def unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
        values = dict(pairs)
        if len(values) < len(pairs):
            raise ArtifactRefused(
                "json-duplicate-key", f"An object in {where} has the same key twice."
            )
        return values

    try:
        value = json.loads(
            text,
            object_pairs_hook=unique,
            parse_constant=_no_constant,
            parse_float=_finite,
            parse_int=_integer,
        )
    except RecursionError:
        raise _too_deep(where, limits) from None
    except ValueError as error:
        raise ArtifactRefused(
            "json-syntax", f"The text of {where} is not JSON: {error}."
        ) from error
    if not isinstance(value, dict):
        raise ArtifactRefused("json-type", f"The text of {where} must be a JSON object.")
    _check_values(value, where=where, limits=limits)
    return JsonObject(value, where=where)


def _check_values(root: dict[str, object], *, where: str, limits: Limits) -> None:
    level: list[object] = [root]
    depth = 0
    while level:
        below: list[object] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value, where=where)
            elif isinstance(value, dict | list):
                below += value
                below += value.values() if isinstance(value, dict) else ()
                if depth >= limits.json_depth:
                    raise _too_deep(where, limits)
        level = below
        depth += 1


def _check_text(text: str, *, where: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ArtifactRefused(
            "json-text",
            f"A text in {where} has a NUL or half of a surrogate pair in it: {quoted(text)}.",
        )


def _too_deep(where: str, limits: Limits) -> ArtifactRefused:
    return ArtifactRefused(
        "json-depth", f"Lists or objects in {where} are nested more than {limits.json_depth} deep."
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
