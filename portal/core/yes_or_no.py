"""A filter's word that is true or false, and never silently neither: what chooses too much updates too much."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django_filters.widgets import BooleanWidget


class _Widget(BooleanWidget):
    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:  # noqa: ANN401 - as Django has it
        """What is understood as a bool, what is not as it was said."""
        understood = super().value_from_datadict(data, files, name)
        return data.get(name) if understood is None else understood


class _Field(forms.Field):
    """A field of its own: Django's NullBooleanField takes what it does not know for nothing, too."""

    widget = _Widget

    def to_python(self, value: Any) -> bool | None:  # noqa: ANN401 - as Django has it
        """None where nothing is said; ValidationError for what is neither true nor false."""
        if isinstance(value, bool):
            return value
        if value is None or not str(value).strip():
            return None
        raise ValidationError("Say true or false.", code="invalid")


class YesOrNoFilter(django_filters.BooleanFilter):
    """As `BooleanFilter`, which takes a word that it does not know for none: a filter by "yes" would find everything."""

    field_class = _Field
