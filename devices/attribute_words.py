"""Attributes of devices as people write them: `site=Leipzig; floor=1`, and asked for: `site=Leipzig; floor>3; os~debian`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Case, FloatField, JSONField, Lookup, Q, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform, KeyTransform, KeyTransformExact
from django.db.models.functions import Cast
from django.db.models.lookups import (
    Exact,
    GreaterThan,
    GreaterThanOrEqual,
    IContains,
    LessThan,
    LessThanOrEqual,
    Regex,
    StartsWith,
)

from portal.core.errors import Refused

WRITTEN: Final = r"((?:[^;\\]|\\.)*)(?:;|\Z)"
PAIR: Final = re.compile(rf"\s*([^=;\\]+)={WRITTEN}", re.DOTALL)
CONDITION: Final = re.compile(rf"\s*([^=<>~;\\]+?)(!=|<=|>=|=|<|>|~){WRITTEN}", re.DOTALL)
NUMBER: Final = r"^-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,2})?$"
"""What compares as a number, whether it was reported as one or as text: short enough to fit any database's."""
LISTED: Final = r"""("([^"\\]|\\.)*"|[^],"]+)"""
"""One of a list's, in JSON: a text as a whole, so that nothing inside one is taken for one of the list."""
COMPARED: Final[Mapping[str, type[Lookup[Any]]]] = {
    ">": GreaterThan,
    ">=": GreaterThanOrEqual,
    "<": LessThan,
    "<=": LessThanOrEqual,
}
PLACES: Final = ("attributes", "reported")
"""Where a device's attributes are: what people wrote, and what it reports."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What is asked of one attribute. `sign` is = for the very value or one of a list's, != for anything else or none at all,
    ~ for a part of the text (an empty one: the attribute is there), or compares numbers."""

    key: str
    sign: str
    value: str

    def as_query(self) -> Q:
        """Devices of which it is true, wherever they have the attribute from."""
        found = Q()
        for place in PLACES:
            found |= self._holds(Cast(KeyTextTransform(self.key, place), TextField()), place)
        # Of an attribute that is not there a database says neither yes nor no.
        return ~Q(Case(When(found, then=True), default=False)) if self.sign == "!=" else found

    def _holds(self, text: Cast, place: str) -> Q:
        if self.sign in ("=", "!="):
            is_list = Q(StartsWith(text, "["))
            same = Q(Exact(text, self.value))
            if re.match(NUMBER, self.value):
                # Of texts 1.1 and 1.10 are two, and 007 is not 7; of numbers the databases know which are the same.
                wanted = Value(_number(self.value), output_field=JSONField())
                same |= Q(KeyTransformExact(KeyTransform(self.key, place), wanted))
            return same | (is_list & Q(Regex(text, _as_one_of_a_list(self.value))))
        if self.sign == "~":
            return Q(IContains(text, self.value))
        number = Case(
            When(Regex(text, NUMBER), then=Cast(text, FloatField())),
            default=Value(None, output_field=FloatField()),
        )
        return Q(COMPARED[self.sign](number, float(self.value)))


def _number(value: str) -> int | float:
    return int(value) if re.fullmatch(r"-?[0-9]+", value) else float(value)


def _as_one_of_a_list(value: str) -> str:
    """A regular expression for the JSON text of a list of which `value` is one. The databases put blanks differently.

    A text is in quotes there. The same number has several texts: 3, 3.0.
    """
    texts = {json.dumps(value), json.dumps(value, ensure_ascii=False)}
    if re.match(NUMBER, value):
        number = float(value)
        texts |= {value, str(number), *([str(int(number))] if number.is_integer() else [])}
    one = "|".join(re.escape(text) for text in sorted(texts))
    return rf"^\[({LISTED}, ?)*({one})(,.*)?\]$"


def attributes_in(text: str) -> dict[str, str]:
    r"""Attributes written as "site=Leipzig; floor=1"; a semicolon or backslash in a value has a backslash before it.

    Refused when the text is something else.
    """
    pairs = _pieces(text, PAIR, "Attributes are written as site=Leipzig; floor=1")
    return {pair[1].strip(): _plain(pair[2]) for pair in pairs}


def conditions_in(text: str) -> list[Condition]:
    """What is asked of attributes: all of "site=Leipzig; floor>3; os~debian".

    Refused when the text is something else, and when something that is no number is compared as one.
    """
    asked = _pieces(text, CONDITION, "Attributes are asked for as site=Leipzig; floor>3")
    found = [Condition(word[1].strip(), word[2], _plain(word[3])) for word in asked]
    for condition in found:
        if condition.sign in COMPARED and not re.match(NUMBER, condition.value):
            raise Refused(
                f"{condition.key}{condition.sign} compares numbers, and {condition.value[:100]!r} is none."
            )
    return found


def attributes_as_text(attributes: Mapping[str, Any]) -> str:
    """What `attributes_in` reads."""
    written = []
    for key, value in attributes.items():
        escaped = re.sub(r"([;\\])", r"\\\1", str(value))
        written.append(f"{key}={escaped}")
    return "; ".join(written)


def _pieces(text: str, form: re.Pattern[str], how: str) -> Iterator[re.Match[str]]:
    place = 0
    while text[place:].strip():
        piece = form.match(text, place)
        if piece is None or not piece[1].strip():
            raise Refused(f"{how}, and not as {text[:100]!r}.")
        yield piece
        place = piece.end()


def _plain(written: str) -> str:
    return re.sub(r"\\(.)", r"\1", written.strip(), flags=re.DOTALL)
